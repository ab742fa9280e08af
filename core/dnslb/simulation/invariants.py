"""What must hold after every action of every agent, whatever happens to the cluster around it.

A watch believes no agent. It keeps its own books of what each one was told (the answers to its probes, the record sets
that it read), and holds each write and each destruction against these and against the truth, which it alone knows.
The names of the invariants, S1 to S9, are those of docs/explanation/simulator.md.
"""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from dnslb.errors import ProviderError
from dnslb.interfaces import ProbeResult, Target
from dnslb.records import Address, RecordSet, RecordType, listed
from dnslb.simulation.agents import KeeperAgent
from dnslb.simulation.clock import LONG, SHORT
from dnslb.simulation.cluster import Agent, Cluster, Event
from dnslb.simulation.ledger import Ledger
from dnslb.simulation.provider import Written

JOINED, LEFT = "joined", "left"
_CHANGES = {"registered": JOINED, "withdrawn": LEFT, "removed": LEFT}
"""What an agent says of a commit that was applied, and what it changed."""

LONGEST_THROTTLE = 300.0
"""The longest pause in seconds that an agent makes because the provider asks for fewer requests."""


class Violated(AssertionError):
    """An invariant does not hold. `invariant` is its name, `at` the virtual time in seconds."""

    def __init__(self, invariant: str, at: float, text: str) -> None:
        super().__init__(f"{invariant} at {at:.2f} s: {text}")
        self.invariant = invariant
        self.at = at


@dataclass(slots=True)
class Counts:
    """What the agents did, judged by what was truly the case.

    Attributes:
        actions: writes and destructions that were checked.
        removed_dead, removed_living: members that others took out, while their service was down, and while it was up
            (an agent cannot tell the second from the first where the network between them is broken).
        destroyed_dead, destroyed_early, destroyed_healthy: instances that were not there; those that had come up so
            shortly before that they could not say so; and those that were healthy for 6 T, which S6 forbids.
        acknowledged: changes that agents took for done; `lost` of them were never in the record set.
        emptied: commits that left no address.
    """

    actions: int = 0
    removed_dead: int = 0
    removed_living: int = 0
    destroyed_dead: int = 0
    destroyed_early: int = 0
    destroyed_healthy: int = 0
    acknowledged: int = 0
    lost: int = 0
    emptied: int = 0

    def add(self, other: Counts) -> None:
        """Adds another one to it."""
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))

    @property
    def lines(self) -> tuple[str, ...]:
        """As text."""
        return (
            f"{self.actions} actions checked",
            f"removed by others: {self.removed_dead} dead, {self.removed_living} with a service that was up",
            f"destroyed: {self.destroyed_dead} dead, {self.destroyed_early} just up, {self.destroyed_healthy} healthy",
            f"lost updates: {self.lost} of {self.acknowledged}; empty commits: {self.emptied}",
        )


@dataclass(slots=True)
class Answers:
    """What one agent knows of one address from its probes; times are when a probe was sent."""

    passed: int = 0
    failures: int = 0
    failing_since: float = math.inf
    last: float = -math.inf

    def add(self, at: float, *, healthy: bool) -> None:
        """One more round."""
        self.last = at
        if healthy:
            self.passed, self.failures, self.failing_since = self.passed + 1, 0, math.inf
        else:
            self.passed, self.failures = 0, self.failures + 1
            self.failing_since = min(self.failing_since, at)


@dataclass(slots=True)
class Told:
    """All that one agent was told since it began, and what it changed and has not taken for done yet (`applied`)."""

    agent: Agent | None
    began: float
    answers: dict[Address, Answers] = field(default_factory=dict)
    view: frozenset[Address] = frozenset()
    read_at: float = -math.inf
    sent_at: float = -math.inf
    longest_age: float = 0.0
    sizes: list[tuple[float, int]] = field(default_factory=list)
    trouble_at: float = -math.inf
    texts: dict[str, RecordSet] = field(default_factory=dict)
    applied: set[tuple[str, Address]] = field(default_factory=set)

    def about(self, address: Address) -> Answers:
        """What its probes of that address said."""
        return self.answers.setdefault(address, Answers())


