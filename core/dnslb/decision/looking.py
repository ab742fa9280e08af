"""When to look again, and at what: by the API, by the zone's name servers, by probes.

With hints, the API is read for four reasons: an action that is wanted has to be confirmed; the own address is out, and
is to come back; instances may have to be destroyed; or nothing has asked for it for so long that caution does.
"""

from __future__ import annotations

from dnslb.decision.model import NEVER, Action, Destroy, Evict, Health, Look, Observation, Policy, State, Withdraw
from dnslb.decision.targets import managed, targets
from dnslb.records import Address

_CONFIRMATIONS_A_SECOND = 5
"""How many agents at most ask the API about one failed member, all together, where it is hints that they live on.

It is what Route 53 takes from one account. The first of them asks after a fifth of a second on average, however many
they are, and the next hint tells the others that nothing is left to do.
"""


def stale_evidence(state: State, seen: Observation, policy: Policy, wanted: tuple[Action, ...]) -> frozenset[Address]:
    """Whom to probe again before what is wanted may be done.

    To judge anybody, oneself included, takes a fresh look at everybody: whether it is they or I rests on all of them.
    """
    if not wanted or state.own is None:
        return frozenset()
    judged = {action.address for action in wanted if isinstance(action, Evict | Destroy)}
    leaving = any(isinstance(action, Withdraw) and action.address == state.own for action in wanted)
    needed = targets(state, policy) if judged or leaving else frozenset({state.own})
    if seen.record_set is None:
        return needed
    oldest = seen.now - policy.evidence_age
    return frozenset(address for address in needed if not _is_fresh(state, seen, address, oldest, address in judged))


def _is_fresh(state: State, seen: Observation, address: Address, oldest: float, is_judged: bool) -> bool:
    """Whether it was asked lately; of those who are judged, it takes an answer, or the lack of one."""
    health = state.health_of(address)
    at = health.probed_at if is_judged else health.asked_at
    return at >= oldest or (address in seen.probes and at >= seen.probed_at)


def confirm_at(
    state: State, seen: Observation, policy: Policy, wanted: tuple[Action, ...], stale: frozenset[Address]
) -> float:
    """When to confirm what is wanted: at once, unless the provider has to be spared.

    That is so where it is in trouble, where the same was just tried and led to nothing, and where many agents that live
    on hints want the same.
    """
    if state.troubles:
        return max(seen.now, state.next_read)
    if seen.record_set is not None:
        return seen.now + (policy.probe_interval if stale <= seen.probes.keys() else 0.0)
    if not policy.hints or not all(isinstance(action, Evict) for action in wanted):
        return seen.now
    if state.confirm_at is not None:
        return max(seen.now, state.confirm_at)
    return seen.now + seen.jitter * len(state.members) / _CONFIRMATIONS_A_SECOND


def confirming_look(state: State, seen: Observation, policy: Policy, at: float, stale: frozenset[Address]) -> Look:
    """The look that confirms what is wanted; where it has to wait, everything else goes on in the meantime."""
    meanwhile = next_look(state, seen, policy)
    return meanwhile if meanwhile.at < at else Look(at, read=True, probe=stale)


def next_look(state: State, seen: Observation, policy: Policy) -> Look:
    """The look to make where nothing has to be confirmed."""
    if state.own is None:
        return Look(seen.now + policy.probe_interval)
    everybody = targets(state, policy)
    rechecks = {
        address: at
        for address in everybody
        if (at := _recheck_at(state.health_of(address), seen.now, policy, address == state.own)) is not None
    }
    allowed_back = [state.not_before] if state.not_before > seen.now else []
    read_at, hint_at = _reading_due(state, policy), _hint_due(state, policy)
    at = max(seen.now, min(read_at, hint_at, state.next_probe, *rechecks.values(), *allowed_back))
    read = at >= read_at
    hint = at >= hint_at and not read
    if read or hint or at >= state.next_probe:
        return Look(at, read, everybody, hint)
    return Look(at, probe=frozenset(address for address, due in rechecks.items() if due <= at))


def _reading_due(state: State, policy: Policy) -> float:
    if policy.hints and not state.troubles and not _rests_on_readings(state, policy):
        return state.hints.next_check
    return state.next_read


def _hint_due(state: State, policy: Policy) -> float:
    return state.hints.next_ask if policy.hints and not _rests_on_readings(state, policy) else NEVER


def _rests_on_readings(state: State, policy: Policy) -> bool:
    """Whether who is in, or out, and since when, is the API's to say: oneself or an instance may be out for good."""
    if state.own_health.passed and state.registered_since is None:
        return True
    if not policy.destroys:
        return False
    return bool(state.removed) or any(state.health_of(address).failures > 1 for address in managed(state, policy))


def _recheck_at(health: Health, now: float, policy: Policy, own: bool) -> float | None:
    """When an address in doubt is probed again; None where the next round will do."""
    in_doubt = bool(health.failures) and not health.down(policy)
    rising = own and not health.failures and health.passed < policy.rise
    if not (in_doubt or rising):
        return None
    soon = max(now, health.asked_at + policy.recheck_interval)
    if health.failing_since is None or now >= health.failing_since + policy.blip:
        return soon
    # The probe that settles it falls on the first moment at which it can.
    return min(soon, health.failing_since + policy.blip)
