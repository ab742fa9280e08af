"""The plugin `exec`: commands as probe, region filter and destroyer."""

import asyncio
import ipaddress
import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path

import pytest

from dnslb import ConfigurationError, ProbeResult, Service, Target, Unavailable, Verdict
from dnslb.builtin import exec as exec_plugin
from dnslb.builtin._process import KEPT, run
from dnslb.builtin.exec import ExecDestroyerOptions, ExecProbeOptions, ExecRegionFilterOptions
from dnslb.options import parse_options
from dnslb.testing import (
    DestroyerConformance,
    Fleet,
    ProbeConformance,
    Probed,
    Region,
    RegionFilterConformance,
)

from peers import accepting

SERVICE = Service("www.example.com", 8080)
LOOPBACK = ipaddress.ip_address("127.0.0.1")
SOME = frozenset(map(ipaddress.ip_address, ("10.0.0.1", "10.0.0.2", "fd00::1")))


def shell(script, *arguments):
    return ("sh", "-c", script, "sh", *arguments)


def probe(*command):
    return exec_plugin.make_probe(ExecProbeOptions(command), SERVICE)


def check(probe, timeout=10.0, target=None):
    [result] = asyncio.run(probe.check([target or Target(LOOPBACK, 8080)], timeout))
    return result


def region_filter(script, timeout=10.0):
    return exec_plugin.make_region_filter(ExecRegionFilterOptions(shell(script), timeout), SERVICE)


def destroyer(script, *arguments, timeout=10.0):
    command = shell(script, *(arguments or ("{address}",)))
    return exec_plugin.make_destroyer(ExecDestroyerOptions(command, timeout), SERVICE)


def eventually(condition, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.01)


