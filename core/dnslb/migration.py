"""The structured form of a configuration that has the flat keys of the reference.

What is written is rewritten: keys that mean the same stay as they are, in their order; no default is filled in. So it
works where the plugins are not installed, as far as their options go: those are looked at where they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from dnslb import reference
from dnslb.choices import choices, with_switches
from dnslb.config import Config
from dnslb.document import Document, KeyPath
from dnslb.errors import ConfigurationError, PluginNotFound, Problem
from dnslb.options import parse_options
from dnslb.registry import Registry
from dnslb.settings import PLUGIN_KEYS, ServiceOptions

_REPLACED = frozenset({*reference.FLAT_KEYS, "do_tls", "all_regions", "preserve"})
"""The keys that the structured form says otherwise."""


@dataclass(frozen=True, slots=True)
class Migration:
    """A configuration in its structured form: the YAML, whether that is another one than before, and what to know."""

    text: str
    changed: bool
    remarks: tuple[Problem, ...]


def migrate(document: Document, registry: Registry | None = None) -> Migration:
    """The structured form of a document that was read from a file.

    Raises:
        ConfigurationError: with everything that is wrong with it; a plugin that is not installed is no mistake.
    """
    remarks = _absent_plugins(document, registry or Registry())
    rewriter = _Rewriter(document, remarks)
    value = rewriter.rewritten()
    if value == document.value:
        return Migration(document.text, changed=False, remarks=tuple(remarks))
    if lost := _lost(document.text):
        remarks.append(document.locate(Problem(f"{lost} are not in what is printed")))
    text = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=120)
    return Migration(text, changed=True, remarks=tuple(remarks))


def _absent_plugins(document: Document, registry: Registry) -> list[Problem]:
    try:
        Config.load(document, registry)
    except ConfigurationError as error:
        if mistakes := [problem for problem in error.problems if not isinstance(problem.cause, PluginNotFound)]:
            raise ConfigurationError(mistakes) from error
        return list(error.problems)
    return []


@dataclass(slots=True)
class _Rewriter:
    """Rewrites a document that has no mistakes; notes on the way what cannot be kept."""

    document: Document
    remarks: list[Problem] = field(default_factory=list)

    def rewritten(self) -> Any:
        whole = self.document.value
        if "services" not in whole:
            return self._service(whole, ())
        return {"services": [self._service(one, ("services", index)) for index, one in enumerate(whole["services"])]}

    def _service(self, written: Mapping[str, Any], path: KeyPath) -> dict[str, Any]:
        options = parse_options(
            ServiceOptions,
            {key: value for key, value in written.items() if key not in PLUGIN_KEYS},
            base=self.document.base,
            problems=[],
            others=reference.FLAT_KEYS,
        )
        assert options is not None  # the document has no mistakes
        chosen = choices(with_switches(written, options), path, [])
        implied = {key: choice for key, choice in chosen.items() if choice.implied}
        kept = {"preserve"} if options.preserve and "destroyer" in chosen else set()
        made: dict[str, Any] = {}
        for key, value in written.items():
            made |= {new: choice.written for new, choice in implied.items() if choice.path == (*path, key)}
            if key in kept or (key not in _REPLACED and key not in made):
                made[key] = value
        if options.preserve and not kept:
            said = "left out, since no destroyer is named; a program that hands in one of its own has to keep it"
            self._remark(said, (*path, "preserve"))
        for key in reference.without_effect(written):
            self._remark(f"left out, since it has no effect without {reference.SELECTS}", (*path, key))
        return made

    def _remark(self, message: str, path: KeyPath) -> None:
        self.remarks.append(self.document.locate(Problem(message, path)))


def _lost(text: str) -> str:
    """What YAML itself does not keep, of what is in the text; empty where nothing is lost."""
    tokens = list(yaml.scan(text, Loader=yaml.SafeLoader))
    ends = [0, *(token.end_mark.index for token in tokens)]
    gaps = [text[end : token.start_mark.index] for end, token in zip(ends, tokens, strict=False)]
    comments = ["comments"] if any("#" in gap for gap in gaps) else []
    anchors = ["anchors and aliases"] if any(isinstance(token, yaml.AliasToken) for token in tokens) else []
    return " and ".join(comments + anchors)
