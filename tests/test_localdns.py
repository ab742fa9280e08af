"""The embedded DNS server on real sockets, over a record file that others write to."""

import asyncio
import concurrent.futures
import contextlib
import itertools
import logging
import shutil
import socket
import subprocess
import sys
import threading

import dns.flags
import dns.message
import dns.query
import pytest
from dns.rcode import Rcode

from dnslb import Change, ConfigurationError, RecordType, Rejected, ZoneNotFound
from dnslb.builtin._local import LocalRecordManager
from dnslb.localdns import transports
from dnslb.localdns.server import DnsServer, ListenError

LOOPBACK = ("127.0.0.1", 0)
OWN = ("127.0.53.1", 0)
"""For ports that are given back and taken again: nobody else's connections start from this address."""
WWW = "www.example.test"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "records.db"


def put(path, name, type_, *values, ttl=60):
    manager = LocalRecordManager(path)
    before = manager.read(name, type_)
    manager.commit([Change(before, before.record_set.holding(values, ttl))])


@contextlib.contextmanager
def serving(path, *listen, zones=("example.test",)):
    """A server in a thread of its own; gives its endpoints."""
    started = concurrent.futures.Future()

    async def main():
        end = asyncio.Event()
        try:
            async with DnsServer(path, zones=zones, listen=listen or [LOOPBACK]) as server:
                started.set_result((server.endpoints, asyncio.get_running_loop(), end))
                await end.wait()
        except BaseException as error:
            if started.done():
                raise
            started.set_exception(error)

    thread = threading.Thread(target=asyncio.run, args=[main()])
    thread.start()
    try:
        endpoints, loop, end = started.result(timeout=30)
        try:
            yield endpoints
        finally:
            loop.call_soon_threadsafe(end.set)
    finally:
        thread.join()


@pytest.fixture
def endpoint(path):
    """Where a server listens that serves example.test from `path`."""
    with serving(path) as (endpoint,):
        yield endpoint


def ask(endpoint, name=WWW, type_="A", how=dns.query.udp):
    host, port = endpoint
    query = dns.message.make_query(name, type_, use_edns=0)
    return how(query, host, port=port, timeout=10)


def values(endpoint, name=WWW, type_="A", how=dns.query.udp):
    """The values of the answer, in its order."""
    return [rdata.to_text() for rrset in ask(endpoint, name, type_, how).answer for rdata in rrset]


@contextlib.contextmanager
def connected(endpoint):
    with socket.create_connection(endpoint, timeout=10) as connection:
        yield connection


def framed(name=WWW, id=1):
    wire = dns.message.make_query(name, "A", id=id).to_wire()
    return len(wire).to_bytes(2, "big") + wire


def next_message(connection):
    """The next message of a TCP connection, or None where it was closed."""
    stream = connection.makefile("rb")
    length = stream.read(2)
    return dns.message.from_wire(stream.read(int.from_bytes(length, "big"))) if length else None


# -- over the file -----------------------------------------------------------------------------------------


def test_a_file_that_is_not_there_is_made(path, endpoint):
    assert path.is_file()
    assert ask(endpoint).rcode() == Rcode.NXDOMAIN
    assert ask(endpoint, "example.test", "SOA").answer


@pytest.mark.parametrize("how", [dns.query.udp, dns.query.tcp])
def test_what_is_committed_is_in_the_next_answer(path, endpoint, how):
    for number in range(1, 20):
        put(path, WWW, RecordType.A, f"192.0.2.{number}", ttl=number)
        response = ask(endpoint, how=how)
        assert [(rrset.ttl, rrset[0].address) for rrset in response.answer] == [(number, f"192.0.2.{number}")]
    put(path, WWW, RecordType.A)
    assert ask(endpoint, how=how).rcode() == Rcode.NXDOMAIN


