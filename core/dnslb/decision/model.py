"""The values that go into a decision and come out of it. All times are seconds of one monotonic clock."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from dnslb.decision.actions import Action, Edit, Mark
from dnslb.decision.destroyrecord import IntentsView
from dnslb.decision.hints import Hints
from dnslb.decision.leases import LeaseView
from dnslb.decision.policy import Policy
from dnslb.decision.reasons import Reason
from dnslb.interfaces import ProbeResult
from dnslb.records import Address, RecordSet

NEVER = math.inf


@dataclass(frozen=True, slots=True)
class Health:
    """What the probes of one address said.

    Attributes:
        passed, failures: in a row, up to now; at most one of them is not 0.
        failing_since: when the first of the failures was, or the last return; None while there is none.
        returns: how often it was removed and came back by itself since the first of the failures.
        probed_at: when the last probe was that said anything.
        asked_at: when the last probe was, even if it could not be made.
        detail: what the last probe said.
        local: whether the address is in the own region, as far as that was asked.
    """

    passed: int = 0
    failures: int = 0
    failing_since: float | None = None
    returns: int = 0
    probed_at: float = -NEVER
    asked_at: float = -NEVER
    detail: str = ""
    local: bool = True

    def down(self, policy: Policy) -> bool:
        """Whether it failed often enough, and for long enough."""
        return self.failures >= policy.fall and self.failing_for(self.probed_at) >= policy.blip

    def failing_for(self, now: float) -> float:
        """Since how many seconds it fails; 0 where it does not."""
        return 0.0 if self.failing_since is None else now - self.failing_since


UNKNOWN = Health()
"""Of who was never probed."""


class Healths(dict[Address, Health]):
    """The health of each address; made anew where one of them changes, and never changed itself."""

    @functools.cached_property
    def failing(self) -> frozenset[Address]:
        """Whose last probe failed. Each decision asks many times, about hundreds of addresses."""
        return frozenset(address for address, health in self.items() if health.failures)


@dataclass(frozen=True, slots=True)
class State:
    """All that an agent remembers about one record set between two decisions.

    Attributes:
        own: the own address, None as long as there is none of this family.
        former: addresses that were the own one before, and may still be in the record set.
        record_set: as last seen, None before the first reading; with hints, as a name server showed it last.
        shown: the members when the API was last read, or has taken a commit.
        sizes: (time, number of members) of the readings that count as recent, hints included.
        health: of every address that is probed, the own one included.
        registered_since: since when the own address has been seen in the record set; None while it is not.
        evictions: how often in a row others removed the own address.
        not_before: when the own address may be registered again.
        left: members that left, and until when they object if they come back.
        out_since: when the own address was last seen to have been removed by others.
        objectors: those who came back soon, while they still failed; nobody is judged before `held_until`.
        objections: how often that happened since all of them answered.
        wave: how many times in a row members were removed and nobody objected; more may go each time.
        paced_until: before this, only a lone failure may be acted on.
        rounds: how many rounds of probes there were.
        removed: what this agent removed and may destroy, and since when it knows it to be gone.
        condemned: those whom this agent is to destroy, if nobody vetoes; they are probed as members are.
        last_slow: when a member was last removed for having failed too long.
        doubted: whom this agent removed so while nobody answered it; none once somebody does.
        refuted: one of them came back by itself: it is this agent that cannot reach anybody.
        lease: the block record as last read, None before the first reading.
        intents: the destroy record as last read, None before the first reading.
        next_intents: when that is to be read again, where it is read at all.
        calm_since: since when neither the own check fails nor a member that was probed, and who left can no longer
            object; None while that is not so, and NEVER once this agent has raised the TTL.
        longest_ttl: the largest TTL of the record set that was seen, in seconds.
        troubles: readings in a row that failed.
        next_read, next_probe: when these are due.
        write_troubles: writes in a row that failed, while there was something to write.
        next_write: when the record set may be written again.
        hints: what the zone's own name servers said.
        witnessed: whether a witness answered when they were asked last, None where they never were.
        witnessed_at: when that was.
    """

    own: Address | None = None
    former: frozenset[Address] = frozenset()
    record_set: RecordSet | None = None
    shown: frozenset[Address] = frozenset()
    sizes: tuple[tuple[float, int], ...] = ()
    health: Healths = field(default_factory=Healths)
    registered_since: float | None = None
    evictions: int = 0
    not_before: float = -NEVER
    left: Mapping[Address, float] = field(default_factory=dict)
    out_since: float = -NEVER
    objectors: frozenset[Address] = frozenset()
    objections: int = 0
    held_until: float = -NEVER
    wave: int = 0
    paced_until: float = -NEVER
    rounds: int = 0
    removed: Mapping[Address, float] = field(default_factory=dict)
    condemned: frozenset[Address] = frozenset()
    last_slow: float = -NEVER
    doubted: frozenset[Address] = frozenset()
    refuted: bool = False
    lease: LeaseView | None = None
    intents: IntentsView | None = None
    next_intents: float = -NEVER
    calm_since: float | None = None
    longest_ttl: int = 0
    troubles: int = 0
    next_read: float = -NEVER
    next_probe: float = -NEVER
    write_troubles: int = 0
    next_write: float = -NEVER
    hints: Hints = field(default_factory=Hints)
    witnessed: bool | None = None
    witnessed_at: float = -NEVER

    @property
    def members(self) -> frozenset[Address]:
        """The addresses in the record set as last seen."""
        return self.record_set.addresses if self.record_set else frozenset()

    @property
    def own_health(self) -> Health:
        """What the self-checks said."""
        return self.health_of(self.own) if self.own else UNKNOWN

    @property
    def sure_of_oneself(self) -> bool:
        """Only who is in the record set, and passes its own check, may judge others."""
        return self.own in self.members and self.own_health.passed > 0

    @property
    def unwitnessed(self) -> bool:
        """Whether no witness answered when they were asked last: whoever fails may well be alive."""
        return self.witnessed is False

    def health_of(self, address: Address) -> Health:
        """What the probes of an address said; nothing, where it was not probed."""
        return self.health.get(address, UNKNOWN)


@dataclass(frozen=True, slots=True)
class Trouble:
    """The provider could not be read, or not be written. `retry_after` is the pause that it asked for."""

    throttled: bool = False
    retry_after: float | None = None
    writing: bool = False


# -- in and out --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Observation:
    """What the agent saw, or did, at one moment.

    Attributes:
        now: the time.
        wall: the time of day in seconds since 1970: the block record is judged by it, and people read it in the destroy
            record; no other rule looks at it.
        own: the own address of this family as it is now, None where there is none.
        host: the own addresses of both families.
        record_set: what was read just now (or written, which is the same); None where nothing was.
        block_record: the block record of the service, if that was read for this; None where it was not.
        intents: the same of the destroy record.
        trouble: the provider could not be read or written.
        hint: what a name server of the zone said just now, which may be old; None where none was asked or answered.
        silent: name servers were asked, and none gave an answer to go by.
        witnesses: whether a witness answered, and `witnessed_at` when they began to be asked; None where they were not.
        probes: what was probed just now, and `probed_at` when that began.
        local: those of `probes` that are in the own region; all of them where there are no regions.
        done: actions that were carried out since the last observation.
        stopping: the agent is to leave.
        jitter: a random number from 0 to 1, new for every observation.
        token: 8 to 63 random lower-case hexadecimal digits, new for every observation.
    """

    now: float
    wall: float = 0.0
    own: Address | None = None
    host: frozenset[Address] = frozenset()
    record_set: RecordSet | None = None
    block_record: RecordSet | None = None
    intents: RecordSet | None = None
    trouble: Trouble | None = None
    hint: RecordSet | None = None
    silent: bool = False
    witnesses: bool | None = None
    witnessed_at: float = -NEVER
    probes: Mapping[Address, ProbeResult] = field(default_factory=dict)
    probed_at: float = -NEVER
    local: frozenset[Address] = frozenset()
    done: tuple[Action, ...] = ()
    stopping: bool = False
    jitter: float = 0.5
    token: str = ""


@dataclass(frozen=True, slots=True)
class Look:
    """The next observation: when to make it, whether to read the record set, or to ask for a hint, and whom to probe.

    `lease` asks for the block record too, which comes with `read` only; `intents` asks for the destroy record. Where
    one of these cannot be read, none of them was. At most one of `read` and `hint` is asked for. `witnesses` asks
    whether one of these answers.
    """

    at: float
    read: bool = False
    probe: frozenset[Address] = frozenset()
    lease: bool = False
    intents: bool = False
    hint: bool = False
    witnesses: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do now, what was refused and why, and when to look again."""

    state: State
    actions: tuple[Action, ...]
    refusals: tuple[Reason, ...]
    look: Look

    @property
    def edits(self) -> tuple[Edit, ...]:
        """The actions that change the record set."""
        return tuple(action for action in self.actions if isinstance(action, Edit))

    @property
    def marks(self) -> tuple[Mark, ...]:
        """The actions that change the destroy record."""
        return tuple(action for action in self.actions if isinstance(action, Mark))
