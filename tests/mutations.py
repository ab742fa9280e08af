"""Deliberate breakages of the decision, one at a time: each has to be noticed by a test that is named beside it.

`nox -s mutations` runs it. A mutation is one replacement of text in a copy of the core, never in the sources. It fails
the session if the tests beside it let it live, if its text no longer stands there exactly once, or if these tests fail
without it. `--search` runs all tests of `TESTS` on the chosen mutations instead, and says which ones notice.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parent.parent
CORE = ROOT / "core"


def test_file(name: str) -> str:
    """The file of tests of that name, which may be in a folder: as in "properties/each_decision"."""
    folder, _, file = name.rpartition("/")
    return str(PurePosixPath("tests", folder, f"test_{file}.py"))


TESTS = tuple(
    map(
        test_file,
        (
            "scenarios",
            "long_failures",
            "decision",
            "destroying",
            "destroying_simulated",
            "blocked_members",
            "targets",
            "witnesses",
            "low_ttl",
            "leases",
            "publisher",
            "random_histories",
            "properties/each_decision",
            "properties/destroy_machine",
        ),
    )
)
WORKERS = 2
TIMEOUT = 300.0
"""Seconds that the test beside one mutation may take; all of them together, with nothing broken, four times as long."""


@dataclass(frozen=True)
class Mutation:
    """A replacement of `old` by `new` in a module of the core.

    `noticed_by` is the test that notices it: the file and the test, as in "decision: a stopped agent leaves at once" or
    "properties/each_decision: no decision empties the record set".
    """

    name: str
    module: str
    old: str
    new: str
    noticed_by: str

    @property
    def test(self) -> str:
        """Which test notices it, as pytest takes it."""
        file, _, sentence = self.noticed_by.partition(": ")
        return f"{test_file(file)}::test_{sentence.replace(' ', '_')}"

    @property
    def path(self) -> Path:
        """Of the module, in the core."""
        return Path("dnslb", f"{self.module}.py")

    def apply(self, core: Path) -> None:
        """Breaks a copy of the core."""
        text = (core / self.path).read_text(encoding="utf-8")
        if (found := text.count(self.old)) != 1:
            raise SystemExit(f"{self.name}: {self.old!r} stands {found} times in {self.path}, and should once")
        (core / self.path).write_text(text.replace(self.old, self.new), encoding="utf-8")


MUTATIONS: tuple[Mutation, ...] = (
    # -- joining
    Mutation(
        "no rise",
        "decision/deciding",
        "health.passed >= policy.rise:",
        "health.passed >= 1:",
        "scenarios: a service that answers once is not registered",
    ),
    Mutation(
        "no back-off",
        "decision/observing",
        "not_before = seen.now + policy.absence(evictions, seen.jitter)",
        "not_before = seen.now",
        "decision: a member that no one can reach is out nearly all the time",
    ),
    Mutation(
        "a back-off that does not grow",
        "decision/policy",
        "self.interval * 2.0**evictions",
        "self.interval * 2.0",
        "decision: a member that no one can reach comes back ever more rarely and is not destroyed",
    ),
    Mutation(
        "no lease check",
        "decision/deciding",
        "if state.lease and (seconds :=",
        "if False and (seconds :=",
        "blocked_members: a blocked address is not registered while its block is renewed whatever its clock says",
    ),
    Mutation(
        "a block that the wall clock alone ends",
        "decision/leases",
        "return min(max(past, view.since + lasts), view.since + LONGEST)",
        "return past",
        "leases: a wall clock that is ahead ends nothing before it was unchanged for its duration",
    ),
    Mutation(
        "a wiped set taken for a removal",
        "decision/observing",
        "    if was_emptied:",
        "    if False:",
        "scenarios: a wiped record set is half full after one interval and whole after four",
    ),
    # -- judging others
    Mutation(
        "no fall",
        "decision/model",
        "return self.failures >= policy.fall and",
        "return self.failures >= 1 and",
        "scenarios: a member that failed less often than the configuration asks is left in",
    ),
    Mutation(
        "no blip",
        "decision/policy",
        "        return 5.0\n",
        "        return 0.0\n",
        "scenarios: a pause shorter than five seconds removes nobody",
    ),
    Mutation(
        "no fresh evidence",
        "decision/looking",
        "    oldest = seen.now - policy.evidence_age\n",
        "    oldest = -NEVER\n",
        "scenarios: a process that was stopped while it probed does not judge by what it found",
    ),
    Mutation(
        "no fresh reading",
        "decision/looking",
        "unread = seen.record_set is None or (lease",
        "unread = (lease",
        "decision: what only an old reading asks for leads to a new one at once",
    ),
    Mutation(
        "evidence from before a stop",
        "decision/looking",
        "if seen.probes and seen.now - seen.probed_at <= policy.longest_round(len(seen.probes)):",
        "if seen.probes:",
        "scenarios: a process that was stopped while it probed does not judge by what it found",
    ),
    Mutation(
        "the own check ignored",
        "decision/model",
        "self.own in self.members and self.own_health.passed > 0",
        "self.own in self.members",
        "scenarios: a failing node judges nobody",
    ),
    Mutation(
        "who is no member judges",
        "decision/model",
        "self.own in self.members and self.own_health.passed > 0",
        "self.own_health.passed > 0",
        "scenarios: who was removed judges nobody until it is back",
    ),
    Mutation(
        "no ALONE rule",
        "decision/deciding",
        "    elif alone:\n",
        "    elif False:\n",
        "scenarios: an isolated node removes nobody before the slow lane",
    ),
    Mutation(
        "no floor",
        "decision/deciding",
        "return max(1, math.ceil(max(",
        "return min(1, math.ceil(max(",
        "decision: more than half is never removed in the normal way",
    ),
    Mutation(
        "no pacing",
        "decision/deciding",
        "    if fail <= 1:\n        return 1\n",
        "    if fail:\n        return 99\n",
        "scenarios: a partition costs a few removals and everybody is back after it",
    ),
    Mutation(
        "nobody objects",
        "decision/observing",
        "return (some_answer or len(others) == 1)",
        "return False",
        "scenarios: a partition costs a few removals and everybody is back after it",
    ),
    Mutation(
        "waves that never grow",
        "decision/observing",
        "wave = min(state.wave + 1, len(WAVES) - 1) if follows else 1",
        "wave = 1",
        "decision: while nobody objects ever more are removed at once",
    ),
    Mutation(
        "who leaves by itself taken for a question",
        "decision/observing",
        "wave=wave if is_question else 0",
        "wave=wave",
        "decision: members that leave by themselves are no questions that nobody objected to",
    ),
    Mutation(
        "a question beside that of others",
        "decision/observing",
        "if not is_over and (state.wave or not is_question):",
        "if not is_over:",
        "decision: after an objection the next question of others is waited for too",
    ),
    Mutation(
        "no hold after an objection",
        "decision/observing",
        "held_until=seen.now + policy.hold * 2",
        "held_until=-policy.hold * 2",
        "scenarios: a partition costs a few removals and everybody is back after it",
    ),
    Mutation(
        "a hold that no answer ends",
        "decision/observing",
        "state = replace(state, objections=0, held_until=-NEVER)",
        "pass",
        "decision: after an objection members are judged again as soon as those who objected answer",
    ),
    Mutation(
        "the wrong region",
        "decision/deciding",
        "if policy.regional and not health.local:",
        "if False:",
        "scenarios: the members of another region are left to it",
    ),
    Mutation(
        "no slow lane",
        "decision/deciding",
        "if overdue and _may_remove_slowly(",
        "if False and _may_remove_slowly(",
        "decision: who failed for too long leaves one at a time whatever the floor",
    ),
    Mutation(
        "a slow lane at once",
        "decision/deciding",
        "seen.now - state.registered_since) > limit",
        "seen.now - state.registered_since) > 0",
        "scenarios: more than half that dies stays until it failed for sixty intervals and then leaves one by one",
    ),
    Mutation(
        "a slow lane without pauses",
        "decision/deciding",
        "if seen.now < state.paced_until or (",
        "if (",
        "decision: who failed for too long leaves one at a time whatever the floor",
    ),
    Mutation(
        "a slow lane as fast where nobody answers",
        "decision/deciding",
        " and seen.now - state.last_slow >= 5 * policy.interval)",
        ")",
        "decision: where nobody answers who failed for too long leaves once in five intervals",
    ),
    Mutation(
        "a slow lane though refuted",
        "decision/deciding",
        "return not alone or (not state.refuted and ",
        "return not alone or (",
        "decision: an agent that cannot reach anybody for hours removes one and takes its return for an answer",
    ),
    Mutation(
        "a slow lane for those who prove to live",
        "decision/deciding",
        " * 2.0 ** min(health.returns, MOST_RETURNS)",
        "",
        "decision: who comes back each time is removed for its long failure ever more rarely",
    ),
    Mutation(
        "returns that do not count",
        "decision/observing",
        "failing_since=seen.now, returns=before.returns + 1",
        "returns=before.returns",
        "long_failures: a network that is cut for 120 intervals costs the living little",
    ),
    Mutation(
        "removed without asking the jury whether it was wrong",
        "decision/looking",
        "    if not _was_removed(state):\n",
        "    if True:\n",
        "decision: who was removed asks everybody and is back soon if it was wrong",
    ),
    Mutation(
        "objections without end",
        "decision/observing",
        " and state.evictions <= MOST_OBJECTIONS",
        "",
        "decision: who objects again and again gives in",
    ),
    # -- witnesses
    Mutation(
        "no question to the witnesses before a removal",
        "decision/looking",
        "return policy.witnesses and judges and",
        "return False and",
        "witnesses: the witnesses are asked before anybody is removed",
    ),
    Mutation(
        "judged though cut off",
        "decision/targets",
        "return 2 * healthy < others",
        "return False",
        "witnesses: what a witness just said decides and not what it said before",
    ),
    Mutation(
        "cut off though half of the others answer",
        "decision/targets",
        "return 2 * healthy < others",
        "return True",
        "witnesses: where half of the others answer a dead member leaves as ever whatever became of the witnesses",
    ),
    Mutation(
        "nobody leaves slowly while no witness answers",
        "decision/deciding",
        "(state.unwitnessed and not answering(state, policy)[0])",
        "state.unwitnessed",
        "witnesses: where fewer answer and no witness those who fail leave slowly",
    ),
    Mutation(
        "who is cut off removes slowly",
        "decision/deciding",
        " or (state.unwitnessed and not answering(state, policy)[0])",
        "",
        "witnesses: where no witness answers anybody nobody is removed however long it lasts",
    ),
    Mutation(
        "objects though cut off",
        "decision/observing",
        "(state.witnessed_at < state.out_since or is_cut_off(state, policy))",
        "state.witnessed_at < state.out_since",
        "witnesses: of two halves the one that a witness answers stays",
    ),
    Mutation(
        "objects by what a witness said before",
        "decision/observing",
        "(state.witnessed_at < state.out_since or is_cut_off(state, policy))",
        "is_cut_off(state, policy)",
        "witnesses: who was removed objects by what a witness said since",
    ),
    Mutation(
        "comes back while cut off",
        "decision/deciding",
        "if _is_kept_out(state, seen, policy):",
        "if False:",
        "witnesses: of two the one that is cut off leaves once and stays out until the network heals",
    ),
    Mutation(
        "kept out for ever",
        "decision/deciding",
        "state.evictions > 0 and seen.now - state.out_since < policy.longest_failure",
        "state.evictions > 0",
        "witnesses: who is cut off does not stay out for ever since the witnesses may be what is gone",
    ),
    Mutation(
        "destroys while no witness answers",
        "decision/destroying",
        "is_answered and not state.unwitnessed",
        "is_answered",
        "witnesses: who is cut off has nobody destroyed",
    ),
    Mutation(
        "never asks the witnesses again",
        "decision/looking",
        "still_silent = read and state.unwitnessed and",
        "still_silent = False and",
        "witnesses: of two a dead member leaves once a witness answers again",
    ),
    Mutation(
        "cut off by all who were asked",
        "decision/targets",
        "others = ring(state, policy)[:JURY]",
        "others = jury(state, policy) - {state.own}",
        "witnesses: of many it is those next on the ring that tell whether half of them answer",
    ),
    Mutation(
        "too little time for witnesses that stay silent",
        "decision/looking",
        "- 2 * policy.probe_timeout",
        "- policy.probe_timeout",
        "witnesses: a slow round of probes after witnesses that stay silent is acted on",
    ),
    # -- the TTL
    Mutation(
        "a removal that leaves the TTL",
        "decision/deciding",
        "return policy.low_ttl if removes or",
        "return policy.low_ttl if",
        "low_ttl: a removal lowers it in the same commit and the first member raises it after five intervals",
    ),
    Mutation(
        "a TTL that is raised while somebody fails",
        "decision/observing",
        "doubtful = suspects(state, policy) | (",
        "doubtful = frozenset() | (",
        "low_ttl: it stays low as long as anybody fails",
    ),
    Mutation(
        "a TTL that is raised at once",
        "decision/deciding",
        "if calm >= policy.calm + before * policy.interval:",
        "if calm >= 0:",
        "low_ttl: a removal lowers it in the same commit and the first member raises it after five intervals",
    ),
    Mutation(
        "a TTL that only the first member raises",
        "decision/deciding",
        "if calm >= policy.calm + before * policy.interval:",
        "if calm >= policy.calm and not before:",
        "low_ttl: where the first members have no agent the next one raises it",
    ),
    Mutation(
        "a TTL that the next change raises",
        "decision/deciding",
        " or record_set.ttl == policy.low_ttl else policy.ttl",
        " else policy.ttl",
        "low_ttl: who comes back and who leaves keep it low for a while",
    ),
    Mutation(
        "a TTL that is raised again and again",
        "decision/observing",
        "state = replace(state, calm_since=NEVER)",
        "pass",
        "low_ttl: a provider that keeps the low ttl is told once by each agent and no more",
    ),
    Mutation(
        "a TTL by hearsay",
        "decision/observing",
        "return hint if state.record_set is None else hint.holding(hint.values, state.record_set.ttl)",
        "return hint",
        "low_ttl: name servers that are behind in it have nobody read the api",
    ),
    Mutation(
        "a TTL that one lost probe keeps low",
        "decision/observing",
        ".failures > 1 for address in doubtful",
        ".failures > 0 for address in doubtful",
        "low_ttl: lost probes do not keep it low",
    ),
    Mutation(
        "a TTL that is raised by who fails",
        "decision/observing",
        " | ({state.own} if state.own else frozenset())\n    is_calm",
        "\n    is_calm",
        "low_ttl: who fails its own check raises nothing",
    ),
    # -- watching
    Mutation(
        "no jury",
        "decision/targets",
        "JURY = 16",
        "JURY = 0",
        "scenarios: a partition costs a few removals and everybody is back after it",
    ),
    Mutation(
        "the successor not watched",
        "decision/targets",
        "*own, *others[:1], *survey",
        "*own, *survey",
        "scenarios: a lone crash leaves within fifteen seconds",
    ),
    Mutation(
        "only the successor watched",
        "decision/targets",
        "state.rounds // 2, state.rounds % 2)",
        "state.rounds // 2, 0)",
        "scenarios: a member whose ring neighbour has no agent is watched all the same",
    ),
    Mutation(
        "no survey",
        "decision/targets",
        "    if len(fail) > 1:\n",
        "    if False:\n",
        "targets: while several fail all others are soon asked",
    ),
    Mutation(
        "always the same of those who fail",
        "decision/targets",
        "_turn(fail, state.rounds, SAMPLE)",
        "fail[:SAMPLE]",
        "targets: of many who fail a part is asked at a time and each in its turn",
    ),
    Mutation(
        "no re-checks",
        "decision/looking",
        "if 0 < health.failures < policy.fall - 1 or",
        "if",
        "decision: a failure is confirmed within seconds however rarely members are probed",
    ),
    Mutation(
        "one probe for those in doubt",
        "decision/targets",
        "return MOST_ATTEMPTS if health",
        "return 1 if health",
        "scenarios: lost packets remove hardly anybody",
    ),
    # -- leaving
    Mutation(
        "never withdrawn",
        "decision/deciding",
        "if healthy and 2 * healthy >= others and len(state.members) > _floor(state):",
        "if False:",
        "decision: a service that dies is withdrawn by its own agent where nobody else watches it",
    ),
    Mutation(
        "withdrawn whatever the others do",
        "decision/deciding",
        "if healthy and 2 * healthy >= others and len(state.members) > _floor(state):",
        "if True:",
        "scenarios: where all services fail together all stay",
    ),
    Mutation(
        "the last one leaves",
        "decision/deciding",
        "    if not hopeful:\n",
        "    if False:\n",
        "scenarios: all that stop one after the other leave but the last",
    ),
    Mutation(
        "nobody leaves",
        "decision/deciding",
        "    if not hopeful:\n",
        "    if True:\n",
        "decision: a stopped agent leaves at once",
    ),
    # -- destroying
    Mutation(
        "no veto",
        "decision/destroying",
        "    if not state.own_health.passed:\n        return\n",
        "    return\n",
        "destroying: an instance that lives vetoes in time whatever its clock says",
    ),
    Mutation(
        "a veto without a self-check",
        "decision/destroying",
        "    if not state.own_health.passed:\n        return\n",
        "",
        "destroying: who fails its own check does not veto and is destroyed though its agent lives",
    ),
    Mutation(
        "no wait for the veto",
        "decision/destroying",
        "return seen.now - sighting.since >= wait_for_veto(state, policy) and",
        "return",
        "destroying: a dead instance is destroyed within nine intervals of its removal",
    ),
    Mutation(
        "no budget",
        "decision/destroying",
        "    if spent >= budget:\n",
        "    if False:\n",
        "destroying: the budget is a tenth of the members an hour",
    ),
    Mutation(
        "what was begun soon forgotten",
        "decision/destroying",
        "    if sighting.line.stage in COUNTED and",
        "    if sighting.line.stage is Stage.DESTROYED and",
        "destroying: what was begun and never written down counts for an hour too",
    ),
    Mutation(
        "intents of living members carried out",
        "decision/destroying",
        "(sighting.line.by == state.own or sighting.line.by not in state.members)",
        "True",
        "destroying: an intent of a member is left to it",
    ),
    Mutation(
        "those who answer destroyed",
        "decision/destroying",
        "wait_for_veto(state, policy) and health.down(policy) and health.local",
        "wait_for_veto(state, policy)",
        "destroying: an instance that answers again is not destroyed even without an agent to veto",
    ),
    Mutation(
        "members destroyed",
        "decision/destroying",
        "not in state.members | seen.host | {state.own}",
        "not in seen.host | {state.own}",
        "destroying: a member is not destroyed although it fails and a line says so",
    ),
    Mutation(
        "destroyed next to an illegible line",
        "decision/destroying",
        "    if not _is_legible(state):\n        return\n",
        "",
        "destroying: nobody is destroyed while a line that cannot be read stands beside the intent",
    ),
    Mutation(
        "destroyed by one that is cut off",
        "decision/destroying",
        "is_trusted = state.sure_of_oneself and is_answered and",
        "is_trusted = state.sure_of_oneself and",
        "destroying: an executor that reaches nobody destroys nobody although all reach it",
    ),
    Mutation(
        "destroyed after the slow lane",
        "decision/observing",
        "doubted=state.doubted | {action.address})\n        elif",
        "doubted=state.doubted | {action.address})\n        if",
        "scenarios: what left by the slow lane is never destroyed",
    ),
    Mutation(
        "a veto soon forgotten",
        "decision/destroying",
        "return 10.0 * wait_for_veto(state, policy)",
        "return 1.5 * wait_for_veto(state, policy)",
        "destroying: after a veto nobody intends the same for sixty intervals",
    ),
    # -- writing
    Mutation(
        "counters reset before the commit",
        "decision/observing",
        "write_troubles=state.write_troubles + 1,",
        "health=Healths(), write_troubles=state.write_troubles + 1,",
        "decision: a write that failed is tried again as soon as it may be",
    ),
    Mutation(
        "a conflict written over",
        "keeper",
        "if current is not snapshot:  #",
        "if False:  #",
        "scenarios: who finds another one gone when it comes to remove a member decides anew",
    ),
    Mutation(
        "a changed destroy record written over",
        "keeper",
        "return remarked(current.record_set, marks) if current is snapshot else None",
        "return remarked(current.record_set, marks)",
        "destroying_simulated: of two agents that may both destroy one does",
    ),
    Mutation(
        "a lost reply taken for a commit",
        "publisher",
        "if all(one.values == other.values for",
        "if all(True for",
        "publisher: a lost reply of a commit that did not land is written again",
    ),
    # -- the provider fails
    Mutation(
        "failed readings not backed off",
        "decision/observing",
        "return min(doubled, 4 * policy.interval)",
        "return 1.0",
        "scenarios: a provider that is down is asked ever less",
    ),
    Mutation(
        "throttling not backed off",
        "decision/observing",
        "return max(min(5 * doubled, longest), 1.34 * (trouble.retry_after or 0.0))",
        "return 1.0",
        "scenarios: a provider that throttles is asked once in four minutes",
    ),
    Mutation(
        "failed writes not backed off",
        "decision/deciding",
        "return state, wanted if seen.now >= state.next_write else ()",
        "return state, wanted",
        "decision: a provider that takes no writes is asked to write ever more rarely and read as ever",
    ),
)


def main() -> int:
    """Runs all mutations, or those whose names hold one of the words; 1 where one of them lives."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="*", help="only the mutations that hold one of these in their names")
    parser.add_argument("--search", action="store_true", help="run all tests, and say which of them notice")
    options = parser.parse_args()
    chosen = [each for each in MUTATIONS if not options.words or any(word in each.name for word in options.words)]
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        if not options.search and (
            failed := failures(copy_core(Path(folder)), sorted({each.test for each in chosen}), 4 * TIMEOUT)
        ):
            print(f"these fail though nothing is broken: {', '.join(failed)}")
            return 1
    lived = 0
    with ThreadPoolExecutor(WORKERS) as pool:
        judged = pool.map(search if options.search else judge, chosen)
        for number, (mutation, noticed) in enumerate(zip(chosen, judged, strict=True), 1):
            lived += not noticed
            print(f"{number:2}/{len(chosen)} {mutation.name}: {', '.join(noticed) or 'LIVES'}", flush=True)
    print(f"{len(chosen)} mutations, {lived} of which live; {time.monotonic() - began:.0f} s")
    return 1 if lived else 0


