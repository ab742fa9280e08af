"""When to look again, and at what: by the API, by the zone's name servers, by probes.

Hints are for quiet times. The API is read where an action that is wanted has to be confirmed; as often as without hints
while all is not well (see `_rests_on_readings`); and where nothing has asked for it for so long that caution does.
"""

from __future__ import annotations

from dnslb.decision.actions import Action, Destroy, Evict, Intend, Mark, Register, Withdraw
from dnslb.decision.leases import holds
from dnslb.decision.model import NEVER, Health, Look, Observation, State
from dnslb.decision.policy import Policy
from dnslb.decision.targets import failing, jury, suspects, watched
from dnslb.records import Address


def _stale_evidence(state: State, seen: Observation, policy: Policy, wanted: tuple[Action, ...]) -> frozenset[Address]:
    """Whom to probe again before what is wanted may be done.

    To judge anybody, oneself included, takes a fresh look at everybody: whether it is they or I rests on all of them.
    """
    if state.own is None:
        return frozenset()
    judged = {action.address for action in wanted if isinstance(action, Evict | Intend | Destroy)}
    leaving = any(isinstance(action, Withdraw) and action.address == state.own for action in wanted)
    needed = jury(state, policy) | judged | state.left.keys() if judged or leaving else frozenset({state.own})
    if seen.record_set is None:
        return needed
    oldest = _oldest_evidence(seen, policy)
    return frozenset(address for address in needed if not _is_fresh(state, address, oldest, address in judged))


def _oldest_evidence(seen: Observation, policy: Policy) -> float:
    """What was asked since then is fresh."""
    oldest = seen.now - policy.evidence_age
    if seen.probes and seen.now - seen.probed_at <= policy.longest_round(len(seen.probes)):
        oldest = min(oldest, seen.probed_at)  # what was just asked is fresh, however slow the round was
    return oldest


def _is_fresh(state: State, address: Address, oldest: float, is_judged: bool) -> bool:
    """Whether it was asked lately; of those who are judged, it takes an answer, or the lack of one."""
    health = state.health_of(address)
    return (health.probed_at if is_judged else health.asked_at) >= oldest


def confirming_look(state: State, seen: Observation, policy: Policy, wanted: tuple[Action, ...]) -> Look | None:
    """The look that confirms what is wanted, if it was not all seen just now.

    Where it has to wait, everything else goes on in the meantime.
    """
    if not wanted:
        return None
    stale = _stale_evidence(state, seen, policy, wanted)
    lease = any(isinstance(action, Register) for action in wanted)
    intents = any(isinstance(action, Mark) for action in wanted)
    witnesses = _lacks_witness(state, seen, policy, wanted)
    unread = seen.record_set is None or (lease and seen.block_record is None) or (intents and seen.intents is None)
    if not unread and not stale and not witnesses:
        return None
    tried = not unread and stale <= seen.probes.keys() and (not witnesses or seen.witnesses is not None)
    at = _confirm_at(state, seen, policy, tried=tried)
    meanwhile = next_look(state, seen, policy)
    if meanwhile.at < at:
        return meanwhile
    return Look(at, read=True, probe=stale, lease=lease, intents=intents, witnesses=witnesses)


def _lacks_witness(state: State, seen: Observation, policy: Policy, wanted: tuple[Action, ...]) -> bool:
    """Whether others are to be judged, and no witness was asked lately whether one can."""
    judges = any(isinstance(action, Evict | Intend | Destroy) for action in wanted)
    # They are asked before the probes, and silence takes the whole time limit.
    oldest = _oldest_evidence(seen, policy) - 2 * policy.probe_timeout
    return policy.witnesses and judges and state.witnessed_at < oldest


def _confirm_at(state: State, seen: Observation, policy: Policy, *, tried: bool) -> float:
    """At once, unless the provider has to be spared, or the same was just tried and led to nothing."""
    if state.troubles:
        return max(seen.now, state.next_read)
    return seen.now + policy.probe_interval if tried else seen.now


