"""The TTL is lowered by a removal, and raised once nobody has failed for a while."""

import pytest

from dnslb.decision import Evict, RaiseTtl, Register, Why, Withdraw, attempts

from world import REFUSED, World, address, at_rest, policy

A, B, C, D, E = map(address, range(1, 6))
LOW, USUAL = 10, 300


def cluster(size: int, **changes) -> World:
    world = at_rest(size, policy(60.0, **{"ttl": USUAL, "low_ttl": LOW} | changes))
    assert world.record_set.ttl == USUAL
    return world


def kinds(world: World) -> list[tuple]:
    return [(type(deed.action), deed.by) for deed in world.deeds]


def test_a_removal_lowers_it_in_the_same_commit_and_the_first_member_raises_it_after_five_intervals():
    world = cluster(5)
    world.crash(C)
    world.run_until(world.is_without(C), limit=30)
    assert world.record_set.ttl == LOW
    writes = len(world.history)
    quiet = world.run_until(lambda: world.record_set.ttl == USUAL, limit=900)
    assert 5 * 60 <= quiet <= 8 * 60
    [raised] = world.done(RaiseTtl)
    assert raised.by == raised.action.address == A
    assert raised.action.reason.why is Why.CALM
    world.run(3600)
    assert len(world.history) == writes + 1


def test_it_stays_low_as_long_as_anybody_fails():
    world = cluster(5)
    world.crash(A, B, C)
    world.run(30 * 60)
    assert 2 < len(world.members) < 5, "the floor keeps one who failed"
    assert world.record_set.ttl == LOW
    assert world.done(RaiseTtl) == []


def test_who_comes_back_and_who_leaves_keep_it_low_for_a_while():
    world = cluster(5)
    world.crash(C)
    world.run_until(world.is_without(C), limit=30)
    world.run(4 * 60)
    world.down.discard(C)
    world.start(C)
    world.run_until(lambda: C in world.members, limit=60)
    assert world.record_set.ttl == LOW
    world.run_until(lambda: world.record_set.ttl == USUAL, limit=900)
    world.stop(B)
    world.run_until(world.is_without(B), limit=60)
    assert world.record_set.ttl == USUAL, "who leaves by itself has been answered for"
    assert {kind for kind, _ in kinds(world)} == {Evict, Register, RaiseTtl, Withdraw}


@pytest.mark.parametrize("agentless", [1, 3])
def test_where_the_first_members_have_no_agent_the_next_one_raises_it(agentless):
    world = cluster(5)
    world.crash(E)
    world.run_until(world.is_without(E), limit=30)
    for number in range(1, agentless + 1):
        world.agents.pop(address(number))
    quiet = world.run_until(lambda: world.record_set.ttl == USUAL, limit=1200)
    assert quiet <= (8 + agentless) * 60
    assert [by for kind, by in kinds(world) if kind is RaiseTtl] == [address(agentless + 1)]


def test_without_a_low_ttl_all_is_written_with_the_usual_one():
    world = cluster(5, low_ttl=None)
    world.crash(C)
    world.run(3600)
    assert {record_set.ttl for _, record_set in world.history if record_set.exists} == {USUAL}
    assert world.done(RaiseTtl) == []


def test_a_ttl_that_somebody_else_chose_is_left_alone():
    world = cluster(3)
    world.record_set = world.record_set.holding(world.members, 42)
    world.run(3600)
    assert world.record_set.ttl == 42
    assert world.deeds == []


def test_a_provider_that_keeps_the_low_ttl_is_told_once_by_each_agent_and_no_more():
    class Capping(World):
        def _observation(self, own, agent, **seen):
            record_set = seen.get("record_set")
            if record_set is not None and record_set.exists:
                seen["record_set"] = record_set.holding(record_set.addresses, min(record_set.ttl, LOW))
            return super()._observation(own, agent, **seen)

    world = Capping(policy(60.0, ttl=USUAL, low_ttl=LOW))
    world.start(A, B, C, D, E)
    world.run(3600)
    raised = [deed.by for deed in world.done(RaiseTtl)]
    assert sorted(raised) == [A, B, C, D, E]


def test_who_fails_its_own_check_raises_nothing():
    world = cluster(3)
    world.crash(B)
    world.run_until(world.is_without(B), limit=60)
    world.down.add(A)  # the floor keeps it in
    world.run(20 * 60)
    assert A in world.members
    assert world.done(RaiseTtl) == []


def test_lost_probes_do_not_keep_it_low():
    world = cluster(5)
    world.crash(C)
    world.run_until(world.is_without(C), limit=60)
    probe = world._probe

    def losing(own, target):
        result = probe(own, target)
        tries = attempts(world.agents[own].state, target)
        lost = own != target and all(world.chance.random() < 0.15 for _ in range(tries))
        return REFUSED if lost and result.healthy else result

    world._probe = losing
    assert world.run_until(lambda: world.record_set.ttl == USUAL, limit=3600) <= 20 * 60


def test_name_servers_that_are_behind_in_it_have_nobody_read_the_api():
    world = cluster(5, hints=True)
    world.crash(C)
    world.run(30 * 60)
    assert world.record_set.ttl == USUAL
    behind = world.record_set.holding(world.members, LOW)
    world.served = lambda: behind
    reads = world.reads
    world.run(3600)
    assert world.reads - reads <= 4 * 10
