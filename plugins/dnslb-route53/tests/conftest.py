"""A double of Route 53, started once for all tests, and managers on it."""

from __future__ import annotations

import collections
import contextlib
import html
import http.client
import http.server
import importlib.util
import itertools
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Self

import pytest
from botocore.session import Session

from dnslb import Change, Receipt, RecordManager, RecordType, Service, Snapshot
from dnslb_route53 import dnslb_record_managers
from dnslb_route53._options import Route53Options

(REGISTRATION,) = dnslb_record_managers()

ZONE = "ex.test"

START_LIMIT = 60.0
"""Seconds that the double may take until it answers, on a busy machine."""

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "NO_PROXY": "127.0.0.1,localhost",
}

_callers = itertools.count()


class MiniStack:
    """An emulator of AWS in a process of its own, with nothing but Route 53, STS and IAM.

    Attributes:
        address: where it listens.
        client: a client of its Route 53, for what other people do to a zone.
    """

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as opened:
            self._log = opened.enter_context(tempfile.TemporaryFile())
            self.address = self._free_address()
            host, port = self.address
            environment = os.environ | {"BIND_HOST": host, "GATEWAY_PORT": str(port), "SERVICES": "route53,sts,iam"}
            command = [sys.executable, "-m", "ministack"]
            process = subprocess.Popen(command, env=environment, stdout=self._log, stderr=subprocess.STDOUT)
            opened.callback(process.wait)
            opened.callback(process.terminate)
            self._wait_for(process)
            self.client: Any = Session().create_client(
                "route53",
                endpoint_url=self.url,
                region_name="us-east-1",
                aws_access_key_id="test",
                aws_secret_access_key="test",
            )
            opened.callback(self.client.close)
            self._opened = opened.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    @property
    def url(self) -> str:
        return "http://{}:{}".format(*self.address)

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

    @staticmethod
    def _free_address() -> tuple[str, int]:
        with socket.socket() as bound:
            bound.bind(("127.0.0.1", 0))
            host, port = bound.getsockname()
        return host, port

    def _wait_for(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_LIMIT
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        while process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(OSError), direct.open(f"{self.url}/_ministack/health", timeout=1):
                return
            time.sleep(0.05)
        self._log.seek(0)
        raise RuntimeError(f"MiniStack does not answer on {self.url}:\n{self._log.read().decode(errors='replace')}")


class Faults:
    """An HTTP server before the double, which passes requests on or answers in its place.

    Attributes:
        url: where it listens.
        answers: what it answers next, in order; None passes one request on, as it does where none are left.
        seen: method and path of every request, with the headers and the seconds of the monotonic clock.
    """

    def __init__(self, target: tuple[str, int]) -> None:
        faults = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                faults.seen.append(Seen(self.command, self.path, dict(self.headers), body, time.monotonic()))
                answer = (faults.answers.popleft() if faults.answers else None) or self._ask(body)
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            do_POST = do_GET  # noqa: N815 - as the base class wants it

            def _ask(self, body: bytes) -> Answer:
                with contextlib.closing(http.client.HTTPConnection(*target, timeout=30)) as connection:
                    connection.request(self.command, self.path, body, dict(self.headers))
                    found = connection.getresponse()
                    return Answer(found.status, found.read(), {"Content-Type": "text/xml"})

            def log_message(self, *_: object) -> None:
                pass

        self.answers: collections.deque[Answer | None] = collections.deque()
        self.seen: list[Seen] = []
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        return "http://{}:{}".format(*self._server.server_address[:2])

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


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    headers: dict[str, str]


@dataclass(frozen=True)
class Seen:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    at: float


@pytest.fixture(scope="session")
def ministack() -> Iterator[MiniStack]:
    if importlib.util.find_spec("ministack") is None:
        reason = "ministack is not installed; run: pip install ministack"
        if os.environ.get("DNSLB_REQUIRE_SERVERS") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    with MiniStack() as running:
        yield running


@pytest.fixture(scope="session")
def zone_id(ministack: MiniStack) -> str:
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
def connect(ministack: MiniStack, zone_id: str) -> Iterator[Callable[..., RecordManager]]:
    """`connect(fqdn, **options)`: a manager on the double, closed after the test."""
    with contextlib.ExitStack() as opened:

        def make(fqdn: str = f"www.{ZONE}", **options: Any) -> RecordManager:
            settings = {"hosted_zone_id": zone_id, "endpoint_url": ministack.url} | options
            manager = REGISTRATION.factory(Route53Options(**settings), Service(fqdn, 80))
            opened.callback(manager.close)
            return manager

        yield make


@pytest.fixture
def faults(ministack: MiniStack) -> Iterator[Faults]:
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
