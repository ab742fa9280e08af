"""What lasts longer than patience does: networks that stay broken, and members that nobody may remove at once."""

from dataclasses import replace

import pytest

from dnslb.decision import Policy
from dnslb.simulation.agents import KeeperAgent
from dnslb.simulation.cluster import Cluster

POLICY = Policy(interval=15.0, probe_interval=5.0, ttl=15)


def cluster(size: int, seed: int, policy: Policy = POLICY) -> Cluster:
    made = Cluster(size, policy, KeeperAgent, seed)
    made.register_all()
    made.start(within=policy.interval)
    made.run_until(5 * policy.interval)
    return made


def sizes(made: Cluster, seconds: float) -> list[int]:
    """How many members there were, second by second."""
    end, found = made.now + seconds, []
    while made.now < end:
        made.run_until(made.now + 1.0)
        found.append(len(made.members))
    return found


@pytest.mark.parametrize("interval", [5.0, 15.0])
@pytest.mark.parametrize("cut", [3, 6])
def test_a_network_that_is_cut_for_120_intervals_costs_the_living_little(interval, cut):
    made = cluster(12, seed=1, policy=replace(POLICY, interval=interval, ttl=int(interval)))
    made.network.part(list(made.nodes)[:cut])
    found = sizes(made, 120 * interval)
    assert min(found) >= 8
    assert sum(found) / len(found) >= 0.96 * 12


@pytest.mark.parametrize("seed", [1, 2])
def test_the_dead_leave_a_network_that_is_cut_within_maximum_failures(seed):
    made = cluster(9, seed)
    made.network.part(list(made.nodes)[:4])
    sizes(made, 20 * POLICY.interval)
    dead = list(made.nodes)[-1]
    made.crash(dead, silent=True)
    sizes(made, (POLICY.max_failures + 5) * POLICY.interval)
    assert dead not in made.members
    assert len(made.members) >= 6


@pytest.mark.parametrize("seed", [1, 2])
def test_who_was_removed_and_finds_that_it_was_wrong_is_back_before_more_are_removed(seed):
    made = cluster(12, seed)
    made.network.part(list(made.nodes)[:6])
    assert min(sizes(made, 30 * POLICY.interval)) >= 10
