"""The rules. Each reads what is known, and says what it would do and what it refuses to do.

Theory of operation. An observation becomes knowledge (`observing`); the rules say what this knowledge asks for; and
nothing is done on an old view: what an old view asks for leads to a fresh look, at the record set and at the members
in question, and only what the fresh view asks for again is done. That one rule is the confirmation before a
removal, and what makes every commit a compare-and-swap against something that was looked at.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from dnslb.decision.leases import holder, holds
from dnslb.decision.model import (
    NEVER,
    Action,
    Decision,
    Destroy,
    Evict,
    EvictSlowly,
    Health,
    Look,
    Observation,
    Policy,
    Register,
    State,
    Withdraw,
)
from dnslb.decision.observing import observe
from dnslb.decision.reasons import Reason, Why
from dnslb.decision.targets import failing, jury, suspects, watched
from dnslb.records import Address, RecordSet

Ruling = Iterator[Action | Reason]
"""What a rule says: actions to take, and reasons not to."""


def decide(state: State, seen: Observation, policy: Policy) -> Decision:
    """What to do after `seen`, knowing `state`.

    Pure: the same arguments give the same decision, and nothing outside of them is looked at.
    """
    state = observe(state, seen, policy)
    rulings = [
        *_own_membership(state, seen, policy),
        *_failed_members(state, seen, policy),
        *_removed_instances(state, seen, policy),
    ]
    wanted = tuple(ruling for ruling in rulings if isinstance(ruling, Action))
    refusals = tuple(ruling for ruling in rulings if isinstance(ruling, Reason))
    state, wanted = _writable(state, seen, wanted)
    stale = _stale_evidence(state, seen, policy, wanted)
    registering = any(isinstance(action, Register) for action in wanted)
    if wanted and (seen.record_set is None or stale or (registering and seen.block_record is None)):
        at = _confirm_at(state, seen, policy, stale, lease=registering)
        return Decision(state, (), refusals, Look(at, read=True, probe=stale, lease=registering))
    return Decision(state, wanted, refusals, _next_look(state, seen, policy))


def _writable(state: State, seen: Observation, wanted: tuple[Action, ...]) -> tuple[State, tuple[Action, ...]]:
    """What of it may be done now: after a write that failed, the record set is left alone for a while.

    That it failed is forgotten once there is nothing to write any more: it is written now, by oneself or by others.
    """
    destructions = tuple(action for action in wanted if isinstance(action, Destroy))
    if seen.record_set is not None and len(destructions) == len(wanted):
        state = replace(state, write_troubles=0)
    return state, wanted if seen.now >= state.next_write else destructions


def revised(record_set: RecordSet, edits: tuple[Action, ...], policy: Policy) -> RecordSet:
    """The record set after the edits."""
    added = {action.address for action in edits if isinstance(action, Register)}
    removed = {action.address for action in edits if not isinstance(action, Register)}
    return record_set.holding((record_set.addresses | added) - removed, policy.ttl)


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
        if state.lease and (seconds := _blocked_for(state, seen)):
            yield Reason.of(Why.BLOCKED, state.own, holder=holder(state.lease), seconds=seconds)
            return
        yield Register(state.own, Reason.of(Why.JOIN, state.own, passed=health.passed))
        yield from _former(state)
    elif registered:
        yield from _former(state)
    elif health.detail:
        yield Reason.of(Why.NOT_READY, state.own, detail=health.detail)


def _blocked_for(state: State, seen: Observation) -> float:
    """For how many seconds more the own address is to stay out, as far as the block record was read; 0 if it is not."""
    if state.lease is None or state.own is None:
        return 0.0
    hold = holds(state.lease, seen.now, seen.wall)
    return hold.blocked_until - seen.now if hold.blocks(state.own, seen.now) else 0.0


def _former(state: State) -> Ruling:
    for address in sorted(state.former & state.members, key=int):
        yield Withdraw(address, Reason.of(Why.MOVED, address, own=str(state.own)))


def _leaving(state: State, policy: Policy, own: Address) -> Ruling:
    """The last one who answers stays in: an address that may be dead is better than no address.

    Who has not been asked yet gives hope enough to ask (see `_stale_evidence`), and no more.
    """
    others = jury(state, policy) - {state.own}
    hopeful = [address for address in others if not _health(state, address).failures]
    if not hopeful:
        yield Reason.of(Why.STOP_STAYS, own, others=len(others))
        return
    for address in (own, *sorted(state.former & state.members, key=int)):
        yield Withdraw(address, Reason.of(Why.STOP, address, healthy=len(hopeful)))


def _withdrawal(state: State, policy: Policy, own: Address, health: Health) -> Ruling:
    """Where everybody fails together it is not the fault of one, and all stay."""
    healthy, others = _answering(state, policy)
    if healthy and 2 * healthy >= others and len(state.members) > _floor(state):
        yield Withdraw(own, Reason.of(Why.SELF_DOWN, own, **_failures(health)))
    else:
        yield Reason.of(Why.SELF_DOWN_STAYS, own, detail=health.detail, healthy=healthy, others=others)


def _answering(state: State, policy: Policy) -> tuple[int, int]:
    """How many of the other members answered when last probed, and how many others there are."""
    others = jury(state, policy) - {state.own}
    healthy = sum(state.health.get(address, Health()).passed > 0 for address in others)
    return healthy, len(others)


# -- members that fail -------------------------------------------------------------------------------------


def _failed_members(state: State, seen: Observation, policy: Policy) -> Ruling:
    suspected = suspects(state, policy)
    down = [
        address
        for address in suspected
        if _health(state, address).down(policy) and seen.now - state.joined[address] >= policy.least_stay
    ]
    if not down or seen.stopping:
        return
    down.sort(key=lambda address: (_health(state, address).failing_since, int(address)))
    if not _sure_of_oneself(state):
        why = Why.SELF_UNSURE if state.own in state.members else Why.NOT_MEMBER
        yield from (Reason.of(why, address, detail=_detail(state, address)) for address in down)
        return
    alone = len(suspected) > 1 and suspected == jury(state, policy) - {state.own}
    overdue = [address for address in down if _overdue(state, seen, policy, address)]
    if overdue and _may_remove_slowly(state, seen, policy, alone=alone):
        health = _health(state, overdue[0])
        numbers = {"seconds": health.failing_for(seen.now), "limit": policy.max_failures, "detail": health.detail}
        yield EvictSlowly(overdue[0], Reason.of(Why.LONG_DOWN, overdue[0], **numbers))
    elif alone:
        for address in down:
            yield Reason.of(Why.ALONE, address, detail=_detail(state, address), failing=len(suspected))
    elif seen.now < state.held_until:
        for address in down:
            yield Reason.of(Why.OBJECTION, address, detail=_detail(state, address), objectors=_names(state.objectors))
    else:
        yield from _evictions(state, seen, policy, down)


def _may_remove_slowly(state: State, seen: Observation, policy: Policy, *, alone: bool) -> bool:
    """One at a time; where nobody answers, with time between them to come back, and no more once one did."""
    if alone and state.refuted:
        return False
    return seen.now - state.last_slow >= policy.interval * (5 if alone else 1)


def _evictions(state: State, seen: Observation, policy: Policy, down: list[Address]) -> Ruling:
    floor = _floor(state)
    room = len(state.members) - floor
    fail = len(suspects(state, policy) | (failing(state) & state.left.keys()))
    allowed = _allowed(state, seen, policy, fail)
    for address in down:
        health = _health(state, address)
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

    Then one is removed, as a question, and after `objection_time` without an answer 4, 16, 64... Where others leave all
    the time, for whatever reason, that must not keep the only member that fails in for ever.
    """
    if fail <= 1:
        return 1
    if seen.now >= state.paced_until:
        return int(4**state.wave) if seen.now - state.paced_until <= policy.interval else 1
    members = suspects(state, policy)
    longest = max(_health(state, address).failing_for(seen.now) for address in members)
    return int(len(members) == 1 and longest > 3 * policy.objection_time)


