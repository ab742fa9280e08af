"""The block record: what its text means, how long it is in force, and who may change it."""

import math
from ipaddress import ip_address

import pytest

from dnslb.decision.blockrecord import BlockRecord, Illegible, block_name, parse, written
from dnslb.decision.leases import (
    GRACE,
    LONGEST,
    LONGEST_ILLEGIBLE,
    Claim,
    Refusal,
    acquire,
    act_until,
    holder,
    holds,
    release,
    renew,
    watched,
)
from dnslb.records import RecordSet, RecordType

from world import WALL

NAME = "www.example.com"
SEVEN, EIGHT, SIX = ip_address("10.0.0.7"), ip_address("10.0.0.8"), ip_address("fd00::6")
TEN_MINUTES = 600.0

# As the page about the reference gives it; WALL is 03:00:00 of that day.
OF_THE_GO_PACKAGE = (
    "IP=10.0.0.7",
    "IpExpires=2026-01-02T03:04:05Z",
    "OwnerId=9f86d081",
    "OwnerExpires=2026-01-02T03:07:05Z",
)
EXPIRES = WALL + 245


def record_set(*values):
    return RecordSet(block_name(NAME), RecordType.TXT, values, 60)


def first_seen(*values, at=0.0):
    return watched(None, record_set(*values), at)


def replaced(values, **changes):
    """The values with those of some keys replaced, or left out where None."""
    kept = [value for value in values if value.partition("=")[0] not in changes]
    return (*kept, *(f"{key}={value}" for key, value in changes.items() if value is not None))


def claim(owner="one", **changes):
    return Claim(NAME, owner, **changes)


# -- the text ----------------------------------------------------------------------------------------------


def test_a_record_of_the_go_package_is_read():
    assert parse(OF_THE_GO_PACKAGE) == BlockRecord("9f86d081", WALL + 425, frozenset({SEVEN}), EXPIRES)


def test_a_lock_that_blocks_nobody_is_read():
    assert parse(replaced(OF_THE_GO_PACKAGE, IP=None, IpExpires=None)) == BlockRecord("9f86d081", WALL + 425)


def test_keys_that_nobody_knows_are_passed_over():
    assert parse((*OF_THE_GO_PACKAGE, "Colour=green", "Colour=red", "IPv9=?")) == parse(OF_THE_GO_PACKAGE)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-01-02T03:04:05Z", 245),
        ("2026-01-02T05:04:05+02:00", 245),
        ("2026-01-01T22:34:05-04:30", 245),
        ("2026-01-02T03:04:05.123456789Z", 245.123456),
    ],
)
def test_times_are_those_of_rfc_3339_with_any_offset(text, seconds):
    assert parse(replaced(OF_THE_GO_PACKAGE, IpExpires=text)).addresses_expire == pytest.approx(
        WALL + seconds, abs=1e-5
    )


def test_no_records_are_no_record():
    assert parse(()) is None


@pytest.mark.parametrize(
    "values",
    [
        ("",),
        ("v=spf1 -all",),
        ("no key and no value",),
        OF_THE_GO_PACKAGE[:1],
        (*OF_THE_GO_PACKAGE, "Note=a=b"),
        (*OF_THE_GO_PACKAGE, "a word"),
        (*OF_THE_GO_PACKAGE, "OwnerId=another"),
        replaced(OF_THE_GO_PACKAGE, OwnerId=None),
        replaced(OF_THE_GO_PACKAGE, OwnerId=""),
        replaced(OF_THE_GO_PACKAGE, OwnerExpires=None),
        replaced(OF_THE_GO_PACKAGE, OwnerExpires="tomorrow"),
        replaced(OF_THE_GO_PACKAGE, OwnerExpires="2026-02-30T00:00:00Z"),
        replaced(OF_THE_GO_PACKAGE, OwnerExpires="2026-01-02T03:07:05"),
        replaced(OF_THE_GO_PACKAGE, OwnerExpires="20260102T030705Z"),
        replaced(OF_THE_GO_PACKAGE, IP=None),
        replaced(OF_THE_GO_PACKAGE, IpExpires=None),
        replaced(OF_THE_GO_PACKAGE, Dur="soon"),
        replaced(OF_THE_GO_PACKAGE, Dur="-1"),
        replaced(OF_THE_GO_PACKAGE, Fence="٣"),
        replaced(OF_THE_GO_PACKAGE, Fence="9" * 5000),
        replaced(OF_THE_GO_PACKAGE, Started="today"),
        replaced(OF_THE_GO_PACKAGE, IP="10.0.0.7\x00"),
    ],
)
def test_what_is_not_a_block_record_as_a_whole_is_illegible(values):
    assert isinstance(parse(values), Illegible)


