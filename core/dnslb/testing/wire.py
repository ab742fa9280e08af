"""A TCP proxy that loses things: put it between a plugin and its server to see what the plugin makes of it.

It knows no protocol. A request is what a client sends until the server answers; a reply is what the server sends
until the client asks again. So it serves DNS over TCP, HTTP and HTTPS alike (in a TLS handshake, each turn counts as
a request with its reply). What a server says unasked is passed on.
"""

from __future__ import annotations

import contextlib
import enum
import selectors
import socket
import threading
from dataclasses import dataclass, replace
from types import TracebackType

Endpoint = tuple[str, int]
"""A host name or address, and a TCP port."""

_CHUNK = 65536
_CONNECT_LIMIT = 10.0


class Mode(enum.Enum):
    """What becomes of a request and its reply."""

    PASS = enum.auto()
    """Both pass."""

    CUT_REPLY = enum.auto()
    """The request passes; at the first bytes of its reply both connections are closed."""

    HOLD_REPLY = enum.auto()
    """The request passes, its reply is dropped; the client's connection stays open, and nothing passes any more."""

    CUT_REQUEST = enum.auto()
    """The request is dropped and both connections are closed."""

    STALL = enum.auto()
    """The request is dropped; the client's connection stays open, and nothing passes any more."""


@dataclass(frozen=True, slots=True)
class Counters:
    """What has gone through a proxy so far.

    Attributes:
        connections: how many were accepted.
        requests: how many clients have begun, passed on or not.
        replies: how many were passed back.
        lost: how many requests or replies were cut or dropped.
        bytes_to_server: how much was passed on.
        bytes_to_client: how much was passed back.
    """

    connections: int = 0
    requests: int = 0
    replies: int = 0
    lost: int = 0
    bytes_to_server: int = 0
    bytes_to_client: int = 0


class CuttingProxy:
    """Listens on a free port of 127.0.0.1 and passes on to `target`, until it is told otherwise.

        with CuttingProxy(("127.0.0.1", 53)) as proxy:
            manager = MyManager(*proxy.address)
            snapshot = manager.read("www.ex.test", RecordType.A)
            proxy.switch(Mode.CUT_REPLY)
            ...

    Attributes:
        address: where it listens.
    """

    def __init__(self, target: Endpoint) -> None:
        self._target = target
        self._control = _Control()
        self._lock = threading.Lock()
        self._open: dict[_Connection, threading.Thread] = {}
        self._closed = False
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._acceptor = threading.Thread(target=self._accept, name="cutting-proxy", daemon=True)
        self.address: Endpoint = self._listener.getsockname()
        self._acceptor.start()

    def __enter__(self) -> CuttingProxy:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def switch(self, mode: Mode, *, after: int = 0) -> None:
        """From now on `mode` holds, for every request but the next `after` ones, which still pass."""
        self._control.switch(mode, after)

    @property
    def counters(self) -> Counters:
        """What has gone through until now; what a client has noticed is in it."""
        return self._control.counters

    @property
    def open_connections(self) -> int:
        """How many connections of clients are open now."""
        with self._lock:
            return len(self._open)

    def close(self) -> None:
        """Closes the port and every connection: clients find the server down. May be called again."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        # A connection is the one thing that wakes a blocked accept() on every system.
        with contextlib.suppress(OSError), socket.create_connection(self.address):
            pass
        self._acceptor.join()
        with self._lock:
            still_open = list(self._open.items())
        for connection, thread in still_open:
            connection.shutdown()
            thread.join()

    def _accept(self) -> None:
        with self._listener:
            while True:
                client, _ = self._listener.accept()
                with self._lock:
                    closed = self._closed
                if closed:
                    client.close()
                    return
                self._connect(client)

    def _connect(self, client: socket.socket) -> None:
        self._control.count(connections=1)
        try:
            server = socket.create_connection(self._target, timeout=_CONNECT_LIMIT)
        except OSError:
            client.close()
            return
        server.settimeout(None)
        connection = _Connection(self._control, client, server)
        thread = threading.Thread(target=self._serve, args=(connection,), name="cutting-proxy", daemon=True)
        with self._lock:
            self._open[connection] = thread
        thread.start()

    def _serve(self, connection: _Connection) -> None:
        try:
            connection.run()
        finally:
            with self._lock:
                del self._open[connection]
            connection.close()


class _Control:
    """The mode and the counters, which the connections' threads share with the test's."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._mode = Mode.PASS
        self._passing = 0
        self._counters = Counters()

    @property
    def counters(self) -> Counters:
        with self._lock:
            return self._counters

    def switch(self, mode: Mode, passing: int) -> None:
        with self._lock:
            self._mode, self._passing = mode, passing

    def count(self, **more: int) -> None:
        with self._lock:
            self._add(**more)

    def next_fate(self) -> Mode:
        """The mode for a request that begins now."""
        with self._lock:
            fate = self._mode
            if self._passing:
                self._passing -= 1
                fate = Mode.PASS
            self._add(requests=1, lost=int(fate in (Mode.CUT_REQUEST, Mode.STALL)))
            return fate

    def _add(self, **more: int) -> None:
        self._counters = replace(
            self._counters, **{name: getattr(self._counters, name) + number for name, number in more.items()}
        )