class Watch:
    """Watches a cluster, and raises `Violated` in the middle of the first action that should not have been."""

    def __init__(self, cluster: Cluster) -> None:
        self.counts = Counts()
        self._cluster = cluster
        self._policy = cluster.policy
        self._told: dict[Address, Told] = {}
        self._after = cluster.members
        cluster.on_probe = self._on_probe
        cluster.on_destroy = self._on_destroy
        cluster.on_event = self._on_event
        cluster.provider.on_read = self._on_read
        cluster.provider.on_trouble = self._on_trouble
        cluster.provider.on_commit = self._on_commit
        cluster.provider.on_write = self._on_write
        cluster.provider.on_text = self._on_text
        self._ledger = Ledger(cluster, self._hold)

    # -- the books --------------------------------------------------------------------------------------------------

    def _of(self, address: Address) -> Told:
        """The books of the agent that runs there now; a new agent begins with empty ones."""
        agent = self._cluster.nodes[address].agent
        told = self._told.get(address)
        if told is None or told.agent is not agent:
            told = self._told[address] = Told(agent, self._cluster.now)
        return told

    def _on_probe(self, by: Address, at: float, results: Mapping[Target, ProbeResult]) -> None:
        told = self._of(by)
        told.longest_age = max(self._policy.evidence_age, self._policy.longest_round(len(results)))
        for target, result in results.items():
            told.about(target.address).add(at, healthy=result.healthy)

    def _on_read(self, by: Address, answer: RecordSet) -> None:
        told = self._of(by)
        if answer.type is RecordType.TXT:
            told.texts[answer.name] = answer
        else:
            self._sees(told, answer.addresses)

    def _sees(self, told: Told, members: frozenset[Address]) -> None:
        now = self._cluster.now
        told.view, told.read_at = members, now
        told.sizes = [size for size in told.sizes if now - size[0] <= self._policy.memory]
        told.sizes.append((now, len(members)))

    def _on_trouble(self, by: Address, error: ProviderError) -> None:  # noqa: ARG002 - whatever it is
        self._of(by).trouble_at = self._cluster.now

    def _on_commit(self, by: Address) -> None:
        self._of(by).sent_at = self._cluster.now

    # -- writes -----------------------------------------------------------------------------------------------------

    def _on_write(self, written: Written) -> None:
        self._hold("S3", written.before == self._after, "the history of the record set has a gap")
        self._after = written.after
        if not isinstance(self._cluster.nodes[written.by].agent, KeeperAgent):
            return  # an operator, or a reference-style writer: nobody promised anything about these
        self.counts.actions += 1
        told = self._of(written.by)
        self._count(written)
        self._hold("S1", bool(written.after), f"{written.by} committed an empty set")
        self._hold("S3", told.view == written.before, f"{written.by} replaced what it had not read: {_diff(written)}")
        added, removed = written.after - written.before, written.before - written.after
        self._hold("S2", added <= {written.by}, f"{written.by} added {listed(added)}")
        for address in sorted(removed - {written.by}, key=int):
            self._check_proof(told, written, address)
        if others := removed - {written.by}:
            self._check_judge(told, written, others)
        self._check_size(told, written, removed)
        self._sees(told, written.after)
        told.applied |= {(JOINED, address) for address in added} | {(LEFT, address) for address in removed}

    def _count(self, written: Written) -> None:
        nodes = self._cluster.nodes
        others = [nodes[address].is_up for address in written.before - written.after - {written.by} if address in nodes]
        self.counts.removed_living += sum(others)
        self.counts.removed_dead += len(others) - sum(others)
        self.counts.emptied += not written.after

    def _on_event(self, event: Event) -> None:
        """S3 as an agent sees it: what it takes for done has been done, by a commit of its own that was applied."""
        change = _CHANGES.get(event.event)
        if change is None:
            return
        deed = change, ipaddress.ip_address(str(event.parts["address"]))
        applied = self._of(event.by).applied
        self.counts.acknowledged += 1
        self.counts.lost += deed not in applied
        self._hold("S3", deed in applied, f"{event.by} takes for done what no commit did: {event.text}")
        applied.discard(deed)

    def _check_proof(self, told: Told, written: Written, address: Address) -> None:
        proof = told.about(address)
        is_down = proof.failures >= self._policy.fall and proof.last - proof.failing_since >= SHORT * self._policy.blip
        found = f"{proof.failures} failed probes in a row over {proof.last - proof.failing_since:.1f} s"
        self._hold("S2", proof.failures > 0 and is_down, f"{written.by} removed {address} after {found}")
        found = f"{written.by} removed {address}, last probed {told.sent_at - proof.last:.1f} s before"
        self._hold("S2", self._was_fresh(told, proof), found)

    def _check_judge(self, told: Told, written: Written, removed: frozenset[Address]) -> None:
        own = told.about(written.by)
        judged = f"{written.by} judged {listed(removed)}"
        self._hold("S5", written.by in written.before, f"{judged} and is not a member")
        self._hold("S5", own.passed > 0, f"{judged} and fails its own self-check")
        self._hold(
            "S5", self._was_fresh(told, own), f"{judged}, and checked itself {told.sent_at - own.last:.1f} s before"
        )
        is_read_fresh = told.sent_at - told.read_at <= LONG * (told.longest_age + self._policy.evidence_age)
        self._hold("S5", is_read_fresh, f"{judged} and read {told.sent_at - told.read_at:.1f} s before")
        if self._is_slow(told, removed):
            return
        others = [told.about(address) for address in written.before - {written.by}]
        answered = sum(each.failures == 0 for each in others if self._was_fresh(told, each))
        self._hold("S5", len(others) == 1 or answered > 0, f"{judged} while nobody answered it")
        here = self._cluster.local(written.by, removed) if self._policy.regional else removed
        self._hold("S9", removed == here, f"{judged}, some of which are in another region")

    def _check_size(self, told: Told, written: Written, removed: frozenset[Address]) -> None:
        leaves = removed == {written.by} and told.agent is not None and told.agent.leaving
        if not removed or leaves or self._is_slow(told, removed - {written.by}):
            return
        largest = self._largest(told)
        found = f"{written.by} left {len(written.after)} of the {largest} that it had seen"
        self._hold("S4", len(written.after) >= math.ceil(largest / 2), found)

    def _largest(self, told: Told) -> int:
        return max(
            (size for at, size in told.sizes if self._cluster.now - at <= SHORT * self._policy.memory), default=0
        )

    def _is_slow(self, told: Told, removed: frozenset[Address]) -> bool:
        """Whether it is the slow lane: one, that failed for more than `max_failures` intervals."""
        limit = SHORT * self._policy.longest_failure
        return len(removed) == 1 and all(self._cluster.now - told.about(each).failing_since > limit for each in removed)

    def _on_text(self, by: Address, before: RecordSet, after: RecordSet) -> None:
        """A record beside the members: so far agents write the destroy record alone."""
        if not isinstance(self._cluster.nodes[by].agent, KeeperAgent):
            return
        self.counts.actions += 1
        told = self._of(by)
        self._hold("S3", told.texts.get(before.name) == before, f"{by} replaced what it had not read: {before.values}")
        told.texts[after.name] = after
        self._ledger.write(by, before, after)

    # -- destructions -----------------------------------------------------------------------------------------------

    def _on_destroy(self, by: Address, address: Address) -> None:
        if not isinstance(self._cluster.nodes[by].agent, KeeperAgent):
            return
        self.counts.actions += 1
        told = self._of(by)
        self._hold("S6", address != by, f"{by} destroyed itself")
        self._hold("S6", address not in self._cluster.members, f"{by} destroyed {address}, a member")
        self._hold("S6", told.about(address).failures > 0, f"{by} destroyed {address}, which answers it")
        here = self._cluster.local(by, {address}) if self._policy.regional else {address}
        self._hold("S9", bool(here), f"{by} destroyed {address}, which is in another region")
        self._ledger.destroy(by, address, self._largest(told))
        healthy_for = self._healthy_for(address)
        is_healthy = healthy_for >= LONG * 6 * self._policy.interval
        self.counts.destroyed_healthy += is_healthy
        self.counts.destroyed_early += healthy_for > 0 and not is_healthy
        self.counts.destroyed_dead += healthy_for <= 0
        lived = f"{by} destroyed {address}, which has been healthy and able to register for {healthy_for:.0f} s"
        self._hold("S6", not is_healthy, lived)

    def _healthy_for(self, address: Address) -> float:
        """Since when its service is up, its agent runs and the provider lets it register, in seconds; 0 where not."""
        node = self._cluster.nodes[address]
        if not node.is_up or node.agent is None or node.agent.leaving or node.task is None or node.task.is_stopped:
            return 0.0
        told = self._of(address)
        pause = max(LONGEST_THROTTLE, 5 * self._policy.interval)
        return self._cluster.now - max(node.changed_at, told.began, told.trouble_at + pause)

    # -- in general -------------------------------------------------------------------------------------------------

    def _was_fresh(self, told: Told, answers: Answers) -> bool:
        """Whether it was when the commit was sent, which has its effect later: nobody can do better."""
        return told.sent_at - answers.last <= LONG * told.longest_age

    def _hold(self, invariant: str, holds: bool, otherwise: str) -> None:
        expect(self._cluster, invariant, holds, otherwise)


def expect(cluster: Cluster, invariant: str, holds: bool, otherwise: str) -> None:
    """Raises `Violated`, with the text of what there is otherwise, where the invariant does not hold."""
    if not holds:
        raise Violated(invariant, cluster.now, otherwise)


def _diff(written: Written) -> str:
    return f"+{listed(written.after - written.before) or '-'} -{listed(written.before - written.after) or '-'}"
