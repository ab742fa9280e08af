"""Plugins are found by entry point, and only those that are selected are imported. See rule 3 of the architecture."""

import importlib.metadata
import subprocess
import sys
import textwrap

import pytest

from dnslb import (
    DestroyerType,
    PluginAmbiguous,
    PluginBroken,
    PluginError,
    PluginIncompatible,
    PluginNotFound,
    ProbeType,
    RecordManagerType,
    RegionFilterType,
    Service,
    Unavailable,
)
from dnslb.registry import Registry, installable, make

from distributions import site_in

SERVICE = Service("www.example.test", 443)

PROBE = """
    from dnslb import ProbeType, hookimpl

    class Probe:
        async def check(self, targets, timeout):
            return []

    @hookimpl
    def dnslb_probes():
        yield ProbeType(name={name!r}, summary="for a test", factory=lambda options, service: Probe())
"""


@pytest.fixture
def site(tmp_path):
    with site_in(tmp_path) as site:
        yield site


def probe(name):
    return PROBE.format(name=name)


def refused(error, name, kind=ProbeType):
    """The message with which selecting the plugin fails: one line."""
    with pytest.raises(error) as caught:
        Registry().select(kind, name)
    message = str(caught.value)
    assert message == message.strip()
    assert "\n" not in message
    return message


def test_a_plugin_is_found_by_its_entry_point_and_imported_when_it_is_selected(site):
    site.plugin("redis", probe("redis"))
    assert "redis" in {plugin.name for plugin in Registry().installed()}
    assert site.imported() == set()
    assert Registry().select(ProbeType, "redis").summary == "for a test"
    assert site.imported() == {"acme_redis"}


def test_a_plugin_that_is_selected_again_is_not_made_again(site):
    site.plugin("redis", probe("redis"))
    registry = Registry()
    assert registry.select(ProbeType, "redis") is registry.select(ProbeType, "redis")


def test_one_module_may_provide_several_kinds_under_one_name(site):
    site.plugin(
        "cloud",
        """
        from dnslb import DestroyerType, RegionFilterType, hookimpl

        @hookimpl
        def dnslb_region_filters():
            yield RegionFilterType(name="cloud", summary="regions", factory=print)

        @hookimpl
        def dnslb_destroyers():
            yield DestroyerType(name="cloud", summary="destroys", factory=print)
        """,
    )
    registry = Registry()
    assert registry.select(RegionFilterType, "cloud").summary == "regions"
    assert registry.select(DestroyerType, "cloud").summary == "destroys"


def test_one_module_may_stand_behind_several_names_of_which_each_gets_its_own(site):
    site.module(
        "acme_pair",
        """
        from dnslb import ProbeType, hookimpl

        @hookimpl
        def dnslb_probes():
            yield ProbeType(name="left", summary="", factory=print)
            yield ProbeType(name="right", summary="", factory=print)
        """,
    )
    site.distribution("acme-pair", {"left": "acme_pair", "right": "acme_pair"})
    assert [made.name for made in Registry().load("left")] == ["left"]


# -- what is not there -------------------------------------------------------------------------------------


def test_an_unknown_name_is_answered_with_the_nearest_one_and_what_is_installed(site):
    site.plugin("redis", probe("redis"))
    message = refused(PluginNotFound, "rediss")
    assert message.startswith("no plugin is named 'rediss'; did you mean 'redis'? installed: ")
    assert "local, redis, " in message
    assert message.endswith("(see dnslb plugins)")


def test_a_name_like_no_other_is_answered_with_what_is_installed(site):
    said = refused(PluginNotFound, "xyzzy")
    assert said.startswith("no plugin is named 'xyzzy'; installed: ")
    assert " exec, http, " in said


@pytest.fixture
def with_extra(site):
    """A dnslb with the extra `cloudy`, whose distribution is not installed; its own plugins are as they are."""
    own = "".join(
        f"{point.name} = {point.value}\n"
        for point in importlib.metadata.distribution("dnslb").entry_points.select(group="dnslb")
    )
    requires = ['dnslb-cloudy~=0.1.0 ; extra == "cloudy"', 'pytest>=8 ; extra == "testing"']
    site.distribution("dnslb", f"[dnslb]\n{own}", requires=["pluggy>=1.5", *requires], extras=["cloudy", "testing"])
    return site


def test_a_plugin_with_an_extra_of_its_own_is_answered_with_the_command_that_installs_it(with_extra):
    message = refused(PluginNotFound, "cloudy", RecordManagerType)
    assert message == "the plugin 'cloudy' is not installed; install it: pip install 'dnslb[cloudy]'"


def test_what_could_be_installed_is_a_near_name_too(with_extra):
    assert "did you mean 'cloudy'?" in refused(PluginNotFound, "clouddy")


