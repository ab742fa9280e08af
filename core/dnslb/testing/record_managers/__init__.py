"""The conformance kit for record managers.

A plugin's `tests/test_conformance.py`, whole:

    import pytest
    from dnslb.testing import RecordManagerConformance, Store
    from my_dns import REGISTRATION
    from my_dns._manager import MyRecordManager


    class TestMyDns(RecordManagerConformance):
        registration = REGISTRATION

        @pytest.fixture
        def store(self, my_server):
            def make(via=None):
                return MyRecordManager(via or my_server.address, timeout=1.0 if via else 10.0)

            return Store(zone="ex.test", make=make, server=my_server.address)
"""

from __future__ import annotations

from dnslb.testing.record_managers.base import MakeRecordManager, Store
from dnslb.testing.record_managers.basics import BasicChecks
from dnslb.testing.record_managers.concurrency import ConcurrencyChecks
from dnslb.testing.record_managers.conflicts import ConflictChecks
from dnslb.testing.record_managers.values import ValueChecks
from dnslb.testing.record_managers.wire import WireChecks

__all__ = ["MakeRecordManager", "RecordManagerConformance", "Store"]


class RecordManagerConformance(WireChecks, ConcurrencyChecks, ConflictChecks, ValueChecks, BasicChecks):
    """Checks a record manager against the contract of `dnslb.RecordManager`; each test is one promise.

    Subclass it, set `registration` (or `capabilities`), and override the fixture `store`. What a provider cannot
    do by its capabilities is skipped, with a reason that begins with `dnslb.testing.NOT_APPLICABLE`.
    """
