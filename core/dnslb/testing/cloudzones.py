"""The managed zones of Google Cloud DNS in memory: what the real ones accept, and what they refuse and how.

Stricter than the real ones where those are not known well enough: a deletion has to name the values in the very order
in which they were answered. Texts of addresses and TXT values are normalised when they are written.

Source: https://cloud.google.com/dns/docs/reference/rest/v1/changes; the answers of the real service as their users
have published them.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import dns.exception
import dns.rdata
import dns.rdataclass
import dns.rdatatype

from dnslb.records import MAX_TTL

Resource = dict[str, Any]
Key = tuple[str, str]

MAX_VALUES = 100
"""The values that a record set may hold: the quota resourceRecordsPerRrset."""

MAX_SETS = 1_000
"""The additions, and the deletions, of a change: the quotas rrsetAdditionsPerChange and rrsetDeletionsPerChange."""

_SINGULAR = frozenset({"CNAME", "SOA"})


class Refusal(Exception):
    """An answer that is an error: its HTTP status, its reason and what it says."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status, self.reason, self.message = status, reason, message

    @property
    def body(self) -> Resource:
        """As Google's APIs write it: https://cloud.google.com/apis/design/errors."""
        detail = {"message": self.message, "domain": "global", "reason": self.reason}
        return {"error": {"code": self.status, "message": self.message, "errors": [detail]}}


@dataclass
class ManagedZone:
    """One zone with its record sets and the changes that were made to it. Not for several threads at once."""

    name: str
    dns_name: str
    id: int
    private: bool = False
    more: Mapping[str, Any] = field(default_factory=dict)
    sets: dict[Key, Resource] = field(default_factory=dict)
    changes: list[Resource] = field(default_factory=list)
    polls_left: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """A zone has these two from the beginning."""
        self.put({"name": self.dns_name, "type": "NS", "ttl": 21600, "rrdatas": [f"ns.{self.dns_name}"]})
        start = f"ns.{self.dns_name} hostmaster.{self.dns_name} 1 21600 3600 259200 300"
        self.put({"name": self.dns_name, "type": "SOA", "ttl": 21600, "rrdatas": [start]})

    @property
    def resource(self) -> Resource:
        """The zone as it is answered."""
        return {
            "kind": "dns#managedZone",
            "name": self.name,
            "dnsName": self.dns_name,
            "id": str(self.id),
            "description": "",
            "visibility": "private" if self.private else "public",
            **self.more,
        }

    def put(self, resource: Mapping[str, Any]) -> None:
        """Writes a record set whatever is there, as nobody can by the API."""
        self.sets[resource["name"], resource["type"]] = {"kind": "dns#resourceRecordSet", **resource}

    def sets_of(self, name: str | None, type_: str | None) -> list[Resource]:
        """The record sets, of one name and of one type where those are given."""
        if type_ is not None and name is None:
            raise Refusal(400, "required", "The 'parameters.name' parameter is required but was missing.")
        wanted = name.lower() if name else None
        return [self.sets[key] for key in sorted(self.sets) if wanted in (None, key[0]) and type_ in (None, key[1])]

    def change(self, body: Mapping[str, Any], polls: int) -> Resource:
        """Applies all of a change or raises; it is answered as pending `polls` times before it is done."""
        additions = [*self._parsed(body, "additions")]
        deletions = [*self._parsed(body, "deletions")]
        if not additions and not deletions:
            raise Refusal(400, "required", "The 'entity.change' parameter is required but was missing.")
        after = dict(self.sets)
        for index, deleted in enumerate(deletions):
            self._delete(after, deleted, f"entity.change.deletions[{index}]")
        for index, added in enumerate(additions):
            self._add(after, added, f"entity.change.additions[{index}]")
        _require_apex(after, self.dns_name)
        self.sets = after
        return self._record(additions, deletions, polls)

    def poll(self, change_id: str) -> Resource:
        """A change as it is now."""
        found = [change for change in self.changes if change["id"] == change_id]
        if not found:
            raise missing("changeId", change_id)
        if self.polls_left[change_id] > 0:
            self.polls_left[change_id] -= 1
        else:
            found[0]["status"] = "done"
        return found[0]

    def _record(self, additions: Sequence[Resource], deletions: Sequence[Resource], polls: int) -> Resource:
        change: Resource = {
            "kind": "dns#change",
            "id": str(len(self.changes) + 1),
            "startTime": dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "status": "pending" if polls else "done",
        }
        change |= {side: list(sets) for side, sets in (("additions", additions), ("deletions", deletions)) if sets}
        self.changes.append(change)
        self.polls_left[change["id"]] = polls - 1
        return change

    def _parsed(self, body: Mapping[str, Any], side: str) -> Iterator[Resource]:
        written = body.get(side, [])
        if len(written) > MAX_SETS:
            raise Refusal(403, "quotaExceeded", f"The change would exceed quota for {side} per change.")
        seen: set[Key] = set()
        for index, resource in enumerate(written):
            where = f"entity.change.{side}[{index}]"
            parsed = _parsed(resource, where, normalise=side == "additions")
            if not f".{parsed['name']}".endswith(f".{self.dns_name}"):
                raise _invalid(f"{where}.name", parsed["name"])
            if _key(parsed) in seen:
                raise _invalid(where, parsed["name"])
            seen.add(_key(parsed))
            yield parsed

    def _delete(self, sets: dict[Key, Resource], deleted: Resource, where: str) -> None:
        there = sets.get(_key(deleted))
        if there is None:
            named = f"{deleted['name']} ({deleted['type']})"
            raise Refusal(404, "notFound", f"The '{where}' resource named '{named}' does not exist.")
        if (there["ttl"], there.get("rrdatas")) != (deleted["ttl"], deleted["rrdatas"]):
            raise Refusal(412, "conditionNotMet", f"Precondition not met for '{where}'")
        del sets[_key(deleted)]

    def _add(self, sets: dict[Key, Resource], added: Resource, where: str) -> None:
        name, type_ = _key(added)
        if (name, type_) in sets:
            raise Refusal(409, "alreadyExists", f"The resource '{where}' named '{name} ({type_})' already exists")
        beside = {other for each, other in sets if each == name}
        if beside and (type_ == "CNAME" or "CNAME" in beside):
            said = f"The resource record set '{where}' is invalid because the DNS name '{name}' has a CNAME beside it."
            raise Refusal(400, "cnameResourceRecordSetConflict", said)
        sets[name, type_] = added


