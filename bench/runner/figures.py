"""The figures: names, units, which way is better, and the goals for Punctual."""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median


class Samples(dict[str, dict[str, list[float]]]):
    """What came out: figure, then system, then one value a round."""

    def add(self, figure: str, system: str, value: float) -> None:
        self.setdefault(figure, {}).setdefault(system, []).append(value)

    def median(self, figure: str, system: str) -> float:
        return median(self[figure][system])


@dataclass(frozen=True)
class Figure:
    name: str
    title: str
    unit: str
    higher_is_better: bool
    goal: str | None = None
    met: Callable[[Samples], bool | None] | None = None
    # A floor that is slower here than any system voids the run.
    floor_must_lead: bool = False
    has_ratio: bool = True

    def ratio(self, own: float, other: float) -> float | None:
        """How many times better `own` is than `other`."""
        if not self.has_ratio:
            return None
        # A pick-up can measure as 0: the handler started before its caller was answered.
        above, below = (own, other) if self.higher_is_better else (other, own)
        return above / max(below, 0.001)


FLOOR_SHARE = 0.6

SQLITE_PEERS = ("riverqueue", "apalis-sqlite", "honker")


def throughput(name: str, title: str, times: float = 0, peers: tuple[str, ...] = (), whom: str = "") -> Figure:
    """Jobs a second: some times the fastest of these peers, and near the floor."""

    def met(samples: Samples) -> bool:
        own = samples.median(name, "punctual")
        rivals = [times * samples.median(name, peer) for peer in peers]
        return own >= max([FLOOR_SHARE * samples.median(name, "floor"), *rivals])

    goal = f"≥ {times:g} × {whom} and ≥ 60 % of the floor" if peers else "≥ 60 % of the floor"
    return Figure(name, title, "jobs/s", True, goal, met, floor_must_lead=True)


def below(name: str, bound: float) -> Callable[[Samples], bool]:
    return lambda samples: samples.median(name, "punctual") < bound


def lateness() -> list[Figure]:
    figures = []
    for rate in (25, 1_000):
        for million, beside in (("", ""), ("-1m", ", with 1,000,000 more for tomorrow")):
            key, title = f"lateness-{rate}{million}", f"lateness at {rate:,} jobs/s{beside}"
            goal = ("< 5 ms", below(f"{key}-p99", 5)) if million else (None, None)
            figures += [
                Figure(f"{key}-p50", f"{title}: p50", "ms", False),
                Figure(f"{key}-p99", f"{title}: p99", "ms", False, *goal),
                Figure(
                    f"{key}-earliest", f"{title}: earliest", "ms", False, "≥ 0 in every round",
                    lambda samples, key=key: min(samples[f"{key}-earliest"]["punctual"]) >= 0,
                    has_ratio=False,
                ),
            ]
    return figures


def schedules() -> list[Figure]:
    """Their number is that of the jobs of `work`, and a hundredth of them is due each second."""
    key, title = "schedules-lateness", "lateness of 1,000 schedules due each second, of 100,000"
    return [
        Figure(f"{key}-p50", f"{title}: p50", "ms", False),
        Figure(f"{key}-p99", f"{title}: p99", "ms", False),
        Figure(
            f"{key}-earliest", f"{title}: earliest", "ms", False, "≥ 0 in every round",
            lambda samples: min(samples[f"{key}-earliest"]["punctual"]) >= 0,
            has_ratio=False,
        ),
        Figure("schedules-jobs", "jobs that these schedules make and a worker begins", "jobs/s", True),
        Figure(
            "schedules-idle-cpu", "idle with 100,000 schedules due tomorrow: share of a core", "%", False, "< 0.2 %",
            below("schedules-idle-cpu", 0.2),
        ),
        Figure("schedules-idle-store-cpu", "the same: share of a core that the store's server takes", "%", False),
        Figure("schedules-idle-memory", "the same: resident memory", "MiB", False),
    ]


def throughputs(store: str) -> list[Figure]:
    """What is asked beyond the floor's share depends on who else there is."""
    if store == "sqlite":
        return [
            throughput("enqueue-single", "enqueue, 64 callers", 10, SQLITE_PEERS, "the fastest peer"),
            throughput("enqueue-bulk", "enqueue, batches of 1,000", 1.5, SQLITE_PEERS, "the fastest peer"),
            throughput("work", "work, history kept", 5, ("riverqueue",), "riverqueue"),
            throughput("work-delete", "work, finished jobs deleted", 1, ("honker",), "honker"),
        ]
    return [
        throughput("enqueue-single", "enqueue, 64 callers"),
        throughput("enqueue-bulk", "enqueue, batches of 1,000"),
        throughput("work", "work, history kept"),
        throughput("work-delete", "work, finished jobs deleted"),
    ]


def best_pickup() -> Figure:
    def met(samples: Samples) -> bool | None:
        peers = [name for name in samples["pickup-p50"] if name != "punctual" and not name.startswith("floor")]
        own = samples.median("pickup-p50", "punctual")
        return all(own <= samples.median("pickup-p50", peer) for peer in peers) if peers else None

    return Figure("pickup-p50", "pick-up latency: p50", "ms", False, "≤ the best peer", met)


def figures(store: str) -> list[Figure]:
    return [
        *throughputs(store),
        throughput("cycle", "full cycle, history kept"),
        throughput("cycle-delete", "full cycle, finished jobs deleted"),
        throughput("work-long-transaction", "work, history kept, beside a transaction that stays open"),
        Figure("http-single", "POST /v1/jobs, 64 connections", "jobs/s", True),
        Figure("http-batch", "POST /v1/jobs/batch of 100, 64 connections", "jobs/s", True),
        best_pickup(),
        Figure("pickup-p99", "pick-up latency: p99", "ms", False),
        *lateness(),
        Figure("claim-0", "a claim of 100, nothing else waiting", "ms", False),
        Figure(
            "claim-1m", "a claim of 100, 1,000,000 future jobs of higher priority", "ms", False,
            "≤ 2 × the claim with nothing else waiting",
            lambda samples: samples.median("claim-1m", "punctual") <= 2 * samples.median("claim-0", "punctual"),
        ),
        Figure("claim-10m", "a claim of 100, 10,000,000 future jobs of higher priority", "ms", False),
        Figure("work-1m", "work, history kept, beside 1,000,000 future jobs", "jobs/s", True),
        Figure("work-10m", "work, history kept, beside 10,000,000 future jobs", "jobs/s", True),
        Figure("bytes-per-job", "store size a waiting job", "bytes", False),
        Figure("worker-memory", "most memory of a worker, 1,000,000 jobs waiting", "MiB", False),
        *schedules(),
        Figure("idle-cpu", "idle: share of a core", "%", False, "< 0.2 %", below("idle-cpu", 0.2)),
        Figure("idle-store-cpu", "idle: share of a core that the store's server takes", "%", False),
        Figure("idle-memory", "idle: resident memory", "MiB", False, "< 30 MiB", below("idle-memory", 30)),
    ]
