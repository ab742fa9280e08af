"""The programs and scripts in the how-to guides run, and do what the text around them says."""

import configparser
import contextlib
import http.server
import ipaddress
import logging
import runpy
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from dnslb import Config, LoadBalancer, ProviderError, RecordType, Target, Verdict
from dnslb.builtin._local import LocalRecordManager
from dnslb.log import say

from agents import Service, services, wait_until
from pages import DOCS, ROOT, block_of, write_files

LIBRARY = DOCS / "how-to" / "use-as-a-library.md"
SCRIPTS = DOCS / "how-to" / "use-exec-scripts.md"
SERVICE = DOCS / "how-to" / "run-as-a-service.md"

# -- inside your own program --------------------------------------------------------------------------------


class Program:
    """One of the programs of the page, in the folder of its host."""

    def __init__(self, folder: Path, name: str, address: str, port: int):
        self.address = address
        folder.mkdir()
        write_files(LIBRARY, folder)
        configuration = (folder / "dnslb.yml").read_text(encoding="utf-8")
        written = configuration.replace("8080", str(port)).replace("127.0.0.1", address)
        (folder / "dnslb.yml").write_text(written.replace("path: records", "path: ../records"), encoding="utf-8")
        self.process = subprocess.Popen([sys.executable, name], cwd=folder, stderr=subprocess.PIPE, text=True)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        _, said = self.process.communicate(timeout=30)
        assert self.process.returncode == 0, said

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()


@contextlib.contextmanager
def programs(folder: Path, name: str):
    """Two hosts that run the program."""
    addresses = ["127.0.4.1", "127.0.4.2"]
    hosts = services(2, "127.0.4")
    port = hosts[0].port
    for host in hosts:
        host.close()
    with contextlib.ExitStack() as stack:
        made = []
        for address in addresses:
            made.append(Program(folder / address, name, address, port))
            stack.callback(made[-1].close)
        yield made


@pytest.mark.parametrize("name", ["web.py", "threaded.py"])
def test_a_program_registers_and_leaves_before_it_ends(tmp_path, name):
    records = LocalRecordManager(tmp_path / "records.sqlite")

    def members():
        return set(records.read("www.example.test", RecordType.A).record_set.values)

    with programs(tmp_path, name) as (first, second):
        wait_until(lambda: members() == {first.address, second.address}, what="both register")
        first.stop()
        assert members() == {second.address}
        second.stop()
        assert members() == {second.address}, "the last one stays"


def test_own_objects_take_the_place_of_plugins(tmp_path):
    write_files(LIBRARY, tmp_path)
    service = Service("127.0.0.1")
    program = (tmp_path / "own.py").read_text(encoding="utf-8").replace("8080", str(service.port))
    (tmp_path / "own.py").write_text(program.replace('"address"', '"check_interval": "1s", "address"'))
    made = runpy.run_path(str(tmp_path / "own.py"))
    balancer = made["balancer"]
    balancer.start()
    try:
        wait_until(lambda: balancer.registered)
    finally:
        assert balancer.stop(timeout=30)
        service.close()
    assert made["zone"].read("www.example.test", RecordType.A).record_set.values == ("127.0.0.1",)
    near, far = ipaddress.ip_address("127.0.0.9"), ipaddress.ip_address("127.0.1.9")
    assert made["SameRack"]().filter(frozenset({near, far})) == {near}


def test_a_log_handler_gets_the_parts_of_an_event(tmp_path):
    level, handlers = logging.getLogger("dnslb").level, list(logging.getLogger("dnslb").handlers)
    try:
        alarms = runpy.run_path(str(write_files(LIBRARY, tmp_path)["alarms.py"]))["alarms"]
        say(logging.WARNING, "removed", "www.example.test A: removed: 10.0.0.3", address="10.0.0.3")
        say(logging.INFO, "members", "www.example.test A: members: 10.0.0.1")
        logging.getLogger("dnslb.elsewhere").warning("something without parts")
        assert alarms.counts == {"removed": 1, "other": 1}
    finally:
        logging.getLogger("dnslb").setLevel(level)
        logging.getLogger("dnslb").handlers[:] = handlers


# -- scripts of your own ------------------------------------------------------------------------------------

FOLDER = "/usr/local/lib/dnslb"


