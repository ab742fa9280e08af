"""Many writers at once."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from dnslb import Change, Conflict, RecordManager, RecordType

A = RecordType.A
WWW = "www.ex.test"
WRITERS, EACH = 16, 6


def join(manager: RecordManager, address: str) -> int:
    """Adds a member, from a new read each time; how many conflicts that took."""
    conflicts = 0
    while True:
        before = manager.read(WWW, A)
        try:
            manager.commit([Change(before, before.record_set.holding([*before.record_set.values, address], 60))])
        except Conflict:
            conflicts += 1
            time.sleep(random.uniform(0, 0.02))
        else:
            return conflicts


def test_sixteen_writers_add_six_members_each_and_none_is_lost(fake, connect, write, values, record_property):
    write(connect(zone="ex-test"), WWW, "10.0.0.1")
    managers = [connect(zone="ex-test") for _ in range(WRITERS)]
    start = threading.Barrier(WRITERS, timeout=30)
    fake.calls.clear()

    def work(number: int) -> int:
        start.wait()
        return sum(join(managers[number], f"10.0.{number + 1}.{member + 1}") for member in range(EACH))

    with ThreadPoolExecutor(WRITERS) as pool:
        conflicts = sum(pool.map(work, range(WRITERS)))
    assert len(values(connect(), WWW)) == 1 + WRITERS * EACH == 97
    made = Counter((call.method, call.status) for call in fake.calls)
    assert made["dns.changes.create", 200] == WRITERS * EACH
    assert made["dns.changes.create", 412] == conflicts, "each conflict was one that the service saw"
    record_property("requests", len(fake.calls))
    record_property("conflicts", conflicts)
    print(f"97 of 97 with {len(fake.calls)} requests, {conflicts} of them conflicts")
