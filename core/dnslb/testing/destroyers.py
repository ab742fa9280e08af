"""The conformance kit for destroyers."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import pytest

from dnslb.errors import ProviderError
from dnslb.interfaces import Destroyer
from dnslb.records import Address
from dnslb.testing.checks import not_applicable


@dataclass(frozen=True)
class Fleet:
    """The instances that a destroyer under test may destroy.

    Attributes:
        make: makes the destroyer.
        launch: starts one more instance that the destroyer is allowed to destroy; its address.
        alive: whether an instance that carries the address is still there.
        unknown: an address that no instance carries.
        uncertain: starts instances of which it is not certain that they are meant (two with one address, one without
            the tag that allows it); their address. None where there is no such thing.
        broken: makes a destroyer that cannot reach its provider; None where nothing can fail.
    """

    make: Callable[[], Destroyer]
    launch: Callable[[], Address]
    alive: Callable[[Address], bool]
    unknown: Address
    uncertain: Callable[[], Address] | None = None
    broken: Callable[[], Destroyer] | None = None


class DestroyerConformance:
    """Checks a destroyer against the contract of `dnslb.Destroyer`; each test is one promise.

    Subclass it and override the fixture `fleet`.
    """

    destroy_limit: ClassVar[float] = 30.0
    """Seconds within which a destroyed instance must be gone."""

    @pytest.fixture
    def fleet(self) -> Fleet:
        """Override this one: the destroyer under test, and instances for it."""
        raise NotImplementedError(f"{type(self).__name__} needs a fixture `fleet` that returns a dnslb.testing.Fleet")

    def test_it_destroys_the_instance_with_the_address_and_no_other(self, fleet: Fleet) -> None:
        """One of three."""
        first, meant, last = fleet.launch(), fleet.launch(), fleet.launch()
        fleet.make().destroy(frozenset({meant}))
        self._assert_gone(fleet, meant)
        _assert_alive(fleet, first, last)

    def test_it_destroys_several_at_once(self, fleet: Fleet) -> None:
        """Two of three."""
        first, second, bystander = fleet.launch(), fleet.launch(), fleet.launch()
        fleet.make().destroy(frozenset({first, second}))
        self._assert_gone(fleet, first, second)
        _assert_alive(fleet, bystander)

    def test_nothing_is_destroyed_for_no_address(self, fleet: Fleet) -> None:
        """An empty request must not become "all that there are"."""
        bystander = fleet.launch()
        fleet.make().destroy(frozenset())
        _assert_alive(fleet, bystander)

    def test_an_unknown_address_is_refused(self, fleet: Fleet) -> None:
        """With a ProviderError, since somebody believes that it was destroyed otherwise; and nothing is destroyed."""
        bystander = fleet.launch()
        destroyer = fleet.make()
        with pytest.raises(ProviderError):
            destroyer.destroy(frozenset({fleet.unknown}))
        _assert_alive(fleet, bystander)

    def test_an_uncertain_instance_is_refused(self, fleet: Fleet) -> None:
        """With a ProviderError: to destroy the wrong one is worse than to destroy none."""
        uncertain = _uncertain(fleet)
        destroyer = fleet.make()
        with pytest.raises(ProviderError):
            destroyer.destroy(frozenset({uncertain}))
        _assert_alive(fleet, uncertain)

    def test_an_uncertain_instance_is_refused_among_certain_ones_too(self, fleet: Fleet) -> None:
        """Whether the certain ones are destroyed is the destroyer's own choice."""
        uncertain, certain = _uncertain(fleet), fleet.launch()
        destroyer = fleet.make()
        with pytest.raises(ProviderError):
            destroyer.destroy(frozenset({uncertain, certain}))
        _assert_alive(fleet, uncertain)

    def test_destroying_twice_does_no_harm(self, fleet: Fleet) -> None:
        """The second time finds nothing, and may say so with a ProviderError."""
        meant, bystander = fleet.launch(), fleet.launch()
        destroyer = fleet.make()
        destroyer.destroy(frozenset({meant}))
        self._assert_gone(fleet, meant)
        with contextlib.suppress(ProviderError):
            destroyer.destroy(frozenset({meant}))
        _assert_alive(fleet, bystander)

    def test_a_destroyer_that_cannot_reach_its_provider_raises_a_provider_error(self, fleet: Fleet) -> None:
        """Neither silence, which looks like success, nor another exception, which would stop the agent."""
        if fleet.broken is None:
            not_applicable("nothing can fail (Fleet.broken is None)")
        survivor = fleet.launch()
        broken = fleet.broken()
        with pytest.raises(ProviderError):
            broken.destroy(frozenset({survivor}))
        _assert_alive(fleet, survivor)

    def _assert_gone(self, fleet: Fleet, *addresses: Address) -> None:
        deadline = time.monotonic() + self.destroy_limit
        while any(map(fleet.alive, addresses)):
            if time.monotonic() > deadline:
                pytest.fail(f"destroy() succeeded, and after {self.destroy_limit:g} s an instance is still there")
            time.sleep(0.05)


def _assert_alive(fleet: Fleet, *addresses: Address) -> None:
    dead = [str(address) for address in addresses if not fleet.alive(address)]
    assert not dead, f"destroyed by mistake: {', '.join(dead)}"


def _uncertain(fleet: Fleet) -> Address:
    if fleet.uncertain is None:
        not_applicable("every instance is certain (Fleet.uncertain is None)")
    return fleet.uncertain()
