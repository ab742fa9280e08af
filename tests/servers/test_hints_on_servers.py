"""`observe: dns` on real name servers: what they answer, and a cluster that lives on it."""

import time

import dns.query
import dns.tsig
import dns.update
import pytest

from dnslb import RecordSet, RecordType, Unavailable
from dnslb.authoritative import NameServers
from dnslb.endpoints import Endpoint
from dnslb.testing import CuttingProxy

from agents import Client, Cluster, record_manager, running, wait_until


def send(server, message) -> None:
    message.use_tsig(dns.tsig.Key(server.key_name, server.key_secret, server.algorithm))
    assert dns.query.tcp(message, server.address, port=server.port, timeout=10).rcode() == 0


def name_servers(server, name: str) -> NameServers:
    return NameServers(name, [Endpoint(server.address, server.port)])


async def test_it_reads_what_was_committed_and_that_there_is_nothing(server):
    name = f"hint-a.{server.zone}"
    reader = name_servers(server, name)
    assert await reader.read(RecordType.A) == RecordSet(name, RecordType.A)
    many = [f"10.0.0.{number}" for number in range(1, 91)]  # more than a datagram holds
    message = dns.update.UpdateMessage(server.zone)
    for value in many:
        message.add("hint-a", 7, "A", value)
    send(server, message)
    assert await reader.read(RecordType.A) == RecordSet(name, RecordType.A, tuple(many), 7)
    assert await reader.read(RecordType.AAAA) == RecordSet(name, RecordType.AAAA)


async def test_a_zone_that_the_server_does_not_serve_is_no_empty_record_set(server):
    with pytest.raises(Unavailable, match=r"REFUSED|no authority"):
        await name_servers(server, "www.other.test").read(RecordType.A)


@pytest.fixture
def cluster_on_hints(server, tmp_path):
    """Five agents that ask the name server by UDP, and write, and read where it counts, through a proxy that counts."""
    with CuttingProxy((server.address, server.port)) as proxy:
        hints = f"observe: dns\nname_servers: ['{server.address}:{server.port}']\n"
        configuration = record_manager(server, tmp_path, port=proxy.address[1]) + hints
        name = f"hints.{server.zone}"
        client = Client((server.address, server.port), name)
        with running(Cluster(tmp_path, 5, name, client, configuration)) as cluster:
            cluster.start()
            yield cluster, proxy


def test_five_agents_live_on_hints_and_read_by_the_api_only_to_act(cluster_on_hints):
    cluster, proxy = cluster_on_hints
    wait_until(cluster.complete, what="all five are registered")

    def everybody_knows(members) -> bool:
        shown = [agent.events("members")[-1:] for address, agent in cluster.agents.items() if address in members]
        return all(events and set(events[0]["members"]) == members for events in shown)

    wait_until(lambda: everybody_knows(cluster.addresses), what="each has seen all five")
    time.sleep(1)  # what began with the last registration may still be under way
    before = proxy.counters.requests
    time.sleep(15)  # three intervals, in which five agents that read by the API would do so at least ten times
    assert proxy.counters.requests - before <= 2
    victim = sorted(cluster.addresses)[2]
    cluster.crash(victim)
    took = wait_until(cluster.is_without(victim), what="the dead one leaves")
    assert took <= 20
    left = cluster.addresses - {victim}
    wait_until(lambda: everybody_knows(left), what="all others have heard of it")
    assert cluster.client.members == left
    cluster.recover(victim)
    wait_until(cluster.complete, what="it comes back")
    assert cluster.client.empty == 0
