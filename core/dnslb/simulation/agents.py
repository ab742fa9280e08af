"""The real agent on a simulated node."""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from dnslb.decision import Look
from dnslb.interfaces import ProbeResult, Service, Target
from dnslb.keeper import Keeper
from dnslb.parts import Parts, Surroundings
from dnslb.records import Address, RecordType
from dnslb.simulation.clock import HostClock
from dnslb.simulation.cluster import PORT, Cluster, Event, Node
from dnslb.simulation.provider import NAME


class KeeperAgent:
    """`dnslb.keeper` with everything around it simulated."""

    def __init__(self, cluster: Cluster, node: Node) -> None:
        self.leaving = False
        self._cluster = cluster
        self._node = node
        policy = cluster.policy
        self._clock = HostClock(cluster.clock, node.clock_rate, node.clock_offset)
        parts = Parts(
            cluster.provider.for_agent(node.address),
            self._probe,
            self._filter if policy.regional else None,
            self._destroy if policy.destroys else None,
            cluster.provider.shown if policy.hints else None,
            self._witness if policy.witnesses else None,
        )
        chance = random.Random(cluster.chance.random())
        around = Surroundings(self._clock.now, self._clock.wall, self._clock.sleep, chance, self._say)
        self.keeper = Keeper(Service(NAME, PORT), RecordType.A, policy, parts, _Own(node.address), around)

    async def live(self) -> None:
        """As `Keeper.run` does it."""
        look = Look(self._clock.now())
        while not self.leaving:
            look = await self.keeper.step(look)
            await self._clock.sleep(look.at - self._clock.now())
        await self.keeper.withdraw()

    async def _probe(self, targets: Sequence[Target], timeout: float) -> Mapping[Target, ProbeResult]:
        return await self._cluster.probe(self._node.address, targets, timeout)

    async def _witness(self, timeout: float) -> bool:
        return await self._cluster.witness(self._node.address, timeout)

    async def _filter(self, addresses: frozenset[Address]) -> Collection[Address]:
        return self._cluster.local(self._node.address, addresses)

    async def _destroy(self, addresses: frozenset[Address]) -> None:
        await self._cluster.destroy(self._node.address, addresses)

    def _say(self, level: int, event: str, text: str, **parts: Any) -> None:  # noqa: ARG002 - the form of `log.say`
        if event == "bug":  # said while the exception is handled, which ends the simulation instead
            raise  # noqa: PLE0704
        if event in _TOLD:
            told = Event(self._cluster.now, self._node.address, event, text, parts)
            self._cluster.events.append(told)
            self._cluster.on_event(told)


class _Own:
    """The own address of a node, which never changes."""

    def __init__(self, address: Address) -> None:
        self._found = {RecordType.A: address}

    def find(self) -> Mapping[RecordType, Address]:
        """As `OwnAddresses.find`."""
        return self._found


_TOLD = frozenset(
    {"registered", "withdrawn", "removed", "destroyed", "intended", "vetoed", "refused", "destroy-failed"}
)
