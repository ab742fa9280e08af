"""What may be written as options, and what not."""

from __future__ import annotations

import pytest

from dnslb import ConfigurationError, Service
from dnslb.options import parse_options
from dnslb_route53 import dnslb_record_managers
from dnslb_route53._options import Route53Options

(REGISTRATION,) = dnslb_record_managers()


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


def test_the_options_of_all_plugins_on_aws_are_held_to_their_form(tmp_path):
    assert "is not encrypted" in problems_of(tmp_path, endpoint_url="http://route53.example.com")


def test_a_zone_that_does_not_hold_the_fqdn_is_a_mistake_in_the_configuration():
    with pytest.raises(ConfigurationError, match=r"www\.example\.com is not in the zone example\.org"):
        REGISTRATION.factory(Route53Options(zone="example.org"), Service("www.example.com", 80))
