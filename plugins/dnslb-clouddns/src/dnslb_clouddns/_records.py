"""Record sets to the API's resources and back, without any traffic.

Source: https://cloud.google.com/dns/docs/reference/rest/v1/resourceRecordSets
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dnslb import RecordSet, RecordType, Rejected, Snapshot
from dnslb.txt import quote, unquote

_NAMES_ELSEWHERE = frozenset({"ALIAS", "CNAME"})
"""Types that lead to another name, beside which nothing of ours can stand."""


@dataclass(frozen=True, slots=True)
class Version:
    """A record set as the API has answered it; a deletion sends it back exactly so."""

    name: str
    type: str
    ttl: int
    values: tuple[str, ...]


def absolute(name: str) -> str:
    """The name as the API writes it, with the dot at the end."""
    return f"{name}."


def snapshot_of(wanted: RecordSet, resources: Iterable[Mapping[str, Any]]) -> Snapshot:
    """What `resources`, all record sets of the name, say of the one that is wanted.

    Raises:
        Rejected: it is not plain, or there is an alias in its place.
        KeyError, TypeError, ValueError: a resource is not what it should be.
    """
    found: Snapshot | None = None
    for resource in resources:
        if str(resource["name"]).lower() != absolute(wanted.name):
            raise ValueError(f"it answered with {resource['name']}")
        if resource["type"] in _NAMES_ELSEWHERE:
            _refuse_alias(wanted, resource)
        if resource["type"] == str(wanted.type):
            found = _plain(wanted, resource)
    return found or Snapshot(wanted)


def version_of(snapshot: Snapshot) -> Version | None:
    """The record set that a snapshot was made from; None where there was none.

    Raises:
        Rejected: the snapshot holds values and is not from this record manager.
    """
    if isinstance(snapshot.version, Version):
        return snapshot.version
    if snapshot.record_set.exists:
        raise Rejected(f"the snapshot of {describe([snapshot.record_set])} was not read here; read it again")
    return None


def to_values(record_set: RecordSet) -> list[str]:
    """The values as the API takes them."""
    return [quote(value) if record_set.type is RecordType.TXT else value for value in record_set.values]


def describe(record_sets: Sequence[RecordSet]) -> str:
    """`www.example.com A and _blocked.www.example.com TXT`."""
    return " and ".join(f"{each.name} {each.type}" for each in record_sets)


def _plain(wanted: RecordSet, resource: Mapping[str, Any]) -> Snapshot:
    if resource.get("routingPolicy"):
        raise Rejected(
            f"{describe([wanted])} has a routing policy ({_policy(resource['routingPolicy'])}), which dnslb would"
            " destroy; make it a plain record set, or use another fqdn"
        )
    version = Version(resource["name"], resource["type"], int(resource["ttl"]), tuple(resource["rrdatas"]))
    values = map(unquote, version.values) if wanted.type is RecordType.TXT else version.values
    return Snapshot(wanted.holding(values, version.ttl), version)


def _refuse_alias(wanted: RecordSet, resource: Mapping[str, Any]) -> None:
    target = ", ".join(resource.get("rrdatas") or ["another name"])
    raise Rejected(
        f"{wanted.name} is an alias ({resource['type']}) of {target.removesuffix('.')}, and cannot have {wanted.type}"
        " records beside it; remove that record, or use another fqdn"
    )


def _policy(policy: Mapping[str, Any]) -> str:
    kinds = sorted({"geo", "wrr", "primaryBackup"} & policy.keys())
    return ", ".join(kinds) or "of an unknown kind"
