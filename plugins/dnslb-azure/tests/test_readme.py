"""The README tells the truth: its tables are the code's, its configurations are understood, its role is enough."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest
import yaml

import dnslb_azure
from dnslb import Denied, RecordType
from dnslb.options import describe, parse_options
from dnslb_azure._options import AzureOptions

README = Path(__file__).parent.parent.joinpath("README.md").read_text(encoding="utf-8")
A, AAAA, TXT = RecordType.A, RecordType.AAAA, RecordType.TXT
WWW = "www.ex.test"


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


def role() -> dict:
    (written,) = blocks("The role", "json")
    return json.loads(written)


# -- tables and configurations -----------------------------------------------------------------------------


def test_the_options_are_those_of_the_plugin():
    expected = [
        [f"`{option.name}`", "required" if option.required else option.default, option.help]
        for option in describe(AzureOptions)
    ]
    assert rows("Configuration") == expected


@pytest.mark.parametrize("number", [0, 1], ids=["managed identity", "service principal"])
def test_the_configurations_are_understood(tmp_path, number):
    secret = tmp_path / "azure.secret"
    secret.write_text("secret\n")
    secret.chmod(0o600)
    written = yaml.safe_load(blocks("Configuration", "yaml")[number].replace("/etc/dnslb/azure.secret", str(secret)))
    options = written["record_manager"]
    assert options.pop("plugin") == "azure"
    problems = []
    parsed = parse_options(AzureOptions, options, base=tmp_path, problems=problems)
    assert parsed is not None, problems
    assert parsed.wanted_zone().name == "example.com"


def test_every_line_of_the_troubleshooting_table_is_one_that_the_plugin_writes():
    source = Path(dnslb_azure.__file__).parent.glob("*.py")
    nodes = [node for path in source for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))]
    written = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    fragments = [cells[0].strip("`") for cells in rows("Troubleshooting")]
    assert len(fragments) > 10
    for fragment in fragments:
        assert any(fragment in text for text in written), f"nothing says {fragment!r}"


# -- the role ----------------------------------------------------------------------------------------------


def use_all_of_it(connect, write, **options) -> None:
    """Everything that the plugin does: finding the zone, and each type created, replaced, read, waited for, deleted."""
    manager = connect(**options)
    for type, one, two in [(A, "192.0.2.1", "192.0.2.2"), (AAAA, "2001:db8::1", "2001:db8::2"), (TXT, "a=1", "a=2")]:
        manager.wait(write(manager, WWW, one, type=type), 1.0)
        manager.wait(write(manager, WWW, two, type=type), 1.0)
        write(manager, WWW, type=type)
        write(manager, WWW, type=type)


HOW_THE_ZONE_IS_FOUND = {
    "named": {},
    "in a resource group": {"zone": None},
    "in the subscription": {"zone": None, "resource_group": None},
}


@pytest.mark.parametrize("options", HOW_THE_ZONE_IS_FOUND.values(), ids=list(HOW_THE_ZONE_IS_FOUND))
def test_the_role_allows_all_that_the_plugin_does_and_nothing_else(dns, connect, write, options):
    dns.permitted = frozenset(role()["Actions"])
    use_all_of_it(connect, write, **options)
    assert {request.action for request in dns.requests} == dns.permitted


@pytest.mark.parametrize("action", role()["Actions"])
def test_no_action_of_the_role_is_spare(dns, connect, write, action):
    dns.permitted = frozenset(role()["Actions"]) - {action}
    with pytest.raises(Denied, match=re.escape(action)):
        use_all_of_it(connect, write)


def test_the_role_is_a_custom_one_without_exceptions():
    written = role()
    assert written["IsCustom"] is True
    assert written["NotActions"] == []
    assert not any("*" in action for action in written["Actions"])
