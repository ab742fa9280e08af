"""The worst cases of a configuration, computed: the tests hold each of them against the simulator.

They are for one fault at a time, while the provider answers. Times are in seconds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from dnslb.decision import Policy
from dnslb.decision.hints import longest_unread
from dnslb.simulation.provider import ProviderModel

FASTEST_ROUND, SLOWEST_ROUND = 0.9, 1.1
"""Rounds of probes are so many times P apart, and readings of the record set up to 1.25 times T."""
SLOWEST_READING = 1.25
PROBES_A_ROUND = 2.5
"""Oneself, the successor, and every other time one more."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What `policy` promises at a provider that takes as long as `provider` for a reading and for a commit."""

    policy: Policy
    provider: ProviderModel = field(default_factory=ProviderModel)

    @property
    def commit(self) -> float:
        """From the wish to change the record set to the change: a reading, and the way of the commit there."""
        return self.provider.read_time + self.provider.write_time / 2

    @property
    def first_probe(self) -> float:
        """From the death of a member until it is probed; a reading may come before that."""
        return SLOWEST_ROUND * self.policy.probe_interval + self.provider.read_time

    @property
    def doubt(self) -> float:
        """From the first failed probe to the last one that it takes.

        An ordinary round that comes just before the last re-check puts that off by one re-check interval.
        """
        recheck = self.policy.recheck_interval
        return max((self.policy.fall - 1) * recheck, self.policy.blip + recheck)

    def removal(self, *, silent: bool) -> float:
        """From the death of a member until it is out of the record set; `silent` is a host that answers nothing.

        With rounds that are closer to each other than re-checks, an ordinary round may find the member down, which
        takes another reading and another round to confirm.
        """
        wait = self.policy.probe_timeout if silent else 0.0
        is_close = FASTEST_ROUND * self.policy.probe_interval < self.policy.recheck_interval
        confirmation = self.provider.read_time + wait if is_close else 0.0
        return self.first_probe + self.doubt + wait + confirmation + self.commit

    def exposure(self, propagation: float) -> float:
        """From the death of a host until nobody is sent to it: a resolver may have asked just before it left."""
        return self.removal(silent=True) + propagation + self.policy.ttl

    @property
    def registration(self) -> float:
        """From the start of an agent whose service works until it is in the record set."""
        between = min(self.policy.recheck_interval, SLOWEST_ROUND * self.policy.probe_interval)
        return (self.policy.rise - 1) * between + 2 * self.provider.read_time + self.commit

    @property
    def unread(self) -> float:
        """Between two readings by the API in quiet times, on average."""
        return longest_unread(self.policy.interval) if self.policy.hints else self.policy.interval

    @property
    def objection(self) -> float:
        """How long a member is out that was removed wrongly and sees why: others fail for it, too."""
        pause = self.policy.objection_pause(self.policy.disturbed_interval)
        return SLOWEST_READING * self.policy.interval + pause + self.commit

    @property
    def absence(self) -> float:
        """How long a member is out that was removed wrongly and sees nothing wrong, the first time."""
        return SLOWEST_READING * self.unread + self.policy.absence(1, 1.0) + self.commit

    @property
    def longest_absence(self) -> float:
        """The same, when it was removed again and again."""
        return SLOWEST_READING * self.unread + self.policy.longest_absence + self.commit

    @property
    def slow_removal(self) -> float:
        """From the death of a host that its region protects until it is removed all the same.

        Where the floor protects several, it is the first of them; the others follow at intervals.
        """
        confirmation = self.provider.read_time + self.policy.probe_timeout
        noticed = 2 * self.first_probe + self.policy.probe_timeout
        return noticed + self.policy.max_failures * self.policy.interval + confirmation + self.commit

    def floor(self, nodes: int) -> int:
        """How many of so many members stay, whatever fails at once."""
        return max(1, math.ceil(nodes / 2))

    @property
    def request_rate(self) -> float:
        """What one agent asks of the provider's API at rest, a second: a reading each T, unless it lives on hints."""
        return 1 / self.unread + self._intents_rate

    @property
    def most_request_rate(self) -> float:
        """The same while it sees a member fail."""
        return 1 / self.policy.disturbed_interval + self._intents_rate

    @property
    def _intents_rate(self) -> float:
        return 1 / self.policy.intents_interval if self.policy.destroys else 0.0

    def requests_an_hour(self, nodes: int) -> float:
        """What all agents together ask of the provider's API at rest."""
        return nodes * 3600 * self.request_rate

    def most_requests_an_hour(self, nodes: int) -> float:
        """The same while a member fails, and all see it."""
        return nodes * 3600 * self.most_request_rate

    def probes_a_second(self, nodes: int) -> float:
        """What all agents together send to each other, and themselves, at rest: in each round, and at each reading."""
        a_round = min(float(nodes), PROBES_A_ROUND)
        return nodes * a_round * (1 / self.policy.probe_interval + 1 / self.policy.interval)

    def most_nodes(self, rate: float) -> int:
        """How many agents fit at rest into so many requests a second."""
        return math.floor(rate / self.request_rate)

    def most_disturbed_nodes(self, rate: float) -> int:
        """The same while a member fails, and all see it."""
        return math.floor(rate / self.most_request_rate)
