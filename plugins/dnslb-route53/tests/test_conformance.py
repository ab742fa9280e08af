"""The plugin keeps dnslb's contract."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import pytest

from dnslb import Change, Receipt, RecordManager, RecordSet, RecordType, Service, Snapshot, Throttled
from dnslb.testing import Endpoint, RecordManagerConformance, RegistrationConformance, Store
from dnslb_route53 import dnslb_record_managers
from dnslb_route53._options import Route53Options

T = TypeVar("T")

LIVE_ZONE = os.environ.get("DNSLB_LIVE_ROUTE53")


class TestRegistration(RegistrationConformance):
    name = "route53"
    module = "dnslb_route53"
    sdk = ("boto3", "botocore")


class TestRecordManager(RecordManagerConformance):
    (registration,) = dnslb_record_managers()

    @pytest.fixture
    def store(self, ministack, connect) -> Store:
        def make(via: Endpoint | None = None) -> RecordManager:
            if via is None:
                return connect()
            return connect(endpoint_url="http://{}:{}".format(*via), timeout=1.5)

        return Store(zone="ex.test", make=make, server=ministack.address)


class Patient:
    """A record manager that waits where AWS asks for fewer requests, as an agent does until its next reading.

    What was throttled has not been applied, so it may be sent again.
    """

    def __init__(self, manager: RecordManager, written: set[tuple[str, RecordType]]) -> None:
        """`written` is where it notes the record sets of its commits."""
        self._manager = manager
        self._written = written

    def read(self, name: str, type: RecordType) -> Snapshot:
        return self._allowed(lambda: self._manager.read(name, type))

    def commit(self, changes: Sequence[Change]) -> Receipt:
        self._written.update((change.after.name, change.after.type) for change in changes)
        return self._allowed(lambda: self._manager.commit(changes))

    def wait(self, receipt: Receipt, timeout: float) -> bool:
        return self._manager.wait(receipt, timeout)

    def close(self) -> None:
        self._manager.close()

    def _allowed(self, call: Callable[[], T]) -> T:
        for pause in (1, 2, 4, 8):
            try:
                return call()
            except Throttled:
                time.sleep(random.uniform(0, pause))
        return call()


@pytest.mark.live
@pytest.mark.timeout(1800)
@pytest.mark.skipif(LIVE_ZONE is None, reason="DNSLB_LIVE_ROUTE53 names no hosted zone of the real service to test on")
class TestLiveRecordManager(RecordManagerConformance):
    """On a hosted zone of AWS, by its name, with the credentials that the environment gives."""

    (registration,) = dnslb_record_managers()
    time_limit = 60.0
    wait_limit = 180.0
    writers = 4
    commits = 8
    concurrency_limit = 600.0

    @pytest.fixture
    def store(self) -> Iterator[Store]:
        written: set[tuple[str, RecordType]] = set()

        def make(via: Endpoint | None = None) -> RecordManager:
            options, service = Route53Options(zone=LIVE_ZONE), Service(f"www.{LIVE_ZONE}", 80)
            return Patient(self.registration.factory(options, service), written)

        yield Store(zone=str(LIVE_ZONE), make=make)
        manager = make()
        for name, type in sorted(written, key=str):
            before = manager.read(name, type)
            if before.record_set.exists:
                manager.commit([Change(before, RecordSet(name, type))])
        manager.close()