@pytest.mark.parametrize(
    ("values", "meant"),
    [
        (replaced(OF_THE_GO_PACKAGE, OwnerId=None), frozenset({SEVEN})),
        (("IP=10.0.0.7", "IP=10.0.0.8"), frozenset({SEVEN, EIGHT})),
        (("IP=10.0.0.7", "IP=ten"), None),
        (("v=spf1 -all",), None),
        (replaced(OF_THE_GO_PACKAGE, IP=None), None),
    ],
)
def test_an_illegible_record_means_the_addresses_in_it_or_everybody(values, meant):
    assert parse(values) == Illegible(meant)


def test_a_record_can_say_all_it_knows_and_is_read_as_it_was_written():
    record = BlockRecord(
        owner="6f1ed002ab5595859014ebf0951522d9",
        owner_expires=EXPIRES,
        addresses=frozenset({SEVEN, EIGHT, SIX}),
        addresses_expire=EXPIRES,
        fence=17,
        duration=180,
        operation="rolling-replace eu-west-1",
        started=WALL,
        phase="wait for the replacement",
        ttl=300,
    )
    text = written(record, NAME)
    assert text.name == "_blocked.www.example.com"
    assert text.type is RecordType.TXT
    assert set(text.values) == {
        "IP=10.0.0.7",
        "IP=10.0.0.8",
        "IP=fd00::6",
        "IpExpires=2026-01-02T03:04:05Z",
        "OwnerId=6f1ed002ab5595859014ebf0951522d9",
        "OwnerExpires=2026-01-02T03:04:05Z",
        "Fence=17",
        "Dur=180",
        "Op=rolling-replace eu-west-1",
        "Started=2026-01-02T03:00:00Z",
        "Phase=wait for the replacement",
        "Ttl=300",
    }
    assert parse(text.values) == record


def test_times_are_rounded_away_from_too_early():
    assert "OwnerExpires=2026-01-02T03:00:01Z" in written(BlockRecord("one", WALL + 0.2), NAME).values


@pytest.mark.parametrize("text", ["a=b", "two\nlines", "x" * 121, "é" * 120 + "x", "\x1b[31m"])
@pytest.mark.parametrize("field", ["owner", "operation", "phase"])
def test_what_cannot_stand_in_a_block_record_is_refused_before_anything_is_held(field, text):
    with pytest.raises(ValueError, match="cannot stand in a block record"):
        claim(**{"owner": "one", field: text})


def test_a_claim_needs_an_owner_and_a_duration_within_bounds():
    with pytest.raises(ValueError, match="OwnerId"):
        claim("")
    for duration in (9, 301):
        with pytest.raises(ValueError, match=f"a lease of {duration} s is not between 10 and 300 s"):
            claim(duration=duration)


# -- how long it is in force ---------------------------------------------------------------------------------


def blocked_until(values, wall=WALL, now=0.0, address=SEVEN):
    """Until when a record that was first seen at 0 blocks the address, if looked at `now`; -inf if it does not."""
    hold = holds(first_seen(*values), now, wall)
    return hold.blocked_until if hold.blocks(address, now) else -math.inf


OURS = claim(duration=180, addresses=frozenset({SEVEN})).record_set(fence=4, wall=WALL).values


