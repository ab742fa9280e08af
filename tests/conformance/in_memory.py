"""Record managers in memory, sound and broken; test_conformance_kit.py says which checks must fail."""

import ipaddress
import time
from dataclasses import replace

import pytest

from dnslb import Capabilities, Change, Conflict, RecordSet, RecordType, Rejected, Snapshot, Unavailable
from dnslb.testing import MemoryRecordManager, MemoryZone, RecordManagerConformance, Store


class InMemory(RecordManagerConformance):
    capabilities = Capabilities(max_values=20, atomic_names=True, min_ttl=0)
    commits = 80
    Zone = MemoryZone

    @pytest.fixture
    def store(self):
        zone = self.Zone(self.capabilities)
        return Store(zone="ex.test", make=lambda via=None: self.Made(zone))


class TestSound(InMemory):
    Made = MemoryRecordManager


class ComparesValues(MemoryRecordManager):
    """Sound: compares values, as RFC 2136 does, where MemoryRecordManager compares versions."""

    def commit(self, changes):
        while True:
            seen = [self.zone.read(change.after.name, change.after.type) for change in changes]
            for change, now in zip(changes, seen, strict=True):
                if not self.may_apply(change.before.record_set, now.record_set, change.after):
                    raise Conflict(f"{change.after.name} {change.after.type} is no longer what was read")
            try:
                return self.zone.commit([Change(now, c.after) for c, now in zip(changes, seen, strict=True)])
            except Conflict:
                continue

    def may_apply(self, before, now, after):
        return now.values == before.values


class TestSoundByValues(InMemory):
    Made = ComparesValues


class ReadsTogether(MemoryRecordManager):
    """Sound: reads several record sets at once."""

    def read_together(self, keys):
        return [self.read(*key) for key in keys]


class TestSoundTogether(InMemory):
    capabilities = replace(InMemory.capabilities, reads_together=True)
    Made = ReadsTogether


class TestReadsTogetherInAnOrderOfItsOwn(InMemory):
    capabilities = replace(InMemory.capabilities, reads_together=True)

    class Made(ReadsTogether):
        def read_together(self, keys):
            return super().read_together(sorted(keys))


class TestReadsTogetherWithoutSayingSo(InMemory):
    Made = ReadsTogether


class TestOverwrites(InMemory):
    class Made(ComparesValues):
        def may_apply(self, before, now, after):
            return True


class TestComparesOnlyThatTheOldValuesAreThere(InMemory):
    class Made(ComparesValues):
        def may_apply(self, before, now, after):
            return set(before.values) <= set(now.values) if before.exists else not now.exists


class TestDoesNotCompareWhatWasAbsent(InMemory):
    class Made(ComparesValues):
        def may_apply(self, before, now, after):
            return not before.exists or now.values == before.values


class TestDeletesWithoutComparing(InMemory):
    class Made(ComparesValues):
        def may_apply(self, before, now, after):
            return not after.exists or now.values == before.values


class TestComparesInTheOrderOfTexts(InMemory):
    class Made(ComparesValues):
        def may_apply(self, before, now, after):
            return list(before.values) == sorted(now.values)


class TestComparesBeforeItLocks(InMemory):
    class Made(ComparesValues):
        def may_apply(self, before, now, after):
            return True

        def commit(self, changes):
            for change in changes:
                now = self.zone.read(change.after.name, change.after.type)
                if now.record_set.values != change.before.record_set.values:
                    raise Conflict(f"{change.after.name} {change.after.type} is no longer what was read")
            time.sleep(0.02)
            return super().commit(changes)


class TestAppliesSeveralNamesOneByOne(InMemory):
    class Made(MemoryRecordManager):
        def commit(self, changes):
            return [super(type(self), self).commit([change]) for change in changes][-1]


class TestAcceptsSeveralNamesWithoutAtomicity(InMemory):
    capabilities = Capabilities(max_values=20, atomic_names=False)

    class Zone(MemoryZone):
        def commit(self, changes):
            return [super(type(self), self).commit([change]) for change in changes][-1]

    Made = MemoryRecordManager


class TestSoundWithoutAtomicity(InMemory):
    capabilities = Capabilities(max_values=20, atomic_names=False)
    Made = MemoryRecordManager


class TestTakesAnAbsentNameForAnError(InMemory):
    class Made(MemoryRecordManager):
        def read(self, name, type):
            found = super().read(name, type)
            if not found.record_set.exists:
                raise Rejected(f"{name} has no {type}")
            return found


class TestTakesAnAbsentTypeForAnError(InMemory):
    class Made(MemoryRecordManager):
        def read(self, name, type):
            found = super().read(name, type)
            if not found.record_set.exists and any(
                self.zone.read(name, other).record_set.exists for other in RecordType
            ):
                raise Rejected(f"{name} has no {type}")
            return found


def reading(change_it):
    """A manager whose reads pass through `change_it`."""

    class Misreads(MemoryRecordManager):
        def read(self, name, type):
            found = super().read(name, type)
            return replace(found, record_set=change_it(found.record_set))

    return Misreads


def txt(change_value):
    """For `reading`: changes each TXT value."""
    return lambda found: (
        found.holding(map(change_value, found.values)) if found.type is RecordType.TXT and found.exists else found
    )


class TestDropsQuotesOfTxt(InMemory):
    Made = reading(txt(lambda value: value.replace('"', "")))


class TestDropsBackslashesOfTxt(InMemory):
    Made = reading(txt(lambda value: value.replace("\\", "")))


