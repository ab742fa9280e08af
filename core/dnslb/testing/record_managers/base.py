"""What a plugin author hands over, and the few helpers that all checks of record managers stand on."""

from __future__ import annotations

import contextlib
import random
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar, Protocol

import pytest

from dnslb.errors import Conflict, OutcomeUnknown, ProviderError, Throttled, Unavailable
from dnslb.hookspecs import RecordManagerType
from dnslb.interfaces import Capabilities, RecordManager
from dnslb.records import Change, Receipt, RecordSet, RecordType, Snapshot
from dnslb.testing.checks import within
from dnslb.testing.wire import Endpoint

MOST_TRIES = 1_000
"""How often a writer tries a commit until it counts as starved."""


class MakeRecordManager(Protocol):
    """Makes a new record manager on the same store, with connections of its own."""

    def __call__(self, via: Endpoint | None = None) -> RecordManager:
        """With `via`, one that talks to that address in place of the server."""


@dataclass(frozen=True)
class Store:
    """Where the record managers under test keep their records.

    Attributes:
        zone: a name that is served by the store; the names below it are the tests' own, and each test takes a new one.
        make: makes a manager. Where `via` is given the server may be silent: give that one a time limit of a second or
            two, to keep the checks short, and the others the plugin's own, since they meet a busy server.
        server: where the provider's TCP endpoint listens; None where nothing lies between (a local file), so that
            there is nothing to lose on the way.
    """

    zone: str
    make: MakeRecordManager
    server: Endpoint | None = None

    def new_name(self) -> str:
        """A name that no other test has used."""
        return f"t{secrets.token_hex(5)}.{self.zone}"


class RecordManagerChecks:
    """Settings, fixtures and helpers; the checks themselves are in the classes built on this one."""

    registration: ClassVar[RecordManagerType | None] = None
    """The plugin's registration; `capabilities` are then taken from it."""

    capabilities: ClassVar[Capabilities]
    """What the record manager says that it can do; the checks hold it to that."""

    ttl: ClassVar[int] = 300
    """The TTL in seconds that most checks write; `Capabilities.min_ttl` where that is more."""

    time_limit: ClassVar[float] = 15.0
    """Seconds within which an operation must end whatever the server does, silent ones included."""

    wait_limit: ClassVar[float] = 60.0
    """Seconds within which an applied commit must be served."""

    writers: ClassVar[int] = 8
    """How many managers write at once in the checks of concurrency."""

    commits: ClassVar[int] = 200
    """How many commits they make in total."""

    concurrency_limit: ClassVar[float] = 120.0
    """Seconds within which all of them must be through."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "capabilities" not in cls.__dict__ and cls.registration is not None:
            cls.capabilities = cls.registration.capabilities

    @pytest.fixture
    def store(self) -> Store:
        """Override this one: the store that the managers under test write to."""
        raise NotImplementedError(f"{type(self).__name__} needs a fixture `store` that returns a dnslb.testing.Store")

    @pytest.fixture
    def open_manager(self, store: Store) -> Iterator[MakeRecordManager]:
        """As `Store.make`; what it makes is closed after the test."""
        with contextlib.ExitStack() as opened:

            def make(via: Endpoint | None = None) -> RecordManager:
                manager = store.make() if via is None else store.make(via=via)
                opened.callback(_close_quietly, manager)
                return manager

            yield make

    @pytest.fixture
    def manager(self, open_manager: MakeRecordManager) -> RecordManager:
        """The manager under test."""
        return open_manager()

    @pytest.fixture
    def other(self, open_manager: MakeRecordManager) -> RecordManager:
        """A second manager on the same store, as another host would have it."""
        return open_manager()

    @pytest.fixture
    def name(self, store: Store) -> str:
        """A name without records."""
        return store.new_name()

    def writable_ttl(self) -> int:
        """A TTL that the provider keeps as given."""
        return max(self.ttl, self.capabilities.min_ttl)

    def write(self, manager: RecordManager, name: str, type: RecordType, values: Iterable[str]) -> Receipt:
        """Makes `values` the whole record set, from whatever it is now."""
        return self.replace(manager, manager.read(name, type), values)

    def replace(self, manager: RecordManager, before: Snapshot, values: Iterable[str]) -> Receipt:
        """Commits `values` in place of what was read."""
        return manager.commit([self.change(before, values)])

    def change(self, before: Snapshot, values: Iterable[str]) -> Change:
        """The change from what was read to `values`."""
        return Change(before, before.record_set.holding(values, ttl=self.writable_ttl()))

    def update(
        self, manager: RecordManager, name: str, type: RecordType, next_values: Callable[[RecordSet], Iterable[str]]
    ) -> None:
        """Reads and commits until no other writer comes between, as dnslb's publisher does."""
        for attempt in range(MOST_TRIES):
            try:
                before = manager.read(name, type)
                # A store in memory answers so fast that writers would take turns of themselves.
                time.sleep(random.uniform(0, 0.002))
                self.replace(manager, before, next_values(before.record_set))
            except (Conflict, Unavailable) as error:
                time.sleep(_pause(error, attempt))
            except OutcomeUnknown as error:
                pytest.fail(
                    f"a healthy server answered, and still the outcome was unknown ({error}): give managers that "
                    f"Store.make() makes without `via` a time limit that is long enough for {self.writers} writers"
                )
            else:
                return
        pytest.fail(f"{name} {type}: {MOST_TRIES} tries to commit, and none got through: no writer makes progress")

    def outcome(self, what: str, operation: Callable[[], object]) -> object:
        """What `operation` returned, or the ProviderError that it raised, within `time_limit`.

        Any other exception fails the test: nothing but ProviderError may leave a plugin.
        """
        try:
            return within(self.time_limit, what, operation)
        except ProviderError as error:
            return error
        except Exception as error:
            foreign = f"{type(error).__module__}.{type(error).__qualname__}"
            raise AssertionError(
                f"{what} raised {foreign} ({error}): only ProviderErrors may leave a plugin; an agent that meets "
                "another exception stops"
            ) from error


def values_of(manager: RecordManager, name: str, type: RecordType) -> tuple[str, ...]:
    """The values that the manager reads."""
    return manager.read(name, type).record_set.values


def _pause(error: ProviderError, attempt: int) -> float:
    """Seconds until the next try, at random so that writers do not march in step."""
    asked = error.retry_after or 0.0 if isinstance(error, Throttled) else 0.0
    return asked + random.uniform(0, min(0.2, 0.005 * 2 ** min(attempt, 10)))


def _close_quietly(manager: RecordManager) -> None:
    # One check is about close(); a failure here would only repeat itself behind all the others.
    with contextlib.suppress(Exception):
        manager.close()
