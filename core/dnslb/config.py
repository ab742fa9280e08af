"""From a YAML file, or a mapping, to typed settings.

One file describes one service (flat), or several (`services:`). Everything that is wrong is reported at once, each
with file, line and key path. What a provider cannot do is refused here, in the daytime, and not in the night.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from dnslb import reference
from dnslb.document import Document, KeyPath, read_document
from dnslb.errors import ConfigurationError, PluginError, Problem
from dnslb.forms import format_duration
from dnslb.hookspecs import RecordManagerType
from dnslb.options import parse_options
from dnslb.records import MAX_TTL
from dnslb.registry import Registry
from dnslb.settings import PLUGIN_KEYS, Selection, ServiceOptions, ServiceSettings, selects_plugin
from dnslb.text import one_line

_LONGEST_PROBE_INTERVAL = 5.0


class Providers(enum.Enum):
    """What `Config.check` answers."""

    ONE = "one"
    NONE = "none"
    MALFORMED = "malformed"


@dataclass(frozen=True, slots=True)
class Config:
    """A whole configuration. `warnings` are what was corrected in it, and a person should know."""

    services: tuple[ServiceSettings, ...]
    warnings: tuple[Problem, ...] = ()

    @classmethod
    def load(cls, source: Path | str | Mapping[str, Any], registry: Registry | None = None) -> Config:
        """Reads a file, or takes what a program has put together.

        Raises:
            ConfigurationError: with everything that is wrong, a plugin that cannot be used included.
        """
        document = Document(source) if isinstance(source, Mapping) else read_document(Path(source))
        return _Loader(document, registry or Registry()).config()

    @staticmethod
    def check(source: Path | str | Mapping[str, Any], registry: Registry | None = None) -> Providers:
        """Whether the configuration chooses a provider for each service, or none, or is malformed."""
        try:
            config = Config.load(source, registry)
        except ConfigurationError:
            return Providers.MALFORMED
        chosen = all(service.record_manager for service in config.services)
        return Providers.ONE if chosen else Providers.NONE


class _Choice(NamedTuple):
    """What was written for a plugin key, and where; `implied` by another key, or by default."""

    written: Any
    path: KeyPath
    implied: bool = False


@dataclass(slots=True)
class _Loader:
    """Collects the problems of one document."""

    document: Document
    registry: Registry
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    def config(self) -> Config:
        self.problems += self.document.problems
        services = [self._service(written, path) for path, written in self._service_mappings()]
        made = [service for service in services if service is not None]
        self._refuse_repetitions(made)
        if self.problems:
            # Each once: one flat key may imply two plugins, which are missing for one reason.
            located = dict.fromkeys(map(self.document.locate, self.problems))
            raise ConfigurationError(sorted(located, key=lambda problem: problem.line or 0))
        return Config(tuple(made), tuple(map(self.document.locate, self.warnings)))

    def _service_mappings(self) -> list[tuple[KeyPath, Mapping[str, Any]]]:
        value = self.document.value
        if not isinstance(value, Mapping):
            what = "is empty" if value is None else "is not a mapping of keys"
            raise ConfigurationError([self.document.locate(Problem(f"the configuration {what}"))])
        if "services" not in value:
            return [((), value)]
        for key in value:
            if key != "services":
                self._problem("beside services: nothing else may stand; move it into the services", (key,))
        services = value["services"]
        if not isinstance(services, list) or not services:
            self._problem("a list of services is needed here, each with its fqdn", ("services",))
            return []
        mappings: list[tuple[KeyPath, Mapping[str, Any]]] = []
        for index, written in enumerate(services):
            if isinstance(written, Mapping):
                mappings.append((("services", index), written))
            else:
                self._problem("a service is a mapping of keys", ("services", index))
        return mappings

    def _service(self, written: Mapping[str, Any], path: KeyPath) -> ServiceSettings | None:
        already = len(self.problems)
        options = parse_options(
            ServiceOptions,
            {key: value for key, value in written.items() if not selects_plugin(key, value)},
            path=path,
            base=self.document.base,
            problems=self.problems,
            others=(*PLUGIN_KEYS, *reference.FLAT_KEYS),
        )
        selections: dict[str, Selection] = {}
        meant = written if options is None else {**written, **_switches(options)}
        for key, choice in self._chosen(meant, path).items():
            if selection := self._selection(key, choice):
                selections[key] = selection
        if options is None or len(self.problems) > already:
            return None
        if options.all_regions and "region_filter" in written:
            self._problem("all_regions: true leaves nothing for a region filter to do", (*path, "region_filter"))
        manager = selections.get("record_manager")
        interval = self._interval(options, manager, path)
        return ServiceSettings(
            options=options,
            check_interval=interval,
            probe_interval=min(options.probe_interval or _LONGEST_PROBE_INTERVAL, interval),
            ttl=self._ttl(options, interval, manager, path),
            record_manager=manager,
            region_filter=selections.get("region_filter"),
            destroyer=None if options.preserve else selections.get("destroyer"),
            probe=selections["probe"],
            address_source=selections.get("address"),
        )

    def _chosen(self, written: Mapping[str, Any], path: KeyPath) -> dict[str, _Choice]:
        """The plugin selections by key; those by the flat keys of the reference and by default included."""
        chosen = {
            key: _Choice(written[key], (*path, key)) for key in PLUGIN_KEYS if selects_plugin(key, written.get(key))
        }
        for key, selection in self._flat(written, path).items():
            if key == "record_manager" and key in chosen:
                self._problem("route53_hosted_zone_id selects a provider too; keep one of them", chosen[key].path)
            chosen.setdefault(key, _Choice(selection, (*path, "route53_hosted_zone_id"), implied=True))
        if written.get("do_tls") is True:
            if "probe" in chosen:
                self._problem("do_tls selects a probe too; keep one of them", (*path, "do_tls"))
            chosen["probe"] = _Choice({"plugin": "tls", "mode": "insecure"}, (*path, "do_tls"), implied=True)
        chosen.setdefault("probe", _Choice({"plugin": "tcp"}, path, implied=True))
        return chosen

    def _flat(self, written: Mapping[str, Any], path: KeyPath) -> Mapping[str, Mapping[str, Any]]:
        wrong = [key for key in reference.FLAT_KEYS if not isinstance(written.get(key) or "", str)]
        for key in wrong:
            self._problem("this is not text; put it in quotes", (*path, key))
        for key in reference.without_effect(written):
            self.warnings.append(Problem("this has no effect without route53_hosted_zone_id", (*path, key)))
        return {} if wrong else reference.selections(written)

    def _selection(self, key: str, choice: _Choice) -> Selection | None:
        written, path, implied = choice
        # `record_manager: local` is short for `{plugin: local}`.
        mapping = {"plugin": written} if isinstance(written, str) else written
        if not isinstance(mapping, Mapping) or not isinstance(mapping.get("plugin"), str):
            self._problem(f"write {key}: {{plugin: NAME}}, with the plugin's options beside it", path)
            return None
        try:
            registration = self.registry.select(PLUGIN_KEYS[key], mapping["plugin"])
        except PluginError as error:
            self._problem(str(error), path if implied or mapping is not written else (*path, "plugin"))
            return None
        own = {name: value for name, value in mapping.items() if name != "plugin"}
        try:
            options: object | None = parse_options(
                registration.options, own, path=path, base=self.document.base, problems=self.problems
            )
        except Exception as error:  # noqa: BLE001 - code of the plugin's, of which one line is told
            said = f"{type(error).__name__}: {one_line(error)}"
            self._problem(f"the plugin {registration.name!r} fails to check its own options: {said}", path)
            return None
        return None if options is None else Selection(registration, options)

    def _interval(self, options: ServiceOptions, manager: Selection | None, path: KeyPath) -> float:
        if manager is None:
            return options.check_interval
        registration = manager.registration
        assert isinstance(registration, RecordManagerType)
        lowest = registration.capabilities.min_interval
        if options.check_interval < lowest:
            self.warnings.append(
                Problem(
                    f"{format_duration(options.check_interval)} is raised to {format_duration(lowest)}, "
                    f"the lowest that {registration.name} can do",
                    (*path, "check_interval"),
                )
            )
        return max(options.check_interval, lowest)

    def _ttl(self, options: ServiceOptions, interval: float, manager: Selection | None, path: KeyPath) -> int:
        registration = manager.registration if manager else None
        lowest = registration.capabilities.min_ttl if isinstance(registration, RecordManagerType) else 0
        if options.ttl is None:
            return min(max(math.ceil(interval), lowest), MAX_TTL)
        if options.ttl < lowest:
            self._problem(f"{options.ttl} is less than the lowest TTL of this provider, {lowest}", (*path, "ttl"))
        return options.ttl

    def _refuse_repetitions(self, services: list[ServiceSettings]) -> None:
        names = [settings.options.fqdn for settings in services]
        for name in sorted({name for name in names if names.count(name) > 1}):
            self._problem(f"{name} is managed by {names.count(name)} services; one name, one service", ("services",))

    def _problem(self, message: str, path: KeyPath) -> None:
        self.problems.append(Problem(message, path))


def _switches(options: ServiceOptions) -> Mapping[str, bool]:
    """The keys that have a say in which plugins are used, as they were understood: `yes` is true."""
    return {"do_tls": options.do_tls, "all_regions": options.all_regions, "preserve": options.preserve}
