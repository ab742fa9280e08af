"""A DNS provider in virtual time: what it holds, how long it takes, and how it fails."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from dnslb.errors import Conflict, OutcomeUnknown, ProviderError, Throttled, Unavailable
from dnslb.records import Address, Change, Receipt, RecordSet, RecordType, Snapshot
from dnslb.simulation.clock import Clock

NAME = "www.example.test"


@dataclass(frozen=True, slots=True)
class ProviderModel:
    """How a provider behaves. Times are in seconds.

    Attributes:
        read_time, write_time: how long a call takes; it has its effect in the middle of that.
        rate: requests a second that the whole account may send; None where there is no limit.
        burst: how many of them at once.
        reply_loss: the part of the commits whose reply is lost after they were applied.
        staleness: how old at most what a read answers is; 0 for linearizable reads.
        busy: for how long after a change the next one is refused (`PriorRequestNotComplete`).
        propagation: how long a change takes until the zone's name servers show it.
    """

    read_time: float = 0.1
    write_time: float = 0.25
    rate: float | None = None
    burst: int = 5
    reply_loss: float = 0.0
    staleness: float = 0.0
    busy: float = 0.0
    propagation: float = 0.0


@dataclass(frozen=True, slots=True)
class Written:
    """One commit that was applied: when, by whom, and the members before and after."""

    at: float
    by: Address
    before: frozenset[Address]
    after: frozenset[Address]


class Provider:
    """One record set of addresses, and whatever else is stored beside it."""

    def __init__(self, clock: Clock, chance: random.Random, model: ProviderModel) -> None:
        self.model = model
        self.is_down = False
        self.throttles = False
        self.history: list[Written] = []
        self.requests = 0
        self.throttled = 0
        self.conflicts = 0
        self.on_write: Callable[[Written], None] = lambda _: None
        self.on_commit: Callable[[Address], None] = lambda _by: None
        self.on_text: Callable[[Address, RecordSet, RecordSet], None] = lambda _by, _before, _after: None
        self.on_read: Callable[[Address, RecordSet], None] = lambda _by, _answer: None
        self.on_trouble: Callable[[Address, ProviderError], None] = lambda _by, _error: None
        self._clock = clock
        self._chance = chance
        self._now_holds: dict[tuple[str, RecordType], RecordSet] = {}
        self._past: list[tuple[float, RecordSet]] = []
        self._tokens = float(model.burst)
        self._filled_at = 0.0
        self._changed_at = float("-inf")

    @property
    def members(self) -> frozenset[Address]:
        """Who is in the record set now."""
        return self.held(NAME, RecordType.A).addresses

    def held(self, name: str, type_: RecordType) -> RecordSet:
        """What it holds now."""
        return self._now_holds.get((name, type_)) or RecordSet(name, type_)

    def put(self, record_set: RecordSet, by: Address) -> None:
        """Writes without comparing: what an operator does, or the reference."""
        before = self.held(record_set.name, record_set.type)
        self._now_holds[record_set.name, record_set.type] = record_set
        self._changed_at = self._clock.now()
        if record_set.type is not RecordType.TXT:
            self._past.append((self._clock.now(), before))
            written = Written(self._clock.now(), by, before.addresses, record_set.addresses)
            self.history.append(written)
            self.on_write(written)
        else:
            self.on_text(by, before, record_set)

    def for_agent(self, own: Address) -> Account:
        """What one agent reads and writes through."""
        return Account(self, own)

    # -- calls ------------------------------------------------------------------------------------------------

    async def read(self, name: str, type_: RecordType) -> Snapshot:
        """As `RecordManager.read`."""
        await self._arrive(self.model.read_time)
        answer = self._as_read(name, type_)
        await self._clock.sleep(self.model.read_time / 2)
        return Snapshot(answer, version=answer)

    async def shown(self, type_: RecordType) -> RecordSet:
        """What a name server of the zone says, whom nobody counts: the record set as it was a while ago."""
        await self._clock.sleep(self.model.read_time)
        return self._as_of(self._clock.now() - self.model.propagation, NAME, type_)

    async def write(self, record_set: RecordSet, by: Address, *, expected: Snapshot | None) -> None:
        """Replaces a record set, by compare-and-swap where something is expected."""
        await self._arrive(self.model.write_time)
        if self._clock.now() - self._changed_at < self.model.busy:
            await self._clock.sleep(self.model.write_time / 2)
            raise Throttled("PriorRequestNotComplete")
        if expected is not None and expected.version != self.held(record_set.name, record_set.type):
            self.conflicts += 1
            await self._clock.sleep(self.model.write_time / 2)
            raise Conflict("the record set is not what it was")
        self.put(record_set, by)
        await self._clock.sleep(self.model.write_time / 2)
        if self._chance.random() < self.model.reply_loss:
            raise OutcomeUnknown("the reply was lost")

    async def _arrive(self, duration: float) -> None:
        """The way there, and whether the provider takes the request at all."""
        self.requests += 1
        await self._clock.sleep(duration / 2)
        if self.is_down:
            await self._clock.sleep(duration / 2)
            raise Unavailable("no answer")
        if self.throttles or not self._has_token():
            self.throttled += 1
            await self._clock.sleep(duration / 2)
            raise Throttled("too many requests")

    def _has_token(self) -> bool:
        if self.model.rate is None:
            return True
        now = self._clock.now()
        self._tokens = min(self.model.burst, self._tokens + (now - self._filled_at) * self.model.rate)
        self._filled_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def _as_read(self, name: str, type_: RecordType) -> RecordSet:
        if self.model.staleness and type_ is not RecordType.TXT:
            return self._as_of(self._clock.now() - self._chance.uniform(0, self.model.staleness), name, type_)
        return self.held(name, type_)

    def _as_of(self, seen_at: float, name: str, type_: RecordType) -> RecordSet:
        for changed_at, before in self._past[-50:]:
            if changed_at > seen_at:
                return before
        return self.held(name, type_)


class Account:
    """The provider as one agent sees it: what `dnslb.keeper` reads and writes through."""

    def __init__(self, provider: Provider, own: Address) -> None:
        self._provider = provider
        self._own = own

    async def read(self, name: str, type_: RecordType) -> Snapshot:
        """As `RecordManager.read`."""
        with self._telling():
            snapshot = await self._provider.read(name, type_)
        self._provider.on_read(self._own, snapshot.record_set)
        return snapshot

    async def commit(self, changes: Sequence[Change]) -> Receipt:
        """As `RecordManager.commit`, for one record set."""
        [change] = changes
        self._provider.on_commit(self._own)
        with self._telling():
            await self._provider.write(change.after, self._own, expected=change.before)
        return Receipt()

    async def upsert(self, record_set: RecordSet) -> None:
        """Overwrites what is there, as the reference does."""
        await self._provider.write(record_set, self._own, expected=None)

    async def wait(self, receipt: Receipt, timeout: float) -> bool:  # noqa: ARG002 - served as soon as it is written
        """As `RecordManager.wait`."""
        return True

    @contextlib.contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except ProviderError as error:
            self._provider.on_trouble(self._own, error)
            raise
