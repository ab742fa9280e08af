"""What `dnslb migrate` prints means the same as the file of the Go package that it was given."""

import dataclasses
import subprocess
import sys

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from dnslb import ConfigurationError, PluginNotFound, option
from dnslb.config import Config
from dnslb.document import read_document
from dnslb.migration import migrate
from dnslb.reference import FLAT_KEYS
from dnslb.registry import Registry

from pages import DOCS, blocks

FILE = """
fqdn: WWW.Example.com.
tcp_port: 443
check_interval: 1m30s
do_tls: true
minimum_failures: 4
all_regions: false
preserve: true
route53_hosted_zone_id: Z0123456789
aws_profile: production
aws_assume_role_arn: arn:aws:iam::123456789012:role/dns
"""


@dataclasses.dataclass(frozen=True)
class Options:
    """Whatever the flat keys stand for."""

    hosted_zone_id: str = option("", help="a zone")
    profile: str = option("", help="a profile")
    role_arn: str = option("", help="a role")
    own_group: bool = option(False, help="only the own group")
    mode: str = option("", help="how certificates are verified")
    path: str = option("", help="a path")


def factory(options, service):
    raise AssertionError("nothing is made of a configuration that is only looked at")


class Installed(Registry):
    """With every plugin that anybody names, whatever is installed here."""

    def select(self, kind, name):
        return kind(name=name, summary="", options=Options, factory=factory)


class Bare(Registry):
    """With no plugin at all."""

    def select(self, kind, name):
        raise PluginNotFound(f"the plugin {name!r} is not installed")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("migration")


@pytest.fixture
def migrated(folder):
    """What is printed for a text, as a value, and what is remarked."""

    def migrated(text, registry=None):
        file = folder / "old.yml"
        file.write_text(text, encoding="utf-8")
        migration = migrate(read_document(file), registry or Installed())
        said = [str(remark).replace(str(file), "old.yml") for remark in migration.remarks]
        return yaml.safe_load(migration.text), said

    return migrated


def meaning(file, text):
    """The settings that a text loads to, without the switches, whose meaning is in the plugins that are chosen."""
    file.write_text(text, encoding="utf-8")
    switches = {"do_tls": False, "all_regions": False, "preserve": False}
    return [
        dataclasses.replace(service, options=dataclasses.replace(service.options, **switches))
        for service in Config.load(file, Installed()).services
    ]


# -- any file ------------------------------------------------------------------------------------------------

switch = st.sampled_from([True, False, "yes", "Off", "on", None])
text = st.sampled_from(
    ["Z0123456789", "", "007", "yes", "arn:aws:iam::123456789012:role/dns", "größe # no comment", None]
)
selection = st.sampled_from(
    [None, "tcp", {"plugin": "ec2", "profile": "1:30"}, {"plugin": "route53"}, {"plugin": "tls"}]
)
keys = {
    "check_interval": st.sampled_from(["45s", "1m30s", "2s", None]),
    "minimum_failures": st.integers(1, 5),
    "maximum_failures": st.integers(5, 90),
    "ttl": st.sampled_from([30, "30s"]),
    "address": st.sampled_from(["auto", ["10.0.0.1", "2001:db8::1"]]),
    **dict.fromkeys(("do_tls", "all_regions", "preserve"), switch),
    **dict.fromkeys(FLAT_KEYS, text),
    "record_manager": selection,
    "region_filter": selection,
    "destroyer": selection,
    "probe": selection,
}
service = st.fixed_dictionaries({"tcp_port": st.integers(1, 65535)}, optional=keys).flatmap(
    lambda made: st.permutations(sorted(made)).map(lambda order: {key: made[key] for key in order})
)


def named(services):
    return [{"fqdn": f"www{number}.example.com", **made} for number, made in enumerate(services)]


documents = st.one_of(
    service.map(lambda made: named([made])[0]),
    st.lists(service, min_size=1, max_size=3).map(lambda made: {"services": named(made)}),
)


@settings(deadline=None)
@given(documents)
def test_what_is_printed_loads_to_the_same_settings_and_has_no_flat_key_any_more(folder, document):
    file = folder / "any.yml"
    written = yaml.safe_dump(document, sort_keys=False)
    try:
        before = meaning(file, written)
    except ConfigurationError:
        with pytest.raises(ConfigurationError):
            migrate(read_document(file), Installed())
        return
    migration = migrate(read_document(file), Installed())
    assert meaning(file, migration.text) == before
    made = yaml.safe_load(migration.text)
    for one in made.get("services", [made]):
        assert not {*FLAT_KEYS, "do_tls", "all_regions"} & set(one)
    again = migrate(read_document(file), Installed())
    assert (again.text, again.changed) == (migration.text, False)


@settings(deadline=None)
@given(documents)
def test_what_is_printed_is_the_same_without_the_plugins(folder, document):
    file = folder / "bare.yml"
    file.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    try:
        expected = migrate(read_document(file), Installed())
    except ConfigurationError:
        return
    assert migrate(read_document(file), Bare()).text == expected.text


# -- what is printed -------------------------------------------------------------------------------------------


