"""Options are typed dataclasses: what may be written in them, how a mistake is answered, and what is never shown."""

import copy
import dataclasses
import ipaddress
import json
import traceback
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, Literal

import pytest

from dnslb import Address, Count, DomainName, Port, Problem, Seconds, Secret, option
from dnslb.forms import at_least, format_duration, parse_duration, whole_number
from dnslb.options import describe, nearest, parse_options, schema_of, unknown_key
from dnslb.records import Network

CANARY = "kana-rien-vogel"


@dataclass(frozen=True)
class Options:
    name: str = option(help="a name")
    port: Port = option(443, help="a port")
    timeout: Seconds = option(5.0, help="how long")
    pause: Annotated[float, at_least("100ms")] = option(1.5, help="a pause")
    domain: DomainName | None = option(None, help="a domain")
    address: Address | None = option(None, help="an address")
    networks: tuple[Network, ...] = option((), help="networks")
    tags: dict[str, str] = option((), help="tags")
    mode: Literal["fast", "safe"] = option("safe", help="a mode")
    tries: Count = option(3, help="how often")
    offset: int = option(0, help="a number")
    quiet: bool = option(False, help="whether")
    file: Path | None = option(None, help="a file")
    secret: Secret | None = option(None, help="a secret")

    def __post_init__(self) -> None:
        if self.pause > self.timeout:
            raise ValueError(f"pause ({self.pause:g} s) is longer than timeout ({self.timeout:g} s)")


def parsed(base=Path("/etc/dnslb"), **written):
    problems: list[Problem] = []
    made = parse_options(Options, {"name": "x"} | written, base=base, problems=problems)
    assert problems == []
    return made


def refused(base=Path(), **written):
    """All that is wrong, each as `path: message`."""
    problems: list[Problem] = []
    assert parse_options(Options, {"name": "x"} | written, base=base, problems=problems) is None
    return [str(problem) for problem in problems]


# -- values ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "written", "value"),
    [
        ("port", 1, 1),
        ("port", 65535, 65535),
        ("timeout", "1m30s", 90.0),
        ("pause", "100ms", 0.1),
        ("domain", "WWW.Example.com.", "www.example.com"),
        ("address", "FD00::0:1", ip_address("fd00::1")),
        ("networks", ["10.0.0.0/8", "fd00::/8"], (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))),
        ("networks", [], ()),
        ("tags", {"cluster": "www"}, {"cluster": "www"}),
        ("mode", "fast", "fast"),
        ("offset", 0, 0),
        ("quiet", True, True),
        ("quiet", "yes", True),
        ("quiet", "On", True),
        ("quiet", "no", False),
        ("quiet", "OFF", False),
        ("file", "zone.db", Path("/etc/dnslb/zone.db")),
        ("file", "/var/zone.db", Path("/var/zone.db")),
        ("file", "../zone.db", Path("/etc/dnslb/../zone.db")),
        ("name", "", ""),
    ],
)
def test_a_value_is_converted_to_the_type_of_its_field(key, written, value):
    assert getattr(parsed(**{key: written}), key) == value


