"""The stores: where each system gets a fresh one, or a copy of a filled one."""

import os
import shutil
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from .systems import ROOT

SERVERS = ROOT / "scripts" / "servers"

Fill = Callable[[str], None]


class Store(ABC):
    """Everything that differs from store to store, as far as the measurements are concerned."""

    name: str
    # What the page says of the server, its version and its settings.
    facts: list[str]

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.facts = []

    def stop(self) -> None:
        """Ends whatever was started."""

    @abstractmethod
    def fresh(self, origin: str | None = None):
        """A context: the URL of a store that nobody has used, or of a copy of `origin`."""

    @abstractmethod
    def fill(self, name: str, fill: Fill) -> str:
        """Makes a filled store of this name, unless it is there; to be copied by `fresh`."""

    @abstractmethod
    def clear(self) -> None:
        """Forgets all filled stores: they are large."""

    @abstractmethod
    def bytes(self, origin: str) -> int:
        """What a filled store weighs beyond an empty one."""

    def pids(self) -> list[int]:
        """The processes of the server, where there is one."""
        return []

    @abstractmethod
    def syncs(self, words: list[str]) -> tuple[str, int] | None:
        """Runs these words under strace: what they printed, and how often somebody waited for the disk meanwhile. None where that
        tells nothing of their durability, or there is no strace."""


class Sqlite(Store):
    name = "sqlite"

    @contextmanager
    def fresh(self, origin: str | None = None) -> Iterator[str]:
        db = self.folder / "store.db"
        remove(db)
        try:
            if origin:
                # What stands beside it in `-shm` is rebuilt.
                for suffix in ("", "-wal"):
                    if Path(origin + suffix).exists():
                        shutil.copyfile(origin + suffix, f"{db}{suffix}")
                # Whoever is measured next syncs its own writes, and is not to wait for these.
                os.sync()
            yield f"sqlite:{db}"
        finally:
            remove(db)

    def fill(self, name: str, fill: Fill) -> str:
        origin = self.folder / f"{name}.db"
        if not origin.exists():
            try:
                fill(f"sqlite:{origin}")
            except Exception:
                remove(origin)
                raise
        return str(origin)

    def clear(self) -> None:
        shutil.rmtree(self.folder)
        self.folder.mkdir()

    def bytes(self, origin: str) -> int:
        return sum(path.stat().st_size for path in (Path(origin), Path(f"{origin}-wal")) if path.exists())

    def syncs(self, words: list[str]) -> tuple[str, int] | None:
        if shutil.which("strace") is None:
            return None
        counts = self.folder / "counts.strace"
        output = ask(*STRACE, "-o", str(counts), *words)
        return output, counted(counts)


class Postgres(Store):
    """One server; a database for each store."""

    name = "postgres"
    SETTINGS = ("fsync=on", "synchronous_commit=on")
    # As Debian's template has it, and not by the rules of a language, which sort no system's names here.
    LOCALE = "template template0 encoding 'UTF8' locale_provider libc locale 'C.UTF-8'"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        # The server runs as another user.
        folder.chmod(0o755)
        self.url = ask(SERVERS / "postgres", "start", folder / "server", *self.SETTINGS).strip()
        self.origins: list[str] = []
        self.facts = [
            "PostgreSQL " + self.sql("show server_version"),
            "settings as PostgreSQL has them, shared_buffers " + self.sql("show shared_buffers")
            + ", and fsync=on, synchronous_commit=on; a database for each store, and a checkpoint before each measurement",
        ]

    def stop(self) -> None:
        ask(SERVERS / "postgres", "stop", self.folder / "server")

    def sql(self, *statements: str, database: str = "postgres") -> str:
        commands = [word for statement in statements for word in ("-c", statement)]
        return ask("psql", "-X", "-q", "-t", "-A", "-v", "ON_ERROR_STOP=1", self.at(database), *commands).strip()

    def at(self, database: str) -> str:
        return self.url.rsplit("/", 1)[0] + f"/{database}"

    @contextmanager
    def fresh(self, origin: str | None = None) -> Iterator[str]:
        self.make("live", origin)
        try:
            yield self.at("live")
        finally:
            self.sql("drop database if exists live with (force)")

    def make(self, database: str, origin: str | None) -> None:
        self.sql(f"drop database if exists {database} with (force)")
        copied = f"template {origin} strategy file_copy" if origin else self.LOCALE
        self.sql(f"create database {database} {copied}", "checkpoint")

    def fill(self, name: str, fill: Fill) -> str:
        origin = "filled_" + name.replace("-", "_")
        if origin not in self.origins:
            self.make(origin, None)
            self.origins.append(origin)
            try:
                fill(self.at(origin))
                # So that nobody's plans hang on whether the autovacuum has come by.
                self.sql("vacuum (analyze)", database=origin)
            except Exception:
                self.drop(origin)
                raise
        return origin

    def drop(self, origin: str) -> None:
        self.origins.remove(origin)
        self.sql(f"drop database if exists {origin} with (force)")

    def clear(self) -> None:
        for origin in list(self.origins):
            self.drop(origin)

    def bytes(self, origin: str) -> int:
        empty = "template0"
        sizes = [int(self.sql(f"select pg_database_size('{database}')")) for database in (origin, empty)]
        return sizes[0] - sizes[1]

    def pids(self) -> list[int]:
        first = int((self.folder / "server" / "data" / "postmaster.pid").read_text().splitlines()[0])
        return [first, *children(first)]

    def syncs(self, words: list[str]) -> tuple[str, int] | None:
        if shutil.which("strace") is None:
            return None
        counts = self.folder / "counts.strace"
        # The backends that serve the adapter are children of the first process, and come later.
        tracer = subprocess.Popen([*STRACE, "-o", str(counts), "-p", str(self.pids()[0])], stderr=subprocess.DEVNULL)
        time.sleep(0.5)
        output = ask(*words)
        tracer.send_signal(signal.SIGINT)
        tracer.wait()
        return output, counted(counts)

    @contextmanager
    def transaction(self, url: str) -> Iterator[None]:
        """Somebody who keeps a transaction open, which has seen the store as it is."""
        process = subprocess.Popen(
            ["psql", "-X", "-q", "-t", "-A", url], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )
        process.stdin.write("begin isolation level repeatable read;\nselect txid_current();\n")
        process.stdin.flush()
        process.stdout.readline()
        try:
            yield
        finally:
            process.kill()
            process.communicate()


