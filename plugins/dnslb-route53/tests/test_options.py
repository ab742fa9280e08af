"""What may be written as options, and what not."""

from __future__ import annotations

import dataclasses

import pytest

from dnslb import ConfigurationError, Service
from dnslb.options import parse_options
from dnslb_route53 import dnslb_record_managers
from dnslb_route53._options import Route53Options

(REGISTRATION,) = dnslb_record_managers()

ROLE = "arn:aws:iam::123456789012:role/dnslb"


def problems_of(tmp_path, **written):
    problems = []
    parse_options(Route53Options, written, base=tmp_path, problems=problems)
    return "\n".join(map(str, problems))


@pytest.mark.parametrize("written", ["Z0123456789ABC", "/hostedzone/Z0123456789ABC", "hostedzone/Z0123456789ABC"])
def test_the_id_of_a_zone_may_be_written_as_aws_writes_it(written):
    assert Route53Options(hosted_zone_id=written).zone_id == "Z0123456789ABC"


@pytest.mark.parametrize("written", ["", "example.com", "Z 1", "z0123", "/change/C1", "hostedzone/", "Z" * 33])
def test_what_is_not_the_id_of_a_zone_is_refused(tmp_path, written):
    assert "is not the id of a hosted zone" in problems_of(tmp_path, hosted_zone_id=written)


@pytest.mark.parametrize("written", [ROLE, "arn:aws-us-gov:iam::123456789012:role/team/dnslb"])
def test_a_role_is_given_by_its_arn(written):
    assert Route53Options(role_arn=written).role_arn == written


@pytest.mark.parametrize("written", ["dnslb", "arn:aws:iam::123456789012:user/dnslb", "arn:aws:iam::1:role/dnslb"])
def test_what_is_not_a_role_is_refused(tmp_path, written):
    assert "is not a role" in problems_of(tmp_path, role_arn=written)


def test_an_external_id_needs_a_role(tmp_path):
    assert "external_id belongs to role_arn" in problems_of(tmp_path, external_id="x")
    assert problems_of(tmp_path, external_id="x", role_arn=ROLE) == ""


@pytest.mark.parametrize(
    "url",
    [
        "https://route53.example.com",
        "https://10.0.0.1:8443/",
        "http://127.0.0.1:4566",
        "http://[::1]:1",
        "http://localhost:1",
    ],
)
def test_the_api_is_asked_by_https_or_on_this_host(tmp_path, url):
    assert problems_of(tmp_path, endpoint_url=url) == ""


@pytest.mark.parametrize("url", ["http://route53.example.com", "http://10.0.0.1", "http://localhost.example.com"])
def test_the_api_is_not_asked_without_tls(tmp_path, url):
    assert "without TLS" in problems_of(tmp_path, endpoint_url=url)


@pytest.mark.parametrize("url", ["", "route53.example.com", "ftp://route53.example.com", "https://"])
def test_what_is_not_the_url_of_an_api_is_refused(tmp_path, url):
    assert "is not the URL of an API" in problems_of(tmp_path, endpoint_url=url)


def test_no_option_switches_the_verification_of_certificates_off(tmp_path):
    names = {field.name for field in dataclasses.fields(Route53Options)}
    assert not {name for name in names if "verif" in name or "insecure" in name or "tls" in name}
    assert "there is no such key" in problems_of(tmp_path, verify=False)


def test_a_zone_that_does_not_hold_the_fqdn_is_a_mistake_in_the_configuration():
    with pytest.raises(ConfigurationError, match=r"www\.example\.com is not in the zone example\.org"):
        REGISTRATION.factory(Route53Options(zone="example.org"), Service("www.example.com", 80))