@pytest.mark.parametrize(
    ("key", "written", "message"),
    [
        ("port", 70000, "port: 70000 is not a port (1 to 65535)"),
        ("port", 0, "port: 0 is not a port (1 to 65535)"),
        ("port", -1, "port: -1 is not a port (1 to 65535)"),
        ("port", "443", "port: '443' is not a port (1 to 65535)"),
        ("port", 443.0, "port: 443.0 is not a port (1 to 65535)"),
        ("port", True, "port: true is not a port (1 to 65535)"),
        ("port", [443], "port: a list is not a port (1 to 65535)"),
        ("port", {}, "port: a mapping is not a port (1 to 65535)"),
        ("tries", 0, "tries: 0 is not a whole number (1 or more)"),
        ("offset", -1, "offset: -1 is not a whole number (0 or more)"),
        ("name", 7, "name: 7 is a number here; put it in quotes"),
        ("name", 1.5, "name: 1.5 is a number here; put it in quotes"),
        ("name", False, "name: false is not text"),
        ("name", ["x"], "name: a list is not text"),
        ("timeout", 30, "timeout: 30 has no unit; write 30s for seconds"),
        ("timeout", 0.5, "timeout: 0.5 has no unit; write 0.5s for seconds"),
        ("timeout", "30", "timeout: '30' is not a duration such as 30s or 1m30s"),
        ("timeout", True, "timeout: true is not a duration such as 30s or 1m30s"),
        ("pause", "99ms", "pause: 99ms is too short; at least 100ms"),
        ("domain", "no name", "domain: 'no name' is not a domain name: the label 'no name'"),
        ("domain", 10.5, "domain: 10.5 is a number here; put it in quotes"),
        ("address", "10.0.0.300", "address: '10.0.0.300' does not appear to be an IPv4 or IPv6 address"),
        ("networks", "10.0.0.0/8", "networks: '10.0.0.0/8' is not a list, each a network such as 10.0.0.0/8"),
        ("networks", ["10.0.0.1/8"], "networks: 10.0.0.1/8 has host bits set"),
        ("networks", ["anywhere"], "networks: 'anywhere' does not appear to be an IPv4 or IPv6 network"),
        ("tags", "cluster", "tags: 'cluster' is not a mapping to text"),
        ("tags", {"cluster": 7}, "tags: 7 is a number here; put it in quotes"),
        ("mode", "quick", "mode: 'quick' is not one of fast, safe"),
        ("mode", ["fast"], "mode: a list is not one of fast, safe"),
        ("quiet", "y", "quiet: 'y' is not true or false"),
        ("quiet", 1, "quiet: 1 is not true or false"),
        ("file", 5, "file: 5 is a number here; put it in quotes"),
        ("file", "~nobody-of-that-name/x", "file: '~nobody-of-that-name/x' is in the home directory of nobody here"),
    ],
)
def test_a_wrong_value_is_answered_with_what_was_found_and_what_is_expected(key, written, message):
    (found,) = refused(**{key: written})
    assert found.startswith(message)


def test_everything_that_is_wrong_is_told_at_once():
    assert refused(port=70000, tmeout="5s", mode="quick", quiet="maybe") == [
        "tmeout: there is no such key; did you mean 'timeout'?",
        "port: 70000 is not a port (1 to 65535)",
        "mode: 'quick' is not one of fast, safe",
        "quiet: 'maybe' is not true or false",
    ]


def test_what_no_single_field_can_tell_is_told_by_the_class():
    assert refused(timeout="1s", pause="2s") == ["pause (2 s) is longer than timeout (1 s)"]


def test_a_required_key_that_is_missing_is_named_with_its_meaning():
    problems: list[Problem] = []
    for written in ({}, None, {"name": None}):
        assert parse_options(Options, written, path=("probe",), base=Path(), problems=problems) is None
    assert [str(problem) for problem in problems] == ["probe: name is missing: a name"] * 3


def test_a_key_without_a_value_counts_as_left_out():
    assert parsed(port=None, quiet=None) == parsed()


@pytest.mark.parametrize("written", ["text", 7, ["name"], True])
def test_options_that_are_no_mapping_are_refused(written):
    problems: list[Problem] = []
    assert parse_options(Options, written, path=("probe",), base=Path(), problems=problems) is None
    (problem,) = problems
    assert str(problem).startswith("probe: ")
    assert str(problem).endswith(" is not a mapping of options")


def test_problems_carry_the_key_path_under_which_the_options_stand():
    problems: list[Problem] = []
    parse_options(Options, {"name": "x", "port": 0}, path=("services", 1, "probe"), base=Path(), problems=problems)
    assert [problem.path for problem in problems] == [("services", 1, "probe", "port")]
    assert str(problems[0]).startswith("services[1].probe.port: ")


def test_keys_of_somebody_else_are_left_to_them_and_are_near_keys_too():
    problems: list[Problem] = []
    written = {"name": "x", "plugin": "y"}
    assert parse_options(Options, written, base=Path(), problems=problems, others=("plugin",))
    parse_options(Options, {"name": "x", "plugn": "y"}, base=Path(), problems=problems, others=("plugin",))
    assert [str(problem) for problem in problems] == ["plugn: there is no such key; did you mean 'plugin'?"]


