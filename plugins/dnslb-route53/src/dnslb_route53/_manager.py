"""The record manager: compare-and-swap by change batches that delete what was read and create what should be."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

from dnslb import (
    Change,
    ConfigurationError,
    Receipt,
    RecordSet,
    RecordType,
    Rejected,
    Snapshot,
    Unavailable,
    ZoneNotFound,
)
from dnslb_route53 import _records as records
from dnslb_route53._client import Api
from dnslb_route53._options import Route53Options
from dnslb_route53._zones import Zone, find_zone, is_within

_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 5.0
"""Seconds between two looks at a change: mostly it is served within a minute, and all agents share one quota."""


_PAGE = 20
"""How many record sets to list where several are wanted: those of a service, and a few that stand between them."""


class Route53RecordManager:
    """Reads from and writes to one hosted zone of Amazon Route 53.

    A read, of several record sets too, and a commit are one request each, once the zone is known.

    Raises:
        ConfigurationError: `fqdn` is not in the zone that the options name, there is no such profile, or AWS's own
            configuration files cannot be read.
    """

    def __init__(self, options: Route53Options, fqdn: str) -> None:
        if options.zone is not None and not is_within(fqdn, options.zone):
            raise ConfigurationError(f"{fqdn} is not in the zone {options.zone}: correct `zone`, or leave it out")
        self._options = options
        self._fqdn = fqdn
        self._api = Api(options)
        self._zone_lock = threading.Lock()
        self._zone_found: Zone | None = None

    def __repr__(self) -> str:
        return f"Route53RecordManager({self._fqdn} in {self._zone_found or 'a zone to be found'})"

    # -- the contract ---------------------------------------------------------------------------------------

    def read(self, name: str, type: RecordType) -> Snapshot:
        """The record set as Route 53 has it now, changes included that are not served yet.

        Raises:
            Unavailable: no answer; Throttled where there were too many requests.
            Denied: no credentials, or not permitted.
            ZoneNotFound: the zone is not there, or does not hold the name.
            Rejected: the set is an alias or one of several routed ones, or there is a CNAME record in its place.
        """
        wanted = RecordSet(name, type)
        listed = self._call(
            "list_resource_record_sets",
            "ResourceRecordSets",
            f"read {records.describe([wanted])}",
            HostedZoneId=self._zone_for([wanted]).id,
            StartRecordName=wanted.name,
            StartRecordType=wanted.type.value,
            MaxItems="1",
        )
        return records.snapshot_of(wanted, listed)

    def read_together(self, keys: Sequence[tuple[str, RecordType]]) -> list[Snapshot]:
        """Several record sets by one listing; raises as `read`.

        Route 53 lists names by their labels from the last one, so the names below a name follow it. There may be
        so much between them that a page ends before; what is not on it is then read by itself.
        """
        wanted = [RecordSet(name, type) for name, type in keys]
        listed = self._call(
            "list_resource_record_sets",
            "ResourceRecordSets",
            f"read {records.describe(wanted)}",
            HostedZoneId=self._zone_for(wanted).id,
            StartRecordName=min((each.name for each in wanted), key=len),
            MaxItems=str(_PAGE),
        )
        snapshots = [records.snapshot_of(each, listed) for each in wanted]
        if len(listed) < _PAGE:
            return snapshots
        return [each if each.record_set.exists else self.read(*key) for each, key in zip(snapshots, keys, strict=True)]

    def commit(self, changes: Sequence[Change]) -> Receipt:
        """Sends all changes in one batch, which Route 53 applies as a whole or not at all.

        Raises:
            Conflict: Route 53 found another set than was read.
            OutcomeUnknown: the batch was sent, and no answer came.
            Unavailable: it was not sent; Throttled where there were too many requests, or another one is under way.
            Denied: no credentials, or not permitted.
            ZoneNotFound: the zone is not there, or does not hold the names.
            Rejected: a limit, names in different zones, one record set twice, or what else Route 53 refuses.
        """
        wanted = [change.after for change in changes]
        batch = records.change_batch(changes)
        if not batch:
            return Receipt()
        sent = self._call(
            "change_resource_record_sets",
            "ChangeInfo",
            f"change {records.describe(wanted)}",
            commit=True,
            HostedZoneId=self._zone_for(wanted).id,
            ChangeBatch={"Changes": batch},
        )
        return Receipt(sent["Id"])

    def wait(self, receipt: Receipt, timeout: float) -> bool:
        """Waits until all name servers of Route 53 have the change (`INSYNC`).

        Raises:
            Unavailable: `timeout` seconds are over, and the last question had no answer.
            Refused: as for `read`.
        """
        if receipt.id is None:
            return True
        deadline = time.monotonic() + timeout
        pause = _FIRST_PAUSE
        while True:
            trouble = None
            try:
                if self._is_served(receipt):
                    return True
            except Unavailable as error:
                trouble = error
            left = deadline - time.monotonic()
            if left <= 0:
                break
            time.sleep(min(pause, left))
            pause = min(2 * pause, _LONGEST_PAUSE)
        if trouble is not None:
            raise trouble
        return False

    def _is_served(self, receipt: Receipt) -> bool:
        return bool(self._call("get_change", "ChangeInfo", "follow a change", Id=receipt.id)["Status"] == "INSYNC")

    def close(self) -> None:
        """Closes the connections."""
        self._api.close()

    # -- the zone -------------------------------------------------------------------------------------------

    def _zone_for(self, wanted: Sequence[RecordSet]) -> Zone:
        """The hosted zone, which must hold all of these: Route 53 would say so less clearly."""
        with self._zone_lock:
            if self._zone_found is None:
                self._zone_found = find_zone(self._api, self._options, self._fqdn)
            zone = self._zone_found
        outside = [each for each in wanted if not zone.holds(each.name)]
        if outside and len(outside) < len(wanted):
            raise Rejected(
                f"one commit changes one hosted zone, and {records.describe(outside)} is outside of {zone}; commit"
                " them apart"
            )
        if outside:
            raise ZoneNotFound(f"{records.describe(outside)} is outside of the hosted zone {zone}")
        return zone

    def _call(self, operation: str, result: str, what: str, *, commit: bool = False, **parameters: Any) -> Any:
        try:
            return self._api.call(operation, result, what, commit=commit, **parameters)
        except ZoneNotFound:
            # It may have been made anew, with another id: next time it is looked for again.
            self._zone_found = None
            raise
