"""What can be written under `record_manager: {plugin: clouddns}`."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from dnslb import at_least, normalise_name, option

MAX_VALUES = 100
"""The values that a record set may hold, unless Google has raised the quota: https://cloud.google.com/dns/quotas."""

# https://cloud.google.com/dns/docs/reference/rest/v1/managedZones: the name, or the number that the service gave.
_ZONE_NAME = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?|[0-9]{1,20}")
_PROJECT = re.compile(r"([a-z0-9.-]+:)?[a-z0-9][a-z0-9-]*")


@dataclass(frozen=True, kw_only=True)
class CloudDnsOptions:
    """The managed zone, and who may change it.

    Raises:
        ValueError: the zone, the project or the address of the API cannot be one.
    """

    zone: str | None = option(
        None,
        help="the managed zone: its name or number, or its DNS name (with a dot in it); the one with the longest DNS"
        " name that holds the fqdn where left out",
    )
    private: bool = option(
        False, help="whether to look for a private zone; it makes no difference where `zone` is a name or number"
    )
    project: str | None = option(None, help="the id of the zone's project; that of the credentials where left out")
    credentials_file: Path | None = option(
        None,
        help="a file of credentials (service_account, external_account or authorized_user); the application default"
        " credentials where left out",
    )
    api_endpoint: str | None = option(
        None, help="another address of the API, https://HOST; http:// on the loopback interface only, for tests"
    )
    timeout: Annotated[float, at_least("100ms")] = option(
        10.0, help="how long to wait for a connection, and then for an answer"
    )

    def __post_init__(self) -> None:
        """Checks what would otherwise end up in the path of a request."""
        if self.zone is not None and self.zone_name is None:
            _require_dns_name(self.zone)
        if self.project is not None and not _PROJECT.fullmatch(self.project):
            raise ValueError(f"project {self.project!r} is not the id of a project, such as my-project-123")
        if self.api_endpoint is not None:
            _require_safe(self.api_endpoint)

    @property
    def zone_name(self) -> str | None:
        """The name or number in `zone`, where it is one."""
        return self.zone if self.zone and _ZONE_NAME.fullmatch(self.zone) else None

    @property
    def zone_dns_name(self) -> str | None:
        """The DNS name in `zone`, normalised, where it is one."""
        return normalise_name(self.zone) if self.zone and self.zone_name is None else None

    @property
    def is_plain_http(self) -> bool:
        """Whether the API is one on this host that speaks without TLS: a fake."""
        return self.api_endpoint is not None and urlsplit(self.api_endpoint).scheme == "http"


def _require_dns_name(text: str) -> None:
    try:
        normalise_name(text)
    except ValueError as error:
        raise ValueError(f"zone {text!r} is neither the name of a managed zone nor a DNS name: {error}") from None


def _require_safe(endpoint: str) -> None:
    url = urlsplit(endpoint)
    if url.scheme not in ("http", "https") or not url.hostname or url.path or url.query or "@" in url.netloc:
        raise ValueError(f"api_endpoint {endpoint!r} is not an address such as https://dns.googleapis.com")
    if url.scheme == "http" and not _is_loopback(url.hostname):
        raise ValueError(f"api_endpoint {endpoint!r} would send tokens without TLS; write https://")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False  # `localhost` too: its address is what the resolver says
