"""The plugin keeps dnslb's contract, on moto."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from dnslb import Address
from dnslb.testing import (
    AddressSourceConformance,
    DestroyerConformance,
    Fleet,
    OwnHost,
    Region,
    RegionFilterConformance,
    RegistrationConformance,
)

CLOSED = "http://127.0.0.1:9"


class TestRegistration(RegistrationConformance):
    name = "ec2"
    module = "dnslb_ec2"
    sdk = ("boto3", "botocore")


class TestRegionFilter(RegionFilterConformance):
    @pytest.fixture
    def region(self, cloud, address_of) -> Region:
        _, subnet = cloud.network()
        first = cloud.launch(SubnetId=subnet, PrivateIpAddress="10.0.0.7")
        second = cloud.launch(SubnetId=subnet, PrivateIpAddress="10.0.0.8", Ipv6AddressCount=1)
        ipv6 = second["NetworkInterfaces"][0]["Ipv6Addresses"][0]["Ipv6Address"]
        abroad = cloud.launch(client=cloud.client("ec2", "us-east-1"))
        return Region(
            make=cloud.filter,
            inside=frozenset({address_of(first), address_of(second), ip_address(ipv6), cloud.publish(second)}),
            outside=frozenset({address_of(abroad)}),
            broken=lambda: cloud.filter(endpoint_url=CLOSED),
        )


class TestDestroyer(DestroyerConformance):
    @pytest.fixture
    def fleet(self, cloud, address_of) -> Fleet:
        _, subnet = cloud.network()

        def launch() -> Address:
            return address_of(cloud.launch(SubnetId=subnet))

        def uncertain() -> Address:
            return address_of(cloud.launch(SubnetId=subnet, tags={"cluster": "api"}))

        return Fleet(
            make=cloud.destroyer,
            launch=launch,
            alive=cloud.alive,
            unknown=ip_address("10.0.0.250"),
            uncertain=uncertain,
            broken=lambda: cloud.destroyer(endpoint_url=CLOSED),
        )


class TestAddressSource(AddressSourceConformance):
    @pytest.fixture
    def host(self, metadata) -> OwnHost:
        def at(ipv4: str, ipv6: str) -> frozenset[Address]:
            metadata.tell(public_ipv4=ipv4, ipv6=ipv6)
            return frozenset(map(ip_address, (ipv4, ipv6)))

        return OwnHost(
            make=lambda: metadata.source(use="public"),
            addresses=at("198.51.100.7", "2001:db8::7"),
            move=lambda: at("198.51.100.8", "2001:db8::8"),
            broken=lambda: metadata.source(metadata_endpoint=CLOSED),
        )
