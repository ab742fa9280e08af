"""The calls of AWS that the plugin makes."""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from dnslb import Address
from dnslb_ec2._clients import Clients
from dnslb_ec2._instances import Instance, instance_from
from dnslb_ec2._options import AddressKind, Ec2Options

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import FilterTypeDef

PAGE_SIZE = 1000
"""Instances in one answer, the most that there can be."""

_MAX_FILTER_VALUES = 200
"""The most values that a filter takes: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Filter.html"""

_NEVER_PUBLIC = tuple(
    ipaddress.IPv4Network(text) for text in ("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16")
)
"""RFC 1918 and RFC 6598. The other way round there is no telling: a VPC may use public addresses inside."""

_FILTERS: Mapping[AddressKind, tuple[str, ...]] = {
    "primary": ("private-ip-address",),
    "secondary": ("network-interface.addresses.private-ip-address",),
    "public": ("ip-address", "network-interface.addresses.association.public-ip"),
    "ipv6": ("network-interface.ipv6-addresses.ipv6-address",),
}
"""How DescribeInstances is asked for an address of each kind."""


class Ec2Api:
    """One region of one account.

    Nothing is sent before the first question; the region of this instance is asked for once.

    Raises:
        ConfigurationError: there is no such profile, or AWS's own configuration files cannot be read.
    """

    def __init__(self, options: Ec2Options) -> None:
        self._options = options
        self._clients = Clients(options)

    @property
    def region(self) -> str:
        """The region that is asked.

        Raises:
            Unavailable: it is not configured, and the metadata service does not tell it.
        """
        return self._clients.region

    # -- questions ------------------------------------------------------------------------------------------

    def carriers(self, addresses: frozenset[Address]) -> list[Instance]:
        """All instances in the configured network, in whatever state, that carry one of `addresses`.

        The filters of the API narrow the answer and decide nothing: what came back is checked here.

        Raises:
            Unavailable, Throttled: no answer.
            Denied, Rejected: the credentials do not allow it, or there are none.
        """
        kinds = self._options.by
        found = {instance.id: instance for instance in self._asked_by_address(addresses)}
        return [
            instance
            for instance in found.values()
            if instance.is_in_network(self._options) and any(instance.carries(each, kinds) for each in addresses)
        ]

    def instance(self, instance_id: str) -> Instance | None:
        """The instance with that id, or None where AWS no longer knows it.

        Raises:
            Unavailable, Throttled, Denied, Rejected: as `carriers`.
        """
        found = self._describe(instance_id, [{"Name": "instance-id", "Values": [instance_id]}])
        return next((instance for instance in found if instance.id == instance_id), None)

    def _asked_by_address(self, addresses: frozenset[Address]) -> Iterator[Instance]:
        for name, those in self._questions(addresses):
            for values in _batches(sorted(map(str, those)), _MAX_FILTER_VALUES):
                about = f"the instances with {values[0]}" + (f" and {len(values) - 1} more" if values[1:] else "")
                yield from self._describe(about, [{"Name": name, "Values": values}])

    def _questions(self, addresses: frozenset[Address]) -> Iterator[tuple[str, list[Address]]]:
        """The names of filters, each with the addresses that can be of that kind."""
        v4: list[Address] = [address for address in addresses if address.version == 4]
        can_be: Mapping[AddressKind, list[Address]] = {
            "primary": v4,
            "secondary": v4,
            "public": [address for address in v4 if not any(address in network for network in _NEVER_PUBLIC)],
            "ipv6": [address for address in addresses if address.version == 6],
        }
        # The filter for secondary addresses finds the primary ones too.
        kinds = set(self._options.by) - ({"primary"} if "secondary" in self._options.by else set())
        for kind in sorted(kinds):
            if can_be[kind]:
                yield from ((name, can_be[kind]) for name in _FILTERS[kind])

    def _describe(self, about: str, filters: list[FilterTypeDef]) -> list[Instance]:
        with self._clients.calling(f"cannot list {about} in {self.region}"):
            pages = (
                self._clients.ec2()
                .get_paginator("describe_instances")
                .paginate(Filters=filters, PaginationConfig={"PageSize": PAGE_SIZE})
            )
            reservations = itertools.chain.from_iterable(page.get("Reservations") or () for page in pages)
            return [instance_from(described) for reservation in reservations for described in reservation["Instances"]]

    # -- orders ---------------------------------------------------------------------------------------------

    def terminate(self, instance: Instance) -> None:
        """Orders the end of an instance, by its Auto Scaling group if it belongs to one.

        The group's desired capacity stays as it is, so that the group starts another one.

        Raises:
            OutcomeUnknown: the order was sent and the reply was lost.
            Unavailable, Denied, Rejected: nothing was done.
        """
        with self._clients.calling(f"cannot terminate {instance.id} in {self.region}", order=True):
            if instance.group is not None:
                self._clients.auto_scaling().terminate_instance_in_auto_scaling_group(
                    InstanceId=instance.id, ShouldDecrementDesiredCapacity=False
                )
            else:
                self._clients.ec2(order=True).terminate_instances(InstanceIds=[instance.id])


def _batches(values: Iterable[str], size: int) -> Iterator[list[str]]:
    rest = iter(values)
    while batch := list(itertools.islice(rest, size)):
        yield batch
