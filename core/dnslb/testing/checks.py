"""What the kits share: how a check is skipped, and calls in threads, so that one that hangs fails its test."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Generic, NoReturn, TypeVar

import pytest

T = TypeVar("T")

NOT_APPLICABLE = "does not apply: "
"""How the reason of a skipped check begins that has nothing to check, as opposed to one that could not run here."""


def not_applicable(reason: str) -> NoReturn:
    """Skips the test, because what it checks does not exist for this plugin."""
    pytest.skip(NOT_APPLICABLE + reason)


class _Call(Generic[T]):
    """One call in a daemon thread, and what came of it."""

    def __init__(self, function: Callable[[], T]) -> None:
        self._function = function
        self._results: list[T] = []
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._results.append(self._function())
        except BaseException as error:  # noqa: BLE001 - raised again in the test's own thread
            self._error = error

    def ended(self, seconds: float) -> bool:
        """Waits at most `seconds`; says whether the call has ended."""
        self._thread.join(max(0.0, seconds))
        return not self._thread.is_alive()

    def result(self) -> T:
        """What the call returned; raises what it raised."""
        if self._error is not None:
            raise self._error
        return self._results[0]


def within(seconds: float, what: str, function: Callable[[], T]) -> T:
    """What `function` returns or raises; fails the test where it takes longer than `seconds`."""
    call = _Call(function)
    if not call.ended(seconds):
        pytest.fail(f"{what} did not end within {seconds:g} s: an agent's worker thread would hang in it")
    return call.result()


def together(seconds: float, what: str, functions: Sequence[Callable[[], T]]) -> list[T]:
    """Runs all functions at once; their results in order. Fails the test where they take longer than `seconds`."""
    deadline = time.monotonic() + seconds
    calls = [_Call(function) for function in functions]
    late = [call for call in calls if not call.ended(deadline - time.monotonic())]
    if late:
        pytest.fail(f"{what}: {len(late)} of {len(calls)} threads did not end within {seconds:g} s")
    return [call.result() for call in calls]
