"""The region of this instance, from the instance metadata service, version 2.

Source: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html
"""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request

from dnslb import Unavailable
from dnslb_ec2._options import REGION

_TTL = "60"
"""Seconds that the token is good for."""

_LONGEST = 1024
"""Octets of an answer; a token has 56, a region at most 20 or so."""
_SHOWN = 40

_HAND_WRITTEN = "give `region`, or let the instance use its metadata service (version 2)"


def region_of_this_instance(endpoint: str, timeout: float) -> str:
    """The region, by a session of the metadata service; each of its two answers may take `timeout` seconds.

    Version 1, which needs no token and so answers requests that a server was tricked into, is never used.

    Raises:
        Unavailable: there is no such service here, or it did not answer.
    """
    base = endpoint.rstrip("/")
    try:
        asked = {"X-aws-ec2-metadata-token-ttl-seconds": _TTL}
        token = _ask(urllib.request.Request(f"{base}/latest/api/token", method="PUT", headers=asked), timeout)  # noqa: S310
        shown = {"X-aws-ec2-metadata-token": token}
        region = _ask(urllib.request.Request(f"{base}/latest/meta-data/placement/region", headers=shown), timeout)  # noqa: S310
        if not REGION.fullmatch(region):
            raise ValueError(f"{region[:_SHOWN]!r} is no region")
        return region
    except urllib.error.HTTPError as error:
        error.close()
        raise Unavailable(
            f"cannot find the region of this instance: the metadata service at {base} answered {error.code};"
            f" {_HAND_WRITTEN}"
        ) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise Unavailable(
            f"cannot find the region of this instance: no answer of the metadata service at {base} ({reason});"
            f" {_HAND_WRITTEN}"
        ) from error


def _ask(request: urllib.request.Request, timeout: float) -> str:
    # Neither by a proxy, which has a region of its own, nor where a redirect points.
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.HTTPDefaultErrorHandler(),
    ):
        opener.add_handler(handler)
    with opener.open(request, timeout=timeout) as answer:
        text: str = answer.read(_LONGEST).decode("ascii").strip()
    return text
