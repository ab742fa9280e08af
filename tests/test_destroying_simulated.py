"""Intents and vetoes between real keepers, over a slow provider and a broken network, in virtual time."""

import ipaddress
from collections.abc import Callable
from dataclasses import replace

import pytest

from dnslb.decision import destroy_name
from dnslb.decision.destroyrecord import Line, Stage, new_line, parse
from dnslb.records import RecordType
from dnslb.simulation.agents import KeeperAgent
from dnslb.simulation.cluster import Cluster
from dnslb.simulation.figures import WITH_DESTROYER
from dnslb.simulation.provider import NAME, ProviderModel

RECORD = destroy_name(NAME), RecordType.TXT
T, HOUR = WITH_DESTROYER.interval, 3600.0
SLOW = ProviderModel(read_time=8.0, write_time=15.0)


def cluster(size: int, seed: int = 1, provider: ProviderModel | None = None, interval: float = T) -> Cluster:
    """A cluster with a destroyer that has run for a while, with everybody in it."""
    policy = replace(WITH_DESTROYER, interval=interval, probe_interval=min(interval, 5.0), ttl=int(interval))
    made = Cluster(size, policy, KeeperAgent, seed, provider)
    made.register_all()
    made.start(within=interval)
    made.run_until(5 * interval)
    return made


def lines(made: Cluster) -> list[Line]:
    return [line for line in map(parse, made.provider.held(*RECORD).values) if line is not None]


def run_until(made: Cluster, condition: Callable[[], bool], limit: float) -> float:
    """Lets time pass in small steps until the condition holds; says at what time that was."""
    end = made.now + limit
    while not condition():
        assert made.now < end, f"not within {limit} s"
        made.run_until(made.now + 0.05)
    return made.now


def said(made: Cluster, event: str) -> list:
    return [each for each in made.events if each.event == event]


def destroyed(made: Cluster) -> set:
    return {node.address for node in made.nodes.values() if node.destroyed}


@pytest.mark.parametrize("interval", [5.0, 60.0])
@pytest.mark.parametrize("size", [2, 3, 10])
def test_a_dead_instance_is_destroyed_within_nine_intervals_of_its_removal(size, interval):
    made = cluster(size, interval=interval)
    victim = next(iter(made.nodes))
    made.crash(victim, silent=True)
    removed_at = run_until(made, lambda: victim not in made.members, 2 * T)
    destroyed_at = run_until(made, lambda: bool(destroyed(made)), 12 * interval)
    assert destroyed(made) == {victim}
    assert 6 * interval <= destroyed_at - removed_at <= 9 * interval
    made.run_until(made.now + HOUR)
    assert destroyed(made) == {victim}
    assert [line.stage for line in lines(made)] == [Stage.DESTROYED]


@pytest.mark.parametrize("provider", [ProviderModel(), SLOW], ids=["fast", "slow"])
@pytest.mark.parametrize("seed", range(1, 4))
@pytest.mark.parametrize("size", [2, 5])
def test_a_living_agent_that_nobody_reaches_for_an_hour_is_never_destroyed(size, seed, provider):
    made = cluster(size, seed, provider)
    deaf = next(iter(made.nodes))
    made.network.deafen(deaf)
    made.run_until(made.now + HOUR)
    assert said(made, "removed")
    assert destroyed(made) == set()


@pytest.mark.parametrize("provider", [ProviderModel(), SLOW], ids=["fast", "slow"])
@pytest.mark.parametrize("seed", range(1, 4))
@pytest.mark.parametrize("cut", [1, 3])
def test_nobody_is_destroyed_in_a_network_that_is_cut_in_two(cut, seed, provider):
    made = cluster(7, seed, provider)
    made.network.part(list(made.nodes)[:cut])
    made.run_until(made.now + HOUR)
    made.network.heal()
    made.run_until(made.now + HOUR / 2)
    assert destroyed(made) == set()
    assert made.members == made.nodes.keys()


def test_the_dead_in_a_network_that_is_cut_in_two_are_destroyed_and_the_living_are_not():
    made = cluster(8)
    dead = list(made.nodes)[-1]
    made.network.part(list(made.nodes)[:3])
    made.run_until(made.now + 10 * T)
    made.crash(dead, silent=True)
    made.run_until(made.now + HOUR)
    made.network.heal()
    made.run_until(made.now + 2 * HOUR)
    assert destroyed(made) <= {dead}
    assert dead not in made.members


def test_an_agent_that_dies_between_its_last_commit_and_the_destroyer_leaves_it_to_another():
    made = cluster(6)
    victim = next(iter(made.nodes))
    made.crash(victim, silent=True)
    run_until(made, lambda: [line.stage for line in lines(made)] == [Stage.EXECUTING], 12 * T)
    [executing] = lines(made)
    assert destroyed(made) == set()
    made.crash(executing.by, silent=True)
    began = made.now
    run_until(made, lambda: victim in destroyed(made), 12 * T)
    assert made.now - began >= 6 * T
    [first, *_] = said(made, "destroyed")
    assert first.by not in (victim, executing.by)


@pytest.mark.parametrize("seed", range(1, 6))
def test_of_two_agents_that_may_both_destroy_one_does(seed):
    made = cluster(4, seed, ProviderModel(read_time=2.0, write_time=4.0))
    victim, *others = made.nodes
    asked = []
    made.on_destroy = lambda by, address: asked.append((by, address))
    made.crash(victim, silent=True)
    run_until(made, lambda: victim not in made.members, 4 * T)
    stranger = ipaddress.ip_address("10.0.9.9")  # whose intent it was, and who is no member
    orphan = new_line(victim, Stage.INTENT, stranger, "0123456789abcdef", 0)
    held = made.provider.held(*RECORD)
    made.provider.put(held.holding([orphan.text], ttl=60), victim)
    made.run_until(made.now + 20 * T)
    assert [address for _, address in asked] == [victim]
    assert asked[0][0] in others


def test_a_lost_reply_to_the_last_commit_destroys_once_or_not_at_all():
    made = cluster(4, provider=ProviderModel(reply_loss=0.3))
    asked = []
    made.on_destroy = lambda by, address: asked.append(address)
    victim = next(iter(made.nodes))
    made.crash(victim, silent=True)
    made.run_until(made.now + HOUR)
    assert asked == [victim]


def test_in_a_big_outage_no_more_than_the_budget_is_destroyed_in_an_hour():
    made = cluster(20)
    dead = list(made.nodes)[:8]
    for victim in dead:
        made.crash(victim, silent=True)
    run_until(made, lambda: not made.members & set(dead), HOUR)
    made.run_until(made.now + 20 * T)
    assert len(destroyed(made)) == 2
    made.run_until(made.now + HOUR)
    assert len(destroyed(made)) in (3, 4)
    assert destroyed(made) <= set(dead)


def test_what_was_destroyed_and_could_not_be_written_down_is_written_down_later():
    made = cluster(3)
    victim = next(iter(made.nodes))
    made.on_destroy = lambda by, address: setattr(made.provider, "is_down", True)
    made.crash(victim, silent=True)
    run_until(made, lambda: victim in destroyed(made), 12 * T)
    made.on_destroy = lambda by, address: None
    made.run_until(made.now + 2 * T)
    made.provider.is_down = False
    assert [line.stage for line in lines(made)] == [Stage.EXECUTING]
    made.run_until(made.now + 15 * T)
    assert [line.stage for line in lines(made)] == [Stage.DESTROYED]
