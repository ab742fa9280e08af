"""One line an event: readable on a terminal, JSON elsewhere, and nothing that came from DNS can forge a line."""

import io
import json
import logging
import re
import sys
from datetime import datetime
from ipaddress import ip_address

import pytest

from dnslb.decision import Reason, Why
from dnslb.log import LOGGER, Lasting, reason_parts, say, set_up
from dnslb.text import printable

HOSTILE = "www\n12:00:00 warning: forged\r\x1b[2J\u2028\u202e\x00\udcff"


@pytest.fixture(autouse=True)
def logger_as_it_was():
    before = LOGGER.handlers[:], LOGGER.level, LOGGER.propagate
    yield
    LOGGER.handlers[:], LOGGER.level, LOGGER.propagate = before


class Terminal(io.StringIO):
    def isatty(self):
        return True


def logged(act, form="text", level=logging.INFO, stream=None):
    stream = stream or io.StringIO()
    set_up(stream, form=form, level=level)
    act()
    return stream.getvalue()


def test_an_event_is_one_line_for_people():
    text = logged(lambda: say(logging.WARNING, "evicted", "a.test A: 10.0.0.7 failed", address="10.0.0.7"))
    assert re.fullmatch(r"\d\d:\d\d:\d\d warning: a\.test A: 10\.0\.0\.7 failed\n", text)


def test_what_is_no_trouble_needs_no_level():
    text = logged(lambda: say(logging.INFO, "started", "a.test: started"))
    assert re.fullmatch(r"\d\d:\d\d:\d\d a\.test: started\n", text)


def test_an_event_is_one_json_object_for_programs():
    text = logged(lambda: say(logging.ERROR, "evicted", "10.0.0.7 failed", failures=3, seconds=5.5), form="json")
    assert text.count("\n") == 1
    entry = json.loads(text)
    assert datetime.fromisoformat(entry.pop("time")).tzinfo is not None
    assert entry == {"level": "error", "message": "10.0.0.7 failed", "event": "evicted", "failures": 3, "seconds": 5.5}


def test_what_json_does_not_know_is_written_as_text():
    text = logged(lambda: say(logging.INFO, "x", "x", address=ip_address("fd00::7")), form="json")
    assert json.loads(text)["address"] == "fd00::7"


def test_a_reason_is_told_by_its_parts():
    reason = Reason.of(Why.DOWN, ip_address("10.0.0.7"), failures=3, seconds=5.0, detail="connection refused")
    text = logged(lambda: say(logging.WARNING, "evicted", str(reason), **reason_parts(reason)), form="json")
    entry = json.loads(text)
    assert entry["message"] == "10.0.0.7 failed 3 probes over 5.0 s: connection refused"
    assert (entry["address"], entry["why"], entry["failures"]) == ("10.0.0.7", "down", 3)


@pytest.mark.parametrize("why", Why)
def test_no_number_of_a_reason_takes_the_place_of_what_every_event_has(why):
    numbers = dict.fromkeys(re.findall(r"{(\w+)", why.value), 1)
    assert not set(numbers) & {"time", "level", "message", "event", "traceback", "address", "why", "service", "type"}


@pytest.mark.parametrize(
    ("form", "stream", "is_json"),
    [
        ("auto", Terminal(), False),
        ("auto", io.StringIO(), True),
        ("json", Terminal(), True),
        ("text", io.StringIO(), False),
    ],
)
def test_it_is_readable_on_a_terminal_and_json_elsewhere_unless_it_is_told(form, stream, is_json):
    text = logged(lambda: say(logging.INFO, "x", "said"), form=form, stream=stream)
    assert text.startswith("{") is is_json


def test_what_changes_nothing_is_told_only_where_it_is_asked_for():
    assert logged(lambda: say(logging.DEBUG, "x", "said")) == ""
    assert "debug: said" in logged(lambda: say(logging.DEBUG, "x", "said"), level=logging.DEBUG)


@pytest.mark.parametrize("form", ["text", "json"])
def test_text_from_dns_can_neither_forge_a_line_nor_steer_a_terminal(form):
    text = logged(lambda: say(logging.INFO, "members", f"members: {HOSTILE}", members=[HOSTILE]), form=form)
    assert text.endswith("\n")
    assert text[:-1].isprintable()


def test_text_from_dns_in_a_traceback_cannot_either():
    def act():
        try:
            raise ValueError(HOSTILE)
        except ValueError:
            LOGGER.exception("a mistake")

    lines = logged(act).removesuffix("\n").split("\n")
    assert lines[0].endswith(" error: a mistake")
    assert lines[1] == "  Traceback (most recent call last):"
    assert "  ValueError: www" in lines
    assert all(line.isprintable() for line in lines)
    assert all(line.startswith("  ") for line in lines[1:])


def test_a_traceback_is_a_part_of_the_json_object():
    def act():
        try:
            raise ValueError("wrong")
        except ValueError:
            LOGGER.exception("a mistake", extra={"dnslb": {"event": "bug"}})

    (line,) = logged(act, form="json").splitlines()
    entry = json.loads(line)
    assert entry["event"] == "bug"
    assert entry["traceback"].endswith("ValueError: wrong")


def test_it_goes_to_what_is_standard_error_now(monkeypatch):
    later = io.StringIO()
    monkeypatch.setattr(sys, "stderr", later)
    set_up(form="text")
    say(logging.INFO, "x", "said")
    assert later.getvalue().endswith(" said\n")


def test_setting_up_again_does_not_say_everything_twice():
    stream = io.StringIO()
    set_up(stream, form="text")
    set_up(stream, form="text")
    say(logging.INFO, "x", "said")
    assert stream.getvalue().count("said") == 1


def test_a_program_that_uses_dnslb_as_a_library_decides_itself_where_events_go(caplog):
    assert LOGGER.handlers == []
    assert LOGGER.propagate
    with caplog.at_level(logging.INFO):
        say(logging.INFO, "started", "a.test: started", service="a.test")
    (record,) = caplog.records
    assert (record.name, record.getMessage()) == ("dnslb", "a.test: started")
    assert record.dnslb == {"event": "started", "service": "a.test"}


def test_text_that_looks_like_a_format_is_left_alone():
    assert logged(lambda: say(logging.INFO, "x", "100 % of %s {x}")).endswith(" 100 % of %s {x}\n")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("www.example.com A: 10.0.0.7", "www.example.com A: 10.0.0.7"),
        ("bücher 日本", "bücher 日本"),
        ("a\nb\tc", r"a\nb\tc"),
        ("\x1b[31m", r"\x1b[31m"),
        ("\u202e", r"\u202e"),
        ("\ud800\udcff", r"\ud800\udcff"),
        ("\\n", "\\n"),
    ],
)
def test_only_what_cannot_be_printed_is_escaped(text, shown):
    assert printable(text) == shown


LASTING = [
    (100.0, "down"),
    (110.0, "down"),
    (130.0, "refused"),
    (140.0, "down"),
    (3739.0, "down"),
    (3740.0, "down"),
    (3741.0, "down"),
]


def test_what_lasts_is_news_once_and_then_when_it_changes_or_an_hour_has_passed():
    lasting = Lasting(since=100.0)
    said = [(text, now) for now, text in LASTING if lasting.is_news(text, now)]
    assert said == [("down", 100.0), ("refused", 130.0), ("down", 140.0), ("down", 3740.0)]
    assert lasting.since == 100.0
