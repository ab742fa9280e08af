"""The engine of the built-in probes, and the TCP probe on it."""

import asyncio
import errno
import ipaddress
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from dnslb import NoOptions, ProbeResult, Service, Target, Verdict
from dnslb.builtin import tcp
from dnslb.builtin._sockets import HEALTHY, READ, SocketProbe, is_self_connected, receive, result_of, send
from dnslb.prober import probe_round
from dnslb.testing import ProbeConformance, Probed, targets

from peers import accepting, hold, serving

LOOPBACK = ipaddress.ip_address("127.0.0.1")


def check(probe, asked, timeout=5.0):
    return asyncio.run(probe.check(asked, timeout))


def descriptors():
    return sorted(os.listdir("/proc/self/fd"))  # noqa: PTH208 - numbers, not paths


def eventually(condition, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.01)


class TestTcpConformance(ProbeConformance):
    needs_an_answer = False
    timeout = 1.0

    @pytest.fixture
    def probed(self):
        return Probed(make=lambda: tcp.make(NoOptions(), Service("www.example.com", 80)), serve=accepting)


# -- verdicts ----------------------------------------------------------------------------------------------


def test_a_connection_is_healthy_and_a_refusal_is_not():
    with accepting() as healthy, targets.refusing() as refusing:
        assert check(SocketProbe(), [healthy, refusing]) == [
            ProbeResult(Verdict.HEALTHY),
            ProbeResult(Verdict.FAILED, "connection refused"),
        ]


def test_silence_has_failed_at_the_time_limit_and_not_later():
    with targets.unresponsive() as unresponsive:
        began = time.monotonic()
        results = check(SocketProbe(), [unresponsive] * 50, timeout=0.4)
        assert 0.4 <= time.monotonic() - began < 2
    assert results == [ProbeResult(Verdict.FAILED, "no answer in 0.4 s")] * 50


def test_a_broadcast_address_is_a_local_fault_because_this_host_does_not_even_ask():
    # The kernel refuses it by itself: nothing is sent.
    [result] = check(SocketProbe(), [Target(ipaddress.ip_address("127.255.255.255"), 80)])
    assert result == ProbeResult(Verdict.LOCAL, "network is unreachable")


@pytest.mark.parametrize(
    ("codes", "verdict"),
    [
        (
            "EACCES EADDRNOTAVAIL EAFNOSUPPORT EMFILE ENETUNREACH ENFILE ENOBUFS ENOMEM EPERM",
            Verdict.LOCAL,
        ),
        ("ECONNREFUSED ECONNRESET ECONNABORTED EHOSTUNREACH ETIMEDOUT EPIPE", Verdict.FAILED),
    ],
)
def test_errors_tell_faults_of_this_host_from_failures_of_the_target(codes, verdict):
    for code in codes.split():
        assert result_of(OSError(getattr(errno, code), "")).verdict is verdict, code


def test_a_stopped_process_still_passes_a_tcp_probe():
    # Known, and the reason for the probes `tls` and `http`: it is the kernel that accepts.
    script = (
        "import socket; s = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1], flush=True); s.accept()"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        try:
            stopped = Target(LOOPBACK, int(process.stdout.readline()))
            process.send_signal(signal.SIGSTOP)
            assert check(SocketProbe(), [stopped]) == [HEALTHY]
        finally:
            process.kill()


# -- connections with oneself ------------------------------------------------------------------------------


def test_a_socket_that_has_reached_itself_is_told_from_one_that_has_reached_a_service():
    with socket.socket() as own:
        own.bind(("127.0.0.1", 0))
        own.connect(own.getsockname())
        assert is_self_connected(own, own.getsockname()[1])
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as client,
    ):
        assert not is_self_connected(client, listener.getsockname()[1])


def test_a_port_where_nobody_listens_is_never_healthy_even_if_it_is_a_source_port():
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        # Linux gives even ports to connections, as long as there are any, and odd ones to bind().
        free = Target(LOOPBACK, bound.getsockname()[1] & ~1)
    results = check(SocketProbe(), [free] * 60_000)
    assert {result.verdict for result in results} == {Verdict.FAILED}


# -- many targets ------------------------------------------------------------------------------------------


def test_ten_thousand_targets_get_their_results_in_order():
    with accepting() as healthy, targets.refusing() as refusing:
        asked = [refusing if number % 3 else healthy for number in range(10_000)]
        results = check(SocketProbe(), asked, timeout=20)
    expected = [Verdict.FAILED if number % 3 else Verdict.HEALTHY for number in range(10_000)]
    assert [result.verdict for result in results] == expected


def test_as_many_targets_are_in_flight_as_the_limit_allows_and_no_more():
    limit = 7
    all_there = threading.Barrier(limit)
    in_flight, most = 0, 0

    def answer_when_all_are_there(connection):
        all_there.wait(10)

    def exchange(sock, target):
        nonlocal in_flight, most
        in_flight += 1
        most = max(most, in_flight)
        yield from receive(sock)
        in_flight -= 1
        return HEALTHY

    with serving(answer_when_all_are_there) as healthy:
        results = check(SocketProbe(exchange, limit=limit), [healthy] * (5 * limit), timeout=10)
    assert results == [HEALTHY] * (5 * limit)
    assert most == limit


