"""Runs a history: lets it happen, and holds what becomes of it against what is promised."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Collection
from dataclasses import dataclass

from dnslb.decision.hints import longest_unread
from dnslb.records import Address, listed
from dnslb.simulation.agents import KeeperAgent
from dnslb.simulation.clock import DRIFT, WRONG
from dnslb.simulation.cluster import Agent, Cluster, Node, address_of
from dnslb.simulation.faults import Faults, Kind
from dnslb.simulation.histories import Ending, History
from dnslb.simulation.invariants import LONGEST_THROTTLE, Counts, Violated, Watch, expect
from dnslb.simulation.reference import ReferenceAgent


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a history.

    Attributes:
        violated: the first invariant that did not hold.
        seconds: how much virtual time went by, with agents running in all of it.
        counts: what was checked, and what happened.
        digest: of all that was written and said: one history gives one digest.
        trace: the writes and events in order, as lines of text.
    """

    violated: Violated | None
    seconds: float
    counts: Counts
    digest: str
    trace: tuple[str, ...]


def run(history: History) -> Outcome:
    """Lets a history happen, up to its end or the first violation of an invariant."""
    cluster = Cluster(history.size, history.policy, _maker(history), history.seed, history.provider)
    for number, node in enumerate(cluster.nodes.values()):
        node.region = f"region-{number % history.regions}"
    if history.clocks:
        _set_clocks_wrong(cluster, random.Random(history.seed))
    watch = Watch(cluster)
    violated = None
    try:
        _live(cluster, history)
    except Violated as error:
        violated = error
    except Exception as error:  # noqa: BLE001 - whatever a record made an agent stumble over
        violated = Violated("S10", cluster.now, f"{type(error).__name__}: {error}")
        violated.__cause__ = error
    trace = _trace(cluster)
    digest = hashlib.sha256("\n".join(trace).encode()).hexdigest()
    return Outcome(violated, cluster.now, watch.counts, digest, trace)


def _maker(history: History) -> Callable[[Cluster, Node], Agent]:
    references = frozenset(map(address_of, range(history.size - history.references, history.size)))
    return lambda cluster, node: (ReferenceAgent if node.address in references else KeeperAgent)(cluster, node)


def _set_clocks_wrong(cluster: Cluster, chance: random.Random) -> None:
    for node in cluster.nodes.values():
        node.clock_rate = 1 + chance.uniform(-DRIFT, DRIFT)
        node.clock_offset = chance.uniform(-WRONG, WRONG)


def _live(cluster: Cluster, history: History) -> None:
    late = {address for fault in history.faults if fault.kind is Kind.ABSENT for address in fault.addresses}
    present = [address for address in cluster.nodes if address not in late]
    Faults(cluster, history.faults)
    if history.registered and present:
        cluster.register_all(present)
    cluster.start(present, within=history.policy.interval)
    cluster.run_until(history.length)
    _settle(cluster, history)
    _end(cluster, history)


def _settle(cluster: Cluster, history: History) -> None:
    """L2 and L6: everybody comes back in time, and from then on nothing is written any more."""
    interval = history.policy.interval
    deadline = cluster.now + _longest_return(history)
    cluster.run_until(cluster.now + 3 * interval + 10.0)
    while (_healthy(cluster) - cluster.members or _spares_provider(cluster)) and cluster.now < deadline:
        cluster.run_until(min(cluster.now + interval, deadline))
    missing = _healthy(cluster) - cluster.members
    expect(cluster, "L2", not missing, f"still out after all faults are over: {listed(missing)}")
    _await_usual_ttl(cluster, history)
    quiet_since = cluster.now
    cluster.run_until(cluster.now + 10 * interval)
    late = [each for each in cluster.provider.history if each.at > quiet_since]
    expect(cluster, "L6", not late, f"{len(late)} writes at rest, the first one by {late[0].by if late else None}")


def _await_usual_ttl(cluster: Cluster, history: History) -> None:
    """A TTL that a removal has lowered is raised: by the first member whose agent is there, so it takes a while."""
    policy = history.policy
    takes_turns = (history.size + 2) * policy.interval
    deadline = cluster.now + policy.objection_memory(policy.interval) + policy.calm + takes_turns
    while cluster.ttl == policy.low_ttl and cluster.now < deadline:
        cluster.run_until(min(cluster.now + policy.interval, deadline))
    is_due = cluster.members <= _healthy(cluster)
    expect(cluster, "L6", not is_due or cluster.ttl != policy.low_ttl, f"the TTL is still {cluster.ttl} s")


