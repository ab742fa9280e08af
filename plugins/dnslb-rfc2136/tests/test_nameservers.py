"""The starters of name servers, `dnslb.testing.nameservers`: what they promise to the tests that use them."""

from __future__ import annotations

import socket
from typing import Any

import dns.exception
import dns.message
import dns.query
import dns.rcode
import dns.tsig
import dns.zone
import pytest

from dnslb import RecordType
from dnslb.testing.nameservers import SERVERS, Bind, NotStarted, base

A = RecordType.A
ONE = "192.0.2.1"


@pytest.mark.parametrize("kind", SERVERS, ids=lambda kind: kind.__name__)
def test_a_server_that_is_not_installed_names_its_package(kind, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(base, "_SYSTEM_FOLDERS", ())
    assert f"apt-get install {kind.package}" in kind.missing()
    with pytest.raises(NotStarted, match=f"apt-get install {kind.package}"):
        kind().start()


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_server_comes_back_on_its_port_with_its_data(own_server, connect, write, values, end):
    manager, port = connect(own_server), own_server.port
    write(manager, "kept.ex.test", ONE)
    getattr(own_server, end)()
    assert not own_server.running
    own_server.start()
    assert own_server.port == port
    assert values(manager, "kept.ex.test") == (ONE,)


def test_servers_of_one_kind_do_not_get_in_each_others_way(own_server, connect, write, values):
    with type(own_server)() as other:
        write(connect(other), "only-here.ex.test", ONE)
        assert values(connect(own_server), "only-here.ex.test") == ()


def test_the_zone_is_transferred_to_the_key_and_to_nobody_else(server):
    def transfer(**key: Any) -> dns.zone.Zone:
        return dns.zone.from_xfr(dns.query.xfr(server.address, server.zone, port=server.port, timeout=5, **key))

    keyring = {dns.name.from_text(server.key_name): dns.tsig.Key(server.key_name, server.key_secret, server.algorithm)}
    zone = transfer(keyring=keyring, keyname=server.key_name, keyalgorithm=server.algorithm)
    assert zone.get_rdataset("ns", "A")
    with pytest.raises(dns.exception.DNSException):
        transfer()


def test_a_running_server_is_not_started_again(bind):
    with pytest.raises(NotStarted, match="running already"):
        bind.start()


def test_a_server_that_does_not_come_up_shows_its_log(require):
    require(Bind.missing())
    server = Bind(config="this is no configuration;")
    with pytest.raises(NotStarted, match="unknown option 'this'"), server:
        pass
    assert not server.running


def test_a_port_that_somebody_took_is_an_error_and_not_somebody_elses_answers(own_server):
    own_server.stop()
    taken = socket.create_server((own_server.address, own_server.port))
    with taken, pytest.raises(NotStarted, match=f"did not answer on port {own_server.port}"):
        own_server.start()
    own_server.start()
    assert own_server.running


def test_what_a_server_wrote_can_be_read(bind):
    assert "all zones loaded" in bind.logs()
