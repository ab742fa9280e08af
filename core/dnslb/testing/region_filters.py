"""The conformance kit for region filters."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from dnslb.errors import ProviderError
from dnslb.interfaces import RegionFilter
from dnslb.records import Address
from dnslb.testing.checks import not_applicable

# Documentation blocks: no instance anywhere has such an address (RFC 5737, RFC 3849).
STRANGERS: frozenset[Address] = frozenset(
    {ipaddress.ip_address("203.0.113.77"), ipaddress.ip_address("2001:db8:ffff::77")}
)
MANY_STRANGERS: frozenset[Address] = frozenset(ipaddress.IPv4Address("198.18.0.0") + number for number in range(500))


@dataclass(frozen=True)
class Region:
    """What a region filter is asked about.

    Attributes:
        make: makes the filter under test.
        inside: addresses that are in the region; at least one.
        outside: addresses that somebody has in another region; may be empty.
        broken: makes a filter that cannot tell (its server is down, its command fails); None where nothing can fail.
    """

    make: Callable[[], RegionFilter]
    inside: frozenset[Address]
    outside: frozenset[Address] = frozenset()
    broken: Callable[[], RegionFilter] | None = None


class RegionFilterConformance:
    """Checks a region filter against the contract of `dnslb.RegionFilter`; each test is one promise.

    Subclass it and override the fixture `region`.
    """

    @pytest.fixture
    def region(self) -> Region:
        """Override this one: the filter under test, and addresses to ask it about."""
        raise NotImplementedError(f"{type(self).__name__} needs a fixture `region` that returns a dnslb.testing.Region")

    def test_it_keeps_what_is_in_the_region(self, region: Region) -> None:
        """All of it: an address that is missed is a failed host that nobody replaces."""
        assert region.make().filter(region.inside) == region.inside

    def test_each_address_is_kept_for_itself(self, region: Region) -> None:
        """Whatever else is asked about has no influence."""
        kept = region.make()
        for address in region.inside:
            assert kept.filter(frozenset({address})) == {address}

    def test_it_leaves_out_what_is_elsewhere(self, region: Region) -> None:
        """An address that is kept by mistake is another region's host, destroyed in a cut between the regions."""
        if not region.outside:
            not_applicable("no addresses of another region are known (Region.outside is empty)")
        assert region.make().filter(region.inside | region.outside) == region.inside

    def test_an_unknown_address_is_not_in_the_region(self, region: Region) -> None:
        """Nobody knows whose it is: it must not be destroyed."""
        assert region.make().filter(region.inside | STRANGERS) == region.inside

    def test_unknown_addresses_alone_leave_nothing(self, region: Region) -> None:
        """An empty answer is no error."""
        assert region.make().filter(STRANGERS) == frozenset()

    def test_nothing_in_nothing_out(self, region: Region) -> None:
        """An empty question must not become "all that there are"."""
        assert region.make().filter(frozenset()) == frozenset()

    def test_many_addresses_can_be_asked_about_at_once(self, region: Region) -> None:
        """APIs limit how many a request may name; the filter asks as often as it takes."""
        assert region.make().filter(region.inside | MANY_STRANGERS) == region.inside

    def test_the_answer_holds_addresses(self, region: Region) -> None:
        """As objects, not as text, in a frozenset."""
        answer = region.make().filter(region.inside)
        assert isinstance(answer, frozenset)
        assert {type(address) for address in answer} <= {ipaddress.IPv4Address, ipaddress.IPv6Address}

    def test_a_filter_that_cannot_tell_raises_a_provider_error(self, region: Region) -> None:
        """Neither an answer nor another exception, which would stop the agent."""
        if region.broken is None:
            not_applicable("nothing can fail (Region.broken is None)")
        broken = region.broken()
        with pytest.raises(ProviderError):
            broken.filter(region.inside)
