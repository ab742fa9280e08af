"""Record sets to messages and back, without any traffic.

Rdata goes back into prerequisites exactly as it was read: a snapshot's version is the tuple of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import dns.message
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.ANY.TXT
import dns.rrset
import dns.serial
import dns.update

from dnslb import Change, RecordSet, RecordType, Snapshot
from dnslb.txt import from_strings, to_strings

Rdatas = tuple[dns.rdata.Rdata, ...]

_IN = dns.rdataclass.IN
_RDATA_TYPE = {
    RecordType.A: dns.rdatatype.A,
    RecordType.AAAA: dns.rdatatype.AAAA,
    RecordType.TXT: dns.rdatatype.TXT,
}


def query(name: dns.name.Name, type_: dns.rdatatype.RdataType) -> dns.message.QueryMessage:
    """A question for an authoritative server; EDNS, so that it may say why it refuses (RFC 8914)."""
    return dns.message.make_query(name, type_, flags=0, use_edns=0)


def record_query(record_set: RecordSet) -> dns.message.QueryMessage:
    """The question for a record set."""
    return query(dns.name.from_text(record_set.name), _RDATA_TYPE[record_set.type])


def update(zone: str, changes: Iterable[Change]) -> dns.update.UpdateMessage:
    """One update that makes all of the changes, or none unless every `before` still holds (RFC 2136, section 2)."""
    message = dns.update.UpdateMessage(zone)
    for change in changes:
        name, type_ = dns.name.from_text(change.after.name), _RDATA_TYPE[change.after.type]
        if version := version_of(change.before):
            message.present(name, *version)
        else:
            message.absent(name, type_)
            # Servers pass over an addition beside a CNAME in silence (section 3.4.2.2), and would say NOERROR.
            message.absent(name, dns.rdatatype.CNAME)
        message.delete(name, type_)
        if change.after.exists:
            message.add(name, change.after.ttl, *_to_rdatas(change.after))
    return message


def existence_check(zone: str, record_set: RecordSet) -> dns.update.UpdateMessage:
    """An update that changes nothing, and succeeds only if there is such a record set (RFC 2136, section 2.4.1)."""
    message = dns.update.UpdateMessage(zone)
    message.present(dns.name.from_text(record_set.name), _RDATA_TYPE[record_set.type])
    return message


def version_of(snapshot: Snapshot) -> Rdatas:
    """What the server sent for the snapshot; nothing for an absent set."""
    return snapshot.version if isinstance(snapshot.version, tuple) else ()


def snapshot_of(record_set: RecordSet, reply: dns.message.Message) -> Snapshot:
    """The record set of that name and type in an answer; absent where the answer lacks it."""
    rrset = _answered(reply, dns.name.from_text(record_set.name), _RDATA_TYPE[record_set.type])
    if rrset is None:
        return Snapshot(record_set, ())
    values = tuple(map(_value_of, rrset))
    return Snapshot(record_set.holding(values, rrset.ttl), tuple(rrset))


def alias_of(name: str, reply: dns.message.Message) -> str | None:
    """Where the name points to, if there is a CNAME at it."""
    rrset = _answered(reply, dns.name.from_text(name), dns.rdatatype.CNAME)
    return _text(rrset[0].target) if rrset else None


def apex_of(name: dns.name.Name, reply: dns.message.Message) -> str | None:
    """The zone that holds `name`, from the answer to a question for its SOA record.

    None where the SOA record, if any, is that of another name: a CNAME led there.
    """
    if _answered(reply, name, dns.rdatatype.CNAME):
        return None
    for rrset in (*reply.answer, *reply.authority):
        if rrset.rdtype == dns.rdatatype.SOA and name.is_subdomain(rrset.name):
            return _text(rrset.name)
    return None


def serial_of(zone: str, reply: dns.message.Message) -> dns.serial.Serial | None:
    """The serial of the zone's SOA record in an answer, which compares as RFC 1982 says."""
    rrset = _answered(reply, dns.name.from_text(zone), dns.rdatatype.SOA)
    return dns.serial.Serial(rrset[0].serial) if rrset else None


def describe(record_sets: Sequence[RecordSet]) -> str:
    """`www.example.com A, _blocked.www.example.com TXT`."""
    return ", ".join(f"{each.name} {each.type}" for each in record_sets) or "nothing"


def _answered(
    reply: dns.message.Message, name: dns.name.Name, type_: dns.rdatatype.RdataType
) -> dns.rrset.RRset | None:
    return reply.get_rrset(reply.answer, name, _IN, type_)


def _to_rdatas(record_set: RecordSet) -> Rdatas:
    return tuple(_to_rdata(record_set.type, value) for value in record_set.values)


def _to_rdata(type_: RecordType, value: str) -> dns.rdata.Rdata:
    if type_ is RecordType.TXT:
        return dns.rdtypes.ANY.TXT.TXT(_IN, dns.rdatatype.TXT, to_strings(value))
    return dns.rdata.from_text(_IN, _RDATA_TYPE[type_], value)


def _value_of(rdata: dns.rdata.Rdata) -> str:
    return from_strings(rdata.strings) if isinstance(rdata, dns.rdtypes.ANY.TXT.TXT) else rdata.to_text()


def _text(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower()