def test_what_another_process_commits_is_in_the_next_answer(path, endpoint):
    script = """
import sys
from pathlib import Path
from dnslb import Change, RecordType
from dnslb.builtin._local import LocalRecordManager
manager = LocalRecordManager(Path(sys.argv[1]))
before = manager.read("www.example.test", RecordType.AAAA)
manager.commit([Change(before, before.record_set.holding(["fd00::1"], ttl=5))])
"""
    subprocess.run([sys.executable, "-c", script, path], check=True)
    assert values(endpoint, type_="AAAA") == ["fd00::1"]


def test_the_serial_number_goes_up_with_every_commit(path, endpoint):
    serials = []
    for number in range(3):
        put(path, WWW, RecordType.A, f"192.0.2.{number}")
        serials.append(ask(endpoint, "example.test", "SOA").answer[0][0].serial)
    assert serials == list(range(serials[0], serials[0] + 3))


def test_answers_take_turns_each_record_set_by_itself(path, endpoint):
    """As clients that ask for A and AAAA by turns see it."""
    four, six = ["192.0.2.1", "192.0.2.2"], ["fd00::1", "fd00::2", "fd00::3"]
    put(path, WWW, RecordType.A, *four)
    put(path, WWW, RecordType.AAAA, *six)
    firsts = [(values(endpoint)[0], values(endpoint, type_="AAAA")[0]) for _ in range(6)]
    assert firsts == list(zip(four * 3, six * 2, strict=True))


def test_a_client_that_asks_throughout_sees_every_commit_whole(path, endpoint):
    """Three addresses and a TTL that belong together, replaced again and again; never an empty set either."""
    stop = threading.Event()

    def commit(number):
        put(path, WWW, RecordType.A, *(f"192.0.{part}.{number}" for part in (1, 2, 3)), ttl=number)

    def keep_committing():
        for number in itertools.cycle(range(1, 200)):
            if stop.is_set():
                return
            commit(number)

    commit(1)
    writer = threading.Thread(target=keep_committing)
    writer.start()
    try:
        seen = set()
        while len(seen) < 20:
            (rrset,) = ask(endpoint).answer
            assert {rdata.address for rdata in rrset} == {f"192.0.{part}.{rrset.ttl}" for part in (1, 2, 3)}
            seen.add(rrset.ttl)
    finally:
        stop.set()
        writer.join()


def test_a_file_that_cannot_be_used_stops_the_start(path, tmp_path):
    path.write_text("not a database\n" * 100)
    with pytest.raises(Rejected, match="is not a SQLite file"), serving(path):
        pass
    with pytest.raises(ZoneNotFound), serving(tmp_path / "missing" / "records.db"):
        pass


def test_a_file_that_is_deleted_and_made_anew_is_noticed(path, endpoint):
    put(path, WWW, RecordType.A, "192.0.2.1")
    assert values(endpoint) == ["192.0.2.1"]
    for file in path.parent.iterdir():
        file.unlink()
    put(path, WWW, RecordType.A, "192.0.2.2")
    assert values(endpoint) == ["192.0.2.2"]
    put(path, WWW, RecordType.A, "192.0.2.3")
    assert values(endpoint) == ["192.0.2.3"]
    assert LocalRecordManager(path).read(WWW, RecordType.A).record_set.values == ("192.0.2.3",)


def test_a_file_that_breaks_leaves_the_zones_as_they_were_until_it_is_mended(path, tmp_path, endpoint, caplog):
    caplog.set_level(logging.INFO, "dnslb.localdns")
    put(path, WWW, RecordType.A, "192.0.2.1")
    assert values(endpoint) == ["192.0.2.1"]
    broken, mended = tmp_path / "broken", tmp_path / "mended"
    broken.write_text("not a database\n" * 100)
    put(mended, WWW, RecordType.A, "192.0.2.2")
    broken.replace(path)
    for _ in range(3):
        assert values(endpoint) == ["192.0.2.1"]
    mended.replace(path)
    assert values(endpoint) == ["192.0.2.2"]
    said = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert said == [
        (
            "ERROR",
            f"the zones stay as they were: {path} is not a SQLite file; name another path, and dnslb makes the file",
        ),
        ("INFO", f"{path} can be read again"),
    ]