def judge(mutation: Mutation) -> tuple[str, ...]:
    """The test beside a mutation, if it notices."""
    return noticing(mutation, [mutation.test], TIMEOUT)


def search(mutation: Mutation) -> tuple[str, ...]:
    """Three at most of all tests that notice a mutation."""
    return noticing(mutation, TESTS, 4 * TIMEOUT)


def noticing(mutation: Mutation, tests: Sequence[str], timeout: float) -> tuple[str, ...]:
    """Which of the tests notice a mutation, three at most."""
    with tempfile.TemporaryDirectory() as folder:
        core = copy_core(Path(folder))
        mutation.apply(core)
        return failures(core, tests, timeout)


def copy_core(folder: Path) -> Path:
    """A copy of the sources, to be broken."""
    core = folder / "core"
    shutil.copytree(CORE, core, ignore=shutil.ignore_patterns("__pycache__"))
    return core


def failures(core: Path, tests: Sequence[str], timeout: float) -> tuple[str, ...]:
    """The tests that fail on a copy of the core, three at most."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "--maxfail=3",
        "-p",
        "no:cacheprovider",
        "--tb=no",
        "-rf",
        "--hypothesis-seed=1",
    ]
    environment = os.environ | {
        "PYTHONPATH": str(core),
        "PYTHONDONTWRITEBYTECODE": "1",
        # What fails on broken sources is not to be tried again on whole ones.
        "HYPOTHESIS_STORAGE_DIRECTORY": str(core.parent / "hypothesis"),
    }
    where = [sys.executable, "-c", "import dnslb; print(dnslb.__file__)"]
    found = subprocess.run(where, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout
    if not found.startswith(str(core)):
        raise SystemExit(f"the tests would import {found.strip()}, and not the copy in {core}")
    try:
        run = subprocess.run(
            [*command, *tests], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired:
        return ("no end within the time limit",)
    failed = re.findall(r"^(?:FAILED|ERROR) tests/(\S+?)(?:\[.*)?(?: - .*)?$", run.stdout, re.MULTILINE)
    if not failed and run.returncode:
        raise SystemExit(f"pytest could not run {' '.join(tests)}:\n{run.stdout[-2000:]}{run.stderr[-2000:]}")
    return tuple(dict.fromkeys(failed))


if __name__ == "__main__":
    sys.exit(main())
