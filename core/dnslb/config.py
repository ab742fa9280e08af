"""From a YAML file, or a mapping, to typed settings.

One file describes one service (flat), or several (`services:`). Everything that is wrong is reported at once, each
with file, line and key path. What a provider cannot do is refused here, in the daytime, and not in the night.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from dnslb import reference
from dnslb.document import Document, KeyPath, read_document
from dnslb.errors import ConfigurationError, PluginError, Problem
from dnslb.forms import Count, DomainName, Form, Port, at_least, format_duration, parse_duration, whole_number
from dnslb.hookspecs import DestroyerType, ProbeType, RecordManagerType, RegionFilterType, Registration
from dnslb.interfaces import Service
from dnslb.options import option, parse_options
from dnslb.records import MAX_TTL, Network
from dnslb.registry import Registry, make
from dnslb.text import one_line

_PLUGIN_KEYS: dict[str, type[Registration]] = {
    "record_manager": RecordManagerType,
    "region_filter": RegionFilterType,
    "destroyer": DestroyerType,
    "probe": ProbeType,
}

# No provider is asked as often as this; it keeps a slip of the pen from becoming a busy loop.
Interval = Annotated[float, at_least("100ms")]

_DEFAULT_INTERVAL = 60.0
_LONGEST_PROBE_INTERVAL = 5.0


def _address_choice(value: Any, _: Path) -> tuple[str, ...]:
    choices = value if isinstance(value, list) else [value]
    if not choices or not all(isinstance(choice, str) and choice for choice in choices):
        raise ValueError("write auto, the name of an interface, an address, or a list of addresses")
    return tuple(choices)


AddressChoice = Annotated[
    tuple[str, ...],
    Form(
        "auto, an interface, or addresses",
        _address_choice,
        {"oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]},
    ),
]


_TTL_SECONDS = whole_number(0, MAX_TTL, "a TTL in seconds")


def _ttl_of(value: Any, base: Path) -> int:
    """Seconds as in a zone file, or a duration as everywhere else here."""
    seconds = parse_duration(value) if isinstance(value, str) else value
    whole = int(seconds) if isinstance(seconds, float) and seconds.is_integer() else seconds
    checked: int = _TTL_SECONDS.convert(whole, base)
    return checked


TimeToLive = Annotated[
    int,
    Form("seconds, or a duration such as 30s", _ttl_of, {"oneOf": [_TTL_SECONDS.schema, {"type": "string"}]}),
]


@dataclass(frozen=True)
class ServiceOptions:
    """The keys of a service that select no plugin, as they are written."""

    fqdn: DomainName = option(help="the name whose A and AAAA record sets are managed")
    tcp_port: Port = option(help="the port that is probed on every member")
    check_interval: Interval = option(_DEFAULT_INTERVAL, help="how often the record set is read")
    probe_interval: Interval | None = option(
        None, help="how often every member is probed; left out: check_interval, at most 5s"
    )
    ttl: TimeToLive | None = option(None, help="the TTL of the record set; left out: check_interval")
    address: AddressChoice = option(
        ("auto",), help="the own address: auto, the name of an interface, an address, or a list of addresses"
    )
    rise: Count = option(2, help="passed self-checks in a row before the own address is registered")
    minimum_failures: Count = option(3, help="failed probes in a row before a member is removed")
    maximum_failures: Count = option(60, help="failed intervals after which a member is removed whatever its region")
    allowed_networks: tuple[Network, ...] = option(
        (), help="only members in these networks are probed and removed; left out: those like the own address"
    )
    do_tls: bool = option(False, help="probe with a TLS handshake, unverified; better: probe: {plugin: tls}")
    all_regions: bool = option(False, help="no region filter; only with preserve: true")
    preserve: bool = option(False, help="never destroy instances")

    def __post_init__(self) -> None:
        if self.maximum_failures < self.minimum_failures:
            raise ValueError(
                f"maximum_failures ({self.maximum_failures}) is less than minimum_failures ({self.minimum_failures})"
            )
        if self.all_regions and not self.preserve:
            raise ValueError("all_regions: true is only valid with preserve: true")


@dataclass(frozen=True, slots=True)
class Selection:
    """A plugin that the configuration chose, with its options."""

    registration: Registration
    options: object

    def make(self, service: Service) -> Any:
        """The object that does the work.

        Raises:
            ConfigurationError, ProviderError: whatever keeps the factory from making it.
            PluginBroken: the factory fails in another way, or makes something else.
        """
        return make(self.registration, self.options, service)


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """One service, complete: what was left out is filled in. Times are in seconds.

    `region_filter` and `destroyer` are None where there is none, `record_manager` where the configuration chose none,
    which is an error only once a load balancer is made.
    """

    options: ServiceOptions
    check_interval: float
    probe_interval: float
    ttl: int
    record_manager: Selection | None
    region_filter: Selection | None
    destroyer: Selection | None
    probe: Selection

    def required_record_manager(self) -> Selection:
        """The provider.

        Raises:
            ConfigurationError: the configuration chose none.
        """
        if self.record_manager is None:
            raise ConfigurationError(
                f"{self.options.fqdn}: record_manager is missing: write record_manager: {{plugin: NAME}}"
            )
        return self.record_manager

    @property
    def service(self) -> Service:
        """What the factories of its plugins are told."""
        return Service(self.options.fqdn, self.options.tcp_port)


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
            written,
            path=path,
            base=self.document.base,
            problems=self.problems,
            others=(*_PLUGIN_KEYS, *reference.FLAT_KEYS),
        )
        selections: dict[str, Selection] = {}
        for key, choice in self._chosen(written, path).items():
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
        )

    def _chosen(self, written: Mapping[str, Any], path: KeyPath) -> dict[str, _Choice]:
        """The plugin selections by key; those by the flat keys of the reference and by default included."""
        chosen = {key: _Choice(written[key], (*path, key)) for key in _PLUGIN_KEYS if written.get(key) is not None}
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
            registration = self.registry.select(_PLUGIN_KEYS[key], mapping["plugin"])
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


def plugin_keys() -> Mapping[str, type[Registration]]:
    """The keys of a service that select a plugin, and the kind that each selects."""
    return _PLUGIN_KEYS


def option_names() -> tuple[str, ...]:
    """The keys of a service that select no plugin."""
    return tuple(item.name for item in fields(ServiceOptions))
