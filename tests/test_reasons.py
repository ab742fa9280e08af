"""What a reason says reads well with none, one and several, and its numbers stay numbers."""

from ipaddress import ip_address

import pytest

from dnslb.decision import Reason, Why


def said(why, **numbers):
    return str(Reason.of(why, ip_address("10.0.0.7"), **numbers)).removeprefix("10.0.0.7 ")


@pytest.mark.parametrize(
    ("healthy", "others", "text"),
    [
        (0, 0, "fails its self-check (refused), and there is no other member: it stays"),
        (0, 1, "fails its self-check (refused), and of 1 other member 0 can be reached: it stays"),
        (1, 3, "fails its self-check (refused), and of 3 other members 1 can be reached: it stays"),
    ],
)
def test_who_fails_and_stays_says_how_many_others_there_are(healthy, others, text):
    assert said(Why.SELF_DOWN_STAYS, detail="refused", healthy=healthy, others=others) == text


@pytest.mark.parametrize(
    ("others", "text"),
    [
        (0, "stays although the agent stops: there is no other member"),
        (1, "stays although the agent stops: of 1 other member none answers"),
        (2, "stays although the agent stops: of 2 other members none answers"),
    ],
)
def test_who_stops_and_stays_says_how_many_others_there_are(others, text):
    assert said(Why.STOP_STAYS, others=others) == text


def test_what_is_counted_is_in_the_singular_where_there_is_one():
    assert said(Why.DOWN, failures=1, seconds=5, detail="refused") == "failed 1 probe over 5.0 s: refused"
    assert said(Why.DOWN, failures=3, seconds=5.0, detail="refused") == "failed 3 probes over 5.0 s: refused"
    assert said(Why.JOIN, passed=1) == "passed 1 self-check in a row"
    assert said(Why.STOP, healthy=1) == "leaves, since the agent stops; other members that answer: 1"


def test_the_numbers_beside_the_text_are_as_they_were_given():
    assert Reason.of(Why.STOP_STAYS, ip_address("10.0.0.7"), others=0).details == {"others": 0}
