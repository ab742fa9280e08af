"""`dnslb demo`: see it work on this machine in under a minute, without root and without a cloud."""

from __future__ import annotations

import argparse
import sys

from dnslb.cli import FAILED, OK
from dnslb.demo.story import play


def declare(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the command."""
    parser.description = "Starts a DNS server, three web servers and three agents, kills some, and measures."
    parser.set_defaults(run=_run)


def _run(_: argparse.Namespace) -> int:
    return OK if play(sys.stdout) else FAILED
