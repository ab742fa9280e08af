"""What happens to a cluster when something goes wrong, in numbers: the rows of the table in the documentation.

A course is what happens to one cluster, from a function that runs it to the numbers that came of it. A row is one of
these numbers over many seeds. All run at the usual settings: T = 60 s, reads of 0.1 s, writes of 0.25 s.
"""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from dnslb.decision import Policy
from dnslb.records import Address
from dnslb.simulation.cluster import Cluster, MakeAgent
from dnslb.simulation.provider import ProviderModel, Written

MINUTE, HOUR = 60.0, 3600.0
USUAL = Policy(interval=60.0, probe_interval=5.0, ttl=60)
USUAL_PROVIDER = ProviderModel()
WITH_DESTROYER = replace(USUAL, destroys=True)

Numbers = Mapping[str, float]
"""What came of a run, by name. What did not happen in the time that it had took `math.inf` seconds."""


@dataclass(frozen=True, slots=True)
class Course:
    """What happens to a cluster that has not begun.

    `repeat`: how many times as many seeds as the others it gets, where what is asked for is rare.
    """

    name: str
    run: Callable[[Cluster], Numbers]
    policy: Policy = USUAL
    provider: ProviderModel = USUAL_PROVIDER
    repeat: int = 1

    def numbers(self, make_agent: MakeAgent, size: int, seed: int) -> Numbers:
        """What came of it for one cluster; `destroyed` and `emptied` are counted in every course.

        They are instances that served when they were destroyed, and commits that left no address.
        """
        cluster = Cluster(size, self.policy, make_agent, seed, self.provider)
        destroyed: list[Address] = []
        cluster.on_destroy = lambda _by, address: destroyed.extend([address] * cluster.nodes[address].is_up)
        numbers = self.run(cluster)
        emptied = sum(bool(written.before) and not written.after for written in cluster.provider.history)
        return {**numbers, "destroyed": len(destroyed), "emptied": emptied}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: which number of which course, and how those of all seeds become one."""

    name: str
    title: str
    course: Course
    number: str
    over_seeds: Callable[[Sequence[float]], float] = statistics.fmean
    more_is_better: bool = False

    def figure(self, runs: Iterable[Numbers]) -> float:
        """The figure, from the runs of all seeds."""
        return self.over_seeds([numbers[self.number] for numbers in runs])


def p99(values: Sequence[float]) -> float:
    """What 99 of 100 do not exceed: the value of that rank."""
    return sorted(values)[math.ceil(0.99 * len(values)) - 1]


# -- what is counted ---------------------------------------------------------------------------------------------


def _false_removals(cluster: Cluster, *, of: Callable[[Address], bool] = lambda _: True) -> list[Address]:
    """Who is taken out by somebody else though its service is up, from now on, each time."""
    removed: list[Address] = []

    def look(written: Written) -> None:
        gone = written.before - written.after - {written.by}
        removed.extend(address for address in gone if cluster.nodes[address].is_up and of(address))

    cluster.provider.on_write = look
    return removed


def _share_of_time(cluster: Cluster, is_so: Callable[[], bool], end: float, when: Callable[[], bool]) -> float:
    """Of the seconds until `end` in which `when` holds, the percentage in which `is_so` does."""
    asked = held = 0
    while cluster.now < end:
        cluster.run_until(cluster.now + 1.0)
        if when():
            asked += 1
            held += is_so()
    return 100.0 * held / max(1, asked)


def _seconds_until(cluster: Cluster, condition: Callable[[], bool], limit: float = HOUR) -> float:
    """To a tenth of a second."""
    began = cluster.now
    while not condition():
        if cluster.now - began >= limit:
            return math.inf
        cluster.run_until(cluster.now + 0.1)
    return cluster.now - began


def _at_rest(cluster: Cluster) -> random.Random:
    """A cluster that has run for a while with everybody in it; and the choice of whom it will hit."""
    cluster.register_all()
    cluster.start(within=cluster.policy.interval)
    cluster.run_until(5 * cluster.policy.interval + cluster.chance.uniform(0, cluster.policy.interval))
    return random.Random(cluster.chance.random())


# -- courses -----------------------------------------------------------------------------------------------------


def _crash(cluster: Cluster) -> Numbers:
    victim = _at_rest(cluster).choice(list(cluster.nodes))
    cluster.crash(victim, silent=True)
    return {"seconds": _seconds_until(cluster, lambda: victim not in cluster.members)}


def _blips(cluster: Cluster) -> Numbers:
    """A hundred, of one node at a time: it is silent, or refuses, or its network is gone, for up to 5 s.

    Between two of them all is well for long enough to be seen, or they would be one that is longer.
    """
    chance = _at_rest(cluster)
    already = len(cluster.provider.history)
    for _ in range(100):
        node, ways = chance.choice(list(cluster.nodes)), chance.randrange(3)
        if ways == 2:
            cluster.network.part([node])
        else:
            cluster.service_down(node, silent=ways == 1)
        cluster.run_until(cluster.now + chance.uniform(0, 5))
        cluster.network.heal()
        cluster.service_up(node)
        cluster.run_until(cluster.now + chance.uniform(15, 2 * MINUTE))
    return {"removals": sum(len(each.before - each.after) for each in cluster.provider.history[already:])}


def _partition(cluster: Cluster) -> Numbers:
    """Half an hour in halves, and what it took until everybody was back for good after it."""
    chance = _at_rest(cluster)
    removals = _false_removals(cluster)
    already = len(cluster.provider.history)
    cluster.network.part(chance.sample(list(cluster.nodes), len(cluster.nodes) // 2))
    cluster.run_until(cluster.now + 30 * MINUTE)
    cluster.network.heal()
    healed = cluster.now
    cluster.run_until(healed + 30 * MINUTE)
    written = cluster.provider.history[already:]
    return {
        "removals": len(removals),
        "smallest": min((len(each.after) for each in written), default=len(cluster.nodes)),
        "writes": len(written),
        "recovery": max(0.0, _complete_since(cluster, written) - healed),
    }


def _complete_since(cluster: Cluster, written: Sequence[Written]) -> float:
    """Since when everybody is in; never, where somebody is out."""
    if len(cluster.members) < len(cluster.nodes):
        return math.inf
    outs = [place for place, each in enumerate(written) if len(each.after) < len(cluster.nodes)]
    return written[outs[-1] + 1].at if outs else -math.inf


def _port_blocked(cluster: Cluster) -> Numbers:
    _at_rest(cluster)
    for address in cluster.nodes:
        cluster.network.deafen(address)
    cluster.run_until(cluster.now + HOUR)
    return {}


def _isolated(cluster: Cluster) -> Numbers:
    lonely = _at_rest(cluster).choice(list(cluster.nodes))
    removals = _false_removals(cluster, of=lambda address: address != lonely)
    cluster.network.part([lonely])
    cluster.run_until(cluster.now + 30 * MINUTE)
    return {"removals": len(removals)}


def _unreachable(cluster: Cluster) -> Numbers:
    deaf = _at_rest(cluster).choice(list(cluster.nodes))
    cluster.network.deafen(deaf)
    share = _share_of_time(cluster, lambda: deaf in cluster.members, cluster.now + 2 * HOUR, lambda: True)
    return {"share": share}


def _flapping(cluster: Cluster) -> Numbers:
    victim = _at_rest(cluster).choice(list(cluster.nodes))
    for half in range(60):
        change = cluster.service_up if half % 2 else cluster.service_down
        cluster.at(cluster.now + 90 * half, lambda change=change: change(victim))  # type: ignore[misc]
    is_down = lambda: not cluster.nodes[victim].is_up  # noqa: E731
    return {"share": _share_of_time(cluster, lambda: victim in cluster.members, cluster.now + 90 * 60, is_down)}


def _loss(cluster: Cluster) -> Numbers:
    _at_rest(cluster)
    removals = _false_removals(cluster)
    cluster.network.loss = 0.1
    cluster.run_until(cluster.now + 6 * HOUR)
    return {"removals": len(removals)}


def _cold_start(cluster: Cluster) -> Numbers:
    cluster.start(within=0.0)
    return {"seconds": _seconds_until(cluster, lambda: len(cluster.members) == len(cluster.nodes))}


def _slow_start(cluster: Cluster) -> Numbers:
    for address in cluster.nodes:
        cluster.service_down(address)
        cluster.at(180.0, lambda address=address: cluster.service_up(address))  # type: ignore[misc]
    cluster.start(within=MINUTE)
    cluster.run_until(HOUR)
    return {"gone": sum(node.destroyed for node in cluster.nodes.values())}


def _half_dies(cluster: Cluster) -> Numbers:
    victims = frozenset(_at_rest(cluster).sample(list(cluster.nodes), len(cluster.nodes) // 2))
    for victim in victims:
        cluster.crash(victim, silent=True)
    return {"seconds": _seconds_until(cluster, lambda: not victims & cluster.members, 2 * HOUR)}


def _quiet(cluster: Cluster) -> Numbers:
    """What it costs that nothing happens, for an hour."""
    _at_rest(cluster)
    requests, probes = cluster.provider.requests, cluster.probes - cluster.self_checks
    cluster.run_until(cluster.now + HOUR)
    requests, probes = cluster.provider.requests - requests, cluster.probes - cluster.self_checks - probes
    return {"requests": requests, "probes": probes / len(cluster.nodes) / 60}


CRASH = Course("crash", _crash, repeat=25)
BLIPS = Course("blips", _blips)
PARTITION = Course("partition", _partition)
PORT_BLOCKED = Course("port-blocked", _port_blocked, WITH_DESTROYER)
ISOLATED = Course("isolated", _isolated)
UNREACHABLE = Course("unreachable", _unreachable)
FLAPPING = Course("flapping", _flapping)
LOSS = Course("loss", _loss)
COLD_START = Course("cold-start", _cold_start)
COLD_START_LIMITED = Course(
    "cold-start-limited", _cold_start, replace(USUAL, hints=True), ProviderModel(rate=5.0, reads_together=True)
)
SLOW_START = Course("slow-start", _slow_start, WITH_DESTROYER)
HALF_DIES = Course("half-dies", _half_dies)
QUIET = Course("quiet", _quiet)

_median = statistics.median

ROWS = (
    Row("crash", "crash: seconds to removal", CRASH, "seconds", _median),
    Row("crash-p99", "the same: 99 of 100 take at most", CRASH, "seconds", p99),
    Row("blips", "100 blips of up to 5 s: removals", BLIPS, "removals"),
    Row("partition", "partition 30 min: false removals", PARTITION, "removals"),
    Row("partition-smallest", "the same: smallest set", PARTITION, "smallest", more_is_better=True),
    Row("partition-writes", "the same: record writes", PARTITION, "writes"),
    Row("partition-recovery", "the same: seconds until all are back", PARTITION, "recovery", _median),
    Row("port-blocked", "port blocked, destroyer on: healthy destroyed", PORT_BLOCKED, "destroyed"),
    Row("isolated", "isolated node: false removals of others", ISOLATED, "removals"),
    Row("unreachable", "nobody can reach it: % of time in DNS", UNREACHABLE, "share"),
    Row("flapping", "90 s up, 90 s down: % of down time in DNS", FLAPPING, "share"),
    Row("loss", "10 % probe loss, 6 h: false removals", LOSS, "removals"),
    Row("cold-start", "cold start: seconds until all registered", COLD_START, "seconds", _median),
    Row("cold-start-limited", "cold start at 5 API requests/s", COLD_START_LIMITED, "seconds", _median),
    Row("slow-start", "180 s slow start, destroyer on: destroyed", SLOW_START, "gone"),
    Row("half-dies", "half of the cluster dies: until all gone", HALF_DIES, "seconds", _median),
    Row("requests", "provider API calls an hour, all agents", QUIET, "requests"),
    Row("probes", "probes of others that a node sends in a minute", QUIET, "probes"),
)