def test_no_record_holds_nothing():
    hold = holds(first_seen(), 0.0, WALL)
    assert hold.free_at == -math.inf
    assert not hold.blocks(SEVEN, 0.0)


def test_a_record_blocks_the_addresses_in_it_and_no_others():
    hold = holds(first_seen(*OURS), 0.0, WALL)
    assert hold.owner == "one"
    assert hold.blocks(SEVEN, 0.0)
    assert not hold.blocks(EIGHT, 0.0)


def test_with_clocks_that_agree_it_is_over_half_a_minute_past_its_time():
    assert blocked_until(OURS) == 180 + GRACE


@pytest.mark.parametrize("late", [0.0, 180.0, TEN_MINUTES, 86400.0])
def test_a_wall_clock_that_is_ahead_ends_nothing_before_it_was_unchanged_for_its_duration(late):
    assert blocked_until(OURS, WALL + late) == (180 + GRACE if late == 0 else 180)


def test_a_wall_clock_that_is_behind_keeps_it_no_longer_than_seven_minutes():
    assert blocked_until(OURS, WALL - TEN_MINUTES) == LONGEST == 420


def test_every_change_starts_the_time_anew():
    view = first_seen(*OURS)
    again = watched(view, record_set(*OURS), 100.0)
    assert again.since == 0.0
    renewed = claim(addresses=frozenset({SEVEN})).record_set(fence=5, wall=WALL)
    assert watched(again, renewed, 100.0).since == 100.0


@pytest.mark.parametrize(
    ("values", "lock", "block"),
    [
        # The two times are three TTLs apart: an address is given two of them, the owner five.
        (OF_THE_GO_PACKAGE, 300, 120),
        (replaced(OF_THE_GO_PACKAGE, IpExpires="2026-01-02T03:04:05Z", OwnerExpires="2026-01-02T03:04:20Z"), 25, 10),
        (replaced(OF_THE_GO_PACKAGE, OwnerExpires="2026-01-02T06:04:05Z"), LONGEST, LONGEST),
        # Nothing to measure by: the minute on which `block` counts.
        (replaced(OF_THE_GO_PACKAGE, OwnerExpires="2026-01-02T03:04:05Z"), 300, 120),
        (replaced(OF_THE_GO_PACKAGE, OwnerExpires="2026-01-02T03:04:00Z"), 300, 120),
    ],
)
def test_how_long_a_write_of_the_go_package_is_good_shows_in_its_two_times(values, lock, block):
    hold = holds(first_seen(*values), 0.0, EXPIRES + 86400)
    assert hold.locked_until == pytest.approx(lock)
    assert hold.blocked_until == pytest.approx(block)


def test_a_lock_of_the_go_package_that_blocks_nobody_counts_as_renewed_every_minute():
    values = replaced(OF_THE_GO_PACKAGE, IP=None, IpExpires=None)
    hold = holds(first_seen(*values), 0.0, EXPIRES + 86400)
    assert hold.locked_until == 300
    assert hold.addresses == frozenset()


def test_a_record_of_the_go_package_that_is_renewed_blocks_however_wrong_the_clock_is():
    view, ahead = first_seen(*OF_THE_GO_PACKAGE), WALL + TEN_MINUTES
    for minute in range(1, 10):
        now = 60.0 * minute
        assert holds(view, now, ahead + now).blocks(SEVEN, now)
        renewed = replaced(
            OF_THE_GO_PACKAGE,
            IpExpires=f"2026-01-02T03:{minute + 4:02}:05Z",
            OwnerExpires=f"2026-01-02T03:{minute + 7:02}:05Z",
        )
        view = watched(view, record_set(*renewed), now)


def test_what_cannot_be_read_is_held_for_ten_minutes_and_blocks_everybody():
    view = first_seen("v=spf1 -all")
    hold = holds(view, 0.0, WALL)
    assert hold.free_at == LONGEST_ILLEGIBLE == 600
    assert hold.blocks(SEVEN, 599.0)
    assert hold.blocks(SIX, 599.0)
    assert not hold.blocks(SEVEN, 600.0)


