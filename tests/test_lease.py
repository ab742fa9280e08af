"""Holding the lease of a service, in virtual time: several holders, a provider that fails, clocks that are wrong."""

import asyncio
import dataclasses
import logging
import random
import time
from ipaddress import ip_address

import pytest

from dnslb import Capabilities, Conflict, OutcomeUnknown, RecordSet, RecordType, Unavailable
from dnslb.decision.blockrecord import Illegible, block_name, parse
from dnslb.decision.leases import Claim
from dnslb.lease import Lease, LeaseHeld, LeaseLost, boot_clock, new_owner
from dnslb.publisher import Publisher
from dnslb.records import Change
from dnslb.testing import MemoryZone

import virtual
from world import WALL

NAME = "www.example.test"
BLOCKED = block_name(NAME)
SEVEN, EIGHT = ip_address("10.0.0.7"), ip_address("10.0.0.8")


class Records:
    """A zone under asyncio, whose answers take `delay` seconds, half of them on the way there."""

    def __init__(self, zone, delay=lambda: 0.2):
        self.zone = zone
        self.delay = delay

    async def read(self, name, type_):
        await asyncio.sleep(self.delay() / 2)
        snapshot = self.zone.read(name, type_)
        await asyncio.sleep(self.delay() / 2)
        return snapshot

    async def read_together(self, keys):
        return [await self.read(name, type_) for name, type_ in keys]

    async def commit(self, changes):
        await asyncio.sleep(self.delay() / 2)
        receipt = self.zone.commit(changes)
        await asyncio.sleep(self.delay() / 2)
        return receipt


def lease(zone, owner="one", *, records=None, skew=0.0, atomic_names=False, **claim):
    publisher = Publisher(records or Records(zone), random.Random(owner))
    wall = lambda: WALL + virtual.now() + skew  # noqa: E731
    parts = {"clock": virtual.now, "wall": wall, "atomic_names": atomic_names}
    return Lease(publisher, Claim(NAME, owner, **claim), **parts)


def record(zone):
    return parse(zone.read(BLOCKED, RecordType.TXT).record_set.values)


def write(zone, name, type_, *values):
    """As somebody else would."""
    zone.commit([Change(zone.read(name, type_), RecordSet(name, type_, values, 60))])


def in_virtual_time(test):
    """Runs an asynchronous test on a loop in which waiting takes no time."""

    def run(zone, caplog):
        caplog.set_level(logging.INFO, "dnslb")
        virtual.run(test(zone, caplog))

    run.__name__ = test.__name__
    return run


@pytest.fixture
def zone():
    return MemoryZone()


@in_virtual_time
async def test_a_lease_is_held_from_acquiring_to_releasing(zone, caplog):
    one = lease(zone, addresses=frozenset({SEVEN}), operation="block")
    assert not one.may_act
    async with one.held():
        assert one.may_act
        assert record(zone).owner == "one"
        assert record(zone).addresses == {SEVEN}
        assert 80 < one.act_for <= 90
    assert not one.may_act
    assert record(zone) is None


@in_virtual_time
async def test_it_is_renewed_through_every_wait(zone, caplog):
    one = lease(zone)
    async with one.held():
        for _ in range(100):
            await asyncio.sleep(37)
            assert one.act_for > 50
        assert record(zone).fence > 100
    writes = len(zone.commits)
    await asyncio.sleep(3600)
    assert len(zone.commits) == writes, "it is renewed no more"


@in_virtual_time
async def test_what_somebody_else_holds_is_refused_or_waited_for(zone, caplog):
    async with lease(zone, operation="rolling-replace").held():
        with pytest.raises(LeaseHeld, match=r"owner one \(rolling-replace\) holds the lease, for \d+ s unless renewed"):
            await lease(zone, "two").acquire()
        two = lease(zone, "two")
        waiting = asyncio.create_task(two.acquire(patience=600))
        await asyncio.sleep(300)
        assert not two.may_act
    await asyncio.wait_for(waiting, 15)
    assert two.may_act
    await two.release()


@pytest.mark.parametrize("skew", [-600.0, 0.0, 600.0])
def test_the_lease_of_a_holder_that_died_is_free_within_ten_minutes(zone, skew):
    async def scene():
        one, two = lease(zone, phase="drain", started=WALL), lease(zone, "two", skew=skew)
        await one.acquire()
        one._renewing.cancel()
        died = virtual.now()
        await two.acquire(patience=1200)
        assert 170 <= virtual.now() - died <= 600
        assert not one.may_act
        assert (two.previous.owner, two.previous.phase, two.previous.started) == ("one", "drain", WALL)
        await two.release()

    virtual.run(scene())


@in_virtual_time
async def test_what_cannot_be_read_is_waited_for_and_then_taken_over(zone, caplog):
    write(zone, BLOCKED, RecordType.TXT, "v=spf1 -all")
    one = lease(zone)
    await one.acquire(patience=700)
    assert 600 <= virtual.now() <= 620
    assert one.previous == Illegible()
    await one.release()


