"""The plugin `exec`: a command of one's own as probe, region filter or destroyer.

A command is a list, run as it stands and not by a shell; `{address}`, `{port}` and `{fqdn}` in an argument are
filled in.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

from dnslb.forms import at_least
from dnslb.hookspecs import DestroyerType, ProbeType, RegionFilterType, hookimpl
from dnslb.interfaces import Destroyer, Probe, RegionFilter, Service
from dnslb.options import option

Command = tuple[str, ...]
TimeLimit = Annotated[float, at_least("100ms")]


def _check_command(command: Command) -> None:
    if not command or not command[0]:
        raise ValueError("command is empty; it takes a list: the program, then its arguments")
    for argument in command:
        try:
            possible = b"\0" not in os.fsencode(argument)
        except UnicodeEncodeError:
            possible = False
        if not possible:
            raise ValueError(f"command: no program can be given the argument {argument!r}")


@dataclass(frozen=True)
class ExecProbeOptions:
    """The options of `probe: {plugin: exec}`."""

    command: Command = option(help="the program and its arguments, with {address}, {port} and {fqdn}; 0 is healthy")

    def __post_init__(self) -> None:
        """Refuses an empty command."""
        _check_command(self.command)


@dataclass(frozen=True)
class ExecRegionFilterOptions:
    """The options of `region_filter: {plugin: exec}`."""

    command: Command = option(
        help="the program and its arguments, with {fqdn}; reads addresses, one a line, and prints those in the region"
    )
    timeout: TimeLimit = option(10.0, help="how long it may take before it is killed")

    def __post_init__(self) -> None:
        """Refuses an empty command."""
        _check_command(self.command)


@dataclass(frozen=True)
class ExecDestroyerOptions:
    """The options of `destroyer: {plugin: exec}`."""

    command: Command = option(help="the program and its arguments, with {address} and {fqdn}; run once an address")
    timeout: TimeLimit = option(60.0, help="how long it may take for one address before it is killed")

    def __post_init__(self) -> None:
        """Refuses an empty command, and one that would not know what to destroy."""
        _check_command(self.command)
        if not any("{address}" in argument for argument in self.command[1:]):
            raise ValueError("command: no argument holds {address}, so it would not know what to destroy")


def make_probe(options: ExecProbeOptions, service: Service) -> Probe:
    """The factory. It raises ConfigurationError where there is no such program."""
    from dnslb.builtin._exec import ExecProbe  # noqa: PLC0415

    return ExecProbe(options, service)


def make_region_filter(options: ExecRegionFilterOptions, service: Service) -> RegionFilter:
    """The factory. It raises ConfigurationError where there is no such program."""
    from dnslb.builtin._exec import ExecRegionFilter  # noqa: PLC0415

    return ExecRegionFilter(options, service)


def make_destroyer(options: ExecDestroyerOptions, service: Service) -> Destroyer:
    """The factory. It raises ConfigurationError where there is no such program."""
    from dnslb.builtin._exec import ExecDestroyer  # noqa: PLC0415

    return ExecDestroyer(options, service)


@hookimpl
def dnslb_probes() -> Iterable[ProbeType]:
    """Registers `exec`."""
    yield ProbeType(
        name="exec",
        summary="a command exits with status 0 within the time limit",
        options=ExecProbeOptions,
        factory=make_probe,
    )


@hookimpl
def dnslb_region_filters() -> Iterable[RegionFilterType]:
    """Registers `exec`."""
    yield RegionFilterType(
        name="exec",
        summary="a command reads addresses and prints those in the region",
        options=ExecRegionFilterOptions,
        factory=make_region_filter,
    )


@hookimpl
def dnslb_destroyers() -> Iterable[DestroyerType]:
    """Registers `exec`."""
    yield DestroyerType(
        name="exec",
        summary="a command destroys the instance with an address",
        options=ExecDestroyerOptions,
        factory=make_destroyer,
    )
