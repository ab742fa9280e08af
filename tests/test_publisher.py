"""Compare-and-swap: conflicts are tried again on a fresh reading, and a lost reply is found out."""

import asyncio
import random

import pytest

from dnslb import (
    Conflict,
    Denied,
    OutcomeUnknown,
    Receipt,
    RecordSet,
    RecordType,
    Throttled,
    Unavailable,
)
from dnslb.publisher import ATTEMPTS, Publisher
from dnslb.records import Change
from dnslb.testing import MemoryZone

NAME = "www.example.test"
OWN, OTHER, THIRD = "10.0.0.1", "10.0.0.2", "10.0.0.3"


def holding(*values, ttl=60):
    return RecordSet(NAME, RecordType.A, values, ttl)


class Records:
    """A zone under asyncio that counts what it is asked."""

    def __init__(self, *values):
        self.zone = MemoryZone()
        self.reads = self.commits = 0
        if values:
            self.write(*values)

    def write(self, *values):
        """As somebody else would."""
        self.zone.commit([Change(self.zone.read(NAME, RecordType.A), holding(*values))])

    @property
    def values(self):
        return self.zone.read(NAME, RecordType.A).record_set.values

    async def read(self, name, type_):
        self.reads += 1
        return self.zone.read(name, type_)

    async def read_together(self, keys):
        return [await self.read(name, type_) for name, type_ in keys]

    async def commit(self, changes):
        self.commits += 1
        return self.zone.commit(changes)


class Pauses(list):
    async def __call__(self, seconds):
        self.append(seconds)


def adding(value, meanwhile=None):
    """A revision that adds `value`; `meanwhile` happens between the reading and the commit, each time."""

    def revise(snapshot):
        asked.append(snapshot.record_set.values)
        if meanwhile:
            meanwhile()
        if value in snapshot.record_set.values:
            return None
        return holding(*snapshot.record_set.values, value)

    asked = revise.asked = []
    return revise


def update(records, revise, pauses=None, chance=None):
    pauses = Pauses() if pauses is None else pauses
    return asyncio.run(Publisher(records, chance, pauses).update(NAME, RecordType.A, revise))


def once(action):
    waiting = [action]
    return lambda: waiting.pop()() if waiting else None


def test_a_revision_is_committed_against_what_was_read():
    records = Records(OTHER)
    publication = update(records, adding(OWN))
    assert publication.record_set == holding(OWN, OTHER)
    assert publication.changed
    assert publication.receipt == Receipt(2)
    assert records.values == (OWN, OTHER)


@pytest.mark.parametrize("revise", [lambda _: None, lambda snapshot: snapshot.record_set])
def test_nothing_is_written_where_nothing_is_to_change(revise):
    records = Records(OTHER)
    publication = update(records, revise)
    assert (publication.record_set, publication.changed, publication.receipt) == (holding(OTHER), False, None)
    assert (records.reads, records.commits) == (1, 0)


def test_another_ttl_alone_is_a_change():
    records = Records(OTHER)
    assert update(records, lambda snapshot: snapshot.record_set.holding([OTHER], ttl=5)).changed
    assert records.zone.read(NAME, RecordType.A).record_set == holding(OTHER, ttl=5)


def test_what_was_read_already_is_not_read_again():
    records = Records(OTHER)
    snapshot = records.zone.read(NAME, RecordType.A)
    publication = asyncio.run(Publisher(records).publish(snapshot, adding(OWN)))
    assert publication.changed
    assert records.reads == 0


# -- conflicts ---------------------------------------------------------------------------------------------


def test_after_a_conflict_the_revision_is_asked_again_on_what_the_other_left():
    records, pauses = Records(OTHER), Pauses()
    revise = adding(OWN, meanwhile=once(lambda: records.write(OTHER, THIRD)))
    publication = update(records, revise, pauses)
    assert revise.asked == [(OTHER,), (OTHER, THIRD)]
    assert publication.record_set.values == records.values == (OWN, OTHER, THIRD)
    assert (records.reads, records.commits, len(pauses)) == (2, 2, 1)


