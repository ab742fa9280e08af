"""The record manager `local`: compare-and-swap in a SQLite file, whoever else writes, crashes or spoils it."""

import contextlib
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from dnslb import (
    Change,
    Conflict,
    Denied,
    Receipt,
    RecordManager,
    RecordSet,
    RecordType,
    Refused,
    Rejected,
    Service,
    Snapshot,
    Unavailable,
    ZoneNotFound,
)
from dnslb.builtin import local
from dnslb.builtin._local import MAX_SET_OCTETS, LocalRecordManager
from dnslb.builtin._localfile import APPLICATION_ID, SCHEMA_VERSION, RecordFile, read_all, write
from dnslb.options import parse_options

WWW = "www.example.test"
ONE, TWO, THREE = "192.0.2.1", "192.0.2.2", "192.0.2.3"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "records.db"


@pytest.fixture
def manager(path):
    return LocalRecordManager(path)


def put(manager, name, type_, *values, ttl=60):
    before = manager.read(name, type_)
    return manager.commit([Change(before, before.record_set.holding(values, ttl))])


def values(manager, name=WWW, type_=RecordType.A):
    return manager.read(name, type_).record_set.values


def serial(path):
    with RecordFile(path, timeout=1).open() as connection:
        return read_all(connection)[0]


# -- as a plugin -------------------------------------------------------------------------------------------


def test_it_commits_several_names_at_once_and_may_be_asked_every_second():
    (registration,) = local.dnslb_record_managers()
    assert registration.capabilities.atomic_names
    assert registration.capabilities.min_interval == 1.0


def test_the_factory_makes_a_record_manager_from_options(tmp_path):
    problems = []
    written = {"path": "records.db", "timeout": "2s"}
    options = parse_options(local.LocalOptions, written, base=tmp_path, problems=problems)
    assert problems == []
    manager = local.make(options, Service(WWW, 443))
    assert isinstance(manager, RecordManager)
    assert (tmp_path / "records.db").is_file()
    assert options.timeout == 2.0


def test_a_path_is_required_and_a_lock_is_waited_for_5_s(tmp_path):
    problems = []
    assert parse_options(local.LocalOptions, {}, base=tmp_path, problems=problems) is None
    assert "path is missing" in str(problems[0])
    assert local.LocalOptions(tmp_path / "records.db").timeout == 5.0


# -- reading and committing --------------------------------------------------------------------------------


@pytest.mark.parametrize("type_", RecordType)
def test_an_absent_record_set_is_an_empty_one(manager, type_):
    assert manager.read(WWW, type_).record_set == RecordSet(WWW, type_)


@pytest.mark.parametrize(
    ("type_", "written"),
    [
        (RecordType.A, (ONE, TWO)),
        (RecordType.AAAA, ("2001:db8::1", "fd00::2")),
        (
            RecordType.TXT,
            ("", "a=1; b", 'say "hi"', "x" * 1000, "naïve ☃", b"\xff\x00".decode("utf-8", "surrogateescape")),
        ),
    ],
)
def test_what_is_committed_is_read_back_by_another_manager(manager, path, type_, written):
    put(manager, WWW, type_, *written, ttl=17)
    assert LocalRecordManager(path).read(WWW, type_).record_set == RecordSet(WWW, type_, written, 17)


def test_names_are_the_same_in_any_spelling(manager):
    put(manager, "WWW.Example.Test.", RecordType.A, ONE)
    assert values(manager, "www.EXAMPLE.test") == (ONE,)


def test_a_commit_replaces_the_whole_set(manager):
    put(manager, WWW, RecordType.A, ONE, TWO)
    put(manager, WWW, RecordType.A, TWO, THREE, ttl=5)
    assert manager.read(WWW, RecordType.A).record_set == RecordSet(WWW, RecordType.A, (TWO, THREE), 5)


def test_a_commit_without_values_deletes_the_set(manager):
    put(manager, WWW, RecordType.A, ONE)
    put(manager, WWW, RecordType.A)
    assert not manager.read(WWW, RecordType.A).record_set.exists


def test_the_types_of_a_name_are_sets_of_their_own(manager):
    put(manager, WWW, RecordType.A, ONE)
    put(manager, WWW, RecordType.TXT, "text")
    put(manager, WWW, RecordType.A)
    assert values(manager, type_=RecordType.TXT) == ("text",)


