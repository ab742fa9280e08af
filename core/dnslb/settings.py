"""What a service is told, typed: its keys, the plugins that it chose, and both together with the gaps filled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from dnslb.decision import Policy, block_name
from dnslb.endpoints import Endpoint, parse_endpoint
from dnslb.errors import ConfigurationError, DnslbError, PluginError, Problem, Refused
from dnslb.forms import Count, DomainName, Form, Port, at_least, parse_duration, whole_number
from dnslb.hookspecs import (
    AddressSourceType,
    DestroyerType,
    ProbeType,
    RecordManagerType,
    RegionFilterType,
    Registration,
)
from dnslb.interfaces import Service, Target
from dnslb.options import option
from dnslb.records import MAX_TTL, Network, normalise_name, parse_address
from dnslb.registry import make
from dnslb.text import one_line

PLUGIN_KEYS: Mapping[str, type[Registration]] = {
    "record_manager": RecordManagerType,
    "region_filter": RegionFilterType,
    "destroyer": DestroyerType,
    "probe": ProbeType,
    "address": AddressSourceType,
}
"""The keys of a service that select a plugin, and the kind that each selects."""


def selects_plugin(key: str, written: Any) -> bool:
    """Whether a key selects a plugin by what is written for it; text for `address` is no name of one."""
    return isinstance(written, Mapping) if key == "address" else key in PLUGIN_KEYS and written is not None


# No provider is asked as often as this; it keeps a slip of the pen from becoming a busy loop.
Interval = Annotated[float, at_least("100ms")]

_DEFAULT_INTERVAL = 60.0


def _address_choice(value: Any, _: Path) -> tuple[str, ...]:
    choices = value if isinstance(value, list) else [value]
    if not choices or not all(isinstance(choice, str) and choice for choice in choices):
        raise ValueError("write auto, the name of an interface, an address, a list of addresses, or {plugin: NAME}")
    return tuple(choices)


AddressChoice = Annotated[
    tuple[str, ...],
    Form(
        "auto, an interface, addresses, or {plugin: NAME}",
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


def _endpoint(value: Any, _: Path) -> Endpoint:
    if not isinstance(value, str):
        raise ValueError("write HOST, HOST:PORT or [IPV6]:PORT, in quotes")
    return parse_endpoint(value)


def _witness(value: Any, _: Path) -> Target:
    if not isinstance(value, str):
        raise ValueError("write ADDRESS:PORT or [IPV6]:PORT, in quotes")
    endpoint = parse_endpoint(value, default_port=None)
    if not endpoint.is_address:
        raise ValueError(f"{value!r} is not an address; whoever is cut off cannot look up a name")
    address = parse_address(endpoint.host)
    if address.is_unspecified or address.is_multicast:
        raise ValueError(f"{value!r} is not the address of a host")
    return Target(address, endpoint.port)


NameServerEndpoint = Annotated[Endpoint, Form("HOST, HOST:PORT or [IPV6]:PORT", _endpoint, {"type": "string"})]
WitnessTarget = Annotated[Target, Form("ADDRESS:PORT or [IPV6]:PORT", _witness, {"type": "string"})]


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
    low_ttl: TimeToLive | None = option(
        None, help="the TTL from a removal until all has been well for a while; left out: never lowered"
    )
    address: AddressChoice = option(
        ("auto",), help="the own address: auto, the name of an interface, an address, a list of addresses, or a plugin"
    )
    observe: Literal["api", "dns"] = option(
        "api", help="where the record set is read while nothing is to be done: api, or dns: the zone's own name servers"
    )
    name_servers: tuple[NameServerEndpoint, ...] = option(
        (), help="whom observe: dns asks; left out: the name servers that the zone names"
    )
    rise: Count = option(2, help="passed self-checks in a row before the own address is registered")
    minimum_failures: Count = option(3, help="failed probes in a row before a member is removed")
    maximum_failures: Count = option(60, help="failed intervals after which a member is removed whatever its region")
    allowed_networks: tuple[Network, ...] = option(
        (), help="only members in these networks are probed and removed; left out: those like the own address"
    )
    witnesses: tuple[WitnessTarget, ...] = option(
        (),
        help="hosts outside of the cluster: who reaches none of them, and few members, judges nobody",
    )
    do_tls: bool = option(False, help="probe with a TLS handshake, unverified; better: probe: {plugin: tls}")
    all_regions: bool = option(False, help="no region filter; only with preserve: true")
    preserve: bool = option(False, help="never destroy instances")

    def __post_init__(self) -> None:
        try:
            normalise_name(block_name(self.fqdn))
        except ValueError as error:
            raise ValueError(f"fqdn: there is no room for the name of its block record: {error}") from error
        if self.maximum_failures < self.minimum_failures:
            raise ValueError(
                f"maximum_failures ({self.maximum_failures}) is less than minimum_failures ({self.minimum_failures})"
            )
        if self.all_regions and not self.preserve:
            raise ValueError("all_regions: true is only valid with preserve: true")
        if self.name_servers and self.observe != "dns":
            raise ValueError("name_servers are only asked with observe: dns; add that, or take them out")


@dataclass(frozen=True, slots=True)
class Selection:
    """A plugin that the configuration chose, with its options.

    `origin` is where it was chosen: a problem that only lacks its message.
    """

    registration: Registration
    options: object
    origin: Problem = field(default=Problem(""), compare=False)

    def make(self, service: Service) -> Any:
        """The object that does the work.

        Raises:
            ConfigurationError: it cannot be made from these options, or the factory is broken.
            Unavailable: the factory could not reach what it needs.
        """
        try:
            return make(self.registration, self.options, service)
        except (PluginError, Refused, ConfigurationError) as error:
            raise self.refused(error) from error

    def refused(self, error: DnslbError) -> ConfigurationError:
        """An error that somebody has to mend, told with the place where the plugin was chosen."""
        return ConfigurationError([replace(self.origin, message=one_line(error), cause=error)])


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """One service, complete: what was left out is filled in. Times are in seconds.

    `region_filter` and `destroyer` are None where there is none, `address_source` where `options.address` counts, and
    `record_manager` where the configuration chose none, which is an error only once a load balancer is made.
    """

    options: ServiceOptions
    check_interval: float
    probe_interval: float
    ttl: int
    record_manager: Selection | None
    region_filter: Selection | None
    destroyer: Selection | None
    probe: Selection
    address_source: Selection | None = None

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

    def policy(self, *, regional: bool, destroys: bool) -> Policy:
        """What the decision is asked for, where there is a region filter and a destroyer, or not."""
        return Policy(
            interval=self.check_interval,
            probe_interval=self.probe_interval,
            ttl=self.ttl,
            low_ttl=self.options.low_ttl,
            rise=self.options.rise,
            fall=self.options.minimum_failures,
            max_failures=self.options.maximum_failures,
            networks=self.options.allowed_networks,
            regional=regional and not self.options.all_regions,
            destroys=destroys and not self.options.preserve,
            hints=self.options.observe == "dns",
            witnesses=bool(self.options.witnesses),
        )