def test_the_keys_stay_as_they_were_written_and_in_their_order(migrated):
    made, remarks = migrated(FILE)
    assert list(made.items()) == [
        ("fqdn", "WWW.Example.com."),
        ("tcp_port", 443),
        ("check_interval", "1m30s"),
        ("probe", {"plugin": "tls", "mode": "insecure"}),
        ("minimum_failures", 4),
        (
            "record_manager",
            {
                "plugin": "route53",
                "hosted_zone_id": "Z0123456789",
                "profile": "production",
                "role_arn": "arn:aws:iam::123456789012:role/dns",
            },
        ),
        ("region_filter", made["region_filter"]),
    ]
    assert made["region_filter"].items() >= {"plugin": "ec2", "profile": "production"}.items()
    assert [remark.partition(", since")[0] for remark in remarks] == ["old.yml:8: preserve: left out"]


def test_a_destroyer_that_is_kept_out_of_use_stays_so(migrated):
    made, remarks = migrated(FILE + "destroyer: {plugin: ec2, profile: reaper}\n")
    assert made["preserve"] is True
    assert made["destroyer"] == {"plugin": "ec2", "profile": "reaper"}
    assert remarks == []


def test_all_regions_is_said_by_the_absence_of_a_region_filter(migrated):
    made, _ = migrated(FILE.replace("all_regions: false", "all_regions: true"))
    assert not {"all_regions", "preserve", "region_filter", "destroyer"} & set(made)


def test_what_has_no_effect_is_left_out_and_said(migrated):
    made, remarks = migrated("fqdn: a.test\ntcp_port: 1\naws_profile: production\n")
    assert made == {"fqdn": "a.test", "tcp_port": 1}
    assert remarks == ["old.yml:3: aws_profile: left out, since it has no effect without route53_hosted_zone_id"]


@pytest.mark.parametrize(
    ("line", "lost"),
    [
        ("# ours\n", "comments are"),
        ("rise: 2 # ours\n", "comments are"),
        ("address: &own 10.0.0.1\nallowed_networks: [*own]\n", "anchors and aliases are"),
        ("address: &own 10.0.0.1 # ours\nallowed_networks: [*own]\n", "comments and anchors and aliases are"),
    ],
)
def test_what_yaml_does_not_keep_is_said(migrated, line, lost):
    _, remarks = migrated(f"fqdn: a.test\ntcp_port: 1\ndo_tls: true\n{line}")
    assert remarks == [f"old.yml: {lost} not in what is printed"]


def test_a_number_sign_that_is_part_of_a_value_is_no_comment(migrated):
    made, remarks = migrated("fqdn: a.test\ntcp_port: 1\nprobe: {plugin: http, path: '/ # x'}\ndo_tls: false\n")
    assert (made["probe"]["path"], remarks) == ("/ # x", [])


def test_plugins_that_are_not_installed_are_noted_and_everything_is_printed(migrated):
    made, remarks = migrated(FILE, Bare())
    assert made["record_manager"]["hosted_zone_id"] == "Z0123456789"
    assert "old.yml:9: route53_hosted_zone_id: the plugin 'route53' is not installed" in remarks


def test_the_guide_shows_what_is_printed(migrated):
    old, new = [block.text for block in blocks(DOCS / "how-to" / "come-from-the-go-package.md", "yaml")]
    assert list(migrated(old)[0].items()) == list(yaml.safe_load(new).items())


# -- the command -----------------------------------------------------------------------------------------------


@pytest.fixture
def command(tmp_path):
    def command(text):
        file = tmp_path / "dnslb.yml"
        file.write_text(text, encoding="utf-8")
        arguments = [sys.executable, "-m", "dnslb", "migrate", "dnslb.yml"]
        return subprocess.run(arguments, cwd=tmp_path, capture_output=True, encoding="utf-8", check=False, timeout=60)

    return command


def test_the_command_prints_the_yaml_alone_on_standard_output(command):
    done = command("services:\n- {fqdn: a.test, tcp_port: 1, do_tls: true} # größer\n- {fqdn: b.test, tcp_port: 2}\n")
    assert done.stdout == (
        "services:\n- fqdn: a.test\n  tcp_port: 1\n  probe:\n    plugin: tls\n    mode: insecure\n"
        "- fqdn: b.test\n  tcp_port: 2\n"
    )
    assert done.stderr == "dnslb: note: dnslb.yml: comments are not in what is printed\n"
    assert done.returncode == 0


def test_a_file_that_is_structured_already_is_printed_as_it_is_with_its_comments(command):
    text = "# größer\nfqdn: a.test\ntcp_port: 1\nrecord_manager: {plugin: local, path: x.db}\n"
    done = command(text)
    assert (done.returncode, done.stdout) == (0, text)
    assert done.stderr == "dnslb: note: dnslb.yml: has the structured form already, and is printed as it is\n"


def test_a_file_with_mistakes_is_answered_with_a_line_for_each_and_nothing_is_printed(command):
    done = command("fqdn: a.test\ntcp_prot: 1\nroute53_hosted_zone_id: 7\nrecord_manager: {plugin: local, pth: x}\n")
    assert (done.returncode, done.stdout) == (2, "")
    assert [line.partition(" is ")[0] for line in done.stderr.splitlines()] == [
        "dnslb: dnslb.yml: tcp_port",
        "dnslb: dnslb.yml:2: tcp_prot: there",
        "dnslb: dnslb.yml:3: route53_hosted_zone_id: this",
        "dnslb: dnslb.yml:4: record_manager.pth: there",
        "dnslb: dnslb.yml:4: record_manager: path",
    ]
