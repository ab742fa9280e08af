"""One round of probes, with any probe: bounded in time, and in what the probe can break."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from dnslb.interfaces import Probe, ProbeResult, Target, Verdict

T = TypeVar("T")

_log = logging.getLogger(__name__)


async def probe_round(probe: Probe, targets: Iterable[Target], timeout: float) -> dict[Target, ProbeResult]:
    """Asks every target as often as it is named, and hands back the best result for each, whatever the probe does.

    `timeout` is in seconds, for one target. A probe that raises, that hands back something else than a result for
    each target, or that is not back when it could have asked all of them one after another, is at fault itself: that
    is Verdict.LOCAL, which says nothing about a target.
    """
    asked = tuple(targets)
    longest = timeout * (len(asked) + 1)
    try:
        async with asyncio.timeout(longest):
            results = await probe.check(asked, timeout)
        if not all(isinstance(result, ProbeResult) for result in results):
            raise TypeError("check() must return ProbeResults")
        return best_of(zip(asked, results, strict=True))
    except TimeoutError:
        return dict.fromkeys(asked, ProbeResult(Verdict.LOCAL, f"the probe was not back in {longest:g} s"))
    except Exception as error:  # noqa: BLE001 - a plugin may raise anything, and none of it is the targets' fault
        _log.debug("the probe %r broke", probe, exc_info=True)
        return dict.fromkeys(asked, ProbeResult(Verdict.LOCAL, f"the probe broke: {error!r}"))


def best_of(results: Iterable[tuple[Target, ProbeResult]]) -> dict[Target, ProbeResult]:
    """One result for each target: that it answered, if it did so at all; else what was found last."""
    best: dict[Target, ProbeResult] = {}
    for target, result in results:
        before = best.get(target)
        if before is None or not before.healthy:
            best[target] = result
    return best


async def in_thread(work: Callable[[threading.Event], T]) -> T:
    """The result of `work`, run in a thread of its own.

    The default executor is not used: provider calls that hang may occupy all of its threads. If the caller is
    cancelled, the event that `work` was given is set, and `work` has to end by itself soon after.
    """
    cancelled = threading.Event()
    executor = ThreadPoolExecutor(1, thread_name_prefix="dnslb-probe")
    try:
        return await asyncio.get_running_loop().run_in_executor(executor, work, cancelled)
    finally:
        cancelled.set()
        executor.shutdown(wait=False)
