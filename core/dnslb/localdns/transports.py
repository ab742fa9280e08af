"""How queries come in and answers go out: datagrams (RFC 1035, section 4.2.1) and connections (RFC 7766)."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, Protocol, cast

MAX_CONNECTIONS = 256
"""How many connections may be open at once; further ones are closed as they come."""

IDLE_TIMEOUT = 10.0
"""Seconds within which a query must have come whole and its answer been taken, or the connection is closed: of the
order that RFC 7766, section 6.2.3, asks for."""

_LINGER = 1.0
"""Seconds that a closing connection has to send the rest of its answers."""


class Answers(Protocol):
    """Whatever answers queries."""

    def __call__(self, wire: bytes, *, datagram: bool) -> bytes | None:
        """The response to a query, both in wire format; None where nothing may be said."""


class Datagrams(asyncio.DatagramProtocol):
    """Answers datagrams, and drops those that come while earlier answers cannot leave the host."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._congested = False
        self._closed = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio."""
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        """Called by asyncio."""
        if self._congested:
            return
        response = self._answers(data, datagram=True)
        if response is not None:
            self._transport.sendto(response, addr)

    def pause_writing(self) -> None:
        """Called by asyncio when too many answers wait."""
        self._congested = True

    def resume_writing(self) -> None:
        """Called by asyncio when they have left."""
        self._congested = False

    def connection_lost(self, _: Exception | None) -> None:
        """Called by asyncio."""
        self._closed.set_result(None)

    async def close(self) -> None:
        """Closes the socket, and returns once it is closed."""
        self._transport.abort()
        await self._closed


class Conversations:
    """All open TCP connections; the queries of each are answered in their order, however many come at once."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._open: set[asyncio.Task[None]] = set()

    def begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Takes over a connection that has come in."""
        if len(self._open) >= MAX_CONNECTIONS:
            writer.close()
            return
        task = asyncio.get_running_loop().create_task(self._converse(reader, writer))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def close(self) -> None:
        """Ends all connections."""
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            # The end of the stream, a broken connection, or nothing for too long: the conversation is over.
            with contextlib.suppress(EOFError, OSError):
                while await self._exchange(reader, writer):
                    pass
        finally:
            await _close(writer)

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answers one query; says whether there may be another.

        Each message has its length before it, in two octets: RFC 1035, section 4.2.2.
        """
        async with asyncio.timeout(IDLE_TIMEOUT):
            length = await reader.readexactly(2)
            response = self._answers(await reader.readexactly(int.from_bytes(length)), datagram=False)
            if response is None:
                return False
            writer.write(len(response).to_bytes(2) + response)
            await writer.drain()
            await asyncio.sleep(0)  # Where many queries came at once, those of other clients have their turn.
            return True


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    try:
        async with asyncio.timeout(_LINGER):
            await writer.wait_closed()
    except OSError:
        writer.transport.abort()
