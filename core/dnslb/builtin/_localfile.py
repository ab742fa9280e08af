"""The SQLite file of the record manager `local`: its format, how it is opened and made, and what its errors mean.

The file is in WAL mode, in which a reader never waits for a writer, nor a writer for a reader: the DNS server
can look at it for each query. WAL needs memory that is shared by all processes that have the file open, so
the file must be on a disk of this host and not on a network file system (https://sqlite.org/wal.html).
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from dnslb.errors import Denied, OutcomeUnknown, ProviderError, Rejected, Unavailable, ZoneNotFound
from dnslb.records import RecordSet, RecordType

APPLICATION_ID = 0x646E736C
"""What tells our files from those of other programs (`PRAGMA application_id`): "dnsl" in ASCII."""

SCHEMA_VERSION = 1
"""The version of the tables below (`PRAGMA user_version`)."""

# A record set is written and compared as a whole, so it is one row, its values a JSON list. The serial number
# starts from the clock, as is usual for zones, so that it also goes up where the file is deleted and made anew.
_SCHEMA = (
    """CREATE TABLE record_sets (
        name TEXT NOT NULL,
        type TEXT NOT NULL CHECK (type IN ('A', 'AAAA', 'TXT')),
        ttl INTEGER NOT NULL CHECK (typeof(ttl) = 'integer'),
        data TEXT NOT NULL,
        PRIMARY KEY (name, type)
    ) WITHOUT ROWID""",
    "CREATE TABLE zone (serial INTEGER NOT NULL)",
    "INSERT INTO zone (serial) VALUES (CAST(strftime('%s', 'now') AS INTEGER))",
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {SCHEMA_VERSION}",
)

_ANOTHER_PATH = "name another path, and dnslb makes the file"

# SQLite's primary result codes (https://sqlite.org/rescode.html), and what stands behind the path in the message.
_MEANINGS: dict[int | None, tuple[type[ProviderError], str]] = {
    sqlite3.SQLITE_BUSY: (Unavailable, "is still locked by another process; try again"),
    sqlite3.SQLITE_FULL: (Unavailable, "cannot grow, since the disk is full; make room"),
    sqlite3.SQLITE_IOERR: (Unavailable, "cannot be read or written ({error}); look at the disk"),
    sqlite3.SQLITE_READONLY: (Denied, "may not be written; give this user write access to it and to its folder"),
    sqlite3.SQLITE_NOTADB: (Rejected, "is not a SQLite file; " + _ANOTHER_PATH),
    sqlite3.SQLITE_CORRUPT: (Rejected, "is damaged ({error}); move it away, and dnslb makes a new one"),
}
_ANY_OTHER = (Rejected, "cannot be used as a record file: {error}; " + _ANOTHER_PATH)


class RecordFile:
    """The SQLite file at `path`; waits at most `timeout` seconds for the lock of another process."""

    def __init__(self, path: Path, timeout: float) -> None:
        self.path = path.absolute()
        self.timeout = timeout

    @contextmanager
    def open(self) -> Iterator[sqlite3.Connection]:
        """A connection for the body, inside the boundary of `errors`."""
        with self.errors(), closing(self.connect()) as connection:
            yield connection

    def connect(self) -> sqlite3.Connection:
        """A connection in autocommit mode to the file, which is made where there is none.

        Raises:
            sqlite3.Error: for `errors` to map.
            Rejected: the file is another program's, or a newer dnslb's.
        """
        connection = sqlite3.connect(self.path, timeout=self.timeout, isolation_level=None)
        try:
            if _is_fresh(connection):
                self._make(connection)
            self._refuse_foreign(*_identity(connection))
        except BaseException:
            connection.close()
            raise
        return connection

    @contextmanager
    def errors(self) -> Iterator[None]:
        """The boundary: what SQLite raises in the body, or a row that is no record set, comes out as ProviderError."""
        try:
            yield
        except sqlite3.Error as error:
            if _code(error) == sqlite3.SQLITE_CANTOPEN:
                raise self._unopenable(error) from error
            kind, text = _MEANINGS.get(_code(error), _ANY_OTHER)
            raise kind(f"{self.path} {text.format(error=error)}") from error
        except ValueError as error:
            raise Rejected(f"{self.path} has a row that is not a record set: {error}; delete that row") from error

    @contextmanager
    def transaction(self, connection: sqlite3.Connection) -> Iterator[None]:
        """All that the body writes or nothing, while no other process writes.

        After an exception the connection is to be closed, which undoes what was written.

        Raises:
            OutcomeUnknown: the disk failed while the commit was written. What reached the disk may count once the
                file is opened after a crash, so this is neither "applied" nor "not applied".
        """
        connection.execute("BEGIN IMMEDIATE")
        yield
        try:
            connection.execute("COMMIT")
        except sqlite3.OperationalError as error:
            if _code(error) != sqlite3.SQLITE_IOERR:
                raise
            raise OutcomeUnknown(
                f"{self.path} failed during a commit ({error}); read again to see what holds"
            ) from error

    def _unopenable(self, error: sqlite3.Error) -> ProviderError:
        """SQLite does not say why; the file system does."""
        try:
            if self.path.is_dir():
                return Rejected(f"{self.path} is a folder; name a file in it")
            if not self.path.parent.is_dir():
                return ZoneNotFound(f"{self.path} cannot be made, since its folder is not there; make the folder")
        except OSError:
            pass  # A folder on the way may not be searched: that is the answer.
        return Denied(f"{self.path} cannot be opened ({error}); give this user access to it and to its folder")

    def _make(self, connection: sqlite3.Connection) -> None:
        """Lays out a fresh file; several processes may be at it at once.

        WAL mode comes first: a file that has our tables is then in WAL mode for certain.
        """
        self._switch_to_wal(connection)
        with self.transaction(connection):
            if _is_fresh(connection):
                for statement in _SCHEMA:
                    connection.execute(statement)

    def _switch_to_wal(self, connection: sqlite3.Connection) -> None:
        """Waits for other processes here, since SQLite's own waiting leaves this statement out."""
        deadline = time.monotonic() + self.timeout
        while True:
            try:
                connection.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as error:
                if _code(error) != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
            else:
                return

    def _refuse_foreign(self, application: int, version: int) -> None:
        if application != APPLICATION_ID:
            raise Rejected(f"{self.path} is a SQLite file of another program; {_ANOTHER_PATH}")
        if version != SCHEMA_VERSION:
            raise Rejected(
                f"{self.path} has version {version} of the record file, and this dnslb knows version"
                f" {SCHEMA_VERSION}; upgrade dnslb on this host"
            )


