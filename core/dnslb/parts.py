"""What a keeper works with: the calls that do the work of one service, and the world around it."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from dnslb.interfaces import ProbeResult, Target
from dnslb.log import say
from dnslb.publisher import Records as PublishedRecords
from dnslb.records import Address, Receipt, RecordSet, RecordType


class Records(PublishedRecords, Protocol):
    """What a keeper reads and writes through: `AsyncRecordManager`, or a simulated one."""

    async def wait(self, receipt: Receipt, timeout: float) -> bool:
        """Waits at most `timeout` seconds until the commit is served."""


Probing = Callable[[Sequence[Target], float], Awaitable[Mapping[Target, ProbeResult]]]
"""One round of probes, each within so many seconds: the best result for each target, of as many as it is named."""

Filtering = Callable[[frozenset[Address]], Awaitable[Collection[Address]]]
Destroying = Callable[[frozenset[Address]], Awaitable[None]]

Hinting = Callable[[RecordType], Awaitable[RecordSet]]
"""What a name server of the zone has now."""

Witnessing = Callable[[float], Awaitable[bool]]
"""Whether one of the witnesses answers within so many seconds."""


class Own(Protocol):
    """What knows the own addresses without waiting: `OwnAddresses`, `AskedAddresses`, or a simulated one."""

    def find(self) -> Mapping[RecordType, Address]:
        """The own addresses as they are now, or as far as is known."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What does the work of one service. Each raises ProviderError alone, and gives up by itself after a while."""

    records: Records
    probe: Probing
    filter_region: Filtering | None = None
    destroy: Destroying | None = None
    hint: Hinting | None = None
    witness: Witnessing | None = None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Time, chance and voice: what a simulator replaces."""

    now: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    chance: random.Random = field(default_factory=random.Random)
    say: Callable[..., None] = say
