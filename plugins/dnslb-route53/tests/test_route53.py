"""Hosted zones and record sets."""

from __future__ import annotations

from functools import partial

import pytest

from dnslb import Change, Conflict, RecordSet, RecordType, Rejected, Snapshot, ZoneNotFound
from dnslb.txt import quote
from dnslb_route53._records import from_route53, to_route53

A, AAAA, TXT = RecordType.A, RecordType.AAAA, RecordType.TXT
ONE, TWO = "192.0.2.1", "192.0.2.2"


def unread(name: str, type: RecordType = A) -> Snapshot:
    """The snapshot of a set that was absent."""
    return Snapshot(RecordSet(name, type), None)


def requests(faults, operation: str = "") -> list[str]:
    return [f"{seen.method} {seen.path}" for seen in faults.seen if operation in seen.path]


# -- the zone ----------------------------------------------------------------------------------------------


def test_a_zone_is_found_by_its_name_or_as_the_longest_that_holds_the_fqdn(ministack, connect, write):
    outer = ministack.create_zone("found.test")
    inner = ministack.create_zone("deep.found.test")
    ministack.create_zone("www.deep.found.test.elsewhere.test")
    search = partial(connect, hosted_zone_id=None)
    write(search("www.deep.found.test"), "www.deep.found.test", ONE)
    write(search("www.found.test"), "www.found.test", ONE)
    write(search("deep.found.test"), "deep.found.test", ONE)
    write(search("www.deep.found.test", zone="found.test"), "other.deep.found.test", TWO)
    assert ministack.raw(inner, "www.deep.found.test")
    assert ministack.raw(outer, "www.found.test")
    assert ministack.raw(inner, "deep.found.test")[0]["Type"] == "A", "at the apex of its own zone"
    assert ministack.raw(outer, "other.deep.found.test"), "the zone that was named"


def test_the_kind_of_zone_that_is_asked_for_is_taken(ministack, connect, write):
    public = ministack.create_zone("split.test")
    private = ministack.create_zone("split.test", private=True)
    write(connect("www.split.test", hosted_zone_id=None), "www.split.test", ONE)
    write(connect("www.split.test", hosted_zone_id=None, private=True), "www.split.test", TWO)
    held = {zone: ministack.raw(zone, "www.split.test")[0]["ResourceRecords"] for zone in (public, private)}
    assert held == {public: [{"Value": ONE}], private: [{"Value": TWO}]}


def test_several_zones_of_one_name_are_listed(ministack, connect):
    first, second = (ministack.create_zone("twice.test", private=True) for _ in range(2))
    manager = connect("www.twice.test", hosted_zone_id=None, private=True)
    with pytest.raises(ZoneNotFound, match=r"2 private hosted zones called twice\.test") as caught:
        manager.read("www.twice.test", A)
    assert first in str(caught.value)
    assert second in str(caught.value)
    assert "set hosted_zone_id" in str(caught.value)


def test_a_zone_of_the_other_kind_only_is_named(ministack, connect):
    zone = ministack.create_zone("hidden.test", private=True)
    with pytest.raises(ZoneNotFound, match=rf"there is hidden\.test \(private, {zone}\).*change `private`"):
        connect("www.hidden.test", hosted_zone_id=None).read("www.hidden.test", A)


def test_no_zone_is_said_so(connect):
    with pytest.raises(ZoneNotFound, match=r"no public hosted zone that holds www\.nowhere\.test; set hosted_zone_id"):
        connect("www.nowhere.test", hosted_zone_id=None).read("www.nowhere.test", A)
    with pytest.raises(ZoneNotFound, match=r"no public hosted zone called nowhere\.test"):
        connect("www.nowhere.test", hosted_zone_id=None, zone="nowhere.test").read("www.nowhere.test", A)


def test_an_id_that_no_zone_has_is_said_so(connect):
    with pytest.raises(ZoneNotFound, match=r"find the zone ZNOSUCHZONE.*check hosted_zone_id"):
        connect(hosted_zone_id="ZNOSUCHZONE").read("www.ex.test", A)


def test_an_id_and_a_name_must_be_of_one_zone_that_holds_the_fqdn(ministack, connect):
    zone = ministack.create_zone("sub.both.test")
    with pytest.raises(ZoneNotFound, match=rf"www\.ex\.test is not in the hosted zone sub\.both\.test .*{zone}"):
        connect(hosted_zone_id=zone).read("www.ex.test", A)
    with pytest.raises(ZoneNotFound, match=r"is that of sub\.both\.test .* `zone` says both\.test"):
        connect("www.sub.both.test", hosted_zone_id=zone, zone="both.test").read("www.sub.both.test", A)


