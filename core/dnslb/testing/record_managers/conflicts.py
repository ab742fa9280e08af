"""Checks of record managers: a commit is applied if its snapshots hold, and else is a Conflict that wrote nothing."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from dnslb.errors import Conflict, Rejected
from dnslb.interfaces import RecordManager
from dnslb.records import Receipt, RecordType
from dnslb.testing.checks import not_applicable
from dnslb.testing.record_managers.base import RecordManagerChecks, Store, values_of

ONE, TWO, THREE, FOUR = "192.0.2.11", "192.0.2.12", "192.0.2.13", "192.0.2.14"

OVERWRITTEN = "the commit was applied over another host's change: that host's update is lost"


class ConflictChecks(RecordManagerChecks):
    """Compare-and-swap, one writer at a time."""

    @pytest.mark.parametrize(
        "meanwhile",
        [[THREE], [ONE, TWO, THREE], [ONE]],
        ids=["by others", "by more", "by fewer"],
    )
    def test_a_set_replaced_meanwhile_is_a_conflict(
        self, manager: RecordManager, other: RecordManager, name: str, meanwhile: list[str]
    ) -> None:
        """The whole set is compared: that the old values are still among the new ones is not enough."""
        self.write(other, name, RecordType.A, [ONE, TWO])
        stale = manager.read(name, RecordType.A)
        self.write(other, name, RecordType.A, meanwhile)
        self._assert_conflict(partial(self.replace, manager, stale, [ONE, TWO, FOUR]))
        assert values_of(other, name, RecordType.A) == tuple(meanwhile), OVERWRITTEN

    def test_a_set_created_meanwhile_is_a_conflict(
        self, manager: RecordManager, other: RecordManager, name: str
    ) -> None:
        """Absent is a state that is compared as any other."""
        stale = manager.read(name, RecordType.A)
        self.write(other, name, RecordType.A, [ONE])
        self._assert_conflict(partial(self.replace, manager, stale, [TWO]))
        assert values_of(other, name, RecordType.A) == (ONE,), OVERWRITTEN

    def test_a_set_deleted_meanwhile_is_a_conflict(
        self, manager: RecordManager, other: RecordManager, name: str
    ) -> None:
        """Whoever was removed must not come back by accident."""
        self.write(other, name, RecordType.A, [ONE])
        stale = manager.read(name, RecordType.A)
        self.write(other, name, RecordType.A, [])
        self._assert_conflict(partial(self.replace, manager, stale, [ONE, TWO]))
        assert values_of(other, name, RecordType.A) == (), OVERWRITTEN

    def test_deleting_what_was_replaced_meanwhile_is_a_conflict(
        self, manager: RecordManager, other: RecordManager, name: str
    ) -> None:
        """The last host that leaves must not take one with it that has just come."""
        self.write(other, name, RecordType.A, [ONE])
        stale = manager.read(name, RecordType.A)
        self.write(other, name, RecordType.A, [ONE, TWO])
        self._assert_conflict(partial(self.replace, manager, stale, []))
        assert values_of(other, name, RecordType.A) == (ONE, TWO), OVERWRITTEN

    def test_a_set_changed_and_changed_back_is_a_conflict_or_as_before(
        self, manager: RecordManager, other: RecordManager, name: str
    ) -> None:
        """Who compares values cannot tell, who compares versions can; both are right, half a commit is not."""
        self.write(other, name, RecordType.A, [ONE])
        before = manager.read(name, RecordType.A)
        self.write(other, name, RecordType.A, [TWO])
        self.write(other, name, RecordType.A, [ONE])
        outcome = self.outcome("commit()", partial(self.replace, manager, before, [ONE, THREE]))
        assert isinstance(outcome, Conflict | Receipt), f"commit() must be applied or a Conflict, not {outcome!r}"
        expected = (ONE,) if isinstance(outcome, Conflict) else (ONE, THREE)
        assert values_of(other, name, RecordType.A) == expected

    def test_several_sets_are_committed_together(self, manager: RecordManager, store: Store) -> None:
        """Created, replaced and deleted in one commit, of one name and of several."""
        self._need_atomic_names(True)
        replaced, deleted, created = store.new_name(), store.new_name(), store.new_name()
        self.write(manager, replaced, RecordType.A, [ONE])
        self.write(manager, deleted, RecordType.TXT, ["gone soon"])
        values = {
            (replaced, RecordType.A): (TWO,),
            (deleted, RecordType.TXT): (),
            (created, RecordType.A): (THREE,),
            (created, RecordType.TXT): ("new",),
        }
        manager.commit([self.change(manager.read(*key), after) for key, after in values.items()])
        assert {key: values_of(manager, *key) for key in values} == values

    @pytest.mark.parametrize("stale_one", [0, 1], ids=["the first", "the last"])
    def test_one_stale_snapshot_of_several_stops_the_whole_commit(
        self, manager: RecordManager, other: RecordManager, store: Store, stale_one: int
    ) -> None:
        """All or nothing: a lease is no fence otherwise."""
        self._need_atomic_names(True)
        names = [store.new_name(), store.new_name()]
        for name in names:
            self.write(manager, name, RecordType.A, [ONE])
        snapshots = [manager.read(name, RecordType.A) for name in names]
        self.write(other, names[stale_one], RecordType.A, [TWO])
        self._assert_conflict(partial(manager.commit, [self.change(snapshot, [THREE]) for snapshot in snapshots]))
        assert values_of(other, names[stale_one], RecordType.A) == (TWO,), OVERWRITTEN
        assert values_of(other, names[1 - stale_one], RecordType.A) == (ONE,), (
            "a commit that was a Conflict has been applied in part (Capabilities.atomic_names says that it cannot be)"
        )

    def test_several_sets_are_rejected_where_they_are_not_atomic(self, manager: RecordManager, store: Store) -> None:
        """Before any of it is applied."""
        self._need_atomic_names(False)
        names = [store.new_name(), store.new_name()]
        changes = [self.change(manager.read(name, RecordType.A), [ONE]) for name in names]
        outcome = self.outcome("commit() of several sets", partial(manager.commit, changes))
        assert isinstance(outcome, Rejected), (
            f"several sets were committed although Capabilities.atomic_names is False, and it ended with {outcome!r}"
        )
        assert [values_of(manager, name, RecordType.A) for name in names] == [(), ()], (
            "a rejected commit was applied in part"
        )

    def _assert_conflict(self, stale_commit: Callable[[], object]) -> None:
        outcome = self.outcome("commit() with a stale snapshot", stale_commit)
        if isinstance(outcome, Receipt):
            pytest.fail("a commit with a stale snapshot was reported as applied: another host's update is lost")
        assert isinstance(outcome, Conflict), f"commit() with a stale snapshot must raise Conflict, not {outcome!r}"

    def _need_atomic_names(self, wanted: bool) -> None:
        if self.capabilities.atomic_names is not wanted:
            not_applicable(f"Capabilities.atomic_names is {self.capabilities.atomic_names}")
