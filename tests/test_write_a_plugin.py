"""`docs/how-to/write-a-plugin.md`, followed word for word: from an empty folder to a plugin that an agent runs on."""

import importlib.util
import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dnslb.testing import NOT_APPLICABLE, ProbeConformance, Probed

import peers
from agents import Service, wait_until
from pages import DOCS, ROOT, block_of, blocks, write_files

PAGE = DOCS / "how-to" / "write-a-plugin.md"
PLUGIN = {
    "pyproject.toml",
    "src/dnslb_jsonfile/__init__.py",
    "src/dnslb_jsonfile/_manager.py",
    "tests/test_conformance.py",
}
PROBE = "src/dnslb_smtp/__init__.py"

# It builds wheels and installs them, as the tests of the packaging do.
pytestmark = pytest.mark.xdist_group("packaging")


def run(*words: str | Path, cwd: Path = ROOT) -> subprocess.CompletedProcess:
    return subprocess.run(words, cwd=cwd, capture_output=True, text=True, check=False, timeout=110)


class Reader:
    """Somebody with an empty folder, an environment of their own, and the page."""

    def __init__(self, folder: Path):
        self.folder = folder / "plugin"
        write_files(PAGE, self.folder)
        (self.folder / PROBE).unlink()
        (self.folder / PROBE).parent.rmdir()
        environment = folder / "environment"
        self.programs = environment / "bin"
        install = ["uv", "pip", "install", "--quiet", "--python", str(environment), "--constraints", "constraints.txt"]
        for words in (["uv", "venv", "--quiet", str(environment)], [*install, f"{ROOT}[testing]", str(self.folder)]):
            done = run(*words)
            assert done.returncode == 0, done.stderr

    def types(self, program: str, *words: str) -> subprocess.CompletedProcess:
        return run(self.programs / program, *words, cwd=self.folder)


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    return Reader(tmp_path_factory.mktemp("reader"))


def test_the_plugin_its_packaging_and_its_test_take_less_than_100_lines(tmp_path):
    written = write_files(PAGE, tmp_path)
    assert set(written) == {*PLUGIN, "dnslb.yml", PROBE}
    assert sum(len(written[file].read_text().splitlines()) for file in PLUGIN) < 100


def test_the_plugin_is_installed_and_listed(reader):
    listed = reader.types("dnslb", "plugins").stdout.splitlines()
    assert ["jsonfile", "dnslb-jsonfile", "1.0", "dnslb_jsonfile"] in [line.split() for line in listed]


def test_its_options_are_shown_as_the_page_says(reader):
    [shown] = blocks(PAGE, "text")
    assert reader.types("dnslb", "plugins", "jsonfile").stdout == shown.text


@pytest.mark.slow
def test_it_passes_the_kit(reader):
    done = reader.types("pytest", "-q", "-rs", "-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) > 50
    skipped = [line for line in done.stdout.splitlines() if line.startswith("SKIPPED")]
    assert all(NOT_APPLICABLE in line for line in skipped), skipped


def test_a_configuration_selects_it_and_an_agent_runs_on_it(reader):
    records = reader.folder / "records.json"
    service = Service("127.0.0.1")
    configuration = reader.folder / "dnslb.yml"
    configuration.write_text(block_of(PAGE, "dnslb.yml").replace("8080", str(service.port)), encoding="utf-8")
    checked = reader.types("dnslb", "check", "dnslb.yml")
    assert checked.returncode == 0, checked.stderr
    assert "record manager jsonfile" in checked.stdout
    agent = subprocess.Popen(
        [reader.programs / "dnslb", "run", "dnslb.yml"], cwd=reader.folder, stderr=subprocess.PIPE, text=True
    )
    try:
        wait_until(lambda: records.exists() and "127.0.0.1" in records.read_text(), what="the agent registers")
        agent.send_signal(signal.SIGTERM)
        _, said = agent.communicate(timeout=30)
    finally:
        agent.kill()
        agent.wait()
        service.close()
    assert agent.returncode == 0, said
    assert json.loads(records.read_text()) == {"www.example.test A": {"values": ["127.0.0.1"], "ttl": 1}}


def test_a_file_that_holds_something_else_is_one_clear_line(reader):
    (reader.folder / "other.json").write_text("[1, 2]", encoding="utf-8")
    configuration = block_of(PAGE, "dnslb.yml").replace("records.json", "other.json")
    (reader.folder / "other.yml").write_text(configuration, encoding="utf-8")
    checked = reader.types("dnslb", "check", "other.yml")
    assert checked.returncode == 2
    said = r"dnslb: other\.yml:5: record_manager: other\.json does not hold record sets: .*\n"
    assert re.fullmatch(said, checked.stderr)


# -- the probe ----------------------------------------------------------------------------------------------


def smtp_module(folder: Path):
    spec = importlib.util.spec_from_file_location("dnslb_smtp", write_files(PAGE, folder)[PROBE])
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


class TestTheProbe(ProbeConformance):
    @pytest.fixture
    def probed(self, tmp_path):
        [registration] = smtp_module(tmp_path).dnslb_probes()

        def serve(address):
            return peers.serving(lambda connection: connection.sendall(b"220 mx.example.test ESMTP\r\n"), address)

        return Probed(make=lambda: registration.factory(registration.options(), None), serve=serve)


def test_the_probe_is_a_dozen_lines():
    assert len([line for line in block_of(PAGE, PROBE).splitlines() if line.strip()]) <= 12
