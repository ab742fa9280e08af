"""What may happen to a cluster, by name: each scenario sets down what goes wrong, and when, before time begins to pass.

A scenario is a function that plans on a `Stage`: the cluster, and beside it a list of what is truly the case, which the
outcome is measured against. What an agent believes has no part in that.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field

from dnslb.records import Address
from dnslb.simulation.cluster import Cluster

MINUTE = 60.0
REST = 5
"""How many intervals a cluster runs with everybody in it before anything happens."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that was wrong for a while: with these nodes, or with none in particular."""

    began: float
    ended: float
    text: str
    nodes: frozenset[Address] = frozenset()


@dataclass(frozen=True, slots=True)
class Turn:
    """From this moment on clients that ask the node are served, or are not."""

    at: float
    address: Address
    serves: bool


@dataclass(slots=True)
class Stage:
    """A cluster on which something is going to happen, between `begin` and `end`."""

    cluster: Cluster
    chance: random.Random
    begin: float
    end: float
    faults: list[Fault] = field(default_factory=list)
    turns: list[Turn] = field(default_factory=list)

    @property
    def nodes(self) -> list[Address]:
        """All nodes, in order."""
        return list(self.cluster.nodes)

    @property
    def mended(self) -> float:
        """When that which passes has passed: the last quarter shows how the cluster recovers."""
        return self.begin + 0.75 * (self.end - self.begin)

    def one(self) -> Address:
        """A node by chance."""
        return self.chance.choice(self.nodes)

    def half(self) -> frozenset[Address]:
        """Half of the nodes by chance, rounded down."""
        return frozenset(self.chance.sample(self.nodes, len(self.nodes) // 2))

    # -- what a scenario is made of ---------------------------------------------------------------------------------

    def while_it_lasts(self, text: str, begin: Callable[[], None], end: Callable[[], None]) -> None:
        """Something that begins at once and is mended later."""
        self.cluster.at(self.begin, begin)
        self.cluster.at(self.mended, end)
        self.faults.append(Fault(self.begin, self.mended, text))

    def die(self, victims: Iterable[Address], text: str) -> None:
        """Hosts that are off from the beginning on: no probe of them is answered, and their agents are gone."""
        gone = frozenset(victims)
        for address in gone:
            self._turn(self.begin, address, serves=False)
            self.cluster.at(self.begin, lambda address=address: self.cluster.crash(address, silent=True))  # type: ignore[misc]
        self.faults.append(Fault(self.begin, self.end, text, gone))

    def down(self, victim: Address, begin: float, end: float, text: str) -> None:
        """A service that answers nothing from `begin` to `end`; its agent runs on."""
        self._turn(begin, victim, serves=False)
        self._turn(end, victim, serves=True)
        self.cluster.at(begin, lambda: self.cluster.service_down(victim))
        self.cluster.at(end, lambda: self.cluster.service_up(victim))
        self.faults.append(Fault(begin, end, text, frozenset({victim})))

    def restart(self, victim: Address, begin: float, within: float) -> None:
        """As a service manager does it: the agent leaves, and then the service is down for a moment."""
        down, up = begin + min(5.0, 0.3 * within), begin + min(35.0, 0.9 * within)
        self._turn(down, victim, serves=False)
        self._turn(up, victim, serves=True)
        self.cluster.at(begin, lambda: self.cluster.stop_agent(victim))
        self.cluster.at(down, lambda: self.cluster.crash(victim))
        self.cluster.at(up, lambda: self.cluster.restart(victim))
        self.faults.append(Fault(down, up, "restarts", frozenset({victim})))

    def cut_off(self, victim: Address, text: str, begin: Callable[[], None]) -> None:
        """A node that clients do not reach either, until it is mended."""
        self._turn(self.begin, victim, serves=False)
        self._turn(self.mended, victim, serves=True)
        self.cluster.at(self.begin, begin)
        self.cluster.at(self.mended, self.cluster.network.heal)
        self.faults.append(Fault(self.begin, self.mended, text, frozenset({victim})))

    def _turn(self, at: float, address: Address, *, serves: bool) -> None:
        self.turns.append(Turn(at, address, serves))


Plan = Callable[[Stage], None]


@dataclass(frozen=True, slots=True)
class Scenario:
    """What happens, for how long it is watched unless somebody says otherwise, and what the cluster is like before.

    `from_nothing`: nobody is registered and no agent runs when it begins. Otherwise all do, and have for a while.
    """

    name: str
    summary: str
    plan: Plan
    minutes: float = 20.0
    from_nothing: bool = False

    def duration(self, interval: float) -> float:
        """In seconds; long intervals take longer to show anything."""
        return max(self.minutes * MINUTE, 20 * interval)

    def on(self, cluster: Cluster, duration: float | None = None) -> Stage:
        """Plans it on a cluster that has not begun, and starts the agents; nothing has happened yet."""
        interval = cluster.policy.interval
        chance = random.Random(cluster.chance.random())
        begin = 0.0 if self.from_nothing else (REST + chance.random()) * interval
        stage = Stage(cluster, chance, begin, begin + (duration or self.duration(interval)))
        if not self.from_nothing:
            cluster.register_all()
            cluster.start(within=interval)
        self.plan(stage)
        return stage


# -- scenarios -----------------------------------------------------------------------------------------------------


def _crash(stage: Stage) -> None:
    stage.die([stage.one()], "off")


def _half_dies(stage: Stage) -> None:
    stage.die(stage.half(), "off")


def _partition(stage: Stage) -> None:
    network, half = stage.cluster.network, stage.half()
    stage.while_it_lasts("the network is cut in halves", lambda: network.part(half), network.heal)


def _isolated(stage: Stage) -> None:
    lonely = stage.one()
    stage.cut_off(lonely, "cut off", lambda: stage.cluster.network.part([lonely]))


def _unreachable(stage: Stage) -> None:
    deaf = stage.one()
    stage.cut_off(deaf, "cannot be reached", lambda: stage.cluster.network.deafen(deaf))


def _one_broken_link(stage: Stage) -> None:
    network = stage.cluster.network
    one, other = stage.chance.sample(stage.nodes, 2) if len(stage.nodes) > 1 else stage.nodes * 2

    def cut() -> None:
        network.cut(one, other)
        network.cut(other, one)

    stage.while_it_lasts("two nodes do not reach each other", cut, network.heal)


def _loss(stage: Stage) -> None:
    network = stage.cluster.network

    def lose() -> None:
        network.loss = 0.1

    stage.while_it_lasts("10 % of all probes are lost", lose, network.heal)


def _flapping(stage: Stage) -> None:
    victim, half_period = stage.one(), 1.5 * MINUTE
    at = stage.begin
    while at + half_period <= stage.mended:
        stage.down(victim, at, at + half_period, "down")
        at += 2 * half_period


def _all_down(stage: Stage) -> None:
    for address in stage.nodes:
        stage.down(address, stage.begin, stage.mended, "down")


def _cold_start(stage: Stage) -> None:
    stage.cluster.at(stage.begin, stage.cluster.start)


def _slow_start(stage: Stage) -> None:
    for address in stage.nodes:
        stage.down(address, stage.begin, stage.begin + 3 * MINUTE, "starts")
    stage.cluster.at(stage.begin, lambda: stage.cluster.start(within=MINUTE))


def _restart(stage: Stage) -> None:
    pause = (stage.mended - stage.begin) / len(stage.nodes)
    for number, address in enumerate(stage.nodes):
        stage.restart(address, stage.begin + number * pause, pause)


def _provider_outage(stage: Stage) -> None:
    provider = stage.cluster.provider

    def out(is_down: bool) -> None:
        provider.is_down = is_down

    stage.while_it_lasts("the provider does not answer", lambda: out(True), lambda: out(False))
    stage.die([stage.one()], "off")


def _throttling(stage: Stage) -> None:
    provider = stage.cluster.provider

    def throttle(throttles: bool) -> None:
        provider.throttles = throttles

    stage.while_it_lasts("the provider refuses all requests", lambda: throttle(True), lambda: throttle(False))
    stage.die([stage.one()], "off")


_SCENARIOS = (
    Scenario("crash", "one host is off, and stays so", _crash),
    Scenario("half-dies", "half of the hosts are off at once, and stay so", _half_dies, minutes=60),
    Scenario("all-down", "every service is down at once, and comes back", _all_down, minutes=40),
    Scenario("flapping", "one service is down for 90 s, up for 90 s, and so on", _flapping, minutes=60),
    Scenario("partition", "the network between two halves is cut; clients reach both", _partition, minutes=40),
    Scenario("isolated", "one node is cut off from everybody, clients included", _isolated, minutes=40),
    Scenario("unreachable", "one node reaches everybody, and nobody reaches it", _unreachable, minutes=40),
    Scenario("one-broken-link", "two nodes do not reach each other; everybody else does", _one_broken_link, minutes=40),
    Scenario("loss", "one probe in ten is lost, all the time", _loss, minutes=120),
    Scenario("cold-start", "all agents start at once, with an empty record set", _cold_start, 20, from_nothing=True),
    Scenario("slow-start", "all agents start, and their services 3 min later", _slow_start, 20, from_nothing=True),
    Scenario("restart", "one node after another is stopped, and started again", _restart, minutes=60),
    Scenario("provider-outage", "the DNS provider is silent, and one host is off", _provider_outage, minutes=40),
    Scenario("throttling", "the DNS provider refuses all requests, and one host is off", _throttling, minutes=40),
)
SCENARIOS = {scenario.name: scenario for scenario in _SCENARIOS}
"""By name, in the order in which they are listed."""


def summaries(scenarios: Collection[Scenario] = _SCENARIOS) -> str:
    """A line each: the name, and what happens."""
    width = max(len(scenario.name) for scenario in scenarios)
    return "\n".join(f"  {scenario.name:<{width}}  {scenario.summary}" for scenario in scenarios)
