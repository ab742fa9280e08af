"""The record manager: compare-and-swap by etag, one record set at a time.

Source: https://learn.microsoft.com/azure/dns/dns-zones-records#etags
"""

from __future__ import annotations

import contextlib
import ssl
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from azure.core.credentials import TokenCredential
from azure.core.exceptions import HttpResponseError
from azure.core.pipeline import policies
from azure.mgmt.core.policies import ARMChallengeAuthenticationPolicy
from azure.mgmt.dns import DnsManagementClient
from azure.mgmt.dns.models import RecordSet as AzureRecordSet

from dnslb import (
    Change,
    ConfigurationError,
    Conflict,
    OutcomeUnknown,
    Receipt,
    RecordSet,
    RecordType,
    Rejected,
    Snapshot,
    Unavailable,
    ZoneNotFound,
    __version__,
)
from dnslb_azure._credentials import Tokens, credential_of
from dnslb_azure._errors import boundary, is_absent_record_set
from dnslb_azure._options import AzureOptions
from dnslb_azure._records import Version, azure_record_set, record_set_of, version_of
from dnslb_azure._zones import Zone, ZoneFinder

_POLL_INTERVAL = 1.0
"""Seconds between two looks at a change that is not through yet."""

_DONE = "Succeeded"


@dataclass(frozen=True, slots=True)
class _Pending:
    """A record set whose change Azure had accepted and not finished when it answered."""

    name: str
    type: RecordType


class AzureRecordManager:
    """Reads from and writes to one public zone of Azure DNS.

    The zone is looked up before the first read or commit. `credential` is used in place of the one that the options
    name.

    Raises:
        ConfigurationError: `fqdn` is not in the zone that the options name, or `ca_file` cannot be used.
    """

    def __init__(self, options: AzureOptions, fqdn: str, credential: TokenCredential | None = None) -> None:
        wanted = options.wanted_zone()
        self._fqdn = fqdn
        self._tokens = Tokens(credential or credential_of(options))
        self._client = _client(options, wanted.subscription, self._tokens)
        self._zones = ZoneFinder(self._client, wanted, fqdn)

    def __repr__(self) -> str:
        return f"AzureRecordManager({self._fqdn})"

    # -- the contract ---------------------------------------------------------------------------------------

    def read(self, name: str, type: RecordType) -> Snapshot:
        """The record set as the API has it; one request that names it.

        Raises:
            Unavailable: no answer, or none that can be understood; Throttled where fewer requests are wanted.
            Denied: no token, or the role does not allow it.
            ZoneNotFound: the zone is not there, is ambiguous, or does not hold the name.
            Rejected: the set is an alias of another resource.
        """
        wanted = RecordSet(name, type)
        found = self._get(wanted)
        if found is None:
            self._zones.confirm()
            return Snapshot(wanted)
        version = version_of(found, f"{wanted.name} {type}")
        return Snapshot(record_set_of(wanted, found), version)

    def commit(self, changes: Sequence[Change]) -> Receipt:
        """Creates, replaces or deletes one record set, if its etag is still the one that was read.

        Metadata of the set is kept when it is replaced.

        Raises:
            Conflict: the etag is another one, or the set has come or gone.
            OutcomeUnknown: it was sent, and no answer came that says what became of it.
            Unavailable: nothing was sent; Throttled where fewer requests are wanted.
            Denied: no token, the role does not allow it, or a lock forbids it.
            ZoneNotFound: as for `read`.
            Rejected: several sets, too many values or characters, or a TTL under a second.
        """
        if len(changes) > 1:
            raise Rejected(f"a commit of {len(changes)} record sets; Azure DNS takes one at a time, commit them apart")
        receipt = Receipt()
        for change in changes:
            receipt = self._commit(change)
        return receipt

    def wait(self, receipt: Receipt, timeout: float) -> bool:
        """Waits until Azure says that the change is through, which it mostly does in its answer to the commit.

        Raises:
            Unavailable, Refused: as for `read`.
        """
        pending = receipt.id
        if not isinstance(pending, _Pending):
            return True
        deadline = time.monotonic() + timeout
        while True:
            found = self._get(RecordSet(pending.name, pending.type))
            if found is None or _is_done(found):
                return True
            if (left := deadline - time.monotonic()) <= 0:
                return False
            time.sleep(min(_POLL_INTERVAL, left))

    def close(self) -> None:
        """Gives back the connections."""
        self._client.close()
        self._tokens.close()

    # -- requests -------------------------------------------------------------------------------------------

    def _commit(self, change: Change) -> Receipt:
        after, version = change.after, change.before.version
        if not isinstance(version, Version):
            return self._create(after) if after.exists else self._leave_absent(after)
        if after.exists:
            return self._put(after, version, if_match=version.etag)
        self._delete(after, version)
        return Receipt()

    def _create(self, after: RecordSet) -> Receipt:
        return self._put(after, Version(""), if_none_match="*")

    def _leave_absent(self, after: RecordSet) -> Receipt:
        if self._get(after) is not None:
            raise Conflict(f"{after.name} {after.type} was created since it was read; read it again")
        self._zones.confirm()
        return Receipt()

    def _get(self, wanted: RecordSet) -> AzureRecordSet | None:
        zone, relative = self._place_of(wanted)
        what = f"reading {wanted.name} {wanted.type} from the zone {zone}"
        with self._asking(what, commit=False):
            try:
                found = self._client.record_sets.get(zone.resource_group, zone.name, relative, str(wanted.type))
            except HttpResponseError as error:
                if is_absent_record_set(error):
                    return None
                raise
        if not _is_one(found):
            raise Unavailable(f"{what}: the answer is no record set, it is not from Azure DNS; check base_url")
        return found

    def _put(
        self, after: RecordSet, version: Version, *, if_match: str | None = None, if_none_match: str | None = None
    ) -> Receipt:
        body = azure_record_set(after, version.metadata)
        zone, relative = self._place_of(after)
        what = f"writing {after.name} {after.type} into the zone {zone}"
        with self._asking(what, commit=True):
            answer = self._client.record_sets.create_or_update(
                zone.resource_group,
                zone.name,
                relative,
                str(after.type),
                body,
                if_match=if_match,
                if_none_match=if_none_match,
            )
        if not _is_one(answer):
            raise OutcomeUnknown(f"{what}: the answer is no record set, it is not from Azure DNS; check base_url")
        return Receipt() if _is_done(answer) else Receipt(_Pending(after.name, after.type))

    def _delete(self, after: RecordSet, version: Version) -> None:
        zone, relative = self._place_of(after)
        what = f"deleting {after.name} {after.type} from the zone {zone}"
        statuses: list[int] = []
        with self._asking(what, commit=True):
            self._client.record_sets.delete(
                zone.resource_group,
                zone.name,
                relative,
                str(after.type),
                if_match=version.etag,
                cls=lambda response, *_: statuses.append(response.http_response.status_code),
            )
        if 204 in statuses:  # the vendor's word for: there was none
            raise Conflict(f"{what}: it was deleted since it was read; read it again")

    @contextlib.contextmanager
    def _asking(self, what: str, *, commit: bool) -> Iterator[None]:
        """The boundary of errors; a zone that is no longer there is looked up anew the next time."""
        try:
            with boundary(what, commit=commit):
                yield
        except ZoneNotFound:
            self._zones.forget()
            raise

    def _place_of(self, wanted: RecordSet) -> tuple[Zone, str]:
        zone = self._zones.zone()
        relative = zone.relative(wanted.name)
        if relative is None:
            raise ZoneNotFound(f"{wanted.name} is outside of the zone {zone}; correct `zone`, or leave it out")
        return zone, relative


