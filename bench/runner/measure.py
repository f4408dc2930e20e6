"""The measurements: which commands give which figures, for one system in one round."""

import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from . import adapter
from .adapter import Failed, Unsupported
from .stores import Store
from .systems import HTTP, System

# Jobs of a claim measurement: twenty claims of a hundred.
CLAIM_JOBS = 2_000

# Jobs of a work measurement beside an open transaction: each claim passes over the rows that those before it left dead.
TRANSACTION_JOBS = 30_000

# Jobs in one call of the batch endpoint.
HTTP_BATCH = 100

NO_SCHEDULES = "it keeps no schedules in its store"

NOT_BESIDE_MANY = "a million jobs take it longer than the figure is worth"


@dataclass
class Settings:
    """What the command line asks for, and the store."""

    folder: Path
    store: Store
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
    with settings.store.fresh() as url:
        return values(adapter.run(system.program, command, url, seconds=settings.seconds))


def work(delete: bool, tomorrow: int, system: System, settings: Settings) -> dict[str, float]:
    """A copy of a filled store, and one worker process."""
    jobs = min(settings.jobs, system.most_work or settings.jobs)
    origin = filled(system, settings, jobs=jobs, tomorrow=tomorrow, urgent=True, delete=delete)
    with settings.store.fresh(origin) as url:
        done = adapter.run(system.program, "work", url, jobs=jobs, delete=delete, batch=system.batch)["work"]
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
    return {"bytes": settings.store.bytes(origin) / (tomorrow + CLAIM_JOBS)}


def claim(tomorrow: int, system: System, settings: Settings) -> float:
    origin = filled(system, settings, jobs=CLAIM_JOBS, tomorrow=tomorrow, urgent=True)
    with settings.store.fresh(origin) as url:
        return adapter.run(system.program, "claim", url, jobs=CLAIM_JOBS)["claim"]["value"]


def cycle(delete: bool, system: System, settings: Settings) -> dict[str, float]:
    """Two processes on one file: 64 callers enqueue, one worker works, until all is settled."""
    jobs = min(settings.jobs, system.most_cycle)
    with settings.store.fresh() as url:
        # Two processes that make the same tables at once is not what is measured.
        adapter.run(system.program, "fill", url, delete=delete)
        worker = adapter.start(system.program, "cycle-work", url, jobs=jobs, delete=delete, batch=system.batch)
        try:
            adapter.await_ready(worker)
            begun = adapter.run(system.program, "cycle-enqueue", url, jobs=jobs, delete=delete)
            ended = adapter.finish(worker)
        finally:
            worker.kill()
        length = ended["cycle-work"]["value"] - begun["cycle-enqueue"]["value"]
    return {"cycle-delete" if delete else "cycle": jobs / length}


def pickup(system: System, settings: Settings) -> dict[str, float]:
    with settings.store.fresh() as url:
        jobs = max(20, round(60 * settings.seconds))
        return values(adapter.run(system.program, "pickup", url, jobs=jobs))


def lateness(rate: int, beside: bool, system: System, settings: Settings) -> dict[str, float]:
    if rate not in system.rates:
        raise Unsupported(f"measured at {system.rates[0]} jobs a second only")
    if beside and system.is_peer:
        raise Unsupported("peers are measured with nothing else in the store only")
    origin = filled(system, settings, tomorrow=settings.million) if beside else None
    with settings.store.fresh(origin) as url:
        printed = adapter.run(system.program, "lateness", url, rate=rate, seconds=settings.minute)
    key = f"lateness-{rate}" + ("-1m" if beside else "")
    return {name.replace("lateness", key): value for name, value in values(printed).items()}


def long_transaction(system: System, settings: Settings) -> dict[str, float]:
    """Work, while somebody else keeps a transaction open that has seen the jobs waiting."""
    jobs = min(settings.jobs, TRANSACTION_JOBS)
    origin = filled(system, settings, jobs=jobs, urgent=True)
    with settings.store.fresh(origin) as url, settings.store.transaction(url):
        done = adapter.run(system.program, "work", url, jobs=jobs, batch=system.batch)["work"]
    return {"work-long-transaction": done["value"]}


def http(system: System, settings: Settings) -> dict[str, float]:
    """A running server, and 64 connections that are kept."""
    if system.name != "punctual":
        raise Unsupported("it has no such API")
    found = {}
    for figure, together in (("http-single", 1), ("http-batch", HTTP_BATCH)):
        with settings.store.fresh() as url, serving(settings, url) as server:
            address = f"http://127.0.0.1:{server.port}"
            done = adapter.run(HTTP.program, "enqueue-single", address, seconds=settings.seconds, together=together)
            found[figure] = done["enqueue-single"]["value"]
    return found


