"""Writes record sets by compare-and-swap: retries conflicts, and finds out what became of a lost reply.

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

Key = tuple[str, RecordType]
Snapshots = tuple[Snapshot, ...]
RecordSets = tuple[RecordSet, ...]
ReviseAll = Callable[[Snapshots], RecordSets | None]
"""The same for several record sets: as many as were read, in the same order."""

ATTEMPTS = 6
"""Commits before giving up: with the pauses below, some eight seconds on average, sixteen at most."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0


class Records(Protocol):
    """What the publisher writes through: `AsyncRecordManager`, or a simulated one."""

    async def read_together(self, keys: Sequence[Key]) -> Sequence[Snapshot]:
        """The record sets as they are now, all of them or none."""

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
        [snapshot] = await self._records.read_together([(name, type_)])
        return await self.publish(snapshot, revise)

    async def publish(self, snapshot: Snapshot, revise: Revise) -> Publication:
        """Publishes the revision of a record set that was read already; raises as `update`."""

        def revise_all(snapshots: Snapshots) -> RecordSets | None:
            wanted = revise(snapshots[0])
            return None if wanted is None else (wanted,)

        [publication] = await self._publish((snapshot,), revise_all)
        return publication

    async def update_together(self, keys: Sequence[Key], revise: ReviseAll) -> tuple[Publication, ...]:
        """Reads several record sets and publishes the revision of them in one commit: all of it is applied, or nothing.

        This takes a provider with `Capabilities.atomic_names`. What the revision leaves as it is takes no part in the
        commit, and is not compared either. Raises as `update`.
        """
        return await self._publish(await self._read(keys), revise)

    async def _publish(self, snapshots: Snapshots, revise: ReviseAll) -> tuple[Publication, ...]:
        keys = [(one.record_set.name, one.record_set.type) for one in snapshots]
        names = ", ".join(f"{name} {type_}" for name, type_ in keys)
        for attempt in range(ATTEMPTS):
            wanted = revise(snapshots)
            changes = _changes(snapshots, wanted)
            if wanted is None or not changes:
                return tuple(Publication(one.record_set, changed=False) for one in snapshots)
            try:
                receipt = await self._records.commit(changes)
                return _publications(snapshots, wanted, receipt)
            except Conflict as error:
                if attempt == ATTEMPTS - 1:
                    raise Conflict(f"{names}: others changed it during {ATTEMPTS} attempts to write") from error
                await self._sleep(self._pause(attempt))
                snapshots = await self._read(keys)
            except OutcomeUnknown:
                await self._sleep(self._pause(attempt))  # it may be under way still
                before, snapshots = snapshots, await self._read(keys)
                # Values alone: a provider may keep another TTL than it was given.
                found = tuple(one.record_set for one in snapshots)
                if all(one.values == other.values for one, other in zip(found, wanted, strict=True)):
                    return _publications(before, found)
        raise Unavailable(f"{names}: no reply to the last of {ATTEMPTS} commits, and it was not applied")

    async def _read(self, keys: Sequence[Key]) -> Snapshots:
        return tuple(await self._records.read_together(keys))

    def _pause(self, attempt: int) -> float:
        return self._chance.uniform(0, min(_FIRST_PAUSE * 2**attempt, _LONGEST_PAUSE))


def _changes(snapshots: Snapshots, wanted: RecordSets | None) -> list[Change]:
    pairs = zip(snapshots, wanted or (), strict=wanted is not None)
    return [Change(before, after) for before, after in pairs if before.record_set != after]


def _publications(before: Snapshots, after: RecordSets, receipt: Receipt | None = None) -> tuple[Publication, ...]:
    pairs = zip(before, after, strict=True)
    return tuple(
        Publication(now, changed=True, receipt=receipt) if now != then.record_set else Publication(now, changed=False)
        for then, now in pairs
    )
