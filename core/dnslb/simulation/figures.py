"""What happens to a cluster when something goes wrong, as one number: the rows of the table in the documentation.

A row is a function from a cluster that has not begun to a figure. All run at the usual settings: T = 60 s, reads of
0.1 s, writes of 0.25 s.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from dnslb.decision import Policy
from dnslb.records import Address
from dnslb.simulation.cluster import Cluster, MakeAgent
from dnslb.simulation.provider import ProviderModel, Written

MINUTE, HOUR = 60.0, 3600.0
USUAL = Policy(interval=60.0, probe_interval=5.0, ttl=60)
USUAL_PROVIDER = ProviderModel()
WITH_DESTROYER = replace(USUAL, destroys=True)

Measure = Callable[[Cluster], float]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: what is measured, and how it is brought about."""

    name: str
    title: str
    measure: Measure
    policy: Policy = USUAL
    provider: ProviderModel = USUAL_PROVIDER

    def figure(self, make_agent: MakeAgent, size: int, seed: int) -> float:
        """The figure for one cluster."""
        return self.measure(Cluster(size, self.policy, make_agent, seed, self.provider))


# -- what is counted ---------------------------------------------------------------------------------------------


def _false_removals(cluster: Cluster, *, of: Callable[[Address], bool] = lambda _: True) -> list[Written]:
    """Counts, from now on, each time that somebody takes out another member whose service is up."""
    counted: list[Written] = []

    def count(written: Written) -> None:
        gone = written.before - written.after - {written.by}
        counted.extend(written for address in gone if cluster.nodes[address].is_up and of(address))

    cluster.provider.on_write = count
    return counted


def _share_of_time(cluster: Cluster, is_so: Callable[[], bool], end: float, when: Callable[[], bool]) -> float:
    """Of the seconds until `end` in which `when` holds, the percentage in which `is_so` does."""
    asked = held = 0
    while cluster.now < end:
        cluster.run_until(cluster.now + 1.0)
        if when():
            asked += 1
            held += is_so()
    return 100.0 * held / max(1, asked)


def _seconds_until(cluster: Cluster, condition: Callable[[], bool], limit: float) -> float:
    began = cluster.now
    while not condition() and cluster.now - began < limit:
        cluster.run_until(cluster.now + 0.5)
    return cluster.now - began


def _at_rest(cluster: Cluster) -> random.Random:
    """A cluster that has run for a while with everybody in it; and the choice of whom it will hit."""
    cluster.register_all()
    cluster.start(within=cluster.policy.interval)
    cluster.run_until(5 * cluster.policy.interval + cluster.chance.uniform(0, cluster.policy.interval))
    return random.Random(cluster.chance.random())


# -- rows --------------------------------------------------------------------------------------------------------


def _crash(cluster: Cluster) -> float:
    victim = _at_rest(cluster).choice(list(cluster.nodes))
    cluster.crash(victim, silent=True)
    return _seconds_until(cluster, lambda: victim not in cluster.members, HOUR)


