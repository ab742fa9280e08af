"""The options that all probes over TLS share: which certificates they trust."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from dnslb.forms import DomainName, Form
from dnslb.options import option

Mode = Literal["verify", "pin", "insecure"]

_DIGITS = 64
"""Of a SHA-256 fingerprint in hexadecimal."""

_NOUN = "a SHA-256 fingerprint or a list of them"


def parse_fingerprint(text: str) -> str:
    """A SHA-256 fingerprint as openssl prints it (`AB:CD:...`) or bare, as lower-case hex digits without colons.

    Raises:
        ValueError: it is not one.
    """
    digits = text.replace(":", "").lower()
    if not re.fullmatch(rf"[0-9a-f]{{{_DIGITS}}}", digits):
        raise ValueError(f"{text!r} is not a SHA-256 fingerprint ({_DIGITS} hex digits, with or without colons)")
    return digits


def _fingerprints(written: Any, _: Path) -> tuple[str, ...]:
    texts = written if isinstance(written, list) else [written]
    if not texts or not all(isinstance(text, str) for text in texts):
        raise ValueError(f"this is not {_NOUN}, in quotes")
    return tuple(map(parse_fingerprint, texts))


_TEXT = {"type": "string"}

Pins = Annotated[
    tuple[str, ...], Form(_NOUN, _fingerprints, {"anyOf": [_TEXT, {"type": "array", "items": _TEXT, "minItems": 1}]})
]


@dataclass(frozen=True)
class TrustOptions:
    """What the options of every probe over TLS have in common."""

    server_name: DomainName | None = option(
        None, help="the name that is asked for (SNI) and verified; left out: the service's own"
    )
    pin: Pins = option(
        (), help="of the server's own certificate: 64 hex digits, with or without colons; one of a list must match"
    )
    ca_file: Path | None = option(None, help="certificates that may sign (PEM); left out: those that the system trusts")

    def check_trust(self, key: str, mode: str) -> None:
        """Normalises the pins and refuses what does not fit together; `key` is the option that holds `mode`.

        Raises:
            ValueError: something does not fit.
        """
        object.__setattr__(self, "pin", tuple(map(parse_fingerprint, self.pin)))
        if mode == "pin" and not self.pin:
            raise ValueError(f"{key}: pin needs the option pin, a certificate's SHA-256 fingerprint")
        if mode != "pin" and self.pin:
            raise ValueError(f"pin is only used with {key}: pin, and {key} is {mode}")
        if mode != "verify" and self.ca_file is not None:
            raise ValueError(f"ca_file is only used with {key}: verify, and {key} is {mode}")
        if mode == "off" and self.server_name is not None:
            raise ValueError(f"server_name is only used with TLS, and {key} is off")
