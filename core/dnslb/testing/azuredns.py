"""A fake of the management API of Azure DNS (version 2018-05-01) over HTTPS, for tests.

    with AzureDns(tls) as dns:
        dns.add_zone("ex.test", resource_group="net")
        ...  # dns.url, dns.address, dns.subscription, dns.token

It keeps what the vendor's reference says of zones and record sets: versions and preconditions, the limits of a set,
two shapes of errors, throttling, permissions. It knows zones and the record sets of type A, AAAA, TXT and CNAME, and
refuses what it does not know. Source: https://learn.microsoft.com/rest/api/dns/record-sets
"""

from __future__ import annotations

import json
import ssl
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

from dnslb.testing._azurerecords import AzureError, checked_properties
from dnslb.testing._https import HttpsServer
from dnslb.testing.wire import Endpoint

API_VERSION = "2018-05-01"

Body = dict[str, Any]
Check = Callable[[str, Body], None]
"""Told of every resource that comes or goes and of what model it is ("RecordSet", "Zone"); raises if it is none."""

_PAGE = 2
"""How many zones a page of a list holds: few, so that tests meet the second one."""

_GROUP = "resourcegroups"
_PROVIDER = ["providers", "microsoft.network", "dnszones"]


@dataclass(frozen=True, slots=True)
class Request:
    """A request that came, as far as tests ask about it: when (`time.monotonic`), and what it needs permission for."""

    at: float
    method: str
    path: str
    if_match: str | None
    if_none_match: str | None
    action: str
    status: int


@dataclass(frozen=True, slots=True)
class Quota:
    """How many writes are taken in how many seconds."""

    writes: int
    seconds: float


@dataclass(slots=True)
class _Failure:
    error: AzureError
    times: float
    writes: bool | None
    applied: bool


@dataclass
class _Zone:
    resource: Body
    sets: dict[tuple[str, str], Body] = field(default_factory=dict)


