"""Runs random histories: `python -m dnslb.simulation --seeds 10000`, or one of them with its trace: `--seed 17`."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

from dnslb.simulation.histories import History, random_history, run, shrink

COMMAND = "python -m dnslb.simulation"


@dataclass(frozen=True, slots=True)
class Result:
    """What one seed came to, small enough to be sent between processes; `found` is the report of a violation."""

    seconds: float
    actions: int
    cpu: float
    found: str = ""


def main() -> int:
    """The exit code: 1 where an invariant was violated."""
    parser = argparse.ArgumentParser(prog=COMMAND, description="Random faults against the real agent, in virtual time.")
    parser.add_argument("--seeds", type=int, help="how many histories to run")
    parser.add_argument("--first", type=int, default=1, help="the first seed of them (default: 1)")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes (default: one a processor)")
    parser.add_argument("--seed", type=int, help="run this history alone and print what happens")
    parser.add_argument(
        "--keep", type=_places, help="with these of its faults only, such as 0,3; an empty word for none"
    )
    options = parser.parse_args()
    if options.seed is not None:
        return replay(random_history(options.seed), options.keep)
    return sweep(options.first, options.seeds or 1000, options.workers)


def replay(history: History, keep: tuple[int, ...] | None) -> int:
    """Prints one history with all that was written and said in it."""
    history = history if keep is None else history.keeping(keep)
    outcome = run(history)
    print(history, *outcome.trace, sep="\n")
    print(f"digest {outcome.digest}; {outcome.actions} actions checked over {outcome.seconds:.0f} s")
    print(f"violated: {outcome.violated}" if outcome.violated else "no invariant was violated")
    return 1 if outcome.violated else 0


def sweep(first: int, count: int, workers: int) -> int:
    """Runs many histories, shows how far it is, and reports each violation."""
    began, done, found = time.monotonic(), 0, 0
    seconds = cpu = 0.0
    actions = 0
    with multiprocessing.Pool(workers) as pool:
        for result in pool.imap_unordered(_run_seed, range(first, first + count), chunksize=8):
            done += 1
            seconds, cpu, actions = seconds + result.seconds, cpu + result.cpu, actions + result.actions
            if result.found:
                found += 1
                print(f"\n{result.found}", flush=True)
            if done % 50 == 0 or done == count:
                _show(f"{done} of {count} histories, {found} with a violation, {seconds / 3600:.0f} cluster-hours")
    rate = seconds / 3600 / max(cpu, 1e-9)
    print(
        f"\n{count} histories from seed {first}: {found} with a violation; {actions} actions checked in"
        f" {seconds / 3600:.0f} cluster-hours, {rate:.1f} of them a second of CPU; {time.monotonic() - began:.0f} s"
    )
    return 1 if found else 0


def _run_seed(seed: int) -> Result:
    began = time.process_time()
    history = random_history(seed)
    outcome = run(history)
    cpu = time.process_time() - began
    found = "".join(_report(history, outcome.violated.invariant)) if outcome.violated else ""
    return Result(outcome.seconds, outcome.actions, cpu, found)


def _report(history: History, invariant: str) -> Iterator[str]:
    keep = shrink(history, invariant)
    smallest = history.keeping(keep)
    yield f"{run(smallest).violated}\n{smallest}\n"
    yield f"replay with: {COMMAND} --seed {history.seed} --keep '{','.join(map(str, keep))}'"


def _show(line: str) -> None:
    if sys.stderr.isatty():
        print(f"\r{line}", end="", file=sys.stderr, flush=True)


def _places(text: str) -> tuple[int, ...]:
    return tuple(int(word) for word in text.split(",") if word)


if __name__ == "__main__":
    sys.exit(main())
