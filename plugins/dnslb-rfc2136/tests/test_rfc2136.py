"""Zones and record sets, on each of the three servers."""

from __future__ import annotations

import dns.query
import dns.tsig
import dns.update
import pytest

from dnslb import Conflict, RecordSet, RecordType, Rejected, Snapshot, ZoneNotFound
from dnslb.testing import CuttingProxy
from dnslb.testing.nameservers import Bind

A, TXT = RecordType.A, RecordType.TXT
ONE, TWO = "192.0.2.1", "192.0.2.2"


def unread(name: str, type: RecordType = A) -> Snapshot:
    """The snapshot of a set that was absent."""
    return Snapshot(RecordSet(name, type), ())


# -- the zone -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fqdn", ["www.ex.test", "ex.test", "a.b.c.ex.test", "alias.ex.test", "dangling.ex.test"])
def test_the_zone_is_found(server, connect, fqdn, values, write):
    manager = connect(server, fqdn=fqdn)
    write(manager, f"found.{fqdn}", ONE)
    assert values(manager, f"found.{fqdn}") == (ONE,)


def test_a_zone_may_be_a_label_deeper_than_the_name_lets_guess(connect, require, values, write):
    require(Bind.missing())
    with Bind("deep.zone.ex.test") as server:
        manager = connect(server, fqdn="www.deep.zone.ex.test")
        write(manager, "www.deep.zone.ex.test", ONE)
        assert values(manager, "www.deep.zone.ex.test") == (ONE,)


def test_a_name_of_no_zone_of_the_server_is_not_found(server, connect):
    with pytest.raises(ZoneNotFound, match=r"www\.elsewhere\.test SOA.* \(REFUSED\)"):
        connect(server, fqdn="www.elsewhere.test").read("www.elsewhere.test", A)


def test_a_given_zone_that_the_server_does_not_have_is_not_found(server, connect):
    manager = connect(server, fqdn="www.sub-zone.ex.test", zone="sub-zone.ex.test")
    with pytest.raises(ZoneNotFound, match=r"has no zone sub-zone\.ex\.test, and serves that name from ex\.test"):
        manager.read("www.sub-zone.ex.test", A)


def test_a_zone_that_is_gone_is_not_found(own_server, connect, change):
    manager = connect(own_server)
    before = manager.read("www.ex.test", A)
    own_server.stop()
    successor = type(own_server)("other.test", key_secret=own_server.key_secret)
    successor.port = own_server.port
    with successor:
        with pytest.raises(ZoneNotFound, match=r"\(NOTAUTH\)"):
            manager.commit([change(before, ONE)])
        with pytest.raises(ZoneNotFound, match=r"\(REFUSED\)"):
            manager.read("www.ex.test", A)


def test_a_name_outside_of_the_zone_is_not_found(server, connect, change):
    manager = connect(server)
    with pytest.raises(ZoneNotFound, match=r"www\.elsewhere\.test A outside of the zone ex\.test"):
        manager.read("www.elsewhere.test", A)
    with pytest.raises(ZoneNotFound):
        manager.commit([change(unread("www.notex.test"), ONE)])


def test_a_delegated_name_is_not_found(server, connect):
    with pytest.raises(ZoneNotFound, match="without authority"):
        connect(server).read("www.sub.ex.test", A)


def test_names_in_different_zones_are_rejected_before_anything_is_sent(server, connect, change, values):
    manager = connect(server)
    name = "first.ex.test"
    with pytest.raises(Rejected, match=r"other\.test A outside of the zone ex\.test"):
        manager.commit([change(unread(name), ONE), change(unread("www.other.test"), ONE)])
    assert values(manager, name) == ()


# -- record sets ----------------------------------------------------------------------------------------------


def test_more_values_than_bind_takes_are_rejected_before_anything_is_sent(server, connect, change):
    with CuttingProxy((server.address, server.port)) as proxy:
        host, port = proxy.address
        manager = connect(server, server=host, port=port)
        before = manager.read("many.ex.test", A)
        requests = proxy.counters.requests
        with pytest.raises(Rejected, match="would hold 101 values"):
            manager.commit([change(before, *(f"10.0.0.{number}" for number in range(101)))])
        assert proxy.counters.requests == requests


def test_a_change_that_does_not_fit_into_a_message_is_rejected(server, connect, write):
    with pytest.raises(Rejected, match="64 KiB"):
        write(connect(server), "large.ex.test", *(f"{number}" + "x" * 4000 for number in range(20)), type=TXT)


