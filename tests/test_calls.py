"""Synchronous plugin objects under asyncio: every call ends in time, and in an exception of ours or none."""

import asyncio
import subprocess
import sys
import threading
import time

import pytest

from dnslb import (
    Change,
    Conflict,
    Denied,
    OutcomeUnknown,
    Receipt,
    RecordSet,
    RecordType,
    Snapshot,
    Throttled,
    Unavailable,
)
from dnslb.calls import MAX_OUTSTANDING, AsyncRecordManager, Calls

LONG, SHORT = 30.0, 0.05

EMPTY = RecordSet("www.example.test", RecordType.A)
CHANGES = [Change(Snapshot(EMPTY), EMPTY.holding(["10.0.0.1"], 60))]


@pytest.fixture
def hanging():
    """A function that returns only once the test is over."""
    over = threading.Event()
    yield over.wait
    over.set()


def call(function, *arguments, timeout=LONG):
    return asyncio.run(Calls("the plugin").run(timeout, function, *arguments))


def failing(error):
    def fail(*_):
        raise error

    return fail


def test_a_call_runs_in_a_thread_of_its_own_and_hands_back_its_result():
    def work(first, second):
        return first + second, threading.current_thread()

    result, thread = call(work, 1, 2)
    assert result == 3
    assert thread is not threading.current_thread()
    assert thread.daemon


def test_the_event_loop_goes_on_meanwhile():
    async def main():
        calls, called = Calls("the plugin"), threading.Event()
        waiting = asyncio.create_task(calls.run(LONG, called.wait, LONG))
        await asyncio.sleep(0)
        called.set()
        return await waiting

    assert asyncio.run(main()) is True


def test_a_call_that_does_not_return_in_time_is_given_up(hanging):
    started = time.monotonic()
    with pytest.raises(Unavailable, match=r"the plugin gave no answer in 0\.05 s"):
        call(hanging, timeout=SHORT)
    assert time.monotonic() - started < LONG


@pytest.mark.parametrize("error", [Denied("no"), Conflict("no"), OutcomeUnknown("no"), Throttled("no", 7.0)])
def test_an_exception_of_ours_arrives_as_it_is(error):
    with pytest.raises(type(error)) as caught:
        call(failing(error))
    assert caught.value is error


