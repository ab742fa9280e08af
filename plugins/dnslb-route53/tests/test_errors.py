"""What becomes of errors: of Route 53's own answers, and of the way there; what is common to AWS is tested there."""

from __future__ import annotations

import pytest
from botocore.exceptions import EndpointConnectionError

from dnslb import (
    ConfigurationError,
    Conflict,
    Denied,
    OutcomeUnknown,
    RecordType,
    Rejected,
    Throttled,
    Unavailable,
    ZoneNotFound,
)

A = RecordType.A
WWW = "www.ex.test"

STALE = [
    "[Tried to create resource record set [name='www.ex.test.', type='A'] but it already exists]",
    "[Tried to delete resource record set [name='www.ex.test.', type='A'] but it was not found]",
    (
        "[Tried to delete resource record set [name='www.ex.test.', type='A'] but the values provided do not match the"
        " current values]"
    ),
    "Tried to create resource record set www.ex.test. type A, but it already exists",
    (
        "[Tried to delete resource record set [name='www.ex.test.', type='A'] but it was not found, Tried to create"
        " resource record set [name='_blocked.www.ex.test.', type='TXT'] but it already exists]"
    ),
]

INVALID = [
    (
        "[RRSet of type A with DNS name www.ex.test. is not permitted because a conflicting RRSet of type CNAME with"
        " the same DNS name already exists in zone ex.test.]"
    ),
    "[RRSet with DNS name www.ex.test. is not permitted in zone other.test.]",
    "[Invalid Resource Record: 'FATAL problem: ARRDATAIllegalIPv4Address (Value is not a valid IPv4 address)']",
    (
        "[Tried to delete resource record set [name='www.ex.test.', type='A'] but it was not found, RRSet with DNS name"
        " www.ex.test. is not permitted in zone other.test.]"
    ),
    (
        "[Tried to delete resource record set [name='www.ex.test.', type='A'] but the moon is full, Tried to create"
        " resource record set [name='www.ex.test.', type='A'] but it already exists]"
    ),
    "",
]

REFUSED = {
    "Throttling": (400, Throttled, "too many requests, by anybody who uses the account"),
    "PriorRequestNotComplete": (400, Throttled, "still at an earlier request"),
    "AccessDenied": (403, Denied, "allow it in the policy of these credentials"),
    "SignatureDoesNotMatch": (403, Denied, "the clock of this host"),
    "NoSuchHostedZone": (404, ZoneNotFound, "check hosted_zone_id"),
    "InvalidInput": (400, Rejected, "does not know this answer"),
}


@pytest.fixture
def manager(connect, faults):
    """A manager that knows its zone already, and asks through `faults`."""
    found = connect(endpoint_url=faults.url, timeout=5.0)
    found.read(WWW, A)
    return found


def commit_refused(manager, faults, change, *error, **headers):
    """What a commit raises that is answered with an error, and sent once."""
    before = manager.read(WWW, A)
    faults.refuse(*error, **headers)
    count = len(faults.seen)
    with pytest.raises(Exception) as caught:
        manager.commit([change(before, "192.0.2.1")])
    assert len(faults.seen) == count + 1, "it was sent again"
    return caught.value


# -- answers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("message", STALE, ids=range(len(STALE)))
def test_a_batch_that_is_stale_is_a_conflict(manager, faults, change, message):
    error = commit_refused(manager, faults, change, "InvalidChangeBatch", message)
    assert type(error) is Conflict
    assert message in str(error)


@pytest.mark.parametrize("message", INVALID, ids=range(len(INVALID)))
def test_a_batch_that_is_refused_for_another_reason_is_rejected(manager, faults, change, message):
    error = commit_refused(manager, faults, change, "InvalidChangeBatch", message)
    assert type(error) is Rejected
    assert message in str(error)


@pytest.mark.parametrize("code", REFUSED)
def test_a_refusal_is_the_same_for_reads_and_commits(manager, faults, change, code):
    status, kind, next_step = REFUSED[code]
    error = commit_refused(manager, faults, change, code, "because\n of this", status)
    assert type(error) is kind
    answered = f"ChangeResourceRecordSets was answered with {code} (because of this); "
    assert str(error).startswith(f"cannot change {WWW} A in Route 53: {answered}")
    assert next_step in str(error)
    if kind is ZoneNotFound:
        faults.answers.append(None)  # looks for the zone again
    faults.refuse(code, "because", status)
    with pytest.raises(kind, match=f"cannot read {WWW} A in Route 53"):
        manager.read(WWW, A)


