"""The conformance kit for what every plugin has: an entry point, hooks and registrations."""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import subprocess
import sys
from collections.abc import Sequence
from typing import ClassVar

import pluggy
import pytest

from dnslb import hookspecs
from dnslb.hookspecs import KINDS, PROJECT, Registration
from dnslb.options import describe, schema_of

# Runs in a process of its own: imports the plugin, calls its hooks, prints what they imported and did.
_WATCH = """
import importlib, json, sys
import pluggy
from dnslb import hookspecs

FORBIDDEN = ("socket.connect", "socket.bind", "socket.getaddrinfo", "socket.sendto", "subprocess.Popen", "os.system")
seen = []
sys.addaudithook(lambda event, _: seen.append(event) if event in FORBIDDEN else None)
before = set(sys.modules)
manager = pluggy.PluginManager(hookspecs.PROJECT)
manager.add_hookspecs(hookspecs)
manager.register(importlib.import_module(sys.argv[1]))
for kind in hookspecs.KINDS:
    for made in getattr(manager.hook, kind.hook)():
        list(made)
print(json.dumps({"imported": sorted(set(sys.modules) - before), "did": seen}))
"""


class RegistrationConformance:
    """Checks how a plugin presents itself; each test is one promise of `dnslb.hookspecs`.

    Subclass it and set `name` and `module`, and `sdk` where the plugin has one. The plugin must be installed.
    """

    name: ClassVar[str]
    """The name of the plugin: of its entry point, and what a configuration selects it by."""

    module: ClassVar[str]
    """The module that the entry point names."""

    sdk: ClassVar[Sequence[str]] = ()
    """The packages that only the factory may import: `("boto3", "botocore")`."""

    @pytest.fixture
    def registrations(self) -> list[Registration]:
        """What the plugin's hooks yield under its name."""
        return [made for _, made in _yielded(self.module) if made.name == self.name]

    def test_the_entry_point_names_the_module(self) -> None:
        """Exactly one in the group `dnslb`; after a change in pyproject.toml, install the plugin again."""
        found = [point.value for point in importlib.metadata.entry_points(group=PROJECT, name=self.name)]
        assert found == [self.module], f"entry points named {self.name!r} in the group {PROJECT!r}"

    def test_a_registration_has_the_name_of_the_entry_point(self, registrations: list[Registration]) -> None:
        """The name in the configuration finds the entry point first, and the registration in it next."""
        names = sorted({made.name for _, made in _yielded(self.module)})
        assert registrations, f"no registration is named {self.name!r}; the hooks yield {names}"

    def test_each_hook_yields_registrations_of_its_kind(self) -> None:
        """`dnslb_probes` yields ProbeTypes, and so on; at most one a name."""
        for kind, made in _yielded(self.module):
            assert isinstance(made, kind), f"{kind.hook} yields {type(made).__name__}, which is no {kind.__name__}"
        provided = [(kind.kind, made.name) for kind, made in _yielded(self.module)]
        assert len(set(provided)) == len(provided), f"two registrations of one kind and name: {provided}"

    def test_the_options_can_be_described(self, registrations: list[Registration]) -> None:
        """A frozen dataclass with fields of known forms: for `dnslb plugins NAME`, `dnslb check` and `dnslb schema`."""
        for made in registrations:
            describe(made.options)
            json.dumps(schema_of(made.options))
            instances_are_frozen = made.options.__dataclass_params__.frozen  # type: ignore[attr-defined]
            assert instances_are_frozen, f"{made.options.__name__} is not a frozen dataclass"

    def test_every_option_has_a_help_text(self, registrations: list[Registration]) -> None:
        """One line each, from `dnslb.option(help=...)`."""
        for made in registrations:
            for option in describe(made.options):
                assert option.help.strip(), f"the option {option.name} has no help text"
                assert "\n" not in option.help, f"the help text of the option {option.name} has more than one line"

    def test_the_summary_is_one_line(self, registrations: list[Registration]) -> None:
        """It stands in a list."""
        for made in registrations:
            assert made.summary.strip(), f"the {made.kind} {made.name!r} has no summary"
            assert "\n" not in made.summary, f"the summary of the {made.kind} {made.name!r} has more than one line"

    def test_the_factory_can_be_called(self, registrations: list[Registration]) -> None:
        """With the options and the service."""
        for made in registrations:
            assert callable(made.factory), f"the factory of the {made.kind} {made.name!r} is {made.factory!r}"

    def test_importing_the_plugin_does_not_import_its_sdk(self) -> None:
        """Nor does calling its hooks: `dnslb check` and `dnslb schema` stay quick, and work without the SDK."""
        heavy = [module for module in self._watched("imported") if _is_of(module, self.sdk)]
        assert not heavy, f"imported before the factory was called: {', '.join(heavy[:5])}; import it in the factory"

    def test_importing_the_plugin_does_no_io(self) -> None:
        """No connection, no name lookup, no process: hooks declare, objects do."""
        did = self._watched("did")
        assert not did, f"done before the factory was called: {', '.join(did[:5])}"

    def _watched(self, what: str) -> list[str]:
        done = subprocess.run(  # noqa: S603 - this interpreter, with the script above
            [sys.executable, "-c", _WATCH, self.module], capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, f"{self.module} does not load in a fresh process:\n{done.stderr}"
        found: list[str] = json.loads(done.stdout.splitlines()[-1])[what]
        return found


def _yielded(module: str) -> list[tuple[type[Registration], Registration]]:
    """What each hook of the module yields."""
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.register(importlib.import_module(module))
    manager.check_pending()
    return [(kind, made) for kind in KINDS for results in getattr(manager.hook, kind.hook)() for made in results]


def _is_of(module: str, packages: Sequence[str]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)
