"""From what was seen to what is known: the same step for every observation, whatever led to it."""

from __future__ import annotations

from dataclasses import replace

from dnslb.decision.actions import Destroy, Evict, EvictSlowly, RaiseTtl, Withdraw
from dnslb.decision.destroying import condemned
from dnslb.decision.destroyrecord import watched_intents
from dnslb.decision.leases import watched
from dnslb.decision.model import NEVER, UNKNOWN, Health, Healths, Observation, State, Trouble
from dnslb.decision.policy import (
    LEAVING_PAUSE,
    LONGEST_PAUSE,
    LONGEST_WAIT,
    MOST_EVICTIONS,
    MOST_OBJECTIONS,
    WAVES,
    Policy,
)
from dnslb.decision.targets import failing, is_cut_off, jury, known, suspects
from dnslb.interfaces import ProbeResult, Verdict
from dnslb.records import Address, RecordSet


def observe(state: State, seen: Observation, policy: Policy) -> State:
    """What is known after `seen`."""
    state = _own_address(state, seen)
    state = _deeds(state, seen, policy)
    state = _record_set(state, seen, policy)
    state = _hint(state, seen, policy)
    state = _lease(state, seen)
    state = _intents(state, seen, policy)
    state = _witnesses(state, seen)
    state = _probes(state, seen, policy)
    state = _removal(state, seen, policy)
    state = _calm(state, seen, policy)
    return _provider(state, seen, policy)


def _own_address(state: State, seen: Observation) -> State:
    # A host that has lost its address keeps it in mind: it fails its self-check, and that is how it leaves.
    if seen.own is None or seen.own == state.own:
        return state
    former = state.former | {state.own} if state.own else state.former
    return replace(state, own=seen.own, former=former - {seen.own}, registered_since=None)


def _deeds(state: State, seen: Observation, policy: Policy) -> State:
    if not seen.done:
        return state
    removed = dict(state.removed)
    for action in seen.done:
        if isinstance(action, Destroy):
            removed.pop(action.address, None)
        elif isinstance(action, EvictSlowly):
            state = replace(state, last_slow=seen.now, doubted=state.doubted | {action.address})
        elif isinstance(action, Evict) and policy.destroys:
            removed[action.address] = seen.now
        elif isinstance(action, Withdraw) and action.address == state.own:
            state = replace(state, registered_since=None)
        elif isinstance(action, RaiseTtl):
            state = replace(state, calm_since=NEVER)
    return replace(state, removed=removed)


def _record_set(state: State, seen: Observation, policy: Policy) -> State:
    if seen.record_set is None:
        return state
    members = seen.record_set.addresses
    was_emptied = not members or all(_more_than_half_left(before, members) for before in (state.shown, state.members))
    state = _departures(state, seen, policy, members)
    interval = _reading_interval(state, seen, policy)
    state = replace(
        state,
        record_set=seen.record_set,
        shown=members,
        sizes=_sizes(state, seen, policy, members),
        former=state.former & members,
        removed={address: at for address, at in state.removed.items() if address not in members},
        longest_ttl=max(state.longest_ttl, seen.record_set.ttl),
        refuted=state.refuted or bool(state.doubted & members),
        troubles=0,
        next_read=seen.now + interval * (0.75 + seen.jitter / 2),
        hints=state.hints.after_reading(members, state.members, seen.now, policy.interval, seen.jitter),
    )
    return _membership(state, seen, policy, was_emptied=was_emptied)


def _more_than_half_left(before: frozenset[Address], now: frozenset[Address]) -> bool:
    return 2 * len(before & now) < len(before)


def _departures(state: State, seen: Observation, policy: Policy, members: frozenset[Address]) -> State:
    """Who has left, and who came back to object.

    A removal is a question, and coming back is the answer: while nobody objects, more may be removed each time.
    """
    reading = _reading_interval(state, seen, policy)
    recent = {address: until for address, until in state.left.items() if seen.now <= until}
    leaving = state.shown - members - {state.own}
    back = recent.keys() & members
    objectors = frozenset(back & failing(state))
    left = {**recent, **dict.fromkeys(leaving, seen.now + policy.objection_memory(reading))}
    if left or state.left:
        state = replace(state, left={address: until for address, until in left.items() if address not in back})
    if objectors:
        state = _hold(_judged_anew(state, seen, objectors), seen, policy, objectors)
    if back:
        return replace(state, wave=0, paced_until=seen.now + policy.objection_time(reading))
    return _question(state, seen, policy, leaving, seen.now + policy.objection_time(reading)) if leaving else state


