"""What becomes of the API's answers, of answers that are none, and of connections that break."""

from __future__ import annotations

import contextlib
import datetime as dt
import email.utils
import socket

import pytest

from dnslb import (
    Conflict,
    Denied,
    OutcomeUnknown,
    RecordType,
    Rejected,
    Throttled,
    Unavailable,
    ZoneNotFound,
)
from dnslb.testing import CuttingProxy, Mode
from dnslb.testing.jsonserver import Answer, JsonServer
from dnslb_clouddns import _manager

A = RecordType.A
ONE, TWO = "192.0.2.1", "192.0.2.2"
WWW = "www.ex.test"
CREATE, LIST = "dns.changes.create", "dns.resourceRecordSets.list"

# Status, reason, what reading raises, what committing raises.
ANSWERS = [
    (400, "invalid", Rejected, Rejected),
    (403, "forbidden", Denied, Denied),
    (403, "accessNotConfigured", Denied, Denied),
    (403, "quotaExceeded", Rejected, Rejected),
    (403, "rateLimitExceeded", Throttled, Throttled),
    (403, "userRateLimitExceeded", Throttled, Throttled),
    (403, "dailyLimitExceeded", Throttled, Throttled),
    (404, "notFound", ZoneNotFound, Conflict),
    (409, "alreadyExists", Rejected, Conflict),
    (412, "conditionNotMet", Rejected, Conflict),
    (429, "rateLimitExceeded", Throttled, Throttled),
    (429, "quotaExceeded", Throttled, Throttled),
    (408, "timeout", Unavailable, OutcomeUnknown),
    (500, "backendError", Unavailable, OutcomeUnknown),
    (502, "badGateway", Unavailable, OutcomeUnknown),
    (503, "backendError", Unavailable, Unavailable),
    (504, "gatewayTimeout", Unavailable, OutcomeUnknown),
    (418, "teapot", Rejected, Rejected),
    (307, "redirected", Unavailable, OutcomeUnknown),
]


@pytest.mark.parametrize(("status", "reason", "reading", "committing"), ANSWERS)
def test_an_error_of_the_api_becomes_one_of_dnslb(fake, connect, change, status, reason, reading, committing):
    manager = connect()
    before = manager.read(WWW, A)
    elsewhere = {"Location": f"{fake.endpoint}/dns/v1/projects/elsewhere"} if status == 307 else {}
    fake.fail(status, reason, method=LIST, headers=elsewhere, times=3)
    fake.fail(status, reason, method=CREATE, headers=elsewhere)
    with pytest.raises(reading) as read:
        manager.read(WWW, A)
    with pytest.raises(committing) as committed:
        manager.commit([change(before, ONE)])
    assert (type(read.value), type(committed.value)) == (reading, committing)
    assert [call.method for call in fake.calls].count(CREATE) == 1, "sent once"
    for error in (read.value, committed.value):
        assert f"{WWW} A in the zone ex-test" in str(error)
        assert "\n" not in str(error)
        assert status == 307 or f"Cloud DNS answered {status} {reason}: made to fail" in str(error)


def test_a_pause_that_is_asked_for_is_handed_on(fake, connect, change):
    manager = connect()
    before = manager.read(WWW, A)
    in_a_minute = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=60)
    pauses = {"7": 7.0, email.utils.format_datetime(in_a_minute, usegmt=True): 60.0, "soon": None, "": None}
    for written, expected in pauses.items():
        fake.fail(429, "rateLimitExceeded", method=CREATE, headers={"Retry-After": written})
        with pytest.raises(Throttled) as caught:
            manager.commit([change(before, ONE)])
        assert caught.value.retry_after == (expected if expected is None else pytest.approx(expected, abs=5))


def test_a_service_that_says_when_it_is_back_is_not_asked_before(fake, connect):
    manager = connect()
    manager.read(WWW, A)
    fake.fail(503, "backendError", headers={"Retry-After": "30"})
    with pytest.raises(Throttled) as caught:
        manager.read(WWW, A)
    assert caught.value.retry_after == 30


def test_an_answer_that_was_an_error_after_all_was_done_is_not_known(fake, connect, change, values):
    manager = connect()
    before = manager.read(WWW, A)
    fake.fail(502, "badGateway", method=CREATE, applied=True)
    with pytest.raises(OutcomeUnknown):
        manager.commit([change(before, ONE)])
    assert values(manager, WWW) == (ONE,)


def test_errors_while_the_zone_is_looked_for_are_mapped_too(fake, connect):
    fake.fail(403, "forbidden")
    with pytest.raises(Denied, match=r"look for zones of www\.ex\.test in the project dnslb-test"):
        connect().read(WWW, A)
    fake.fail(503, "backendError")
    with pytest.raises(Unavailable, match="find the zone ex-test"):
        connect(zone="ex-test").read(WWW, A)


