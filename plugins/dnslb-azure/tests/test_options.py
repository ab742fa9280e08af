"""What may be written in the configuration, and what is said of the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from dnslb import ConfigurationError, Problem, Secret
from dnslb.options import parse_options
from dnslb_azure._options import AzureOptions, WantedZone

SUBSCRIPTION = "5b6c0f0e-0000-4000-8000-00000000beef"
ZONE_ID = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/net/providers/Microsoft.Network/dnszones/Example.com"
CANARY = "canary-of-the-secret"


def parse(tmp_path: Path, **written: object) -> tuple[AzureOptions | None, list[str]]:
    problems: list[Problem] = []
    options = parse_options(AzureOptions, written, base=tmp_path, problems=problems)
    return options, [str(problem) for problem in problems]


@pytest.fixture
def principal(tmp_path) -> dict[str, str]:
    (tmp_path / "secret").write_text(CANARY + "\n")
    (tmp_path / "secret").chmod(0o600)
    return {"tenant_id": "tenant", "client_id": "client", "client_secret": "file:secret"}


def test_a_subscription_is_all_that_is_needed(tmp_path):
    options, problems = parse(tmp_path, subscription_id=SUBSCRIPTION)
    assert problems == []
    assert options.wanted_zone() == WantedZone(SUBSCRIPTION, None, None)
    assert (options.base_url, options.timeout) == ("https://management.azure.com", 10.0)


def test_a_zones_id_holds_all_of_it(tmp_path):
    options, problems = parse(tmp_path, zone=ZONE_ID)
    assert problems == []
    assert options.wanted_zone() == WantedZone(SUBSCRIPTION, "net", "example.com")


def test_everything_can_be_given(tmp_path, principal):
    options, problems = parse(
        tmp_path,
        zone="Example.COM.",
        resource_group="net",
        subscription_id=SUBSCRIPTION,
        base_url="https://management.usgovcloudapi.net",
        ca_file="ca.pem",
        timeout="2.5s",
        **principal,
    )
    assert problems == []
    assert options.wanted_zone() == WantedZone(SUBSCRIPTION, "net", "example.com")
    assert (options.client_secret, options.ca_file, options.timeout) == (Secret(CANARY), tmp_path / "ca.pem", 2.5)
    assert CANARY not in repr(options)


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ({}, "subscription_id is missing"),
        ({"zone": "example.com"}, "subscription_id is missing"),
        ({"zone": "exa mple", "subscription_id": "s"}, "'exa mple' is not a domain name"),
        ({"zone": "/subscriptions/s/dnsZones/example.com"}, "is not the id of a DNS zone"),
        ({"zone": ZONE_ID, "resource_group": "other"}, "resource_group is 'other', and 'net' in the id"),
        ({"zone": ZONE_ID, "subscription_id": "other"}, "subscription_id is 'other'"),
        ({"zone": ZONE_ID, "tenant_id": "t"}, "belong together"),
        ({"zone": ZONE_ID, "client_id": "c"}, "belong together"),
        ({"zone": ZONE_ID, "client_secret": "plain"}, "client_secret: a secret is written env:NAME or file:PATH"),
        ({"zone": ZONE_ID, "base_url": "http://management.azure.com"}, "it must be https://HOST"),
        ({"zone": ZONE_ID, "base_url": "management.azure.com"}, "it must be https://HOST"),
        ({"zone": ZONE_ID, "base_url": "https://user@management.azure.com"}, "it must be https://HOST"),
        ({"zone": ZONE_ID, "timeout": "0s"}, "timeout: 0s is too short"),
        ({"zone": ZONE_ID, "resourcegroup": "net"}, "did you mean 'resource_group'?"),
        ({"zone": ZONE_ID, "connection_verify": False}, "there is no such key"),
        ({"zone": ZONE_ID, "verify": False}, "there is no such key"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path, written, problem):
    options, problems = parse(tmp_path, **written)
    assert options is None
    assert len(problems) == 1
    assert problem in problems[0]


def test_a_service_principal_and_a_managed_identity_are_one_too_many(tmp_path, principal):
    assert "leave one out" in parse(tmp_path, zone=ZONE_ID, managed_identity_client_id="m", **principal)[1][0]


@pytest.mark.parametrize("content", [None, "not a certificate"], ids=["missing", "no certificate"])
def test_a_ca_file_that_cannot_be_used_is_a_mistake_of_the_configuration(connect, tmp_path, content):
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigurationError, match=r"ca_file: .* holds no certificates that can be read"):
        connect(ca_file=path)
