"""What is built is what is meant: wheels and source distributions, and what installing them brings."""

import functools
import importlib.metadata
import json
import os
import re
import subprocess
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

import dnslb

ROOT = Path(__file__).parents[1]
PROJECTS = [tomllib.loads(path.read_text())["project"] for path in sorted(ROOT.glob("plugins/*/pyproject.toml"))]
DISTRIBUTIONS = ["dnslb", *(project["name"] for project in PROJECTS)]
PLUGINS = [project["name"] for project in PROJECTS if "entry-points" in project]
CORE = {"dnslb", "dnspython", "ifaddr", "packaging", "pluggy", "pyyaml"}
VERSION = dnslb.__version__

pytestmark = pytest.mark.xdist_group("packaging")


def run(*command: str | Path) -> str:
    # In the root folder uv finds the project's settings, and dnslb cannot be imported from there.
    return subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=110).stdout


@pytest.fixture(scope="module")
def dist(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    run("uv", "build", "--quiet", "--all-packages", "--out-dir", folder)
    return folder


@pytest.fixture(scope="module")
def install(dist, tmp_path_factory):
    """Installs what was built into an environment of its own, and hands back where its programs are."""

    def into_an_empty_environment(requirement: str) -> Path:
        environment = tmp_path_factory.mktemp("environment")
        run("uv", "venv", "--quiet", environment)
        installer = ("uv", "pip", "install", "--quiet", "--python", environment, "--constraints", "constraints.txt")
        run(*installer, "--find-links", dist, requirement)
        return environment / "bin"

    return functools.cache(into_an_empty_environment)


@pytest.fixture(scope="module")
def bare(install):
    return install(f"dnslb=={VERSION}")


def stem(distribution: str) -> str:
    return f"{distribution.replace('-', '_')}-{VERSION}"


def installed(programs: Path) -> set[str]:
    listed = run("uv", "pip", "list", "--format", "json", "--python", programs / "python")
    return {package["name"].lower() for package in json.loads(listed)}


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_a_wheel_holds_its_package_its_licence_and_nothing_else(dist, distribution):
    (path,) = dist.glob(f"{stem(distribution)}-*.whl")
    names = zipfile.ZipFile(path).namelist()
    package, metadata = distribution.replace("-", "_"), f"{stem(distribution)}.dist-info"
    assert {f"{package}/py.typed", f"{metadata}/licenses/LICENSE"} <= set(names)
    assert (f"{metadata}/entry_points.txt" in names) is (distribution in {"dnslb", *PLUGINS})
    assert {Path(name).parts[0] for name in names} == {package, metadata}
    assert {Path(name).suffix for name in names if name.startswith(f"{package}/")} == {".py", ".typed"}
    assert not [name for name in names if "tests" in Path(name).parts]


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_a_source_distribution_holds_what_a_packager_needs(dist, distribution):
    with tarfile.open(dist / f"{stem(distribution)}.tar.gz") as archive:
        names = archive.getnames()
    wanted = ("PKG-INFO", "LICENSE", "README.md", "pyproject.toml")
    assert {f"{stem(distribution)}/{name}" for name in wanted} <= set(names)


def test_the_bare_core_brings_its_declared_dependencies_and_no_plugin(bare):
    assert installed(bare) == CORE


def test_the_command_says_its_version(bare):
    assert run(bare / "dnslb", "--version") == f"dnslb {VERSION}\n"


def test_the_bare_core_tells_how_its_plugins_are_installed(bare):
    listed = run(bare / "dnslb", "plugins").splitlines()
    extras = ", ".join(name.removeprefix("dnslb-") for name in PLUGINS)
    assert listed[-1] == f"not installed: {extras} (pip install 'dnslb[NAME]')"


@pytest.mark.parametrize("plugin", PLUGINS)
def test_an_extra_brings_its_plugin_and_no_other(install, plugin):
    name = plugin.removeprefix("dnslb-")
    programs = install(f"dnslb[{name}]=={VERSION}")
    assert installed(programs) & {"dnslb", *PLUGINS} == {"dnslb", plugin}
    rows = [line.split() for line in run(programs / "dnslb", "plugins").splitlines()]
    assert [name, plugin, VERSION, plugin.replace("-", "_")] in rows
    assert run(programs / "dnslb", "plugins", name)


def test_the_plugins_on_aws_bring_its_sdk_and_that_of_nobody_else(install):
    sdk = {"botocore", "jmespath", "python-dateutil", "six", "urllib3"}
    assert installed(install(f"dnslb[route53,ec2]=={VERSION}")) == CORE | sdk | {
        "dnslb-aws",
        "dnslb-ec2",
        "dnslb-route53",
    }


def test_one_cloud_brings_nothing_of_the_others_and_tells_how_they_are_installed(install, tmp_path):
    programs = install(f"dnslb[route53]=={VERSION}")
    foreign = [name for name in installed(programs) if re.match(r"google|azure|msal|grpc", name)]
    assert foreign == []
    file = tmp_path / "dnslb.yml"
    file.write_text("fqdn: www.example.com\ntcp_port: 443\nrecord_manager: {plugin: clouddns}\n", encoding="utf-8")
    command = [programs / "dnslb", "check", file]
    checked = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert checked.returncode == 2
    (line,) = checked.stderr.splitlines()
    assert line.endswith("the plugin 'clouddns' is not installed; install it: pip install 'dnslb[clouddns]'")


def test_the_tests_run_on_what_they_are_meant_for():
    # The sessions that test wheels say so; nobody wants to learn that they tested the sources.
    where = importlib.metadata.distribution("dnslb").locate_file("dnslb")
    meant = {"wheel": Path(str(where)), "sources": ROOT / "core" / "dnslb"}[
        os.environ.get("DNSLB_UNDER_TEST", "sources")
    ]
    assert Path(dnslb.__file__).parent == meant


def test_the_tested_versions_are_pinned_and_tell_no_address():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert all("==" in line.split(";")[0] and "://" not in line and "@" not in line for line in lines)
    pinned = {line.split("==")[0] for line in lines}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {text.split(">=")[0].lower() for text in project["dependencies"]} <= pinned
