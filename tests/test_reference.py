"""The reference is the code's: signatures, tables of options, commands, and the classes of the kit."""

import argparse
import dataclasses
import importlib
import inspect
import re
import typing
from pathlib import Path

import pytest

import dnslb
from dnslb import Config, ConfigurationError, DnslbError, NoOptions, RecordManagerType, hookspecs, testing
from dnslb.cli import COMMANDS
from dnslb.forms import form_of
from dnslb.hookspecs import KINDS, Registration
from dnslb.options import describe
from dnslb.reference import FLAT_KEYS
from dnslb.registry import Registry
from dnslb.settings import PLUGIN_KEYS, ServiceOptions

from pages import DOCS, all_pages, blocks, headings, known, rows, section

REFERENCE = DOCS / "reference"
HOOKS = REFERENCE / "hooks"

# -- hooks ---------------------------------------------------------------------------------------------------


def signature(hook: str) -> str:
    """As a heading has it: `dnslb_probes() -> Iterable[ProbeType]`."""
    return hook + str(inspect.signature(getattr(hookspecs, hook))).replace("'", "")


def test_every_hook_has_a_page_and_every_page_a_hook():
    specified = {name for name in vars(hookspecs) if name.startswith("dnslb_")}
    assert specified == {kind.hook for kind in KINDS}
    assert {page.stem for page in HOOKS.glob("dnslb_*.md")} == specified


@pytest.mark.parametrize("hook", [kind.hook for kind in KINDS])
def test_the_heading_of_a_hooks_page_is_its_signature(hook):
    assert (HOOKS / f"{hook}.md").read_text(encoding="utf-8").splitlines()[0] == f"# {signature(hook)}"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.hook)
def test_a_hooks_page_names_the_methods_of_its_protocol(kind):
    protocol = typing.get_args(typing.get_type_hints(kind)["factory"])[-1]
    methods = [name for name, value in vars(protocol).items() if inspect.isfunction(value) and name[0] != "_"]
    text = (HOOKS / f"{kind.hook}.md").read_text(encoding="utf-8")
    for method in methods:
        spelled = str(inspect.signature(getattr(protocol, method))).replace("'", "").replace("(self, ", "(")
        assert f"{method}{spelled.replace('(self)', '()')}`" in text


def test_the_fields_of_a_registration_are_those_in_the_table():
    fields = {field.name for kind in (Registration, RecordManagerType) for field in dataclasses.fields(kind)}
    assert set(known(rows(section(HOOKS / "index.md", "The registration")))) == fields
    assert Registration.__dataclass_fields__["options"].default is NoOptions


def test_the_capabilities_are_those_in_the_table():
    documented = known(rows(section(HOOKS / "dnslb_record_managers.md", "Capabilities")))
    fields = dataclasses.fields(dnslb.Capabilities)
    assert {name: cells[0] for name, cells in documented.items()} == {item.name: str(item.default) for item in fields}


def test_the_types_of_options_in_the_table_are_understood():
    documented = known(rows(section(HOOKS / "index.md", "Options")))
    names = {"X": str, "Path": Path, "Literal": typing.Literal, "Annotated": typing.Annotated, **vars(dnslb)}
    for written in documented:
        assert form_of(eval(written.split("`")[0], names)).noun
    exported = {"Count", "Port", "Seconds", "DomainName", "Address", "Secret"}
    assert exported <= set(documented)


def test_every_error_is_in_the_text_on_errors():
    def below(error):
        return {error.__name__} | {name for child in error.__subclasses__() for name in below(child)}

    text = section(HOOKS / "index.md", "Errors")
    public = {name for name in below(DnslbError) if name in dnslb.__all__}
    assert {name for name in public if f"`{name}`" not in text} == set()


def test_every_public_name_is_explained_on_some_page():
    text = "\n".join(page.read_text(encoding="utf-8") for page in all_pages())
    words = set(re.findall(r"\w+", text))
    assert {name for name in dnslb.__all__ if name not in words and name != "__version__"} == set()


# -- configuration -------------------------------------------------------------------------------------------


def option_rows(options: type) -> list[list[str]]:
    return [[f"`{info.name}`", info.default or "required", info.form.noun, info.help] for info in describe(options)]


def test_the_keys_of_a_service_are_those_in_the_table():
    assert rows(section(REFERENCE / "configuration.md", "Keys of a service")) == option_rows(ServiceOptions)


def test_the_keys_that_select_plugins_are_those_in_the_table():
    documented = known(rows(section(REFERENCE / "configuration.md", "Keys that select a plugin")))
    assert {key: cells[0] for key, cells in documented.items()} == {key: kind.kind for key, kind in PLUGIN_KEYS.items()}


def builtin() -> list[Registration]:
    registry = Registry()
    names = [plugin.name for plugin in registry.installed() if plugin.distribution == "dnslb"]
    return [registration for name in names for registration in registry.load(name)]