def _question(
    state: State, seen: Observation, policy: Policy, leaving: frozenset[Address], answered_at: float
) -> State:
    """How many may be removed next, and when: once all had time to object to what was removed just now.

    The first one after an objection is waited for whoever asks it, and later ones are not, or those who remove many
    would keep everybody waiting. To leave while nobody fails is no question, and silence no answer to it.
    """
    is_over = seen.now >= state.paced_until
    is_question = bool(leaving & failing(state) or suspects(state, policy))
    if not is_over and (state.wave or not is_question):
        return state
    follows = is_over and seen.now - state.paced_until <= policy.interval
    wave = min(state.wave + 1, len(WAVES) - 1) if follows else 1
    return replace(state, wave=wave if is_question else 0, paced_until=answered_at)


def _hold(state: State, seen: Observation, policy: Policy, objectors: frozenset[Address]) -> State:
    """It may be this agent that is cut off: it judges nobody for a while, or until those who object answer it."""
    return replace(
        state,
        objectors=state.objectors | objectors,
        objections=state.objections + 1,
        held_until=seen.now + policy.hold * 2 ** min(state.objections, 2),
    )


def _judged_anew(state: State, seen: Observation, objectors: frozenset[Address]) -> State:
    """Who comes back was alive just now, so its failure counts from now on."""
    health = dict(state.health)
    for address in objectors:
        before = health[address]
        health[address] = replace(before, failing_since=seen.now, returns=before.returns + 1)
    return replace(state, health=Healths(health))


def _reading_interval(state: State, seen: Observation, policy: Policy) -> float:
    """Between two readings as things are: shorter while somebody fails who has not done so for long."""
    since = (state.health[address].failing_for(seen.now) for address in suspects(state, policy))
    return policy.disturbed_interval if any(seconds < policy.disturbance for seconds in since) else policy.interval


def _sizes(
    state: State, seen: Observation, policy: Policy, members: frozenset[Address]
) -> tuple[tuple[float, int], ...]:
    recent = tuple(size for size in state.sizes if seen.now - size[0] <= policy.memory)
    return (*recent, (seen.now, len(members)))


def _hint(state: State, seen: Observation, policy: Policy) -> State:
    """A hint says whom to probe, and may raise the floor. Who is in, or out, and since when, is not its to say."""
    if seen.silent:
        return replace(state, hints=state.hints.after_silence(seen.now, policy.interval, seen.jitter))
    if seen.hint is None:
        return state
    members = seen.hint.addresses
    return replace(
        state,
        record_set=_hinted(state, seen.hint) if state.hints.believed(seen.now) else state.record_set,
        sizes=_sizes(state, seen, policy, members),
        hints=state.hints.after_hint(members, state.members, seen.now, policy.interval, seen.jitter),
    )


def _hinted(state: State, hint: RecordSet) -> RecordSet:
    """Members alone: were a name server behind in its TTL, everybody would read the API to raise it."""
    return hint if state.record_set is None else hint.holding(hint.values, state.record_set.ttl)


def _membership(state: State, seen: Observation, policy: Policy, *, was_emptied: bool) -> State:
    """Whether the own address is in, and what it means that it no longer is."""
    if state.own in state.members:
        since = seen.now if state.registered_since is None else state.registered_since
        settled = seen.now - since >= policy.interval * 2**MOST_EVICTIONS
        evictions = 0 if settled else state.evictions
        if (since, evictions) == (state.registered_since, state.evictions):
            return state
        return replace(state, registered_since=since, evictions=evictions)
    if state.registered_since is None:
        return state
    if was_emptied:  # no agent removes more than half: somebody else did, and to wait would be an outage
        return replace(state, registered_since=None)
    evictions = min(state.evictions + 1, MOST_EVICTIONS)
    not_before = seen.now + policy.absence(evictions, seen.jitter)
    return replace(state, registered_since=None, evictions=evictions, out_since=seen.now, not_before=not_before)


def _removal(state: State, seen: Observation, policy: Policy) -> State:
    """Who was removed, and finds others to fail, judges nobody; it comes back soon if not all of them do.

    Then it may have been wrong to remove it. It stays away for as long as it takes everybody to see it leave.
    """
    fail = suspects(state, policy)
    if state.own in state.members or seen.now >= state.not_before or not fail:
        return state
    if seen.now >= state.held_until:
        state = _hold(state, seen, policy, fail)
    soon = seen.now + policy.objection_pause(_reading_interval(state, seen, policy))
    return replace(state, not_before=min(soon, state.not_before)) if _objects(state, policy) else state


def _objects(state: State, policy: Policy) -> bool:
    """Whether others answer this agent that was removed. Of two, each is as likely to be right, and both stay.

    Where there are witnesses, they are asked first, and who is cut off gives in. Who was removed again and
    again does so, too.
    """
    if policy.witnesses and (state.witnessed_at < state.out_since or is_cut_off(state, policy)):
        return False
    others = jury(state, policy) - {state.own}
    some_answer = any(state.health_of(address).passed for address in others)
    return (some_answer or len(others) == 1) and state.evictions <= MOST_OBJECTIONS


