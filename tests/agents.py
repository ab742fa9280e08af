"""Real agent processes on loopback, each with a service to register, and a client that resolves throughout."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import dns.exception
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype

from dnslb.testing.nameservers import NameServer

LIMIT = 60.0


def wait_until(condition: Callable[[], bool], limit: float = LIMIT, what: str = "") -> float:
    """Seconds until the condition holds; fails past the limit."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < limit, f"not within {limit} s: {what}"
        time.sleep(0.02)
    return time.monotonic() - started


class Service:
    """Accepts connections on one address, until it is closed."""

    def __init__(self, address: str, port: int = 0):
        self.address = address
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind((address, port))
        self._socket.listen(128)
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                connection.close()

    def close(self) -> None:
        # shutdown() wakes accept(); close() alone would leave the thread, and the listening socket, in it.
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()


def services(count: int, network: str = "127.0.1") -> list[Service]:
    """That many services, on addresses of their own, all on one port that was free on each."""
    for _ in range(20):
        made = [Service(f"{network}.1")]
        with contextlib.suppress(OSError):
            for number in range(2, count + 1):
                made.append(Service(f"{network}.{number}", made[0].port))
            return made
        for service in made:
            service.close()
    raise AssertionError(f"no port is free on {count} addresses")


class Agent:
    """`dnslb run` in a process of its own."""

    def __init__(self, folder: Path, address: str, configuration: str, environment: Mapping[str, str] | None = None):
        """`environment` holds the variables that differ from those of this process."""
        self.address = address
        self._environment = os.environ | (environment or {})
        self._log = folder / f"{address}.log"
        self._file = folder / f"{address}.yml"
        self._file.write_text(configuration, encoding="utf-8")
        self._process: subprocess.Popen | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            words = [sys.executable, "-m", "dnslb", "run", str(self._file), "--log", "json"]
            self._process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self._environment
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def terminate(self, on_exit: Callable[[], object], limit: float = LIMIT) -> tuple[int, object]:
        """SIGTERM; the exit status, and what `on_exit` finds at the moment at which the process has ended."""
        self._process.send_signal(signal.SIGTERM)
        wait_until(lambda: self._process.poll() is not None, limit, f"the agent of {self.address} ends")
        return self._process.returncode, on_exit()

    def check_alive(self) -> None:
        assert self._process.poll() is None, f"an agent has ended:\n{self._log.read_text(encoding='utf-8')}"

    def close(self) -> None:
        if self._process and self._process.poll() is None:
            self.kill()

    def events(self, name: str = "") -> list[dict]:
        lines = self._log.read_text(encoding="utf-8").splitlines()
        events = [json.loads(line) for line in lines]
        return [event for event in events if not name or event.get("event") == name]


class View(Protocol):
    """Somebody who sees who the members are, from `start` to `stop`."""

    members: frozenset[str]

    def start(self) -> None: ...

    def stop(self) -> None: ...


SomeView = TypeVar("SomeView", bound=View)


class Client(threading.Thread):
    """Resolves over UDP throughout; `empty` counts answers without an address after the first that had one."""

    def __init__(self, server: tuple[str, int], name: str):
        super().__init__(daemon=True)
        self.answers = self.empty = 0
        self.members: frozenset[str] = frozenset()
        self._server, self._name = server, name
        self._stopped = threading.Event()

    def resolve(self) -> frozenset[str]:
        query = dns.message.make_query(self._name, dns.rdatatype.A)
        response, _ = dns.query.udp_with_fallback(query, self._server[0], port=self._server[1], timeout=5)
        assert response.rcode() in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN)
        return frozenset(str(rdata) for rrset in response.answer for rdata in rrset)

    def run(self) -> None:
        while not self._stopped.wait(0.01):
            with contextlib.suppress(dns.exception.Timeout):
                members = self.resolve()
                self.answers += 1
                self.empty += bool(self.members) and not members
                self.members = members or self.members

    def stop(self) -> None:
        self._stopped.set()
        self.join()


class Watch(threading.Thread):
    """Looks at a record set where it is kept; `changes` are the members with the moment at which they were new."""

    def __init__(self, look: Callable[[], frozenset[str]]):
        super().__init__(daemon=True)
        self.members: frozenset[str] = frozenset()
        self.changes: list[tuple[float, frozenset[str]]] = []
        self._look = look
        self._stopped = threading.Event()

    def run(self) -> None:
        while not self._stopped.wait(0.1):
            members = self._look()
            if members != self.members:
                self.changes.append((time.monotonic(), members))
                self.members = members

    def stop(self) -> None:
        self._stopped.set()
        self.join()


class Cluster(Generic[SomeView]):
    """Services, their agents, and somebody who sees the record set of their name."""

    def __init__(
        self,
        folder: Path,
        size: int,
        name: str,
        client: SomeView,
        configuration: str,
        environment: Mapping[str, str] | None = None,
    ):
        self.services = {service.address: service for service in services(size)}
        self.port = next(iter(self.services.values())).port
        self._folder, self._environment = folder, environment
        self._configuration = f"fqdn: {name}\ntcp_port: {self.port}\ncheck_interval: 5s\n{configuration}"
        self.agents = {address: self._agent(address) for address in self.services}
        self.client = client
        self.client.start()

    def _agent(self, address: str) -> Agent:
        return Agent(self._folder, address, f"address: {address}\n{self._configuration}", self._environment)

    @property
    def addresses(self) -> frozenset[str]:
        return frozenset(self.agents)

    def start(self) -> None:
        for agent in self.agents.values():
            agent.start()

    def complete(self) -> bool:
        for agent in self.agents.values():
            agent.check_alive()
        return self.client.members == self.addresses

    def is_without(self, address: str) -> Callable[[], bool]:
        return lambda: address not in self.client.members

    def crash(self, address: str) -> None:
        """The agent and its service, at once, without a goodbye."""
        self.agents[address].kill()
        self.services[address].close()

    def recover(self, address: str) -> None:
        self.services[address] = Service(address, self.port)
        self.agents[address].start()

    def join(self, address: str) -> None:
        """One host more."""
        self.agents[address] = self._agent(address)
        self.recover(address)

    def close(self) -> None:
        for agent in self.agents.values():
            agent.close()
        self.client.stop()
        for service in self.services.values():
            service.close()


def record_manager(server: NameServer, folder: Path, **changes: object) -> str:
    """The lines of a configuration that choose the record manager rfc2136 on a name server; the key is in a file."""
    key = folder / "key"
    key.write_text(server.key_secret, encoding="utf-8")
    key.chmod(0o600)
    settings = {
        "server": server.address,
        "port": server.port,
        "zone": server.zone,
        "key_name": server.key_name,
        "key_algorithm": server.algorithm,
        "key_secret": f"file:{key}",
    }
    lines = "".join(f"  {name}: {value}\n" for name, value in (settings | changes).items())
    return f"record_manager:\n  plugin: rfc2136\n{lines}"


def cluster_on(server: NameServer, folder: Path, size: int, host: str) -> Cluster[Client]:
    """A cluster of that size under the name `host` in the server's zone, and a client that resolves it."""
    name = f"{host}.{server.zone}"
    client = Client((server.address, server.port), name)
    return Cluster(folder, size, name, client, record_manager(server, folder))


@contextlib.contextmanager
def running(cluster: Cluster[SomeView]) -> Iterator[Cluster[SomeView]]:
    try:
        yield cluster
    finally:
        cluster.close()
