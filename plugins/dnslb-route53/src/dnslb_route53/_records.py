"""Record sets as Route 53 writes them, and the change batches between them.

https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from dnslb import Change, RecordSet, RecordType, Rejected, Snapshot
from dnslb.txt import quote, unquote
from dnslb_route53._options import MAX_VALUES

RawSet = dict[str, Any]
"""A `ResourceRecordSet` of the API. Sent back as it was read, it is what a commit compares."""

MAX_TXT_LENGTH = 4_000
"""Characters of a TXT value, its quotes included."""

MAX_BATCH_RECORDS = 1_000
MAX_BATCH_LENGTH = 32_000
"""Records, and characters of all their values, in one change batch."""

_PLAIN = frozenset({"Name", "Type", "TTL", "ResourceRecords"})

_DECIMAL = re.compile(r"\\([0-9]{3}|.)", re.DOTALL)
_OCTAL = re.compile(r"\\([0-7]{3}|.)", re.DOTALL)

_NOBODY = {
    RecordType.A: "192.0.2.1",
    RecordType.AAAA: "2001:db8::1",
    RecordType.TXT: "dnslb",
}
"""What a set holds that is created and deleted in one batch: documentation addresses (RFC 5737, RFC 3849)."""


def describe(record_sets: Iterable[RecordSet]) -> str:
    """`www.example.com A, _blocked.www.example.com TXT`."""
    return ", ".join(f"{each.name} {each.type}" for each in record_sets)


# -- reading -----------------------------------------------------------------------------------------------


def snapshot_of(wanted: RecordSet, listed: Sequence[RawSet]) -> Snapshot:
    r"""What a listing that starts at the name and type of `wanted` says of it.

    The listing goes on with whatever comes next in the zone, so what is not there shows as something else. Names
    come in lower case, other characters than letters, digits, `-` and `_` as octal escapes (`\052` for `*`), which
    no name of ours has.

    Raises:
        Rejected: the set is not plain, or there is a CNAME record in its place.
    """
    for raw in listed:
        if raw["Name"].removesuffix(".") != wanted.name:
            continue
        if raw["Type"] == "CNAME":
            raise Rejected(
                f"{wanted.name} has a CNAME record in Route 53 and cannot have {wanted.type} records beside it; remove"
                " it, or use another fqdn"
            )
        if raw["Type"] == wanted.type.value:
            _require_plain(wanted, raw)
            return Snapshot(_record_set_of(wanted, raw), raw)
    return Snapshot(wanted, None)


def _require_plain(wanted: RecordSet, raw: RawSet) -> None:
    what = f"{wanted.name} {wanted.type} in Route 53"
    if "AliasTarget" in raw:
        raise Rejected(
            f"{what} is an alias of {raw['AliasTarget']['DNSName']}, not a set of addresses; remove it, or use another"
            " fqdn"
        )
    if "SetIdentifier" in raw:
        raise Rejected(
            f"{what} is one of several routed sets ({raw['SetIdentifier']!r}: weighted, by latency, failover or"
            " place); dnslb keeps plain sets only: remove them, or use another fqdn"
        )
    if more := raw.keys() - _PLAIN:
        raise Rejected(f"{what} has settings that dnslb would lose ({', '.join(sorted(more))}); use another fqdn")


def _record_set_of(wanted: RecordSet, raw: RawSet) -> RecordSet:
    values = [record["Value"] for record in raw["ResourceRecords"]]
    if wanted.type is RecordType.TXT:
        values = [from_route53(value) for value in values]
    try:
        return wanted.holding(values, ttl=raw["TTL"])
    except ValueError as error:
        raise Rejected(f"{wanted.name} {wanted.type} in Route 53 holds a value that is none: {error}") from error


# -- writing -----------------------------------------------------------------------------------------------


def change_batch(changes: Sequence[Change]) -> list[dict[str, Any]]:
    """The changes as Route 53 takes them: a DELETE of what was read, verbatim, and a CREATE of what should be.

    DELETE fails unless TTL and values are those of the set, CREATE fails where there is one, and a batch is applied as
    a whole or not at all. What was absent and is to stay so is held to it by a CREATE and a DELETE of one set.

    Raises:
        Rejected: a limit of Route 53, or one record set twice.
    """
    _require_acceptable([change.after for change in changes])
    batch = [step for change in changes for step in _steps(change)]
    values = [record["Value"] for step in batch for record in step["ResourceRecordSet"]["ResourceRecords"]]
    if len(values) > MAX_BATCH_RECORDS or sum(map(len, values)) > MAX_BATCH_LENGTH:
        raise Rejected(
            f"the change of {describe(change.after for change in changes)} names {len(values)} records of"
            f" {sum(map(len, values))} characters; Route 53 takes {MAX_BATCH_RECORDS} and {MAX_BATCH_LENGTH} at a time:"
            " commit fewer sets together"
        )
    return batch


def _steps(change: Change) -> list[dict[str, Any]]:
    before, after = change.before.version, change.after
    if before is None and not after.exists:
        nobody = _raw(after.holding([_NOBODY[after.type]], ttl=0))
        return [_step("CREATE", nobody), _step("DELETE", nobody)]
    steps = []
    if before is not None:
        steps.append(_step("DELETE", before))
    if after.exists:
        steps.append(_step("CREATE", _raw(after)))
    return steps


def _step(action: str, raw: object) -> dict[str, Any]:
    return {"Action": action, "ResourceRecordSet": raw}


def _raw(record_set: RecordSet) -> RawSet:
    return {
        "Name": f"{record_set.name}.",
        "Type": record_set.type.value,
        "TTL": record_set.ttl,
        "ResourceRecords": [{"Value": value} for value in _raw_values(record_set)],
    }


def _raw_values(record_set: RecordSet) -> list[str]:
    if record_set.type is RecordType.TXT:
        return [to_route53(value) for value in record_set.values]
    return list(record_set.values)


def _require_acceptable(wanted: Sequence[RecordSet]) -> None:
    for each in wanted:
        if len(each.values) > MAX_VALUES:
            raise Rejected(
                f"{each.name} {each.type} would hold {len(each.values)} values; Route 53 keeps at most {MAX_VALUES}"
            )
        longest = max(map(len, _raw_values(each)), default=0)
        if longest > MAX_TXT_LENGTH:
            raise Rejected(
                f"{each.name} {each.type} would hold a value of {longest} characters; Route 53 keeps at most"
                f" {MAX_TXT_LENGTH}"
            )
    if len({(each.name, each.type) for each in wanted}) < len(wanted):
        raise Rejected(f"one commit changes a record set twice: {describe(wanted)}; make it one change")


# -- TXT values --------------------------------------------------------------------------------------------


def to_route53(value: str) -> str:
    r"""A TXT value in quotes. Route 53 escapes in octal where zone files do in decimal: `\303`, not `\195`.

    https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/ResourceRecordTypes.html#TXTFormat
    """
    return _DECIMAL.sub(lambda found: _with_code(found[1], 10, "03o"), quote(value))


def from_route53(text: str) -> str:
    """The TXT value that Route 53 wrote as `text`."""
    return unquote(_OCTAL.sub(lambda found: _with_code(found[1], 8, "03d"), text))


def _with_code(escaped: str, base: int, code: str) -> str:
    """An escape whose number is written anew, and any other as it is."""
    return "\\" + (format(int(escaped, base), code) if len(escaped) == 3 else escaped)
