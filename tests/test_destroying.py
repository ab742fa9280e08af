"""Intents, vetoes and the budget in virtual time: who is destroyed, when, and by whom."""

import ipaddress
from dataclasses import replace
from itertools import pairwise

import pytest

from dnslb.decision import Destroy, Evict, EvictSlowly, Intend, Register, Veto, Why
from dnslb.decision.destroying import MOST_LINES
from dnslb.decision.destroyrecord import Stage, new_line, parse

from world import WALL, World, address, policy

A, B, C, D, E = map(address, range(1, 6))
A6 = ipaddress.ip_address("fd00::1")
HOUR = 3600.0


def cluster(size: int, interval: float = 60.0, seed: int = 1, **changes) -> World:
    """A cluster with a destroyer that is up, registered and at rest."""
    world = World(policy(interval, destroys=True, **changes), seed)
    world.start(*map(address, range(1, size + 1)))
    world.run(20 * interval)
    assert len(world.members) == size
    world.deeds.clear()
    world.refusals.clear()
    return world


def stages(world: World) -> list[Stage]:
    return [parse(value).stage for value in world.destroy_record.values]


def put(world: World, about, by=B, stage=Stage.INTENT, token="0123456789abcdef") -> None:
    """Writes a line into the record, whoever did."""
    line = new_line(about, stage, by, token, WALL + world.now)
    world.destroy_record = world.destroy_record.holding({*world.destroy_record.values, line.text}, ttl=60)


def whys(world: World) -> set[Why]:
    return {reason.why for _, _, reason in world.refusals}


# -- a dead instance -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("interval", [5.0, 60.0])
@pytest.mark.parametrize("size", [2, 3, 12])
def test_a_dead_instance_is_destroyed_within_nine_intervals_of_its_removal(size, interval):
    world = cluster(size, interval)
    world.crash(A)
    world.run(60 + 12 * interval)
    [evicted], [intended], [destroyed] = world.done(Evict), world.done(Intend), world.done(Destroy)
    assert {deed.action.address for deed in (evicted, intended, destroyed)} == {A}
    assert evicted.by == intended.by == destroyed.by
    assert intended.at - evicted.at <= 0.8 * interval + 8
    assert 6 * interval <= destroyed.at - intended.at <= 8 * interval
    assert destroyed.at - evicted.at <= 9 * interval
    assert stages(world) == [Stage.DESTROYED]
    world.run(4 * HOUR)
    assert len(world.done(Intend)) == len(world.done(Destroy)) == 1


def test_a_large_ttl_puts_it_off_until_twice_that_has_passed():
    world = cluster(3, 5.0)
    world.record_set = world.record_set.holding(world.members, ttl=600)
    world.run(10)
    world.record_set = world.record_set.holding(world.members, ttl=5)
    world.crash(A)
    world.run(1300)
    [intended], [destroyed] = world.done(Intend), world.done(Destroy)
    assert destroyed.at - intended.at >= 1200


def test_a_destroyer_that_fails_is_asked_again_after_the_same_wait():
    world = cluster(3)
    world.destroyer_works = False
    world.crash(A)
    world.run(16 * 60)
    assert stages(world) == [Stage.EXECUTING]
    first = world.destroy_record
    world.run(12 * 60)
    assert stages(world) == [Stage.EXECUTING]
    assert world.destroy_record != first
    assert world.done(Destroy) == []
    world.destroyer_works = True
    world.run(8 * 60)
    assert [deed.action.address for deed in world.done(Destroy)] == [A]
    assert stages(world) == [Stage.DESTROYED]


def test_an_instance_that_answers_again_is_not_destroyed_even_without_an_agent_to_veto():
    world = cluster(3)
    world.crash(A)
    world.run_until(lambda: stages(world) == [Stage.INTENT], 120)
    world.down.clear()
    world.run(2 * HOUR)
    assert world.done(Destroy) == []


def test_who_was_removed_for_having_failed_too_long_is_not_destroyed():
    world = cluster(5, regional=True, max_failures=5)
    world.region_of = lambda host: "two" if host == A else "one"
    world.crash(A)
    world.run(HOUR)
    assert [deed.action.address for deed in world.done(EvictSlowly)] == [A]
    assert world.done(Intend) == world.done(Destroy) == []


# -- the veto ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hints", [False, True])
@pytest.mark.parametrize("interval", [5.0, 60.0])
@pytest.mark.parametrize("offset", [-600.0, 0.0, 600.0])
def test_an_instance_that_lives_vetoes_in_time_whatever_its_clock_says(interval, hints, offset):
    world = cluster(5, interval, hints=hints)
    world.wall_offset = lambda own: offset if own == A else 0.0
    world.reaches = lambda own, target: target != A
    world.run_until(lambda: bool(world.done(Intend)), 120)
    took = world.run_until(lambda: bool(world.done(Veto)), 2 * world.policy.intents_interval)
    assert took <= 1.25 * world.policy.intents_interval < world.policy.destroy_delay
    world.run(HOUR)
    assert world.done(Destroy) == []
    assert {deed.by for deed in world.done(Veto)} == {A}


