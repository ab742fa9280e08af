"""The Go package's algorithm, written from the description of what it does: the baseline of every figure.

It is here with its defects, since these are what is compared: a whole set written from an earlier reading, a
decision on one agent's view, no check of itself, failure counts that are cleared before the write.
"""

from __future__ import annotations

import contextlib
import random

from dnslb.errors import ProviderError
from dnslb.interfaces import Target
from dnslb.records import Address, RecordSet, RecordType
from dnslb.simulation.cluster import PORT, Cluster, Node
from dnslb.simulation.provider import NAME


class ReferenceAgent:
    """One agent of the reference."""

    def __init__(self, cluster: Cluster, node: Node) -> None:
        self.leaving = False
        self._cluster = cluster
        self._own = node.address
        self._provider = cluster.provider.for_agent(node.address)
        self._chance = random.Random(cluster.chance.random())
        self._failures: dict[Address, int] = {}

    async def live(self) -> None:
        """Cycles, with pauses of 0.75 to 1.25 intervals; it does not deregister when it ends."""
        while not self.leaving:
            with contextlib.suppress(ProviderError):  # the next cycle tries again
                await self._cycle()
            await self._cluster.clock.sleep(self._cluster.policy.interval * self._chance.uniform(0.75, 1.25))

    async def _cycle(self) -> None:
        began = self._cluster.now
        members = await self._read()
        failed = await self._failed(members)
        if failed and self._cluster.policy.destroys:
            await self._cluster.destroy(self._own, failed)
        quick = self._cluster.now - began < self._cluster.policy.interval / 16
        if quick and not failed and self._own in members:
            return
        wanted = (await self._read() - failed) | {self._own}
        await self._provider.upsert(RecordSet(NAME, RecordType.A).holding(wanted, self._cluster.policy.ttl))

    async def _read(self) -> frozenset[Address]:
        [snapshot] = await self._provider.read_together([(NAME, RecordType.A)])
        return snapshot.record_set.addresses

    async def _failed(self, members: frozenset[Address]) -> frozenset[Address]:
        """Those to be removed; their counts are cleared, whatever becomes of the write."""
        others = members - {self._own}
        targets = [Target(address, PORT) for address in sorted(others, key=int)]
        timeout = self._cluster.policy.interval / 4
        results = await self._cluster.probe(self._own, targets, timeout) if targets else {}
        self._failures = {
            target.address: self._failures.get(target.address, 0) + 1
            for target, result in results.items()
            if not result.healthy
        }
        local = self._cluster.local(self._own, others) if self._cluster.policy.regional else others
        failed = frozenset(address for address, count in self._failures.items() if self._is_due(address, count, local))
        for address in failed:
            del self._failures[address]
        return failed

    def _is_due(self, address: Address, count: int, local: frozenset[Address]) -> bool:
        policy = self._cluster.policy
        return (count >= policy.fall and address in local) or count >= policy.max_failures
