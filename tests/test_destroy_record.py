"""The text of the destroy record, and what a reader knows of it."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnslb.decision.destroyrecord import Stage, destroy_name, new_line, parse, rewritten, watched_intents
from dnslb.records import RecordSet, RecordType
from dnslb.txt import MAX_STRING

from world import WALL

NAME = destroy_name("www.example.test")
SEVEN, ONE = ipaddress.ip_address("10.0.0.7"), ipaddress.ip_address("10.0.0.1")
LINE = new_line(SEVEN, Stage.INTENT, ONE, "9f86d081", WALL + 610)
TEXT = "IP=10.0.0.7 Stage=intent By=10.0.0.1 Until=2026-01-02T03:10:10Z Token=9f86d081"

addresses = st.ip_addresses()
tokens = st.text("0123456789abcdef", min_size=8, max_size=64)


def record(*values: str) -> RecordSet:
    return RecordSet(NAME, RecordType.TXT, values, 60)


def test_a_line_is_written_for_people_and_for_agents():
    assert LINE.text == TEXT
    assert parse(TEXT) == LINE


@given(addresses, st.sampled_from(Stage), addresses, tokens, st.floats(0, 4e9))
def test_every_line_that_is_written_is_read_as_it_was_meant_and_fits_into_one_string(about, stage, by, token, until):
    line = new_line(about, stage, by, token, until)
    found = parse(line.text)
    assert (found.address, found.stage, found.by, found.token) == (about, stage, by, token)
    assert len(line.text.encode()) <= MAX_STRING


@given(st.one_of(st.text(), st.binary().map(lambda octets: octets.decode("utf-8", "surrogateescape"))))
def test_whatever_stands_in_the_record_is_read_without_an_exception(value):
    assert watched_intents(None, record(value), 0.0).is_legible == (parse(value) is not None)


def test_keys_of_a_later_version_are_passed_over():
    later = parse(f"{TEXT} Instance=i-0123")
    assert (later.address, later.stage) == (SEVEN, Stage.INTENT)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "v=spf1 -all",
        TEXT.replace("IP=10.0.0.7", "IP=10.0.0.777"),
        TEXT.replace("IP=10.0.0.7", "IP=fe80::1%eth0"),
        TEXT.replace("Stage=intent", "Stage=done"),
        TEXT.replace("By=10.0.0.1 ", ""),
        TEXT.replace("9f86d081", "9F86D081"),
        TEXT.replace("9f86d081", "9f86"),
        TEXT.replace("9f86d081", "9f86d08\u0661"),
        TEXT.replace(" ", "  "),
        TEXT + " IP=10.0.0.8",
        TEXT + " loose",
    ],
)
def test_a_line_that_makes_no_sense_is_none(value):
    assert parse(value) is None


def test_a_change_leaves_all_other_lines_as_they_stand():
    veto = new_line(SEVEN, Stage.VETOED, SEVEN, LINE.token, WALL)
    other = f"By=10.0.0.2 IP=10.0.0.8 New=1 Stage=destroyed Token={'0' * 8}"
    after = rewritten(record(TEXT, other, "v=spf1 -all"), [LINE], [veto])
    assert set(after.values) == {veto.text, other, "v=spf1 -all"}


def test_a_line_is_as_old_as_its_text_and_its_token_as_old_as_the_first_line_with_it():
    view = watched_intents(None, record(TEXT), 100.0)
    view = watched_intents(view, record(TEXT), 160.0)
    assert [(sighting.since, sighting.known_since) for sighting in view.sightings] == [(100.0, 100.0)]
    executing = new_line(SEVEN, Stage.EXECUTING, ONE, LINE.token, WALL)
    view = watched_intents(view, record(executing.text), 200.0)
    assert [(sighting.since, sighting.known_since) for sighting in view.sightings] == [(200.0, 100.0)]


def test_a_line_that_was_away_begins_anew():
    view = watched_intents(None, record(TEXT), 100.0)
    view = watched_intents(view, record(), 160.0)
    view = watched_intents(view, record(TEXT), 200.0)
    assert [(sighting.since, sighting.known_since) for sighting in view.sightings] == [(200.0, 200.0)]