def test_after_a_veto_nobody_intends_the_same_for_sixty_intervals():
    world = cluster(5, 5.0)
    world.reaches = lambda own, target: target != A
    world.run(4 * HOUR)
    intended, vetoed = world.done(Intend), world.done(Veto)
    assert len(intended) > 3
    for veto, following in zip(vetoed, intended[1:], strict=False):
        assert following.at - veto.at >= 300
    assert Why.VETOED in whys(world)


def test_the_check_of_one_family_speaks_for_the_addresses_of_both():
    world = cluster(3)
    world.siblings = lambda own: frozenset({A6}) if own == A else frozenset()
    put(world, A6, by=ipaddress.ip_address("fd00::2"))
    took = world.run_until(lambda: bool(world.done(Veto)), 120)
    assert took <= 75
    [veto] = world.done(Veto)
    assert (veto.by, veto.action.address) == (A, A6)
    assert stages(world) == [Stage.VETOED]
    assert A in world.members


def test_who_fails_its_own_check_does_not_veto_and_is_destroyed_though_its_agent_lives():
    world = cluster(5)
    world.down.add(A)
    world.run(15 * 60)
    assert world.done(Veto) == []
    assert [deed.action.address for deed in world.done(Destroy)] == ([A] if world.done(Evict) else [])


def test_an_instance_that_is_back_before_its_time_vetoes():
    world = cluster(5)
    world.crash(A)
    world.run_until(lambda: stages(world) == [Stage.INTENT], 120)
    world.run(3 * 60)
    world.down.clear()
    world.start(A)
    world.run(HOUR)
    assert [deed.by for deed in world.done(Veto)] == [A]
    assert A in world.members
    assert world.done(Destroy) == []


def test_an_agent_without_a_destroyer_vetoes_too_while_it_is_out():
    world = World(policy(60.0, rise=2))
    world.start(A, B)
    world.run(300)
    world.reaches = lambda own, target: target != A
    world.run_until(world.is_without(A), 60)
    put(world, A)
    world.run_until(lambda: bool(world.done(Veto)), 75)


def test_a_cluster_without_a_destroyer_does_not_ask_for_the_record_at_rest():
    world = World(policy(60.0))
    world.start(A, B, C)
    world.run(300)
    world.intents_reads = 0
    world.run(HOUR)
    assert world.intents_reads == 0


def test_a_cluster_with_a_destroyer_asks_for_the_record_once_an_interval_and_writes_nothing():
    world = cluster(3)
    world.intents_reads = 0
    world.run(HOUR)
    assert world.intents_reads == pytest.approx(3 * 60, rel=0.1)
    assert world.deeds == []
    assert world.destroy_record.values == ()


# -- who executes --------------------------------------------------------------------------------------------


def test_an_intent_of_an_agent_that_died_is_carried_out_by_another():
    world = cluster(6)
    world.crash(A)
    world.run_until(lambda: bool(world.done(Intend)), 120)
    [intended] = world.done(Intend)
    world.crash(intended.by)
    world.run(10 * 60)
    destroyed = world.done(Destroy)
    assert A in {deed.action.address for deed in destroyed}
    assert all(deed.by not in (A, intended.by) for deed in destroyed)
    assert destroyed[0].at - intended.at >= 6 * 60


def test_an_intent_of_a_member_is_left_to_it():
    world = cluster(4)
    world.crash(A)
    world.run_until(world.is_without(A), 60)
    world.destroy_record = world.destroy_record.holding(())
    for agent in world.agents.values():
        agent.state = replace(agent.state, removed={}, intents=None)
    put(world, A, by=B)
    world.agents.pop(B)  # it hangs, and its service goes on
    world.run(HOUR)
    assert B in world.members
    assert world.done(Destroy) == []


def test_an_agent_that_was_restarted_waits_anew_and_goes_on():
    world = cluster(3)
    world.crash(A)
    world.run_until(lambda: bool(world.done(Intend)), 120)
    [intended] = world.done(Intend)
    world.run(3 * 60)
    world.start(intended.by)
    restarted = world.now
    world.run(10 * 60)
    [destroyed] = world.done(Destroy)
    assert destroyed.by == intended.by
    assert destroyed.at - restarted >= 6 * 60


def test_an_agent_that_dies_before_the_destroyer_has_done_it_leaves_it_to_another():
    world = cluster(6)
    world.destroyer_works = False
    world.crash(A)
    world.run_until(lambda: stages(world) == [Stage.EXECUTING], 600)
    [line] = map(parse, world.destroy_record.values)
    world.crash(line.by)
    world.destroyer_works = True
    began = world.now
    world.run(10 * 60)
    first = world.done(Destroy)[0]
    assert (first.action.address, first.by in (A, line.by)) == (A, False)
    assert first.at - began >= 6 * 60


def test_an_executor_that_is_cut_off_from_everybody_destroys_nobody():
    world = cluster(5)
    world.crash(A)
    world.run_until(lambda: bool(world.done(Intend)), 120)
    [intended] = world.done(Intend)
    world.reaches = lambda own, target: intended.by not in (own, target)
    world.run(30 * 60)
    assert [deed for deed in world.done(Destroy) if deed.by == intended.by] == []


