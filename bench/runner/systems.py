"""The systems that are measured, and how each is built."""

import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

BENCH = Path(__file__).resolve().parents[1]
ROOT = BENCH.parent
TARGET = BENCH / "target"


@dataclass(frozen=True)
class System:
    """One adapter: a package with a lock file of its own."""

    name: str
    folder: str
    # The package whose version the results name; None for our own.
    package: str | None
    # What `bench/README.md` says of its settings, in a few words.
    settings: str
    is_peer: bool = True
    # Where the usual number of jobs would take longer than a figure is worth.
    most_work: int | None = None
    most_cycle: int = 50_000
    # Due jobs a second, where lateness is measured.
    rates: tuple[int, ...] = (25,)
    # Whether it is measured beside a million jobs of tomorrow.
    beside_many: bool = True
    # Jobs of one claim, for a floor.
    batch: int | None = None
    is_floor: bool = False
    # The measurements it takes part in; None for all.
    only: tuple[str, ...] | None = None
    # The adapter, if it is not named after the system.
    adapter: str | None = None

    @property
    def is_of_node(self) -> bool:
        return (BENCH / self.folder / "package.json").exists()

    @property
    def program(self) -> list[str]:
        """The words that start the adapter."""
        if self.is_of_node:
            return ["node", str(BENCH / self.folder / "main.js")]
        return [str(TARGET / "release" / f"bench-{self.adapter or self.name}")]

    @property
    def label(self) -> str:
        """The name in the results: with its version, for a peer."""
        return f"{self.name} {self.version()}" if self.is_peer else self.name

    def version(self) -> str:
        if self.is_of_node:
            lock = json.loads((BENCH / self.folder / "package-lock.json").read_text())
            return lock["packages"][f"node_modules/{self.package}"]["version"]
        lock = (BENCH / self.folder / "Cargo.lock").read_text()
        return re.search(rf'name = "{self.package}"\nversion = "([^"]+)"', lock).group(1)

    def build(self) -> None:
        if self.is_of_node:
            subprocess.run(["npm", "install", "--silent", "--no-save", "--ignore-scripts"], cwd=BENCH / self.folder, check=True)
            return
        subprocess.run(
            ["cargo", "build", "--quiet", "--release", "--locked", "--target-dir", TARGET],
            cwd=BENCH / self.folder,
            check=True,
        )


PUNCTUAL = System(
    "punctual", "punctual", None, "defaults; for throughput 1,000 slots and 1,000 jobs prefetched",
    is_peer=False, rates=(25, 1_000),
)


def floors(folder: str, settings: str) -> tuple[System, System]:
    """The same adapter twice: claiming a hundred jobs at once as the goals have it, and a thousand."""
    adapter = Path(folder).name
    return (
        System(
            "floor", folder, None, f"{settings}; claim 100 and complete 100",
            is_peer=False, is_floor=True, rates=(25, 1_000), batch=100, adapter=adapter,
        ),
        System(
            "floor-1000", folder, None, "the same, claim 1,000 and complete 1,000",
            is_peer=False, is_floor=True, batch=1_000, adapter=adapter, only=OF_BATCHES,
        ),
    )


# What depends on how many jobs a floor takes at once.
OF_BATCHES = ("work", "work-delete", "cycle", "cycle-delete", "long-transaction", "growth-1m", "growth-10m")

SYSTEMS = {
    "sqlite": (
        PUNCTUAL,
        *floors("floor", "group commit"),
        System(
            "riverqueue", "peers/riverqueue", "riverqueue",
            "pool 5, 2,000 workers, cooldown 2 ms (1 ms for latencies), poll 20 ms",
            most_work=20_000, most_cycle=10_000, beside_many=False,
        ),
        System(
            "apalis-sqlite", "peers/apalis-sqlite", "apalis-sqlite",
            "batch 100, poll 5 ms, heartbeat 1 s; due instants in whole seconds",
            most_work=3_000, most_cycle=2_000, beside_many=False,
        ),
        System(
            "honker", "peers/honker", "honker",
            "claim_batch 1,000 and ack_batch; due instants in whole seconds",
            most_cycle=20_000,
        ),
    ),
    "postgres": (
        PUNCTUAL,
        *floors("floor-postgres", "group commit on one connection, two that work"),
        System(
            "riverqueue", "peers/riverqueue-postgres", "riverqueue",
            "20 connections, 2,000 workers, cooldown 2 ms (1 ms for latencies), poll 20 ms",
            most_work=50_000, most_cycle=10_000, beside_many=False, adapter="riverqueue-postgres",
        ),
        System(
            "graphile_worker", "peers/graphile-worker", "graphile_worker",
            "20 connections, 50 jobs at once; for throughput a local queue of 2,000 twice and completions gathered for 20 ms",
            most_cycle=5_000, beside_many=False, adapter="graphile-worker",
        ),
    ),
    "redis": (
        PUNCTUAL,
        *floors("floor-redis", "one script for all who wait"),
        System(
            "apalis-redis", "peers/apalis-redis", "apalis-redis",
            "batch 1,000, 100 at once, poll 5 ms, heartbeat 1 s; due instants in whole seconds",
            most_work=5_000, most_cycle=5_000, beside_many=False,
        ),
        System(
            "bullmq", "peers/bullmq", "bullmq",
            "200 at once",
            most_work=50_000, most_cycle=20_000, beside_many=False,
        ),
    ),
}

# What calls a running server.
HTTP = System("http", "http", None, "64 connections that are kept", is_peer=False)


def build_server() -> Path:
    """The `punctual` binary, for what an idle server costs."""
    subprocess.run(
        ["cargo", "build", "--quiet", "--release", "--locked", "-p", "punctual-cli", "--target-dir", TARGET / "server"],
        cwd=ROOT,
        check=True,
    )
    return TARGET / "server" / "release" / "punctual"