@in_virtual_time
async def test_the_claim_can_change_while_it_is_held(zone, caplog):
    one = lease(zone, addresses=frozenset({SEVEN}), phase="first")
    async with one.held():
        await one.renew(dataclasses.replace(one.claim, addresses=frozenset({EIGHT}), phase="second"))
        assert (record(zone).addresses, record(zone).phase) == ({EIGHT}, "second")
        await asyncio.sleep(100)
        assert record(zone).addresses == {EIGHT}
        with pytest.raises(ValueError, match="stay as they are"):
            await one.renew(dataclasses.replace(one.claim, duration=60))


@pytest.mark.parametrize("theirs", [(), ("OwnerExpires=2026-01-02T09:00:00Z", "OwnerId=x"), ("garbage",)])
def test_a_lease_that_is_gone_is_neither_taken_back_nor_deleted(zone, theirs, caplog):
    async def scene():
        one = lease(zone)
        await one.acquire()
        write(zone, BLOCKED, RecordType.TXT, *theirs)
        with pytest.raises(LeaseLost, match=r"the lease is gone: .* holds it now"):
            await one.renew()
        assert not one.may_act
        await asyncio.sleep(600)
        assert not one.may_act
        assert await one.release() is False
        assert zone.read(BLOCKED, RecordType.TXT).record_set.values == theirs
        assert "the lease is gone" in caplog.text

    virtual.run(scene())


@in_virtual_time
async def test_a_holder_that_cannot_renew_stops_at_half_of_the_duration_and_goes_on_when_it_can(zone, caplog):
    one = lease(zone)
    await one.acquire()
    zone.fail_reads(Unavailable("down"), 5)
    await asyncio.sleep(89)
    assert one.may_act
    await asyncio.sleep(2)
    assert not one.may_act
    assert "the lease could not be renewed" in caplog.text
    await asyncio.sleep(100)
    assert one.may_act, "nobody took it over, so it is its own still"
    await one.release()


@pytest.mark.parametrize("applied", [False, True])
def test_lost_replies_are_found_out(zone, applied):
    async def scene():
        one = lease(zone)
        zone.fail_commits(OutcomeUnknown("lost"), applied=applied)
        await one.acquire()
        assert one.may_act
        zone.fail_commits(OutcomeUnknown("lost"), applied=applied)
        await one.renew()
        assert record(zone).fence == 2
        zone.fail_commits(OutcomeUnknown("lost"), applied=applied)
        assert await one.release()
        assert record(zone) is None

    virtual.run(scene())


@in_virtual_time
async def test_the_time_to_act_counts_from_when_the_renewal_that_landed_was_sent(zone, caplog):
    slow = Records(zone, lambda: 20.0)
    one = lease(zone, records=slow)
    await one.acquire()  # 20 s to read, and 20 s to write
    assert virtual.now() == pytest.approx(40)
    assert one.act_for == pytest.approx(70)
    await one.release()


@in_virtual_time
async def test_trouble_while_waiting_for_the_lease_is_waited_out(zone, caplog):
    one = lease(zone)
    zone.fail_reads(Unavailable("down"), 3)
    await one.acquire(patience=60)
    assert one.may_act
    await one.release()
    zone.fail_reads(Unavailable("down"))
    with pytest.raises(Unavailable, match="down"):
        await lease(zone, "two").acquire()


# -- acting under it ---------------------------------------------------------------------------------------


def removing(address):
    return lambda snapshot: snapshot.record_set.holding(snapshot.record_set.addresses - {address})


@pytest.mark.parametrize("atomic_names", [False, True])
def test_a_change_is_made_under_the_lease(zone, atomic_names):
    zone.capabilities = Capabilities(atomic_names=atomic_names)

    async def scene():
        write(zone, NAME, RecordType.A, str(SEVEN), str(EIGHT))
        one = lease(zone, atomic_names=atomic_names)
        async with one.held():
            publication = await one.publish(NAME, RecordType.A, removing(SEVEN))
            assert publication.changed
            assert zone.read(NAME, RecordType.A).record_set.addresses == {EIGHT}
            assert {change.after.name for change in zone.commits[-1]} == ({NAME, BLOCKED} if atomic_names else {NAME})
            writes = len(zone.commits)
            assert not (await one.publish(NAME, RecordType.A, lambda _: None)).changed
            assert len(zone.commits) == writes

    virtual.run(scene())


@pytest.mark.parametrize("atomic_names", [False, True])
def test_without_the_lease_nothing_is_changed(zone, atomic_names):
    async def scene():
        write(zone, NAME, RecordType.A, str(SEVEN), str(EIGHT))
        one = lease(zone, atomic_names=atomic_names)
        await one.acquire()
        one._renewing.cancel()
        await asyncio.sleep(300)
        async with lease(zone, "two").held(patience=600):
            with pytest.raises(LeaseLost):
                await one.publish(NAME, RecordType.A, removing(SEVEN))
        assert zone.read(NAME, RecordType.A).record_set.addresses == {SEVEN, EIGHT}

    virtual.run(scene())


