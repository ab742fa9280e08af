"""Why something was done, or was not: one type for the log, the status and the tests.

The table below can be read on its own: it is everything that dnslb may say about a member.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from dnslb.records import Address


class Why(enum.Enum):
    """The reasons, each with the text that its numbers are put into: `{failures:probe}` becomes `3 probes`."""

    # registered, withdrawn
    JOIN = "passed {passed:self-check} in a row"
    NOT_READY = "is not registered: it fails its self-check: {detail}"
    BACK_OFF = "was removed by others; comes back in {seconds:.0f} s"
    CUT_OFF_STAYS_OUT = "was removed, and no member and no witness answers: stays out, {seconds:.0f} s more at most"
    BLOCKED = "is not registered: {holder} blocks it, for {seconds:.0f} s unless renewed"
    SELF_DOWN = "failed {failures:self-check} over {seconds:.1f} s: {detail}"
    SELF_DOWN_STAYS = "fails its self-check ({detail}), and of {others:other member} {healthy} can be reached: it stays"
    MOVED = "is no longer the address of this host, which is {own} now"
    STOP = "leaves, since the agent stops; other members that answer: {healthy}"
    STOP_STAYS = "stays although the agent stops: of {others:other member} none answers"

    # members that fail
    DOWN = "failed {failures:probe} over {seconds:.1f} s: {detail}"
    LONG_DOWN = "failed for {seconds:.0f} s, more than {limit:interval}: {detail}"
    SELF_UNSURE = "fails ({detail}), but so does my own self-check: it stays"
    NOT_MEMBER = "fails ({detail}), but who is not in the record set judges nobody: it stays"
    CUT_OFF = "fails ({detail}), but no witness answers, so it may be me: it stays"
    ALONE = "fails ({detail}), as do all {failing} peers, so it may be me: it stays"
    FLOOR = "fails ({detail}); failing in all: {failing} of {members:member}, of which {floor} must stay: it stays"
    PACED = "fails ({detail}) as one of {failing}, so it may be the network: it stays until those who left could object"
    OBJECTION = "fails ({detail}), but {objectors} came back after being removed, so it may be me: it stays"
    ELSEWHERE = "fails ({detail}), but is not in my region: it stays until it failed for {limit:interval}"

    # the TTL
    CALM = "gives the record set its TTL of {ttl} s again: nobody has failed or left for {seconds:.0f} s"

    # removed members
    GONE = "left the record set {seconds:.0f} s ago and fails ({detail}): it has {wait:.0f} s to veto"
    ALIVE = "is an address of this host, which passed {passed:self-check} in a row: {by} is not to destroy it"
    STILL_DOWN = "still fails ({detail}), and nobody vetoed for {seconds:.0f} s"
    VETOED = "left the record set and fails ({detail}), but {by} vetoed: no other intent for {seconds:.0f} s"
    BUDGET = "fails ({detail}), but {spent:instance} of {budget} an hour have been destroyed: it has to wait"
    ILLEGIBLE = "fails ({detail}), but the destroy record has a line that cannot be read: nobody is destroyed"


WITHOUT_OTHERS: Mapping[Why, str] = {
    Why.SELF_DOWN_STAYS: "fails its self-check ({detail}), and there is no other member: it stays",
    Why.STOP_STAYS: "stays although the agent stops: there is no other member",
}
"""The text in place of the usual one where the number `others` is 0."""


class _Number(int):
    """A whole number that can be asked for together with what it counts: `{:probe}`."""

    def __format__(self, spec: str) -> str:
        if not spec[:1].isalpha():
            return super().__format__(spec)
        return f"{int(self)} {spec}" if self == 1 else f"{int(self)} {spec}s"


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
        details = self.details
        text = WITHOUT_OTHERS.get(self.why, self.why.value) if details.get("others") == 0 else self.why.value
        shown = {name: _Number(value) if isinstance(value, int) else value for name, value in details.items()}
        return f"{self.address} {text.format(**shown)}"