def _spares_provider(cluster: Cluster) -> bool:
    """Whether some agent has not got through to the provider since that failed, or throttled: it still pauses."""
    agents = [node.agent for node in cluster.nodes.values()]
    return any(isinstance(agent, KeeperAgent) and agent.keeper.state.troubles for agent in agents)


def _longest_return(history: History) -> float:
    """How long a healthy node may stay away after the last fault: its back-off, and pauses that the provider causes."""
    policy = history.policy
    throttled = history.provider.rate or any(fault.kind in {Kind.THROTTLING, Kind.BUSY} for fault in history.faults)
    pause = max(5 * policy.interval, LONGEST_THROTTLE if throttled else 0.0)
    unread = longest_unread(policy.interval) if policy.hints else 0.0
    return policy.longest_absence + unread + pause + 3 * policy.interval + 10.0


def _end(cluster: Cluster, history: History) -> None:
    """L1, L3 and L4: what is due is done in time."""
    if any(node.destroyed for node in cluster.nodes.values()):
        cluster.run_until(cluster.now + history.policy.memory)  # until then they count for the floor
    chance = random.Random(history.seed)
    living = sorted(_healthy(cluster), key=int)
    watched = [address for address in living if _is_watched(cluster, address)]
    if history.ending is Ending.REST or not watched:
        return
    victim = chance.choice(watched)
    if history.ending is Ending.CRASH:
        cluster.crash(victim, silent=chance.random() < 0.5)
        _expect_gone(cluster, "L1", {victim}, max(2.2 * history.policy.interval, _detection(history)))
    elif history.ending is Ending.OUTAGE:
        _crash_in_an_outage(cluster, history, victim, chance)
    elif history.regions == 1 and not history.references:
        victims = frozenset(chance.sample(living, len(living) // 2))
        for each in victims:
            cluster.crash(each, silent=True)
        _expect_gone(cluster, "L3", victims, 12 * history.policy.interval + _detection(history))


def _crash_in_an_outage(cluster: Cluster, history: History, victim: Address, chance: random.Random) -> None:
    interval = history.policy.interval
    cluster.provider.is_down = True
    cluster.run_until(cluster.now + chance.uniform(0, 6) * interval)
    cluster.crash(victim)
    cluster.run_until(cluster.now + chance.uniform(0, 6) * interval)
    cluster.provider.is_down = False
    _expect_gone(cluster, "L4", {victim}, 5 * interval + _detection(history))


def _is_watched(cluster: Cluster, address: Address) -> bool:
    """Whether somebody else is there that would remove it: an agent of ours in the same region."""
    keepers = [each for each, node in cluster.nodes.items() if isinstance(node.agent, KeeperAgent)]
    return bool(cluster.local(address, keepers) - {address})


def _detection(history: History) -> float:
    """Seconds until a failure is known, beside those that are counted in intervals."""
    policy = history.policy
    settling = max(policy.probe_interval, 5.0) + 10.0
    if history.regions > 1 or history.references:
        # The only one that watches a member all the time may be one that does not remove it.
        settling += 2 * history.size * policy.probe_interval
    return settling


def _expect_gone(cluster: Cluster, invariant: str, dead: Collection[Address], within: float) -> None:
    deadline = cluster.now + within
    while cluster.members.intersection(dead) and cluster.now < deadline:
        cluster.run_until(min(cluster.now + 1.0, deadline))
    left = cluster.members.intersection(dead)
    expect(cluster, invariant, not left, f"dead and still in the record set after {within:.0f} s: {listed(left)}")


def _healthy(cluster: Cluster) -> frozenset[Address]:
    return frozenset(address for address, node in cluster.nodes.items() if node.is_up and node.agent is not None)


def _trace(cluster: Cluster) -> tuple[str, ...]:
    """What was written and what was said, in order."""
    written = [
        (each.at, 0, f"{each.by} writes: {listed(each.before)} -> {listed(each.after)}")
        for each in cluster.provider.history
    ]
    said = [(event.at, 1, f"{event.by} {event.text}") for event in cluster.events]
    return tuple(f"{at:10.3f} {text}" for at, _, text in sorted(written + said, key=lambda line: line[:2]))
