"""Probes, sound and broken; test_conformance_kit.py says which checks must fail."""

import asyncio
import socket
import threading
from contextlib import contextmanager
from ipaddress import ip_address

import pytest

from dnslb import EachProbe, ProbeResult, Target, Verdict
from dnslb.testing import ProbeConformance, Probed

HEALTHY = ProbeResult(Verdict.HEALTHY)
GREETING = b"hello\n"


@contextmanager
def greeting(address):
    """Says hello to whoever connects."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, 0), family=family, backlog=256) as listener:
        stopping = threading.Event()

        def serve():
            while not stopping.is_set():
                client, _ = listener.accept()
                with client:
                    client.sendall(GREETING)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield Target(ip_address(address), listener.getsockname()[1])
        finally:
            stopping.set()
            socket.create_connection(listener.getsockname()[:2]).close()
            thread.join()


class Greeted(EachProbe):
    """Sound: a target is healthy that says hello."""

    async def check_one(self, target, timeout):
        reader, writer = await asyncio.open_connection(str(target.address), target.port)
        try:
            line = await reader.readline()
        finally:
            writer.close()
        return HEALTHY if line == GREETING else ProbeResult(Verdict.FAILED, "not greeted")


class Probes(ProbeConformance):
    timeout = 1.0
    slack = 3.0
    Made: type = Greeted

    @pytest.fixture
    def probed(self):
        return Probed(make=self.Made, serve=greeting)


class TestSound(Probes):
    pass


class TestSoundWithAConnectionOnly(Probes):
    needs_an_answer = False

    class Made(EachProbe):
        async def check_one(self, target, timeout):
            _, writer = await asyncio.open_connection(str(target.address), target.port)
            writer.close()
            return HEALTHY


class TestIgnoresTheTimeLimit(Probes):
    class Made(Greeted):
        async def check(self, targets, timeout):
            return await super().check(targets, 3600)


class TestAnswersInTheOrderOfArrival(Probes):
    class Made(Greeted):
        async def check(self, targets, timeout):
            each = [asyncio.ensure_future(super(type(self), self).check([target], timeout)) for target in targets]
            return [result for done in asyncio.as_completed(each) for result in await done]


class TestAsksEachTargetOnce(Probes):
    class Made(Greeted):
        async def check(self, targets, timeout):
            return await super().check(list(dict.fromkeys(targets)), timeout)


class TestRaisesWhereATargetRefuses(Probes):
    class Made(Greeted):
        async def check_one(self, target, timeout):
            try:
                return await super().check_one(target, timeout)
            except ConnectionRefusedError as error:
                raise RuntimeError("refused") from error


class TestReadsAnyBytesAsText(Probes):
    class Made(Greeted):
        async def check_one(self, target, timeout):
            reader, writer = await asyncio.open_connection(str(target.address), target.port)
            try:
                text = (await reader.readline()).decode()
            finally:
                writer.close()
            return HEALTHY if text == "hello\n" else ProbeResult(Verdict.FAILED, "not greeted")


class TestIsContentWithAConnection(Probes):
    Made = TestSoundWithAConnectionOnly.Made


class TestKnowsNoIpv6(Probes):
    class Made(Greeted):
        async def check_one(self, target, timeout):
            if target.address.version == 6:
                return ProbeResult(Verdict.FAILED, "no IPv4 address")
            return await super().check_one(target, timeout)


class TestCannotProbeNothing(Probes):
    class Made(Greeted):
        async def check(self, targets, timeout):
            checks = [asyncio.ensure_future(super(type(self), self).check([target], timeout)) for target in targets]
            await asyncio.wait(checks)
            return [check.result()[0] for check in checks]


class TestGivesNoReason(Probes):
    class Made(Greeted):
        async def check(self, targets, timeout):
            return [ProbeResult(result.verdict) for result in await super().check(targets, timeout)]


class TestBlocksTheLoop(Probes):
    class Made:
        async def check(self, targets, timeout):
            return [self.ask(target, timeout) for target in targets]

        def ask(self, target, timeout):
            try:
                with socket.create_connection((str(target.address), target.port), timeout) as client:
                    return HEALTHY if client.recv(64) == GREETING else ProbeResult(Verdict.FAILED, "not greeted")
            except OSError as error:
                return ProbeResult(Verdict.FAILED, str(error))


class TestAnswersWithBooleans(Probes):
    class Made(Greeted):
        async def check(self, targets, timeout):
            return [result.healthy for result in await super().check(targets, timeout)]


class TestUsesItsTargetUp(Probes):
    class Made(Greeted):
        seen = ()

        async def check(self, targets, timeout):
            fresh = [target for target in targets if target not in self.seen]
            self.seen = {*self.seen, *targets}
            if fresh == list(targets):
                return await super().check(targets, timeout)
            return [ProbeResult(Verdict.FAILED, "asked before")] * len(targets)


class TestGivesUpOnLargeBatches(Probes):
    class Made(Greeted):
        async def check(self, targets, timeout):
            if len(targets) > 100:
                return [ProbeResult(Verdict.LOCAL, "too many")] * len(targets)
            return await super().check(targets, timeout)
