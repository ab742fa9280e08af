"""Holds the lease of a service: acquires, renews and releases its block record by compare-and-swap.

What the record says, who may change it and until when a holder may act is decided in `dnslb.decision.leases`; here is
the I/O around it. What became of a lost reply shows when the record is read again, since no two writes of a holder are
the same text.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable

from dnslb.decision.blockrecord import BlockRecord, Illegible, block_name, parse
from dnslb.decision.leases import Claim, LeaseView, Refusal, acquire, act_until, release, renew, watched
from dnslb.errors import DnslbError, ProviderError, Unavailable
from dnslb.log import say
from dnslb.publisher import Publication, Publisher, RecordSets, Revise, Snapshots
from dnslb.records import RecordSet, RecordType, Snapshot

RENEWALS = 6
"""In one duration: three fit into the half in which a holder may act, so two may fail."""

POLL = 10.0
"""How often, in seconds, a lease that somebody else holds is looked at."""

# A machine that was suspended has to notice: CLOCK_MONOTONIC of Linux stands still meanwhile (clock_gettime(2)).
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class LeaseHeld(DnslbError):
    """Somebody else holds the lease, and did not let go of it in time."""


class LeaseLost(DnslbError):
    """The lease is not, or may not be, one's own any more: nothing may be done that rests on it."""


def new_owner() -> str:
    """A token that nobody else uses."""
    return secrets.token_hex(8)


def boot_clock() -> float:
    """Seconds of a monotonic clock that goes on while the machine is suspended, where there is one."""
    return time.clock_gettime(_CLOCK)


