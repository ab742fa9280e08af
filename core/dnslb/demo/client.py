"""A client that resolves the name and connects to what it gets, all the time, and counts what it sees."""

from __future__ import annotations

import socket
import threading
from dataclasses import dataclass

import dns.exception
import dns.message
import dns.query
import dns.rdatatype

_PAUSE = 0.02


@dataclass(slots=True)
class Counts:
    """What the client saw.

    Attributes:
        lookups: answers from the DNS server.
        empty: of these, those without an address, counted from the first that had one.
        first_failed: how often the first address did not answer, and a later one did.
        nobody: how often none of the addresses in an answer answered.
    """

    lookups: int = 0
    empty: int = 0
    first_failed: int = 0
    nobody: int = 0


class Client(threading.Thread):
    """Resolves and connects until it is stopped; `members` is what the last answer held."""

    def __init__(self, name: str, dns_server: tuple[str, int], port: int) -> None:
        super().__init__(name="demo client", daemon=True)
        self.counts = Counts()
        self.members: frozenset[str] = frozenset()
        self._query_name = name
        self._server = dns_server
        self._port = port
        self._stopped = threading.Event()

    def run(self) -> None:
        """Visits the service, again and again."""
        while not self._stopped.wait(_PAUSE):
            self._visit(self.resolve())

    def stop(self) -> None:
        """Ends the thread."""
        self._stopped.set()
        self.join()

    def resolve(self) -> list[str]:
        """One lookup: the addresses in the order of the answer."""
        query = dns.message.make_query(self._query_name, dns.rdatatype.A)
        host, port = self._server
        try:
            response = dns.query.udp(query, host, port=port, timeout=2.0)
        except (dns.exception.DNSException, OSError):
            return []
        return [str(rdata) for rrset in response.answer for rdata in rrset]

    def _visit(self, addresses: list[str]) -> None:
        counts = self.counts
        counts.lookups += 1
        if not addresses:
            counts.empty += bool(self.members)
            return
        self.members = frozenset(addresses)
        if self._answers(addresses[0]):
            return
        if any(self._answers(address) for address in addresses[1:]):
            counts.first_failed += 1
        else:
            counts.nobody += 1

    def _answers(self, address: str) -> bool:
        try:
            with socket.create_connection((address, self._port), timeout=1.0):
                return True
        except OSError:
            return False
