"""The fake of Azure DNS, spoken to without the vendor's client: what it keeps, refuses and tells."""

from __future__ import annotations

import http.client
import json
import math
import ssl
from collections.abc import Iterator
from typing import Any

import pytest
import trustme

from dnslb.testing.azuredns import API_VERSION, AzureDns, Quota

AUTHORITY = trustme.CA()
ONE = {"TTL": 60, "ARecords": [{"ipv4Address": "192.0.2.1"}]}


@pytest.fixture
def dns() -> Iterator[AzureDns]:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    AUTHORITY.issue_cert("127.0.0.1").configure_cert(tls)
    with AzureDns(tls) as dns:
        dns.add_zone("ex.test")
        yield dns


@pytest.fixture
def ask(dns):
    """`ask(method, path, ...)`: status, headers and content of the answer, all on one connection."""
    trust = ssl.create_default_context()
    AUTHORITY.configure_trust(trust)
    connection = http.client.HTTPSConnection(*dns.address, context=trust, timeout=20)

    def ask(method: str, path: str, properties: Any = None, query: str = f"api-version={API_VERSION}", **headers: str):
        body = None if properties is None else json.dumps({"properties": properties})
        sent = {"Authorization": f"Bearer {dns.token}"} | {key.replace("_", "-"): text for key, text in headers.items()}
        connection.request(method, f"/subscriptions/{dns.subscription}{path}?{query}", body, sent)
        answer = connection.getresponse()
        content = answer.read()
        return answer.status, answer.headers, json.loads(content) if content else None

    yield ask
    connection.close()


ZONE = "/resourceGroups/dns/providers/Microsoft.Network/dnsZones/ex.test"
WWW = f"{ZONE}/A/www"


def code(answer) -> tuple[int, str]:
    """Status and code of an error, in either of the two shapes that the service has."""
    status, _, content = answer
    return status, content.get("error", content)["code"]


def test_a_record_set_is_created_read_replaced_and_deleted(ask):
    created, _, first = ask("PUT", WWW, ONE, If_None_Match="*")
    assert (created, first["name"], first["properties"]["fqdn"]) == (201, "www", "www.ex.test.")
    assert ask("GET", WWW)[2] == first
    replaced, _, second = ask("PUT", WWW, {**ONE, "TTL": 90}, If_Match=first["etag"])
    assert (replaced, second["properties"]["TTL"]) == (200, 90)
    assert second["etag"] != first["etag"]
    assert ask("DELETE", WWW, If_Match=second["etag"])[0] == 200
    assert ask("DELETE", WWW)[0] == 204
    assert code(ask("GET", WWW)) == (404, "NotFound")


def test_names_are_the_same_in_any_case(ask):
    etag = ask("PUT", WWW, ONE)[2]["etag"]
    assert ask("GET", WWW.replace("www", "WWW").lower())[2]["etag"] == etag


def test_a_precondition_that_does_not_hold_changes_nothing(dns, ask):
    for headers in ({"If_Match": "x"}, {"If_Match": "x", "If_None_Match": "*"}):
        assert code(ask("PUT", WWW, ONE, **headers)) == (412, "PreconditionFailed")
        assert code(ask("DELETE", WWW, **headers)) == (412, "PreconditionFailed")
    assert dns.record_set("ex.test", "A", "www") is None
    etag = ask("PUT", WWW, ONE)[2]["etag"]
    assert code(ask("PUT", WWW, ONE, If_None_Match="*")) == (412, "PreconditionFailed")
    assert code(ask("PUT", WWW, ONE, If_Match="x")) == (412, "PreconditionFailed")
    assert ask("GET", WWW)[2]["etag"] == etag


def addresses(count: int) -> list[dict[str, str]]:
    return [{"ipv4Address": f"192.0.2.{number}"} for number in range(count)]


@pytest.mark.parametrize(
    ("path", "properties"),
    [
        (WWW, {"ARecords": addresses(1)}),
        (WWW, {"TTL": 0, "ARecords": addresses(1)}),
        (WWW, {"TTL": 2**31, "ARecords": addresses(1)}),
        (WWW, {"TTL": 60, "ARecords": addresses(21)}),
        (WWW, {"TTL": 60, "ARecords": addresses(1) * 2}),
        (WWW, {"TTL": 60, "ARecords": [{"ipv4Address": "2001:db8::1"}]}),
        (WWW, {"TTL": 60, "ARecords": [{"ipv4Address": "here"}]}),
        (WWW, {"TTL": 60, "ARecords": ["192.0.2.1"]}),
        (WWW, {"TTL": 60, "AAAARecords": [{"ipv6Address": "2001:db8::1"}]}),
        (WWW, {"TTL": 60, "ARecords": [], "weight": 3}),
        (WWW, {"TTL": 60, "ARecords": [], "metadata": {str(number): "" for number in range(11)}}),
        (f"{ZONE}/AAAA/www", {"TTL": 60, "AAAARecords": [{"ipv6Address": "192.0.2.1"}]}),
        (f"{ZONE}/TXT/www", {"TTL": 60, "TXTRecords": [{"value": "text"}]}),
        (f"{ZONE}/TXT/www", {"TTL": 60, "TXTRecords": [{"value": ["x" * 256]}]}),
        (f"{ZONE}/TXT/www", {"TTL": 60, "TXTRecords": [{"value": ["x" * 255] * 17}]}),
        (f"{ZONE}/MX/www", {"TTL": 60}),
    ],
)
def test_what_the_service_would_not_take_is_refused(ask, path, properties):
    assert code(ask("PUT", path, properties)) == (400, "BadRequest")
    assert ask("GET", path)[0] == 404


