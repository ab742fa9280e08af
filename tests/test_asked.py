"""An address source: when it is asked, what is known in between, and what an agent makes of it."""

import asyncio
import threading
import time
from ipaddress import ip_address

import pytest

from dnslb import ConfigurationError, Denied, EachProbe, ProbeResult, RecordType, Rejected, Unavailable, Verdict
from dnslb.asked import AskedAddresses
from dnslb.balancer import LoadBalancer
from dnslb.config import Config
from dnslb.testing import MemoryRecordManager, MemoryZone

from agents import wait_until

NAME = "www.example.test"


class Source:
    """Says what it is told to say, and counts how often it is asked."""

    def __init__(self, *texts):
        self.asked = 0
        self.error = None
        self.tell(*texts)

    def tell(self, *texts):
        self.told = frozenset(map(ip_address, texts))

    def find(self):
        self.asked += 1
        if self.error is not None:
            raise self.error
        return self.told


class Healthy(EachProbe):
    """Whatever address it is: none of them is this machine's."""

    def __init__(self):
        self.asked = 0

    async def check_one(self, target, timeout):
        self.asked += 1
        return ProbeResult(Verdict.HEALTHY)


async def eventually(condition, limit=30.0):
    deadline = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


# -- what is known -----------------------------------------------------------------------------------------


async def test_what_is_known_is_what_the_source_said_when_it_was_asked_last():
    source = Source("10.0.0.7", "fd00::7")
    own = AskedAddresses(source)
    await own.ask()
    source.tell("10.0.0.8")
    assert own.find() == {RecordType.A: ip_address("10.0.0.7"), RecordType.AAAA: ip_address("fd00::7")}
    assert source.asked == 1
    await own.ask()
    assert own.find() == {RecordType.A: ip_address("10.0.0.8")}


async def test_while_the_source_cannot_tell_nothing_is_known():
    source = Source("10.0.0.7")
    own = AskedAddresses(source)
    source.error = Unavailable("nobody answers")
    with pytest.raises(Unavailable):
        await own.ask()
    with pytest.raises(ConfigurationError, match=r"^address: nobody answers$"):
        own.find()
    source.error = None
    await own.ask()
    assert own.find() == {RecordType.A: ip_address("10.0.0.7")}


@pytest.mark.parametrize(
    ("told", "message"),
    [
        (("10.0.0.7", "10.0.0.8"), r"10\.0\.0\.\d and 10\.0\.0\.\d are of one family"),
        (("fe80::7",), "'fe80::7' is not an address that others can reach this host by"),
    ],
)
async def test_what_cannot_be_registered_is_refused(told, message):
    with pytest.raises(Rejected, match=f"^the address source tells what cannot be registered: {message}"):
        await AskedAddresses(Source(*told)).ask()


async def test_a_broken_source_counts_as_one_that_cannot_tell():
    source = Source()
    source.error = ZeroDivisionError("a mistake in a plugin")
    with pytest.raises(Unavailable, match="the address source failed with ZeroDivisionError"):
        await AskedAddresses(source).ask()


async def test_it_is_asked_again_and_again_as_long_as_the_block_lasts():
    source = Source("10.0.0.7")
    own = AskedAddresses(source)
    before = asyncio.all_tasks()
    async with own.asked_each(0.01):
        await eventually(lambda: source.asked >= 3)
        source.error = Unavailable("nobody answers")
        asked = source.asked
        await eventually(lambda: source.asked >= asked + 3)
    assert asyncio.all_tasks() == before


# -- an agent ----------------------------------------------------------------------------------------------


@pytest.fixture
def zone():
    return MemoryZone()


def balancer(zone, source, probe=None, **changes):
    [settings] = Config.load({"fqdn": NAME, "tcp_port": 80, "check_interval": "1s"} | changes).services
    parts = {"record_manager": MemoryRecordManager(zone), "probe": probe or Healthy()}
    return LoadBalancer(settings, address_source=source, **parts)


def members(zone, type_=RecordType.A):
    """What was committed last."""
    committed = [change.after for changes in zone.commits for change in changes if change.after.type is type_]
    return set(committed[-1].values) if committed else set()


async def test_what_the_source_tells_is_registered(zone):
    async with balancer(zone, Source("10.0.0.7", "fd00::7")):
        await eventually(lambda: members(zone) == {"10.0.0.7"})
        await eventually(lambda: members(zone, RecordType.AAAA) == {"fd00::7"})


async def test_it_is_not_asked_at_each_round_of_probes(zone):
    source, probe = Source("10.0.0.7"), Healthy()
    async with balancer(zone, source, probe, check_interval="1m", probe_interval="100ms"):
        await eventually(lambda: probe.asked >= 10)
        assert source.asked == 1


async def test_an_address_that_changes_is_registered_in_place_of_the_old_one(zone):
    source = Source("10.0.0.7")
    async with balancer(zone, source):
        await eventually(lambda: members(zone) == {"10.0.0.7"})
        source.tell("10.0.0.8")
        await eventually(lambda: members(zone) == {"10.0.0.8"})


async def test_the_last_answer_is_kept_while_the_source_cannot_tell(zone, caplog):
    source = Source("10.0.0.7")
    async with balancer(zone, source) as one:
        await eventually(lambda: one.registered)
        source.error = Unavailable("nobody answers")
        await eventually(lambda: f"{NAME} A: keeping 10.0.0.7: address: nobody answers" in caplog.text)
        asked = source.asked
        await eventually(lambda: source.asked >= asked + 2)
        assert one.registered
        assert members(zone) == {"10.0.0.7"}


async def test_a_source_that_cannot_tell_yet_does_not_keep_an_agent_from_starting(zone, caplog):
    source = Source("10.0.0.7")
    source.error = Unavailable("nobody answers")
    one = balancer(zone, source)
    assert await one.verify() is False
    async with one:
        await eventually(lambda: "keeping none: address: nobody answers" in caplog.text)
        source.error = None
        await eventually(lambda: one.registered)


@pytest.mark.parametrize(
    ("told", "error", "raised"),
    [((), None, ConfigurationError), (("10.0.0.7",), Denied("not for you"), Denied), (("fe80::7",), None, Rejected)],
)
async def test_what_somebody_has_to_mend_stops_the_start(zone, told, error, raised):
    source = Source(*told)
    source.error = error
    with pytest.raises(raised):
        await balancer(zone, source).verify()
    with pytest.raises(raised):
        async with balancer(zone, source):
            pytest.fail("it must not begin")
    with pytest.raises(raised):
        await balancer(zone, source).run()


def test_in_a_thread_of_its_own_it_is_asked_in_the_background(zone, caplog):
    one = balancer(zone, Source("10.0.0.7"))
    one.start()
    wait_until(lambda: members(zone) == {"10.0.0.7"})
    assert one.stop(timeout=30)
    without = balancer(zone, Source())
    without.start()
    wait_until(lambda: "this host has no address to register" in caplog.text)
    assert without.stop(timeout=30)


async def test_a_source_that_hangs_keeps_neither_the_loop_nor_the_end_waiting(zone):
    hangs, ended = threading.Event(), threading.Event()

    class Hanging(Source):
        def find(self):
            if self.asked:
                hangs.set()
                ended.wait(60)
            return super().find()

    probe = Healthy()
    async with balancer(zone, Hanging("10.0.0.7"), probe) as one:
        await eventually(hangs.is_set)
        await eventually(lambda: one.registered)
        asked = probe.asked
        await eventually(lambda: probe.asked > asked)
        started = time.monotonic()
    assert time.monotonic() - started < 10
    ended.set()