@pytest.fixture
def scripts(tmp_path):
    """The scripts of the page, in a folder of the test's, and the service that the configuration describes."""
    for name in ("probe", "region", "destroy"):
        script = tmp_path / name
        script.write_text(block_of(SCRIPTS, f"{FOLDER}/{name}"), encoding="utf-8")
        script.chmod(0o755)
    written = block_of(SCRIPTS, "dnslb.yml").replace(FOLDER, str(tmp_path))
    configuration = tmp_path / "dnslb.yml"
    configuration.write_text(written.replace("/etc/dnslb/machines", str(tmp_path / "machines")), encoding="utf-8")
    [settings] = Config.load(configuration).services
    return settings


@contextlib.contextmanager
def status_page(text: str, address: str = "127.0.0.1"):
    """A web server whose status page says `text`."""

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            assert self.path == "/status"
            self.send_response(200)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer((address, 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield Target(ipaddress.ip_address(address), server.server_port)
        server.shutdown()
        thread.join()


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
async def test_the_probe_script_tells_a_writable_member_from_a_read_only_one(scripts):
    probe = scripts.probe.make(scripts.service)
    with status_page("ok") as well, status_page("role: read-only") as ill:
        results = await probe.check([well, ill], 5.0)
    assert [result.verdict for result in results] == [Verdict.HEALTHY, Verdict.FAILED]
    assert results[1].detail == "exit status 1: its status is: role: read-only"
    [gone] = await probe.check([well], 5.0)
    assert gone.detail.startswith("exit status 1: curl: exit status ")


def test_the_region_script_prints_what_is_in_the_region(scripts):
    region = scripts.region_filter.make(scripts.service)
    inside = frozenset(map(ipaddress.ip_address, ["10.1.0.7", "fd00:1::7"]))
    outside = frozenset(map(ipaddress.ip_address, ["10.2.0.9", "10.11.0.7"]))
    assert region.filter(inside | outside) == inside
    assert region.filter(outside) == frozenset()


def test_the_destroyer_script_destroys_the_one_machine_that_the_table_names(scripts, tmp_path, monkeypatch):
    # What stands in for the hypervisor's own client notes what it is asked for.
    (tmp_path / "virsh").write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/destroyed\n')
    (tmp_path / "virsh").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    (tmp_path / "machines").write_text("10.1.0.7 web-7\n10.1.0.8 web-8\n10.1.0.9 web-9\n10.1.0.9 mail-1\n")
    destroyer = scripts.destroyer.make(scripts.service)
    destroyer.destroy(frozenset({ipaddress.ip_address("10.1.0.8")}))
    with pytest.raises(ProviderError, match=r"0 machines have the address 10\.1\.0\.77"):
        destroyer.destroy(frozenset({ipaddress.ip_address("10.1.0.77")}))
    with pytest.raises(ProviderError, match=r"2 machines have the address 10\.1\.0\.9"):
        destroyer.destroy(frozenset({ipaddress.ip_address("10.1.0.9")}))
    assert (tmp_path / "destroyed").read_text() == "--connect qemu:///system destroy web-8\n"


def test_a_load_balancer_is_made_with_all_three(scripts, tmp_path):
    assert LoadBalancer(scripts, record_manager=LocalRecordManager(tmp_path / "records.sqlite"))


# -- as a service -------------------------------------------------------------------------------------------


class Unit(configparser.RawConfigParser):
    """A unit of systemd, in which the case of a key counts."""

    def optionxform(self, optionstr: str) -> str:
        return optionstr


def unit() -> Unit:
    parsed = Unit()
    parsed.read_string(block_of(SERVICE, "/etc/systemd/system/dnslb.service"))
    return parsed


def test_the_unit_runs_the_configuration_of_the_page_without_root():
    service = unit()["Service"]
    program, *words = service["ExecStart"].split()
    assert program == "/opt/dnslb/bin/dnslb"
    assert words == ["run", "/etc/dnslb/dnslb.yml"]
    assert block_of(SERVICE, words[1])
    assert service["User"] == "dnslb"
    assert service["CapabilityBoundingSet"] == ""


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_systemd_understands_every_line_of_the_unit(tmp_path):
    program = shutil.which("true")
    text = block_of(SERVICE, "/etc/systemd/system/dnslb.service").replace("/opt/dnslb/bin/dnslb", program)
    (tmp_path / "dnslb.service").write_text(text, encoding="utf-8")
    verify = ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", str(tmp_path / "dnslb.service")]
    done = subprocess.run(verify, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "dnslb.service" not in done.stderr, done.stderr
