"""The invariants that each single decision keeps, whatever an agent remembers and sees.

The table in docs/explanation/invariants.md says which rule each of them rests on.
"""

import copy
import math
from dataclasses import replace

import pytest
from hypothesis import Phase, find, given, settings

from dnslb.decision import Destroy, Edit, Evict, EvictSlowly, Intend, Mark, RaiseTtl, Register, Veto, Withdraw, revised
from dnslb.decision.blockrecord import BlockRecord
from dnslb.decision.blockrecord import parse as parse_block_record
from dnslb.decision.destroying import BUDGET_TIME
from dnslb.decision.destroyrecord import Stage, parse
from dnslb.decision.model import Healths
from dnslb.interfaces import Verdict

from effort import effort
from situations import OWN, STRANGERS, Situation, situations

JUDGEMENTS = Evict | Intend | Destroy
WITNESSED = 5.0
"""For so many seconds the answer of a witness counts, at most: an evidence age and the time limit of a probe."""
often = effort(200)


def actions(situation: Situation, kind=object) -> list:
    return [action for action in situation.decide().actions if isinstance(action, kind)]


@pytest.mark.parametrize("kind", [Register, Withdraw, Evict, EvictSlowly, RaiseTtl, Veto, Intend, Destroy])
def test_each_kind_of_action_is_taken_in_some_of_the_situations(kind):
    """So that none of what follows holds for want of actions."""
    asks_for_it = lambda situation: any(type(action) is kind for action in situation.decide().actions)  # noqa: E731
    find(
        situations(),
        asks_for_it,
        settings=settings(max_examples=20_000, database=None, derandomize=True, phases=[Phase.generate]),
    )


@often
@given(situations())
def test_no_decision_empties_the_record_set(situation):
    edits = tuple(actions(situation, Edit))
    if edits:
        assert revised(situation.seen.record_set, edits, situation.policy).exists, "S1"


@often
@given(situations())
def test_only_the_own_address_is_added_and_only_own_ones_and_members_that_are_down_are_removed(situation):
    for action in actions(situation, Edit):
        if isinstance(action, Register | RaiseTtl):
            assert action.address == OWN, "S2"
        elif isinstance(action, Withdraw):
            assert action.address in {OWN} | situation.state.former, "S2"
        else:
            assert action.address not in {OWN, *situation.state.former, *STRANGERS}, "S2"
            assert is_down(situation, action.address), "S2"


@often
@given(situations())
def test_a_commit_changes_what_its_actions_name_and_nothing_else(situation):
    edits = tuple(actions(situation, Edit))
    if edits:
        before = situation.seen.record_set
        after = revised(before, edits, situation.policy)
        named = {action.address for action in edits if not isinstance(action, RaiseTtl)}
        assert after.addresses ^ before.addresses == named, "S3"


@often
@given(situations())
def test_the_ttl_is_raised_only_where_all_members_answer_and_removals_lower_it(situation):
    edits, rules = actions(situation, Edit), situation.policy
    raises = any(isinstance(edit, RaiseTtl) for edit in edits)
    if raises:
        assert not situation.decide().state.health.failing & situation.seen.record_set.addresses
        assert not any(isinstance(edit, Evict) for edit in edits)
    if edits:
        is_low = rules.low_ttl is not None and not raises
        assert revised(situation.seen.record_set, tuple(edits), rules).ttl == (rules.low_ttl if is_low else rules.ttl)


@often
@given(situations())
def test_outside_of_the_slow_lane_half_of_the_recent_size_stays(situation):
    edits = tuple(actions(situation, Edit))
    if any(type(edit) is Evict for edit in edits):
        recent = [size for at, size in situation.state.sizes if situation.seen.now - at <= situation.policy.memory]
        largest = max([*recent, len(situation.seen.record_set.values)])
        assert len(revised(situation.seen.record_set, edits, situation.policy).values) >= math.ceil(largest / 2), "S4"


