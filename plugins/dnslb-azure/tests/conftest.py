"""Azure DNS as a fake, its resources held against the SDK's own models, and managers on it."""

from __future__ import annotations

import os
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest
import trustme
from azure.core.credentials import AccessToken
from azure.mgmt.dns import models

from dnslb import Change, Receipt, RecordManager, RecordType, Snapshot
from dnslb.testing import Endpoint
from dnslb.testing.azuredns import AzureDns
from dnslb_azure._manager import AzureRecordManager
from dnslb_azure._options import AzureOptions

ZONE = "ex.test"
TIMEOUT = 10.0
"""Seconds; a loaded machine needs some."""

LIVE = "DNSLB_LIVE_AZURE"
"""The resource id of a zone of Azure DNS that tests may write to; the credentials are the default ones."""


class StaticToken:
    """A credential that has its token already."""

    def __init__(self, token: str) -> None:
        self.token = token

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        return AccessToken(self.token, int(time.time()) + 3600)


class Connect(Protocol):
    """Makes a manager on the fake; `options` are those that differ."""

    def __call__(self, fqdn: str = "", via: Endpoint | None = None, **options: Any) -> RecordManager: ...


def is_as_the_sdk_has_it(model: str, resource: dict[str, Any]) -> None:
    """There and back through the SDK's model nothing may be lost: it knows every key, and every value has its type."""
    kind = getattr(models, model)
    back = kind.deserialize(resource).serialize(keep_readonly=True)
    assert back == _without_nothing(resource), f"{resource} came back as {back}"


def _without_nothing(resource: Any) -> Any:
    if isinstance(resource, dict):
        return {key: _without_nothing(value) for key, value in resource.items() if value is not None}
    return resource


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def tls(authority) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.fixture(scope="session")
def ca_file(authority, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return path


@pytest.fixture
def dns(tls, monkeypatch) -> Iterator[AzureDns]:
    """The service with one zone; what it has seen was valid at the end."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with AzureDns(tls, check=is_as_the_sdk_has_it) as dns:
        dns.add_zone(ZONE)
        yield dns
        assert dns.violations == []


@pytest.fixture
def connect(dns, ca_file) -> Iterator[Connect]:
    made: list[RecordManager] = []

    def make(fqdn: str = "", via: Endpoint | None = None, **options: Any) -> RecordManager:
        host, port = via or dns.address
        settings = {
            "zone": ZONE,
            "resource_group": "dns",
            "subscription_id": dns.subscription,
            "base_url": f"https://{host}:{port}",
            "ca_file": ca_file,
            "timeout": TIMEOUT,
        }
        manager = AzureRecordManager(
            AzureOptions(**(settings | options)), fqdn or f"www.{ZONE}", StaticToken(dns.token)
        )
        made.append(manager)
        return manager

    yield make
    for manager in made:
        manager.close()


@pytest.fixture
def manager(connect) -> RecordManager:
    return connect()


@pytest.fixture(scope="session")
def change() -> Callable[..., Change]:
    """`change(before, *values)`: from what was read to these values."""

    def make(before: Snapshot, *values: str, ttl: int = 60) -> Change:
        return Change(before, before.record_set.holding(values, ttl))

    return make


@pytest.fixture(scope="session")
def write(change) -> Callable[..., Receipt]:
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


@pytest.fixture(scope="session")
def live_zone() -> str:
    """The id of a real zone, or else the test is skipped."""
    zone = os.environ.get(LIVE)
    if not zone:
        pytest.skip(f"{LIVE} names no zone of Azure DNS to test on")
    return zone
