"""Deliberate breakages of the decision, one at a time: each has to be noticed by a named scenario or a fixed seed.

`nox -s mutations` runs it. Each mutation is one replacement of text in a copy of the core, against which the tests of
`TESTS` are run; one that they let live is reported, and fails the session.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
TESTS = ("tests/test_scenarios.py", "tests/test_random_histories.py", "tests/test_decision.py")
WORKERS = 2
TIMEOUT = 600.0


@dataclass(frozen=True)
class Mutation:
    """A replacement of `old` by `new` in one module of `dnslb.decision`; `old` stands there once."""

    name: str
    module: str
    old: str
    new: str

    def apply(self, core: Path) -> None:
        path = core / "dnslb" / "decision" / f"{self.module}.py"
        text = path.read_text(encoding="utf-8")
        assert text.count(self.old) == 1, (
            f"{self.name}: {self.old!r} stands {text.count(self.old)} times in {path.name}"
        )
        path.write_text(text.replace(self.old, self.new), encoding="utf-8")


MUTATIONS = (
    Mutation("no floor", "deciding", "return max(1, math.ceil(max(", "return min(1, math.ceil(max("),
    Mutation("no hold", "observing", "held_until=seen.now + policy.hold * 2", "held_until=-policy.hold * 2"),
    Mutation("no pacing", "deciding", "    if fail <= 1:\n        return 1\n", "    if fail:\n        return 99\n"),
    Mutation("waves never grow", "observing", "wave = state.wave + 1 if", "wave = 1 if"),
    Mutation("nobody objects", "observing", "return some_fail and (some", "return False and (some"),
    Mutation("everybody objects for ever", "observing", " and state.evictions <= MOST_OBJECTIONS", ""),
    Mutation("no jury", "targets", "JURY = 16", "JURY = 0"),
    Mutation("no blip", "model", "        return 5.0\n", "        return 0.0\n"),
    Mutation("fall ignored", "model", "return self.failures >= policy.fall and", "return self.failures >= 1 and"),
    Mutation("rise ignored", "deciding", "health.passed >= policy.rise:", "health.passed >= 1:"),
    Mutation(
        "own check ignored",
        "deciding",
        "state.own in state.members and state.own_health.passed > 0",
        "state.own in state.members",
    ),
    Mutation(
        "membership ignored",
        "deciding",
        "state.own in state.members and state.own_health.passed > 0",
        "state.own_health.passed > 0",
    ),
    Mutation("no back-off", "observing", "return replace(state, not_before=seen.now + pause)", "return state"),
    Mutation(
        "back-off does not grow",
        "observing",
        "policy.interval * min(2**state.evictions, 2**MOST_EVICTIONS)",
        "2 * policy.interval",
    ),
    Mutation(
        "old probes are proof", "deciding", "    oldest = seen.now - policy.evidence_age\n", "    oldest = -NEVER\n"
    ),
    Mutation("alone and judging", "deciding", "    elif alone:\n", "    elif False:\n"),
    Mutation(
        "no slow lane", "deciding", "    if overdue and _may_remove_slowly(", "    if False and _may_remove_slowly("
    ),
    Mutation(
        "slow lane at once",
        "deciding",
        "return _health(state, address).failing_for(seen.now) > policy.max_failures * policy.interval",
        "return True",
    ),
    Mutation(
        "slow lane without pauses",
        "deciding",
        "return seen.now - state.last_slow >= policy.interval * (5 if alone else 1)",
        "return True",
    ),
    Mutation("slow lane though refuted", "deciding", "    if alone and state.refuted:\n", "    if False:\n"),
    Mutation("regions ignored", "deciding", "if policy.regional and not health.local:", "if False:"),
    Mutation("destroyed at once", "model", "return max(1.2 * self.longest_absence, 2.0 * self.ttl)", "return 0.0"),
    Mutation(
        "gaps between readings ignored",
        "observing",
        "unbroken = bool(state.sizes) and seen.now - state.sizes[-1][0] <= policy.least_stay",
        "unbroken = False",
    ),
    Mutation(
        "coming back is no veto",
        "observing",
        "for address, at in state.removed.items() if address not in members}",
        "for address, at in state.removed.items()}",
    ),
    Mutation(
        "withdrawn whatever the others do",
        "deciding",
        "if healthy and 2 * healthy >= others and len(state.members) > _floor(state):",
        "if True:",
    ),
    Mutation(
        "never withdrawn",
        "deciding",
        "if healthy and 2 * healthy >= others and len(state.members) > _floor(state):",
        "if False:",
    ),
    Mutation("the last one leaves", "deciding", "    if not hopeful:\n", "    if False:\n"),
    Mutation("nobody leaves", "deciding", "    if not hopeful:\n", "    if True:\n"),
    Mutation("a wiped set taken for a removal", "observing", "    if was_emptied:", "    if False:"),
    Mutation("outages not backed off", "observing", "return min(doubled, 4 * policy.interval)", "return 1.0"),
    Mutation(
        "throttling not backed off",
        "observing",
        "return max(min(5 * doubled, 240.0), 1.34 * (trouble.retry_after or 0.0))",
        "return 1.0",
    ),
    Mutation("successor not watched", "targets", "picked = {*others[:1], *failing(state)", "picked = {*failing(state)"),
    Mutation("only the successor watched", "targets", "    if others and state.rounds % 2:\n", "    if False:\n"),
    Mutation("no re-checks", "deciding", "if 0 < health.failures < policy.fall - 1 or", "if"),
    Mutation("one probe for those in doubt", "targets", "return 3 if health", "return 1 if health"),
)


@dataclass(frozen=True)
class Verdict:
    """What became of a mutation: the tests that failed on it, at most three."""

    mutation: Mutation
    failed: tuple[str, ...]

    @property
    def is_dead(self) -> bool:
        return bool(self.failed)


def main(names: Sequence[str]) -> int:
    """Runs all mutations, or those whose names hold one of the words; 1 where one survives."""
    chosen = [each for each in MUTATIONS if not names or any(name in each.name for name in names)]
    with ThreadPoolExecutor(WORKERS) as pool:
        verdicts = []
        for verdict in pool.map(judge, chosen):
            print(f"{verdict.mutation.name}: {', '.join(verdict.failed) or 'SURVIVES'}", flush=True)
            verdicts.append(verdict)
    survivors = [verdict for verdict in verdicts if not verdict.is_dead]
    print(f"{len(verdicts)} mutations, {len(survivors)} of which survive")
    return 1 if survivors else 0


def judge(mutation: Mutation) -> Verdict:
    with tempfile.TemporaryDirectory() as folder:
        core = Path(folder, "core")
        shutil.copytree(ROOT / "core", core, ignore=shutil.ignore_patterns("__pycache__"))
        mutation.apply(core)
        command = [sys.executable, "-m", "pytest", "-q", "--maxfail=3", "-p", "no:cacheprovider", "--tb=no", *TESTS]
        environment = os.environ | {"PYTHONPATH": str(core), "PYTHONDONTWRITEBYTECODE": "1"}
        try:
            run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=TIMEOUT, check=False)
        except subprocess.TimeoutExpired:
            return Verdict(mutation, ("no end",))
    return Verdict(mutation, tuple(re.findall(r"^(?:FAILED|ERROR) \S*?::(\S+)", run.stdout, re.MULTILINE)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
