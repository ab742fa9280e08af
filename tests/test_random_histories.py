"""Random histories of a few fixed seeds, and what makes them trustworthy: the watch, the shrinking, the command.

`nox -s simulation` runs ten thousand of them.
"""

import os
import re
import shlex
import subprocess
import sys

import pytest

from dnslb.decision import Health, Policy
from dnslb.interfaces import ProbeResult, Target, Verdict
from dnslb.records import RecordSet, RecordType
from dnslb.simulation.__main__ import parser
from dnslb.simulation.agents import KeeperAgent
from dnslb.simulation.cluster import Cluster, Event, address_of
from dnslb.simulation.histories import Cut, random_history
from dnslb.simulation.invariants import Violated, Watch
from dnslb.simulation.provider import NAME
from dnslb.simulation.running import run
from dnslb.simulation.shrinking import shrink
from dnslb.simulation.sweeping import report

T = 60.0
KEY = NAME, RecordType.A
HEALTHY, FAILED = ProbeResult(Verdict.HEALTHY), ProbeResult(Verdict.FAILED, "no answer")
COMMAND = [sys.executable, "-m", "dnslb.simulation"]


@pytest.mark.parametrize("seed", range(1, 41))
def test_no_invariant_is_violated(seed):
    outcome = run(random_history(seed))
    assert outcome.violated is None, f"{outcome.violated}; python -m dnslb.simulation --seed {seed}"


def test_a_seed_gives_the_same_trace_in_every_process():
    traces = {
        subprocess.run(
            [*COMMAND, "--seed", "2"], capture_output=True, check=True, env=os.environ | {"PYTHONHASHSEED": salt}
        ).stdout.decode()
        for salt in ("1", "2")
    }
    assert len(traces) == 1
    assert f"digest {run(random_history(2)).digest}" in traces.pop()


def test_a_sweep_adds_up_what_its_seeds_came_to():
    alone = [run(random_history(seed)) for seed in (1, 2, 3)]
    swept = subprocess.run(
        [*COMMAND, "--seeds", "3", "--workers", "1"], capture_output=True, check=True, text=True
    ).stdout
    assert "3 histories, 0 with a violation" in swept
    assert f"{sum(each.counts.actions for each in alone)} actions checked" in swept
    assert f"{sum(each.seconds for each in alone) / 3600:.1f} cluster-hours" in swept


def test_a_sweep_by_hours_ends_once_they_are_full():
    swept = subprocess.run(
        [*COMMAND, "--hours", "0.5", "--workers", "1"], capture_output=True, check=True, text=True
    ).stdout
    [hours] = re.findall(r"^([\d.]+) cluster-hours", swept, re.MULTILINE)
    assert 0.5 <= float(hours) <= 20


# -- the watch sees what it should ---------------------------------------------------------------------------------


def watched(size=4, **policy):
    """A cluster at rest, and its watch, which has nothing to say yet."""
    cluster = Cluster(size, Policy(interval=T, probe_interval=5.0, ttl=60, **policy), KeeperAgent)
    watch = Watch(cluster)
    cluster.register_all()
    cluster.start(within=T)
    cluster.run_until(5 * T)
    assert watch.counts.actions == 0
    return cluster, watch


def put(cluster, by, *members):
    """A commit of an agent, after it has read what is there."""
    cluster.provider.on_read(address_of(by), cluster.provider.held(*KEY))
    cluster.provider.on_commit(address_of(by))
    cluster.provider.put(RecordSet(*KEY).holding(map(address_of, members), 60), address_of(by))


def probed(cluster, by, *, fails=(), answers=()):
    """What three rounds of probes told an agent, the last of which is the newest that it knows."""
    results = {address_of(number): FAILED for number in fails} | {address_of(number): HEALTHY for number in answers}
    for seconds in (6.0, 3.0, 0.0):
        told = {Target(address, 80): result for address, result in results.items()}
        cluster.on_probe(address_of(by), cluster.now - seconds, told)


