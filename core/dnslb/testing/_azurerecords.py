"""What the fake of Azure DNS takes for the properties of a record set, and the errors by which it refuses the rest.

Limits: "Overview of DNS zones and records" in the vendor's documentation.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable, Mapping
from typing import Any

MAX_RECORDS = 20
MAX_TEXT = 4096
MAX_STRING = 255
MAX_METADATA = 10
MAX_TTL = 2**31 - 1

_RECORDS = {"A": "ARecords", "AAAA": "AAAARecords", "TXT": "TXTRecords", "CNAME": "CNAMERecord"}

# The resource manager answers for these itself, and puts them into an envelope; the DNS service does not.
_OF_THE_RESOURCE_MANAGER = frozenset(
    {
        *("AuthorizationFailed", "InvalidAuthenticationToken", "MissingSubscriptionRegistration", "ScopeLocked"),
        *("ParentResourceNotFound", "ResourceGroupNotFound", "ResourceNotFound", "SubscriptionNotFound"),
        *("InvalidApiVersionParameter", "InvalidResourceType"),
    }
)


class AzureError(Exception):
    """An answer that is an error: its status, its code and message, and headers."""

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.headers = dict(headers or {})
        error = {"code": code, "message": message}
        self.body: dict[str, Any] = {"error": error} if code in _OF_THE_RESOURCE_MANAGER else error


def checked_properties(type: str, request: Mapping[str, Any]) -> dict[str, Any]:
    """The properties that a request writes.

    Raises:
        AzureError: 400, since the service would not take them.
    """
    if type not in _RECORDS:
        raise _bad(f"There are no record sets of type '{type}' here.")
    properties: dict[str, Any] = request["properties"]
    key = _RECORDS[type]
    if unknown := set(properties) - {key, "TTL", "metadata", "targetResource"}:
        raise _bad(f"A record set of type '{type}' has no {sorted(unknown)}.")
    ttl = properties.get("TTL")
    if not isinstance(ttl, int) or not 1 <= ttl <= MAX_TTL:
        raise _bad(f"The TTL {ttl!r} is not a number between 1 and {MAX_TTL}.")
    if len(properties.get("metadata") or {}) > MAX_METADATA:
        raise _bad(f"There are more than {MAX_METADATA} entries of metadata.")
    if type != "CNAME":
        _check_records(type, key, properties.get(key, []))
    return properties


def _check_records(type: str, key: str, records: Any) -> None:
    if not isinstance(records, list) or len(records) > MAX_RECORDS:
        raise _bad(f"{key} is not a list of at most {MAX_RECORDS} records.")
    for record in records:
        _FORMS[type](record)
    if len({json.dumps(record) for record in records}) < len(records):
        raise _bad(f"The list of record sets of type '{type}' may not contain multiple entries with the same value.")
    if type == "TXT" and sum(len(text) for record in records for text in record["value"]) > MAX_TEXT:
        raise _bad(f"The texts are longer than {MAX_TEXT} characters.")


def _address(key: str, kind: type) -> Callable[[Any], None]:
    def check(record: Any) -> None:
        try:
            if record.keys() == {key} and isinstance(ipaddress.ip_address(record[key]), kind):
                return
        except (ValueError, AttributeError):
            pass
        raise _bad(f"{record!r} is not a record with one {key}.")

    return check


def _texts(record: Any) -> None:
    texts = record.get("value") if isinstance(record, dict) else None
    if not isinstance(texts, list) or not texts or len(record) > 1:
        raise _bad(f"{record!r} is not a record with a list of texts.")
    if not all(isinstance(text, str) and len(text.encode()) <= MAX_STRING for text in texts):
        raise _bad(f"A text is longer than {MAX_STRING} octets.")


_FORMS: dict[str, Callable[[Any], None]] = {
    "A": _address("ipv4Address", ipaddress.IPv4Address),
    "AAAA": _address("ipv6Address", ipaddress.IPv6Address),
    "TXT": _texts,
}


def _bad(message: str) -> AzureError:
    return AzureError(400, "BadRequest", message)
