"""What may be written for every plugin on AWS, and what is said of the rest."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import pytest

from dnslb import Problem
from dnslb.options import parse_options
from dnslb_aws.options import AwsOptions

ROLE = "arn:aws:iam::123456789012:role/dnslb"


@pytest.fixture
def problem_with(tmp_path):
    """`problem_with(**written)`: what is said of it, or nothing."""

    def parse(**written) -> str:
        problems: list[Problem] = []
        parse_options(AwsOptions, written, base=tmp_path, problems=problems)
        return "\n".join(map(str, problems))

    return parse


@pytest.mark.parametrize("role", [ROLE, "arn:aws-us-gov:iam::123456789012:role/team/dnslb"])
def test_a_role_is_given_by_its_arn(problem_with, role):
    assert problem_with(role_arn=role) == ""


@pytest.mark.parametrize("role", ["dnslb", "arn:aws:iam::123456789012:user/dnslb", "arn:aws:iam::1:role/dnslb", ""])
def test_what_is_not_a_role_is_refused(problem_with, role):
    assert problem_with(role_arn=role).endswith(f"role_arn: {role!r} is not one; they look like {ROLE}")


def test_an_external_id_needs_a_role(problem_with):
    assert problem_with(external_id="4711") == "external_id is for assuming a role; give role_arn too"
    assert problem_with(external_id="4711", role_arn=ROLE) == ""


@pytest.mark.parametrize(
    "url",
    [
        "https://ec2.example.com",
        "https://10.0.0.1:8443/",
        "http://127.0.0.1:4566",
        "http://[::1]:1",
        "http://localhost:1",
    ],
)
def test_the_api_is_asked_by_https_or_on_this_host(problem_with, url):
    assert problem_with(endpoint_url=url) == ""


@pytest.mark.parametrize("url", ["http://ec2.example.com", "http://10.0.0.1", "http://localhost.example.com"])
def test_the_api_is_not_asked_without_tls(problem_with, url):
    assert problem_with(endpoint_url=url).startswith(f"endpoint_url: {url!r} is not encrypted; write https://")


@pytest.mark.parametrize("url", ["", "ec2.example.com", "ftp://ec2.example.com", "https://", "https://[::1"])
def test_what_is_not_the_url_of_an_api_is_refused(problem_with, url):
    assert problem_with(endpoint_url=url).startswith(f"endpoint_url: {url!r} is not a URL such as https://")


def test_a_time_limit_has_a_sense(problem_with):
    assert "timeout: 0s is too short" in problem_with(timeout="0s")


def test_no_option_switches_the_verification_of_certificates_off(problem_with):
    names = {field.name for field in dataclasses.fields(AwsOptions)}
    assert not {name for name in names if "verif" in name or "insecure" in name or "tls" in name}
    assert "there is no such key" in problem_with(verify=False)


def test_what_a_plugin_declares_imports_nothing_of_aws():
    program = "import sys, dnslb_aws.options; print([name for name in sys.modules if name.startswith('boto')])"
    assert subprocess.check_output([sys.executable, "-c", program], text=True) == "[]\n"
