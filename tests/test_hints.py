"""Agents that live on what the zone's name servers say, and ask the API only where it counts, in virtual time."""

import ipaddress
import math
import statistics

import pytest

from dnslb.decision import Destroy, Evict, Look, Observation, Register, State, Withdraw, decide
from dnslb.interfaces import ProbeResult, Verdict

from world import World, address, policy

A, B, C, D, E = map(address, range(1, 6))


def cluster(size: int, interval: float = 5.0, **changes) -> World:
    """A cluster that lives on hints, is up, registered and at rest."""
    world = World(policy(interval, hints=True, **changes))
    world.start(*map(address, range(1, size + 1)))
    world.run(20 * interval)
    assert len(world.members) == size
    forget(world)
    return world


def forget(world: World) -> None:
    """Begins to count anew."""
    world.reads = world.hints = 0
    world.looks.clear()
    world.deeds.clear()
    world.refusals.clear()


def readers(world: World) -> set:
    """Who has read the API since."""
    return {own for _, own, look in world.looks if look.read}


def test_two_hundred_agents_at_rest_read_the_api_less_than_once_a_second_all_together():
    hosts = [ipaddress.ip_address(f"10.0.1.{number}") for number in range(1, 201)]
    world = World(policy(5.0, hints=True), members=hosts)
    some = hosts[:2]  # they do the same as the others, and two hundred that probe each other take minutes
    world.start(*some)
    world.run(60)
    forget(world)
    world.run(3600)
    assert world.reads * 200 / len(some) / 3600 < 1
    assert world.hints / len(some) == pytest.approx(3600 / 5, rel=0.1)
    assert world.deeds == []


def test_at_least_every_half_hour_the_api_is_read_although_nothing_asks_for_it():
    world = cluster(3, interval=60.0)
    world.run(12 * 3600)
    assert world.reads == pytest.approx(3 * 12 * 2, rel=0.1)
    assert world.deeds == []


@pytest.mark.parametrize("size", [2, 3, 12])
@pytest.mark.parametrize("interval", [5.0, 60.0])
@pytest.mark.parametrize("lag", [0.0, 60.0])
def test_a_dead_server_leaves_as_soon_as_with_the_api(size, interval, lag):
    times = []
    for seed in range(3):
        world = World(policy(interval, hints=True), seed=seed)
        world.name_servers_lag = lambda: lag
        world.start(*map(address, range(1, size + 1)))
        world.run(3 * interval + lag + seed)
        world.crash(A)
        times.append(world.run_until(world.is_without(A), limit=30))
        world.run(10 * (interval + lag))
        assert len(world.members) == size - 1
    assert statistics.median(times) <= 10
    assert max(times) <= 15


def test_most_agents_hear_of_a_removal_from_the_name_servers_and_never_ask_the_api_about_it():
    world = cluster(60)
    world.crash(A)
    world.run_until(world.is_without(A), limit=15)
    world.run(10)
    assert len(readers(world)) <= 30
    assert all(A not in agent.state.members for agent in world.agents.values())


def test_a_new_member_is_known_to_all_and_watched_and_nobody_but_itself_has_asked_the_api():
    world = cluster(5)
    new = address(99)
    world.start(new)
    world.run(20)
    assert world.members >= {new}
    assert readers(world) == {new}
    assert all(new in agent.state.members for agent in world.agents.values())
    world.crash(new)
    world.run_until(world.is_without(new), limit=15)


def test_who_was_removed_hears_of_it_from_the_name_servers_and_asks_the_api_before_it_believes_it():
    world = cluster(5)
    world.record_set = world.record_set.holding([B, C, D, E])
    world.run(6.3)
    assert readers(world) == {A}
    assert world.agents[A].state.evictions == 1
    assert world.deeds == []
    world.run_until(lambda: A in world.members, limit=1.25 * 2 * 5 + 5)
    assert [deed.action.address for deed in world.deeds] == [A]


def test_who_was_removed_comes_back_in_time_although_the_name_servers_show_it_all_along():
    world = cluster(3)
    since = world.now
    world.name_servers_lag = lambda: world.now - since
    world.run(1)
    for _ in range(6):  # each time it waits longer before it comes back
        world.record_set = world.record_set.holding(world.members - {A})
        took = world.run_until(lambda: A in world.members, limit=2000)
        assert took <= 1.25 * 600 + world.policy.longest_absence + 5


@pytest.mark.parametrize("lag", [20.0, 300.0, math.inf])
def test_agents_that_the_name_servers_do_not_know_yet_stay_registered_and_do_not_storm_the_api(lag):
    world = World(policy(5.0, hints=True))
    world.name_servers_lag = lambda: lag
    world.start(A, B, C)
    world.run(10)
    assert world.members == {A, B, C}
    forget(world)
    world.run(4 * 3600)
    assert world.deeds == []
    assert all(agent.state.evictions == 0 for agent in world.agents.values())
    unasked = 3 * 4 * 3600 / 600
    assert world.reads <= 1.2 * unasked + 3 * 10


