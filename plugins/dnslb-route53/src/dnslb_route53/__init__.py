"""dnslb on Amazon Route 53: a record manager that changes record sets by atomic change batches."""

from __future__ import annotations

from collections.abc import Iterator

from dnslb import Capabilities, RecordManager, RecordManagerType, Service, hookimpl
from dnslb_route53._options import MAX_VALUES, Route53Options


def _make(options: Route53Options, service: Service) -> RecordManager:
    # botocore stays out of the process until somebody selects this plugin.
    from dnslb_route53._manager import Route53RecordManager  # noqa: PLC0415

    return Route53RecordManager(options, service.fqdn)


@hookimpl
def dnslb_record_managers() -> Iterator[RecordManagerType]:
    """The record manager `route53`."""
    yield RecordManagerType(
        name="route53",
        summary="Amazon Route 53, public and private hosted zones",
        options=Route53Options,
        factory=_make,
        # Five requests a second is all that an account has by default, for all of its agents.
        capabilities=Capabilities(
            max_values=MAX_VALUES,
            atomic_names=True,
            min_ttl=0,
            min_interval=5.0,
            request_rate=5.0,
            propagation=60.0,
            reads_together=True,
        ),
    )
