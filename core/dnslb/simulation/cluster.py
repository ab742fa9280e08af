"""A cluster in virtual time: nodes with a service and an agent each, one provider, one network.

The agents are the real ones: `dnslb.keeper`, with `decide` and the publisher in it. Only what they reach out to is
simulated. Another kind of agent can be put in their place, which is how the reference is compared.
"""

from __future__ import annotations

import ipaddress
import itertools
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from dnslb.decision import Policy
from dnslb.interfaces import ProbeResult, Target, Verdict
from dnslb.prober import best_of
from dnslb.records import Address, RecordSet, RecordType
from dnslb.simulation.clock import Clock, Task
from dnslb.simulation.network import Network
from dnslb.simulation.provider import NAME, Provider, ProviderModel

PORT = 80
ROUND_TRIP = 0.002
"""Seconds until a probe has its answer, where there is one."""

_HEALTHY = ProbeResult(Verdict.HEALTHY)
_REFUSED = ProbeResult(Verdict.FAILED, "connection refused")
_SILENT = ProbeResult(Verdict.FAILED, "no answer in time")


class Agent(Protocol):
    """What runs on a node, whatever it decides by."""

    async def live(self) -> None:
        """Runs until `leaving` is set, and leaves then."""

    leaving: bool


@dataclass(slots=True)
class Node:
    """One host: whether its service answers, and since when; its agent, where one runs.

    `silent` is a host that is off or stopped: probes of it get no answer at all, where a service that is merely down
    refuses them. `clock_rate` and `clock_offset` are as in `HostClock`.
    """

    address: Address
    region: str = "one"
    is_up: bool = True
    silent: bool = False
    destroyed: bool = False
    changed_at: float = 0.0
    clock_rate: float = 1.0
    clock_offset: float = 0.0
    agent: Agent | None = None
    task: Task | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """Something that an agent said."""

    at: float
    by: Address
    event: str
    text: str
    parts: Mapping[str, object] = field(default_factory=dict)


MakeAgent = Callable[["Cluster", Node], Agent]


