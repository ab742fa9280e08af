"""The conformance kit for probes."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import pytest

from dnslb.interfaces import Probe, ProbeResult, Target, Verdict
from dnslb.testing import targets
from dnslb.testing.checks import not_applicable, within

HEALTHY, FAILED = Verdict.HEALTHY, Verdict.FAILED


@dataclass(frozen=True)
class Probed:
    """A probe, and the service that it can tell to be healthy.

    Attributes:
        make: makes the probe under test.
        serve: starts a healthy service on a loopback address ("127.0.0.1", "::1") and a free port, until the context is
            left.
    """

    make: Callable[[], Probe]
    serve: Callable[[str], AbstractContextManager[Target]]


class ProbeConformance:
    """Checks a probe against the contract of `dnslb.Probe`; each test is one promise.

    Subclass it and override the fixture `probed`.
    """

    needs_an_answer: ClassVar[bool] = True
    """Whether a target must say something to be healthy; False for a probe that is content with a connection."""

    timeout: ClassVar[float] = 2.0
    """The time limit in seconds that targets are probed under; more for a probe that takes its time."""

    slack: ClassVar[float] = 5.0
    """Seconds that a round may take longer than its time limit, for machines that are busy."""

    @pytest.fixture
    def probed(self) -> Probed:
        """Override this one: the probe under test, and a service for it."""
        raise NotImplementedError(f"{type(self).__name__} needs a fixture `probed` that returns a dnslb.testing.Probed")

    def test_a_healthy_target_is_healthy(self, probed: Probed) -> None:
        """Twice, since a probe may not use its target up."""
        probe = probed.make()
        with probed.serve("127.0.0.1") as healthy:
            assert self._verdicts(probe, [healthy]) == [HEALTHY]
            assert self._verdicts(probe, [healthy]) == [HEALTHY]

    def test_a_healthy_target_is_healthy_over_ipv6(self, probed: Probed) -> None:
        """The same service on ::1."""
        if not _has_ipv6():
            pytest.skip("this host has no IPv6")
        with probed.serve("::1") as healthy:
            assert self._verdicts(probed.make(), [healthy]) == [HEALTHY]

    def test_a_target_that_refuses_has_failed(self, probed: Probed) -> None:
        """Nobody listens on the port."""
        with targets.refusing() as refusing:
            assert self._verdicts(probed.make(), [refusing]) == [FAILED]

    def test_a_target_that_says_nothing_has_failed_in_time(self, probed: Probed) -> None:
        """It accepts the connection, and that is all."""
        if not self.needs_an_answer:
            not_applicable("a connection is enough for this probe (needs_an_answer is False)")
        with targets.silent() as silent:
            assert self._verdicts(probed.make(), [silent]) == [FAILED]

    def test_a_target_that_does_not_respond_has_failed_in_time(self, probed: Probed) -> None:
        """It does not answer the connection request, as a host that is off."""
        with targets.unresponsive() as target:
            if target is None:
                pytest.skip("this system grows the queue of a listener, so that no connection request stays unanswered")
            assert self._verdicts(probed.make(), [target]) == [FAILED]

    def test_a_target_that_talks_nonsense_is_judged(self, probed: Probed) -> None:
        """Healthy or failed, as the probe sees it; a local fault would say that it was this host's, for ever."""
        with targets.babbling() as babbling:
            assert self._verdicts(probed.make(), [babbling]) != [Verdict.LOCAL]

    def test_no_targets_give_no_results(self, probed: Probed) -> None:
        """A host that is alone has nobody to probe."""
        assert self._verdicts(probed.make(), []) == []

    def test_results_come_in_the_order_of_the_targets(self, probed: Probed) -> None:
        """Whichever is done first; else the wrong host is removed."""
        with ExitStack() as stack:
            unresponsive = stack.enter_context(targets.unresponsive()) or stack.enter_context(targets.refusing())
            refusing = stack.enter_context(targets.refusing())
            healthy = stack.enter_context(probed.serve("127.0.0.1"))
            batch = [unresponsive, healthy, refusing, healthy]
            assert self._verdicts(probed.make(), batch) == [FAILED, HEALTHY, FAILED, HEALTHY]

    def test_two_hundred_targets_can_be_probed_at_once(self, probed: Probed) -> None:
        """Each gets its own result; every tenth is healthy."""
        with targets.refusing() as refusing, probed.serve("127.0.0.1") as healthy:
            batch = [refusing if number % 10 else healthy for number in range(200)]
            expected = [FAILED if number % 10 else HEALTHY for number in range(200)]
            # A probe that runs a few at a time may take its time limit for each few.
            assert self._verdicts(probed.make(), batch, limit=60.0) == expected

    def test_a_probe_leaves_the_event_loop_free(self, probed: Probed) -> None:
        """The agent runs in the same loop: while a probe waits, everything else goes on."""
        with targets.unresponsive() as unresponsive, targets.silent() as silent:
            target = unresponsive or silent
            ticks = within(
                self.timeout + self.slack, "check()", lambda: asyncio.run(self._ticks(probed.make(), target))
            )
        assert ticks >= 3, f"the event loop turned {ticks} times in a check of {self.timeout:g} s: check() blocks it"

    async def _ticks(self, probe: Probe, target: Target) -> int:
        """How often something else got its turn during a check, where it wanted to thirty times."""
        check = asyncio.ensure_future(probe.check([target], self.timeout))
        ticks = 0
        while not check.done():
            await asyncio.sleep(self.timeout / 30)
            ticks += 1
        await check
        return ticks

    def _verdicts(self, probe: Probe, batch: Sequence[Target], limit: float | None = None) -> list[Verdict]:
        """The verdicts on `batch`, after checks that hold for every answer."""
        limit = limit or self.timeout + self.slack
        results = within(limit, "check()", partial(asyncio.run, _check(probe, batch, self.timeout)))
        assert len(results) == len(batch), f"{len(batch)} targets, {len(results)} results"
        assert all(isinstance(result, ProbeResult) for result in results), f"not all are ProbeResults: {results}"
        silent = [result for result in results if not result.healthy and not result.detail]
        assert not silent, "a failed probe gives its reason in `detail`: it is what the operator reads in the log"
        return [result.verdict for result in results]


async def _check(probe: Probe, batch: Sequence[Target], timeout: float) -> Sequence[ProbeResult]:
    return await probe.check(batch, timeout)


def _has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False
