"""The region filter: whose addresses count, how long it remembers, and what it asks for."""

from __future__ import annotations

import concurrent.futures
from ipaddress import ip_address

import pytest

from dnslb import Address, Throttled, Unavailable
from dnslb_ec2 import _api, _region_filter


def addresses(*texts: str) -> frozenset[Address]:
    return frozenset(ip_address(text) for text in texts)


SEVEN, EIGHT = addresses("10.0.0.7"), addresses("10.0.0.8")


class Clock:
    """In place of `time`, for what the filter remembers."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(_region_filter, "time", clock)
    return clock


@pytest.fixture
def subnet(cloud) -> str:
    return cloud.network()[1]


# -- who counts --------------------------------------------------------------------------------------------


def test_the_network_limits_who_counts(cloud):
    (vpc, subnet), (_, other) = cloud.network(), cloud.network()
    cloud.launch(SubnetId=subnet, PrivateIpAddress="10.0.0.7")
    cloud.launch(SubnetId=other, PrivateIpAddress="10.0.0.8")
    both = SEVEN | EIGHT
    assert cloud.filter().filter(both) == both
    assert cloud.filter(vpc_id=vpc).filter(both) == SEVEN
    assert cloud.filter(subnet_ids=(other,)).filter(both) == EIGHT
    assert cloud.filter(subnet_ids=(subnet, other)).filter(both) == both
    assert cloud.filter(vpc_id=vpc, subnet_ids=(other,)).filter(both) == frozenset()


def test_tags_limit_who_counts(cloud, subnet):
    cloud.launch(SubnetId=subnet, PrivateIpAddress="10.0.0.7", tags={"cluster": "www", "stage": "live"})
    cloud.launch(SubnetId=subnet, PrivateIpAddress="10.0.0.8", tags={"cluster": "www", "stage": "test"})
    assert cloud.filter(tags={"cluster": "www"}).filter(SEVEN | EIGHT) == SEVEN | EIGHT
    assert cloud.filter(tags={"cluster": "www", "stage": "live"}).filter(SEVEN | EIGHT) == SEVEN
    assert cloud.filter(tags={"cluster": "*"}).filter(SEVEN | EIGHT) == frozenset()


def test_states_limit_who_counts(cloud, subnet):
    instance = cloud.launch(SubnetId=subnet, PrivateIpAddress="10.0.0.7")
    assert cloud.filter().filter(SEVEN) == SEVEN
    cloud.ec2.stop_instances(InstanceIds=[instance["InstanceId"]])
    assert cloud.filter().filter(SEVEN) == frozenset()
    assert cloud.filter(states=("running", "stopped")).filter(SEVEN) == SEVEN
    cloud.ec2.terminate_instances(InstanceIds=[instance["InstanceId"]])
    assert cloud.filter(states=("running", "stopped")).filter(SEVEN) == frozenset()


def test_a_filter_of_the_api_that_is_broken_does_not_bring_anybody_in(unfiltered):
    unfiltered.launch()
    assert unfiltered.filter().filter(addresses("10.99.99.99")) == frozenset()


# -- pages and requests ------------------------------------------------------------------------------------


def test_all_pages_are_read(cloud, subnet, monkeypatch):
    monkeypatch.setattr(_api, "PAGE_SIZE", 5)
    texts = [f"10.0.0.{number}" for number in range(10, 22)]
    for text in texts:
        cloud.launch(SubnetId=subnet, PrivateIpAddress=text)
    assert cloud.filter(by=("primary",)).filter(addresses(*texts)) == addresses(*texts)
    assert cloud.front.count("DescribeInstances") == 3


def test_a_request_names_at_most_200_addresses(cloud, subnet):
    cloud.launch(SubnetId=subnet, PrivateIpAddress="10.0.0.7")
    many = frozenset(ip_address("10.0.0.0") + number for number in range(450))
    assert cloud.filter(by=("primary",)).filter(many) == SEVEN
    named = [sum(key.startswith("Filter.1.Value.") for key in form) for form in cloud.front.forms]
    assert named == [200, 200, 50]


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ("10.0.0.7", ["network-interface.addresses.private-ip-address"]),
        (
            "198.51.100.7",
            [
                "ip-address",
                "network-interface.addresses.association.public-ip",
                "network-interface.addresses.private-ip-address",
            ],
        ),
        ("2001:db8::7", ["network-interface.ipv6-addresses.ipv6-address"]),
    ],
)
def test_an_address_is_asked_for_as_what_it_can_be(cloud, asked, names):
    cloud.filter().filter(addresses(asked))
    assert sorted(form["Filter.1.Name"] for form in cloud.front.forms) == names


def test_nothing_is_asked_before_the_first_question_nor_about_nothing(cloud):
    assert cloud.filter().filter(frozenset()) == frozenset()
    assert cloud.front.actions == []


# -- memory ------------------------------------------------------------------------------------------------


def test_an_answer_is_kept_for_a_while_and_no_longer(cloud, subnet, clock):
    instance = cloud.launch(SubnetId=subnet, PrivateIpAddress="10.0.0.7")
    region = cloud.filter(cache=60.0)
    assert region.filter(SEVEN) == SEVEN
    cloud.ec2.terminate_instances(InstanceIds=[instance["InstanceId"]])
    clock.now += 59
    assert region.filter(SEVEN) == SEVEN
    assert cloud.front.count("DescribeInstances") == 1
    clock.now += 2
    assert region.filter(SEVEN) == frozenset()


def test_not_mine_is_not_for_good(cloud, subnet, clock):
    region = cloud.filter(cache=60.0)
    assert region.filter(SEVEN) == frozenset()
    cloud.launch(SubnetId=subnet, PrivateIpAddress="10.0.0.7")
    assert region.filter(SEVEN) == frozenset()
    clock.now += 61
    assert region.filter(SEVEN) == SEVEN


def test_only_what_is_not_known_is_asked_for(cloud, subnet, clock):
    region = cloud.filter()
    region.filter(SEVEN)
    region.filter(SEVEN | EIGHT)
    assert [form["Filter.1.Value.1"] for form in cloud.front.forms] == ["10.0.0.7", "10.0.0.8"]


def test_without_a_cache_it_asks_each_time(cloud):
    region = cloud.filter(cache=0.0)
    region.filter(SEVEN)
    region.filter(SEVEN)
    assert cloud.front.count("DescribeInstances") == 2


def test_a_failure_is_not_remembered(cloud, subnet, answer):
    cloud.launch(SubnetId=subnet, PrivateIpAddress="10.0.0.7")
    region = cloud.filter()
    cloud.front.answers["DescribeInstances"] = answer("InternalError", status=500)
    with pytest.raises(Unavailable):
        region.filter(SEVEN)
    cloud.front.answers.clear()
    assert region.filter(SEVEN) == SEVEN


def test_what_has_expired_takes_no_memory(cloud, clock):
    region = cloud.filter()
    region.filter(frozenset(ip_address("10.1.0.0") + number for number in range(100)))
    clock.now += 61
    region.filter(SEVEN)
    assert len(region._known) == 1


def test_a_filter_that_is_throttled_asks_twice_and_no_more(cloud, answer):
    cloud.front.answers["DescribeInstances"] = answer("RequestLimitExceeded", status=503)
    with pytest.raises(Throttled):
        cloud.filter().filter(SEVEN)
    assert cloud.front.count("DescribeInstances") == 2


def test_it_can_be_asked_from_several_threads_at_once(cloud, subnet):
    cloud.launch(SubnetId=subnet, PrivateIpAddress="10.0.0.7")
    region = cloud.filter(cache=0.0)
    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        assert list(threads.map(region.filter, [SEVEN, EIGHT] * 8)) == [SEVEN, frozenset()] * 8
