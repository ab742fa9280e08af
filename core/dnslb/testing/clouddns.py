"""A fake of the Google Cloud DNS API, version 1, for tests of whatever talks to it.

    with CloudDns() as fake:
        fake.add_zone("ex-test", "ex.test.")
        client = dns.Client("dnslb-test", AnonymousCredentials(), client_options={"api_endpoint": fake.endpoint})

It listens on a free port of 127.0.0.1, keeps its zones in memory, and is as strict as the real one: see
`dnslb.testing.cloudzones`. Each request and each answer is held against Google's own description of the API where
google-api-python-client is installed; `validates` says whether it is.
"""

from __future__ import annotations

import itertools
import json
import re
import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from dnslb.testing.cloudzones import ManagedZone, Refusal, Resource, missing, permissions_of_change
from dnslb.testing.discovery import Description
from dnslb.testing.jsonserver import Answer, JsonServer, Request
from dnslb.testing.wire import Endpoint

_ZONES = r"/dns/v1/projects/(?P<project>[^/]+)/managedZones"
_ZONE = rf"{_ZONES}/(?P<zone>[^/]+)"
_ROUTES = (
    ("GET", re.compile(_ZONES), "dns.managedZones.list"),
    ("GET", re.compile(_ZONE), "dns.managedZones.get"),
    ("GET", re.compile(rf"{_ZONE}/rrsets"), "dns.resourceRecordSets.list"),
    ("POST", re.compile(rf"{_ZONE}/changes"), "dns.changes.create"),
    ("GET", re.compile(rf"{_ZONE}/changes/(?P<change>[^/]+)"), "dns.changes.get"),
)
_PAGE = 100
_TOKEN_PATH = "/token"  # noqa: S105 - a path


@dataclass(frozen=True, slots=True)
class Call:
    """One request that was answered: when (`time.monotonic`), which method, how, and what a caller needs for it."""

    at: float
    method: str
    status: int
    permissions: frozenset[str]


@dataclass
class _Failure:
    refusal: Refusal
    method: str | None
    times: float
    headers: Mapping[str, str]
    applied: bool