def _sure_of_oneself(state: State) -> bool:
    """Only who is in the record set, and passes its own check, may judge others."""
    return state.own in state.members and state.own_health.passed > 0


def _overdue(state: State, seen: Observation, policy: Policy, address: Address) -> bool:
    return _health(state, address).failing_for(seen.now) > policy.max_failures * policy.interval


def _floor(state: State) -> int:
    """How many members must stay: half of the most that were seen lately, rounded up."""
    return max(1, math.ceil(max((size for _, size in state.sizes), default=0) / 2))


# -- instances that were removed ---------------------------------------------------------------------------


def _removed_instances(state: State, seen: Observation, policy: Policy) -> Ruling:
    if not policy.destroys or seen.stopping or not _sure_of_oneself(state):
        return
    if seen.now < state.destroy_not_before:
        return
    for address, removed_at in sorted(state.removed.items(), key=lambda item: (item[1], int(item[0]))):
        health = _health(state, address)
        if seen.now - removed_at >= policy.destroy_delay and health.failures and health.local:
            seconds = seen.now - removed_at
            reason = Reason.of(Why.STILL_DOWN, address, seconds=seconds, detail=health.detail)
            yield Destroy(address, reason)


# -- when to look again ------------------------------------------------------------------------------------


def _stale_evidence(state: State, seen: Observation, policy: Policy, wanted: tuple[Action, ...]) -> frozenset[Address]:
    """Whom to probe again before what is wanted may be done.

    To judge anybody, oneself included, takes a fresh look at everybody: whether it is they or I rests on all of them.
    """
    if not wanted or state.own is None:
        return frozenset()
    judged = {action.address for action in wanted if isinstance(action, Evict | Destroy)}
    leaving = any(isinstance(action, Withdraw) and action.address == state.own for action in wanted)
    needed = jury(state, policy) | judged | state.left.keys() if judged or leaving else frozenset({state.own})
    if seen.record_set is None:
        return needed
    oldest = seen.now - policy.evidence_age
    return frozenset(address for address in needed if not _is_fresh(state, seen, address, oldest, address in judged))


