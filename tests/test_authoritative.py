"""Reading from a zone's own name servers, on real sockets; what real name servers answer is in tests/servers."""

import asyncio
import contextlib
import ipaddress
import socket
import subprocess
import sys

import dns.asyncresolver
import dns.flags
import dns.message
import dns.name
import dns.rrset
import pytest

from dnslb import Change, RecordSet, RecordType, Rejected, Unavailable
from dnslb.authoritative import MAX_ADDRESSES, NameServers, find_zone, record_set_of
from dnslb.builtin._local import LocalRecordManager
from dnslb.endpoints import Endpoint
from dnslb.localdns.server import DnsServer

WWW = "www.example.test"
ZONE = dns.name.from_text("example.test")
SOA = "example.test. 5 IN SOA ns.example.test. hostmaster.example.test. 1 3600 600 86400 5"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "records.db"


def put(path, *values, ttl=60, name=WWW, type_=RecordType.A):
    manager = LocalRecordManager(path)
    before = manager.read(name, type_)
    manager.commit([Change(before, before.record_set.holding(values, ttl))])


def serving(path, *listen, zones=("example.test",)) -> DnsServer:
    return DnsServer(path, zones=zones, listen=listen or [("127.0.0.1", 0)])


def endpoints(server: DnsServer) -> list[Endpoint]:
    return [Endpoint(host, port) for host, port in server.endpoints]


