"""The plugin keeps dnslb's contract."""

from __future__ import annotations

import os

import pytest

from dnslb import RecordManager, Service
from dnslb.testing import Endpoint, RecordManagerConformance, RegistrationConformance, Store
from dnslb_route53 import dnslb_record_managers
from dnslb_route53._options import Route53Options

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


@pytest.mark.live
@pytest.mark.timeout(1800)
@pytest.mark.skipif(LIVE_ZONE is None, reason="DNSLB_LIVE_ROUTE53 names no hosted zone of the real service to test on")
class TestLiveRecordManager(RecordManagerConformance):
    """On a hosted zone of AWS, by its name, with the credentials that the environment gives."""

    (registration,) = dnslb_record_managers()
    wait_limit = 180.0
    writers = 4
    commits = 8
    concurrency_limit = 600.0

    @pytest.fixture
    def store(self) -> Store:
        def make(via: Endpoint | None = None) -> RecordManager:
            return self.registration.factory(Route53Options(zone=LIVE_ZONE), Service(f"www.{LIVE_ZONE}", 80))

        return Store(zone=str(LIVE_ZONE), make=make)
