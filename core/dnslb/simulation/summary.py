"""Several runs of one scenario as a few figures."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dnslb.simulation.outcome import Outcome


@dataclass(frozen=True, slots=True)
class Times:
    """Durations in seconds: how many, the median, and what 99 of 100 do not exceed; None where there were none."""

    count: int
    median: float | None
    p99: float | None

    @classmethod
    def of(cls, seconds: Iterable[float]) -> Times:
        """By the nearest rank, so that each figure is one that was seen, or lies between two that were."""
        ordered = sorted(seconds)
        if not ordered:
            return cls(0, None, None)
        return cls(len(ordered), statistics.median(ordered), ordered[math.ceil(0.99 * len(ordered)) - 1])

    def plus(self, seconds: float) -> Times:
        """The same, each so much longer."""
        if self.median is None or self.p99 is None:
            return self
        return Times(self.count, self.median + seconds, self.p99 + seconds)


@dataclass(frozen=True, slots=True)
class Summary:
    """What several runs came to. Counts are means a run; `smallest` and `longest_absence` are the worst of all runs.

    Attributes:
        removal: from the death of a member until it is out of the record set.
        missed: members that died and were still in when they came back, or when time was up.
        exposure: until clients no longer use it: removal, propagation and TTL.
        dead_answers: the part of all answers that named a dead server, from 0 to 1.
        false_removals: members that were taken out by others although they served.
        longest_absence: how long one of these was out; 0 where there was none.
        smallest: the smallest record set; None where nobody was in it to begin with.
        settled: from the last change of what is true until the record set said so for good.
        unsettled: runs that did not get there.
        requests_an_hour, busiest_minute: what the provider saw, of all agents together.
        throttled, writes, destroyed, healthy_destroyed: requests that were refused, commits, and instances.
    """

    runs: int
    removal: Times
    missed: float
    exposure: Times
    dead_answers: float
    false_removals: float
    longest_absence: float
    smallest: int | None
    settled: Times
    unsettled: int
    requests_an_hour: float
    busiest_minute: int
    throttled: float
    writes: float
    destroyed: float
    healthy_destroyed: float


def summary(outcomes: Sequence[Outcome], ttl: float, propagation: float) -> Summary:
    """The figures of one scenario, of one run at least."""
    tallies = [outcome.tally for outcome in outcomes]
    removal = Times.of(seconds for tally in tallies for seconds in tally.removals)
    settled = [outcome.settled_after for outcome in outcomes]
    mean = statistics.fmean
    return Summary(
        runs=len(outcomes),
        removal=removal,
        missed=mean(tally.missed for tally in tallies),
        exposure=removal.plus(propagation + ttl),
        dead_answers=mean(outcome.dead_answers for outcome in outcomes),
        false_removals=mean(tally.false_removals for tally in tallies),
        longest_absence=max((seconds for tally in tallies for seconds in tally.absences), default=0.0),
        smallest=min((outcome.tally.smallest for outcome in outcomes if outcome.first_members), default=None),
        settled=Times.of(seconds for seconds in settled if seconds is not None),
        unsettled=settled.count(None),
        requests_an_hour=mean(outcome.requests_an_hour for outcome in outcomes),
        busiest_minute=max(outcome.busiest_minute for outcome in outcomes),
        throttled=mean(outcome.throttled for outcome in outcomes),
        writes=mean(len(outcome.writes) for outcome in outcomes),
        destroyed=mean(outcome.destroyed for outcome in outcomes),
        healthy_destroyed=mean(outcome.healthy_destroyed for outcome in outcomes),
    )
