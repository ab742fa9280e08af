"""Writes one record set by compare-and-swap: retries conflicts, and finds out what became of a lost reply.

The publisher decides nothing about the content. Whoever publishes hands in a function from what the record set is
to what it should be; it is asked again after every reading, so that no write rests on a view that somebody else has
overtaken.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from dnslb.errors import Conflict, OutcomeUnknown, Unavailable
from dnslb.records import Change, Receipt, RecordSet, RecordType, Snapshot

Revise = Callable[[Snapshot], RecordSet | None]
"""What the record set should be, given what it is; None to leave it."""

ATTEMPTS = 6
"""Commits before giving up: with the pauses below, some eight seconds on average, sixteen at most."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0


class Records(Protocol):
    """What the publisher writes through: `AsyncRecordManager`, or a simulated one."""

    async def read(self, name: str, type_: RecordType) -> Snapshot:
        """The record set as it is now."""

    async def commit(self, changes: Sequence[Change]) -> Receipt:
        """Compare and swap."""


@dataclass(frozen=True, slots=True)
class Publication:
    """How it ended: the record set as it is now, and the receipt of the commit.

    `receipt` is None where nothing was written, or where the reply was lost and the re-read showed that the commit
    had landed. `changed` says which of the two.
    """

    record_set: RecordSet
    changed: bool
    receipt: Receipt | None = None


class Publisher:
    """Publishes through one record manager."""

    def __init__(
        self,
        records: Records,
        chance: random.Random | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`chance` and `sleep` are what a simulator replaces."""
        self._records = records
        self._chance = chance or random.Random()
        self._sleep = sleep

    async def update(self, name: str, type_: RecordType, revise: Revise) -> Publication:
        """Reads the record set and publishes the revision of it.

        Raises:
            Conflict: others kept changing it, `ATTEMPTS` times in a row.
            Unavailable: the replies kept being lost, and none of the commits had been applied when it was read again.
            ProviderError: as for reading and committing; OutcomeUnknown never, it is found out.
        """
        return await self.publish(await self._records.read(name, type_), revise)

    async def publish(self, snapshot: Snapshot, revise: Revise) -> Publication:
        """Publishes the revision of a record set that was read already; raises as `update`."""
        name, type_ = snapshot.record_set.name, snapshot.record_set.type
        for attempt in range(ATTEMPTS):
            wanted = revise(snapshot)
            if wanted is None or wanted == snapshot.record_set:
                return Publication(snapshot.record_set, changed=False)
            try:
                receipt = await self._records.commit([Change(snapshot, wanted)])
                return Publication(wanted, changed=True, receipt=receipt)
            except Conflict as error:
                if attempt == ATTEMPTS - 1:
                    raise Conflict(f"{name} {type_}: others changed it during {ATTEMPTS} attempts to write") from error
                await self._sleep(self._pause(attempt))
                snapshot = await self._records.read(name, type_)
            except OutcomeUnknown:
                await self._sleep(self._pause(attempt))  # it may be under way still
                snapshot = await self._records.read(name, type_)
                # Values alone: a provider may keep another TTL than it was given.
                if snapshot.record_set.values == wanted.values:
                    return Publication(snapshot.record_set, changed=True)
        raise Unavailable(f"{name} {type_}: no reply to the last of {ATTEMPTS} commits, and it was not applied")

    def _pause(self, attempt: int) -> float:
        return self._chance.uniform(0, min(_FIRST_PAUSE * 2**attempt, _LONGEST_PAUSE))
