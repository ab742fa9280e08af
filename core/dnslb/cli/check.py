"""`dnslb check FILE`: whether a configuration would work."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from dnslb.balancer import LoadBalancer
from dnslb.cli import FAILED, OK
from dnslb.cli._starting import in_file, verify
from dnslb.config import Config
from dnslb.forms import format_duration
from dnslb.log import set_up
from dnslb.settings import ServiceSettings


def declare(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the command."""
    parser.description = "Checks a configuration, and reads its record sets to see whether the provider lets it."
    parser.add_argument("file", type=Path, metavar="FILE", help="the configuration")
    parser.add_argument("--offline", action="store_true", help="look at the file alone, and ask no provider")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    set_up(form="text")
    config = Config.load(arguments.file, complete=True)
    for warning in config.warnings:
        print(f"dnslb: warning: {warning}", file=sys.stderr)
    with in_file(arguments.file):
        reached = arguments.offline or asyncio.run(_verify(config))
    if not reached:
        print("dnslb: the configuration is in order; a provider could not be reached (see above)", file=sys.stderr)
        return FAILED
    for settings in config.services:
        print(_summary(settings))
    return OK


async def _verify(config: Config) -> bool:
    balancers = [LoadBalancer(settings) for settings in config.services]
    return all(await asyncio.gather(*map(verify, balancers)))


def _summary(settings: ServiceSettings) -> str:
    plugins = [
        settings.record_manager,
        settings.region_filter,
        settings.destroyer,
        settings.probe,
        settings.address_source,
    ]
    used = ", ".join(f"{plugin.registration.kind} {plugin.registration.name}" for plugin in plugins if plugin)
    times = f"every {format_duration(settings.check_interval)}, TTL {settings.ttl} s"
    times += f", {settings.options.low_ttl} s after a removal" if settings.options.low_ttl is not None else ""
    return f"{settings.options.fqdn}:{settings.options.tcp_port}: ok ({used}; {times})"