def test_only_extras_that_bring_a_plugin_can_be_installed_as_one(with_extra):
    assert installable() == ("cloudy",)


def test_the_extras_of_this_distribution_name_its_plugins():
    assert "rfc2136" in installable()
    assert not {"all", "testing"} & set(installable())


def test_a_plugin_of_another_kind_is_answered_with_what_it_provides(site):
    site.plugin("redis", probe("redis"))
    message = refused(PluginNotFound, "redis", RecordManagerType)
    assert message == "the plugin 'redis' has no record manager; it provides a probe (see dnslb plugins redis)"


# -- what does not import ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import acme_sdk_of_nobody", "ModuleNotFoundError: No module named 'acme_sdk_of_nobody'"),
        ("from dnslb import no_such_thing", "ImportError: cannot import name 'no_such_thing'"),
        ("def broken(:", "SyntaxError: invalid syntax"),
        ("raise RuntimeError('first line\\nsecond line')", "RuntimeError: first line second line"),
        ("raise SystemExit('the licence has expired')", "SystemExit: the licence has expired"),
        ("import sys; sys.exit()", "SystemExit"),
    ],
)
def test_a_selected_plugin_that_does_not_import_stops_the_start_with_its_cause(site, source, found):
    site.plugin("redis", source)
    message = refused(PluginBroken, "redis")
    assert message.startswith(f"the plugin 'redis' of acme-redis 1.2.3 does not load: {found}")


@pytest.mark.parametrize("source", ["import acme_sdk_of_nobody", "from dnslb import no_such_thing"])
def test_what_may_be_missing_is_answered_with_the_command_that_installs_it_again(site, source):
    site.plugin("redis", source)
    assert refused(PluginBroken, "redis").endswith("; mend it: pip install --force-reinstall acme-redis")


@pytest.mark.parametrize("source", ["def broken(:", "raise RuntimeError('a mistake')", "raise SystemExit(1)"])
def test_a_mistake_that_would_come_back_is_for_the_authors(site, source):
    site.plugin("redis", source)
    assert refused(PluginBroken, "redis").endswith("; report it to the authors of acme-redis")


def test_the_cause_is_chained(site):
    site.plugin("redis", "import acme_sdk_of_nobody")
    with pytest.raises(PluginBroken) as caught:
        Registry().select(ProbeType, "redis")
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)


@pytest.mark.parametrize("value", ["acme_gone", "acme_redis:gone", "acme redis(", ""])
def test_an_entry_point_that_leads_nowhere_is_a_broken_plugin(site, value):
    site.module("acme_redis", probe("redis"))
    site.distribution("acme-redis", {"redis": value})
    assert "does not load" in refused(PluginBroken, "redis")


# -- what does not keep the contract -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("@hookimpl\ndef dnslb_proves(): return []", "there is no hook 'dnslb_proves'; did you mean 'dnslb_probes'?"),
        ("@hookimpl\ndef dnslb_probes(config): return []", "PluginValidationError: "),
        ("@hookimpl\ndef dnslb_probes(): return 42", "TypeError: 'int' object is not iterable"),
        ("@hookimpl\ndef dnslb_probes(): raise OSError('no disk')", "OSError: no disk"),
        ("@hookimpl\ndef dnslb_probes():\n    yield from ()\n    raise OSError('no disk')", "OSError: no disk"),
        ("@hookimpl\ndef dnslb_probes(): raise SystemExit(3)", "SystemExit: 3"),
        ("@hookimpl\ndef dnslb_probes(): yield 42", "yields 42, which is no registration"),
        ("@hookimpl\ndef dnslb_probes(): yield ProbeType", "which is no registration"),
        ("@hookimpl\ndef dnslb_probes(): yield ProbeType()", "TypeError: "),
        ("@hookimpl\ndef dnslb_probes(): yield a('other')", "yields no registration of that name, but 'other'"),
        ("@hookimpl\ndef dnslb_probes(): return []", "yields no registration of that name, but none at all"),
        ("def dnslb_probes(): yield a('redis')", "yields no registration of that name, but none at all"),
        ("@hookimpl\ndef dnslb_probes(): return [a('redis')] * 2", "yields 2 registrations of the kind probe"),
    ],
)
def test_a_selected_plugin_whose_hooks_are_wrong_stops_the_start(site, source, found):
    made = "def a(name): return ProbeType(name=name, summary='', factory=print)"
    site.plugin("redis", f"from dnslb import ProbeType, hookimpl\n{made}\n{source}")
    message = refused(PluginBroken, "redis")
    assert message.startswith("the plugin 'redis' of acme-redis 1.2.3 ")
    assert found in message
    assert message.endswith("; report it to the authors of acme-redis")


