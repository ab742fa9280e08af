"""What can be written under `region_filter:`, `destroyer:` and `address: {plugin: ec2}`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from dnslb import at_least, option
from dnslb_aws.options import AwsOptions

AddressKind = Literal["primary", "secondary", "public", "ipv6"]

State = Literal["pending", "running", "stopping", "stopped"]
"""The states that an instance can still come back from: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-lifecycle.html"""

METADATA = "http://169.254.169.254"
"""The instance metadata service, the same on every instance."""

REGION = re.compile(r"[a-z]{2,8}(-[a-z]+)+-[0-9]{1,2}")
_VPC = re.compile(r"vpc-[0-9a-f]{8,17}")
_SUBNET = re.compile(r"subnet-[0-9a-f]{8,17}")


@dataclass(frozen=True, kw_only=True)
class Ec2Options(AwsOptions):
    """The region and the account that are asked, and which of their instances count.

    Raises:
        ValueError: an identifier has not the form that AWS gives it, or a list is empty.
    """

    region: str | None = option(None, help="the region, such as eu-west-1; that of this instance where left out")
    endpoint_url: str | None = option(
        None, help="where the APIs of EC2, Auto Scaling and STS are, instead of AWS's own addresses"
    )
    metadata_endpoint: str = option(METADATA, help="where the instance metadata service is")
    vpc_id: str | None = option(None, help="only instances of this VPC")
    subnet_ids: tuple[str, ...] = option((), help="only instances of these subnets")
    states: tuple[State, ...] = option(
        ("pending", "running"), help="only instances in these states: pending, running, stopping, stopped"
    )
    by: tuple[AddressKind, ...] = option(
        ("primary", "secondary", "public", "ipv6"),
        help="which addresses of an instance count: primary and secondary private IPv4, public IPv4, IPv6",
    )
    timeout: Annotated[float, at_least("100ms")] = option(5.0, help="how long to wait for one answer of AWS")

    def __post_init__(self) -> None:
        """Checks what all options on AWS have in common, and what the forms of the other fields cannot tell."""
        super().__post_init__()
        _check("region", self.region, REGION, "eu-west-1")
        _check("vpc_id", self.vpc_id, _VPC, "vpc-0123456789abcdef0")
        for subnet in self.subnet_ids:
            _check("subnet_ids", subnet, _SUBNET, "subnet-0123456789abcdef0")
        if not self.states:
            raise ValueError("states is empty, so no instance would count; leave it out for pending and running")
        if not self.by:
            raise ValueError("by is empty, so no address would count; leave it out for all kinds")
        _check_metadata_endpoint(self.metadata_endpoint)


@dataclass(frozen=True, kw_only=True)
class Ec2RegionFilterOptions(Ec2Options):
    """The options of `region_filter: {plugin: ec2}`."""

    tags: dict[str, str] | None = option(None, help="only instances that carry all of these tags")
    cache: Annotated[float, at_least("0s")] = option(60.0, help="how long an answer is kept; 0s to ask each time")

    def __post_init__(self) -> None:
        """Checks what all options have in common, and the tags."""
        super().__post_init__()
        _check_tags(self.tags or {})


@dataclass(frozen=True, kw_only=True)
class Ec2DestroyerOptions(Ec2Options):
    """The options of `destroyer: {plugin: ec2}`; without a limit it would be let loose on every instance there is."""

    tags: dict[str, str] | None = option(
        None, help="only instances that carry all of these tags are terminated: {cluster: www}"
    )
    own_group: bool = option(
        False, help="only instances of the Auto Scaling group that this instance is in are terminated"
    )

    def __post_init__(self) -> None:
        """Checks what all options have in common, and that something tells whom to terminate."""
        super().__post_init__()
        _check_tags(self.tags or {})
        if not self.tags and not self.own_group:
            raise ValueError(
                "any instance could be terminated; give the `tags` of this cluster's instances, or `own_group: true`"
            )


@dataclass(frozen=True, kw_only=True)
class Ec2AddressOptions:
    """The options of `address: {plugin: ec2}`, which asks this instance's metadata service and no API of AWS.

    Raises:
        ValueError: the address of the service is none.
    """

    use: Literal["private", "public"] = option(
        "private", help="which IPv4 address of the instance; its IPv6 address is registered with either"
    )
    metadata_endpoint: str = option(METADATA, help="where the instance metadata service is")
    timeout: Annotated[float, at_least("100ms")] = option(
        2.0, help="how long to wait for one answer of the instance metadata service"
    )

    def __post_init__(self) -> None:
        """Checks what the forms of the fields cannot tell."""
        _check_metadata_endpoint(self.metadata_endpoint)


def _check(name: str, value: str | None, form: re.Pattern[str], example: str) -> None:
    if value is not None and not form.fullmatch(value):
        raise ValueError(f"{name}: {value!r} is not one; they look like {example}")


def _check_tags(tags: Mapping[str, str]) -> None:
    if not all(tags):
        raise ValueError("tags: a key is empty")


def _check_metadata_endpoint(url: str) -> None:
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"metadata_endpoint: {url!r} is not a URL such as {METADATA}")
