"""Many writers, and what they cost."""

from __future__ import annotations

import collections
import itertools
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from dnslb import Change, Conflict, RecordType, Throttled

A = RecordType.A
WRITERS, EACH = 16, 6


def count_requests(manager, counter: collections.Counter[str]) -> None:
    """Counts each request of a manager by its operation, as it is sent."""
    lock = threading.Lock()

    def count(event_name, **_):
        with lock:
            counter[event_name.rpartition(".")[2]] += 1

    manager._api.client().meta.events.register("before-send.route-53", count)


def join(manager, name: str, address: str) -> int:
    """Adds an address as an agent does, reading again after a conflict; how many tries it took."""
    for attempt in itertools.count():
        before = manager.read(name, A)
        try:
            manager.commit([change_of(before, address)])
            return attempt + 1
        except (Conflict, Throttled):
            time.sleep(random.uniform(0, min(2.0, 0.05 * 2**attempt)))
    raise AssertionError


def change_of(before, address):
    return Change(before, before.record_set.holding([*before.record_set.values, address], 60))


@pytest.mark.slow
def test_sixteen_writers_that_add_96_members_lose_none(connect, write, values):
    name = "ninety-seven.ex.test"
    write(connect(), name, "10.0.0.1")
    managers = [connect() for _ in range(WRITERS)]
    counter: collections.Counter[str] = collections.Counter()
    for manager in managers:
        count_requests(manager, counter)

    def add(number: int) -> int:
        return sum(join(managers[number], name, f"10.0.{number + 1}.{step + 1}") for step in range(EACH))

    with ThreadPoolExecutor(WRITERS) as pool:
        tries = sum(pool.map(add, range(WRITERS)))
    added = {f"10.0.{number + 1}.{step + 1}" for number in range(WRITERS) for step in range(EACH)}
    assert set(values(connect(), name)) == added | {"10.0.0.1"}
    expected = {"GetHostedZone": WRITERS, "ListResourceRecordSets": tries, "ChangeResourceRecordSets": tries}
    assert counter == expected, "a try is one read and one commit, and nothing is sent twice"
    print(f"{tries} tries, {counter.total()} requests")  # pytest -s shows it


def test_a_request_that_is_throttled_is_not_sent_again(connect, faults):
    manager = connect(endpoint_url=faults.url)
    before = manager.read("throttled.ex.test", A)
    count = len(faults.seen)
    for _ in range(20):
        faults.refuse("Throttling", "Rate exceeded")
    for _ in range(10):
        with pytest.raises(Throttled):
            manager.read("www.ex.test", A)
        with pytest.raises(Throttled):
            manager.commit([change_of(before, "192.0.2.1")])
    assert len(faults.seen) == count + 20
    manager.commit([change_of(before, "192.0.2.1")])


def test_threads_share_one_client_and_one_search_for_the_zone(connect, faults):
    manager = connect(hosted_zone_id=None, zone="ex.test", endpoint_url=faults.url)
    with ThreadPoolExecutor(8) as pool:
        clients = {id(client) for client in pool.map(lambda _: manager._api.client(), range(8))}
        list(pool.map(lambda number: manager.read(f"thread-{number}.ex.test", A), range(8)))
    assert len(clients) == 1
    assert len([seen for seen in faults.seen if "hostedzonesbyname" in seen.path]) == 1
