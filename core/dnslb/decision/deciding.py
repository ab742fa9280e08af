"""The rules. Each reads what is known, and says what it would do and what it refuses to do.

Theory of operation. An observation becomes knowledge (`observing`); the rules say what this knowledge asks for; and
nothing is done on an old view: what an old view asks for leads to a fresh look, at the record set and at the members
in question, and only what the fresh view asks for again is done. That one rule is the confirmation before a
removal, and what makes every commit a compare-and-swap against something that was looked at.
"""

from __future__ import annotations

import math
from dataclasses import replace

from dnslb.decision.actions import Action, Edit, Evict, EvictSlowly, RaiseTtl, Register, Ruling, Withdraw
from dnslb.decision.destroying import destruction
from dnslb.decision.leases import holder
from dnslb.decision.looking import blocked_for, confirming_look, next_look
from dnslb.decision.model import Decision, Health, Observation, State
from dnslb.decision.observing import observe
from dnslb.decision.policy import MOST_RETURNS, WAVES, Policy
from dnslb.decision.reasons import Reason, Why
from dnslb.decision.targets import answering, failing, is_cut_off, jury, suspects
from dnslb.records import Address, RecordSet, listed


def decide(state: State, seen: Observation, policy: Policy) -> Decision:
    """What to do after `seen`, knowing `state`.

    Pure: the same arguments give the same decision, and nothing outside of them is looked at.
    """
    state = observe(state, seen, policy)
    rulings = [
        *_own_membership(state, seen, policy),
        *_failed_members(state, seen, policy),
        *_lowered_ttl(state, seen, policy),
        *destruction(state, seen, policy),
    ]
    wanted = tuple(ruling for ruling in rulings if isinstance(ruling, Action))
    refusals = tuple(ruling for ruling in rulings if isinstance(ruling, Reason))
    state, wanted = _writable(state, seen, wanted)
    if look := confirming_look(state, seen, policy, wanted):
        return Decision(state, (), refusals, look)
    return Decision(state, wanted, refusals, next_look(state, seen, policy))


def _writable(state: State, seen: Observation, wanted: tuple[Action, ...]) -> tuple[State, tuple[Action, ...]]:
    """What of it may be done now: after a write that failed, nothing is written for a while.

    That it failed is forgotten once there is nothing to write any more: it is written now, by oneself or by others.
    """
    if state.write_troubles and seen.record_set is not None and not wanted:
        state = replace(state, write_troubles=0)
    return state, wanted if seen.now >= state.next_write else ()


def revised(record_set: RecordSet, edits: tuple[Edit, ...], policy: Policy) -> RecordSet:
    """The record set after the edits."""
    added = {action.address for action in edits if isinstance(action, Register)}
    removed = {action.address for action in edits if isinstance(action, Withdraw | Evict)}
    return record_set.holding((record_set.addresses | added) - removed, _ttl(record_set, edits, policy))


def _ttl(record_set: RecordSet, edits: tuple[Edit, ...], policy: Policy) -> int:
    """Low after a removal: others may follow, and who was removed may come back. It stays low until it is raised."""
    if policy.low_ttl is None or any(isinstance(action, RaiseTtl) for action in edits):
        return policy.ttl
    removes = any(isinstance(action, Evict) for action in edits)
    return policy.low_ttl if removes or record_set.ttl == policy.low_ttl else policy.ttl


# -- the own address ---------------------------------------------------------------------------------------