def test_what_cannot_be_read_but_for_its_address_blocks_that_one():
    hold = holds(first_seen(*replaced(OF_THE_GO_PACKAGE, OwnerExpires="later")), 0.0, WALL)
    assert hold.blocks(SEVEN, 0.0)
    assert not hold.blocks(EIGHT, 0.0)


# -- who may change it ---------------------------------------------------------------------------------------


def test_a_free_lease_is_acquired():
    wanted = acquire(first_seen(), claim(addresses=frozenset({SEVEN}), operation="block"), 0.0, WALL)
    assert parse(wanted.values) == BlockRecord(
        "one", WALL + 180, frozenset({SEVEN}), WALL + 180, fence=1, duration=180, operation="block"
    )


def test_a_lease_that_is_held_is_not_acquired_before_it_is_free():
    view = first_seen(*OURS)
    refusal = acquire(view, claim("two"), 0.0, WALL)
    assert refusal == Refusal("owner one holds the lease, for 210 s unless renewed", 210.0)
    assert isinstance(acquire(view, claim("two"), 209.9, WALL + 209.9), Refusal)
    assert parse(acquire(view, claim("two"), 210.0, WALL + 210).values).owner == "two"


def test_a_lock_is_not_taken_while_the_address_in_it_is_still_blocked():
    values = replaced(OF_THE_GO_PACKAGE, OwnerExpires="2026-01-02T03:00:00Z", IpExpires="2026-01-02T03:05:00Z")
    assert acquire(first_seen(*values), claim(), 301.0, WALL + 301).until == pytest.approx(330)


def test_whoever_takes_over_goes_on_counting():
    taken = acquire(first_seen(*OURS), claim("two"), 500.0, WALL + 500)
    assert parse(taken.values).fence == 5
    most = replaced(OURS, Fence="9" * 15)
    assert parse(acquire(first_seen(*most), claim("two"), 500.0, WALL + 500).values).fence == 0


def test_what_cannot_be_read_is_taken_over_after_ten_minutes_only():
    view = first_seen("v=spf1 -all")
    refusal = acquire(view, claim(), 599.0, WALL)
    assert refusal.until == 600
    assert "a block record that cannot be read" in refusal.reason
    assert parse(acquire(view, claim(), 600.0, WALL).values).owner == "one"


def test_ones_own_lease_may_be_acquired_again_since_an_earlier_try_may_have_landed():
    assert parse(acquire(first_seen(*OURS), claim(), 0.0, WALL).values).fence == 5


def test_every_renewal_is_another_text_even_if_the_clock_stands_still():
    first = claim().record_set(1, WALL)
    second = renew(first, claim(), WALL)
    assert second.values != first.values
    assert parse(second.values).fence == 2


def test_a_renewal_says_what_the_claim_says_now():
    moved = claim(addresses=frozenset({EIGHT}), phase="waiting")
    assert parse(renew(record_set(*OURS), moved, WALL).values).addresses == {EIGHT}


@pytest.mark.parametrize("values", [(), OF_THE_GO_PACKAGE, ("garbage",)])
def test_a_lease_that_is_gone_is_not_renewed(values):
    refusal = renew(record_set(*values), claim(), WALL)
    assert refusal.reason == f"the lease is gone: {holder(record_set(*values))} holds it now"
    assert refusal.until == math.inf


def test_ones_own_lease_is_released_by_deleting_it():
    assert release(record_set(*OURS), "one") == RecordSet(block_name(NAME), RecordType.TXT)


def test_releasing_what_is_gone_already_changes_nothing():
    assert release(record_set(), "one") == record_set()


@pytest.mark.parametrize("values", [OURS, OF_THE_GO_PACKAGE, ("garbage",), replaced(OURS, OwnerId="one ")])
def test_what_is_not_ones_own_is_never_deleted(values):
    assert isinstance(release(record_set(*values), "somebody else"), Refusal)


def test_a_holder_stops_at_half_of_the_duration_after_it_sent_its_renewal():
    assert act_until(sent=100.0, duration=180.0) == 190.0
