"""Many hosts that join at once: nobody is lost, and Azure's limits hold."""

from __future__ import annotations

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from dnslb import Change, Conflict, RecordType, Rejected, Throttled
from dnslb.testing.azuredns import Quota

A = RecordType.A
WRITERS, EACH = 16, 6
SETS = 5
"""As many as it takes: a record set of Azure holds 20 addresses."""

NAMES = [f"www{number}.ex.test" for number in range(SETS)]
FOUNDER = "192.0.2.250"


def place_of(member: int) -> tuple[str, str]:
    """Neighbours go to one set, so that the writers, which march side by side, meet there; the last has room for the
    one that was there before."""
    return NAMES[member // 20], f"192.0.2.{member}"


def join(manager, member: int) -> int:
    """Adds a member to what is there, as dnslb's publisher does; returns how many tries it took."""
    name, address = place_of(member)
    for attempt in range(1, 1000):
        before = manager.read(name, A)
        after = before.record_set.holding([*before.record_set.values, address], ttl=60)
        try:
            manager.commit([Change(before, after)])
        except Conflict:
            time.sleep(random.uniform(0, 0.002 * min(attempt, 20)))
        except Throttled as error:
            time.sleep(error.retry_after or 0.1)
        else:
            return attempt
    raise AssertionError(f"{address} never got in")


def members(manager) -> set[str]:
    return {value for name in NAMES for value in manager.read(name, A).record_set.values}


def all_join(managers) -> list[int]:
    """All writers at once; each brings the members WRITERS apart."""
    start = threading.Barrier(WRITERS, timeout=60)

    def work(number: int) -> int:
        start.wait()
        return sum(join(managers[number], number + WRITERS * turn) for turn in range(EACH))

    with ThreadPoolExecutor(WRITERS) as pool:
        return list(pool.map(work, range(WRITERS)))


def test_sixteen_writers_that_add_ninety_six_members_lose_none(dns, connect, write, record_property):
    managers = [connect() for _ in range(WRITERS)]
    write(managers[0], NAMES[-1], FOUNDER)
    before = len(dns.requests)
    tries = sum(all_join(managers))
    requests = dns.requests[before:]
    record_property("requests", len(requests))
    print(f"{WRITERS * EACH} members in {tries} commits, {len(requests)} requests")
    expected = {place_of(member)[1] for member in range(WRITERS * EACH)} | {FOUNDER}
    assert len(expected) == 97
    assert members(managers[0]) == expected
    applied = [request for request in requests if request.method == "PUT" and request.status < 300]
    refused = [request for request in requests if request.method == "PUT" and request.status == 412]
    assert (len(applied), len(refused)) == (WRITERS * EACH, tries - WRITERS * EACH)
    assert refused, "nobody came between: the writers did not meet, and nothing was shown"


def test_who_does_not_fit_any_more_is_told_and_nobody_is_pushed_out(dns, manager, write, values):
    full = [f"192.0.2.{number}" for number in range(1, 21)]
    write(manager, "www.ex.test", *full)
    with pytest.raises(Rejected, match="at most 20"):
        write(manager, "www.ex.test", *full, "192.0.2.99")
    assert values(manager, "www.ex.test") == tuple(full)


def test_writers_that_keep_to_the_pause_get_through_a_small_quota_without_a_storm(dns, connect):
    dns.quota = Quota(writes=4, seconds=1.0)
    managers = [connect() for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(join, managers, range(4)))
        list(pool.map(join, managers, range(4, 8)))
    assert members(managers[0]) == {place_of(member)[1] for member in range(8)}
    refused = [request for request in dns.requests if request.status == 429]
    writes = [request for request in dns.requests if request.method == "PUT"]
    assert refused
    assert len(writes) < 60