@pytest.mark.parametrize(
    "error",
    [
        ValueError("one\ntwo"),
        KeyError("name"),
        OSError(5, "i/o error"),
        TimeoutError("the SDK's own"),
        StopIteration("nothing left"),
        asyncio.CancelledError("not ours"),
        SystemExit(3),
        KeyboardInterrupt(),
        RecursionError("deep"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_foreign_exception_becomes_unavailable_with_its_cause(error):
    with pytest.raises(Unavailable) as caught:
        call(failing(error))
    assert str(caught.value).startswith(f"the plugin failed with {type(error).__name__}")
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is error


def test_calls_that_never_came_back_are_bounded_and_a_place_is_free_again_once_one_does():
    release = threading.Event()

    async def main():
        calls = Calls("the plugin")
        for _ in range(MAX_OUTSTANDING):
            with pytest.raises(Unavailable, match="gave no answer"):
                await calls.run(SHORT, release.wait)
        with pytest.raises(Unavailable, match=f"the plugin has not returned from {MAX_OUTSTANDING} earlier calls"):
            await calls.run(LONG, time.monotonic)
        release.set()
        deadline = time.monotonic() + LONG
        while time.monotonic() < deadline:
            try:
                return await calls.run(LONG, lambda: "free again")
            except Unavailable:
                await asyncio.sleep(0.01)
        raise AssertionError("no place became free")

    assert asyncio.run(main()) == "free again"


def test_a_call_that_failed_leaves_its_place():
    async def main():
        calls = Calls("the plugin")
        for _ in range(3 * MAX_OUTSTANDING):
            with pytest.raises(Denied):
                await calls.run(LONG, failing(Denied("no")))

    asyncio.run(main())


def test_cancelling_the_wait_is_not_taken_for_an_error_of_the_call(hanging):
    async def main():
        task = asyncio.create_task(Calls("the plugin").run(LONG, hanging))
        await asyncio.sleep(SHORT)
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(main())


def test_a_hung_call_does_not_keep_the_process_from_exiting():
    script = """
import asyncio, threading
from dnslb import Unavailable
from dnslb.calls import Calls
try:
    asyncio.run(Calls("the plugin").run(0.05, threading.Event().wait))
except Unavailable as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "the plugin gave no answer in 0.05 s\n", "")


# -- record managers ---------------------------------------------------------------------------------------


class Manager:
    """Does in each method what it was told to."""

    def __init__(self, act=lambda *_: None):
        self.act = act
        self.called = []

    def _call(self, *call):
        self.called.append(call)
        return self.act()

    def read(self, name, type):
        return self._call("read", name, type)

    def commit(self, changes):
        return self._call("commit", changes)

    def wait(self, receipt, timeout):
        return self._call("wait", receipt, timeout)

    def close(self):
        return self._call("close")


def commit(act, timeout=LONG):
    return asyncio.run(AsyncRecordManager(Manager(act), timeout).commit(CHANGES))


def test_every_method_of_a_record_manager_is_called_with_its_arguments():
    async def main():
        manager = Manager(lambda: "result")
        records, receipt = AsyncRecordManager(manager), Receipt(7)
        results = [
            await records.read("www.example.test", RecordType.A),
            await records.commit(CHANGES),
            await records.wait(receipt, 0.1),
        ]
        await records.close()
        assert results == ["result"] * 3
        assert manager.called == [
            ("read", "www.example.test", RecordType.A),
            ("commit", CHANGES),
            ("wait", receipt, 0.1),
            ("close",),
        ]

    asyncio.run(main())


def test_a_reading_that_does_not_return_in_time_is_unavailable(hanging):
    with pytest.raises(Unavailable) as caught:
        asyncio.run(AsyncRecordManager(Manager(hanging), SHORT).read("www.example.test", RecordType.A))
    assert not isinstance(caught.value, OutcomeUnknown)


def test_waiting_until_it_is_served_may_take_the_time_that_was_asked_for(hanging):
    # The time limit of a call comes on top: with it alone, this would fail at once.
    with pytest.raises(Unavailable, match=r"gave no answer in 0\.1 s"):
        asyncio.run(AsyncRecordManager(Manager(hanging), SHORT).wait(Receipt(), SHORT))


def test_a_commit_that_does_not_return_in_time_has_an_unknown_outcome(hanging):
    with pytest.raises(OutcomeUnknown, match=r"the record manager gave no answer in 0\.05 s"):
        commit(hanging, SHORT)


@pytest.mark.parametrize("error", [KeyError("reply"), TimeoutError(), SystemExit(1)], ids=lambda e: type(e).__name__)
def test_a_commit_that_fails_in_a_way_of_its_own_has_an_unknown_outcome(error):
    # The exception may have come after the request was sent: nobody said that nothing was applied.
    with pytest.raises(OutcomeUnknown, match=f"the record manager failed with {type(error).__name__}"):
        commit(failing(error))


@pytest.mark.parametrize("error", [Unavailable("no"), Throttled("no", 1.0), Conflict("no"), Denied("no")])
def test_a_commit_of_which_the_record_manager_says_that_nothing_was_applied_is_believed(error):
    with pytest.raises(type(error)) as caught:
        commit(failing(error))
    assert caught.value is error


def test_a_commit_for_which_there_was_no_place_was_not_applied(hanging):
    async def main():
        manager = Manager(hanging)
        records = AsyncRecordManager(manager, SHORT)
        for _ in range(MAX_OUTSTANDING):
            with pytest.raises(OutcomeUnknown):
                await records.commit(CHANGES)
        with pytest.raises(Unavailable, match="has not returned from 8 earlier calls"):
            await records.commit(CHANGES)
        assert len(manager.called) == MAX_OUTSTANDING

    asyncio.run(main())
