"""The rules of the balancer, each as what a cluster does in virtual time."""

import itertools
import statistics
from dataclasses import replace

import pytest

from dnslb.decision import (
    Destroy,
    Evict,
    EvictSlowly,
    Health,
    Look,
    Observation,
    Register,
    State,
    Why,
    Withdraw,
    decide,
)
from dnslb.decision.model import Healths
from dnslb.records import Address, RecordSet, RecordType

from world import HEALTHY, REFUSED, World, address, at_rest, policy

A, B, C, D, E = map(address, range(1, 6))


def cluster(size: int, interval: float = 60.0, seed: int = 1, **changes) -> World:
    return at_rest(size, policy(interval, **changes), seed)


def minutes_in(world: World, member: Address, minutes: int) -> int:
    """At the end of how many of the next minutes it is a member."""
    inside = 0
    for _ in range(minutes):
        world.run(60)
        inside += member in world.members
    return inside


def test_agents_register_themselves_once_their_own_check_has_passed_twice():
    world = World(policy())
    world.start(A, B, C)
    world.run(10)
    assert world.members == {A, B, C}
    assert {(deed.by, deed.action.address) for deed in world.done(Register)} == {(A, A), (B, B), (C, C)}


def test_a_service_that_is_not_ready_is_not_registered_and_the_agent_says_why():
    world = World(policy())
    world.down.add(A)
    world.start(A)
    world.run(180)
    assert world.members == frozenset()
    assert {reason.why for _, _, reason in world.refusals} == {Why.NOT_READY}
    world.down.clear()
    world.run(10)
    assert world.members == {A}


def test_a_cluster_at_rest_writes_nothing():
    world = cluster(5)
    world.run(3600)
    assert world.deeds == []


def test_a_cluster_at_rest_reads_once_an_interval():
    world = cluster(5)
    world.reads = 0
    world.run(3600)
    assert world.reads == pytest.approx(5 * 60, rel=0.1)


@pytest.mark.parametrize("size", [2, 3, 5, 20])
@pytest.mark.parametrize("interval", [5.0, 60.0])
def test_a_dead_server_leaves_within_seconds_whatever_the_interval(size, interval):
    times = []
    for seed in range(5):
        world = World(policy(interval), seed=seed)
        world.start(*map(address, range(1, size + 1)))
        world.run(3 * interval + seed)
        world.crash(A)
        times.append(world.run_until(world.is_without(A), limit=30))
    assert len(world.members) == size - 1
    assert statistics.median(times) <= 10
    assert max(times) <= 15


def test_a_failure_is_confirmed_within_seconds_however_rarely_members_are_probed():
    world = cluster(3, probe_interval=60.0)
    world.crash(A)
    world.run_until(lambda: any(agent.state.health_of(A).failures for agent in world.agents.values()), 140)
    assert world.run_until(world.is_without(A), 60) <= 8


@pytest.mark.parametrize("start", [0.0, 1.3, 2.9, 4.4])
def test_a_pause_of_less_than_five_seconds_removes_nobody(start):
    world = cluster(5)
    world.run(start)
    world.down.add(A)
    world.run(4.9)
    world.down.clear()
    world.run(120)
    assert world.deeds == []


def test_a_removal_says_how_often_and_for_how_long_it_failed():
    world = cluster(3)
    world.crash(A)
    world.run(30)
    [deed] = world.done(Evict)
    assert deed.action.reason.why is Why.DOWN
    assert deed.action.reason.details["failures"] >= 3
    assert deed.action.reason.details["seconds"] >= 5
    assert str(deed.action.reason).startswith("10.0.0.1 failed ")
    assert "connection refused" in str(deed.action.reason)


def test_a_removal_rests_on_a_reading_and_probes_that_were_made_for_it():
    world = cluster(3)
    world.crash(A)
    world.run(30)
    [deed] = world.done(Evict)
    [look] = [look for at, own, look in world.looks if (at, own) == (deed.at, deed.by) and look.read]
    assert look.probe >= {A, deed.by}


