"""Whose credentials are used, and in which region."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from dnslb import ConfigurationError, Unavailable

SEVEN = frozenset({ip_address("10.0.0.7")})
ROLE = "arn:aws:iam::123456789012:role/dnslb"


# -- credentials -------------------------------------------------------------------------------------------


def test_a_profile_that_is_not_there_is_a_mistake_of_the_configuration(cloud):
    for make in (cloud.filter, cloud.destroyer):
        with pytest.raises(ConfigurationError, match=r"there is no AWS profile 'wwww' for this user"):
            make(profile="wwww")


def test_a_role_is_assumed_at_the_same_address_and_gives_all_orders(cloud):
    cloud.launch(SubnetId=cloud.network()[1], PrivateIpAddress="10.0.0.7")
    cloud.destroyer(role_arn=ROLE).destroy(SEVEN)
    assert cloud.front.actions == ["AssumeRole", "DescribeInstances", "TerminateInstances"]
    first, *others = cloud.front.signers
    assert first == "nobody"
    assert len(set(others)) == 1
    assert others[0].startswith("ASIA"), "the calls are not signed by the role"


# -- the region --------------------------------------------------------------------------------------------


def test_without_a_region_it_is_that_of_this_instance_asked_for_once(cloud, metadata):
    abroad = cloud.client("ec2", "us-east-1")
    address = frozenset({ip_address(cloud.launch(client=abroad)["PrivateIpAddress"])})
    region = cloud.filter(region=None, metadata_endpoint=metadata.url + "/", cache=0.0)
    assert metadata.asked == []
    assert region.filter(address) == address
    assert region.filter(address) == address
    assert metadata.asked == ["placement/region"]


def test_the_region_of_a_profile_is_not_that_of_this_instance(cloud, metadata, monkeypatch):
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    cloud.launch(SubnetId=cloud.network()[1], PrivateIpAddress="10.0.0.7")
    assert cloud.filter(region=None, metadata_endpoint=metadata.url).filter(SEVEN) == frozenset()


@pytest.mark.parametrize("told", [(404, ""), (500, "")])
def test_a_metadata_service_that_does_not_know_the_region(cloud, metadata, told):
    metadata.told["placement/region"] = told
    with pytest.raises(Unavailable, match=rf"metadata service at {metadata.url} answered {told[0]}; give `region`"):
        cloud.filter(region=None, metadata_endpoint=metadata.url).filter(SEVEN)


@pytest.mark.parametrize("text", ["", "<html>", "us-east-1\nHost: x"])
def test_a_metadata_service_that_talks_nonsense(cloud, metadata, text):
    metadata.told["placement/region"] = 200, text
    with pytest.raises(Unavailable, match="cannot find the region of this instance"):
        cloud.filter(region=None, metadata_endpoint=metadata.url).filter(SEVEN)


def test_no_metadata_service(cloud):
    destroyer = cloud.destroyer(region=None, metadata_endpoint="http://127.0.0.1:9")
    with pytest.raises(Unavailable, match=r"no answer of the metadata service at .* \(.*refused\); give `region`"):
        destroyer.destroy(SEVEN)
