"""The plugin keeps dnslb's contract, on every server that it is made for."""

from __future__ import annotations

import pytest

from dnslb import RecordManager
from dnslb.testing import Endpoint, RecordManagerConformance, RegistrationConformance, Store
from dnslb_rfc2136 import dnslb_record_managers


class TestRegistration(RegistrationConformance):
    name = "rfc2136"
    module = "dnslb_rfc2136"
    sdk = ("dns",)


class TestRecordManager(RecordManagerConformance):
    (registration,) = dnslb_record_managers()

    @pytest.fixture
    def store(self, server, connect) -> Store:
        address = (server.address, server.port)

        def make(via: Endpoint | None = None) -> RecordManager:
            if via is None:
                return connect(server, timeout=10.0)
            host, port = via
            return connect(server, server=host, port=port, timeout=2.0)

        return Store(zone=server.zone, make=make, server=address)