def test_what_only_an_old_reading_asks_for_leads_to_a_new_one_at_once():
    members = RecordSet("www.example.test", RecordType.A).holding([A, B], 60)
    failed = Health(failures=5, failing_since=0.0, probed_at=95.0, asked_at=95.0)
    state = State(own=A, record_set=members, shown=members.addresses, health=Healths({B: failed}), registered_since=0.0)
    state = replace(state, next_read=150.0)
    probes = {A: HEALTHY, B: REFUSED}
    unread = Observation(now=100.0, own=A, probes=probes, probed_at=100.0)
    decision = decide(state, unread, policy())
    assert decision.actions == ()
    assert decision.look == Look(100.0, read=True, probe=frozenset({A, B}))
    read = replace(unread, record_set=members)
    assert [(type(action), action.address) for action in decide(state, read, policy()).actions] == [(Evict, B)]


def test_an_agent_that_cannot_reach_anybody_blames_itself():
    world = cluster(5)
    world.reaches = lambda own, target: own != A
    world.run(20 * 60)
    assert world.done(Evict) == []
    assert {reason.why for _, own, reason in world.refusals if own == A} == {Why.ALONE}


def test_a_member_that_no_one_can_reach_comes_back_ever_more_rarely_and_is_not_destroyed():
    world = cluster(5, destroys=True)
    world.reaches = lambda own, target: target != A
    world.run(4 * 3600)
    returns = [deed.at for deed in world.done(Register) if deed.by == A]
    pauses = [later - earlier for earlier, later in itertools.pairwise(returns)]
    assert pauses[0] < 8 * 60
    assert min(pauses[5:]) > 10 * 60
    assert world.done(Destroy) == []


def test_a_member_that_no_one_can_reach_is_out_nearly_all_the_time():
    world = cluster(5)
    world.reaches = lambda own, target: target != A
    assert minutes_in(world, A, 120) <= 12


def test_who_objects_again_and_again_gives_in():
    # It finds that one fails and the others do not; and one after the other removes it, who did not see it object.
    world = cluster(12)
    world.reaches = lambda own, target: target != A and (own, target) != (A, B)
    assert minutes_in(world, A, 60) <= 12


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_who_was_removed_asks_everybody_and_is_back_soon_if_it_was_wrong(seed):
    world = cluster(12, seed=seed, probe_interval=60.0)
    world.reaches = lambda own, target: {own, target} != {A, B}
    world.run_until(lambda: bool(world.done(Evict)), 30 * 60)
    removed = world.done(Evict)[0].action.address
    world.run_until(lambda: world.agents[removed].state.registered_since is None, 80)
    assert world.run_until(lambda: removed in world.members, 60) <= 30


def test_after_an_objection_members_are_judged_again_as_soon_as_those_who_objected_answer():
    world = cluster(6)
    world.reaches = lambda own, target: (own in {A, B, C}) == (target in {A, B, C})
    world.run(10 * 60)
    assert all(agent.state.held_until > world.now + 10 * 60 for agent in world.agents.values())
    world.reaches = lambda own, target: True
    world.run(5 * 60)
    assert len(world.members) == 6
    world.crash(A)
    assert world.run_until(world.is_without(A), 30) <= 15


@pytest.mark.parametrize("leaves", [3, 14])
def test_members_that_leave_by_themselves_are_no_questions_that_nobody_objected_to(leaves):
    world = cluster(80)
    for number in range(leaves):
        world.stop(address(80 - number))
        world.run(60)
    world.deeds.clear()
    side = set(sorted(world.members)[::2])
    world.reaches = lambda own, target: (own in side) == (target in side)
    world.run(90)
    assert 1 <= len(world.done(Evict)) <= 4
    assert len(world.members) >= 80 - leaves - 2


@pytest.mark.parametrize(("wave", "waits"), [(0, True), (1, False), (2, False)])
def test_after_an_objection_the_next_question_of_others_is_waited_for_too(wave, waits):
    """And later ones are not, or those who remove many would keep everybody waiting."""
    rules, members = policy(), RecordSet("www.example.test", RecordType.A).holding([A, B, C, D], 60)
    fails = Health(failures=9, failing_since=0.0, probed_at=100.0, asked_at=100.0)
    state = State(
        own=A,
        record_set=members,
        shown=members.addresses,
        registered_since=0.0,
        health=Healths({A: Health(passed=9), B: fails, C: fails}),
        wave=wave,
        paced_until=101.0,
    )
    left = Observation(now=100.0, own=A, record_set=members.holding([A, B, C]), probed_at=100.0)
    after = decide(state, left, rules).state
    assert after.paced_until == (100.0 + rules.objection_time(15.0) if waits else 101.0)
    assert after.wave == max(wave, 1)


