"""Synchronous plugin objects, called from asyncio: each call in a thread of its own, under a time limit.

A call that does not return in time is given up, not ended: Python cannot end a thread. The thread is a daemon, so
that it never keeps the process from exiting, and only a bounded number of such calls may be outstanding.
"""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

from dnslb.errors import OutcomeUnknown, ProviderError, Unavailable
from dnslb.interfaces import ReadsTogether, RecordManager
from dnslb.records import Change, Receipt, RecordType, Snapshot
from dnslb.text import one_line

T = TypeVar("T")

MAX_OUTSTANDING = 8


class _NotCalled(Unavailable):
    """The function was not even called."""


class Calls:
    """Runs synchronous functions; one instance for each plugin object."""

    def __init__(self, owner: str) -> None:
        """`owner` is what an error calls the object: "the record manager"."""
        self._owner = owner
        self._free = threading.Semaphore(MAX_OUTSTANDING)

    async def run(self, timeout: float, function: Callable[..., T], *arguments: Any) -> T:
        """The result of the call, within `timeout` seconds.

        Raises:
            Unavailable: no answer in time, or too many earlier calls never came back.
            ProviderError: whatever the call raises; an exception of another kind becomes Unavailable too, since
                a plugin's mistake must not end the agent.
        """
        if not self._free.acquire(blocking=False):
            raise _NotCalled(f"{self._owner} has not returned from {MAX_OUTSTANDING} earlier calls")
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()  # from here on, giving up the wait does not cancel it

        def work() -> None:
            try:
                future.set_result(function(*arguments))
            except BaseException as error:  # noqa: BLE001 - handed to the awaiting side, whatever it is
                # Mapped here, since asyncio takes some for its own: TimeoutError, StopIteration, SystemExit.
                future.set_exception(self._mapped(error))
            finally:
                self._free.release()

        try:
            threading.Thread(target=work, name=f"dnslb: {self._owner}", daemon=True).start()
        except RuntimeError as error:
            self._free.release()
            raise _NotCalled(f"{self._owner} cannot be called: {one_line(error)}") from error
        try:
            async with asyncio.timeout(timeout):
                return await asyncio.wrap_future(future)
        except TimeoutError:
            raise Unavailable(f"{self._owner} gave no answer in {timeout:g} s") from None

    def bound(self, timeout: float, function: Callable[..., T]) -> Callable[..., Awaitable[T]]:
        """`function`, to be awaited, each call as by `run`."""
        return functools.partial(self.run, timeout, function)

    def _mapped(self, error: BaseException) -> ProviderError:
        if isinstance(error, ProviderError):
            return error
        mapped = Unavailable(f"{self._owner} failed with {type(error).__name__}: {one_line(error)}")
        mapped.__cause__ = error
        return mapped


class AsyncRecordManager:
    """A record manager for asyncio, with a time limit on every call."""

    def __init__(self, manager: RecordManager, timeout: float = 30.0) -> None:
        """`timeout` in seconds: longer than the provider's own limits, which explain themselves better."""
        self._manager = manager
        self._timeout = timeout
        self._calls = Calls("the record manager")

    async def read(self, name: str, type_: RecordType) -> Snapshot:
        """As `RecordManager.read`."""
        return await self._calls.run(self._timeout, self._manager.read, name, type_)

    async def read_together(self, keys: Sequence[tuple[str, RecordType]]) -> Sequence[Snapshot]:
        """The record sets at these names, in one request where the provider can; raises as `RecordManager.read`."""
        if len(keys) > 1 and isinstance(self._manager, ReadsTogether):
            return await self._calls.run(self._timeout, self._manager.read_together, keys)
        return [await self.read(name, type_) for name, type_ in keys]

    async def commit(self, changes: Sequence[Change]) -> Receipt:
        """As `RecordManager.commit`.

        Only the record manager itself can say that nothing was applied. A call that does not return in time, or fails
        with an exception of another kind, may have been, or may still be.
        """
        not_applied = False

        def commit() -> Receipt:
            nonlocal not_applied
            try:
                return self._manager.commit(changes)
            except ProviderError as error:
                not_applied = not isinstance(error, OutcomeUnknown)
                raise

        try:
            return await self._calls.run(self._timeout, commit)
        except _NotCalled:
            raise
        except Unavailable as error:
            if not_applied:
                raise
            raise OutcomeUnknown(str(error)) from error

    async def wait(self, receipt: Receipt, timeout: float) -> bool:
        """As `RecordManager.wait`."""
        return await self._calls.run(timeout + self._timeout, self._manager.wait, receipt, timeout)

    async def close(self) -> None:
        """As `RecordManager.close`."""
        await self._calls.run(self._timeout, self._manager.close)
