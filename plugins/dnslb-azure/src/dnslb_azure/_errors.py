"""The one boundary: what the SDK raises becomes an error of dnslb, with what was asked and the next step.

Status codes: https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/common-deployment-errors,
throttling: https://learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling
"""

from __future__ import annotations

import contextlib
import datetime as dt
import email.utils
import ssl
from collections.abc import Iterator, Mapping

from azure.core.exceptions import (
    AzureError,
    DeserializationError,
    HttpResponseError,
    SerializationError,
    ServiceRequestError,
)

from dnslb import Conflict, Denied, OutcomeUnknown, ProviderError, Rejected, Throttled, Unavailable, ZoneNotFound
from dnslb_azure._texts import one_line

_NO_SUCH_RECORD_SET = "NotFound"
"""The code where the zone is there and the record set is not; for all else that is missing there are other codes."""

# 409 that no repetition mends: somebody has to unlock, enable or register something.
_LOCKED = {
    "ScopeLocked": "a lock forbids changes there; remove it, or exempt the zone (`az lock list`)",
    "ReadOnlyDisabledSubscription": "the subscription is disabled; enable it",
    "MissingSubscriptionRegistration": "run `az provider register --namespace Microsoft.Network`",
    "SubscriptionNotRegistered": "run `az provider register --namespace Microsoft.Network`",
}

_CREDENTIALS = "check the credentials, and the role that they have on the zone"

_MEANINGS: dict[int, tuple[type[ProviderError], str]] = {
    401: (Denied, _CREDENTIALS),
    403: (Denied, _CREDENTIALS),
    404: (ZoneNotFound, "check zone, resource_group and subscription_id"),
}


@contextlib.contextmanager
def boundary(what: str, *, commit: bool) -> Iterator[None]:
    """Maps what leaves the block; `what` was asked, and it is a `commit` or else a read."""
    lost = OutcomeUnknown if commit else Unavailable
    try:
        yield
    except HttpResponseError as error:
        raise _of_answer(error, what, commit=commit) from error
    except ServiceRequestError as error:
        if _may_have_been_sent(error):
            raise lost(f"{what}: the connection broke ({_reason(error)})") from error
        raise Unavailable(f"{what}: cannot connect ({_reason(error)}){_advice(error)}") from error
    except (AzureError, SerializationError, DeserializationError) as error:
        raise lost(f"{what}: no answer that could be understood ({_reason(error)})") from error


def code_of(error: HttpResponseError) -> str:
    """The code of the service's error, or nothing."""
    return str(getattr(error.error, "code", None) or "")


def is_absent_record_set(error: HttpResponseError) -> bool:
    """Whether the answer says that there is no such record set, as opposed to a missing zone, group or subscription."""
    return error.status_code == 404 and code_of(error) == _NO_SUCH_RECORD_SET


def _of_answer(error: HttpResponseError, what: str, *, commit: bool) -> ProviderError:
    code = code_of(error)
    said = one_line(getattr(error.error, "message", None) or error.reason or error.message)
    answered = f"{what}: {error.status_code or 'no answer'} {code}".rstrip() + f" ({said})"
    if error.status_code == 429:
        return Throttled(f"{answered}; fewer requests are wanted", _retry_after(error))
    kind, next_step = _meaning(error, code, commit=commit)
    return kind(f"{answered}; {next_step}")


def _meaning(error: HttpResponseError, code: str, *, commit: bool) -> tuple[type[ProviderError], str]:
    status = error.status_code or 0
    if status == 409 and code in _LOCKED:
        return Denied, _LOCKED[code]
    if commit and (status in (409, 412) or is_absent_record_set(error)):
        return Conflict, "it is no longer what was read, or another change is under way; read it again"
    if status in _MEANINGS:
        return _MEANINGS[status]
    if 400 <= status < 500 and status not in (408, 409):
        return Rejected, "Azure DNS does not take that; its message says why"
    # 5xx, a time-out that a gateway tells of, or what is no answer of the API at all (a proxy's page, cut short).
    return OutcomeUnknown if commit else Unavailable, "try again later"


def _retry_after(error: HttpResponseError) -> float | None:
    """The pause asked for in seconds (RFC 9110, section 10.2.3), or None."""
    headers: Mapping[str, str] = getattr(error.response, "headers", {})
    text = headers.get("Retry-After")
    if text is None:
        return None
    if text.strip().isdigit():
        return float(text)
    try:
        until = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=dt.UTC)
    return max(0.0, (until - dt.datetime.now(dt.UTC)).total_seconds())


def _may_have_been_sent(error: ServiceRequestError) -> bool:
    """Whether a request that the SDK calls unsent may have arrived all the same.

    The SDK says so of any TLS failure. A certificate that is not trusted ends the handshake; others may also come
    while the answer is awaited.
    """
    failures = [cause for cause in _causes(error) if isinstance(cause, ssl.SSLError)]
    return any(not isinstance(failure, ssl.SSLCertVerificationError) for failure in failures)


def _advice(error: ServiceRequestError) -> str:
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in _causes(error)):
        return "; its certificate is not trusted, name the authority's in ca_file if that is yours"
    return "; check base_url and the way there"


def _causes(error: BaseException) -> list[BaseException]:
    """The error and all that it was made of; of the libraries on the way, each keeps it at another place."""
    found: list[BaseException] = []
    open_ones: list[object] = [error]
    while open_ones:
        cause = open_ones.pop()
        if isinstance(cause, BaseException) and cause not in found:
            found.append(cause)
            open_ones += [cause.__cause__, cause.__context__, *cause.args]
            open_ones += [getattr(cause, place, None) for place in ("inner_exception", "reason")]
    return found


def _reason(error: Exception) -> str:
    return one_line(getattr(error, "inner_exception", None) or error) or type(error).__name__