def test_a_commit_is_served_at_once(manager):
    assert manager.wait(put(manager, WWW, RecordType.A, ONE), timeout=0) is True


def test_the_serial_number_goes_up_with_every_commit_and_with_nothing_else(manager, path):
    first = serial(path)
    put(manager, WWW, RecordType.A, ONE)
    put(manager, WWW, RecordType.A, ONE)
    assert serial(path) == first + 2
    manager.read(WWW, RecordType.A)
    assert manager.commit([]) == Receipt()
    with pytest.raises(Conflict):
        manager.commit([Change(Snapshot(RecordSet(WWW, RecordType.A)), RecordSet(WWW, RecordType.A, (TWO,), 60))])
    assert serial(path) == first + 2


def test_the_serial_number_of_a_file_that_is_made_anew_is_not_lower(manager, path):
    """It starts from the clock, so the new one is ahead unless there was more than one commit a second."""
    before = serial(path)
    path.unlink()
    LocalRecordManager(path)
    assert serial(path) >= before


def test_a_closed_manager_leaves_no_file_open(manager, path):
    put(manager, WWW, RecordType.A, ONE)
    manager.close()
    opened = []
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # the descriptor that lists them, for one
            opened.append(link.readlink().name)
    assert opened
    assert not [name for name in opened if name.startswith(path.name)]


# -- compare-and-swap --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "meanwhile",
    [
        RecordSet(WWW, RecordType.A, (TWO,), 60),
        RecordSet(WWW, RecordType.A, (ONE, TWO), 60),
        RecordSet(WWW, RecordType.A, (ONE,), 61),
        RecordSet(WWW, RecordType.A),
    ],
    ids=["another value", "one more value", "another TTL", "deleted"],
)
def test_a_set_that_is_no_longer_what_was_read_is_a_conflict(manager, meanwhile):
    put(manager, WWW, RecordType.A, ONE)
    stale = manager.read(WWW, RecordType.A)
    put(manager, WWW, RecordType.A, *meanwhile.values, ttl=meanwhile.ttl)
    with pytest.raises(Conflict, match=r"www\.example\.test A is no longer what was read"):
        manager.commit([Change(stale, stale.record_set.holding([THREE]))])
    assert manager.read(WWW, RecordType.A).record_set == meanwhile


def test_a_set_that_was_created_meanwhile_is_a_conflict(manager):
    stale = manager.read(WWW, RecordType.A)
    put(manager, WWW, RecordType.A, ONE)
    with pytest.raises(Conflict, match="1 values with TTL 60 now, nothing then"):
        manager.commit([Change(stale, stale.record_set.holding([TWO], ttl=60))])
    assert values(manager) == (ONE,)


@pytest.mark.parametrize("stale_one", [0, 1])
def test_several_names_are_committed_together_or_not_at_all(manager, stale_one):
    names = [WWW, "_blocked." + WWW]
    snapshots = [manager.read(name, RecordType.TXT) for name in names]
    manager.commit([Change(before, before.record_set.holding(["first"], ttl=60)) for before in snapshots])
    snapshots = [manager.read(name, RecordType.TXT) for name in names]
    put(manager, names[stale_one], RecordType.TXT, "meanwhile")
    with pytest.raises(Conflict):
        manager.commit([Change(before, before.record_set.holding(["second"])) for before in snapshots])
    assert values(manager, names[stale_one], RecordType.TXT) == ("meanwhile",)
    assert values(manager, names[1 - stale_one], RecordType.TXT) == ("first",)


def test_one_set_twice_in_a_commit_is_rejected(manager):
    before = manager.read(WWW, RecordType.A)
    changes = [Change(before, before.record_set.holding([value], ttl=60)) for value in (ONE, TWO)]
    with pytest.raises(Rejected, match="twice in one commit"):
        manager.commit(changes)
    assert values(manager) == ()


# -- limits ------------------------------------------------------------------------------------------------


def test_more_values_than_declared_are_rejected(manager):
    most = local.CAPABILITIES.max_values
    texts = [f"text {number}" for number in range(most + 1)]
    put(manager, WWW, RecordType.TXT, *texts[:most])
    with pytest.raises(Rejected, match=rf"{most + 1} values; a record file takes {most} a set"):
        put(manager, WWW, RecordType.TXT, *texts)
    assert len(values(manager, type_=RecordType.TXT)) == most