def test_while_nobody_objects_ever_more_are_removed_at_once():
    world = cluster(52)
    world.crash(*map(address, range(1, 25)))
    for number in range(26, 53):
        world.agents.pop(address(number))  # their services go on, and only one judges
    world.run(5 * 60)
    first, second, third, *_ = (len(list(wave)) for _, wave in itertools.groupby(deed.at for deed in world.done(Evict)))
    assert (first, second) == (1, 8)
    assert third > 8


def test_an_agent_that_cannot_reach_anybody_for_hours_removes_one_and_takes_its_return_for_an_answer():
    world = cluster(6)
    world.reaches = lambda own, target: own != A
    world.run(6 * 3600)
    assert len(world.done(EvictSlowly)) == 1
    assert world.done(Evict) == []
    assert len(world.members) == 6


def test_who_comes_back_each_time_is_removed_for_its_long_failure_ever_more_rarely():
    world = cluster(5, max_failures=10)
    world.reaches = lambda own, target: {own, target} != {A, B}
    world.run(6 * 3600)
    for each in (A, B):
        removals = [deed.at for deed in world.done(EvictSlowly) if deed.action.address == each]
        pauses = [later - earlier for earlier, later in itertools.pairwise(removals)]
        assert len(pauses) >= 2
        assert all(later > 1.5 * earlier for earlier, later in itertools.pairwise(pauses))


def test_survivors_of_a_majority_remove_the_dead_in_the_end():
    world = cluster(4, max_failures=10)
    world.crash(B, C, D)
    world.run(60 * 60)
    assert world.members == {A}


def test_a_record_set_that_somebody_emptied_is_filled_again_at_the_next_reading_however_often():
    world = cluster(3)
    for _ in range(6):
        world.record_set = world.record_set.holding([])
        assert world.run_until(lambda: bool(world.members), 90) <= 80
        world.run(120)
    world.run(20 * 60)  # who found others in the set already takes itself for removed by them, and waits
    assert len(world.members) == 3


@pytest.mark.parametrize("moment", range(12))
def test_an_agent_whose_link_is_cut_in_the_middle_of_a_round_removes_nobody(moment):
    world = cluster(4)
    for own in (B, C, D):
        world.agents[own].look = Look(float("inf"))  # only one judges
    world.run(0.4 * moment)
    world.reaches = lambda own, target: target == D
    world.run(1.5)
    world.reaches = lambda own, target: False
    world.run(30 * 60)
    assert world.done(Evict) == []


def test_when_everybody_fails_at_once_nobody_leaves():
    world = cluster(5)
    world.down |= set(world.members)
    world.run(20 * 60)
    assert world.deeds == []
    assert len(world.members) == 5


def test_more_than_half_is_never_removed_in_the_normal_way():
    world = cluster(10)
    dead = [address(number) for number in range(1, 8)]
    world.crash(*dead)
    world.run(25 * 60)
    assert len(world.members) == 5
    assert all(deed.size >= 5 for deed in world.deeds)
    assert Why.FLOOR in {reason.why for _, _, reason in world.refusals}


def test_who_failed_for_too_long_leaves_one_at_a_time_whatever_the_floor():
    world = cluster(4, max_failures=10)
    world.crash(A, B, C)
    world.run(60 * 60)
    assert world.members == {D}
    slow = world.done(EvictSlowly)
    assert len(slow) >= 2
    assert all(later.at - earlier.at >= 60 for earlier, later in itertools.pairwise(slow))


def test_where_nobody_answers_who_failed_for_too_long_leaves_once_in_five_intervals():
    world = cluster(6, max_failures=10)
    world.crash(B, C, D, E, address(6))
    world.run(60 * 60)
    assert world.members == {A}
    *others, _ = [
        deed.at for deed in world.done(EvictSlowly)
    ]  # the last one is no crowd that oneself may be cut off from
    assert len(others) == 4
    assert all(later - earlier >= 5 * 60 for earlier, later in itertools.pairwise(others))


def test_the_last_member_is_never_removed():
    world = cluster(2, max_failures=5)
    world.down |= {A, B}
    world.run(3600)
    assert world.members == {A, B}
    world.down.remove(B)
    world.run(3600)
    assert world.members == {B}


