"""Record sets are values: two spellings of one thing are equal, and what is not valid does not come into being."""

from dataclasses import FrozenInstanceError
from ipaddress import ip_address

import pytest

from dnslb import Change, RecordSet, RecordType, Snapshot
from dnslb.records import MAX_TTL, normalise_name, parse_address

A, AAAA, TXT = RecordType.A, RecordType.AAAA, RecordType.TXT


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("www.example.com", "www.example.com"),
        ("WWW.Example.COM.", "www.example.com"),
        ("  www.example.com\n", "www.example.com"),
        ("_blocked.www.example.com", "_blocked.www.example.com"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("localhost", "localhost"),
        ("1.0.0.10.in-addr.arpa", "1.0.0.10.in-addr.arpa"),
        ("a" * 63 + ".example", "a" * 63 + ".example"),
        (".".join(["a" * 49] * 5) + ".xyz", ".".join(["a" * 49] * 5) + ".xyz"),
    ],
)
def test_a_name_is_in_lower_case_and_has_no_trailing_dot(written, name):
    assert normalise_name(written) == name
    assert RecordSet(written, A) == RecordSet(name, A)


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("", "an empty name"),
        (".", "an empty name"),
        ("www..example.com", "an empty label"),
        (".example.com", "an empty label"),
        ("www.example.com..", "an empty label"),
        ("a" * 64 + ".example", r"a label of 64 characters \(at most 63\)"),
        (".".join(["a" * 50] * 5), r"254 characters are too long for a name \(at most 253\)"),
        ("not a name", "the label 'not a name'"),
        ("www.exam ple.com", "the label 'exam ple'"),
        ("-www.example.com", "the label '-www'"),
        ("www-.example.com", "the label 'www-'"),
        ("*.example.com", r"the label '\*'"),
        ("www.example.com:443", "the label 'com:443'"),
        ("https://www.example.com", "the label 'https://www'"),
        ("www.example.com/", "the label 'com/'"),
        ("bücher.example", "letters outside ASCII; write it as 'xn--bcher-kva.example'"),
        ("\u212aelvin.example", "letters outside ASCII; write it as 'kelvin.example'"),
        ("\ud800.example", "letters outside ASCII; write it as its xn-- form"),
        ("www\n.example", "is not a domain name"),
        ("10.0.0.7", "the last label is a number, as in an address"),
        ("www.example.123", "the last label is a number"),
    ],
)
def test_what_is_not_a_name_is_refused_with_the_reason(written, reason):
    with pytest.raises(ValueError, match=reason):
        normalise_name(written)
    with pytest.raises(ValueError, match=reason):
        RecordSet(written, A)


@pytest.mark.parametrize(
    ("written", "address"),
    [("10.0.0.7", "10.0.0.7"), (" 10.0.0.7 ", "10.0.0.7"), ("FD00:0:0::0:1", "fd00::1"), ("::FFFF:0:0", "::ffff:0:0")],
)
def test_an_address_is_an_ipaddress_object(written, address):
    assert parse_address(written) == ip_address(address)


@pytest.mark.parametrize("written", ["", "10.0.0", "10.0.0.300", "10.0.0.7/8", "fd00::1/64", "010.0.0.7", "www", "::g"])
def test_what_is_not_an_address_is_refused(written):
    with pytest.raises(ValueError, match="does not appear to be an IPv4 or IPv6 address"):
        parse_address(written)


def test_an_address_with_a_zone_index_is_refused_since_no_record_can_hold_it():
    with pytest.raises(ValueError, match=r"'fe80::1%eth0' has a zone index"):
        parse_address("fe80::1%eth0")


# -- record sets -------------------------------------------------------------------------------------------


def test_addresses_are_canonical_sorted_as_numbers_and_without_repetitions():
    assert RecordSet("a.test", A, ("10.0.0.10", "10.0.0.9", "10.0.0.10"), 60).values == ("10.0.0.9", "10.0.0.10")
    v6 = RecordSet("a.test", AAAA, ("FD00::10", "fd00:0::9", "fd00::0010"), 60)
    assert v6.values == ("fd00::9", "fd00::10")


def test_record_sets_that_say_the_same_are_equal_and_hash_alike():
    one = RecordSet("WWW.a.test.", AAAA, ("FD00::0:1", "fd00::2"), 60)
    other = RecordSet("www.a.test", AAAA, ("fd00::2", "fd00::1"), 60)
    assert one == other
    assert len({one, other}) == 1


