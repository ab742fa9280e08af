"""What the plugin makes of refusals, failures and answers that are none."""

from __future__ import annotations

import contextlib
import email.utils
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import trustme

from dnslb import (
    Conflict,
    Denied,
    OutcomeUnknown,
    ProviderError,
    RecordType,
    Rejected,
    Snapshot,
    Throttled,
    Unavailable,
    ZoneNotFound,
)
from dnslb.testing.azuredns import AzureDns

WWW = "www.ex.test"
A = RecordType.A


@pytest.fixture
def before(manager, write) -> Snapshot:
    """What `manager` has read; the zone is known to it."""
    write(manager, WWW, "192.0.2.1")
    return manager.read(WWW, A)


def refused(operation: Callable[[], object]) -> ProviderError:
    with pytest.raises(ProviderError) as raised:
        operation()
    assert "\n" not in str(raised.value)
    return raised.value


ANSWERS = [
    # status, code, of a read, of a commit
    (400, "BadRequest", Rejected, Rejected),
    (401, "ExpiredAuthenticationToken", Denied, Denied),
    (403, "AuthorizationFailed", Denied, Denied),
    (403, "RequestDisallowedByPolicy", Denied, Denied),
    (404, "ParentResourceNotFound", ZoneNotFound, ZoneNotFound),
    (404, "ResourceNotFound", ZoneNotFound, ZoneNotFound),
    (404, "ResourceGroupNotFound", ZoneNotFound, ZoneNotFound),
    (404, "SubscriptionNotFound", ZoneNotFound, ZoneNotFound),
    (404, "NotFound", None, Conflict),
    (405, "HttpMethodNotAllowed", Rejected, Rejected),
    (408, "RequestTimeout", Unavailable, OutcomeUnknown),
    (409, "Conflict", Unavailable, Conflict),
    (409, "AnotherOperationInProgress", Unavailable, Conflict),
    (409, "ScopeLocked", Denied, Denied),
    (409, "ReadOnlyDisabledSubscription", Denied, Denied),
    (409, "MissingSubscriptionRegistration", Denied, Denied),
    (412, "PreconditionFailed", Rejected, Conflict),
    (429, "TooManyRequests", Throttled, Throttled),
    (429, "SubscriptionRequestsThrottled", Throttled, Throttled),
    (307, "", Unavailable, OutcomeUnknown),
    (500, "InternalServerError", Unavailable, OutcomeUnknown),
    (502, "BadGateway", Unavailable, OutcomeUnknown),
    (503, "ServiceUnavailable", Unavailable, OutcomeUnknown),
    (504, "GatewayTimeout", Unavailable, OutcomeUnknown),
]
IDS = [f"{status} {code}".strip() for status, code, *_ in ANSWERS]


@pytest.mark.parametrize(("status", "code", "of_a_read", "_"), ANSWERS, ids=IDS)
def test_a_read_that_is_refused(dns, manager, before, status, code, of_a_read, _):
    dns.fail(status, code, writes=False)
    if of_a_read is None:
        assert not manager.read(WWW, A).record_set.exists
        return
    error = refused(lambda: manager.read(WWW, A))
    assert type(error) is of_a_read
    assert str(error).startswith(f"reading {WWW} A from the zone ex.test in the resource group dns: {status}")
    assert code in str(error)


@pytest.mark.parametrize("how", ["replacing", "deleting", "creating"])
@pytest.mark.parametrize(("status", "code", "_", "of_a_commit"), ANSWERS, ids=IDS)
def test_a_commit_that_is_refused_is_sent_once(dns, manager, before, change, how, status, code, _, of_a_commit):
    snapshot = manager.read("new.ex.test", A) if how == "creating" else before
    sent = len(dns.requests)
    dns.fail(status, code, writes=True, headers={"Location": dns.url} if status == 307 else None)
    error = refused(lambda: manager.commit([change(snapshot, *([] if how == "deleting" else ["192.0.2.2"]))]))
    assert type(error) is of_a_commit
    assert len(dns.requests) == sent + 1


def test_a_commit_that_was_applied_and_answered_by_a_failure_has_an_unknown_outcome(
    dns, manager, before, change, values
):
    dns.fail(500, "InternalServerError", writes=True, applied=True)
    with pytest.raises(OutcomeUnknown, match="500 InternalServerError"):
        manager.commit([change(before, "192.0.2.2")])
    assert values(manager, WWW) == ("192.0.2.2",)


@pytest.mark.parametrize(
    ("header", "low", "high"),
    [
        (lambda: "17", 17, 17),
        (lambda: "0", 0, 0),
        (lambda: email.utils.formatdate(time.time() + 600, usegmt=True), 500, 600),
        (lambda: email.utils.formatdate(time.time() - 600, usegmt=True), 0, 0),
    ],
    ids=["seconds", "at once", "a date", "a date that has passed"],
)
def test_the_pause_that_was_asked_for_is_handed_on(dns, manager, before, header, low, high):
    dns.fail(429, "TooManyRequests", headers={"Retry-After": header()})  # now, not when the tests were collected
    error = refused(lambda: manager.read(WWW, A))
    assert isinstance(error, Throttled)
    assert low <= error.retry_after <= high


@pytest.mark.parametrize("headers", [None, {"Retry-After": "later"}], ids=["none", "nonsense"])
def test_without_a_pause_none_is_made_up(dns, manager, before, headers):
    dns.fail(429, "TooManyRequests", headers=headers)
    assert refused(lambda: manager.read(WWW, A)).retry_after is None


