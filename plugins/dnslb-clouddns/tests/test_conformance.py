"""The plugin keeps dnslb's contract, on the fake and, where DNSLB_LIVE_CLOUDDNS names a zone, on the real service."""

from __future__ import annotations

import os

import pytest

from dnslb import RecordManager, RecordType, Service
from dnslb.testing import Endpoint, RecordManagerConformance, RegistrationConformance, Store
from dnslb.testing.clouddns import CloudDns
from dnslb_clouddns import dnslb_record_managers
from dnslb_clouddns._options import CloudDnsOptions

LIVE = "DNSLB_LIVE_CLOUDDNS"
"""The DNS name of a zone that the tests may write to, with the application default credentials."""


class TestRegistration(RegistrationConformance):
    name = "clouddns"
    module = "dnslb_clouddns"
    sdk = ("google", "requests", "urllib3")


class TestRecordManager(RecordManagerConformance):
    (registration,) = dnslb_record_managers()

    @pytest.fixture
    def store(self, fake, connect) -> Store:
        def make(via: Endpoint | None = None) -> RecordManager:
            return connect(via=via, **({"timeout": 1.0} if via else {}))

        return Store(zone="ex.test", make=make, server=fake.address)


class TestLiveRecordManager(RecordManagerConformance):
    """The checks that need no proxy, on the real service."""

    (registration,) = dnslb_record_managers()
    time_limit = 60.0
    wait_limit = 300.0
    writers = 4
    commits = 20

    @pytest.fixture
    def store(self) -> Store:
        zone = os.environ.get(LIVE)
        if not zone:
            pytest.skip(f"{LIVE} names no zone of the real service to write to")
        private = os.environ.get(f"{LIVE}_PRIVATE") == "1"

        def make(via: Endpoint | None = None) -> RecordManager:
            options = CloudDnsOptions(zone=zone, private=private)
            return self.registration.factory(options, Service(f"www.{zone}", 80))

        return Store(zone=zone, make=make)


def test_traffic_is_held_against_googles_description(fake, connect):
    if not fake.validates:
        pytest.skip("google-api-python-client is not installed, so nothing is held against Google's description")
    with CloudDns(fake.project) as broken:
        broken.add_zone("ex-test", "ex.test.")
        broken.put("ex-test", {"name": "www.ex.test.", "type": "A", "ttl": "60", "rrdatas": ["192.0.2.1"]})
        connect(via=broken.address).read("www.ex.test", RecordType.A)
        assert broken.faults == ["the response.rrsets[0].ttl is '60', not of type int32"]
