"""CPU time a probe: the TCP probe against a C loop on epoll and against asyncio's streams, and the TLS and HTTP probes.

    python tests/bench/bench_probe.py [--targets N] [--rounds N] [--json FILE]

Only the CPU time (user and system) of the process that probes is counted; the listeners are another process, on
another processor where there is one. In each round every contender probes the same targets once, in random order, so
that what else happens on the machine happens to all of them; figures and ratios are medians over the rounds. The exit
status is 1 if the TCP probe takes more than 1.15 times what a C loop takes that does the same.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import ipaddress
import json
import multiprocessing
import os
import random
import resource
import shutil
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path

import trustme

from dnslb import Probe, Service, Target
from dnslb.builtin import http, tls
from dnslb.builtin._sockets import BURST, SocketProbe
from dnslb.builtin.http import HttpOptions
from dnslb.builtin.tls import TlsOptions

YARDSTICK = "C, as the probe"
LIMIT = 1.15
IN_FLIGHT = 512
TIMEOUT = 30.0
NAME = "www.example.com"

ADDRESSES = [f"127.0.0.{number}" for number in range(1, 51)]
"""Probed in turn, so that closed connections (TIME_WAIT) do not use up the source ports."""

SERVICE_PORTS = range(5_000, 32_000)
"""Where services listen: below the source ports (32768 and up), so that no connection can meet itself."""

Measure = Callable[[], float]
"""Probes the targets once; the CPU seconds a probe."""


# -- the servers, in a process of their own ----------------------------------------------------------------


@contextlib.contextmanager
def servers(certificate: Path) -> Iterator[dict[str, int]]:
    """The ports of `tcp`, `http` and `tls`."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs, certificate), daemon=True)
    process.start()
    try:
        yield ours.recv()
    finally:
        process.terminate()
        process.join()


def serve(parent: Connection, certificate: Path) -> None:
    """Serves until the process is terminated."""
    run_on_processor(-1)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def accept(listener: socket.socket) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                listener.accept()[0].close()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, EOFError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n")
        writer.close()

    async def serve_all() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda *_: None)  # probes hang up early
        listeners = {name: listen_everywhere() for name in ("tcp", "http", "tls")}
        for listener in listeners["tcp"]:
            loop.add_reader(listener, accept, listener)
        for name, tls_context in (("http", None), ("tls", context)):
            for listener in listeners[name]:
                await asyncio.start_server(answer, sock=listener, ssl=tls_context)
        parent.send({name: sockets[0].getsockname()[1] for name, sockets in listeners.items()})
        await asyncio.Event().wait()

    asyncio.run(serve_all())


def listen_everywhere() -> list[socket.socket]:
    """Sockets that listen on all addresses, on one port that is free on all of them."""
    while True:
        port = random.choice(SERVICE_PORTS)
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            sockets = [
                stack.enter_context(socket.create_server((address, port), backlog=4096)) for address in ADDRESSES
            ]
            for listener in sockets:
                listener.setblocking(False)
            stack.pop_all()
            return sockets


def run_on_processor(which: int) -> None:
    """Takes one of the processors that this process may use."""
    os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[which]})


# -- the contenders ----------------------------------------------------------------------------------------


def c_loop(program: Path, port: int, probes: int, burst: int) -> Measure:
    """A loop in C, with IN_FLIGHT sockets at most, and `burst` of them started in a row."""
    command = [str(program), ADDRESSES[0], *map(str, (len(ADDRESSES), port, probes, IN_FLIGHT, burst))]

    def measure() -> float:
        seconds, healthy = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        if int(healthy) != probes:
            sys.exit(f"C reached {healthy} of {probes} targets")
        return float(seconds) / probes

    return measure


def in_python(runner: asyncio.Runner, check: Callable[[], Awaitable[int]], probes: int) -> Measure:
    """What runs in this process and hands back how many targets were healthy."""

    async def run() -> int:
        return await check()

    def measure() -> float:
        before = cpu_seconds()
        healthy = runner.run(run())
        used = cpu_seconds() - before
        if healthy != probes:
            sys.exit(f"{healthy} of {probes} targets were healthy")
        return used / probes

    return measure


