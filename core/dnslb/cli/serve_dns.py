"""`dnslb serve-dns DATABASE`: answers DNS queries from what the record manager `local` keeps."""

from __future__ import annotations

import argparse
import asyncio
import signal
from pathlib import Path

from dnslb.cli import OK
from dnslb.errors import ConfigurationError
from dnslb.localdns.server import DnsServer


def declare(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the command."""
    parser.add_argument("database", type=Path, metavar="DATABASE", help="the `path` of the record manager local")
    parser.add_argument("--zone", action="append", required=True, help="a zone to answer for; may be repeated")
    parser.add_argument(
        "--listen",
        action="append",
        metavar="ADDRESS:PORT",
        help="where to listen, UDP and TCP; may be repeated; port 0 takes a free one (default: 127.0.0.1:5353)",
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    listen = [parse_endpoint(text) for text in arguments.listen or ["127.0.0.1:5353"]]
    asyncio.run(_serve(arguments.database, arguments.zone, listen))
    return OK


def parse_endpoint(text: str) -> tuple[str, int]:
    """`127.0.0.1:53` or `[::1]:53`.

    Raises:
        ConfigurationError: it is neither.
    """
    host, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdecimal() or int(port) > 65535:
        raise ConfigurationError(f"--listen {text}: write ADDRESS:PORT, as in 127.0.0.1:53 or [::1]:53")
    return host.removeprefix("[").removesuffix("]"), int(port)


async def _serve(database: Path, zones: list[str], listen: list[tuple[str, int]]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with DnsServer(database, zones=zones, listen=listen) as server:
        for host, port in server.endpoints:
            shown = f"[{host}]" if ":" in host else host
            print(f"serving {', '.join(zones)} on {shown}:{port} (UDP and TCP)", flush=True)
        await stop.wait()
