"""The command line, and the turn of rounds and systems."""

import argparse
import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from . import adapter, systems
from .adapter import Failed, Unsupported
from .figures import figures
from .measure import Measurement, Settings, measurements
from .report import Report
from .stores import STORES
from .systems import HTTP, SYSTEMS, System


def main(words: list[str]) -> int:
    options = parse(words)
    chosen = [system for system in SYSTEMS[options.store] if not options.systems or system.name in options.systems]
    wanted = measurements(options.store, options.ten_million)
    if options.only:
        wanted = [m for name in options.only for m in asked(wanted, name)]
    if not wanted or not chosen:
        sys.exit("bench/run: nothing by that name")
    build(chosen)
    needs_server = any(m.name in ("idle", "schedules-idle", "http") for m in wanted) and any(s.name == "punctual" for s in chosen)
    server = build_server() if needs_server else None
    systems.TARGET.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=options.directory or systems.TARGET, prefix="stores-") as folder:
        folder = Path(folder)
        disk = adapter.disk_sync_milliseconds(folder)
        settings = Settings(
            folder, STORES[options.store](folder), options.rounds, options.seconds, options.minute, options.jobs,
            options.million, options.ten_million, server,
        )
        report = Report(options.store, figures(options.store), chosen, settings)
        report.disk = disk
        try:
            check_durability(chosen, settings, report)
            for measurement in wanted:
                take(measurement, chosen, settings, report)
        finally:
            settings.store.stop()
    if options.json:
        for line in report.lines():
            print(json.dumps(line, ensure_ascii=False))
    else:
        print(report.table())
    results = options.results or (None if partial_run(options) else systems.BENCH / "results")
    if results:
        report.write(results)
    for reason in report.voids():
        say(f"THIS RUN IS VOID: {reason}")
    return 1 if report.voids() else 0


def parse(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench/run", description="Measures Punctual beside its peers.")
    parser.add_argument("store", choices=list(STORES))
    parser.add_argument("--json", action="store_true", help="one JSON object a line instead of the table")
    parser.add_argument("--rounds", type=int, default=5, help="how often each system has its turn (5)")
    parser.add_argument("--only", action="append", metavar="FIGURE", help="a figure, or the first part of its name; may be repeated")
    parser.add_argument("--systems", nargs="+", metavar="SYSTEM", help="these systems only")
    parser.add_argument("--seconds", type=float, default=2, help="length of an enqueue measurement (2)")
    parser.add_argument("--minute", type=float, default=6, help="length of a lateness or idle measurement (6); 60 shows what is rarer")
    parser.add_argument("--jobs", type=int, default=100_000, help="jobs of a work or cycle measurement, and schedules (100,000)")
    parser.add_argument("--million", type=int, default=1_000_000, help="what counts as a million jobs (1,000,000)")
    parser.add_argument("--ten-million", action="store_true", help="measure growth beside ten million jobs too")
    parser.add_argument("--directory", type=Path, help="where the stores are kept while they are measured; a real disk")
    parser.add_argument("--results", type=Path, help="where to write the page and the plot; default for a complete run: bench/results")
    return parser.parse_args(words)


def partial_run(options: argparse.Namespace) -> bool:
    """Whether the run is less than what may be published."""
    return bool(
        options.only or options.systems or options.rounds < 5 or options.seconds < 2 or options.minute < 6
        or options.jobs < 100_000 or options.million < 1_000_000
    )


def asked(measurements: list[Measurement], name: str) -> list[Measurement]:
    """Those with a figure of exactly this name; failing that, those with one that begins so."""
    exact = [m for m in measurements if name in (m.name, *m.figures)]
    return exact or [m for m in measurements if any(each.startswith(name) for each in (m.name, *m.figures))]


def build(chosen: list[System]) -> None:
    for system in chosen:
        say(f"building {system.name}")
        system.build()


def build_server() -> Path:
    say("building punctual serve")
    HTTP.build()
    return systems.build_server()


def check_durability(chosen: list[System], settings: Settings, report: Report) -> None:
    """Each acknowledgement to a lone caller must have reached the disk: counted by strace, not believed."""
    for system in chosen:
        with settings.store.fresh() as url:
            # One that makes its tables waits for the disk as well.
            adapter.run(system.program, "fill", url)
            traced = settings.store.syncs(adapter.arguments(system.program, "enqueue-single", url, {"callers": 1, "seconds": 1}))
        if traced:
            output, reached = traced
            acknowledged = adapter.figures(output)["enqueue-single"]["detail"]["acknowledged"]
            report.syncs[system.name] = (acknowledged, reached)


def take(measurement: Measurement, chosen: list[System], settings: Settings, report: Report) -> None:
    """All rounds of one measurement, the systems in turn, a different one first in each round."""
    chosen = [system for system in chosen if system.only is None or measurement.name in system.only]
    out: set[str] = set()
    failed_before: set[str] = set()
    for number in range(settings.rounds if chosen else 0):
        turn = number % len(chosen)
        for system in chosen[turn:] + chosen[:turn]:
            if system.name in out:
                continue
            say(f"{measurement.name}, round {number + 1} of {settings.rounds}: {system.name}")
            try:
                for figure, value in measurement.measure(system, settings).items():
                    report.samples.add(figure, system.name, value)
            except Unsupported as unsupported:
                out.add(system.name)
                report.note(measurement.name, system, f"not measured: {unsupported}")
            except Failed as failed:
                report.note(measurement.name, system, f"failed in round {number + 1}: {failed}")
                say(f"{measurement.name}: {system.name} failed: {failed}")
                # Once may be bad luck; a peer that never ends would have all others wait for it in each round.
                (out if system.name in failed_before else failed_before).add(system.name)
    # The filled stores of this measurement are large; the next one makes its own.
    settings.store.clear()


def say(words: str) -> None:
    print(f"bench: {words}", file=sys.stderr, flush=True)
