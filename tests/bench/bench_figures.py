"""The table of docs/explanation/figures.md: clusters in trouble, the Go package against dnslb.

    uv run nox -s bench -- tests/bench/bench_figures.py
    uv run nox -s bench -- tests/bench/bench_figures.py --nodes 2,5,20,100,500
    uv run nox -s bench -- tests/bench/bench_figures.py --rows crash,partition --nodes 500 --seeds 10

In virtual time, on all processors; one line of standard error for each part that is done. The same seeds give the same
table. Figures are means over the seeds, and medians where they are times. Up to 100 nodes it takes about half an hour
of processor time. 500 take more than an hour, with one seed: most of it for port-blocked, where all fail for all.
"""

import argparse
import math
import os
import sys
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

from dnslb.simulation.agents import KeeperAgent
from dnslb.simulation.cluster import MakeAgent
from dnslb.simulation.figures import ROWS, Course, Numbers, Row
from dnslb.simulation.reference import ReferenceAgent

GO, OURS, SKETCH = "Go package", "dnslb", "first sketch"
AGENTS: Mapping[str, MakeAgent] = {GO: ReferenceAgent, OURS: KeeperAgent}

NODES = (2, 5, 20, 100)
SEEDS = {2: 40, 5: 40, 20: 12, 100: 3, 500: 1}
"""How many seeds a course is run with, from so many nodes on, unless somebody says otherwise."""

SKETCHED: Mapping[str, Mapping[int, float]] = {
    "crash": {2: 86, 5: 74, 20: 60, 100: 69, 500: 63},
    "partition": {2: 1, 5: 4, 20: 5, 100: 4, 500: 2},
    "partition-smallest": {2: 1, 5: 4, 20: 18, 100: 98, 500: 499},
    "partition-writes": {2: 2, 5: 8, 20: 10, 100: 8, 500: 4},
    "port-blocked": {2: 0, 5: 0, 20: 0, 100: 0, 500: 0},
    "isolated": {2: 0.5, 5: 0, 20: 0, 100: 0, 500: 0},
    "unreachable": {2: 36, 5: 16, 20: 15, 100: 14, 500: 21},
    "flapping": {2: 16, 5: 10, 20: 9, 100: 9},
    "loss": {2: 0, 5: 0.2, 20: 0.2, 100: 0.3, 500: 1.5},
    "cold-start": {2: 20, 5: 25, 20: 30, 100: 85, 500: 198},
    "cold-start-limited": {2: 20, 5: 25, 20: 35, 100: 192, 500: 945},
    "slow-start": {2: 0, 5: 0, 20: 0, 100: 0, 500: 0},
    "half-dies": {2: 90, 5: 270, 20: 660, 100: 1140, 500: 1160},
    "requests": {2: 95, 5: 238, 20: 950, 100: 4780, 500: 6258},
}
"""By row and nodes: what the rules reached as they were first sketched, in a simulator made for the sketch."""


# -- running -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Part:
    """A course of one kind of agents, in clusters of one size, with so many seeds."""

    course: Course
    agent: str
    nodes: int
    seeds: range


Results = Mapping[tuple[str, str, int], list[Numbers]]
"""By course, agent and nodes: what came of each seed."""


def parts(rows: Sequence[Row], nodes: Sequence[int], seeds: int | None, first: int) -> Iterator[Part]:
    """What the rows take, each course once; the longest first, so that all processors end together."""
    for size in sorted(nodes, reverse=True):
        for course in {row.course.name: row.course for row in rows}.values():
            number = (seeds or usual_seeds(size)) * course.repeat
            for agent in AGENTS:
                yield Part(course, agent, size, range(first, first + number))


def usual_seeds(nodes: int) -> int:
    """How many seeds for so many nodes."""
    return SEEDS[max((size for size in SEEDS if size <= nodes), default=min(SEEDS))]