@often
@given(situations())
def test_in_the_slow_lane_one_is_removed_at_a_time_who_failed_for_the_whole_time(situation):
    removed = actions(situation, Evict)
    slow = [edit for edit in removed if isinstance(edit, EvictSlowly)]
    if slow:
        assert removed == slow, "S4"
        assert len(slow) == 1, "S4"
        assert failing_for(situation, slow[0].address) > situation.policy.max_failures * situation.policy.interval, "S9"


@often
@given(situations())
def test_who_is_down_or_out_or_holds_or_is_cut_off_or_has_no_fresh_view_acts_on_nobody_else(situation):
    judged = actions(situation, JUDGEMENTS)
    if not judged:
        return
    seen, after = situation.seen, situation.decide().state
    assert not seen.stopping, "S5"
    assert seen.record_set is not None, "S5: nothing was read for it"
    assert OWN in seen.record_set.addresses, "S5: it is out"
    asked_at, result = situation.last_probe(OWN)
    assert result is not None, "S5: it has not been asked"
    assert result.healthy, "S5: it is down"
    assert asked_at >= seen.now - situation.policy.evidence_age, "S5: it was asked too long ago"
    others = [address for address in seen.record_set.addresses if address.is_private and address != OWN]
    answering = [address for address in others if has_answered(situation, address)]
    slowly = all(isinstance(action, EvictSlowly) for action in judged)
    if situation.policy.witnesses:
        assert after.witnessed_at >= seen.now - WITNESSED, "S5: they were asked too long ago"
        destroys = any(isinstance(action, Intend | Destroy) for action in judged)
        enough = 1 if slowly else len(others) / 2
        assert after.witnessed or (not destroys and len(answering) >= enough), (
            "S5: no witness answers it, and few members"
        )
    if not slowly:
        assert seen.now >= after.held_until, "S5: it holds"
        assert answering or len(others) <= 1, "S5: it is cut off"


@often
@given(situations())
def test_an_instance_is_destroyed_after_its_intent_stood_unchanged_for_the_whole_wait_in_a_legible_record(situation):
    for action in actions(situation, Destroy):
        assert situation.seen.intents is not None, "S6: nothing was read for it"
        lines = situation.lines()
        assert all(parse(text) is not None for text in lines), "S6: a line that cannot be read"
        [line] = action.instead_of
        assert line.is_pending, "S6"
        assert situation.seen.now - lines[line.text] >= situation.policy.destroy_delay, (
            "S6: its time to veto is not over"
        )


@often
@given(situations())
def test_an_instance_is_destroyed_while_it_is_out_of_the_record_set_and_fails_a_fresh_probe(situation):
    for action in actions(situation, Intend | Destroy):
        assert action.address != OWN, "S6"
        assert action.address not in situation.seen.record_set.addresses, "S6: it is a member"
        assert is_down(situation, action.address), "S6: it is not known to be down"


