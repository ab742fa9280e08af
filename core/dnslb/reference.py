"""The flat keys of the Go package that dnslb re-implements, so that a file written for it loads unchanged.

The keys that mean the same here are settings like any other (see `dnslb.settings`). These here select plugins: the
names of the plugins belong to the meaning of the keys, and stand nowhere else in the core.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_ROUTE53 = {
    "route53_hosted_zone_id": "hosted_zone_id",
    "aws_profile": "profile",
    "aws_assume_role_arn": "role_arn",
}
_EC2 = {"aws_profile": "profile", "aws_assume_role_arn": "role_arn"}

SELECTS = "route53_hosted_zone_id"
"""The key that the others mean nothing without. Left out and empty are the same, as in Go."""

FLAT_KEYS = tuple(_ROUTE53)
"""The keys that `selections` understands; the value of each is text."""


def selections(written: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The plugin selections that the flat keys stand for, by the key that would select the same.

    With Route 53, the reference keeps to the instances of its own region and destroys those that fail, unless
    `all_regions` or `preserve` say otherwise. It destroys whatever carries the address; here it has to be of the Auto
    Scaling group of the one that asks, since the keys name nothing else to know a cluster's instances by.
    """
    if not written.get(SELECTS):
        return {}
    made = {"record_manager": _selection("route53", _ROUTE53, written)}
    if not written.get("all_regions"):
        made["region_filter"] = _selection("ec2", _EC2, written)
    if not written.get("preserve"):
        made["destroyer"] = _selection("ec2", _EC2, written) | {"own_group": True}
    return made


def without_effect(written: Mapping[str, Any]) -> tuple[str, ...]:
    """The flat keys that were written and change nothing, since the one that selects Route 53 was not."""
    return () if written.get(SELECTS) else tuple(key for key in FLAT_KEYS if written.get(key))


def _selection(plugin: str, keys: Mapping[str, str], written: Mapping[str, Any]) -> dict[str, Any]:
    return {"plugin": plugin} | {new: written[old] for old, new in keys.items() if written.get(old)}
