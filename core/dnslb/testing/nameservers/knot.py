"""Knot DNS for tests."""

from __future__ import annotations

from dnslb.testing.nameservers.base import NameServer, find_program


class Knot(NameServer):
    """Knot DNS."""

    package = "knot"
    programs = ("knotd",)

    def _prepare(self) -> None:
        self._write_zone()

    def _configure(self, port: int) -> list[str]:
        # An asynchronous journal survives a kill of the process, and spares the disk; a power cut is not tested.
        server = f"""
server:
    listen: {self.address}@{port}
    rundir: {self.folder}
    udp-workers: 1
    tcp-workers: 2
database:
    storage: {self.folder}
    journal-db-mode: asynchronous
log:
  - target: stderr
    any: info
template:
  - id: default
    storage: {self.folder}
    file: zone
    zonefile-sync: -1
"""
        path = self._write("knot.conf", server + self._own_config())
        return [str(find_program("knotd")), "-c", str(path)]

    def default_config(self) -> str:
        """The sections `key`, `acl` and `zone`."""
        return f"""
key:
  - id: {self.key_name}
    algorithm: {self.algorithm}
    secret: {self.key_secret}
acl:
  - id: updates
    key: {self.key_name}
    action: [update, transfer]
    update-type: [A, AAAA, TXT]
zone:
  - domain: {self.zone}
    acl: updates
"""