def _is_fresh(state: State, seen: Observation, address: Address, oldest: float, is_judged: bool) -> bool:
    """Whether it was asked lately; of those who are judged, it takes an answer, or the lack of one."""
    health = _health(state, address)
    at = health.probed_at if is_judged else health.asked_at
    return at >= oldest or (address in seen.probes and at >= seen.probed_at)


def _confirm_at(state: State, seen: Observation, policy: Policy, stale: frozenset[Address], *, lease: bool) -> float:
    """At once, unless the provider has to be spared, or the same was just tried and led to nothing."""
    if state.troubles:
        return max(seen.now, state.next_read)
    if seen.record_set is not None and stale <= seen.probes.keys() and not (lease and seen.block_record is None):
        return seen.now + policy.probe_interval
    return seen.now


def _next_look(state: State, seen: Observation, policy: Policy) -> Look:
    if state.own is None:
        return Look(seen.now + policy.probe_interval)
    verdict = _verdict_at(state, seen, policy)
    rechecks = _rechecks(state, seen, policy)
    allowed = [at for at in (state.not_before, state.next_write) if at > seen.now]
    blocked_for = _blocked_for(state, seen) if state.own not in state.members else 0.0
    if blocked_for:
        allowed.append(seen.now + max(blocked_for, policy.recheck_interval))
    at = max(seen.now, min(state.next_read, state.next_probe, verdict, *rechecks.values(), *allowed))
    if at >= verdict:
        return Look(at, read=True, probe=jury(state, policy) | state.left.keys())
    read = at >= state.next_read
    if read or at >= state.next_probe:
        return Look(at, read, watched(state, policy), lease=read and blocked_for > 0)
    return Look(at, probe=frozenset(address for address, due in rechecks.items() if due <= at))


def _rechecks(state: State, seen: Observation, policy: Policy) -> dict[Address, float]:
    """Who is probed again soon, and when: who failed, but not often enough yet, and oneself before registering."""
    own = frozenset({state.own}) if state.own else frozenset()
    return {
        address: max(seen.now, health.asked_at + policy.recheck_interval)
        for address, health in ((each, _health(state, each)) for each in own | failing(state))
        if 0 < health.failures < policy.fall - 1 or (address == state.own and _is_unsettled(health, policy))
    }


def _verdict_at(state: State, seen: Observation, policy: Policy) -> float:
    """When the probe is due that can settle a doubt: with a reading and a jury, so that it can be acted on."""
    suspected = [_health(state, address) for address in suspects(state, policy)]
    due = [
        max(health.asked_at + policy.recheck_interval, (health.failing_since or 0.0) + policy.blip)
        for health in suspected
        if health.failures >= policy.fall - 1 and not health.down(policy)
    ]
    if state.paced_until > seen.now and any(health.down(policy) for health in suspected):
        due.append(state.paced_until)
    return max(min(due, default=NEVER), state.next_read if state.troubles else seen.now)


def _is_unsettled(health: Health, policy: Policy) -> bool:
    """Whether it is not clear yet that the service here works, or that it does not."""
    return not health.down(policy) if health.failures else health.passed < policy.rise


def _names(addresses: frozenset[Address]) -> str:
    return ", ".join(map(str, sorted(addresses, key=int)))


def _health(state: State, address: Address) -> Health:
    return state.health.get(address, Health())


def _failures(health: Health) -> dict[str, object]:
    seconds = health.failing_for(health.probed_at)
    return {"failures": health.failures, "seconds": seconds, "detail": health.detail}


def _detail(state: State, address: Address) -> str:
    return _health(state, address).detail