def test_a_pause_that_is_asked_for_is_handed_on(manager, faults, change):
    headers = {"Retry-After": "7"}
    assert commit_refused(manager, faults, change, "Throttling", "Rate exceeded", 400, **headers).retry_after == 7.0
    assert commit_refused(manager, faults, change, "Throttling", "Rate exceeded").retry_after is None


@pytest.mark.parametrize(
    ("code", "status"), [("InternalError", 500), ("ServiceUnavailable", 503), ("RequestTimeout", 400)]
)
def test_trouble_of_the_service_leaves_a_commit_unknown_and_a_read_unavailable(manager, faults, change, code, status):
    assert type(commit_refused(manager, faults, change, code, "oops", status)) is OutcomeUnknown
    faults.refuse(code, "oops", status)
    with pytest.raises(Unavailable):
        manager.read(WWW, A)


@pytest.mark.parametrize("body", [b"<html><p>Sign in", b"", b"\xff\xfe"], ids=["a page", "nothing", "no text"])
@pytest.mark.parametrize("status", [200, 502])
def test_an_answer_that_is_not_of_the_api_is_none(manager, faults, change, status, body):
    before = manager.read(WWW, A)
    faults.say(status, body)
    with pytest.raises(OutcomeUnknown):
        manager.commit([change(before, "192.0.2.1")])
    faults.say(status, body)
    with pytest.raises(Unavailable):
        manager.read(WWW, A)


# -- waiting -----------------------------------------------------------------------------------------------


def test_waiting_goes_on_while_route_53_asks_for_fewer_requests(connect, faults, write):
    manager = connect(endpoint_url=faults.url)
    receipt = write(manager, "wait-throttled.ex.test", "192.0.2.1")
    for _ in range(2):
        faults.refuse("Throttling", "Rate exceeded")
    assert manager.wait(receipt, 60) is True


def test_a_change_that_is_not_served_in_time_is_not_reported_as_served(connect, write):
    manager = connect()
    assert manager.wait(write(manager, "wait-pending.ex.test", "192.0.2.1"), 0) is False


def test_waiting_says_so_where_nobody_answers_in_all_the_time(connect, faults, write):
    manager = connect(endpoint_url=faults.url)
    receipt = write(manager, "wait-unanswered.ex.test", "192.0.2.1")
    faults.refuse("Throttling", "Rate exceeded")
    with pytest.raises(Throttled):
        manager.wait(receipt, 0)


# -- the way there -----------------------------------------------------------------------------------------


def test_a_profile_that_is_not_there_is_a_mistake_of_the_configuration(connect):
    with pytest.raises(ConfigurationError, match="nobody"):
        connect(profile="nobody")


@pytest.fixture
def sent(connect):
    """`sent(**options)`: the first request of a manager, caught before it leaves."""

    def catch(**options):
        manager = connect(endpoint_url=None, **options)
        caught = []

        def refuse(request, **_):
            caught.append(request)
            raise EndpointConnectionError(endpoint_url=request.url)

        manager._api.client().meta.events.register("before-send", refuse)
        with pytest.raises(Unavailable):
            manager.read(WWW, A)
        return caught[0]

    return catch


@pytest.mark.parametrize("region", [None, "ap-south-1"])
@pytest.mark.parametrize("configured", [None, "eu-central-1"])
def test_a_request_is_signed_for_the_one_region_of_route_53(sent, monkeypatch, region, configured):
    if configured:
        monkeypatch.setenv("AWS_DEFAULT_REGION", configured)
    request = sent(region=region)
    assert request.url.startswith("https://route53.amazonaws.com/")
    assert b"/us-east-1/route53/" in request.headers["Authorization"]


def test_the_region_leads_to_the_api_of_its_own_part_of_aws(sent):
    assert sent(region="cn-north-1").url.startswith("https://route53.amazonaws.com.cn/")


def test_at_another_address_a_request_is_signed_for_the_region_of_the_session(connect, faults):
    connect(endpoint_url=faults.url, region="ap-south-1").read(WWW, A)
    assert "/ap-south-1/route53/" in faults.seen[-1].headers["Authorization"]
