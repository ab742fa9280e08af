"""Which plugins a service chooses: by the keys that name them, by the flat keys of the reference, by default.

No plugin is looked for here, so that a configuration can be understood where its plugins are not installed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from dnslb import reference
from dnslb.document import KeyPath
from dnslb.errors import Problem
from dnslb.settings import PLUGIN_KEYS, ServiceOptions, selects_plugin


class Choice(NamedTuple):
    """What was written for a plugin key, and where; `implied` by another key, or by default."""

    written: Any
    path: KeyPath
    implied: bool = False


def choices(written: Mapping[str, Any], path: KeyPath, problems: list[Problem]) -> dict[str, Choice]:
    """The plugin that is meant for each plugin key, a probe always among them.

    `written` are the keys of a service, its switches as booleans (see `with_switches`). What contradicts itself is
    added to `problems`.
    """
    chosen = {key: Choice(written[key], (*path, key)) for key in PLUGIN_KEYS if selects_plugin(key, written.get(key))}
    for key, selection in _flat(written, path, problems).items():
        if key == "record_manager" and key in chosen:
            problems.append(Problem(f"{reference.SELECTS} selects a provider too; keep one of them", chosen[key].path))
        chosen.setdefault(key, Choice(selection, (*path, reference.SELECTS), implied=True))
    if written.get("do_tls") is True:
        if "probe" in chosen:
            problems.append(Problem("do_tls selects a probe too; keep one of them", (*path, "do_tls")))
        chosen["probe"] = Choice({"plugin": "tls", "mode": "insecure"}, (*path, "do_tls"), implied=True)
    if written.get("all_regions") is True and "region_filter" in chosen:
        message = "all_regions: true leaves nothing for a region filter to do"
        problems.append(Problem(message, chosen["region_filter"].path))
    chosen.setdefault("probe", Choice({"plugin": "tcp"}, path, implied=True))
    return chosen


def with_switches(written: Mapping[str, Any], options: ServiceOptions) -> Mapping[str, Any]:
    """The keys of a service, those that have a say in which plugins are used as they were understood: `yes` is true."""
    switches = {"do_tls": options.do_tls, "all_regions": options.all_regions, "preserve": options.preserve}
    return {**written, **switches}


def _flat(written: Mapping[str, Any], path: KeyPath, problems: list[Problem]) -> Mapping[str, Mapping[str, Any]]:
    wrong = [key for key in reference.FLAT_KEYS if not isinstance(written.get(key) or "", str)]
    problems += (Problem("this is not text; put it in quotes", (*path, key)) for key in wrong)
    return {} if wrong else reference.selections(written)