def test_an_agent_that_cannot_probe_judges_nobody_and_keeps_its_pace():
    world = cluster(3)
    world.run(7)
    world.crash(A)
    world.run(4)
    world.cannot_ask |= {B, C}
    world.looks.clear()
    world.run(300)
    assert world.deeds == []
    assert len(world.looks) < 2 * 300  # no faster than one look a second
    world.cannot_ask.clear()
    world.run(30)
    assert A not in world.members


def test_an_agent_that_stops_before_it_has_probed_anybody_leaves_if_another_answers():
    world = World(policy())
    world.start(A)
    world.run(20)
    assert world.members == {A}
    world.start(B)
    world.run(20)
    assert B not in world.agents[A].state.members  # it has not read since
    world.stop(A)
    world.run(3)
    assert world.members == {B}


def test_a_service_that_dies_under_a_living_agent_is_withdrawn_by_it_or_removed_by_others():
    world = cluster(5)
    world.down.add(A)
    took = world.run_until(lambda: A not in world.members, limit=20)
    assert took <= 15
    world.run(600)
    assert A not in world.members
    world.down.clear()
    world.run(150)
    assert A in world.members


def test_a_service_that_dies_is_withdrawn_by_its_own_agent_where_nobody_else_watches_it():
    world = cluster(3)
    for other in (B, C):
        world.agents.pop(other)  # their services go on
    world.down.add(A)
    world.run_until(world.is_without(A), 20)
    [deed] = world.done(Withdraw)
    assert (deed.by, deed.action.reason.why) == (A, Why.SELF_DOWN)
    assert world.members == {B, C}


def test_a_stopped_agent_leaves_at_once():
    world = cluster(3)
    world.stop(A)
    world.run(0.1)
    assert world.members == {B, C}
    [deed] = world.done(Withdraw)
    assert deed.action.reason.why is Why.STOP


def test_the_last_one_who_answers_stays_when_it_is_stopped():
    world = cluster(2)
    world.down.add(B)
    world.agents[B].look = Look(float("inf"))
    world.stop(A)
    world.run(0.1)
    assert A in world.members
    assert Why.STOP_STAYS in {reason.why for _, _, reason in world.refusals}


def test_members_of_another_region_are_left_alone_until_they_failed_for_very_long():
    world = cluster(4, regional=True, max_failures=10)
    world.region_of = lambda host: "far" if host in {A, B} else "near"
    world.crash(A)
    world.agents.pop(B)  # nobody watches in the far region
    world.run(9 * 60)
    assert world.deeds == []
    assert Why.ELSEWHERE in {reason.why for _, _, reason in world.refusals}
    world.run(5 * 60)
    assert A not in world.members


def test_nobody_in_another_region_is_destroyed():
    world = cluster(4, regional=True, destroys=True, max_failures=10)
    world.region_of = lambda host: "far" if host in {A, B} else "near"
    world.crash(A)
    world.agents.pop(B)
    world.run(3600)
    assert A not in world.members
    assert world.done(Destroy) == []


def test_closing_the_probe_port_inside_the_cluster_destroys_nobody():
    world = cluster(6, destroys=True)
    world.reaches = lambda own, target: False
    world.run(4 * 3600)
    assert world.done(Destroy) == []
    assert world.members


def test_nothing_is_written_while_the_provider_is_down_and_a_due_removal_follows_soon_after():
    world = cluster(5)
    world.provider_down = True
    world.crash(A)
    world.run(1800)
    assert world.deeds == []
    world.provider_down = False
    assert world.run_until(lambda: A not in world.members, 300) <= 300


def test_the_provider_is_asked_ever_more_rarely_while_it_is_down():
    world = cluster(1)
    world.provider_down = True
    world.run(600)
    world.reads = 0
    world.run(3600)
    assert world.reads <= 3600 / (4 * 60 * 0.7)


@pytest.mark.parametrize("interval", [5.0, 60.0])
def test_a_provider_that_takes_no_writes_is_asked_to_write_ever_more_rarely_and_read_as_ever(interval):
    world = cluster(5, interval)
    world.takes_writes = False
    world.crash(A)
    world.reads = 0
    world.run(3600)
    assert world.deeds == []
    # 5, 10, 20 ... 240 s, give or take a quarter: six pauses until the longest, and then that.
    for own in world.agents:
        assert 10 <= sum(by == own for _, by in world.refused_writes) <= 6 + 3600 / (240 * 0.75)
    assert world.reads <= 4 * 3600 / (0.75 * interval) + len(world.refused_writes)
    world.takes_writes = True
    assert world.run_until(world.is_without(A), 310) <= 310


