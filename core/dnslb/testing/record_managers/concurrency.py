"""Checks of record managers: many writers at once, and nothing lost."""

from __future__ import annotations

import threading
from functools import partial

from dnslb.errors import Conflict, Unavailable
from dnslb.interfaces import RecordManager
from dnslb.records import RecordSet, RecordType
from dnslb.testing.checks import together
from dnslb.testing.record_managers.base import MakeRecordManager, RecordManagerChecks, Store, values_of


class ConcurrencyChecks(RecordManagerChecks):
    """Compare-and-swap, many writers at a time."""

    def test_concurrent_writers_lose_no_update(self, open_manager: MakeRecordManager, name: str) -> None:
        """`writers` managers increment one counter, `commits` times in total."""
        managers = [open_manager() for _ in range(self.writers)]
        each = self.commits // self.writers
        self.write(managers[0], name, RecordType.TXT, ["count=0"])
        start = threading.Barrier(self.writers, timeout=self.concurrency_limit)

        def count(manager: RecordManager) -> None:
            start.wait()
            for _ in range(each):
                self.update(manager, name, RecordType.TXT, _incremented)

        together(self.concurrency_limit, "concurrent writers", [partial(count, manager) for manager in managers])
        total = each * self.writers
        assert values_of(managers[0], name, RecordType.TXT) == (f"count={total}",), (
            f"{total} increments were reported as applied, and they are not all there: hosts would vanish from the set"
        )

    def test_hosts_that_join_at_once_all_get_in(self, open_manager: MakeRecordManager, name: str) -> None:
        """`writers` managers add an address each to a set that does not exist yet."""
        managers = [open_manager() for _ in range(self.writers)]
        start = threading.Barrier(self.writers, timeout=self.concurrency_limit)

        def join(number: int) -> None:
            manager, address = managers[number], f"192.0.2.{number + 1}"
            before = manager.read(name, RecordType.A)
            start.wait()
            try:
                self.replace(manager, before, [address])
            except (Conflict, Unavailable):
                self.update(manager, name, RecordType.A, lambda found: [*found.values, address])

        together(self.concurrency_limit, "hosts that join", [partial(join, number) for number in range(self.writers)])
        expected = tuple(f"192.0.2.{number + 1}" for number in range(self.writers))
        assert values_of(managers[0], name, RecordType.A) == expected, (
            "every commit was reported as applied, and some hosts are not in the set"
        )

    def test_one_manager_serves_several_threads(self, manager: RecordManager, store: Store) -> None:
        """The agent calls it from worker threads; what they read and write must not get mixed up."""
        names = [store.new_name() for _ in range(self.writers)]
        start = threading.Barrier(self.writers, timeout=self.concurrency_limit)

        def write(name: str, value: str) -> tuple[str, ...]:
            self.update(manager, name, RecordType.TXT, lambda _: [value])
            return values_of(manager, name, RecordType.TXT)

        def work(number: int) -> list[tuple[str, ...]]:
            start.wait()
            return [write(names[number], f"thread={number} step={step}") for step in range(5)]

        results = together(self.concurrency_limit, "threads", [partial(work, number) for number in range(self.writers)])
        for number, seen in enumerate(results):
            assert seen == [(f"thread={number} step={step}",) for step in range(5)], (
                "a thread read back what it has not written: calls of several threads get mixed up in the manager"
            )


def _incremented(found: RecordSet) -> list[str]:
    (value,) = found.values
    return [f"count={int(value.removeprefix('count=')) + 1}"]