def test_a_key_that_is_like_no_other_is_answered_without_a_guess():
    assert unknown_key("xyzzy", ["name", "port"]) == "there is no such key"
    assert nearest("PORT", ["name", "port"]) == "; did you mean 'port'?"


# -- durations ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("45s", 45.0),
        ("1m30s", 90.0),
        ("1h", 3600.0),
        ("1.5h", 5400.0),
        (".5s", 0.5),
        ("5.s", 5.0),
        ("250ms", 0.25),
        ("10us", 1e-5),
        ("10µs", 1e-5),
        ("10μs", 1e-5),
        ("7ns", 7e-9),
        ("1h1m1s1ms", 3661.001),
        ("30s1m", 90.0),
        ("0s", 0.0),
        (" 5s ", 5.0),
    ],
)
def test_a_duration_is_written_as_in_go(text, seconds):
    assert parse_duration(text) == pytest.approx(seconds, rel=1e-12)


@pytest.mark.parametrize(
    "text",
    ["", "5", "s", "5 s", "-5s", "+5s", "1e3s", "5sec", "1d", "5S", "1,5s", "1.2.3s", ".s", "٣s", "5s\n5s", "infs"],
)
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError, match="is not a duration such as 30s or 1m30s"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["9" * 400 + "h", "2562048h"])
def test_a_duration_beyond_what_go_holds_is_refused(text):
    with pytest.raises(ValueError, match="is longer than 292 years"):
        parse_duration(text)


def test_a_long_row_of_digits_is_refused_in_linear_time():
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration("1" * 200_000)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (45, "45s"),
        (60, "1m"),
        (90, "1m30s"),
        (3600, "1h"),
        (86399, "23h59m59s"),
        (90000, "25h"),
        (0.25, "0.25s"),
        (90.5, "90.5s"),
        (1234.5678, "1234.5678s"),
        (1e-9, "0.000000001s"),
        (59.99999999999, "60s"),
    ],
)
def test_a_duration_is_shown_in_a_form_that_is_read_back(seconds, text):
    assert format_duration(seconds) == text
    assert parse_duration(text) == pytest.approx(seconds, abs=1e-9)


# -- secrets -----------------------------------------------------------------------------------------------


@pytest.fixture
def secret_file(tmp_path):
    file = tmp_path / "key"
    file.write_text(f"{CANARY}\n")
    file.chmod(0o600)
    return file


def test_a_secret_comes_from_the_environment(monkeypatch):
    monkeypatch.setenv("DNSLB_TEST_KEY", CANARY)
    assert parsed(secret="env:DNSLB_TEST_KEY").secret.reveal() == CANARY


@pytest.mark.parametrize("value", [None, ""])
def test_a_variable_that_is_not_set_or_empty_is_named(monkeypatch, value):
    monkeypatch.delenv("DNSLB_TEST_KEY", raising=False)
    if value is not None:
        monkeypatch.setenv("DNSLB_TEST_KEY", value)
    (found,) = refused(secret="env:DNSLB_TEST_KEY")
    assert found == "secret: the environment variable DNSLB_TEST_KEY is not set"


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o640])
def test_a_secret_comes_from_a_file_without_the_newline_at_its_end(secret_file, mode):
    secret_file.chmod(mode)
    assert parsed(secret=f"file:{secret_file}").secret == Secret(CANARY)
    assert parsed(base=secret_file.parent, secret="file:key").secret == Secret(CANARY)


@pytest.mark.parametrize(("mode", "open_to_group"), [(0o600, False), (0o400, False), (0o640, True), (0o460, True)])
def test_a_file_that_its_group_may_use_is_a_warning_and_the_variable_is_none(
    secret_file, monkeypatch, mode, open_to_group
):
    secret_file.chmod(mode)
    said = f"{secret_file} is open to its group; if that is not meant: chmod 600 {secret_file}"
    assert parsed(secret=f"file:{secret_file}").secret.warning == (said if open_to_group else None)
    monkeypatch.setenv("DNSLB_TEST_KEY", CANARY)
    assert parsed(secret="env:DNSLB_TEST_KEY").secret.warning is None


