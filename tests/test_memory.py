"""The record manager in memory fails as it is told to; that it keeps the contract is the conformance kit's to say."""

import pytest

from dnslb import Change, Conflict, OutcomeUnknown, RecordManager, RecordType, Throttled, Unavailable
from dnslb.testing import MemoryRecordManager, MemoryZone

NAME = "www.ex.test"


@pytest.fixture
def zone():
    return MemoryZone()


@pytest.fixture
def manager(zone):
    return MemoryRecordManager(zone)


def change(manager, *values):
    before = manager.read(NAME, RecordType.A)
    return Change(before, before.record_set.holding(values, ttl=60))


def values(manager):
    return manager.read(NAME, RecordType.A).record_set.values


def test_it_is_a_record_manager(manager):
    assert isinstance(manager, RecordManager)


def test_reads_fail_as_often_as_they_are_told_to(zone, manager):
    zone.fail_reads(Throttled("slow down", retry_after=2.0), times=2)
    for _ in range(2):
        with pytest.raises(Throttled) as caught:
            manager.read(NAME, RecordType.A)
        assert caught.value.retry_after == 2.0
    assert values(manager) == ()


def test_a_commit_can_fail_without_being_applied(zone, manager):
    wanted = change(manager, "192.0.2.1")
    zone.fail_commits(Unavailable("down"))
    with pytest.raises(Unavailable):
        manager.commit([wanted])
    assert values(manager) == ()
    manager.commit([wanted])
    assert values(manager) == ("192.0.2.1",)


def test_a_commit_can_be_applied_and_its_reply_be_lost(zone, manager):
    wanted = change(manager, "192.0.2.1")
    zone.fail_commits(OutcomeUnknown("no reply"), applied=True)
    with pytest.raises(OutcomeUnknown):
        manager.commit([wanted])
    assert values(manager) == ("192.0.2.1",)
    with pytest.raises(Conflict):
        manager.commit([wanted])


def test_a_reply_cannot_be_lost_to_a_commit_that_is_a_conflict(zone, manager):
    stale = change(manager, "192.0.2.1")
    manager.commit([change(manager, "192.0.2.2")])
    zone.fail_commits(OutcomeUnknown("no reply"), applied=True)
    with pytest.raises(Conflict):
        manager.commit([stale])


def test_failures_come_in_the_order_in_which_they_were_asked_for(zone, manager):
    zone.fail_reads(Unavailable("first"))
    zone.fail_reads(Throttled("second"))
    with pytest.raises(Unavailable, match="first"):
        manager.read(NAME, RecordType.A)
    with pytest.raises(Throttled, match="second"):
        manager.read(NAME, RecordType.A)


def test_it_remembers_what_was_committed(zone, manager):
    first = change(manager, "192.0.2.1")
    manager.commit([first])
    second = change(manager, "192.0.2.1", "192.0.2.2")
    manager.commit([second])
    assert zone.commits == [(first,), (second,)]
