"""The objects behind the plugin `exec`: each a command, and what its end means."""

from __future__ import annotations

import re
import shutil
import signal
import threading
from collections.abc import Mapping

from dnslb.builtin._process import KEPT, Ended, run
from dnslb.builtin.exec import Command, ExecDestroyerOptions, ExecProbeOptions, ExecRegionFilterOptions
from dnslb.errors import ConfigurationError, Unavailable
from dnslb.interfaces import EachProbe, ProbeResult, Service, Target, Verdict
from dnslb.prober import in_thread
from dnslb.records import Address, parse_address
from dnslb.text import printable

_PLACEHOLDER = re.compile(r"\{(address|port|fqdn)\}")

_LONGEST_DETAIL = 200


class Program:
    """A command of the configuration, found once and run often.

    Raises:
        ConfigurationError: there is no such program.
    """

    def __init__(self, command: Command, service: Service) -> None:
        found = shutil.which(command[0])
        if found is None:
            raise ConfigurationError(
                f"there is no program {command[0]!r} to run; give its path, and check that it is executable"
            )
        self.name = command[0]
        self._path = found
        self._arguments = command
        self._service = service

    def run(
        self,
        timeout: float,
        filled: Mapping[str, str] | None = None,
        given: bytes = b"",
        cancelled: threading.Event | None = None,
    ) -> Ended:
        """Runs it with the placeholders filled in; see `dnslb.builtin._process.run`."""
        values = {"fqdn": self._service.fqdn, "port": str(self._service.port), **(filled or {})}
        arguments = [
            _PLACEHOLDER.sub(lambda match: values.get(match[1], match[0]), argument) for argument in self._arguments
        ]
        return run(self._path, arguments, timeout, given=given, cancelled=cancelled)

    def ask(self, timeout: float, filled: Mapping[str, str] | None = None, given: bytes = b"") -> bytes:
        """Runs it and hands back its output.

        Raises:
            Unavailable: it could not be run, took too long, or did not exit with status 0.
        """
        try:
            ended = self.run(timeout, filled, given)
        except TimeoutError as error:
            raise Unavailable(f"{self.name} was killed after {timeout:g} s") from error
        except OSError as error:
            raise Unavailable(f"{self.name} cannot be run: {error.strerror}") from error
        if ended.status:
            raise Unavailable(f"{self.name}: {describe(ended)}")
        return ended.output


def describe(ended: Ended) -> str:
    """How a command ended, with the first line that it wrote to its error output, on one line."""
    how = f"exit status {ended.status}" if ended.status >= 0 else f"killed by {_signal_name(-ended.status)}"
    lines = ended.errors[: 8 * _LONGEST_DETAIL].decode("utf-8", "replace").strip().splitlines()
    return printable(": ".join([how, *lines[:1]]))[:_LONGEST_DETAIL]


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


class ExecProbe(EachProbe):
    """Healthy is what the command exits with status 0 for."""

    limit = 32

    def __init__(self, options: ExecProbeOptions, service: Service) -> None:
        self._program = Program(options.command, service)

    async def check_one(self, target: Target, timeout: float) -> ProbeResult:
        """The result for one target; at the time limit the command is killed with its process group."""
        filled = {"address": str(target.address), "port": str(target.port)}
        try:
            ended = await in_thread(lambda cancelled: self._program.run(timeout, filled, cancelled=cancelled))
        except TimeoutError:
            raise
        except OSError as error:
            return ProbeResult(Verdict.LOCAL, f"{self._program.name} cannot be run: {error.strerror}")
        if ended.status:
            return ProbeResult(Verdict.FAILED, describe(ended))
        return ProbeResult(Verdict.HEALTHY, describe(ended))


class ExecRegionFilter:
    """Asks the command which addresses are in this region."""

    def __init__(self, options: ExecRegionFilterOptions, service: Service) -> None:
        self._program = Program(options.command, service)
        self._timeout = options.timeout

    def filter(self, addresses: frozenset[Address]) -> frozenset[Address]:
        """The part of `addresses` that the command prints.

        Raises:
            Unavailable: it failed, or printed what is not an address or was not asked for.
        """
        if not addresses:
            return frozenset()
        asked = "".join(f"{address}\n" for address in _in_order(addresses))
        output = self._program.ask(self._timeout, given=asked.encode("ascii"))
        if len(output) >= KEPT:
            raise Unavailable(f"{self._program.name} printed more than {KEPT // 1024} KiB")
        lines = output.decode("utf-8", "replace").splitlines()
        return frozenset(self._understood(line, addresses) for line in lines if line.strip())

    def _understood(self, line: str, asked: frozenset[Address]) -> Address:
        shown = repr(printable(line.strip()[:_LONGEST_DETAIL]))
        try:
            address = parse_address(line)
        except ValueError as error:
            raise Unavailable(f"{self._program.name} printed {shown}, which is not an address") from error
        if address not in asked:
            raise Unavailable(f"{self._program.name} printed {shown}, which it was not asked about")
        return address


class ExecDestroyer:
    """Runs the command once for each address."""

    def __init__(self, options: ExecDestroyerOptions, service: Service) -> None:
        self._program = Program(options.command, service)
        self._timeout = options.timeout

    def destroy(self, addresses: frozenset[Address]) -> None:
        """Destroys one after another; one that fails does not keep the others.

        Raises:
            Unavailable: the command failed for some; it names them.
        """
        failures = []
        for address in _in_order(addresses):
            try:
                self._program.ask(self._timeout, {"address": str(address)})
            except Unavailable as error:
                failures.append(f"{address} was not destroyed: {error}")
        if failures:
            raise Unavailable("; ".join(failures))


def _in_order(addresses: frozenset[Address]) -> list[Address]:
    return sorted(addresses, key=lambda address: (address.version, int(address)))
