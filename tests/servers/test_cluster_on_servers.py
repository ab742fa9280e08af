"""The main job, end to end: agent processes keep a record set true on real name servers."""

import pytest

from agents import LIMIT, cluster_on, running, wait_until


@pytest.fixture
def cluster(request, server, tmp_path):
    """A cluster of `request.param` agents under a name of its own; started, not awaited."""
    name = request.node.originalname.replace("_", "-")[:40].strip("-")
    with running(cluster_on(server, tmp_path, request.param, name)) as made:
        made.start()
        yield made


@pytest.mark.parametrize("cluster", [20], indirect=True)
def test_twenty_agents_that_start_at_once_all_get_in_and_nothing_is_lost(cluster):
    wait_until(cluster.complete, what="all twenty are registered")
    registered = [event for agent in cluster.agents.values() for event in agent.events("registered")]
    # An update that was lost would have to be made again: more than one registration of an address.
    assert sorted(event["address"] for event in registered) == sorted(cluster.addresses)
    assert cluster.client.empty == 0
    assert cluster.client.answers > 10


@pytest.mark.parametrize("cluster", [5], indirect=True)
def test_one_of_five_that_crashes_leaves_and_comes_back(cluster):
    wait_until(cluster.complete, what="all five are registered")
    victim = sorted(cluster.addresses)[2]
    # Who has just appeared is left in for one and a half intervals.
    wait_until(lambda: all(len(agent.events()) >= 2 for agent in cluster.agents.values()))
    cluster.crash(victim)
    took = wait_until(lambda: victim not in cluster.client.members, what="the dead one leaves")
    assert took <= 20
    assert cluster.client.members == cluster.addresses - {victim}
    cluster.recover(victim)
    wait_until(cluster.complete, what="it comes back")
    assert cluster.client.empty == 0


@pytest.mark.parametrize("cluster", [3], indirect=True)
def test_an_agent_that_is_terminated_takes_its_address_out_before_it_ends(cluster):
    wait_until(cluster.complete, what="all three are registered")
    leaving = min(cluster.addresses)
    status, members = cluster.agents[leaving].terminate(cluster.client.resolve, LIMIT)
    assert status == 0
    assert members == cluster.addresses - {leaving}
    assert cluster.client.empty == 0
