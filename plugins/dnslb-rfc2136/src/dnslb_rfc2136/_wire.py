"""One question, one answer: DNS messages over TCP (RFC 7766), signed where there is a key (RFC 8945).

Whatever goes wrong on the way becomes an error of dnslb here. The line that matters is drawn at the first octet
sent: before it nothing can have been applied, after it only a believable answer says what became of the request.
"""

from __future__ import annotations

import socket
import struct
import time

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.tsig

from dnslb import Denied, ProviderError, Rejected, Unavailable
from dnslb_rfc2136._options import Endpoint

# What servers say without a signature although the request had one: PowerDNS where the key is wrong, Knot where the
# zone is not its own, all of them where they do not understand. None of these has applied anything.
_UNSIGNED_REFUSALS = frozenset({dns.rcode.REFUSED, dns.rcode.NOTAUTH, dns.rcode.FORMERR, dns.rcode.NOTIMP})


class NameServer:
    """A name server, and the key that both sides sign with.

    `timeout` is how long a question may take in seconds, from looking up the server's name to the last octet of its
    answer.
    """

    def __init__(self, endpoint: Endpoint, timeout: float, key: dns.tsig.Key | None = None) -> None:
        self._endpoint = endpoint
        self._timeout = timeout
        self._key = key

    def __str__(self) -> str:
        return str(self._endpoint)

    @property
    def identity(self) -> str:
        """How it is asked, for messages: `with key dnslb`."""
        return f"with key {self._key_name}" if self._key else "without a key"

    @property
    def signs(self) -> bool:
        """Whether there is a key."""
        return self._key is not None

    @property
    def _key_name(self) -> str:
        return self._key.name.to_text(omit_final_dot=True) if self._key else "none"

    def ask(
        self, request: dns.message.Message, lost: type[ProviderError], timeout: float | None = None
    ) -> dns.message.Message:
        """The answer to `request`, with whatever rcode; its signature is verified where there is a key.

        Only a refusal may come back unsigned. `timeout` shortens the time limit.

        Raises:
            Unavailable: the server could not be reached; nothing was sent.
            Rejected: the request does not fit into a message; nothing was sent.
            Denied: the server does not accept the key, the signature or the time.
            lost: it was sent, and no answer came that can be believed.
        """
        deadline = _Deadline(self._timeout if timeout is None else min(timeout, self._timeout))
        if self._key:
            request.use_tsig(self._key)
        try:
            wire = request.to_wire()
        except dns.exception.TooBig as error:
            raise Rejected("the change does not fit into one DNS message of 64 KiB; make it smaller") from error
        with self._connect(deadline) as connection:
            try:
                answer = _converse(connection, wire, deadline)
            except OSError as error:
                raise lost(f"{self} did not answer: {_reason(error)}") from error
        return self._verified(request, answer, lost)

    # -- the connection -------------------------------------------------------------------------------------

    def _connect(self, deadline: _Deadline) -> socket.socket:
        """A connection to the first address that takes one; the name is looked up anew every time."""
        host, port = self._endpoint.host, self._endpoint.port
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise Unavailable(
                f"cannot find the address of {host} ({_reason(error)}); check `server` and this host's resolver"
            ) from error
        failure = OSError("no address")
        for tried, (family, _, _, _, address) in enumerate(found):
            try:
                return _open(family, address, deadline.left() / (len(found) - tried))
            except OSError as error:
                failure = error
        raise Unavailable(
            f"cannot connect to {self} by TCP ({_reason(failure)}); check that the name server runs and is reachable"
        ) from failure

    # -- the answer -----------------------------------------------------------------------------------------

    def _verified(self, request: dns.message.Message, answer: bytes, lost: type[ProviderError]) -> dns.message.Message:
        if answer[:2] != struct.pack("!H", request.id):
            raise lost(f"{self} sent an answer to another question")
        reply = self._read(request, answer, lost)
        if self._key and not reply.had_tsig and reply.rcode() not in _UNSIGNED_REFUSALS:
            raise lost(f"{self} sent an answer without a signature to a question {self.identity}")
        if not request.is_response(reply) or reply.flags & dns.flags.TC:
            raise lost(f"{self} sent an answer to something else, or only a part of one")
        return reply

    def _read(self, request: dns.message.Message, answer: bytes, lost: type[ProviderError]) -> dns.message.Message:
        """The answer, whose signature is good if it has one; not all versions of dnspython insist that it has."""
        try:
            return dns.message.from_wire(answer, keyring=self._key, request_mac=request.mac)
        except dns.tsig.PeerError as error:
            raise Denied(self._key_trouble(error, answer)) from error
        except dns.tsig.BadTime as error:
            raise lost(f"{self} sent an answer from another time than ours; synchronise both clocks (NTP)") from error
        except dns.exception.DNSException as error:
            reply = _unverified(answer)
            if reply is None or reply.had_tsig:
                raise lost(f"{self} sent an answer that cannot be believed ({_reason(error)})") from error
            return reply

    def _key_trouble(self, error: dns.tsig.PeerError, answer: bytes) -> str:
        """What the TSIG error of the answer means (RFC 8945, section 5.2), and what to do."""
        key = f"key {self._key_name}"
        if isinstance(error, dns.tsig.PeerBadTime):
            return (
                f"{self} refused the time of a message signed with {key} (BADTIME): its clock and this host's differ"
                f"{_by_how_much(answer)}; synchronise both (NTP)"
            )
        if isinstance(error, dns.tsig.PeerBadSignature):
            return (
                f"{self} found the signature with {key} wrong (BADSIG): compare key_secret with the server's secret"
                " of that key"
            )
        if isinstance(error, dns.tsig.PeerBadKey):
            return (
                f"{self} does not know {key} or does not let it do this (BADKEY): compare key_name and key_algorithm"
                " with the server's, and look at what it allows that key"
            )
        return f"{self} did not accept {key} ({_reason(error)}): compare the key with the server's"


