"""What an authoritative name server answers, as pure functions: a query and the zones in, the response out.

No clock, no socket, no file, no random number. dnspython reads and builds the messages.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

import dns.exception
import dns.flags
import dns.message
import dns.opcode
import dns.rrset
from dns.message import Message
from dns.name import Name
from dns.opcode import Opcode
from dns.rcode import Rcode
from dns.rdataclass import IN
from dns.rdatatype import RdataType
from dns.rrset import RRset

from dnslb.localdns.zones import Records, Zones

MAX_UDP_PAYLOAD = 1232
"""The longest datagram in octets that is sent and announced. Longer ones are cut to pieces on many paths, and the
pieces get lost: DNS Flag Day 2020, https://www.dnsflagday.net/2020/."""

MIN_UDP_PAYLOAD = 512
"""What every client can receive: RFC 1035, section 2.3.4."""

MAX_TCP_PAYLOAD = 65_535
"""What the two octets of length can say: RFC 1035, section 4.2.2."""

MAX_QUERY = 1232
"""The longest query in octets that is read: a question of 259 octets, the OPT record and a signature need less."""

Turn = Callable[[Name, RdataType], int]
"""How far the records of a name and type are rotated in this answer: a number that goes up by one each time."""

_HEADER = struct.Struct("!HHHHHH")
_MAX_COUNTS = (1, 0, 1, 2)
_TRANSFERS = frozenset({RdataType.AXFR, RdataType.IXFR})


def answer(wire: bytes, zones: Zones, turn: Turn, *, datagram: bool) -> bytes | None:
    """The response to what came in, in wire format; None where nothing may be said.

    To a datagram, the response is no longer than its sender can receive, with TC set where something was left out.
    """
    if len(wire) < _HEADER.size:
        return None  # There is no id to answer to.
    id_, flags, *counts = _HEADER.unpack_from(wire)
    if flags & dns.flags.QR:
        return None  # Two servers that answer responses would talk for ever.
    query = _read(wire, counts)
    if query is None:
        return _unreadable(id_, flags).to_wire()
    limit = _udp_limit(query) if datagram else MAX_TCP_PAYLOAD
    # A record set that does not fit is left out as a whole (RFC 2181, section 9); its order is that of the turn.
    return respond(query, zones, turn).to_wire(max_size=limit, prefer_truncation=True, want_shuffle=False)


def _read(wire: bytes, counts: list[int]) -> Message | None:
    """The query, or None for garbage.

    To read a message of nothing but compressed names takes seconds, so what has more records than any query has
    is garbage too. There is one question (RFC 9619, section 4); IXFR has one record in the authority section (RFC 1995,
    section 3); OPT and a signature are in the additional section.
    """
    if len(wire) > MAX_QUERY or any(count > most for count, most in zip(counts, _MAX_COUNTS, strict=True)):
        return None
    try:
        # keyring=False: there are no keys here, so a signature is passed over, and the response has none.
        return dns.message.from_wire(wire, keyring=False)
    except dns.exception.DNSException:
        return None


def respond(query: Message, zones: Zones, turn: Turn) -> Message:
    """The response to a query that could be read."""
    response = _empty_response(query.id, query.flags)
    response.question = list(query.question)
    if query.edns >= 0:
        # The flag DO is copied: RFC 3225, section 3.
        response.use_edns(0, query.ednsflags & dns.flags.DO, MAX_UDP_PAYLOAD)
    if query.edns > 0:
        response.set_rcode(Rcode.BADVERS)  # RFC 6891, section 6.1.3
    elif query.opcode() != Opcode.QUERY:
        response.set_rcode(Rcode.NOTIMP)
    elif len(query.question) != 1:
        response.set_rcode(Rcode.FORMERR)  # RFC 9619, section 4
    else:
        _look_up(query.question[0], zones, turn, response)
    return response


def _look_up(question: RRset, zones: Zones, turn: Turn, response: Message) -> None:
    """The algorithm of RFC 1034, section 4.3.2, for zones without aliases, wildcards and delegations."""
    name = question.name
    origin = zones.origin_of(name) if question.rdclass == IN else None
    if origin is None or question.rdtype in _TRANSFERS:
        response.set_rcode(Rcode.REFUSED)
        return
    response.flags |= dns.flags.AA
    found = zones.records(name)
    if found is None:
        response.set_rcode(Rcode.NXDOMAIN)
    type_ = question.rdtype
    if found and type_ == RdataType.ANY:
        type_ = min(found)  # Any one of the record sets will do: RFC 8482, section 4.1.
    if found and type_ in found:
        # The owner is the name as it was asked: RFC 1035, section 2.3.3, and clients check its case ("0x20").
        response.answer.append(_rrset(name, found[type_], turn(name, type_)))
    else:
        response.authority.append(_rrset(origin, zones.soa(origin)))  # RFC 2308, section 2


def _rrset(owner: Name, records: Records, turn: int = 0) -> RRset:
    at = turn % len(records.rdatas)
    return dns.rrset.from_rdata_list(owner, records.ttl, [*records.rdatas[at:], *records.rdatas[:at]])


def _udp_limit(query: Message) -> int:
    """RFC 6891, section 6.2.3: the size in the query counts, and is never less than 512."""
    announced = query.payload if query.edns >= 0 else MIN_UDP_PAYLOAD
    return min(max(announced, MIN_UDP_PAYLOAD), MAX_UDP_PAYLOAD)


def _unreadable(id_: int, flags: int) -> Message:
    """The header alone: it is all that can be told for certain of a message that is garbage further on."""
    response = _empty_response(id_, flags)
    response.set_rcode(Rcode.FORMERR if response.opcode() == Opcode.QUERY else Rcode.NOTIMP)
    return response


def _empty_response(id_: int, flags: int) -> Message:
    """With the id, the opcode and the flag RD of the query: RFC 1035, section 4.1.1."""
    response = Message(id=id_)
    response.flags = dns.flags.Flag(dns.flags.QR | (flags & dns.flags.RD))
    response.set_opcode(dns.opcode.from_flags(flags))
    return response
