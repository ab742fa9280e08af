"""What Google's libraries raise, in the words of dnslb.

Source: https://cloud.google.com/apis/design/errors and the answers that users of the service have published.
"""

from __future__ import annotations

import contextlib
import email.utils
import time
from collections.abc import Iterator
from typing import Any

import google.api_core.exceptions as api
import google.auth.exceptions as auth
import requests
import urllib3.exceptions

from dnslb import (
    Conflict,
    Denied,
    OutcomeUnknown,
    ProviderError,
    Rejected,
    Throttled,
    Unavailable,
    ZoneNotFound,
)

_THROTTLED = frozenset(
    {"rateLimitExceeded", "userRateLimitExceeded", "dailyLimitExceeded", "RATE_LIMIT_EXCEEDED"},
)
_QUOTA = frozenset({"quotaExceeded"})
_CONFLICTS = frozenset({404, 409, 412})

# Something between us and the service gave up, or the service did half-way: it may have been applied.
_AMBIGUOUS = frozenset({408, 500, 502, 504})


@contextlib.contextmanager
def boundary(asked: str, *, commit: bool = False) -> Iterator[None]:
    """Maps whatever a call of the SDK raises; `asked` is what it was asked for: "read www.example.com A".

    For a commit, that the reply was lost is OutcomeUnknown, and a record set that is not what it was a Conflict.
    """
    try:
        yield
    except api.GoogleAPICallError as error:
        raise _answered(asked, error, commit) from error
    except auth.GoogleAuthError as error:
        raise _not_authorised(asked, error) from error
    except requests.RequestException as error:
        raise _not_answered(asked, error, commit) from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        # The SDK takes answers apart without looking; a proxy may have written this one.
        lost = OutcomeUnknown if commit else Unavailable
        raise lost(f"cannot {asked}: the answer is not one of Cloud DNS ({_short(error)})") from error


def _answered(asked: str, error: api.GoogleAPICallError, commit: bool) -> ProviderError:
    status, reasons, pause = int(error.code or 0), _reasons(error), _retry_after(error)
    said = f"cannot {asked}: Cloud DNS answered {status} {' '.join(sorted(reasons))}: {_message(error)}"
    if status == 429 or reasons & _THROTTLED or (status == 503 and pause is not None):
        return Throttled(said, pause)
    if commit and status in _CONFLICTS and "parameters." not in _message(error):
        return Conflict(f"{said}; it is no longer what was read")
    kind, hint = _kind_and_hint(status, reasons, commit)
    return kind(said + hint)


def _kind_and_hint(status: int, reasons: frozenset[str], commit: bool) -> tuple[type[ProviderError], str]:
    if status == 404:
        return ZoneNotFound, "; check `zone` and `project`"
    if reasons & _QUOTA:
        return Rejected, "; raise the quota of the project, or write less"
    if status in (401, 403):
        return Denied, "; check the credentials and their role"
    if commit and status in _AMBIGUOUS:
        return OutcomeUnknown, ""
    if status in _AMBIGUOUS or status >= 500:
        return Unavailable, ""
    return Rejected, ""


def _not_authorised(asked: str, error: auth.GoogleAuthError) -> ProviderError:
    """Nothing was sent to Cloud DNS: there was no token to send with it."""
    if isinstance(error, auth.TransportError) or error.retryable:
        return Unavailable(f"cannot {asked}: no token could be fetched ({_short(error)})")
    return Denied(f"cannot {asked}: the credentials were not accepted ({_short(error)}); check them")


def _not_answered(asked: str, error: requests.RequestException, commit: bool) -> ProviderError:
    said = f"cannot {asked}: no answer from Cloud DNS ({_short(error)})"
    if _is_certificate(error):
        return Unavailable(f"{said}; the certificate of the API is not trusted")
    if commit and not _was_never_sent(error):
        return OutcomeUnknown(said)
    return Unavailable(said)


def _was_never_sent(error: requests.RequestException) -> bool:
    """Whether there was not even a connection."""
    if isinstance(error, requests.ConnectTimeout):
        return True
    reason = _reason(error)
    return isinstance(reason, urllib3.exceptions.NewConnectionError | urllib3.exceptions.ConnectTimeoutError)


def _is_certificate(error: requests.RequestException) -> bool:
    """Found out in the handshake, before anything is sent."""
    return isinstance(error, requests.exceptions.SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(error)


def _reason(error: BaseException) -> object:
    """What is wrapped in an error of requests: it hands on that of urllib3 as its first argument."""
    inner = error.args[0] if error.args else None
    return getattr(inner, "reason", None)


def _short(error: BaseException) -> str:
    reason = _reason(error)
    text = _one_line(reason if isinstance(reason, BaseException) else error)
    return (text or type(error).__name__)[:300]


def _message(error: api.GoogleAPICallError) -> str:
    """What the service said, without the request that the SDK puts before it."""
    said = _one_line(error)
    response = error.response
    url = getattr(getattr(response, "request", None), "url", None)
    return (said.partition(f"{url}: ")[2] if url and f"{url}: " in said else said)[:300]


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())


def _reasons(error: api.GoogleAPICallError) -> frozenset[str]:
    details: list[Any] = [*(error.errors or ()), *(error.details or ())]
    return frozenset(str(each["reason"]) for each in details if isinstance(each, dict) and each.get("reason"))


def _retry_after(error: api.GoogleAPICallError) -> float | None:
    """Seconds, from a number of them or a date (RFC 9110, section 10.2.3)."""
    written = str(getattr(error.response, "headers", {}).get("Retry-After", "")).strip()
    if written.isascii() and written.isdigit():
        return float(written)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(written).timestamp() - time.time())
    except ValueError:
        return None
