"""The plugin keeps dnslb's contract."""

from __future__ import annotations

import pytest

from dnslb import RecordManager, Service
from dnslb.testing import Endpoint, RecordManagerConformance, RegistrationConformance, Store
from dnslb_azure import dnslb_record_managers
from dnslb_azure._options import AzureOptions


class TestRegistration(RegistrationConformance):
    name = "azure"
    module = "dnslb_azure"
    sdk = ("azure", "msal", "requests")


class TestRecordManager(RecordManagerConformance):
    (registration,) = dnslb_record_managers()

    @pytest.fixture
    def store(self, dns, connect) -> Store:
        def make(via: Endpoint | None = None) -> RecordManager:
            return connect() if via is None else connect(via=via, timeout=2.0)

        return Store(zone="ex.test", make=make, server=dns.address)


class TestRecordManagerOnAzure(RecordManagerConformance):
    """The same on the real service, where a zone for it is named; few writers, since the account's quota is small."""

    (registration,) = dnslb_record_managers()
    writers = 4
    commits = 16
    time_limit = 60.0
    wait_limit = 120.0

    @pytest.fixture
    def store(self, live_zone) -> Store:
        options = AzureOptions(zone=live_zone)
        apex = options.wanted_zone().name

        def make(via: Endpoint | None = None) -> RecordManager:
            return self.registration.factory(options, Service(f"www.{apex}", 443))

        return Store(zone=apex, make=make)