class Redis(Store):
    """A server for each store."""

    name = "redis"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.origins: dict[str, Path] = {}
        self.live: Path | None = None
        version = ask("redis-server", "--version").split()[2].removeprefix("v=")
        self.facts = [f"Redis {version}", "settings as Redis has them, and appendonly yes, appendfsync everysec; a server for each store"]

    def stop(self) -> None:
        if self.live:
            self.end(self.live)

    @contextmanager
    def fresh(self, origin: str | None = None) -> Iterator[str]:
        place = self.folder / "live"
        try:
            if origin:
                shutil.copytree(self.origins[origin] / "appendonlydir", place / "appendonlydir")
                os.sync()
            yield self.begin(place)
        finally:
            self.end(place)
            shutil.rmtree(place, ignore_errors=True)

    def begin(self, place: Path) -> str:
        self.live = place
        return ask(SERVERS / "redis", "start", place).strip()

    def end(self, place: Path) -> None:
        ask(SERVERS / "redis", "stop", place)
        self.live = None

    def fill(self, name: str, fill: Fill) -> str:
        if name not in self.origins:
            place = self.folder / name
            try:
                url = self.begin(place)
                fill(url)
                self.compact(url)
                self.origins[name] = place
            finally:
                self.end(place)
        return name

    def compact(self, url: str) -> None:
        """Writes the append-only file anew: an image of the data is read much sooner than all the commands."""
        self.ask(url, "bgrewriteaof")
        while "aof_rewrite_in_progress:1" in self.ask(url, "info", "persistence") \
                or "aof_rewrite_scheduled:1" in self.ask(url, "info", "persistence"):
            time.sleep(0.1)

    def ask(self, url: str, *words: str) -> str:
        return ask("redis-cli", "-u", url, *words)

    def clear(self) -> None:
        for place in self.origins.values():
            shutil.rmtree(place, ignore_errors=True)
        self.origins.clear()

    def bytes(self, origin: str) -> int:
        """In memory, where Redis has its data."""
        with self.fresh() as url:
            empty = self.memory(url)
        with self.fresh(origin) as url:
            return self.memory(url) - empty

    def memory(self, url: str) -> int:
        lines = self.ask(url, "info", "memory").splitlines()
        return int(next(line for line in lines if line.startswith("used_memory:")).split(":")[1])

    def pids(self) -> list[int]:
        return [int((self.live / "pid").read_text())] if self.live else []

    def syncs(self, words: list[str]) -> tuple[str, int] | None:
        return None  # It syncs by the clock.


STRACE = ["strace", "-f", "-c", "-e", "trace=fsync,fdatasync"]

STORES: dict[str, type[Store]] = {"sqlite": Sqlite, "postgres": Postgres, "redis": Redis}


def ask(*words: object) -> str:
    """Runs a command to its end; what it printed."""
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{words[0]} ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def remove(db: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        Path(f"{db}{suffix}").unlink(missing_ok=True)


def counted(counts: Path) -> int:
    rows = [line.split() for line in counts.read_text().splitlines()]
    counts.unlink()
    return sum(int(row[3]) for row in rows if row and row[-1] in ("fsync", "fdatasync"))


def children(pid: int) -> list[int]:
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(word) for word in path.read_text().split()]
