"""The fake of Cloud DNS is as strict as the service, and holds what passes against Google's description."""

import http.client
import importlib.util
import json
import re

import pytest

from dnslb.testing.clouddns import CloudDns
from dnslb.testing.discovery import Description

from pages import DOCS, section

ZONES = "/dns/v1/projects/dnslb-test/managedZones"
WWW = "www.ex.test."
ONE, TWO = "192.0.2.1", "192.0.2.2"


@pytest.fixture
def fake():
    with CloudDns() as fake:
        fake.add_zone("ex-test", "ex.test.")
        yield fake


@pytest.fixture
def description():
    found = Description.find("dns.v1")
    if found is None:
        pytest.skip("google-api-python-client is not installed, so nothing is held against Google's description")
    return found


@pytest.fixture
def call(fake):
    """`call(verb, path, body)`: the status and the body of the answer."""
    connection = http.client.HTTPConnection(*fake.address, timeout=10)

    def make(verb: str, path: str, body: object = None) -> tuple[int, dict]:
        connection.request(verb, path, None if body is None else json.dumps(body))
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())

    yield make
    connection.close()


@pytest.fixture
def change(call):
    """`change(additions, deletions)`: the status and the reason of the answer, or the status of the change."""

    def make(additions=(), deletions=()):
        body = {"additions": list(additions), "deletions": list(deletions)}
        status, answer = call("POST", f"{ZONES}/ex-test/changes", body)
        return status, answer["status"] if status == 200 else answer["error"]["errors"][0]["reason"]

    return make


def record(*values: object, name: str = WWW, type: str = "A", ttl: object = 60) -> dict:
    return {"name": name, "type": type, "ttl": ttl, "rrdatas": list(values)}


def read(call, name: str = WWW) -> list[list[str]]:
    return [each["rrdatas"] for each in call("GET", f"{ZONES}/ex-test/rrsets?name={name}")[1]["rrsets"]]


def test_a_change_replaces_exactly_what_it_names(call, change):
    assert change([record(ONE)]) == (200, "done")
    assert change([record(ONE, TWO)], [record(ONE)]) == (200, "done")
    assert read(call) == [[ONE, TWO]]
    assert change([], [record(ONE, TWO)]) == (200, "done")
    assert read(call) == []


@pytest.mark.parametrize(
    ("additions", "deletions", "answer"),
    [
        ([record(TWO)], [], (409, "alreadyExists")),
        ([record(TWO)], [record(TWO)], (412, "conditionNotMet")),
        ([record(TWO)], [record(ONE, ttl=61)], (412, "conditionNotMet")),
        ([record(TWO)], [record(ONE, TWO)], (412, "conditionNotMet")),
        ([], [record(ONE, name="gone.ex.test.")], (404, "notFound")),
        ([], [], (400, "required")),
        ([record("elsewhere.test.", type="CNAME")], [], (400, "cnameResourceRecordSetConflict")),
        ([record(ONE, name="www.other.test.")], [], (400, "invalid")),
        ([record(ONE, name="notex.test.")], [], (400, "invalid")),
        ([record(ONE, name="a.ex.test")], [], (400, "invalid")),
        ([record("192.0.2.256", name="a.ex.test.")], [], (400, "invalid")),
        ([record("bare words", name="a.ex.test.", type="NOTYPE")], [], (400, "invalid")),
        ([record(name="a.ex.test.")], [], (400, "invalid")),
        ([record(ONE, ONE, name="a.ex.test.")], [], (400, "invalid")),
        ([record(ONE, name="a.ex.test.", ttl=-1)], [], (400, "invalid")),
        ([record(ONE, name="a.ex.test."), record(TWO, name="a.ex.test.")], [], (400, "invalid")),
        ([record(*(f"10.0.0.{number}" for number in range(101)), name="a.ex.test.")], [], (403, "quotaExceeded")),
        ([record(ONE, name=f"a{number}.ex.test.") for number in range(1001)], [], (403, "quotaExceeded")),
        ([], [record("ns.ex.test.", name="ex.test.", type="NS", ttl=21600)], (400, "invalidZoneApex")),
    ],
)
def test_what_the_service_refuses_is_refused_and_nothing_is_applied(fake, change, additions, deletions, answer):
    change([record(ONE)])
    before = fake.record_sets("ex-test")
    assert change([record(ONE, name="first.ex.test."), *additions] if additions else [], deletions) == answer
    assert fake.record_sets("ex-test") == before


