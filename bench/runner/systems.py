"""The systems that are measured, and how each is built."""

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
    # The measurements it takes part in; None for all.
    only: tuple[str, ...] | None = None
    # The adapter, if it is not named after the system.
    adapter: str | None = None

    @property
    def binary(self) -> Path:
        return TARGET / "release" / f"bench-{self.adapter or self.name}"

    @property
    def label(self) -> str:
        """The name in the results: with its version, for a peer."""
        return f"{self.name} {self.version()}" if self.is_peer else self.name

    def version(self) -> str:
        lock = (BENCH / self.folder / "Cargo.lock").read_text()
        return re.search(rf'name = "{self.package}"\nversion = "([^"]+)"', lock).group(1)

    def build(self) -> None:
        subprocess.run(
            ["cargo", "build", "--quiet", "--release", "--locked", "--target-dir", TARGET],
            cwd=BENCH / self.folder,
            check=True,
        )


SQLITE = (
    System(
        "punctual", "punctual", None,
        "defaults; for throughput 1,000 slots and 1,000 jobs prefetched",
        is_peer=False, rates=(25, 1_000),
    ),
    System(
        "floor", "floor", None, "group commit; claim 100 and complete 100",
        is_peer=False, rates=(25, 1_000), batch=100,
    ),
    System(
        "floor-1000", "floor", None, "the same, claim 1,000 and complete 1,000",
        is_peer=False, batch=1_000, only=("work", "work-delete", "cycle", "cycle-delete", "growth-1m", "growth-10m"), adapter="floor",
    ),
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
)


def build_server() -> Path:
    """The `punctual` binary, for what an idle server costs."""
    subprocess.run(
        ["cargo", "build", "--quiet", "--release", "--locked", "-p", "punctual-cli", "--target-dir", TARGET / "server"],
        cwd=ROOT,
        check=True,
    )
    return TARGET / "server" / "release" / "punctual"
