"""The command: exit status 2 for what a person has to mend, 1 for what may pass, one line for each, no traceback."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import jsonschema
import pytest

import dnslb
from dnslb.builtin.local import LocalOptions, make
from dnslb.cli import COMMANDS
from dnslb.testing import targets

from distributions import site_in

CANARY = "kana-rien-vogel"
LIMIT = 60.0

# A record manager that does what its option `act` says, and leaves a trace of every commit.
PROVIDER = """
import pathlib, time
from dataclasses import dataclass

from dnslb import (
    Capabilities, Denied, RecordManagerType, RecordSet, Secret, Snapshot, Unavailable, ZoneNotFound, hookimpl, option
)

@dataclass(frozen=True)
class Options:
    trace: str = option(help="a folder to leave traces in")
    act: str = option("", help="what to do")
    token: Secret | None = option(None, help="the token of the API")

class Manager:
    def __init__(self, options):
        self.options, self.trace = options, pathlib.Path(options.trace)
        self.session = f"session of {options!r} and {options.token}"

    def read(self, name, type):
        (self.trace / "read").touch()
        match self.options.act:
            case "denied":
                raise Denied("the API refuses the token; give it the permission dns.write")
            case "zone":
                raise ZoneNotFound(f"the API has no zone for {name}")
            case "down":
                raise Unavailable("no answer from the API\\n\\x1b[31min 5 s")
            case "bug":
                raise KeyError(self.session)
            case "exit":
                raise SystemExit(self.session)
            case "hang":
                time.sleep(600)
        return Snapshot(RecordSet(name, type))

    def commit(self, changes):
        (self.trace / "commit").touch()

    def wait(self, receipt, timeout):
        return True

    def close(self):
        pass

def factory(options, service):
    match options.act:
        case "factory down":
            raise Unavailable("no answer from the API\\n\\x1b[31min 5 s")
        case "factory denied":
            raise Denied("the API refuses the token")
        case "factory bug":
            raise RuntimeError(f"cannot use {options!r}")
        case "factory sdk":
            import acme_sdk_of_nobody
    return Manager(options)

@hookimpl
def dnslb_record_managers():
    yield RecordManagerType(
        name="acme", summary="for tests", options=Options, factory=factory, capabilities=Capabilities(max_values=7)
    )
"""


@pytest.fixture
def site(tmp_path):
    with site_in(tmp_path) as site:
        site.plugin("acme", PROVIDER)
        yield site


def without_clouddns(site):
    """As on a machine without that plugin; what is here is found before what is really installed."""
    site.distribution("dnslb-clouddns", {})


@pytest.fixture
def environment(site):
    own = {"PYTHONPATH": str(site.folder), "DNSLB_TEST_TOKEN": CANARY, "LC_ALL": "C.UTF-8"}
    return {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"} | own


@pytest.fixture
def command(environment):
    """Runs the command; what it prints holds no secret and no traceback, whatever it does."""

    def command(*words, **options):
        arguments = [sys.executable, "-m", "dnslb", *map(str, words)]
        options = {"stdout": subprocess.PIPE} | options
        done = subprocess.run(
            arguments, env=environment, stderr=subprocess.PIPE, text=True, timeout=LIMIT, check=False, **options
        )
        printed = (done.stdout or "") + done.stderr
        assert CANARY not in printed
        assert "Traceback" not in printed
        return done

    return command


@pytest.fixture
def configured(tmp_path):
    """A configuration file with these lines; by default with the provider of these tests."""
    trace = tmp_path / "trace"
    trace.mkdir()

    def configured(act="", extra="", text=None):
        file = tmp_path / "dnslb.yml"
        if text is None:
            provider = f"plugin: acme, trace: '{trace}', act: {act}, token: 'env:DNSLB_TEST_TOKEN'"
            text = f"fqdn: www.example.test\ntcp_port: 443\naddress: 127.0.0.1\nrecord_manager: {{{provider}}}\n{extra}"
        file.write_text(text)
        return file

    configured.trace = lambda: {path.name for path in trace.iterdir()}
    return configured


def complaints(done):
    """The lines on standard error, each from dnslb."""
    lines = done.stderr.splitlines()
    assert all(line.startswith("dnslb: ") and line.isprintable() for line in lines), lines
    return [line.removeprefix("dnslb: ") for line in lines]


# -- help --------------------------------------------------------------------------------------------------


def test_help_names_every_command(command):
    done = command("--help")
    assert done.returncode == 0
    assert all(name in done.stdout for name in COMMANDS)


def test_help_is_quick_since_it_imports_nothing_that_it_does_not_need(site, environment):
    script = """
