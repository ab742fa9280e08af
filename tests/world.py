"""A cluster in virtual time: what the tests of the decision drive it with.

Every agent is a State and a Look; the world answers the look from what is true in it, hands the observation to
`decide`, and applies the edits at once. Nothing here decides anything.
"""

import ipaddress
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from dnslb.decision import (
    Action,
    Decision,
    Destroy,
    Look,
    Mark,
    Observation,
    Policy,
    Reason,
    State,
    Trouble,
    decide,
    remarked,
    revised,
    settled,
)
from dnslb.interfaces import ProbeResult, Verdict
from dnslb.records import Address, RecordSet, RecordType

HEALTHY = ProbeResult(Verdict.HEALTHY)
WALL = 1_767_322_800.0  # 2026-01-02T03:00:00Z, the time of day at the beginning of each world
REFUSED = ProbeResult(Verdict.FAILED, "connection refused")


def address(number: int) -> Address:
    return ipaddress.ip_address(f"10.0.0.{number}")


def policy(interval: float = 60.0, **changes) -> Policy:
    settings = {"interval": interval, "probe_interval": min(interval, 5.0), "ttl": int(interval)} | changes
    return Policy(**settings)


@dataclass
class Agent:
    state: State = field(default_factory=State)
    look: Look = field(default_factory=lambda: Look(0.0))
    running: bool = True
    stopping: bool = False
    last: Decision | None = None


@dataclass(frozen=True)
class Deed:
    at: float
    by: Address
    action: Action
    size: int


