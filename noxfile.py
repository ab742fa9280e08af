"""What contributors and CI run. `uv run nox --list` names the sessions; CONTRIBUTING.md says when to run which."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv"
nox.options.error_on_external_run = True
nox.options.sessions = ["lint", "typing", "tests"]

ROOT = Path(__file__).parent
PLUGINS = sorted(path.parent.name for path in ROOT.glob("plugins/*/pyproject.toml"))
TESTED_VERSIONS = ("-c", "constraints.txt")

LENIENT = (
    *("--allow-untyped-defs", "--allow-incomplete-defs", "--allow-untyped-calls", "--no-check-untyped-defs"),
    *("--allow-any-generics", "--allow-subclassing-any", "--no-warn-return-any", "--no-strict-optional"),
    "--disable-error-code=annotation-unchecked",
)
"""For tests: what says its types is held to them, the rest may stay untyped; a None out of place fails them anyway."""

WORKERS = ("-n", "3", "--dist", "loadgroup")
"""Three, however many processors there are: the tests start name servers and clusters of agents, and wait for them."""

SERVER_PACKAGES = ("bind9", "bind9-dnsutils", "knot", "pdns-server", "pdns-backend-sqlite3", "faketime")
"""Debian's packages: the name servers that the tests start on free ports of loopback, and a clock that is wrong."""

BUILT = {"DNSLB_UNDER_TEST": "wheel"}
"""Tells the tests that they run against wheels; tests/test_packaging.py holds it to be true."""


@nox.session
def lint(session: nox.Session) -> None:
    """Style, the order of the floors, and the changelog's fragments."""
    install_workspace(session, "lint")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("lint-imports")
    session.run("towncrier", "build", "--draft", "--version", "next", silent=True)


@nox.session
def typing(session: nox.Session) -> None:
    """Strict mypy over the core and the plugins; tests may stay untyped."""
    install_workspace(session, "typing", PLUGINS)
    session.run("mypy", "core", *(f"plugins/{name}/src" for name in PLUGINS), "noxfile.py", "conftest.py")
    for folder in ("tests", *(f"plugins/{name}/tests" for name in PLUGINS)):
        session.run("mypy", *LENIENT, folder)


@nox.session
def tests(session: nox.Session) -> None:
    """The whole suite; as root on Debian it installs the name servers that the tests need."""
    install_servers(session)
    install_workspace(session, "test", PLUGINS)
    session.run("pytest", *WORKERS, *session.posargs)


@nox.session
def clouds(session: nox.Session) -> None:
    """Clusters of agents on the doubles of the clouds, minutes long; prints what they did and when."""
    install_workspace(session, "test", PLUGINS)
    session.run("pytest", "-m", "minutes", "-rP", "tests/clouds", *session.posargs)


@nox.session
@nox.parametrize("name", PLUGINS, ids=PLUGINS)
def plugin(session: nox.Session, name: str) -> None:
    """One plugin's wheel, with the core's and what else it declares: nothing undeclared comes from a neighbour."""
    install_servers(session)
    install_wheels(session, [name], "plugin-test")
    session.run("pytest", *WORKERS, f"plugins/{name}/tests", *session.posargs, env=BUILT)


@nox.session
def wheel(session: nox.Session) -> None:
    """The core's tests against the built wheels."""
    install_servers(session)
    install_wheels(session, PLUGINS, "test")
    session.run("pytest", *WORKERS, "tests", *session.posargs, env=BUILT)


