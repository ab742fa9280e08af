"""What AWS and botocore say, and the error of dnslb that it is: one line with the next step."""

from __future__ import annotations

import ssl
from typing import Any

import pytest
from botocore import exceptions as sdk
from botocore.parsers import ResponseParserError

from dnslb import Conflict, Denied, OutcomeUnknown, Rejected, Throttled, Unavailable
from dnslb_aws.errors import FOREIGN, mapped

WHAT = "cannot ask"

ANSWERED = {
    "RequestLimitExceeded": (503, Throttled, "too many requests"),
    "RequestThrottled": (400, Throttled, "too many requests"),
    "Throttling": (400, Throttled, "too many requests"),
    "ThrottlingException": (400, Throttled, "too many requests"),
    "TooManyRequestsException": (429, Throttled, "too many requests"),
    "AccessDenied": (403, Denied, "allow it in the policy of these credentials"),
    "AccessDeniedException": (400, Denied, "allow it in the policy of these credentials"),
    "NotAuthorized": (400, Denied, "allow it in the policy of these credentials"),
    "ExpiredToken": (400, Denied, "the clock of this host"),
    "ExpiredTokenException": (400, Denied, "the clock of this host"),
    "IncompleteSignature": (400, Denied, "the clock of this host"),
    "InvalidClientTokenId": (403, Denied, "aws sts get-caller-identity"),
    "InvalidSignatureException": (400, Denied, "the clock of this host"),
    "MissingAuthenticationToken": (400, Denied, "aws sts get-caller-identity"),
    "MissingAuthenticationTokenException": (400, Denied, "aws sts get-caller-identity"),
    "OptInRequired": (400, Denied, "has not enabled the region"),
    "RequestExpired": (400, Denied, "the clock of this host"),
    "SignatureDoesNotMatch": (403, Denied, "the clock of this host"),
    "UnrecognizedClientException": (400, Denied, "aws sts get-caller-identity"),
    "UnheardOf": (403, Denied, "allow it in the policy of these credentials"),
    "UnheardOfToo": (429, Throttled, "too many requests"),
    "InvalidParameterValue": (400, Rejected, "does not know this answer"),
    "InternalError": (500, Unavailable, "AWS has trouble of its own"),
    "ServiceUnavailable": (503, Unavailable, "AWS has trouble of its own"),
    "RequestTimeout": (400, Unavailable, "AWS has trouble of its own"),
    "RequestTimeoutException": (408, Unavailable, "AWS has trouble of its own"),
}


def answer(code: str, status: int, message: str = "because\n of this", **headers: str) -> sdk.ClientError:
    about: Any = {"HTTPStatusCode": status, "HTTPHeaders": headers}
    return sdk.ClientError({"Error": {"Code": code, "Message": message}, "ResponseMetadata": about}, "Ask")


@pytest.mark.parametrize("code", ANSWERED)
@pytest.mark.parametrize("order", [False, True])
def test_an_answer_means_the_same_for_questions_and_orders_unless_it_leaves_open_what_was_done(code, order):
    status, expected, next_step = ANSWERED[code]
    error = mapped(answer(code, status), WHAT, order=order)
    assert type(error) is (OutcomeUnknown if order and expected is Unavailable else expected)
    assert str(error).startswith(f"cannot ask: Ask was answered with {code} (because of this); ")
    assert next_step in str(error)


def test_trouble_of_aws_with_what_comes_before_an_order_leaves_nothing_open():
    assert type(mapped(answer("InternalFailure", 500), WHAT, order=True, sent=False)) is Unavailable


def test_a_service_may_have_answers_of_its_own():
    def own(code: str, message: str):
        return (Conflict, f"read again what is {message}") if code == "Stale" else None

    assert type(mapped(answer("Stale", 400), WHAT, own=own)) is Conflict
    assert str(mapped(answer("Stale", 400, "old"), WHAT, own=own)).endswith("; read again what is old")
    assert type(mapped(answer("AccessDenied", 403), WHAT, own=own)) is Denied


def test_an_answer_without_code_and_message_is_told_by_its_status():
    assert "was answered with 502 (no message)" in str(
        mapped(sdk.ClientError({"ResponseMetadata": {"HTTPStatusCode": 502}}, "Ask"), WHAT)
    )


def test_the_encoded_part_of_a_denial_is_left_out():
    said = "You are not authorized. Encoded authorization failure message: 4Gx0pQsecret"
    assert "(You are not authorized); allow it" in str(mapped(answer("AccessDenied", 403, said), WHAT))


@pytest.mark.parametrize(("header", "seconds"), [("7", 7.0), ("soon", None), ("", None), ("\u0667", None)])
def test_the_pause_is_the_number_of_seconds_that_aws_names(header, seconds):
    error = mapped(answer("Throttling", 400, **{"retry-after": header}), WHAT)
    assert isinstance(error, Throttled)
    assert error.retry_after == seconds


ENDPOINT = {"endpoint_url": "https://ec2.example.com"}

RAISED = [
    (sdk.EndpointConnectionError(**ENDPOINT), Unavailable, Unavailable),
    (sdk.ConnectTimeoutError(**ENDPOINT), Unavailable, Unavailable),
    (sdk.ProxyConnectionError(proxy_url="http://proxy"), Unavailable, Unavailable),
    (sdk.SSLError(**ENDPOINT, error=ssl.SSLError("CERTIFICATE_VERIFY_FAILED")), Unavailable, Unavailable),
    (sdk.SSLError(**ENDPOINT, error=ssl.SSLError("UNEXPECTED_EOF_WHILE_READING")), Unavailable, OutcomeUnknown),
    (sdk.ReadTimeoutError(**ENDPOINT), Unavailable, OutcomeUnknown),
    (sdk.ConnectionClosedError(**ENDPOINT), Unavailable, OutcomeUnknown),
    (sdk.HTTPClientError(error="reset"), Unavailable, OutcomeUnknown),
    (ResponseParserError("<html>\n" + "welcome " * 1000), Unavailable, OutcomeUnknown),
    (OSError("no such program"), Unavailable, OutcomeUnknown),
    (ValueError("no JSON"), Unavailable, OutcomeUnknown),
    (KeyError("Result"), Unavailable, OutcomeUnknown),
    (TypeError("no text"), Unavailable, OutcomeUnknown),
    (sdk.NoCredentialsError(), Denied, Denied),
    (sdk.PartialCredentialsError(provider="env", cred_var="x"), Denied, Denied),
    (sdk.CredentialRetrievalError(provider="process", error_msg="x"), Denied, Denied),
    (sdk.TokenRetrievalError(provider="sso", error_msg="x"), Denied, Denied),
    (sdk.InvalidConfigError(error_msg="x"), Denied, Denied),
    (sdk.ConfigParseError(path="x"), Denied, Denied),
    (RuntimeError("the refreshed credentials are still expired"), Denied, Denied),
]


@pytest.mark.parametrize(
    ("error", "question", "order"), RAISED, ids=lambda each: getattr(each, "__name__", repr(each)[:40])
)
def test_what_botocore_raises_is_an_error_of_dnslb(error, question, order):
    assert isinstance(error, FOREIGN)
    assert type(mapped(error, WHAT)) is question
    assert type(mapped(error, WHAT, order=True)) is order
    assert type(mapped(error, WHAT, order=True, sent=False)) is question, "nothing was sent"
    line = str(mapped(error, WHAT))
    assert line.startswith("cannot ask: ")
    assert "\n" not in line
    assert len(line) < 400
