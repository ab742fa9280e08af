"""A strict reader of one HTTP/1.1 response (RFC 9112): bounded, and it reads no further than it is asked to.

What it does not understand is a BadResponse; nothing that a server sends makes it raise anything else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

from dnslb.builtin._sockets import Steps
from dnslb.text import printable

HEAD_LIMIT = 16 * 1024
"""How many octets of interim responses, status line and headers are read."""

RESPONSE_LIMIT = 64 * 1024
"""How many octets are read at all."""

_STATUS_LINE = re.compile(rb"HTTP/1\.[0-9] ([1-5][0-9]{2})(?: [\t\x20-\x7e\x80-\xff]*)?")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):([\t\x20-\x7e\x80-\xff]*)")
_LENGTH = re.compile(rb"[0-9]{1,18}")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[\t ]*(?:;[\t\x20-\x7e\x80-\xff]*)?")

_SHOWN = 40
"""How many octets of what a server sent are shown in a message."""


class BadResponse(Exception):
    """What came is no response, or not all of one; the message says what is wrong with it."""


class TooLong(BadResponse):
    """There is more of it than is read."""


class Stream(Protocol):
    """A connection, plain or encrypted."""

    def receive(self) -> Steps[bytes]:
        """Some octets, as soon as there are any; nothing at the end of the stream."""

    def send(self, data: bytes) -> Steps[None]:
        """Sends all of `data`."""


class Reader:
    """Takes lines and pieces off a stream; `limit` octets in all, which may be raised on the way."""

    def __init__(self, stream: Stream) -> None:
        self.limit = HEAD_LIMIT
        self._stream = stream
        self._buffer = bytearray()
        self._taken = 0

    def line(self) -> Steps[bytes]:
        """The next line without its CRLF.

        Raises:
            BadResponse: it ends in a bare LF, or not at all; TooLong where it goes beyond the limit.
        """
        while (end := self._buffer.find(b"\n") + 1) == 0:
            if self._taken + len(self._buffer) >= self.limit:
                raise TooLong(f"a head of more than {self.limit // 1024} KiB")
            if not (yield from self._fill()):
                begun = "in the middle of a line" if self._buffer else "early" if self._taken else "without an answer"
                raise BadResponse(f"closed {begun}")
        line = self._take(end)
        if not line.endswith(b"\r\n"):
            raise BadResponse(f"a line without CRLF: {_show(line)}")
        return line[:-2]

    def some(self, most: int | None = None) -> Steps[bytes]:
        """The next octets, one to `most`; nothing at the end of the stream.

        Raises:
            TooLong: the limit is reached.
        """
        allowed = self.limit - self._taken
        if not allowed:
            raise TooLong(f"a response of more than {self.limit // 1024} KiB")
        if not self._buffer:
            yield from self._fill()
        return self._take(min(allowed, len(self._buffer) if most is None else most))

    def _fill(self) -> Steps[bool]:
        data = yield from self._stream.receive()
        self._buffer += data
        return bool(data)

    def _take(self, octets: int) -> bytes:
        taken = bytes(self._buffer[:octets])
        del self._buffer[:octets]
        self._taken += len(taken)
        if self._taken > self.limit:
            raise TooLong(f"a head of more than {self.limit // 1024} KiB")
        return taken


@dataclass(frozen=True, slots=True)
class Head:
    """Status and headers of a response; the names in lower case, each with all of its values."""

    status: int
    fields: dict[bytes, list[bytes]]


def read_head(reader: Reader) -> Steps[Head]:
    """The head of the final response; interim ones are passed over (RFC 9110, section 15.2).

    Raises:
        BadResponse: there is none.
    """
    while True:
        line = yield from reader.line()
        match = _STATUS_LINE.fullmatch(line)
        if not match:
            raise BadResponse(f"not HTTP/1.1: {_show(line)}")
        head = Head(int(match[1]), (yield from _read_fields(reader)))
        # 101 switches to another protocol, which was not asked for; nothing of HTTP comes after it.
        if head.status >= 200 or head.status == 101:
            reader.limit = RESPONSE_LIMIT
            return head


def _read_fields(reader: Reader) -> Steps[dict[bytes, list[bytes]]]:
    fields: dict[bytes, list[bytes]] = {}
    while line := (yield from reader.line()):
        match = _FIELD.fullmatch(line)
        if not match:
            raise BadResponse(f"not a header: {_show(line)}")
        fields.setdefault(match[1].lower(), []).append(match[2].strip(b"\t "))
    return fields


class Body(Protocol):
    """The body of a response to GET, in pieces."""

    def more(self) -> Steps[bytes]:
        """The next piece; nothing at the end, after which it is not called again.

        Raises:
            BadResponse: it breaks off, or is not framed as the head says.
        """


def body_of(head: Head, reader: Reader) -> Body:
    """The body that the head announces: RFC 9112, section 6.3.

    Raises:
        BadResponse: the head contradicts itself, or names a coding that was not asked for.
    """
    codings, lengths = head.fields.get(b"transfer-encoding"), head.fields.get(b"content-length")
    if head.status in (204, 304):
        return _Counted(reader, 0)
    if codings and lengths:
        raise BadResponse("both Transfer-Encoding and Content-Length")
    if codings:
        if [coding.lower() for coding in codings] != [b"chunked"]:
            raise BadResponse(f"a Transfer-Encoding that was not asked for: {_show(b', '.join(codings))}")
        return _Chunked(reader)
    if lengths:
        same = {length.strip(b"\t ") for length in b",".join(lengths).split(b",")}
        length = same.pop()
        if same or not _LENGTH.fullmatch(length):
            raise BadResponse(f"not a Content-Length: {_show(b', '.join(lengths))}")
        return _Counted(reader, int(length))
    return _UntilClose(reader)


class _Counted:
    def __init__(self, reader: Reader, length: int) -> None:
        self._reader = reader
        self._left = length

    def more(self) -> Steps[bytes]:
        if not self._left:
            return b""
        piece = yield from self._reader.some(self._left)
        if not piece:
            raise BadResponse(f"closed {self._left} octets before the end of the body")
        self._left -= len(piece)
        return piece


class _UntilClose:
    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def more(self) -> Steps[bytes]:
        return (yield from self._reader.some())


class _Chunked:
    """RFC 9112, section 7.1; the trailers after the last chunk are not read."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._left = 0
        self._begun = False

    def more(self) -> Steps[bytes]:
        if not self._left:
            self._left = yield from self._next_size()
            if not self._left:
                return b""
        piece = yield from self._reader.some(self._left)
        if not piece:
            raise BadResponse("closed in the middle of a chunk")
        self._left -= len(piece)
        return piece

    def _next_size(self) -> Steps[int]:
        if self._begun and (yield from self._reader.line()):
            raise BadResponse("a chunk that does not end where it should")
        self._begun = True
        line = yield from self._reader.line()
        match = _CHUNK_SIZE.fullmatch(line)
        if not match:
            raise BadResponse(f"not the size of a chunk: {_show(line)}")
        return int(match[1], 16)


def _show(octets: bytes) -> str:
    """What a server sent, cut short and made printable."""
    text = repr(printable(octets[:_SHOWN].decode("latin-1")))
    return text if len(octets) <= _SHOWN else f"{text}..."
