"""`dnslb schema`: the JSON Schema of the configuration, with the options of the installed plugins."""

from __future__ import annotations

import argparse
import json
import sys

from dnslb.cli import OK
from dnslb.errors import PluginError
from dnslb.hookspecs import Registration
from dnslb.registry import Registry
from dnslb.schema import configuration_schema
from dnslb.text import printable


def declare(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the command."""
    parser.set_defaults(run=_run)


def _run(_: argparse.Namespace) -> int:
    registry = Registry()
    registrations: list[Registration] = []
    for name in sorted({plugin.name for plugin in registry.installed()}):
        try:
            registrations += registry.load(name)
        except PluginError as error:
            print(f"dnslb: left out: {printable(str(error))}", file=sys.stderr)
    print(json.dumps(configuration_schema(registrations), indent=2))
    return OK