class TestReadsTheFirstStringOfTxt(InMemory):
    Made = reading(txt(lambda value: value.encode()[:255].decode()))


class TestEndsTxtAtASemicolon(InMemory):
    Made = reading(txt(lambda value: value.split(";")[0]))


class TestStripsTxt(InMemory):
    Made = reading(txt(str.strip))


class TestReadsTxtAsAscii(InMemory):
    Made = reading(txt(lambda value: value.encode("ascii", "replace").decode()))


class TestLosesTheTtl(InMemory):
    Made = reading(lambda found: replace(found, ttl=60) if found.exists else found)


class TestReadsOneTxtValueOnly(InMemory):
    Made = reading(lambda found: found.holding(found.values[:1]) if found.type is RecordType.TXT else found)


class TestDistinguishesTheCaseOfNames(InMemory):
    class Made(MemoryRecordManager):
        def read(self, name, type):
            return super().read(name, type) if name == name.lower() else Snapshot(RecordSet(name, type))


class TestAcceptsTooManyValues(InMemory):
    class Zone(MemoryZone):
        def __init__(self, capabilities):
            super().__init__(replace(capabilities, max_values=None))

    Made = MemoryRecordManager


class TestTakesFewerValuesThanItSays(InMemory):
    class Zone(MemoryZone):
        def __init__(self, capabilities):
            super().__init__(replace(capabilities, max_values=capabilities.max_values - 1))

    Made = MemoryRecordManager


def committing(change_it):
    """A manager whose changes pass through `change_it`, which may refuse them."""

    class Miswrites(MemoryRecordManager):
        def commit(self, changes):
            return super().commit([change_it(change) for change in changes])

    return Miswrites


def keeping_addresses(change):
    old, new = change.before.record_set, change.after
    adds = new.type is RecordType.A and not set(new.values) <= set(old.values)
    return Change(change.before, new.holding([*old.values, *new.values])) if adds else change


def keeping_the_last(change):
    old, new = change.before.record_set, change.after
    return change if new.exists else Change(change.before, old)


def refusing_to_delete_nothing(change):
    if not change.before.record_set.exists and not change.after.exists:
        raise Rejected("there is nothing to delete")
    return change


def refusing_to_change_nothing(change):
    if change.after.exists and change.before.record_set == change.after:
        raise Rejected("there is nothing to change")
    return change


def keeping_the_ttl(change):
    old, new = change.before.record_set, change.after
    return Change(change.before, old) if old.values == new.values else change


class TestKeepsWhatItShouldReplace(InMemory):
    Made = committing(keeping_addresses)


class TestNeverDeletes(InMemory):
    Made = committing(keeping_the_last)


class TestRefusesToDeleteNothing(InMemory):
    Made = committing(refusing_to_delete_nothing)


class TestRefusesToChangeNothing(InMemory):
    Made = committing(refusing_to_change_nothing)


class TestIgnoresAChangeOfTheTtl(InMemory):
    Made = committing(keeping_the_ttl)


class TestKeepsItsCommitsToItself(InMemory):
    @pytest.fixture
    def store(self):
        return Store(zone="ex.test", make=lambda via=None: MemoryRecordManager(MemoryZone(self.capabilities)))


class TestComparesWholeNames(InMemory):
    class Made(ComparesValues):
        def read(self, name, type):
            found = super().read(name, type)
            return replace(found, version=self.all_of(found.record_set.name))

        def commit(self, changes):
            for change in changes:
                if change.before.version != self.all_of(change.after.name):
                    raise Conflict(f"{change.after.name} is no longer what was read")
            return super().commit(changes)

        def all_of(self, name):
            return tuple(self.zone.read(name, type).record_set.values for type in RecordType)


class TestComparesIpv6AsTheServerWritesIt(InMemory):
    class Made(ComparesValues):
        def may_apply(self, before, now, after):
            written = [ipaddress.ip_address(v).exploded if now.type is RecordType.AAAA else v for v in now.values]
            return written == list(before.values)


class TestCommitsTheFirstSetOnly(InMemory):
    class Made(MemoryRecordManager):
        def commit(self, changes):
            return super().commit(changes[:1])


class TestIsUnavailableAfterAChangeAndBack(InMemory):
    class Made(MemoryRecordManager):
        def commit(self, changes):
            try:
                return super().commit(changes)
            except Conflict:
                now = [self.zone.read(change.after.name, change.after.type).record_set for change in changes]
                if now == [change.before.record_set for change in changes]:
                    raise Unavailable("it is as before, and yet it is not") from None
                raise


class TestDeclaresWhatCannotBe(InMemory):
    capabilities = replace(InMemory.capabilities, min_interval=0.0)
    Made = MemoryRecordManager


class TestMixesItsThreadsUp(InMemory):
    class Made(MemoryRecordManager):
        def read(self, name, type):
            self.name = name
            time.sleep(0.002)
            found = super().read(self.name, type)
            return replace(found, record_set=replace(found.record_set, name=name))


class TestNeverServes(InMemory):
    class Made(MemoryRecordManager):
        def wait(self, receipt, timeout):
            return False


class TestCannotBeClosed(InMemory):
    class Made(MemoryRecordManager):
        def close(self):
            raise RuntimeError("not open")


class TestRaisesAKeyErrorForAConflict(InMemory):
    class Made(MemoryRecordManager):
        def commit(self, changes):
            try:
                return super().commit(changes)
            except Conflict:
                raise KeyError("version") from None
