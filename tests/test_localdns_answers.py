"""What the embedded DNS server answers: a query and the zones in, the response out, without a socket."""

import struct
import time

import dns.edns
import dns.flags
import dns.message
import dns.opcode
import dns.rdatatype
import dns.rrset
import dns.tsig
import dns.update
import pytest
from dns.rcode import Rcode
from dns.rdatatype import AAAA, ANY, AXFR, IXFR, NS, SOA, TXT, A

from dnslb import RecordSet, RecordType
from dnslb.builtin._local import MAX_SET_OCTETS
from dnslb.localdns.answer import MAX_QUERY, MAX_UDP_PAYLOAD, answer
from dnslb.localdns.zones import NEGATIVE_TTL, NS_TTL, Zones
from dnslb.records import parse_address

SERIAL = 7
MANY = tuple(f"fd00::{number:x}" for number in range(1, 101))

ZONES = Zones(
    ["example.test", "nested.deep.example.test"],
    SERIAL,
    [
        RecordSet("www.example.test", RecordType.A, ("192.0.2.1", "192.0.2.2", "192.0.2.3"), 30),
        RecordSet("www.example.test", RecordType.TXT, ("text",), 40),
        RecordSet("_blocked.below.example.test", RecordType.TXT, ("a=1; b", "x" * 300), 50),
        RecordSet("many.example.test", RecordType.AAAA, MANY, 5),
        RecordSet("in.nested.deep.example.test", RecordType.A, ("192.0.2.9",), 5),
        RecordSet("www.elsewhere.test", RecordType.A, ("192.0.2.66",), 5),
    ],
    [parse_address("127.0.0.53"), parse_address("::1")],
)


def ask(query, *, zones=ZONES, turn=0, datagram=True):
    """The answer to a query, read from its wire format."""
    wire = answer(query.to_wire(), zones, lambda name, type_: turn, datagram=datagram)
    response = dns.message.from_wire(wire)
    assert response.id == query.id
    assert query.is_response(response) or not query.question
    return response


def about(name, type_="A", **options):
    return ask(dns.message.make_query(name, type_), **options)


def records(section):
    """A section as {(name, type): (TTL, values)}."""
    return {(str(rrset.name), rrset.rdtype): (rrset.ttl, [rdata.to_text() for rdata in rrset]) for rrset in section}


SOA_RECORD = {
    ("example.test.", SOA): (
        NEGATIVE_TTL,
        [f"ns.example.test. hostmaster.example.test. {SERIAL} 3600 600 86400 {NEGATIVE_TTL}"],
    )
}


# -- answers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "type_", "ttl", "values"),
    [
        ("www.example.test", A, 30, ["192.0.2.1", "192.0.2.2", "192.0.2.3"]),
        ("www.example.test", TXT, 40, ['"text"']),
        ("_blocked.below.example.test", TXT, 50, ['"a=1; b"', f'"{"x" * 255}" "{"x" * 45}"']),
        ("example.test", NS, NS_TTL, ["ns.example.test."]),
        ("ns.example.test", A, NS_TTL, ["127.0.0.53"]),
        ("ns.example.test", AAAA, NS_TTL, ["::1"]),
        ("in.nested.deep.example.test", A, 5, ["192.0.2.9"]),
    ],
)
def test_what_is_there_is_answered_with_authority(name, type_, ttl, values):
    response = about(name, type_)
    assert response.rcode() == Rcode.NOERROR
    assert response.flags & dns.flags.AA
    assert records(response.answer) == {(name + ".", type_): (ttl, values)}
    assert response.authority == []


def test_the_origin_has_an_soa_record():
    assert records(about("example.test", SOA).answer) == SOA_RECORD