def _parted(cluster: Cluster) -> tuple[list[Written], list[Written]]:
    """Half an hour in halves, and ten minutes after it: the false removals, and all writes."""
    chance = _at_rest(cluster)
    removals = _false_removals(cluster)
    already = len(cluster.provider.history)
    cluster.network.part(chance.sample(list(cluster.nodes), len(cluster.nodes) // 2))
    cluster.run_until(cluster.now + 30 * MINUTE)
    cluster.network.heal()
    cluster.run_until(cluster.now + 10 * MINUTE)
    return removals, cluster.provider.history[already:]


def _parted_removals(cluster: Cluster) -> float:
    return len(_parted(cluster)[0])


def _parted_smallest(cluster: Cluster) -> float:
    written = _parted(cluster)[1]
    return min((len(each.after) for each in written), default=len(cluster.nodes))


def _parted_writes(cluster: Cluster) -> float:
    return len(_parted(cluster)[1])


def _port_blocked(cluster: Cluster) -> float:
    _at_rest(cluster)
    for address in cluster.nodes:
        cluster.network.deafen(address)
    cluster.run_until(cluster.now + HOUR)
    return sum(node.destroyed for node in cluster.nodes.values())


def _isolated(cluster: Cluster) -> float:
    lonely = _at_rest(cluster).choice(list(cluster.nodes))
    removals = _false_removals(cluster, of=lambda address: address != lonely)
    cluster.network.part([lonely])
    cluster.run_until(cluster.now + 30 * MINUTE)
    return len(removals)


def _unreachable(cluster: Cluster) -> float:
    deaf = _at_rest(cluster).choice(list(cluster.nodes))
    cluster.network.deafen(deaf)
    return _share_of_time(cluster, lambda: deaf in cluster.members, cluster.now + 2 * HOUR, lambda: True)


def _flapping(cluster: Cluster) -> float:
    victim = _at_rest(cluster).choice(list(cluster.nodes))
    for half in range(60):
        change = cluster.service_up if half % 2 else cluster.service_down
        cluster.at(cluster.now + 90 * half, lambda change=change: change(victim))  # type: ignore[misc]
    is_down = lambda: not cluster.nodes[victim].is_up  # noqa: E731
    return _share_of_time(cluster, lambda: victim in cluster.members, cluster.now + 90 * 60, is_down)


def _lossy(cluster: Cluster) -> float:
    _at_rest(cluster)
    removals = _false_removals(cluster)
    cluster.network.loss = 0.1
    cluster.run_until(cluster.now + 6 * HOUR)
    return len(removals)


def _cold_start(cluster: Cluster) -> float:
    cluster.start(within=0.0)
    return _seconds_until(cluster, lambda: len(cluster.members) == len(cluster.nodes), HOUR)


def _slow_start(cluster: Cluster) -> float:
    for address in cluster.nodes:
        cluster.service_down(address)
        cluster.at(180.0, lambda address=address: cluster.service_up(address))  # type: ignore[misc]
    cluster.start(within=MINUTE)
    cluster.run_until(HOUR)
    return sum(node.destroyed for node in cluster.nodes.values())


def _half_dies(cluster: Cluster) -> float:
    victims = frozenset(_at_rest(cluster).sample(list(cluster.nodes), len(cluster.nodes) // 2))
    for victim in victims:
        cluster.crash(victim, silent=True)
    return _seconds_until(cluster, lambda: not victims & cluster.members, 2 * HOUR)


def _calls_an_hour(cluster: Cluster) -> float:
    _at_rest(cluster)
    already = cluster.provider.requests
    cluster.run_until(cluster.now + 20 * MINUTE)
    return 3 * (cluster.provider.requests - already)


ROWS = (
    Row("crash", "crash: seconds to removal", _crash),
    Row("partition", "partition 30 min: false removals", _parted_removals),
    Row("partition-smallest", "the same: smallest set", _parted_smallest),
    Row("partition-writes", "the same: record writes", _parted_writes),
    Row("port-blocked", "port blocked, destroyer on: healthy destroyed", _port_blocked, WITH_DESTROYER),
    Row("isolated", "isolated node: false removals of others", _isolated),
    Row("unreachable", "nobody can reach it: % of time in DNS", _unreachable),
    Row("flapping", "90 s up, 90 s down: % of down time in DNS", _flapping),
    Row("loss", "10 % probe loss, 6 h: false removals", _lossy),
    Row("cold-start", "cold start: seconds until all registered", _cold_start),
    Row("cold-start-limited", "cold start at 5 API requests/s", _cold_start, provider=ProviderModel(rate=5.0)),
    Row("slow-start", "180 s slow start, destroyer on: destroyed", _slow_start, WITH_DESTROYER),
    Row("half-dies", "half of the cluster dies: until all gone", _half_dies),
    Row("calls", "provider API calls an hour, all agents", _calls_an_hour),
)
