"""What a cluster does while its provider throttles it, and one of its members has just died."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from dnslb.testing.ministack import MiniStack

from agents import Cluster, Watch, running, wait_until
from providers import NAME, Provider, azure, clouddns, route53

SIZE = 5
SETTLE = 10.0
"""Seconds from the last registration to the first count: agents write no more, and have seen who is there."""

START_LIMIT = 180.0
LEAVE_LIMIT = 360.0
"""Seconds after the throttling: an agent asks again after four minutes at the latest, give or take a quarter."""


@dataclass(frozen=True)
class Phases:
    """How long each lasts, in seconds; the dead one's leaving is waited for in any case."""

    before: float
    throttled: float
    after: float


@dataclass(frozen=True)
class Course:
    """What was seen. The requests of each phase are moments in seconds since it began."""

    provider: Provider
    phases: Phases
    before: Sequence[float]
    during: Sequence[float]
    after: Sequence[float]
    changes: Sequence[frozenset[str]]
    """Every membership that was new while it was throttled; none, if all is well."""
    left_after: float
    """Seconds from the end of the throttling until the dead member was out."""
    remaining: frozenset[str]
    survivors: frozenset[str]


def observe(provider: Provider, folder: Path, phases: Phases) -> Course:
    """Runs a cluster on the provider, throttles it, kills a member at that moment, and heals it later."""
    cluster = Cluster(folder, SIZE, NAME, Watch(provider.members), provider.configuration, provider.environment)
    with running(cluster):
        cluster.start()
        wait_until(cluster.complete, START_LIMIT, f"all are registered with {provider.name}")
        time.sleep(SETTLE)
        began = time.monotonic()
        time.sleep(phases.before)
        victim = sorted(cluster.addresses)[2]
        throttled = time.monotonic()
        provider.throttle()
        cluster.crash(victim)
        time.sleep(phases.throttled)
        healed = time.monotonic()
        provider.heal()
        wait_until(cluster.is_without(victim), LEAVE_LIMIT, f"{victim} leaves the record set in {provider.name}")
        left = time.monotonic()
        time.sleep(max(0.0, healed + phases.after - left))
        requests = provider.requests()
        return Course(
            provider,
            phases,
            before=_within(requests, began, phases.before),
            during=_within(requests, throttled, phases.throttled),
            after=_within(requests, healed, phases.after),
            changes=[members for at, members in cluster.client.changes if throttled <= at < healed],
            left_after=left - healed,
            remaining=cluster.client.members,
            survivors=cluster.addresses - {victim},
        )


def _within(requests: Sequence[float], start: float, seconds: float) -> list[float]:
    return [at - start for at in requests if start <= at < start + seconds]


@contextlib.contextmanager
def all_providers(folder: Path) -> Iterator[list[Provider]]:
    """The four, each with a double of its own; Route 53 twice, since it throttles in two ways."""
    with (
        MiniStack("route53") as ministack,
        route53(ministack) as throttling,
        route53(ministack, "PriorRequestNotComplete", writes=True) as busy,
        clouddns() as google,
        azure(folder) as microsoft,
    ):
        yield [throttling, busy, google, microsoft]


def observe_all(folder: Path, phases: Phases) -> list[Course]:
    """All providers at once, each with its own cluster."""
    with all_providers(folder) as providers, ThreadPoolExecutor(len(providers)) as pool:
        started = []
        for number, provider in enumerate(providers):
            own = folder / str(number)
            own.mkdir()
            started.append(pool.submit(observe, provider, own, phases))
        return [each.result() for each in started]