def _own_membership(state: State, seen: Observation, policy: Policy) -> Ruling:
    if state.own is None or state.record_set is None:
        return
    health = state.own_health
    registered = state.own in state.members
    if seen.stopping:
        yield from _leaving(state, policy, state.own) if registered else ()
    elif registered and health.down(policy):
        yield from _withdrawal(state, policy, state.own, health)
    elif not registered and health.passed >= policy.rise:
        if seen.now < state.not_before:
            yield Reason.of(Why.BACK_OFF, state.own, seconds=state.not_before - seen.now)
            return
        if _is_kept_out(state, seen, policy):
            seconds = state.out_since + policy.longest_failure - seen.now
            yield Reason.of(Why.CUT_OFF_STAYS_OUT, state.own, seconds=seconds)
            return
        if state.lease and (seconds := blocked_for(state, seen)):
            yield Reason.of(Why.BLOCKED, state.own, holder=holder(state.lease), seconds=seconds)
            return
        yield Register(state.own, Reason.of(Why.JOIN, state.own, passed=health.passed))
        yield from _former(state)
    elif registered:
        yield from _former(state)
    elif health.detail:
        yield Reason.of(Why.NOT_READY, state.own, detail=health.detail)


def _is_kept_out(state: State, seen: Observation, policy: Policy) -> bool:
    """Who was removed, and reaches nobody now, was removed rightly. Not for ever: the witnesses may be what is gone."""
    healthy, others = answering(state, policy)
    was_removed = state.evictions > 0 and seen.now - state.out_since < policy.longest_failure
    return state.unwitnessed and was_removed and others > 0 and not healthy


def _former(state: State) -> Ruling:
    for address in sorted(state.former & state.members, key=int):
        yield Withdraw(address, Reason.of(Why.MOVED, address, own=str(state.own)))


def _leaving(state: State, policy: Policy, own: Address) -> Ruling:
    """The last one who answers stays in: an address that may be dead is better than no address.

    Who has not been asked yet gives hope enough to ask (see `stale_evidence`), and no more.
    """
    others = jury(state, policy) - {state.own}
    hopeful = [address for address in others if not state.health_of(address).failures]
    if not hopeful:
        yield Reason.of(Why.STOP_STAYS, own, others=len(others))
        return
    for address in (own, *sorted(state.former & state.members, key=int)):
        yield Withdraw(address, Reason.of(Why.STOP, address, healthy=len(hopeful)))


def _withdrawal(state: State, policy: Policy, own: Address, health: Health) -> Ruling:
    """Where everybody fails together it is not the fault of one, and all stay."""
    healthy, others = answering(state, policy)
    if healthy and 2 * healthy >= others and len(state.members) > _floor(state):
        yield Withdraw(own, Reason.of(Why.SELF_DOWN, own, **_failures(health)))
    else:
        yield Reason.of(Why.SELF_DOWN_STAYS, own, detail=health.detail, healthy=healthy, others=others)


# -- members that fail -------------------------------------------------------------------------------------


def _failed_members(state: State, seen: Observation, policy: Policy) -> Ruling:
    suspected = suspects(state, policy)
    down = [address for address in suspected if state.health_of(address).down(policy)]
    if not down or seen.stopping:
        return
    down.sort(key=lambda address: (state.health_of(address).failing_since, int(address)))
    alone = len(suspected) > 1 and suspected == jury(state, policy) - {state.own}
    overdue = [address for address in down if _overdue(state, seen, policy, address)]
    if not state.sure_of_oneself:
        yield from _stay(Why.SELF_UNSURE if state.own in state.members else Why.NOT_MEMBER, state, down)
    elif overdue and _may_remove_slowly(state, seen, policy, alone=alone):
        health = state.health_of(overdue[0])
        numbers = {"seconds": health.failing_for(seen.now), "limit": policy.max_failures, "detail": health.detail}
        yield EvictSlowly(overdue[0], Reason.of(Why.LONG_DOWN, overdue[0], **numbers))
    elif is_cut_off(state, policy):
        yield from _stay(Why.CUT_OFF, state, down)
    elif alone:
        yield from _stay(Why.ALONE, state, down, failing=len(suspected))
    elif seen.now < state.held_until:
        yield from _stay(Why.OBJECTION, state, down, objectors=listed(state.objectors))
    else:
        yield from _evictions(state, seen, policy, down)


