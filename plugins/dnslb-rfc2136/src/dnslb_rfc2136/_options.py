"""What can be written under `record_manager: {plugin: rfc2136}`."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Annotated, Literal

from dnslb import DomainName, Port, Secret, at_least, normalise_name, option, parse_address

DNS_PORT = 53

MAX_VALUES = 100
"""The values that a record set may hold: beyond it BIND refuses (`max-records-per-type`), by a mere SERVFAIL."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a name server listens: a name or address, and a port."""

    host: str
    port: int = DNS_PORT

    def __str__(self) -> str:
        return f"{self.host} port {self.port}"


@dataclass(frozen=True, kw_only=True)
class Rfc2136Options:
    """The primary name server of a zone, and the TSIG key that may update it.

    Raises:
        ValueError: a server is neither a name nor an address, the key is half given, or its secret is not base64.
    """

    server: str = option(help="the primary name server of the zone: its name or address")
    port: Port = option(DNS_PORT, help="its port (TCP)")
    zone: DomainName | None = option(None, help="the zone to update; found by asking the server where left out")
    key_name: DomainName | None = option(None, help="the name of the TSIG key, as the server has it")
    key_algorithm: Literal["hmac-sha256", "hmac-sha384", "hmac-sha512"] = option(
        "hmac-sha256", help="the algorithm of the TSIG key, as the server has it"
    )
    key_secret: Secret | None = option(None, help="the secret of the TSIG key, in base64")
    timeout: Annotated[float, at_least("100ms")] = option(5.0, help="how long to wait for the server's answer")
    secondaries: tuple[str, ...] = option(
        (), help="more name servers that must have a change before it counts as served: HOST, HOST:PORT, [V6]:PORT"
    )

    def __post_init__(self) -> None:
        """Checks what no single field can tell."""
        _check_host(self.server)
        for text in self.secondaries:
            parse_endpoint(text)
        if (self.key_name is None) != (self.key_secret is None):
            raise ValueError("key_name and key_secret belong together: give both, or neither to send no signature")
        if self.key_secret is not None:
            decode_secret(self.key_secret)

    @property
    def endpoint(self) -> Endpoint:
        """Where the primary listens."""
        return Endpoint(self.server, self.port)


def decode_secret(secret: Secret) -> bytes:
    """The octets of a TSIG secret.

    Raises:
        ValueError: it is not base64. Neither the message nor its cause shows any of it.
    """
    try:
        octets = base64.b64decode(secret.reveal(), validate=True)
    except (binascii.Error, ValueError):
        octets = b""
    if not octets:
        raise ValueError("key_secret is not base64; it is what stands in quotes after `secret` in the server's key")
    return octets


def parse_endpoint(text: str) -> Endpoint:
    """`192.0.2.1`, `192.0.2.1:5353`, `ns2.example.com:5353`, `2001:db8::1` or `[2001:db8::1]:5353`.

    Raises:
        ValueError: it is none of these.
    """
    host, port = _split(text.strip())
    _check_host(host)
    if not port:
        return Endpoint(host)
    if not (port.isascii() and port.isdigit() and 1 <= int(port) <= 65535):
        raise ValueError(f"{text!r} has {port!r} for a port (1 to 65535)")
    return Endpoint(host, int(port))


def _split(text: str) -> tuple[str, str]:
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise ValueError(f"{text!r} is not an address; write [2001:db8::1]:53")
        return host, rest.removeprefix(":")
    if text.count(":") > 1:
        return text, ""
    host, _, port = text.partition(":")
    return host, port


def _check_host(text: str) -> None:
    try:
        parse_address(text)
    except ValueError:
        try:
            normalise_name(text)
        except ValueError as error:
            raise ValueError(f"{text!r} is neither an address nor the name of a host: {error}") from None
