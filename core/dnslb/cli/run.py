"""`dnslb run FILE`: the agent."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
from pathlib import Path

from dnslb.balancer import LoadBalancer
from dnslb.cli import FAILED, OK
from dnslb.cli._starting import in_file, verify
from dnslb.config import Config
from dnslb.log import say, set_up


def declare(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the command."""
    parser.add_argument("file", type=Path, metavar="FILE", help="the configuration")
    parser.add_argument("--log", choices=("auto", "text", "json"), default="auto", help="auto: text on a terminal")
    parser.add_argument("-v", "--verbose", action="store_true", help="log what changes nothing, too")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    set_up(form=arguments.log, level=logging.DEBUG if arguments.verbose else logging.INFO)
    config = Config.load(arguments.file, complete=True)
    for warning in config.warnings:
        say(logging.WARNING, "configuration", str(warning))
    with in_file(arguments.file):
        balancers = [LoadBalancer(settings) for settings in config.services]
        return asyncio.run(_until_signalled(balancers))


async def _until_signalled(balancers: list[LoadBalancer]) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _on_signal, number, stop)
    # What a person has to mend stops the start; what passes by itself does not.
    await asyncio.gather(*map(verify, balancers))
    # One that fails must not keep the others from leaving.
    ended = await asyncio.gather(*(balancer.run(stop) for balancer in balancers), return_exceptions=True)
    for error in ended:
        if error is not None:
            raise error
    return OK


def _on_signal(number: int, stop: asyncio.Event) -> None:
    name = signal.Signals(number).name
    if stop.is_set():
        say(logging.ERROR, "aborted", f"{name} again: ending at once, without leaving the record set")
        os._exit(FAILED)
    say(logging.INFO, "stopping", f"{name}: leaving the record set; once more ends at once")
    stop.set()