def test_texts_are_normalised_when_they_are_written(call, change):
    change([record("2001:DB8:0::1", type="AAAA"), record('"a" bare', type="TXT")])
    assert read(call) == [["2001:db8::1"], ['"a" "bare"']]


def test_lists_come_in_pages(fake, call):
    for number in range(250):
        fake.put("ex-test", record(ONE, name=f"h{number}.ex.test."))
    counts, token = [], ""
    while token is not None:
        _, answer = call("GET", f"{ZONES}/ex-test/rrsets?" + (f"pageToken={token}" if token else ""))
        counts.append(len(answer["rrsets"]))
        token = answer.get("nextPageToken")
    assert counts == [100, 100, 52]


def test_a_type_alone_is_no_filter(call):
    assert call("GET", f"{ZONES}/ex-test/rrsets?type=A")[0] == 400


def test_zones_are_found_by_name_number_and_dns_name(fake, call):
    inside = fake.add_zone("inside", "ex.test.", private=True)
    fake.add_zone("other", "other.test.")
    assert call("GET", f"{ZONES}/inside")[1]["visibility"] == "private"
    assert call("GET", f"{ZONES}/{inside.id}")[1]["name"] == "inside"
    _, found = call("GET", f"{ZONES}?dnsName=ex.test.")
    assert [zone["name"] for zone in found["managedZones"]] == ["ex-test", "inside"]
    assert call("GET", f"{ZONES}/gone")[0] == 404
    assert call("GET", f"{ZONES.replace('dnslb-test', 'other')}/ex-test")[0] == 404


def test_a_change_is_pending_as_often_as_it_shall_be(fake, call, change):
    fake.polls = 2
    assert change([record(ONE)]) == (200, "pending")
    polled = [call("GET", f"{ZONES}/ex-test/changes/1")[1]["status"] for _ in range(3)]
    assert polled == ["pending", "done", "done"]
    assert call("GET", f"{ZONES}/ex-test/changes/9")[0] == 404


def test_permissions_are_needed_as_google_documents_them(fake, change):
    rrsets = "dns.resourceRecordSets"
    steps = [
        (([record(ONE)], []), f"{rrsets}.create"),
        (([record(TWO)], [record(ONE)]), f"{rrsets}.update"),
        (([], [record(TWO)]), f"{rrsets}.delete"),
    ]
    for step, permission in steps:
        fake.granted = frozenset({"dns.changes.create"})
        assert change(*step) == (403, "forbidden")
        fake.granted |= {permission}
        assert change(*step) == (200, "done")
        assert fake.calls[-1].permissions == fake.granted


def test_it_fails_as_it_is_told(fake, change, call):
    fake.fail(503, "backendError", times=2)
    fake.fail(500, "backendError", method="dns.changes.create", applied=True)
    assert [call("GET", ZONES)[0] for _ in range(3)] == [503, 503, 200]
    assert change([record(ONE)]) == (500, "backendError")
    assert read(call) == [[ONE]]
    fake.fail(500, "backendError", times=9)
    fake.heal()
    assert call("GET", ZONES)[0] == 200


def test_what_is_not_json_or_not_there_is_refused(fake, call):
    assert call("POST", f"{ZONES}/ex-test/changes", ["a list"])[0] == 400
    assert call("GET", "/dns/v2/projects")[0] == 404
    assert fake.faults == []


