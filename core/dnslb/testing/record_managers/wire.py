"""Checks of record managers: silent servers, servers that are down, lost requests and lost replies.

A commit may take more than one exchange with the server (a TLS handshake, a read of the provider's own before
the write). Which of them is the write is found by losing the first, and with a new manager the second, and so on,
until one is lost and the value is there all the same.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import pytest

from dnslb.errors import OutcomeUnknown, ProviderError, Refused, Unavailable
from dnslb.records import RecordType, Snapshot
from dnslb.testing.checks import not_applicable
from dnslb.testing.record_managers.base import (
    MakeRecordManager,
    RecordManagerChecks,
    Store,
    values_of,
)
from dnslb.testing.wire import Counters, CuttingProxy, Endpoint, Mode

ONE, TWO = "192.0.2.11", "192.0.2.12"

MOST_EXCHANGES = 8
"""How many exchanges with the server a commit may take, with the handshake and the provider's own reads."""

ROUNDS = 3


@dataclass(frozen=True, slots=True)
class _LostReply:
    """A commit that was applied and whose reply was lost: what it raised or returned, and how often it was sent."""

    outcome: object
    sent: int


class WireChecks(RecordManagerChecks):
    """What a manager makes of a server or a network that fails."""

    @pytest.fixture
    def proxy(self, store: Store) -> Iterator[CuttingProxy]:
        """Stands before the server."""
        with CuttingProxy(_server_of(store)) as proxy:
            yield proxy

    def test_reading_from_a_silent_server_is_unavailable_in_time(
        self, open_manager: MakeRecordManager, proxy: CuttingProxy, name: str
    ) -> None:
        """A server that accepts and never answers must not hold an agent up."""
        manager = open_manager(via=proxy.address)
        proxy.switch(Mode.STALL)
        self._assert_unavailable("read() from a silent server", lambda: manager.read(name, RecordType.A))

    def test_committing_to_a_silent_server_ends_in_time(
        self, open_manager: MakeRecordManager, proxy: CuttingProxy, name: str
    ) -> None:
        """With OutcomeUnknown, or with Unavailable where the request was not sent yet."""
        manager = open_manager(via=proxy.address)
        before = manager.read(name, RecordType.A)
        proxy.switch(Mode.STALL)
        outcome = self.outcome("commit() to a silent server", lambda: self.replace(manager, before, [ONE]))
        _assert_not_reported_as_applied(outcome)
        assert values_of(open_manager(), name, RecordType.A) == ()

    def test_waiting_on_a_silent_server_ends_in_time(
        self, open_manager: MakeRecordManager, proxy: CuttingProxy, name: str
    ) -> None:
        """Whatever `wait` says, it says it."""
        manager = open_manager(via=proxy.address)
        receipt = self.write(manager, name, RecordType.A, [ONE])
        proxy.switch(Mode.STALL)
        outcome = self.outcome("wait() on a silent server", lambda: manager.wait(receipt, 1.0))
        assert isinstance(outcome, bool | Unavailable | Refused), f"wait() must not end with {outcome!r}"

    def test_reading_from_a_server_that_is_down_is_unavailable(
        self, open_manager: MakeRecordManager, store: Store, name: str
    ) -> None:
        """Nobody listens on the port. Never an empty set: that would look as if all hosts had left."""
        _server_of(store)
        with socket.socket() as bound:
            bound.bind(("127.0.0.1", 0))
            address: Endpoint = bound.getsockname()
            self._assert_unavailable(
                "read() from a server that is down", lambda: open_manager(via=address).read(name, RecordType.A)
            )

    def test_committing_to_a_server_that_is_down_is_unavailable(
        self, open_manager: MakeRecordManager, proxy: CuttingProxy, name: str
    ) -> None:
        """Nothing was sent, so nothing is unknown; only who kept a connection open may have sent something."""
        manager = open_manager(via=proxy.address)
        before = manager.read(name, RecordType.A)
        kept_open = _keeps_a_connection_open(proxy)
        proxy.close()
        outcome = self.outcome("commit() to a server that is down", lambda: self.replace(manager, before, [ONE]))
        assert isinstance(outcome, (Unavailable, OutcomeUnknown) if kept_open else Unavailable), (
            f"commit() to a server that is down must raise Unavailable, not {outcome!r}"
        )

    def test_a_read_whose_reply_is_cut_off_is_unavailable(
        self, open_manager: MakeRecordManager, proxy: CuttingProxy, name: str
    ) -> None:
        """Never an empty set, and not OutcomeUnknown: a read can always be repeated."""
        self.write(open_manager(), name, RecordType.A, [ONE])
        manager = open_manager(via=proxy.address)
        proxy.switch(Mode.CUT_REPLY)
        self._assert_unavailable("read() without a reply", lambda: manager.read(name, RecordType.A))

    def test_a_commit_that_never_arrived_is_not_reported_as_applied(
        self, open_manager: MakeRecordManager, proxy: CuttingProxy, name: str
    ) -> None:
        """The connection breaks before the server has seen the request."""
        manager = open_manager(via=proxy.address)
        before = manager.read(name, RecordType.A)
        proxy.switch(Mode.CUT_REQUEST)
        outcome = self.outcome("commit() that never arrived", lambda: self.replace(manager, before, [ONE]))
        _assert_not_reported_as_applied(outcome)
        assert values_of(open_manager(), name, RecordType.A) == ()

    def test_a_commit_whose_reply_is_cut_off_has_an_unknown_outcome(
        self, open_manager: MakeRecordManager, proxy: CuttingProxy, store: Store
    ) -> None:
        """It was applied, and the manager cannot know."""
        _assert_unknown(self._lose_the_reply(open_manager, proxy, store, Mode.CUT_REPLY).outcome)

    def test_a_commit_whose_reply_never_comes_has_an_unknown_outcome(
        self, open_manager: MakeRecordManager, proxy: CuttingProxy, store: Store
    ) -> None:
        """As before, but the connection stays open, so that it ends with the manager's time limit."""
        _assert_unknown(self._lose_the_reply(open_manager, proxy, store, Mode.HOLD_REPLY).outcome)

    @pytest.mark.parametrize("how", [Mode.CUT_REPLY, Mode.HOLD_REPLY], ids=["cut off", "never comes"])
    def test_a_commit_whose_reply_is_lost_is_sent_once(
        self, open_manager: MakeRecordManager, proxy: CuttingProxy, store: Store, how: Mode
    ) -> None:
        """A second try finds the first one's values and looks like a conflict: retries of commits must be off."""
        sent = self._lose_the_reply(open_manager, proxy, store, how).sent
        assert sent == 1, (
            f"the commit was sent {sent} times: after a lost reply nothing more may be sent (is a retry of the SDK on?)"
        )

    def test_a_manager_works_again_once_the_server_does(
        self, open_manager: MakeRecordManager, proxy: CuttingProxy, name: str
    ) -> None:
        """A broken connection does not stay with the manager for good; the agent asks again, so may this check."""
        manager = open_manager(via=proxy.address)
        before = manager.read(name, RecordType.A)
        proxy.switch(Mode.CUT_REPLY)
        self.outcome("commit() whose reply is cut off", lambda: self.replace(manager, before, [ONE]))
        proxy.switch(Mode.PASS)
        outcomes = []
        for _ in range(3):
            outcomes.append(self.outcome("read() after a lost reply", lambda: manager.read(name, RecordType.A)))
            if isinstance(outcomes[-1], Snapshot):
                return
        pytest.fail(f"the server is back and the manager still cannot read: {outcomes}")

    def _assert_unavailable(self, what: str, read: Callable[[], object]) -> None:
        outcome = self.outcome(what, read)
        if isinstance(outcome, Snapshot):
            values = outcome.record_set.values
            pytest.fail(f"{what} returned {values}: without an answer there is nothing that it could know")
        assert isinstance(outcome, Unavailable), f"{what} must raise Unavailable, not {outcome!r}"

    def _lose_the_reply(
        self, open_manager: MakeRecordManager, proxy: CuttingProxy, store: Store, how: Mode
    ) -> _LostReply:
        """Commits until a reply was lost to a commit that has been applied; checks the others on the way."""
        reader = open_manager()
        # More than one round, since the turns of a TLS handshake are not always the same number.
        for exchange in [*range(MOST_EXCHANGES)] * ROUNDS:
            name = store.new_name()
            proxy.switch(Mode.PASS)
            manager = open_manager(via=proxy.address)
            before = manager.read(name, RecordType.A)
            start = proxy.counters
            proxy.switch(how, after=exchange)
            outcome = self.outcome("commit() whose reply is lost", partial(self.replace, manager, before, [ONE]))
            sent = proxy.counters.requests - start.requests - exchange
            if sent <= 0:
                continue
            self._wait_for_a_loss(proxy, start)
            if values_of(reader, name, RecordType.A) == (ONE,):
                return _LostReply(outcome, sent)
            _assert_not_reported_as_applied(outcome)
        pytest.fail(
            f"no commit through {proxy.address} was ever applied while its reply was lost: "
            "does Store.make(via=...) really make a manager that talks to that address?"
        )

    def _wait_for_a_loss(self, proxy: CuttingProxy, start: Counters) -> None:
        deadline = time.monotonic() + self.time_limit
        while proxy.counters.lost == start.lost:
            if time.monotonic() > deadline:
                pytest.fail(f"the server did not answer a commit within {self.time_limit:g} s; nothing to check")
            time.sleep(0.01)


def _server_of(store: Store) -> Endpoint:
    if store.server is None:
        not_applicable("nothing lies between the manager and its store (Store.server is None)")
    return store.server


def _keeps_a_connection_open(proxy: CuttingProxy) -> bool:
    """Whether one stays; the proxy takes a moment to notice that it was closed."""
    deadline = time.monotonic() + 0.5
    while proxy.open_connections and time.monotonic() < deadline:
        time.sleep(0.01)
    return proxy.open_connections > 0


def _assert_unknown(outcome: object) -> None:
    assert isinstance(outcome, OutcomeUnknown), (
        f"the commit was applied and its reply was lost, and it ended with {outcome!r}: it must raise OutcomeUnknown, "
        "so that dnslb reads again and compares"
    )


def _assert_not_reported_as_applied(outcome: object) -> None:
    assert isinstance(outcome, ProviderError), f"nothing was applied, and commit() returned {outcome!r}"
    assert isinstance(outcome, OutcomeUnknown | Unavailable), (
        f"no answer came to the commit, and it raised {outcome!r}: it must raise OutcomeUnknown, or Unavailable where "
        "it is sure that nothing was sent"
    )
