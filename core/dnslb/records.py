"""Record sets as values: immutable, normalised and validated, so that equal means equal.

Two spellings of one thing (`WWW.Example.com.` and `www.example.com`, `FD00::0:1` and `fd00::1`) become one
here, and nowhere else. An absent record set and an empty one are the same: a `RecordSet` without values.
"""

from __future__ import annotations

import enum
import functools
import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

MAX_TTL = 2**31 - 1
"""The longest TTL in seconds: RFC 2181, section 8."""

_MAX_NAME = 253
"""The longest name in characters, without the trailing dot: RFC 1035, section 2.3.4 (255 octets on the wire)."""

# Letters, digits, hyphens (RFC 1123, section 2.1) and the underscore of service names such as `_blocked`.
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")


class RecordType(enum.Enum):
    """The record types that dnslb reads and writes."""

    A = "A"
    AAAA = "AAAA"
    TXT = "TXT"

    def __str__(self) -> str:
        return self.value

    @classmethod
    def of(cls, address: Address) -> RecordType:
        """The type of the record set that `address` belongs to."""
        return cls.A if address.version == 4 else cls.AAAA


def normalise_name(text: str) -> str:
    """A domain name in lower case and without the trailing dot.

    Raises:
        ValueError: `text` is not a name that can be looked up; the message says why.
    """
    name = text.strip().removesuffix(".")
    if not name:
        raise ValueError("an empty name")
    if len(name) > _MAX_NAME:
        raise ValueError(f"{len(name)} characters are too long for a name (at most {_MAX_NAME})")
    if not name.isascii():  # asked before lower(), which makes an ASCII letter of some others
        raise ValueError(f"{text!r} has letters outside ASCII; write it as {_to_ascii(name)}")
    labels = name.lower().split(".")
    for label in labels:
        if not _LABEL.fullmatch(label):
            raise ValueError(f"{text!r} is not a domain name: {_what_is_wrong(label)}")
    if labels[-1].isdigit():  # RFC 3696, section 2: so that no name can be taken for an address
        raise ValueError(f"{text!r} is not a domain name: the last label is a number, as in an address")
    return ".".join(labels)


def _to_ascii(name: str) -> str:
    try:
        return repr(name.encode("idna").decode("ascii"))
    except UnicodeError:
        return "its xn-- form"


def _what_is_wrong(label: str) -> str:
    if not label:
        return "an empty label"
    if len(label) > 63:
        return f"a label of {len(label)} characters (at most 63)"
    return f"the label {label!r} (letters, digits, '-' and '_' only, and no '-' at either end)"


def parse_address(text: str) -> Address:
    """An IPv4 or IPv6 address, without a zone index such as `%eth0`.

    Raises:
        ValueError: `text` is not one.
    """
    address = ipaddress.ip_address(text.strip())
    if isinstance(address, ipaddress.IPv6Address) and address.scope_id is not None:
        raise ValueError(f"{text!r} has a zone index, which no DNS record can hold")
    return address


def listed(addresses: Iterable[Address]) -> str:
    """Addresses in their order, with commas between them."""
    return ", ".join(map(str, sorted(addresses, key=int)))


@dataclass(frozen=True, slots=True)
class RecordSet:
    """All records of one name and type: what is read and written as a whole.

    `values` are normalised, sorted and without repetitions: addresses in their canonical text (RFC 5952), TXT
    values as plain text, without quotes and not cut into strings (see `dnslb.txt` for the provider's
    form). `ttl` is in seconds, and 0 where there are no values.

    Raises:
        ValueError: the name, a value or the TTL is not valid.
    """

    name: str
    type: RecordType
    values: tuple[str, ...] = ()
    ttl: int = 0

    def __post_init__(self) -> None:
        """Normalises in place, which a frozen dataclass allows by this detour only."""
        object.__setattr__(self, "name", normalise_name(self.name))
        object.__setattr__(self, "values", _normalise_values(self.type, self.values))
        if not 0 <= self.ttl <= MAX_TTL:
            raise ValueError(f"a TTL of {self.ttl} s is not between 0 and {MAX_TTL}")
        if not self.values:
            object.__setattr__(self, "ttl", 0)

    @property
    def exists(self) -> bool:
        """Whether there is anything in it."""
        return bool(self.values)

    @property
    def addresses(self) -> frozenset[Address]:
        """The members of an A or AAAA set."""
        if self.type is RecordType.TXT:
            raise TypeError(f"{self.name} {self.type} holds no addresses")
        return _addresses(self.values)

    def holding(self, values: Iterable[object], ttl: int | None = None) -> RecordSet:
        """The same name and type with other values, and with another TTL where one is given."""
        return replace(self, values=tuple(map(str, values)), ttl=self.ttl if ttl is None else ttl)


@functools.lru_cache(maxsize=256)
def _addresses(values: tuple[str, ...]) -> frozenset[Address]:
    """Parsed once for each content: a decision asks for the members many times."""
    return frozenset(map(_address, values))


@functools.lru_cache(maxsize=4096)
def _address(text: str) -> Address:
    """The same object for the same address, which makes it cheap to compare the members of two readings."""
    return ipaddress.ip_address(text)


def _normalise_values(type_: RecordType, values: Iterable[str]) -> tuple[str, ...]:
    if type_ is RecordType.TXT:
        return tuple(sorted(set(values)))
    addresses = {parse_address(value) for value in values}
    for address in addresses:
        if RecordType.of(address) is not type_:
            raise ValueError(f"{address} does not belong into a record set of type {type_}")
    return tuple(str(address) for address in sorted(addresses, key=int))


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A record set as it was read, with the provider's own version of the truth.

    `version` is whatever the record manager needs to say "only if it is still this" (the raw records, an
    etag). Only the record manager that made it looks inside.
    """

    record_set: RecordSet
    version: object = None


@dataclass(frozen=True, slots=True)
class Change:
    """Replace what was read (`before`) by `after`, provided that it is still what was read.

    Raises:
        ValueError: the two are not about the same name and type.
    """

    before: Snapshot
    after: RecordSet

    def __post_init__(self) -> None:
        """Refuses a change that would compare one record set and write another."""
        old, new = self.before.record_set, self.after
        if (old.name, old.type) != (new.name, new.type):
            raise ValueError(f"a change of {old.name} {old.type} cannot write {new.name} {new.type}")


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a commit hands back, to wait on; only the record manager that made it looks inside."""

    id: object = None
