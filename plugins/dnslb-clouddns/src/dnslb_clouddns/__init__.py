"""dnslb on Google Cloud DNS: a record manager for public and private managed zones."""

from __future__ import annotations

from collections.abc import Iterator

from dnslb import Capabilities, RecordManager, RecordManagerType, Service, hookimpl
from dnslb_clouddns._options import MAX_VALUES, CloudDnsOptions


def _make(options: CloudDnsOptions, service: Service) -> RecordManager:
    # Google's libraries stay out of the process until somebody selects this plugin.
    from dnslb_clouddns._manager import CloudDnsRecordManager  # noqa: PLC0415

    return CloudDnsRecordManager(options, service.fqdn)


@hookimpl
def dnslb_record_managers() -> Iterator[RecordManagerType]:
    """The record manager `clouddns`."""
    yield RecordManagerType(
        name="clouddns",
        summary="Google Cloud DNS, public and private zones",
        options=CloudDnsOptions,
        factory=_make,
        capabilities=Capabilities(max_values=MAX_VALUES, atomic_names=True),
    )
