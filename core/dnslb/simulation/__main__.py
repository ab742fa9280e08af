"""Runs random histories: `python -m dnslb.simulation --seeds 10000`, or one of them with its trace: `--seed 17`."""

from __future__ import annotations

import argparse
import os
import sys
import time
import traceback

from dnslb.simulation.histories import Cut, History, random_history
from dnslb.simulation.running import run
from dnslb.simulation.sweeping import COMMAND, Total, sweep

_SHOWN_EVERY = 10.0
"""Seconds between two lines that tell how far it is."""


def main() -> int:
    """The exit code: 1 where an invariant was violated."""
    options = parser().parse_args()
    if options.seed is not None:
        return _replay(random_history(options.seed, options.every).cut(Cut(options.keep, options.size, options.length)))
    count = options.seeds if options.seeds or options.hours else 1000
    return _sweep(options.first, options.workers, count, options.hours, options.every)


def parser() -> argparse.ArgumentParser:
    """What it takes on the command line."""
    made = argparse.ArgumentParser(prog=COMMAND, description="Random faults against the real agent, in virtual time.")
    made.add_argument("--seeds", type=int, help="how many histories to run (default: 1000)")
    made.add_argument("--hours", type=float, help="run histories until they lasted so many virtual hours together")
    made.add_argument("--first", type=int, default=1, help="the first seed (default: 1)")
    made.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes (default: one a processor)")
    made.add_argument("--every", type=_seconds, help="in all of them agents read and probe each so many seconds")
    made.add_argument("--seed", type=int, help="run this history alone and print what happens")
    made.add_argument("--keep", type=_places, help="of --seed: only these of its faults, such as 0,3; '' for none")
    made.add_argument("--size", type=int, help="of --seed: only so many of its nodes")
    made.add_argument("--length", type=float, help="of --seed: all faults are over after so many seconds")
    return made


def _places(text: str) -> tuple[int, ...]:
    return tuple(int(word) for word in text.split(",") if word)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 1.0 <= seconds <= 3600.0:
        raise argparse.ArgumentTypeError(f"{text!r} is not from 1 to 3600 seconds")
    return seconds


def _replay(history: History) -> int:
    """Prints one history with all that was written and said in it."""
    outcome = run(history)
    print(history, *outcome.trace, *outcome.counts.lines, sep="\n")
    print(f"digest {outcome.digest}; {outcome.seconds:.0f} s")
    if outcome.violated is None:
        print("no invariant was violated")
        return 0
    print(f"violated: {outcome.violated}")
    if outcome.violated.__cause__ is not None:
        traceback.print_exception(outcome.violated.__cause__)
    return 1


def _sweep(first: int, workers: int, count: int | None, hours: float | None, every: float | None) -> int:
    """Runs many histories, tells how far it is, and reports each violation at once."""
    began = shown = time.monotonic()
    total = Total()
    for part in sweep(first, workers, count, hours, every):
        total.add(part)
        for report in part.reports:
            print(report, end="\n\n", flush=True)
        if time.monotonic() - shown >= _SHOWN_EVERY:
            shown = time.monotonic()
            print(_progress(total, count, hours, shown - began), file=sys.stderr, flush=True)
    print(f"{total}\nseeds {first} to {first + total.histories - 1}, in {time.monotonic() - began:.0f} s")
    return 1 if total.reports else 0


def _progress(total: Total, count: int | None, hours: float | None, seconds: float) -> str:
    done = max(total.histories / count if count else 0.0, total.hours / hours if hours else 0.0)
    found = f"{total.histories} histories, {total.hours:.0f} cluster-hours, {len(total.reports)} with a violation"
    return f"{done:4.0%}  {found}; {seconds * (1 - done) / max(done, 1e-9):.0f} s left"


if __name__ == "__main__":
    sys.exit(main())