def test_every_builtin_plugin_has_its_section_and_every_section_its_plugin():
    sections = set(headings(REFERENCE / "builtin-plugins.md")[1:])
    assert sections == {f"{made.kind} {made.name}" for made in builtin()}


@pytest.mark.parametrize("registration", builtin(), ids=lambda made: f"{made.kind} {made.name}")
def test_the_options_of_a_builtin_plugin_are_those_in_its_table(registration):
    text = section(REFERENCE / "builtin-plugins.md", f"{registration.kind} {registration.name}")
    expected = option_rows(registration.options)
    assert rows(text)[: len(expected)] == expected
    capabilities = rows(text)[len(expected) :]
    if isinstance(registration, RecordManagerType):
        declared = dataclasses.asdict(registration.capabilities)
        assert capabilities == [[f"`{name}`", str(value)] for name, value in declared.items()]
    else:
        assert capabilities == []


def test_every_key_of_the_go_package_is_in_the_table():
    documented = rows(section(REFERENCE / "configuration.md", "A file of the Go package"))
    keys = {key for cells in documented for key in re.findall(r"`(\w+)`", cells[0])}
    shared = {"fqdn", "tcp_port", "check_interval", "minimum_failures", "maximum_failures", "do_tls"}
    assert keys == shared | {"all_regions", "preserve"} | set(FLAT_KEYS)


# -- commands ------------------------------------------------------------------------------------------------


def section_of(command: str) -> str:
    [heading] = [heading for heading in headings(REFERENCE / "cli.md") if re.match(rf"dnslb {command}( |$)", heading)]
    return section(REFERENCE / "cli.md", heading)


def test_every_command_has_its_section_and_every_section_its_command():
    found = re.findall(r"^dnslb (\S+)", "\n".join(headings(REFERENCE / "cli.md")), re.MULTILINE)
    assert sorted(found) == sorted(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_arguments_of_a_command_are_those_in_its_table(command):
    parser = argparse.ArgumentParser(add_help=False)
    importlib.import_module(f"dnslb.cli.{command.replace('-', '_')}").declare(parser)
    declared = {
        ", ".join(action.option_strings) or action.metavar: "required; " if action.required else ""
        for action in parser._actions
    }
    documented = [cells[0].replace("`", "") for cells in rows(section_of(command))]
    assert sorted(documented) == sorted(declared)


def test_the_lines_that_a_check_prints_are_shown_as_they_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    wrong = "fqdn: www.example.com\ntcp_port: 70000\nchek_interval: 15s\nrecord_manager: {plugin: lokal}\n"
    Path("dnslb.yml").write_text(wrong, encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        Config.load("dnslb.yml")
    [shown] = [block.text for block in blocks(REFERENCE / "cli.md", "text")]
    installed = re.compile(r"installed: [^()]* \(")
    said = "".join(f"dnslb: {problem}\n" for problem in sorted(caught.value.problems, key=lambda item: item.line))
    assert installed.sub("", said) == installed.sub("", shown)


# -- the kit -------------------------------------------------------------------------------------------------


def test_every_name_of_the_kit_is_on_its_page():
    words = set(re.findall(r"\w+", (REFERENCE / "testing.md").read_text(encoding="utf-8")))
    assert set(testing.__all__) <= words


def settings_of(kit: type) -> set[str]:
    """What a subclass may set: the annotated class variables."""
    return {name for base in kit.__mro__ for name in inspect.get_annotations(base)}


KITS = [name for name in testing.__all__ if name.endswith("Conformance")]


@pytest.mark.parametrize("name", KITS)
def test_the_settings_of_a_kit_and_the_fields_of_its_fixture_are_those_in_the_tables(name):
    kit = getattr(testing, name)
    text = section(REFERENCE / "testing.md", name)
    documented = known(rows(text))
    fixture = re.search(r"The fixture `\w+` returns an? `(\w+)`", text)
    fields = dataclasses.fields(getattr(testing, fixture[1])) if fixture else ()
    assert set(documented) == settings_of(kit) | {field.name for field in fields}
    for setting in settings_of(kit):
        default = getattr(kit, setting, "required")
        assert documented[setting][0].strip("`") == str(default) or (setting, default) == ("capabilities", "required")
    for field in fields:
        assert (documented[field.name][0] == "required") is (field.default is dataclasses.MISSING)


def test_every_mode_of_the_proxy_is_in_the_table():
    documented = [cells[0].strip("`") for cells in rows(section(REFERENCE / "testing.md", "Fakes"))]
    assert documented == [mode.name for mode in testing.Mode]


def test_every_verdict_is_on_the_page_of_probes():
    text = (HOOKS / "dnslb_probes.md").read_text(encoding="utf-8")
    assert all(f"`Verdict.{name}`" in text for name in dnslb.Verdict.__members__)
