"""The three name servers, started once for all tests, and managers on them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import pytest

from dnslb import Change, Receipt, RecordManager, RecordType, Secret, Service, Snapshot
from dnslb.testing.nameservers import Bind, Knot, NameServer, PowerDNS
from dnslb_rfc2136 import dnslb_record_managers
from dnslb_rfc2136._options import Rfc2136Options

(REGISTRATION,) = dnslb_record_managers()

RECORDS = """
alias CNAME ns
dangling CNAME nowhere
*.wild A 192.0.2.99
sub NS ns.elsewhere.test.
"""

TIMEOUT = 10.0
"""Seconds; now and then Knot takes one second for an update, and a loaded machine makes it more."""


class Connect(Protocol):
    """Makes a manager on a server; `options` are those of the plugin that differ from the server's own."""

    def __call__(self, on: NameServer, /, fqdn: str = "", **options: Any) -> RecordManager: ...


def need(reason: str | None) -> None:
    """Skips the test for that reason, or fails it where everything is required to be there."""
    if reason is None:
        return
    if os.environ.get("DNSLB_REQUIRE_SERVERS") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def running(kind: type[NameServer]) -> Iterator[NameServer]:
    need(kind.missing())
    with kind(records=RECORDS) as server:
        yield server


@pytest.fixture(scope="session")
def bind() -> Iterator[NameServer]:
    yield from running(Bind)


@pytest.fixture(scope="session")
def knot() -> Iterator[NameServer]:
    yield from running(Knot)


@pytest.fixture(scope="session")
def powerdns() -> Iterator[NameServer]:
    yield from running(PowerDNS)


@pytest.fixture(params=["bind", "knot", "powerdns"])
def server(request: pytest.FixtureRequest) -> NameServer:
    """Each of the three in turn."""
    found: NameServer = request.getfixturevalue(request.param)
    return found


@pytest.fixture(params=[Bind, Knot, PowerDNS], ids=lambda kind: kind.__name__)
def own_server(request: pytest.FixtureRequest) -> Iterator[NameServer]:
    """Each of the three in turn, for a test that stops it or changes its configuration."""
    yield from running(request.param)


@pytest.fixture(scope="session")
def require() -> Any:
    """`need`, for tests that start servers of their own."""
    return need


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


@pytest.fixture(scope="session")
def connect() -> Connect:
    def make(on: NameServer, /, fqdn: str = "", **options: Any) -> RecordManager:
        settings: dict[str, Any] = {
            "server": on.address,
            "port": on.port,
            "key_name": on.key_name,
            "key_algorithm": on.algorithm,
            "key_secret": Secret(on.key_secret),
            "timeout": TIMEOUT,
        }
        return REGISTRATION.factory(Rfc2136Options(**(settings | options)), Service(fqdn or f"www.{on.zone}", 80))

    return make