def run_all(wanted: Sequence[Part], workers: int | None) -> Results:
    """Runs each seed on whatever processor is free, and says on standard error which parts are done."""
    results: dict[tuple[str, str, int], list[Numbers]] = {}
    began = time.monotonic()
    with ProcessPoolExecutor(workers) as pool:
        running = [(part, [pool.submit(run, part, seed) for seed in part.seeds]) for part in wanted]
        for number, (part, futures) in enumerate(running, start=1):
            results[part.course.name, part.agent, part.nodes] = [future.result() for future in futures]
            said = f"{part.nodes} nodes, {part.course.name}, {part.agent}: {len(futures)} seeds"
            print(f"{number}/{len(wanted)} {said}, after {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    return results


def run(part: Part, seed: int) -> Numbers:
    """One cluster."""
    return part.course.numbers(AGENTS[part.agent], part.nodes, seed)


# -- showing -----------------------------------------------------------------------------------------------------


Figures = Mapping[tuple[str, str, int], str]
"""By row, who and nodes, as it is shown; the sketch has not all of them."""


def figures(rows: Sequence[Row], nodes: Sequence[int], results: Results) -> Figures:
    """What the runs come to, beside what was sketched."""
    measured = {
        (row.name, who, size): shown(row.figure(results[row.course.name, who, size]))
        for row in rows
        for who in AGENTS
        for size in nodes
    }
    sketched = {(name, SKETCH, size): shown(figure) for name, each in SKETCHED.items() for size, figure in each.items()}
    return {**measured, **sketched}


def shown(figure: float) -> str:
    """Three digits, or as many as there are before the point."""
    if math.isinf(figure):
        return "never"
    return f"{figure:.0f}" if figure >= 100 else f"{figure:.3g}"


def table(rows: Sequence[Row], nodes: Sequence[int], of: Figures) -> str:
    """In Markdown. Bold is what is worse than in the Go package, or than it was sketched."""
    lines = [f"| N | | {' | '.join(map(str, nodes))} |", f"| --- | --- |{' ---: |' * len(nodes)}"]
    for row in rows:
        for title, who in ((row.title, GO), ("", OURS), ("", SKETCH)):
            if who != SKETCH or row.name in SKETCHED:
                cells = [_cell(row, who, size, of) for size in nodes]
                lines.append(f"| {title} | {who} | {' | '.join(cells)} |")
    return "\n".join(lines)


def worse(rows: Sequence[Row], nodes: Sequence[int], of: Figures) -> list[str]:
    """A line for each figure of ours that is worse than another one."""
    return [
        f"- {row.title}, {size} nodes: {of[row.name, OURS, size]}, {who} {of[row.name, who, size]}"
        for row in rows
        for size in nodes
        for who in _better(row, size, of)
    ]


def _cell(row: Row, who: str, size: int, of: Figures) -> str:
    text = of.get((row.name, who, size), "")
    return f"**{text}**" if who == OURS and _better(row, size, of) else text


def _better(row: Row, size: int, of: Figures) -> list[str]:
    """Who has a better figure than ours, by what is shown of it."""
    sign = -1 if row.more_is_better else 1
    ours = sign * _value(of[row.name, OURS, size])
    others = {who: of[row.name, who, size] for who in (GO, SKETCH) if (row.name, who, size) in of}
    return [who for who, text in others.items() if sign * _value(text) < ours]


def _value(text: str) -> float:
    return math.inf if text == "never" else float(text)


def harm(results: Results) -> str:
    """What must never happen, counted over all runs of our agents."""
    runs = [numbers for (_, agent, _), numbers in results.items() if agent == OURS]
    count = sum(map(len, runs))
    destroyed, emptied = (sum(each[what] for one in runs for each in one) for what in ("destroyed", "emptied"))
    return (
        f"{count} runs of dnslb: {destroyed:g} healthy instances destroyed, {emptied:g} commits that left no address."
    )


# -- asking ------------------------------------------------------------------------------------------------------


def numbers(text: str) -> tuple[int, ...]:
    """Of the form 2,5,20."""
    return tuple(map(int, text.split(",")))


def named(text: str) -> tuple[Row, ...]:
    """The rows with these names."""
    known = {row.name: row for row in ROWS}
    if unknown := [name for name in text.split(",") if name not in known]:
        raise argparse.ArgumentTypeError(f"no row {', '.join(unknown)}; there are {', '.join(known)}")
    return tuple(known[name] for name in text.split(","))


def main(words: Collection[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=numbers, default=NODES, help="the sizes of the clusters")
    parser.add_argument("--rows", type=named, default=ROWS, help="some rows only, by name")
    parser.add_argument("--seeds", type=int, help="for each course, instead of fewer for larger clusters")
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes; one for each processor")
    asked = parser.parse_args(words)
    results = run_all(list(parts(asked.rows, asked.nodes, asked.seeds, asked.first_seed)), asked.workers)
    told = figures(asked.rows, asked.nodes, results)
    print(table(asked.rows, asked.nodes, told))
    print(f"\n{harm(results)}\n")
    print("Worse than elsewhere:\n", *(worse(asked.rows, asked.nodes, told) or ["- nothing"]), sep="\n")


if __name__ == "__main__":
    main()
