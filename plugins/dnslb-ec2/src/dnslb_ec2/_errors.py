"""What a failed call of AWS means: from its exceptions to errors of dnslb, each with the next step.

Source of the codes: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
"""

from __future__ import annotations

from typing import Any

from botocore import exceptions as sdk
from botocore.parsers import ResponseParserError

from dnslb import Denied, OutcomeUnknown, ProviderError, Rejected, Throttled, Unavailable

ORDERS = frozenset({"TerminateInstances", "TerminateInstanceInAutoScalingGroup"})
"""The calls that change something."""

_THROTTLED = frozenset(
    {"RequestLimitExceeded", "RequestThrottled", "Throttling", "ThrottlingException", "TooManyRequestsException"}
)

_ALLOW = "allow it in the policy of these credentials (the README has one to paste)"
_CHECK_KEYS = "check the access key, the session token and the clock of this host"

_DENIED = {
    "AccessDenied": _ALLOW,
    "AccessDeniedException": _ALLOW,
    "UnauthorizedOperation": _ALLOW,
    "AuthFailure": _CHECK_KEYS,
    "ExpiredToken": _CHECK_KEYS,
    "ExpiredTokenException": _CHECK_KEYS,
    "IncompleteSignature": _CHECK_KEYS,
    "InvalidClientTokenId": _CHECK_KEYS,
    "MissingAuthenticationToken": _CHECK_KEYS,
    "RequestExpired": _CHECK_KEYS,
    "SignatureDoesNotMatch": _CHECK_KEYS,
    "UnrecognizedClientException": _CHECK_KEYS,
    "Blocked": "AWS has blocked the account; its support says why",
    "OptInRequired": "the account is not subscribed to the service, or has not enabled the region",
    "PendingVerification": "AWS is still verifying the account; wait, or ask its support",
}

_NO_CREDENTIALS = (
    sdk.CredentialRetrievalError,
    sdk.LoginError,
    sdk.NoAuthTokenError,
    sdk.NoCredentialsError,
    sdk.PartialCredentialsError,
    sdk.SSOError,
    sdk.TokenRetrievalError,
)

_NEVER_SENT = (sdk.ConnectTimeoutError, sdk.EndpointConnectionError, sdk.ProxyConnectionError, sdk.SSLError)

_ON_THE_WAY = (sdk.ConnectionError, sdk.HTTPClientError, ResponseParserError)

_SHOWN = 200
"""Characters of what somebody else wrote, at most; a proxy may have answered with a page."""


def mapped(error: Exception, what: str, *, order: bool) -> ProviderError:
    """The error for a call that failed with `error`.

    `what` was not done ("cannot list ..."); `order` says whether the call was to change something, in which case a lost
    reply leaves open whether it did.
    """
    if isinstance(error, sdk.ClientError):
        return _answered(error, what)
    said = _one_line(error)
    if isinstance(error, _NO_CREDENTIALS):
        return Denied(
            f"{what}: no credentials for AWS ({said}); give the instance a role, or set `profile`, or AWS's own"
            " environment variables"
        )
    if order and isinstance(error, _ON_THE_WAY) and not isinstance(error, _NEVER_SENT):
        return OutcomeUnknown(f"{what} for certain: the reply was lost ({said}); look at the instance")
    if isinstance(error, _ON_THE_WAY):
        return Unavailable(f"{what}: no answer of AWS ({said}); check the network and the region")
    return Unavailable(f"{what}: {type(error).__name__}: {said}")


def _answered(error: sdk.ClientError, what: str) -> ProviderError:
    """The error for a call that AWS answered with a refusal or a failure of its own."""
    response: Any = error.response
    code = str(response.get("Error", {}).get("Code", "no code"))
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    answer = f"{what}: {error.operation_name} was answered with {code} ({_message(response)})"
    if code in _THROTTLED:
        return Throttled(f"{answer}; too many requests, by anybody who uses the account", _retry_after(response))
    if code in _DENIED:
        return Denied(f"{answer}; {_DENIED[code]}")
    if status < 500:
        return Rejected(answer)
    if error.operation_name in ORDERS and status != 503:
        return OutcomeUnknown(f"{answer}; it may have been done nevertheless: look at the instance")
    return Unavailable(f"{answer}; AWS has trouble of its own")


def _message(response: Any) -> str:
    """AWS's own words, without the encoded part, which is long and says nothing to people."""
    text = str(response.get("Error", {}).get("Message") or "no message")
    return " ".join(text.partition("Encoded authorization failure message:")[0].split()).rstrip(".")


def _retry_after(response: Any) -> float | None:
    """The pause in seconds that AWS asked for; mostly it names none."""
    text = str(response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("retry-after", ""))
    return float(text) if text.isascii() and text.isdigit() else None


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:_SHOWN]
