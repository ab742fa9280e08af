"""Where a name server listens, as people write it."""

from __future__ import annotations

from dataclasses import dataclass

from dnslb.records import normalise_name, parse_address

DNS_PORT = 53


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A host, by name or address, and a port of it."""

    host: str
    port: int = DNS_PORT

    @property
    def is_address(self) -> bool:
        """Whether the host is given by its address."""
        return _is_address(self.host)

    def __str__(self) -> str:
        return f"{self.host} port {self.port}"


def parse_endpoint(text: str, default_port: int | None = DNS_PORT) -> Endpoint:
    """From a name or an address, with a port or without: `ns1.example.com:5353`, `192.0.2.1`, `[2001:db8::1]:5353`.

    Without a default, the port has to be there.

    Raises:
        ValueError: it is none of these.
    """
    host, port = _split(text.strip())
    if not _is_address(host):
        host = normalise_name(host)
    if not port:
        if default_port is None:
            raise ValueError(f"{text!r} has no port; write 192.0.2.1:53 or [2001:db8::1]:53")
        return Endpoint(host, default_port)
    if not (port.isascii() and port.isdigit() and 1 <= int(port) <= 65535):
        raise ValueError(f"{text!r} has {port!r} for a port (1 to 65535)")
    return Endpoint(host, int(port))


def _split(text: str) -> tuple[str, str]:
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or not _is_address(host) or rest[:1] not in {"", ":"}:
            raise ValueError(f"{text!r} is not an address; write [2001:db8::1]:53")
        return host, rest.removeprefix(":")
    if text.count(":") > 1:
        return text, ""
    host, _, port = text.partition(":")
    return host, port


def _is_address(text: str) -> bool:
    try:
        parse_address(text)
    except ValueError:
        return False
    return True
