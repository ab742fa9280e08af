"""Finding the zone: by name, by id, by the longest match, and what is said where that does not lead to one."""

from __future__ import annotations

import pytest

from dnslb import ConfigurationError, Denied, RecordType, ZoneNotFound
from dnslb_azure import _zones

A = RecordType.A
WWW = "www.ex.test"


def paths(dns) -> list[str]:
    return [request.path.removeprefix(f"/subscriptions/{dns.subscription}") for request in dns.requests]


def test_a_zone_that_is_named_with_its_group_is_asked_for_by_name(dns, connect):
    connect().read(WWW, A)
    assert paths(dns)[0] == "/resourceGroups/dns/providers/Microsoft.Network/dnsZones/ex.test"


def test_a_zone_can_be_given_by_its_id(dns, connect):
    id = f"/subscriptions/{dns.subscription}/resourceGroups/DNS/providers/Microsoft.Network/dnszones/EX.test"
    manager = connect(zone=id, resource_group=None, subscription_id=None)
    assert not manager.read(WWW, A).record_set.exists


def test_the_longest_zone_that_holds_the_name_is_found_in_all_resource_groups(dns, connect, write):
    for name, group in [("test", "a"), ("eu.ex.test", "b"), ("us.ex.test", "c"), ("u.ex.test", "d"), ("x.test", "e")]:
        dns.add_zone(name, resource_group=group)
    manager = connect("www.eu.ex.test", zone=None, resource_group=None)
    write(manager, "www.eu.ex.test", "192.0.2.1")
    assert dns.record_set("eu.ex.test", "A", "www", resource_group="b")


def test_only_the_resource_group_that_is_named_is_searched(dns, connect, write):
    dns.add_zone("ex.test", resource_group="other")
    write(connect(zone=None, resource_group="other"), WWW, "192.0.2.1")
    assert dns.record_set("ex.test", "A", "www", resource_group="other")
    assert "/resourceGroups/other/providers/Microsoft.Network/dnsZones" in paths(dns)


def test_the_zones_are_listed_once(dns, connect):
    manager = connect(zone=None, resource_group=None)
    for _ in range(3):
        manager.read(WWW, A)
    assert [path for path in paths(dns) if path.lower().endswith("/dnszones")] == [
        "/providers/Microsoft.Network/dnszones"
    ]


@pytest.mark.parametrize("zone", [None, "ex.test"], ids=["by the fqdn", "by name"])
def test_two_zones_of_one_name_are_ambiguous(dns, connect, zone):
    dns.add_zone("ex.test", resource_group="shared")
    with pytest.raises(ZoneNotFound) as raised:
        connect(zone=zone, resource_group=None).read(WWW, A)
    assert str(raised.value) == (
        "www.ex.test may be in ex.test in the resource group dns or ex.test in the resource group shared; set"
        " resource_group to the one that is meant"
    )


def test_a_private_zone_is_not_for_this_plugin(dns, connect, write):
    dns.add_zone("www.ex.test", resource_group="inside", zone_type="Private")
    write(connect(zone=None, resource_group=None), WWW, "192.0.2.1")
    assert dns.record_set("ex.test", "A", "www")


def test_a_zone_whose_name_cannot_hold_a_host_does_no_harm(dns, connect):
    dns.add_zone("0-63.2.0.192.in-addr.arpa")
    dns.add_zone("0/26.2.0.192.in-addr.arpa")
    assert not connect(zone=None, resource_group=None).read(WWW, A).record_set.exists


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"zone": "gone.test"}, "404 ResourceNotFound"),
        ({"resource_group": "nowhere"}, "404 ResourceGroupNotFound"),
        ({"zone": None, "resource_group": "nowhere"}, "404 ResourceGroupNotFound"),
        ({"subscription_id": "0" * 8}, "404 SubscriptionNotFound"),
        ({"zone": "gone.test", "resource_group": None}, "has not got the zone gone.test"),
        ({"zone": None, "resource_group": None}, "has not got a public zone that holds www.gone.test"),
    ],
)
def test_a_zone_that_is_not_there_is_told_with_the_next_step(connect, options, said):
    with pytest.raises(ZoneNotFound, match=said) as raised:
        connect("www.gone.test" if "gone" in f"{options}{said}" else WWW, **options).read("www.gone.test", A)
    assert "check zone, resource_group" in str(raised.value)


def test_an_fqdn_outside_of_the_zone_is_a_mistake_of_the_configuration(connect):
    with pytest.raises(ConfigurationError, match=r"www\.ex\.org is not in the zone ex\.test"):
        connect("www.ex.org")


def test_a_name_outside_of_the_zone_is_not_asked_for(dns, manager):
    with pytest.raises(ZoneNotFound, match=r"www\.ex\.org is outside of the zone ex\.test"):
        manager.read("www.ex.org", A)
    assert len(dns.requests) == 1


def test_without_permission_to_see_the_zone_it_says_so(dns, connect):
    dns.permitted = frozenset()
    with pytest.raises(Denied, match=r"Microsoft\.Network/dnsZones/read"):
        connect().read(WWW, A)


# -- zones that go and come --------------------------------------------------------------------------------


def test_a_zone_that_is_deleted_is_not_an_empty_record_set(dns, manager, write):
    write(manager, WWW, "192.0.2.1")
    dns.remove_zone("ex.test")
    dns.add_zone("other.test")
    for _ in range(2):
        with pytest.raises(ZoneNotFound):
            manager.read(WWW, A)


def test_a_zone_that_has_moved_is_found_again(dns, connect, write, values):
    manager = connect(zone=None, resource_group=None)
    write(manager, WWW, "192.0.2.1")
    dns.add_zone("ex.test", resource_group="new")
    dns.place("ex.test", "A", "www", {"TTL": 60, "ARecords": [{"ipv4Address": "192.0.2.2"}]}, resource_group="new")
    dns.remove_zone("ex.test")
    with pytest.raises(ZoneNotFound):
        manager.read(WWW, A)
    assert values(manager, WWW) == ("192.0.2.2",)


def test_an_absent_record_set_is_believed_only_while_the_zone_is_known_to_be_there(dns, manager, monkeypatch):
    manager.read(WWW, A)
    dns.fail(404, "NotFound", writes=False, times=2)
    assert not manager.read(WWW, A).record_set.exists
    monkeypatch.setattr(_zones, "_TRUSTED_FOR", 0.0)
    dns.remove_zone("ex.test")
    with pytest.raises(ZoneNotFound):
        manager.read(WWW, A)
