"""BIND 9 for tests."""

from __future__ import annotations

from dnslb.testing.nameservers.base import NameServer, find_program


class Bind(NameServer):
    """BIND 9; with `primary`, a secondary of that server.

    As a secondary, it fetches the zone with the primary's key, and asks every second whether there is anything new.
    """

    package = "bind9"
    programs = ("named",)

    def __init__(
        self,
        zone: str = "ex.test",
        *,
        address: str = "127.0.0.1",
        key_name: str = "dnslb",
        algorithm: str = "hmac-sha256",
        key_secret: str | None = None,
        records: str = "",
        config: str | None = None,
        primary: NameServer | None = None,
    ) -> None:
        if primary is not None:
            zone, key_name, algorithm = primary.zone, primary.key_name, primary.algorithm
            key_secret = primary.key_secret
        super().__init__(
            zone,
            address=address,
            key_name=key_name,
            algorithm=algorithm,
            key_secret=key_secret,
            records=records,
            config=config,
        )
        self._primary = primary

    def _prepare(self) -> None:
        if self._primary is None:
            self._write_zone()

    def _configure(self, port: int) -> list[str]:
        listen, other = ("listen-on", "listen-on-v6") if ":" not in self.address else ("listen-on-v6", "listen-on")
        options = f"""
options {{
    directory "{self.folder}";
    pid-file "{self.folder}/named.pid";
    session-keyfile "{self.folder}/session.key";
    lock-file none;
    {listen} port {port} {{ {self.address}; }};
    {other} {{ none; }};
    recursion no;
    dnssec-validation no;
    notify no;
    allow-query {{ any; }};
}};
controls {{ }};
"""
        path = self._write("named.conf", options + self._own_config())
        return [str(find_program("named")), "-g", "-c", str(path)]

    def default_config(self) -> str:
        """The statements `key` and `zone`."""
        return f"""
key "{self.key_name}" {{ algorithm {self.algorithm}; secret "{self.key_secret}"; }};
zone "{self.zone}" {{
    {self._role()}
    allow-transfer {{ key "{self.key_name}"; }};
}};
"""

    def _role(self) -> str:
        if self._primary is None:
            return f'type primary; file "zone"; update-policy {{ grant "{self.key_name}" zonesub A AAAA TXT; }};'
        source = f'{self._primary.address} port {self._primary.port} key "{self.key_name}"'
        return (
            f'type secondary; file "zone"; primaries {{ {source}; }};'
            " min-refresh-time 1; max-refresh-time 1; min-retry-time 1; max-retry-time 1;"
        )
