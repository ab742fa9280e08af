"""The README tells the truth: its tables are the code's, and its policy is what the plugin needs."""

from __future__ import annotations

import ast
import fnmatch
import json
import re
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import yaml

import dnslb_aws
import dnslb_ec2
from dnslb.options import describe, parse_options
from dnslb_ec2._options import Ec2AddressOptions, Ec2DestroyerOptions, Ec2RegionFilterOptions

README = Path(__file__).parent.parent.joinpath("README.md").read_text(encoding="utf-8")

ACCOUNT = "arn:aws:ec2:eu-west-1:123456789012"
GROUP = "arn:aws:autoscaling:eu-west-1:123456789012:autoScalingGroup:930d940e:autoScalingGroupName/www"
ROLE = "arn:aws:iam::123456789012:role/dnslb"


def section(title: str) -> str:
    """What stands under a heading, up to the next of any depth."""
    return re.search(rf"^#+ {title}$(.*?)(?=^#|\Z)", README, re.MULTILINE | re.DOTALL)[1]


def blocks(title: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", section(title), re.DOTALL)


def rows(title: str) -> list[list[str]]:
    """The cells of the table under a heading, without its head."""
    lines = [line for line in section(title).splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def row(option) -> list[str]:
    return [f"`{option.name}`", "required" if option.required else option.default, option.help]


# -- tables ------------------------------------------------------------------------------------------------


def test_the_options_are_those_of_the_plugin():
    of_filter = [row(option) for option in describe(Ec2RegionFilterOptions)]
    of_destroyer = [row(option) for option in describe(Ec2DestroyerOptions)]
    assert rows("Configuration") == of_filter
    assert rows("For the destroyer") == [each for each in of_destroyer if each not in of_filter]
    assert {each[0] for each in of_filter} - {each[0] for each in of_destroyer} == {"`cache`"}
    assert rows("The own address") == [row(option) for option in describe(Ec2AddressOptions)]


def test_every_line_of_the_troubleshooting_table_is_one_that_the_plugin_writes():
    packages = (dnslb_aws, dnslb_ec2)
    sources = [path for package in packages for path in Path(package.__file__).parent.glob("*.py")]
    nodes = [node for path in sources for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))]
    written = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    fragments = [cells[0].strip("`") for cells in rows("Troubleshooting")]
    assert len(fragments) > 10
    for fragment in fragments:
        assert any(fragment in text for text in written), f"nothing says {fragment!r}"


def test_the_configuration_is_understood():
    (text,) = blocks("Configuration", "yaml")
    written = yaml.safe_load(text)
    for key, kind in (("region_filter", Ec2RegionFilterOptions), ("destroyer", Ec2DestroyerOptions)):
        options = written.pop(key)
        assert options.pop("plugin") == "ec2"
        problems = []
        assert parse_options(kind, options, base=Path(), problems=problems) is not None, problems
    assert written == {}


def test_the_configuration_of_the_own_address_is_understood():
    (text,) = blocks("The own address", "yaml")
    options = yaml.safe_load(text)["address"]
    assert options.pop("plugin") == "ec2"
    problems = []
    assert parse_options(Ec2AddressOptions, options, base=Path(), problems=problems) is not None, problems


# -- the policy --------------------------------------------------------------------------------------------


def policies() -> list[dict[str, Any]]:
    return [json.loads(text) for text in blocks("The policy", "json")]


def allows(policy: Mapping[str, Any], action: str, resource: str, **context: str) -> bool:
    """Whether IAM would allow it, as far as these policies go."""
    return any(
        statement["Action"] == action
        and fnmatch.fnmatchcase(resource, statement["Resource"])
        and statement.get("Condition", {}).keys() <= {"StringEquals"}
        and all(
            context.get(key) == value for key, value in statement.get("Condition", {}).get("StringEquals", {}).items()
        )
        for statement in policy["Statement"]
        if statement["Effect"] == "Allow"
    )


def calls(cloud) -> list[str]:
    """What was called, as IAM names it."""
    return [f"{service}:{action}" for service, action in zip(cloud.front.services, cloud.front.actions, strict=True)]


def granted(policy: Mapping[str, Any]) -> list[str]:
    return [statement["Action"] for statement in policy["Statement"]]


def test_the_policies_allow_the_calls_that_the_plugin_makes_and_nothing_is_spare(cloud):
    """It does all that it can do with tags."""
    _, subnet = cloud.network()
    (member,) = cloud.scale(subnet, "www", 1)
    alone = cloud.launch(SubnetId=subnet)
    both = frozenset(ip_address(each["PrivateIpAddress"]) for each in (member, alone))
    assert cloud.filter(role_arn=ROLE).filter(both | {ip_address("2001:db8::1")}) == both
    cloud.destroyer(role_arn=ROLE).destroy(both)
    by_tags, _, of_the_role = policies()
    assert sorted(granted(by_tags) + granted(of_the_role)) == sorted(set(calls(cloud)))


def test_the_policy_for_the_own_group_allows_the_calls_that_are_made_then_and_nothing_is_spare(cloud, metadata):
    here, failed = cloud.scale(cloud.network()[1], "www", 2)
    metadata.tell(instance_id=here["InstanceId"])
    address = frozenset({ip_address(failed["PrivateIpAddress"])})
    assert cloud.filter().filter(address) == address
    cloud.destroyer(tags=None, own_group=True, metadata_endpoint=metadata.url).destroy(address)
    _, policy, _ = policies()
    assert sorted(granted(policy)) == sorted(set(calls(cloud)))
    terminate = "autoscaling:TerminateInstanceInAutoScalingGroup"
    assert allows(policy, terminate, GROUP)
    assert not allows(policy, terminate, GROUP.replace("/www", "/api"))
    assert not allows(policy, terminate, GROUP.replace("eu-west-1", "us-east-1"))


def test_only_what_carries_the_tag_can_be_terminated():
    policy, *_ = policies()
    tagged, other = {"aws:ResourceTag/cluster": "www"}, {"aws:ResourceTag/cluster": "api"}
    for action, resource in (
        ("ec2:TerminateInstances", f"{ACCOUNT}:instance/i-0123456789abcdef0"),
        ("autoscaling:TerminateInstanceInAutoScalingGroup", GROUP),
    ):
        assert allows(policy, action, resource, **tagged)
        assert not allows(policy, action, resource, **other)
        assert not allows(policy, action, resource)
        assert not allows(policy, action, resource.replace("eu-west-1", "us-east-1"), **tagged)
        assert not allows(policy, action, resource.replace("123456789012", "210987654321"), **tagged)


def test_the_tag_of_the_policy_is_that_of_the_configuration():
    (text,) = blocks("Configuration", "yaml")
    tags = {f"aws:ResourceTag/{key}": value for key, value in yaml.safe_load(text)["destroyer"]["tags"].items()}
    terminating = [each for each in policies()[0]["Statement"] if "Terminate" in each["Action"]]
    assert len(terminating) == 2
    assert [each["Condition"] for each in terminating] == [{"StringEquals": tags}] * 2


def test_instances_of_one_region_can_be_listed():
    for policy in policies()[:2]:
        assert allows(policy, "ec2:DescribeInstances", "*", **{"aws:RequestedRegion": "eu-west-1"})
        assert not allows(policy, "ec2:DescribeInstances", "*", **{"aws:RequestedRegion": "us-east-1"})


def test_one_role_can_be_assumed():
    *_, policy = policies()
    assert allows(policy, "sts:AssumeRole", ROLE)
    assert not allows(policy, "sts:AssumeRole", ROLE + "-admin")