def test_several_servers_serve_one_file(path, endpoint):
    with serving(path, zones=["www.example.test"]) as (other,):
        put(path, WWW, RecordType.A, "192.0.2.1")
        assert values(endpoint) == values(other) == ["192.0.2.1"]
        assert ask(other, "example.test", "SOA").rcode() == Rcode.REFUSED


# -- listening ---------------------------------------------------------------------------------------------


def test_port_0_takes_one_port_for_udp_and_tcp_and_another_for_each_address(path):
    put(path, WWW, RecordType.A, "192.0.2.1")
    with serving(path, LOOPBACK, ("127.0.0.2", 0)) as endpoints:
        assert [host for host, _ in endpoints] == ["127.0.0.1", "127.0.0.2"]
        for endpoint in endpoints:
            assert values(endpoint, how=dns.query.udp) == values(endpoint, how=dns.query.tcp) == ["192.0.2.1"]
        name_servers = [ask(endpoints[0], "ns.example.test").answer[0]]
        assert sorted(rdata.address for rdata in name_servers[0]) == ["127.0.0.1", "127.0.0.2"]


def has_ipv6():
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason="this host has no ::1")
@pytest.mark.parametrize("host", ["::1", "::"])
def test_ipv6(path, host):
    put(path, WWW, RecordType.A, "192.0.2.1")
    with serving(path, (host, 0)) as ((_, port),):
        assert values(("::1", port), how=dns.query.udp) == values(("::1", port), how=dns.query.tcp) == ["192.0.2.1"]
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=10)


@pytest.mark.parametrize(("host", "rcode"), [("127.0.0.1", Rcode.NOERROR), ("0.0.0.0", Rcode.NXDOMAIN)])
def test_the_name_server_has_the_addresses_that_it_listens_on_if_it_knows_them(path, host, rcode):
    with serving(path, (host, 0)) as ((_, port),):
        assert ask(("127.0.0.1", port), "ns.example.test").rcode() == rcode


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_a_port_in_use_is_said_in_one_line_and_nothing_stays_open(path, kind):
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind(OWN)
        if kind is socket.SOCK_STREAM:
            taken.listen()
        host, port = taken.getsockname()
        with pytest.raises(ListenError) as caught, serving(path, LOOPBACK, (host, port)):
            pass
        assert str(caught.value) == (
            f"cannot listen on {host}:{port}: Address already in use; stop what listens there, or name another port"
        )
        assert isinstance(caught.value.__cause__, OSError)
    with serving(path, (host, port)) as (endpoint,):
        assert endpoint == (host, port)


@pytest.mark.parametrize(("host", "shown"), [("192.0.2.1", "192.0.2.1:0"), ("2001:db8::1", "[2001:db8::1]:0")])
def test_an_address_of_another_host_is_said_in_one_line(path, host, shown):
    with pytest.raises(ListenError) as caught, serving(path, (host, 0)):
        pass
    assert str(caught.value).startswith(f"cannot listen on {shown}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("zones", "listen", "message"),
    [
        ([], [LOOPBACK], "needs a zone to serve and an address to listen on"),
        (["example.test"], [], "needs a zone to serve and an address to listen on"),
        (["exa mple.test"], [LOOPBACK], "cannot serve the zone 'exa mple.test': .* is not a domain name"),
        ([".".join(["x" * 60] * 4)], [LOOPBACK], "254 characters are too long"),
        (["example.test"], [("localhost", 53)], "cannot listen on 'localhost': it is not an IP address"),
        (["example.test"], [("127.0.0.1", 65536)], "65536 .*is not a port"),
    ],
)
def test_what_cannot_be_served_is_refused_before_anything_is_opened(path, zones, listen, message):
    with pytest.raises(ConfigurationError, match=message) as caught:
        DnsServer(path, zones=zones, listen=listen)
    assert "\n" not in str(caught.value)
    assert not path.exists()