def test_a_zone_is_looked_for_once(connect, faults, values):
    manager = connect(hosted_zone_id=None, zone="ex.test", endpoint_url=faults.url)
    for _ in range(3):
        values(manager, "www.ex.test")
    assert len(requests(faults, "hostedzonesbyname")) == 1


def test_a_zone_that_was_made_anew_is_found_again(ministack, connect, write, values):
    zone = ministack.create_zone("anew.test")
    manager = connect("www.anew.test", hosted_zone_id=None)
    assert values(manager, "www.anew.test") == ()
    ministack.client.delete_hosted_zone(Id=zone)
    ministack.create_zone("anew.test")
    with pytest.raises(ZoneNotFound):
        values(manager, "www.anew.test")
    write(manager, "www.anew.test", ONE)
    assert values(manager, "www.anew.test") == (ONE,)


def test_names_outside_of_the_zone_are_refused_before_anything_is_sent(connect, faults, change):
    manager = connect(endpoint_url=faults.url)
    manager.read("www.ex.test", A)
    count = len(faults.seen)
    with pytest.raises(ZoneNotFound, match=r"www\.notex\.test A is outside of the hosted zone ex\.test"):
        manager.read("www.notex.test", A)
    with pytest.raises(ZoneNotFound):
        manager.commit([change(unread("www.notex.test"), ONE)])
    with pytest.raises(Rejected, match=r"one hosted zone, and www\.notex\.test A is outside"):
        manager.commit([change(unread("first.ex.test"), ONE), change(unread("www.notex.test"), ONE)])
    assert len(faults.seen) == count


# -- reading -----------------------------------------------------------------------------------------------


def test_a_read_is_one_request_for_one_record_set(connect, faults):
    manager = connect(endpoint_url=faults.url)
    manager.read("www.ex.test", A)
    manager.read("_blocked.www.ex.test", TXT)
    reads = requests(faults, "/rrset?")
    assert len(reads) == 2
    assert all("maxitems=1" in read for read in reads)
    assert "name=_blocked.www.ex.test&type=TXT" in reads[1]


def test_several_record_sets_of_a_service_are_one_request(connect, faults):
    manager = connect(endpoint_url=faults.url)
    manager.read("www.ex.test", A)
    before = len(requests(faults, "/rrset?"))
    manager.read_together([("www.ex.test", A), ("_blocked.www.ex.test", TXT), ("_destroy.www.ex.test", TXT)])
    [read] = requests(faults, "/rrset?")[before:]
    assert "name=www.ex.test&maxitems=20" in read or "maxitems=20&name=www.ex.test" in read


def test_what_is_not_on_the_page_any_more_is_read_by_itself(ministack, zone_id, connect, faults, write):
    manager = connect(endpoint_url=faults.url)
    write(manager, "full.ex.test", ONE)
    write(manager, "_blocked.full.ex.test", "Hold=1", type=TXT)
    for number in range(25):  # a digit comes before "_"
        ministack.put(zone_id, Name=f"{number:02}.full.ex.test", Type="A", TTL=5, ResourceRecords=[{"Value": TWO}])
    before = len(requests(faults, "/rrset?"))
    found = manager.read_together([("full.ex.test", A), ("_blocked.full.ex.test", TXT), ("_destroy.full.ex.test", TXT)])
    assert [each.record_set.values for each in found] == [(ONE,), ("Hold=1",), ()]
    assert len(requests(faults, "/rrset?")[before:]) == 3


def test_a_neighbour_in_the_listing_is_not_the_set(ministack, zone_id, connect, values):
    ministack.put(zone_id, Name="b.near.ex.test", Type="A", TTL=5, ResourceRecords=[{"Value": ONE}])
    ministack.put(zone_id, Name=r"\052.near.ex.test", Type="A", TTL=5, ResourceRecords=[{"Value": TWO}])
    manager = connect()
    assert values(manager, "a.near.ex.test") == ()
    assert values(manager, "b.near.ex.test", AAAA) == ()
    assert values(manager, "near.ex.test") == (), "the next one is the wildcard's"
    assert values(manager, "b.near.ex.test") == (ONE,)