def _is_one(answer: AzureRecordSet | None) -> bool:
    """Whether it is a record set: the SDK makes None of an empty answer, and an empty model of any JSON."""
    return answer is not None and bool(answer.etag)


def _is_done(found: AzureRecordSet) -> bool:
    return found.provisioning_state in (None, _DONE)


def _client(options: AzureOptions, subscription: str, tokens: Tokens) -> DnsManagementClient:
    """The SDK's client with a pipeline that sends a request once.

    What the SDK would add is left out on purpose: retries (a repeated commit looks like a conflict), redirects (the
    token would follow them) and the registration of resource providers (a write that nobody asked for).
    """
    base_url = options.base_url.rstrip("/")
    verify: bool | str = True
    if options.ca_file is not None:
        verify = str(options.ca_file)
        try:
            ssl.create_default_context(cafile=verify)
        except (OSError, ssl.SSLError) as error:
            raise ConfigurationError(f"ca_file: {verify} holds no certificates that can be read: {error}") from error
    scope = f"{base_url}/.default"
    return DnsManagementClient(
        tokens,
        subscription,
        base_url,
        credential_scopes=[scope],
        policies=[
            policies.RequestIdPolicy(),
            policies.HeadersPolicy(),
            policies.UserAgentPolicy(base_user_agent=f"dnslb/{__version__}"),
            policies.ProxyPolicy(),
            policies.ContentDecodePolicy(),
            ARMChallengeAuthenticationPolicy(tokens, scope),
        ],
        connection_timeout=options.timeout,
        read_timeout=options.timeout,
        connection_verify=verify,
    )
