"""Servers that are down, in trouble, hard to find or behind."""

from __future__ import annotations

import contextlib
import socket
import sqlite3

import pytest

from dnslb import RecordType, Unavailable, ZoneNotFound
from dnslb.testing.nameservers import Bind, PowerDNS

A = RecordType.A
ONE, TWO = "192.0.2.1", "192.0.2.2"


# -- a server in trouble --------------------------------------------------------------------------------------


def test_a_server_that_is_down_is_unavailable_until_it_is_back(own_server, connect, change, values, write):
    manager = connect(own_server)
    write(manager, "www.ex.test", ONE)
    before = manager.read("www.ex.test", A)
    own_server.kill()
    with pytest.raises(Unavailable, match=r"cannot connect to .* by TCP .*Connection refused"):
        manager.read("www.ex.test", A)
    with pytest.raises(Unavailable):
        manager.commit([change(before, ONE, TWO)])
    own_server.start()
    manager.commit([change(before, ONE, TWO)])
    assert values(manager, "www.ex.test") == (ONE, TWO)


def test_a_zone_that_failed_to_load_is_unavailable(connect, require):
    require(Bind.missing())
    server = Bind()
    server.config = server.default_config() + 'zone "broken.test" { type primary; file "no such file"; };'
    with server, pytest.raises(Unavailable, match=r"\(SERVFAIL\): the server's log says why"):
        connect(server, fqdn="www.broken.test").read("www.broken.test", A)


def test_a_set_larger_than_the_server_allows_is_unavailable_with_a_hint(connect, require, write):
    require(Bind.missing())
    server = Bind()
    server.config = server.default_config().replace("allow-transfer", "max-records-per-type 2; allow-transfer")
    with server, pytest.raises(Unavailable, match="more records than it allows in a set"):
        write(connect(server), "www.ex.test", ONE, TWO, "192.0.2.3")


def test_a_locked_database_is_unavailable(connect, require, change, values):
    require(PowerDNS.missing())
    with PowerDNS() as server:
        manager = connect(server)
        before = manager.read("www.ex.test", A)
        with contextlib.closing(sqlite3.connect(server.folder / "pdns.sqlite3")) as database:
            database.execute("begin exclusive")
            with pytest.raises(Unavailable, match=r"\(SERVFAIL\)"):
                manager.commit([change(before, ONE)])
        manager.commit([change(before, ONE)])
        assert values(manager, "www.ex.test") == (ONE,)


# -- finding the server ---------------------------------------------------------------------------------------


def test_the_server_may_be_given_by_name_and_all_its_addresses_are_tried(bind, connect, values):
    # Where localhost is ::1 first, nobody listens there.
    assert values(connect(bind, server="localhost"), "ns.ex.test") == ("127.0.0.1",)


def test_an_address_that_swallows_everything_leaves_time_for_the_others(bind, connect, values, monkeypatch):
    with contextlib.ExitStack() as stack:
        full = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(3):  # connections that are never accepted; the next one waits for good
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        found = [
            (socket.AF_INET, socket.SOCK_STREAM, 0, "", address)
            for address in (full.getsockname(), (bind.address, bind.port))
        ]
        manager = connect(bind, server="ns.two-addresses.test", timeout=2.0)
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        assert values(manager, "ns.ex.test") == ("127.0.0.1",)


def test_a_name_that_is_not_known_is_unavailable(bind, connect, monkeypatch):
    # No resolver is asked: tests stay on this machine.
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    manager = connect(bind, server="ns.no-such-host.test")
    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(Unavailable, match=r"cannot find the address of ns\.no-such-host\.test"):
        manager.read("www.ex.test", A)


def test_the_server_may_have_an_ipv6_address(connect, require, values, write):
    require(Bind.missing())
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("this machine has no IPv6 loopback address")
    with Bind(address="::1") as server:
        manager = connect(server)
        write(manager, "www.ex.test", ONE)
        assert values(manager, "www.ex.test") == (ONE,)


# -- secondaries ----------------------------------------------------------------------------------------------


def test_without_secondaries_a_commit_is_served_at_once(server, connect, write):
    manager = connect(server)
    receipt = write(manager, "at-once.ex.test", ONE)
    assert manager.wait(receipt, 0) is True


def test_a_commit_is_served_once_all_secondaries_have_it(server, connect, require, values, write):
    require(Bind.missing())
    with Bind(primary=server) as first, Bind(primary=server) as second:
        there = [f"{each.address}:{each.port}" for each in (first, second)]
        manager = connect(server, secondaries=tuple(there))
        for count in range(3):
            name = f"transferred-{count}.ex.test"
            receipt = write(manager, name, ONE)
            assert manager.wait(receipt, 30) is True
            for secondary in (first, second):
                assert values(connect(secondary), name) == (ONE,)


def test_a_secondary_that_lags_is_waited_for_until_the_time_is_up(bind, connect, write):
    # Another primary of the same zone: it has an older serial, and stays there.
    with Bind() as stale:
        manager = connect(bind, secondaries=(f"{stale.address}:{stale.port}",))
        receipt = write(manager, "lagging.ex.test", ONE)
        assert manager.wait(receipt, 0.5) is False


def test_a_secondary_that_cannot_be_asked_is_named(bind, connect, write):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        host, port = closed.getsockname()
        manager = connect(bind, secondaries=(f"{host}:{port}",))
        receipt = write(manager, "no-secondary.ex.test", ONE)
        with pytest.raises(Unavailable, match=f"cannot connect to {host} port {port}"):
            manager.wait(receipt, 0.5)


def test_a_secondary_without_the_zone_is_named(bind, connect, write):
    with Bind("other.test") as stranger:
        manager = connect(bind, secondaries=(f"{stranger.address}:{stranger.port}",))
        receipt = write(manager, "no-secondary.ex.test", TWO)
        with pytest.raises(ZoneNotFound, match=f"{stranger.address} port {stranger.port}"):
            manager.wait(receipt, 0.5)