def schedules(system: System, settings: Settings) -> dict[str, float]:
    """As many schedules as there are jobs to work elsewhere, of which one in a hundred is due each second."""
    if system.name != "punctual":
        raise Unsupported(NO_SCHEDULES)
    with settings.store.fresh() as url:
        return values(adapter.run(
            system.program, "schedules", url, schedules=settings.jobs, rate=max(1, settings.jobs // 100), seconds=settings.minute,
        ))


def schedules_idle(system: System, settings: Settings) -> dict[str, float]:
    """The same with nothing to do: all of them are due tomorrow."""
    if system.name != "punctual":
        raise Unsupported(NO_SCHEDULES)
    origin = filled(system, settings, schedules=settings.jobs)
    found = idle(system, settings, origin)
    return {f"schedules-{figure}": value for figure, value in found.items()}


def idle(system: System, settings: Settings, origin: str | None = None) -> dict[str, float]:
    """A worker with nothing to do; for Punctual the whole server."""
    if system.is_floor:
        raise Unsupported("it is no service")
    with settings.store.fresh(origin) as url:
        if system.name == "punctual":
            with serving(settings, url) as server:
                found = adapter.watch_idle(server.process, settings.store.pids(), settings.minute)
        else:
            process = adapter.start(system.program, "idle", url)
            try:
                adapter.await_ready(process)
                found = adapter.watch_idle(process, settings.store.pids(), settings.minute)
            finally:
                process.kill()
                process.communicate()
    share, there, resident = found
    return {"idle-cpu": share, "idle-memory": resident} | ({"idle-store-cpu": there} if settings.store.pids() else {})


@dataclass(frozen=True)
class Server:
    process: subprocess.Popen
    port: int


@contextmanager
def serving(settings: Settings, url: str) -> Iterator[Server]:
    """`punctual serve` on this store."""
    if settings.server is None:
        raise Failed("there is no server to measure")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {"PUNCTUAL_STORE": url, "PUNCTUAL_BIND": f"127.0.0.1:{port}"}
    process = subprocess.Popen(
        [settings.server, "serve"], cwd=settings.folder, env=environment,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    try:
        await_listener(process, port)
        yield Server(process, port)
    finally:
        process.kill()
        process.communicate()


def await_listener(process: subprocess.Popen, port: int) -> None:
    for _ in range(100):
        with socket.socket() as probe:
            probe.settimeout(0.1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None:
            raise Failed(f"the server ended with {process.returncode}")
        time.sleep(0.1)
    raise Failed("the server did not listen within 10 s")


def filled(
    system: System, settings: Settings,
    jobs: int = 0, tomorrow: int = 0, schedules: int = 0, urgent: bool = False, delete: bool = False,
) -> str:
    """A store with these jobs and schedules, made once a run and then copied."""
    name = f"{system.name}-{jobs}-{tomorrow}-{schedules}-{'urgent' if urgent else 'plain'}"
    flags = {"jobs": jobs, "tomorrow": tomorrow, "schedules": schedules or None, "urgent-tomorrow": urgent, "delete": delete}
    return settings.store.fill(name, lambda url: adapter.run(system.program, "fill", url, **flags))


def values(printed: dict[str, dict]) -> dict[str, float]:
    return {figure: line["value"] for figure, line in printed.items()}


def measurements(store: str, ten_million: bool) -> list[Measurement]:
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
        *([Measurement("long-transaction", ("work-long-transaction",), long_transaction)] if store == "postgres" else []),
        Measurement("http", ("http-single", "http-batch"), http),
        Measurement("growth-0", ("claim-0",), partial(growth, 0)),
        Measurement("growth-1m", ("claim-1m", "work-1m", "bytes-per-job", "worker-memory"), partial(growth, 1)),
        *([Measurement("growth-10m", ("claim-10m", "work-10m"), partial(growth, 10))] if ten_million else []),
        Measurement(
            "schedules-lateness",
            ("schedules-lateness-p50", "schedules-lateness-p99", "schedules-lateness-earliest", "schedules-jobs"),
            schedules,
        ),
        Measurement(
            "schedules-idle", ("schedules-idle-cpu", "schedules-idle-store-cpu", "schedules-idle-memory"), schedules_idle,
        ),
        Measurement("idle", ("idle-cpu", "idle-store-cpu", "idle-memory"), idle),
    ]
