"""The plugin on the real EC2, where DNSLB_LIVE_EC2 names a region. Nothing is launched or terminated there."""

from __future__ import annotations

import os
from ipaddress import ip_address
from typing import Any

import pytest
from botocore.session import Session

from dnslb import Rejected, Service
from dnslb.testing.region_filters import STRANGERS
from dnslb_ec2 import dnslb_destroyers, dnslb_region_filters
from dnslb_ec2._options import Ec2DestroyerOptions, Ec2RegionFilterOptions

REGION = os.environ.get("DNSLB_LIVE_EC2", "")
SERVICE = Service("www.example.com", 443)
pytestmark = pytest.mark.skipif(not REGION, reason="DNSLB_LIVE_EC2 names no region to read")


@pytest.fixture(autouse=True)
def environment() -> None:
    """In place of the one of the other tests: whoever runs these has credentials."""


def running() -> list[dict[str, Any]]:
    client: Any = Session().create_client("ec2", region_name=REGION)
    asked = {"Filters": [{"Name": "instance-state-name", "Values": ["running"]}]}
    pages = client.get_paginator("describe_instances").paginate(**asked)
    return [each for page in pages for reservation in page["Reservations"] for each in reservation["Instances"]]


def test_the_running_instances_of_the_region_are_in_it_and_strangers_are_not():
    kinds = ("PrivateIpAddress", "PublicIpAddress", "Ipv6Address")
    texts = [each[kind] for each in running() for kind in kinds if each.get(kind)]
    inside = frozenset(ip_address(text) for text in texts[:50])
    (registration,) = dnslb_region_filters()
    found = registration.factory(Ec2RegionFilterOptions(region=REGION), SERVICE).filter(inside | STRANGERS)
    assert found == inside


def test_a_stranger_is_not_destroyed():
    (registration,) = dnslb_destroyers()
    destroyer = registration.factory(Ec2DestroyerOptions(region=REGION, tags={"dnslb-test": "never"}), SERVICE)
    with pytest.raises(Rejected, match="no instance carries"):
        destroyer.destroy(STRANGERS)