@pytest.mark.parametrize("mode", [0o604, 0o644, 0o602, 0o601, 0o777])
def test_a_file_that_is_open_to_every_user_is_refused(secret_file, mode):
    secret_file.chmod(mode)
    (found,) = refused(secret=f"file:{secret_file}")
    assert found == f"secret: {secret_file} is open to every user of this host; chmod 600 it"


def test_a_file_that_cannot_be_read_is_answered_with_the_reason(tmp_path):
    gone, folder, empty, binary = (tmp_path / name for name in ("gone", "folder", "empty", "binary"))
    folder.mkdir(mode=0o700)
    empty.write_text(" \n")
    binary.write_bytes(b"\xff\x00")
    empty.chmod(0o600)
    binary.chmod(0o600)
    assert refused(secret=f"file:{gone}") == [f"secret: cannot read {gone}: No such file or directory"]
    assert refused(secret=f"file:{folder}") == [f"secret: cannot read {folder}: Is a directory"]
    assert refused(secret=f"file:{empty}") == [f"secret: {empty} is empty"]
    assert refused(secret=f"file:{binary}") == [f"secret: {binary} is not text"]


@pytest.mark.parametrize(
    "written",
    [CANARY, f"vault:{CANARY}", f":{CANARY}", "env:", "file:", 7, [CANARY], {CANARY: CANARY}, f" env:{CANARY}"],
)
def test_a_secret_that_is_written_as_itself_is_refused_without_being_shown(written):
    (found,) = refused(secret=written)
    assert found == "secret: a secret is written env:NAME or file:PATH, never as itself"


def test_a_secret_is_never_shown():
    secret = Secret(CANARY)
    options = parsed(secret=None)
    options = dataclasses.replace(options, secret=secret)
    shown = [repr(secret), str(secret), f"{secret}", repr(options), json.dumps({"x": secret}, default=str)]
    shown += [repr(copy.deepcopy(options)), str(dataclasses.asdict(options)), f"{[secret]}"]
    try:
        raise ValueError(options)
    except ValueError as error:
        shown += traceback.TracebackException.from_exception(error, capture_locals=True).format()
    assert CANARY not in "\n".join(shown)
    assert secret.reveal() == CANARY


def test_secrets_are_compared_by_what_they_hide():
    assert Secret("a") == Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2


# -- what people and editors are told ----------------------------------------------------------------------


def test_options_are_described_in_their_own_order_with_defaults_as_they_are_written():
    described = [(info.name, info.default, info.required) for info in describe(Options)]
    assert described == [
        ("name", None, True),
        ("port", "443", False),
        ("timeout", "5s", False),
        ("pause", "1.5s", False),
        ("domain", "none", False),
        ("address", "none", False),
        ("networks", "empty", False),
        ("tags", "empty", False),
        ("mode", "safe", False),
        ("tries", "3", False),
        ("offset", "0", False),
        ("quiet", "false", False),
        ("file", "none", False),
        ("secret", "none", False),
    ]
    assert describe(Options)[1].form.noun == "a port (1 to 65535)"
    assert describe(Options)[1].help == "a port"


def test_the_schema_of_options_has_a_property_for_each_and_nothing_else():
    schema = schema_of(Options)
    assert list(schema["properties"]) == [field.name for field in dataclasses.fields(Options)]
    assert schema["required"] == ["name"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["port"] == {
        "type": "integer",
        "minimum": 1,
        "maximum": 65535,
        "description": "a port (default: 443)",
    }


def test_a_number_without_an_upper_end_takes_any():
    convert = whole_number(2).convert
    assert convert(10**30, Path()) == 10**30
    with pytest.raises(ValueError, match=r"1 is not a whole number \(2 or more\)"):
        convert(1, Path())


def test_both_families_are_networks():
    assert ipaddress.IPv4Network | ipaddress.IPv6Network == Network
