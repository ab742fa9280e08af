"""What holds for the embedded DNS server whatever comes in, and whatever is in the file."""

import struct

import dns.edns
import dns.flags
import dns.message
import dns.rdatatype
from dns.rcode import Rcode
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dnslb import RecordSet, RecordType
from dnslb.localdns.answer import MAX_UDP_PAYLOAD, answer
from dnslb.localdns.zones import Zones

ORIGIN = "example.test"
ZONES = Zones(
    [ORIGIN],
    1,
    [
        RecordSet("www.example.test", RecordType.A, ("192.0.2.1", "192.0.2.2"), 60),
        RecordSet("many.example.test", RecordType.AAAA, tuple(f"fd00::{number:x}" for number in range(1, 200)), 60),
        RecordSet("a.b.example.test", RecordType.TXT, ("text", "x" * 600), 60),
    ],
)

names = st.sampled_from(
    [
        "www.example.test",
        "WWW.Example.TEST",
        "many.example.test",
        "b.example.test",
        "x.example.test",
        ORIGIN,
        "test",
        ".",
    ]
)
types = st.one_of(
    st.sampled_from([RecordType.A, RecordType.AAAA, RecordType.TXT]).map(str),
    st.integers(0, 65535).map(lambda number: dns.rdatatype.to_text(dns.rdatatype.RdataType.make(number))),
)
# Of the codes for local use, whose content nobody looks at: RFC 6891, section 9.
edns_options = st.lists(
    st.builds(dns.edns.GenericOption, st.integers(65001, 65534), st.binary(max_size=40)), max_size=3
)


@st.composite
def queries(draw):
    """A well-formed query; with EDNS or without."""
    query = dns.message.make_query(draw(names), draw(types), flags=draw(st.integers(0, 0x7FFF)) & 0x07FF)
    if draw(st.booleans()):
        query.use_edns(0, draw(st.integers(0, 0xFFFF)), draw(st.integers(0, 65535)), options=draw(edns_options))
    return query


@st.composite
def spoiled(draw):
    """A query in wire format in which some octets have been changed, and which was cut or continued."""
    wire = bytearray(draw(queries()).to_wire())
    for place, octet in draw(st.lists(st.tuples(st.integers(0, len(wire) - 1), st.integers(0, 255)), max_size=6)):
        wire[place] = octet
    return bytes(wire[: draw(st.integers(0, len(wire)))]) + draw(st.binary(max_size=40))


headers = st.tuples(*[st.integers(0, 65535)] * 2, *[st.integers(0, 3)] * 4).map(
    lambda parts: struct.pack("!6H", *parts)
)
anything = st.one_of(st.binary(max_size=600), st.builds(bytes.__add__, headers, st.binary(max_size=200)), spoiled())


def answered(wire, datagram=True, turn=0):
    return answer(wire, ZONES, lambda name, type_: turn, datagram=datagram)


@settings(max_examples=1000, deadline=None)
@given(anything, st.booleans())
@example(bytes(12), True)
@example(b"\0\1\0\0\0\1" + bytes(6) + b"\xc0\x0c\0\1\0\1", False)
def test_any_octets_have_a_response_of_their_id_or_none_and_responses_have_none(wire, datagram):
    response = answered(wire, datagram)
    if len(wire) < 12 or wire[2] & 0x80:
        assert response is None
        return
    read = dns.message.from_wire(response)
    assert response[:2] == wire[:2]
    assert read.flags & dns.flags.QR
    assert not read.flags & (dns.flags.RA | dns.flags.AD | dns.flags.CD)
    assert read.flags & dns.flags.RD == struct.unpack("!H", wire[2:4])[0] & dns.flags.RD
    assert not datagram or len(response) <= MAX_UDP_PAYLOAD
    assert answered(response, datagram) is None


@settings(deadline=None)
@given(queries())
def test_a_datagram_keeps_to_the_announced_size_and_says_what_is_missing(query):
    by_datagram = answered(query.to_wire())
    by_stream = dns.message.from_wire(answered(query.to_wire(), datagram=False))
    announced = max(512, query.payload) if query.edns >= 0 else 512
    assert len(by_datagram) <= min(announced, MAX_UDP_PAYLOAD)
    read = dns.message.from_wire(by_datagram)
    assert not by_stream.flags & dns.flags.TC
    if read.flags & dns.flags.TC:
        assert read.answer == []
        assert by_stream.answer != []
    else:
        assert read.sections[:3] == by_stream.sections[:3]
    assert (read.edns, by_stream.edns) == ((0, 0) if query.edns >= 0 else (-1, -1))


@settings(deadline=None)
@given(queries(), st.integers(0, 2**40))
def test_a_turn_changes_the_order_and_nothing_else(query, turn):
    first, later = (dns.message.from_wire(answered(query.to_wire(), False, number)) for number in (0, turn))
    assert first.rcode() == later.rcode()
    assert first.sections == later.sections  # dnspython compares record sets as sets.
    for before, after in zip(first.answer, later.answer, strict=True):
        at = turn % len(before)
        assert [*after] == [*before][at:] + [*before][:at]


labels = st.sampled_from(["a", "b", "c"])
owned = st.lists(labels, min_size=0, max_size=4).map(lambda parts: ".".join([*parts, ORIGIN]))


@settings(deadline=None)
@given(st.sets(owned, max_size=4), owned)
def test_a_name_exists_if_it_or_a_name_below_it_has_records(names, asked):
    zones = Zones([ORIGIN], 1, [RecordSet(name, RecordType.TXT, ("x",), 60) for name in names])
    wire = answer(dns.message.make_query(asked, "TXT").to_wire(), zones, lambda *_: 0, datagram=True)
    response = dns.message.from_wire(wire)
    exists = any(f".{name}".endswith(f".{asked}") for name in {*names, ORIGIN})
    assert response.rcode() == (Rcode.NOERROR if exists else Rcode.NXDOMAIN)
    assert bool(response.answer) is (asked in names)
    assert bool(response.authority) is (asked not in names)
