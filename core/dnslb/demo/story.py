"""The steps of the demonstration, each with what must be seen for it to count."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from dnslb.demo.client import Client
from dnslb.demo.cluster import ADDRESSES, NAME, Cluster
from dnslb.demo.screen import Screen

STEP_LIMIT = 20.0
"""How long in seconds a step may take until it counts as not happening."""

_STAYS = 3.0
_PAUSE = 0.05


@dataclass(frozen=True, slots=True)
class Measured:
    """A step that happened, or did not: then `seconds` is None."""

    step: str
    seconds: float | None


def play(output: TextIO, limit: float = STEP_LIMIT) -> bool:
    """Plays it all, each step in at most `limit` seconds.

    Says whether every step happened, and no lookup of the client was left without an address that answers.
    """
    with tempfile.TemporaryDirectory(prefix="dnslb-demo-") as folder:
        cluster = Cluster(Path(folder))
        try:
            return _Story(cluster, Screen(output), limit).play()
        finally:
            cluster.close()


class _Story:
    def __init__(self, cluster: Cluster, screen: Screen, limit: float) -> None:
        self._cluster = cluster
        self._limit = limit
        self._screen = screen
        self._results: list[Measured] = []
        self._client = Client(NAME, cluster.start_dns(), cluster.port)

    def play(self) -> bool:
        started = time.monotonic()
        screen, cluster = self._screen, self._cluster
        screen.line(f"Three web servers on port {cluster.port}, an agent beside each, one name: {NAME}.")
        screen.line("This is all that an agent is told:\n")
        for line in cluster.configuration(ADDRESSES[0]).read_text(encoding="utf-8").splitlines():
            screen.line(f"    {line}")
        self._client.start()
        try:
            happened = self._acts()
        finally:
            self._client.stop()
        self._summary(time.monotonic() - started)
        return happened and not (self._client.counts.empty or self._client.counts.nobody)

    def _acts(self) -> bool:
        """The acts in their order; the first that does not happen ends it."""
        return all(
            (
                self._step("all three agents register themselves", self._start_all, self._are_in(*ADDRESSES)),
                self._server_dies(ADDRESSES[1]),
                self._agent_dies(ADDRESSES[2]),
                self._agent_stops(ADDRESSES[0]),
            )
        )

    def _start_all(self) -> None:
        for address in ADDRESSES:
            self._cluster.start_host(address)

    def _server_dies(self, address: str) -> bool:
        cluster = self._cluster
        host = cluster.hosts[address]
        return self._step(
            f"the server {address} is killed: it leaves the record set",
            lambda: cluster.kill(host.server),
            self._is_out(address),
        ) and self._step(
            f"the server {address} is started again: it comes back",
            lambda: cluster.start_server(address),
            self._are_in(address),
        )

    def _agent_dies(self, address: str) -> bool:
        cluster = self._cluster
        host = cluster.hosts[address]
        return (
            self._stays(
                f"the agent of {address} is killed (SIGKILL): its server answers, so it stays",
                lambda: cluster.kill(host.agent),
                address,
            )
            and self._step(
                f"now the server {address} is killed too: the others remove it",
                lambda: cluster.kill(host.server),
                self._is_out(address),
            )
            and self._step(
                f"server and agent of {address} are started again: it comes back",
                lambda: cluster.start_host(address),
                self._are_in(address),
            )
        )

    def _agent_stops(self, address: str) -> bool:
        """Its address must be gone before its process is."""
        agent = self._cluster.hosts[address].agent
        assert agent is not None
        return self._step(
            f"the agent of {address} is asked to stop (SIGTERM): it leaves before its process ends",
            lambda: self._cluster.terminate_agent(address),
            lambda: agent.poll() == 0 and address not in self._client.resolve(),
            never=lambda: agent.poll() is not None and address in self._client.resolve(),
        )

    # -- how a step is played ------------------------------------------------------------------------------

    def _are_in(self, *addresses: str) -> Callable[[], bool]:
        return lambda: self._client.members >= set(addresses)

    def _is_out(self, address: str) -> Callable[[], bool]:
        return lambda: address not in self._client.members

    def _step(
        self,
        text: str,
        act: Callable[[], object],
        until: Callable[[], bool],
        never: Callable[[], bool] = lambda: False,
    ) -> bool:
        """Acts, and waits for what must come of it."""
        started = self._begin(text, act)
        while not until():
            if never() or time.monotonic() - started > self._limit:
                return self._end(text, started, happened=False)
            self._show(started)
            time.sleep(_PAUSE)
        return self._end(text, started, happened=True)

    def _stays(self, text: str, act: Callable[[], object], address: str) -> bool:
        """Acts, and sees to it that nothing comes of it."""
        started = self._begin(text, act)
        while time.monotonic() - started < _STAYS:
            if address not in self._client.members:
                return self._end(text, started, happened=False)
            self._show(started)
            time.sleep(_PAUSE)
        return self._end(text, started, happened=True)

    def _begin(self, text: str, act: Callable[[], object]) -> float:
        self._screen.heading(text)
        started = time.monotonic()
        act()
        return started

    def _show(self, started: float) -> None:
        self._screen.members(NAME, ADDRESSES, self._client.members, time.monotonic() - started)

    def _end(self, text: str, started: float, *, happened: bool) -> bool:
        seconds = time.monotonic() - started
        self._results.append(Measured(text, seconds if happened else None))
        self._show(started)
        self._screen.outcome(f"after {seconds:.1f} s" if happened else f"not after {seconds:.1f} s", good=happened)
        if not happened:
            self._show_logs()
        return happened

    def _show_logs(self) -> None:
        for file in sorted(self._cluster.folder.glob("*.log")):
            lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
            for line in lines[-8:]:
                self._screen.line(f"    {file.stem}: {line}")

    def _summary(self, seconds: float) -> None:
        screen, counts = self._screen, self._client.counts
        screen.heading("Summary")
        for result in self._results:
            taken = "  never" if result.seconds is None else f"{result.seconds:5.1f} s"
            screen.line(f"  {taken}  {result.step}")
        screen.line(f"\n  a client looked {NAME} up {counts.lookups} times and connected to what it got:")
        screen.line(f"  {counts.empty:5d}  empty answers")
        screen.line(f"  {counts.nobody:5d}  answers in which no address answered")
        screen.line(f"  {counts.first_failed:5d}  answers whose first address was dead, and the next one answered")
        screen.line(f"  {seconds:5.1f} s in all")
