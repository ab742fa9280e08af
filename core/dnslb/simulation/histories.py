"""Random histories: a cluster, what goes wrong in it, and how it ends, made from a seed.

A history has three parts. In the first one faults come and go, several at a time. Then all of them are over, and the
cluster has time to settle. The last part is the `ending`: one more thing goes wrong, alone, and what is due has to
be done by a deadline. Safety is checked all the time (`invariants`), and liveness in the last two parts (`running`).
"""

from __future__ import annotations

import enum
import random
from dataclasses import dataclass, replace

from dnslb.decision import Policy
from dnslb.simulation.faults import Fault, Kind
from dnslb.simulation.provider import ProviderModel

USUAL_MAX_FAILURES = 60


class Ending(enum.Enum):
    """What happens once the cluster has settled."""

    REST = "nothing"
    CRASH = "one crashes"
    HALF_DIES = "half of the nodes lose their power"
    OUTAGE = "one crashes during an outage of the provider"


@dataclass(frozen=True, slots=True)
class Cut:
    """What to leave of a history; None for all of it.

    Attributes:
        keep: the places of the faults in its list.
        size: how many nodes, from the first one.
        length: seconds until all faults are over.
    """

    keep: tuple[int, ...] | None = None
    size: int | None = None
    length: float | None = None

    @property
    def options(self) -> str:
        """As options of `python -m dnslb.simulation`, each after a space."""
        keep = "" if self.keep is None else f" --keep '{','.join(map(str, self.keep))}'"
        size = "" if self.size is None else f" --size {self.size}"
        return keep + size + ("" if self.length is None else f" --length {self.length:g}")


@dataclass(frozen=True, slots=True)
class History:
    """All that one run depends on.

    Attributes:
        seed: of everything that the cluster draws.
        size: how many nodes there are.
        regions: how many of them; the nodes take turns.
        references: how many nodes, from the last one, run the reference's algorithm.
        registered: whether everybody is in the record set to begin with.
        clocks: whether the hosts' clocks are wrong, each by as much as they may be.
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
    clocks: bool
    length: float
    faults: tuple[Fault, ...]
    ending: Ending

    def cut(self, cut: Cut) -> History:
        """The same, with what is left of it."""
        size = self.size if cut.size is None else cut.size
        length = self.length if cut.length is None else cut.length
        kept = range(len(self.faults)) if cut.keep is None else cut.keep
        faults = (_cut_fault(self.faults[place], size, length) for place in kept)
        return replace(
            self,
            size=size,
            length=length,
            references=min(self.references, size - 1),
            regions=min(self.regions, size),
            faults=tuple(fault for fault in faults if fault is not None),
        )

    def __str__(self) -> str:
        policy = self.policy
        what = [f"seed {self.seed}: {self.size} nodes, T = {policy.interval:g} s, P = {policy.probe_interval:g} s"]
        what += [f"{self.regions} regions"] * (self.regions > 1) + ["destroyer"] * policy.destroys
        what += [f"observe: dns, {self.provider.propagation:g} s behind"] * policy.hints
        what += ["a witness"] * policy.witnesses
        what += [f"low_ttl {policy.low_ttl} s"] * (policy.low_ttl is not None)
        what += [f"{self.references} reference-style"] * (self.references > 0) + ["cold start"] * (not self.registered)
        what += ["wrong clocks"] * self.clocks
        what += [f"maximum_failures {policy.max_failures}"] * (policy.max_failures != USUAL_MAX_FAILURES)
        faults = [f"  [{number}] {fault}" for number, fault in enumerate(self.faults)]
        return "\n".join([", ".join(what), *faults, f"  and after {self.length:.0f} s: {self.ending.value}"])


def _cut_fault(fault: Fault, size: int, length: float) -> Fault | None:
    """What a smaller and shorter history has of a fault; None where that is nothing."""
    nodes = tuple(node for node in fault.nodes if node < size)
    needed = 2 if fault.kind is Kind.CUT_LINKS else 1
    if fault.at >= length or (fault.nodes and len(nodes) < needed):
        return None
    return replace(fault, nodes=nodes, lasting=min(fault.lasting, length - fault.at))


# -- making one --------------------------------------------------------------------------------------------------


def random_history(seed: int, every: float | None = None) -> History:
    """The history of a seed; in all of them agents read and probe `every` so many seconds, if that is given."""
    chance = random.Random(seed)
    size = chance.choice((2, 3, 3, 4, 5, 5, 6, 7, 9, 12))
    interval = every or chance.choice((5.0, 5.0, 5.0, 15.0, 15.0, 60.0))
    regions = chance.choice((1, 1, 1, 2)) if size >= 4 else 1
    references = chance.choice((0, 0, 0, 0, 0, 0, 1, size // 2))
    policy = Policy(
        interval=interval,
        probe_interval=every or chance.choice((min(interval, 5.0), min(interval, 5.0), interval)),
        ttl=int(interval),
        max_failures=chance.choice((USUAL_MAX_FAILURES, USUAL_MAX_FAILURES, 10, 20)),
        regional=regions > 1,
        destroys=not references and chance.random() < 0.5,
        hints=chance.random() < 0.15,
        witnesses=seed % 5 == 0,
        low_ttl=3 if seed % 7 == 0 else None,
    )
    provider = ProviderModel(
        staleness=chance.choice((0.0, 0.0, 0.0, 1.0)),
        rate=chance.choice((None, None, None, 5.0)),
        propagation=chance.choice((0.0, 2.0, 30.0)),
        reads_together=seed % 2 == 0,
    )
    length = interval * (chance.uniform(25, 60) if policy.destroys else chance.uniform(15, 45))
    faults = [_random_fault(chance, size, interval, length) for _ in range(chance.choice((1, 2, 3, 4, 6, 8, 10, 12)))]
    return History(
        seed=seed,
        size=size,
        policy=policy,
        provider=provider,
        regions=regions,
        references=references,
        registered=chance.random() < 0.7,
        clocks=seed % 3 == 0,
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