def test_a_server_that_ends_closes_its_connections_and_leaves_its_port_free(path):
    with contextlib.ExitStack() as stack:
        with serving(path, OWN) as (endpoint,):
            connections = [stack.enter_context(connected(endpoint)) for _ in range(3)]
            for connection in connections[1:]:
                connection.sendall(framed())
                assert next_message(connection)
        for connection in connections:
            assert next_message(connection) is None
        with pytest.raises(ConnectionRefusedError):
            ask(endpoint, how=dns.query.tcp)
        with serving(path, endpoint) as (again,):
            assert again == endpoint
            assert ask(again, how=dns.query.tcp).rcode() == Rcode.NXDOMAIN


def test_a_server_that_ends_leaves_nothing_behind_in_the_event_loop(path):
    async def main():
        async with DnsServer(path, zones=["example.test"], listen=[LOOPBACK]) as server:
            reader, writer = await asyncio.open_connection(*server.endpoints[0])
            writer.write(framed())
            await reader.readexactly(2)
        await asyncio.wait_for(reader.read(), timeout=5)  # well before it counts as idle
        writer.close()
        await writer.wait_closed()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())


# -- datagrams and connections -----------------------------------------------------------------------------


def test_datagrams_that_deserve_no_answer_get_none(path, endpoint):
    """The answer that comes is the one to the last datagram."""
    response = dns.message.make_response(dns.message.make_query(WWW, "A")).to_wire()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(10)
        for datagram in (b"", b"x", response, dns.message.make_query(WWW, "A", id=4711).to_wire()):
            client.sendto(datagram, endpoint)
        assert dns.message.from_wire(client.recv(4096)).id == 4711


def test_what_does_not_fit_into_a_datagram_is_asked_for_again_by_tcp(path, endpoint):
    addresses = [f"fd00::{number:x}" for number in range(1, 301)]
    put(path, WWW, RecordType.AAAA, *addresses)
    truncated = ask(endpoint, type_="AAAA")
    assert truncated.flags & dns.flags.TC
    assert truncated.answer == []
    host, port = endpoint
    query = dns.message.make_query(WWW, "AAAA", use_edns=0)
    response, by_tcp = dns.query.udp_with_fallback(query, host, port=port, timeout=10)
    assert by_tcp
    assert {rdata.address for rdata in response.answer[0]} == set(addresses)


def test_queries_that_come_all_at_once_are_answered_in_their_order(path, endpoint):
    put(path, WWW, RecordType.A, "192.0.2.1")
    with connected(endpoint) as connection:
        connection.sendall(b"".join(framed(id=number) for number in range(500)))
        stream = connection.makefile("rb")
        ids = []
        for _ in range(500):
            wire = stream.read(int.from_bytes(stream.read(2), "big"))
            ids.append(dns.message.from_wire(wire).id)
    assert ids == list(range(500))


def test_a_query_may_come_in_pieces(path, endpoint):
    with connected(endpoint) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for octet in framed(id=4711):
            connection.sendall(bytes([octet]))
        assert next_message(connection).id == 4711


@pytest.mark.parametrize(
    "nonsense",
    [b"\0\0", b"\0\5hello", dns.message.make_response(dns.message.make_query(WWW, "A")).to_wire(prepend_length=True)],
    ids=["an empty message", "not a message", "a response"],
)
def test_a_connection_on_which_comes_what_deserves_no_answer_is_closed(path, endpoint, nonsense):
    with connected(endpoint) as connection:
        connection.sendall(nonsense + framed())
        with contextlib.suppress(ConnectionResetError):
            assert next_message(connection) is None


def test_garbage_on_a_connection_is_a_format_error_and_the_next_query_is_answered(path, endpoint):
    with connected(endpoint) as connection:
        connection.sendall(b"\0\x0c" + b"\x12\x34" + bytes(10))
        assert next_message(connection).rcode() == Rcode.FORMERR
        connection.sendall(b"\xff\xff" + b"\x12\x34" + bytes(65533))
        assert next_message(connection).rcode() == Rcode.FORMERR
        connection.sendall(framed(id=4711))
        assert next_message(connection).id == 4711