class AzureDns:
    """The service: one subscription, any number of zones in resource groups.

    `tls` holds the certificate of 127.0.0.1. `check` is called with every request's and every answer's resource, so
    that a test can hold them against a description of its own; what it raises is an answer 400 to a request, and is
    kept in `violations`.

    Attributes:
        token: the bearer token that it takes.
        quota: the writes that it takes, or None for any number; more are answered by 429 and Retry-After.
        permitted: the actions that the token allows, or None for all of them.
        requests: what came, the oldest first.
        violations: what `check` has raised.
    """

    def __init__(self, tls: ssl.SSLContext, *, check: Check | None = None) -> None:
        self.subscription = str(uuid.uuid4())
        self.token = uuid.uuid4().hex
        self.quota: Quota | None = None
        self.permitted: frozenset[str] | None = None
        self.requests: list[Request] = []
        self.violations: list[str] = []
        self._check = check
        self._lock = threading.Lock()
        self._zones: dict[tuple[str, str], _Zone] = {}
        self._failures: deque[_Failure] = deque()
        self._writes: deque[float] = deque()
        self._server = HttpsServer(tls, self._answer)
        self.address: Endpoint = self._server.address

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def url(self) -> str:
        """The base URL of the API."""
        return f"https://127.0.0.1:{self.address[1]}"

    def close(self) -> None:
        """Closes the port and all connections."""
        self._server.close()

    # -- what a test arranges -------------------------------------------------------------------------------

    def add_zone(self, name: str, *, resource_group: str = "dns", zone_type: str = "Public") -> None:
        """Makes a zone without records; the same name may be in several resource groups."""
        resource = {
            "id": f"/subscriptions/{self.subscription}/resourceGroups/{resource_group}"
            f"/providers/Microsoft.Network/dnszones/{name}",
            "name": name,
            "type": "Microsoft.Network/dnszones",
            "etag": str(uuid.uuid4()),
            "location": "global",
            "properties": {"zoneType": zone_type, "numberOfRecordSets": 2, "nameServers": ["ns1-01.dns.test."]},
        }
        with self._lock:
            self._zones[resource_group.lower(), name.lower()] = _Zone(resource)

    def remove_zone(self, name: str, *, resource_group: str = "dns") -> None:
        """Removes a zone with all its records."""
        with self._lock:
            del self._zones[resource_group.lower(), name.lower()]

    def place(
        self, zone: str, type: str, relative: str, properties: Mapping[str, Any], *, resource_group: str = "dns"
    ) -> None:
        """Makes or replaces a record set as somebody else would; nothing of it is checked."""
        with self._lock:
            self._store(self._zones[resource_group.lower(), zone.lower()], type, relative, properties)

    def record_set(self, zone: str, type: str, relative: str, *, resource_group: str = "dns") -> Body | None:
        """A record set as the API shows it, or None."""
        with self._lock:
            return self._zones[resource_group.lower(), zone.lower()].sets.get((type, relative.lower()))

    def fail(
        self,
        status: int,
        code: str,
        message: str = "told to fail",
        *,
        headers: Mapping[str, str] | None = None,
        times: float = 1,
        writes: bool | None = None,
        applied: bool = False,
    ) -> None:
        """The next `times` requests fail so, in place of being done or else (`applied`) after it.

        `writes` keeps it to PUT and DELETE (True) or to GET (False). `math.inf` times is until `heal`.
        """
        failure = _Failure(AzureError(status, code, message, dict(headers or {})), times, writes, applied)
        with self._lock:
            self._failures.append(failure)

    def heal(self) -> None:
        """Forgets what `fail` has asked for."""
        with self._lock:
            self._failures.clear()

    # -- requests -------------------------------------------------------------------------------------------

    def _answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Body, Body]:
        with self._lock:
            action = "unknown"
            try:
                url = urlsplit(target)
                path = [unquote(part) for part in url.path.strip("/").split("/")]
                action = _action(method, path)
                failure = self._failure(method)
                if failure and not failure.applied:
                    raise failure.error
                self._admit(method, action, headers, parse_qs(url.query))
                status, resource = self._serve(method, path, headers, body, parse_qs(url.query))
                if failure:
                    raise failure.error
                extra: Body = {}
            except AzureError as error:
                status, extra, resource = error.status, error.headers, error.body
            conditions = headers.get("If-Match"), headers.get("If-None-Match")
            path_alone = target.partition("?")[0]
            self.requests.append(Request(time.monotonic(), method, path_alone, *conditions, action, status))
            return status, extra, resource

    def _failure(self, method: str) -> _Failure | None:
        if not self._failures or self._failures[0].writes not in (None, method != "GET"):
            return None
        failure = self._failures[0]
        failure.times -= 1
        if failure.times <= 0:
            self._failures.popleft()
        return failure

    def _admit(self, method: str, action: str, headers: Mapping[str, str], query: Mapping[str, list[str]]) -> None:
        if headers.get("Authorization") != f"Bearer {self.token}":
            challenge = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
            raise AzureError(401, "InvalidAuthenticationToken", "The access token is invalid.", challenge)
        if query.get("api-version") != [API_VERSION]:
            raise AzureError(400, "InvalidApiVersionParameter", f"The api-version must be '{API_VERSION}'.")
        if self.permitted is not None and action not in self.permitted:
            message = f"The client does not have authorization to perform action '{action}'."
            raise AzureError(403, "AuthorizationFailed", message)
        if method != "GET" and self.quota:
            self._count_write(self.quota)

    def _count_write(self, quota: Quota) -> None:
        now = time.monotonic()
        while self._writes and self._writes[0] <= now - quota.seconds:
            self._writes.popleft()
        if len(self._writes) >= quota.writes:
            pause = max(1, round(self._writes[0] + quota.seconds - now + 0.5))
            raise AzureError(429, "TooManyRequests", "Too many writes.", {"Retry-After": str(pause)})
        self._writes.append(now)

    def _serve(
        self, method: str, path: list[str], headers: Mapping[str, str], body: bytes, query: Mapping[str, list[str]]
    ) -> tuple[int, Body]:
        match [part.lower() for part in path]:
            case ["subscriptions", subscription, *rest] if subscription != self.subscription:
                raise AzureError(404, "SubscriptionNotFound", f"The subscription '{path[1]}' could not be found.")
            case ["subscriptions", _, *rest] if rest == _PROVIDER and method == "GET":
                return 200, self._page(path, self._zones.values(), query)
            case ["subscriptions", _, group, name, *rest] if group == _GROUP:
                return self._in_group(method, name, rest, path, headers, body, query)
        raise AzureError(404, "InvalidResourceType", f"There is nothing at {'/'.join(path)}.")

    def _in_group(
        self,
        method: str,
        group: str,
        rest: list[str],
        path: list[str],
        headers: Mapping[str, str],
        body: bytes,
        query: Mapping[str, list[str]],
    ) -> tuple[int, Body]:
        if group not in {name for name, _ in self._zones}:
            raise AzureError(404, "ResourceGroupNotFound", f"Resource group '{path[3]}' could not be found.")
        if rest == _PROVIDER and method == "GET":
            zones = [zone for (name, _), zone in self._zones.items() if name == group]
            return 200, self._page(path, zones, query)
        if rest[:3] != _PROVIDER or len(rest) not in (4, 6):
            raise AzureError(404, "InvalidResourceType", f"There is nothing at {'/'.join(path)}.")
        zone = self._zones.get((group, rest[3]))
        if len(rest) == 4 and method == "GET":
            if zone is None:
                raise AzureError(404, "ResourceNotFound", f"The zone '{path[7]}' was not found.")
            return 200, self._shown("Zone", zone.resource)
        if zone is None:
            raise AzureError(404, "ParentResourceNotFound", f"The parent resource '{path[7]}' could not be found.")
        return self._on_set(method, zone, path[8].upper(), path[9], headers, body)

    def _page(self, path: list[str], zones: Iterable[_Zone], query: Mapping[str, list[str]]) -> Body:
        found = [self._shown("Zone", zone.resource) for zone in zones]
        start = int(query.get("$skipToken", ["0"])[0])
        page: Body = {"value": found[start : start + _PAGE]}
        if start + _PAGE < len(found):
            page["nextLink"] = f"{self.url}/{'/'.join(path)}?api-version={API_VERSION}&$skipToken={start + _PAGE}"
        return page

    # -- record sets ----------------------------------------------------------------------------------------

    def _on_set(
        self, method: str, zone: _Zone, type: str, relative: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, Body]:
        old = zone.sets.get((type, relative.lower()))
        if method == "GET":
            if old is None:
                raise AzureError(404, "NotFound", f"The resource record '{relative}' does not exist.")
            return 200, self._shown("RecordSet", old)
        _require_conditions(old, relative, headers)
        if method == "DELETE":
            return (204 if zone.sets.pop((type, relative.lower()), None) is None else 200), {}
        if method != "PUT":
            raise AzureError(405, "HttpMethodNotAllowed", f"{method} is not allowed here.")
        others = {kind for kind, name in zone.sets if name == relative.lower()} - {type}
        if "CNAME" in others or (others and type == "CNAME"):
            raise AzureError(400, "BadRequest", f"A CNAME record cannot share the name '{relative}'.")
        new = self._store(zone, type, relative, checked_properties(type, self._request(body)))
        return (201 if old is None else 200), self._shown("RecordSet", new)

    def _request(self, body: bytes) -> Body:
        try:
            request = json.loads(body)
        except ValueError:
            raise AzureError(400, "InvalidRequestContent", "The request content is not JSON.") from None
        if not isinstance(request, dict) or not isinstance(request.get("properties"), dict):
            raise AzureError(400, "InvalidRequestContent", "The request content has no properties.")
        return self._shown("RecordSet", request)

    def _store(self, zone: _Zone, type: str, relative: str, properties: Mapping[str, Any]) -> Body:
        apex = zone.resource["name"]
        fqdn = apex if relative == "@" else f"{relative}.{apex}"
        new = {
            "id": f"{zone.resource['id']}/{type}/{relative}",
            "name": relative,
            "type": f"Microsoft.Network/dnszones/{type}",
            "etag": str(uuid.uuid4()),
            "properties": {"fqdn": f"{fqdn}.", "provisioningState": "Succeeded", "targetResource": {}} | {**properties},
        }
        zone.sets[type, relative.lower()] = new
        return new

    def _shown(self, model: str, resource: Body) -> Body:
        if self._check:
            try:
                self._check(model, resource)
            except Exception as error:
                self.violations.append(f"{model}: {error!r}")
                raise AzureError(400, "BadRequest", f"This is no {model}: {error!r}") from error
        return resource


def _require_conditions(old: Body | None, relative: str, headers: Mapping[str, str]) -> None:
    wanted = headers.get("If-Match")
    if headers.get("If-None-Match") == "*" and old is not None:
        raise AzureError(412, "PreconditionFailed", f"The Record set {relative} exists already.")
    if wanted is None or wanted == "*":
        return
    if old is None or wanted != old["etag"]:
        raise AzureError(
            412, "PreconditionFailed", f"The condition '{wanted}' in the If-Match header was not satisfied."
        )


def _action(method: str, path: list[str]) -> str:
    """What the request needs permission for: `Microsoft.Network/dnsZones/A/write`."""
    lower = [part.lower() for part in path]
    if "dnszones" not in lower:
        return "unknown"
    kind = path[lower.index("dnszones") + 2 :][:1]
    verb = {"GET": "read", "PUT": "write", "PATCH": "write", "DELETE": "delete"}.get(method, "action")
    return "/".join(["Microsoft.Network", "dnsZones", *kind, verb])