def test_one_silent_target_holds_nobody_up():
    with targets.unresponsive() as silent, accepting() as healthy:
        began = time.monotonic()
        results = check(SocketProbe(limit=2), [silent, *[healthy] * 200], timeout=1.5)
        assert time.monotonic() - began < 2.5
    assert [result.verdict for result in results] == [Verdict.FAILED, *[Verdict.HEALTHY] * 200]


@pytest.mark.parametrize(
    ("free", "verdict"),
    [
        pytest.param(90, "healthy", id="ninety descriptors are enough for ten thousand targets"),
        pytest.param(2, "healthy", id="two are enough: one for epoll, one for the socket"),
        pytest.param(1, "local fault", id="none for a socket is a local fault"),
        pytest.param(0, "local fault", id="none for epoll is a local fault"),
    ],
)
def test_descriptors_that_are_scarce_are_shared_and_none_at_all_is_no_failure_of_a_target(free, verdict):
    script = f"""
import asyncio, collections, ipaddress, os, resource, sys
from dnslb import Target
from dnslb.builtin._sockets import SocketProbe

async def main():
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200))
    taken = []
    try:
        while True:
            taken.append(os.dup(0))
    except OSError:
        for fd in taken[:{free}]:
            os.close(fd)
    targets = [Target(ipaddress.ip_address("127.0.0.1"), int(sys.argv[1]))] * int(sys.argv[2])
    return collections.Counter(result.verdict.value for result in await SocketProbe().check(targets, 30))

print(dict(asyncio.run(main())))
"""
    number = 10_000 if free == 90 else 100
    with accepting() as healthy:
        outcome = subprocess.run(
            [sys.executable, "-c", script, str(healthy.port), str(number)], capture_output=True, text=True, check=True
        )
    assert outcome.stdout.strip() == str({verdict: number})


def test_a_round_takes_at_most_half_of_the_descriptors_that_are_left():
    script = """
import asyncio, ipaddress, os, resource, sys
from dnslb import Target
from dnslb.builtin._sockets import SocketProbe

async def main():
    resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))
    silent = [Target(ipaddress.ip_address("127.0.0.1"), int(sys.argv[1]))] * 100
    check = asyncio.create_task(SocketProbe().check(silent, 0.5))
    before = most = len(os.listdir("/proc/self/fd"))
    while not check.done():
        await asyncio.sleep(0.02)
        most = max(most, len(os.listdir("/proc/self/fd")))
    print(before, most)

asyncio.run(main())
"""
    with targets.unresponsive() as silent:
        outcome = subprocess.run(
            [sys.executable, "-c", script, str(silent.port)], capture_output=True, text=True, check=True
        )
    before, most = map(int, outcome.stdout.split())
    half = (100 - before) // 2
    assert half - 2 <= most - before <= half + 2


def test_descriptors_that_somebody_else_takes_in_the_middle_of_a_round_are_waited_for():
    script = """
import asyncio, collections, contextlib, ipaddress, os, resource, sys
from dnslb import Target
from dnslb.builtin._sockets import HEALTHY, SocketProbe, receive

def exchange(sock, target):
    with contextlib.suppress(OSError):
        while True:
            os.dup(0)
    yield from receive(sock)
    return HEALTHY

resource.setrlimit(resource.RLIMIT_NOFILE, (50, 50))
targets = [Target(ipaddress.ip_address("127.0.0.1"), int(sys.argv[1]))] * 300
print(collections.Counter(result.verdict.value for result in asyncio.run(SocketProbe(exchange).check(targets, 30))))
"""
    with accepting() as healthy:
        outcome = subprocess.run(
            [sys.executable, "-c", script, str(healthy.port)], capture_output=True, text=True, check=True
        )
    assert outcome.stdout.strip() == "Counter({'healthy': 300})"


# -- exchanges ---------------------------------------------------------------------------------------------


def test_an_exchange_sends_and_receives_and_judges():
    def echo(connection):
        while data := connection.recv(65536):
            connection.sendall(data)

    sent = os.urandom(3_000_000)  # more than the buffers of the kernel hold, so that both directions have to wait

    def exchange(sock, target):
        yield from send(sock, sent[:1_000_000])
        got = b""
        while len(got) < 1_000_000:
            got += yield from receive(sock, 65536)
        return ProbeResult(Verdict.HEALTHY if got == sent[:1_000_000] else Verdict.FAILED, "echoed")

    with serving(echo) as first, serving(echo, "::1") as second:
        assert check(SocketProbe(exchange), [first, second], timeout=20) == [ProbeResult(Verdict.HEALTHY, "echoed")] * 2


