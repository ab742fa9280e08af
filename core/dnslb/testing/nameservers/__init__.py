"""Real name servers for tests: BIND, Knot DNS and PowerDNS on loopback, each in a temporary folder of its own.

    with Bind() as server:
        ...  # server.address, server.port, server.zone, server.key_name, server.key_secret

Each serves one primary zone, takes dynamic updates of A, AAAA and TXT below it (RFC 2136) and hands out zone
transfers, both to one TSIG key whose secret is made anew every time.
"""

from __future__ import annotations

from dnslb.testing.nameservers.base import START_LIMIT, NameServer, NotStarted, find_program, free_port
from dnslb.testing.nameservers.bind import Bind
from dnslb.testing.nameservers.knot import Knot
from dnslb.testing.nameservers.powerdns import PowerDNS

SERVERS: tuple[type[NameServer], ...] = (Bind, Knot, PowerDNS)
"""Every server that dnslb is tested on."""

__all__ = [
    "SERVERS",
    "START_LIMIT",
    "Bind",
    "Knot",
    "NameServer",
    "NotStarted",
    "PowerDNS",
    "find_program",
    "free_port",
]
