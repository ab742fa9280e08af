"""What `simulate` and `explain` have in common: a configuration is read, and nothing is made of it or asked."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dnslb.config import Config
from dnslb.decision import Policy
from dnslb.forms import format_duration, parse_duration
from dnslb.hookspecs import RecordManagerType
from dnslb.interfaces import Capabilities
from dnslb.settings import ServiceSettings


@dataclass(frozen=True, slots=True)
class Forecast:
    """One service: what it asks of the decision, and what its provider is like.

    `limit` is in requests a second, None where there is none; `propagation` in seconds.
    """

    settings: ServiceSettings
    policy: Policy
    capabilities: Capabilities
    limit: float | None
    propagation: float

    @property
    def title(self) -> str:
        """One line with what counts."""
        policy, manager = self.policy, self.settings.record_manager
        interval, probe_interval = format_duration(policy.interval), format_duration(policy.probe_interval)
        times = f"check_interval {interval}, probe_interval {probe_interval}"
        limit = f"{self.limit:g} requests/s" if self.limit else "no limit known"
        provider = f"{manager.registration.name} ({limit})" if manager else f"no record manager ({limit})"
        observed = ", observe dns" if policy.hints else ""
        return f"{self.settings.options.fqdn}: {times}, TTL {policy.ttl} s, {provider}{observed}"


def declare(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments that tell what the configuration cannot."""
    parser.add_argument("file", type=Path, metavar="FILE", help="the configuration; no provider is asked")
    parser.add_argument("--limit", type=_limit, help="requests a second that the provider takes; 0: no limit")
    parser.add_argument("--propagation", type=_duration, help="how long a change takes until it is served, as 30s")


def read(arguments: argparse.Namespace) -> list[Forecast]:
    """Each service of the file; warnings are printed.

    Raises:
        ConfigurationError: the file is wrong.
    """
    config = Config.load(arguments.file)
    for warning in config.warnings:
        print(f"dnslb: warning: {warning}", file=sys.stderr)
    return [_forecast(settings, arguments) for settings in config.services]


def aligned(rows: Sequence[Sequence[str]], indent: str = "  ") -> str:
    """The rows as a table, its columns set under each other."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("   ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    return "\n".join(indent + line for line in lines)


def count(text: str) -> int:
    """A whole number of at least 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return number


def _forecast(settings: ServiceSettings, arguments: argparse.Namespace) -> Forecast:
    manager = settings.record_manager.registration if settings.record_manager else None
    capabilities = manager.capabilities if isinstance(manager, RecordManagerType) else Capabilities()
    policy = settings.policy(regional=settings.region_filter is not None, destroys=settings.destroyer is not None)
    limit = capabilities.request_rate if arguments.limit is None else arguments.limit
    propagation = capabilities.propagation if arguments.propagation is None else arguments.propagation
    return Forecast(settings, policy, capabilities, limit or None, propagation)


def _limit(text: str) -> float:
    rate = float(text)
    if not 0 <= rate < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is no number of requests a second")
    return rate


def _duration(text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
