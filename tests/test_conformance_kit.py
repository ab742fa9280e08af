"""The kit passes what is sound, and every broken plugin fails exactly the checks that are meant for it.

The plugins are in tests/conformance/, and what each must fail is in caught.yml there. The kit runs on them in processes
of their own, since most of its tests are to fail.
"""

import os
import re
import subprocess
import sys
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import yaml

from dnslb import Capabilities
from dnslb.testing import NOT_APPLICABLE, MemoryRecordManager, MemoryZone, RecordManagerConformance, Store

PLUGINS = Path(__file__).parent / "conformance"
CAUGHT = yaml.safe_load((PLUGINS / "caught.yml").read_text(encoding="utf-8"))

AT_ONCE = 8
SHARDS = {"on_the_wire.py": 7, "probes.py": 8}

# Without these nothing works at all: a manager that fails them fails everything else with them.
FIRST_STEPS = {"test_an_absent_record_set_reads_as_empty", "test_a_commit_creates_a_record_set"}
WITHOUT_FIRST_STEPS = "TestTakesAnAbsentNameForAnError"


class TestMemoryRecordManager(RecordManagerConformance):
    capabilities = Capabilities(max_values=100, atomic_names=True, min_ttl=0)

    @pytest.fixture
    def store(self):
        zone = MemoryZone(self.capabilities)
        return Store(zone="ex.test", make=lambda via=None: MemoryRecordManager(zone))


@dataclass(frozen=True)
class Outcome:
    """What became of one check of one plugin; `reason` says why it was skipped."""

    plugin: str
    check: str
    failed: bool
    reason: str | None

    @property
    def could_not_run(self):
        return self.reason is not None and not self.reason.startswith(NOT_APPLICABLE)

    def is_one_of(self, checks):
        return self.check in checks or name_of(self.check) in checks


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "files",
    [
        ["in_memory.py", "on_the_wire.py"],
        ["probes.py"],
        ["filters_and_destroyers.py"],
        ["address_sources.py"],
        ["registrations.py"],
    ],
    ids=["record managers", "probes", "region filters and destroyers", "address sources", "registrations"],
)
def test_every_broken_plugin_fails_exactly_the_checks_that_are_meant_for_it(files, tmp_path):
    all_outcomes = run_the_kit(files, tmp_path)
    outcomes = [outcome for outcome in all_outcomes if not outcome.could_not_run]
    meant = {plugin: checks for file in files for plugin, checks in CAUGHT[file].items()}

    failed = by_plugin(outcome for outcome in outcomes if outcome.failed)
    assert failed == by_plugin(outcome for outcome in outcomes if outcome.is_one_of(meant.get(outcome.plugin, [])))

    every_check = {name_of(outcome.check) for outcome in outcomes}
    catching = {
        name_of(check) for plugin, checks in failed.items() for check in checks if plugin != WITHOUT_FIRST_STEPS
    }
    assert every_check - catching <= FIRST_STEPS, "a check of the kit that no broken plugin shows to work"

    named = {(plugin, name_of(check)) for plugin, checks in meant.items() for check in checks}
    assert named <= {(outcome.plugin, name_of(outcome.check)) for outcome in all_outcomes}, (
        "caught.yml names the unknown"
    )


def test_a_failed_check_shows_the_values_that_it_compared():
    check = "TestLosesTheTtl::test_the_ttl_is_kept"
    report = pytest_process(f"in_memory.py::{check}").stdout
    assert "a TTL of 0 s was committed and 60 s read back" in report
    assert "assert 60 == 0" in report


def test_without_pytest_the_kit_says_what_to_install():
    command = "import sys; sys.modules['pytest'] = None; import dnslb.testing"
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "pip install 'dnslb[testing]'" in done.stderr.splitlines()[-1]


def by_plugin(outcomes):
    """The names of the checks of each plugin."""
    checks = defaultdict(set)
    for outcome in outcomes:
        checks[outcome.plugin].add(outcome.check)
    return dict(checks)


def run_the_kit(files, folder):
    """The outcomes of all checks for all plugins in the files, a few processes at a time."""
    jobs = [
        (shard, folder / f"{number}.xml") for number, shard in enumerate(shard for f in files for shard in shards(f))
    ]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return [outcome for outcomes in pool.map(lambda job: run_pytest(*job), jobs) for outcome in outcomes]


def shards(file):
    """The arguments of pytest, once for each process: where plugins mostly wait, several share the waiting."""
    if file not in SHARDS:
        return [[file]]
    plugins = re.findall(r"^class (Test\w+)", (PLUGINS / file).read_text(encoding="utf-8"), re.MULTILINE)
    return [[f"{file}::{plugin}" for plugin in plugins[at :: SHARDS[file]]] for at in range(SHARDS[file])]


def run_pytest(plugins, report):
    done = pytest_process("--tb=no", f"--junitxml={report}", *plugins)
    assert report.exists(), done.stdout + done.stderr
    return [outcome_of(case) for case in ET.parse(report).iter("testcase")]


def pytest_process(*arguments):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(PLUGINS), os.environ.get("PYTHONPATH")]))
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
        cwd=PLUGINS,
        env=environment,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )


def outcome_of(case):
    skipped = case.find("skipped")
    return Outcome(
        plugin=case.get("classname").rpartition(".")[2],
        check=case.get("name"),
        failed=case.find("failure") is not None or case.find("error") is not None,
        reason=None if skipped is None else skipped.get("message"),
    )


def name_of(check):
    """`test_x` for `test_x[variant]`."""
    return check.partition("[")[0]
