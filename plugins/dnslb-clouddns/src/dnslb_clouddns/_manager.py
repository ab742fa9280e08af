"""The record manager: compare-and-swap by one change that deletes exactly what was read and adds what shall be.

Source: https://cloud.google.com/dns/docs/reference/rest/v1/changes
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from google.auth.credentials import Credentials
from google.cloud import dns  # type: ignore[import-untyped]

from dnslb import (
    Change,
    ConfigurationError,
    Conflict,
    Receipt,
    RecordSet,
    RecordType,
    Rejected,
    Snapshot,
    Throttled,
    Unavailable,
    ZoneNotFound,
)
from dnslb_clouddns._client import Clients, connect, find_credentials
from dnslb_clouddns._errors import boundary
from dnslb_clouddns._options import MAX_VALUES, CloudDnsOptions
from dnslb_clouddns._records import absolute, describe, snapshot_of, to_values, version_of
from dnslb_clouddns._zones import find_zone, is_within

_POLL_INTERVAL = 1.0
"""Seconds between two looks at a change that is pending."""


class CloudDnsRecordManager:
    """Reads from and writes to one managed zone, which is found before the first read.

    Raises:
        ConfigurationError: `fqdn` is not in the zone that the options name, or their credentials cannot be read.
    """

    def __init__(self, options: CloudDnsOptions, fqdn: str) -> None:
        if options.zone_dns_name is not None and not is_within(fqdn, options.zone_dns_name):
            raise ConfigurationError(f"{fqdn} is not in the zone {options.zone_dns_name}: correct `zone`")
        self._fqdn = fqdn
        self._options = options
        self._lock = threading.Lock()
        self._credentials: tuple[Credentials, str | None] | None = None
        self._clients: Clients | None = None
        self._zone_found: dns.zone.ManagedZone | None = None
        if options.credentials_file is not None:
            self._credentials = find_credentials(options)

    def __repr__(self) -> str:
        return f"CloudDnsRecordManager({self._fqdn})"

    # -- the contract ---------------------------------------------------------------------------------------

    def read(self, name: str, type: RecordType) -> Snapshot:
        """The record set as the API has it, from a request for the record sets of that one name.

        Raises:
            Unavailable: no answer, or none that can be understood; Throttled where fewer requests are asked for.
            Denied: no credentials, or they do not allow it.
            ZoneNotFound: there is no such zone or project, or the name is not in the zone.
            Rejected: the set has a routing policy, or the name is an alias.
        """
        wanted = RecordSet(name, type)
        zone = self._zone([wanted])
        sets = zone.list_resource_record_sets()
        sets.extra_params = {"name": absolute(wanted.name)}
        sets.item_to_value = _as_it_is  # the SDK's own fails on a set with a routing policy
        sets.api_request = _requiring_a_list(sets.api_request)
        with self._forgetting_the_zone(), boundary(f"read {describe([wanted])} in the zone {zone.name}"):
            return snapshot_of(wanted, sets)

    def commit(self, changes: Sequence[Change]) -> Receipt:
        """Sends all changes as one, which is applied as a whole or not at all.

        What was absent and stays absent cannot be said in a change: it is read once more before.

        Raises:
            Conflict: a record set is no longer what was read.
            OutcomeUnknown: it was sent, and no answer came that tells what became of it.
            Unavailable: it was certainly not applied; Throttled where fewer requests are asked for.
            Denied, ZoneNotFound: as for `read`.
            Rejected: too many values, one record set twice, a name outside of the zone, or refused by the API.
        """
        wanted = [change.after for change in changes]
        _require_acceptable(wanted)
        zone = self._zone(wanted)
        request = zone.changes()
        for change in changes:
            self._add(request, zone, change)
        if not request.deletions and not request.additions:
            return Receipt()
        clients = self._connected()
        with (
            self._forgetting_the_zone(),
            boundary(f"change {describe(wanted)} in the zone {zone.name}", commit=True),
        ):
            request.create(client=clients.commits)
            if not request.name:
                raise ValueError("it names no change")
        return Receipt(request)

    def wait(self, receipt: Receipt, timeout: float) -> bool:
        """Waits until the change is done, which is that it was sent to Google's name servers.

        Raises:
            Unavailable, Refused: in all of `timeout` seconds there was no answer.
        """
        change = receipt.id
        if not isinstance(change, dns.Changes) or change.status == "done":
            return True
        deadline = time.monotonic() + timeout
        answered, trouble, pause = False, None, 0.0
        while (left := deadline - time.monotonic()) > 0:
            time.sleep(min(pause, left))
            pause = _POLL_INTERVAL
            try:
                with boundary(f"look at change {change.name} of the zone {change.zone.name}"):
                    change.reload()
                answered = True
            except Unavailable as error:
                trouble = error
                pause = (error.retry_after if isinstance(error, Throttled) else None) or pause
            if change.status == "done":
                return True
        if trouble is not None and not answered:
            raise trouble
        return False

    def close(self) -> None:
        """Closes all connections."""
        with self._lock:
            if self._clients is not None:
                self._clients.close()
                self._clients = None

    # -- the zone -------------------------------------------------------------------------------------------

    def _connected(self) -> Clients:
        with self._lock:
            if self._clients is None:
                with boundary("find the application default credentials"):
                    self._credentials = self._credentials or find_credentials(self._options)
                self._clients = connect(self._options, *self._credentials)
            return self._clients

    def _zone(self, wanted: Sequence[RecordSet]) -> dns.zone.ManagedZone:
        """The zone, which holds all of the names."""
        clients = self._connected()
        with self._lock:
            if self._zone_found is None:
                self._zone_found = find_zone(clients.reads, self._options, self._fqdn)
            zone = self._zone_found
        outside = [each for each in wanted if not is_within(each.name, zone.dns_name.lower().removesuffix("."))]
        if outside:
            raise ZoneNotFound(
                f"{describe(outside)} outside of the zone {zone.name} ({zone.dns_name}); names that change together"
                " must be in one zone"
            )
        return zone

    @contextlib.contextmanager
    def _forgetting_the_zone(self) -> Iterator[None]:
        """A zone that is gone is looked for anew the next time."""
        try:
            yield
        except ZoneNotFound:
            self._zone_found = None
            raise

    # -- a change -------------------------------------------------------------------------------------------

    def _add(self, request: dns.Changes, zone: dns.zone.ManagedZone, change: Change) -> None:
        """Adds to the request that what was read goes, exactly as it was read, and what shall be comes."""
        before, after = version_of(change.before), change.after
        if before is not None:
            request.delete_record_set(
                zone.resource_record_set(before.name, before.type, before.ttl, list(before.values))
            )
        if after.exists:
            values = to_values(after)
            request.add_record_set(zone.resource_record_set(absolute(after.name), str(after.type), after.ttl, values))
        if before is None and not after.exists and self.read(after.name, after.type).record_set.exists:
            raise Conflict(f"{describe([after])} was absent, and is not any more")


def _require_acceptable(wanted: Sequence[RecordSet]) -> None:
    """What the service would refuse, or take in a sense of its own."""
    for each in wanted:
        if len(each.values) > MAX_VALUES:
            raise Rejected(
                f"{describe([each])} would hold {len(each.values)} values; Cloud DNS keeps at most {MAX_VALUES}"
            )
    if len({(each.name, each.type) for each in wanted}) < len(wanted):
        raise Rejected(f"one commit changes a record set twice: {describe(wanted)}; make it one change")


def _requiring_a_list(api_request: Callable[..., Any]) -> Callable[..., Any]:
    """The SDK takes an answer about something else for an empty list: a cluster would seem to have no members."""

    def request(**arguments: Any) -> Any:
        answer = api_request(**arguments)
        if not {"kind", "rrsets"} & answer.keys():
            raise ValueError("it holds no list of record sets")
        return answer

    return request


def _as_it_is(_: object, resource: Mapping[str, Any]) -> Mapping[str, Any]:
    return resource
