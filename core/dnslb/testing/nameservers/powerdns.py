"""PowerDNS for tests."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
from pathlib import Path

from dnslb.testing.nameservers.base import START_LIMIT, NameServer, NotStarted, find_program


class PowerDNS(NameServer):
    """PowerDNS on SQLite; its keys and permissions are in the database, and change by `pdnsutil`."""

    package = "pdns-server pdns-backend-sqlite3"
    programs = ("pdns_server", "pdnsutil")

    _SCHEMA = Path("/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql")

    @classmethod
    def missing(cls) -> str | None:
        """As for every server; the SQLite backend is a package of its own."""
        if reason := super().missing():
            return reason
        if not cls._SCHEMA.exists():
            return "the SQLite backend of PowerDNS is not installed; run: apt-get install pdns-backend-sqlite3"
        return None

    def default_config(self) -> str:
        """Nothing: more lines for `pdns.conf`."""
        return ""

    def pdnsutil(self, *arguments: str) -> str:
        """Runs `pdnsutil` on this server's data, and hands back what it printed.

        Raises:
            NotStarted: it failed; the message holds its output.
        """
        command = [str(find_program("pdnsutil")), f"--config-dir={self.folder}", *arguments]
        done = subprocess.run(  # noqa: S603 - as above
            command, capture_output=True, text=True, check=False, timeout=START_LIMIT
        )
        if done.returncode:
            raise NotStarted(f"pdnsutil {arguments[0]} failed: {done.stdout}{done.stderr}")
        return done.stdout

    def _prepare(self) -> None:
        with contextlib.closing(sqlite3.connect(self.folder / "pdns.sqlite3")) as database:
            database.executescript(self._SCHEMA.read_text(encoding="utf-8"))
        self._configure(port=0)
        self.pdnsutil("load-zone", self.zone, str(self._write_zone()))
        self.pdnsutil("import-tsig-key", self.key_name, self.algorithm, self.key_secret)
        self.pdnsutil("set-meta", self.zone, "TSIG-ALLOW-DNSUPDATE", self.key_name)
        self.pdnsutil("set-meta", self.zone, "TSIG-ALLOW-AXFR", self.key_name)

    def _configure(self, port: int) -> list[str]:
        # An empty security-poll-suffix keeps it from asking the Internet whether it is up to date. Without synchronous
        # writes, SQLite survives a kill of the process; a power cut is not tested.
        settings = f"""
launch=gsqlite3
gsqlite3-database={self.folder}/pdns.sqlite3
gsqlite3-pragma-synchronous=0
local-address={self.address}
local-port={port}
socket-dir={self.folder}
daemon=no
guardian=no
write-pid=no
disable-syslog=yes
security-poll-suffix=
dnsupdate=yes
allow-dnsupdate-from=127.0.0.0/8,::1
allow-axfr-ips=
"""
        self._write("pdns.conf", settings + self._own_config())
        return [str(find_program("pdns_server")), f"--config-dir={self.folder}"]
