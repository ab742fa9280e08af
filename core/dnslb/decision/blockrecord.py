"""The text of the block record, the TXT record set at `_blocked.<fqdn>`: one `key=value` a string.

Four keys are those of the Go package, whose agents may run in the same fleet: `IP`, `IpExpires`, `OwnerId` and
`OwnerExpires`. They ignore keys that they do not know, and delete a record in which a string has a second `=`. So what
dnslb has to say beyond that are more keys, and no value has an `=` in it. Times are RFC 3339, in UTC as written and
with any offset as read.

Whatever stands in a record set can be read: what makes no sense becomes `Illegible`, and raises nothing.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from dnslb.records import Address, RecordSet, RecordType, parse_address

RECORD_TTL = 60
"""What the block record is written with, in seconds, as the Go package does; dnslb does not read it from caches."""

_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})")
_WHOLE = re.compile(r"[0-9]{1,15}")
MOST_WHOLE = 10**15
"""Numbers in a block record are below this."""

_TEXT = re.compile(r"[^=]{1,120}")
_MAX_OCTETS = 255  # one string of a TXT record, RFC 1035, section 3.3: the Go package looks no further


@dataclass(frozen=True, slots=True)
class BlockRecord:
    """What a block record says. Times are seconds since 1970 by the clock of whoever wrote it.

    Attributes:
        owner: who holds the lock; a token that nobody else uses.
        owner_expires: until when.
        addresses: what is kept out of the service, of either family; may be empty.
        addresses_expire: until when; None where there are none.
        fence: counts the writes of a holder, so that no two of them are the same text.
        duration: for how many seconds each write is good; None in a record of the Go package.
        operation, phase: what the owner is doing, and how far it is.
        started: since when.
        ttl: the TTL in seconds that the service had before.
    """

    owner: str
    owner_expires: float
    addresses: frozenset[Address] = frozenset()
    addresses_expire: float | None = None
    fence: int | None = None
    duration: int | None = None
    operation: str = ""
    started: float | None = None
    phase: str = ""
    ttl: int | None = None


@dataclass(frozen=True, slots=True)
class Illegible:
    """A record set that is no block record; `addresses` are those that it blocks, None if nobody can tell."""

    addresses: frozenset[Address] | None = None


def block_name(fqdn: str) -> str:
    """The name that the block record of a service stands at."""
    return f"_blocked.{fqdn}"


# -- reading -----------------------------------------------------------------------------------------------


def parse(values: Iterable[str]) -> BlockRecord | Illegible | None:
    """What the strings of a block record say; None where there are none. Raises nothing."""
    fields: defaultdict[str, list[str]] = defaultdict(list)
    well_formed = True
    for value in values:
        key, _, rest = value.partition("=")
        well_formed = well_formed and value.count("=") == 1
        fields[key].append(rest)
    if not fields:
        return None
    try:
        if not well_formed:
            raise ValueError("a string that is not key=value")
        return _record(fields)
    except ValueError:
        return Illegible(_legible_addresses(fields["IP"]))


def _record(fields: Mapping[str, list[str]]) -> BlockRecord:
    single = {key: _only(values) for key, values in fields.items() if key in _SINGLE}
    if not {"OwnerId", "OwnerExpires"} <= single.keys() or ("IpExpires" in single) != ("IP" in fields):
        raise ValueError("a key is missing")
    return BlockRecord(
        owner=_text(single["OwnerId"]),
        owner_expires=_time(single["OwnerExpires"]),
        addresses=frozenset(map(parse_address, fields.get("IP", ()))),
        addresses_expire=_time(single["IpExpires"]) if "IpExpires" in single else None,
        fence=_whole(single["Fence"]) if "Fence" in single else None,
        duration=_whole(single["Dur"]) if "Dur" in single else None,
        operation=single.get("Op", ""),
        started=_time(single["Started"]) if "Started" in single else None,
        phase=single.get("Phase", ""),
        ttl=_whole(single["Ttl"]) if "Ttl" in single else None,
    )


_SINGLE = {"IpExpires", "OwnerId", "OwnerExpires", "Fence", "Dur", "Op", "Started", "Phase", "Ttl"}


def _only(values: list[str]) -> str:
    if len(values) > 1:
        raise ValueError("a key that stands there twice")
    return values[0]


def _text(value: str) -> str:
    if not value:
        raise ValueError("an empty text")
    return value


def _whole(value: str) -> int:
    if not _WHOLE.fullmatch(value):
        raise ValueError("not a whole number")
    return int(value)


def _time(value: str) -> float:
    if not _TIME.fullmatch(value):
        raise ValueError("not a time as in RFC 3339")
    return datetime.fromisoformat(value).timestamp()


def _legible_addresses(values: list[str]) -> frozenset[Address] | None:
    """Whom an illegible record means: the addresses in it, provided that there are some and each can be read."""
    try:
        return frozenset(map(parse_address, values)) or None
    except ValueError:
        return None


# -- writing -----------------------------------------------------------------------------------------------


def written(record: BlockRecord, fqdn: str) -> RecordSet:
    """The record set that says so.

    Raises:
        ValueError: a text in it cannot stand in a block record; the message says which.
    """
    fields: list[tuple[str, object]] = [
        *(("IP", address) for address in record.addresses),
        ("IpExpires", _stamp(record.addresses_expire)),
        ("OwnerId", record.owner),
        ("OwnerExpires", _stamp(record.owner_expires)),
        ("Fence", record.fence),
        ("Dur", record.duration),
        ("Op", record.operation or None),
        ("Started", _stamp(record.started)),
        ("Phase", record.phase or None),
        ("Ttl", record.ttl),
    ]
    values = [_string(key, str(value)) for key, value in fields if value is not None]
    return RecordSet(block_name(fqdn), RecordType.TXT, tuple(values), RECORD_TTL)


def _string(key: str, value: str) -> str:
    string = f"{key}={value}"
    if not _TEXT.fullmatch(value) or not value.isprintable() or len(string.encode()) > _MAX_OCTETS:
        raise ValueError(
            f"{key}: {value!r} cannot stand in a block record: 1 to 120 printable characters, none of them ="
        )
    return string


def _stamp(at: float | None) -> str | None:
    """RFC 3339 in whole seconds, never earlier than `at`."""
    if at is None:
        return None
    return datetime.fromtimestamp(math.ceil(at), UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