def test_it_says_whether_it_validates(fake, monkeypatch):
    assert fake.validates is (importlib.util.find_spec("googleapiclient") is not None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with CloudDns() as other:
        assert not other.validates


def test_every_public_name_of_the_fake_is_on_its_page(fake):
    table = [
        line
        for line in section(DOCS / "reference" / "testing.md", "The fake of Cloud DNS").splitlines()
        if line[:3] == "| `"
    ]
    documented = {name for line in table for name in re.findall(r"`(\w+)`", line.split(" | ")[0])}
    public = {name for name in dir(fake) if not name.startswith("_")}
    assert documented == public - {"close"}


# -- the description ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "body", "fault"),
    [
        ("/ex-test/changes", {"additions": [{"nam": "x"}]}, "the request.additions[0] has no member 'nam'"),
        ("/ex-test/changes", {"additions": {}}, "the request.additions is {}, not of type array"),
        (
            "/ex-test/changes",
            {"additions": [record(5)]},
            "the request.additions[0].rrdatas[0] is 5, not of type string",
        ),
        ("/ex-test/changes", {"additions": [record(ttl="soon")]}, "ttl is 'soon', not of type int32"),
        ("/ex-test/changes", {"additions": [record(ttl=2**31)]}, "ttl is 2147483648, not of type int32"),
        ("/ex-test/changes", {"status": "half"}, "the request.status is 'half', not one of pending, done"),
        ("/ex-test/changes", {"isServing": 1}, "the request.isServing is 1, not of type boolean"),
        ("/ex-test/changes?dry=true", {"additions": []}, "there is no query parameter 'dry'"),
        ("/ex-test/rrsets?maxResults=few", None, "the query parameter 'maxResults' is 'few', not of type int32"),
        (
            "/ex-test/rrsets?prettyPrint=maybe",
            None,
            "the query parameter 'prettyPrint' is 'maybe', not of type boolean",
        ),
        ("/ex-test/rrsets", {"a": 1}, "dns.resourceRecordSets.list takes no body"),
    ],
)
def test_a_request_that_is_not_as_described_is_refused(description, fake, call, path, body, fault):
    status, answer = call("POST" if path.startswith("/ex-test/changes") else "GET", ZONES + path, body)
    assert (status, answer["error"]["errors"][0]["reason"]) == (400, "badRequest")
    assert len(fake.faults) == 1
    assert fault in fake.faults[0]


def test_an_answer_that_is_not_as_described_is_a_fault(description, fake, call):
    fake.put("ex-test", record(ONE, ttl="60"))
    fake.put("ex-test", {"name": WWW, "type": "TXT", "ttl": 60, "routingPolicy": {"wrr": {"items": [{"weight": "1"}]}}})
    call("GET", f"{ZONES}/ex-test/rrsets?name={WWW}")
    assert fake.faults == [
        "the response.rrsets[0].ttl is '60', not of type int32",
        "the response.rrsets[1].routingPolicy.wrr.items[0].weight is '1', not of type double",
    ]


def test_what_is_as_described_has_no_faults(description, fake, call, change):
    change([record(ONE, ttl="60")])
    call("GET", f"{ZONES}/ex-test/rrsets?name={WWW}&type=A&maxResults=5&prettyPrint=false")
    call("GET", f"{ZONES}/ex-test/changes/1")
    call("GET", f"{ZONES}/ex-test")
    call("GET", ZONES)
    assert (fake.faults, [each.status for each in fake.calls]) == ([], [200] * 5)
    assert description.method_of("GET", f"{ZONES}/ex-test") == "dns.managedZones.get"
    assert description.method_of("PUT", "/nowhere") is None


def test_parameters_that_are_missing_are_told():
    document = {
        "servicePath": "",
        "parameters": {},
        "schemas": {},
        "resources": {
            "things": {
                "methods": {
                    "list": {
                        "id": "things.list",
                        "httpMethod": "GET",
                        "path": "things",
                        "parameters": {"kind": {"location": "query", "type": "string", "required": True}},
                    }
                }
            }
        },
    }
    assert Description(document).faults_of_request("things.list", {}, None) == ["the query parameter 'kind' is missing"]