def test_a_hook_that_is_marked_optional_may_be_one_of_another_version_of_dnslb(site):
    hook = "@hookimpl(optionalhook=True)\ndef dnslb_of_tomorrow(): return []"
    site.plugin("redis", f"{textwrap.dedent(probe('redis'))}\n{hook}")
    assert Registry().select(ProbeType, "redis").name == "redis"


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ("class Options: pass", "is not a dataclass"),
        ("Options = dict", "is not a dataclass"),
        (
            "@dataclass\nclass Options:\n    weight: complex = option(0j, help='')",
            "cannot be of type <class 'complex'>",
        ),
        ("@dataclass\nclass Options:\n    names: list[str] = option(help='')", "cannot be of type list[str]"),
        (
            "@dataclass\nclass Options:\n    pair: tuple[int, int] = option(help='')",
            "cannot be of type tuple[int, int]",
        ),
        ("@dataclass\nclass Options:\n    either: int | str = option(help='')", "cannot be of type int | str"),
        ("@dataclass\nclass Options:\n    table: 'dict' = option(help='')", "cannot be of type <class 'dict'>"),
        ("@dataclass\nclass Options:\n    name: 'Nowhere' = option(help='')", "name 'Nowhere' is not defined"),
    ],
)
def test_options_that_cannot_be_described_stop_the_start(site, options, found):
    head = "from dataclasses import dataclass\nfrom dnslb import ProbeType, hookimpl, option\n"
    hook = (
        "@hookimpl\ndef dnslb_probes():\n    yield ProbeType(name='redis', summary='', options=Options, factory=print)"
    )
    site.plugin("redis", f"{head}{options}\n{hook}")
    message = refused(PluginBroken, "redis")
    assert "has options that cannot be used: " in message
    assert found in message


# -- two of one name, and versions -------------------------------------------------------------------------


def test_two_distributions_with_a_plugin_of_one_name_are_both_named(site):
    site.plugin("redis", probe("redis"))
    site.distribution("other-redis", {"redis": "other_redis"}, version="7")
    message = refused(PluginAmbiguous, "redis")
    assert message == (
        "several distributions provide a plugin 'redis': acme-redis 1.2.3 and other-redis 7; "
        "keep one: pip uninstall other-redis"
    )
    assert site.imported() == set()


@pytest.mark.parametrize("name", ["acme-tcp", "zeta-tcp"])
def test_who_takes_a_name_of_dnslb_itself_is_the_one_to_be_removed(site, name):
    site.distribution(name, {"tcp": "acme_tcp"})
    assert refused(PluginAmbiguous, "tcp").endswith(f"; keep one: pip uninstall {name}")


def test_of_two_versions_of_one_distribution_the_first_on_the_path_counts_as_for_python_itself(site, tmp_path):
    site.module("acme_redis", probe("redis"))
    site.distribution("Acme.Redis", {"redis": "acme_redis"}, version="2")
    with site_in(tmp_path / "site-packages") as newer:
        newer.distribution("acme-redis", {"redis": "acme_redis"}, version="3")
        assert [plugin.version for plugin in Registry().installed() if plugin.name == "redis"] == ["3"]
        assert Registry().select(ProbeType, "redis").name == "redis"


@pytest.mark.parametrize("requirement", ["dnslb~=9.0", "DNSlb~=9.0", "dnslb[testing]~=9.0", "dnslb<0.0.1"])
def test_a_plugin_for_another_version_of_dnslb_is_not_even_imported(site, requirement):
    site.plugin("redis", probe("redis"), requires=["pluggy", requirement])
    message = refused(PluginIncompatible, "redis")
    asked = requirement.partition("]")[2] or requirement[len("dnslb") :]
    assert message.startswith(f"the plugin 'redis' of acme-redis 1.2.3 is for dnslb{asked}, and this is dnslb ")
    assert message.endswith("; mend it: pip install --upgrade dnslb acme-redis")
    assert site.imported() == set()


@pytest.mark.parametrize(
    "requires",
    [
        (),
        ["dnslb"],
        ["dnslb>=0.0.1"],
        ['dnslb~=9.0; python_version < "3"'],
        ['dnslb~=9.0; extra == "next"'],
        ["dnslb-x~=9.0"],
    ],
)
def test_what_a_plugin_does_not_ask_for_does_not_stop_it(site, requires):
    site.plugin("redis", probe("redis"), requires=requires)
    assert Registry().select(ProbeType, "redis").name == "redis"