def test_an_error_is_one_line_whatever_the_service_says(dns, manager, before):
    dns.fail(400, "BadRequest", "first\nsecond " + "x" * 5000)
    error = refused(lambda: manager.read(WWW, A))
    assert "first second xxx" in str(error)
    assert len(str(error)) < 600


def test_the_next_step_for_an_unregistered_subscription_is_a_command(dns, manager, before, change):
    dns.fail(409, "MissingSubscriptionRegistration", "The subscription is not registered to use 'Microsoft.Network'")
    error = refused(lambda: manager.commit([change(before, "192.0.2.2")]))
    assert "az provider register --namespace Microsoft.Network" in str(error)


# -- the connection ----------------------------------------------------------------------------------------


def test_an_api_that_is_not_trusted_gets_no_request(dns, connect, tmp_path):
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(other)
    error = refused(lambda: connect(ca_file=other).read(WWW, A))
    assert type(error) is Unavailable
    assert "certificate is not trusted" in str(error)
    assert dns.requests == []


def test_an_api_of_ones_own_is_not_trusted_by_itself(dns, connect):
    error = refused(lambda: connect(ca_file=None).read(WWW, A))
    assert "ca_file" in str(error)
    assert dns.requests == []


def test_an_api_under_another_name_is_not_trusted(dns, connect):
    error = refused(lambda: connect(base_url=f"https://localhost:{dns.address[1]}").read(WWW, A))
    assert "certificate is not trusted" in str(error)


def request_of(connection: ssl.SSLSocket) -> bytes:
    """A whole request."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(65536) or pytest.fail("the client hung up")
    head, _, body = received.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
    while length and len(body) < int(length[1]):
        body += connection.recv(65536)
    return head


def answer(status: str, content: bytes, kind: str = "application/json") -> Callable[[ssl.SSLSocket], None]:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(content)}\r\n\r\n"
    return lambda connection: connection.sendall(head.encode() + content)


def noise(connection: ssl.SSLSocket) -> None:
    """What is no TLS, past the encryption."""
    socket.socket.send(connection, b"HTTP/1.1 400 Bad Request\r\n\r\n" * 9)


def half(connection: ssl.SSLSocket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 999\r\n\r\n{")


@contextlib.contextmanager
def impostor(tls: ssl.SSLContext, reply: Callable[[ssl.SSLSocket], None]) -> Iterator[str]:
    """Takes one request, replies, and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(20)

        def serve() -> None:
            accepted, _ = listener.accept()
            with tls.wrap_socket(accepted, server_side=True) as connection, contextlib.suppress(OSError):
                request_of(connection)
                reply(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"
        thread.join()


STRANGE = {
    "a page": answer("200 OK", b"<html>Welcome</html>", "text/html"),
    "a page of a failing proxy": answer("502 Bad Gateway", b"<html>no</html>", "text/html"),
    "broken JSON": answer("200 OK", b'{"etag": '),
    "another JSON": answer("200 OK", b"{}"),
    "a list": answer("200 OK", b"[1, 2]"),
    "nothing": answer("200 OK", b""),
    "no number": answer("200 OK", b'{"etag": "x", "properties": {"TTL": "soon"}}'),
    "half of it": half,
    "what is no HTTP": lambda connection: connection.sendall(b"220 mail ready\r\n"),
    "what is no TLS": noise,
    "none": lambda connection: None,
}


@pytest.mark.parametrize("reply", STRANGE.values(), ids=list(STRANGE))
def test_a_read_with_a_strange_answer_is_unavailable(tls, connect, before, reply):
    manager = connect()
    manager.read(WWW, A)
    with impostor(tls, reply) as url:
        move(manager, url)
        error = refused(lambda: manager.read(WWW, A))
    assert type(error) is Unavailable


@pytest.mark.parametrize("reply", STRANGE.values(), ids=list(STRANGE))
def test_a_commit_with_a_strange_answer_has_an_unknown_outcome(tls, connect, before, change, reply):
    manager = connect()
    manager.read(WWW, A)
    with impostor(tls, reply) as url:
        move(manager, url)
        error = refused(lambda: manager.commit([change(before, "192.0.2.2")]))
    assert type(error) is OutcomeUnknown


@pytest.mark.parametrize("zone", ["ex.test", None], ids=["by name", "in a list"])
@pytest.mark.parametrize("reply", STRANGE.values(), ids=list(STRANGE))
def test_a_zone_is_not_found_in_a_strange_answer(tls, connect, reply, zone):
    with impostor(tls, reply) as url:
        error = refused(lambda: connect(base_url=url, zone=zone).read(WWW, A))
    # An object without a name is an answer, only not one with the zone in it.
    assert type(error) in (Unavailable, ZoneNotFound)


@pytest.mark.parametrize(
    "properties",
    [{"TTL": 60, "ARecords": [{"ipv4Address": "here"}]}, {"TTL": -5, "ARecords": [{"ipv4Address": "192.0.2.1"}]}],
    ids=["no address", "no TTL"],
)
def test_values_that_make_no_sense_are_never_taken_for_an_empty_set(dns, manager, properties):
    dns.place("ex.test", "A", "www", properties)
    assert type(refused(lambda: manager.read(WWW, A))) is Unavailable


def move(manager, url: str) -> None:
    """The API is at another place from now on; the zone is known already."""
    manager._client._client._base_url = url


def test_the_fake_takes_its_token_only(dns: AzureDns, manager):
    dns.token = "another"
    error = refused(lambda: manager.read(WWW, A))
    assert type(error) is Denied
    assert "401 InvalidAuthenticationToken" in str(error)
