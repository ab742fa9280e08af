"""Compare-and-swap of record sets in a SQLite file, safe between threads and processes.

Every operation opens the file anew, which costs far less than a millisecond. So there is no state to share
between threads or to carry over a fork, and a file that was deleted, or put in another's place, is noticed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from dnslb.builtin._localfile import RecordFile, raise_serial, read_one, write
from dnslb.builtin.local import CAPABILITIES
from dnslb.errors import Conflict, Rejected
from dnslb.records import Change, Receipt, RecordSet, RecordType, Snapshot
from dnslb.txt import to_strings

MAX_SET_OCTETS = 64_000
"""The most that the records of one set may take on the wire, so that a DNS message of 65,535 octets holds them."""


class LocalRecordManager:
    """A RecordManager over the SQLite file at `path`; waits at most `timeout` seconds for another's lock.

    Raises:
        ProviderError: the file can be neither opened nor made, or it is not dnslb's.
    """

    def __init__(self, path: Path, timeout: float = 5.0) -> None:
        self._file = RecordFile(path, timeout)
        with self._file.open():
            pass

    def read(self, name: str, type: RecordType) -> Snapshot:
        """The record set as it is in the file."""
        wanted = RecordSet(name, type)
        with self._file.open() as connection:
            return Snapshot(read_one(connection, wanted.name, wanted.type))

    def commit(self, changes: Sequence[Change]) -> Receipt:
        """Compares values and TTLs, and writes, in one transaction; it is on the disk when this returns.

        Raises:
            Conflict, Unavailable, Refused: nothing was applied.
            OutcomeUnknown: the disk failed while the commit was written.
        """
        _validate([change.after for change in changes])
        if not changes:
            return Receipt()
        with self._file.open() as connection:
            # The default of some builds of SQLite is less: there, a power failure may undo what was committed.
            connection.execute("PRAGMA synchronous = FULL")
            with self._file.transaction(connection):
                for change in changes:
                    _compare(connection, change.before.record_set)
                for change in changes:
                    write(connection, change.after)
                raise_serial(connection)
        return Receipt()

    def wait(self, receipt: Receipt, timeout: float) -> bool:  # noqa: ARG002
        """True, at once: the DNS server looks at the file for every query."""
        return True

    def close(self) -> None:
        """Nothing to give back: no operation leaves anything open."""


def _compare(connection: sqlite3.Connection, before: RecordSet) -> None:
    now = read_one(connection, before.name, before.type)
    if now != before:
        raise Conflict(
            f"{before.name} {before.type} is no longer what was read: {_summary(now)} now, {_summary(before)} then;"
            f" read it again"
        )


def _summary(record_set: RecordSet) -> str:
    return f"{len(record_set.values)} values with TTL {record_set.ttl}" if record_set.exists else "nothing"


def _validate(record_sets: Sequence[RecordSet]) -> None:
    """Raises Rejected for what the file cannot hold."""
    seen: set[tuple[str, RecordType]] = set()
    for record_set in record_sets:
        what = f"{record_set.name} {record_set.type}"
        if (record_set.name, record_set.type) in seen:
            raise Rejected(f"{what} is twice in one commit; make one change of the two")
        seen.add((record_set.name, record_set.type))
        most = CAPABILITIES.max_values
        if most is not None and len(record_set.values) > most:
            raise Rejected(f"{what} cannot hold {len(record_set.values)} values; a record file takes {most} a set")
        if (octets := _wire_size(record_set)) > MAX_SET_OCTETS:
            raise Rejected(f"{what} cannot be {octets} octets long; a record file takes {MAX_SET_OCTETS} a set")


def _wire_size(record_set: RecordSet) -> int:
    """What the records take in a DNS message, their owner names compressed: RFC 1035, sections 3.3.14 and 4.1.3."""
    header = 12
    match record_set.type:
        case RecordType.A:
            return len(record_set.values) * (header + 4)
        case RecordType.AAAA:
            return len(record_set.values) * (header + 16)
        case RecordType.TXT:
            return sum(header + sum(1 + len(part) for part in to_strings(value)) for value in record_set.values)
