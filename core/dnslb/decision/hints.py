"""What the zone's own name servers say of a record set, and how far it is believed.

A name server may be behind the provider's API, for a moment or for good, and nothing but the API can tell. So what it
says is a hint: it says whom to probe, and what to ask the API about; it never settles anything. An agent whom hints
have misled passes over them for a while, each further time for twice as long: that bounds what a name server which
is behind can cost in API requests.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from dnslb.records import Address

_MOST_DOUBLINGS = 16


@dataclass(frozen=True, slots=True)
class Hints:
    """What the name servers said, and what came of it. All times are seconds of the decision's clock.

    Attributes:
        last: the members as a name server said them last; None before the first hint.
        followed: the view is that of a hint, and the API has not been read since.
        misled: how many of the hints that were followed turned out to be wrong, less those that were right since.
        ignored_until: the API's view holds until then, whatever the name servers say.
        next_ask: when a name server is asked again.
        next_check: when the API is read again, though nothing asks for it.
    """

    last: frozenset[Address] | None = None
    followed: bool = False
    misled: int = 0
    ignored_until: float = -math.inf
    next_ask: float = -math.inf
    next_check: float = -math.inf

    def believed(self, now: float) -> bool:
        """Whether a hint that comes now is followed."""
        return now >= self.ignored_until

    def after_reading(
        self, members: frozenset[Address], view: frozenset[Address], now: float, interval: float, jitter: float
    ) -> Hints:
        """What is left of it once the API has shown `members`, or has taken them, where `view` was known."""
        misled = self.misled + (self.followed and members != view)
        behind = self.last is not None and self.last != members
        pause = min(interval * 2.0 ** min(misled + 1, _MOST_DOUBLINGS), longest_unread(interval)) if behind else 0.0
        return Hints(
            last=self.last,
            misled=misled,
            ignored_until=now + pause,
            next_ask=now + _about(interval, jitter),
            next_check=now + _about(longest_unread(interval), jitter),
        )

    def after_hint(
        self, members: frozenset[Address], view: frozenset[Address], now: float, interval: float, jitter: float
    ) -> Hints:
        """What is known after a name server said `members`, where `view` was known."""
        asked = replace(self, last=members, next_ask=now + _about(interval, jitter))
        if not self.believed(now):
            return asked
        if members == view:
            return replace(asked, misled=max(0, self.misled - 1))
        return replace(asked, followed=True)

    def after_silence(self, now: float, interval: float, jitter: float) -> Hints:
        """No name server gave an answer to go by: the API is read more often until one does."""
        soon = now + _about(max(4 * interval, 60.0), jitter)
        return replace(self, next_ask=now + _about(interval, jitter), next_check=min(self.next_check, soon))


def longest_unread(interval: float) -> float:
    """How many seconds pass on average between two readings of the API that nothing but caution asks for."""
    return max(30 * interval, 600.0)


def _about(seconds: float, jitter: float) -> float:
    """Within a quarter of `seconds`, so that agents which started together do not ask together."""
    return seconds * (0.75 + jitter / 2)