def test_one_of_two_name_servers_that_is_behind_for_good_does_no_harm_and_causes_no_storm():
    world = World(policy(5.0, hints=True))
    world.start(A, B)
    world.run(30)
    broken = world.now
    world.start(C, D)  # one name server never hears of these
    world.name_servers_lag = lambda: world.chance.choice([0.0, world.now - broken])
    world.run(60)
    assert world.members == {A, B, C, D}
    forget(world)
    world.run(4 * 3600)
    assert world.deeds == []
    assert world.reads < 4 * 4 * 3600 / 20
    world.crash(D)
    world.run_until(world.is_without(D), limit=60)


def test_while_the_name_servers_are_silent_the_api_is_read_instead_but_not_as_often():
    world = cluster(5)
    world.name_servers_down = True
    world.run(3600)
    assert 5 * 3600 / 75 * 0.9 <= world.reads <= 5 * 3600 / 45
    assert world.deeds == []
    world.crash(A)
    assert world.run_until(world.is_without(A), limit=15) <= 15
    world.name_servers_down = False
    world.run(120)
    forget(world)
    world.run(3600)
    assert world.reads <= 4 * 3600 / 450


def test_name_servers_are_still_asked_while_the_api_is_down_and_nothing_is_written():
    world = cluster(5)
    world.provider_down = True
    world.crash(A)
    world.run(600)
    assert world.deeds == []
    assert world.hints / 4 == pytest.approx(600 / 5, rel=0.1)
    world.provider_down = False
    assert world.run_until(world.is_without(A), 60) <= 30


def test_a_record_set_that_somebody_emptied_is_filled_again_after_the_next_hint():
    world = cluster(3)
    world.record_set = world.record_set.holding([])
    assert world.run_until(lambda: bool(world.members), 10) <= 6.3
    world.run(60)
    assert len(world.members) == 3


def test_more_than_half_is_never_removed_although_most_of_it_was_seen_in_hints_alone():
    world = cluster(10)
    for number in range(1, 8):  # one after the other, so that each agent removes one or two of them at most
        world.crash(address(number))
        world.run(15)
    assert len(world.members) == 5
    assert all(deed.size >= 5 for deed in world.done(Evict))


def test_an_agent_that_stops_leaves_at_once_whatever_the_name_servers_say():
    world = cluster(3)
    world.name_servers_lag = lambda: math.inf
    world.stop(A)
    world.run(0.1)
    assert world.members == {B, C}
    assert [deed.action.address for deed in world.done(Withdraw)] == [A]


# -- with a destroyer ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("lag", [0.0, 60.0, math.inf])
def test_a_dead_instance_is_destroyed_once_a_living_one_would_have_read_of_it(lag):
    world = cluster(3, destroys=True)
    world.name_servers_lag = lambda: lag
    world.crash(A)
    world.run(3600)
    [evicted] = world.done(Evict)
    [destroyed] = world.done(Destroy)
    assert destroyed.action.address == A
    assert 1.25 * 600 + 4.75 * 5 <= destroyed.at - evicted.at <= 1.25 * 600 + 8 * 5
    assert destroyed.by == evicted.by


def test_with_a_destroyer_a_dead_server_leaves_as_soon_as_without():
    world = cluster(5, destroys=True)
    world.crash(A)
    took = world.run_until(world.is_without(A), limit=60)
    assert took <= 15


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("lag", [0.0, 60.0, math.inf])
def test_an_instance_that_nobody_reaches_is_not_destroyed_however_late_its_returns_are_served(lag, seed):
    world = cluster(5, destroys=True)
    world.chance.seed(seed)
    world.name_servers_lag = lambda: lag
    world.reaches = lambda own, target: target != A
    world.run(2 * 3600)
    assert len(world.done(Register)) > 5
    assert world.done(Destroy) == []


def test_with_a_destroyer_a_cluster_at_rest_lives_on_hints_too_and_reads_the_destroy_record_as_rarely():
    world = cluster(5, destroys=True)
    world.intents_reads = 0
    world.run(3600)
    assert world.reads / 5 <= 3600 / 450
    assert 3600 / 750 - 1 <= world.intents_reads / 5 <= 3600 / 450


# -- what a hint can do, at the smallest ---------------------------------------------------------------------


def test_a_hint_asks_for_a_look_at_the_api_and_does_nothing_itself():
    rules = policy(5.0, hints=True, rise=1)
    served = World(rules, members=[B, C]).record_set
    well = {A: ProbeResult(Verdict.HEALTHY)}
    decision = decide(State(), Observation(now=1.0, own=A, hint=served, probes=well, probed_at=1.0), rules)
    assert decision.actions == ()
    assert decision.look == Look(1.0, read=True, probe=frozenset({A}), lease=True)
    assert decision.state.members == {B, C}


def test_a_hint_never_lowers_the_floor_and_may_raise_it():
    rules = policy(5.0, hints=True)
    world = World(rules)
    before = decide(State(), Observation(now=0.0, own=A, record_set=world.record_set.holding([A, B, C, D])), rules)
    sizes = []
    for hint in ([A], [A, B, C, D, E, address(6)]):
        seen = Observation(now=1.0, own=A, hint=world.record_set.holding(hint))
        sizes.append(max(size for _, size in decide(before.state, seen, rules).state.sizes))
    assert sizes == [4, 6]