class _Deadline:
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds until it, more than none; TimeoutError once it has passed."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"nothing in {self._seconds:g} s")
        return left


def _open(family: int, address: tuple[str | int, ...] | tuple[int, bytes], seconds: float) -> socket.socket:
    connection = socket.socket(family, socket.SOCK_STREAM)
    try:
        connection.settimeout(seconds)
        connection.connect(address)
    except BaseException:
        connection.close()
        raise
    return connection


def _converse(connection: socket.socket, wire: bytes, deadline: _Deadline) -> bytes:
    """Sends a message and receives one, each after its length in two octets (RFC 1035, section 4.2.2)."""
    connection.settimeout(deadline.left())
    connection.sendall(struct.pack("!H", len(wire)) + wire)
    (length,) = struct.unpack("!H", _receive(connection, 2, deadline))
    return _receive(connection, length, deadline)


def _receive(connection: socket.socket, count: int, deadline: _Deadline) -> bytes:
    received = bytearray()
    while len(received) < count:
        connection.settimeout(deadline.left())
        part = connection.recv(count - len(received))
        if not part:
            raise ConnectionError("it closed the connection")
        received += part
    return bytes(received)


def _unverified(answer: bytes) -> dns.message.Message | None:
    """The answer as it stands, whoever sent it; None where it is not a DNS message."""
    try:
        return dns.message.from_wire(answer, keyring=False)
    except dns.exception.DNSException:
        return None


def _by_how_much(answer: bytes) -> str:
    """` by 3600 s`, from the server's time that comes with BADTIME (RFC 8945, section 5.2.3)."""
    reply = _unverified(answer)
    other = reply.tsig[0].other if reply and reply.tsig else b""
    return f" by {abs(int.from_bytes(other) - time.time()):.0f} s" if len(other) == 6 else ""


def _reason(error: Exception) -> str:
    strerror = error.strerror if isinstance(error, OSError) else None
    return strerror or str(error) or type(error).__name__