def test_requirements_that_cannot_be_read_stop_a_selected_plugin(site):
    site.plugin("redis", probe("redis"), requires=["dnslb ==== 1"])
    message = refused(PluginBroken, "redis")
    assert "the plugin 'redis' of acme-redis 1.2.3 has metadata that cannot be read: " in message


# -- what nobody selected ----------------------------------------------------------------------------------


def test_a_broken_plugin_that_nobody_selected_is_never_imported(site):
    site.plugin("redis", probe("redis"))
    site.plugin("broken", "raise SystemExit('broken')")
    registry = Registry()
    assert {"redis", "broken"} <= {plugin.name for plugin in registry.installed()}
    assert registry.select(ProbeType, "redis")
    refused(PluginNotFound, "brokem")
    assert site.imported() == {"acme_redis"}


def test_a_hostile_plugin_that_nobody_selected_is_never_imported(site, tmp_path):
    # In a process of its own: nothing that was imported before can hide it.
    trace = tmp_path / "trace"
    site.plugin("redis", probe("redis"))
    site.plugin("hostile", f"open({str(trace)!r}, 'w').close(); import os; os._exit(99)")
    script = "from dnslb.registry import *; from dnslb import ProbeType; r = Registry(); r.installed(); "
    script += "print(r.select(ProbeType, 'redis').name)"
    command = [sys.executable, "-c", script]
    environment = {"PYTHONPATH": str(site.folder)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("redis\n", "", 0)
    assert not trace.exists()


@pytest.mark.parametrize(
    "damage",
    [
        lambda info: (info / "METADATA").unlink(),
        lambda info: (info / "METADATA").write_text("Metadata-Version: 2.3\n"),
        lambda info: (info / "METADATA").write_bytes(b"\xff\xfe\x00"),
        lambda info: (info / "entry_points.txt").unlink(),
        lambda info: (info / "entry_points.txt").write_text("[dnslb]\nno equals sign\n"),
        lambda info: (info / "entry_points.txt").write_bytes(b"[dnslb]\nx = \xff\n"),
    ],
)
def test_damaged_metadata_of_one_distribution_does_not_hide_the_others(site, damage):
    damage(site.distribution("acme-damaged", {"damaged": "acme_damaged"}))
    importlib.invalidate_caches()
    site.plugin("redis", probe("redis"))
    assert {"redis", "local"} <= {plugin.name for plugin in Registry().installed()}
    assert Registry().select(ProbeType, "redis").name == "redis"


def test_a_distribution_without_name_and_version_is_listed_and_can_be_selected(site):
    site.module("acme_redis", probe("redis"))
    site.distribution(None, {"redis": "acme_redis"}, version=None, requires=())
    (plugin,) = [plugin for plugin in Registry().installed() if plugin.name == "redis"]
    assert (plugin.distribution, plugin.version) == ("an unnamed distribution", "")
    assert Registry().select(ProbeType, "redis").name == "redis"


# -- the factory -------------------------------------------------------------------------------------------


def selected(site, factory):
    """The registration of a plugin whose factory has this body."""
    source = "from dnslb import ProbeType, Unavailable, hookimpl\n\n"
    source += f"def factory(options, service):\n    {factory}\n\n"
    source += "@hookimpl\ndef dnslb_probes():\n    yield ProbeType(name='redis', summary='', factory=factory)\n"
    site.plugin("redis", source)
    return Registry().select(ProbeType, "redis")


def test_the_factory_is_called_only_when_the_object_is_asked_for(site):
    registration = selected(site, "raise Unavailable('called')")
    with pytest.raises(Unavailable, match="called"):
        make(registration, None, SERVICE)


@pytest.mark.parametrize(
    ("factory", "found"),
    [
        ("import acme_sdk_of_nobody", "cannot be made: ModuleNotFoundError: No module named 'acme_sdk_of_nobody'"),
        ("raise ValueError('one\\ntwo')", "cannot be made: ValueError: one two"),
        ("raise SystemExit(1)", "cannot be made: SystemExit: 1"),
        ("return None", "makes a NoneType, which is no Probe"),
        ("return service", "makes a Service, which is no Probe"),
    ],
)
def test_a_factory_that_fails_in_its_own_way_is_a_broken_plugin(site, factory, found):
    registration = selected(site, factory)
    with pytest.raises(PluginBroken) as caught:
        make(registration, None, SERVICE)
    mend = "mend it: pip install --force-reinstall" if "ModuleNotFound" in found else "report it to the authors of"
    assert str(caught.value) == f"the probe 'redis' {found}; {mend} acme-redis"


def test_a_registration_of_a_program_has_no_distribution_to_install_again():
    with pytest.raises(PluginError, match="it is not of an installed distribution"):
        make(ProbeType(name="mine", summary="", factory=lambda options, service: None), None, SERVICE)
