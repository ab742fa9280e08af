"""Instances as the EC2 API describes them, reduced to what is decided on, and the questions that are asked of them.

Nothing here trusts a filter of the API: what came back is held against what was asked.
Source: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Instance.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dnslb import Address, parse_address
from dnslb_ec2._options import AddressKind, Ec2Options

GROUP_TAG = "aws:autoscaling:groupName"
"""Set by Auto Scaling on each instance of a group; nobody else can set tags that begin with `aws:`."""

_ENDED = frozenset({"shutting-down", "terminated"})


@dataclass(frozen=True, slots=True)
class Instance:
    """One instance.

    `addresses` holds those of each kind, `subnet` that of the primary interface.
    """

    id: str
    state: str
    vpc: str
    subnet: str
    tags: Mapping[str, str]
    addresses: Mapping[AddressKind, frozenset[Address]]

    @property
    def ended(self) -> bool:
        """Whether it is terminated or on its way there, from where no instance comes back."""
        return self.state in _ENDED

    @property
    def group(self) -> str | None:
        """The Auto Scaling group that it belongs to."""
        return self.tags.get(GROUP_TAG)

    def carries(self, address: Address, kinds: Iterable[AddressKind]) -> bool:
        """Whether `address` is one of its addresses of these kinds."""
        return any(address in self.addresses[kind] for kind in kinds)

    def is_in_network(self, options: Ec2Options) -> bool:
        """Whether it is in the VPC and in one of the subnets that are configured, if any are."""
        return options.vpc_id in (None, self.vpc) and (not options.subnet_ids or self.subnet in options.subnet_ids)

    def lacks(self, tags: Mapping[str, str]) -> dict[str, str]:
        """Those of `tags` that it does not carry with exactly that value."""
        return {key: value for key, value in tags.items() if self.tags.get(key) != value}


def instance_from(described: Mapping[str, Any]) -> Instance:
    """An instance from one element of the answer of DescribeInstances."""
    interfaces = described.get("NetworkInterfaces") or []
    private = [entry for interface in interfaces for entry in interface.get("PrivateIpAddresses") or []]
    primary = _parsed([described.get("PrivateIpAddress")])
    associations = [holder.get("Association") or {} for holder in (*interfaces, *private)]
    return Instance(
        id=described["InstanceId"],
        state=described["State"]["Name"],
        vpc=described.get("VpcId") or "",
        subnet=described.get("SubnetId") or "",
        tags={tag["Key"]: tag["Value"] for tag in described.get("Tags") or []},
        addresses={
            "primary": primary,
            "secondary": _parsed(entry.get("PrivateIpAddress") for entry in private) - primary,
            "public": _parsed([described.get("PublicIpAddress"), *(each.get("PublicIp") for each in associations)]),
            "ipv6": _parsed(_ipv6_texts(described, interfaces)),
        },
    )


def _ipv6_texts(described: Mapping[str, Any], interfaces: Iterable[Mapping[str, Any]]) -> Iterator[str | None]:
    yield described.get("Ipv6Address")
    for interface in interfaces:
        for entry in interface.get("Ipv6Addresses") or []:
            yield entry.get("Ipv6Address")


def _parsed(texts: Iterable[str | None]) -> frozenset[Address]:
    return frozenset(parse_address(text) for text in texts if text)