def missing(parameter: str, name: str) -> Refusal:
    """The answer where what a path names is not there."""
    return Refusal(404, "notFound", f"The 'parameters.{parameter}' resource named '{name}' does not exist.")


def permissions_of_change(body: Mapping[str, Any]) -> frozenset[str]:
    """What a caller must be allowed for a change: https://cloud.google.com/dns/docs/access-control."""
    sides = [
        {(each.get("name"), each.get("type")) for each in body.get(side, [])} for side in ("additions", "deletions")
    ]
    added, deleted = sides
    needed = {"update": added & deleted, "create": added - deleted, "delete": deleted - added}
    return frozenset(
        itertools.chain(["dns.changes.create"], (f"dns.resourceRecordSets.{verb}" for verb, of in needed.items() if of))
    )


def _key(resource: Mapping[str, Any]) -> Key:
    return resource["name"], resource["type"]


def _invalid(where: str, value: object) -> Refusal:
    return Refusal(400, "invalid", f"Invalid value for '{where}': '{value}'")


def _parsed(resource: Mapping[str, Any], where: str, *, normalise: bool) -> Resource:
    """A record set of a request, as it is kept and answered."""
    name, type_ = str(resource.get("name", "")).lower(), resource.get("type", "")
    if not name.endswith(".") or ".." in name or name == ".":
        raise _invalid(f"{where}.name", name)
    if "routingPolicy" in resource:
        raise _invalid(f"{where}.routingPolicy", "(not in this fake)")
    ttl = int(resource.get("ttl", -1))
    if not 0 <= ttl <= MAX_TTL:
        raise _invalid(f"{where}.ttl", ttl)
    written = resource.get("rrdatas", [])
    values = [_normalised(type_, value, f"{where}.rrdata[{index}]") for index, value in enumerate(written)]
    if not values or len(set(values)) < len(values) or (type_ in _SINGULAR and len(values) > 1):
        raise _invalid(f"{where}.rrdata", ", ".join(values))
    if len(values) > MAX_VALUES:
        raise Refusal(403, "quotaExceeded", f"The '{where}' would exceed quota for resource records per record set.")
    kept = values if normalise else list(written)
    return {"kind": "dns#resourceRecordSet", "name": name, "type": type_, "ttl": ttl, "rrdatas": kept}


def _normalised(type_: str, value: str, where: str) -> str:
    try:
        return dns.rdata.from_text(dns.rdataclass.IN, dns.rdatatype.from_text(type_), value).to_text()
    except (dns.exception.DNSException, ValueError) as error:
        raise _invalid(where, value) from error


def _require_apex(sets: Mapping[Key, Resource], dns_name: str) -> None:
    for type_ in ("NS", "SOA"):
        if (dns_name, type_) not in sets:
            said = (
                f"The resource record set 'entity.change.deletions[0]' of type {type_} at the apex cannot be deleted."
            )
            raise Refusal(400, "invalidZoneApex", said)