def test_a_write_that_failed_is_tried_again_as_soon_as_it_may_be():
    world = cluster(5, probe_interval=60.0)
    world.takes_writes = False
    world.crash(A)
    world.run_until(lambda: bool(world.refused_writes), 180)
    [(at, own)] = world.refused_writes
    assert at < world.agents[own].look.at <= at + 5 * 1.25


def test_after_a_write_that_worked_the_next_failure_is_the_first_again():
    world = cluster(5)
    world.takes_writes = False
    world.crash(A)
    world.run(1800)
    world.takes_writes = True
    world.run(300)
    assert world.is_without(A)()
    world.takes_writes = False
    world.crash(B)
    world.run(60)
    world.takes_writes = True
    assert world.run_until(world.is_without(B), 60) <= 60


def test_who_leaves_tries_to_write_soon_however_long_that_has_failed():
    world = cluster(5)
    world.takes_writes = False
    world.crash(A)
    world.run(1800)
    world.takes_writes = True
    world.stop(B)
    assert world.run_until(world.is_without(B), 10) <= 10


def test_who_leaves_and_cannot_write_tries_every_few_seconds():
    world = cluster(5)
    world.takes_writes = False
    world.stop(B)
    world.run(30)
    assert 4 <= len(world.refused_writes) <= 9
    world.takes_writes = True
    assert world.run_until(world.is_without(B), 10) <= 10


def test_probing_goes_on_while_a_removal_waits_for_the_provider():
    world = cluster(3)
    world.provider_down = True
    world.crash(A)
    world.run(1800)
    before = world.probes
    world.run(600)
    assert (world.probes - before) / 2 >= 600 / 5 * 0.8 * 3  # two agents, three members each


def test_foreign_addresses_are_neither_probed_nor_removed():
    world = cluster(2)
    foreign = ["192.0.2.1", "8.8.8.8", "127.0.0.1", "169.254.169.254", "224.0.0.1"]
    world.record_set = world.record_set.holding([*world.record_set.values, "8.8.8.8", "127.0.0.1", "169.254.169.254"])
    before = world.record_set
    world.run(2 * 3600)
    assert world.record_set == before
    probed = {target for agent in world.agents.values() for target in agent.state.health}
    assert not {str(target) for target in probed} & set(foreign)


def test_an_address_that_changes_is_replaced():
    state, now = State(), 0.0
    world = cluster(2)
    agent = world.agents.pop(A)
    new = address(77)
    state = agent.state
    world.agents[new] = type(agent)(state=state, look=Look(world.now))
    world.run(60)
    assert world.members == {new, B}
    assert [deed.action.reason.why for deed in world.done(Withdraw)] == [Why.MOVED]
    assert now == 0.0


def test_what_must_stay_is_counted_without_an_address_that_this_host_had_before():
    failed = Health(failures=5, failing_since=0.0, probed_at=95.0, asked_at=95.0)
    members = RecordSet("www.example.test", RecordType.A).holding([A, B, C, D], 60)
    state = State(
        own=A, former=frozenset({D}), record_set=members, shown=members.addresses, health=Healths({B: failed})
    )
    state = replace(state, sizes=((50.0, 6),), registered_since=0.0)
    probes = {A: HEALTHY, B: REFUSED, C: HEALTHY}
    seen = Observation(now=100.0, own=A, record_set=members, probes=probes, probed_at=100.0)
    decision = decide(state, seen, policy())
    assert {(type(action), action.address) for action in decision.actions} == {(Withdraw, D)}
    assert [reason.why for reason in decision.refusals] == [Why.FLOOR]


def test_the_same_arguments_give_the_same_decision():
    seen = Observation(now=1.0, own=A, jitter=0.25)
    assert decide(State(), seen, policy()) == decide(State(), seen, policy())


def test_a_host_without_an_address_of_the_family_looks_again_later_and_reads_nothing():
    decision = decide(State(), Observation(now=7.0, own=None), policy())
    assert decision.actions == ()
    assert decision.look == Look(12.0)
