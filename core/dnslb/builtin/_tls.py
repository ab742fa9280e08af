"""TLS over the sockets of the prober: a policy made once, and a stream for each connection.

The handshake runs on memory buffers (`ssl.MemoryBIO`), so that the prober keeps the socket as it is.
"""

from __future__ import annotations

import contextlib
import hashlib
import socket
import ssl
from collections.abc import Callable
from typing import TypeVar

from dnslb.builtin._sockets import HEALTHY, Exchange, Steps, receive, send
from dnslb.builtin._trust import Mode, TrustOptions
from dnslb.errors import ConfigurationError
from dnslb.interfaces import ProbeResult, Service, Target, Verdict
from dnslb.text import one_line, printable

T = TypeVar("T")

# Of OpenSSL's x509_vfy.h, which Python gives no names to.
_CERTIFICATE_FAULTS = {
    9: "not valid yet",
    10: "expired",
    18: "self-signed",
    19: "signed by an authority that is not trusted",
    20: "signed by an authority that is not known",
    21: "signed by an authority that is not known",
}
_NAME_MISMATCH = (62, 64)


class TlsFailure(Exception):
    """The other side does not speak TLS, or not in a way that the policy accepts; the message says why."""


class TlsPolicy:
    """How connections to one service are made: modes, names and trusted certificates.

    Raises:
        ConfigurationError: the file of authorities cannot be used.
    """

    def __init__(self, options: TrustOptions, mode: Mode, service: Service) -> None:
        self._server_name = options.server_name or service.fqdn
        self._pins = frozenset(options.pin)
        self._context = _verifying(options) if mode == "verify" else _accepting_all()

    def open(self, sock: socket.SocketType) -> Steps[TlsStream]:
        """A stream over a connected socket, after a complete handshake.

        Raises:
            TlsFailure: there is no handshake, or the certificate is not trusted.
        """
        stream = TlsStream(sock, self._context, self._server_name)
        certificate = yield from stream.handshake()
        if self._pins and hashlib.sha256(certificate).hexdigest() not in self._pins:
            raise TlsFailure(
                f"certificate is not the pinned one, its SHA-256 is {hashlib.sha256(certificate).hexdigest()}"
            )
        return stream


def _verifying(options: TrustOptions) -> ssl.SSLContext:
    # Some 20 ms and 0.8 MB each, which is why there is one a policy and not one a connection.
    try:
        return ssl.create_default_context(cafile=options.ca_file)
    except OSError as error:
        raise ConfigurationError(
            f"cannot use ca_file {options.ca_file}: {error.strerror or one_line(error)}"
        ) from error


def _accepting_all() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class TlsStream:
    """An encrypted connection; what goes wrong inside TLS is a TlsFailure, what goes wrong below it an OSError."""

    def __init__(self, sock: socket.SocketType, context: ssl.SSLContext, server_name: str) -> None:
        self._socket = sock
        self._server_name = server_name
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name)

    def handshake(self) -> Steps[bytes]:
        """Runs the handshake; the server's certificate (DER). The last of our own messages may not be sent yet."""
        yield from self._drive(self._tls.do_handshake)
        return self._tls.getpeercert(binary_form=True) or b""

    def send(self, data: bytes) -> Steps[None]:
        """Sends all of `data`."""
        yield from self._drive(lambda: self._tls.write(data))
        yield from self._flush()

    def receive(self) -> Steps[bytes]:
        """Some octets, as soon as there are any; nothing at the end of the stream."""
        try:
            return (yield from self._drive(lambda: self._tls.read(16384)))
        except _EndOfStream:
            return b""

    def close(self) -> Steps[None]:
        """Takes leave (close_notify), so that servers log no error, and does not wait for an answer."""
        with contextlib.suppress(ssl.SSLError):
            self._tls.unwrap()
        yield from self._flush()

    def _drive(self, operation: Callable[[], T]) -> Steps[T]:
        """Repeats an operation of the TLS engine until it has got all that it wanted to read."""
        while True:
            try:
                return operation()
            except ssl.SSLWantReadError:
                yield from self._flush()
                data = yield from receive(self._socket)
                if data:
                    self._incoming.write(data)
                else:
                    self._incoming.write_eof()
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError) as error:
                raise _EndOfStream from error
            except ssl.SSLCertVerificationError as error:
                raise TlsFailure(f"certificate {_fault(error, self._server_name)}") from error
            except ssl.SSLError as error:
                raise TlsFailure(f"TLS failed: {_reason(error)}") from error

    def _flush(self) -> Steps[None]:
        if self._outgoing.pending:
            yield from send(self._socket, self._outgoing.read())


class _EndOfStream(TlsFailure):
    """The other side closed the connection."""

    def __init__(self) -> None:
        super().__init__("closed during the TLS handshake")


def _fault(error: ssl.SSLCertVerificationError, server_name: str) -> str:
    if error.verify_code in _NAME_MISMATCH:
        return f"is not for {server_name}"
    return _CERTIFICATE_FAULTS.get(error.verify_code) or f"refused: {printable(error.verify_message)}"


def _reason(error: ssl.SSLError) -> str:
    return (error.reason or one_line(error)).replace("_", " ").lower()


def handshake_exchange(policy: TlsPolicy) -> Exchange:
    """The exchange of the probe `tls`."""

    def exchange(sock: socket.SocketType, _: Target) -> Steps[ProbeResult]:
        try:
            stream = yield from policy.open(sock)
        except TlsFailure as failure:
            return ProbeResult(Verdict.FAILED, str(failure))
        yield from stream.close()
        return HEALTHY

    return exchange