def test_what_is_missing_has_a_code_of_its_own(ask):
    assert code(ask("GET", WWW)) == (404, "NotFound")
    assert code(ask("GET", ZONE.replace("ex.test", "x.test"))) == (404, "ResourceNotFound")
    assert code(ask("GET", WWW.replace("ex.test", "x.test"))) == (404, "ParentResourceNotFound")
    assert code(ask("PUT", WWW.replace("ex.test", "x.test"), ONE)) == (404, "ParentResourceNotFound")
    assert code(ask("GET", ZONE.replace("Groups/dns", "Groups/x"))) == (404, "ResourceGroupNotFound")
    assert code(ask("GET", "/../x")) == (404, "InvalidResourceType")


def test_zones_are_listed_in_pages(dns, ask):
    names = ["ex.test", "b.test", "c.test"]
    for name in names[1:]:
        dns.add_zone(name)
    _, _, first = ask("GET", "/providers/Microsoft.Network/dnszones")
    _, _, second = ask("GET", "/providers/Microsoft.Network/dnszones", query=first["nextLink"].partition("?")[2])
    assert [zone["name"] for page in (first, second) for zone in page["value"]] == names
    assert "nextLink" not in second


def test_who_has_no_token_no_permission_or_another_version_of_the_api_is_refused(dns, ask):
    assert code(ask("GET", ZONE, query="api-version=2016-04-01")) == (400, "InvalidApiVersionParameter")
    dns.permitted = frozenset({"Microsoft.Network/dnsZones/A/read"})
    assert code(ask("PUT", WWW, ONE)) == (403, "AuthorizationFailed")
    assert code(ask("GET", WWW)) == (404, "NotFound")
    dns.token = "another"
    assert code(ask("GET", WWW, Authorization="Bearer old")) == (401, "InvalidAuthenticationToken")
    assert [request.status for request in dns.requests] == [400, 403, 404, 401]


def test_writes_beyond_the_quota_wait_and_reads_do_not(dns, ask):
    dns.quota = Quota(writes=1, seconds=60)
    assert ask("PUT", WWW, ONE)[0] == 201
    status, headers, _ = ask("PUT", WWW, ONE)
    assert status == 429
    assert 55 < int(headers["Retry-After"]) <= 61
    assert ask("GET", WWW)[0] == 200


def test_it_fails_as_it_is_told_before_or_after_the_work(dns, ask):
    dns.fail(500, "InternalServerError", writes=True)
    dns.fail(503, "ServiceUnavailable", writes=True, applied=True)
    assert ask("GET", WWW)[0] == 404
    assert code(ask("PUT", WWW, ONE)) == (500, "InternalServerError")
    assert ask("GET", WWW)[0] == 404
    assert code(ask("PUT", WWW, ONE)) == (503, "ServiceUnavailable")
    assert ask("GET", WWW)[0] == 200


def test_it_fails_until_it_is_healed(dns, ask):
    dns.fail(429, "TooManyRequests", times=math.inf, headers={"Retry-After": "7"})
    answers = [ask("GET", ZONE) for _ in range(20)]
    assert {(status, headers["Retry-After"]) for status, headers, _ in answers} == {(429, "7")}
    dns.heal()
    assert ask("GET", ZONE)[0] == 200
    moments = [request.at for request in dns.requests]
    assert moments == sorted(moments)


def test_a_check_of_ones_own_sees_what_comes_and_what_goes(dns, ask):
    seen = []
    dns._check = lambda model, resource: seen.append((model, "etag" in resource))
    ask("PUT", WWW, ONE)
    ask("GET", ZONE)
    assert seen == [("RecordSet", False), ("RecordSet", True), ("Zone", True)]

    def refuse(model: str, resource: Any) -> None:
        raise ValueError("not by me")

    dns._check = refuse
    assert code(ask("PUT", WWW, ONE)) == (400, "BadRequest")
    assert dns.violations == ["RecordSet: ValueError('not by me')"]
