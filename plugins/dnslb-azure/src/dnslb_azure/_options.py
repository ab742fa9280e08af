"""What can be written under `record_manager: {plugin: azure}`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from dnslb import Secret, at_least, normalise_name, option

MAX_VALUES = 20
"""The records that a set may hold:
https://learn.microsoft.com/azure/azure-resource-manager/management/azure-subscription-service-limits#azure-dns-limits"""

MIN_TTL = 1
"""The lowest TTL in seconds: https://learn.microsoft.com/azure/dns/dns-zones-records#time-to-live"""

PUBLIC_CLOUD = "https://management.azure.com"

_ZONE_ID = re.compile(
    r"/subscriptions/(?P<subscription>[^/]+)/resourceGroups/(?P<group>[^/]+)"
    r"/providers/Microsoft\.Network/dnsZones/(?P<name>[^/]+)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class WantedZone:
    """What is known beforehand of where the zone is; None is not known."""

    subscription: str
    resource_group: str | None
    name: str | None


@dataclass(frozen=True, kw_only=True)
class AzureOptions:
    """The zone, the credentials and the API.

    Raises:
        ValueError: the subscription is missing, the zone is neither a name nor an id or contradicts the other options,
            credentials are half given, or `base_url` is not one.
    """

    zone: str | None = option(
        None, help="the zone's name or resource id; the longest zone that holds the fqdn where left out"
    )
    resource_group: str | None = option(
        None, help="the resource group of the zone; all of the subscription are searched where left out"
    )
    subscription_id: str | None = option(None, help="the subscription of the zone; not needed with a zone's id")
    tenant_id: str | None = option(None, help="the tenant of a service principal")
    client_id: str | None = option(None, help="the application (client) id of a service principal")
    client_secret: Secret | None = option(None, help="the secret of a service principal")
    managed_identity_client_id: str | None = option(None, help="the client id of a user-assigned managed identity")
    base_url: str = option(PUBLIC_CLOUD, help="the resource manager of the cloud")
    ca_file: Path | None = option(
        None, help="certificates (PEM) to trust in place of the well-known ones, for a base_url of your own"
    )
    timeout: Annotated[float, at_least("100ms")] = option(
        10.0, help="how long to wait for a connection, and for each answer"
    )

    def __post_init__(self) -> None:
        """Checks what no single field can tell."""
        self.wanted_zone()
        if {self.tenant_id, self.client_id, self.client_secret} != {None} and None in (
            self.tenant_id,
            self.client_id,
            self.client_secret,
        ):
            raise ValueError("tenant_id, client_id and client_secret belong together: give all three, or none")
        if self.client_secret is not None and self.managed_identity_client_id is not None:
            raise ValueError("a service principal and a managed identity are two: leave one out")
        _check_base_url(self.base_url)

    def wanted_zone(self) -> WantedZone:
        """The zone as far as the options say it.

        Raises:
            ValueError: they say nothing that can be used, or contradict each other.
        """
        if self.zone is not None and self.zone.startswith("/"):
            return self._zone_of_id(self.zone)
        if not self.subscription_id:
            raise ValueError("subscription_id is missing: the subscription of the zone")
        name = None if self.zone is None else normalise_name(self.zone)
        return WantedZone(self.subscription_id, self.resource_group, name)

    def _zone_of_id(self, text: str) -> WantedZone:
        found = _ZONE_ID.fullmatch(text)
        if not found:
            raise ValueError(f"{text!r} is not the id of a DNS zone; `az network dns zone show` prints it as `id`")
        for key, said in (("subscription_id", found["subscription"]), ("resource_group", found["group"])):
            other = getattr(self, key)
            if other is not None and other.lower() != said.lower():
                raise ValueError(f"{key} is {other!r}, and {said!r} in the id of the zone: leave {key} out")
        return WantedZone(found["subscription"], found["group"], normalise_name(found["name"]))


def _check_base_url(text: str) -> None:
    parts = urlsplit(text)
    if parts.scheme != "https" or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise ValueError(f"base_url is {text!r}; it must be https://HOST, since a token goes there")