class CloudDns:
    """The fake; make it in a `with` statement, or call `close` at the end.

    Attributes:
        project: the one project that it knows.
        address: where it listens.
        granted: the permissions of the caller; None for all there are.
        needs_tokens: whether a request without a token that `token_uri` has issued is refused.
        polls: how often a new change is answered as pending.
        calls: all requests to the API, the oldest first.
        tokens_issued: how many tokens were asked for.
    """

    def __init__(self, project: str = "dnslb-test") -> None:
        self.project = project
        self.granted: frozenset[str] | None = None
        self.needs_tokens = False
        self.polls = 0
        self.calls: list[Call] = []
        self.tokens_issued = 0
        self._faults: list[str] = []
        self._description = Description.find("dns.v1")
        self._lock = threading.RLock()
        self._zones: dict[str, ManagedZone] = {}
        self._ids = itertools.count(4_000_000_000)
        self._failures: list[_Failure] = []
        self._tokens: set[str] = set()
        self._server = JsonServer(self._answer)
        self.address: Endpoint = self._server.address

    def __enter__(self) -> CloudDns:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def endpoint(self) -> str:
        """What a client needs for an API endpoint."""
        return f"http://{self.address[0]}:{self.address[1]}"

    @property
    def token_uri(self) -> str:
        """Where tokens are issued, to anybody who asks by OAuth 2.0 (RFC 6749, section 4)."""
        return self.endpoint + _TOKEN_PATH

    @property
    def validates(self) -> bool:
        """Whether requests and answers are held against Google's description of the API."""
        return self._description is not None

    @property
    def faults(self) -> list[str]:
        """What was found wrong with requests, which are then refused, with answers, and with the fake itself."""
        return [*self._faults, *(f"the fake failed: {error!r}" for error in self._server.failures)]

    @property
    def tokens(self) -> frozenset[str]:
        """The tokens that are good now."""
        with self._lock:
            return frozenset(self._tokens)

    def add_zone(self, name: str, dns_name: str, *, private: bool = False, **more: Any) -> ManagedZone:
        """A new zone; `more` are further members of its resource, such as `forwardingConfig`."""
        with self._lock:
            self._zones[name] = ManagedZone(name, dns_name, next(self._ids), private, more)
            return self._zones[name]

    def remove_zone(self, name: str) -> None:
        """Removes a zone with all that is in it."""
        with self._lock:
            del self._zones[name]

    @property
    def zones(self) -> list[str]:
        """The names of all zones."""
        with self._lock:
            return list(self._zones)

    def put(self, zone: str, resource: Mapping[str, Any]) -> None:
        """Writes a record set whatever is there: one of another kind, or one that somebody else has changed."""
        with self._lock:
            self._zones[zone].put(resource)

    def record_sets(self, zone: str) -> list[Resource]:
        """All record sets of a zone."""
        with self._lock:
            return self._zones[zone].sets_of(None, None)

    def fail(
        self,
        status: int,
        reason: str,
        message: str = "made to fail",
        *,
        method: str | None = None,
        times: float = 1,
        headers: Mapping[str, str] | None = None,
        applied: bool = False,
    ) -> None:
        """Answers the next `times` requests, of one method where it is given, with that error.

        It is in place of what was asked for, or else (`applied`) after it was done. `math.inf` times is until `heal`.
        """
        with self._lock:
            self._failures.append(_Failure(Refusal(status, reason, message), method, times, headers or {}, applied))

    def heal(self) -> None:
        """Forgets what `fail` has asked for."""
        with self._lock:
            self._failures.clear()

    def revoke_tokens(self) -> None:
        """No token that was issued until now is good any more."""
        with self._lock:
            self._tokens.clear()

    def close(self) -> None:
        """Closes the port and every connection."""
        self._server.close()

    # -- one request ----------------------------------------------------------------------------------------

    def _answer(self, request: Request) -> Answer:
        url = urlsplit(request.target)
        if (request.verb, url.path) == ("POST", _TOKEN_PATH):
            return Answer(200, self._issue_token())
        try:
            method, names = _route(request.verb, url.path)
            body = _parsed_body(request.body)
        except Refusal as refusal:
            return _error(refusal)
        query = dict(parse_qsl(url.query, keep_blank_values=True))
        needed = frozenset({method})
        with self._lock:
            try:
                self._require_as_described(method, request.verb, url.path, query, body)
                if method == "dns.changes.create":
                    needed = permissions_of_change(body or {})
                self._require_allowed(request.headers.get("authorization", ""), needed)
                answer = self._outcome(method, names, query, body or {})
            except Refusal as refusal:
                answer = _error(refusal)
            self.calls.append(Call(time.monotonic(), method, answer.status, needed))
        return answer

    def _outcome(self, method: str, names: Mapping[str, str], query: Mapping[str, str], body: Resource) -> Answer:
        failure = self._next_failure(method)
        if failure and not failure.applied:
            return _error(failure.refusal, failure.headers)
        found = self._perform(method, names, query, body)
        if self._description:
            self._faults += self._description.faults_of_answer(method, found)
        return _error(failure.refusal, failure.headers) if failure else Answer(200, found)

    def _require_as_described(
        self, method: str, verb: str, path: str, query: Mapping[str, str], body: Resource | None
    ) -> None:
        if self._description is None:
            return
        described = self._description.method_of(verb, path)
        faults = self._description.faults_of_request(method, query, body)
        if described != method:
            faults.append(f"{verb} {path} is {described} by the description, and {method} here")
        if faults:
            self._faults += faults
            raise Refusal(400, "badRequest", "; ".join(faults))

    def _require_allowed(self, authorization: str, needed: frozenset[str]) -> None:
        if self.needs_tokens and authorization.removeprefix("Bearer ") not in self._tokens:
            raise Refusal(401, "authError", "Request had invalid authentication credentials.")
        if self.granted is not None and (lacking := sorted(needed - self.granted)):
            raise Refusal(403, "forbidden", f"Permission '{lacking[0]}' denied on resource '{self.project}'")

    def _next_failure(self, method: str) -> _Failure | None:
        for failure in self._failures:
            if failure.times > 0 and failure.method in (None, method):
                failure.times -= 1
                return failure
        return None

    def _issue_token(self) -> Resource:
        token = secrets.token_hex(16)
        with self._lock:
            self._tokens.add(token)
            self.tokens_issued += 1
        return {"access_token": token, "expires_in": 3600, "token_type": "Bearer"}

    # -- the methods of the API -----------------------------------------------------------------------------

    def _perform(self, method: str, names: Mapping[str, str], query: Mapping[str, str], body: Resource) -> Resource:
        if names["project"] != self.project:
            raise missing("project", names["project"])
        if method == "dns.managedZones.list":
            wanted = query.get("dnsName")
            zones = [zone.resource for zone in self._zones.values() if wanted in (None, zone.dns_name)]
            return _page("dns#managedZonesListResponse", "managedZones", zones, query)
        zone = self._zone(names["zone"])
        if method == "dns.resourceRecordSets.list":
            sets = zone.sets_of(query.get("name"), query.get("type"))
            return _page("dns#resourceRecordSetsListResponse", "rrsets", sets, query)
        if method == "dns.changes.create":
            return zone.change(body, self.polls)
        return zone.poll(names["change"]) if method == "dns.changes.get" else zone.resource

    def _zone(self, name: str) -> ManagedZone:
        for zone in self._zones.values():
            if name in (zone.name, str(zone.id)):
                return zone
        raise missing("managedZone", name)


def _error(refusal: Refusal, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(refusal.status, refusal.body, headers or {})


def _route(verb: str, path: str) -> tuple[str, Mapping[str, str]]:
    for known, pattern, method in _ROUTES:
        if known == verb and (match := pattern.fullmatch(path)):
            return method, {name: unquote(value) for name, value in match.groupdict().items()}
    raise Refusal(404, "notFound", f"{verb} {path} is not in this fake")


def _parsed_body(body: bytes) -> Resource | None:
    if not body:
        return None
    try:
        parsed = json.loads(body)
    except ValueError as error:
        raise Refusal(400, "parseError", "This API does not support parsing form-encoded input.") from error
    if not isinstance(parsed, dict):
        raise Refusal(400, "parseError", "Parse Error")
    return parsed


def _page(kind: str, items: str, found: list[Resource], query: Mapping[str, str]) -> Resource:
    start, count = int(query.get("pageToken", "0")), int(query.get("maxResults", str(_PAGE)))
    page: Resource = {"kind": kind, items: found[start : start + count]}
    return page | ({"nextPageToken": str(start + count)} if start + count < len(found) else {})
