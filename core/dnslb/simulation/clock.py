"""Virtual time: events in a heap, and coroutines that sleep in it.

An event loop of asyncio would do the same at several times the cost, and what runs here waits for nothing but time.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Coroutine, Generator
from dataclasses import dataclass
from typing import Any

DRIFT = 0.0005
"""By what part a clock may run fast or slow: as far as the Linux kernel lets NTP slew one (adjtimex(2): 500 ppm)."""

WRONG = 600.0
"""By how many seconds the time of day may be wrong, ahead or behind."""

SHORT, LONG = 1 - 3 * DRIFT, 1 + 3 * DRIFT
"""What a duration may be in true time that is right by the agents' clocks: one may be slow where the other is fast."""


class Pause:
    """Awaited, it lets so many seconds pass."""

    __slots__ = ("_seconds",)

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __await__(self) -> Generator[float, None, None]:
        yield self._seconds


class Task:
    """A coroutine that runs in virtual time."""

    __slots__ = ("_coroutine", "_due", "_missed", "ended", "is_stopped")

    def __init__(self, coroutine: Coroutine[Any, None, None]) -> None:
        self._coroutine = coroutine
        self._due = 0
        self._missed = False
        self.ended = self.is_stopped = False

    def cancel(self) -> None:
        """Ends it where it is, as a crash would."""
        self.ended = True
        self._coroutine.close()

    def _resume(self, clock: Clock) -> None:
        try:
            seconds = self._coroutine.send(None)
        except StopIteration:
            self.ended = True
        else:
            self._wake_at(clock, clock.now() + max(0.0, seconds))

    def _wake_at(self, clock: Clock, at: float) -> None:
        self._due += 1
        due = self._due

        def wake() -> None:
            if self.ended or due != self._due:
                return
            if self.is_stopped:
                self._missed = True
            else:
                self._resume(clock)

        clock.call_at(at, wake)

    def wake(self, clock: Clock) -> None:
        """Cuts the pause short in which it is."""
        if not self.ended:
            self._wake_at(clock, clock.now())

    def stop(self) -> None:
        """Nothing is done any more until it goes on, as after SIGSTOP."""
        self.is_stopped = True

    def go_on(self, clock: Clock) -> None:
        """As after SIGCONT: what was due in the meantime is done now."""
        self.is_stopped = False
        if self._missed:
            self._missed = False
            self.wake(clock)


class Clock:
    """The time, in seconds from 0, and all that is still to happen; what is due at one time happens in order."""

    def __init__(self) -> None:
        self._now = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()

    def now(self) -> float:
        """The virtual time."""
        return self._now

    def sleep(self, seconds: float) -> Pause:
        """To be awaited by a task of this clock."""
        return Pause(seconds)

    def call_at(self, at: float, function: Callable[[], None]) -> None:
        """Calls a function at a time, or at once where that has passed."""
        heapq.heappush(self._events, (max(at, self._now), next(self._order), function))

    def spawn(self, coroutine: Coroutine[Any, None, None]) -> Task:
        """Starts a coroutine, now."""
        task = Task(coroutine)
        task.wake(self)
        return task

    def run_until(self, end: float) -> None:
        """Lets everything happen that is due by `end`."""
        while self._events and self._events[0][0] <= end:
            self._now, _, function = heapq.heappop(self._events)
            function()
        self._now = max(self._now, end)


@dataclass(frozen=True, slots=True)
class HostClock:
    """The clocks of a host: `rate` times as fast as `true` time, and that of the wall is `offset` seconds ahead."""

    true: Clock
    rate: float = 1.0
    offset: float = 0.0

    def now(self) -> float:
        """What the monotonic clock says."""
        return self.true.now() * self.rate

    def wall(self) -> float:
        """What the time of day says."""
        return self.now() + self.offset

    def sleep(self, seconds: float) -> Pause:
        """So many seconds by these clocks."""
        return self.true.sleep(seconds / self.rate)