import sys
from dnslb.cli import main
try:
    main(["--help"])
except SystemExit:
    print(*sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=LIMIT, check=True
    )
    imported = set(done.stdout.splitlines()[-1].split())
    assert not imported & {"yaml", "dns", "asyncio", "ssl", "socket", "ifaddr", "packaging"}
    assert not {name for name in imported if name.startswith(("dnslb.builtin", "dnslb_", "acme_"))}


@pytest.mark.parametrize("name", ["check", "plugins", "run", "schema"])
def test_every_command_explains_itself(command, name):
    done = command(name, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: dnslb {name} ")


def test_the_version_is_that_of_the_distribution(command):
    assert command("--version").stdout == f"dnslb {dnslb.__version__}\n"


@pytest.mark.parametrize("words", [(), ("no-such-command",), ("check",), ("run", "--log", "xml", "x")])
def test_a_wrong_command_line_is_answered_with_how_it_is_used(command, words):
    done = command(*words)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: dnslb")


def test_the_program_is_the_module(environment):
    program = [Path(sys.executable).with_name("dnslb"), "--version"]
    done = subprocess.run(program, env=environment, capture_output=True, text=True, timeout=LIMIT, check=True)
    assert done.stdout == f"dnslb {dnslb.__version__}\n"


def test_a_reader_that_has_gone_is_no_trouble(command):
    read, write = os.pipe()
    os.close(read)
    try:
        done = command("plugins", stdout=write)
    finally:
        os.close(write)
    assert (done.returncode, done.stderr) == (1, "")


# -- plugins and schema ------------------------------------------------------------------------------------


def test_plugins_are_listed_without_importing_any(site, command, tmp_path):
    trace = tmp_path / "imported"
    site.plugin("hostile", f"open({str(trace)!r}, 'w').close(); raise SystemExit('imported')")
    site.distribution("acme-future", {"future": "acme_future"}, requires=["dnslb~=9.0"])
    site.distribution(None, {"nameless": "acme_nameless"}, version=None)
    site.distribution("acme-damaged", "[dnslb]\nno equals sign\n")
    done = command("plugins")
    assert (done.returncode, done.stderr) == (0, "")
    rows = {row.split()[0]: row.split()[1:] for row in done.stdout.splitlines() if row}
    assert rows["NAME"] == ["DISTRIBUTION", "MODULE"]
    assert rows["acme"] == ["acme-acme", "1.2.3", "acme_acme"]
    assert rows["hostile"] == ["acme-hostile", "1.2.3", "acme_hostile"]
    assert rows["future"] == ["acme-future", "1.2.3", "acme_future"]
    assert rows["nameless"] == ["an", "unnamed", "distribution", "acme_nameless"]
    assert rows["tcp"] == ["dnslb", dnslb.__version__, "dnslb.builtin.tcp"]
    assert not trace.exists()


def test_what_could_be_installed_is_listed_too(site, command):
    requires = ['dnslb-cloudy~=0.1.0 ; extra == "cloudy"']
    site.distribution("dnslb", {"tcp": "dnslb.builtin.tcp"}, requires=requires, extras=["cloudy"])
    assert command("plugins").stdout.endswith("\nnot installed: cloudy (pip install 'dnslb[NAME]')\n")


def test_metadata_cannot_steer_the_terminal(site, command):
    site.distribution("acme-esc", {"esc\x1b[2J": "acme_esc"}, version="1\x1b]0;x\x07")
    done = command("plugins")
    assert r"esc\x1b[2J" in done.stdout
    assert done.stdout.replace("\n", "").isprintable()


def test_one_plugin_is_shown_with_its_options_defaults_and_capabilities(command):
    done = command("plugins", "acme")
    can = (
        "max_values=7, atomic_names=False, min_ttl=1, min_interval=5.0, request_rate=None, propagation=0.0,"
        " reads_together=False"
    )
    assert done.returncode == 0
    assert done.stdout.splitlines() == [
        "record manager acme: for tests",
        "  OPTION           DEFAULT      MEANING",
        "  trace            required     a folder to leave traces in (text)",
        "  act              empty        what to do (text)",
        "  token            none         the token of the API (env:NAME or file:PATH)",
        f"  capabilities: {can}",
    ]
    assert "  no options\n" in command("plugins", "tcp").stdout


def test_a_plugin_that_is_not_there_or_broken_is_answered_with_one_line(site, command):
    site.plugin("broken", "raise ValueError('one\\ntwo')")
    for name, found in (
        ("acmee", "did you mean 'acme'?"),
        ("broken", "does not load: ValueError: one two; report it to "),
    ):
        done = command("plugins", name)
        (line,) = complaints(done)
        assert found in line
        assert (done.returncode, done.stdout) == (2, "")


def test_the_schema_is_one_and_leaves_out_what_is_broken(site, command):
    site.plugin("broken", "raise ValueError('one\\ntwo')")
    done = command("schema")
    assert done.returncode == 0
    assert [line.partition(": ")[0] for line in complaints(done)] == ["left out"]
    schema = json.loads(done.stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    service = {"fqdn": "a.test", "tcp_port": 1, "record_manager": {"plugin": "acme", "trace": "/tmp"}}
    assert jsonschema.Draft202012Validator(schema).is_valid(service)


# -- check -------------------------------------------------------------------------------------------------


def test_a_configuration_in_order_is_summed_up_and_no_record_is_touched(command, configured):
    done = command("check", configured())
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "www.example.test:443: ok (record manager acme, probe tcp; every 1m, TTL 60 s)\n"
    assert configured.trace() == {"read"}


def test_offline_no_provider_is_asked(command, configured):
    done = command("check", "--offline", configured("denied"))
    assert (done.returncode, done.stderr) == (0, "")
    assert configured.trace() == set()


def test_what_was_corrected_is_a_warning(command, configured):
    done = command("check", configured(extra="check_interval: 2s\n"))
    assert done.returncode == 0
    (line,) = complaints(done)
    assert re.fullmatch(
        r"warning: .*dnslb\.yml:5: check_interval: 2s is raised to 5s, the lowest that acme can do", line
    )


def test_a_witness_that_does_not_answer_is_a_warning(command, configured):
    with targets.refusing("127.0.3.1") as answers:
        done = command("check", configured(extra=f"witnesses: ['{answers.address}:{answers.port}', '127.0.0.1:53']\n"))
    assert done.returncode == 0
    assert "ok" in done.stdout
    assert re.findall("witness .*", done.stderr) == [
        "witness 127.0.0.1 port 53 does not answer: it is an address of this host"
    ]


@pytest.mark.parametrize("name", ["check", "run"])
@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", ["the configuration is empty"]),
        ("- a list\n", ["the configuration is not a mapping of keys"]),
        ("fqdn: {\n", [":2: is not YAML: "]),
        ("fqdn: a.test\ntcp_port: 70000\n", [":2: tcp_port: 70000 is not a port (1 to 65535)"]),
        ("fqdn: a b\ntcp_port: 1\n", [":1: fqdn: 'a b' is not a domain name: "]),
        (
            "fqdn: a.test\ntcp_prot: 1\n",
            [":tcp_port is missing: ", ":2: tcp_prot: there is no such key; did you mean 'tcp_port'?"],
        ),
        ('fqdn: a.test\ntcp_port: 1\n"\\e[2J\\nforged": 1\n', [r":3: \x1b[2J\nforged: there is no such key"]),
        (
            "fqdn: a.test\ntcp_port: 1\n",
            [":record_manager is missing for a.test: write record_manager: {plugin: NAME}"],
        ),
        (
            "services:\n  - {fqdn: a.test, tcp_port: 1, record_manager: local}\n  - fqdn: b.test\n    tcp_port: 1\n",
            [
                ":2: services[0].record_manager: path is missing: ",
                ":3: services[1]: record_manager is missing for b.test: write record_manager: {plugin: NAME}",
            ],
        ),
        (
            "fqdn: a.test\ntcp_port: 1\nrecord_manager: nobody\n",
            [":3: record_manager: no plugin is named 'nobody'"],
        ),
        (
            f"fqdn: a.test\ntcp_port: 1\nrecord_manager: {{plugin: acme, trace: x, token: {CANARY}}}\n",
            [":3: record_manager.token: a secret is written env:NAME or file:PATH, never as itself"],
        ),
    ],
)
def test_a_configuration_that_is_wrong_is_answered_with_a_line_for_each_mistake(command, configured, name, text, found):
    done = command(name, configured(text=text))
    lines = complaints(done)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(lines) == len(found)
    for line, part in zip(lines, found, strict=True):
        assert part in line.replace("dnslb.yml: ", "dnslb.yml:")