def next_look(state: State, seen: Observation, policy: Policy) -> Look:
    """The look to make where nothing has to be confirmed."""
    if state.own is None:
        return Look(seen.now + policy.probe_interval)
    verdict = _verdict_at(state, seen, policy)
    rechecks = _rechecks(state, seen, policy)
    allowed = [at for at in (state.not_before, state.next_write) if at > seen.now]
    blocked = blocked_for(state, seen) if state.own not in state.members else 0.0
    if blocked:
        allowed.append(seen.now + max(blocked, policy.recheck_interval))
    read_at, hint_at, intents_at = _reading_due(state, policy), _hint_due(state, policy), _intents_due(state, policy)
    at = max(seen.now, min(read_at, hint_at, intents_at, state.next_probe, verdict, *rechecks.values(), *allowed))
    if at >= verdict:
        return Look(at, read=True, probe=jury(state, policy) | state.left.keys(), witnesses=policy.witnesses)
    read = at >= read_at
    witnesses = _asks_witnesses(state, policy, read=read)
    hint = at >= hint_at and not read
    intents = at >= intents_at
    if read or hint or intents or at >= state.next_probe:
        lease = read and blocked > 0
        return Look(at, read, watched(state, policy), lease, intents=intents, hint=hint, witnesses=witnesses)
    return Look(at, probe=frozenset(address for address, due in rechecks.items() if due <= at), witnesses=witnesses)


def blocked_for(state: State, seen: Observation) -> float:
    """For how many seconds more the own address is to stay out, as far as the block record was read; 0 if it is not."""
    if state.lease is None or state.own is None:
        return 0.0
    hold = holds(state.lease, seen.now, seen.wall)
    return hold.blocked_until - seen.now if hold.blocks(state.own, seen.now) else 0.0


def _reading_due(state: State, policy: Policy) -> float:
    if policy.hints and not state.troubles and not _rests_on_readings(state, policy):
        return state.hints.next_check
    return state.next_read


def _hint_due(state: State, policy: Policy) -> float:
    asked = policy.hints and (state.troubles or not _rests_on_readings(state, policy))
    return state.hints.next_ask if asked else NEVER


def _intents_due(state: State, policy: Policy) -> float:
    """Who may be about to be destroyed has to see that in time, by the API: name servers may be behind.

    That is whoever others have removed, and any host with an address of the other family, which may have been. Who has
    just started is about to register, and nobody destroys a member.
    """
    may_be_meant = policy.destroys if state.own in state.members else state.evictions > 0
    if not may_be_meant:
        return NEVER
    return state.next_read if state.troubles else state.next_intents


def _rests_on_readings(state: State, policy: Policy) -> bool:
    """Whether all is not well: who is in, or out, and since when, is then the API's to say, as it is without hints."""
    is_out = bool(state.own_health.passed) and state.registered_since is None
    return is_out or bool(state.removed) or any(state.health_of(each).failures > 1 for each in _doubted(state, policy))


def _doubted(state: State, policy: Policy) -> frozenset[Address]:
    return suspects(state, policy) | (failing(state) & state.left.keys())


def _rechecks(state: State, seen: Observation, policy: Policy) -> dict[Address, float]:
    """Who is probed again soon, and when: who failed, but not often enough yet, and oneself before registering."""
    own = frozenset({state.own}) if state.own else frozenset()
    return {
        address: max(seen.now, health.asked_at + policy.recheck_interval)
        for address, health in ((each, state.health_of(each)) for each in own | failing(state))
        if 0 < health.failures < policy.fall - 1 or (address == state.own and _is_unsettled(health, policy))
    } | dict.fromkeys(_unasked(state, policy), seen.now)


def _unasked(state: State, policy: Policy) -> frozenset[Address]:
    """Who was removed asks everybody, to know whether it was wrong to remove it."""
    if not _was_removed(state):
        return frozenset()
    return frozenset(address for address in jury(state, policy) if state.health_of(address).asked_at < state.out_since)


def _asks_witnesses(state: State, policy: Policy, *, read: bool) -> bool:
    """Who was removed asks once, with its jury; who got no answer asks again with each reading while others fail."""
    if not policy.witnesses:
        return False
    still_silent = read and state.unwitnessed and bool(failing(state) - {state.own})
    return still_silent or (_was_removed(state) and state.witnessed_at < state.out_since)


def _was_removed(state: State) -> bool:
    return state.own not in state.members and state.evictions > 0


def _verdict_at(state: State, seen: Observation, policy: Policy) -> float:
    """When the probe is due that can settle a doubt: with a reading and a jury, so that it can be acted on."""
    suspected = [state.health_of(address) for address in suspects(state, policy)]
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
