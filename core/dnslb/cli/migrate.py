"""`dnslb migrate FILE`: the structured form of a configuration of the Go package."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from dnslb.cli import OK
from dnslb.document import read_document
from dnslb.migration import migrate


def declare(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the command."""
    parser.description = "Prints a configuration with the flat keys of the Go package in the structured form."
    parser.add_argument("file", type=Path, metavar="FILE", help="the configuration; it stays as it is")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    migration = migrate(read_document(arguments.file))
    for remark in migration.remarks:
        print(f"dnslb: note: {remark}", file=sys.stderr)
    if not migration.changed:
        print(
            f"dnslb: note: {arguments.file}: has the structured form already, and is printed as it is", file=sys.stderr
        )
    sys.stdout.buffer.write(migration.text.encode())  # YAML is UTF-8, whatever the terminal is
    return OK
