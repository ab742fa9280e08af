"""What may be written in the configuration, and what is said of the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from dnslb import ConfigurationError, Problem, Secret, Service
from dnslb.options import parse_options
from dnslb_rfc2136 import dnslb_record_managers
from dnslb_rfc2136._options import Endpoint, Rfc2136Options, parse_endpoint

SECRET = "c2VjcmV0IG9mIHRoaXMgdGVzdCwgYW5kIG9ubHkgb2YgaXQ="


def parse(tmp_path: Path, **written: object) -> tuple[Rfc2136Options | None, list[str]]:
    problems: list[Problem] = []
    options = parse_options(Rfc2136Options, written, base=tmp_path, problems=problems)
    return options, [str(problem) for problem in problems]


@pytest.fixture
def secret_file(tmp_path) -> str:
    (tmp_path / "secret").write_text(SECRET + "\n")
    (tmp_path / "secret").chmod(0o600)
    return "file:secret"


def test_a_server_is_all_that_is_needed(tmp_path):
    options, problems = parse(tmp_path, server="192.0.2.53")
    assert problems == []
    assert (options.endpoint, options.zone, options.key_name, options.timeout) == (
        Endpoint("192.0.2.53", 53),
        None,
        None,
        5.0,
    )


def test_everything_can_be_given(tmp_path, secret_file):
    options, problems = parse(
        tmp_path,
        server="ns1.example.com",
        port=5353,
        zone="Example.COM.",
        key_name="dnslb-www.",
        key_algorithm="hmac-sha512",
        key_secret=secret_file,
        timeout="1.5s",
        secondaries=["192.0.2.54", "[2001:db8::54]:5353"],
    )
    assert problems == []
    assert (options.zone, options.key_name, options.key_secret) == ("example.com", "dnslb-www", Secret(SECRET))


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ({}, "server is missing"),
        ({"server": "ns 1"}, "'ns 1' is neither an address nor the name of a host"),
        ({"server": "ns1.example.com:53"}, "is neither an address nor the name of a host"),
        ({"server": "ns1", "port": 70000}, "port: 70000 is not a port"),
        ({"server": "ns1", "zone": "exa mple"}, "zone: 'exa mple' is not a domain name"),
        ({"server": "ns1", "key_name": "dnslb"}, "key_name and key_secret belong together"),
        ({"server": "ns1", "key_algorithm": "hmac-md5"}, "key_algorithm: 'hmac-md5' is not one of hmac-sha256"),
        ({"server": "ns1", "key_algorithm": "hmac-sha1"}, "key_algorithm: 'hmac-sha1' is not one of hmac-sha256"),
        ({"server": "ns1", "timeout": "0s"}, "timeout: 0s is too short"),
        ({"server": "ns1", "secondaries": ["192.0.2.54:none"]}, "has 'none' for a port"),
        ({"server": "ns1", "secondaries": ["192.0.2.54:0"]}, "has '0' for a port"),
        ({"server": "ns1", "secondaries": ["[2001:db8::54"]}, "is not an address; write [2001:db8::1]:53"),
        ({"server": "ns1", "secondaries": ["[2001:db8::54]53"]}, "is not an address; write [2001:db8::1]:53"),
        ({"server": "ns1", "secondaries": [":53"]}, "'' is neither an address nor the name of a host"),
        ({"server": "ns1", "secret": "x"}, "did you mean"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path, written, problem):
    options, problems = parse(tmp_path, **written)
    assert options is None
    assert len(problems) == 1
    assert problem in problems[0]


def test_a_secret_alone_is_half_a_key(tmp_path, secret_file):
    assert "belong together" in parse(tmp_path, server="ns1", key_secret=secret_file)[1][0]


@pytest.mark.parametrize("broken", [SECRET[:-3], f'secret "{SECRET}";', "====", "geheim!"])
def test_a_secret_that_is_not_base64_is_told_without_showing_it(tmp_path, broken):
    (tmp_path / "broken").write_text(broken)
    (tmp_path / "broken").chmod(0o600)
    (problem,) = parse(tmp_path, server="ns1", key_name="dnslb", key_secret="file:broken")[1]
    assert "key_secret is not base64" in problem
    assert broken not in problem


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("192.0.2.1", Endpoint("192.0.2.1", 53)),
        ("192.0.2.1:5353", Endpoint("192.0.2.1", 5353)),
        ("2001:db8::1", Endpoint("2001:db8::1", 53)),
        ("[2001:db8::1]", Endpoint("2001:db8::1", 53)),
        ("[2001:db8::1]:5353", Endpoint("2001:db8::1", 5353)),
        ("ns2.example.com", Endpoint("ns2.example.com", 53)),
        ("ns2.example.com:5353", Endpoint("ns2.example.com", 5353)),
    ],
)
def test_an_endpoint_has_many_spellings(text, endpoint):
    assert parse_endpoint(text) == endpoint


def test_an_fqdn_outside_of_the_given_zone_is_a_mistake_of_the_configuration():
    (registration,) = dnslb_record_managers()
    options = Rfc2136Options(server="192.0.2.53", zone="example.com")
    with pytest.raises(ConfigurationError, match=r"www\.example\.org is not in the zone example\.com"):
        registration.factory(options, Service("www.example.org", 443))


def test_no_option_shows_the_secret(tmp_path, secret_file):
    options, _ = parse(tmp_path, server="ns1", key_name="dnslb", key_secret=secret_file)
    assert SECRET not in repr(options)
