"""TXT values in the presentation form that zone files and most APIs speak (RFC 1035, section 5.1).

Inside dnslb a TXT value is plain text. On the wire it is one or more strings of at most 255 octets, which APIs
want quoted: `"v=1" "rest"`. Octets that are not UTF-8 survive the way there and back as lone surrogates
(`surrogateescape`), so that no record that somebody else wrote can raise an exception here, nor take more than linear
time.
"""

from __future__ import annotations

import re

MAX_STRING = 255
"""The longest character string in octets: RFC 1035, section 3.3."""

# A quoted string, or a bare word; inside either, a backslash takes the next character with it.
_TOKEN = re.compile(rb'"((?:[^"\\]|\\.)*)"|((?:[^"\\\s]|\\.)+)', re.DOTALL)
_ESCAPE = re.compile(rb"\\([0-9]{3}|.)", re.DOTALL)


def to_strings(value: str) -> tuple[bytes, ...]:
    """The character strings of at most 255 octets that carry `value`; at least one, perhaps empty."""
    raw = _octets(value)
    return tuple(raw[at : at + MAX_STRING] for at in range(0, len(raw), MAX_STRING)) or (b"",)


def from_strings(strings: tuple[bytes, ...] | list[bytes]) -> str:
    """The value that the character strings of one record carry."""
    return b"".join(strings).decode("utf-8", "surrogateescape")


def quote(value: str) -> str:
    r"""`value` in presentation form: `say "hi"` becomes `"say \"hi\""`."""
    return " ".join('"' + "".join(map(_escape, string)) + '"' for string in to_strings(value))


def unquote(text: str) -> str:
    """The value of a record in presentation form; what is not quoted counts as it stands."""
    raw = _octets(text)
    strings = [_ESCAPE.sub(_unescape, match[1] if match[1] is not None else match[2]) for match in _TOKEN.finditer(raw)]
    return from_strings(strings)


def _octets(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # a surrogate that stands for no octet: JSON can carry one
        return text.encode("utf-8", "surrogatepass")


def _escape(octet: int) -> str:
    if octet in b'"\\':
        return "\\" + chr(octet)
    return chr(octet) if 0x20 <= octet < 0x7F else f"\\{octet:03d}"


def _unescape(match: re.Match[bytes]) -> bytes:
    escaped = match[1]
    if len(escaped) == 3:
        return bytes([min(int(escaped), 255)])
    return escaped
