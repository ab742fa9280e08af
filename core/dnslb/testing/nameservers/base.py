"""The life of a name server process: folder, port, start, readiness, stop, log."""

from __future__ import annotations

import base64
import contextlib
import ipaddress
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar, Self

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rdatatype
import dns.tsig

START_LIMIT = 20.0
"""How long a server may take until it answers, in seconds; a loaded machine needs some."""

_STOP_LIMIT = 10.0
_ATTEMPTS = 5
_PAUSE = 0.2
_LOG_TAIL = 2000

# Where Debian puts servers; an ordinary user's PATH lacks these.
_SYSTEM_FOLDERS = (Path("/usr/sbin"), Path("/usr/local/sbin"))


class NotStarted(RuntimeError):
    """A name server cannot run here or did not come up; the message ends with the end of its log."""


def find_program(name: str) -> Path | None:
    """The program of that name, looked for in PATH and where system services live."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), *map(str, _SYSTEM_FOLDERS)])
    found = shutil.which(name, path=path)
    return Path(found) if found else None


def free_port(address: str = "127.0.0.1") -> int:
    """A port of `address` that nobody uses at this moment, neither for TCP nor for UDP."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    for _ in range(_ATTEMPTS):
        with socket.socket(family, socket.SOCK_STREAM) as tcp, socket.socket(family, socket.SOCK_DGRAM) as udp:
            tcp.bind((address, 0))
            port = int(tcp.getsockname()[1])
            with contextlib.suppress(OSError):
                udp.bind((address, port))
                return port
    raise NotStarted(f"found no port of {address} that is free for both TCP and UDP")


class NameServer(ABC):
    """A name server process with one primary zone.

    Attributes:
        address, port: where it listens, for UDP and TCP. The port is 0 before the first start; it stays the
            same from then on, so that a server which was stopped or killed comes back in the same place.
        zone: the name of its zone, without the trailing dot.
        key_name, key_secret, algorithm: the TSIG key that may update and transfer the zone.
        config: configuration in place of `default_config`; None for the latter. Like the key, it may be changed
            while the server is stopped.

    Args:
        zone: the zone to serve.
        address: a loopback address, IPv4 or IPv6.
        key_name, algorithm, key_secret: the key; a random secret where none is given.
        records: more lines for the zone file, such as `alias CNAME www`.
        config: as above.
    """

    package: ClassVar[str]
    """The Debian package that it comes from."""
    programs: ClassVar[tuple[str, ...]]

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
    ) -> None:
        self.zone = zone
        self.address = address
        self.port = 0
        self.key_name = key_name
        self.algorithm = algorithm
        self.key_secret = key_secret or base64.b64encode(secrets.token_bytes(32)).decode("ascii")
        self.config = config
        self._records = records
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.zone} on {self.address} port {self.port})"

    # -- what each server says of itself --------------------------------------------------------------------

    @classmethod
    def missing(cls) -> str | None:
        """Why the server cannot run on this machine, with the package to install; None where it can."""
        for program in cls.programs:
            if find_program(program) is None:
                return f"{program} is not installed; run: apt-get install {cls.package}"
        return None

    @abstractmethod
    def default_config(self) -> str:
        """The part of its configuration that `config` takes the place of."""

    @abstractmethod
    def _prepare(self) -> None:
        """Writes the zone; called once, before the first start."""

    @abstractmethod
    def _configure(self, port: int) -> list[str]:
        """Writes the configuration for `port`, and gives the command that runs the server in the foreground."""

    # -- the life of the process ----------------------------------------------------------------------------

    @property
    def folder(self) -> Path:
        """Its temporary folder; there from the first start until `close`."""
        if self._temporary is None:
            raise NotStarted(f"{self!r} has not been started")
        return Path(self._temporary.name)

    @property
    def running(self) -> bool:
        """Whether the process is alive."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Starts it, or starts it again with the data that it had, and waits until it answers for its zone.

        Raises:
            NotStarted: it is not installed, or did not answer in `START_LIMIT` seconds.
        """
        if self.running:
            raise NotStarted(f"{self!r} is running already")
        if reason := self.missing():
            raise NotStarted(reason)
        if self._temporary is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="dnslb-")
            self._prepare()
        for _ in range(_ATTEMPTS):
            port = self.port or free_port(self.address)
            self._launch(port)
            if self._comes_up(port):
                self.port = port
                return
            self.kill()
            if not self._port_taken():
                break
            time.sleep(_PAUSE)
        tail = self.logs()[-_LOG_TAIL:]
        raise NotStarted(f"{self!r} did not answer on port {port}; the end of its log:\n{tail}")

    def stop(self) -> None:
        """Ends it in an orderly way; what it was told is kept for the next `start`."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_LIMIT)
        except subprocess.TimeoutExpired:
            self.kill()
        self._process = None

    def kill(self) -> None:
        """Ends it on the spot, as a crash would."""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        self._process = None

    def close(self) -> None:
        """Ends it and removes its folder."""
        self.stop()
        if self._temporary is not None:
            self._temporary.cleanup()
            self._temporary = None

    def logs(self) -> str:
        """Everything that it wrote, from its first start on."""
        log = self.folder / "log"
        return log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _launch(self, port: int) -> None:
        command = self._configure(port)
        self._log_start = len(self.logs())
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - a program that was found by its name
                command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )

    def _comes_up(self, port: int) -> bool:
        """Waits for a signed answer: only this very server has the key, whoever else got hold of the port."""
        limit = time.monotonic() + START_LIMIT
        while self.running and time.monotonic() < limit and not self._port_taken():
            if self._answers(port):
                return True
            time.sleep(0.05)
        return False

    def _answers(self, port: int) -> bool:
        query = dns.message.make_query(self.zone, dns.rdatatype.SOA)
        query.use_tsig(dns.tsig.Key(self.key_name, self.key_secret, self.algorithm))
        try:
            answer = dns.query.tcp(query, self.address, timeout=0.3, port=port)
        except (OSError, EOFError, dns.exception.DNSException):
            return False
        return answer.had_tsig and bool(answer.flags & dns.flags.AA) and bool(answer.answer)

    def _port_taken(self) -> bool:
        """Whether the newest process complains that somebody else listens on its port."""
        newest = self.logs()[self._log_start :].lower()
        return "address in use" in newest or "address already in use" in newest

    # -- what the servers share -----------------------------------------------------------------------------

    def _own_config(self) -> str:
        return self.default_config() if self.config is None else self.config

    def _write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        path.chmod(0o600)
        return path

    def _write_zone(self) -> Path:
        address = ipaddress.ip_address(self.address)
        lines = (
            f"$ORIGIN {self.zone}.",
            "$TTL 60",
            "@ SOA ns hostmaster 1 60 60 600 1",
            "@ NS ns",
            f"ns {'A' if address.version == 4 else 'AAAA'} {address}",
            self._records,
        )
        return self._write("zone", "\n".join(lines) + "\n")
