"""The plugin contract: hooks declare, objects do.

A plugin is a module that an entry point of the group `dnslb` names. Its hook implementations yield
registrations, the dataclasses below; they do no I/O and import no SDK. Behind a registration stands a factory,
called only when a configuration selects it by name; the factory makes the object that does the work.

There is one hook a kind, all of the same form. Who knows one knows all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pluggy

from dnslb.interfaces import AddressSource, Capabilities, Destroyer, Probe, RecordManager, RegionFilter, Service

PROJECT = "dnslb"
"""The name of the pluggy project, and of the entry point group."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@dataclass(frozen=True, slots=True)
class NoOptions:
    """The options of a plugin that has none."""


@dataclass(frozen=True, kw_only=True)
class Registration:
    """What all kinds have in common.

    Attributes:
        name: what the configuration selects it by; the name of the entry point too.
        summary: one line for `dnslb plugins NAME`.
        options: a frozen dataclass whose fields are made by `dnslb.option`; the configuration is checked
            against it, and the factory gets an instance.
        factory: called with the options and the service, once, when the service starts. It may raise
            ConfigurationError or ProviderError.
    """

    kind: ClassVar[str]
    hook: ClassVar[str]

    name: str
    summary: str
    options: type = NoOptions
    factory: Callable[[Any, Service], object]


@dataclass(frozen=True, kw_only=True)
class RecordManagerType(Registration):
    """A provider of DNS records: `record_manager: {plugin: NAME}`."""

    kind = "record manager"
    hook = "dnslb_record_managers"

    factory: Callable[[Any, Service], RecordManager]
    capabilities: Capabilities = field(default_factory=Capabilities)


@dataclass(frozen=True, kw_only=True)
class RegionFilterType(Registration):
    """A way to tell which addresses are in this region: `region_filter: {plugin: NAME}`."""

    kind = "region filter"
    hook = "dnslb_region_filters"

    factory: Callable[[Any, Service], RegionFilter]


@dataclass(frozen=True, kw_only=True)
class DestroyerType(Registration):
    """A way to destroy failed instances: `destroyer: {plugin: NAME}`."""

    kind = "destroyer"
    hook = "dnslb_destroyers"

    factory: Callable[[Any, Service], Destroyer]


@dataclass(frozen=True, kw_only=True)
class ProbeType(Registration):
    """A way to ask a service whether it is healthy: `probe: {plugin: NAME}`."""

    kind = "probe"
    hook = "dnslb_probes"

    factory: Callable[[Any, Service], Probe]


@dataclass(frozen=True, kw_only=True)
class AddressSourceType(Registration):
    """A way to learn the own addresses of this host: `address: {plugin: NAME}`."""

    kind = "address source"
    hook = "dnslb_address_sources"

    factory: Callable[[Any, Service], AddressSource]


KINDS: tuple[type[Registration], ...] = (
    RecordManagerType,
    RegionFilterType,
    DestroyerType,
    ProbeType,
    AddressSourceType,
)
"""Every kind of plugin, in the order in which they are listed."""


@hookspec
def dnslb_record_managers() -> Iterable[RecordManagerType]:  # type: ignore[empty-body]
    """The record managers that the plugin provides.

    Called once, when a configuration has selected the plugin. It must not do I/O or import an SDK: that is for the
    factory. For example, in a module that the entry point `mydns` of the group `dnslb` names:

        from dnslb import RecordManagerType, hookimpl

        from my_dns._options import MyOptions

        def make(options, service):
            from my_dns._manager import MyRecordManager

            return MyRecordManager(options, service.fqdn)

        @hookimpl
        def dnslb_record_managers():
            yield RecordManagerType(name="mydns", summary="My DNS", options=MyOptions, factory=make)
    """


@hookspec
def dnslb_region_filters() -> Iterable[RegionFilterType]:  # type: ignore[empty-body]
    """The region filters that the plugin provides, under the same rules as `dnslb_record_managers`.

    For example:

        @hookimpl
        def dnslb_region_filters():
            yield RegionFilterType(name="rack", summary="Hosts of the same rack", factory=make_filter)
    """


@hookspec
def dnslb_destroyers() -> Iterable[DestroyerType]:  # type: ignore[empty-body]
    """The destroyers that the plugin provides, under the same rules as `dnslb_record_managers`.

    For example:

        @hookimpl
        def dnslb_destroyers():
            yield DestroyerType(name="ipmi", summary="Power off by IPMI", factory=make_destroyer)
    """


@hookspec
def dnslb_probes() -> Iterable[ProbeType]:  # type: ignore[empty-body]
    """The probes that the plugin provides, under the same rules as `dnslb_record_managers`.

    For example:

        class Redis(EachProbe):
            async def check_one(self, target, timeout):
                reader, writer = await asyncio.open_connection(str(target.address), target.port)
                ...

        @hookimpl
        def dnslb_probes():
            yield ProbeType(name="redis", summary="PING", factory=lambda options, service: Redis())
    """


@hookspec
def dnslb_address_sources() -> Iterable[AddressSourceType]:  # type: ignore[empty-body]
    """The address sources that the plugin provides, under the same rules as `dnslb_record_managers`.

    For example:

        @hookimpl
        def dnslb_address_sources():
            yield AddressSourceType(name="cloud", summary="As the cloud tells it", factory=make_source)
    """
