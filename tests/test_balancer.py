"""The shell around the decision: real sockets, real time, a record manager in memory."""

import asyncio
import ipaddress
import logging
import re
import threading
import time

import pytest

from dnslb import (
    ConfigurationError,
    Denied,
    EachProbe,
    OutcomeUnknown,
    ProbeResult,
    RecordType,
    Throttled,
    Unavailable,
    Verdict,
)
from dnslb.balancer import LoadBalancer
from dnslb.builtin._local import LocalRecordManager
from dnslb.config import Config
from dnslb.decision import Policy
from dnslb.localdns.server import DnsServer
from dnslb.testing import MemoryRecordManager, MemoryZone

from agents import Service, services, wait_until

NAME = "www.example.test"


@pytest.fixture
def zone():
    return MemoryZone()


@pytest.fixture
def hosts():
    """Three services on one port."""
    made = services(3, "127.0.2")
    yield made
    for service in made:
        service.close()


def balancer(zone, service: Service, **parts) -> LoadBalancer:
    settings = {"fqdn": NAME, "tcp_port": service.port, "address": service.address, "check_interval": "1s"}
    [made] = Config.load(settings).services
    return LoadBalancer(made, record_manager=parts.pop("record_manager", MemoryRecordManager(zone)), **parts)


def balancer_on_hints(records, service: Service, server: DnsServer) -> LoadBalancer:
    settings = {
        "fqdn": NAME,
        "tcp_port": service.port,
        "address": service.address,
        "check_interval": "1s",
        "observe": "dns",
        "name_servers": [f"{host}:{port}" for host, port in server.endpoints],
    }
    [made] = Config.load(settings).services
    return LoadBalancer(made, record_manager=records)


def members(zone) -> set[str]:
    """What was committed last: a reading here would use up an error that is meant for a balancer."""
    committed = [change.after for changes in zone.commits for change in changes if change.after.type is RecordType.A]
    return set(committed[-1].values) if committed else set()


async def eventually(condition, limit=30.0):
    deadline = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


async def test_inside_an_event_loop_it_registers_and_leaves_at_the_end_of_the_block(zone, hosts):
    first, second, _ = hosts
    async with balancer(zone, first) as one:
        async with balancer(zone, second) as two:
            await eventually(lambda: members(zone) == {first.address, second.address})
            await eventually(lambda: len(one.members) == len(two.members) == 2)
            assert one.registered
            assert two.registered
        assert members(zone) == {first.address}
    assert members(zone) == {first.address}, "the last one stays"


def test_in_a_thread_of_its_own_it_registers_and_leaves_when_it_is_stopped(zone, hosts):
    first, second, _ = hosts
    one, two = balancer(zone, first), balancer(zone, second)
    one.start()
    two.start()
    wait_until(lambda: members(zone) == {first.address, second.address})
    assert two.stop(timeout=30)
    assert members(zone) == {first.address}
    assert one.stop(timeout=30)
    assert not [thread for thread in threading.enumerate() if thread.name == "dnslb"]


def test_it_cannot_be_started_twice_and_may_be_stopped_without_having_been_started(zone, hosts):
    one = balancer(zone, hosts[0])
    assert one.stop()
    one.start()
    with pytest.raises(RuntimeError, match="started already"):
        one.start()
    assert one.stop(timeout=30)


async def test_a_member_that_dies_is_removed_by_the_others(zone, hosts):
    first, second, third = hosts
    async with balancer(zone, first), balancer(zone, second):
        stop = asyncio.Event()
        dying = asyncio.create_task(balancer(zone, third).run(stop))
        await eventually(lambda: len(members(zone)) == 3)
        dying.cancel()
        third.close()
        await eventually(lambda: members(zone) == {first.address, second.address})


