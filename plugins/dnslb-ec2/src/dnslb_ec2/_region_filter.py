"""The region filter: an address is in the region if an instance there carries it."""

from __future__ import annotations

import threading
import time

from dnslb import Address
from dnslb_ec2._api import Ec2Api
from dnslb_ec2._instances import Instance
from dnslb_ec2._options import Ec2RegionFilterOptions


class Ec2RegionFilter:
    """Asks EC2, and remembers each answer for a while: "not mine" no longer than "mine", and no failure at all.

    Raises:
        ConfigurationError: there is no such profile.
    """

    def __init__(self, options: Ec2RegionFilterOptions) -> None:
        self._options = options
        self._api = Ec2Api(options)
        self._lock = threading.Lock()
        # For each address until when (by the monotonic clock) it is in the region or is not.
        self._known: dict[Address, tuple[float, bool]] = {}

    def filter(self, addresses: frozenset[Address]) -> frozenset[Address]:
        """Those of `addresses` that an instance carries which counts by network, state and tags.

        Raises:
            ProviderError: EC2 could not be asked, or did not tell.
        """
        known = self._remembered(addresses)
        if unknown := addresses - known.keys():
            answers = self._ask(unknown)
            self._remember(answers)
            known |= answers
        return frozenset(address for address, inside in known.items() if inside)

    def _ask(self, addresses: frozenset[Address]) -> dict[Address, bool]:
        counting = [instance for instance in self._api.carriers(addresses) if self._counts(instance)]
        kinds = self._options.by
        return {each: any(instance.carries(each, kinds) for instance in counting) for each in addresses}

    def _counts(self, instance: Instance) -> bool:
        return instance.state in self._options.states and not instance.lacks(self._options.tags or {})

    def _remembered(self, addresses: frozenset[Address]) -> dict[Address, bool]:
        now = time.monotonic()
        with self._lock:
            self._known = {each: (until, inside) for each, (until, inside) in self._known.items() if until > now}
            return {each: self._known[each][1] for each in addresses if each in self._known}

    def _remember(self, answers: dict[Address, bool]) -> None:
        until = time.monotonic() + self._options.cache
        with self._lock:
            self._known.update({address: (until, inside) for address, inside in answers.items()})
