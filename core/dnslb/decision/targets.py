"""Whom an agent probes and may remove: never just anybody whom the record set names, and never everybody at once.

The members stand on a ring, in an order that is the same for all agents. Each watches its successor, and one more that
changes each time, so that everybody is watched by somebody all the time and by everybody once in a while. Who is about
to judge asks a jury: the next members on the ring.
"""

from __future__ import annotations

import functools
import ipaddress
import zlib
from collections.abc import Sequence

from dnslb.decision.model import State
from dnslb.decision.policy import MOST_ATTEMPTS, Policy
from dnslb.records import Address, Network

# An instance metadata service, which answers credentials to whoever asks; the other one is link-local.
_METADATA = ipaddress.ip_address("fd00:0ec2::254")


JURY = 16
"""How many are asked before anybody is judged: enough to tell one dead server from a broken network."""

SURVEY = 8
"""How many of the others are asked in each round while several fail: it soon matters how many do, and which."""

SAMPLE = 32
"""How many of those who fail are asked in one round: a broken network of hundreds is not flooded with questions."""


def known(state: State, policy: Policy) -> frozenset[Address]:
    """Everybody whose health is kept: oneself, the others, and those who left while they failed."""
    own = frozenset({state.own} if state.own else ())
    return own | managed(state, policy) | frozenset(state.removed) | frozenset(state.left) | state.condemned


def watched(state: State, policy: Policy) -> frozenset[Address]:
    """Whom to probe in this round: oneself, the successor, every other time one more, and who fails.

    While several fail, more of the others are asked each time, and a part of those who fail where they are many.
    """
    own = {state.own} if state.own else set()
    others = ring(state, policy)
    fail = sorted(failing(state), key=int)
    if len(fail) > 1:
        survey = _turn(others, state.rounds, SURVEY)
    else:
        survey = _turn(others, state.rounds // 2, state.rounds % 2)
    sample = _turn(fail, state.rounds, SAMPLE)
    return frozenset({*own, *others[:1], *survey, *sample, *state.objectors, *state.removed, *state.condemned})


def _turn(addresses: Sequence[Address], turn: int, size: int) -> Sequence[Address]:
    """So many of them, the next ones each turn, round and round; all where there are no more."""
    if len(addresses) <= size:
        return addresses
    first = turn * size % len(addresses)
    return (*addresses[first:], *addresses[:first])[:size]


def jury(state: State, policy: Policy) -> frozenset[Address]:
    """Whom to probe before anybody is judged: oneself, the next on the ring, and all who are in doubt."""
    own = frozenset({state.own} if state.own else ())
    return own | frozenset(ring(state, policy)[:JURY]) | suspects(state, policy)


def answering(state: State, policy: Policy) -> tuple[int, int]:
    """How many of the next members on the ring answered when last probed, and how many these are.

    The whole jury would say less: all who fail are on it, and of the others a few.
    """
    others = ring(state, policy)[:JURY]
    healthy = sum(state.health_of(address).passed > 0 for address in others)
    return healthy, len(others)


def is_cut_off(state: State, policy: Policy) -> bool:
    """Where no witness answers, and not half of the other members, it is more likely the fault of oneself."""
    if not state.unwitnessed:
        return False
    healthy, others = answering(state, policy)
    return 2 * healthy < others


def suspects(state: State, policy: Policy) -> frozenset[Address]:
    """The other members whose last probe failed."""
    fail = failing(state)
    return fail & managed(state, policy) if fail else fail


def failing(state: State) -> frozenset[Address]:
    """Everybody whose last probe failed, members or not."""
    return state.health.failing


def attempts(state: State, address: Address) -> int:
    """How many probes to send at once: who is in doubt gets three chances to answer, since packets get lost."""
    health = state.health.get(address)
    return MOST_ATTEMPTS if health is not None and health.failures else 1


def managed(state: State, policy: Policy) -> frozenset[Address]:
    """The other members that are probed and may be removed."""
    if state.own is None:
        return frozenset()
    return _others(state.members - state.former, state.own, policy.networks)


def ring(state: State, policy: Policy) -> tuple[Address, ...]:
    """The other members that are probed and may be removed, beginning with the own successor."""
    if state.own is None:
        return ()
    return _ring(state.members - state.former, state.own, policy.networks)


# Cached, since each decision asks many times, and the members seldom change.
@functools.lru_cache(maxsize=1024)
def _others(members: frozenset[Address], own: Address, networks: tuple[Network, ...]) -> frozenset[Address]:
    return frozenset(address for address in members if address != own and manages(own, address, networks))


@functools.lru_cache(maxsize=1024)
def _ring(members: frozenset[Address], own: Address, networks: tuple[Network, ...]) -> tuple[Address, ...]:
    here = _place(own)
    others = _others(members, own, networks)
    return tuple(sorted(others, key=lambda address: (_place(address) <= here, _place(address))))


def _place(address: Address) -> tuple[int, int]:
    """By a checksum, so that neighbours on the ring are seldom neighbours in a rack."""
    return zlib.crc32(address.packed), int(address)


def manages(own: Address, address: Address, networks: tuple[Network, ...] = ()) -> bool:
    """Whether an agent at `own` may probe `address`: in one of the networks, or, without any, of its own kind.

    Who can write the record set could otherwise aim the probes of a whole cluster.
    """
    if address.is_link_local or address.is_multicast or address.is_unspecified or address == _METADATA:
        return False
    if address.is_loopback and not own.is_loopback:
        return False
    if networks:
        return any(address in network for network in networks if network.version == address.version)
    return (address.is_loopback, address.is_global) == (own.is_loopback, own.is_global)