@pytest.mark.parametrize(
    ("invariant", "members", "text"),
    [
        ("S1", (), "committed an empty set"),
        ("S2", (0, 1, 2), "removed 10.0.1.4 after 0 failed probes"),
        ("S2", (0, 1, 2, 3, 4), "added 10.0.1.5"),
    ],
    ids=["an empty set", "a member that answers removed", "somebody else added"],
)
def test_a_commit_that_should_not_be_is_noticed(invariant, members, text):
    cluster, _ = watched()
    with pytest.raises(Violated, match=f"^{invariant} at .*{text}"):
        put(cluster, 0, *members)


def test_a_removal_with_proof_is_let_pass_and_one_on_old_probes_is_noticed():
    for age in (0.0, T):
        cluster, watch = watched()
        probed(cluster, 0, fails=[3], answers=[0, 1, 2])
        cluster.clock.call_at(cluster.now + age, lambda cluster=cluster: put(cluster, 0, 0, 1, 2))
        for node in cluster.nodes.values():
            node.task.stop()
        if age:
            with pytest.raises(Violated, match=r"^S2 .* last probed 60\.0 s before"):
                cluster.run_until(cluster.now + age)
        else:
            cluster.run_until(cluster.now + age)
            assert (watch.counts.removed_living, watch.counts.removed_dead) == (1, 0)


def test_a_commit_that_replaces_what_was_not_read_is_noticed():
    cluster, _ = watched()
    cluster.provider.on_read(address_of(0), RecordSet(*KEY).holding([address_of(0)], 60))
    with pytest.raises(Violated, match=r"^S3 .* replaced what it had not read"):
        cluster.provider.put(RecordSet(*KEY).holding([address_of(0)], 60), address_of(0))


@pytest.mark.parametrize(
    ("fails", "answers", "text"),
    [([0, 3], [1, 2], "fails its own self-check"), ([1, 2, 3], [0], "nobody answered it")],
    ids=["fails itself", "reaches nobody"],
)
def test_a_judge_that_should_not_be_one_is_noticed(fails, answers, text):
    cluster, _ = watched()
    probed(cluster, 0, fails=fails, answers=answers)
    with pytest.raises(Violated, match=f"^S5 at .*{text}"):
        put(cluster, 0, 0, 1, 2)


def test_a_judge_that_is_no_member_is_noticed():
    cluster, _ = watched()
    put(cluster, 0, 1, 2, 3)
    probed(cluster, 0, fails=[3], answers=[0, 1, 2])
    with pytest.raises(Violated, match=r"^S5 .* is not a member"):
        put(cluster, 0, 1, 2)


def test_a_set_that_shrinks_below_half_is_noticed():
    cluster, _ = watched(6)
    probed(cluster, 0, fails=[2, 3, 4, 5], answers=[0, 1])
    put(cluster, 0, 0, 1, 2)
    with pytest.raises(Violated, match=r"^S4 .* left 2 of the 6"):
        put(cluster, 0, 0, 1)


def test_a_removal_in_another_region_is_noticed():
    cluster, _ = watched(regional=True)
    cluster.nodes[address_of(3)].region = "elsewhere"
    probed(cluster, 0, fails=[3], answers=[0, 1, 2])
    with pytest.raises(Violated, match=r"^S9 .* in another region"):
        put(cluster, 0, 0, 1, 2)


def test_what_an_agent_takes_for_done_and_nobody_did_is_noticed():
    cluster, watch = watched()
    said = Event(cluster.now, address_of(0), "removed", "removed: 10.0.1.2", {"address": "10.0.1.2"})
    with pytest.raises(Violated, match=r"^S3 .* takes for done what no commit did"):
        cluster.on_event(said)
    assert (watch.counts.lost, watch.counts.acknowledged) == (1, 1)


def test_a_provider_that_forgets_a_commit_is_noticed():
    cluster, _ = watched()
    cluster.provider._now_holds[KEY] = cluster.provider.held(*KEY).holding([address_of(0)], 60)
    with pytest.raises(Violated, match=r"^S3 .* has a gap"):
        put(cluster, 0, 0, 1)


