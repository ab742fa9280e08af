"""A fake of Cloud DNS for each test, and managers on it; or the real service where DNSLB_LIVE_CLOUDDNS names a zone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

import pytest

from dnslb import Change, Receipt, RecordManager, RecordType, Service, Snapshot
from dnslb.testing import Endpoint
from dnslb.testing.clouddns import CloudDns
from dnslb_clouddns import dnslb_record_managers
from dnslb_clouddns._options import CloudDnsOptions

(REGISTRATION,) = dnslb_record_managers()

PROJECT = "dnslb-test"


def pytest_configure(config: pytest.Config) -> None:
    """Google's library tells, when it is imported, that it will not support a Python for ever; that is no fault."""
    config.addinivalue_line("filterwarnings", "ignore:You are using a Python version .* which Google:FutureWarning")


class Connect(Protocol):
    """Makes a manager; `options` are those of the plugin, `via` an address that stands for the fake's."""

    def __call__(self, fqdn: str = "", *, via: Endpoint | None = None, **options: Any) -> RecordManager: ...


@pytest.fixture
def fake() -> Iterator[CloudDns]:
    """With one public zone, ex.test; whatever a test does to it, its traffic is as Google describes it."""
    with CloudDns(PROJECT) as fake:
        fake.add_zone("ex-test", "ex.test.")
        yield fake
        assert fake.faults == []


@pytest.fixture
def connect(fake: CloudDns) -> Iterator[Connect]:
    """Managers on the fake; they are closed at the end."""
    made: list[RecordManager] = []

    def make(fqdn: str = "www.ex.test", *, via: Endpoint | None = None, **options: Any) -> RecordManager:
        host, port = via or fake.address
        settings = {"project": PROJECT, "api_endpoint": f"http://{host}:{port}"} | options
        made.append(REGISTRATION.factory(CloudDnsOptions(**settings), Service(fqdn, 80)))
        return made[-1]

    yield make
    for manager in made:
        manager.close()


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