def test_a_record_set_cannot_be_changed_twice_in_one_commit(server, connect, change, values):
    manager = connect(server)
    before = manager.read("twice.ex.test", A)
    with pytest.raises(Rejected, match="twice"):
        manager.commit([change(before, ONE), change(before, TWO)])
    assert values(manager, "twice.ex.test") == ()


def test_a_commit_is_one_message_whatever_it_changes(server, connect, change):
    with CuttingProxy((server.address, server.port)) as proxy:
        host, port = proxy.address
        manager = connect(server, server=host, port=port)
        changes = [
            change(manager.read("one-message.ex.test", A), ONE),
            change(manager.read("one-message.ex.test", RecordType.AAAA), "2001:db8::1"),
            change(manager.read("_blocked.one-message.ex.test", TXT), "Hold=1"),
        ]
        requests = proxy.counters.requests
        manager.commit(changes)
        assert proxy.counters.requests == requests + 1


@pytest.mark.parametrize("name", ["alias.ex.test", "dangling.ex.test"])
def test_an_alias_is_rejected_with_its_target(server, connect, name):
    target = {"alias.ex.test": "ns.ex.test", "dangling.ex.test": "nowhere.ex.test"}[name]
    with pytest.raises(Rejected, match=rf"is an alias \(CNAME\) of {target}"):
        connect(server).read(name, A)


def test_an_alias_that_was_made_meanwhile_is_a_conflict(server, connect, change):
    # Without a prerequisite for it, BIND and Knot would leave the addresses out and report success.
    with pytest.raises(Conflict):
        connect(server).commit([change(unread("alias.ex.test"), ONE)])


def test_records_of_a_wildcard_are_not_in_the_way(server, connect, change, values):
    manager = connect(server)
    name = "under.wild.ex.test"
    before = manager.read(name, A)
    assert before.record_set.values == ("192.0.2.99",), "a query alone cannot tell"
    with pytest.raises(Conflict):
        manager.commit([change(before, "192.0.2.99", ONE)])
    before = manager.read(name, A)
    assert before.record_set.values == (), "the server has denied it"
    manager.commit([change(before, ONE)])
    assert values(manager, name) == (ONE,)


def test_values_that_came_back_after_a_conflict_are_believed(server, connect, change, values, write):
    other = connect(server)
    name = "came-back.ex.test"
    write(other, name, ONE)
    with CuttingProxy((server.address, server.port)) as proxy:
        host, port = proxy.address
        manager = connect(server, server=host, port=port)
        stale = manager.read(name, A)
        write(other, name, TWO)
        with pytest.raises(Conflict):
            manager.commit([change(stale, ONE, TWO)])

        def requests_to_read(expected: str) -> int:
            before = proxy.counters.requests
            assert values(manager, name) == (expected,)
            return proxy.counters.requests - before

        assert requests_to_read(TWO) == 1, "other values than those that were denied are not in doubt"
        write(other, name, ONE)
        assert requests_to_read(ONE) == 2, "the same values are"
        assert requests_to_read(ONE) == 1, "until the server has confirmed them"


def test_the_ttl_is_not_compared(server, connect, change):
    manager, other = connect(server), connect(server)
    name = "ttl.ex.test"
    other.commit([change(other.read(name, A), ONE, ttl=60)])
    before = manager.read(name, A)
    other.commit([change(other.read(name, A), ONE, ttl=120)])
    manager.commit([change(before, ONE, TWO, ttl=30)])
    after = manager.read(name, A).record_set
    assert (after.values, after.ttl) == ((ONE, TWO), 30)


def test_strings_are_sent_back_as_they_were_cut(server, connect, change, values):
    # Somebody else's record: the same text in other strings is another record to a server.
    update = dns.update.UpdateMessage(server.zone)
    update.add("cut.ex.test.", 60, "TXT", '"one" "two"')
    update.use_tsig(dns.tsig.Key(server.key_name, server.key_secret, server.algorithm))
    dns.query.tcp(update, server.address, port=server.port, timeout=5)
    manager = connect(server)
    before = manager.read("cut.ex.test", TXT)
    assert before.record_set.values == ("onetwo",)
    manager.commit([change(before, "three")])
    assert values(manager, "cut.ex.test", TXT) == ("three",)
