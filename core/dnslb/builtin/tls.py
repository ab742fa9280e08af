"""The probe `tls`: a member is healthy if it completes a TLS handshake with a certificate that is trusted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from dnslb.builtin._trust import Mode, TrustOptions
from dnslb.hookspecs import ProbeType, hookimpl
from dnslb.interfaces import Probe, Service
from dnslb.options import option


@dataclass(frozen=True)
class TlsOptions(TrustOptions):
    """The options of `probe: {plugin: tls}`."""

    mode: Mode = option(
        "verify",
        help="verify: authority, name and dates; pin: this certificate and no other; insecure: any certificate",
    )

    def __post_init__(self) -> None:
        """Refuses options that do not fit together."""
        self.check_trust("mode", self.mode)


def make(options: TlsOptions, service: Service) -> Probe:
    """The factory. It raises ConfigurationError where `ca_file` cannot be used."""
    from dnslb.builtin._sockets import SocketProbe  # noqa: PLC0415
    from dnslb.builtin._tls import TlsPolicy, handshake_exchange  # noqa: PLC0415

    return SocketProbe(handshake_exchange(TlsPolicy(options, options.mode, service)))


@hookimpl
def dnslb_probes() -> Iterable[ProbeType]:
    """Registers `tls`."""
    yield ProbeType(
        name="tls", summary="a TLS handshake completes, with a trusted certificate", options=TlsOptions, factory=make
    )