def _stay(why: Why, state: State, addresses: list[Address], **numbers: object) -> Ruling:
    for address in addresses:
        yield Reason.of(why, address, detail=state.health_of(address).detail, **numbers)


def _may_remove_slowly(state: State, seen: Observation, policy: Policy, *, alone: bool) -> bool:
    """One at a time, with time to come back; where nobody answers, with more of it, and no more once one did."""
    if seen.now < state.paced_until or (state.unwitnessed and not answering(state, policy)[0]):
        return False
    return not alone or (not state.refuted and seen.now - state.last_slow >= 5 * policy.interval)


def _evictions(state: State, seen: Observation, policy: Policy, down: list[Address]) -> Ruling:
    floor = _floor(state)
    room = len(state.members - state.former) - floor  # addresses that this host had before leave, too
    fail = len(suspects(state, policy) | (failing(state) & state.left.keys()))
    allowed = _allowed(state, seen, policy, fail)
    for address in down:
        health = state.health_of(address)
        if policy.regional and not health.local:
            yield Reason.of(Why.ELSEWHERE, address, detail=health.detail, limit=policy.max_failures)
        elif room <= 0:
            numbers = {"failing": fail, "members": len(state.members), "floor": floor}
            yield Reason.of(Why.FLOOR, address, detail=health.detail, **numbers)
        elif allowed <= 0:
            yield Reason.of(Why.PACED, address, detail=health.detail, failing=fail)
        else:
            room -= 1
            allowed -= 1
            yield Evict(address, Reason.of(Why.DOWN, address, **_failures(health)))


def _allowed(state: State, seen: Observation, policy: Policy, fail: int) -> int:
    """How many may be removed at once. The only one who fails is dead; where several fail, it may be the network.

    Then one is removed, as a question, and after `objection_time` without an answer 8, 64... Where others leave all the
    time, for whatever reason, that must not keep the only member that fails in for ever.
    """
    if fail <= 1:
        return 1
    if seen.now >= state.paced_until:
        return WAVES[state.wave] if seen.now - state.paced_until <= policy.interval else 1
    members = suspects(state, policy)
    longest = max(state.health_of(address).failing_for(seen.now) for address in members)
    return int(len(members) == 1 and longest > 3 * policy.objection_time(policy.disturbed_interval))


def _overdue(state: State, seen: Observation, policy: Policy, address: Address) -> bool:
    """Whether it failed for so long that it goes whatever else holds: for ever longer, if it has shown to live.

    It takes one who was a member all that time; who has just come back may be the one that is cut off.
    """
    if state.registered_since is None:
        return False
    health = state.health_of(address)
    limit = policy.longest_failure * 2.0 ** min(health.returns, MOST_RETURNS)
    return min(health.failing_for(seen.now), seen.now - state.registered_since) > limit


# -- the TTL -----------------------------------------------------------------------------------------------


def _lowered_ttl(state: State, seen: Observation, policy: Policy) -> Ruling:
    """The first member raises it again; each other one an interval later, should those before it have no agent.

    Each does so once, should the provider not keep what it is given. A TTL of neither option is somebody else's.
    """
    if state.record_set is None or state.record_set.ttl != policy.low_ttl or state.calm_since is None:
        return
    if state.own is None or state.own not in state.members or seen.stopping:
        return
    calm = seen.now - state.calm_since
    before = sum(int(address) < int(state.own) for address in state.members)
    if calm >= policy.calm + before * policy.interval:
        yield RaiseTtl(state.own, Reason.of(Why.CALM, state.own, ttl=policy.ttl, seconds=calm))


# -- what the rules need -----------------------------------------------------------------------------------


def _floor(state: State) -> int:
    """How many members must stay: half of the most that were seen lately, rounded up."""
    return max(1, math.ceil(max((size for _, size in state.sizes), default=0) / 2))


def _failures(health: Health) -> dict[str, object]:
    seconds = health.failing_for(health.probed_at)
    return {"failures": health.failures, "seconds": seconds, "detail": health.detail}