@nox.session
def minimums(session: nox.Session) -> None:
    """The whole suite with the oldest version of each dependency that is allowed."""
    install_servers(session)
    session.install("--resolution=lowest-direct", *workspace(), *groups("test", PLUGINS))
    session.run("pytest", *WORKERS, *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation; a warning or a dead reference fails."""
    install_workspace(session, "docs")
    session.run("sphinx-build", "-W", "-n", "--keep-going", "-q", "-c", "docs", ".", "docs/_build/html")


@nox.session
def simulation(session: nox.Session) -> None:
    """Ten thousand random histories of clusters in virtual time, every invariant watched; or what the arguments say."""
    session.install(*TESTED_VERSIONS, "-e", ".")
    session.run("python", "-m", "dnslb.simulation", *(session.posargs or ["--seeds", "10000"]))


@nox.session
def mutations(session: nox.Session) -> None:
    """Break the decision in one way at a time, or in those that are named: a test has to notice each."""
    install_workspace(session, "test")
    session.run("python", "tests/mutations.py", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Run the measurements that the documentation quotes, or only those that are named; options go to each."""
    install_workspace(session, "test", PLUGINS)
    named = list(itertools.takewhile(lambda word: word.endswith(".py"), session.posargs))
    for script in named or sorted(map(str, Path("tests/bench").glob("bench_*.py"))):
        session.run("python", script, *session.posargs[len(named) :])


@nox.session(venv_backend="none")
def constraints(session: nox.Session) -> None:
    """Renew constraints.txt: the newest versions, for all supported Pythons."""
    everything = ("--all-packages", "--all-extras", "--all-groups", "--no-emit-workspace")
    bare = ("--no-hashes", "--no-annotate", "--no-header", "--quiet")
    session.run("uv", "export", "--upgrade", *everything, *bare, "--output-file", "constraints.txt")


def workspace() -> list[str]:
    """What makes an installer take the core and all plugins from here, editable."""
    return ["-e", ".[testing]", *(word for name in PLUGINS for word in ("-e", f"plugins/{name}"))]


def groups(group: str, plugins: Sequence[str]) -> list[str]:
    """What makes an installer take a dependency group from here, and what the tests of `plugins` need beside it."""
    return [f"--group={group}", *(f"--group=plugins/{name}/pyproject.toml:test" for name in plugins)]


def install_workspace(session: nox.Session, group: str, plugins: Sequence[str] = ()) -> None:
    """Installs the core, all plugins, a dependency group and the test groups of `plugins`, in the tested versions."""
    session.install(*TESTED_VERSIONS, *workspace(), *groups(group, plugins))


def install_wheels(session: nox.Session, plugins: list[str], group: str) -> None:
    """Builds all wheels, installs those of the core, of `plugins` and of what these share; no source is importable."""
    folder = Path(session.virtualenv.location, "wheels").resolve()
    session.run("uv", "build", "--quiet", "--wheel", "--all-packages", "--clear", f"--out-dir={folder}", external=True)
    wheels = {path.name.split("-")[0]: path.as_uri() for path in folder.glob("*.whl")}
    names = dict.fromkeys(needed for name in plugins for needed in (name, *libraries_of(name)))
    chosen = [f"dnslb[testing] @ {wheels['dnslb']}", *(wheels[name.replace("-", "_")] for name in names)]
    session.install(*TESTED_VERSIONS, *chosen, *groups(group, plugins))


def libraries_of(plugin: str) -> list[str]:
    """The distributions of this workspace that a plugin depends on, beside the core."""
    dependencies = nox.project.load_toml(ROOT / "plugins" / plugin / "pyproject.toml")["project"]["dependencies"]
    return [name for name in PLUGINS if any(each.startswith(f"{name}~=") for each in dependencies)]


def install_servers(session: nox.Session) -> None:
    """Installs the name servers where that can be done; where not, their tests skip, and pytest's last lines say so."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return
    if missing := missing_packages():
        with no_service_starts():
            apt_get(session, "update")
            apt_get(session, "install", "--no-install-recommends", *missing)
    if missing := missing_packages():
        session.warn(f"apt-get did not install {' '.join(missing)}; the tests that need them cannot run")


def missing_packages() -> list[str]:
    """The packages of SERVER_PACKAGES that this machine lacks."""
    query = ["dpkg-query", "--show", "--showformat=${Package} ${db:Status-Status}\n", *SERVER_PACKAGES]
    found = subprocess.run(query, capture_output=True, text=True, check=False).stdout.splitlines()
    return [package for package in SERVER_PACKAGES if f"{package} installed" not in found]


def apt_get(session: nox.Session, *words: str) -> None:
    """Runs apt-get quietly; that it fails (no network, no such package) is no reason to stop."""
    options = ("-qq", "--yes", "-oAcquire::Retries=1", "-oAcquire::http::Timeout=30", "-oDPkg::Lock::Timeout=120")
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    session.run("apt-get", *options, *words, env=quiet, external=True, silent=True, success_codes=range(256))


@contextlib.contextmanager
def no_service_starts() -> Iterator[None]:
    """Debian starts a service when it installs one, unless this policy forbids it; the tests start their own."""
    policy = Path("/usr/sbin/policy-rc.d")
    if policy.exists():
        yield
        return
    policy.write_text("#!/bin/sh\nexit 101\n", encoding="utf-8")
    policy.chmod(0o755)
    try:
        yield
    finally:
        policy.unlink()
