"""dnslb on Amazon EC2: a region filter and a destroyer that know instances by their addresses, and the own address."""

from __future__ import annotations

from collections.abc import Iterator

from dnslb import (
    AddressSource,
    AddressSourceType,
    Destroyer,
    DestroyerType,
    RegionFilter,
    RegionFilterType,
    Service,
    hookimpl,
)
from dnslb_ec2._options import Ec2AddressOptions, Ec2DestroyerOptions, Ec2RegionFilterOptions


def _make_region_filter(options: Ec2RegionFilterOptions, service: Service) -> RegionFilter:  # noqa: ARG001 - a factory
    # botocore stays out of the process until somebody selects this plugin.
    from dnslb_ec2._region_filter import Ec2RegionFilter  # noqa: PLC0415

    return Ec2RegionFilter(options)


def _make_destroyer(options: Ec2DestroyerOptions, service: Service) -> Destroyer:  # noqa: ARG001 - a factory
    from dnslb_ec2._destroyer import Ec2Destroyer  # noqa: PLC0415

    return Ec2Destroyer(options)


def _make_address_source(options: Ec2AddressOptions, service: Service) -> AddressSource:  # noqa: ARG001 - a factory
    from dnslb_ec2._address_source import Ec2AddressSource  # noqa: PLC0415

    return Ec2AddressSource(options)


@hookimpl
def dnslb_region_filters() -> Iterator[RegionFilterType]:
    """The region filter `ec2`."""
    yield RegionFilterType(
        name="ec2",
        summary="addresses of instances of one EC2 region",
        options=Ec2RegionFilterOptions,
        factory=_make_region_filter,
    )


@hookimpl
def dnslb_destroyers() -> Iterator[DestroyerType]:
    """The destroyer `ec2`."""
    yield DestroyerType(
        name="ec2",
        summary="terminates EC2 instances that carry the address and the tags, or are of the own group",
        options=Ec2DestroyerOptions,
        factory=_make_destroyer,
    )


@hookimpl
def dnslb_address_sources() -> Iterator[AddressSourceType]:
    """The address source `ec2`."""
    yield AddressSourceType(
        name="ec2",
        summary="the private or public address of this EC2 instance, as its metadata service tells it",
        options=Ec2AddressOptions,
        factory=_make_address_source,
    )
