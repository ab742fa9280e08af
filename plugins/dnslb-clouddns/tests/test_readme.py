"""The operator's page is true: the role is what is needed and no more, the options and the errors are the plugin's."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
import yaml

import dnslb_clouddns
from dnslb import Change, Denied, RecordSet, RecordType, Snapshot
from dnslb.options import describe, parse_options
from dnslb_clouddns import _manager
from dnslb_clouddns._options import CloudDnsOptions

README = Path(__file__).parent.parent.joinpath("README.md").read_text(encoding="utf-8")

A, TXT = RecordType.A, RecordType.TXT
WWW = "www.ex.test"


def section(title: str) -> str:
    """What stands under a heading, up to the next of the same depth."""
    depth, rest = re.search(rf"^(#+) {title}$(.*)", README, re.MULTILINE | re.DOTALL).groups()
    return re.split(rf"^{depth} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def rows(title: str) -> list[list[str]]:
    """The cells of the table under a heading, without its head."""
    lines = [line for line in section(title).splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def role(name: str) -> frozenset[str]:
    """The permissions of a role that is made there."""
    commands = section("Permissions").replace("\\\n", " ")
    (found,) = re.findall(rf"gcloud iam roles create {name} .*--permissions=(\S+)", commands)
    return frozenset(found.split(","))


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(_manager, "_POLL_INTERVAL", 0.01)


def use(connect, fake, **options: object) -> set[str]:
    """Does all that the plugin can do; the permissions that it took."""
    start = len(fake.calls)
    fake.polls = 2
    manager = connect(**options)
    for values in (["192.0.2.1"], ["192.0.2.1", "192.0.2.2"], []):
        before = manager.read(WWW, A)
        receipt = manager.commit([Change(before, before.record_set.holding(values, 60))])
        assert manager.wait(receipt, 30.0)
    manager.commit([Change(Snapshot(RecordSet(f"_blocked.{WWW}", TXT)), RecordSet(f"_blocked.{WWW}", TXT))])
    return {permission for call in fake.calls[start:] for permission in call.permissions}


def test_the_role_is_what_is_needed_for_a_zone_that_is_named(fake, connect):
    fake.granted = role("dnslb")
    assert use(connect, fake, zone="ex-test") == fake.granted


@pytest.mark.parametrize("zone", [None, "ex.test"])
def test_with_a_second_role_the_zone_is_found(fake, connect, zone):
    fake.granted = role("dnslb")
    with pytest.raises(Denied, match=r"Permission 'dns\.managedZones\.list' denied .*check the credentials"):
        use(connect, fake, zone=zone)
    fake.granted |= role("dnslb_find")
    assert use(connect, fake, zone=zone) == fake.granted - {"dns.managedZones.get"}


@pytest.mark.parametrize("permission", sorted(role("dnslb")))
def test_no_permission_is_spare(fake, connect, permission):
    fake.granted = role("dnslb") - {permission}
    with pytest.raises(Denied, match=permission):
        use(connect, fake, zone="ex-test")


def test_the_grant_names_the_role_and_the_account_that_are_made():
    text = section("Permissions")
    (binding,) = yaml.safe_load(re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)[0])["bindings"]
    project = re.search(r"gcloud iam service-accounts create dnslb-www --project=(\S+)", text)[1]
    assert binding["role"] == f"projects/{project}/roles/dnslb"
    assert binding["members"] == [f"serviceAccount:dnslb-www@{project}.iam.gserviceaccount.com"]


def test_the_options_are_those_of_the_plugin():
    expected = [
        [f"`{option.name}`", "required" if option.required else option.default, option.help]
        for option in describe(CloudDnsOptions)
    ]
    assert rows("Configuration") == expected


def test_every_line_of_the_troubleshooting_table_is_one_that_the_plugin_writes():
    source = Path(dnslb_clouddns.__file__).parent.glob("*.py")
    written = [
        "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
        if isinstance(node, ast.JoinedStr)
        else str(node.value)
        for path in source
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.JoinedStr | ast.Constant)
    ]
    fragments = [cells[0].strip("`") for cells in rows("Troubleshooting")]
    assert len(fragments) > 10
    for fragment in fragments:
        assert any(fragment in text for text in written), f"nothing says {fragment!r}"


def test_the_configuration_of_dnslb_is_understood(tmp_path):
    written = yaml.safe_load(re.findall(r"```yaml\n(.*?)```", section("Configuration"), re.DOTALL)[0])
    options = written["record_manager"]
    assert options.pop("plugin") == "clouddns"
    problems = []
    assert parse_options(CloudDnsOptions, options, base=tmp_path, problems=problems) is not None, problems
