"""What the objects behind the plugins can do: one Protocol a kind, and the values that pass through them.

Record managers, region filters, destroyers and address sources are synchronous, because the SDKs below them are; dnslb
calls them in worker threads, each call under a time limit of its own. Probes are asynchronous and take a batch.
"""

from __future__ import annotations

import enum
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from dnslb.records import Address, Change, Receipt, RecordType, Snapshot


@dataclass(frozen=True, slots=True)
class Service:
    """The service that an object is made for, as every factory is told.

    `fqdn` is normalised; `port` is the TCP port that is probed on every member.
    """

    fqdn: str
    port: int


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a provider can do, as data, so that `dnslb check` can refuse in the daytime what would fail at night.

    Attributes:
        max_values: how many values a record set may hold; None where there is no limit.
        atomic_names: whether one commit may change several record sets, all or nothing.
        min_ttl: the lowest TTL in seconds that is kept as given.
        min_interval: the lowest sensible `check_interval` in seconds; shorter ones are raised to it.
        request_rate: how many requests a second it takes from all agents together; None where no limit is known.
        propagation: how many seconds a change takes until it is served, at most and on a usual day.
        reads_together: whether the record manager is one that `ReadsTogether`, too.
    """

    max_values: int | None = None
    atomic_names: bool = False
    min_ttl: int = 1
    min_interval: float = 5.0
    request_rate: float | None = None
    propagation: float = 0.0
    reads_together: bool = False


@runtime_checkable
class RecordManager(Protocol):
    """Reads record sets, and replaces them by compare-and-swap.

    Many agents write one record set at once, so there is one primitive for writing, and it never overwrites
    what it has not seen. All methods may be called from several threads at once.
    """

    def read(self, name: str, type: RecordType) -> Snapshot:
        """The record set as the provider has it now; absent and empty are the same.

        Raises:
            Unavailable: no answer; Throttled where the provider asks for fewer requests.
            Refused: Denied, ZoneNotFound, or Rejected for a set that is not plain (an alias, a weighted set).
        """

    def commit(self, changes: Sequence[Change]) -> Receipt:
        """Applies all of the changes or none, and only if every `before` still holds.

        A change whose `after` has no values deletes the set. It is sent once: a retry of a commit that had landed
        looks like a conflict, so SDK retries are off.

        Raises:
            Conflict: some `before` no longer holds; nothing was applied.
            OutcomeUnknown: it was sent and the reply was lost.
            Unavailable, Refused: as for `read`; nothing was applied.
            Rejected: also several record sets where `Capabilities.atomic_names` is False.
        """

    def wait(self, receipt: Receipt, timeout: float) -> bool:
        """Waits at most `timeout` seconds until the commit is served; says whether it is.

        Raises:
            Unavailable, Refused: as for `read`.
        """

    def close(self) -> None:
        """Gives back connections and files. Called once, and nothing is called after it."""


@runtime_checkable
class ReadsTogether(Protocol):
    """What a record manager may be besides: one that reads several record sets of one service in one request.

    Where a provider counts requests, that makes an agent cheaper. One that cannot is asked for each set by `read`.
    """

    def read_together(self, keys: Sequence[tuple[str, RecordType]]) -> Sequence[Snapshot]:
        """The record sets at these names, of these types, in this order, each as by `read`; all of them or none.

        They need not be of the same moment. Raises as `read`.
        """


@runtime_checkable
class RegionFilter(Protocol):
    """Tells which addresses are in the region of this agent, to keep a cut between regions from doing harm."""

    def filter(self, addresses: frozenset[Address]) -> frozenset[Address]:
        """The part of `addresses` that is in this region.

        Raises:
            ProviderError: it cannot tell. Nobody is then taken to be in the region.
        """


@runtime_checkable
class Destroyer(Protocol):
    """Destroys failed instances, so that something else can replace them."""

    def destroy(self, addresses: frozenset[Address]) -> None:
        """Destroys the instances that carry `addresses`; called only once they have left the record set.

        Raises:
            ProviderError: some could not be destroyed, or it is not certain which instance is meant.
        """


@runtime_checkable
class AddressSource(Protocol):
    """Tells the own addresses of this host, where somebody else knows them better than its interfaces do."""

    def find(self) -> frozenset[Address]:
        """The own addresses as they are now, at most one of each family.

        Raises:
            ProviderError: it cannot tell. The addresses that it told last are then kept.
        """


class Verdict(enum.Enum):
    """What a probe found out."""

    HEALTHY = "healthy"
    FAILED = "failed"
    LOCAL = "local fault"
    """This host could not ask (no descriptors, no route): it says nothing about the target."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where to probe."""

    address: Address
    port: int


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What a probe of one target found: the verdict, and the reason in a few words ("connection refused")."""

    verdict: Verdict
    detail: str = ""

    @property
    def healthy(self) -> bool:
        """Whether the target answered as it should."""
        return self.verdict is Verdict.HEALTHY


@runtime_checkable
class Probe(Protocol):
    """Asks targets whether they are healthy, many at a time."""

    async def check(self, targets: Sequence[Target], timeout: float) -> Sequence[ProbeResult]:
        """One result a target, in the order of `targets`, each within `timeout` seconds of its own start.

        It raises nothing for what a target does or fails to do: that is a result.
        """


class EachProbe:
    """A probe that asks one target at a time: write `check_one`, and the batch is made of it.

    `limit` is how many run at once. What `check_one` raises as OSError, TimeoutError or EOFError is a failed probe;
    any other exception is a mistake of the probe, and says nothing about the target.
    """

    limit = 64

    async def check_one(self, target: Target, timeout: float) -> ProbeResult:
        """The result for one target; it is cancelled after `timeout` seconds."""
        raise NotImplementedError

    async def check(self, targets: Sequence[Target], timeout: float) -> Sequence[ProbeResult]:
        """All targets, `limit` of them at a time."""
        import asyncio  # noqa: PLC0415 - a quarter of the time that importing dnslb would take

        slots = asyncio.Semaphore(self.limit)

        async def one(target: Target) -> ProbeResult:
            async with slots:
                try:
                    async with asyncio.timeout(timeout):
                        return await self.check_one(target, timeout)
                except TimeoutError:
                    return ProbeResult(Verdict.FAILED, f"no answer in {timeout:g} s")
                except OSError as error:
                    # asyncio's own text names the address again; the number says it in the system's words.
                    said = os.strerror(error.errno).lower() if error.errno else str(error)
                    return ProbeResult(Verdict.FAILED, said)
                except EOFError:
                    return ProbeResult(Verdict.FAILED, "it closed the connection early")
                except Exception as error:  # noqa: BLE001 - a mistake about one target is none about the others
                    return ProbeResult(Verdict.LOCAL, f"the probe broke: {error!r}")

        return await asyncio.gather(*map(one, targets))
