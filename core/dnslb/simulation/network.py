"""The network between the nodes: who reaches whom, and what gets lost on the way."""

from __future__ import annotations

import random
from collections.abc import Iterable

from dnslb.records import Address

Link = tuple[Address, Address]
"""From one node to another one; a probe needs the way there and the way back."""


class Network:
    """Nodes reach each other, until something is cut."""

    def __init__(self, chance: random.Random) -> None:
        self.loss = 0.0
        """The part of all probes that gets lost, each by chance."""
        self.burst_loss = 0.0
        """The part of the time in which a pair of nodes loses everything, in bursts of `burst_length` seconds."""
        self.burst_length = 2.0
        self._chance = chance
        self._side: dict[Address, int] = {}
        self._deaf: set[Address] = set()
        self._cut: set[Link] = set()
        self._bursts: dict[Link, tuple[float, bool]] = {}

    # -- faults -----------------------------------------------------------------------------------------------

    def part(self, side: Iterable[Address]) -> None:
        """Cuts these nodes off from all others; each call makes one more part."""
        part = max(self._side.values(), default=0) + 1
        self._side.update(dict.fromkeys(side, part))

    def deafen(self, node: Address) -> None:
        """Nobody can open a connection to the node; it reaches everybody."""
        self._deaf.add(node)

    def cut(self, one: Address, other: Address) -> None:
        """Probes from `one` do not get to `other`; those the other way do."""
        self._cut.add((one, other))

    def heal(self) -> None:
        """Everybody reaches everybody again, and nothing gets lost."""
        self._side.clear()
        self._deaf.clear()
        self._cut.clear()
        self._bursts.clear()
        self.loss = self.burst_loss = 0.0

    # -- probes ------------------------------------------------------------------------------------------------

    def reaches(self, one: Address, other: Address) -> bool:
        """Whether there is a way from `one` to `other` and back."""
        if one == other:
            return True
        if self._side and self._side.get(one) != self._side.get(other):
            return False
        return not (self._deaf and other in self._deaf) and not (self._cut and (one, other) in self._cut)

    @property
    def is_lossy(self) -> bool:
        """Whether anything gets lost at all."""
        return bool(self.loss or self.burst_loss)

    def loses(self, one: Address, other: Address, now: float) -> bool:
        """Whether a probe that `one` sends now to `other`, where there is a way, is lost all the same."""
        if self.loss and self._chance.random() < self.loss:
            return True
        return bool(self.burst_loss) and self._in_burst((one, other), now)

    def reaches_outside(self, node: Address) -> bool:
        """Whether the node reaches hosts outside of the cluster: they are on the side that was never cut off."""
        return node not in self._side

    def _in_burst(self, link: Link, now: float) -> bool:
        """Two states, left after times that are exponential in length (the model of Gilbert and Elliott)."""
        until, lossy = self._bursts.get(link, (now, True))
        while until <= now:
            lossy = not lossy
            mean = self.burst_length if lossy else self.burst_length * (1 - self.burst_loss) / self.burst_loss
            until += self._chance.expovariate(1 / mean)
        self._bursts[link] = (until, lossy)
        return lossy
