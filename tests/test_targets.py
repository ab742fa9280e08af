"""Whom an agent probes in each round."""

import itertools

import pytest

from dnslb.decision import Health, Policy, State
from dnslb.decision.model import Healths
from dnslb.decision.targets import SAMPLE, SURVEY, ring, watched
from dnslb.records import RecordSet, RecordType

from world import address

POLICY = Policy(interval=60.0, probe_interval=5.0, ttl=60)
OWN = address(1)
FAILS = Health(failures=1, failing_since=0.0)


def state(size, failing, rounds=0):
    """A member of a cluster of so many, the last of which fail."""
    members = [address(number) for number in range(1, size + 1)]
    record_set = RecordSet("www.example.test", RecordType.A).holding(members, 60)
    health = Healths(dict.fromkeys(members[size - failing :], FAILS))
    return State(own=OWN, record_set=record_set, shown=record_set.addresses, health=health, rounds=rounds)


def rounds(size, failing):
    """Whom it asks in each round, as long as the answers stay the same."""
    return (watched(state(size, failing, number), POLICY) for number in itertools.count())


def asked(size, failing, number):
    """Whom it has asked after so many rounds."""
    return frozenset().union(*itertools.islice(rounds(size, failing), number))


@pytest.mark.parametrize("size", [3, 20, 200])
def test_at_rest_it_asks_itself_its_successor_and_every_other_time_one_more(size):
    successor = ring(state(size, 0), POLICY)[0]
    for each in itertools.islice(rounds(size, 0), 3 * size):
        assert {OWN, successor} <= each
        assert len(each) <= 3
    assert len(asked(size, 0, 2 * size)) == size


@pytest.mark.parametrize("failing", [2, 60])
def test_while_several_fail_all_others_are_soon_asked(failing):
    size = 100
    assert len(asked(size, failing, -(-size // SURVEY))) == size
    # One may be a lost packet.
    assert len(asked(size, 1, -(-size // SURVEY))) < size / 4


@pytest.mark.parametrize("failing", [SAMPLE + 1, 100, 199])
def test_of_many_who_fail_a_part_is_asked_at_a_time_and_each_in_its_turn(failing):
    size = 200
    fail = state(size, failing).health.failing
    turns = -(-failing // SAMPLE)
    seldom = [sum(member in each for each in itertools.islice(rounds(size, failing), 2 * turns)) for member in fail]
    assert min(seldom) >= 2
    assert all(len(each) <= 2 + SURVEY + SAMPLE for each in itertools.islice(rounds(size, failing), turns))


def test_who_may_end_a_hold_or_be_destroyed_is_always_asked():
    special = {address(150), address(151), address(152)}
    for number in range(10):
        before = state(200, 199, number)
        always = State(
            own=OWN,
            record_set=before.record_set,
            health=before.health,
            rounds=number,
            objectors=frozenset({address(150)}),
            removed={address(151): 0.0},
            condemned=frozenset({address(152)}),
        )
        assert special <= watched(always, POLICY)
