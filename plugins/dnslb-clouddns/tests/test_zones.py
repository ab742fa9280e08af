"""Which managed zone is read and written."""

from __future__ import annotations

import pytest

from dnslb import Denied, RecordSet, RecordType, Snapshot, ZoneNotFound

A, TXT = RecordType.A, RecordType.TXT
ONE = "192.0.2.1"


def holder(fake, name: str) -> list[str]:
    """The zones that hold records of the name."""
    return [zone for zone in fake.zones if any(each["name"] == f"{name}." for each in fake.record_sets(zone))]


@pytest.fixture
def written_to(fake, connect, write):
    """`written_to(**options)`: the zones that hold www.sub.ex.test once a manager with the options has written it."""

    def make(fqdn: str = "www.sub.ex.test", **options: object) -> list[str]:
        write(connect(fqdn, **options), fqdn, ONE)
        return holder(fake, fqdn)

    return make


def test_the_zone_with_the_longest_name_is_found(fake, written_to):
    fake.add_zone("sub", "sub.ex.test.")
    fake.add_zone("deeper", "a.www.sub.ex.test.")
    fake.add_zone("other", "b.ex.test.")
    assert written_to() == ["sub"]
    assert written_to("www.ex.test") == ["ex-test"]
    assert written_to("ex.test") == ["ex-test"]


@pytest.mark.parametrize("zone", ["ex-test", "ex.test", "EX.test."])
def test_a_zone_that_is_given_is_taken_though_another_is_longer(fake, written_to, zone):
    fake.add_zone("sub", "sub.ex.test.")
    assert written_to(zone=zone) == ["ex-test"]


def test_a_zone_is_found_by_its_number(fake, written_to):
    number = fake.add_zone("sub", "sub.ex.test.").id
    assert written_to(zone=str(number)) == ["sub"]


@pytest.mark.parametrize(("private", "expected"), [(False, "ex-test"), (True, "inside")])
def test_public_and_private_zones_of_one_name_are_told_apart(fake, written_to, private, expected):
    fake.add_zone("inside", "ex.test.", private=True)
    assert written_to("www.ex.test", private=private) == [expected]
    assert written_to("www2.ex.test", private=private, zone="ex.test") == [expected]


def test_a_private_zone_that_is_given_by_its_name_needs_nothing_else(fake, written_to):
    fake.add_zone("inside", "ex.test.", private=True)
    assert written_to(zone="inside") == ["inside"]


@pytest.mark.parametrize("zone", [None, "ex.test"])
def test_several_zones_of_one_name_are_an_error_that_lists_them(fake, connect, zone):
    fake.add_zone("one", "ex.test.", private=True)
    fake.add_zone("two", "ex.test.", private=True)
    manager = connect(private=True, zone=zone)
    with pytest.raises(ZoneNotFound, match=r"2 private zones .* have the DNS name ex\.test: one, two; set `zone`"):
        manager.read("www.ex.test", A)


def test_zones_whose_answers_come_from_elsewhere_are_not_considered(fake, written_to):
    fake.add_zone("records", "ex.test.", private=True)
    fake.add_zone("forwards", "ex.test.", private=True, forwardingConfig={"targetNameServers": []} | {"kind": "x"})
    fake.add_zone("peers", "sub.ex.test.", private=True, peeringConfig={"kind": "x"})
    assert written_to(private=True) == ["records"]


def test_a_name_of_no_zone_is_not_found(connect):
    with pytest.raises(ZoneNotFound, match=r"dnslb-test has no public zone that holds www\.elsewhere\.test; check"):
        connect("www.elsewhere.test").read("www.elsewhere.test", A)


def test_a_given_zone_that_is_not_there_is_not_found(connect):
    with pytest.raises(ZoneNotFound, match=r"find the zone gone .* 404 notFound: .*'gone' does not exist"):
        connect(zone="gone").read("www.ex.test", A)
    with pytest.raises(ZoneNotFound, match=r"has no public zone that holds sub\.ex\.test"):
        connect("www.sub.ex.test", zone="sub.ex.test").read("www.sub.ex.test", A)


def test_a_given_zone_must_hold_the_fqdn(fake, connect):
    fake.add_zone("other", "other.test.")
    with pytest.raises(ZoneNotFound, match=r"the zone other is of other\.test, which does not hold www\.ex\.test"):
        connect(zone="other").read("www.ex.test", A)


def test_another_project_is_not_found(connect):
    with pytest.raises(ZoneNotFound, match=r"project.*not-mine.*does not exist.*check `zone` and `project`"):
        connect(project="not-mine").read("www.ex.test", A)


def test_without_a_project_one_is_asked_for(connect):
    with pytest.raises(Denied, match="set `project`"):
        connect(project=None).read("www.ex.test", A)


def test_a_name_outside_of_the_zone_is_not_found_and_nothing_is_sent(fake, connect, change):
    manager = connect()
    before = manager.read("www.ex.test", A)
    requests = len(fake.calls)
    with pytest.raises(ZoneNotFound, match=r"www\.other\.test A outside of the zone ex-test"):
        manager.read("www.other.test", A)
    with pytest.raises(ZoneNotFound):
        manager.commit([change(before, ONE), change(Snapshot(RecordSet("www.other.test", A)), ONE)])
    assert len(fake.calls) == requests


def test_the_zone_is_looked_for_once_and_anew_when_it_is_gone(fake, connect, values, write):
    manager = connect()
    write(manager, "www.ex.test", ONE)
    values(manager, "www.ex.test")
    assert [call.method for call in fake.calls].count("dns.managedZones.list") == 2  # www.ex.test, ex.test
    fake.remove_zone("ex-test")
    with pytest.raises(ZoneNotFound):
        manager.read("www.ex.test", A)
    fake.add_zone("renamed", "ex.test.")
    write(manager, "www.ex.test", ONE)
    assert holder(fake, "www.ex.test") == ["renamed"]


def test_a_zone_that_is_gone_is_no_conflict(fake, connect, change):
    manager = connect()
    before = manager.read("www.ex.test", A)
    fake.remove_zone("ex-test")
    with pytest.raises(ZoneNotFound):
        manager.commit([change(before, ONE)])


def test_a_name_is_read_without_listing_the_zone(fake, connect, values):
    for number in range(150):
        fake.put("ex-test", {"name": f"h{number}.ex.test.", "type": "A", "ttl": 60, "rrdatas": [ONE]})
    manager = connect(zone="ex-test")
    values(manager, "h7.ex.test")
    requests = len(fake.calls)
    assert values(manager, "h149.ex.test") == (ONE,)
    assert len(fake.calls) == requests + 1
