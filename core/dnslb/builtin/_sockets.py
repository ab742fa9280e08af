"""The engine of the built-in probes: many targets at once over non-blocking sockets, in one loop.

    connect ──▶ (nothing more: TCP) ──────────────────────────────▶ result
            └─▶ exchange: send and receive a few bytes, in steps ──▶

asyncio's streams would cost five times the CPU (tests/bench/bench_probe.py): three objects, two callbacks and a task
for each connection. An *exchange* is a generator that gets the connected socket, yields READ or WRITE where it would
have to wait, and returns the result.

Invariants of a round:

- targets start in their order, so that the one that has been in flight for longest is the next to run out of time;
- a target is given up only after a look at its socket that began when its time was over, so that an agent that was
  stopped for a while does not take an answer that did arrive for silence;
- a socket is open for exactly as long as its target is in flight.

A silent target occupies a descriptor for the whole time limit. With 512 in flight, 10,000 silent targets
take 20 time limits, one after another; answering ones take a fraction of a second.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import resource
import select
import socket
import threading
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from time import monotonic
from typing import TypeVar, cast

from dnslb.interfaces import ProbeResult, Target, Verdict
from dnslb.prober import in_thread

T = TypeVar("T")

READ = select.EPOLLIN
"""Yielded by an exchange that waits until the socket can be read."""

WRITE = select.EPOLLOUT
"""Yielded by an exchange that waits until the socket can be written."""

Steps = Generator[int, None, T]
"""Work that yields READ or WRITE where it has to wait, and returns a T."""

Exchange = Callable[[socket.SocketType, Target], Steps[ProbeResult]]
"""What to do with a connected socket. What it raises as OSError becomes a result by its `errno`."""

HEALTHY = ProbeResult(Verdict.HEALTHY)

_STREAM = socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC

BURST = 16
"""So many targets are started between two looks for events: sockets that were just in use are cheaper to use again."""

_LONGEST_WAIT = 0.1
"""Seconds within which a round notices that it is cancelled."""

_UNDER_WAY = frozenset({0, errno.EINPROGRESS})

_NO_DESCRIPTOR = frozenset({errno.EMFILE, errno.ENFILE})

_LOCAL_FAULTS = _NO_DESCRIPTOR | {
    errno.EACCES,
    errno.EADDRNOTAVAIL,
    errno.EAFNOSUPPORT,
    errno.ENETUNREACH,
    errno.ENOBUFS,
    errno.ENOMEM,
    errno.EPERM,
}


class SocketProbe:
    """A probe that connects to each target over TCP and then goes through the exchange, if there is one.

    At most `limit` targets are in flight at once, and never more than half of the descriptors that the process has left
    when the round starts.
    """

    def __init__(self, exchange: Exchange | None = None, *, limit: int = 512) -> None:
        self._exchange = exchange
        self._limit = limit

    async def check(self, targets: Sequence[Target], timeout: float) -> Sequence[ProbeResult]:
        """One result a target, in the order of `targets`, each within `timeout` seconds of its own start.

        If it is cancelled, its sockets and its thread are gone a tenth of a second later.
        """
        return await in_thread(lambda cancelled: self._run(targets, timeout, cancelled))

    def _run(self, targets: Sequence[Target], timeout: float, cancelled: threading.Event) -> Sequence[ProbeResult]:
        try:
            epoll = select.epoll()
        except OSError as error:
            return [result_of(error)] * len(targets)
        with epoll:
            in_flight = max(1, min(self._limit, _descriptors_left() // 2))
            return _Round(epoll, targets, timeout, self._exchange, in_flight).run(cancelled)


def _descriptors_left() -> int:
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        return limit - len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - numbers to count, not paths
    except OSError:
        return limit // 2


def result_of(error: OSError) -> ProbeResult:
    """What an error of a socket call says: about the target, or only about this host."""
    return _result_of_errno(error.errno or 0, str(error))


def _result_of_errno(code: int, text: str = "") -> ProbeResult:
    verdict = Verdict.LOCAL if code in _LOCAL_FAULTS else Verdict.FAILED
    return ProbeResult(verdict, os.strerror(code).lower() if code else text)


def receive(sock: socket.SocketType, most: int = 16384) -> Steps[bytes]:
    """At most `most` octets, as soon as there are any; nothing at the end of the stream.

    It always waits for its turn, so that no target that talks without end holds up the others, or its own time limit.
    """
    while True:
        yield READ
        with contextlib.suppress(BlockingIOError):
            return sock.recv(most)


def send(sock: socket.SocketType, data: bytes) -> Steps[None]:
    """Sends all of `data`."""
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[sock.send(rest) :]
        except BlockingIOError:
            yield WRITE


class _Talk:
    """An exchange in progress, and what the epoll set watches its socket for."""

    __slots__ = ("steps", "waits_for")

    def __init__(self, steps: Steps[ProbeResult]) -> None:
        self.steps = steps
        self.waits_for = WRITE


class _Round:
    """The state of one round. A target is not started, then in flight, then has a result."""

    def __init__(
        self,
        epoll: select.epoll,
        targets: Sequence[Target],
        timeout: float,
        exchange: Exchange | None,
        limit: int,
    ) -> None:
        self._epoll = epoll
        self._targets = targets
        self._timeout = timeout
        self._exchange = exchange
        self._limit = limit
        self._first_source_port = _first_source_port()
        self._next = 0  # index of the first target that has not been started
        self._flights: dict[int, tuple[int, socket.SocketType, float]] = {}  # index, socket, start; by descriptor
        self._talks: dict[int, _Talk] = {}  # those of the flights that are connected, by descriptor
        self._results: list[ProbeResult | None] = [None] * len(targets)

    def run(self, cancelled: threading.Event) -> list[ProbeResult]:
        """All results; if it is cancelled, some are missing."""
        try:
            while not cancelled.is_set():
                more = self._start_some()
                if self._flights:
                    now = monotonic()
                    self._handle_events(0.0 if more else self._pause(now))
                    self._give_up(now)
                elif not more:
                    break
        finally:
            for fd in tuple(self._flights):
                self._land(fd)
        return cast("list[ProbeResult]", self._results)

    def _start_some(self) -> bool:
        """Starts a few targets; says whether more of them can be started at once."""
        for _ in range(BURST):
            if self._next == len(self._targets) or len(self._flights) >= self._limit or not self._start_next():
                return False
        return True

    def _start_next(self) -> bool:
        """Starts a target; says whether that was possible now."""
        index = self._next
        target = self._targets[index]
        family = socket.AF_INET if target.address.version == 4 else socket.AF_INET6
        try:
            sock = socket.SocketType(family, _STREAM, 0)
        except OSError as error:
            if error.errno in _NO_DESCRIPTOR and self._flights:
                return False  # one of those in flight will give its own back
            self._results[index] = result_of(error)
            self._next += 1
            return True
        self._next += 1
        fd = sock.fileno()
        self._flights[fd] = index, sock, monotonic()
        code = sock.connect_ex((socket.inet_ntop(family, target.address.packed), target.port))
        if code in _UNDER_WAY:
            self._epoll.register(fd, WRITE)
        else:
            self._land(fd, _result_of_errno(code))
        return True

    def _handle_events(self, pause: float) -> None:
        for fd, event in self._epoll.poll(pause, self._limit):
            if fd in self._talks:
                self._advance(fd)
            else:
                self._on_connection(fd, event)

    def _pause(self, now: float) -> float:
        """Seconds until the oldest flight is out of time, or until it is time to look whether it is cancelled."""
        _, _, started = next(iter(self._flights.values()))
        return max(0.0, min(_LONGEST_WAIT, started + self._timeout - now))

    def _on_connection(self, fd: int, event: int) -> None:
        index, sock, _ = self._flights[fd]
        target = self._targets[index]
        code = 0
        if event != WRITE:
            code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        elif target.port >= self._first_source_port and is_self_connected(sock, target.port):
            code = errno.ECONNREFUSED
        if code:
            self._land(fd, _result_of_errno(code))
        elif self._exchange is None:
            self._land(fd, HEALTHY)
        else:
            self._talks[fd] = _Talk(self._exchange(sock, target))
            self._advance(fd)

    def _advance(self, fd: int) -> None:
        talk = self._talks[fd]
        try:
            waits_for = next(talk.steps)
        except StopIteration as done:
            self._land(fd, done.value)
        except OSError as error:
            self._land(fd, result_of(error))
        else:
            if waits_for != talk.waits_for:
                self._epoll.modify(fd, waits_for)
                talk.waits_for = waits_for

    def _give_up(self, now: float) -> None:
        """Ends what was out of time at `now`; a dict keeps its order, so the flights stand in that of their start."""
        while self._flights:
            fd, (_, _, started) = next(iter(self._flights.items()))
            if started + self._timeout > now:
                return
            connected = "connected, but " if fd in self._talks else ""
            self._land(fd, ProbeResult(Verdict.FAILED, f"{connected}no answer in {self._timeout:g} s"))

    def _land(self, fd: int, result: ProbeResult | None = None) -> None:
        """Closes the socket, which takes it out of the epoll set too."""
        index, sock, _ = self._flights.pop(fd)
        if fd in self._talks:
            self._talks.pop(fd).steps.close()
        sock.close()
        self._results[index] = result


@functools.cache
def _first_source_port() -> int:
    """The lowest port that the kernel gives to a connection that did not ask for one."""
    try:
        return int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return 1024


def is_self_connected(sock: socket.SocketType, port: int) -> bool:
    """Whether a socket that connected to `port` has reached itself.

    Where nobody listens on a port that the kernel may also give out as a source port, a connection to an own
    address can meet its own SYN: a simultaneous open with itself (RFC 9293, section 3.5), which is nobody's service.
    """
    own = sock.getsockname()
    return own[1] == port and bool(own == sock.getpeername())