ALIAS = {"AliasTarget": {"HostedZoneId": "Z1", "DNSName": "lb.example.com.", "EvaluateTargetHealth": False}}
PLAIN = {"TTL": 60, "ResourceRecords": [{"Value": ONE}]}
ROUTED = {
    "weighted": {"SetIdentifier": "blue", "Weight": 10, **PLAIN},
    "by latency": {"SetIdentifier": "blue", "Region": "us-east-1", **PLAIN},
    "failover": {"SetIdentifier": "blue", "Failover": "PRIMARY", **PLAIN},
    "by place": {"SetIdentifier": "blue", "GeoLocation": {"CountryCode": "AT"}, **PLAIN},
    "multivalue": {"SetIdentifier": "blue", "MultiValueAnswer": True, **PLAIN},
    "weighted alias": {"SetIdentifier": "blue", "Weight": 10, **ALIAS},
}
REFUSED = {
    "an alias": (ALIAS, r"is an alias of lb\.example\.com"),
    "health check": ({"HealthCheckId": "abc", **PLAIN}, r"settings that dnslb would lose \(HealthCheckId\)"),
} | {name: (more, "alias of|one of several routed sets \\('blue'") for name, more in ROUTED.items()}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_set_that_is_not_plain_is_rejected(ministack, zone_id, connect, kind):
    more, message = REFUSED[kind]
    name = f"{kind.replace(' ', '-')}.ex.test"
    ministack.put(zone_id, Name=name, Type="A", **more)
    with pytest.raises(Rejected, match=message):
        connect().read(name, A)


@pytest.mark.parametrize("kind", REFUSED)
def test_a_set_that_is_not_plain_is_never_overwritten(ministack, zone_id, connect, write, change, kind):
    more, _ = REFUSED[kind]
    name = f"over-{kind.replace(' ', '-')}.ex.test"
    manager = connect()
    write(manager, name, ONE)
    before = manager.read(name, A)
    ministack.client.change_resource_record_sets(
        HostedZoneId=zone_id,
        ChangeBatch={
            "Changes": [
                {"Action": "DELETE", "ResourceRecordSet": before.version},
                {"Action": "CREATE", "ResourceRecordSet": {"Name": name, "Type": "A", **more}},
            ]
        },
    )
    kept = ministack.raw(zone_id, name)
    with pytest.raises(Conflict):
        manager.commit([change(before, TWO)])
    assert ministack.raw(zone_id, name) == kept


def test_a_cname_record_in_the_place_is_rejected(ministack, zone_id, connect):
    ministack.put(zone_id, Name="cname.ex.test", Type="CNAME", TTL=5, ResourceRecords=[{"Value": "www.example.com"}])
    for type in (A, AAAA):
        with pytest.raises(Rejected, match=r"cname\.ex\.test has a CNAME record"):
            connect().read("cname.ex.test", type)


def test_a_value_that_is_none_is_rejected(ministack, zone_id, connect):
    ministack.put(zone_id, Name="nonsense.ex.test", Type="A", TTL=5, ResourceRecords=[{"Value": "one"}])
    with pytest.raises(Rejected, match="holds a value that is none"):
        connect().read("nonsense.ex.test", A)


# -- writing -----------------------------------------------------------------------------------------------


def test_what_was_read_is_sent_back_as_it_was(ministack, zone_id, connect, change, values):
    # Somebody else's spelling: the same values in other words are another set to Route 53.
    records = [{"Value": '"one" "two"'}, {"Value": r'"a\040b"'}]
    ministack.put(zone_id, Name="verbatim.ex.test", Type="TXT", TTL=7, ResourceRecords=records)
    ministack.put(zone_id, Name="verbatim.ex.test", Type="AAAA", TTL=7, ResourceRecords=[{"Value": "2001:DB8:0::1"}])
    manager = connect()
    before = manager.read("verbatim.ex.test", TXT)
    assert before.record_set.values == ("a b", "onetwo")
    manager.commit([change(before, "three"), change(manager.read("verbatim.ex.test", AAAA), "2001:db8::2")])
    assert values(manager, "verbatim.ex.test", TXT) == ("three",)
    assert values(manager, "verbatim.ex.test", AAAA) == ("2001:db8::2",)


def test_the_ttl_is_compared_too(connect, change):
    manager, other = connect(), connect()
    name = "ttl.ex.test"
    other.commit([change(other.read(name, A), ONE, ttl=60)])
    before = manager.read(name, A)
    other.commit([change(other.read(name, A), ONE, ttl=120)])
    with pytest.raises(Conflict):
        manager.commit([change(before, ONE, TWO)])


