"""What can be written under `record_manager: {plugin: route53}`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dnslb import DomainName, option
from dnslb_aws.options import AwsOptions

MAX_VALUES = 400
"""The values that a record set may hold.

https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DNSLimitations.html
"""

_ZONE_ID = re.compile(r"(?:/?hostedzone/)?([A-Z0-9]{1,32})")


@dataclass(frozen=True, kw_only=True)
class Route53Options(AwsOptions):
    """The hosted zone, and who dnslb is to AWS.

    Raises:
        ValueError: the id of the zone is not one, or what AwsOptions says.
    """

    hosted_zone_id: str | None = option(None, help="the hosted zone by its id")
    zone: DomainName | None = option(
        None, help="the hosted zone by its name; without either, the longest that holds the fqdn"
    )
    private: bool = option(False, help="look for a private hosted zone, not a public one; an id needs no looking for")
    region: str | None = option(None, help="the region of the AWS session; Route 53 itself has none")
    endpoint_url: str | None = option(None, help="another address of the Route 53 API, by HTTPS")

    def __post_init__(self) -> None:
        """Checks what all options on AWS have in common, and the id of the zone."""
        super().__post_init__()
        if self.hosted_zone_id is not None and not _ZONE_ID.fullmatch(self.hosted_zone_id):
            raise ValueError(f"{self.hosted_zone_id!r} is not the id of a hosted zone; one looks like Z0123456789ABC")

    @property
    def zone_id(self) -> str | None:
        """The id of the hosted zone, without the `/hostedzone/` that AWS itself writes before it."""
        return self.hosted_zone_id and self.hosted_zone_id.rpartition("/")[2]
