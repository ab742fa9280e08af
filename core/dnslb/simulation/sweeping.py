"""Runs many random histories on several processors, and adds up what became of them."""

from __future__ import annotations

import itertools
import multiprocessing
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field

from dnslb.simulation.histories import random_history
from dnslb.simulation.invariants import Counts
from dnslb.simulation.running import run
from dnslb.simulation.shrinking import shrink

COMMAND = "python -m dnslb.simulation"
_BATCH = 8


@dataclass(slots=True)
class Total:
    """What a number of histories came to; `cpu` and `seconds` are of real and of virtual time.

    `reports` has one for each violation: what it was, the smallest history that shows it, and how to replay that.
    """

    histories: int = 0
    seconds: float = 0.0
    cpu: float = 0.0
    counts: Counts = field(default_factory=Counts)
    reports: list[str] = field(default_factory=list)

    def add(self, other: Total) -> None:
        """Adds another one to it."""
        self.histories += other.histories
        self.seconds += other.seconds
        self.cpu += other.cpu
        self.counts.add(other.counts)
        self.reports += other.reports

    @property
    def hours(self) -> float:
        """Cluster-hours: virtual time in which agents ran."""
        return self.seconds / 3600

    def __str__(self) -> str:
        rate = self.hours / max(self.cpu, 1e-9)
        return "\n".join(
            [
                f"{self.histories} histories, {len(self.reports)} with a violation",
                f"{self.hours:.1f} cluster-hours in {self.cpu:.0f} s of CPU: {rate:.2f} hours a second",
                *self.counts.lines,
            ]
        )


def sweep(
    first: int, workers: int, count: int | None, hours: float | None, every: float | None = None
) -> Iterator[Total]:
    """Runs histories from a seed on, so many, or until they lasted so many hours; `every` as of `random_history`.

    Yields what a few of them came to at a time, in the order in which they end.
    """
    seeds = iter(itertools.count(first) if count is None else range(first, first + count))
    batches = iter(lambda: tuple(itertools.islice(seeds, _BATCH)), ())
    done = 0.0
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        under_way: set[Future[Total]] = {
            pool.submit(run_seeds, each, every) for each in itertools.islice(batches, 2 * workers)
        }
        while under_way:
            ended, under_way = wait(under_way, return_when=FIRST_COMPLETED)
            for total in (future.result() for future in ended):
                done += total.hours
                yield total
            if hours is None or done < hours:
                under_way |= {pool.submit(run_seeds, each, every) for each in itertools.islice(batches, len(ended))}


def run_seeds(seeds: tuple[int, ...], every: float | None = None) -> Total:
    """Runs the histories of these seeds, one after the other."""
    total = Total()
    for seed in seeds:
        total.add(_run_seed(seed, every))
    return total


def _run_seed(seed: int, every: float | None) -> Total:
    began = time.process_time()
    outcome = run(random_history(seed, every))
    cpu = time.process_time() - began
    reports = [report(seed, outcome.violated.invariant, every)] if outcome.violated else []
    return Total(1, outcome.seconds, cpu, outcome.counts, reports)


def report(seed: int, invariant: str, every: float | None = None) -> str:
    """What is left of a history that violates an invariant once it is shrunk, and the command that replays it."""
    history = random_history(seed, every)
    cut = shrink(history, invariant)
    smallest = history.cut(cut)
    options = cut.options if every is None else f" --every {every:g}{cut.options}"
    return f"{run(smallest).violated}\n{smallest}\nreplay with: {COMMAND} --seed {seed}{options}"