@pytest.mark.parametrize("error", [Unavailable("down"), Throttled("slowly", 0.1), Denied("no longer")])
async def test_provider_errors_are_survived(zone, hosts, error):
    zone.fail_reads(error)
    zone.fail_commits(error)
    async with balancer(zone, hosts[0]):
        await eventually(lambda: members(zone) == {hosts[0].address})


def events_of(caplog, *names):
    """The events of these names in order, each with its message."""
    said = [(record.dnslb["event"], record.getMessage()) for record in caplog.records if hasattr(record, "dnslb")]
    return [(event, message.partition(": ")[2]) for event, message in said if event in names]


async def test_a_provider_that_keeps_failing_in_one_way_is_said_once_and_for_how_long_when_it_is_over(
    zone, hosts, caplog
):
    caplog.set_level(logging.INFO, "dnslb")
    zone.fail_reads(Unavailable("down"), times=2)
    zone.fail_reads(Unavailable("still down"), times=2)
    async with balancer(zone, hosts[0]):
        await eventually(lambda: members(zone) == {hosts[0].address})
    first, second, third = events_of(caplog, "provider-trouble", "provider-recovered")
    assert first == ("provider-trouble", "reading failed, nothing changed: down")
    assert second == ("provider-trouble", "reading failed, nothing changed: still down")
    assert third[0] == "provider-recovered"
    assert re.fullmatch(r"reading works again, [0-9.ms]+ after it failed first", third[1])


async def test_a_provider_that_lets_nobody_write_is_not_said_to_have_recovered_by_each_reading(zone, hosts, caplog):
    caplog.set_level(logging.INFO, "dnslb")
    zone.fail_commits(Denied("no permission"), times=3)
    async with balancer(zone, hosts[0]):
        await eventually(lambda: members(zone) == {hosts[0].address})
    trouble, recovered = events_of(caplog, "provider-trouble", "provider-recovered")
    assert trouble == ("provider-trouble", "writing failed, nothing changed: no permission")
    assert recovered[1].startswith("writing works again, ")


async def test_a_lost_reply_is_found_out_and_not_written_again(zone, hosts):
    zone.fail_commits(OutcomeUnknown("the reply was lost"), applied=True)
    async with balancer(zone, hosts[0]) as one:
        await eventually(lambda: one.registered)
        await asyncio.sleep(1.5)
        assert len(zone.commits) == 1


class Broken:
    """A plugin that raises whatever it is asked."""

    def filter(self, addresses):
        raise ZeroDivisionError("a mistake in a plugin")

    def destroy(self, addresses):
        raise ZeroDivisionError("a mistake in a plugin")

    async def check(self, targets, timeout):
        raise ZeroDivisionError("a mistake in a plugin")


async def test_a_broken_region_filter_keeps_nobody_from_registering_and_removes_nobody(zone, hosts, caplog):
    first, second, third = hosts
    caplog.set_level(logging.INFO, "dnslb")
    async with balancer(zone, first, region_filter=Broken()), balancer(zone, second, region_filter=Broken()):
        stop = asyncio.Event()
        dying = asyncio.create_task(balancer(zone, third).run(stop))
        await eventually(lambda: len(members(zone)) == 3)
        dying.cancel()
        third.close()
        await eventually(lambda: "is not in my region" in caplog.text)
        await asyncio.sleep(1)
        assert len(members(zone)) == 3


async def test_a_broken_probe_says_nothing_about_anybody(zone, hosts, caplog):
    caplog.set_level(logging.INFO, "dnslb")
    async with balancer(zone, hosts[0], probe=Broken()):
        await eventually(lambda: "a mistake in a plugin" in caplog.text)
        await asyncio.sleep(1)
        assert members(zone) == set()


