"""The lease of a service: who may act on it alone, and which addresses stay out of it meanwhile.

Theory of operation. The lease is the block record (`blockrecord`), changed by compare-and-swap only. A holder renews it
by a write that differs from every other one, and acts for half of its duration since it *sent* the last renewal that
landed. Others take it over once they have seen the very same text for the whole duration, by their own monotonic clock.
So two never act at once, whatever their wall clocks say, even if one clock runs up to twice as fast as the other.

The wall clock only makes others wait longer: a record that is not past its time is left alone for up to seven minutes,
after which its owner is taken for dead. Nobody but its owner ever deletes a record.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from dnslb.decision.blockrecord import MOST_WHOLE, BlockRecord, Illegible, parse, written
from dnslb.records import Address, RecordSet

GRACE = 30.0
"""How long past its time, in seconds, a record is still in force: clocks differ a little everywhere."""

LONGEST = 7 * 60.0
"""After so many seconds without a change nobody renews a record, whatever it says."""

LONGEST_ILLEGIBLE = 10 * 60.0
"""The same for what cannot be read: it may be in force in a way that this version does not understand."""

SHORTEST_DURATION, LONGEST_DURATION = 10, 300
"""Of a lease, in seconds: renewing takes a few provider calls, and `LONGEST` has to be longer."""

_MINUTE = 60.0  # the TTL on which `block` of the Go package counts


@dataclass(frozen=True, slots=True)
class LeaseView:
    """The block record as last read, and since when it is known not to have changed, by the local monotonic clock."""

    values: tuple[str, ...]
    since: float


@dataclass(frozen=True, slots=True)
class Hold:
    """What a block record holds, if nobody changes it. Times are of the local monotonic clock.

    Attributes:
        owner: who holds the lock, as far as that can be read.
        locked_until: when the lock is free.
        addresses: which addresses are blocked; None if nobody can tell, which means all.
        blocked_until: until when.
    """

    owner: str = ""
    locked_until: float = -math.inf
    addresses: frozenset[Address] | None = frozenset()
    blocked_until: float = -math.inf

    def blocks(self, address: Address, now: float) -> bool:
        """Whether `address` is to stay out of the service at the moment `now`."""
        return now < self.blocked_until and (self.addresses is None or address in self.addresses)

    @property
    def free_at(self) -> float:
        """When somebody else may take the lock: when it holds nothing any more, neither lock nor address."""
        return max(self.locked_until, self.blocked_until)


def watched(view: LeaseView | None, record_set: RecordSet, now: float) -> LeaseView:
    """The view after another reading, which ended at `now`."""
    if view is not None and view.values == record_set.values:
        return view
    return LeaseView(record_set.values, now)


def holds(view: LeaseView, now: float, wall: float) -> Hold:
    """What the record holds, judged at the monotonic time `now` and the wall time `wall` (seconds since 1970)."""
    record = parse(view.values)
    if record is None:
        return Hold()
    if isinstance(record, Illegible):
        until = view.since + LONGEST_ILLEGIBLE
        return Hold(locked_until=until, addresses=record.addresses, blocked_until=until)
    lock_lasts, block_lasts = _lasting(record)
    locked_until = _over_at(view, record.owner_expires, lock_lasts, now, wall)
    if record.addresses_expire is None:
        return Hold(record.owner, locked_until)
    blocked_until = _over_at(view, record.addresses_expire, block_lasts, now, wall)
    return Hold(record.owner, locked_until, record.addresses, blocked_until)


def _over_at(view: LeaseView, expires: float, lasts: float, now: float, wall: float) -> float:
    """When a time that was written is over: past *and* unchanged for as long as it lasts, or unchanged for too long."""
    past = now + (expires + GRACE - wall)
    return min(max(past, view.since + lasts), view.since + LONGEST)


def _lasting(record: BlockRecord) -> tuple[float, float]:
    """For how many seconds one write of the lock, and of the blocked addresses, is good.

    The Go package does not write that down. It gives an address two TTLs and the owner five, so the two times are
    three TTLs apart, and that by one and the same clock, however wrong. An owner alone has nothing to be measured by.
    """
    if record.duration is not None:
        return record.duration, record.duration
    ttl = _MINUTE
    if record.addresses_expire is not None and record.owner_expires > record.addresses_expire:
        ttl = (record.owner_expires - record.addresses_expire) / 3
    return 5 * ttl, 2 * ttl


# -- what a holder does ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Claim:
    """What somebody wants to hold, or holds.

    Attributes:
        fqdn: the name of the service.
        owner: a token that nobody else uses, and nobody uses twice.
        duration: for how many seconds each write is good.
        addresses: what is to stay out of the service meanwhile.
        operation, phase, started, ttl: as in `BlockRecord`.

    Raises:
        ValueError: the duration is out of bounds, or a text cannot stand in a block record.
    """

    fqdn: str
    owner: str
    duration: int = 180
    addresses: frozenset[Address] = frozenset()
    operation: str = ""
    phase: str = ""
    started: float | None = None
    ttl: int | None = None

    def __post_init__(self) -> None:
        """Refuses here what would otherwise fail in the middle of an operation."""
        if not SHORTEST_DURATION <= self.duration <= LONGEST_DURATION:
            raise ValueError(
                f"a lease of {self.duration} s is not between {SHORTEST_DURATION} and {LONGEST_DURATION} s"
            )
        self.record_set(fence=1, wall=0.0)

    def record_set(self, fence: int, wall: float) -> RecordSet:
        """The block record that holds it, written at the wall time `wall`."""
        expires = wall + self.duration
        record = BlockRecord(
            owner=self.owner,
            owner_expires=expires,
            addresses=self.addresses,
            addresses_expire=expires if self.addresses else None,
            fence=fence,
            duration=self.duration,
            operation=self.operation,
            started=self.started,
            phase=self.phase,
            ttl=self.ttl,
        )
        return written(record, self.fqdn)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a block record is left as it is.

    `until` is when that ends by itself, by the local monotonic clock; infinite where waiting does not help.
    """

    reason: str
    until: float = math.inf


