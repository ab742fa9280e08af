"""The request of the probe `http`, and the judgement of the response."""

from __future__ import annotations

import socket
from collections.abc import Callable

from dnslb._version import __version__
from dnslb.builtin._response import BadResponse, Body, Reader, Stream, TooLong, body_of, read_head
from dnslb.builtin._sockets import Exchange, Steps, receive, send
from dnslb.builtin._tls import TlsFailure, TlsPolicy
from dnslb.builtin.http import HttpOptions, parse_statuses
from dnslb.interfaces import ProbeResult, Service, Target, Verdict


class PlainStream:
    """A connection without TLS."""

    def __init__(self, sock: socket.SocketType) -> None:
        self._socket = sock

    def receive(self) -> Steps[bytes]:
        """Some octets, as soon as there are any; nothing at the end of the stream."""
        return receive(self._socket)

    def send(self, data: bytes) -> Steps[None]:
        """Sends all of `data`."""
        return send(self._socket, data)


def request_exchange(options: HttpOptions, service: Service) -> Exchange:
    """The exchange of the probe `http`.

    Raises:
        ConfigurationError: the file of authorities cannot be used.
    """
    policy = None if options.tls == "off" else TlsPolicy(options, options.tls, service)
    request = request_text(options, service)
    judge = judge_by(options)

    def exchange(sock: socket.SocketType, _: Target) -> Steps[ProbeResult]:
        try:
            stream: Stream = (yield from policy.open(sock)) if policy else PlainStream(sock)
            yield from stream.send(request)
            return (yield from judge(stream))
        except (BadResponse, TlsFailure) as failure:
            return ProbeResult(Verdict.FAILED, str(failure))

    return exchange


def request_text(options: HttpOptions, service: Service) -> bytes:
    """The request: RFC 9112, section 3. Nothing compressed is asked for, since the body may be searched."""
    usual_port = 80 if options.tls == "off" else 443
    own_host = service.fqdn if service.port == usual_port else f"{service.fqdn}:{service.port}"
    further = options.headers or {}
    replaced = {name.lower() for name in further}
    usual = {"User-Agent": f"dnslb/{__version__}", "Accept": "*/*", "Accept-Encoding": "identity"}
    headers = {name: value for name, value in usual.items() if name.lower() not in replaced} | further
    lines = [f"{options.method} {options.path} HTTP/1.1", f"Host: {options.host or own_host}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join((*lines, "Connection: close", "", "")).encode("ascii")


def judge_by(options: HttpOptions) -> Callable[[Stream], Steps[ProbeResult]]:
    """Reads a response off a stream and judges it.

    What it returns raises BadResponse, and whatever the stream raises.
    """
    healthy = frozenset(status for text in options.status for status in parse_statuses(text))
    wanted = options.body.encode() if options.body is not None else None

    def judge(stream: Stream) -> Steps[ProbeResult]:
        reader = Reader(stream)
        head = yield from read_head(reader)
        if head.status not in healthy:
            redirect = " (redirects are not followed)" if 300 <= head.status < 400 else ""
            return ProbeResult(Verdict.FAILED, f"status {head.status}{redirect}")
        if wanted is not None and not (yield from _contains(body_of(head, reader), wanted)):
            return ProbeResult(
                Verdict.FAILED, f"status {head.status}, but the expected text is not in its first 64 KiB"
            )
        return ProbeResult(Verdict.HEALTHY, f"status {head.status}")

    return judge


def _contains(body: Body, wanted: bytes) -> Steps[bool]:
    """Whether the text occurs; what comes after it is not read."""
    seen = b""
    try:
        while piece := (yield from body.more()):
            seen += piece
            if wanted in seen:
                return True
            seen = seen[max(0, len(seen) - len(wanted) + 1) :]
    except TooLong:
        return False
    return False