@pytest.mark.parametrize(
    "other",
    [
        RecordSet("www.b.test", A, ("10.0.0.1",), 60),
        RecordSet("www.a.test", A, ("10.0.0.2",), 60),
        RecordSet("www.a.test", A, ("10.0.0.1",), 61),
        RecordSet("www.a.test", TXT, ("10.0.0.1",), 60),
    ],
)
def test_record_sets_that_differ_in_anything_are_not_equal(other):
    assert RecordSet("www.a.test", A, ("10.0.0.1",), 60) != other


def test_an_absent_record_set_and_an_empty_one_are_the_same():
    assert RecordSet("a.test", A, (), 300) == RecordSet("a.test", A)
    assert not RecordSet("a.test", A, (), 300).exists
    assert RecordSet("a.test", A, ("10.0.0.1",)).exists


@pytest.mark.parametrize(("type_", "value"), [(A, "fd00::1"), (AAAA, "10.0.0.1")])
def test_an_address_of_the_other_family_is_refused(type_, value):
    with pytest.raises(ValueError, match=f"{value} does not belong into a record set of type {type_}"):
        RecordSet("a.test", type_, (value,))


@pytest.mark.parametrize("ttl", [-1, MAX_TTL + 1])
def test_a_ttl_that_no_record_can_have_is_refused(ttl):
    with pytest.raises(ValueError, match=f"a TTL of {ttl} s is not between 0 and 2147483647"):
        RecordSet("a.test", A, ("10.0.0.1",), ttl)


def test_the_longest_ttl_is_accepted():
    assert RecordSet("a.test", A, ("10.0.0.1",), MAX_TTL).ttl == 2**31 - 1


def test_txt_values_are_kept_as_they_are_sorted_and_without_repetitions():
    values = ("b", 'a "quoted" one', "", "B", "b")
    assert RecordSet("a.test", TXT, values, 60).values == ("", "B", 'a "quoted" one', "b")


def test_the_addresses_of_a_set_are_objects_and_a_txt_set_has_none():
    record_set = RecordSet("a.test", AAAA, ("fd00::1", "fd00::2"))
    assert record_set.addresses == {ip_address("fd00::1"), ip_address("fd00::2")}
    with pytest.raises(TypeError, match=r"a\.test TXT holds no addresses"):
        _ = RecordSet("a.test", TXT, ("10.0.0.1",)).addresses


def test_a_set_with_other_values_keeps_name_type_and_ttl():
    old = RecordSet("a.test", A, ("10.0.0.1",), 60)
    assert old.holding([ip_address("10.0.0.2")]) == RecordSet("a.test", A, ("10.0.0.2",), 60)
    assert old.holding(["10.0.0.2"], ttl=0) == RecordSet("a.test", A, ("10.0.0.2",), 0)
    assert old.holding([]) == RecordSet("a.test", A)
    assert old.values == ("10.0.0.1",)


def test_a_record_set_cannot_be_changed():
    record_set = RecordSet("a.test", A, ("10.0.0.1",), 60)
    with pytest.raises(FrozenInstanceError):
        record_set.ttl = 5


@pytest.mark.parametrize(("address", "type_"), [("10.0.0.1", A), ("fd00::1", AAAA)])
def test_an_address_tells_the_type_of_its_record_set(address, type_):
    assert RecordType.of(ip_address(address)) is type_


def test_a_type_is_shown_as_dns_calls_it():
    assert [str(type_) for type_ in RecordType] == ["A", "AAAA", "TXT"]


# -- changes -----------------------------------------------------------------------------------------------


def test_a_change_may_write_what_it_compares_under_any_spelling():
    before = Snapshot(RecordSet("a.test", A, ("10.0.0.1",), 60), version=b"opaque")
    change = Change(before, RecordSet("A.Test.", A, ("10.0.0.2",), 60))
    assert change.before.version == b"opaque"


@pytest.mark.parametrize(
    ("after", "message"),
    [
        (RecordSet("b.test", A), "a change of a.test A cannot write b.test A"),
        (RecordSet("a.test", AAAA), "a change of a.test A cannot write a.test AAAA"),
    ],
)
def test_a_change_that_compares_one_set_and_writes_another_is_refused(after, message):
    with pytest.raises(ValueError, match=message.replace(".", r"\.")):
        Change(Snapshot(RecordSet("a.test", A)), after)
