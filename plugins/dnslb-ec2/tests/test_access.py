"""Whose credentials are used, and in which region."""

from __future__ import annotations

import http.server
from ipaddress import ip_address
from typing import Any

import pytest

from dnslb import ConfigurationError, Unavailable

SEVEN = frozenset({ip_address("10.0.0.7")})
ROLE = "arn:aws:iam::123456789012:role/dnslb"


# -- credentials -------------------------------------------------------------------------------------------


def test_a_profile_that_is_not_there_is_a_mistake_of_the_configuration(cloud):
    for make in (cloud.filter, cloud.destroyer):
        with pytest.raises(ConfigurationError, match=r"there is no AWS profile 'wwww' for this user"):
            make(profile="wwww")


def test_a_role_is_assumed_at_the_same_address_and_gives_all_orders(cloud):
    cloud.launch(SubnetId=cloud.network()[1], PrivateIpAddress="10.0.0.7")
    cloud.destroyer(role_arn=ROLE).destroy(SEVEN)
    assert cloud.front.actions == ["AssumeRole", "DescribeInstances", "TerminateInstances"]
    first, *others = cloud.front.signers
    assert first == "nobody"
    assert len(set(others)) == 1
    assert others[0].startswith("ASIA"), "the calls are not signed by the role"


# -- the region --------------------------------------------------------------------------------------------


class Metadata(http.server.BaseHTTPRequestHandler):
    """The instance metadata service, version 2 only; it says what its server is told to."""

    server: Any

    def do_PUT(self) -> None:
        valid = (
            self.path == "/latest/api/token" and 1 <= int(self.headers["X-aws-ec2-metadata-token-ttl-seconds"]) <= 21600
        )
        self.say(200 if valid else 400, "the-token")

    def do_GET(self) -> None:
        if self.headers["X-aws-ec2-metadata-token"] != "the-token":
            self.say(401, "")
        elif self.path != "/latest/meta-data/placement/region":
            self.say(404, "")
        else:
            self.server.asked += 1
            self.say(*self.server.told)

    def say(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def metadata(served):
    server: Any = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Metadata)
    server.daemon_threads = True
    server.told, server.asked = (200, "us-east-1"), 0
    server.url = f"http://127.0.0.1:{server.server_port}"
    with served(server):
        yield server


def test_without_a_region_it_is_that_of_this_instance_asked_for_once(cloud, metadata):
    abroad = cloud.client("ec2", "us-east-1")
    address = frozenset({ip_address(cloud.launch(client=abroad)["PrivateIpAddress"])})
    region = cloud.filter(region=None, metadata_endpoint=metadata.url + "/", cache=0.0)
    assert metadata.asked == 0
    assert region.filter(address) == address
    assert region.filter(address) == address
    assert metadata.asked == 1


def test_the_region_of_a_profile_is_not_that_of_this_instance(cloud, metadata, monkeypatch):
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    cloud.launch(SubnetId=cloud.network()[1], PrivateIpAddress="10.0.0.7")
    assert cloud.filter(region=None, metadata_endpoint=metadata.url).filter(SEVEN) == frozenset()


@pytest.mark.parametrize("told", [(404, ""), (500, "")])
def test_a_metadata_service_that_does_not_know_the_region(cloud, metadata, told):
    metadata.told = told
    with pytest.raises(Unavailable, match=rf"metadata service at {metadata.url} answered {told[0]}; give `region`"):
        cloud.filter(region=None, metadata_endpoint=metadata.url).filter(SEVEN)


@pytest.mark.parametrize("text", ["", "<html>", "us-east-1\nHost: x"])
def test_a_metadata_service_that_talks_nonsense(cloud, metadata, text):
    metadata.told = 200, text
    with pytest.raises(Unavailable, match="cannot find the region of this instance"):
        cloud.filter(region=None, metadata_endpoint=metadata.url).filter(SEVEN)


def test_no_metadata_service(cloud):
    destroyer = cloud.destroyer(region=None, metadata_endpoint="http://127.0.0.1:9")
    with pytest.raises(Unavailable, match=r"no answer of the metadata service at .* \(.*refused\); give `region`"):
        destroyer.destroy(SEVEN)
