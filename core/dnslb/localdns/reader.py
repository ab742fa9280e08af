"""The zones as they are in the record file at this moment, read again only when the file has changed."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from dnslb.builtin._localfile import RecordFile, read_all
from dnslb.errors import ProviderError
from dnslb.localdns.zones import Zones
from dnslb.records import Address

_log = logging.getLogger(__name__)

_OPEN_TIMEOUT = 5.0
"""Seconds to wait, when the file is opened, for a process that is just making it."""


class ZoneReader:
    """Reads zones from the record file at `path`; for one thread. The rest is as for `Zones`.

    Raises:
        ProviderError: the file can be neither opened nor made, or is not dnslb's.
    """

    def __init__(self, path: Path, origins: Sequence[str], servers: Sequence[Address]) -> None:
        self._file = RecordFile(path, _OPEN_TIMEOUT)
        self._origins = origins
        self._servers = servers
        self._connection: sqlite3.Connection | None = None
        self._opened: tuple[int, int] | None = None
        self._version: int | None = None
        self._trouble = ""
        self._zones = Zones(origins, 0, (), servers)
        with self._file.errors():
            self._refresh()

    def zones(self) -> Zones:
        """The zones with everything in them that has been committed, by whatever process, before the call.

        Where the file cannot be read, they stay as they were, as those of any name server whose zone file breaks;
        the log says so.
        """
        try:
            with self._file.errors():
                self._refresh()
        except ProviderError as error:
            self._report(str(error))
        else:
            self._report("")
        return self._zones

    def close(self) -> None:
        """Closes the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _refresh(self) -> None:
        """Takes about 6 µs where nothing has changed."""
        connection = self._connection
        if connection is None or self._file_id() != self._opened:
            connection = self._reopen()
        # A number that changes with every commit of another connection: https://sqlite.org/pragma.html.
        (version,) = connection.execute("PRAGMA data_version").fetchone()
        if version != self._version:
            # A commit that comes between the two reads is read twice, which is harmless, and never missed.
            serial, record_sets = read_all(connection)
            self._zones = Zones(self._origins, serial, record_sets, self._servers)
            self._version = version

    def _reopen(self) -> sqlite3.Connection:
        self.close()
        # The identity first: a file that is put in its place between the two lines is then noticed at the next query.
        self._opened = self._file_id()
        self._version = None
        self._connection = self._file.connect()
        self._connection.execute("PRAGMA busy_timeout = 0")  # From here on, no answer waits for a lock.
        return self._connection

    def _file_id(self) -> tuple[int, int] | None:
        """What tells one file from another that was put in its place; None where there is none."""
        try:
            status = self._file.path.stat()
        except OSError:
            return None
        return status.st_dev, status.st_ino

    def _report(self, trouble: str) -> None:
        """Logs a change for the worse or the better, not every query."""
        if trouble == self._trouble:
            return
        self._trouble = trouble
        if trouble:
            _log.error("the zones stay as they were: %s", trouble)
        else:
            _log.info("%s can be read again", self._file.path)