class World:
    def __init__(self, policy_: Policy, seed: int = 1, members: Iterable[Address] = ()):
        self.policy = policy_
        self.now = 0.0
        self.chance = random.Random(seed)
        self.history: list[tuple[float, RecordSet]] = []
        self.record_set = RecordSet("www.example.test", RecordType.A).holding(members, policy_.ttl)
        self.name_servers_lag: Callable[[], float] = lambda: 0.0
        self.name_servers_down = False
        self.agents: dict[Address, Agent] = {}
        self.down: set[Address] = set()
        self.cannot_ask: set[Address] = set()
        self.provider_down = False
        self.block_record = RecordSet("_blocked.www.example.test", RecordType.TXT)
        self.block_record_down = False
        self.destroy_record = RecordSet("_destroy.www.example.test", RecordType.TXT)
        self.wall_offset: Callable[[Address], float] = lambda _: 0.0
        self.takes_writes = True
        self.refused_writes: list[tuple[float, Address]] = []
        self.reaches: Callable[[Address, Address], bool] = lambda _from, _to: True
        self.reaches_witness: Callable[[Address], bool] = lambda _: True
        self.region_of: Callable[[Address], str] = lambda _: "one"
        self.siblings: Callable[[Address], frozenset[Address]] = lambda _: frozenset()
        self.deeds: list[Deed] = []
        self.refusals: list[tuple[float, Address, Reason]] = []
        self.destroyer_works = True
        self.looks: list[tuple[float, Address, Look]] = []
        self.reads = 0
        self.hints = 0
        self.witnesses_asked = 0
        self.lease_reads = 0
        self.intents_reads = 0
        self.probes = 0

    @property
    def record_set(self) -> RecordSet:
        """What the API shows."""
        return self.history[-1][1]

    @record_set.setter
    def record_set(self, now: RecordSet) -> None:
        self.history.append((self.now, now))

    def served(self) -> RecordSet:
        """What the name server that is asked next shows."""
        then = self.now - self.name_servers_lag()
        return next((shown for since, shown in reversed(self.history) if since <= then), self.history[0][1])

    def start(self, *addresses: Address) -> None:
        for own in addresses:
            self.agents[own] = Agent(look=Look(self.now))

    def crash(self, *addresses: Address) -> None:
        """The service and the agent die together."""
        self.down |= set(addresses)
        for own in addresses:
            self.agents.pop(own, None)

    def stop(self, own: Address) -> None:
        self.agents[own].stopping = True
        self.agents[own].look = Look(self.now, read=True, probe=frozenset(self.agents[own].state.health) - {own})

    def run(self, seconds: float) -> None:
        """Lets `seconds` pass."""
        end = self.now + seconds
        while self._advance(end):
            pass

    def run_until(self, condition: Callable[[], bool], limit: float) -> float:
        """Lets time pass until the condition holds; says how long that took."""
        started = self.now
        while not condition():
            assert self._advance(started + limit), f"not within {limit} s"
        return self.now - started

    def _advance(self, end: float) -> bool:
        """Makes the next look that is due by `end`; where there is none, it is `end` now."""
        due = min(((agent.look.at, int(own), own) for own, agent in self.agents.items()), default=None)
        if due is None or due[0] > end:
            self.now = end
            return False
        self.now = max(self.now, due[0])
        self._step(due[2], self.agents[due[2]])
        return True

    @property
    def members(self) -> frozenset[Address]:
        return self.record_set.addresses

    def is_without(self, member: Address) -> Callable[[], bool]:
        return lambda: member not in self.members

    def done(self, kind: type[Action]) -> list[Deed]:
        return [deed for deed in self.deeds if type(deed.action) is kind]

    def _step(self, own: Address, agent: Agent) -> None:
        looked = agent.look
        self.looks.append((self.now, own, looked))
        self.reads += looked.read
        self.hints += looked.hint
        assert self.policy.hints or not looked.hint
        assert not (looked.read and looked.hint)
        self.witnesses_asked += looked.witnesses
        assert self.policy.witnesses or not looked.witnesses
        self.lease_reads += looked.lease
        self.intents_reads += looked.intents
        self.probes += len(looked.probe)
        probes = {target: self._probe(own, target) for target in looked.probe}
        unreadable = self.provider_down or (looked.lease and self.block_record_down)
        seen = self._observation(
            own,
            agent,
            record_set=self.record_set if looked.read and not unreadable else None,
            block_record=self.block_record if looked.lease and not unreadable else None,
            intents=self.destroy_record if looked.intents and not unreadable else None,
            trouble=Trouble() if (looked.read or looked.intents) and unreadable else None,
            hint=self.served() if looked.hint and not self.name_servers_down else None,
            silent=looked.hint and self.name_servers_down,
            witnesses=self.reaches_witness(own) if looked.witnesses else None,
            witnessed_at=self.now,
            probes=probes,
            probed_at=self.now,
            local=frozenset(target for target in probes if self.region_of(target) == self.region_of(own)),
        )
        decision = self._decide(own, agent, seen)
        if decision.edits:
            assert seen.record_set is not None, "nothing may be done on an old view"
            if not self.takes_writes:
                self.refused_writes.append((self.now, own))
                trouble = Trouble(throttled=True, writing=True)
                agent.look = self._decide(own, agent, self._observation(own, agent, trouble=trouble)).look
                return
            self.record_set = revised(self.record_set, decision.edits, self.policy)
            self.deeds += [Deed(self.now, own, action, len(self.members)) for action in decision.edits]
            after = self._observation(own, agent, record_set=self.record_set, done=decision.edits)
            decision = self._decide(own, agent, after)
            if decision.edits:
                agent.look = Look(self.now, read=True)
                return
        if decision.marks:
            assert seen.intents is not None, "nothing may be done on an old view"
            assert seen.record_set is not None, "nothing may be done on an old view"
            self.destroy_record = remarked(self.destroy_record, decision.marks)
            marks = decision.marks
            decision = self._decide(own, agent, self._observation(own, agent, intents=self.destroy_record))
            for mark in marks:
                decision = self._mark(own, agent, mark) or decision
        agent.look = decision.look
        if agent.stopping and own not in self.members:
            del self.agents[own]

    def _mark(self, own: Address, agent: Agent, mark: Mark) -> Decision | None:
        if isinstance(mark, Destroy) and not self.destroyer_works:
            return self._decide(own, agent, self._observation(own, agent))
        self.deeds.append(Deed(self.now, own, mark, len(self.members)))
        if not isinstance(mark, Destroy):
            return None
        self.destroy_record = settled(self.destroy_record, mark, WALL + self.now)
        return self._decide(own, agent, self._observation(own, agent, intents=self.destroy_record, done=(mark,)))

    def _decide(self, own: Address, agent: Agent, seen: Observation) -> Decision:
        decision = decide(agent.state, seen, self.policy)
        agent.state, agent.last = decision.state, decision
        self.refusals += [(self.now, own, reason) for reason in decision.refusals]
        assert decision.look.at >= self.now, "a look into the past"
        return decision

    def _observation(self, own: Address, agent: Agent, **seen) -> Observation:
        wall = WALL + self.now + self.wall_offset(own)
        about: dict[str, Any] = {"host": self.siblings(own) | {own}, "stopping": agent.stopping}
        about |= {"jitter": self.chance.random(), "token": f"{self.chance.getrandbits(64):016x}"}
        return Observation(self.now, wall, own, **about, **seen)

    def _probe(self, own: Address, target: Address) -> ProbeResult:
        if own in self.cannot_ask:
            return ProbeResult(Verdict.LOCAL, "no descriptors")
        alive = target not in self.down and (own == target or self.reaches(own, target))
        return HEALTHY if alive else REFUSED


def at_rest(size: int, rules: Policy, seed: int = 1) -> World:
    """A cluster of so many that is up, registered and at rest."""
    world = World(rules, seed)
    world.start(*map(address, range(1, size + 1)))
    world.run(3 * rules.interval)
    assert len(world.members) == size
    world.deeds.clear()
    world.refusals.clear()
    return world
