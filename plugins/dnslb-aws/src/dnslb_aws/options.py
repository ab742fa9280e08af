"""The options of every plugin on AWS: who dnslb is to it, and where it is asked."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit

from dnslb import at_least, option

_ROLE = re.compile(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/\S+")


@dataclass(frozen=True, kw_only=True)
class AwsOptions:
    """The identity, the address of the API and the time limit; a plugin adds its own.

    Raises:
        ValueError: the role is not one, there is an external id for no role, or the API is to be asked over a network
            without TLS.
    """

    profile: str | None = option(None, help="the profile of the AWS configuration files whose credentials are used")
    role_arn: str | None = option(None, help="the role to assume with these credentials")
    external_id: str | None = option(None, help="the external id that the role asks for")
    endpoint_url: str | None = option(None, help="another address of the API, by HTTPS")
    timeout: Annotated[float, at_least("100ms")] = option(
        10.0, help="how long to wait for a connection, and then for an answer"
    )

    def __post_init__(self) -> None:
        """Checks what the form of a single field cannot tell."""
        if self.role_arn is not None and not _ROLE.fullmatch(self.role_arn):
            raise ValueError(
                f"role_arn: {self.role_arn!r} is not one; they look like arn:aws:iam::123456789012:role/dnslb"
            )
        if self.external_id is not None and self.role_arn is None:
            raise ValueError("external_id is for assuming a role; give role_arn too")
        if self.endpoint_url is not None:
            require_tls("endpoint_url", self.endpoint_url)


def require_tls(what: str, url: str) -> None:
    """Holds an address of an API to HTTPS: without it, requests would show what is done, and answers could be forged.

    Only this host itself may be asked without. `what` is the address of, for messages.

    Raises:
        ValueError: it is neither, or not a URL.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https"):
        raise ValueError(f"{what}: {url!r} is not a URL such as https://route53.amazonaws.com")
    if parts.scheme == "http" and not _is_loopback(host):
        raise ValueError(f"{what}: {url!r} is not encrypted; write https:// (http:// is for loopback only)")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
