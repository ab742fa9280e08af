"""How many queries a second the embedded DNS server answers, beside a bare asyncio UDP echo on the same machine.

    uv run nox -s bench -- tests/bench/bench_localdns.py

One process asks and another answers, each on a processor of its own where there are two, with 32 queries on their way
at any time. The servers take turns, so that a busy moment of the machine does not fall on one of them alone; the
figures are medians. While "commits go on", a third process replaces the record set as fast as the file takes it, on
the processor of the one that asks.
"""

import asyncio
import itertools
import multiprocessing
import os
import socket
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import cast

import dns.message

from dnslb import Change, RecordType
from dnslb.builtin._local import LocalRecordManager
from dnslb.localdns.server import DnsServer

ROUNDS = 5
SECONDS = 1.0
IN_FLIGHT = 32
PROCESSORS = sorted(os.sched_getaffinity(0))

ONE_ANSWER = "one.example.test"
TWENTY_ANSWERS = "twenty.example.test"
NO_SUCH_NAME = "nothing.example.test"


class Echo(asyncio.DatagramProtocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.transport.sendto(data, addr)


def echo(path: Path, pipe: Connection) -> None:
    async def main() -> None:
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(Echo, local_addr=("127.0.0.1", 0))
        pipe.send(transport.get_extra_info("sockname"))
        await asyncio.Event().wait()

    asyncio.run(main())


def serve(path: Path, pipe: Connection) -> None:
    async def main() -> None:
        async with DnsServer(path, zones=["example.test"], listen=[("127.0.0.1", 0)]) as server:
            pipe.send(server.endpoints[0])
            await asyncio.Event().wait()

    asyncio.run(main())


def keep_committing(path: Path, pipe: Connection) -> None:
    pipe.send(("", 0))
    for number in itertools.cycle(range(250)):
        put(path, ONE_ANSWER, [f"192.0.2.{number}"])


def put(path: Path, name: str, values: list[str]) -> None:
    manager = LocalRecordManager(path)
    before = manager.read(name, RecordType.A)
    manager.commit([Change(before, before.record_set.holding(values, ttl=5))])


@contextmanager
def running(target: Callable[[Path, Connection], None], path: Path, processor: int) -> Iterator[tuple[str, int]]:
    """A process that runs `target`; gives what it has sent first."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=target, args=[path, theirs], daemon=True)
    os.sched_setaffinity(0, {processor})
    process.start()
    os.sched_setaffinity(0, {PROCESSORS[0]})
    try:
        yield ours.recv()
    finally:
        process.terminate()
        process.join()


def rate(endpoint: tuple[str, int], name: str) -> float:
    """Answers a second."""
    query = dns.message.make_query(name, "A", use_edns=0).to_wire()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(5)
        client.connect(endpoint)
        for _ in range(IN_FLIGHT):
            client.send(query)
        answers = 0
        started = time.perf_counter()
        while time.perf_counter() < started + SECONDS:
            client.recv(4096)
            client.send(query)
            answers += 1
        return answers / (time.perf_counter() - started)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "records.db"
        put(path, ONE_ANSWER, ["192.0.2.1"])
        put(path, TWENTY_ANSWERS, [f"192.0.2.{number}" for number in range(20)])
        rates: dict[str, list[float]] = {}
        with running(echo, path, PROCESSORS[-1]) as bare, running(serve, path, PROCESSORS[-1]) as server:
            for _ in range(ROUNDS):
                rates.setdefault("bare asyncio UDP echo", []).append(rate(bare, ONE_ANSWER))
                for name in (ONE_ANSWER, TWENTY_ANSWERS, NO_SUCH_NAME):
                    rates.setdefault(name, []).append(rate(server, name))
            with running(keep_committing, path, PROCESSORS[0]):
                rates[f"{ONE_ANSWER}, while commits go on"] = [rate(server, ONE_ANSWER) for _ in range(ROUNDS)]
    medians = {what: statistics.median(figures) for what, figures in rates.items()}
    print("| | answers/s | to the echo |")
    print("| --- | ---: | ---: |")
    for what, figure in medians.items():
        print(f"| {what} | {figure:.0f} | {figure / medians['bare asyncio UDP echo']:.2f} |")


if __name__ == "__main__":
    main()