def test_after_a_conflict_there_may_be_nothing_left_to_do():
    records = Records(OTHER)
    publication = update(records, adding(OWN, meanwhile=once(lambda: records.write(OTHER, OWN))))
    assert (publication.changed, publication.receipt) == (False, None)
    assert publication.record_set == holding(OWN, OTHER)
    assert records.commits == 1


def test_it_gives_up_when_others_keep_changing_the_set_and_nothing_of_its_own_is_in_it():
    records, pauses = Records(OTHER), Pauses()
    states = iter([(OTHER, THIRD), (OTHER,)] * ATTEMPTS)
    revise = adding(OWN, meanwhile=lambda: records.write(*next(states)))
    with pytest.raises(
        Conflict, match=rf"www\.example\.test A: others changed it during {ATTEMPTS} attempts"
    ) as caught:
        update(records, revise, pauses)
    assert isinstance(caught.value.__cause__, Conflict)
    assert len(revise.asked) == records.commits == ATTEMPTS
    assert len(pauses) == ATTEMPTS - 1
    assert OWN not in records.values


def conflicts(seed):
    """The pauses of a publisher that meets nothing but conflicts."""
    records, pauses = Records(OTHER), Pauses()
    records.zone.fail_commits(Conflict("again"), ATTEMPTS)
    with pytest.raises(Conflict):
        update(records, adding(OWN), pauses, random.Random(seed))
    return pauses


def test_the_pauses_are_random_grow_and_are_bounded():
    many = [conflicts(seed) for seed in range(200)]
    for attempt in range(ATTEMPTS - 1):
        drawn = sorted(pauses[attempt] for pauses in many)
        bound = 0.5 * 2**attempt
        assert 0 <= drawn[0] < bound / 4
        assert bound * 3 / 4 < drawn[-1] <= bound
    assert len({tuple(pauses) for pauses in many}) == len(many)
    assert max(map(sum, many)) <= 16


def test_two_publishers_do_not_share_their_chance():
    first, second = (Publisher(Records())._chance.random() for _ in range(2))
    assert first != second


# -- lost replies ------------------------------------------------------------------------------------------


def test_a_lost_reply_of_a_commit_that_landed_counts_as_written():
    records, pauses = Records(OTHER), Pauses()
    records.zone.fail_commits(OutcomeUnknown("lost"), applied=True)
    revise = adding(OWN)
    publication = update(records, revise, pauses)
    assert (publication.changed, publication.receipt) == (True, None)
    assert publication.record_set == holding(OWN, OTHER)
    assert (records.commits, len(revise.asked), len(pauses)) == (1, 1, 1)


def test_a_lost_reply_of_a_commit_that_did_not_land_is_written_again():
    records = Records(OTHER)
    records.zone.fail_commits(OutcomeUnknown("lost"))
    publication = update(records, adding(OWN))
    assert publication.changed
    assert publication.receipt is not None
    assert records.values == (OWN, OTHER)
    assert records.commits == 2


@pytest.mark.parametrize(
    ("left", "values", "changed"),
    [
        ((OWN, OTHER, THIRD), (OWN, OTHER, THIRD), False),
        ((OTHER, THIRD), (OWN, OTHER, THIRD), True),
    ],
    ids=["and it is still in", "and it was taken out"],
)
def test_a_commit_that_landed_and_was_changed_by_another_since_is_decided_anew(left, values, changed):
    records = Records(OTHER)
    records.zone.fail_commits(OutcomeUnknown("lost"), applied=True)
    real = records.commit

    async def commit(changes):
        try:
            return await real(changes)
        except OutcomeUnknown:
            records.write(*left)
            raise

    records.commit = commit
    revise = adding(OWN)
    publication = update(records, revise)
    assert revise.asked == [(OTHER,), left]
    assert publication.changed is changed
    assert publication.record_set.values == records.values == values


def test_a_provider_that_kept_another_ttl_has_applied_the_commit_all_the_same():
    records = Records(OTHER)

    def revise(snapshot):
        records.zone.commit([Change(snapshot, holding(OTHER, OWN, ttl=300))])
        records.zone.fail_commits(OutcomeUnknown("lost"))
        return holding(OTHER, OWN, ttl=60)

    publication = update(records, revise)
    assert publication.changed
    assert publication.record_set == holding(OWN, OTHER, ttl=300)
    assert records.commits == 1