def read_one(connection: sqlite3.Connection, name: str, type: RecordType) -> RecordSet:
    """The record set, empty where there is none."""
    row = connection.execute(
        "SELECT name, type, ttl, data FROM record_sets WHERE name = ? AND type = ?", (name, type.value)
    ).fetchone()
    return _from_row(*row) if row else RecordSet(name, type)


def read_all(connection: sqlite3.Connection) -> tuple[int, list[RecordSet]]:
    """The serial number, and every record set as of that number: one statement sees one state of the file."""
    rows = connection.execute(
        "SELECT serial, name, type, ttl, data FROM zone LEFT JOIN record_sets ORDER BY name, type"
    ).fetchall()
    return rows[0][0], [_from_row(*row) for _, *row in rows if row[0] is not None]


def write(connection: sqlite3.Connection, record_set: RecordSet) -> None:
    """Replaces the record set, or deletes it where there are no values."""
    key = (record_set.name, record_set.type.value)
    if record_set.exists:
        row = (*key, record_set.ttl, json.dumps(record_set.values))
        connection.execute("REPLACE INTO record_sets (name, type, ttl, data) VALUES (?, ?, ?, ?)", row)
    else:
        connection.execute("DELETE FROM record_sets WHERE name = ? AND type = ?", key)


def raise_serial(connection: sqlite3.Connection) -> None:
    """Counts a commit."""
    connection.execute("UPDATE zone SET serial = serial + 1")


def _from_row(name: str, type: str, ttl: int, data: str) -> RecordSet:
    try:
        return RecordSet(name, RecordType(type), tuple(json.loads(data)), ttl)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} {type} ({error})") from error


def _is_fresh(connection: sqlite3.Connection) -> bool:
    """Whether nobody, dnslb or another program, has made anything of the file yet."""
    return _identity(connection) == (0, 0) and not connection.execute("SELECT 1 FROM sqlite_master").fetchone()


def _identity(connection: sqlite3.Connection) -> tuple[int, int]:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return application, version


def _code(error: sqlite3.Error) -> int | None:
    """The primary result code; None for what Python's own module raised."""
    code: int | None = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF
