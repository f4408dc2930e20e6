"""What came out: JSON lines, a table, and a page with a plot."""

import platform
import re
import shutil
import subprocess
from datetime import datetime, timezone
from pathlib import Path
from statistics import median

from . import plot
from .figures import Figure, Samples
from .measure import Settings
from .systems import BENCH, System


# Why some work less than time alone would ask for.
FAVOURED = {
    "apalis-sqlite": "it slows down with the number that waits, so this favours it",
    "apalis-redis": "one of its scripts fails when many more become due at once",
}

# The same adapter, claiming a hundred jobs at once as the goals have it, and a thousand.
FLOORS = ("floor", "floor-1000")


class Report:
    def __init__(self, store: str, figures: list[Figure], systems: list[System], settings: Settings) -> None:
        self.store = store
        self.figures = figures
        self.systems = systems
        self.settings = settings
        self.samples = Samples()
        self.notes: list[str] = []
        self.syncs: dict[str, tuple[int, int] | None] = {}
        self.disk = (0.0, 0.0)

    def note(self, what: str, system: System, words: str) -> None:
        self.notes.append(f"{what}, {system.name}: {words}")

    def measured(self) -> list[Figure]:
        return [figure for figure in self.figures if figure.name in self.samples]

    def lines(self) -> list[dict]:
        return [self.line(figure, system) for figure in self.measured() for system in self.systems
                if system.name in self.samples[figure.name]]

    def line(self, figure: Figure, system: System) -> dict:
        values = self.samples[figure.name][system.name]
        own = system.name == "punctual"
        return {
            "store": self.store,
            "figure": figure.name,
            "system": system.label,
            "median": rounded(median(values)),
            "min": rounded(min(values)),
            "max": rounded(max(values)),
            "unit": figure.unit,
            "ratio_to_best_peer": self.ratio(figure, system, self.best_peer(figure)),
            "ratio_to_floor": self.ratio(figure, system, "floor"),
            "goal": figure.goal if own else None,
            "met": self.met(figure) if own else None,
        }

    def ratio(self, figure: Figure, system: System, other: str | None) -> float | None:
        if other not in self.samples[figure.name]:
            return None
        own = self.samples.median(figure.name, system.name)
        ratio = figure.ratio(own, self.samples.median(figure.name, other))
        return None if ratio is None else rounded(ratio)

    def best_peer(self, figure: Figure) -> str | None:
        """Whoever of the peers did best; a figure of one class holds only peers of that class."""
        peers = [s.name for s in self.systems if s.is_peer and s.name in self.samples[figure.name]]
        choose = max if figure.higher_is_better else min
        return choose(peers, key=lambda name: self.samples.median(figure.name, name), default=None)

    def met(self, figure: Figure) -> bool | None:
        """Whether Punctual reached the goal; None where there is none, or a side of it was not measured."""
        if figure.met is None:
            return None
        try:
            return figure.met(self.samples)
        except KeyError:
            return None

    def voids(self) -> list[str]:
        """Why this run may not be believed."""
        reasons = []
        for figure in self.measured():
            by_system = self.samples[figure.name]
            if not figure.floor_must_lead or "floor" not in by_system:
                continue
            # Whose batches are larger than the goal's hundred is held against hand-written SQL in larger batches.
            floors = [name for name in by_system if name in FLOORS]
            floor = max(self.samples.median(figure.name, name) for name in floors)
            for name in by_system:
                if self.samples.median(figure.name, name) > floor:
                    reasons.append(f"{figure.name}: {name} is faster than the floor")
        for name, counted in self.syncs.items():
            if counted and counted[1] < counted[0]:
                reasons.append(f"{name}: {counted[1]} syncs for {counted[0]} acknowledgements to one caller")
        return reasons

    def table(self) -> str:
        header = ["figure", "unit", *(system.label for system in self.systems), "÷ best peer", "÷ floor", "goal", "met"]
        rows = [header, *(self.row(figure) for figure in self.measured())]
        widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
        return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)

    def row(self, figure: Figure) -> list[str]:
        cells = [number(self.samples.median(figure.name, s.name)) if s.name in self.samples[figure.name] else "–"
                 for s in self.systems]
        own = next((s for s in self.systems if s.name == "punctual"), None)
        line = self.line(figure, own) if own and own.name in self.samples[figure.name] else {}
        ratios = [number(line[key]) if line.get(key) is not None else "–" for key in ("ratio_to_best_peer", "ratio_to_floor")]
        met = {True: "yes", False: "NO", None: "–"}[line.get("met")]
        return [figure.name, figure.unit, *cells, *ratios, figure.goal or "–", met]

    def write(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{self.store}.svg").write_text(plot.svg(self.measured(), self.systems, self.samples))
        (folder / f"{self.store}.md").write_text(self.page())

    def page(self) -> str:
        return "\n".join([
            f"# {self.store}: figures of one run",
            "",
            *(f"> **VOID**: {reason}." for reason in self.voids()),
            "How to read this, and how to run it: [bench/README.md](../README.md). Figures are medians of"
            f" {self.settings.rounds} rounds, in which the systems took turns; ratios above 1 mean that Punctual is better.",
            "",
            f"![throughputs and latencies]({self.store}.svg)",
            "",
            *markdown([self.row_with_header(), *(self.row(figure) for figure in self.measured())]),
            "",
            "## Spread",
            "",
            *markdown([["figure", "system", "min", "median", "max", "unit"], *(
                [line["figure"], line["system"], number(line["min"]), number(line["median"]), number(line["max"]), line["unit"]]
                for line in self.lines())]),
            "",
            "## What was shortened",
            "",
            *(f"* {line}" for line in self.shortened()),
            "",
            "## Machine",
            "",
            *(f"* {line}" for line in self.machine()),
            "",
            "## Systems",
            "",
            *markdown([["system", "settings", "acknowledgements to one caller", "syncs of the disk meanwhile"],
                       *(self.system_row(system) for system in self.systems)]),
            "",
            "## Notes",
            "",
            *(f"* {note}" for note in self.notes),
            "",
        ])

    def row_with_header(self) -> list[str]:
        return ["figure", "unit", *(system.label for system in self.systems), "to best peer", "to floor", "goal", "met"]

    def system_row(self, system: System) -> list[str]:
        counted = self.syncs.get(system.name)
        return [system.label, system.settings, *(map(str, counted) if counted else ("not counted", "not counted"))]

    def shortened(self) -> list[str]:
        """What a longer run would do, so that nobody takes this one for it."""
        settings = self.settings
        fewer = [f"{system.name} works {min(system.most_work or settings.jobs, settings.jobs):,} jobs where the others"
                 f" work {settings.jobs:,}" for system in self.systems if system.most_work]
        cycles = ", ".join(f"{system.name} {min(system.most_cycle, settings.jobs):,}" for system in self.systems)
        return [
            f"enqueueing is measured for {settings.seconds:g} s a round, lateness and idling for {settings.minute:g} s",
            *(f"{line}: {FAVOURED[name]}" if (name := line.split()[0]) in FAVOURED else line for line in fewer),
            f"jobs of a full cycle: {cycles}",
            "schedules are measured for Punctual only: no peer keeps them in its store",
            "peers are measured for lateness with nothing else in the store only, and beside a million jobs of tomorrow"
            " only where their notes do not say otherwise",
            "`floor` claims 100 and completes 100, which the goals are set against; `floor-1000` takes 1,000, as"
            " Punctual's worker may, and the run is void if anybody outruns both",
        ]

    def machine(self) -> list[str]:
        processor = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text())
        cores = Path("/proc/cpuinfo").read_text().count("processor\t")
        return [
            f"{datetime.now(timezone.utc):%Y-%m-%d}, commit {output('git', '-C', str(BENCH), 'rev-parse', '--short', 'HEAD')}",
            f"{processor.group(1) if processor else platform.machine()}, {cores} cores, Linux {platform.release()}",
            *self.settings.store.facts,
            f"writing 4 KiB and fdatasync: {self.disk[0]:.2f} ms median, {self.disk[1]:.2f} ms p99",
            output("rustc", "--version"),
            f"enqueue {self.settings.seconds:g} s a round, lateness and idle {self.settings.minute:g} s, work {self.settings.jobs:,} jobs,"
            f" a million is {self.settings.million:,}",
        ]


def output(*words: str) -> str:
    if shutil.which(words[0]) is None:
        return f"{words[0]} is missing"
    return subprocess.run(words, capture_output=True, text=True).stdout.strip()


def markdown(rows: list[list[str]]) -> list[str]:
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return [lines[0], "|" + "---|" * len(rows[0]), *lines[1:]]


def rounded(value: float) -> float:
    """For machines: all digits that mean anything, and some more."""
    return float(f"{value:.6g}")


def number(value: float) -> str:
    """Three figures are all that such a measurement is good for."""
    if abs(value) >= 1_000:
        digits = len(str(int(abs(value)))) - 3
        return f"{round(value, -digits):,.0f}"
    return f"{value:.3g}"