@pytest.mark.parametrize("name", ["check", "run"])
def test_a_file_that_cannot_be_read_is_answered_with_one_line(command, tmp_path, name):
    for path, reason in ((tmp_path / "gone.yml", "No such file or directory"), (tmp_path, "Is a directory")):
        done = command(name, path)
        assert done.returncode == 2
        assert complaints(done) == [f"{path}: cannot be read: {reason}"]


@pytest.mark.parametrize("name", ["check", "run"])
@pytest.mark.parametrize(
    ("act", "status", "found"),
    [
        ("denied", 2, "the API refuses the token; give it the permission dns.write"),
        ("zone", 2, "the API has no zone for www.example.test"),
        ("factory denied", 2, "the API refuses the token"),
        ("factory down", 1, r"no answer from the API\n\x1b[31min 5 s"),
        ("factory bug", 2, "the record manager 'acme' cannot be made: RuntimeError: cannot use Options("),
        ("factory sdk", 2, "the record manager 'acme' cannot be made: ModuleNotFoundError: No module named 'acme_sdk"),
    ],
)
def test_what_keeps_the_agent_from_starting_is_one_line_and_no_record_is_touched(
    command, configured, tmp_path, name, act, status, found
):
    done = command(name, configured(act))
    (line,) = complaints(done)
    assert line.startswith(f"{tmp_path}/dnslb.yml:4: record_manager: {found}" if status == 2 else found)
    assert (done.returncode, done.stdout) == (status, "")
    assert "commit" not in configured.trace()


