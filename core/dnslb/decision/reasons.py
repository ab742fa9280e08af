"""Why something was done, or was not: one type for the log, the status and the tests.

The table below can be read on its own: it is everything that dnslb may say about a member.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from dnslb.records import Address


class Why(enum.Enum):
    """The reasons, each with the text that its numbers are put into."""

    # registered, withdrawn
    JOIN = "passed {passed} self-checks in a row"
    NOT_READY = "is not registered: it fails its self-check: {detail}"
    BACK_OFF = "was removed by others; comes back in {seconds:.0f} s"
    SELF_DOWN = "failed {failures} self-checks over {seconds:.1f} s: {detail}"
    SELF_DOWN_STAYS = "fails its self-check ({detail}), but {healthy} of {others} other members answer me: it stays"
    MOVED = "is no longer the address of this host, which is {own} now"
    STOP = "leaves, since the agent stops; {healthy} other members answer"
    STOP_STAYS = "stays although the agent stops: no other member answers (of {others})"

    # members that fail
    DOWN = "failed {failures} probes over {seconds:.1f} s: {detail}"
    LONG_DOWN = "failed for {seconds:.0f} s, more than {limit} intervals: {detail}"
    SELF_UNSURE = "fails ({detail}), but so does my own self-check: it stays"
    NOT_MEMBER = "fails ({detail}), but who is not in the record set judges nobody: it stays"
    ALONE = "fails ({detail}), as do all {failing} peers, so it may be me: it stays"
    FLOOR = "fails ({detail}), and so do {failing} of {members} members, of which {floor} are to stay: it stays"
    PACED = "fails ({detail}) as one of {failing}, so it may be the network: it stays until those who left could object"
    OBJECTION = "fails ({detail}), but {objectors} came back after being removed, so it may be me: it stays"
    ELSEWHERE = "fails ({detail}), but is not in my region: it stays until it failed for {limit} intervals"

    # removed members
    STILL_DOWN = "left the record set {seconds:.0f} s ago and still fails: {detail}"


@dataclass(frozen=True, slots=True)
class Reason:
    """A reason about one address, with the numbers that it rests on."""

    why: Why
    address: Address
    numbers: tuple[tuple[str, object], ...] = ()

    @classmethod
    def of(cls, why: Why, address: Address, **numbers: object) -> Reason:
        """A reason with its numbers by name; they must be those that the text of `why` asks for."""
        return cls(why, address, tuple(numbers.items()))

    @property
    def details(self) -> Mapping[str, object]:
        """The numbers by name."""
        return dict(self.numbers)

    def __str__(self) -> str:
        """One line: `10.0.0.7 failed 3 probes over 5.0 s: connection refused`."""
        return f"{self.address} {self.why.value.format(**self.details)}"
