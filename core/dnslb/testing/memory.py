"""A record manager in memory: it keeps the contract, and fails when it is told to."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from dnslb.errors import Conflict, ProviderError, Rejected
from dnslb.interfaces import Capabilities
from dnslb.records import Change, Receipt, RecordSet, RecordType, Snapshot, normalise_name

_Key = tuple[str, RecordType]


@dataclass(frozen=True, slots=True)
class _Failure:
    error: ProviderError
    applied: bool = False


@dataclass
class MemoryZone:
    """The record sets that any number of `MemoryRecordManager`s share, and what is to go wrong with them.

    Attributes:
        capabilities: what the zone can do; its limits are enforced.
        commits: every commit that was applied, the oldest first.
    """

    capabilities: Capabilities = field(default_factory=lambda: Capabilities(atomic_names=True, min_ttl=0))
    commits: list[tuple[Change, ...]] = field(default_factory=list)

    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _sets: dict[_Key, RecordSet] = field(default_factory=dict, repr=False)
    _versions: dict[_Key, int] = field(default_factory=dict, repr=False)
    _failing_reads: deque[_Failure] = field(default_factory=deque, repr=False)
    _failing_commits: deque[_Failure] = field(default_factory=deque, repr=False)

    def fail_reads(self, error: ProviderError, times: int = 1) -> None:
        """The next `times` reads raise `error`."""
        self._failing_reads.extend([_Failure(error)] * times)

    def fail_commits(self, error: ProviderError, times: int = 1, *, applied: bool = False) -> None:
        """The next `times` commits raise `error`: in place of being applied, or else (`applied`) after it.

        A lost reply is `fail_commits(OutcomeUnknown("..."), applied=True)`.
        """
        self._failing_commits.extend([_Failure(error, applied)] * times)

    def read(self, name: str, type: RecordType) -> Snapshot:
        """The record set as it is now."""
        with self._lock:
            if self._failing_reads:
                raise self._failing_reads.popleft().error
            key = normalise_name(name), type
            return Snapshot(self._sets.get(key, RecordSet(*key)), self._versions.get(key, 0))

    def commit(self, changes: Sequence[Change]) -> Receipt:
        """Applies all of the changes or raises, in one step that no other thread sees half done."""
        with self._lock:
            failure = self._failing_commits.popleft() if self._failing_commits else None
            if failure and not failure.applied:
                raise failure.error
            self._check(changes)
            for change in changes:
                self._replace(change.after)
            self.commits.append(tuple(changes))
            if failure:
                raise failure.error
            return Receipt(len(self.commits))

    def _check(self, changes: Sequence[Change]) -> None:
        if len(changes) > 1 and not self.capabilities.atomic_names:
            raise Rejected(f"a commit of {len(changes)} record sets; this zone takes one at a time")
        most = self.capabilities.max_values
        for change in changes:
            after, seen = change.after, change.before
            if most is not None and len(after.values) > most:
                raise Rejected(f"{after.name} {after.type} would hold {len(after.values)} values; at most {most}")
            if self._versions.get((after.name, after.type), 0) != seen.version:
                raise Conflict(f"{after.name} {after.type} is no longer what was read")

    def _replace(self, after: RecordSet) -> None:
        key = after.name, after.type
        self._sets[key] = after
        self._versions[key] = self._versions.get(key, 0) + 1


class MemoryRecordManager:
    """A `RecordManager` on a `MemoryZone`; managers on one zone see each other's commits at once."""

    def __init__(self, zone: MemoryZone) -> None:
        self.zone = zone

    def read(self, name: str, type: RecordType) -> Snapshot:
        """As `RecordManager.read`."""
        return self.zone.read(name, type)

    def commit(self, changes: Sequence[Change]) -> Receipt:
        """As `RecordManager.commit`."""
        return self.zone.commit(changes)

    def wait(self, receipt: Receipt, timeout: float) -> bool:  # noqa: ARG002 - the Protocol's names
        """True: what was committed is served at once."""
        return True

    def close(self) -> None:
        """Nothing to give back."""
