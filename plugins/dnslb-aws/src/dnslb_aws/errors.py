"""What a failed call of AWS means: from botocore's exceptions to errors of dnslb, each with the next step.

Sources of the codes: https://docs.aws.amazon.com/Route53/latest/APIReference/CommonErrors.html and
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from botocore import exceptions as sdk
from botocore.parsers import ResponseParserError

from dnslb import Denied, OutcomeUnknown, ProviderError, Rejected, Throttled, Unavailable

Meaning = tuple[type[ProviderError], str]
"""The error that an answer is, and the next step."""

OwnMeaning = Callable[[str, str], Meaning | None]
"""What a service's own answer means, by its code and message; None where it is one that all services give."""

_NOT_UNDERSTOOD = (KeyError, TypeError)
"""What botocore raises, too, where an answer lacks what its description promises."""

FOREIGN = (sdk.BotoCoreError, sdk.ClientError, ResponseParserError, OSError, RuntimeError, ValueError, *_NOT_UNDERSTOOD)
"""What botocore raises. OSError and ValueError come from the programs and files that credentials are taken from."""

TRY_LATER = "too many requests, by anybody who uses the account"
ALLOW = "allow it in the policy of these credentials (the plugin's README has one to paste)"
CHECK_KEYS = (
    "check the access key, the session token and the clock of this host; `aws sts get-caller-identity` there tells more"
)
_TRUST = "let the trust policy of role_arn name this identity, with external_id if it asks for one"
_SUBSCRIBE = "the account is not subscribed to the service, or has not enabled the region"

_MEANINGS: Mapping[str, Meaning] = {
    **dict.fromkeys(("RequestLimitExceeded", "RequestThrottled", "TooManyRequestsException"), (Throttled, TRY_LATER)),
    **dict.fromkeys(("Throttling", "ThrottlingException"), (Throttled, TRY_LATER)),
    **dict.fromkeys(("AccessDenied", "AccessDeniedException", "NotAuthorized"), (Denied, ALLOW)),
    **dict.fromkeys(("InvalidClientTokenId", "UnrecognizedClientException"), (Denied, CHECK_KEYS)),
    **dict.fromkeys(("MissingAuthenticationToken", "MissingAuthenticationTokenException"), (Denied, CHECK_KEYS)),
    **dict.fromkeys(("SignatureDoesNotMatch", "InvalidSignatureException"), (Denied, CHECK_KEYS)),
    **dict.fromkeys(("IncompleteSignature", "RequestExpired"), (Denied, CHECK_KEYS)),
    **dict.fromkeys(("ExpiredToken", "ExpiredTokenException"), (Denied, CHECK_KEYS)),
    "OptInRequired": (Denied, _SUBSCRIBE),
}

_TIMED_OUT = frozenset({"RequestTimeout", "RequestTimeoutException"})

# RuntimeError: botocore has no other name for credentials that stay expired.
_NO_CREDENTIALS = (
    sdk.ConfigNotFound,
    sdk.ConfigParseError,
    sdk.CredentialRetrievalError,
    sdk.InvalidConfigError,
    sdk.LoginError,
    sdk.NoAuthTokenError,
    sdk.NoCredentialsError,
    sdk.PartialCredentialsError,
    sdk.ProfileNotFound,
    sdk.SSOError,
    sdk.TokenRetrievalError,
    sdk.UnknownCredentialError,
    RuntimeError,
)

# Before any of these the request has not left: there was no connection.
_NOT_SENT = (sdk.ConnectTimeoutError, sdk.EndpointConnectionError, sdk.ProxyConnectionError)

_ON_THE_WAY = (sdk.ConnectionError, sdk.HTTPClientError, ResponseParserError)

_SHOWN = 200
"""Characters of what is no answer of AWS, at most; a proxy may have answered with a page."""


def mapped(
    error: Exception, what: str, *, order: bool = False, sent: bool = True, own: OwnMeaning | None = None
) -> ProviderError:
    """The error for a call that failed with `error`, one of FOREIGN.

    `what` was not done ("cannot list ..."). `order` says whether the call was to change something, and `sent` whether
    the request had been handed to the connection: a lost reply then leaves open whether it did. `own` tells what the
    service's own answers mean.
    """
    unknown = order and sent
    if isinstance(error, sdk.ClientError):
        return _answered(error, what, own, unknown=unknown)
    said = " ".join(str(error).split())[:_SHOWN]
    if isinstance(error, _NO_CREDENTIALS):
        return Denied(
            f"{what}: no credentials for AWS ({said}); give the host an instance role, or set `profile`, or AWS's own"
            " environment variables"
        )
    if unknown and not isinstance(error, _NOT_SENT) and not _is_distrust(error):
        return OutcomeUnknown(f"{what} for certain: the reply was lost ({said})")
    if isinstance(error, _ON_THE_WAY):
        return Unavailable(f"{what}: no answer of AWS ({said}); check the network and the region")
    if isinstance(error, _NOT_UNDERSTOOD):
        return Unavailable(f"{what}: the answer was not understood ({type(error).__name__}: {said})")
    return Unavailable(f"{what}: {type(error).__name__}: {said}")


def _answered(error: sdk.ClientError, what: str, own: OwnMeaning | None, *, unknown: bool) -> ProviderError:
    """The error for a call that AWS answered with a refusal or a failure of its own."""
    response: Any = error.response
    code, message = str(response.get("Error", {}).get("Code", "")), _message(response)
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    meaning = (own(code, message) if own else None) or _MEANINGS.get(code)
    kind, next_step = meaning or _by_status(status, code, unknown=unknown)
    if error.operation_name == "AssumeRole" and kind is Denied:
        next_step = _TRUST
    text = f"{what}: {error.operation_name} was answered with {code or status} ({message or 'no message'}); {next_step}"
    return Throttled(text, _retry_after(response)) if kind is Throttled else kind(text)


def _by_status(status: int, code: str, *, unknown: bool) -> Meaning:
    if status == 429:
        return Throttled, TRY_LATER
    if status in (401, 403):
        return Denied, ALLOW
    if status < 500 and code not in _TIMED_OUT:
        return Rejected, "dnslb does not know this answer"
    if unknown:
        return OutcomeUnknown, "AWS has trouble of its own, and may have done it nevertheless"
    return Unavailable, "AWS has trouble of its own"


def _message(response: Any) -> str:
    """AWS's own words, without the encoded part, which is long and says nothing to people."""
    text = str(response.get("Error", {}).get("Message") or "")
    return " ".join(text.partition("Encoded authorization failure message:")[0].split()).rstrip(".")


def _retry_after(response: Any) -> float | None:
    """The pause in seconds that AWS asked for; mostly it names none."""
    text = str(response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("retry-after", ""))
    return float(text) if text.isascii() and text.isdigit() else None


def _is_distrust(error: Exception) -> bool:
    """Whether the server's certificate was refused, which comes before the request."""
    return isinstance(error, sdk.SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(error)
