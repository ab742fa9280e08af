"""An HTTP server on loopback that answers in JSON: what a fake of a provider's API listens with."""

from __future__ import annotations

import contextlib
import json
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from dnslb.testing.wire import Endpoint


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request: its verb, its target as it was sent, its headers with names in lower case, its body."""

    verb: str
    target: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer: the status, the body as JSON is made of it, and headers beside those that tell its form."""

    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)


class JsonServer:
    """Listens on a free port of 127.0.0.1; `answer` is called in a thread a connection.

    Attributes:
        address: where it listens.
        failures: the exceptions that `answer` has raised; the client finds its connection closed.
    """

    def __init__(self, answer: Callable[[Request], Answer]) -> None:
        self.failures: list[BaseException] = []
        self._server = _Server(answer, self.failures)
        host, port = self._server.socket.getsockname()
        self.address: Endpoint = host, port
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="json-server", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Closes the port and every connection."""
        self._server.shutdown()
        self._thread.join()
        self._server.close_connections()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # so that server_close() joins them
    request_queue_size = 128

    def __init__(self, answer: Callable[[Request], Answer], failures: list[BaseException]) -> None:
        self.answer = answer
        self._failures = failures
        self._open: set[Any] = set()
        super().__init__(("127.0.0.1", 0), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - the base class's names
        error = sys.exception()
        if error is not None and not isinstance(error, OSError):  # a client that has gone away is no failure
            self._failures.append(error)

    def close_connections(self) -> None:
        """Ends the threads that wait for the next request of a client."""
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the fakes keep what tests want to know."""

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        answer = self.server.answer(
            Request(self.command, self.path, {name.lower(): value for name, value in self.headers.items()}, body)
        )
        text = json.dumps(answer.body).encode()
        self.send_response(answer.status)
        headers = {**answer.headers, "Content-Type": "application/json", "Content-Length": str(len(text))}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)
