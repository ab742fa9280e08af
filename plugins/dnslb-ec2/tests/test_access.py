"""Whose credentials are used, in which region, and over what."""

from __future__ import annotations

import http.server
import ssl
from ipaddress import ip_address

import pytest

from dnslb import ConfigurationError, Denied, Unavailable

SEVEN = frozenset({ip_address("10.0.0.7")})
ROLE = "arn:aws:iam::123456789012:role/dnslb"


# -- credentials -------------------------------------------------------------------------------------------


def test_a_profile_gives_its_credentials(cloud, tmp_path, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    (tmp_path / "credentials").write_text("[www]\naws_access_key_id = of-the-profile\naws_secret_access_key = x\n")
    cloud.filter(profile="www").filter(SEVEN)
    assert cloud.front.signers == ["of-the-profile"]


def test_a_profile_counts_for_more_than_the_environment(cloud, tmp_path):
    (tmp_path / "credentials").write_text("[www]\naws_access_key_id = of-the-profile\naws_secret_access_key = x\n")
    cloud.filter(profile="www").filter(SEVEN)
    assert cloud.front.signers == ["of-the-profile"]


def test_a_profile_that_is_not_there_is_a_mistake_of_the_configuration(cloud):
    for make in (cloud.filter, cloud.destroyer):
        with pytest.raises(ConfigurationError, match=r"there is no AWS profile 'wwww' for this user"):
            make(profile="wwww")


def test_configuration_files_that_cannot_be_read_are_told(cloud, tmp_path):
    (tmp_path / "config").write_text("region = nowhere\n")
    with pytest.raises(ConfigurationError, match="the configuration files of AWS cannot be used"):
        cloud.filter()


@pytest.mark.parametrize("given", [{}, {"external_id": "4711"}])
def test_a_role_is_assumed_once_and_used_for_all_that_follows(cloud, given):
    cloud.launch(SubnetId=cloud.network()[1], PrivateIpAddress="10.0.0.7")
    destroyer = cloud.destroyer(role_arn=ROLE, **given)
    destroyer.destroy(SEVEN)
    assert cloud.front.actions == ["AssumeRole", "DescribeInstances", "TerminateInstances"]
    asked = cloud.front.forms[0]
    assert (asked["RoleArn"], asked["RoleSessionName"], asked.get("ExternalId")) == (
        ROLE,
        "dnslb",
        given.get("external_id"),
    )
    first, *others = cloud.front.signers
    assert first == "nobody"
    assert len(set(others)) == 1
    assert others[0].startswith("ASIA"), "the calls are not signed by the role"


def test_a_role_that_may_not_be_assumed(cloud, answer):
    cloud.front.answers["AssumeRole"] = answer("AccessDenied", "not authorized to perform: sts:AssumeRole", status=403)
    with pytest.raises(Denied, match="AssumeRole was answered with AccessDenied"):
        cloud.filter(role_arn=ROLE).filter(SEVEN)
    assert "DescribeInstances" not in cloud.front.actions


# -- the region --------------------------------------------------------------------------------------------


def test_without_a_region_it_is_that_of_this_instance_asked_for_once(cloud, metadata):
    abroad = cloud.client("ec2", "us-east-1")
    address = frozenset({ip_address(cloud.launch(client=abroad)["PrivateIpAddress"])})
    region = cloud.filter(region=None, metadata_endpoint=metadata.url + "/", cache=0.0)
    assert metadata.asked == []
    assert region.filter(address) == address
    assert region.filter(address) == address
    assert metadata.asked == ["placement/region"]


def test_the_region_of_a_profile_is_not_that_of_this_instance(cloud, metadata, monkeypatch):
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    cloud.launch(SubnetId=cloud.network()[1], PrivateIpAddress="10.0.0.7")
    assert cloud.filter(region=None, metadata_endpoint=metadata.url).filter(SEVEN) == frozenset()


@pytest.mark.parametrize("told", [(404, ""), (500, "")])
def test_a_metadata_service_that_does_not_know_the_region(cloud, metadata, told):
    metadata.told["placement/region"] = told
    with pytest.raises(Unavailable, match=rf"metadata service at {metadata.url} answered {told[0]}; give `region`"):
        cloud.filter(region=None, metadata_endpoint=metadata.url).filter(SEVEN)


@pytest.mark.parametrize("text", ["", "<html>", "us-east-1\nHost: x"])
def test_a_metadata_service_that_talks_nonsense(cloud, metadata, text):
    metadata.told["placement/region"] = 200, text
    with pytest.raises(Unavailable, match="cannot find the region of this instance"):
        cloud.filter(region=None, metadata_endpoint=metadata.url).filter(SEVEN)


def test_no_metadata_service(cloud):
    destroyer = cloud.destroyer(region=None, metadata_endpoint="http://127.0.0.1:9")
    with pytest.raises(Unavailable, match=r"no answer of the metadata service at .* \(.*refused\); give `region`"):
        destroyer.destroy(SEVEN)


# -- transport ---------------------------------------------------------------------------------------------


def test_an_api_with_a_certificate_of_its_own_making_is_refused(cloud, served, tmp_path):
    trustme = pytest.importorskip("trustme")
    certificate = tmp_path / "server.pem"
    trustme.CA().issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    server.handle_error = lambda *_: None
    server.socket = context.wrap_socket(server.socket, server_side=True)
    with served(server), pytest.raises(Unavailable, match="CERTIFICATE_VERIFY_FAILED"):
        cloud.filter(endpoint_url=f"https://127.0.0.1:{server.server_port}").filter(SEVEN)


def test_no_secret_is_shown(cloud, monkeypatch, caplog):
    canary = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY"
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", canary)
    caplog.set_level("INFO")
    with pytest.raises(Unavailable) as caught:
        cloud.filter(endpoint_url="http://127.0.0.1:9").filter(SEVEN)
    assert canary not in repr(caught.value) + str(caught.value) + caplog.text
