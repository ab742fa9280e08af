"""dnslb on your own name servers: a record manager that speaks dynamic update (RFC 2136)."""

from __future__ import annotations

from collections.abc import Iterator

from dnslb import Capabilities, RecordManager, RecordManagerType, Service, hookimpl
from dnslb_rfc2136._options import MAX_VALUES, Rfc2136Options


def _make(options: Rfc2136Options, service: Service) -> RecordManager:
    # dnspython stays out of the process until somebody selects this plugin.
    from dnslb_rfc2136._manager import Rfc2136RecordManager  # noqa: PLC0415

    return Rfc2136RecordManager(options, service.fqdn)


@hookimpl
def dnslb_record_managers() -> Iterator[RecordManagerType]:
    """The record manager `rfc2136`."""
    yield RecordManagerType(
        name="rfc2136",
        summary="BIND, Knot DNS, PowerDNS and other name servers, by dynamic update (RFC 2136)",
        options=Rfc2136Options,
        factory=_make,
        capabilities=Capabilities(max_values=MAX_VALUES, atomic_names=True, min_ttl=0, min_interval=5.0),
    )