def cpu_seconds() -> float:
    """Of this process, with its threads."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def by_probe(probe: Probe, targets: Sequence[Target]) -> Callable[[], Awaitable[int]]:
    """How many targets a probe finds healthy."""

    async def check() -> int:
        return sum(result.healthy for result in await probe.check(targets, TIMEOUT))

    return check


def by_streams(targets: Sequence[Target]) -> Callable[[], Awaitable[int]]:
    """The same with asyncio's streams, as one would write it at first."""

    async def one(slots: asyncio.Semaphore, target: Target) -> int:
        async with slots, asyncio.timeout(TIMEOUT):
            _, writer = await asyncio.open_connection(str(target.address), target.port)
            writer.close()
            return 1

    async def check() -> int:
        slots = asyncio.Semaphore(IN_FLIGHT)
        return sum(await asyncio.gather(*(one(slots, target) for target in targets)))

    return check


def contenders(runner: asyncio.Runner, folder: Path, ports: Mapping[str, int], number: int) -> dict[str, Measure]:
    """All that is measured, by name."""
    program = folder / "epoll_connect"
    source = Path(__file__).with_name("epoll_connect.c")
    subprocess.run(["cc", "-O2", "-Wall", "-Wextra", "-o", program, source], check=True)

    def probed(probe: Probe, server: str, probes: int) -> Measure:
        return in_python(runner, by_probe(probe, targets(ports[server], probes)), probes)

    def targets(port: int, probes: int) -> list[Target]:
        known = [ipaddress.ip_address(address) for address in ADDRESSES]
        return [Target(known[index % len(known)], port) for index in range(probes)]

    verify = TlsOptions(ca_file=folder / "ca.pem")
    few = max(1, number // 10)  # a handshake takes thirty times as long
    return {
        YARDSTICK: c_loop(program, ports["tcp"], number, BURST),
        "C, 512 in a row": c_loop(program, ports["tcp"], number, IN_FLIGHT),
        "probe tcp": probed(SocketProbe(limit=IN_FLIGHT), "tcp", number),
        "asyncio streams": in_python(runner, by_streams(targets(ports["tcp"], number)), number),
        "probe http": probed(http.make(HttpOptions(), Service(NAME, ports["http"])), "http", few),
        "probe tls": probed(tls.make(verify, Service(NAME, ports["tls"])), "tls", few),
    }


# -- the measurement ---------------------------------------------------------------------------------------


def compare(measures: Mapping[str, Measure], rounds: int) -> dict[str, list[float]]:
    """CPU seconds a probe, by contender, one for each round; a first round warms up and is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in measures}
    for _ in range(rounds + 1):
        for name in random.sample(list(measures), len(measures)):
            seconds[name].append(measures[name]())
    return {name: values[1:] for name, values in seconds.items()}


def main() -> int:
    """Measures, prints a table, and judges the TCP probe."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--targets", type=int, default=2_000, help="probed in a round (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=60, help="how many rounds (default: %(default)s)")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    arguments = parser.parse_args()
    if not shutil.which("cc"):
        sys.exit("there is no C compiler to build the yardstick with; install gcc")

    with tempfile.TemporaryDirectory() as name, asyncio.Runner() as runner:
        folder = Path(name)
        authority = trustme.CA()
        authority.cert_pem.write_to_path(folder / "ca.pem")
        authority.issue_cert(NAME).private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
        with servers(folder / "server.pem") as ports:
            run_on_processor(0)
            seconds = compare(contenders(runner, folder, ports, arguments.targets), arguments.rounds)

    yardstick = seconds[YARDSTICK]
    microseconds = {name: statistics.median(values) * 1e6 for name, values in seconds.items()}
    ratios = {
        name: statistics.median(value / c for value, c in zip(values, yardstick, strict=True))
        for name, values in seconds.items()
    }
    print(f"CPU time a probe, median of {arguments.rounds} rounds of {arguments.targets} targets")
    for name in seconds:
        print(f"  {name:<16} {microseconds[name]:8.1f} µs   {ratios[name]:6.2f} times C")
    if arguments.json:
        figures = {"targets": arguments.targets, "microseconds": microseconds, "ratios": ratios, "rounds": seconds}
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    if ratios["probe tcp"] > LIMIT:
        print(f"the TCP probe takes more than {LIMIT} times what C takes")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
