"""What may be written in the configuration, and what is said of the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from dnslb import ConfigurationError, Problem, Service
from dnslb.options import parse_options
from dnslb_clouddns import dnslb_record_managers
from dnslb_clouddns._options import CloudDnsOptions

(REGISTRATION,) = dnslb_record_managers()


def parse(tmp_path: Path, **written: object) -> tuple[CloudDnsOptions | None, list[str]]:
    problems: list[Problem] = []
    options = parse_options(CloudDnsOptions, written, base=tmp_path, problems=problems)
    return options, [str(problem) for problem in problems]


def test_nothing_is_needed(tmp_path):
    assert parse(tmp_path) == (CloudDnsOptions(), [])


def test_everything_can_be_given(tmp_path):
    options, problems = parse(
        tmp_path,
        zone="example-com",
        private=True,
        project="my-project-123",
        credentials_file="key.json",
        api_endpoint="https://dns.googleapis.com",
        timeout="1.5s",
    )
    assert problems == []
    assert (options.credentials_file, options.timeout) == (tmp_path / "key.json", 1.5)


@pytest.mark.parametrize(
    ("zone", "name", "dns_name"),
    [
        ("example-com", "example-com", None),
        ("6347251903581", "6347251903581", None),
        ("Example.COM.", None, "example.com"),
        ("example.com", None, "example.com"),
        ("internal.", None, "internal"),
        (None, None, None),
    ],
)
def test_a_zone_is_given_by_name_by_number_or_by_dns_name(zone, name, dns_name):
    options = CloudDnsOptions(zone=zone)
    assert (options.zone_name, options.zone_dns_name) == (name, dns_name)


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ({"zone": "exa mple"}, "zone 'exa mple' is neither the name of a managed zone nor a DNS name"),
        ({"zone": "../other/managedZones/x"}, "is neither the name of a managed zone nor a DNS name"),
        ({"project": "a/b"}, "project 'a/b' is not the id of a project"),
        ({"project": "my project"}, "is not the id of a project"),
        ({"timeout": "0s"}, "timeout: 0s is too short"),
        ({"api_endpoint": "dns.googleapis.com"}, "is not an address such as https://dns.googleapis.com"),
        ({"api_endpoint": "ftp://127.0.0.1"}, "is not an address such as"),
        ({"api_endpoint": "https://user@dns.googleapis.com"}, "is not an address such as"),
        ({"api_endpoint": "https://dns.googleapis.com/dns"}, "is not an address such as"),
        ({"api_endpoint": "http://dns.googleapis.com"}, "would send tokens without TLS; write https://"),
        ({"api_endpoint": "http://localhost:8080"}, "would send tokens without TLS"),
        ({"api_endpoint": "http://127.0.0.1.example.com"}, "would send tokens without TLS"),
        ({"verify": False}, "there is no such key"),
        ({"credential_file": "x"}, "did you mean 'credentials_file'?"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path, written, problem):
    options, problems = parse(tmp_path, **written)
    assert options is None
    assert len(problems) == 1
    assert problem in problems[0]


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:8080", "http://[::1]:8080", "http://127.1.2.3"])
def test_plain_http_is_for_the_loopback_interface(endpoint):
    assert CloudDnsOptions(api_endpoint=endpoint).is_plain_http


def test_an_fqdn_outside_of_the_given_zone_is_a_mistake_of_the_configuration():
    with pytest.raises(ConfigurationError, match=r"www\.example\.org is not in the zone example\.com"):
        REGISTRATION.factory(CloudDnsOptions(zone="example.com"), Service("www.example.org", 443))