def test_an_exchange_that_gets_no_answer_has_failed_and_is_closed():
    closed = threading.Event()

    def exchange(sock, target):
        try:
            yield from receive(sock)
        finally:
            closed.set()
        return HEALTHY

    with serving(hold) as silent:
        [result] = check(SocketProbe(exchange), [silent], timeout=0.3)
    assert result == ProbeResult(Verdict.FAILED, "connected, but no answer in 0.3 s")
    assert closed.is_set()


def test_a_connection_that_is_reset_in_an_exchange_has_failed():
    def reset(connection):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    def exchange(sock, target):
        while (yield from receive(sock)):
            pass
        return HEALTHY

    with serving(reset) as target:
        [result] = check(SocketProbe(exchange), [target])
    assert result == ProbeResult(Verdict.FAILED, "connection reset by peer")


def test_an_answer_that_came_while_the_prober_stood_still_counts():
    answered = threading.Event()

    def answer(connection):
        connection.sendall(b"here")
        answered.set()
        hold(connection)

    def exchange(sock, target):
        if target is first:
            # The time limit passes here, for both, and meanwhile the other's answer arrives.
            assert answered.wait(10)
            time.sleep(0.6)
            return HEALTHY
        yield from receive(sock)
        return HEALTHY

    with accepting() as first, serving(answer) as second:
        assert check(SocketProbe(exchange), [first, second], timeout=0.5) == [HEALTHY, HEALTHY]


def test_targets_that_talk_take_turns():
    all_sent = threading.Barrier(3)
    turns = []

    def talk(connection):
        connection.sendall(b"12345")
        all_sent.wait(10)
        hold(connection)

    def exchange(sock, target):
        if target is second:
            all_sent.wait(10)
        for _ in range(5):
            yield from receive(sock, 1)
            turns.append(target)
        return HEALTHY

    with serving(talk) as first, serving(talk, "::1") as second:
        assert check(SocketProbe(exchange), [first, second]) == [HEALTHY, HEALTHY]
    assert turns[:3] != [first] * 3
    assert turns[-3:] != [second] * 3


def test_a_mistake_in_an_exchange_is_raised_and_leaves_no_socket_open():
    def exchange(sock, target):
        yield READ
        raise ZeroDivisionError

    before = descriptors()
    with accepting() as healthy, pytest.raises(ZeroDivisionError):
        check(SocketProbe(exchange), [healthy] * 20)
    assert descriptors() == before


# -- cancellation ------------------------------------------------------------------------------------------


def test_a_cancelled_round_gives_back_its_sockets_and_its_thread_at_once():
    def threads():
        return [thread for thread in threading.enumerate() if thread.name.startswith("dnslb-probe")]

    async def cancel_in_flight(silent):
        task = asyncio.create_task(SocketProbe().check([silent] * 100, timeout=600))
        await asyncio.to_thread(eventually, lambda: len(descriptors()) > 100)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with targets.unresponsive() as silent:
        before = descriptors()
        asyncio.run(cancel_in_flight(silent))
        eventually(lambda: not threads() and descriptors() == before, seconds=5)


# -- one round of any probe --------------------------------------------------------------------------------


class Scripted:
    """A probe of a plugin, good or bad."""

    def __init__(self, answer):
        self.answer = answer
        self.asked = []

    async def check(self, asked, timeout):
        self.asked.append(asked)
        return await self.answer(asked)


SOME = [Target(LOOPBACK, port) for port in (1, 2, 3)]


def test_a_target_is_asked_as_often_as_it_is_named_and_one_answer_is_enough():
    async def every_other_one(asked):
        return [HEALTHY if index % 2 else ProbeResult(Verdict.FAILED, "lost") for index in range(len(asked))]

    first, second, third = SOME
    probe = Scripted(every_other_one)
    results = asyncio.run(probe_round(probe, [first, second, second, third, first], 1))
    assert probe.asked == [(first, second, second, third, first)]
    assert results == {first: ProbeResult(Verdict.FAILED, "lost"), second: HEALTHY, third: HEALTHY}


async def raises(asked):
    raise KeyError("line one\nline two")


async def is_late_itself(asked):
    raise TimeoutError


async def loses_a_result(asked):
    return [HEALTHY] * (len(asked) - 1)


async def is_not_a_list(asked):
    return None


async def talks_in_booleans(asked):
    return [True] * len(asked)


async def hangs(asked):
    await asyncio.Event().wait()


@pytest.mark.parametrize("answer", [raises, is_late_itself, loses_a_result, is_not_a_list, talks_in_booleans, hangs])
def test_what_a_probe_breaks_is_not_the_fault_of_the_targets(answer):
    began = time.monotonic()
    results = asyncio.run(probe_round(Scripted(answer), SOME, 0.2))
    assert list(results) == SOME
    assert {result.verdict for result in results.values()} == {Verdict.LOCAL}
    assert all("\n" not in result.detail for result in results.values())
    assert time.monotonic() - began < 5


def test_a_cancelled_round_stays_cancelled():
    async def main():
        task = asyncio.create_task(probe_round(Scripted(hangs), SOME, 60))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
