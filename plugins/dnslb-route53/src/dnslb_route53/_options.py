"""What can be written under `record_manager: {plugin: route53}`."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit

from dnslb import DomainName, at_least, option

MAX_VALUES = 400
"""The values that a record set may hold.

https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DNSLimitations.html
"""

_ZONE_ID = re.compile(r"(?:/?hostedzone/)?([A-Z0-9]{1,32})")
_ROLE_ARN = re.compile(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/\S+")


@dataclass(frozen=True, kw_only=True)
class Route53Options:
    """The hosted zone, and who dnslb is to AWS.

    Raises:
        ValueError: the id of the zone or the role is not one, there is an external id for no role, or the API is
            to be asked over a network without TLS.
    """

    hosted_zone_id: str | None = option(None, help="the hosted zone by its id")
    zone: DomainName | None = option(
        None, help="the hosted zone by its name; without either, the longest that holds the fqdn"
    )
    private: bool = option(False, help="look for a private hosted zone, not a public one; an id needs no looking for")
    profile: str | None = option(None, help="the profile in the AWS configuration of the host")
    role_arn: str | None = option(None, help="the role to assume")
    external_id: str | None = option(None, help="the external id that the role asks for")
    region: str | None = option(None, help="the region of the AWS session; Route 53 itself has none")
    endpoint_url: str | None = option(None, help="another address of the Route 53 API, by HTTPS")
    timeout: Annotated[float, at_least("100ms")] = option(
        10.0, help="how long to wait for a connection, and then for an answer"
    )

    def __post_init__(self) -> None:
        """Checks what the form of a single field cannot tell."""
        if self.hosted_zone_id is not None and not _ZONE_ID.fullmatch(self.hosted_zone_id):
            raise ValueError(f"{self.hosted_zone_id!r} is not the id of a hosted zone; one looks like Z0123456789ABC")
        if self.role_arn is not None and not _ROLE_ARN.fullmatch(self.role_arn):
            raise ValueError(f"{self.role_arn!r} is not a role; one looks like arn:aws:iam::123456789012:role/dnslb")
        if self.external_id is not None and self.role_arn is None:
            raise ValueError("external_id belongs to role_arn; give both, or neither")
        if self.endpoint_url is not None:
            require_tls(self.endpoint_url)

    @property
    def zone_id(self) -> str | None:
        """The id of the hosted zone, without the `/hostedzone/` that AWS itself writes before it."""
        return self.hosted_zone_id and self.hosted_zone_id.rpartition("/")[2]


def require_tls(url: str) -> None:
    """Holds an address of the API to HTTPS; only this host itself may be asked without.

    Raises:
        ValueError: it is neither, or not a URL.
    """
    parts = urlsplit(url)
    host = parts.hostname
    if not host or parts.scheme not in ("http", "https"):
        raise ValueError(f"{url!r} is not the URL of an API; write https://HOST")
    if parts.scheme == "http" and not _is_loopback(host):
        raise ValueError(f"{url!r} would be asked without TLS, for everybody on the way to change; write https://")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