def test_a_commit_is_one_request_whatever_it_changes(connect, faults, change):
    manager = connect(endpoint_url=faults.url)
    kinds = [(A, ONE), (AAAA, "2001:db8::1"), (TXT, "Hold=1")]
    changes = [change(manager.read("one.ex.test", type), value) for type, value in kinds]
    count = len(faults.seen)
    manager.commit(changes)
    assert len(faults.seen) == count + 1


def test_an_absence_is_held_to_as_a_presence_is(connect, change, write, values):
    manager, other = connect(), connect()
    absent, wanted = manager.read("_blocked.fence.ex.test", TXT), manager.read("fence.ex.test", A)
    stays = Change(absent, absent.record_set)
    manager.commit([stays, change(wanted, ONE)])
    assert values(other, "fence.ex.test") == (ONE,)
    assert values(other, "_blocked.fence.ex.test", TXT) == ()
    write(other, "_blocked.fence.ex.test", "Hold=1", type=TXT)
    with pytest.raises(Conflict):
        manager.commit([stays, change(manager.read("fence.ex.test", A), TWO)])
    assert values(other, "fence.ex.test") == (ONE,)
    assert values(other, "_blocked.fence.ex.test", TXT) == ("Hold=1",)


def test_nothing_to_change_is_no_request(connect, faults):
    manager = connect(endpoint_url=faults.url)
    assert manager.wait(manager.commit([]), 0) is True
    assert faults.seen == []


TOO_MUCH = {
    "a set twice": ([("twice", A, [ONE]), ("twice", A, [TWO])], "changes a record set twice"),
    "401 values": ([("many", A, [f"10.0.{n // 250}.{n % 250}" for n in range(401)])], "would hold 401 values"),
    "a long text": ([("long", TXT, ["x" * 4_000])], "a value of 4047 characters; Route 53 keeps at most 4000"),
    "1,200 records": (
        [(f"set-{part}", A, [f"10.{part}.{n // 250}.{n % 250}" for n in range(400)]) for part in range(3)],
        "names 1200 records",
    ),
    "32,130 characters": ([("text", TXT, [f"{n:03d}" + "x" * 1_054 for n in range(30)])], "of 32130 characters"),
}


@pytest.mark.parametrize("what", TOO_MUCH)
def test_what_route_53_would_not_take_is_rejected_before_anything_is_sent(connect, faults, what):
    sets, message = TOO_MUCH[what]
    manager = connect(endpoint_url=faults.url)
    changes = [
        Change(unread(f"{name}.ex.test", type), RecordSet(f"{name}.ex.test", type, tuple(values), 60))
        for name, type, values in sets
    ]
    with pytest.raises(Rejected, match=message):
        manager.commit(changes)
    assert faults.seen == []


def test_a_full_set_can_be_replaced_by_a_full_set(connect, change, values):
    manager = connect()
    for part in range(2):
        wanted = [f"2001:db8:aaaa:bbbb:cccc:dddd:eee{part}:{n:x}" for n in range(0xF000, 0xF000 + 400)]
        manager.commit([change(manager.read("full.ex.test", AAAA), *wanted)])
        assert len(values(manager, "full.ex.test", AAAA)) == 400


# -- TXT values --------------------------------------------------------------------------------------------

TEXTS = {
    "plain": ("Hold=1", '"Hold=1"'),
    "not ASCII": ("naïve", r'"na\303\257ve"'),
    "control characters": ("a\tb\x7f", r'"a\011b\177"'),
    "quotes": ('say "hi"', r'"say \"hi\""'),
    "a backslash before digits": (r"a\101", r'"a\\101"'),
    "two strings": ("x" * 256, f'"{"x" * 255}" "x"'),
}


@pytest.mark.parametrize(("value", "written"), TEXTS.values(), ids=list(TEXTS))
def test_a_text_is_escaped_in_octal(value, written):
    assert to_route53(value) == written
    assert from_route53(written) == value


@pytest.mark.parametrize("written", [r'"\777"', '"\\', r"bare\040word", '""', "", '"a" b'])
def test_a_text_in_any_form_can_be_read(written):
    assert isinstance(from_route53(written), str)


def test_only_what_a_text_escapes_differs_from_zone_files():
    assert to_route53("v=DKIM1; k=rsa; p=") == quote("v=DKIM1; k=rsa; p=")