def test_an_exception_in_an_agent_is_a_violation_with_its_cause(monkeypatch):
    mistake = ZeroDivisionError("a mistake")

    def broken(*_):
        raise mistake

    monkeypatch.setattr("dnslb.keeper.decide", broken)
    violated = run(random_history(1)).violated
    assert (violated.invariant, violated.__cause__) == ("S10", mistake)


# -- what a violation leads to -------------------------------------------------------------------------------------


@pytest.fixture
def rash(monkeypatch):
    """An agent whose removals need no proof: one failed probe is enough."""
    monkeypatch.setattr(Health, "down", lambda health, _policy: health.failures > 0)


def test_a_history_that_violates_an_invariant_shrinks_to_what_it_takes(rash):
    seed = next(seed for seed in range(1, 20) if run(random_history(seed)).violated)
    history = random_history(seed)
    invariant = run(history).violated.invariant
    cut = shrink(history, invariant)
    smallest = history.cut(cut)
    assert run(smallest).violated.invariant == invariant
    assert len(smallest.faults) <= 1 <= len(history.faults)
    assert (smallest.size, smallest.length) <= (history.size, history.length)


def test_a_report_ends_with_the_command_that_replays_what_it_says(rash):
    seed = next(seed for seed in range(1, 20) if run(random_history(seed)).violated)
    told = report(seed, run(random_history(seed)).violated.invariant)
    first, *_, last = told.splitlines()
    parsed = parser().parse_args(shlex.split(last.removeprefix("replay with: python -m dnslb.simulation ")))
    again = run(random_history(parsed.seed).cut(Cut(parsed.keep, parsed.size, parsed.length)))
    assert str(again.violated) == first


def test_all_agents_of_a_sweep_may_read_and_probe_as_seldom_as_one_says(rash):
    every = parser().parse_args(["--every", "60"]).every
    seed = next(seed for seed in range(1, 60) if run(random_history(seed, every)).violated)
    told = report(seed, run(random_history(seed, every)).violated.invariant, every)
    assert "T = 60 s, P = 60 s" in told
    assert f"--seed {seed} --every 60" in told.splitlines()[-1]


@pytest.mark.parametrize("text", ["x", "0", "-5", "nan", "1e9"])
def test_a_rhythm_that_makes_no_sense_is_refused(text, capsys):
    with pytest.raises(SystemExit):
        parser().parse_args([f"--every={text}"])
    assert f"'{text}' is not from 1 to 3600 seconds" in capsys.readouterr().err


@pytest.mark.parametrize("seed", [1, 5, 9])
def test_a_cut_leaves_out_what_does_not_fit(seed):
    history = random_history(seed)
    smaller = history.cut(Cut(size=2, length=history.length / 2))
    assert all(node < 2 for fault in smaller.faults for node in fault.nodes)
    assert all(fault.at + fault.lasting <= smaller.length + 1e-9 for fault in smaller.faults)
    assert history.cut(Cut(keep=())).faults == ()
    assert history.cut(Cut()) == history


# -- clocks --------------------------------------------------------------------------------------------------------


def test_an_agent_goes_by_the_clocks_of_its_host():
    cluster = Cluster(2, Policy(interval=T, probe_interval=5.0, ttl=60, destroys=True), KeeperAgent)
    fast, _ = cluster.nodes.values()
    fast.clock_rate, fast.clock_offset = 2.0, 600.0
    rounds = dict.fromkeys(cluster.nodes, 0)

    def count(by, _at, _results):
        rounds[by] += 1

    cluster.on_probe = count
    cluster.register_all()
    cluster.start(within=T)
    cluster.run_until(1200.0)
    counted = list(rounds.values())
    assert counted[0] == pytest.approx(2 * counted[1], rel=0.1)


@pytest.mark.parametrize("seed", [3, 6])
def test_some_histories_have_clocks_that_are_wrong(seed):
    assert "wrong clocks" in str(random_history(seed))
    assert "wrong clocks" not in str(random_history(seed + 1))