def _calm(state: State, seen: Observation, policy: Policy) -> State:
    """One failed probe may be a lost packet. Who fails its own check is no better than others who fail."""
    doubtful = suspects(state, policy) | ({state.own} if state.own else frozenset())
    is_calm = not state.left and not any(state.health_of(address).failures > 1 for address in doubtful)
    if is_calm == (state.calm_since is not None):
        return state
    return replace(state, calm_since=seen.now if is_calm else None)


def _lease(state: State, seen: Observation) -> State:
    if seen.block_record is None:
        return state
    return replace(state, lease=watched(state.lease, seen.block_record, seen.now))


def _intents(state: State, seen: Observation, policy: Policy) -> State:
    if seen.intents is not None:
        view = watched_intents(state.intents, seen.intents, seen.now)
        state = replace(state, intents=view, next_intents=seen.now + policy.intents_interval * (0.75 + seen.jitter / 2))
    doomed = condemned(state, seen, policy)
    return state if doomed == state.condemned else replace(state, condemned=doomed)


def _witnesses(state: State, seen: Observation) -> State:
    if seen.witnesses is None:
        return state
    return replace(state, witnessed=seen.witnesses, witnessed_at=seen.witnessed_at)


def _probes(state: State, seen: Observation, policy: Policy) -> State:
    wanted = known(state, policy)
    if not seen.probes and state.health.keys() <= wanted:
        return state
    health = dict(state.health)
    for address in frozenset(health) - wanted:
        del health[address]
    for address, result in seen.probes.items():
        if address in wanted:
            before = health.get(address, UNKNOWN)
            health[address] = _after(before, result, seen.probed_at, address in seen.local)
    if not seen.probes:
        return replace(state, health=Healths(health))
    removed = {address: at for address, at in state.removed.items() if not _answers(seen, address)}
    is_round = state.next_probe <= seen.probed_at
    state = replace(
        state,
        health=Healths(health),
        removed=removed,
        rounds=state.rounds + is_round,
        # Re-checks of a few do not put off the round of all.
        next_probe=seen.probed_at + policy.probe_interval * (0.9 + seen.jitter / 5) if is_round else state.next_probe,
    )
    return _answered(state, seen)


def _answered(state: State, seen: Observation) -> State:
    """Who answers takes back its objection; and who is answered at all is not the one that is cut off."""
    objectors = frozenset(address for address in state.objectors if not _answers(seen, address))
    if len(objectors) < len(state.objectors):
        state = replace(state, objectors=objectors)
        if not objectors:
            state = replace(state, objections=0, held_until=-NEVER)
    if not state.doubted and not state.refuted:
        return state
    somebody_answers = any(address != state.own and _answers(seen, address) for address in seen.probes)
    return replace(state, doubted=frozenset(), refuted=False) if somebody_answers else state


def _answers(seen: Observation, address: Address) -> bool:
    return address in seen.probes and seen.probes[address].healthy


def _after(health: Health, result: ProbeResult, at: float, local: bool) -> Health:
    if result.verdict is Verdict.HEALTHY:
        return Health(passed=health.passed + 1, probed_at=at, asked_at=at, local=local)
    if result.verdict is Verdict.LOCAL:
        # It says nothing about the target, and does not let anything rest on an older probe either.
        return replace(health, passed=0, asked_at=at, detail=result.detail)
    return Health(
        failures=health.failures + 1,
        returns=health.returns,
        failing_since=at if health.failing_since is None else health.failing_since,
        probed_at=at,
        asked_at=at,
        detail=result.detail,
        local=local,
    )


def _provider(state: State, seen: Observation, policy: Policy) -> State:
    state = _writing(state, seen, policy)
    if seen.trouble is None or seen.trouble.writing:
        return state
    pause = _pause(state, seen.trouble, state.troubles, policy) * (0.75 + seen.jitter / 2)
    return replace(state, troubles=state.troubles + 1, next_read=seen.now + pause)


def _writing(state: State, seen: Observation, policy: Policy) -> State:
    """When to write again. A reading that succeeds says nothing about that: some providers throttle writes alone."""
    if seen.trouble is not None and seen.trouble.writing:
        pause = _pause(state, seen.trouble, state.write_troubles, policy) * (0.75 + seen.jitter / 2)
        state = replace(state, write_troubles=state.write_troubles + 1, next_write=seen.now + pause)
    # Who leaves has not the time to wait for long, and asks no more soon.
    return replace(state, next_write=min(state.next_write, seen.now + LEAVING_PAUSE)) if seen.stopping else state


def _pause(state: State, trouble: Trouble, troubles: int, policy: Policy) -> float:
    """Doubling from a second to 4 T; a provider that asks for fewer requests gets at least what it asks for."""
    doubled = 2.0 ** min(troubles, 16)
    if trouble.throttled:
        longest = LONGEST_PAUSE if state.own in state.members else LONGEST_WAIT
        return max(min(5 * doubled, longest), 1.34 * (trouble.retry_after or 0.0))
    return min(doubled, 4 * policy.interval)
