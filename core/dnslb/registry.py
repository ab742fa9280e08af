"""Finds plugins by entry point, and imports only those that a configuration names.

An entry point of the group `dnslb` gives a plugin its name and the module that holds its hook implementations.
Listing what is installed reads metadata only. A broken plugin that nobody selected therefore does no harm; a broken
one that is selected stops the start with one line.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

import pluggy
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from dnslb import hookspecs
from dnslb._version import __version__
from dnslb.errors import PluginAmbiguous, PluginBroken, PluginError, PluginIncompatible, PluginNotFound
from dnslb.hookspecs import KINDS, PROJECT, Registration
from dnslb.options import describe, nearest

R = TypeVar("R", bound=Registration)


@dataclass(frozen=True, slots=True)
class InstalledPlugin:
    """A plugin as its distribution's metadata declares it; nothing of it has been imported."""

    name: str
    module: str
    distribution: str
    version: str
    entry_point: importlib.metadata.EntryPoint

    def __str__(self) -> str:
        return f"{self.name!r} of {self.distribution} {self.version}"


class Registry:
    """The plugins of this Python environment."""

    def __init__(self) -> None:
        self._registrations: dict[str, tuple[Registration, ...]] = {}

    def installed(self) -> tuple[InstalledPlugin, ...]:
        """Every installed plugin, by name; imports none of them."""
        points = importlib.metadata.entry_points(group=PROJECT)
        return tuple(sorted(map(_installed, points), key=lambda plugin: (plugin.name, plugin.distribution)))

    def select(self, kind: type[R], name: str) -> R:
        """The registration of that kind and name; imports the plugin if need be.

        Raises:
            PluginNotFound, PluginAmbiguous, PluginIncompatible, PluginBroken: as their names say.
        """
        registrations = self.load(name)
        for registration in registrations:
            if isinstance(registration, kind):
                return registration
        provided = " and ".join(f"a {registration.kind}" for registration in registrations) or "nothing"
        raise PluginNotFound(f"the plugin {name!r} has no {kind.kind}; it provides {provided}")

    def load(self, name: str) -> tuple[Registration, ...]:
        """All that the plugin `name` provides, at most one registration a kind.

        Raises:
            PluginError: as for `select`.
        """
        if name not in self._registrations:
            self._registrations[name] = _registrations(self._find(name))
        return self._registrations[name]

    def _find(self, name: str) -> InstalledPlugin:
        installed = self.installed()
        found = [plugin for plugin in installed if plugin.name == name]
        if not found:
            raise PluginNotFound(_not_found(name, installed))
        if len(found) > 1:
            owners = [f"{plugin.distribution} {plugin.version}" for plugin in found]
            raise PluginAmbiguous(
                f"two distributions provide a plugin {name!r}: {' and '.join(owners)}; "
                f"remove one: pip uninstall {found[-1].distribution}"
            )
        _check_version(found[0])
        return found[0]


def _installed(point: importlib.metadata.EntryPoint) -> InstalledPlugin:
    # Metadata that somebody wrote by hand may lack its name or version; listing must survive that.
    metadata = dict(point.dist.metadata.items()) if point.dist else {}  # type: ignore[attr-defined]
    name = metadata.get("Name") or "an unnamed distribution"
    return InstalledPlugin(point.name, point.value, name, metadata.get("Version", ""), point)


def _not_found(name: str, installed: Iterable[InstalledPlugin]) -> str:
    distributions = installable()
    if name in distributions:
        return f"the plugin {name!r} is not installed; install it: pip install '{PROJECT}[{name}]'"
    names = sorted({plugin.name for plugin in installed})
    hint = nearest(name, [*names, *distributions])
    return f"no plugin is named {name!r}{hint or ';'} installed: {', '.join(names) or 'none'} (see dnslb plugins)"


def installable() -> tuple[str, ...]:
    """The names of the plugins that have an extra of their own: `pip install 'dnslb[NAME]'`."""
    requirements = importlib.metadata.requires(PROJECT) or []
    names = {Requirement(text).name.removeprefix(f"{PROJECT}-") for text in requirements if "extra ==" in text}
    extras = importlib.metadata.metadata(PROJECT).get_all("Provides-Extra") or []
    return tuple(sorted(names & set(extras)))


def _check_version(plugin: InstalledPlugin) -> None:
    dist = plugin.entry_point.dist
    for text in (dist.requires if dist else None) or []:
        try:
            requirement = Requirement(text)
        except InvalidRequirement as error:
            raise PluginBroken(f"the plugin {plugin} has metadata that cannot be read: {error}") from error
        if canonicalize_name(requirement.name) != PROJECT or (
            requirement.marker and not requirement.marker.evaluate({"extra": ""})
        ):
            continue
        if not requirement.specifier.contains(__version__, prereleases=True):
            raise PluginIncompatible(
                f"the plugin {plugin} is for {PROJECT}{requirement.specifier}, and this is {PROJECT} {__version__}; "
                f"mend it: pip install --upgrade {PROJECT} {plugin.distribution}"
            )


def _registrations(plugin: InstalledPlugin) -> tuple[Registration, ...]:
    made = _yielded(plugin)
    for registration in made:
        _check(plugin, registration)
    named = tuple(registration for registration in made if registration.name == plugin.name)
    if not named:
        others = ", ".join(sorted({repr(registration.name) for registration in made})) or "none at all"
        raise _broken(plugin, f"yields no registration of that name, but {others}")
    return named


def _yielded(plugin: InstalledPlugin) -> list[Registration]:
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(hookspecs)
    try:
        manager.register(plugin.entry_point.load(), plugin.name)
        manager.check_pending()
        return [made for kind in KINDS for results in getattr(manager.hook, kind.hook)() for made in results]
    except Exception as error:
        raise _broken(plugin, f"does not load: {type(error).__name__}: {error}") from error


def _check(plugin: InstalledPlugin, registration: object) -> None:
    if not isinstance(registration, Registration):
        raise _broken(plugin, f"yields {registration!r}, which is no registration")
    try:
        describe(registration.options)
    except TypeError as error:
        raise _broken(plugin, f"has options that cannot be used: {error}") from error


def _broken(plugin: InstalledPlugin, what: str) -> PluginError:
    return PluginBroken(f"the plugin {plugin} {what}; mend it: pip install --force-reinstall {plugin.distribution}")
