"""From the SDK's models to record sets and back, and what cannot be brought over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from azure.mgmt.dns.models import AaaaRecord, ARecord, TxtRecord
from azure.mgmt.dns.models import RecordSet as AzureRecordSet

from dnslb import RecordSet, RecordType, Rejected, Unavailable
from dnslb.txt import MAX_STRING
from dnslb_azure._options import MAX_VALUES, MIN_TTL

MAX_TEXT = 4096
"""The characters that all texts of a TXT set may have together: https://learn.microsoft.com/azure/dns/dns-zones-records#txt-records"""


@dataclass(frozen=True, slots=True)
class Version:
    """What Azure's version of a record set was: its etag, and what a replacement must carry on."""

    etag: str
    metadata: Mapping[str, str] = field(default_factory=dict)


def version_of(found: AzureRecordSet, where: str) -> Version:
    """The version of a set that was read.

    Raises:
        Rejected: it is an alias of another resource.
    """
    if found.target_resource is not None and found.target_resource.id:
        raise Rejected(
            f"{where} is an alias of {found.target_resource.id}, which must not be overwritten; remove the alias"
            " record set, or use another fqdn"
        )
    return Version(found.etag or "", dict(found.metadata or {}))


def record_set_of(wanted: RecordSet, found: AzureRecordSet) -> RecordSet:
    """The values and the TTL.

    Raises:
        Unavailable: they are not valid.
    """
    try:
        return wanted.holding(_values(wanted.type, found), ttl=found.ttl or 0)
    except ValueError as error:
        raise Unavailable(f"{wanted.name} {wanted.type}: the answer of Azure DNS makes no sense: {error}") from error


def _values(type: RecordType, found: AzureRecordSet) -> list[str]:
    match type:
        case RecordType.A:
            return [record.ipv4_address or "" for record in found.a_records or []]
        case RecordType.AAAA:
            return [record.ipv6_address or "" for record in found.aaaa_records or []]
        case RecordType.TXT:
            return ["".join(record.value or []) for record in found.txt_records or []]


def azure_record_set(wanted: RecordSet, metadata: Mapping[str, str]) -> AzureRecordSet:
    """What is sent for a set.

    Raises:
        Rejected: Azure DNS cannot hold it.
    """
    _require_acceptable(wanted)
    made = AzureRecordSet(ttl=wanted.ttl, metadata=dict(metadata) or None)
    match wanted.type:
        case RecordType.A:
            made.a_records = [ARecord(ipv4_address=value) for value in wanted.values]
        case RecordType.AAAA:
            made.aaaa_records = [AaaaRecord(ipv6_address=value) for value in wanted.values]
        case RecordType.TXT:
            made.txt_records = [TxtRecord(value=strings_of(value)) for value in wanted.values]
    return made


def strings_of(text: str) -> list[str]:
    """The text in strings of at most 255 octets, cut between characters: the API takes text, not octets."""
    strings = [""]
    for character in text:
        if len((strings[-1] + character).encode()) > MAX_STRING:
            strings.append("")
        strings[-1] += character
    return strings


def _require_acceptable(wanted: RecordSet) -> None:
    what = f"{wanted.name} {wanted.type}"
    if len(wanted.values) > MAX_VALUES:
        raise Rejected(f"{what} would hold {len(wanted.values)} values; Azure DNS keeps at most {MAX_VALUES}")
    if wanted.ttl < MIN_TTL:
        raise Rejected(f"{what} would have a TTL of {wanted.ttl} s; Azure DNS takes {MIN_TTL} s or more")
    if wanted.type is RecordType.TXT:
        _require_acceptable_texts(what, wanted.values)


def _require_acceptable_texts(what: str, values: Sequence[str]) -> None:
    if any("\ud800" <= character <= "\udfff" for value in values for character in value):
        raise Rejected(f"{what} would hold octets that are not UTF-8, and the API takes text only")
    if (length := sum(map(len, values))) > MAX_TEXT:
        raise Rejected(f"{what} would hold {length} characters; Azure DNS keeps at most {MAX_TEXT}")
