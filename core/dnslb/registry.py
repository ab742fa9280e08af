"""Finds plugins by entry point, and imports only those that a configuration names.

An entry point of the group `dnslb` gives a plugin its name and the module that holds its hook implementations.
Listing what is installed reads metadata only. A broken plugin that nobody selected therefore does no harm; a broken
one that is selected stops the start with one line.
"""

from __future__ import annotations

import importlib.metadata
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import pluggy
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from dnslb import hookspecs
from dnslb._version import __version__
from dnslb.errors import DnslbError, PluginAmbiguous, PluginBroken, PluginError, PluginIncompatible, PluginNotFound
from dnslb.hookspecs import (
    KINDS,
    PROJECT,
    AddressSourceType,
    DestroyerType,
    ProbeType,
    RecordManagerType,
    RegionFilterType,
    Registration,
)
from dnslb.interfaces import AddressSource, Destroyer, Probe, RecordManager, RegionFilter, Service
from dnslb.options import describe, nearest
from dnslb.text import one_line

R = TypeVar("R", bound=Registration)

_INTERFACES: dict[type[Registration], type] = {
    RecordManagerType: RecordManager,
    RegionFilterType: RegionFilter,
    DestroyerType: Destroyer,
    ProbeType: Probe,
    AddressSourceType: AddressSource,
}


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
        return tuple(sorted(_entry_points(), key=lambda plugin: (plugin.name, plugin.distribution)))

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
        raise PluginNotFound(
            f"the plugin {name!r} has no {kind.kind}; it provides {provided} (see {PROJECT} plugins {name})"
        )

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
            others = [plugin.distribution for plugin in found if plugin.distribution != PROJECT]
            raise PluginAmbiguous(
                f"several distributions provide a plugin {name!r}: {' and '.join(owners)}; "
                f"keep one: pip uninstall {others[-1] if others else PROJECT}"
            )
        _check_version(found[0])
        return found[0]


def _entry_points() -> Iterator[InstalledPlugin]:
    """Those of the group, of every distribution that Python sees: of two of one name, the first on its path.

    Metadata that somebody wrote by hand, or half a disk, may lack anything; who did not ask for it must not suffer.
    """
    seen: set[str] = set()
    for dist in importlib.metadata.distributions():
        try:
            metadata = dict(dist.metadata.items())  # type: ignore[attr-defined]
            points = tuple(dist.entry_points.select(group=PROJECT))
        except Exception:  # noqa: BLE001, S112 - whatever a parser of broken metadata raises
            continue
        name = metadata.get("Name") or "an unnamed distribution"
        if "Name" in metadata and canonicalize_name(name) in seen:
            continue
        seen.add(canonicalize_name(name))
        for point in points:
            yield InstalledPlugin(point.name, point.value, name, metadata.get("Version", ""), point)


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
            raise _broken(plugin, f"has metadata that cannot be read: {one_line(error)}", error) from error
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
    for kind, times in Counter(registration.kind for registration in named).items():
        if times > 1:
            raise _broken(plugin, f"yields {times} registrations of the kind {kind}, where one is allowed")
    return named


def _yielded(plugin: InstalledPlugin) -> list[Registration]:
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(hookspecs)
    try:
        module = plugin.entry_point.load()
        manager.register(module, plugin.name)
        _refuse_unknown_hooks(manager, module)
        return [made for kind in KINDS for results in getattr(manager.hook, kind.hook)() for made in results]
    except (Exception, SystemExit) as error:
        raise _broken(plugin, f"does not load: {type(error).__name__}: {one_line(error)}", error) from error


def _refuse_unknown_hooks(manager: pluggy.PluginManager, module: Any) -> None:
    """As `manager.check_pending()`, and names the hook that was probably meant."""
    for caller in manager.get_hookcallers(module) or []:
        if not caller.has_spec() and not all(made.optionalhook for made in caller.get_hookimpls()):
            hint = nearest(caller.name, [kind.hook for kind in KINDS])
            raise pluggy.PluginValidationError(module, f"there is no hook {caller.name!r}{hint}")


def _check(plugin: InstalledPlugin, registration: object) -> None:
    if not isinstance(registration, Registration):
        raise _broken(plugin, f"yields {registration!r}, which is no registration")
    try:
        describe(registration.options)
    except Exception as error:  # annotations are code, which may raise anything
        raise _broken(plugin, f"has options that cannot be used: {one_line(error)}") from error


def make(registration: Registration, options: object, service: Service) -> Any:
    """The object behind a registration.

    Raises:
        DnslbError: as the factory does, on purpose.
        PluginBroken: the factory raises anything else, or what it makes does not keep the contract.
    """
    what = f"{registration.kind} {registration.name!r}"
    try:
        made = registration.factory(options, service)
    except DnslbError:
        raise
    except (Exception, SystemExit) as error:
        raise PluginBroken(
            f"the {what} cannot be made: {type(error).__name__}: {one_line(error)}; {_mend(registration.name, error)}"
        ) from error
    interface = next(interface for kind, interface in _INTERFACES.items() if isinstance(registration, kind))
    if not isinstance(made, interface):
        raise PluginBroken(
            f"the {what} makes a {type(made).__name__}, which is no {interface.__name__}; {_mend(registration.name)}"
        )
    return made


def _mend(name: str, cause: BaseException | None = None) -> str:
    """The next step; a registration that a program put together belongs to no distribution."""
    owners = [plugin.distribution for plugin in _entry_points() if plugin.name == name]
    return _next_step(owners[0], cause) if owners else "it is not of an installed distribution"


def _broken(plugin: InstalledPlugin, what: str, cause: BaseException | None = None) -> PluginError:
    return PluginBroken(f"the plugin {plugin} {what}; {_next_step(plugin.distribution, cause)}")


def _next_step(distribution: str, cause: BaseException | None) -> str:
    """Installing again brings back what is missing or damaged; what its authors wrote, it leaves as it is."""
    if isinstance(cause, ImportError | InvalidRequirement):
        return f"mend it: pip install --force-reinstall {distribution}"
    return f"report it to the authors of {distribution}"
