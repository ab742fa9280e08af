"""The README tells the truth: its tables are the code's, its policy is what the plugin needs and nothing more."""

from __future__ import annotations

import ast
import fnmatch
import json
import re
import urllib.parse
from pathlib import Path
from typing import Any

import pytest
import yaml

import dnslb_aws
import dnslb_route53
from dnslb import Change, RecordSet, RecordType, Snapshot
from dnslb.options import describe, parse_options
from dnslb_route53._options import Route53Options

README = Path(__file__).parent.parent.joinpath("README.md").read_text(encoding="utf-8")

A, AAAA, TXT = RecordType.A, RecordType.AAAA, RecordType.TXT
WWW, BLOCKED, DESTROY = "www.example.com", "_blocked.www.example.com", "_destroy.www.example.com"
NEEDED = {(WWW, A): "192.0.2.1", (WWW, AAAA): "2001:db8::1", (BLOCKED, TXT): "Hold=1", (DESTROY, TXT): "Hold=1"}

ZONE_ID, ROLE = "Z0123456789ABC", "arn:aws:iam::123456789012:role/dnslb"
CONDITION = "route53:ChangeResourceRecordSets"

Call = tuple[str, str, dict[str, set[str]]]
"""An action, what it was done to, and the values of the condition keys."""


def section(title: str) -> str:
    """What stands under a heading, up to the next of the same depth."""
    depth, rest = re.search(rf"^(#+) {title}$(.*)", README, re.MULTILINE | re.DOTALL).groups()
    return re.split(rf"^{depth} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def blocks(title: str, language: str) -> list[str]:
    """The blocks of code in that language under a heading."""
    return re.findall(rf"```{language}\n(.*?)```", section(title), re.DOTALL)


def rows(title: str) -> list[list[str]]:
    """The cells of the table under a heading, without its head."""
    lines = [line for line in section(title).splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


# -- tables ------------------------------------------------------------------------------------------------


def test_the_options_are_those_of_the_plugin():
    expected = [
        [f"`{option.name}`", "required" if option.required else option.default, option.help]
        for option in describe(Route53Options)
    ]
    assert rows("Configuration") == expected


def test_every_line_of_the_troubleshooting_table_is_one_that_the_plugin_writes():
    packages = (dnslb_aws, dnslb_route53)
    sources = [path for package in packages for path in Path(package.__file__).parent.glob("*.py")]
    nodes = [node for path in sources for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))]
    written = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    fragments = [cells[0].strip("`") for cells in rows("Troubleshooting")]
    assert len(fragments) > 10
    for fragment in fragments:
        assert any(fragment in text for text in written), f"nothing says {fragment!r}"


def test_the_configuration_of_dnslb_is_understood(tmp_path):
    (written,) = blocks("Configuration", "yaml")
    options = yaml.safe_load(written)["record_manager"]
    assert options.pop("plugin") == "route53"
    problems = []
    assert parse_options(Route53Options, options, base=tmp_path, problems=problems) is not None, problems


# -- the policy --------------------------------------------------------------------------------------------


def statements() -> tuple[list[dict[str, Any]], dict[str, Any], dict[str, Any]]:
    """The policy, what searching for a zone adds to it, and what assuming a role does."""
    policy, searching, assuming = map(json.loads, blocks("Permissions", "json"))
    assert policy["Version"] == "2012-10-17"
    return policy["Statement"], searching, assuming


def as_list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def allows(statement: dict[str, Any], call: Call) -> bool:
    """Whether a statement allows a call, by the rules of IAM for what is used here."""
    action, resource, context = call
    conditions = dict(statement.get("Condition", {}))
    listed = conditions.pop("ForAllValues:StringEquals", {})
    assert not conditions
    return (
        statement["Effect"] == "Allow"
        and action in as_list(statement["Action"])
        and any(fnmatch.fnmatchcase(resource, pattern) for pattern in as_list(statement["Resource"]))
        and all(context.get(key, set()) <= set(allowed) for key, allowed in listed.items())
    )


def call_of(operation: str, parameters: dict[str, Any]) -> Call:
    """A call as AWS authorises it.

    https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonroute53.html
    """
    action = f"route53:{operation}"
    if operation == "GetChange":
        return action, f"arn:aws:route53:::change/{parameters['Id'].rpartition('/')[2]}", {}
    if operation == "ListHostedZonesByName":
        return action, "*", {}
    zone = f"arn:aws:route53:::hostedzone/{parameters.get('HostedZoneId') or parameters['Id']}"
    steps = parameters.get("ChangeBatch", {}).get("Changes", [])
    sets = [step["ResourceRecordSet"] for step in steps]
    context = {
        f"{CONDITION}Actions": {step["Action"] for step in steps},
        f"{CONDITION}NormalizedRecordNames": {each["Name"].lower().removesuffix(".") for each in sets},
        f"{CONDITION}RecordTypes": {each["Type"] for each in sets},
    }
    return action, zone, context if steps else {}