@pytest.mark.parametrize("begun", [b"", framed()[:1], framed()[:20]], ids=["nothing", "half a length", "half a query"])
def test_a_connection_on_which_no_whole_query_comes_is_closed(path, monkeypatch, begun):
    monkeypatch.setattr(transports, "IDLE_TIMEOUT", 0.2)
    with serving(path) as (endpoint,), connected(endpoint) as connection:
        connection.sendall(begun)
        assert connection.recv(1) == b""


def test_a_connection_whose_answers_nobody_takes_is_closed(path, monkeypatch):
    monkeypatch.setattr(transports, "IDLE_TIMEOUT", 0.5)
    put(path, WWW, RecordType.TXT, "x" * 60_000)
    wire = dns.message.make_query(WWW, "TXT").to_wire(prepend_length=True)

    def ask_for_ever(connection):
        while True:
            connection.sendall(wire)

    with serving(path) as (endpoint,), socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(30)
        connection.connect(endpoint)
        with pytest.raises(ConnectionError):
            ask_for_ever(connection)


def test_there_is_a_bound_on_connections(path, monkeypatch):
    monkeypatch.setattr(transports, "MAX_CONNECTIONS", 2)
    with serving(path) as (endpoint,), connected(endpoint) as first, connected(endpoint) as second:
        for connection in (first, second):
            connection.sendall(framed())
            assert next_message(connection)
        with connected(endpoint) as third:
            assert third.recv(1) == b""
        assert ask(endpoint).rcode() == Rcode.NXDOMAIN
        first.close()
        while True:  # until the server has noticed
            with connected(endpoint) as fourth, contextlib.suppress(ConnectionError):
                fourth.sendall(framed())
                if next_message(fourth):
                    break


def test_a_client_with_many_queries_leaves_others_their_turn():
    """Whatever else the event loop has to do comes between any two answers."""
    queries = 200
    answered = 0
    seen = []

    def answers(wire, *, datagram):
        nonlocal answered
        answered += 1
        return wire

    async def main():
        conversations = transports.Conversations(answers)
        listener = await asyncio.start_server(conversations.begin, *LOOPBACK)
        reader, writer = await asyncio.open_connection(*listener.sockets[0].getsockname())
        writer.write(b"\0\1x" * queries)
        while answered < queries:
            seen.append(answered)
            await asyncio.sleep(0)
        assert await reader.readexactly(3 * queries) == b"\0\1x" * queries
        writer.close()
        await writer.wait_closed()
        listener.close()
        await conversations.close()

    asyncio.run(main())
    assert max(after - before for before, after in itertools.pairwise(seen)) == 1


# -- other people's clients --------------------------------------------------------------------------------


@pytest.mark.skipif(shutil.which("dig") is None, reason="dig is not installed (Debian: bind9-dnsutils)")
@pytest.mark.parametrize("option", ["+notcp", "+tcp", "+noedns", "+edns=1", "+dnssec"])
def test_dig_understands_the_answers(path, endpoint, option):
    put(path, WWW, RecordType.A, "192.0.2.1", "192.0.2.2", ttl=17)
    host, port = endpoint
    command = [
        "dig",
        f"@{host}",
        "-p",
        str(port),
        "+tries=1",
        "+time=10",
        "+noall",
        "+answer",
        "+comments",
        option,
        WWW,
        "A",
    ]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    lines = [line.split() for line in output.splitlines() if line and not line.startswith(";")]
    assert lines == [["www.example.test.", "17", "IN", "A", f"192.0.2.{number}"] for number in (1, 2)]
    assert "status: NOERROR" in output
    assert "flags: qr aa rd;" in output
    for complaint in ("malformed", "mismatch", "extra bytes"):
        assert complaint not in output.lower()
