"""The measurements: which commands give which figures, for one system in one round."""

import os
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from . import adapter
from .adapter import Failed, Unsupported
from .systems import System

# Jobs of a claim measurement: twenty claims of a hundred.
CLAIM_JOBS = 2_000

NOT_BESIDE_MANY = "a million jobs take it longer than the figure is worth"


@dataclass
class Settings:
    """What the command line asks for, and where stores are kept."""

    folder: Path
    rounds: int
    seconds: float
    minute: float
    jobs: int
    million: int
    ten_million: bool
    server: Path | None = None


@dataclass(frozen=True)
class Measurement:
    name: str
    figures: tuple[str, ...]
    measure: Callable[[System, Settings], dict[str, float]]


def enqueue(command: str, system: System, settings: Settings) -> dict[str, float]:
    with adapter.fresh_store(settings.folder) as db:
        return values(adapter.run(system.binary, command, db, seconds=settings.seconds))


def work(delete: bool, tomorrow: int, system: System, settings: Settings) -> dict[str, float]:
    """A copy of a filled store, and one worker process."""
    jobs = min(settings.jobs, system.most_work or settings.jobs)
    origin = filled(system, settings, jobs=jobs, tomorrow=tomorrow, urgent=True, delete=delete)
    with adapter.fresh_store(settings.folder) as db:
        adapter.copy_store(origin, db)
        done = adapter.run(system.binary, "work", db, jobs=jobs, delete=delete, batch=system.batch)["work"]
    if tomorrow:
        return {"rate": done["value"], "memory": done["detail"]["memory_mib"]}
    return {"work-delete" if delete else "work": done["value"]}


def growth(millions: int, system: System, settings: Settings) -> dict[str, float]:
    """Work and claims beside millions of future jobs of higher priority, and what those weigh."""
    if millions and not system.beside_many:
        raise Unsupported(NOT_BESIDE_MANY)
    tomorrow = millions * settings.million
    found: dict[str, float] = {}
    reasons = []
    if millions:
        for part in (partial(weight, tomorrow), partial(work, False, tomorrow)):
            try:
                found |= part(system, settings)
            except Unsupported as unsupported:
                reasons.append(str(unsupported))
        key = f"{millions}m"
        found = {
            f"work-{key}": found.get("rate"),
            "bytes-per-job": found.get("bytes") if millions == 1 else None,
            "worker-memory": found.get("memory") if millions == 1 else None,
        }
    try:
        found[f"claim-{millions}m" if millions else "claim-0"] = claim(tomorrow, system, settings)
    except Unsupported as unsupported:
        reasons.append(str(unsupported))
    found = {figure: value for figure, value in found.items() if value is not None}
    if not found:
        raise Unsupported("; ".join(reasons))
    return found


def weight(tomorrow: int, system: System, settings: Settings) -> dict[str, float]:
    origin = filled(system, settings, jobs=CLAIM_JOBS, tomorrow=tomorrow, urgent=True)
    return {"bytes": adapter.store_bytes(origin) / (tomorrow + CLAIM_JOBS)}


def claim(tomorrow: int, system: System, settings: Settings) -> float:
    origin = filled(system, settings, jobs=CLAIM_JOBS, tomorrow=tomorrow, urgent=True)
    with adapter.fresh_store(settings.folder) as db:
        adapter.copy_store(origin, db)
        return adapter.run(system.binary, "claim", db, jobs=CLAIM_JOBS)["claim"]["value"]


def cycle(delete: bool, system: System, settings: Settings) -> dict[str, float]:
    """Two processes on one file: 64 callers enqueue, one worker works, until all is settled."""
    jobs = min(settings.jobs, system.most_cycle)
    with adapter.fresh_store(settings.folder) as db:
        # Two processes that make the same tables at once is not what is measured.
        adapter.run(system.binary, "fill", db, delete=delete)
        worker = adapter.start(system.binary, "cycle-work", db, jobs=jobs, delete=delete, batch=system.batch)
        try:
            adapter.await_ready(worker)
            begun = adapter.run(system.binary, "cycle-enqueue", db, jobs=jobs, delete=delete)
            ended = adapter.finish(worker)
        finally:
            worker.kill()
        length = ended["cycle-work"]["value"] - begun["cycle-enqueue"]["value"]
    return {"cycle-delete" if delete else "cycle": jobs / length}