def test_a_set_that_no_dns_message_could_hold_is_rejected(manager):
    # A TXT record of 1,000 octets takes 12 octets of header and a length octet for each string of up to 255.
    largest = (MAX_SET_OCTETS - 12) * 255 // 256
    put(manager, WWW, RecordType.TXT, "x" * largest)
    with pytest.raises(Rejected, match="octets long; a record file takes"):
        put(manager, WWW, RecordType.TXT, "x" * (largest + 2))
    assert values(manager, type_=RecordType.TXT) == ("x" * largest,)


# -- many writers ------------------------------------------------------------------------------------------

PRELUDE = """
import sys
from pathlib import Path
from dnslb import Change, Conflict, RecordType
from dnslb.builtin._local import LocalRecordManager

path, number = Path(sys.argv[1]), int(sys.argv[2])

def say(text):
    print(text, flush=True)
"""

WRITER = (
    PRELUDE
    + """
say("ready")
sys.stdin.readline()
manager = LocalRecordManager(path, timeout=60)

def update(name, type, next_values):
    while True:
        before = manager.read(name, type)
        try:
            return manager.commit([Change(before, before.record_set.holding(next_values(before.record_set), ttl=60))])
        except Conflict:
            pass

update("www.example.test", RecordType.A, lambda found: [*found.values, f"192.0.2.{number}"])
for _ in range(10):
    update("count.example.test", RecordType.TXT, lambda found: [str(int((*found.values, "0")[0]) + 1)])
"""
)


@contextlib.contextmanager
def child(script, *arguments, **options):
    """A Python process; killed in the end where it still runs."""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for(process, line):
    said = process.stdout.readline().strip()
    assert said == line, f"the child said {said!r} and {process.stderr.read()}"


def test_processes_that_write_at_once_into_a_file_that_is_not_there_yet_lose_nothing(path):
    with contextlib.ExitStack() as stack:
        writers = [stack.enter_context(child(WRITER, path, number)) for number in range(1, 9)]
        for writer in writers:
            wait_for(writer, "ready")
        assert not path.exists()
        for writer in writers:
            writer.stdin.write("go\n")
            writer.stdin.flush()
        for writer in writers:
            _, errors = writer.communicate(timeout=60)
            assert (writer.returncode, errors) == (0, "")
    manager = LocalRecordManager(path)
    assert values(manager) == tuple(f"192.0.2.{number}" for number in range(1, 9))
    assert values(manager, "count.example.test", RecordType.TXT) == ("80",)


