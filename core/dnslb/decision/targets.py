"""Whom an agent probes and may remove: never just anybody whom the record set names."""

from __future__ import annotations

import functools
import ipaddress

from dnslb.decision.model import Policy, State
from dnslb.records import Address, Network

# An instance metadata service, which answers credentials to whoever asks; the other one is link-local.
_METADATA = ipaddress.ip_address("fd00:0ec2::254")


def targets(state: State, policy: Policy) -> frozenset[Address]:
    """Everybody who is probed: oneself, the managed members, and those who were removed and may be destroyed."""
    own = frozenset({state.own} if state.own else ())
    return own | managed(state, policy) | frozenset(state.removed)


def managed(state: State, policy: Policy) -> frozenset[Address]:
    """The other members that are probed and may be removed."""
    if state.own is None:
        return frozenset()
    return _managed(state.members, state.own, policy.networks) - state.former


@functools.lru_cache(maxsize=64)
def _managed(members: frozenset[Address], own: Address, networks: tuple[Network, ...]) -> frozenset[Address]:
    return frozenset(address for address in members if address != own and manages(own, address, networks))


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
