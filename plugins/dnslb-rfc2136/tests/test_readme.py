"""The README tells the truth: its tables are the code's, and its configurations run."""

from __future__ import annotations

import ast
import os
import re
import subprocess
from pathlib import Path

import dns.rcode
import pytest
import yaml

import dnslb_rfc2136
from dnslb import Change, Denied, ProviderError, RecordManager, RecordSet, RecordType, Snapshot, Unavailable
from dnslb.options import describe, parse_options
from dnslb.testing.nameservers import Bind, Knot, PowerDNS, find_program
from dnslb_rfc2136._options import Rfc2136Options

README = Path(__file__).parent.parent.joinpath("README.md").read_text(encoding="utf-8")

A, AAAA, TXT = RecordType.A, RecordType.AAAA, RecordType.TXT
WWW, BLOCKED, DESTROY = "www.example.com", "_blocked.www.example.com", "_destroy.www.example.com"


def section(title: str) -> str:
    """What stands under a heading, up to the next of the same depth."""
    depth, rest = re.search(rf"^(#+) {title}$(.*)", README, re.MULTILINE | re.DOTALL).groups()
    return re.split(rf"^{depth} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def block(title: str, language: str) -> str:
    """The one block of code in that language under a heading."""
    (found,) = re.findall(rf"```{language}\n(.*?)```", section(title), re.DOTALL)
    return found


def rows(title: str) -> list[list[str]]:
    """The cells of the table under a heading, without its head."""
    lines = [line for line in section(title).splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def shell(script: str, *, path: Path | None = None) -> str:
    folders = [str(path)] if path else []
    environment = os.environ | {"PATH": os.pathsep.join([*folders, os.environ["PATH"], "/usr/sbin"])}
    done = subprocess.run(["sh", "-ec", script], env=environment, capture_output=True, text=True, check=True)
    return done.stdout


# -- tables ------------------------------------------------------------------------------------------------


def test_the_options_are_those_of_the_plugin():
    expected = [
        [f"`{option.name}`", "required" if option.required else option.default, option.help]
        for option in describe(Rfc2136Options)
    ]
    assert rows("Configuration") == expected


def test_every_line_of_the_troubleshooting_table_is_one_that_the_plugin_writes():
    source = Path(dnslb_rfc2136.__file__).parent.glob("*.py")
    nodes = [node for path in source for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))]
    written = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    known = [f"({dns.rcode.to_text(code, tsig=True)})" for code in range(19)]
    fragments = [cells[0].strip("`") for cells in rows("Troubleshooting")]
    assert len(fragments) > 10
    for fragment in fragments:
        assert any(fragment in text for text in [*written, *known]), f"nothing says {fragment!r}"


# -- configurations ----------------------------------------------------------------------------------------


def test_the_configuration_of_dnslb_is_understood(tmp_path):
    secret = tmp_path / "tsig.secret"
    secret.write_text("a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=\n")
    secret.chmod(0o600)
    written = yaml.safe_load(block("Configuration", "yaml").replace("/etc/dnslb/tsig.secret", str(secret)))
    options = written["record_manager"]
    assert options.pop("plugin") == "rfc2136"
    problems = []
    assert parse_options(Rfc2136Options, options, base=tmp_path, problems=problems) is not None, problems


def unread(name: str, type: RecordType) -> Snapshot:
    return Snapshot(RecordSet(name, type), ())


def to_one_value(before: Snapshot) -> Change:
    value = {A: "192.0.2.1", AAAA: "2001:db8::1", TXT: "Hold=1"}[before.record_set.type]
    return Change(before, before.record_set.holding([value], ttl=60))


def check_the_permissions(
    manager: RecordManager, refused: type[ProviderError], more: list[tuple[str, RecordType]]
) -> None:
    """What dnslb needs is allowed, apart and in one commit, and what it does not need is refused."""
    needed = [(WWW, A), (WWW, AAAA), (BLOCKED, TXT), (DESTROY, TXT)]
    manager.commit([to_one_value(manager.read(*each)) for each in needed])
    for each in needed:
        manager.commit([Change(manager.read(*each), RecordSet(*each))])
        assert not manager.read(*each).record_set.exists
    for name, type in [("mail.example.com", A), ("a.www.example.com", A), ("example.com", TXT), *more]:
        with pytest.raises(refused):
            manager.commit([to_one_value(unread(WWW, A)), to_one_value(unread(name, type))])
        assert not manager.read(WWW, A).record_set.exists, "an update was applied in part"
        assert not manager.read(name, type).record_set.exists


def test_the_configuration_of_bind_allows_what_is_needed_and_nothing_else(tmp_path, connect, require):
    require(Bind.missing())
    secret = shell(block("BIND", "sh").replace("/etc/bind", str(tmp_path))).strip()
    config = block("BIND", "named").replace("/etc/bind", str(tmp_path)).replace("/var/lib/bind/example.com.db", "zone")
    with Bind("example.com", key_name="dnslb-www", key_secret=secret, config=config) as server:
        check_the_permissions(connect(server), Denied, [(WWW, TXT), (BLOCKED, A), (DESTROY, AAAA)])


def test_the_configuration_of_knot_allows_what_is_needed_and_hardly_more(tmp_path, connect, require):
    require(Knot.missing())
    secret = shell(block("Knot DNS", "sh").replace("/etc/knot", str(tmp_path))).strip()
    config = block("Knot DNS", "yaml").replace("/etc/knot", str(tmp_path))
    with Knot("example.com", key_name="dnslb-www", key_secret=secret, config=config) as server:
        check_the_permissions(connect(server), Denied, [])


def test_the_configuration_of_powerdns_allows_what_is_needed_and_nothing_else(tmp_path, connect, require):
    require(PowerDNS.missing())
    (tmp_path / "dnslb.lua").write_text(block("PowerDNS", "lua"))
    with PowerDNS("example.com", config=block("PowerDNS", "ini").replace("/etc/powerdns", str(tmp_path))) as server:
        pdnsutil = tmp_path / "pdnsutil"
        pdnsutil.write_text(f'#!/bin/sh\nexec {find_program("pdnsutil")} --config-dir={server.folder} "$@"\n')
        pdnsutil.chmod(0o700)
        listed = shell(block("PowerDNS", "sh"), path=tmp_path)
        (server.key_secret,) = re.findall(r"^dnslb-www\. .* (\S+)$", listed, re.MULTILINE)
        server.key_name = "dnslb-www"
        manager = connect(server)
        check_the_permissions(manager, Unavailable, [(WWW, TXT), (BLOCKED, A), (DESTROY, AAAA)])
        with pytest.raises(Unavailable, match="SERVFAIL"):
            connect(server, key_name=None, key_secret=None).commit([to_one_value(unread(WWW, A))])