def is_running(pid):
    """Whether there is such a process, and not only what is left of it until somebody waits for it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):  # it may end between opening the file and reading it
        return False


class TestExecProbeConformance(ProbeConformance):
    needs_an_answer = False

    @pytest.fixture
    def probed(self):
        connect = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2]))).close()"
        return Probed(
            make=lambda: probe(sys.executable, "-S", "-E", "-c", connect, "{address}", "{port}"), serve=accepting
        )


class TestExecRegionFilterConformance(RegionFilterConformance):
    @pytest.fixture
    def region(self):
        return Region(
            make=lambda: region_filter("grep -E '^(10[.]|fd00:)' || true"),
            inside=SOME,
            outside=frozenset({ipaddress.ip_address("192.0.2.1")}),
            broken=lambda: region_filter("exit 1"),
        )


class TestExecDestroyerConformance(DestroyerConformance):
    @pytest.fixture
    def fleet(self, tmp_path):
        numbers = iter(range(1, 100))

        def launch():
            address = ipaddress.ip_address(f"10.0.0.{next(numbers)}")
            (tmp_path / str(address)).touch()
            return address

        return Fleet(
            make=lambda: destroyer(f"rm {tmp_path}/$1"),
            launch=launch,
            alive=lambda address: (tmp_path / str(address)).exists(),
            unknown=ipaddress.ip_address("203.0.113.1"),
            broken=lambda: destroyer("exit 1"),
        )


# -- probe -------------------------------------------------------------------------------------------------


def test_exit_status_0_is_healthy_and_every_other_is_not():
    assert check(probe("true")).verdict is Verdict.HEALTHY
    assert check(probe("false")) == ProbeResult(Verdict.FAILED, "exit status 1")


def test_the_command_is_told_whom_to_probe():
    target = Target(ipaddress.ip_address("fd00::1"), 443)
    result = check(probe(*shell('echo "$@" >&2; exit 3', "[{address}]:{port}", "{fqdn}", "{else}")), target=target)
    assert result.detail == "exit status 3: [fd00::1]:443 www.example.com {else}"


def test_no_shell_looks_at_the_arguments():
    result = check(probe("printf", "%s", "$(exit 1); `false` | & > /nowhere"))
    assert result.verdict is Verdict.HEALTHY


@pytest.mark.parametrize(
    ("errors", "detail"),
    [
        (r"one\ntwo\n", "exit status 1: one"),
        (r"\n\n  late \n", "exit status 1: late"),
        (r"\033[31mred\007", r"exit status 1: \x1b[31mred\x07"),
        (r"not UTF-8: \377", "exit status 1: not UTF-8: \N{REPLACEMENT CHARACTER}"),
        ("x" * 5000, "exit status 1: " + "x" * 185),
    ],
)
def test_the_first_line_of_the_errors_is_shown_and_cannot_forge_a_log(errors, detail):
    assert check(probe(*shell(f"printf '{errors}' >&2; exit 1"))).detail == detail


def test_a_command_that_dies_of_a_signal_has_failed():
    assert check(probe(*shell("kill -SEGV $$"))).detail == "killed by SIGSEGV"


def test_at_the_time_limit_the_whole_process_group_is_killed(tmp_path):
    script = f"sleep 600 & echo $! $$ > {tmp_path}/pids; trap '' TERM; wait; sleep 600"
    began = time.monotonic()
    result = check(probe(*shell(script)), timeout=0.5)
    assert time.monotonic() - began < 5
    assert result == ProbeResult(Verdict.FAILED, "no answer in 0.5 s")
    pids = (tmp_path / "pids").read_text().split()
    assert len(pids) == 2
    eventually(lambda: not any(map(is_running, pids)))


def test_a_cancelled_probe_kills_its_commands(tmp_path):
    async def cancel_when_started():
        task = asyncio.create_task(
            probe(*shell(f"echo $$ > {tmp_path}/pid; sleep 600")).check([Target(LOOPBACK, 1)], 600)
        )
        pid_file = tmp_path / "pid"
        await asyncio.to_thread(eventually, lambda: pid_file.exists() and pid_file.read_text())
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel_when_started())
    pid = (tmp_path / "pid").read_text().strip()
    eventually(lambda: not is_running(pid))
    eventually(lambda: not [thread for thread in threading.enumerate() if thread.name.startswith("dnslb-probe")])


def test_a_command_that_vanished_is_a_local_fault(tmp_path):
    program = tmp_path / "check"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    gone = probe(str(program))
    assert check(gone).healthy
    program.unlink()
    assert check(gone) == ProbeResult(Verdict.LOCAL, f"{program} cannot be run: No such file or directory")


# -- region filter -----------------------------------------------------------------------------------------


def test_the_region_filter_gets_addresses_one_a_line_and_prints_some_of_them():
    assert region_filter("cat").filter(SOME) == SOME
    assert region_filter("grep : ; echo").filter(SOME) == {ipaddress.ip_address("fd00::1")}
    # Another spelling of the same address.
    assert region_filter("echo FD00:0::1").filter(SOME) == {ipaddress.ip_address("fd00::1")}


def test_a_region_filter_that_does_not_read_its_input_is_fine():
    many = frozenset(ipaddress.ip_address("10.0.0.0") + number for number in range(20_000))
    assert region_filter("echo 10.0.0.7").filter(many) == {ipaddress.ip_address("10.0.0.7")}
    assert region_filter("cat").filter(many) == many


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("cat; exit 4", "sh: exit status 4"),
        ("echo no credentials >&2; exit 1", "sh: exit status 1: no credentials"),
        ("kill -9 $$", "sh: killed by SIGKILL"),
        ("echo eu-west-1", "sh printed 'eu-west-1', which is not an address"),
        ("echo 10.0.0.1 10.0.0.2", "which is not an address"),
        (r"printf '\033[2J\377'", "which is not an address"),
        ("echo 10.0.0.3", "sh printed '10.0.0.3', which it was not asked about"),
        ("yes 10.0.0.1 | head -c 5000000", "sh printed more than 1024 KiB"),
    ],
)
def test_a_region_filter_that_fails_or_talks_nonsense_cannot_tell(script, said):
    with pytest.raises(Unavailable) as caught:
        region_filter(script).filter(SOME)
    assert said in str(caught.value)
    assert str(caught.value).isprintable()


def test_a_region_filter_that_hangs_is_killed():
    with pytest.raises(Unavailable, match=r"^sh was killed after 0.3 s$"):
        region_filter("sleep 600", timeout=0.3).filter(SOME)


# -- destroyer ---------------------------------------------------------------------------------------------


def test_the_destroyer_is_called_once_an_address(tmp_path):
    destroyer(f"echo $* >> {tmp_path}/called", "{address}", "{fqdn}").destroy(SOME)
    assert (tmp_path / "called").read_text().splitlines() == [
        "10.0.0.1 www.example.com",
        "10.0.0.2 www.example.com",
        "fd00::1 www.example.com",
    ]


def test_a_destroyer_that_fails_names_the_address_and_tries_the_others(tmp_path):
    script = f'echo $1 >> {tmp_path}/called; case $1 in *.*) echo "no instance $1" >&2; exit 1;; esac'
    with pytest.raises(Unavailable) as caught:
        destroyer(script).destroy(SOME)
    assert str(caught.value) == (
        "10.0.0.1 was not destroyed: sh: exit status 1: no instance 10.0.0.1; "
        "10.0.0.2 was not destroyed: sh: exit status 1: no instance 10.0.0.2"
    )
    assert len((tmp_path / "called").read_text().splitlines()) == 3


def test_a_destroyer_that_hangs_is_killed():
    with pytest.raises(Unavailable, match=r"10\.0\.0\.1 was not destroyed: sh was killed after 0\.3 s"):
        destroyer("sleep 600", timeout=0.3).destroy(SOME)


# -- running a command -------------------------------------------------------------------------------------


def test_more_output_than_is_kept_does_not_block_the_command():
    script = "yes | head -c 3000000; yes | head -c 3000000 >&2; exit 5"
    ended = run("/bin/sh", ["sh", "-c", script], 30)
    assert (ended.status, len(ended.output), len(ended.errors)) == (5, KEPT, KEPT)


def test_what_a_command_leaves_in_the_background_is_not_waited_for(tmp_path):
    began = time.monotonic()
    ended = run("/bin/sh", ["sh", "-c", f"sleep 600 & echo $! > {tmp_path}/pid; echo done"], 30)
    assert ended.output == b"done\n"
    assert time.monotonic() - began < 10
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)


def test_a_command_that_closes_its_outputs_is_waited_for():
    ended = run("/bin/sh", ["sh", "-c", "exec >&- 2>&-; sleep 0.3; exit 6"], 30)
    assert ended.status == 6


def test_a_command_gets_neither_the_sockets_nor_the_signal_settings_of_the_agent():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        os.set_inheritable(listener.fileno(), True)
        ended = run("/bin/sh", ["sh", "-c", "ls /proc/self/fd; yes | head -1 >&2"], 30)
        assert str(listener.fileno()) not in ended.output.decode().split()
    # Python ignores SIGPIPE; a command that does too complains of a broken pipe.
    assert ended.errors == b"y\n"


# -- options -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [ExecProbeOptions, ExecRegionFilterOptions, ExecDestroyerOptions])
@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({}, "command is missing"),
        ({"command": "rm -rf /"}, "is not a list, each text"),
        ({"command": []}, "command is empty"),
        ({"command": [""]}, "command is empty"),
        ({"command": ["echo", "a\0b"]}, "no program can be given the argument"),
        ({"command": ["echo", "\ud800"]}, "no program can be given the argument"),
    ],
)
def test_a_command_that_is_none_is_refused(options, written, said):
    problems = []
    assert parse_options(options, written, base=Path(), problems=problems) is None
    assert said in str(problems[0])


def test_a_destroyer_that_would_not_know_what_to_destroy_is_refused():
    with pytest.raises(ValueError, match=r"no argument holds \{address\}"):
        ExecDestroyerOptions(("terminate", "{fqdn}"))


@pytest.mark.parametrize("options", [ExecRegionFilterOptions, ExecDestroyerOptions])
def test_time_limits_are_durations(options):
    written = {"command": ["true", "{address}"], "timeout": "1m30s"}
    assert parse_options(options, written, base=Path(), problems=[]).timeout == 90
    problems = []
    parse_options(options, {**written, "timeout": "1ms"}, base=Path(), problems=problems)
    assert "at least 100ms" in str(problems[0])


@pytest.mark.parametrize(
    "make",
    [
        lambda command: exec_plugin.make_probe(ExecProbeOptions(command), SERVICE),
        lambda command: exec_plugin.make_region_filter(ExecRegionFilterOptions(command), SERVICE),
        lambda command: exec_plugin.make_destroyer(ExecDestroyerOptions((*command, "{address}")), SERVICE),
    ],
)
def test_a_program_that_is_not_there_is_found_when_the_service_starts(make, tmp_path):
    not_executable = tmp_path / "script"
    not_executable.write_text("#!/bin/sh\n")
    for program in ("no-such-program", "/no/such/program", str(not_executable)):
        with pytest.raises(ConfigurationError, match="there is no program"):
            make((program,))