def test_threads_that_share_a_manager_lose_nothing(manager):
    def add(number):
        while True:
            before = manager.read(WWW, RecordType.A)
            after = before.record_set.holding([*before.record_set.values, f"192.0.2.{number}"], ttl=60)
            with contextlib.suppress(Conflict):
                return manager.commit([Change(before, after)])

    threads = [threading.Thread(target=add, args=[number]) for number in range(1, 13)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(values(manager)) == 12


# -- crashes and locks -------------------------------------------------------------------------------------

CRASHER = """
import sys, time
from pathlib import Path
from dnslb.builtin._localfile import RecordFile, write
from dnslb.records import RecordSet, RecordType

connection = RecordFile(Path(sys.argv[1]), timeout=5).connect()
connection.execute("PRAGMA cache_size = 1")  # What is not committed goes to the disk all the same.
connection.execute("BEGIN IMMEDIATE")
write(connection, RecordSet("www.example.test", RecordType.A, ("192.0.2.66",), 60))
for number in range(100):
    write(connection, RecordSet(f"n{number}.example.test", RecordType.TXT, ("x" * 1000,), 60))
print("in the midst of it", flush=True)
time.sleep(60)
"""

PAIRS = (
    PRELUDE
    + """
manager = LocalRecordManager(path)
for number in range(number, number + 10_000):
    changes = []
    for name in ("one.example.test", "two.example.test"):
        before = manager.read(name, RecordType.TXT)
        changes.append(Change(before, before.record_set.holding([str(number)], ttl=60)))
    manager.commit(changes)
    say(number)
"""
)


def test_a_writer_killed_in_the_midst_of_a_transaction_leaves_the_file_as_it_was(manager, path):
    put(manager, WWW, RecordType.A, ONE)
    before = serial(path)
    with child(CRASHER, path) as writer:
        wait_for(writer, "in the midst of it")
        assert path.with_name("records.db-wal").stat().st_size > 100_000
        writer.send_signal(signal.SIGKILL)
        writer.wait()
    assert values(manager) == (ONE,)
    assert serial(path) == before
    put(manager, WWW, RecordType.A, TWO)
    assert values(manager) == (TWO,)


def test_commits_of_killed_writers_are_there_whole_or_not_at_all(manager, path):
    number = 1
    for _ in range(5):
        with child(PAIRS, path, number) as writer:
            said = [writer.stdout.readline() for _ in range(random.randrange(1, 30))]
            writer.send_signal(signal.SIGKILL)
            said += writer.stdout.readlines()
        acknowledged = int(said[-1])
        one, two = (values(manager, name, RecordType.TXT) for name in ("one.example.test", "two.example.test"))
        assert one == two
        found = int(one[0])
        assert acknowledged <= found <= acknowledged + 1
        number = found + 1


@contextlib.contextmanager
def locked(path):
    """While somebody else writes; a connection of its own is to SQLite as another process is."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("DELETE FROM record_sets")
        yield other


def test_a_reader_does_not_wait_for_a_writer(manager, path):
    put(manager, WWW, RecordType.A, ONE)
    with locked(path):
        assert values(manager) == (ONE,)


def test_a_writer_waits_for_another_one(path):
    manager = LocalRecordManager(path, timeout=60)
    with locked(path) as other:
        release = threading.Timer(0.2, other.execute, ["ROLLBACK"])
        release.start()
        put(manager, WWW, RecordType.A, ONE)
        release.join()
    assert values(manager) == (ONE,)


def test_a_writer_waits_no_longer_than_it_was_told_to(path):
    manager = LocalRecordManager(path, timeout=0.2)
    with locked(path):
        started = time.monotonic()
        with pytest.raises(Unavailable, match=r"records\.db is still locked by another process"):
            put(manager, WWW, RecordType.A, ONE)
        assert 0.19 < time.monotonic() - started < 4
    assert values(manager) == ()


def test_who_finds_a_file_that_is_just_being_made_waits_for_it(path):
    with contextlib.closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable, match="still locked"):
            LocalRecordManager(path, timeout=0.1)
        release = threading.Timer(0.2, other.execute, ["ROLLBACK"])
        release.start()
        put(LocalRecordManager(path, timeout=60), WWW, RecordType.A, ONE)
        release.join()


# -- disks that fail ---------------------------------------------------------------------------------------

FULL_DISK = (
    PRELUDE
    + """
import resource
from dnslb import OutcomeUnknown

manager = LocalRecordManager(path)
before = manager.read("www.example.test", RecordType.TXT)
resource.setrlimit(resource.RLIMIT_FSIZE, (number, number))
try:
    manager.commit([Change(before, before.record_set.holding(["x" * 50_000], ttl=60))])
except OutcomeUnknown as error:
    say(error)
"""
)


def test_a_disk_that_fails_during_a_commit_leaves_the_outcome_unknown(manager, path):
    put(manager, WWW, RecordType.TXT, "before")
    with child(FULL_DISK, path, 40_000) as writer:
        output, errors = writer.communicate(timeout=30)
    assert errors == ""
    assert f"{path} failed during a commit" in output
    assert "read again" in output
    assert values(manager, type_=RecordType.TXT) == ("before",)
    put(manager, WWW, RecordType.TXT, "after")


def test_a_full_disk_is_unavailable(manager, path):
    file = RecordFile(path, timeout=1)

    def fill_up():
        with file.open() as connection:
            connection.execute("PRAGMA max_page_count = 1")
            with file.transaction(connection):
                write(connection, RecordSet(WWW, RecordType.TXT, ("x" * 50_000,), 60))

    with pytest.raises(Unavailable, match="the disk is full"):
        fill_up()
    assert values(manager, type_=RecordType.TXT) == ()


# -- files that cannot be used -----------------------------------------------------------------------------


def refused(path):
    """What a manager says to the file: one line that names it."""
    with pytest.raises(Refused) as caught:
        LocalRecordManager(path)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return caught.value


def test_a_file_that_is_no_database_is_rejected_and_left_alone(path):
    path.write_text("fqdn: www.example.test\n" * 100)
    error = refused(path)
    assert isinstance(error, Rejected)
    assert "is not a SQLite file" in str(error)
    assert path.read_text() == "fqdn: www.example.test\n" * 100


def test_a_database_of_another_program_is_rejected_and_left_alone(path):
    with contextlib.closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE records (id INTEGER)")
    content = path.read_bytes()
    error = refused(path)
    assert isinstance(error, Rejected)
    assert "is a SQLite file of another program" in str(error)
    assert path.read_bytes() == content


def test_a_file_of_a_newer_version_is_rejected_with_the_next_step(manager, path):
    with contextlib.closing(sqlite3.connect(path)) as other:
        other.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    error = refused(path)
    assert isinstance(error, Rejected)
    assert f"version {SCHEMA_VERSION + 1} of the record file, and this dnslb knows version {SCHEMA_VERSION}" in str(
        error
    )
    assert "upgrade dnslb" in str(error)
    with pytest.raises(Rejected):
        manager.read(WWW, RecordType.A)


def test_a_relative_path_stays_where_it_was(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    manager = LocalRecordManager(Path("records.db"))
    monkeypatch.chdir("/")
    put(manager, WWW, RecordType.A, ONE)
    assert values(LocalRecordManager(tmp_path / "records.db")) == (ONE,)


def test_an_empty_file_is_made_a_record_file(path):
    path.touch()
    LocalRecordManager(path)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
        assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_missing_folder_is_said_to_be_missing(tmp_path):
    error = refused(tmp_path / "missing" / "records.db")
    assert isinstance(error, ZoneNotFound)
    assert "its folder is not there; make the folder" in str(error)


def test_a_folder_is_no_file(tmp_path):
    error = refused(tmp_path)
    assert isinstance(error, Rejected)
    assert "is a folder; name a file in it" in str(error)


def test_a_damaged_file_is_rejected(manager, path):
    put(manager, WWW, RecordType.TXT, "x" * 20_000)
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (path.stat().st_size - 4096))
    with pytest.raises(Rejected, match=r"records\.db is damaged"):
        manager.read(WWW, RecordType.TXT)


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ((60, '["192.0.2.300"]'), "192.0.2.300"),
        ((60, '["2001:db8::1"]'), "does not belong"),
        ((-1, '["192.0.2.1"]'), "TTL"),
        ((60, "192.0.2.1"), "Extra data"),
        ((60, "1"), "not iterable"),
    ],
)
def test_a_row_that_somebody_wrote_by_hand_and_wrongly_is_rejected_by_name(manager, path, row, complaint):
    with contextlib.closing(sqlite3.connect(path)) as other, other:
        other.execute("INSERT INTO record_sets VALUES (?, 'A', ?, ?)", (WWW, *row))
    with pytest.raises(Rejected, match=complaint) as caught:
        manager.read(WWW, RecordType.A)
    assert f"{path} has a row that is not a record set: {WWW} A" in str(caught.value)


@pytest.fixture
def folder():
    """A folder that every user may enter; pytest's own are closed to others."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


@contextlib.contextmanager
def unprivileged():
    """As a user whom permissions bind, which root is not."""
    own = os.geteuid()
    os.seteuid(own or 65534)
    try:
        yield
    finally:
        os.seteuid(own)


@pytest.mark.parametrize(
    ("file_mode", "folder_mode"), [(0o000, 0o755), (0o444, 0o555), (0o644, 0o000), (None, 0o555)], ids=str
)
def test_what_the_user_may_not_open_is_denied(folder, file_mode, folder_mode):
    path = folder / "records.db"
    if file_mode is not None:
        LocalRecordManager(path)
        path.chmod(file_mode)
    folder.chmod(folder_mode)
    with unprivileged():
        error = refused(path)
    assert isinstance(error, Denied)
    assert "give this user" in str(error)


def test_a_file_that_may_be_read_and_not_written_is_denied_to_a_commit(folder):
    path = folder / "records.db"
    put(LocalRecordManager(path), WWW, RecordType.A, ONE)
    with contextlib.closing(RecordFile(path, timeout=1).connect()) as kept_open:
        kept_open.execute("SELECT * FROM record_sets").fetchall()
        for file in folder.iterdir():
            file.chmod(0o444)
        folder.chmod(0o555)
        with unprivileged():
            manager = LocalRecordManager(path)
            assert values(manager) == (ONE,)
            with pytest.raises(Denied, match=r"records\.db may not be written; give this user write access"):
                put(manager, WWW, RecordType.A, TWO)
