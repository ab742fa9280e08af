"""`dnslb plugins [NAME]`: what is installed, and what one plugin's options are."""

from __future__ import annotations

import argparse
from dataclasses import fields

from dnslb.cli import OK
from dnslb.hookspecs import RecordManagerType, Registration
from dnslb.options import describe
from dnslb.registry import Registry, installable
from dnslb.text import printable


def declare(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the command."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="show the options of this plugin")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    registry = Registry()
    if arguments.name is None:
        _list(registry)
    else:
        print("\n\n".join(_described(registration) for registration in registry.load(arguments.name)))
    return OK


def _list(registry: Registry) -> None:
    plugins = registry.installed()
    rows = [(plugin.name, f"{plugin.distribution} {plugin.version}", plugin.module) for plugin in plugins]
    rows.insert(0, ("NAME", "DISTRIBUTION", "MODULE"))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        print(printable("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()))
    missing = sorted(set(installable()) - {plugin.name for plugin in plugins})
    if missing:
        print(f"\nnot installed: {', '.join(missing)} (pip install 'dnslb[NAME]')")


def _described(registration: Registration) -> str:
    lines = [f"{registration.kind} {registration.name}: {registration.summary}"]
    options = describe(registration.options)
    lines += [f"  {'OPTION':<16} {'DEFAULT':<12} MEANING"] if options else ["  no options"]
    for info in options:
        lines.append(f"  {info.name:<16} {info.default or 'required':<12} {info.help} ({info.form.noun})")
    if isinstance(registration, RecordManagerType):
        capabilities = registration.capabilities
        lines.append(
            "  capabilities: " + ", ".join(f"{f.name}={getattr(capabilities, f.name)}" for f in fields(capabilities))
        )
    return "\n".join(lines)