@contextlib.contextmanager
def silent():
    """The endpoint of a server that takes questions and never answers."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind(("127.0.0.1", 0))
        yield Endpoint(*bound.getsockname())


async def test_it_reads_what_the_server_has_now_with_its_ttl(path):
    put(path, "10.0.0.1", "10.0.0.2", ttl=30)
    async with serving(path) as server:
        name_servers = NameServers(WWW, endpoints(server))
        assert await name_servers.read(RecordType.A) == RecordSet(WWW, RecordType.A, ("10.0.0.1", "10.0.0.2"), 30)
        put(path, "10.0.0.3", ttl=5)
        assert await name_servers.read(RecordType.A) == RecordSet(WWW, RecordType.A, ("10.0.0.3",), 5)


async def test_what_the_zone_denies_is_empty(path):
    put(path, "10.0.0.1")
    async with serving(path) as server:
        assert await NameServers(WWW, endpoints(server)).read(RecordType.AAAA) == RecordSet(WWW, RecordType.AAAA)
        absent = "absent.example.test"
        assert await NameServers(absent, endpoints(server)).read(RecordType.A) == RecordSet(absent, RecordType.A)


@pytest.mark.parametrize("count", [100, MAX_ADDRESSES])
async def test_an_answer_that_no_datagram_can_hold_is_read_over_tcp(path, count):
    first = int(ipaddress.ip_address("10.0.0.1"))
    put(path, *(str(ipaddress.ip_address(first + number)) for number in range(count)))
    async with serving(path) as server:
        assert len((await NameServers(WWW, endpoints(server)).read(RecordType.A)).values) == count


async def test_the_servers_take_turns(path, tmp_path):
    put(path, "10.0.0.1")
    other = tmp_path / "other.db"
    put(other, "10.0.0.2")
    async with serving(path) as one, serving(other) as two:
        name_servers = NameServers(WWW, [*endpoints(one), *endpoints(two)])
        read = [(await name_servers.read(RecordType.A)).values for _ in range(4)]
    assert read == [("10.0.0.1",), ("10.0.0.2",)] * 2


async def test_where_one_server_gives_no_answer_to_go_by_the_next_one_is_asked(path, tmp_path):
    put(path, "10.0.0.1")
    async with serving(path) as good, serving(path, zones=["other.test"]) as wrong:
        with silent() as mute:
            name_servers = NameServers(WWW, [mute, *endpoints(wrong), *endpoints(good)])
            for _ in range(3):
                assert (await name_servers.read(RecordType.A)).values == ("10.0.0.1",)


async def test_where_none_does_the_error_says_what_each_of_them_said(path):
    async with serving(path, zones=["other.test"]) as wrong:
        with silent() as mute, pytest.raises(Unavailable) as raised:
            await NameServers(WWW, [mute, *endpoints(wrong)]).read(RecordType.A)
    said = str(raised.value)
    assert said.startswith(f"no name server answers for {WWW} A (")
    assert f"{mute}: no answer in 1 s" in said
    assert "it answers REFUSED" in said


async def test_many_silent_servers_are_given_up_after_a_few_seconds():
    with contextlib.ExitStack() as stack:
        mute = [stack.enter_context(silent()) for _ in range(6)]
        with pytest.raises(Unavailable, match="given up after 3 s"):
            await NameServers(WWW, mute).read(RecordType.A)


# -- answers -------------------------------------------------------------------------------------------------


def reply(flags=dns.flags.QR | dns.flags.AA, rcode="NOERROR", answer=(), authority=()) -> dns.message.Message:
    lines = [f"id 1\nopcode QUERY\nrcode {rcode}\nflags {dns.flags.to_text(flags)}", ";QUESTION", f"{WWW}. IN A"]
    return dns.message.from_text("\n".join([*lines, ";ANSWER", *answer, ";AUTHORITY", *authority]))


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"rcode": "REFUSED"}, "REFUSED"),
        ({"rcode": "SERVFAIL"}, "SERVFAIL"),
        ({"rcode": "NOTAUTH", "authority": [SOA]}, "NOTAUTH"),
        ({"flags": dns.flags.QR, "answer": [f"{WWW}. 5 IN A 10.0.0.1"]}, "no authority"),
        ({"flags": dns.flags.QR, "rcode": "NXDOMAIN", "authority": [SOA]}, "no authority"),
        ({"flags": dns.flags.QR, "authority": ["example.test. 5 IN NS ns.example.test."]}, "no authority"),
        ({}, "neither has the records nor denies"),
        ({"rcode": "NXDOMAIN"}, "neither has the records nor denies"),
        ({"rcode": "NXDOMAIN", "authority": [SOA.replace("example.test. 5", ". 5")]}, "nor denies"),
        ({"rcode": "NXDOMAIN", "authority": [SOA.replace("example.test. 5", "test. 5")]}, "nor denies"),
        ({"answer": ["other.example.test. 5 IN A 10.0.0.1"]}, "neither has the records"),
    ],
)
def test_what_is_not_an_answer_of_the_zone_itself_is_never_taken_for_an_empty_record_set(answer, said):
    with pytest.raises(Unavailable, match=said):
        record_set_of(reply(**answer), WWW, RecordType.A, ZONE)


@pytest.mark.parametrize("apex", [ZONE, None])
@pytest.mark.parametrize("rcode", ["NOERROR", "NXDOMAIN"])
def test_a_denial_of_the_right_zone_is_an_empty_record_set(rcode, apex):
    denial = reply(rcode=rcode, authority=[SOA])
    assert record_set_of(denial, WWW, RecordType.A, apex) == RecordSet(WWW, RecordType.A)


def test_a_denial_of_the_root_is_none_even_where_the_zone_is_not_known():
    with pytest.raises(Unavailable):
        record_set_of(
            reply(rcode="NXDOMAIN", authority=[SOA.replace("example.test. 5", ". 5")]), WWW, RecordType.A, None
        )


def test_an_alias_is_an_error_that_names_where_it_leads():
    alias = reply(answer=[f"{WWW}. 5 IN CNAME front.example.net."])
    with pytest.raises(Rejected, match=r"www\.example\.test is an alias \(CNAME\) of front\.example\.net"):
        record_set_of(alias, WWW, RecordType.A, ZONE)


def test_more_addresses_than_anybody_probes_are_refused():
    first = int(ipaddress.ip_address("10.0.0.1"))
    many = [f"{WWW}. 5 IN A {ipaddress.ip_address(first + number)}" for number in range(MAX_ADDRESSES + 1)]
    with pytest.raises(Rejected, match="1001 addresses"):
        record_set_of(reply(answer=many), WWW, RecordType.A, ZONE)


# -- whom to ask ---------------------------------------------------------------------------------------------


def resolver_at(server: DnsServer) -> dns.asyncresolver.Resolver:
    """A resolver that asks that server and nobody else."""
    resolver = dns.asyncresolver.Resolver(configure=False)
    resolver.nameservers = [server.endpoints[0][0]]
    resolver.port = server.endpoints[0][1]
    resolver.lifetime = 5
    return resolver


@pytest.mark.parametrize("name", [WWW, "absent.example.test", "a.b.c.example.test", "example.test"])
async def test_the_zone_around_a_name_and_the_addresses_of_its_servers_are_found_by_asking_a_resolver(path, name):
    put(path, "10.0.0.1")
    async with serving(path, ("127.0.0.1", 0), ("127.0.53.2", 0)) as server:
        zone = await find_zone(name, resolver_at(server))
    assert zone.apex == ZONE
    assert set(zone.servers) == {Endpoint("127.0.0.1"), Endpoint("127.0.53.2")}


async def test_servers_that_are_given_by_name_are_looked_up_and_keep_their_port(path):
    async with serving(path) as server:
        zone = await find_zone(WWW, resolver_at(server), [Endpoint("ns.example.test", 5353), Endpoint("::1", 54)])
    assert zone.apex is None
    assert zone.servers == (Endpoint("127.0.0.1", 5353), Endpoint("::1", 54))


async def test_a_server_without_an_address_is_an_error_of_the_look_up(path):
    async with serving(path) as server:
        with pytest.raises(Unavailable, match=r"no address is known of absent\.example\.test"):
            await find_zone(WWW, resolver_at(server), [Endpoint("absent.example.test")])


# -- dnslb check ---------------------------------------------------------------------------------------------


def check(tmp_path, endpoint: Endpoint) -> subprocess.CompletedProcess:
    file = tmp_path / "dnslb.yml"
    file.write_text(
        f"fqdn: {WWW}\ntcp_port: 80\naddress: 127.0.0.1\nrecord_manager: {{plugin: local, path: records.db}}\n"
        f"observe: dns\nname_servers: ['{endpoint.host}:{endpoint.port}']\n",
        encoding="utf-8",
    )
    words = [sys.executable, "-m", "dnslb", "check", str(file)]
    return subprocess.run(words, check=False, capture_output=True, text=True, timeout=60)


async def test_check_asks_the_name_servers(path, tmp_path):
    async with serving(path) as server:
        done = await asyncio.to_thread(check, tmp_path, endpoints(server)[0])
    assert (done.returncode, done.stderr) == (0, "")


def test_check_says_so_where_they_do_not_answer(tmp_path):
    with silent() as mute:
        done = check(tmp_path, mute)
    assert done.returncode == 1
    assert f"no name server answers for {WWW} A ({mute}: no answer in 1 s)" in done.stderr
    assert len(done.stderr.splitlines()) == 2