def acquire(view: LeaseView, claim: Claim, now: float, wall: float) -> RecordSet | Refusal:
    """The block record that gives the lease to `claim`, if it is free; one's own counts as free."""
    record = parse(view.values)
    if _owner(record) != claim.owner:
        hold = holds(view, now, wall)
        if now < hold.free_at:
            return Refusal(
                f"{holder(view)} holds the lease, for {hold.free_at - now:.0f} s unless renewed", hold.free_at
            )
    return claim.record_set(_next_fence(record), wall)


def renew(record_set: RecordSet, claim: Claim, wall: float) -> RecordSet | Refusal:
    """The block record that goes on holding what `claim` says now; only out of one's own."""
    record = parse(record_set.values)
    if _owner(record) != claim.owner:
        return Refusal(_lost(record_set))
    return claim.record_set(_next_fence(record), wall)


def release(record_set: RecordSet, owner: str) -> RecordSet | Refusal:
    """The absent block record, if it is one's own or absent already."""
    if record_set.exists and _owner(parse(record_set.values)) != owner:
        return Refusal(_lost(record_set))
    return record_set.holding(())


def act_until(sent: float, duration: float) -> float:
    """When a holder has to stop acting which sent, at `sent`, the last renewal of which it knows that it landed."""
    return sent + duration / 2


def holder(view: LeaseView | RecordSet) -> str:
    """Who holds a block record, in a few words; the text is somebody else's, and is to be shown as such."""
    record = parse(view.values)
    if record is None:
        return "nobody"
    if isinstance(record, Illegible):
        return "a block record that cannot be read"
    doing = f" ({record.operation[:60]})" if record.operation else ""
    return f"owner {record.owner[:60]}{doing}"


def _lost(record_set: RecordSet) -> str:
    return f"the lease is gone: {holder(record_set)} holds it now"


def _owner(record: BlockRecord | Illegible | None) -> str | None:
    return record.owner if isinstance(record, BlockRecord) else None


def _next_fence(record: BlockRecord | Illegible | None) -> int:
    if not isinstance(record, BlockRecord) or record.fence is None:
        return 1
    return (record.fence + 1) % MOST_WHOLE  # what somebody else wrote may be as large as can be read
