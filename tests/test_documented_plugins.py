"""The plugins on the pages of the hooks, written into files as a reader would, are selected and pass the kit."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from dnslb.testing import NOT_APPLICABLE

from distributions import Site
from pages import DOCS, blocks, write_files

HOOKS = DOCS / "reference" / "hooks"
TESTS = Path(__file__).parent
EXAMPLES = {
    "etag": "dnslb_record_managers",
    "subnet": "dnslb_region_filters",
    "inventory": "dnslb_destroyers",
    "greeting": "dnslb_probes",
    "addressfile": "dnslb_address_sources",
}


class Example:
    """A plugin from the page of a hook, in a folder that Python imports from."""

    def __init__(self, folder: Path, name: str):
        self.folder = folder
        self.name = name
        self.page = HOOKS / f"{EXAMPLES[name]}.md"
        write_files(self.page, folder)
        Site(folder / "src").distribution(f"dnslb-{name}", {name: f"dnslb_{name}"})

    def python(self, *words: str) -> subprocess.CompletedProcess:
        path = os.pathsep.join([str(self.folder / "src"), str(TESTS), os.environ.get("PYTHONPATH", "")])
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        environment |= {"PYTHONPATH": path, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # a reader has pytest alone
        environment |= {"INVENTORY_TOKEN": "x", "DNS_TOKEN": "x"}
        command = [sys.executable, "-W", "error", *words]
        return subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False, timeout=110
        )


@pytest.fixture(params=EXAMPLES)
def example(tmp_path, request):
    return Example(tmp_path, request.param)


@pytest.mark.slow
def test_an_example_passes_its_own_tests_which_are_the_kit(example):
    kit = ("-m", "pytest", "-q", "-rs", "-W", "error", "-p", "example_servers", "-p", "no:cacheprovider", "tests")
    done = example.python(*kit)
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) > 15
    skipped = [line for line in done.stdout.splitlines() if line.startswith("SKIPPED") and "has no IPv6" not in line]
    assert all(NOT_APPLICABLE in line for line in skipped), skipped


def test_an_example_shows_its_options(example):
    done = example.python("-m", "dnslb", "plugins", example.name)
    assert done.returncode == 0, done.stderr
    assert f" {example.name}: " in done.stdout


def test_an_example_is_selected_by_the_configuration_beside_it(example):
    [selection] = [block.text for block in blocks(example.page, "yaml")]
    base = "fqdn: www.example.test\ntcp_port: 80\n"
    if "address:" not in selection:
        base += "address: 127.0.0.1\n"
    if "record_manager" not in selection:
        base += "record_manager: {plugin: local, path: records.sqlite}\n"
    (example.folder / "dnslb.yml").write_text(base + selection, encoding="utf-8")
    done = example.python("-m", "dnslb", "check", "--offline", "dnslb.yml")
    assert done.returncode == 0, done.stderr
    assert f" {example.name}" in done.stdout
