"""The main job, end to end: agent processes keep a record set true on real name servers."""

import os

import pytest

from dnslb.testing.nameservers import Bind, Knot, PowerDNS

from agents import LIMIT, Cluster, running, wait_until


@pytest.fixture(scope="module", params=[Bind, Knot, PowerDNS], ids=["bind", "knot", "powerdns"])
def server(request):
    kind = request.param
    if reason := kind.missing():
        if os.environ.get("DNSLB_REQUIRE_SERVERS") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    with kind() as started:
        yield started


@pytest.fixture
def cluster(request, server, tmp_path):
    """A cluster of `request.param` agents under a name of its own; started, not awaited."""
    key = tmp_path / "key"
    key.write_text(server.key_secret, encoding="utf-8")
    key.chmod(0o600)
    settings = {
        "server": server.address,
        "port": server.port,
        "zone": server.zone,
        "key_name": server.key_name,
        "key_algorithm": server.algorithm,
        "key_secret": f"file:{key}",
    }
    lines = "".join(f"  {name}: {value}\n" for name, value in settings.items())
    name = f"{request.node.originalname.replace('_', '-')[:40].strip('-')}.{server.zone}"
    made = Cluster(
        tmp_path,
        request.param,
        (server.address, server.port),
        name,
        lambda _: f"record_manager:\n  plugin: rfc2136\n{lines}",
    )
    with running(made):
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
