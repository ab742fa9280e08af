"""What AWS answers, and what becomes of it: one line with what was asked, what was found and the next step."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from dnslb import Denied, OutcomeUnknown, ProviderError, Rejected, Throttled, Unavailable

SEVEN = frozenset({ip_address("10.0.0.7")})

ANSWERS = [
    ("RequestLimitExceeded", 503, Throttled),
    ("UnauthorizedOperation", 403, Denied),
    ("AuthFailure", 401, Denied),
    ("Blocked", 400, Denied),
    ("PendingVerification", 400, Denied),
    ("OptInRequired", 401, Denied),
    ("OperationNotPermitted", 400, Rejected),
    ("InvalidParameterValue", 400, Rejected),
]

TROUBLE = [("Unavailable", 503), ("ServiceUnavailable", 503), ("InternalError", 500)]
"""What leaves open whether an order was carried out."""


def check_the_line(error: ProviderError, *parts: str) -> None:
    assert "\n" not in str(error)
    assert error.__cause__ is not None
    for part in parts:
        assert part in str(error)


@pytest.mark.parametrize(("code", "status", "expected"), [*ANSWERS, *((*each, Unavailable) for each in TROUBLE)])
def test_what_a_question_is_answered_with(cloud, answer, code, status, expected):
    cloud.front.answers["DescribeInstances"] = answer(code, status=status)
    with pytest.raises(ProviderError) as caught:
        cloud.filter().filter(SEVEN)
    assert type(caught.value) is expected
    check_the_line(
        caught.value,
        f"cannot list the instances with 10.0.0.7 in eu-west-1: DescribeInstances was answered with {code}",
        "as the test wants it",
    )


@pytest.mark.parametrize(("code", "status", "expected"), [*ANSWERS, *((*each, OutcomeUnknown) for each in TROUBLE)])
def test_what_an_order_is_answered_with(cloud, answer, code, status, expected):
    instance = cloud.launch(SubnetId=cloud.network()[1], PrivateIpAddress="10.0.0.7")
    cloud.front.answers["TerminateInstances"] = answer(code, status=status)
    with pytest.raises(ProviderError) as caught:
        cloud.destroyer().destroy(SEVEN)
    assert type(caught.value) is expected
    check_the_line(
        caught.value,
        f"cannot terminate {instance['InstanceId']} in eu-west-1: TerminateInstances was answered with {code}",
    )
    assert cloud.front.count("TerminateInstances") == 1, "an order must not be tried again by the SDK"


@pytest.mark.parametrize("action", ["DescribeInstances", "TerminateInstances"])
def test_the_encoded_part_of_a_denial_is_left_out(cloud, answer, action):
    cloud.launch(SubnetId=cloud.network()[1], PrivateIpAddress="10.0.0.7")
    said = "You are not authorized. Encoded authorization failure message: 4Gx0pQsecret"
    cloud.front.answers[action] = answer("UnauthorizedOperation", said, status=403)
    with pytest.raises(Denied, match=r"\(You are not authorized\); allow it in the policy") as caught:
        cloud.destroyer().destroy(SEVEN)
    assert "4Gx0pQ" not in str(caught.value)


def test_a_question_whose_reply_was_lost_is_asked_twice(cloud, answer):
    cloud.front.answers["DescribeInstances"] = answer(cut=True)
    with pytest.raises(Unavailable, match="no answer of AWS"):
        cloud.filter().filter(SEVEN)
    assert cloud.front.count("DescribeInstances") == 2


def test_an_order_with_an_answer_that_is_no_answer_of_aws(cloud, answer, monkeypatch):
    cloud.launch(SubnetId=cloud.network()[1], PrivateIpAddress="10.0.0.7")
    monkeypatch.setattr(answer, "body", lambda self: b"<html>welcome to this hotel")
    cloud.front.answers["TerminateInstances"] = answer(status=200)
    with pytest.raises(OutcomeUnknown, match="the reply was lost"):
        cloud.destroyer().destroy(SEVEN)


def test_an_answer_that_lacks_what_an_instance_has(cloud, answer, monkeypatch):
    instances = b"<instancesSet><item/></instancesSet>"
    body = b"<Answer><reservationSet><item>" + instances + b"</item></reservationSet></Answer>"
    monkeypatch.setattr(answer, "body", lambda self: body)
    cloud.front.answers["DescribeInstances"] = answer(status=200)
    with pytest.raises(Unavailable, match="the answer was not understood"):
        cloud.destroyer().destroy(SEVEN)
