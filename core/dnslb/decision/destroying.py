"""When the instance of a removed member is destroyed: who intends to says so first, and who is alive says no.

Theory of operation. Whoever removed a member that fails writes an intent into the destroy record (`destroyrecord`). Every
agent reads that record, member or not; one that is alive and passes its self-check takes out each intent that names an
address of its host. That is the veto, and the only proof of life that counts: agents may fail to reach an instance for
many reasons, but who can read and write the record can tell that it lives. Only after that had its time, by the clock of
who waits, the intent becomes `executing`, by a commit that only one can win, and the destroyer is asked.
"""

from __future__ import annotations

from dnslb.decision.destroyrecord import Line, Sighting, Stage, new_line
from dnslb.decision.model import Destroy, Intend, Mark, Observation, Policy, Ruling, State, Veto
from dnslb.decision.reasons import Reason, Why
from dnslb.decision.targets import condemned, jury
from dnslb.records import Address

MOST_LINES = 16
"""No intent is written beside so many other lines: the record has to fit into what each provider takes."""

BUDGET_TIME = 3600.0
"""For so many seconds, by the clock of each reader, a destruction counts against the budget."""


def destruction(state: State, seen: Observation, policy: Policy) -> Ruling:
    """What is to be vetoed, intended and destroyed, as far as the destroy record has been read."""
    if state.intents is None or state.own is None or seen.stopping:
        return
    yield from _vetoes(state, seen, policy, state.own)
    if policy.destroys and _may_judge(state, seen, policy):
        yield from _intents(state, seen, policy, state.own)
        yield from _destructions(state, seen, policy, state.own)


def wait_for_veto(state: State, policy: Policy) -> float:
    """For how many seconds an intent has to stand there unchanged: so that an agent can see it, and clients leave."""
    return max(policy.destroy_delay, 2.0 * state.longest_ttl)


def _may_judge(state: State, seen: Observation, policy: Policy) -> bool:
    """Who may be cut off destroys nobody: it takes a member that somebody answers, and to which nobody objects."""
    others = jury(state, policy) - {state.own}
    is_answered = not others or any(state.health_of(address).passed for address in others)
    return state.sure_of_oneself and is_answered and seen.now >= max(state.held_until, state.paced_until)


# -- veto --------------------------------------------------------------------------------------------------


def _vetoes(state: State, seen: Observation, policy: Policy, own: Address) -> Ruling:
    """An agent answers for its host: the check of one family speaks for the addresses of both."""
    if not state.own_health.passed:
        return
    for line in _lines(state):
        if line.is_pending and line.address in seen.host | {own}:
            veto = new_line(line.address, Stage.VETOED, own, line.token, seen.wall + policy.veto_memory)
            reason = Reason.of(Why.ALIVE, line.address, by=str(line.by), passed=state.own_health.passed)
            yield Veto(line.address, reason, veto, frozenset({line}))


# -- intend ------------------------------------------------------------------------------------------------


def _intents(state: State, seen: Observation, policy: Policy, own: Address) -> Ruling:
    over = frozenset(sighting.line for sighting in _sightings(state) if _is_over(sighting, seen.now, policy))
    room = MOST_LINES - (len(_lines(state)) - len(over))
    spoken_for = {line.address for line in _lines(state) if line not in over and line.stage is not Stage.DESTROYED}
    for address, removed_at in sorted(state.removed.items(), key=lambda item: (item[1], int(item[0]))):
        health = state.health_of(address)
        if not health.down(policy) or not health.local:
            continue
        if not _is_legible(state):
            yield Reason.of(Why.ILLEGIBLE, address, detail=health.detail)
        elif address in spoken_for:
            yield from _spared(state, policy, seen, address)
        elif room > 0:
            room -= 1
            wait = wait_for_veto(state, policy)
            line = new_line(address, Stage.INTENT, own, seen.token, seen.wall + wait)
            numbers = {"seconds": seen.now - removed_at, "detail": health.detail, "wait": wait}
            yield Intend(address, Reason.of(Why.GONE, address, **numbers), line, over)


def _spared(state: State, policy: Policy, seen: Observation, address: Address) -> Ruling:
    for sighting in _sightings(state):
        if sighting.line.address == address and sighting.line.stage is Stage.VETOED:
            seconds = sighting.since + policy.veto_memory - seen.now
            detail = state.health_of(address).detail
            yield Reason.of(Why.VETOED, address, detail=detail, by=str(sighting.line.by), seconds=seconds)


def _is_over(sighting: Sighting, now: float, policy: Policy) -> bool:
    """Whether a line says nothing any more. An intent that led to nothing for so long leads to nothing."""
    if sighting.line.stage is Stage.DESTROYED:
        return now - sighting.since >= BUDGET_TIME
    return now - sighting.known_since >= policy.veto_memory


# -- destroy -----------------------------------------------------------------------------------------------


def _destructions(state: State, seen: Observation, policy: Policy, own: Address) -> Ruling:
    """One at a time: the next one rests on what is seen after it."""
    if not _is_legible(state):
        return
    due = [sighting for sighting in _sightings(state) if _is_due(state, seen, policy, sighting)]
    if not due:
        return
    [line, waited] = due[0].line, seen.now - due[0].since
    spent, budget = _spent(state, seen.now, but=line), _budget(state)
    detail = state.health_of(line.address).detail
    if spent >= budget:
        yield Reason.of(Why.BUDGET, line.address, detail=detail, spent=spent, budget=budget)
        return
    executing = new_line(line.address, Stage.EXECUTING, own, line.token, seen.wall + wait_for_veto(state, policy))
    yield Destroy(line.address, Reason.of(Why.STILL_DOWN, line.address, detail=detail, seconds=waited), executing, frozenset({line}))


def _is_due(state: State, seen: Observation, policy: Policy, sighting: Sighting) -> bool:
    """Whether nobody vetoed in time, and it fails as it did. An executor that died leaves its line to whoever comes."""
    line = sighting.line
    if not line.is_pending or line.address not in condemned(state, policy) or _is_over(sighting, seen.now, policy):
        return False
    health = state.health_of(line.address)
    return seen.now - sighting.since >= wait_for_veto(state, policy) and health.down(policy) and health.local


def _budget(state: State) -> int:
    """How many instances may be destroyed in an hour: a tenth of the most members that were seen lately."""
    return max(1, max((size for _, size in state.sizes), default=0) // 10)


def _spent(state: State, now: float, *, but: Line) -> int:
    stages = {Stage.EXECUTING, Stage.DESTROYED}
    counted = [sighting for sighting in _sightings(state) if sighting.line.stage in stages and sighting.line != but]
    return sum(now - sighting.since < BUDGET_TIME for sighting in counted)


def settled(action: Mark) -> Line:
    """The line that says what has been done, in place of the one that said that it was to be."""
    line = action.line
    return new_line(line.address, Stage.DESTROYED, line.by, line.token, 0)


# -- what the record says ----------------------------------------------------------------------------------


def _sightings(state: State) -> tuple[Sighting, ...]:
    return state.intents.sightings if state.intents else ()


def _lines(state: State) -> tuple[Line, ...]:
    return tuple(sighting.line for sighting in _sightings(state))


def _is_legible(state: State) -> bool:
    return state.intents is not None and state.intents.is_legible
