"""What plugin authors test with: a conformance kit a kind, and the fakes that dnslb itself is tested with.

It needs pytest: `pip install 'dnslb[testing]'`.
"""

from __future__ import annotations

try:
    import pytest
except ImportError as error:
    raise ImportError(
        "dnslb.testing needs pytest, which is not installed; run: pip install 'dnslb[testing]'"
    ) from error

# Before they are imported, so that a failed assert in the kit shows its values in the author's report.
pytest.register_assert_rewrite(
    "dnslb.testing.address_sources",
    "dnslb.testing.destroyers",
    "dnslb.testing.probes",
    "dnslb.testing.record_managers",
    "dnslb.testing.region_filters",
    "dnslb.testing.registrations",
)

from dnslb.testing.address_sources import AddressSourceConformance, OwnHost  # noqa: E402
from dnslb.testing.checks import NOT_APPLICABLE  # noqa: E402
from dnslb.testing.destroyers import DestroyerConformance, Fleet  # noqa: E402
from dnslb.testing.memory import MemoryRecordManager, MemoryZone  # noqa: E402
from dnslb.testing.probes import ProbeConformance, Probed  # noqa: E402
from dnslb.testing.record_managers import (  # noqa: E402
    MakeRecordManager,
    RecordManagerConformance,
    Store,
)
from dnslb.testing.region_filters import Region, RegionFilterConformance  # noqa: E402
from dnslb.testing.registrations import RegistrationConformance  # noqa: E402
from dnslb.testing.wire import Counters, CuttingProxy, Endpoint, Mode  # noqa: E402

__all__ = [
    "NOT_APPLICABLE",
    "AddressSourceConformance",
    "Counters",
    "CuttingProxy",
    "DestroyerConformance",
    "Endpoint",
    "Fleet",
    "MakeRecordManager",
    "MemoryRecordManager",
    "MemoryZone",
    "Mode",
    "OwnHost",
    "ProbeConformance",
    "Probed",
    "RecordManagerConformance",
    "Region",
    "RegionFilterConformance",
    "RegistrationConformance",
    "Store",
]
