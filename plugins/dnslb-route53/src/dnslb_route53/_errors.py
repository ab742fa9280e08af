"""What a failed call means: from AWS's and botocore's errors to those of dnslb, each with the next step.

https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html#API_ChangeResourceRecordSets_Errors
and https://docs.aws.amazon.com/Route53/latest/APIReference/CommonErrors.html
"""

from __future__ import annotations

import re

from botocore import exceptions as sdk

from dnslb import Conflict, Denied, ProviderError, Rejected, Throttled, Unavailable, ZoneNotFound

_TRY_LATER = "it asks for fewer requests"
_POLICY = "allow it in the IAM policy; the plugin's README has one to paste"
_TRUST = "let the trust policy of role_arn name this identity, with external_id if it asks for one"
_IDENTITY = "`aws sts get-caller-identity` on this host, with the same profile, tells more"
_CLOCK = "the secret key is wrong, the credentials are too old, or this host's clock is off"

_MEANINGS: dict[str, tuple[type[ProviderError], str]] = {
    **dict.fromkeys(("Throttling", "ThrottlingException", "PriorRequestNotComplete"), (Throttled, _TRY_LATER)),
    **dict.fromkeys(("TooManyRequestsException", "RequestLimitExceeded"), (Throttled, _TRY_LATER)),
    **dict.fromkeys(("AccessDenied", "AccessDeniedException", "NotAuthorized"), (Denied, _POLICY)),
    **dict.fromkeys(("InvalidClientTokenId", "UnrecognizedClientException", "OptInRequired"), (Denied, _IDENTITY)),
    **dict.fromkeys(("MissingAuthenticationToken", "MissingAuthenticationTokenException"), (Denied, _IDENTITY)),
    **dict.fromkeys(("SignatureDoesNotMatch", "InvalidSignatureException", "IncompleteSignature"), (Denied, _CLOCK)),
    **dict.fromkeys(("ExpiredToken", "ExpiredTokenException", "RequestExpired"), (Denied, _CLOCK)),
    "NoSuchHostedZone": (ZoneNotFound, "check hosted_zone_id, and that the credentials are of the zone's account"),
}

_LOST = frozenset({"RequestTimeout", "RequestTimeoutException"})

# Before any of these the request has not left: no connection, or none that can be trusted.
_NOT_SENT = (sdk.EndpointConnectionError, sdk.ConnectTimeoutError, sdk.ProxyConnectionError)

_NO_IDENTITY = (
    sdk.NoCredentialsError,
    sdk.PartialCredentialsError,
    sdk.CredentialRetrievalError,
    sdk.NoAuthTokenError,
    sdk.TokenRetrievalError,
    sdk.SSOError,
    sdk.ProfileNotFound,
    sdk.ConfigNotFound,
    sdk.ConfigParseError,
    sdk.InvalidConfigError,
    sdk.UnknownCredentialError,
)

# "Tried to create resource record set [name='www.example.com.', type='A'] but it already exists". Other messages
# speak of what already exists, too: a CNAME record of the name, which no retry gets out of the way.
_STALE = re.compile(
    r"Tried to (?:create|delete) resource record set (?:(?! but ).)*? but "
    r"(?:it already exists|it was not found|the values provided do not match the current values)\.?"
)
_BETWEEN_MESSAGES = re.compile(r"[\[\],;\s]*")

CREDENTIALS_HINT = (
    "give the host an instance role, or set profile, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in its environment"
)


def meaning_of(error: Exception, what: str, *, sent: bool, lost: type[ProviderError]) -> ProviderError:
    """The error of dnslb for what a call raised.

    `what` was not done ("read www.example.com A"); `sent` tells whether the request had been handed to the
    connection; `lost` is what a request without an answer is.
    """
    if isinstance(error, sdk.ClientError):
        return _answered(error, what, lost if sent else Unavailable)
    said = one_line(error)
    if isinstance(error, _NO_IDENTITY):
        return Denied(f"cannot {what} in Route 53 without credentials ({said}): {CREDENTIALS_HINT}")
    if not sent or isinstance(error, _NOT_SENT) or _is_distrust(error):
        return Unavailable(f"cannot {what} in Route 53, which was not reached: {said}")
    return lost(f"no answer from Route 53 when asked to {what}: {said}")


def one_line(error: object) -> str:
    """The text of an error, on one line."""
    return " ".join(str(error).split())


def _answered(error: sdk.ClientError, what: str, lost: type[ProviderError]) -> ProviderError:
    answer = error.response.get("Error", {})
    code, message = str(answer.get("Code", "")), one_line(answer.get("Message", ""))
    metadata = error.response.get("ResponseMetadata", {})
    status = int(metadata.get("HTTPStatusCode", 0))
    said = f"Route 53 did not {what} ({error.operation_name}: {code or status}{': ' * bool(message)}{message})"
    if code == "InvalidChangeBatch":
        return _refused_batch(message, said)
    kind, next_step = _MEANINGS.get(code) or _by_status(status, code, lost)
    if error.operation_name == "AssumeRole" and kind is Denied:
        next_step = _TRUST
    if issubclass(kind, Throttled):
        return kind(f"{said}: {next_step}", retry_after=_retry_after(metadata.get("HTTPHeaders", {})))
    return kind(f"{said}: {next_step}")


def _refused_batch(message: str, said: str) -> ProviderError:
    """A conflict if every message says so; with any other among them it is useless to read again."""
    left, stale = _STALE.subn("", message)
    if stale and _BETWEEN_MESSAGES.fullmatch(left):
        return Conflict(f"{said}: it is no longer what was read; read it again")
    return Rejected(f"{said}: Route 53 does not take this change; correct the records of the zone that it names")


def _by_status(status: int, code: str, lost: type[ProviderError]) -> tuple[type[ProviderError], str]:
    if status == 429:
        return Throttled, _TRY_LATER
    if status in (401, 403):
        return Denied, _POLICY
    if status >= 500 or code in _LOST:
        return lost, "it has trouble of its own; try again"
    return Rejected, "dnslb does not know this answer"


def _retry_after(headers: object) -> float | None:
    text = headers.get("retry-after", "") if isinstance(headers, dict) else ""
    return float(text) if text.isascii() and text.isdigit() else None


def _is_distrust(error: Exception) -> bool:
    """Whether the server's certificate was refused, which comes before the request."""
    return isinstance(error, sdk.SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(error)