@in_virtual_time
async def test_a_change_that_was_held_up_on_its_way_is_fenced_off_once_another_holds_the_lease(zone, caplog):
    write(zone, NAME, RecordType.A, str(SEVEN), str(EIGHT))
    delays = Records(zone)
    one, two = lease(zone, records=delays, atomic_names=True), lease(zone, "two")
    await one.acquire()
    one._renewing.cancel()

    def and_then_it_stalls(snapshot):
        delays.delay = lambda: 2000.0
        return removing(SEVEN)(snapshot)

    acting = asyncio.create_task(one.publish(NAME, RecordType.A, and_then_it_stalls))
    await two.acquire(patience=900)
    with pytest.raises(LeaseLost, match="owner two holds it now"):
        await acting
    assert zone.read(NAME, RecordType.A).record_set.addresses == {SEVEN, EIGHT}
    await two.release()


# -- many at once ------------------------------------------------------------------------------------------


class Troubled(Records):
    """Loses replies and requests, is down for a while, and now and then holds up a request for minutes."""

    def __init__(self, zone, chance):
        super().__init__(zone, self.some_delay)
        self.chance = chance
        self.trouble = True

    def some_delay(self):
        return (
            self.chance.uniform(0, 400) if self.trouble and self.chance.random() < 0.03 else self.chance.uniform(0, 2)
        )

    async def read(self, name, type_):
        if self.trouble and self.chance.random() < 0.1:
            raise Unavailable("down")
        return await super().read(name, type_)

    async def commit(self, changes):
        fate = self.chance.random() if self.trouble else 1.0
        if fate < 0.1:
            raise OutcomeUnknown("the request was lost")
        if fate < 0.2:  # it lands, some time later, and nobody hears of it
            landing = asyncio.create_task(self._land(changes))
            self.landing.add(landing)
            landing.add_done_callback(self.landing.discard)
            raise OutcomeUnknown("the reply was lost")
        return await super().commit(changes)

    async def _land(self, changes):
        await asyncio.sleep(self.chance.uniform(0, 300))
        try:
            self.zone.commit(changes)
        except Conflict:
            return

    @property
    def landing(self):
        return self.__dict__.setdefault("_landing", set())


@pytest.mark.parametrize("seed", range(25))
def test_at_most_one_holder_acts_whatever_the_clocks_the_provider_and_the_holders_do(zone, seed):
    async def scene():
        chance = random.Random(seed)
        records = Troubled(zone, chance)
        leases, terms, died = [], [0] * 4, [0]

        def check():
            acting = [one.claim.owner for one in leases if one.may_act]
            assert len(acting) <= 1, f"S7: {acting} act at once, at {virtual.now():.1f} s"

        async def lives(number):
            skew, rate = chance.uniform(-600, 600), chance.uniform(0.98, 1.02)

            async def sleep(seconds):
                stall = chance.uniform(0, 500) if chance.random() < 0.05 else 0.0
                await asyncio.sleep(seconds / rate + stall)

            while True:
                owner = f"{number}-{terms[number]}"
                one = Lease(
                    Publisher(records, random.Random(f"{seed} {owner}")),
                    Claim(NAME, owner, chance.choice([10, 60, 180, 300])),
                    clock=lambda: virtual.now() * rate + 1000 * number,
                    wall=lambda: WALL + virtual.now() + skew,
                    sleep=sleep,
                )
                leases.append(one)
                try:
                    await one.acquire(patience=chance.uniform(0, 600))
                    terms[number] += one.may_act
                    await asyncio.sleep(chance.uniform(0, 900))
                    if chance.random() < 0.3:  # it dies
                        one._renewing.cancel()
                        died[0] += 1
                        await asyncio.sleep(400)
                    else:
                        await one.release()
                except (LeaseHeld, Unavailable, Conflict):
                    await asyncio.sleep(chance.uniform(0, 60))
                leases[:] = [other for other in leases if other is not one or one.may_act]

        holders = [asyncio.create_task(lives(number)) for number in range(4)]
        while virtual.now() < 6 * 3600:
            await asyncio.sleep(1)
            check()
            assert not any(holder.done() for holder in holders), [holder for holder in holders if holder.done()]
        assert sum(term > 0 for term in terms) >= 2, "several of them held it"
        for task in [*holders, *(one._renewing for one in leases if one._renewing), *records.landing]:
            task.cancel()
            await asyncio.wait({task})

    virtual.run(scene())


# -- what it is made of ------------------------------------------------------------------------------------


def test_owners_are_tokens_that_can_stand_in_the_record_and_differ():
    owners = {new_owner() for _ in range(1000)}
    assert len(owners) == 1000
    assert all(Claim(NAME, owner) for owner in owners)


def test_the_clock_of_a_holder_goes_on():
    before = boot_clock()
    time.sleep(0.01)
    assert boot_clock() >= before + 0.01
