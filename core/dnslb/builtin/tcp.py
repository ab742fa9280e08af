"""The probe `tcp`: a member is healthy if it accepts a connection."""

from __future__ import annotations

from collections.abc import Iterable

from dnslb.hookspecs import NoOptions, ProbeType, hookimpl
from dnslb.interfaces import Probe, Service


def make(options: NoOptions, service: Service) -> Probe:  # noqa: ARG001
    """The factory."""
    from dnslb.builtin._sockets import SocketProbe  # noqa: PLC0415

    return SocketProbe()


@hookimpl
def dnslb_probes() -> Iterable[ProbeType]:
    """Registers `tcp`."""
    yield ProbeType(name="tcp", summary="a TCP connection is accepted, which a hung process does too", factory=make)