def test_replies_that_keep_being_lost_are_no_conflict():
    records = Records(OTHER)
    records.zone.fail_commits(OutcomeUnknown("lost"), ATTEMPTS)
    with pytest.raises(Unavailable, match=rf"no reply to the last of {ATTEMPTS} commits, and it was not applied"):
        update(records, adding(OWN))
    assert records.commits == ATTEMPTS
    assert records.values == (OTHER,)


# -- other trouble -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [Unavailable("down"), Throttled("slow down", 7.0), Denied("no")])
def test_other_errors_are_not_tried_again_here(error):
    records = Records(OTHER)
    records.zone.fail_commits(error)
    with pytest.raises(type(error)) as caught:
        update(records, adding(OWN))
    assert caught.value is error
    assert records.commits == 1


@pytest.mark.parametrize("first", [Conflict("again"), OutcomeUnknown("lost")])
def test_a_reading_that_fails_after_a_conflict_or_a_lost_reply_is_what_the_caller_hears_of(first):
    records = Records(OTHER)
    records.zone.fail_commits(first)
    revise = adding(OWN, meanwhile=once(lambda: records.zone.fail_reads(Unavailable("down"))))
    with pytest.raises(Unavailable, match="down"):
        update(records, revise)


def test_what_the_revision_raises_ends_it_before_anything_is_written():
    records = Records(OTHER)

    def revise(_):
        raise RuntimeError("a mistake")

    with pytest.raises(RuntimeError, match="a mistake"):
        update(records, revise)
    assert records.commits == 0


# -- several record sets at once ---------------------------------------------------------------------------

LEASE = "_blocked.www.example.test"
KEYS = [(LEASE, RecordType.TXT), (NAME, RecordType.A)]


def claiming(token, *values):
    """Writes the token to the one set and the values to the other."""

    def revise(snapshots):
        asked.append(tuple(snapshot.record_set.values for snapshot in snapshots))
        lease, other = (snapshot.record_set for snapshot in snapshots)
        return lease.holding([token], ttl=60), other.holding(values, ttl=60)

    asked = revise.asked = []
    return revise


def update_together(records, revise):
    return asyncio.run(Publisher(records, sleep=Pauses()).update_together(KEYS, revise))


def test_several_record_sets_change_in_one_commit():
    records = Records(OTHER)
    lease, other = update_together(records, claiming("Hold=1", OWN, OTHER))
    assert (lease.record_set.values, other.record_set.values) == (("Hold=1",), (OWN, OTHER))
    assert lease.changed
    assert other.changed
    assert records.values == (OWN, OTHER)
    assert records.commits == 1


def test_what_stays_as_it_is_takes_no_part_in_the_commit():
    records = Records(OTHER)
    records.zone.commit([Change(records.zone.read(NAME, RecordType.A), holding(OTHER, ttl=60))])
    lease, other = update_together(records, claiming("Hold=1", OTHER))
    assert (lease.changed, other.changed, other.receipt) == (True, False, None)
    assert [change.after.name for change in records.zone.commits[-1]] == [LEASE]


def test_a_conflict_about_one_of_them_applies_none_and_all_are_read_again():
    records = Records(OTHER)
    revise = claiming("Hold=1", OWN)
    meanwhile = once(lambda: records.write(OTHER, THIRD))

    def overtaken(snapshots):
        wanted = revise(snapshots)
        meanwhile()
        return wanted

    update_together(records, overtaken)
    assert revise.asked == [((), (OTHER,)), ((), (OTHER, THIRD))]
    assert records.values == (OWN,)


@pytest.mark.parametrize("applied", [False, True])
def test_a_lost_reply_about_several_is_found_out_by_reading_all_of_them(applied):
    records = Records(OTHER)
    records.zone.fail_commits(OutcomeUnknown("lost"), applied=applied)
    lease, other = update_together(records, claiming("Hold=1", OWN))
    assert lease.changed
    assert other.changed
    assert records.values == (OWN,)
    assert records.commits == (1 if applied else 2)


def test_nothing_is_written_where_none_of_them_is_to_change():
    records = Records(OTHER)
    assert [publication.changed for publication in update_together(records, lambda _: None)] == [False, False]
    assert records.commits == 0
