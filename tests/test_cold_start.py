"""Many agents that start at once at a provider which takes few requests."""

from dataclasses import replace

import pytest

from dnslb.simulation.agents import KeeperAgent
from dnslb.simulation.cluster import Cluster
from dnslb.simulation.figures import USUAL
from dnslb.simulation.provider import ProviderModel

AGENTS, RATE = 60, 2.0


@pytest.mark.parametrize("seed", [1, 2])
def test_agents_that_start_at_once_share_what_the_provider_takes(seed):
    provider = ProviderModel(rate=RATE, reads_together=True)
    cluster = Cluster(AGENTS, replace(USUAL, hints=True), KeeperAgent, seed, provider)
    cluster.start()
    while len(cluster.members) < AGENTS and cluster.now < 600:
        cluster.run_until(cluster.now + 1.0)
    accepted = cluster.provider.requests - cluster.provider.throttled
    assert cluster.now <= 2.5 * (2 * AGENTS / RATE)  # two requests each are the least
    assert accepted <= 4 * AGENTS
    assert not [event for event in cluster.events if event.event == "removed"]
