"""The probe `http`: a member is healthy if it answers a request with the expected status, and text where one is given.

Redirects are not followed: where a record set can be written to, a redirect would aim the probe anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from dnslb.builtin._trust import Mode, TrustOptions
from dnslb.forms import Form
from dnslb.hookspecs import ProbeType, hookimpl
from dnslb.interfaces import Probe, Service
from dnslb.options import option

_PATH = re.compile(r"/[!-\"$-~]*")
"""A path and perhaps a query, in visible ASCII and without a fragment: RFC 9112, section 3.2.1."""

_HOST = re.compile(r"[A-Za-z0-9._:\[\]-]+")

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A header's name: RFC 9110, section 5.6.2."""

_FIELD_VALUE = re.compile(r"(?:[!-~](?:[\t -~]*[!-~])?)?")
"""A header's value; what RFC 9110, section 5.5 allows, except for the octets beyond ASCII that it calls obsolete."""

_OWN_HEADERS = {"host": "the option host", "connection": "", "content-length": "", "transfer-encoding": ""}

_STATUS_NOUN = "a status such as 200, a range such as 200-299, or a list of them"
_STATUS = re.compile(r"([1-5][0-9]{2})(?:-([1-5][0-9]{2}))?")


def parse_statuses(text: str) -> range:
    """The statuses that `200` or `200-299` stands for.

    Raises:
        ValueError: it is neither.
    """
    match = _STATUS.fullmatch(text)
    if not match or int(match[2] or match[1]) < int(match[1]):
        raise ValueError(f"{text!r} is not a status from 100 to 599, or a range such as 200-299")
    return range(int(match[1]), int(match[2] or match[1]) + 1)


def _statuses(written: Any, _: Path) -> tuple[str, ...]:
    parts = written if isinstance(written, list) else [written]
    if not parts or not all(isinstance(part, str | int) for part in parts):
        raise ValueError(f"this is not {_STATUS_NOUN}")
    texts = tuple(map(str, parts))
    for text in texts:
        parse_statuses(text)
    return texts


_ONE_STATUS = {
    "anyOf": [
        {"type": "integer", "minimum": 100, "maximum": 599},
        {"type": "string", "pattern": f"^{_STATUS.pattern}$"},
    ]
}
Statuses = Annotated[
    tuple[str, ...],
    Form(_STATUS_NOUN, _statuses, {"anyOf": [_ONE_STATUS, {"type": "array", "items": _ONE_STATUS, "minItems": 1}]}),
]


def _tls(written: Any, _: Path) -> Any:
    # YAML 1.1 reads a bare `off` as false.
    mode = "off" if written is False else written
    if mode not in _TLS_MODES:
        raise ValueError(f"{written!r} is not one of {', '.join(_TLS_MODES)}")
    return mode


_TLS_MODES = ("off", "verify", "pin", "insecure")
Tls = Annotated[Literal["off"] | Mode, Form(f"one of {', '.join(_TLS_MODES)}", _tls, {"enum": [*_TLS_MODES, False]})]


@dataclass(frozen=True)
class HttpOptions(TrustOptions):
    """The options of `probe: {plugin: http}`."""

    method: Literal["GET", "HEAD"] = option("GET", help="GET, or HEAD for a server that makes no body then")
    path: str = option("/", help="the path, and perhaps a query, that is asked for")
    host: str | None = option(None, help="the Host header; left out: the service's name, and its port if not the usual")
    headers: dict[str, str] | None = option(None, help="further headers of the request")
    status: Statuses = option(("200-299",), help="the healthy statuses; redirects are not followed")
    body: str | None = option(None, help="text that must occur in the body, in its first 64 KiB")
    tls: Tls = option("off", help="off: plain HTTP; verify, pin, insecure: as the mode of the probe tls")

    def __post_init__(self) -> None:
        """Refuses options that do not fit together, or that would break the request."""
        self.check_trust("tls", self.tls)
        if not _PATH.fullmatch(self.path):
            raise ValueError(f"path {self.path!r} is not a / and visible ASCII; write the rest as %XX, and no #")
        if self.host is not None and not _HOST.fullmatch(self.host):
            raise ValueError(f"host {self.host!r} is not a host name, perhaps with a port")
        if self.body is not None and (self.method == "HEAD" or not self.body):
            raise ValueError("body needs text to look for, and an answer that has a body: method GET")
        if not self.status:
            raise ValueError(f"status is empty; it takes {_STATUS_NOUN}")
        for text in self.status:
            parse_statuses(text)
        for name, value in (self.headers or {}).items():
            _check_header(name, value)


def _check_header(name: str, value: str) -> None:
    if not _TOKEN.fullmatch(name):
        raise ValueError(f"headers: {name!r} is not the name of a header")
    if name.lower() in _OWN_HEADERS:
        instead = _OWN_HEADERS[name.lower()]
        raise ValueError(f"headers: {name} is the probe's own" + (f"; use {instead}" if instead else ""))
    if not _FIELD_VALUE.fullmatch(value):
        raise ValueError(f"headers: the value of {name} is not plain ASCII text on one line")


def make(options: HttpOptions, service: Service) -> Probe:
    """The factory. It raises ConfigurationError where `ca_file` cannot be used."""
    from dnslb.builtin._http import request_exchange  # noqa: PLC0415
    from dnslb.builtin._sockets import SocketProbe  # noqa: PLC0415

    return SocketProbe(request_exchange(options, service))


@hookimpl
def dnslb_probes() -> Iterable[ProbeType]:
    """Registers `http`."""
    yield ProbeType(
        name="http", summary="a request gets the expected status and text", options=HttpOptions, factory=make
    )
