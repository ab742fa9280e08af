"""The embedded DNS server: what listens where, over which file, from start to end."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections import defaultdict
from collections.abc import Sequence
from contextlib import AsyncExitStack
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Self

from dns.name import Name
from dns.rdatatype import RdataType

from dnslb.errors import ConfigurationError, DnslbError
from dnslb.localdns.answer import answer
from dnslb.localdns.reader import ZoneReader
from dnslb.localdns.transports import Conversations, Datagrams
from dnslb.records import Address, normalise_name, parse_address

_NEXT_STEPS = {
    errno.EADDRINUSE: "stop what listens there, or name another port",
    errno.EACCES: "name a port from 1024 on, or give the process CAP_NET_BIND_SERVICE",
    errno.EADDRNOTAVAIL: "name an address of this host",
}

_PORT_TRIES = 32
"""How many free TCP ports are tried until one is free for UDP as well."""


class ListenError(DnslbError):
    """Nobody can listen on an address and port now; the OSError is chained."""


class DnsServer:
    """An authoritative DNS server for `zones` that answers from the record file at `path`.

    It listens on UDP and TCP at each address and port of `listen`; port 0 takes a port that is free for both.

        async with DnsServer(path, zones=["example.test"], listen=[("127.0.0.1", 5353)]) as server:
            print(server.endpoints)

    What is committed to the file is in every answer from then on. To listen on `0.0.0.0` or `::` is fine where the
    host has one address; where it has several, list them, since a datagram may else be answered from another one
    than it was sent to.

    Raises:
        ConfigurationError: from the constructor, for a zone, an address or a port that is not one.
        ProviderError: on entering, where the file cannot be used.
        ListenError: on entering, where nobody can listen.
    """

    def __init__(self, path: Path, *, zones: Sequence[str], listen: Sequence[tuple[str, int]]) -> None:
        self._path = path
        self._origins = [_origin(zone) for zone in zones]
        self._listen = [_endpoint(host, port) for host, port in listen]
        if not zones or not listen:
            raise ConfigurationError("a DNS server needs a zone to serve and an address to listen on")
        self._endpoints: list[tuple[str, int]] = []
        self._stack = AsyncExitStack()

    @property
    def endpoints(self) -> tuple[tuple[str, int], ...]:
        """The addresses and ports that it listens on, in the order of `listen`."""
        return tuple(self._endpoints)

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            servers = [address for address, _ in self._listen if not address.is_unspecified]
            reader = ZoneReader(self._path, self._origins, servers)
            stack.callback(reader.close)
            answers = _Answers(reader)
            conversations = Conversations(answers)
            stack.push_async_callback(conversations.close)
            for address, port in self._listen:
                await self._start(stack, address, port, answers, conversations)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stops listening, then ends the TCP connections; answers that were written are still sent."""
        await self._stack.aclose()

    async def _start(
        self, stack: AsyncExitStack, address: Address, port: int, answers: _Answers, conversations: Conversations
    ) -> None:
        loop = asyncio.get_running_loop()
        for_tcp, for_udp = _listening_sockets(address, port)
        listener = await asyncio.start_server(conversations.begin, sock=for_tcp)
        stack.callback(listener.close)
        _, datagrams = await loop.create_datagram_endpoint(lambda: Datagrams(answers), sock=for_udp)
        stack.push_async_callback(datagrams.close)
        self._endpoints.append((str(address), for_tcp.getsockname()[1]))


class _Answers:
    """Answers from what is in the file at the moment, each record set in its own round robin."""

    def __init__(self, reader: ZoneReader) -> None:
        self._reader = reader
        # Only what exists is counted, so that no client can make it grow.
        self._turns: defaultdict[tuple[Name, RdataType], count[int]] = defaultdict(count)

    def __call__(self, wire: bytes, *, datagram: bool) -> bytes | None:
        return answer(wire, self._reader.zones(), self._turn, datagram=datagram)

    def _turn(self, name: Name, type: RdataType) -> int:
        return next(self._turns[name, type])


def _origin(zone: str) -> str:
    try:
        origin = normalise_name(zone)
        normalise_name(f"hostmaster.{origin}")  # The longest name that the server itself puts into a zone.
    except ValueError as error:
        raise ConfigurationError(f"cannot serve the zone {zone!r}: {error}") from error
    return origin


def _endpoint(host: str, port: int) -> tuple[Address, int]:
    try:
        address = parse_address(host)
    except ValueError as error:
        raise ConfigurationError(
            f"cannot listen on {host!r}: it is not an IP address; name one of this host"
        ) from error
    if not 0 <= port <= 65535:
        raise ConfigurationError(f"cannot listen on port {port} of {host}: it is not a port (0 to 65535)")
    return address, port


def _listening_sockets(address: Address, port: int) -> tuple[socket.socket, socket.socket]:
    """One for TCP and one for UDP, on the same port.

    Raises:
        ListenError: it cannot be done; nothing is left open.
    """
    for tries_left in reversed(range(1 if port else _PORT_TRIES)):
        try:
            for_tcp = _bound(socket.SOCK_STREAM, address, port)
            try:
                return for_tcp, _bound(socket.SOCK_DGRAM, address, for_tcp.getsockname()[1])
            except OSError:
                for_tcp.close()
                raise
        except OSError as error:
            if error.errno != errno.EADDRINUSE or not tries_left:
                raise _listen_error(address, port, error) from error
    raise AssertionError("the last try returns or raises")


def _bound(kind: socket.SocketKind, address: Address, port: int) -> socket.socket:
    opened = socket.socket(socket.AF_INET if address.version == 4 else socket.AF_INET6, kind)
    try:
        if kind is socket.SOCK_STREAM:
            # A port whose last connections are still in TIME_WAIT is free for a server that starts again.
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if address.version == 6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)  # Or `::` would take 0.0.0.0's port too.
        opened.bind((str(address), port))
        if kind is socket.SOCK_STREAM:
            opened.listen()
    except OSError:
        opened.close()
        raise
    return opened


def _listen_error(address: Address, port: int, error: OSError) -> ListenError:
    where = f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"
    next_step = _NEXT_STEPS.get(error.errno or 0, "name another address or port")
    return ListenError(f"cannot listen on {where}: {error.strerror}; {next_step}")
