"""Plugins that are installed, sound and broken in how they present themselves; each is SOUND with one thing changed."""

import os
import sys
import tempfile
from pathlib import Path

from dnslb.testing import RegistrationConformance

SOUND = """
from dataclasses import dataclass

from dnslb import ProbeType, hookimpl, option


@dataclass(frozen=True)
class Options:
    path: str = option("/", help="what is asked for")


def make(options, service):
    import xmlrpc.client

    return xmlrpc.client


@hookimpl
def dnslb_probes():
    yield ProbeType(name="NAME", summary="One line", options=Options, factory=make)
"""

CHANGES = {
    "Sound": ("", ""),
    "HasAnotherName": ('name="NAME"', 'name="other"'),
    "YieldsAnotherKind": ("def dnslb_probes", "def dnslb_destroyers"),
    "YieldsTwice": (
        "    yield ",
        "    yield from 2 * [ProbeType(name='NAME', summary='One', factory=make)]\n    yield ",
    ),
    "HasOptionsThatCanChange": ("(frozen=True)", ""),
    "HasOptionsOfNoForm": ("path: str", "path: complex"),
    "HasNoHelp": ('help="what is asked for"', 'help=""'),
    "HasHelpOfTwoLines": ('help="what is asked for"', 'help="what\\nis asked for"'),
    "HasNoSummary": ('"One line"', '""'),
    "HasASummaryOfTwoLines": ('"One line"', '"One\\nline"'),
    "HasNoFactory": ("factory=make", 'factory="make"'),
    "ImportsItsSdk": ("\n@hookimpl", "\nimport xmlrpc.client\n\n\n@hookimpl"),
    "ImportsItsSdkInTheHook": ("    yield ", "    import xmlrpc.client\n\n    yield "),
    "LooksUpAName": ("    yield ", "    import socket\n\n    socket.getaddrinfo('127.0.0.1', 80)\n    yield "),
    "StartsAProcess": ("\n@hookimpl", "\nimport subprocess\n\nsubprocess.run(['true'])\n\n\n@hookimpl"),
}


def install(folder):
    """Writes the plugins and their metadata, as pip would have."""
    metadata = folder / "examples-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: examples\nVersion: 1.0\n")
    points = [f"{name} = {name.lower()}_plugin\n" for name in CHANGES]
    (metadata / "entry_points.txt").write_text("[dnslb]\n" + "".join(points))
    for name, (old, new) in CHANGES.items():
        source = SOUND.replace(old, new, 1).replace("NAME", name)
        (folder / f"{name.lower()}_plugin.py").write_text(source)


# The file runs in a process of its own, so it may change that process's paths.
_installed = tempfile.TemporaryDirectory()
install(Path(_installed.name))
sys.path.append(_installed.name)
os.environ["PYTHONPATH"] = os.pathsep.join([_installed.name, os.environ.get("PYTHONPATH", "")])

for _name in CHANGES:
    globals()[f"Test{_name}"] = type(
        f"Test{_name}",
        (RegistrationConformance,),
        {"name": _name, "module": f"{_name.lower()}_plugin", "sdk": ["xmlrpc"], "__module__": __name__},
    )


class TestHasNoEntryPoint(RegistrationConformance):
    name = "Sound"
    module = "sound_plugin_elsewhere"


(Path(_installed.name) / "sound_plugin_elsewhere.py").write_text(SOUND.replace("NAME", "Sound"))
