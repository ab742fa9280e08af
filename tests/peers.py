"""Real servers on loopback for the tests of probes: each a context manager over a `Target`."""

import contextlib
import ipaddress
import socket
import threading

from dnslb import Target


@contextlib.contextmanager
def serving(handle, address="127.0.0.1", tls=None, backlog=256):
    """Calls `handle(connection)` in a thread for each connection, and closes the connection afterwards.

    What goes wrong on a connection is the peer's doing, and no error here. With `tls`, an SSLContext, `handle` gets the
    encrypted connection.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.create_server((address, 0), family=family, backlog=backlog)
    connections, threads = _Connections(), []

    def one(connection):
        with contextlib.suppress(OSError), contextlib.closing(connection):
            if tls is None:
                handle(connection)
                return
            with tls.wrap_socket(connection, server_side=True) as encrypted:
                connections.add(encrypted)
                handle(encrypted)

    def accept():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return  # shut down
            connections.add(connection)
            threads.append(threading.Thread(target=one, args=(connection,), daemon=True))
            threads[-1].start()

    acceptor = threading.Thread(target=accept, daemon=True)
    acceptor.start()
    try:
        yield Target(ipaddress.ip_address(address), listener.getsockname()[1])
    finally:
        with listener:
            listener.shutdown(socket.SHUT_RDWR)
            acceptor.join()
        connections.shut_down()
        for thread in threads:
            thread.join()


class _Connections:
    """Those of a server. One that is added when all are shut down, by a thread that was slow, is shut down too."""

    def __init__(self):
        self._lock = threading.Lock()
        self._open = []
        self._ended = False

    def add(self, connection):
        with self._lock:
            self._open.append(connection)
            if self._ended:
                _shut_down(connection)

    def shut_down(self):
        with self._lock:
            self._ended = True
            for connection in self._open:
                _shut_down(connection)


def _shut_down(connection):
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def hold(connection):
    """Says nothing until the other side goes away."""
    while connection.recv(4096):
        pass


@contextlib.contextmanager
def accepting(address="127.0.0.1", backlog=1024):
    """Accepts and closes, in one thread and as fast as that goes: for many connections."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, 0), family=family, backlog=backlog) as listener:

        def accept():
            with contextlib.suppress(OSError):
                while True:
                    listener.accept()[0].close()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield Target(ipaddress.ip_address(address), listener.getsockname()[1])
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
