"""When the instance of a removed member is destroyed: who intends to says so first, and who is alive says no.

Theory of operation. Whoever removed a member that fails writes an intent into the destroy record (`destroyrecord`).
Every agent reads that record, member or not; one that is alive and passes its self-check takes out each intent that
names an address of its host. That is the veto, and the only proof of life that counts: agents may fail to reach an
instance for many reasons, but who can read and write the record can tell that it lives. Only after that had its time,
by the clock of who waits, the intent becomes `executing`, by a commit that only one can win, and the destroyer is
asked.
"""

from __future__ import annotations

from collections.abc import Iterable

from dnslb.decision.actions import Destroy, Intend, Mark, Ruling, Veto
from dnslb.decision.destroyrecord import Line, Sighting, Stage, new_line, rewritten
from dnslb.decision.model import Observation, State
from dnslb.decision.policy import Policy
from dnslb.decision.reasons import Reason, Why
from dnslb.decision.targets import jury, manages
from dnslb.records import Address, RecordSet

MOST_LINES = 16
"""No intent is written beside so many other lines: the record has to fit into what each provider takes."""

BUDGET_TIME = 3600.0
"""For so many seconds, by the clock of each reader, a destruction counts against the budget."""

COUNTED = frozenset({Stage.EXECUTING, Stage.DESTROYED})
"""What does: whoever is asked to destroy may do so, and then die before it is written down."""


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


def memory(state: State, policy: Policy) -> float:
    """How long after a veto nobody intends the same again, and how long an intent counts that leads to nothing."""
    return 10.0 * wait_for_veto(state, policy)


def condemned(state: State, seen: Observation, policy: Policy) -> frozenset[Address]:
    """Whom this agent is to destroy if nobody vetoes."""
    return frozenset(sighting.line.address for sighting in _at_hand(state, seen, policy))


def remarked(record_set: RecordSet, marks: Iterable[Mark]) -> RecordSet:
    """The destroy record after the marks."""
    for mark in marks:
        record_set = rewritten(record_set, mark.instead_of, [mark.line])
    return record_set


def settled(record_set: RecordSet, done: Destroy, wall: float) -> RecordSet:
    """The destroy record after the destroyer has done what the mark said that it would be asked to."""
    line = done.line
    counts = new_line(line.address, Stage.DESTROYED, line.by, line.token, wall + BUDGET_TIME)
    return rewritten(record_set, [line], [counts])


def _may_judge(state: State, seen: Observation, policy: Policy) -> bool:
    """Who may be cut off destroys nobody: it takes a member that somebody answers, and to which nobody objects.

    Where there are witnesses, one of them has to answer, too.
    """
    others = jury(state, policy) - {state.own}
    is_answered = not others or any(state.health_of(address).passed for address in others)
    is_trusted = state.sure_of_oneself and is_answered and not state.unwitnessed
    return is_trusted and seen.now >= max(state.held_until, state.paced_until)


# -- veto --------------------------------------------------------------------------------------------------


def _vetoes(state: State, seen: Observation, policy: Policy, own: Address) -> Ruling:
    """An agent answers for its host: the check of one family speaks for the addresses of both."""
    if not state.own_health.passed:
        return
    for line in _lines(state):
        if line.is_pending and line.address in seen.host | {own}:
            veto = new_line(line.address, Stage.VETOED, own, line.token, seen.wall + memory(state, policy))
            reason = Reason.of(Why.ALIVE, line.address, by=str(line.by), passed=state.own_health.passed)
            yield Veto(line.address, reason, veto, frozenset({line}))


# -- intend ------------------------------------------------------------------------------------------------


def _intents(state: State, seen: Observation, policy: Policy, own: Address) -> Ruling:
    over = frozenset(sighting.line for sighting in _sightings(state) if _is_over(state, sighting, seen.now, policy))
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
            token = f"{seen.token}{room:x}"  # no two of these intents have the same
            line = new_line(address, Stage.INTENT, own, token, seen.wall + wait)
            numbers = {"seconds": seen.now - removed_at, "detail": health.detail, "wait": wait}
            yield Intend(address, Reason.of(Why.GONE, address, **numbers), line, over)