@pytest.mark.parametrize(
    ("name", "type_", "rcode"),
    [
        ("www.example.test", AAAA, Rcode.NOERROR),
        ("example.test", A, Rcode.NOERROR),
        ("below.example.test", A, Rcode.NOERROR),
        ("deep.example.test", A, Rcode.NOERROR),
        ("below.example.test", ANY, Rcode.NOERROR),
        ("nothing.example.test", A, Rcode.NXDOMAIN),
        ("nothing.example.test", ANY, Rcode.NXDOMAIN),
        ("x.www.example.test", A, Rcode.NXDOMAIN),
        ("x.below.example.test", TXT, Rcode.NXDOMAIN),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_what_is_not_there_is_denied_for_as_long_as_the_soa_record_says(name, type_, rcode):
    """NXDOMAIN where there is no such name; NOERROR where the name has other records, or names below it."""
    response = about(name, type_)
    assert response.rcode() == rcode
    assert response.flags & dns.flags.AA
    assert response.answer == []
    assert records(response.authority) == SOA_RECORD


def test_a_nested_zone_answers_for_the_names_in_it():
    ((owner, _),) = records(about("nothing.nested.deep.example.test").authority)
    assert owner == "nested.deep.example.test."


def test_a_name_server_of_the_operators_own_is_left_as_it_is():
    own = RecordSet("ns.example.test", RecordType.A, ("192.0.2.53",), 60)
    zones = Zones(["example.test"], SERIAL, [own], [parse_address("127.0.0.53"), parse_address("::1")])
    assert records(about("ns.example.test", A, zones=zones).answer) == {("ns.example.test.", A): (60, ["192.0.2.53"])}
    assert about("ns.example.test", AAAA, zones=zones).answer == []


def test_a_serial_number_past_32_bits_starts_again():
    zones = Zones(["example.test"], 2**32 + 5, [])
    assert about("example.test", SOA, zones=zones).answer[0][0].serial == 5


@pytest.mark.parametrize("turn", range(7))
def test_answers_are_rotated_by_one_record_a_turn(turn):
    values = [rdata.address for rdata in about("www.example.test", A, turn=turn).answer[0]]
    order = ["192.0.2.1", "192.0.2.2", "192.0.2.3"]
    assert values == order[turn % 3 :] + order[: turn % 3]


def test_the_question_comes_back_in_the_same_case():
    """Resolvers check it against forged answers ("0x20")."""
    wire = answer(dns.message.make_query("wWw.eXAMPLE.tesT", A).to_wire(), ZONES, lambda *_: 0, datagram=True)
    response = dns.message.from_wire(wire)
    assert str(response.question[0].name) == str(response.answer[0].name) == "wWw.eXAMPLE.tesT."
    assert len(response.answer[0]) == 3


@pytest.mark.parametrize("flags", [0, dns.flags.RD, dns.flags.RD | dns.flags.CD | dns.flags.AD])
def test_recursion_desired_is_copied_and_never_available(flags):
    query = dns.message.make_query("www.example.test", A, flags=flags)
    response = ask(query)
    assert response.flags == dns.flags.QR | dns.flags.AA | (flags & dns.flags.RD)


def test_any_is_answered_with_one_record_set():
    assert list(records(about("www.example.test", ANY).answer)) == [("www.example.test.", A)]


# -- refusals ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query",
    [
        dns.message.make_query("www.elsewhere.test", A),
        dns.message.make_query("test", A),
        dns.message.make_query(".", NS),
        dns.message.make_query("xexample.test", A),
        dns.message.make_query("version.bind", TXT, rdclass="CH"),
        dns.message.make_query("www.example.test", A, rdclass="CH"),
        dns.message.make_query("www.example.test", A, rdclass="ANY"),
        dns.message.make_query("example.test", AXFR),
        dns.message.make_query("example.test", IXFR),
    ],
    ids=lambda query: query.question[0].to_text(),
)
def test_what_it_is_not_there_for_is_refused(query):
    response = ask(query, datagram=False)
    assert response.rcode() == Rcode.REFUSED
    assert not response.flags & dns.flags.AA
    assert response.sections[1:] == [[], [], []]


def test_ixfr_with_its_soa_record_is_refused_too():
    query = dns.message.make_query("example.test", IXFR)
    query.authority.append(dns.rrset.from_text("example.test.", 0, "IN", "SOA", "a. b. 1 2 3 4 5"))
    assert ask(query).rcode() == Rcode.REFUSED


@pytest.mark.parametrize("opcode", [1, 2, 3, 4, 6, 15])
def test_other_opcodes_are_not_implemented(opcode):
    query = dns.message.make_query("example.test", SOA)
    query.set_opcode(opcode)
    wire = answer(query.to_wire(), ZONES, lambda *_: 0, datagram=True)
    response = dns.message.from_wire(wire)
    assert (response.id, response.rcode(), response.opcode()) == (query.id, Rcode.NOTIMP, opcode)


def test_a_dynamic_update_is_not_implemented():
    update = dns.update.UpdateMessage("example.test")
    update.present("www")
    update.replace("www", 60, "A", "192.0.2.66")
    update.add("www2", 60, "A", "192.0.2.66")
    response = dns.message.from_wire(answer(update.to_wire(), ZONES, lambda *_: 0, datagram=True))
    assert (response.id, response.rcode(), response.opcode()) == (update.id, Rcode.NOTIMP, dns.opcode.UPDATE)


QUESTION = b"\3www\7example\4test\0" + struct.pack("!HH", A, 1)
ONE_RECORD = b"\xc0\x0c" + struct.pack("!HHIH", A, 1, 0, 4) + b"\xc0\0\2\1"


TOO_LONG = dns.edns.GenericOption(dns.edns.OptionType.make(65001), bytes(MAX_QUERY))


def header(questions=1, answers=0, authority=0, additional=0, flags=dns.flags.RD):
    return struct.pack("!HHHHHH", 4711, flags, questions, answers, authority, additional)


@pytest.mark.parametrize(
    "wire",
    [
        header(),
        header(questions=0),
        header() + QUESTION[:-1],
        header() + QUESTION + b"more",
        header() + b"\xc0\x0c" + struct.pack("!HH", A, 1),
        header() + b"\x80" * 20,
        header(questions=2) + QUESTION * 2,
        header(answers=1) + QUESTION + ONE_RECORD,
        header(additional=3) + QUESTION + ONE_RECORD * 3,
        header(additional=1) + QUESTION + b"\0" + struct.pack("!HHIH", dns.rdatatype.OPT, 512, 0, 9),
        dns.message.make_query("www.example.test", A, id=4711, options=[TOO_LONG]).to_wire(max_size=65535),
    ],
    ids=[
        "no question",
        "no question, and none announced",
        "half a question",
        "more than a question",
        "a name that points at itself",
        "labels of an unknown kind",
        "two questions",
        "an answer",
        "three more records",
        "options cut off",
        "too long",
    ],
)
def test_garbage_with_an_id_is_a_format_error(wire):
    response = dns.message.from_wire(answer(wire, ZONES, lambda *_: 0, datagram=True))
    assert response.id == 4711
    assert response.rcode() == Rcode.FORMERR
    assert response.flags == dns.flags.QR | dns.flags.RD | Rcode.FORMERR
    assert response.answer == []


def test_garbage_of_another_opcode_is_not_implemented():
    wire = header(flags=dns.opcode.to_flags(dns.opcode.NOTIFY)) + b"\x80"
    assert dns.message.from_wire(answer(wire, ZONES, lambda *_: 0, datagram=True)).rcode() == Rcode.NOTIMP


def test_a_message_that_is_slow_to_read_is_not_read():
    """To read these 64 KiB takes dnspython more than ten seconds."""
    name = b"\1a" * 126 + b"\0"
    record = b"\xc0\x0c" + struct.pack("!HHIH", dns.rdatatype.MX, 1, 0, 4) + b"\0\0\xc0\x0c"
    wire = header(additional=4000) + name + struct.pack("!HH", A, 1) + record * 4000
    started = time.process_time()
    assert dns.message.from_wire(answer(wire, ZONES, lambda *_: 0, datagram=False)).rcode() == Rcode.FORMERR
    assert time.process_time() - started < 1


@pytest.mark.parametrize("length", range(12))
def test_what_is_too_short_for_a_header_is_not_answered(length):
    assert answer(header()[:length], ZONES, lambda *_: 0, datagram=True) is None


def test_a_response_is_not_answered():
    query = dns.message.make_query("www.example.test", A)
    for message in (dns.message.make_response(query), ask(query)):
        assert answer(message.to_wire(), ZONES, lambda *_: 0, datagram=True) is None


def test_a_signature_is_passed_over():
    query = dns.message.make_query("www.example.test", A)
    query.use_tsig(dns.tsig.Key("key.", b"secret" * 6))
    response = dns.message.from_wire(answer(query.to_wire(), ZONES, lambda *_: 0, datagram=True))
    assert response.rcode() == Rcode.NOERROR
    assert not response.had_tsig


# -- EDNS and sizes ----------------------------------------------------------------------------------------


def test_who_does_not_speak_edns_gets_none():
    assert about("www.example.test").edns == -1


@pytest.mark.parametrize("do", [0, dns.flags.DO])
def test_edns_is_answered_in_kind(do):
    query = dns.message.make_query("www.example.test", A)
    query.use_edns(0, do, 4096)
    response = ask(query)
    assert (response.edns, response.payload, response.ednsflags, response.options) == (0, MAX_UDP_PAYLOAD, do, ())


def test_options_are_passed_over():
    options = [
        dns.edns.ECSOption("192.0.2.0", 24),
        dns.edns.GenericOption(65001, b"?"),
        dns.edns.GenericOption(12, b""),
    ]
    response = ask(dns.message.make_query("www.example.test", A, use_edns=0, options=options))
    assert response.options == ()
    assert len(response.answer[0]) == 3


def test_an_unknown_version_of_edns_is_told_which_one_is_known():
    response = ask(dns.message.make_query("www.example.test", A, use_edns=1))
    assert (response.rcode(), response.edns, response.answer) == (Rcode.BADVERS, 0, [])


# 100 AAAA records of 28 octets, behind 12 octets of header and 23 of question; 11 more with EDNS.
@pytest.mark.parametrize(
    ("payload", "records_that_fit"), [(None, 17), (0, 16), (512, 16), (900, 30), (1232, 42), (4096, 42), (65535, 42)]
)
def test_a_datagram_is_no_longer_than_the_client_and_the_path_can_take(payload, records_that_fit):
    edns = {} if payload is None else {"use_edns": 0, "payload": payload}
    for size in (records_that_fit, records_that_fit + 1):
        zones = Zones(["example.test"], 1, [RecordSet("many.example.test", RecordType.AAAA, MANY[:size], 5)])
        response = ask(dns.message.make_query("many.example.test", AAAA, **edns), zones=zones)
        fits = size <= records_that_fit
        assert bool(response.flags & dns.flags.TC) is not fits
        assert [len(rrset) for rrset in response.answer] == ([size] if fits else [])
        assert (response.edns == 0) is (payload is not None)


def test_a_stream_takes_it_all():
    response = ask(dns.message.make_query("many.example.test", AAAA, use_edns=0, payload=512), datagram=False)
    assert not response.flags & dns.flags.TC
    assert len(response.answer[0]) == 100


def test_the_largest_record_sets_that_a_file_takes_fit_into_a_stream():
    origin = ".".join(["x" * 61] * 3 + ["y" * 50])
    largest = RecordSet("a." + origin, RecordType.TXT, ("x" * ((MAX_SET_OCTETS - 12) * 255 // 256),), 5)
    zones = Zones([origin], 1, [largest])
    response = ask(dns.message.make_query(largest.name, TXT, use_edns=0), zones=zones, datagram=False)
    assert not response.flags & dns.flags.TC
    assert len(response.answer) == 1