@pytest.fixture(scope="module")
def zone(ministack) -> str:
    return ministack.create_zone("example.com")


@pytest.fixture
def recorded(zone, connect):
    """`recorded(**options)`: a manager, and the list that its calls go to, with the zone's id as in the README."""

    def make(**options):
        manager = connect(WWW, **({"hosted_zone_id": zone} | options))
        calls: list[Call] = []

        def note(params, model, **_):
            action, resource, context = call_of(model.name, params)
            calls.append((action, resource.replace(zone, ZONE_ID), context))

        manager._api.client().meta.events.register("provide-client-params.route-53", note)
        return manager, calls

    return make


def work(manager) -> None:
    """All that an agent does: its records come, change and go, apart and together, and are waited for."""
    snapshots = {each: manager.read(*each) for each in NEEDED}
    receipt = manager.commit(
        [Change(old, old.record_set.holding([NEEDED[each]], 60)) for each, old in snapshots.items()]
    )
    manager.wait(receipt, 10)
    for each, value in NEEDED.items():
        before = manager.read(*each)
        manager.commit([Change(before, before.record_set.holding([value], 30))])
    for each in NEEDED:
        manager.commit([Change(manager.read(*each), RecordSet(*each))])


def refused(calls: list[Call], policy: list[dict[str, Any]]) -> list[Call]:
    return [call for call in calls if not any(allows(statement, call) for statement in policy)]


def test_the_policy_allows_every_call_of_an_agent_that_knows_its_zone(recorded):
    manager, calls = recorded()
    work(manager)
    policy, _, _ = statements()
    assert refused(calls, policy) == []


def test_the_policy_allows_every_call_of_an_agent_that_looks_for_its_zone(recorded):
    manager, calls = recorded(hosted_zone_id=None)
    work(manager)
    policy, searching, _ = statements()
    assert {action for action, _, _ in refused(calls, policy)} == {"route53:ListHostedZonesByName"}
    assert refused(calls, [*policy, searching]) == []
    assert "route53:GetHostedZone" not in {action for action, _, _ in calls}, "as the README says"


def test_nothing_in_the_policy_is_spare(recorded):
    manager, calls = recorded()
    work(manager)
    policy, searching, assuming = statements()
    assert sorted(action for each in policy for action in as_list(each["Action"])) == sorted(
        {call[0] for call in calls}
    )
    assert searching["Action"] == "route53:ListHostedZonesByName"
    assert assuming["Action"] == "sts:AssumeRole"
    (limits,) = [each["Condition"]["ForAllValues:StringEquals"] for each in policy if "Condition" in each]
    used = {key: set().union(*(context.get(key, set()) for _, _, context in calls)) for key in limits}
    assert used == {key: set(allowed) for key, allowed in limits.items()}


@pytest.mark.parametrize(
    ("name", "type", "value"),
    [
        ("mail.example.com", A, "192.0.2.1"),
        ("a.www.example.com", A, "192.0.2.1"),
        ("example.com", TXT, "v=spf1 -all"),
        ("_destroy.mail.example.com", TXT, "Hold=1"),
    ],
)
def test_the_policy_allows_no_other_name(recorded, name, type, value):
    manager, calls = recorded()
    wanted = RecordSet(name, type, (value,), 60)
    mine = Change(manager.read(WWW, A), RecordSet(WWW, A))
    manager.commit([mine, Change(Snapshot(RecordSet(name, type)), wanted)])
    manager.commit([Change(manager.read(name, type), RecordSet(name, type))])
    policy, _, _ = statements()
    assert {action for action, _, _ in refused(calls, policy)} == {"route53:ChangeResourceRecordSets"}
    assert len(refused(calls, policy)) == 2


@pytest.mark.parametrize(("key", "value"), [("Actions", "UPSERT"), ("RecordTypes", "CNAME"), ("RecordTypes", "NS")])
def test_the_policy_allows_no_other_action_or_type(recorded, key, value):
    manager, calls = recorded()
    work(manager)
    policy, _, _ = statements()
    action, resource, context = next(call for call in calls if call[2])
    other = (action, resource, context | {f"{CONDITION}{key}": {*context[f"{CONDITION}{key}"], value}})
    assert refused([other], policy) == [other]
    elsewhere = (action, resource.replace(ZONE_ID, "ZOTHER"), context)
    assert refused([elsewhere], policy) == [elsewhere]


def test_the_statement_for_a_role_allows_to_assume_it(connect, faults, monkeypatch, zone):
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", faults.url)
    connect(WWW, hosted_zone_id=zone, endpoint_url=faults.url, role_arn=ROLE).read(WWW, A)
    asked = [urllib.parse.parse_qs(seen.body.decode()) for seen in faults.seen if b"Version=2011-06-15" in seen.body]
    _, _, assuming = statements()
    calls: list[Call] = [(f"sts:{each['Action'][0]}", each["RoleArn"][0], {}) for each in asked]
    assert len(calls) == 1
    assert refused(calls, [assuming]) == []
