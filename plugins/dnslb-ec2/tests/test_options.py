"""What may be written in the configuration, and what is said of the rest."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import pytest

from dnslb import Problem
from dnslb.options import parse_options
from dnslb_ec2._options import Ec2AddressOptions, Ec2DestroyerOptions, Ec2Options, Ec2RegionFilterOptions

T = TypeVar("T", bound=Ec2Options | Ec2AddressOptions)


def parse(kind: type[T], **written: object) -> tuple[T | None, list[str]]:
    problems: list[Problem] = []
    return parse_options(kind, written, base=Path(), problems=problems), [str(problem) for problem in problems]


def test_a_region_filter_needs_nothing():
    options, problems = parse(Ec2RegionFilterOptions)
    assert problems == []
    assert (options.region, options.tags, options.cache, options.timeout) == (None, None, 60.0, 5.0)
    assert options.states == ("pending", "running")
    assert options.by == ("primary", "secondary", "public", "ipv6")


def test_a_destroyer_needs_to_be_told_whom_it_may_terminate():
    for limit in ({"tags": {"cluster": "www"}}, {"own_group": True}, {"tags": {"cluster": "www"}, "own_group": True}):
        assert parse(Ec2DestroyerOptions, **limit)[1] == []
    for nothing in ({}, {"tags": {}}, {"own_group": False}):
        assert parse(Ec2DestroyerOptions, **nothing) == (
            None,
            ["any instance could be terminated; give the `tags` of this cluster's instances, or `own_group: true`"],
        )


def test_the_keys_of_the_reference_are_options():
    written = {"profile": "production", "role_arn": "arn:aws:iam::123456789012:role/dns"}
    for kind, more in ((Ec2RegionFilterOptions, {}), (Ec2DestroyerOptions, {"tags": {"cluster": "www"}})):
        options, problems = parse(kind, **written, **more)
        assert problems == []
        assert {"profile": options.profile, "role_arn": options.role_arn} == written


def test_everything_can_be_given():
    options, problems = parse(
        Ec2RegionFilterOptions,
        region="us-gov-west-1",
        profile="www",
        role_arn="arn:aws-us-gov:iam::123456789012:role/path/dnslb",
        external_id="4711",
        endpoint_url="https://vpce-1.ec2.us-gov-west-1.vpce.amazonaws.com",
        metadata_endpoint="http://[fd00:ec2::254]",
        vpc_id="vpc-0123456789abcdef0",
        subnet_ids=["subnet-01234567", "subnet-0123456789abcdef0"],
        tags={"cluster": "www", "empty": ""},
        states=["running", "stopped"],
        by=["public"],
        cache="0s",
        timeout="1.5s",
    )
    assert problems == []
    assert (options.states, options.by, options.cache) == (("running", "stopped"), ("public",), 0.0)


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ({"region": "Ireland"}, "region: 'Ireland' is not one; they look like eu-west-1"),
        ({"region": "eu-west-1a"}, "region: 'eu-west-1a' is not one"),
        ({"vpc_id": "www"}, "vpc_id: 'www' is not one; they look like vpc-"),
        ({"subnet_ids": ["vpc-01234567"]}, "subnet_ids: 'vpc-01234567' is not one; they look like subnet-"),
        ({"states": []}, "states is empty"),
        ({"states": ["terminated"]}, "states: 'terminated' is not one of pending, running, stopping, stopped"),
        ({"by": []}, "by is empty"),
        ({"by": ["name"]}, "by: 'name' is not one of primary, secondary, public, ipv6"),
        ({"tags": {"": "www"}}, "tags: a key is empty"),
        ({"tags": {"stage": 1}}, "tags: 1 is a number here; put it in quotes"),
        ({"timeout": "0s"}, "timeout: 0s is too short"),
        ({"cache": 60}, "cache: 60 has no unit"),
        ({"endpoint_url": "http://ec2.eu-west-1.amazonaws.com"}, "is not encrypted; write https://"),
        ({"metadata_endpoint": "169.254.169.254"}, "is not a URL such as http://169.254.169.254"),
        ({"verify": False}, "verify: there is no such key"),
        ({"aws_profile": "www"}, "did you mean 'profile'?"),
    ],
)
@pytest.mark.parametrize("kind", [Ec2RegionFilterOptions, Ec2DestroyerOptions])
def test_what_is_wrong_is_said_in_one_line(kind, written, problem):
    needed = {"tags": {"cluster": "www"}} if kind is Ec2DestroyerOptions and "tags" not in written else {}
    if kind is Ec2DestroyerOptions and "cache" in written:
        problem = "cache: there is no such key"
    options, problems = parse(kind, **needed, **written)
    assert options is None
    assert len(problems) == 1
    assert problem in problems[0]


def test_an_address_source_needs_nothing():
    options, problems = parse(Ec2AddressOptions)
    assert problems == []
    assert (options.use, options.metadata_endpoint, options.timeout) == ("private", "http://169.254.169.254", 2.0)


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ({"use": "elastic"}, "use: 'elastic' is not one of private, public"),
        ({"timeout": "0s"}, "timeout: 0s is too short"),
        ({"metadata_endpoint": "169.254.169.254"}, "is not a URL such as http://169.254.169.254"),
        ({"region": "eu-west-1"}, "region: there is no such key"),
    ],
)
def test_what_is_wrong_with_an_address_source_is_said_in_one_line(written, problem):
    options, problems = parse(Ec2AddressOptions, **written)
    assert options is None
    assert len(problems) == 1
    assert problem in problems[0]
