"""An HTTPS server on a free port of 127.0.0.1, for fakes of providers: JSON answers, connections that stay open."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from dnslb.testing.wire import Endpoint

Answer = Callable[[str, str, Mapping[str, str], bytes], tuple[int, Mapping[str, str], Any]]
"""From method, target, headers (without regard to case) and body to status, headers and what becomes JSON."""


class HttpsServer:
    """Calls `answer` for every request, in several threads at once, until it is closed.

    Attributes:
        address: where it listens.
    """

    def __init__(self, tls: ssl.SSLContext, answer: Answer) -> None:
        self._server = _Server(tls, answer)
        self.address: Endpoint = ("127.0.0.1", self._server.server_port)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="https-server")
        self._thread.start()

    def close(self) -> None:
        """Closes the port and every connection, and waits for their threads."""
        self._server.shutdown()
        self._thread.join()
        self._server.hang_up()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    """Makes the TLS handshake in the thread of the connection, so that a slow client holds up nobody else."""

    daemon_threads = False
    request_queue_size = 128

    def __init__(self, tls: ssl.SSLContext, answer: Answer) -> None:
        self.answer = answer
        self._tls = tls
        self._closing = False
        self._open: set[ssl.SSLSocket] = set()
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), _Handler)

    def finish_request(self, request: Any, client_address: Any) -> None:
        with contextlib.suppress(OSError):  # whatever a client breaks off is its own affair
            request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._tls.wrap_socket(request, server_side=True, do_handshake_on_connect=False) as connection:
                with self._lock:
                    if self._closing:
                        return
                    self._open.add(connection)
                try:
                    connection.do_handshake()
                    _Handler(connection, client_address, self)
                finally:
                    with self._lock:
                        self._open.discard(connection)

    def hang_up(self) -> None:
        """Ends every connection, so that its thread ends too."""
        with self._lock:
            self._closing = True
            for connection in self._open:
                with contextlib.suppress(OSError):
                    # Not the method of SSLSocket, which takes the encryption away under the thread that reads.
                    socket.socket.shutdown(connection, socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and body leave together

    def _respond(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        server = self.server
        assert isinstance(server, _Server)
        headers: Any = self.headers  # a mapping in all but its declaration
        status, extra, resource = server.answer(self.command, self.path, headers, body)
        content = b"" if status == 204 else json.dumps(resource).encode()
        self.send_response(status)
        for name, value in {
            "Content-Type": "application/json; charset=utf-8",
            "Content-Length": str(len(content)),
            **extra,
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_PUT = do_PATCH = do_DELETE = do_POST = _respond  # noqa: N815 - the names are those of the base class

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing: what came is for the fake to keep."""
