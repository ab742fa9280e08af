"""The processes of the demonstration: a DNS server, three web servers, and an agent for each."""

from __future__ import annotations

import contextlib
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dnslb.errors import Unavailable

ZONE = "demo.test"
NAME = f"www.{ZONE}"
ADDRESSES = ("127.0.0.2", "127.0.0.3", "127.0.0.4")

_CONFIGURATION = """\
fqdn: {name}
tcp_port: {port}
address: {address}
check_interval: 1s
record_manager: {{plugin: local, path: {database}}}
probe: {{plugin: http, path: /}}
"""


@dataclass(slots=True)
class Host:
    """One of the three: a web server, and the agent beside it."""

    address: str
    server: subprocess.Popen[bytes] | None = None
    agent: subprocess.Popen[bytes] | None = None


class Cluster:
    """Starts and kills processes; everything lives in `folder`, and on loopback addresses."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = _free_port(ADDRESSES)
        self.hosts = {address: Host(address) for address in ADDRESSES}
        self._processes: list[subprocess.Popen[bytes]] = []

    def start_dns(self) -> tuple[str, int]:
        """Starts the DNS server; answers with its address and port once it listens.

        Raises:
            Unavailable: it does not start.
        """
        words = ["serve-dns", str(self._database), "--zone", ZONE, "--listen", "127.0.0.1:0"]
        process = self._start("dns", [sys.executable, "-m", "dnslb", *words], stdout=subprocess.PIPE)
        assert process.stdout is not None
        with process.stdout as output:
            line = output.readline().decode()
        found = re.search(r"127\.0\.0\.1:(\d+)", line)
        if found is None:
            process.wait()
            said = self.log("dns").read_text(encoding="utf-8").splitlines()
            raise Unavailable(
                f"the DNS server of the demonstration does not start: {said[-1] if said else 'no reason given'}"
            )
        return "127.0.0.1", int(found[1])

    def configuration(self, address: str) -> Path:
        """The configuration file of the agent at `address`."""
        file = self.folder / f"agent-{address}.yml"
        text = _CONFIGURATION.format(name=NAME, port=self.port, address=address, database=self._database)
        file.write_text(text, encoding="utf-8")
        return file

    def start_host(self, address: str) -> None:
        """Starts the web server and the agent at `address`."""
        self.start_server(address)
        self.start_agent(address)

    def start_server(self, address: str) -> None:
        """Starts the web server at `address`."""
        pages = self.folder / "pages"
        pages.mkdir(exist_ok=True)
        words = ["-m", "http.server", str(self.port), "--bind", address, "--directory", str(pages)]
        self.hosts[address].server = self._start(f"server-{address}", [sys.executable, *words])

    def start_agent(self, address: str) -> None:
        """Starts the agent at `address`."""
        words = ["-m", "dnslb", "run", str(self.configuration(address)), "--log", "text"]
        self.hosts[address].agent = self._start(f"agent-{address}", [sys.executable, *words])

    def kill(self, process: subprocess.Popen[bytes] | None) -> None:
        """SIGKILL: it has no chance to say goodbye."""
        if process is not None:
            process.kill()
            process.wait()

    def terminate_agent(self, address: str) -> subprocess.Popen[bytes]:
        """SIGTERM to an agent, which may take its leave."""
        agent = self.hosts[address].agent
        assert agent is not None
        agent.send_signal(signal.SIGTERM)
        return agent

    def log(self, what: str) -> Path:
        """Where a process writes what it has to say."""
        return self.folder / f"{what}.log"

    def close(self) -> None:
        """Ends everything that still runs."""
        for process in self._processes:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        for process in self._processes:
            process.wait()

    @property
    def _database(self) -> Path:
        return self.folder / "records.sqlite"

    def _start(self, what: str, words: Sequence[str], stdout: int | None = None) -> subprocess.Popen[bytes]:
        with self.log(what).open("ab") as log:
            output = log if stdout is None else stdout
            process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=output, stderr=log)  # noqa: S603
        self._processes.append(process)
        return process


@contextlib.contextmanager
def _bound(address: str, port: int) -> Iterator[int]:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        yield listener.getsockname()[1]


def _free_port(addresses: Sequence[str]) -> int:
    """A port that is free on all the addresses.

    Raises:
        Unavailable: an address is not there (loopback addresses other than 127.0.0.1 need Linux).
    """
    for _ in range(20):
        try:
            with contextlib.ExitStack() as stack:
                port = stack.enter_context(_bound(addresses[0], 0))
                for address in addresses[1:]:
                    stack.enter_context(_bound(address, port))
                return port
        except OSError as error:
            reason = error
    raise Unavailable(f"no port is free on all of {', '.join(addresses)}: {reason.strerror}")
