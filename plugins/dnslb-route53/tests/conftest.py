"""A double of Route 53, started once for all tests, and managers on it."""

from __future__ import annotations

import collections
import contextlib
import html
import itertools
import os
import time
from collections.abc import Callable, Iterator
from typing import Any, Self

import pytest
from botocore.session import Session

from dnslb import Change, Receipt, RecordManager, RecordType, Service, Snapshot
from dnslb.testing import Endpoint
from dnslb.testing.httpproxy import Answer, HttpProxy
from dnslb.testing.ministack import MiniStack
from dnslb_route53 import dnslb_record_managers
from dnslb_route53._options import Route53Options

(REGISTRATION,) = dnslb_record_managers()

ZONE = "ex.test"

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "NO_PROXY": "127.0.0.1,localhost",
}

_callers = itertools.count()


class Route53Double(MiniStack):
    """MiniStack with nothing but Route 53, STS and IAM.

    Attributes:
        client: a client of its Route 53, for what other people do to a zone.
    """

    client: Any

    def __init__(self) -> None:
        super().__init__("route53", "sts", "iam")

    def __enter__(self) -> Self:
        super().__enter__()
        self.client = Session().create_client(
            "route53",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )
        return self

    def __exit__(self, *error: Any) -> None:
        self.client.close()
        super().__exit__(*error)

    def create_zone(self, name: str, *, private: bool = False) -> str:
        """A new hosted zone; its id."""
        more = {"VPC": {"VPCRegion": "us-east-1", "VPCId": "vpc-1"}} if private else {}
        config = {"PrivateZone": private}
        reference = f"{time.time_ns()}-{next(_callers)}"
        made = self.client.create_hosted_zone(Name=name, CallerReference=reference, HostedZoneConfig=config, **more)
        return str(made["HostedZone"]["Id"]).rpartition("/")[2]

    def put(self, zone: str, **record_set: Any) -> None:
        """Creates or overwrites a record set, as somebody else might."""
        changes = [{"Action": "UPSERT", "ResourceRecordSet": record_set}]
        self.client.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": changes})

    def raw(self, zone: str, name: str) -> list[dict[str, Any]]:
        """The record sets of a name as they are kept."""
        listed = self.client.list_resource_record_sets(HostedZoneId=zone, StartRecordName=name)["ResourceRecordSets"]
        return [each for each in listed if each["Name"] == f"{name}."]


class Faults(HttpProxy):
    """Before the double.

    Attributes:
        answers: what it answers next, in order; None passes one request on, as it does where none are left.
    """

    def __init__(self, target: Endpoint) -> None:
        self.answers: collections.deque[Answer | None] = collections.deque()
        super().__init__(target, lambda _: self.answers.popleft() if self.answers else None)

    def refuse(self, code: str, message: str = "", status: int = 400, **headers: str) -> None:
        """Answers the next request with an error as AWS writes it."""
        text = (
            '<?xml version="1.0"?><ErrorResponse xmlns="https://route53.amazonaws.com/doc/2013-04-01/"><Error>'
            f"<Type>Sender</Type><Code>{code}</Code><Message>{html.escape(message)}</Message></Error>"
            "<RequestId>7d9d4f5e</RequestId></ErrorResponse>"
        )
        self.answers.append(Answer(status, text.encode(), {"Content-Type": "text/xml"} | headers))

    def say(self, status: int, body: bytes) -> None:
        """Answers the next request with something that AWS does not write."""
        self.answers.append(Answer(status, body, {}))


@pytest.fixture(scope="session")
def ministack() -> Iterator[Route53Double]:
    if reason := MiniStack.missing():
        if os.environ.get("DNSLB_REQUIRE_SERVERS") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    with Route53Double() as running:
        yield running


@pytest.fixture(scope="session")
def zone_id(ministack: Route53Double) -> str:
    """The id of the zone `ex.test`, which the tests share."""
    return ministack.create_zone(ZONE)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Credentials for the double, and nothing of this host's own, nor of its instance metadata service."""
    if "live" in request.keywords:
        return
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def connect(ministack: Route53Double, zone_id: str) -> Iterator[Callable[..., RecordManager]]:
    """`connect(fqdn, **options)`: a manager on the double, closed after the test."""
    with contextlib.ExitStack() as opened:

        def make(fqdn: str = f"www.{ZONE}", **options: Any) -> RecordManager:
            settings = {"hosted_zone_id": zone_id, "endpoint_url": ministack.url} | options
            manager = REGISTRATION.factory(Route53Options(**settings), Service(fqdn, 80))
            opened.callback(manager.close)
            return manager

        yield make


@pytest.fixture
def faults(ministack: Route53Double) -> Iterator[Faults]:
    with Faults(ministack.address) as running:
        yield running


@pytest.fixture(scope="session")
def change() -> Callable[..., Change]:
    """`change(before, *values)`: from what was read to these values."""

    def make(before: Snapshot, *values: str, ttl: int = 60) -> Change:
        return Change(before, before.record_set.holding(values, ttl))

    return make


@pytest.fixture(scope="session")
def write(change: Callable[..., Change]) -> Callable[..., Receipt]:
    """`write(manager, name, *values)`: makes these the whole record set."""

    def make(manager: RecordManager, name: str, *values: str, type: RecordType = RecordType.A) -> Receipt:
        return manager.commit([change(manager.read(name, type), *values)])

    return make


@pytest.fixture(scope="session")
def values() -> Callable[..., tuple[str, ...]]:
    """`values(manager, name)`: what the record set holds."""

    def make(manager: RecordManager, name: str, type: RecordType = RecordType.A) -> tuple[str, ...]:
        return manager.read(name, type).record_set.values

    return make


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "live: runs against the real service, where a zone is named for it")
