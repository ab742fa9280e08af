"""From a YAML file, or a mapping, to typed settings.

One file describes one service (flat), or several (`services:`). Everything that is wrong is reported at once, each
with file, line and key path. What a provider cannot do is refused here, in the daytime, and not in the night.
"""

from __future__ import annotations

import enum
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from dnslb import reference
from dnslb.choices import Choice, choices, with_switches
from dnslb.document import Document, KeyPath, read_document
from dnslb.errors import ConfigurationError, PluginError, Problem
from dnslb.forms import Secret, format_duration
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
    def load(
        cls,
        source: Path | str | Mapping[str, Any] | Document,
        registry: Registry | None = None,
        *,
        complete: bool = False,
    ) -> Config:
        """Reads a file, or takes what a program has put together, or a document that has been read.

        `complete` asks for a record manager for each service, which a program may else hand in.

        Raises:
            ConfigurationError: with everything that is wrong, a plugin that cannot be used included.
        """
        if isinstance(source, Mapping):
            source = Document(source)
        document = source if isinstance(source, Document) else read_document(Path(source))
        return _Loader(document, registry or Registry(), complete).config()

    @staticmethod
    def check(source: Path | str | Mapping[str, Any], registry: Registry | None = None) -> Providers:
        """Whether the configuration chooses a provider for each service, or none, or is malformed."""
        try:
            config = Config.load(source, registry)
        except ConfigurationError:
            return Providers.MALFORMED
        chosen = all(service.record_manager for service in config.services)
        return Providers.ONE if chosen else Providers.NONE


@dataclass(slots=True)
class _Loader:
    """Collects the problems of one document."""

    document: Document
    registry: Registry
    complete: bool
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    names: list[str] = field(default_factory=list)

    def config(self) -> Config:
        self.problems += self.document.problems
        services = [self._service(written, path) for path, written in self._service_mappings()]
        made = [service for service in services if service is not None]
        self._refuse_repetitions()
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
        for key in reference.without_effect(written):
            self.warnings.append(Problem(f"this has no effect without {reference.SELECTS}", (*path, key)))
        if options is not None:
            self.names.append(options.fqdn)
            written = with_switches(written, options)
        for key, choice in choices(written, path, self.problems).items():
            if selection := self._selection(key, choice):
                selections[key] = selection
        if options is None or len(self.problems) > already:
            return None
        manager = selections.get("record_manager")
        if self.complete and manager is None:
            self._problem(f"record_manager is missing for {options.fqdn}: write record_manager: {{plugin: NAME}}", path)
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

    def _selection(self, key: str, choice: Choice) -> Selection | None:
        written, path, implied = choice
        # `record_manager: local` is short for `{plugin: local}`.
        mapping = {"plugin": written} if isinstance(written, str) else written
        if not isinstance(mapping, Mapping) or not isinstance(mapping.get("plugin"), str):
            self._problem(f"write {key}: {{plugin: NAME}}, with the plugin's options beside it", path)
            return None
        try:
            registration = self.registry.select(PLUGIN_KEYS[key], mapping["plugin"])
        except PluginError as error:
            where = path if implied or mapping is not written else (*path, "plugin")
            self.problems.append(Problem(str(error), where, cause=error))
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
        if options is None:
            return None
        self._warn_of_open_secrets(options, path)
        return Selection(registration, options, self.document.locate(Problem("", path)))

    def _warn_of_open_secrets(self, options: object, path: KeyPath) -> None:
        for item in fields(options):  # type: ignore[arg-type]  # parse_options made it, of a dataclass
            value = getattr(options, item.name)
            if isinstance(value, Secret) and value.warning:
                self.warnings.append(Problem(value.warning, (*path, item.name)))

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
        for key, chosen in (("ttl", options.ttl), ("low_ttl", options.low_ttl)):
            if chosen is not None and chosen < lowest:
                self._problem(f"{chosen} is less than the lowest TTL of this provider, {lowest}", (*path, key))
        ttl = min(max(math.ceil(interval), lowest), MAX_TTL) if options.ttl is None else options.ttl
        if options.low_ttl is not None and options.low_ttl >= ttl:
            self._problem(f"{options.low_ttl} is not less than the TTL, {ttl}", (*path, "low_ttl"))
        return ttl

    def _refuse_repetitions(self) -> None:
        for name, times in sorted(Counter(self.names).items()):
            if times > 1:
                self._problem(f"{name} is managed by {times} services; one name, one service", ("services",))

    def _problem(self, message: str, path: KeyPath) -> None:
        self.problems.append(Problem(message, path))
