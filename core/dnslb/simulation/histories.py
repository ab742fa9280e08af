"""Random histories: a cluster, what goes wrong in it, and how it ends; made from a seed, run, and shrunk.

A history has three parts. In the first one faults come and go, several at a time. Then all of them are over, and the
cluster has time to settle. The last part is the `ending`: one more thing goes wrong, alone, and what is due has to
be done by a deadline. Safety is checked all the time (`invariants`), and liveness in the last two parts.
"""

from __future__ import annotations

import enum
import hashlib
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from dnslb.decision import Policy
from dnslb.records import Address
from dnslb.simulation.agents import KeeperAgent
from dnslb.simulation.cluster import Agent, Cluster, Node, address_of
from dnslb.simulation.faults import Fault, Faults, Kind
from dnslb.simulation.invariants import LONGEST_THROTTLE, Violated, Watch
from dnslb.simulation.provider import ProviderModel
from dnslb.simulation.reference import ReferenceAgent

USUAL_MAX_FAILURES = 60


class Ending(enum.Enum):
    """What happens once the cluster has settled."""

    REST = "nothing"
    CRASH = "one crashes"
    HALF_DIES = "half of the nodes lose their power"
    OUTAGE = "one crashes during an outage of the provider"


@dataclass(frozen=True, slots=True)
class History:
    """All that one run depends on.

    Attributes:
        seed: of everything that the cluster draws.
        size: how many nodes there are.
        regions: how many of them; the nodes take turns.
        references: how many nodes, from the last one, run the reference's algorithm.
        registered: whether everybody is in the record set to begin with.
        faults: what goes wrong, until `length` seconds.
        ending: what happens after it.
    """

    seed: int
    size: int
    policy: Policy
    provider: ProviderModel
    regions: int
    references: int
    registered: bool
    length: float
    faults: tuple[Fault, ...]
    ending: Ending

    def keeping(self, chosen: Sequence[int]) -> History:
        """The same with some of the faults only, named by their places in the list."""
        return replace(self, faults=tuple(self.faults[number] for number in chosen))

    def __str__(self) -> str:
        policy = self.policy
        what = [f"seed {self.seed}: {self.size} nodes, T = {policy.interval:g} s, P = {policy.probe_interval:g} s"]
        what += [f"{self.regions} regions"] * (self.regions > 1) + ["destroyer"] * policy.destroys
        what += [f"{self.references} reference-style"] * (self.references > 0) + ["cold start"] * (not self.registered)
        what += [f"maximum_failures {policy.max_failures}"] * (policy.max_failures != USUAL_MAX_FAILURES)
        faults = [f"  [{number}] {fault}" for number, fault in enumerate(self.faults)]
        return "\n".join([", ".join(what), *faults, f"  and after {self.length:.0f} s: {self.ending.value}"])


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a history.

    Attributes:
        violated: the first invariant that did not hold.
        seconds: how much virtual time went by.
        actions: how many writes and destructions were checked.
        digest: of all that was written and said: one history gives one digest.
        trace: the writes and events in order, as lines of text.
    """

    violated: Violated | None
    seconds: float
    actions: int
    digest: str
    trace: tuple[str, ...]


# -- making one --------------------------------------------------------------------------------------------------


def random_history(seed: int, size: int | None = None, interval: float | None = None) -> History:
    """The history of a seed; with another size or interval where one is given."""
    chance = random.Random(seed)
    drawn_size, drawn_interval = (
        chance.choice((2, 3, 3, 4, 5, 5, 6, 7, 9, 12)),
        chance.choice((5.0, 5.0, 5.0, 15.0, 15.0, 60.0)),
    )
    size, interval = size or drawn_size, interval or drawn_interval
    regions = chance.choice((1, 1, 1, 2)) if size >= 4 else 1
    references = chance.choice((0, 0, 0, 0, 0, 0, 1, size // 2))
    policy = Policy(
        interval=interval,
        probe_interval=chance.choice((min(interval, 5.0), min(interval, 5.0), interval)),
        ttl=int(interval),
        max_failures=chance.choice((USUAL_MAX_FAILURES, USUAL_MAX_FAILURES, 10, 20)),
        regional=regions > 1,
        destroys=not references and chance.random() < 0.5,
    )
    provider = ProviderModel(staleness=chance.choice((0.0, 0.0, 0.0, 1.0)), rate=chance.choice((None, None, None, 5.0)))
    length = interval * (chance.uniform(50, 110) if policy.destroys else chance.uniform(20, 80))
    faults = [_random_fault(chance, size, interval, length) for _ in range(chance.choice((1, 2, 3, 4, 6, 8, 10, 12)))]
    return History(
        seed=seed,
        size=size,
        policy=policy,
        provider=provider,
        regions=regions,
        references=references,
        registered=chance.random() < 0.7,
        length=length,
        faults=tuple(sorted(faults, key=lambda fault: fault.at)),
        ending=chance.choice(tuple(Ending)),
    )


_FEW = frozenset(
    {
        *(Kind.CRASH, Kind.POWER_LOSS, Kind.SERVICE_DOWN, Kind.FLAPPING, Kind.SLOW_START, Kind.AGENT_KILLED),
        *(Kind.AGENT_STOPPED, Kind.PROCESS_STOPPED, Kind.SCALE_IN, Kind.ABSENT, Kind.DEAF),
    }
)
_FREQUENT = (Kind.CRASH, Kind.POWER_LOSS, Kind.DEAF, Kind.PARTITION, Kind.CUT_LINKS)
"""What agents disagree about, or what has to be acted on."""

_SOME = frozenset({Kind.PARTITION, Kind.CUT_LINKS})


def _random_fault(chance: random.Random, size: int, interval: float, length: float) -> Fault:
    kind = chance.choice((*Kind, *_FREQUENT))
    at = 0.0 if kind is Kind.ABSENT else chance.uniform(0, length)
    lasting = min(
        interval * chance.choice((0.05, 0.3, 1.0, 3.0, 10.0, 30.0, 45.0)) * chance.uniform(0.5, 1.5), length - at
    )
    if kind in _FEW:
        count = min(size, chance.choice((1, 1, 1, 2, 3, size)))
    elif kind in _SOME:
        count = chance.randint(2 if kind is Kind.CUT_LINKS else 1, size)
    else:
        count = 0
    nodes = tuple(chance.sample(range(size), count))
    return Fault(kind, at, lasting, nodes, _random_amount(chance, kind, interval))


def _random_amount(chance: random.Random, kind: Kind, interval: float) -> float:
    match kind:
        case Kind.FLAPPING:
            return interval * chance.uniform(0.1, 3)
        case Kind.SCALE_IN:
            return chance.uniform(0, 30)
        case Kind.LOSS | Kind.BURSTS | Kind.LOST_REPLIES:
            return chance.choice((0.05, 0.2, 0.5))
        case Kind.STALE_READS:
            return chance.choice((0.5, 3.0, 10.0))
        case Kind.BUSY:
            return chance.choice((1.0, 5.0, 20.0))
    return 0.0


# -- running one -------------------------------------------------------------------------------------------------


def run(history: History) -> Outcome:
    """Lets a history happen, up to its end or the first violation of an invariant."""
    cluster = Cluster(history.size, history.policy, _maker(history), history.seed, history.provider)
    for number, node in enumerate(cluster.nodes.values()):
        node.region = f"region-{number % history.regions}"
    watch = Watch(cluster)
    violated = None
    try:
        _live(cluster, history)
    except Violated as error:
        violated = error
    trace = _trace(cluster)
    digest = hashlib.sha256("\n".join(trace).encode()).hexdigest()
    return Outcome(violated, cluster.now, watch.checked, digest, trace)


def _maker(history: History) -> Callable[[Cluster, Node], Agent]:
    references = frozenset(map(address_of, range(history.size - history.references, history.size)))
    return lambda cluster, node: (ReferenceAgent if node.address in references else KeeperAgent)(cluster, node)


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
    """L2 and L6: in the end everybody is back, and then nothing is written any more."""
    policy = history.policy
    throttled = history.provider.rate or any(fault.kind in {Kind.THROTTLING, Kind.BUSY} for fault in history.faults)
    longest_pause = max(5 * policy.interval, LONGEST_THROTTLE if throttled else 0.0)
    cluster.run_until(cluster.now + policy.longest_absence + longest_pause + 3 * policy.interval + 10.0)
    missing = _healthy(cluster) - cluster.members
    _expect(cluster, "L2", not missing, f"still out after all faults are over: {_names(missing)}")
    quiet_since = cluster.now
    cluster.run_until(cluster.now + 10 * policy.interval)
    late = [each for each in cluster.provider.history if each.at > quiet_since]
    _expect(cluster, "L6", not late, f"{len(late)} writes at rest, the first one by {late[0].by if late else None}")


def _end(cluster: Cluster, history: History) -> None:
    """L1, L3 and L4: what is due is done in time."""
    policy, chance = history.policy, random.Random(history.seed)
    living = sorted(_healthy(cluster), key=int)
    interval, settling = policy.interval, max(policy.probe_interval, 5.0) + 10.0
    if history.regions > 1 or history.references:
        # The only one that watches a member all the time may be one that does not remove it.
        settling += 2 * history.size * policy.probe_interval
    keepers = [address for address in living if isinstance(cluster.nodes[address].agent, KeeperAgent)]
    watched = [address for address in living if len(cluster.local(address, keepers) - {address}) > 0]
    if history.ending is Ending.REST or not watched:
        return
    victim = chance.choice(watched)
    if history.ending is Ending.CRASH:
        cluster.crash(victim, silent=chance.random() < 0.5)
        _expect_gone(cluster, "L1", {victim}, max(2.2 * interval, settling))
    elif history.ending is Ending.HALF_DIES and history.regions == 1 and not history.references:
        victims = frozenset(chance.sample(living, len(living) // 2))
        for each in victims:
            cluster.crash(each, silent=True)
        _expect_gone(cluster, "L3", victims, 12 * interval + settling)
    elif history.ending is Ending.OUTAGE:
        cluster.provider.is_down = True
        cluster.run_until(cluster.now + chance.uniform(0, 6) * interval)
        cluster.crash(victim)
        cluster.run_until(cluster.now + chance.uniform(0, 6) * interval)
        cluster.provider.is_down = False
        _expect_gone(cluster, "L4", {victim}, 5 * interval + settling)


def _expect_gone(cluster: Cluster, invariant: str, dead: set[Address] | frozenset[Address], within: float) -> None:
    deadline = cluster.now + within
    while dead & cluster.members and cluster.now < deadline:
        cluster.run_until(min(cluster.now + 1.0, deadline))
    left = dead & cluster.members
    _expect(cluster, invariant, not left, f"dead and still in the record set after {within:.0f} s: {_names(left)}")


def _healthy(cluster: Cluster) -> frozenset[Address]:
    return frozenset(address for address, node in cluster.nodes.items() if node.is_up and node.agent is not None)


def _expect(cluster: Cluster, invariant: str, holds: bool, otherwise: str) -> None:
    if not holds:
        raise Violated(invariant, cluster.now, otherwise)


def _names(addresses: frozenset[Address] | set[Address]) -> str:
    return ", ".join(map(str, sorted(addresses, key=int)))


def _trace(cluster: Cluster) -> tuple[str, ...]:
    """What was written and what was said, in order."""
    written = [
        (each.at, 0, f"{each.by} writes: {_names(each.before)} -> {_names(each.after)}")
        for each in cluster.provider.history
    ]
    said = [(event.at, 1, f"{event.by} {event.text}") for event in cluster.events]
    return tuple(f"{at:10.3f} {text}" for at, _, text in sorted(written + said, key=lambda line: line[:2]))


# -- shrinking one -----------------------------------------------------------------------------------------------


def shrink(history: History, invariant: str) -> tuple[int, ...]:
    """The places of as few faults as still violate the same invariant: delta debugging, by halves and then ever less.

    The result is 1-minimal: without any one of these faults, the invariant holds.
    """
    chosen = tuple(range(len(history.faults)))
    parts = 2
    while len(chosen) >= 1:
        size = max(1, len(chosen) // parts)
        cuts = [chosen[:start] + chosen[start + size :] for start in range(0, len(chosen), size)]
        smaller = next((cut for cut in cuts if _violates(history.keeping(cut), invariant)), None)
        if smaller is not None:
            chosen, parts = smaller, max(2, parts - 1)
        elif size == 1:
            break
        else:
            parts = min(len(chosen), 2 * parts)
    return chosen


def _violates(history: History, invariant: str) -> bool:
    violated = run(history).violated
    return violated is not None and violated.invariant == invariant
