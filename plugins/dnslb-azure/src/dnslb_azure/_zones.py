"""Where the zone is: looked up once, by name or as the longest that holds the fqdn, and forgotten when it is gone."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from azure.mgmt.dns import DnsManagementClient
from azure.mgmt.dns.models import Zone as AzureZone

from dnslb import ConfigurationError, Unavailable, ZoneNotFound, normalise_name
from dnslb_azure._errors import boundary
from dnslb_azure._options import WantedZone

_TRUSTED_FOR = 300.0
"""Seconds for which a zone that was seen is taken to be still there."""


@dataclass(frozen=True, slots=True)
class Zone:
    """A public zone."""

    resource_group: str
    name: str

    def __str__(self) -> str:
        return f"{self.name} in the resource group {self.resource_group}"

    def relative(self, name: str) -> str | None:
        """The name as Azure wants it, below the zone (`@` for its apex), or None where it is not in the zone."""
        if name == self.name:
            return "@"
        return name.removesuffix(f".{self.name}") if name.endswith(f".{self.name}") else None


class ZoneFinder:
    """Finds the zone of a service, and keeps it.

    Raises:
        ConfigurationError: `fqdn` is not in the zone that is wanted.
    """

    def __init__(self, client: DnsManagementClient, wanted: WantedZone, fqdn: str) -> None:
        if wanted.name is not None and Zone("", wanted.name).relative(fqdn) is None:
            raise ConfigurationError(f"{fqdn} is not in the zone {wanted.name}: correct `zone`, or leave it out")
        self._client = client
        self._wanted = wanted
        self._fqdn = fqdn
        self._lock = threading.Lock()
        self._found: Zone | None = None
        self._seen_at = 0.0

    def zone(self) -> Zone:
        """The zone; the API is asked the first time.

        Raises:
            Unavailable, Denied: as the API answers.
            ZoneNotFound: there is none, or more than one.
        """
        with self._lock:
            if self._found is None:
                self._found = self._find()
                self._seen_at = time.monotonic()
            return self._found

    def confirm(self) -> None:
        """Makes sure that the zone is still there, if that is not fresh knowledge.

        A record set that is absent and one whose zone has gone look much alike, and must not be confused: an empty
        set means that all hosts have left.

        Raises:
            Unavailable, Denied, ZoneNotFound: as for `zone`.
        """
        with self._lock:
            found = self._found
            if found is None or time.monotonic() < self._seen_at + _TRUSTED_FOR:
                return
        self.forget()
        self.zone()

    def forget(self) -> None:
        """The next caller looks the zone up anew."""
        with self._lock:
            self._found = None

    def _find(self) -> Zone:
        group, name, zones = self._wanted.resource_group, self._wanted.name, self._client.zones
        if group is not None and name is not None:
            return self._best(
                _asked(f"the zone {name} in the resource group {group}", lambda: [zones.get(group, name)])
            )
        if group is not None:
            found = _asked(f"the zones in the resource group {group}", lambda: zones.list_by_resource_group(group))
        else:
            found = _asked(f"the zones of the subscription {self._wanted.subscription}", zones.list)
        return self._best(found)

    def _best(self, zones: Iterable[AzureZone]) -> Zone:
        fitting = [zone for each in zones if (zone := self._fitting(each)) is not None]
        if not fitting:
            asked = f"the zone {self._wanted.name}" if self._wanted.name else f"a public zone that holds {self._fqdn}"
            where = self._wanted.resource_group or f"the subscription {self._wanted.subscription}"
            raise ZoneNotFound(
                f"{where} has not got {asked}, as far as these credentials can see; check zone, resource_group,"
                " subscription_id and the role on the zone (`az network dns zone list`)"
            )
        longest = max(len(zone.name) for zone in fitting)
        best = [zone for zone in fitting if len(zone.name) == longest]
        if len(best) > 1:
            candidates = " or ".join(sorted(map(str, best)))
            raise ZoneNotFound(f"{self._fqdn} may be in {candidates}; set resource_group to the one that is meant")
        return best[0]

    def _fitting(self, found: AzureZone) -> Zone | None:
        # Zones of type Private belong to a preview of the API that is long gone; private zones are another service.
        if found.id is None or found.name is None or (found.zone_type or "Public") != "Public":
            return None
        try:
            zone = Zone(_group_of(found.id), normalise_name(found.name))
        except ValueError:  # a reverse zone with a name of its own kind; it holds no host
            return None
        if self._wanted.name is not None:
            return zone if zone.name == self._wanted.name else None
        return zone if zone.relative(self._fqdn) is not None else None


def _asked(what: str, ask: Callable[[], Iterable[AzureZone]]) -> list[AzureZone]:
    """All of the zones that the API names, page by page."""
    with boundary(what, commit=False):
        try:
            found = list(ask())
        except (AttributeError, TypeError) as error:  # the SDK looks into an answer without asking what it is
            raise Unavailable(
                f"{what}: the answer is no list of zones, it is not from Azure DNS; check base_url"
            ) from error
    if None in found:
        raise Unavailable(f"{what}: the answer is empty, it is not from Azure DNS; check base_url")
    return found


def _group_of(resource_id: str) -> str:
    parts = resource_id.split("/")
    position = [part.lower() for part in parts].index("resourcegroups")
    return parts[position + 1]
