"""What a decision may ask for; each action carries its reason."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from dnslb.decision.destroyrecord import Line
from dnslb.decision.reasons import Reason
from dnslb.records import Address


@dataclass(frozen=True, slots=True)
class Action:
    """Something to be done to one address, and why. `event` is what the log calls it once it is done."""

    event: ClassVar[str]

    address: Address
    reason: Reason


Ruling = Iterator[Action | Reason]
"""What a rule says: actions to take, and reasons not to."""


# -- that change the record set ----------------------------------------------------------------------------


class Edit(Action):
    """Something that is done by changing the record set."""


class Register(Edit):
    """Add the own address to the record set."""

    event = "registered"


class Withdraw(Edit):
    """Take an own address out of the record set."""

    event = "withdrawn"


class Evict(Edit):
    """Take a failed member out of the record set."""

    event = "removed"


class EvictSlowly(Evict):
    """Take out a member that failed for so long that neither region nor floor protect it any more."""


class RaiseTtl(Edit):
    """Give the record set its usual TTL again, which a removal had lowered. `address` is the own one."""

    event = "ttl-raised"


# -- that change the destroy record ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Mark(Action):
    """Something that is done, or begun, by a line in the destroy record, in place of others.

    It rests on the whole record as it was read: where that has changed by then, nothing is done.
    """

    line: Line
    instead_of: frozenset[Line]


class Veto(Mark):
    """Say that an own address is not to be destroyed."""

    event = "vetoed"


class Intend(Mark):
    """Say that the instance behind an address that left the record set is to be destroyed."""

    event = "intended"


class Destroy(Mark):
    """Destroy it, once the line stands there that says who does."""

    event = "destroyed"
