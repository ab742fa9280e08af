"""Record sets that are not plain, or not as dnslb would have written them."""

from __future__ import annotations

import pytest

from dnslb import Conflict, RecordSet, RecordType, Rejected, Snapshot

A, AAAA, TXT = RecordType.A, RecordType.AAAA, RecordType.TXT
ONE, TWO, THREE = "192.0.2.1", "192.0.2.2", "192.0.2.3"
WWW = "www.ex.test"


def resource(type_: str, *values: str, ttl: int = 60, **more: object) -> dict[str, object]:
    return {"name": f"{WWW}.", "type": type_, "ttl": ttl, "rrdatas": list(values), **more}


def unread(name: str = WWW, type_: RecordType = A) -> Snapshot:
    return Snapshot(RecordSet(name, type_))


ROUTED = {
    "geo": {"items": [{"location": "us-east4", "rrdatas": [ONE]}]},
    "wrr": {"items": [{"weight": 1.0, "rrdatas": [ONE]}]},
    "primaryBackup": {"trickleTraffic": 0.1},
}


@pytest.mark.parametrize("kind", ROUTED)
def test_a_set_with_a_routing_policy_is_refused_and_left_alone(fake, connect, change, kind):
    fake.put("ex-test", {"name": f"{WWW}.", "type": "A", "ttl": 60, "routingPolicy": {kind: ROUTED[kind]}})
    manager = connect()
    with pytest.raises(Rejected, match=rf"www\.ex\.test A has a routing policy \({kind}\)"):
        manager.read(WWW, A)
    with pytest.raises(Conflict):
        manager.commit([change(unread(), ONE)])
    assert [each for each in fake.record_sets("ex-test") if "routingPolicy" in each] != []


def test_a_set_that_got_a_routing_policy_meanwhile_is_a_conflict(fake, connect, change, write):
    manager = connect()
    write(manager, WWW, ONE)
    before = manager.read(WWW, A)
    fake.put("ex-test", {"name": f"{WWW}.", "type": "A", "ttl": 60, "routingPolicy": {"wrr": ROUTED["wrr"]}})
    with pytest.raises(Conflict):
        manager.commit([change(before, ONE, TWO)])


@pytest.mark.parametrize("type_", ["CNAME", "ALIAS"])
def test_an_alias_is_refused_with_its_target(fake, connect, type_):
    fake.put("ex-test", resource(type_, "elsewhere.test."))
    with pytest.raises(Rejected, match=rf"www\.ex\.test is an alias \({type_}\) of elsewhere\.test, .* A records"):
        connect().read(WWW, A)


def test_an_alias_that_was_made_meanwhile_is_refused(fake, connect, change):
    manager = connect()
    before = manager.read(WWW, A)
    fake.put("ex-test", resource("CNAME", "elsewhere.test."))
    with pytest.raises(Rejected, match="cnameResourceRecordSetConflict"):
        manager.commit([change(before, ONE)])


@pytest.mark.parametrize(
    ("written", "values"),
    [
        (resource("A", THREE, ONE, TWO), (ONE, TWO, THREE)),
        (resource("AAAA", "2001:DB8:0:0:0:0:0:1"), ("2001:db8::1",)),
        (resource("TXT", '"one" "two"'), ("onetwo",)),
        (resource("TXT", "bare"), ("bare",)),
        (resource("TXT", '"\\097"'), ("a",)),
        (resource("A", ONE, ttl=0), (ONE,)),
    ],
    ids=["order", "IPv6 in full", "two strings", "no quotes", "escapes", "no TTL"],
)
def test_what_somebody_else_has_written_is_sent_back_as_it_stands(fake, connect, change, written, values):
    fake.put("ex-test", written)
    manager = connect()
    type_ = RecordType(written["type"])
    before = manager.read(WWW, type_)
    assert before.record_set.values == values
    manager.commit([change(before)])
    assert manager.read(WWW, type_).record_set.values == ()


def test_the_ttl_is_compared(connect, change):
    manager, other = connect(), connect()
    other.commit([change(other.read(WWW, A), ONE, ttl=60)])
    before = manager.read(WWW, A)
    other.commit([change(other.read(WWW, A), ONE, ttl=120)])
    with pytest.raises(Conflict, match="no longer what was read"):
        manager.commit([change(before, ONE, TWO, ttl=30)])


def test_a_commit_is_one_request_whatever_it_changes(fake, connect, change):
    manager = connect()
    changes = [
        change(manager.read(WWW, A), ONE),
        change(manager.read(WWW, AAAA), "2001:db8::1"),
        change(manager.read(f"_blocked.{WWW}", TXT), "Hold=1"),
    ]
    requests = len(fake.calls)
    manager.commit(changes)
    assert [call.method for call in fake.calls[requests:]] == ["dns.changes.create"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ([(unread(), tuple(f"10.0.0.{number}" for number in range(101)))], "www.ex.test A would hold 101 values"),
        ([(unread(), (ONE,)), (unread(), (TWO,))], "changes a record set twice: www.ex.test A and www.ex.test A"),
        ([(Snapshot(RecordSet(WWW, A, (ONE,), 60)), (TWO,))], "was not read here; read it again"),
    ],
    ids=["too many values", "one set twice", "a snapshot of somebody else"],
)
def test_what_cannot_be_is_rejected_before_anything_is_sent(fake, connect, change, changes, message):
    manager = connect()
    manager.read(WWW, A)
    requests = len(fake.calls)
    with pytest.raises(Rejected, match=message):
        manager.commit([change(before, *after) for before, after in changes])
    assert len(fake.calls) == requests


def test_what_was_absent_and_shall_stay_so_is_looked_up(connect, change, write):
    manager, other = connect(), connect()
    absent, www = manager.read(f"_blocked.{WWW}", TXT), manager.read(WWW, A)
    manager.commit([change(absent), change(www, ONE)])
    write(other, f"_blocked.{WWW}", "Hold=1", type=TXT)
    with pytest.raises(Conflict, match=r"_blocked\.www\.ex\.test TXT was absent, and is not any more"):
        manager.commit([change(absent), change(manager.read(WWW, A), TWO)])
    assert manager.read(WWW, A).record_set.values == (ONE,)


def test_the_quota_of_a_change_is_rejected(connect, change):
    manager = connect()
    manager.read(WWW, A)
    changes = [change(unread(f"h{number}.ex.test"), ONE) for number in range(1001)]
    with pytest.raises(Rejected, match=r"403 quotaExceeded: .*additions per change.*raise the quota"):
        manager.commit(changes)
