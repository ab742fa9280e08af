"""What a configuration asks of the decision, and the times that follow from it. All times are in seconds."""

from __future__ import annotations

from dataclasses import dataclass

from dnslb.decision.hints import longest_unread
from dnslb.records import Network

MOST_EVICTIONS = 4
"""The pause before coming back grows to 2^4 intervals and no further."""

MOST_OBJECTIONS = 3
"""Who was removed more often than that in a row gives in, whatever it sees."""

WAVES = (1, 8, 64, 512)
"""How many members may be removed at once: at first, and each time that nobody objected to those before."""

MOST_RETURNS = 4
"""Who fails, and comes back each time that it is removed for that, is left alone for up to 2^4 times as long."""

SETTLING = 5.0
"""Seconds that probes and commits take, beside the readings, until all have seen what happened."""

MOST_ATTEMPTS = 3
"""How many probes at once who is in doubt gets: packets get lost."""

LONGEST_PAUSE = 240.0
"""Seconds that a member waits at most for a provider which asks for fewer requests, if that does not ask for more."""

LONGEST_WAIT = 45.0
"""The same for who waits to be registered: the last of a crowd should not sleep while the provider has time again."""

LEAVING_PAUSE = 5.0
"""Seconds that an agent which leaves waits at most after a write that failed."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What a configuration asks for.

    Attributes:
        interval: T, between two readings of the record set.
        probe_interval: P, between two probes of a member that is well.
        ttl: what a record set is written with.
        low_ttl: what it is written with from a removal until nobody has failed for a while; None for `ttl`.
        rise: passed self-checks in a row before the own address is registered.
        fall: failed probes in a row before an address counts as down.
        max_failures: failed intervals after which a member is removed whatever else holds.
        networks: the members that may be probed and removed; empty for those like the own address.
        regional: whether only members of the own region are removed at once.
        destroys: whether instances that were removed are destroyed.
        hints: whether the zone's own name servers are asked in place of the API as long as nothing is to be done.
        witnesses: whether hosts outside of the cluster are asked before others are judged: it may be oneself.
    """

    interval: float
    probe_interval: float
    ttl: int
    rise: int = 2
    fall: int = 3
    max_failures: int = 60
    networks: tuple[Network, ...] = ()
    regional: bool = False
    destroys: bool = False
    hints: bool = False
    witnesses: bool = False
    low_ttl: int | None = None

    @property
    def recheck_interval(self) -> float:
        """Between a failed probe and the next: sooner than P, since a doubt should be settled."""
        return min(self.interval / 4, 2.0)

    @property
    def probe_timeout(self) -> float:
        """How long a target may take to answer: a quarter of the interval as in the reference, at most 1.5 s.

        A host that is off answers nothing, and several of these have to pass before it is judged. The kernel repeats
        a SYN after a second (RFC 6298), so one lost packet is no failure.
        """
        return min(self.interval / 4, 1.5)

    @property
    def blip(self) -> float:
        """How long an address must have failed, however many probes that were: shorter pauses remove nobody."""
        return 5.0

    @property
    def evidence_age(self) -> float:
        """How old a probe may be that a removal rests on."""
        return self.recheck_interval + self.probe_timeout

    def longest_round(self, targets: int) -> float:
        """How long a round of probes may take, where one comes after the other. Longer, and the agent was stopped."""
        return self.probe_timeout * (MOST_ATTEMPTS * targets + 1)

    @property
    def disturbed_interval(self) -> float:
        """Between two readings while a member fails: who was wrongly removed must notice soon, to say so."""
        return self.interval / 4

    @property
    def disturbance(self) -> float:
        """For how long a failure counts as new: after that, an agent reads as rarely again as at rest."""
        return 7.5 * self.interval

    def objection_pause(self, reading: float) -> float:
        """How long whoever objects stays away all the same, so that everybody sees it leave and come back.

        `reading` is the time between two readings, here and below: all who see the same members fail read as often.
        """
        return 1.4 * reading

    def objection_time(self, reading: float) -> float:
        """How long whoever was removed has to come back, before more are removed."""
        return 3.2 * reading + SETTLING

    def objection_memory(self, reading: float) -> float:
        """A member that comes back within this time objects to its removal.

        In a new disturbance, who obeys stays away for longer.
        """
        return 6.0 * reading + SETTLING

    def absence(self, evictions: int, jitter: float) -> float:
        """How long whoever obeys stays away, having been removed so many times in a row."""
        return self.interval * 2.0**evictions * (1 + jitter / 4) + SETTLING

    @property
    def hold(self) -> float:
        """How long an agent judges nobody, after somebody objected; doubled each time."""
        return 32 * self.interval

    @property
    def longest_failure(self) -> float:
        """How long a failure lasts until it no longer matters whose fault it may be."""
        return self.max_failures * self.interval

    @property
    def calm(self) -> float:
        """How long nobody has failed or left when the first agent raises a TTL that was lowered."""
        return 5 * self.interval

    @property
    def memory(self) -> float:
        """How long a size of the record set counts as recent."""
        return 30 * self.interval

    @property
    def longest_absence(self) -> float:
        """The longest pause before an agent whose address others removed puts it back."""
        return self.absence(MOST_EVICTIONS, 1.0)

    @property
    def destroy_delay(self) -> float:
        """From an intent to destruction, at least: whoever lives has read of it by then, and clients have left."""
        return max(1.25 * self.intents_interval + 4.75 * self.interval, 2.0 * self.ttl)

    @property
    def destroy_within(self) -> float:
        """How long after the look that it rests on the destroyer may be asked.

        A process may stand still between its last commit and the call, and whoever comes back meanwhile lives.
        """
        return self.destroy_delay / 2

    @property
    def intents_interval(self) -> float:
        """Between two readings of the destroy record: as rarely, with hints, as the record set itself."""
        return longest_unread(self.interval) if self.hints else self.interval
