"""The four rules of the house, as far as a program can check them; the order of the floors is import-linter's."""

import ast
import re
import tomllib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest

import dnslb

ROOT = Path(__file__).parents[1]
CORE = Path(dnslb.__file__).parent
WORKSPACE = tomllib.loads((ROOT / "pyproject.toml").read_text())
EXTRAS = {name: needed for name, needed in WORKSPACE["project"]["optional-dependencies"].items() if name != "testing"}
ALL = EXTRAS.pop("all")
FOLDERS = sorted(path.parent for path in ROOT.glob("plugins/*/pyproject.toml"))
PROJECTS = {folder: tomllib.loads((folder / "pyproject.toml").read_text())["project"] for folder in FOLDERS}
# What has no entry point is a library, which plugins share and no extra names.
PLUGINS = [folder for folder, project in PROJECTS.items() if "entry-points" in project]
FITTING = dnslb.__version__.rsplit(".", 1)[0] + ".0"
PLUGIN_SOURCES = sorted(ROOT.glob("plugins/*/src/**/*.py"))

# Nothing here can wait, log, read a clock, draw a random number or do I/O.
WHAT_THE_DECISION_MAY_IMPORT = {
    *(
        "__future__",
        "collections",
        "collections.abc",
        "dataclasses",
        "enum",
        "functools",
        "ipaddress",
        "itertools",
        "zlib",
    ),
    *("datetime", "math", "re", "typing", "dnslb.interfaces", "dnslb.records"),
}
DOORS = {"open", "print", "input", "eval", "exec", "__import__", "breakpoint"}

PUBLIC_MODULES = {"dnslb.txt", "dnslb.testing"}


def sources(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


def imports(source: Path) -> Iterator[tuple[str, str]]:
    """Each module that a file imports, with the name that it takes from there, if any."""
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.module or "", alias.name) for alias in node.names)


def is_public(module: str, name: str) -> bool:
    return module in PUBLIC_MODULES or (module == "dnslb" and name in dnslb.__all__)


def extra_of(plugin: Path) -> str:
    return plugin.name.removeprefix("dnslb-")


@pytest.mark.parametrize("source", sources(CORE / "decision"), ids=lambda path: path.name)
def test_the_decision_can_neither_wait_nor_log_nor_read_a_clock_nor_do_io(source):
    modules = {module for module, _ in imports(source) if not module.startswith("dnslb.decision")}
    assert modules <= WHAT_THE_DECISION_MAY_IMPORT
    names = {node.id for node in ast.walk(ast.parse(source.read_text())) if isinstance(node, ast.Name)}
    assert not names & DOORS


@pytest.mark.parametrize("source", PLUGIN_SOURCES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_plugin_imports_only_what_is_public(source):
    of_the_core = {(module, name) for module, name in imports(source) if module.split(".")[0] == "dnslb"}
    assert {pair for pair in of_the_core if not is_public(*pair)} == set()


def test_the_core_names_no_plugin():
    # In `reference` the names are the meaning of the reference's keys; it says so itself.
    word = re.compile(rf"\b(dnslb[-_])?({'|'.join(EXTRAS)})\b")
    named = [
        f"{source.relative_to(CORE)}: {line.strip()}"
        for source in sources(CORE)
        if source.name != "reference.py"
        for line in source.read_text().splitlines()
        if word.search(line)
    ]
    assert named == []


def test_every_plugin_distribution_has_its_extra():
    assert sorted(EXTRAS) == [extra_of(plugin) for plugin in PLUGINS]


def test_an_extra_installs_its_plugin_in_a_version_that_fits():
    assert {name: [f"dnslb-{name}~={FITTING}"] for name in EXTRAS} == EXTRAS
    assert sorted(chain.from_iterable(EXTRAS.values())) == sorted(ALL)


@pytest.mark.parametrize("folder", FOLDERS, ids=extra_of)
def test_a_distribution_is_called_as_its_folder_says(folder):
    module = folder.name.replace("-", "_")
    assert PROJECTS[folder]["name"] == folder.name
    assert (folder / "src" / module / "py.typed").exists()
    assert WORKSPACE["tool"]["uv"]["sources"][folder.name] == {"workspace": True}
    assert module in WORKSPACE["tool"]["ruff"]["lint"]["isort"]["known-first-party"]
    assert f"plugins/{folder.name}/src" in WORKSPACE["tool"]["mypy"]["mypy_path"]


@pytest.mark.parametrize("plugin", PLUGINS, ids=extra_of)
def test_the_entry_point_of_a_plugin_is_called_as_its_extra(plugin):
    assert PROJECTS[plugin]["entry-points"] == {"dnslb": {extra_of(plugin): plugin.name.replace("-", "_")}}


@pytest.mark.parametrize("folder", FOLDERS, ids=extra_of)
def test_a_distribution_depends_on_others_of_the_project_in_a_version_that_fits(folder):
    needed = {text for text in PROJECTS[folder]["dependencies"] if text.startswith("dnslb")}
    libraries = {each.name for each in FOLDERS if each not in PLUGINS}
    assert f"dnslb~={FITTING}" in needed
    assert needed - {f"dnslb~={FITTING}"} <= {f"{name}~={FITTING}" for name in libraries}


def test_a_library_is_shared_by_several_plugins():
    for library in set(FOLDERS) - set(PLUGINS):
        users = [plugin for plugin in PLUGINS if f"{library.name}~={FITTING}" in PROJECTS[plugin]["dependencies"]]
        assert len(users) > 1, library.name


def test_the_plugins_of_the_core_are_entry_points_too():
    declared = set(WORKSPACE["project"]["entry-points"]["dnslb"].values())
    modules = {f"dnslb.builtin.{source.stem}" for source in (CORE / "builtin").glob("[!_]*.py")}
    assert declared == modules
