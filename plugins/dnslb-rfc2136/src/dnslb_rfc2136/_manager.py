"""The record manager: compare-and-swap by the prerequisites of dynamic update (RFC 2136, section 2.4)."""

from __future__ import annotations

import time
from collections.abc import Sequence

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdatatype
import dns.serial
import dns.tsig

from dnslb import (
    Change,
    ConfigurationError,
    OutcomeUnknown,
    ProviderError,
    Receipt,
    RecordSet,
    RecordType,
    Rejected,
    Snapshot,
    Unavailable,
    ZoneNotFound,
)
from dnslb_rfc2136 import _messages as messages
from dnslb_rfc2136._options import MAX_VALUES, Rfc2136Options, decode_secret, parse_endpoint
from dnslb_rfc2136._rcodes import query_refused, update_refused
from dnslb_rfc2136._wire import NameServer

_POLL_INTERVAL = 0.2
"""Seconds between two looks at the secondaries' serials."""

_ANSWERS = frozenset({dns.rcode.NOERROR, dns.rcode.NXDOMAIN})
_NOT_THERE = frozenset({dns.rcode.NXRRSET, dns.rcode.NXDOMAIN})


class Rfc2136RecordManager:
    """Reads from and writes to the primary name server of one zone.

    Every read and every commit is one exchange on a TCP connection of its own, signed where there is a key. The
    zone is found, or held against the server, before the first of them.

    Raises:
        ConfigurationError: `fqdn` is not in the zone that the options name.
    """

    def __init__(self, options: Rfc2136Options, fqdn: str) -> None:
        if options.zone is not None and not _is_within(fqdn, options.zone):
            raise ConfigurationError(f"{fqdn} is not in the zone {options.zone}: correct `zone`, or leave it out")
        self._fqdn = fqdn
        self._given_zone = options.zone
        self._zone_found: str | None = None
        self._primary = NameServer(options.endpoint, options.timeout, _key_of(options))
        self._secondaries = tuple(NameServer(parse_endpoint(text), options.timeout) for text in options.secondaries)
        # What the server has just denied to be there, though it had answered with it: see _is_synthesized.
        self._denied: dict[tuple[str, RecordType], frozenset[dns.rdata.Rdata]] = {}

    def __repr__(self) -> str:
        return f"Rfc2136RecordManager({self._fqdn} on {self._primary})"

    # -- the contract ---------------------------------------------------------------------------------------

    def read(self, name: str, type: RecordType) -> Snapshot:
        """The record set as the primary has it, from a query that asks for authority.

        Raises:
            Unavailable: no answer, or none that can be believed.
            Denied: the server does not accept the key, or forbids the query.
            ZoneNotFound: the name is not in the zone, or the server does not serve it.
            Rejected: there is a CNAME record at the name, which nothing may stand beside (RFC 1034, section 3.6.2).
        """
        wanted = RecordSet(name, type)
        self._require_in_zone([wanted])
        reply = self._query(self._primary, messages.record_query(wanted))
        if target := messages.alias_of(wanted.name, reply):
            raise Rejected(
                f"{wanted.name} is an alias (CNAME) of {target} on {self._primary}, and cannot have {type} records"
                " beside it; remove the CNAME record, or use another fqdn"
            )
        snapshot = messages.snapshot_of(wanted, reply)
        return Snapshot(wanted, ()) if self._is_synthesized(snapshot) else snapshot

    def commit(self, changes: Sequence[Change]) -> Receipt:
        """Sends all changes in one update, which the server applies as a whole or not at all.

        Raises:
            Conflict: the server found a prerequisite unmet.
            OutcomeUnknown: the update was sent, and no answer came that can be believed.
            Unavailable: the server was not reached, or failed (SERVFAIL).
            Denied: it does not accept the key, or the key may not do this.
            ZoneNotFound: the names are not in the zone, or it is not the server's.
            Rejected: too many values, too large, names in different zones, or one record set twice.
        """
        wanted = [change.after for change in changes]
        _require_acceptable(wanted)
        self._require_in_zone(wanted)
        reply = self._primary.ask(messages.update(self._zone(), changes), lost=OutcomeUnknown)
        if reply.rcode() in _NOT_THERE:
            self._denied.update(
                ((change.after.name, change.after.type), frozenset(messages.version_of(change.before)))
                for change in changes
            )
        self._require_applied(reply, wanted)
        return Receipt()

    def wait(self, receipt: Receipt, timeout: float) -> bool:  # noqa: ARG002 - the serial of now is as good
        """Waits until the secondaries have the zone as it is now on the primary, which serves commits at once.

        Raises:
            Unavailable, Refused: the primary, or in all of `timeout` seconds a secondary, gave no serial.
        """
        if not self._secondaries:
            return True
        deadline = time.monotonic() + timeout
        wanted = self._serial(self._primary, timeout)
        return all(self._reaches(secondary, wanted, deadline) for secondary in self._secondaries)

    def close(self) -> None:
        """Nothing to give back: no connection outlives its exchange."""

    # -- the zone -------------------------------------------------------------------------------------------

    def _zone(self) -> str:
        if self._zone_found is None:
            self._zone_found = self._find_zone()
        return self._zone_found

    def _find_zone(self) -> str:
        """The zone that the primary serves the fqdn from; the one that was given must be it.

        The SOA record of an answer tells (RFC 2308, section 3). Where a CNAME leads to another name's, the parent
        is asked.
        """
        start = dns.name.from_text(self._given_zone or self._fqdn)
        name = start
        apex: str | None = None
        while apex is None and name != dns.name.root:
            reply = self._query(self._primary, messages.query(name, dns.rdatatype.SOA))
            apex = messages.apex_of(name, reply)
            name = name.parent()
        if apex is None:
            raise ZoneNotFound(f"{self._primary} names no zone that holds {self._fqdn}; give it as `zone`")
        if self._given_zone not in (None, apex):
            raise ZoneNotFound(
                f"{self._primary} has no zone {self._given_zone}, and serves that name from {apex}: correct `zone`,"
                " or leave it out"
            )
        return apex

    def _require_in_zone(self, wanted: Sequence[RecordSet]) -> None:
        outside = [each for each in wanted if not _is_within(each.name, self._zone())]
        if not outside:
            return
        where = f"{messages.describe(outside)} outside of the zone {self._zone()} of {self._primary}"
        if len(outside) < len(wanted):
            raise Rejected(f"one update changes one zone, and this one has {where}; commit them apart")
        raise ZoneNotFound(f"{where}; set `server` and `zone` to those of the name")

    # -- exchanges ------------------------------------------------------------------------------------------

    def _query(
        self, server: NameServer, question: dns.message.QueryMessage, timeout: float | None = None
    ) -> dns.message.Message:
        """An authoritative answer, which may be that there is nothing; anything else is an error."""
        reply = server.ask(question, lost=Unavailable, timeout=timeout)
        if reply.rcode() not in _ANSWERS:
            raise query_refused(reply, f"{server} did not answer for {_asked(question)}, asked {server.identity}")
        if not reply.flags & dns.flags.AA:
            raise ZoneNotFound(
                f"{server} answered for {_asked(question)} without authority: it does not serve the zone, or the"
                " name is delegated to other servers; set `server` to the primary of the name's own zone"
            )
        return reply

    def _serial(self, server: NameServer, timeout: float) -> dns.serial.Serial:
        zone = self._zone()
        question = messages.query(dns.name.from_text(zone), dns.rdatatype.SOA)
        serial = messages.serial_of(zone, self._query(server, question, timeout))
        if serial is None:
            raise ZoneNotFound(f"{server} sent no SOA record for {zone}: check that it serves the zone")
        return serial

    def _reaches(self, secondary: NameServer, wanted: dns.serial.Serial, deadline: float) -> bool:
        """Whether a secondary has the zone with that serial, or a later one (RFC 1982), before the deadline."""
        answered, trouble = False, None
        while (left := deadline - time.monotonic()) > 0:
            try:
                if self._serial(secondary, left) >= wanted:
                    return True
                answered = True
            except ProviderError as error:
                trouble = error
            time.sleep(max(0.0, min(_POLL_INTERVAL, deadline - time.monotonic())))
        if trouble is not None and not answered:
            raise trouble
        return False

    def _require_applied(self, reply: dns.message.Message, wanted: Sequence[RecordSet]) -> None:
        if reply.rcode() == dns.rcode.NOERROR:
            return
        what = f"{self._primary} did not update {messages.describe(wanted)} in the zone {self._zone()}"
        raise update_refused(reply, f"{what}, asked {self._primary.identity}", signed=self._primary.signs)

    def _is_synthesized(self, snapshot: Snapshot) -> bool:
        """Whether the records are those of a wildcard, made up for a name that has none (RFC 4592).

        Answers look alike, but prerequisites see only what is there. So the doubt begins when the server denies in a
        commit what it answers to a query, and an update that changes nothing settles it.
        """
        wanted = snapshot.record_set
        key = wanted.name, wanted.type
        if not wanted.exists or self._denied.get(key) != frozenset(messages.version_of(snapshot)):
            return False
        reply = self._primary.ask(messages.existence_check(self._zone(), wanted), lost=Unavailable)
        if reply.rcode() in _NOT_THERE:
            return True
        self._require_applied(reply, [wanted])
        self._denied.pop(key, None)
        return False


def _key_of(options: Rfc2136Options) -> dns.tsig.Key | None:
    if options.key_name is None or options.key_secret is None:
        return None
    return dns.tsig.Key(options.key_name, decode_secret(options.key_secret), options.key_algorithm)


def _require_acceptable(wanted: Sequence[RecordSet]) -> None:
    """What every server would refuse, or worse, take in a sense of its own."""
    for each in wanted:
        if len(each.values) > MAX_VALUES:
            raise Rejected(
                f"{each.name} {each.type} would hold {len(each.values)} values; name servers keep at most {MAX_VALUES}"
            )
    if len({(each.name, each.type) for each in wanted}) < len(wanted):
        raise Rejected(f"one commit changes a record set twice: {messages.describe(wanted)}; make it one change")


def _is_within(name: str, zone: str) -> bool:
    return name == zone or name.endswith(f".{zone}")


def _asked(question: dns.message.QueryMessage) -> str:
    asked = question.question[0]
    return f"{asked.name.to_text(omit_final_dot=True)} {dns.rdatatype.to_text(asked.rdtype)}"
