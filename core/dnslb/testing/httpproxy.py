"""An HTTP server before another one, for tests: it passes requests on, or answers in its place, and counts."""

from __future__ import annotations

import contextlib
import http.client
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from dnslb.testing.wire import Endpoint

_TARGET_LIMIT = 30.0


@dataclass(frozen=True, slots=True)
class Seen:
    """A request that came: as it was, and when (`time.monotonic`)."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    at: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What a client is told."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


Rule = Callable[[Seen], Answer | None]
"""What to answer in place of the server; None to pass the request on."""


def pass_on(_: Seen) -> None:
    """The rule that passes every request on."""


class HttpProxy:
    """Listens on a free port of 127.0.0.1 while a `with` statement runs.

    Attributes:
        rule: asked for every request; it may be replaced at any time.
        seen: all requests, the oldest first.
        address: where it listens.

    Args:
        target: the server behind it.
        rule: the first rule.
    """

    def __init__(self, target: Endpoint, rule: Rule = pass_on) -> None:
        self.rule = rule
        self.seen: list[Seen] = []
        self._server = _Server(self, target)
        self.address: Endpoint = ("127.0.0.1", self._server.server_port)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="http-proxy", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        """What a client needs for an endpoint."""
        return "http://{}:{}".format(*self.address)

    def _answer(self, seen: Seen, target: Endpoint) -> Answer:
        self.seen.append(seen)
        return self.rule(seen) or _ask(target, seen)


def _ask(target: Endpoint, seen: Seen) -> Answer:
    with contextlib.closing(http.client.HTTPConnection(*target, timeout=_TARGET_LIMIT)) as connection:
        connection.request(seen.method, seen.path, seen.body, seen.headers)
        found = connection.getresponse()
        form = {"Content-Type": found.headers.get("Content-Type", "text/plain")}
        return Answer(found.status, found.read(), form)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, proxy: HttpProxy, target: Endpoint) -> None:
        self.proxy, self.target = proxy, target
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def _respond(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        seen = Seen(self.command, self.path, dict(self.headers), body, time.monotonic())
        answer = self.server.proxy._answer(seen, self.server.target)  # noqa: SLF001 - the two are one
        self.send_response(answer.status)
        for name, value in {**answer.headers, "Content-Length": str(len(answer.body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)

    do_GET = do_POST = _respond  # noqa: N815 - the names are those of the base class

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: `seen` keeps what tests want to know."""
