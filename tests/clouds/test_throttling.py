"""A provider that throttles costs time and nothing else; bench_throttling.py is the same for two minutes."""

import pytest

from throttling import Phases, observe_all

pytestmark = [pytest.mark.minutes, pytest.mark.timeout(500)]

PHASES = Phases(before=20.0, throttled=20.0, after=20.0)


@pytest.fixture(scope="module")
def courses(tmp_path_factory):
    return {
        f"{course.provider.name} {course.provider.kind.split(',')[0]}": course
        for course in observe_all(tmp_path_factory.mktemp("clusters"), PHASES)
    }


PROVIDERS = ["route53 Throttling", "route53 PriorRequestNotComplete of writes", "clouddns 429", "azure 429"]


@pytest.mark.parametrize("name", PROVIDERS)
def test_nobody_leaves_or_joins_while_it_throttles_and_then_the_dead_member_alone_leaves(courses, name):
    course = courses[name]
    assert course.changes == []
    assert course.remaining == course.survivors


@pytest.mark.parametrize("name", PROVIDERS)
def test_no_storm_of_requests_while_it_throttles_nor_afterwards(courses, name):
    course = courses[name]
    print(f"{name}: {len(course.before)}, {len(course.during)}, {len(course.after)} requests in 20 s each")
    assert 10 <= len(course.before) <= 30, "five agents, every 5 s"
    # Four are left. Where only writes are throttled, each goes on reading, and tries to write three times at most, each
    # after another reading. Were the SDK to try again by itself, it would be several times as many.
    assert 4 <= len(course.during) <= 3 * len(course.before)
    assert len(course.after) <= 2 * len(course.before), "and what it takes to remove the dead one"