def pickup(system: System, settings: Settings) -> dict[str, float]:
    with adapter.fresh_store(settings.folder) as db:
        jobs = max(20, round(60 * settings.seconds))
        return values(adapter.run(system.binary, "pickup", db, jobs=jobs))


def lateness(rate: int, beside: bool, system: System, settings: Settings) -> dict[str, float]:
    if rate not in system.rates:
        raise Unsupported(f"measured at {system.rates[0]} jobs a second only")
    if beside and system.is_peer:
        raise Unsupported("peers are measured with nothing else in the store only")
    with adapter.fresh_store(settings.folder) as db:
        if beside:
            adapter.copy_store(filled(system, settings, tomorrow=settings.million), db)
        printed = adapter.run(system.binary, "lateness", db, rate=rate, seconds=settings.minute)
    key = f"lateness-{rate}" + ("-1m" if beside else "")
    return {name.replace("lateness", key): value for name, value in values(printed).items()}


def idle(system: System, settings: Settings) -> dict[str, float]:
    """A worker with nothing to do; for Punctual the whole server."""
    if system.name == "floor":
        raise Unsupported("it is no service")
    with adapter.fresh_store(settings.folder) as db:
        if system.name == "punctual":
            process = start_server(settings, db)
        else:
            process = adapter.start(system.binary, "idle", db)
        try:
            if system.name != "punctual":
                adapter.await_ready(process)
            share, resident = adapter.watch_idle(process, settings.minute)
        finally:
            process.kill()
            process.communicate()
    return {"idle-cpu": share, "idle-memory": resident}


def start_server(settings: Settings, db: Path) -> subprocess.Popen:
    if settings.server is None:
        raise Failed("there is no server to measure")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {"PUNCTUAL_STORE": f"sqlite:{db}", "PUNCTUAL_BIND": f"127.0.0.1:{port}"}
    process = subprocess.Popen(
        [settings.server, "serve"], cwd=settings.folder, env=environment,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    for _ in range(100):
        with socket.socket() as probe:
            probe.settimeout(0.1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return process
        if process.poll() is not None:
            raise Failed(f"the server ended with {process.returncode}")
        time.sleep(0.1)
    process.kill()
    raise Failed("the server did not listen within 10 s")


def filled(system: System, settings: Settings, jobs: int = 0, tomorrow: int = 0, urgent: bool = False, delete: bool = False) -> Path:
    """A store with these jobs, made once a run and then copied."""
    origin = settings.folder / f"{system.name}-{jobs}-{tomorrow}-{'urgent' if urgent else 'plain'}.db"
    if not origin.exists():
        try:
            adapter.run(
                system.binary, "fill", origin, jobs=jobs, tomorrow=tomorrow,
                **{"urgent-tomorrow": urgent, "delete": delete},
            )
        except (Failed, Unsupported):
            adapter.remove_store(origin)
            raise
    return origin


def values(printed: dict[str, dict]) -> dict[str, float]:
    return {figure: line["value"] for figure, line in printed.items()}


def sqlite_measurements(ten_million: bool) -> list[Measurement]:
    late = [
        Measurement(
            f"lateness-{rate}{million}",
            tuple(f"lateness-{rate}{million}-{part}" for part in ("p50", "p99", "earliest")),
            partial(lateness, rate, bool(million)),
        )
        for rate in (25, 1_000)
        for million in ("", "-1m")
    ]
    return [
        Measurement("enqueue-single", ("enqueue-single",), partial(enqueue, "enqueue-single")),
        Measurement("enqueue-bulk", ("enqueue-bulk",), partial(enqueue, "enqueue-bulk")),
        Measurement("work", ("work",), partial(work, False, 0)),
        Measurement("work-delete", ("work-delete",), partial(work, True, 0)),
        Measurement("cycle", ("cycle",), partial(cycle, False)),
        Measurement("cycle-delete", ("cycle-delete",), partial(cycle, True)),
        Measurement("pickup", ("pickup-p50", "pickup-p99"), pickup),
        *late,
        Measurement("growth-0", ("claim-0",), partial(growth, 0)),
        Measurement("growth-1m", ("claim-1m", "work-1m", "bytes-per-job", "worker-memory"), partial(growth, 1)),
        *([Measurement("growth-10m", ("claim-10m", "work-10m"), partial(growth, 10))] if ten_million else []),
        Measurement("idle", ("idle-cpu", "idle-memory"), idle),
    ]