class Cluster:
    """The simulated world. One seed gives one history."""

    def __init__(
        self, size: int, policy: Policy, make_agent: MakeAgent, seed: int = 1, provider: ProviderModel | None = None
    ) -> None:
        self.policy = policy
        self.clock = Clock()
        self.chance = random.Random(seed)
        self.network = Network(random.Random(self.chance.random()))
        self.provider = Provider(self.clock, random.Random(self.chance.random()), provider or ProviderModel())
        self.nodes = {address: Node(address) for address in map(address_of, range(size))}
        self.events: list[Event] = []
        self.probes = self.self_checks = 0
        """How many probes nodes have sent, and how many of these to themselves."""
        self.destroys = True
        """Whether the destroyer does what it is asked to."""
        self.on_destroy: Callable[[Address, Address], None] = lambda _by, _address: None
        self.on_probe: Callable[[Address, float, Mapping[Target, ProbeResult]], None] = lambda _by, _at, _results: None
        self.on_event: Callable[[Event], None] = lambda _: None
        self._make_agent = make_agent

    @property
    def now(self) -> float:
        """The virtual time in seconds."""
        return self.clock.now()

    @property
    def members(self) -> frozenset[Address]:
        """Who is in the record set."""
        return self.provider.members

    @property
    def ttl(self) -> int:
        """The TTL of the record set, in seconds."""
        return self.provider.held(NAME, RecordType.A).ttl

    # -- what people and accidents do -----------------------------------------------------------------------------

    def register_all(self, addresses: Iterable[Address] | None = None) -> None:
        """Begins with everybody in the record set, or with these, as after a long and quiet time."""
        members = self.nodes if addresses is None else addresses
        self.provider.put(RecordSet(NAME, RecordType.A).holding(members, self.policy.ttl), next(iter(self.nodes)))

    def start(self, addresses: Iterable[Address] | None = None, within: float = 0.0) -> None:
        """Starts agents, each at a moment of its own in the next `within` seconds."""
        for address in self.nodes if addresses is None else addresses:
            at = self.now + self.chance.uniform(0, within)
            self.clock.call_at(at, lambda address=address: self._start(address))  # type: ignore[misc]

    def _start(self, address: Address) -> None:
        node = self.nodes[address]
        if node.destroyed or node.task is not None:
            return
        node.agent = self._make_agent(self, node)
        node.task = self.clock.spawn(node.agent.live())

    def kill_agent(self, address: Address) -> None:
        """The agent is gone, in the middle of whatever it does; the service stays as it is."""
        node = self.nodes[address]
        if node.task is not None:
            node.task.cancel()
        node.task = node.agent = None

    def service_down(self, address: Address, *, silent: bool = False) -> None:
        """The service stops answering."""
        self._set_up(address, is_up=False, silent=silent)

    def service_up(self, address: Address) -> None:
        """The service answers again."""
        if not self.nodes[address].destroyed:
            self._set_up(address, is_up=True, silent=False)

    def crash(self, address: Address, *, silent: bool = False) -> None:
        """Service and agent end together."""
        self.service_down(address, silent=silent)
        self.kill_agent(address)

    def restart(self, address: Address) -> None:
        """Service and agent come back."""
        self.service_up(address)
        self._start(address)

    def stop_process(self, address: Address) -> None:
        """The agent does nothing any more, as after SIGSTOP; it does not know, and its clock goes on."""
        if (task := self.nodes[address].task) is not None:
            task.stop()

    def continue_process(self, address: Address) -> None:
        """The agent goes on where it was, as after SIGCONT."""
        if (task := self.nodes[address].task) is not None:
            task.go_on(self.clock)

    def stop_agent(self, address: Address) -> None:
        """Asks the agent to leave, as SIGTERM does."""
        node = self.nodes[address]
        if node.agent is not None and node.task is not None:
            node.agent.leaving = True
            node.task.wake(self.clock)

    def _set_up(self, address: Address, *, is_up: bool, silent: bool) -> None:
        node = self.nodes[address]
        if node.is_up != is_up:
            node.changed_at = self.now
        node.is_up, node.silent = is_up, silent

    def at(self, seconds: float, function: Callable[[], None]) -> None:
        """Has something happen at a time."""
        self.clock.call_at(seconds, function)

    def run_until(self, end: float) -> None:
        """Lets virtual time pass."""
        self.clock.run_until(end)

    # -- what agents reach out to -----------------------------------------------------------------------------------

    async def probe(self, own: Address, targets: Sequence[Target], timeout: float) -> Mapping[Target, ProbeResult]:
        """One round of probes from a node; it takes as long as the slowest of them."""
        self.probes += len(targets)
        now = self.now
        results: list[tuple[Target, ProbeResult]] = []
        for target, attempts in itertools.groupby(targets):
            number = sum(1 for _ in attempts)
            self.self_checks += number * (target.address == own)
            results += [(target, result) for result in self._results(own, target.address, number, now)]
        await self.clock.sleep(timeout if any(result is _SILENT for _, result in results) else ROUND_TRIP)
        best = best_of(results)
        self.on_probe(own, now, best)
        return best

    def _results(self, own: Address, target: Address, number: int, now: float) -> Sequence[ProbeResult]:
        """What so many probes at once find; only one of them, where all find the same."""
        node = self.nodes.get(target)
        if node is None or node.destroyed or node.silent or not self.network.reaches(own, target):
            return (_SILENT,)
        answer = _HEALTHY if node.is_up else _REFUSED
        if not self.network.is_lossy or own == target:
            return (answer,)
        return [_SILENT if self.network.loses(own, target, now) else answer for _ in range(number)]

    async def witness(self, own: Address, timeout: float) -> bool:
        """Whether a witness outside of the cluster, which nothing befalls, answers a node."""
        answers = self.network.reaches_outside(own)
        await self.clock.sleep(ROUND_TRIP if answers else timeout)
        return answers

    async def destroy(self, by: Address, addresses: Iterable[Address]) -> None:
        """The destroyer: the instances are gone."""
        for address in addresses:
            self.on_destroy(by, address)
            if self.destroys:
                self.crash(address, silent=True)
                self.nodes[address].destroyed = True

    def local(self, own: Address, addresses: Iterable[Address]) -> frozenset[Address]:
        """Those in the region of a node."""
        region = self.nodes[own].region
        return frozenset(each for each in addresses if each in self.nodes and self.nodes[each].region == region)


def address_of(number: int) -> Address:
    """The address of the node with that number, from 0."""
    return ipaddress.IPv4Address((10 << 24) + 256 + number + 1)
