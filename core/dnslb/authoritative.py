"""Reads a record set from the zone's own name servers: no request to the provider's API, and maybe not the newest.

Only a name server of the zone itself will do: a resolver answers from its cache, and counts the TTL down. And only an
answer that carries authority counts: dnspython hands back a refusal as a message without records, which is anything but
an empty record set.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

import dns.asyncquery
import dns.asyncresolver
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.resolver
import dns.rrset

from dnslb.endpoints import Endpoint
from dnslb.errors import ProviderError, Rejected, Unavailable
from dnslb.records import RecordSet, RecordType
from dnslb.text import one_line

MAX_ADDRESSES = 1000
"""A record set with more is refused: nobody probes so many."""

_QUERY_LIMIT = 1.0
"""Seconds for one question to one server: authoritative answers come at once, or not at all."""

_READ_LIMIT = 3.0
_LOOKUP_LIMIT = 5.0
_LOOKUP_LIFE = 3600.0
"""Seconds after which the zone's name servers are looked up again. They are at once where none of them answers."""

_MOST_SERVERS = 8


@dataclass(frozen=True, slots=True)
class Zone:
    """Whom to ask, and which zone must answer; None where the servers were given, and the zone was not looked up."""

    servers: tuple[Endpoint, ...]
    apex: dns.name.Name | None = None


class NameServers:
    """The name servers of the zone that `name` is in: those that are `given`, or else those that the zone names.

    The zone and its servers are found through the resolver of this host (`/etc/resolv.conf`). The servers take turns;
    where one gives no answer to go by, the next one is asked. An instance belongs to one event loop, and `read` has
    one question under way at a time.
    """

    def __init__(self, name: str, given: Sequence[Endpoint] = ()) -> None:
        self._name = name
        self._given = tuple(given)
        self._zone: Zone | None = None
        self._look_up_at = 0.0
        self._turn = 0

    async def read(self, type_: RecordType) -> RecordSet:
        """The record set of addresses as one of the servers has it; it takes 8 s at most, and nearly always none.

        Raises:
            Unavailable: no server answered with authority for the name.
            Rejected: the name is an alias (CNAME), or holds more than `MAX_ADDRESSES` addresses.
        """
        zone = await self._current_zone()
        troubles: list[str] = []
        try:
            async with asyncio.timeout(_READ_LIMIT):
                for _ in zone.servers:
                    server = zone.servers[self._turn % len(zone.servers)]
                    self._turn += 1
                    try:
                        return await self._ask(server, type_, zone.apex)
                    except Unavailable as error:
                        troubles.append(f"{server}: {error}")
        except TimeoutError:
            troubles.append(f"given up after {_READ_LIMIT:g} s")
        self._look_up_at = 0.0
        # In one order, whoever was asked first: what is said again should be seen to be the same.
        raise Unavailable(f"no name server answers for {self._name} {type_} ({'; '.join(sorted(troubles))})")

    async def _ask(self, server: Endpoint, type_: RecordType, apex: dns.name.Name | None) -> RecordSet:
        # No recursion desired; EDNS, so that a large answer fits, up to what crosses every network (RFC 9715).
        query = dns.message.make_query(self._name, type_.value, flags=0, use_edns=0, payload=1232)
        try:
            reply, _ = await dns.asyncquery.udp_with_fallback(
                query, server.host, _QUERY_LIMIT, server.port, ignore_unexpected=True, ignore_errors=True
            )
        except dns.exception.Timeout:
            raise Unavailable(f"no answer in {_QUERY_LIMIT:g} s") from None
        except (dns.exception.DNSException, OSError, EOFError) as error:
            raise Unavailable(one_line(error)) from error
        return record_set_of(reply, self._name, type_, apex)

    # -- whom to ask ---------------------------------------------------------------------------------------

    async def _current_zone(self) -> Zone:
        if self._zone is None or time.monotonic() >= self._look_up_at:
            try:
                self._zone = await self._find()
            except ProviderError:
                if self._zone is None:
                    raise
            self._look_up_at = time.monotonic() + _LOOKUP_LIFE
        return self._zone

    async def _find(self) -> Zone:
        if self._given and all(server.is_address for server in self._given):
            return Zone(self._given)
        try:
            async with asyncio.timeout(_LOOKUP_LIMIT):
                return await find_zone(self._name, dns.asyncresolver.Resolver(), self._given)
        except TimeoutError:
            raise Unavailable(self._not_found(f"no answer in {_LOOKUP_LIMIT:g} s")) from None
        except (dns.exception.DNSException, OSError) as error:
            raise Unavailable(self._not_found(one_line(error))) from error

    def _not_found(self, found: str) -> str:
        what = "those in name_servers" if self._given else f"the name servers of {self._name}"
        return f"cannot find {what} ({found}): check the resolver of this host, or give addresses as name_servers"


