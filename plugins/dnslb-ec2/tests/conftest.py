"""moto in place of AWS, a front that counts, answers or cuts in its stead, and what the tests launch there."""

from __future__ import annotations

import collections
import contextlib
import http.client
import http.server
import importlib.util
import os
import socket
import subprocess
import sys
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from botocore.session import Session

from dnslb import Address, AddressSource, Destroyer, RegionFilter, Service
from dnslb.testing.ministack import MiniStack
from dnslb_aws.descriptions import shared_loader
from dnslb_ec2 import dnslb_address_sources, dnslb_destroyers, dnslb_region_filters
from dnslb_ec2._options import Ec2AddressOptions, Ec2DestroyerOptions, Ec2RegionFilterOptions

(FILTER,) = dnslb_region_filters()
(DESTROYER,) = dnslb_destroyers()
(SOURCE,) = dnslb_address_sources()

SERVICE = Service("www.example.com", 443)
REGION, ELSEWHERE = "eu-west-1", "us-east-1"
TAGS = {"cluster": "www"}
AMI = "ami-12c6146b"  # one that moto knows


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Credentials of nobody, no configuration of this machine, and no way out of it."""
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {
        "AWS_ACCESS_KEY_ID": "nobody",
        "AWS_SECRET_ACCESS_KEY": "nothing",
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "127.0.0.1",
    }.items():
        monkeypatch.setenv(name, value)


# -- the doubles -------------------------------------------------------------------------------------------


def need(package: str) -> None:
    """Skips the test where a double is not installed, or fails it where everything is required to be there."""
    if importlib.util.find_spec(package) is not None:
        return
    reason = f"{package} is not installed; run: pip install {package}"
    if os.environ.get("DNSLB_REQUIRE_SERVERS") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def moto() -> Iterator[int]:
    """The port of moto."""
    need("moto")
    command = [sys.executable, str(Path(__file__).with_name("moto_double.py"))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield int(process.stdout.readline())
        finally:
            process.terminate()


@pytest.fixture(scope="session")
def ministack() -> Iterator[int]:
    """The port of MiniStack, which ignores what it does not know of the filters of DescribeInstances."""
    need("ministack")
    with MiniStack("ec2", "sts") as running:
        yield running.address[1]


@dataclass
class Answer:
    """What the front says in place of moto: an error of AWS; or nothing at all, before or after moto has done it."""

    code: str = ""
    message: str = "as the test wants it"
    status: int = 400
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False
    applied: bool = False

    def body(self) -> bytes:
        """In the form of EC2; Auto Scaling and STS have the same elements within others."""
        error = f"<Error><Type>Sender</Type><Code>{self.code}</Code><Message>{self.message}</Message></Error>"
        return f"<ErrorResponse><Errors>{error}</Errors>{error}<RequestId>1</RequestId></ErrorResponse>".encode()


class Front(http.server.ThreadingHTTPServer):
    """Passes requests on to a server of AWS's APIs, and counts them by the action that they name."""

    daemon_threads = True

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", 0), Forward)
        self.port = port
        self.actions: list[str] = []
        self.forms: list[dict[str, str]] = []
        self.signers: list[str] = []
        self.services: list[str] = []
        self.answers: dict[str, Answer] = {}
        self.hides_addresses = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def count(self, action: str) -> int:
        return collections.Counter(self.actions)[action]


