"""The record manager `local`: records in a SQLite file, for trials, tests and clusters on one host."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from dnslb.forms import Seconds
from dnslb.hookspecs import RecordManagerType, hookimpl
from dnslb.interfaces import Capabilities, RecordManager, Service
from dnslb.options import option

CAPABILITIES = Capabilities(
    # The bound on what dnslb reads of any record set; as AAAA records they fill 28 of the 64 KiB of a DNS message.
    max_values=1000,
    atomic_names=True,
    min_ttl=0,
    # There is no account whose quota could run out: a read takes a fraction of a millisecond. One second is the
    # shortest time that is also a TTL.
    min_interval=1.0,
)


@dataclass(frozen=True)
class LocalOptions:
    """The options of `record_manager: {plugin: local}`."""

    path: Path = option(help="the SQLite file, on a local disk; it is made where there is none")
    timeout: Seconds = option(5.0, help="how long to wait while another process writes to the file")


def make(options: LocalOptions, service: Service) -> RecordManager:  # noqa: ARG001
    """The factory. It makes the file where there is none, and raises ProviderError where it cannot be used."""
    from dnslb.builtin._local import LocalRecordManager  # noqa: PLC0415

    return LocalRecordManager(options.path, options.timeout)


@hookimpl
def dnslb_record_managers() -> Iterable[RecordManagerType]:
    """Registers `local`."""
    yield RecordManagerType(
        name="local",
        summary="records in a SQLite file on this host, which `dnslb serve-dns` serves",
        options=LocalOptions,
        factory=make,
        capabilities=CAPABILITIES,
    )
