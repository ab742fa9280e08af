"""dnslb: a server-side DNS load balancer, and the contract that its plugins keep."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from dnslb._version import __version__
from dnslb.errors import (
    ConfigurationError,
    Conflict,
    Denied,
    DnslbError,
    OutcomeUnknown,
    PluginAmbiguous,
    PluginBroken,
    PluginError,
    PluginIncompatible,
    PluginNotFound,
    Problem,
    ProviderError,
    Refused,
    Rejected,
    Throttled,
    Unavailable,
    ZoneNotFound,
)
from dnslb.forms import Count, DomainName, Port, Seconds, Secret, at_least
from dnslb.hookspecs import (
    AddressSourceType,
    DestroyerType,
    NoOptions,
    ProbeType,
    RecordManagerType,
    RegionFilterType,
    hookimpl,
)
from dnslb.interfaces import (
    AddressSource,
    Capabilities,
    Destroyer,
    EachProbe,
    Probe,
    ProbeResult,
    ReadsTogether,
    RecordManager,
    RegionFilter,
    Service,
    Target,
    Verdict,
)
from dnslb.options import option
from dnslb.records import (
    Address,
    Change,
    Network,
    Receipt,
    RecordSet,
    RecordType,
    Snapshot,
    normalise_name,
    parse_address,
)

if TYPE_CHECKING:
    from dnslb.balancer import LoadBalancer
    from dnslb.config import Config, Providers

__all__ = [
    "Address",
    "AddressSource",
    "AddressSourceType",
    "Capabilities",
    "Change",
    "Config",
    "ConfigurationError",
    "Conflict",
    "Count",
    "Denied",
    "Destroyer",
    "DestroyerType",
    "DnslbError",
    "DomainName",
    "EachProbe",
    "LoadBalancer",
    "Network",
    "NoOptions",
    "OutcomeUnknown",
    "PluginAmbiguous",
    "PluginBroken",
    "PluginError",
    "PluginIncompatible",
    "PluginNotFound",
    "Port",
    "Probe",
    "ProbeResult",
    "ProbeType",
    "Problem",
    "ProviderError",
    "Providers",
    "ReadsTogether",
    "Receipt",
    "RecordManager",
    "RecordManagerType",
    "RecordSet",
    "RecordType",
    "Refused",
    "RegionFilter",
    "RegionFilterType",
    "Rejected",
    "Seconds",
    "Secret",
    "Service",
    "Snapshot",
    "Target",
    "Throttled",
    "Unavailable",
    "Verdict",
    "ZoneNotFound",
    "__version__",
    "at_least",
    "hookimpl",
    "normalise_name",
    "option",
    "parse_address",
]

# What runs a load balancer is imported when it is asked for: a plugin, and `dnslb --help`, need none of it.
_LAZY = {"Config": "dnslb.config", "LoadBalancer": "dnslb.balancer", "Providers": "dnslb.config"}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_LAZY[name]), name)