def _spared(state: State, policy: Policy, seen: Observation, address: Address) -> Ruling:
    for sighting in _sightings(state):
        if sighting.line.address == address and sighting.line.stage is Stage.VETOED:
            seconds = sighting.since + memory(state, policy) - seen.now
            detail = state.health_of(address).detail
            yield Reason.of(Why.VETOED, address, detail=detail, by=str(sighting.line.by), seconds=seconds)


def _is_over(state: State, sighting: Sighting, now: float, policy: Policy) -> bool:
    """Whether a line says nothing any more. An intent that led to nothing for so long leads to nothing."""
    if sighting.line.stage in COUNTED and now - sighting.since < BUDGET_TIME:
        return False
    since = sighting.known_since if sighting.line.is_pending else sighting.since
    return sighting.line.stage is Stage.DESTROYED or now - since >= memory(state, policy)


# -- destroy -----------------------------------------------------------------------------------------------


def _destructions(state: State, seen: Observation, policy: Policy, own: Address) -> Ruling:
    """One at a time: the next one rests on what is seen after it."""
    if not _is_legible(state):
        return
    due = [sighting for sighting in _at_hand(state, seen, policy) if _is_due(state, seen, policy, sighting)]
    if not due:
        return
    line, waited = due[0].line, seen.now - due[0].since
    spent, budget = _spent(state, seen.now, but=line), _budget(state)
    detail = state.health_of(line.address).detail
    if spent >= budget:
        yield Reason.of(Why.BUDGET, line.address, detail=detail, spent=spent, budget=budget)
        return
    executing = new_line(line.address, Stage.EXECUTING, own, line.token, seen.wall + wait_for_veto(state, policy))
    reason = Reason.of(Why.STILL_DOWN, line.address, detail=detail, seconds=waited)
    yield Destroy(line.address, reason, executing, frozenset({line}))


def _at_hand(state: State, seen: Observation, policy: Policy) -> list[Sighting]:
    """The lines that are this agent's to carry out: its own, and those of agents that are no members any more.

    An agent that has left, or died, carries out nothing; so somebody else may, also where it died while it did.
    """
    if not policy.destroys or state.own is None:
        return []
    absent = [
        sighting
        for sighting in _sightings(state)
        if sighting.line.is_pending and sighting.line.address not in state.members | seen.host | {state.own}
    ]
    return [
        sighting
        for sighting in absent
        if (sighting.line.by == state.own or sighting.line.by not in state.members)
        and sighting.line.address.version == state.own.version
        and manages(state.own, sighting.line.address, policy.networks)
        and not _is_over(state, sighting, seen.now, policy)
    ]


def _is_due(state: State, seen: Observation, policy: Policy, sighting: Sighting) -> bool:
    """Whether nobody vetoed in time, and it fails as it did."""
    health = state.health_of(sighting.line.address)
    return seen.now - sighting.since >= wait_for_veto(state, policy) and health.down(policy) and health.local


def _budget(state: State) -> int:
    """How many instances may be destroyed in an hour: a tenth of the most members that were seen lately."""
    return max(1, max((size for _, size in state.sizes), default=0) // 10)


def _spent(state: State, now: float, *, but: Line) -> int:
    counted = [sighting for sighting in _sightings(state) if sighting.line.stage in COUNTED and sighting.line != but]
    return sum(now - sighting.since < BUDGET_TIME for sighting in counted)


# -- what the record says ----------------------------------------------------------------------------------


def _sightings(state: State) -> tuple[Sighting, ...]:
    return state.intents.sightings if state.intents else ()


def _lines(state: State) -> tuple[Line, ...]:
    return tuple(sighting.line for sighting in _sightings(state))


def _is_legible(state: State) -> bool:
    return state.intents is not None and state.intents.is_legible