@often
@given(situations())
def test_one_instance_is_destroyed_at_a_time_and_within_the_budget_of_an_hour(situation):
    destroyed = actions(situation, Destroy)
    assert len(destroyed) <= 1, "S6"
    for action in destroyed:
        recent = {text: since for text, since in situation.lines().items() if situation.seen.now - since < BUDGET_TIME}
        spent = [line for line in map(parse, recent) if line.stage in {Stage.EXECUTING, Stage.DESTROYED}]
        others = [line for line in spent if line not in action.instead_of]
        largest = max([len(situation.seen.record_set.values), *(size for _, size in situation.state.sizes)])
        assert len(others) < max(1, largest // 10), "S6: over the budget"


@often
@given(situations())
def test_a_healthy_agent_vetoes_each_intent_against_it_whatever_else_stands_in_the_record(situation):
    decision = situation.decide()
    if situation.seen.intents is None or situation.seen.record_set is None or situation.seen.stopping:
        return
    mine = [
        line for line in map(parse, situation.seen.intents.values) if line and line.address == OWN and line.is_pending
    ]
    _, result = situation.last_probe(OWN)
    may_write = situation.seen.now >= situation.state.next_write
    if mine and result and result.healthy and OWN in situation.seen.probes and may_write:
        vetoed = {line for mark in decision.marks if isinstance(mark, Veto) for line in mark.instead_of}
        at_once = decision.look.at == situation.seen.now and decision.look.intents
        assert vetoed == set(mine) or at_once, "S6: no veto, and no look at once that leads to it"


@often
@given(situations())
def test_who_is_blocked_or_has_not_looked_does_not_register(situation):
    for _ in actions(situation, Register):
        assert situation.seen.block_record is not None, "S8: nothing was read for it"
        values = situation.seen.block_record.values
        if values and values != situation.state.lease.values:
            record = parse_block_record(values)
            assert record.addresses is not None, "S8: nobody can tell whom it blocks"
            lapsed = isinstance(record, BlockRecord) and record.addresses_expire + 7000 < situation.seen.wall
            assert OWN not in record.addresses or lapsed, "S8: it is blocked by what was written just now"


@often
@given(situations())
def test_with_regions_others_are_left_to_theirs_outside_of_the_slow_lane(situation):
    if not situation.policy.regional:
        return
    for action in actions(situation, JUDGEMENTS):
        if not isinstance(action, EvictSlowly):
            asked = (
                action.address in situation.seen.probes
                and situation.seen.probes[action.address].verdict is Verdict.FAILED
            )
            local = (
                situation.seen.local
                if asked
                else {action.address}
                if situation.state.health[action.address].local
                else {}
            )
            assert action.address in local, "S9"


@often
@given(situations())
def test_without_a_destroyer_nobody_is_intended_or_destroyed(situation):
    if not situation.policy.destroys:
        assert all(isinstance(action, Veto) for action in actions(situation, Mark)), "S6"


@often
@given(situations())
def test_the_same_situation_gives_the_same_decision_and_is_left_as_it_was(situation):
    before = copy.deepcopy(situation)
    first = situation.decide()
    assert situation == before, "S11: the decision changed its arguments"
    assert situation.decide() == first, "S11"
    assert shuffled(situation).decide() == first, "S11: it rests on the order of a mapping"


def shuffled(situation: Situation) -> Situation:
    """An equal situation whose mappings were built the other way round."""
    state, seen = situation.state, situation.seen
    return replace(
        situation,
        state=replace(
            state, health=Healths(turned(state.health)), left=turned(state.left), removed=turned(state.removed)
        ),
        seen=replace(seen, probes=turned(seen.probes)),
    )


def turned(mapping):
    return dict(reversed(list(mapping.items())))


# -- what was seen, told without the decision's own functions ---------------------------------------------------


def failing_for(situation: Situation, address) -> float:
    """For how long every probe of it has failed, up to now; 0 where the last one did not."""
    health = situation.state.health_of(address)
    _, result = situation.last_probe(address)
    if result is None or result.healthy:
        return 0.0
    return situation.seen.now - (health.failing_since if health.failures else situation.seen.probed_at)


def is_down(situation: Situation, address) -> bool:
    """Whether it failed often and long enough, the last time just now."""
    asked_at, result = situation.last_probe(address)
    failures = situation.state.health_of(address).failures + (address in situation.seen.probes)
    is_fresh = asked_at >= situation.seen.now - situation.policy.evidence_age
    has_failed = result is not None and result.verdict is Verdict.FAILED
    long_enough = failing_for(situation, address) >= situation.policy.blip
    return is_fresh and has_failed and failures >= situation.policy.fall and long_enough


def has_answered(situation: Situation, address) -> bool:
    """Whether it answered when it was last asked."""
    _, result = situation.last_probe(address)
    return result is not None and result.healthy
