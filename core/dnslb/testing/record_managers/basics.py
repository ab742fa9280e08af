"""Checks of record managers: reading, writing, deleting, limits."""

from __future__ import annotations

import ipaddress

import pytest

from dnslb.errors import Rejected
from dnslb.interfaces import ReadsTogether, RecordManager
from dnslb.records import MAX_TTL, Change, RecordType
from dnslb.testing.checks import not_applicable, within
from dnslb.testing.record_managers.base import RecordManagerChecks, Store, values_of

ONE, TWO, THREE = "192.0.2.11", "192.0.2.12", "192.0.2.13"

FIRST_OF_MANY = ipaddress.IPv4Address("10.0.0.1")


class BasicChecks(RecordManagerChecks):
    """What one manager alone does."""

    @pytest.mark.parametrize("type", list(RecordType), ids=str)
    def test_an_absent_record_set_reads_as_empty(self, manager: RecordManager, name: str, type: RecordType) -> None:
        """A name without records is no error: it is where every cluster starts."""
        found = manager.read(name, type).record_set
        assert (found.name, found.type, found.values) == (name, type, ())

    @pytest.mark.parametrize("type", [RecordType.AAAA, RecordType.TXT], ids=str)
    def test_an_absent_type_of_an_existing_name_reads_as_empty(
        self, manager: RecordManager, name: str, type: RecordType
    ) -> None:
        """Servers answer differently where the name has other records (RFC 2308, section 2.2); it means the same."""
        self.write(manager, name, RecordType.A, [ONE])
        found = manager.read(name, type).record_set
        assert (found.name, found.type, found.values) == (name, type, ())

    def test_a_commit_creates_a_record_set(self, manager: RecordManager, name: str) -> None:
        """From absent to one value."""
        self.write(manager, name, RecordType.A, [ONE])
        assert values_of(manager, name, RecordType.A) == (ONE,), "a committed value is not there: hosts never join"

    def test_a_commit_replaces_the_whole_record_set(self, manager: RecordManager, name: str) -> None:
        """Values that are not in the new set go, the others come or stay."""
        self.write(manager, name, RecordType.A, [ONE, TWO])
        self.write(manager, name, RecordType.A, [TWO, THREE])
        found = values_of(manager, name, RecordType.A)
        assert found == (TWO, THREE), (
            "the set must be exactly what was committed: failed hosts would stay, or good ones go"
        )

    def test_a_commit_without_values_deletes_the_record_set(self, manager: RecordManager, name: str) -> None:
        """And the name can be used again afterwards."""
        self.write(manager, name, RecordType.A, [ONE])
        self.write(manager, name, RecordType.A, [])
        assert values_of(manager, name, RecordType.A) == (), "the last host cannot leave"
        self.write(manager, name, RecordType.A, [TWO])
        assert values_of(manager, name, RecordType.A) == (TWO,), "a deleted set cannot be created again"

    def test_deleting_what_is_absent_is_no_error(self, manager: RecordManager, name: str) -> None:
        """The snapshot holds, so the commit does."""
        self.write(manager, name, RecordType.TXT, [])
        assert values_of(manager, name, RecordType.TXT) == ()

    def test_committing_what_is_there_is_no_error(self, manager: RecordManager, name: str) -> None:
        """The same values once more, under the same TTL."""
        self.write(manager, name, RecordType.A, [ONE, TWO])
        self.write(manager, name, RecordType.A, [ONE, TWO])
        assert values_of(manager, name, RecordType.A) == (ONE, TWO)

    def test_another_manager_sees_what_was_committed(
        self, manager: RecordManager, other: RecordManager, name: str
    ) -> None:
        """What is committed is in the store, and not only in the manager's memory."""
        self.write(manager, name, RecordType.A, [ONE])
        assert values_of(other, name, RecordType.A) == (ONE,), "other hosts do not see this one's commits"

    def test_the_types_of_a_name_are_independent(self, manager: RecordManager, name: str) -> None:
        """A, AAAA and TXT of one name are three record sets; to write one does not touch the others' snapshots."""
        values = {RecordType.A: ONE, RecordType.AAAA: "2001:db8::11", RecordType.TXT: "a=1"}
        snapshots = {type: manager.read(name, type) for type in values}
        for type, value in values.items():
            self.replace(manager, snapshots[type], [value])
        self.write(manager, name, RecordType.A, [])
        left = {type: values_of(manager, name, type) for type in (RecordType.AAAA, RecordType.TXT)}
        assert left == {RecordType.AAAA: ("2001:db8::11",), RecordType.TXT: ("a=1",)}

    def test_the_ttl_is_kept(self, manager: RecordManager, name: str) -> None:
        """From `Capabilities.min_ttl` on, and also where nothing but the TTL changes."""
        for ttl in (self.capabilities.min_ttl, self.writable_ttl() + 60):
            before = manager.read(name, RecordType.A)
            manager.commit([Change(before, before.record_set.holding([ONE], ttl=ttl))])
            found = manager.read(name, RecordType.A).record_set.ttl
            assert found == ttl, f"a TTL of {ttl} s was committed and {found} s read back"

    def test_wait_says_that_an_applied_commit_is_served(self, manager: RecordManager, name: str) -> None:
        """And returns as soon as it is."""
        receipt = self.write(manager, name, RecordType.A, [ONE])
        served = within(self.wait_limit + 5, "wait()", lambda: manager.wait(receipt, self.wait_limit))
        assert served is True, f"an applied commit was not reported as served within {self.wait_limit:g} s"

    def test_as_many_values_as_promised_are_accepted(self, manager: RecordManager, name: str) -> None:
        """`Capabilities.max_values` of them."""
        values = self._many_values(0)
        self.write(manager, name, RecordType.A, values)
        found = values_of(manager, name, RecordType.A)
        assert found == tuple(values), f"{len(values)} values were committed and {len(found)} read back"

    def test_one_value_too_many_is_rejected(self, manager: RecordManager, name: str) -> None:
        """With Rejected, so that nobody tries again, and with nothing applied."""
        self.write(manager, name, RecordType.A, [ONE])
        values = self._many_values(1)
        outcome = self.outcome("commit() of too many values", lambda: self.write(manager, name, RecordType.A, values))
        assert isinstance(outcome, Rejected), (
            f"{len(values)} values are more than Capabilities.max_values, and the commit ended with {outcome!r}: it "
            "must raise Rejected, or it is tried again for ever"
        )
        assert values_of(manager, name, RecordType.A) == (ONE,), "a rejected commit was applied, if only in part"

    def _many_values(self, more: int) -> list[str]:
        most = self.capabilities.max_values
        if most is None:
            not_applicable("the record manager declares no limit (Capabilities.max_values is None)")
        return [str(FIRST_OF_MANY + number) for number in range(most + more)]

    def test_the_capabilities_are_possible(self) -> None:
        """They are what `dnslb check` holds a configuration against."""
        declared = self.capabilities
        assert declared.max_values is None or declared.max_values >= 1, "no set could hold a host"
        assert 0 <= declared.min_ttl <= MAX_TTL, "min_ttl is not a TTL (RFC 2181, section 8)"
        assert declared.min_interval > 0, "min_interval is not a duration"
        assert declared.request_rate is None or declared.request_rate > 0, "request_rate lets nobody ask anything"
        assert declared.propagation >= 0, "propagation is not a duration"

    def test_several_record_sets_are_read_as_each_of_them_is(self, manager: RecordManager, name: str) -> None:
        """Present or absent, of one name and of names below it, in the order in which they were asked for."""
        assert isinstance(manager, ReadsTogether) == self.capabilities.reads_together, (
            "Capabilities.reads_together says something else than the record manager can"
        )
        if not isinstance(manager, ReadsTogether):
            not_applicable("the record manager reads one record set at a time (Capabilities.reads_together is False)")
        self.write(manager, name, RecordType.A, [ONE, TWO])
        self.write(manager, f"_blocked.{name}", RecordType.TXT, ["Hold=1"])
        wanted = [
            *((f"_{below}.{name}", RecordType.TXT) for below in ("destroy", "blocked")),
            *((name, type) for type in (RecordType.A, RecordType.AAAA)),
        ]
        found = [snapshot.record_set for snapshot in manager.read_together(wanted)]
        assert [(each.name, each.type) for each in found] == wanted, "another order, or other record sets"
        assert found == [manager.read(*key).record_set for key in wanted], "they are not what they are when read alone"
        [snapshot] = manager.read_together([(name, RecordType.A)])
        manager.commit([Change(snapshot, snapshot.record_set.holding([THREE], 60))])
        assert values_of(manager, name, RecordType.A) == (THREE,), "what was read together cannot be committed on"

    def test_a_manager_can_be_closed(self, manager: RecordManager, store: Store, name: str) -> None:
        """Used or not, and without an error; what it wrote stays."""
        unused, used = store.make(), store.make()
        self.write(used, name, RecordType.A, [ONE])
        assert self.outcome("close()", unused.close) is None
        assert self.outcome("close()", used.close) is None
        assert values_of(manager, name, RecordType.A) == (ONE,), "what a closed manager wrote is gone"