class _Connection:
    """One client's connection with the connection to the server behind it; lives in a thread of its own."""

    def __init__(self, control: _Control, client: socket.socket, server: socket.socket) -> None:
        self._control, self._client, self._server = control, client, server
        self._selector = selectors.DefaultSelector()
        self._fate = Mode.PASS
        self._awaiting_reply = False
        self._silenced = False  # nothing passes any more, in either direction
        self._client_is_gone = False

    def run(self) -> None:
        """Passes bytes until one end closes, or the fate of a request does."""
        self._selector.register(self._client, selectors.EVENT_READ, self._from_client)
        self._selector.register(self._server, selectors.EVENT_READ, self._from_server)
        with contextlib.suppress(OSError):  # reset by either end
            while all(key.data() for key, _ in self._selector.select()):
                pass

    def shutdown(self) -> None:
        """Makes `run` return, from another thread."""
        for end in (self._client, self._server):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Gives back the descriptors."""
        self._selector.close()
        self._client.close()
        self._server.close()

    def _from_client(self) -> bool:
        """Handles what the client sent; says whether the connection goes on."""
        data = self._client.recv(_CHUNK)
        if not data:
            return self._client_is_done()
        if not self._awaiting_reply:
            self._awaiting_reply = True
            self._fate = self._control.next_fate()
        if self._fate is Mode.CUT_REQUEST:
            return False
        if self._fate is Mode.STALL:
            self._silenced = True
        if not self._silenced:
            self._control.count(bytes_to_server=len(data))
            self._server.sendall(data)
        return True

    def _client_is_done(self) -> bool:
        if self._silenced or not self._awaiting_reply:
            return False
        # The server has its request, so the reply is waited for: to count it, and since a client that has shut
        # down only its sending half waits for it too.
        self._client_is_gone = True
        self._selector.unregister(self._client)
        if self._fate is Mode.PASS:
            self._server.shutdown(socket.SHUT_WR)
        return True

    def _from_server(self) -> bool:
        """Handles what the server sent; says whether the connection goes on."""
        data = self._server.recv(_CHUNK)
        if not data:
            return self._server_is_done()
        if self._silenced:
            return True
        passes = self._fate is Mode.PASS
        if self._awaiting_reply:
            self._awaiting_reply = False
            self._control.count(**{"replies" if passes else "lost": 1})
        if not passes:
            self._silenced = True
            return self._fate is Mode.HOLD_REPLY and not self._client_is_gone
        self._control.count(bytes_to_client=len(data))
        self._client.sendall(data)
        return True

    def _server_is_done(self) -> bool:
        if self._client_is_gone or not self._silenced:
            return False
        self._selector.unregister(self._server)
        return True
