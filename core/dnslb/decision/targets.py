"""Whom an agent probes and may remove: never just anybody whom the record set names."""

from __future__ import annotations

import ipaddress

from dnslb.decision.model import Policy, State
from dnslb.records import Address

# Instance metadata services, which answer credentials to whoever asks (169.254.169.254 is link-local).
_METADATA = ipaddress.ip_address("fd00:ec2::254")


def targets(state: State, policy: Policy) -> frozenset[Address]:
    """Everybody who is probed: oneself, the managed members, and those who were removed and may be destroyed."""
    own = frozenset({state.own} if state.own else ())
    return own | managed(state, policy) | frozenset(state.removed)


def managed(state: State, policy: Policy) -> frozenset[Address]:
    """The other members that are probed and may be removed."""
    if state.own is None:
        return frozenset()
    others = state.members - {state.own} - state.former
    return frozenset(address for address in others if manages(policy, state.own, address))


def manages(policy: Policy, own: Address, address: Address) -> bool:
    """Whether `address` is one that an agent at `own` may probe.

    Who can write the record set could otherwise aim the probes of a whole cluster.
    """
    if address.is_link_local or address.is_multicast or address.is_unspecified or address == _METADATA:
        return False
    if address.is_loopback and not own.is_loopback:
        return False
    if policy.networks:
        return any(address in network for network in policy.networks if network.version == address.version)
    return (address.is_loopback, address.is_global) == (own.is_loopback, own.is_global)
