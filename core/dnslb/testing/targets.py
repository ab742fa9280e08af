"""Targets that fail, for the conformance kit of probes: each a context manager over a `Target` on loopback."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import threading
from collections.abc import Iterator

from dnslb.interfaces import Target

# Every octet there is, and no UTF-8 from the first one on.
_NONSENSE = bytes(range(255, -1, -1)) + b"\r\n\r\n"


def _target(listener: socket.socket) -> Target:
    address, port = listener.getsockname()
    return Target(ipaddress.ip_address(address), port)


@contextlib.contextmanager
def refusing(address: str = "127.0.0.1") -> Iterator[Target]:
    """Refuses connections: the port is taken, so that nobody else can listen there, and nobody does."""
    with socket.socket() as bound:
        bound.bind((address, 0))
        yield _target(bound)


@contextlib.contextmanager
def silent() -> Iterator[Target]:
    """Lets clients connect, and says nothing for as long as they wait."""
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listener:
        yield _target(listener)


@contextlib.contextmanager
def unresponsive(address: str = "127.0.0.1") -> Iterator[Target | None]:
    """Does not even answer a connection request, as a host does that has lost its power.

    Made by filling the queue of a listener that accepts nothing. None where the system grows its queue.
    """
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server((address, 0), backlog=0))
        for _ in range(8):
            client = stack.enter_context(socket.socket())
            client.settimeout(0.1)
            try:
                client.connect(listener.getsockname())
            except TimeoutError:
                yield _target(listener)
                return
        yield None


@contextlib.contextmanager
def babbling() -> Iterator[Target]:
    """Sends what is no protocol to whoever connects, and hangs up."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        stopping = threading.Event()
        thread = threading.Thread(target=_babble, args=(listener, stopping), daemon=True)
        thread.start()
        try:
            yield _target(listener)
        finally:
            stopping.set()
            with contextlib.suppress(OSError), socket.create_connection(listener.getsockname()):
                pass
            thread.join()


def _babble(listener: socket.socket, stopping: threading.Event) -> None:
    while True:
        client, _ = listener.accept()
        with client, contextlib.suppress(OSError):
            if stopping.is_set():
                return
            client.sendall(_NONSENSE)
