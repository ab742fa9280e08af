"""What becomes of errors: of Route 53's own answers, of the way there, of the credentials."""

from __future__ import annotations

import datetime as dt
import http.server
import os
import ssl
import threading

import pytest
import trustme
from botocore.exceptions import EndpointConnectionError

from dnslb import Conflict, Denied, OutcomeUnknown, RecordType, Rejected, Throttled, Unavailable, ZoneNotFound

A = RecordType.A
WWW = "www.ex.test"
ROLE = "arn:aws:iam::123456789012:role/dnslb"

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
    "Throttling": (400, Throttled, "asks for fewer requests"),
    "ThrottlingException": (400, Throttled, "asks for fewer requests"),
    "PriorRequestNotComplete": (400, Throttled, "asks for fewer requests"),
    "AccessDenied": (403, Denied, "allow it in the IAM policy"),
    "InvalidClientTokenId": (403, Denied, "aws sts get-caller-identity"),
    "SignatureDoesNotMatch": (403, Denied, "this host's clock is off"),
    "ExpiredToken": (403, Denied, "the credentials are too old"),
    "UnheardOf": (403, Denied, "allow it in the IAM policy"),
    "NoSuchHostedZone": (404, ZoneNotFound, "check hosted_zone_id"),
    "InvalidInput": (400, Rejected, "does not know this answer"),
    "TooManyRequests": (429, Throttled, "asks for fewer requests"),
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
    assert str(error).startswith(f"Route 53 did not change {WWW} A (ChangeResourceRecordSets: {code}: because of this)")
    assert next_step in str(error)
    if kind is ZoneNotFound:
        faults.answers.append(None)  # looks for the zone again
    faults.refuse(code, "because", status)
    with pytest.raises(kind, match=f"did not read {WWW} A"):
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


@pytest.fixture
def impostor():
    """An HTTPS server whose certificate nobody here trusts; its URL."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        server.handle_error = lambda *_: None
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield f"https://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_a_certificate_that_nobody_vouches_for_is_refused(connect, impostor):
    with pytest.raises(Unavailable, match=r"not reached.*CERTIFICATE_VERIFY_FAILED"):
        connect(endpoint_url=impostor).read(WWW, A)


def test_an_address_without_tls_from_the_environment_is_refused(connect, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_ROUTE_53", "http://route53.example.com")
    with pytest.raises(Rejected, match=r"AWS configuration of this host.*without TLS"):
        connect(endpoint_url=None).read(WWW, A)


# -- credentials -------------------------------------------------------------------------------------------


def test_missing_credentials_are_denied_with_the_next_step_until_they_are_there(connect, monkeypatch):
    manager = connect()
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    with pytest.raises(Denied, match="no AWS credentials on this host: give the host an instance role"):
        manager.read(WWW, A)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    manager.read(WWW, A)


def test_half_credentials_are_denied(connect, monkeypatch):
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(Denied, match="Partial credentials"):
        connect().read(WWW, A)


def test_a_profile_that_is_not_there_is_denied_by_name(connect):
    with pytest.raises(Denied, match="nobody"):
        connect(profile="nobody").read(WWW, A)


def test_a_program_for_credentials_that_is_not_there_is_no_foreign_exception(connect, monkeypatch, tmp_path):
    config = tmp_path / "config"
    config.write_text("[profile www]\ncredential_process = /no/such/program\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    with pytest.raises(Unavailable, match="/no/such/program"):
        connect(profile="www").read(WWW, A)


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


def test_a_profile_gives_the_credentials(sent, monkeypatch, tmp_path):
    config = tmp_path / "config"
    config.write_text("[profile www]\naws_access_key_id = AKIAOFTHEPROFILE\naws_secret_access_key = x\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    assert b"Credential=AKIAOFTHEPROFILE/" in sent(profile="www").headers["Authorization"]


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


def assumed(faults) -> list[str]:
    return [seen.body.decode() for seen in faults.seen if b"Action=AssumeRole" in seen.body]


def test_a_role_is_assumed_once_with_the_external_id(connect, faults, monkeypatch, values):
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", faults.url)
    manager = connect(endpoint_url=faults.url, role_arn=ROLE, external_id="of-the-customer")
    values(manager, WWW)
    values(manager, WWW)
    (asked,) = assumed(faults)
    assert "RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fdnslb" in asked
    assert "ExternalId=of-the-customer" in asked
    assert "RoleSessionName=dnslb" in asked
    assert "Credential=test/" not in faults.seen[-1].headers["Authorization"], "signed as the role, not as the host"


def test_a_role_that_may_not_be_assumed_is_denied_with_the_next_step(connect, faults, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", faults.url)
    faults.refuse("AccessDenied", "not authorized to perform: sts:AssumeRole", 403)
    with pytest.raises(Denied, match=r"AssumeRole: AccessDenied.*let the trust policy of role_arn"):
        connect(endpoint_url=faults.url, role_arn=ROLE).read(WWW, A)


def soon_expired(faults):
    """Answers the next request as STS does, with credentials that have to be renewed at once."""
    until = (dt.datetime.now(dt.UTC) + dt.timedelta(seconds=90)).strftime("%Y-%m-%dT%H:%M:%SZ")
    keys = "<AccessKeyId>ASIA1</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>"
    faults.say(
        200,
        '<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>'
        f"{keys}<Expiration>{until}</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>".encode(),
    )


def test_a_commit_for_which_credentials_cannot_be_renewed_was_not_sent(connect, faults, monkeypatch, change):
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", faults.url)
    manager = connect(endpoint_url=faults.url, role_arn=ROLE)
    soon_expired(faults)
    faults.answers.append(None)
    soon_expired(faults)
    before = manager.read(WWW, A)
    for status, error in ((500, Unavailable), (403, Denied)):
        faults.refuse("InternalFailure", "STS has trouble", status)
        with pytest.raises(error, match="AssumeRole"):
            manager.commit([change(before, "192.0.2.1")])
    assert len(assumed(faults)) == 4
    assert not [seen for seen in faults.seen if seen.method == "POST" and seen.path.endswith("/rrset/")]


def test_credentials_of_a_role_are_renewed_when_they_expire(connect, faults, monkeypatch, values):
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", faults.url)
    manager = connect(endpoint_url=faults.url, role_arn=ROLE)
    soon_expired(faults)
    values(manager, WWW)
    values(manager, WWW)
    assert len(assumed(faults)) == 2, "the second are good for an hour"


def test_no_secret_is_in_an_error_or_a_repr(connect, faults, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary-of-the-secret-key")
    manager = connect(endpoint_url=faults.url)
    faults.refuse("SignatureDoesNotMatch", "The request signature we calculated does not match", 403)
    with pytest.raises(Denied) as caught:
        manager.read(WWW, A)
    assert "canary" not in f"{caught.value!r} {caught.value.__cause__!r} {manager!r}"
    assert os.environ["AWS_SECRET_ACCESS_KEY"] not in faults.seen[-1].headers["Authorization"]