def test_an_executor_that_reaches_nobody_destroys_nobody_although_all_reach_it():
    world = cluster(5)
    world.crash(A)
    world.run_until(lambda: bool(world.done(Intend)), 120)
    [intended] = world.done(Intend)
    world.reaches = lambda own, target: own != intended.by
    world.run(30 * 60)
    assert intended.by in world.members
    assert world.done(Destroy) == []


def test_a_member_is_not_destroyed_although_it_fails_and_a_line_says_so():
    world = cluster(5)
    dead = {A, B, C}
    world.crash(*dead)
    world.run_until(lambda: len(world.members) == 3, 30 * 60)
    [stays] = world.members & dead  # so that more than half do
    world.destroy_record = world.destroy_record.holding(())
    for agent in world.agents.values():
        agent.state = replace(agent.state, removed={}, intents=None)
    put(world, stays, by=D)
    world.run(15 * 60)
    assert stays in world.members
    assert world.done(Destroy) == []


def test_nobody_outside_of_the_own_networks_is_probed_or_destroyed_because_a_line_says_so():
    world = cluster(3, networks=(ipaddress.ip_network("10.0.0.0/24"),))
    stranger = ipaddress.ip_address("10.0.1.1")
    put(world, stranger, by=E)
    world.run(HOUR)
    assert world.done(Destroy) == []
    assert all(stranger not in look.probe for _, _, look in world.looks)


# -- the record ----------------------------------------------------------------------------------------------


def test_a_line_that_cannot_be_read_is_left_alone_and_nobody_is_destroyed_meanwhile():
    world = cluster(3)
    world.destroy_record = world.destroy_record.holding(["Stage=intent"], ttl=60)
    world.crash(A)
    world.run(HOUR)
    assert world.destroy_record.values == ("Stage=intent",)
    assert world.done(Intend) == world.done(Destroy) == []
    assert whys(world) == {Why.ILLEGIBLE}
    world.destroy_record = world.destroy_record.holding(())
    world.run(10 * 60)
    assert [deed.action.address for deed in world.done(Destroy)] == [A]


def test_nobody_is_destroyed_while_a_line_that_cannot_be_read_stands_beside_the_intent():
    world = cluster(3)
    world.crash(A)
    world.run_until(lambda: bool(world.done(Intend)), 120)
    intent = world.destroy_record
    world.destroy_record = intent.holding([*intent.values, "Stage=intent"], ttl=60)
    world.run(30 * 60)
    assert world.done(Destroy) == []
    world.destroy_record = intent
    world.run(10 * 60)
    assert [deed.action.address for deed in world.done(Destroy)] == [A]


def test_a_veto_leaves_a_line_that_cannot_be_read_alone():
    world = cluster(3)
    world.destroy_record = world.destroy_record.holding(["Stage=intent"], ttl=60)
    put(world, A)
    world.run(75)
    assert len(world.done(Veto)) == 1
    assert "Stage=intent" in world.destroy_record.values


def test_a_full_record_takes_no_intent_until_what_is_in_it_is_over():
    world = cluster(3)
    for number in range(MOST_LINES):
        put(world, address(100 + number), by=A, stage=Stage.VETOED, token=f"{number:08x}")
    world.run(2 * 60)
    world.crash(C)
    world.run(50 * 60)
    assert world.done(Intend) == []
    world.run(20 * 60)
    assert [deed.action.address for deed in world.done(Destroy)] == [C]
    assert stages(world) == [Stage.DESTROYED]


def test_the_budget_is_a_tenth_of_the_members_an_hour():
    world = cluster(12)
    dead = [address(number) for number in range(1, 5)]
    world.crash(*dead)
    world.run(30 * 60)
    assert len(world.done(Evict)) == 4
    assert len(world.done(Destroy)) == 1
    assert Why.BUDGET in whys(world)
    world.run(6 * HOUR)
    times = [deed.at for deed in world.done(Destroy)]
    assert all(later - earlier >= HOUR for earlier, later in pairwise(times))
    assert len(times) >= 2


def test_what_was_begun_and_never_written_down_counts_for_an_hour_too():
    world = cluster(5, 5.0)
    world.crash(A)
    put(
        world, ipaddress.ip_address("192.0.2.9"), stage=Stage.EXECUTING
    )  # nobody here would probe that, or go on with it
    world.run(0.95 * HOUR)
    assert world.done(Destroy) == []
    assert Why.BUDGET in whys(world)
    world.run(0.1 * HOUR)
    assert [deed.action.address for deed in world.done(Destroy)] == [A]


def test_an_agent_that_comes_back_is_registered_although_a_line_about_it_is_left():
    world = cluster(3)
    put(world, A, stage=Stage.DESTROYED)
    world.crash(A)
    world.run(60)
    world.down.clear()
    world.start(A)
    world.run(60)
    assert A in world.members
    assert [deed.by for deed in world.done(Register)] == [A]
