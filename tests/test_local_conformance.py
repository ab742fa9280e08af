"""The record manager `local` keeps the contract of plugins and of record managers."""

import pytest

from dnslb.builtin._local import LocalRecordManager
from dnslb.builtin.local import dnslb_record_managers
from dnslb.testing import RecordManagerConformance, RegistrationConformance, Store

(REGISTRATION,) = dnslb_record_managers()


class TestRegistration(RegistrationConformance):
    name = "local"
    module = "dnslb.builtin.local"
    sdk = ("sqlite3",)


class TestRecordManager(RecordManagerConformance):
    registration = REGISTRATION

    @pytest.fixture
    def store(self, tmp_path):
        path = tmp_path / "records.db"
        # A lock is waited for as long as by default: on a slow disk, 8 writers may well keep one another waiting.
        return Store(zone="ex.test", make=lambda via=None: LocalRecordManager(path))
