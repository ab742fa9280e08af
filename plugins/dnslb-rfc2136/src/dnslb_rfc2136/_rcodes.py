"""What a name server's refusal means: from response codes to errors of dnslb, each with the next step.

The codes are those of RFC 1035, section 4.1.1, and RFC 2136, section 2.2; extended errors those of RFC 8914.
"""

from __future__ import annotations

import dns.edns
import dns.message
import dns.rcode

from dnslb import Conflict, Denied, OutcomeUnknown, ProviderError, Rejected, Unavailable, ZoneNotFound

_Meaning = tuple[type[ProviderError], str]

_ASK_THE_LOG = "dnslb does not know this answer; the server's log may say why"

_QUERY: dict[dns.rcode.Rcode, _Meaning] = {
    dns.rcode.SERVFAIL: (Unavailable, "the server's log says why; the zone may have failed to load, or expired"),
    dns.rcode.REFUSED: (ZoneNotFound, "check that this server serves the zone, and whom it lets ask"),
    dns.rcode.NOTAUTH: (Denied, "compare name, algorithm and secret of the key with the server's, and the clocks"),
    dns.rcode.FORMERR: (Rejected, "the server does not understand the question; it may not know TSIG"),
    dns.rcode.NOTIMP: (Rejected, "the server does not answer such questions"),
}

_CHANGED: _Meaning = (Conflict, "it is no longer what was read; read it again")

_UPDATE: dict[dns.rcode.Rcode, _Meaning] = {
    dns.rcode.NXRRSET: _CHANGED,
    dns.rcode.YXRRSET: _CHANGED,
    dns.rcode.NXDOMAIN: _CHANGED,
    dns.rcode.YXDOMAIN: _CHANGED,
    dns.rcode.SERVFAIL: (
        Unavailable,
        "the server's log says why: a full disk, a locked database, more records than it allows in a set",
    ),
    dns.rcode.REFUSED: (
        Denied,
        "check that this is the primary, that it has this very key, and that the key may update these names and types",
    ),
    dns.rcode.NOTAUTH: (ZoneNotFound, "check that this server is the primary of the zone"),
    dns.rcode.NOTZONE: (ZoneNotFound, "a name is outside of the zone; check `zone`"),
    dns.rcode.FORMERR: (Rejected, "the server does not understand the update; its log may say why"),
    dns.rcode.NOTIMP: (Rejected, "the server takes no dynamic updates; switch them on"),
}

_WANTS_A_KEY: _Meaning = (Denied, "the server wants signed updates; set key_name and key_secret")

_FORBIDS: _Meaning = (Denied, "the server forbids it; let the key query the zone (allow-query in BIND)")


def query_refused(reply: dns.message.Message, what: str) -> ProviderError:
    """The error for the answer to a question; `what` was not done, and by whom."""
    meaning = _QUERY.get(reply.rcode(), (Unavailable, _ASK_THE_LOG))
    if any(error.code == dns.edns.EDECode.PROHIBITED for error in reply.extended_errors()):
        meaning = _FORBIDS
    return _error(meaning, what, reply)


def update_refused(reply: dns.message.Message, what: str, *, signed: bool) -> ProviderError:
    """The error for the answer to an update, which was `signed` or not; `what` was not done, and by whom."""
    meaning = _UPDATE.get(reply.rcode(), (OutcomeUnknown, _ASK_THE_LOG))
    if reply.rcode() == dns.rcode.NOTAUTH and not signed:
        # Knot says so where a key is missing; that it is the zone's server was seen before the update was sent.
        meaning = _WANTS_A_KEY
    return _error(meaning, what, reply)


def _error(meaning: _Meaning, what: str, reply: dns.message.Message) -> ProviderError:
    kind, next_step = meaning
    return kind(f"{what} ({dns.rcode.to_text(reply.rcode())}): {next_step}")
