"""dnslb on Azure DNS: a record manager that compares and swaps by etag."""

from __future__ import annotations

from collections.abc import Iterator

from dnslb import Capabilities, RecordManager, RecordManagerType, Service, hookimpl
from dnslb_azure._options import MAX_VALUES, MIN_TTL, AzureOptions


def _make(options: AzureOptions, service: Service) -> RecordManager:
    # The SDK stays out of the process until somebody selects this plugin.
    from dnslb_azure._manager import AzureRecordManager  # noqa: PLC0415

    return AzureRecordManager(options, service.fqdn)


@hookimpl
def dnslb_record_managers() -> Iterator[RecordManagerType]:
    """The record manager `azure`."""
    yield RecordManagerType(
        name="azure",
        summary="Azure DNS, public zones",
        options=AzureOptions,
        factory=_make,
        capabilities=Capabilities(
            max_values=MAX_VALUES,
            atomic_names=False,
            min_ttl=MIN_TTL,
            min_interval=5.0,
            request_rate=33.0,  # a zone takes 2,000 reads a minute; writes, of which it takes fewer, are rare
        ),
    )