async def test_a_record_manager_that_hangs_does_not_keep_the_service_from_being_probed(zone, hosts):
    hanging = threading.Event()

    class Hanging(MemoryRecordManager):
        def read(self, name, type):
            hanging.wait(20)
            return super().read(name, type)

    probed = []

    class Probe(EachProbe):
        async def check_one(self, target, timeout):
            probed.append(target)
            return ProbeResult(Verdict.HEALTHY)

    one = balancer(zone, hosts[0], record_manager=Hanging(zone), probe=Probe())
    task = asyncio.create_task(one.run())
    await asyncio.sleep(0.5)
    hanging.set()
    await eventually(lambda: one.registered)
    assert probed
    task.cancel()


async def test_a_provider_that_answers_slowly_keeps_nobody_from_registering_and_nobody_in(zone, hosts):
    class Slow(MemoryRecordManager):
        def read(self, name, type):
            time.sleep(1.5)  # longer than a probe counts as fresh at this interval
            return super().read(name, type)

    first, second, _ = hosts
    async with balancer(zone, first, record_manager=Slow(zone)):
        stop = asyncio.Event()
        dying = asyncio.create_task(balancer(zone, second).run(stop))
        await eventually(lambda: members(zone) == {first.address, second.address})
        dying.cancel()
        second.close()
        await eventually(lambda: members(zone) == {first.address})


async def test_an_agent_that_stops_after_a_lost_registration_leaves_all_the_same(zone, hosts):
    first, second, _ = hosts

    class Losing(MemoryRecordManager):
        """The registration lands; its reply, and every reading until the agent stops, are lost."""

        lost = False

        def read(self, name, type):
            if self.lost and not stop.is_set():
                raise Unavailable("down")
            return super().read(name, type)

        def commit(self, changes):
            receipt = super().commit(changes)
            if not self.lost:
                type(self).lost = True
                raise OutcomeUnknown("the reply was lost")
            return receipt

    stop = asyncio.Event()
    async with balancer(zone, first):
        await eventually(lambda: members(zone) == {first.address})
        running = asyncio.create_task(balancer(zone, second, record_manager=Losing(zone)).run(stop))
        await eventually(lambda: members(zone) == {first.address, second.address})
        await asyncio.sleep(0.5)
        stop.set()
        await running
        assert members(zone) == {first.address}


async def test_what_cannot_be_closed_is_said_and_ends_nothing_else(zone, hosts, caplog):
    class Stuck(MemoryRecordManager):
        def close(self):
            raise Unavailable("already closed")

    async with balancer(zone, hosts[0], record_manager=Stuck(zone)) as one:
        await eventually(lambda: one.registered)
    assert "already closed" in caplog.text


async def test_a_destroyer_that_hangs_does_not_keep_the_agent_from_leaving(zone, hosts, monkeypatch):
    monkeypatch.setattr(Policy, "destroy_delay", property(lambda self: 1.0))
    first, second, third = hosts
    asked, done = threading.Event(), threading.Event()

    class Hanging:
        def destroy(self, addresses):
            asked.set()
            done.wait(60)

    stop, others = asyncio.Event(), asyncio.Event()
    staying = asyncio.create_task(balancer(zone, second).run(others))
    dying = asyncio.create_task(balancer(zone, third).run(others))
    await eventually(lambda: members(zone) == {second.address, third.address})
    leaving = asyncio.create_task(balancer(zone, first, destroyer=Hanging()).run(stop))
    await eventually(lambda: len(members(zone)) == 3)
    await asyncio.sleep(2)
    staying.cancel()
    dying.cancel()
    third.close()
    await eventually(asked.is_set, limit=40)
    started = time.monotonic()
    stop.set()
    await leaving
    assert time.monotonic() - started < 20
    assert members(zone) == {second.address}
    done.set()


async def test_verify_reads_and_changes_nothing(zone, hosts):
    one = balancer(zone, hosts[0])
    assert await one.verify() is True
    zone.fail_reads(Unavailable("down"))
    assert await one.verify() is False
    zone.fail_reads(Denied("wrong key"))
    with pytest.raises(Denied):
        await one.verify()
    assert zone.commits == []


