"""What this instance is told about itself, by the instance metadata service, version 2.

Source: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html
"""

from __future__ import annotations

import contextlib
import http.client
import re
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Mapping

from dnslb import Address, Unavailable, parse_address
from dnslb_ec2._options import REGION

_TTL = "60"
"""Seconds that the token is good for."""

_LONGEST = 1024
"""Octets of an answer; a token has 56, all else less."""
_SHOWN = 40

_INSTANCE = re.compile(r"i-[0-9a-f]{8,17}")

_LET = "let the instance use its metadata service (version 2)"


def region_of_this_instance(endpoint: str, timeout: float) -> str:
    """The region; each of the service's two answers may take `timeout` seconds.

    Raises:
        Unavailable: there is no such service here, or it did not answer.
    """
    with _session(endpoint, timeout, "the region", f"give `region`, or {_LET}") as session:
        return session.read("placement/region", REGION)


def id_of_this_instance(endpoint: str, timeout: float) -> str:
    """The id of the instance; each of the service's two answers may take `timeout` seconds.

    Raises:
        Unavailable: there is no such service here, or it did not answer.
    """
    with _session(endpoint, timeout, "the id", f"give `tags` in place of `own_group`, or {_LET}") as session:
        return session.read("instance-id", _INSTANCE)


def addresses_of_this_instance(endpoint: str, timeout: float, items: Iterable[str]) -> frozenset[Address]:
    """The addresses under `items`, which are those of the first network interface; fewer where it has not all of them.

    Each of its answers, one more than items, may take `timeout` seconds.
    Source: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-metadata.html

    Raises:
        Unavailable: there is no such service here, or it did not answer.
    """
    with _session(endpoint, timeout, "the addresses", f"give `address`, or {_LET}") as session:
        texts = [session.read_if_any(item) for item in items]
        return frozenset(parse_address(text) for text in texts if text is not None)


@contextlib.contextmanager
def _session(endpoint: str, timeout: float, wanted: str, next_step: str) -> Iterator[_Session]:
    """A session of the service; an error of asking it tells what was wanted, and what to do."""
    base = endpoint.rstrip("/")
    what = f"cannot find {wanted} of this instance"
    try:
        yield _Session(base, timeout)
    except urllib.error.HTTPError as error:
        error.close()
        raise Unavailable(f"{what}: the metadata service at {base} answered {error.code}; {next_step}") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise Unavailable(f"{what}: no answer of the metadata service at {base} ({reason}); {next_step}") from error


class _Session:
    """Questions with a token, which is asked for first.

    Version 1, which needs none and so answers requests that a server was tricked into, is never used.
    """

    def __init__(self, base: str, timeout: float) -> None:
        self._base = base
        self._timeout = timeout
        self._token = self._ask("PUT", "api/token", {"X-aws-ec2-metadata-token-ttl-seconds": _TTL})

    def read(self, item: str, form: re.Pattern[str]) -> str:
        """What the service says of `item`, which must be of that form."""
        text = self._ask("GET", f"meta-data/{item}", {"X-aws-ec2-metadata-token": self._token})
        if not form.fullmatch(text):
            raise ValueError(f"{text[:_SHOWN]!r} is no {item.rpartition('/')[2]}")
        return text

    def read_if_any(self, item: str) -> str | None:
        """What the service says of `item`, in one line; None where this instance has no such thing."""
        try:
            return self.read(item, re.compile(r"\S+"))
        except urllib.error.HTTPError as error:
            if error.code != http.client.NOT_FOUND:
                raise
            error.close()
            return None

    def _ask(self, method: str, path: str, headers: Mapping[str, str]) -> str:
        # Neither by a proxy, which has a region of its own, nor where a redirect points.
        opener = urllib.request.OpenerDirector()
        for handler in (
            urllib.request.HTTPHandler(),
            urllib.request.HTTPSHandler(),
            urllib.request.HTTPErrorProcessor(),
            urllib.request.HTTPDefaultErrorHandler(),
        ):
            opener.add_handler(handler)
        request = urllib.request.Request(f"{self._base}/latest/{path}", method=method, headers=dict(headers))  # noqa: S310
        with opener.open(request, timeout=self._timeout) as answer:
            text: str = answer.read(_LONGEST).decode("ascii").strip()
        return text