class Lease:
    """One lease, for one holder; it is acquired once and released once.

    Attributes:
        claim: what it holds now, or is about to.
        previous: what stood in the record that it took over: that of a holder which died, or nothing.
    """

    def __init__(
        self,
        publisher: Publisher,
        claim: Claim,
        *,
        atomic_names: bool = False,
        clock: Callable[[], float] = boot_clock,
        wall: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`atomic_names` is the provider's capability; the clocks and `sleep` are what a simulator replaces."""
        self.claim = claim
        self.previous: BlockRecord | Illegible | None = None
        self._publisher = publisher
        self._atomic_names = atomic_names
        self._clock = clock
        self._wall = wall
        self._sleep = sleep
        self._key = block_name(claim.fqdn), RecordType.TXT
        self._view: LeaseView | None = None
        self._act_until = -math.inf
        self._writing = asyncio.Lock()
        self._renewing: asyncio.Task[None] | None = None

    @property
    def may_act(self) -> bool:
        """Whether the holder may do now what only a holder may do; asked right before each such deed."""
        return self.act_for > 0

    @property
    def act_for(self) -> float:
        """For how many seconds more, unless it is renewed; not above 0 where it may not."""
        return self._act_until - self._clock()

    @contextlib.asynccontextmanager
    async def held(self, patience: float = 0.0) -> AsyncIterator[None]:
        """Acquires the lease, and releases it at the end of the block; raises as `acquire` and `release`."""
        await self.acquire(patience)
        try:
            yield
        finally:
            await self.release()

    # -- acquire -------------------------------------------------------------------------------------------

    async def acquire(self, patience: float = 0.0) -> None:
        """Acquires the lease, and renews it from then on; tries for `patience` seconds, and at least once.

        Raises:
            LeaseHeld: somebody else held it all the time.
            ProviderError: the record could not be read or written. It may have been acquired, and ends by itself then.
        """
        deadline = self._clock() + patience
        while (refusal := await self._attempt(deadline)) is not None:
            left = deadline - self._clock()
            if left <= 0:
                raise LeaseHeld(f"{self.claim.fqdn}: {refusal.reason}; wait, or ask them to let go")
            await self._sleep(min(left, POLL, max(refusal.until - self._clock(), 0.1)))
        self._renewing = asyncio.create_task(self._keep(), name=f"lease of {self.claim.fqdn}")

    async def _attempt(self, deadline: float) -> Refusal | None:
        try:
            return await self._write(self._acquired)
        except Unavailable as error:
            if self._clock() >= deadline:
                raise
            return Refusal(f"the block record cannot be read or written: {error}")

    def _acquired(self, record_set: RecordSet) -> RecordSet | Refusal:
        now = self._clock()  # after the reading: the record may have changed until it ended
        self._view = watched(self._view, record_set, now)
        found = parse(record_set.values)
        if not (isinstance(found, BlockRecord) and found.owner == self.claim.owner):
            self.previous = found
        return acquire(self._view, self.claim, now, self._wall())

    # -- renew ---------------------------------------------------------------------------------------------

    async def renew(self, claim: Claim | None = None) -> None:
        """Renews it now, and not only when it is due; with what it is to hold from now on, if that is another claim.

        What fails is tried again in the background, with the new claim.

        Raises:
            LeaseLost: it is gone.
            ProviderError: the record could not be read or written.
            ValueError: the claim is another owner's, of another service or of another duration.
        """
        if claim is not None:
            if (claim.fqdn, claim.owner, claim.duration) != (self.claim.fqdn, self.claim.owner, self.claim.duration):
                raise ValueError("name, owner and duration of a lease stay as they are")
            self.claim = claim
        refusal = await self._write(self._renewed)
        if refusal is not None:
            raise self._lost(refusal)

    def _renewed(self, record_set: RecordSet) -> RecordSet | Refusal:
        return renew(record_set, self.claim, self._wall())

    async def _keep(self) -> None:
        """Renews it until it is lost, or the task cancelled."""
        name = self.claim.fqdn
        while True:
            await self._sleep(self.claim.duration / RENEWALS)
            try:
                await self.renew()
            except LeaseLost as error:
                say(logging.ERROR, "lease-lost", str(error), service=name)
                return
            except ProviderError as error:
                text = f"{name}: the lease could not be renewed, good for {self.act_for:.0f} s more: {error}"
                say(logging.WARNING, "lease-not-renewed", text, service=name, error=str(error))

    def _lost(self, refusal: Refusal) -> LeaseLost:
        self._act_until = -math.inf
        return LeaseLost(f"{self.claim.fqdn}: {refusal.reason}")

    # -- act -----------------------------------------------------------------------------------------------

    async def publish(self, name: str, type_: RecordType, revise: Revise) -> Publication:
        """Publishes the revision of another record set, as `Publisher.update`, under the lease.

        Where the provider commits several names at once, the change and a renewal are one commit: it fails if the
        lease is somebody else's at that very moment. Elsewhere it is sent only while the holder may act.

        Raises:
            LeaseLost: it is gone, or was not renewed for too long.
            ProviderError: as `Publisher.update`.
        """
        if self._atomic_names:
            return await self._publish_fenced(name, type_, revise)

        def while_held(snapshot: Snapshot) -> RecordSet | None:
            if not self.may_act:
                raise self._lapsed()
            return revise(snapshot)

        return await self._publisher.update(name, type_, while_held)

    async def _publish_fenced(self, name: str, type_: RecordType, revise: Revise) -> Publication:
        sending = -math.inf

        def with_renewal(snapshots: Snapshots) -> RecordSets | None:
            nonlocal sending
            sending = self._clock()
            lease, other = snapshots
            renewal = self._renewed(lease.record_set)
            if isinstance(renewal, Refusal):
                raise self._lost(renewal)
            wanted = revise(other)
            return None if wanted is None else (renewal, wanted)

        async with self._writing:
            renewal, publication = await self._publisher.update_together([self._key, (name, type_)], with_renewal)
            if renewal.changed:
                self._act_until = act_until(sending, self.claim.duration)
        return publication

    def _lapsed(self) -> LeaseLost:
        return LeaseLost(f"{self.claim.fqdn}: the lease was not renewed in time, and may be somebody else's by now")

    # -- release -------------------------------------------------------------------------------------------

    async def release(self) -> bool:
        """Stops renewing and acting, and deletes the block record if it is one's own.

        Says whether it was; what is somebody else's is left alone.

        Raises:
            ProviderError: it could not be deleted; it ends by itself.
        """
        await self._stop_renewing()
        self._act_until = -math.inf
        async with self._writing:
            publication = await self._publisher.update(*self._key, self._released)
        return publication.changed

    def _released(self, snapshot: Snapshot) -> RecordSet | None:
        wanted = release(snapshot.record_set, self.claim.owner)
        return None if isinstance(wanted, Refusal) else wanted

    async def _stop_renewing(self) -> None:
        task, self._renewing = self._renewing, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task})
            if not task.cancelled():
                task.result()  # a mistake in it is not to stay hidden

    # -- write ---------------------------------------------------------------------------------------------

    async def _write(self, wanted: Callable[[RecordSet], RecordSet | Refusal]) -> Refusal | None:
        """Publishes what is wanted instead of the record as it is read, and remembers when that was sent."""
        refusal: Refusal | None = None
        sending = -math.inf

        def revise(snapshot: Snapshot) -> RecordSet | None:
            nonlocal refusal, sending
            sending = self._clock()  # each commit follows at once; the one that lands is the last one
            answer = wanted(snapshot.record_set)
            refusal = answer if isinstance(answer, Refusal) else None
            return None if isinstance(answer, Refusal) else answer

        async with self._writing:
            await self._publisher.update(*self._key, revise)
            if refusal is None:
                self._act_until = act_until(sending, self.claim.duration)
        return refusal