async def test_what_is_wrong_from_the_start_is_raised_where_it_is_started(zone, hosts):
    settings = {"fqdn": NAME, "tcp_port": 80, "address": "no-such-interface"}
    [made] = Config.load(settings).services
    with pytest.raises(ConfigurationError, match="neither an address nor an interface"):
        async with LoadBalancer(made, record_manager=MemoryRecordManager(zone)):
            pytest.fail("it must not begin")
    with pytest.raises(ConfigurationError):
        LoadBalancer(made, record_manager=MemoryRecordManager(zone)).start()


async def test_one_that_has_ended_cannot_be_used_again(zone, hosts):
    one = balancer(zone, hosts[0])
    async with one:
        pass
    with pytest.raises(RuntimeError, match="make another one"):
        await one.__aenter__()


class Counting(LocalRecordManager):
    """Counts the requests to what is the API here."""

    reads = 0

    def read(self, name, type):
        self.reads += 1
        return super().read(name, type)


async def test_with_observe_dns_it_lives_on_what_the_name_servers_say_and_reads_by_the_api_to_act(hosts, tmp_path):
    path = tmp_path / "records.db"
    first, second, third = hosts
    watching = Counting(path)
    async with (
        DnsServer(path, zones=["example.test"], listen=[("127.0.0.1", 0)]) as server,
        balancer_on_hints(watching, first, server) as one,
    ):
        await eventually(lambda: one.registered)
        before = watching.reads
        stop = asyncio.Event()
        dying = asyncio.create_task(balancer_on_hints(LocalRecordManager(path), second, server).run(stop))
        leaving = asyncio.create_task(balancer_on_hints(LocalRecordManager(path), third, server).run(stop))
        await eventually(lambda: len(one.members) == 3)
        await asyncio.sleep(3)  # three intervals, in which it would read by the API at least twice
        assert watching.reads == before
        dying.cancel()
        second.close()
        await eventually(lambda: len(one.members) == 2)
        stop.set()
        await leaving
        await eventually(lambda: one.members == {ipaddress.ip_address(first.address)})


async def test_silent_name_servers_are_told_of_once_and_the_work_goes_on(hosts, tmp_path, caplog):
    caplog.set_level(logging.INFO, "dnslb")
    path = tmp_path / "records.db"
    first, second, _ = hosts
    async with (
        DnsServer(path, zones=["other.test"], listen=[("127.0.0.1", 0)]) as wrong,
        balancer_on_hints(LocalRecordManager(path), first, wrong) as one,
    ):
        await eventually(lambda: one.registered)
        async with balancer_on_hints(LocalRecordManager(path), second, wrong) as two:
            await eventually(lambda: two.registered)
            await asyncio.sleep(3)
    said = [record for record in caplog.records if "REFUSED" in record.getMessage()]
    assert 1 <= len(said) <= 2, "once by each of the two"
    assert said[0].dnslb["event"] == "name-servers-silent"


def test_a_load_balancer_needs_a_record_manager(hosts):
    [settings] = Config.load({"fqdn": NAME, "tcp_port": 80}).services
    with pytest.raises(ConfigurationError, match="record_manager is missing"):
        LoadBalancer(settings)


async def test_ipv4_and_ipv6_are_registered_by_the_same_code(zone):
    settings = {"fqdn": NAME, "tcp_port": 80, "address": ["127.0.2.9", "::1"], "check_interval": "1s"}

    class Always(EachProbe):
        async def check_one(self, target, timeout):
            return ProbeResult(Verdict.HEALTHY)

    [made] = Config.load(settings).services
    async with LoadBalancer(made, record_manager=MemoryRecordManager(zone), probe=Always()) as one:
        await eventually(lambda: len(one.members) == 2)
        assert zone.read(NAME, RecordType.AAAA).record_set.values == ("::1",)
        assert zone.read(NAME, RecordType.A).record_set.values == ("127.0.2.9",)