# -- answers that are none --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer", [{}, {"status": "ok"}, [], "text", {"rrsets": "text"}, {"rrsets": [{"name": "x."}]}, {"rrsets": [3]}]
)
def test_a_read_that_was_not_answered_by_cloud_dns_is_unavailable(fake, connect, answer):
    def reply(request):
        return Answer(200, answer) if "/rrsets" in request.target else fake._answer(request)

    with contextlib.closing(JsonServer(reply)) as server, pytest.raises(Unavailable, match="not one of Cloud DNS"):
        connect(via=server.address).read(WWW, A)


@pytest.mark.parametrize("answer", [{}, {"status": "ok"}, ["text"], "text", 3, {"additions": 3}, {"additions": [{}]}])
def test_a_commit_that_was_not_answered_by_cloud_dns_is_not_known(fake, connect, change, answer):
    def reply(request):
        return Answer(200, answer) if request.verb == "POST" else fake._answer(request)

    with contextlib.closing(JsonServer(reply)) as server:
        manager = connect(via=server.address)
        before = manager.read(WWW, A)
        with pytest.raises(OutcomeUnknown, match="not one of Cloud DNS"):
            manager.commit([change(before, ONE)])


# -- connections ------------------------------------------------------------------------------------------------


def test_a_service_that_nobody_listens_for_is_unavailable(connect):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        manager = connect(via=closed.getsockname())
        with pytest.raises(Unavailable, match=r"no answer from Cloud DNS .*refused"):
            manager.read(WWW, A)


def test_a_commit_that_finds_nobody_has_not_been_applied(fake, connect, change):
    with CuttingProxy(fake.address) as proxy:
        reader = connect(via=proxy.address)
        before = reader.read(WWW, A)  # commits have connections of their own, so there is none yet
        proxy.close()
        with pytest.raises(Unavailable):
            reader.commit([change(before, ONE)])


@pytest.mark.parametrize("how", [Mode.CUT_REPLY, Mode.HOLD_REPLY])
def test_a_commit_whose_reply_is_lost_is_not_known_and_sent_once(fake, connect, change, values, how):
    with CuttingProxy(fake.address) as proxy:
        manager = connect(via=proxy.address, timeout=0.5)
        before = manager.read(WWW, A)
        proxy.switch(how)
        with pytest.raises(OutcomeUnknown, match=r"cannot change www\.ex\.test A .*no answer from Cloud DNS"):
            manager.commit([change(before, ONE)])
        proxy.switch(Mode.PASS)
        assert values(manager, WWW) == (ONE,)
    assert [call.method for call in fake.calls].count(CREATE) == 1


# -- waiting ----------------------------------------------------------------------------------------------------


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(_manager, "_POLL_INTERVAL", 0.01)


def test_a_change_is_polled_until_it_is_done(fake, connect, write, quick):
    fake.polls = 3
    manager = connect()
    receipt = write(manager, WWW, ONE)
    assert manager.wait(receipt, 10.0) is True
    assert [call.method for call in fake.calls].count("dns.changes.get") == 3
    assert manager.wait(receipt, 0.0) is True, "it is known to be done"


def test_a_change_that_was_done_at_once_is_not_asked_for(fake, connect, write):
    manager = connect()
    receipt = write(manager, WWW, ONE)
    requests = len(fake.calls)
    assert manager.wait(receipt, 10.0) is True
    assert len(fake.calls) == requests


def test_the_wait_has_a_limit(fake, connect, write, quick):
    fake.polls = 1_000_000
    manager = connect()
    assert manager.wait(write(manager, WWW, ONE), 0.2) is False


def test_an_error_while_waiting_is_waited_out(fake, connect, write, quick):
    fake.polls = 2
    manager = connect()
    receipt = write(manager, WWW, ONE)
    fake.fail(503, "backendError", method="dns.changes.get", times=2)
    assert manager.wait(receipt, 10.0) is True


def test_a_wait_without_any_answer_tells_why(fake, connect, write, quick):
    fake.polls = 2
    manager = connect()
    receipt = write(manager, WWW, ONE)
    fake.fail(503, "backendError", method="dns.changes.get", times=1_000_000)
    with pytest.raises(Unavailable, match="look at change 1 of the zone ex-test"):
        manager.wait(receipt, 0.2)


def test_a_pause_that_is_asked_for_is_kept_while_waiting(fake, connect, write, quick):
    fake.polls = 2
    manager = connect()
    receipt = write(manager, WWW, ONE)
    fake.fail(429, "rateLimitExceeded", method="dns.changes.get", headers={"Retry-After": "60"}, times=1_000_000)
    with pytest.raises(Throttled):
        manager.wait(receipt, 0.3)
    assert [call.method for call in fake.calls].count("dns.changes.get") <= 2