@pytest.mark.parametrize("act", ["down", "bug", "exit"])
def test_a_provider_that_is_not_to_be_had_now_fails_the_check_but_is_no_mistake_in_the_configuration(
    command, configured, act
):
    done = command("check", configured(act))
    assert done.returncode == 1
    first, second = done.stderr.splitlines()
    assert first.partition(" ")[2].startswith("warning: www.example.test: ")
    assert first.isprintable()
    assert second == "dnslb: the configuration is in order; a provider could not be reached (see above)"
    assert done.stdout == "", "nothing is called ok that was not seen"
    assert configured.trace() == {"read"}


@pytest.mark.parametrize("name", ["check", "run"])
def test_what_is_wrong_with_the_path_of_local_is_told_under_its_key(command, configured, tmp_path, name):
    for path, said in (
        (tmp_path / "gone" / "x.db", "cannot be made, since its folder is not there; make the folder"),
        (tmp_path, "is a folder; name a file in it"),
    ):
        text = f"fqdn: a.test\ntcp_port: 1\naddress: 127.0.0.1\nrecord_manager:\n  plugin: local\n  path: '{path}'\n"
        done = command(name, configured(text=text))
        assert complaints(done) == [f"{tmp_path}/dnslb.yml:4: record_manager: {path} {said}"]
        assert done.returncode == 2


def test_a_plugin_that_is_not_installed_is_answered_with_the_command_that_installs_it(
    site, command, configured, tmp_path
):
    without_clouddns(site)
    done = command("check", configured(text="fqdn: a.test\ntcp_port: 1\nrecord_manager: {plugin: clouddns}\n"))
    said = "the plugin 'clouddns' is not installed; install it: pip install 'dnslb[clouddns]'"
    assert complaints(done) == [f"{tmp_path}/dnslb.yml:3: record_manager.plugin: {said}"]
    assert done.returncode == 2


