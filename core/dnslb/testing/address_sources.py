"""The conformance kit for address sources."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from dnslb.errors import ProviderError
from dnslb.interfaces import AddressSource
from dnslb.records import Address
from dnslb.testing.checks import not_applicable


@dataclass(frozen=True)
class OwnHost:
    """The host whose addresses a source is asked for.

    Attributes:
        make: makes the source under test.
        addresses: what it should find; at least one.
        move: gives the host other addresses, and returns them; None where they cannot change.
        broken: makes a source that cannot tell (its server is down, its file is gone); None where nothing can fail.
    """

    make: Callable[[], AddressSource]
    addresses: frozenset[Address]
    move: Callable[[], frozenset[Address]] | None = None
    broken: Callable[[], AddressSource] | None = None


class AddressSourceConformance:
    """Checks an address source against the contract of `dnslb.AddressSource`; each test is one promise.

    Subclass it and override the fixture `host`.
    """

    @pytest.fixture
    def host(self) -> OwnHost:
        """Override this one: the source under test, and what it should find."""
        raise NotImplementedError(f"{type(self).__name__} needs a fixture `host` that returns a dnslb.testing.OwnHost")

    def test_it_finds_the_own_addresses(self, host: OwnHost) -> None:
        """All of them and no others: each is registered, and one that is missed is not."""
        assert host.make().find() == host.addresses

    def test_it_can_be_asked_again(self, host: OwnHost) -> None:
        """It is asked at the start, and then each `check_interval`."""
        source = host.make()
        assert source.find() == source.find() == host.addresses

    def test_it_finds_what_the_addresses_are_now(self, host: OwnHost) -> None:
        """What it remembers for good is registered for good."""
        if host.move is None:
            not_applicable("the addresses cannot change (OwnHost.move is None)")
        source = host.make()
        source.find()
        moved = host.move()
        assert moved != host.addresses, "OwnHost.move has to give the host other addresses"
        assert source.find() == moved

    def test_the_answer_holds_addresses(self, host: OwnHost) -> None:
        """As objects, not as text, in a frozenset."""
        answer = host.make().find()
        assert isinstance(answer, frozenset)
        assert {type(address) for address in answer} <= {ipaddress.IPv4Address, ipaddress.IPv6Address}

    def test_it_finds_at_most_one_address_of_each_family(self, host: OwnHost) -> None:
        """A host stands in a record set once."""
        versions = sorted(address.version for address in host.make().find())
        assert len(set(versions)) == len(versions)

    def test_others_can_reach_this_host_by_what_it_finds(self, host: OwnHost) -> None:
        """Link-local, multicast and unspecified addresses mean something else on every other host."""
        for address in host.make().find():
            assert not address.is_link_local
            assert not address.is_multicast
            assert not address.is_unspecified

    def test_a_source_that_cannot_tell_raises_a_provider_error(self, host: OwnHost) -> None:
        """Neither an answer, which an agent would believe, nor another exception."""
        if host.broken is None:
            not_applicable("nothing can fail (OwnHost.broken is None)")
        broken = host.broken()
        with pytest.raises(ProviderError):
            broken.find()