class Forward(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Front

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        form = dict(urllib.parse.parse_qsl(body.decode(), keep_blank_values=True))
        self.server.actions.append(form["Action"])
        self.server.forms.append(form)
        # Signature version 4: Credential=KEY/DATE/REGION/SERVICE/aws4_request
        key, _, _, service, *_ = self.headers["Authorization"].partition("Credential=")[2].split("/")
        self.server.signers.append(key)
        self.server.services.append(service)
        if self.server.hides_addresses and form.get("Filter.1.Name", "").endswith("ip-address"):
            form["Filter.1.Value.1"] = "192.0.2.255"
            body = urllib.parse.urlencode(form).encode()
            self.headers.replace_header("Content-Length", str(len(body)))
        answer = self.server.answers.get(form["Action"])
        if answer is None or answer.applied:
            status, headers, text = self.passed_on(body)
        if answer is not None:
            status, headers, text = answer.status, answer.headers, answer.body()
        if answer is not None and answer.cut:
            self.close_connection = True
            with contextlib.suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def passed_on(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        with contextlib.closing(connection):
            connection.request("POST", self.path, body, dict(self.headers.items()))
            reply = connection.getresponse()
            return reply.status, {"Content-Type": reply.headers["Content-Type"]}, reply.read()

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def serving(server: http.server.HTTPServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def answer() -> type[Answer]:
    return Answer


@pytest.fixture
def served() -> Callable[..., contextlib.AbstractContextManager[None]]:
    return serving


# -- the instance metadata service -------------------------------------------------------------------------


class Metadata(http.server.ThreadingHTTPServer):
    """The instance metadata service, version 2 only; `told` is what it says, by the path after `meta-data/`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Tell)
        self.told = {"placement/region": (200, "us-east-1")}
        self.asked: list[str] = []
        self.sessions = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def tell(self, **items: str) -> None:
        """Items by their names, with `_` for `-`."""
        self.told |= {name.replace("_", "-"): (200, text) for name, text in items.items()}

    def source(self, **options: Any) -> AddressSource:
        return SOURCE.factory(Ec2AddressOptions(**{"metadata_endpoint": self.url} | options), SERVICE)


class Tell(http.server.BaseHTTPRequestHandler):
    server: Metadata

    def do_PUT(self) -> None:
        valid = (
            self.path == "/latest/api/token" and 1 <= int(self.headers["X-aws-ec2-metadata-token-ttl-seconds"]) <= 21600
        )
        self.server.sessions += 1
        self.say(200 if valid else 400, "the-token")

    def do_GET(self) -> None:
        if self.headers["X-aws-ec2-metadata-token"] != "the-token":
            self.say(401, "")
            return
        item = self.path.removeprefix("/latest/meta-data/")
        self.server.asked.append(item)
        self.say(*self.server.told.get(item, (404, "")))

    def say(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def metadata() -> Iterator[Metadata]:
    server = Metadata()
    with serving(server):
        yield server


# -- the account -------------------------------------------------------------------------------------------


class Cloud:
    """An account with instances, behind a front; options of what is made here are those that the test gives."""

    def __init__(self, front: Front) -> None:
        self.front = front
        self.ec2: Any = self.client("ec2")
        self._subnets: dict[str, str] = {}

    def client(self, service: str, region: str = REGION) -> Any:
        url = f"http://127.0.0.1:{self.front.port}"
        session = Session()
        session.register_component("data_loader", shared_loader())  # reading the description of EC2 takes a second
        return session.create_client(service, region_name=region, endpoint_url=url)

    def filter(self, **options: Any) -> RegionFilter:
        given = {"region": REGION, "endpoint_url": self.front.url} | options
        return FILTER.factory(Ec2RegionFilterOptions(**given), SERVICE)

    def destroyer(self, **options: Any) -> Destroyer:
        given = {"region": REGION, "endpoint_url": self.front.url, "tags": TAGS} | options
        return DESTROYER.factory(Ec2DestroyerOptions(**given), SERVICE)

    def network(self) -> tuple[str, str]:
        """A new VPC with the one subnet 10.0.0.0/24: the ids of both."""
        vpc = self.ec2.create_vpc(CidrBlock="10.0.0.0/16", AmazonProvidedIpv6CidrBlock=True)["Vpc"]
        block = vpc["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"].replace("/56", "/64")
        subnet = self.ec2.create_subnet(VpcId=vpc["VpcId"], CidrBlock="10.0.0.0/24", Ipv6CidrBlock=block)["Subnet"]
        return vpc["VpcId"], subnet["SubnetId"]

    def launch(self, *, tags: dict[str, str] = TAGS, client: Any = None, **more: Any) -> dict[str, Any]:
        """A new instance as EC2 describes it."""
        specification = [{"ResourceType": "instance", "Tags": [{"Key": k, "Value": v} for k, v in tags.items()]}]
        client = client or self.ec2
        launched = client.run_instances(ImageId=AMI, MinCount=1, MaxCount=1, TagSpecifications=specification, **more)
        return self.described(launched["Instances"][0]["InstanceId"], client)

    def scale(self, subnet: str, name: str, size: int) -> list[dict[str, Any]]:
        """A new Auto Scaling group of that many instances, which carry TAGS: its instances."""
        before = {each["InstanceId"] for each in self.live()}
        scaling = self.client("autoscaling")
        scaling.create_launch_configuration(
            LaunchConfigurationName=name, ImageId=AMI, InstanceType="t3.micro", SecurityGroups=[]
        )
        scaling.create_auto_scaling_group(
            AutoScalingGroupName=name,
            LaunchConfigurationName=name,
            VPCZoneIdentifier=subnet,
            MinSize=1,
            MaxSize=4,
            DesiredCapacity=size,
            Tags=[{"Key": key, "Value": value, "PropagateAtLaunch": True} for key, value in TAGS.items()],
        )
        return [each for each in self.live() if each["InstanceId"] not in before]

    def publish(self, instance: dict[str, Any]) -> Address:
        """Gives an instance an Elastic IP address."""
        elastic = self.ec2.allocate_address(Domain="vpc")
        self.ec2.associate_address(AllocationId=elastic["AllocationId"], InstanceId=instance["InstanceId"])
        return ip_address(elastic["PublicIp"])

    def described(self, instance_id: str, client: Any = None) -> dict[str, Any]:
        found = (client or self.ec2).describe_instances(InstanceIds=[instance_id])["Reservations"]
        return found[0]["Instances"][0]

    def state(self, instance: dict[str, Any]) -> str:
        return self.described(instance["InstanceId"])["State"]["Name"]

    def live(self) -> list[dict[str, Any]]:
        """All instances of the region that are not ended."""
        everything = [each for page in self.ec2.describe_instances()["Reservations"] for each in page["Instances"]]
        return [each for each in everything if each["State"]["Name"] not in ("shutting-down", "terminated")]

    def alive(self, address: Address) -> bool:
        return any(each["PrivateIpAddress"] == str(address) for each in self.live())


@pytest.fixture
def unfiltered(ministack: int) -> Iterator[Cloud]:
    """An account whose API returns every instance, whatever it is asked for."""
    front = Front(ministack)
    with serving(front):
        yield Cloud(front)


@pytest.fixture
def cloud(moto: int) -> Iterator[Cloud]:
    """An empty account."""
    reset = http.client.HTTPConnection("127.0.0.1", moto, timeout=30)
    with contextlib.closing(reset):
        reset.request("POST", "/moto-api/reset")
        assert reset.getresponse().status == 200
    front = Front(moto)
    with serving(front):
        yield Cloud(front)


@pytest.fixture
def address_of() -> Callable[[dict[str, Any]], Address]:
    """The primary private address of an instance."""
    return lambda instance: ip_address(instance["PrivateIpAddress"])
