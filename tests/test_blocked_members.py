"""What agents do about the block record, in virtual time: a blocked address is not registered."""

import pytest

from dnslb.decision import Evict, Register, Why, Withdraw
from dnslb.decision.leases import Claim
from dnslb.decision.leases import renew as renewed

from world import WALL, World, address, policy

A, B, C = map(address, range(1, 4))
NAME = "www.example.test"


def claim(*blocked):
    return Claim(NAME, "0123", duration=180, addresses=frozenset(blocked), operation="block")


def world(interval=60.0, seed=1) -> World:
    made = World(policy(interval), seed)
    made.start(A, B)
    made.run(3 * interval)
    assert made.members == {A, B}
    made.deeds.clear()
    made.lease_reads = 0
    return made


def block(made, *blocked):
    made.block_record = claim(*blocked).record_set(fence=1, wall=WALL + made.now)


def test_who_is_not_blocked_reads_the_block_record_once_to_register_and_never_at_rest():
    made = world()
    made.run(3600)
    assert made.lease_reads == 0
    made.start(C)
    made.run(3600)
    assert made.members == {A, B, C}
    assert made.lease_reads == 1


@pytest.mark.parametrize("offset", [-600.0, 0.0, 600.0])
@pytest.mark.parametrize("interval", [5.0, 60.0])
def test_a_blocked_address_is_not_registered_while_its_block_is_renewed_whatever_its_clock_says(interval, offset):
    made = world(interval)
    made.wall_offset = lambda own: offset if own == C else 0.0
    block(made, C)
    made.start(C)
    for _ in range(60):
        made.run(60)
        made.block_record = renewed(made.block_record, claim(C), WALL + made.now)
        assert made.members == {A, B}
    assert made.done(Register) == []
    assert {reason.why for _, own, reason in made.refusals if own == C} == {Why.BLOCKED}


@pytest.mark.parametrize(("offset", "earliest", "latest"), [(0.0, 210, 220), (600.0, 180, 190), (-600.0, 420, 430)])
def test_a_block_that_nobody_renews_is_over_in_the_end_whatever_the_clock_says(offset, earliest, latest):
    made = world()
    made.wall_offset = lambda own: offset
    block(made, C)
    made.start(C)
    took = made.run_until(lambda: C in made.members, 600)
    assert earliest - 0.001 <= took <= latest  # the time of day has a resolution of its own


def test_the_end_of_a_block_is_seen_at_the_next_reading():
    made = world()
    block(made, C)
    made.start(C)
    made.run(30)
    made.block_record = made.block_record.holding(())
    assert made.run_until(lambda: C in made.members, 120) <= 75


def test_somebody_elses_block_concerns_nobody():
    made = world()
    block(made, B)
    made.start(C)
    made.run(10)
    assert made.members == {A, B, C}, "the blocker removes a member itself; agents remove members that fail"
    assert made.done(Evict) == made.done(Withdraw) == []


def test_a_record_that_makes_no_sense_keeps_everybody_out_for_ten_minutes_and_is_left_alone():
    made = world()
    made.block_record = made.block_record.holding(["v=spf1 -all"], ttl=60)
    made.start(C)
    took = made.run_until(lambda: C in made.members, 1200)
    assert 600 <= took <= 610
    assert made.block_record.values == ("v=spf1 -all",)


def test_where_the_block_record_cannot_be_read_nobody_registers_and_nobody_leaves():
    made = world()
    made.block_record_down = True
    made.start(C)
    made.run(1800)
    assert made.deeds == []
    made.block_record_down = False
    assert made.run_until(lambda: C in made.members, 400) <= 300


def test_a_refusal_names_the_holder_and_the_time_that_is_left():
    made = world()
    block(made, C)
    made.start(C)
    made.run(10)
    reason = next(reason for _, own, reason in made.refusals if own == C)
    assert reason.details["holder"] == "owner 0123 (block)"
    assert 200 <= reason.details["seconds"] <= 210
    assert str(reason).startswith("10.0.0.3 is not registered: owner 0123 (block) blocks it, for 2")


def test_a_blocked_service_whose_check_fails_does_not_ask_for_the_block_record():
    made = world()
    block(made, C)
    made.down.add(C)
    made.start(C)
    made.run(600)
    assert made.lease_reads == 0


def test_the_block_of_a_dead_blocker_does_not_make_agents_ask_more_often():
    made = world()
    block(made, C)
    made.wall_offset = lambda own: -600.0
    made.start(C)
    made.run(400)
    assert made.lease_reads <= 10