async def find_zone(name: str, resolver: dns.asyncresolver.Resolver, given: Sequence[Endpoint] = ()) -> Zone:
    """The zone that `name` is in with its name servers, or the servers that are `given`; a resolver tells.

    Raises:
        dns.exception.DNSException: the resolver cannot tell.
        Unavailable: the name servers have no addresses.
    """
    apex, wanted = None, tuple(given)
    if not wanted:
        apex = await dns.asyncresolver.zone_for_name(name, resolver=resolver)
        records = await resolver.resolve(apex, dns.rdatatype.NS)
        wanted = tuple(Endpoint(host) for host in sorted(record.target.to_text() for record in records))
    servers = [server for each in wanted[:_MOST_SERVERS] for server in await _addresses_of(each, resolver)]
    if not servers:
        hosts = ", ".join(each.host for each in wanted)
        raise Unavailable(f"no address is known of {hosts}: check name_servers, or the NS records of the zone")
    return Zone(tuple(servers), apex)


async def _addresses_of(server: Endpoint, resolver: dns.asyncresolver.Resolver) -> list[Endpoint]:
    """One endpoint for each address of a server; none where it has none now, since another one may have some."""
    if server.is_address:
        return [server]
    try:
        answers = await resolver.resolve_name(server.host)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer, dns.resolver.NoNameservers):
        return []
    return [Endpoint(address, server.port) for address in answers.addresses()]


def record_set_of(reply: dns.message.Message, name: str, type_: RecordType, apex: dns.name.Name | None) -> RecordSet:
    """The record set in the answer of a name server of the zone `apex`; of any zone around the name, where it is None.

    Empty is what the zone itself denies: by NXDOMAIN or without records, in both cases with its SOA record beside (RFC
    2308, section 2).

    Raises:
        Unavailable: it is not an answer with authority.
        Rejected: as `NameServers.read`.
    """
    if reply.rcode() not in {dns.rcode.NOERROR, dns.rcode.NXDOMAIN}:
        raise Unavailable(f"it answers {dns.rcode.to_text(reply.rcode())}")
    if not reply.flags & dns.flags.AA:
        raise Unavailable("it has no authority for the name")
    owner = dns.name.from_text(name)
    if alias := reply.get_rrset(reply.answer, owner, dns.rdataclass.IN, dns.rdatatype.CNAME):
        raise Rejected(
            f"{name} is an alias (CNAME) of {alias[0].target.to_text(omit_final_dot=True)}; use another fqdn"
        )
    found = reply.get_rrset(reply.answer, owner, dns.rdataclass.IN, dns.rdatatype.from_text(type_.value))
    if found is None:
        if not any(_denies(rrset, owner, apex) for rrset in reply.authority):
            raise Unavailable("it neither has the records nor denies that there are any")
        return RecordSet(name, type_)
    if len(found) > MAX_ADDRESSES:
        raise Rejected(f"{name} {type_} has {len(found)} addresses; dnslb takes {MAX_ADDRESSES} at most")
    return RecordSet(name, type_, tuple(record.address for record in found), found.ttl)


def _denies(rrset: dns.rrset.RRset, owner: dns.name.Name, apex: dns.name.Name | None) -> bool:
    """Whether it is the SOA record of the right zone. The root's own is not: it says that the server is a wrong one."""
    if rrset.rdtype != dns.rdatatype.SOA:
        return False
    return rrset.name == apex if apex else owner.is_subdomain(rrset.name) and rrset.name != dns.name.root
