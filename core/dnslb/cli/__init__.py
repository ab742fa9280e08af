"""The command `dnslb`: one small module a subcommand, imported only when it is the one that was asked for."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from dnslb._version import __version__
from dnslb.errors import ConfigurationError, DnslbError, PluginError, Refused
from dnslb.text import printable

OK, FAILED, MISCONFIGURED = 0, 1, 2
"""Exit statuses: done; it did not work; what is wrong is in the configuration, the plugins or the permissions."""

COMMANDS = {
    "run": "run the agent: register this host, watch the others",
    "check": "check a configuration; changes nothing",
    "migrate": "print a configuration of the Go package in the structured form",
    "simulate": "simulate a cluster with a configuration while something goes wrong",
    "explain": "print the worst cases of a configuration",
    "demo": "see it work on this machine in under a minute",
    "plugins": "list the installed plugins, or show the options of one",
    "schema": "print a JSON Schema of the configuration",
    "serve-dns": "answer DNS queries from the database of the record manager local",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line, and answers with the exit status."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    try:
        status = _run(words)
        sys.stdout.flush()  # here, where a closed pipe is understood, and not when Python ends
        return status
    except (ConfigurationError, PluginError, Refused) as error:
        return _fail(error, MISCONFIGURED)
    except DnslbError as error:
        return _fail(error, FAILED)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read our output has gone: `dnslb plugins | head -1`. Nothing is left to say, to nobody.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED


def _run(words: list[str]) -> int:
    # Only the module of the command that is asked for is imported: `--help` must be quick.
    asked = next((word for word in words if not word.startswith("-")), None)
    parser = argparse.ArgumentParser(
        prog="dnslb",
        description="A server-side DNS load balancer: servers keep their own address records true.",
        epilog="`dnslb COMMAND --help` tells more. Exit status: 0 done, 1 failed, 2 wrong configuration.",
    )
    parser.add_argument("--version", action="version", version=f"dnslb {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, summary in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
        if name == asked:
            importlib.import_module(f"dnslb.cli.{name.replace('-', '_')}").declare(command)
    parsed = parser.parse_args(words)
    status: int = parsed.run(parsed)
    return status


def _fail(error: DnslbError, status: int) -> int:
    for problem in error.problems if isinstance(error, ConfigurationError) else [error]:
        print(f"dnslb: {printable(str(problem))}", file=sys.stderr)
    return status
