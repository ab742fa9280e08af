"""Zones in memory, made from the record sets of one moment: what answers are looked up in.

The record file holds A, AAAA and TXT only, so this module adds what makes zones of them: the SOA and NS records of
the origin, and the names without records between the origin and a record (empty non-terminals: RFC 9499, section 7).
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import dns.name
import dns.rdata
from dns.name import Name
from dns.rdata import Rdata
from dns.rdataclass import IN
from dns.rdatatype import RdataType

from dnslb.records import Address, RecordSet, RecordType
from dnslb.txt import quote

NEGATIVE_TTL = 5
"""Seconds for which a resolver may remember that a record is not there (RFC 2308, section 5). It is short, since who
asks a moment before the first member registers is told so, and remembers it."""

NS_TTL = 300
"""The TTL of the NS record and of the name server's addresses in seconds."""


@dataclass(frozen=True, slots=True)
class Records:
    """The records of one name and type: a TTL in seconds, and at least one value."""

    ttl: int
    rdatas: Sequence[Rdata]


class Zones:
    """The zones with the given origins (normalised names), as of one serial number; nothing in it changes.

    Of nested zones, a name belongs to the one with the longest origin. Record sets outside of all of them are left
    out. The name server of each zone is called `ns`, at the addresses `servers`, unless there are records of that
    name.
    """

    def __init__(
        self, origins: Iterable[str], serial: int, record_sets: Iterable[RecordSet], servers: Sequence[Address] = ()
    ) -> None:
        self._origins = frozenset(_name(origin) for origin in origins)
        self._nodes: dict[Name, dict[RdataType, Records]] = {}
        for record_set in record_sets:
            self._add(_name(record_set.name), record_set.ttl, _rdatas(record_set.type, record_set.values))
        for origin in self._origins:
            self._complete(origin, serial, servers)

    def origin_of(self, name: Name) -> Name | None:
        """The origin of the zone that `name` is in; None where it is in none."""
        while name not in self._origins:
            if name == dns.name.root:
                return None
            name = name.parent()
        return name

    def records(self, name: Name) -> Mapping[RdataType, Records] | None:
        """The records of `name` by type: empty for an empty non-terminal, and None where the name does not exist."""
        return self._nodes.get(name)

    def soa(self, origin: Name) -> Records:
        """The SOA record of the zone with that origin."""
        return self._nodes[origin][RdataType.SOA]

    def _complete(self, origin: Name, serial: int, servers: Sequence[Address]) -> None:
        """Adds what every zone has, and the file does not."""
        server = dns.name.from_text("ns", origin)
        mailbox = dns.name.from_text("hostmaster", origin)
        # Refresh, retry and expire are for secondaries, and there are none: nobody may transfer the zone.
        soa = f"{server} {mailbox} {serial % 2**32} 3600 600 86400 {NEGATIVE_TTL}"
        self._add(origin, NEGATIVE_TTL, [dns.rdata.from_text(IN, RdataType.SOA, soa)])
        self._add(origin, NS_TTL, [_rdata(RdataType.NS, str(server))])
        if server not in self._nodes:
            for type_ in (RecordType.A, RecordType.AAAA):
                own = [str(address) for address in servers if RecordType.of(address) is type_]
                self._add(server, NS_TTL, _rdatas(type_, own))

    def _add(self, name: Name, ttl: int, rdatas: Sequence[Rdata]) -> None:
        """Adds records of one type, if there are any, and the names above theirs up to the outermost origin."""
        if not rdatas or self.origin_of(name) is None:
            return
        above = name
        while above not in self._nodes and self.origin_of(above) is not None:
            self._nodes[above] = {}
            above = above.parent()
        self._nodes[name][rdatas[0].rdtype] = Records(ttl, rdatas)


def _name(normalised: str) -> Name:
    return dns.name.from_text(normalised)


def _rdatas(type: RecordType, values: Iterable[str]) -> list[Rdata]:
    return [_rdata(RdataType[type.value], quote(value) if type is RecordType.TXT else value) for value in values]


@functools.lru_cache(maxsize=4096)
def _rdata(type: RdataType, text: str) -> Rdata:
    """A record from its presentation form; cached, since a commit leaves most records as they were."""
    return dns.rdata.from_text(IN, type, text)
