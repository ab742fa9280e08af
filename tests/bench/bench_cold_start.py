"""How long a fleet takes to register that starts at once at a provider which takes five requests a second.

    uv run nox -s bench -- tests/bench/bench_cold_start.py [--agents N ...] [--intervals T ...] [--seeds S]

In virtual time, so a busy machine changes nothing but how long one waits for the table. Two requests are the least
that a registration takes, where one reads both the record set and the block record, as at Route 53; the time is told
as a multiple of what these alone take, too.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import mean

from dnslb.simulation.agents import KeeperAgent
from dnslb.simulation.cluster import Cluster
from dnslb.simulation.figures import USUAL
from dnslb.simulation.provider import ProviderModel

RATE = 5.0
LIMIT = 1800.0
LEAST_REQUESTS = 2


@dataclass(frozen=True)
class Start:
    """One cold start: when the last was registered, None if not within `LIMIT`, and what the provider was asked."""

    seconds: float | None
    accepted: int
    refused: int
    conflicts: int


def cold_start(agents: int, interval: float, *, hints: bool, seed: int) -> Start:
    policy = replace(USUAL, interval=interval, probe_interval=min(interval, 5.0), hints=hints)
    cluster = Cluster(agents, policy, KeeperAgent, seed, ProviderModel(rate=RATE, reads_together=True))
    cluster.start()
    while len(cluster.members) < agents and cluster.now < LIMIT:
        cluster.run_until(cluster.now + 0.5)
    provider = cluster.provider
    seconds = cluster.now if len(cluster.members) == agents else None
    return Start(seconds, provider.requests - provider.throttled, provider.throttled, provider.conflicts)


def row(agents: int, interval: float, mode: str, starts: Sequence[Start]) -> Sequence[object]:
    times = [start.seconds for start in starts if start.seconds is not None]
    least = LEAST_REQUESTS * agents / RATE
    return (
        agents,
        f"{interval:g}s",
        mode,
        f"{len(times)} of {len(starts)}",
        f"{min(times):.0f} to {max(times):.0f} s" if times else "",
        f"{mean(times) / least:.1f}" if times else "",
        f"{mean(start.accepted for start in starts) / agents:.1f}",
        f"{mean(start.refused for start in starts) / agents:.1f}",
        f"{mean(start.conflicts for start in starts) / agents:.2f}",
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--agents", type=int, nargs="+", default=[20, 100, 500])
    parser.add_argument("--intervals", type=float, nargs="+", default=[60.0])
    parser.add_argument("--seeds", type=int, default=3)
    asked = parser.parse_args()
    titles = ("agents", "`check_interval`", "`observe`", "registered", f"within, at most {LIMIT:g} s", "of the least")
    print("|", " | ".join((*titles, "accepted an agent", "refused", "conflicts")), "|")
    print("| ---: | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for agents in asked.agents:
        for interval in asked.intervals:
            for mode in ("api", "dns"):
                seeds = range(1, asked.seeds + 1)
                starts = [cold_start(agents, interval, hints=mode == "dns", seed=seed) for seed in seeds]
                print("|", " | ".join(map(str, row(agents, interval, mode, starts))), "|", flush=True)


if __name__ == "__main__":
    main()