@pytest.mark.parametrize("name", ["check", "run"])
def test_a_secret_that_its_group_may_read_is_a_warning_with_the_command_that_mends_it(
    command, configured, tmp_path, name
):
    key = tmp_path / "key"
    key.write_text(CANARY)
    key.chmod(0o640)
    text = configured(act="denied").read_text().replace("env:DNSLB_TEST_TOKEN", f"file:{key}")
    done = command(name, configured(text=text))
    first, last = done.stderr.splitlines()
    said = f"dnslb.yml:4: record_manager.token: {key} is open to its group; if that is not meant: chmod 600 {key}"
    assert said in first
    assert last.endswith("the API refuses the token; give it the permission dns.write")


def test_a_host_without_the_address_that_is_asked_for_is_answered_with_one_line(command, configured, tmp_path):
    text = configured().read_text().replace("127.0.0.1", "eth99")
    done = command("check", configured(text=text))
    (line,) = complaints(done)
    said = "address: 'eth99' is neither an address nor an interface with one; interfaces here: "
    assert line.startswith(f"{tmp_path}/dnslb.yml: {said}")
    assert done.returncode == 2


def test_a_plugin_that_fails_in_its_own_way_shows_no_secret_in_the_log_either(site, started, configured):
    site.plugin(
        "leaky",
        """
        from dataclasses import dataclass

        from dnslb import ProbeType, Secret, hookimpl, option

        @dataclass(frozen=True)
        class Options:
            token: Secret = option(help="a token")

        class Probe:
            def __init__(self, options):
                self.options = options

            async def check(self, targets, timeout):
                raise RuntimeError(f"cannot use {self.options!r}")

        @hookimpl
        def dnslb_probes():
            yield ProbeType(
                name="leaky", summary="", options=Options, factory=lambda options, service: Probe(options)
            )
        """,
    )
    process = started(
        "run", "-v", "--log", "json", configured(extra="probe: {plugin: leaky, token: 'env:DNSLB_TEST_TOKEN'}\n")
    )
    lines = []
    while not any("traceback" in line for line in lines):
        lines.append(process.stderr.readline())
        assert lines[-1], lines
    process.kill()
    lines += process.communicate(timeout=LIMIT)[1].splitlines()
    assert any("cannot use Options(token=Secret(***))" in line for line in lines)
    assert not [line for line in lines if CANARY in line]


# -- signals -----------------------------------------------------------------------------------------------


def wait_until(condition, process):
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def started(environment):
    """Starts the command; it does not outlive the test."""
    processes = []

    def start(*words):
        arguments = [sys.executable, "-m", "dnslb", *map(str, words)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        ignored = signal.signal(
            signal.SIGINT, signal.default_int_handler
        )  # as in whatever a shell runs in the background
        try:
            processes.append(subprocess.Popen(arguments, env=environment, text=True, **pipes))
        finally:
            signal.signal(signal.SIGINT, ignored)
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def test_ctrl_c_ends_a_check_that_hangs(started, configured):
    process = started("check", configured("hang"))
    wait_until(lambda: "read" in configured.trace(), process)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=LIMIT) == ("", "")
    assert process.returncode == 130


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_agent_registers_its_host_and_ends_with_status_0_when_it_is_told_to(started, configured, tmp_path, number):
    with socket.create_server(("127.0.0.1", 0)) as service:
        port = service.getsockname()[1]
        database = tmp_path / "zone.db"
        file = configured(
            text=f"""
            fqdn: www.example.test
            tcp_port: {port}
            address: 127.0.0.1
            check_interval: 1s
            rise: 1
            record_manager: {{plugin: local, path: '{database}'}}
            """
        )
        process = started("run", file)
        records = make(LocalOptions(path=database), dnslb.Service("www.example.test", port))
        wait_until(lambda: records.read("www.example.test", dnslb.RecordType.A).record_set.exists, process)
        process.send_signal(number)
        out, log = process.communicate(timeout=LIMIT)
    assert (process.returncode, out) == (0, "")
    events = [json.loads(line)["event"] for line in log.splitlines()]
    assert events[0] == "started"
    assert "stopping" in events
    assert events[-1] == "stopped"
