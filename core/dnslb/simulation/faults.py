"""What can go wrong, as data: each fault begins and ends, so a list of them can be printed, replayed and cut.

Faults overlap. Each time that one begins or ends, the state of the network, the provider, the services and the agents
is worked out anew from those that are under way; so one fault never ends what another one did.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, replace

from dnslb.keeper import LEAVE_TIMEOUT
from dnslb.records import Address
from dnslb.simulation.cluster import Cluster, Node, address_of


class Kind(enum.Enum):
    """The faults; what `nodes` and `amount` mean for them stands beside each."""

    CRASH = "crash"  # service and agent of each node end; the host refuses connections
    POWER_LOSS = "power loss"  # the same, and the host says nothing
    SERVICE_DOWN = "service down"  # the agents of the nodes go on
    FLAPPING = "flapping"  # the service is down and up in turn, `amount` seconds each
    SLOW_START = "slow start"  # the node restarts, and its service takes until the end of the fault to come up
    AGENT_KILLED = "agent killed"  # in the middle of what it does; the service goes on
    AGENT_STOPPED = "agent stopped"  # by SIGTERM: it leaves, and its service goes on
    PROCESS_STOPPED = "process stopped"  # by SIGSTOP: agent and service do nothing, and then go on as if nothing was
    SCALE_IN = "scale-in"  # SIGTERM, and the host is gone `amount` seconds later
    ABSENT = "absent"  # a node that joins when the fault ends
    PARTITION = "partition"  # the nodes on one side, all others on the other one
    DEAF = "deaf"  # nobody reaches the nodes; they reach everybody
    CUT_LINKS = "cut links"  # from the first node to the others, one way
    LOSS = "loss"  # `amount` is the part of all probes that gets lost
    BURSTS = "bursts"  # the part of the time in which a pair of nodes loses everything
    OUTAGE = "provider outage"
    THROTTLING = "throttling"
    LOST_REPLIES = "lost replies"  # the part of the commits
    STALE_READS = "stale reads"  # by up to `amount` seconds
    BUSY = "busy provider"  # for `amount` seconds after each change


_ENDS_AGENT = frozenset(
    {Kind.CRASH, Kind.POWER_LOSS, Kind.AGENT_KILLED, Kind.AGENT_STOPPED, Kind.SCALE_IN, Kind.ABSENT}
)
"""While one of these is under way, no agent is started on the node."""

_KILLS = frozenset({Kind.CRASH, Kind.POWER_LOSS, Kind.AGENT_KILLED, Kind.SLOW_START})
_ENDS_SERVICE = frozenset(
    {Kind.CRASH, Kind.POWER_LOSS, Kind.SERVICE_DOWN, Kind.SLOW_START, Kind.PROCESS_STOPPED, Kind.ABSENT}
)
_SILENCES = frozenset({Kind.POWER_LOSS, Kind.PROCESS_STOPPED, Kind.ABSENT, Kind.SCALE_IN})


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong: from `at`, for `lasting` seconds, to the nodes of these numbers."""

    kind: Kind
    at: float
    lasting: float
    nodes: tuple[int, ...] = ()
    amount: float = 0.0

    def __str__(self) -> str:
        nodes = " of " + ", ".join(str(address_of(number)) for number in self.nodes) if self.nodes else ""
        amount = f" ({self.amount:g})" if self.amount else ""
        return f"{self.at:8.1f} s  {self.kind.value}{nodes}{amount} for {self.lasting:.1f} s"

    @property
    def addresses(self) -> tuple[Address, ...]:
        """The nodes that it hits."""
        return tuple(map(address_of, self.nodes))


class Faults:
    """Has faults happen to a cluster."""

    def __init__(self, cluster: Cluster, faults: Sequence[Fault]) -> None:
        self._cluster = cluster
        self._usual = cluster.provider.model
        self._under_way: list[Fault] = []
        for fault in faults:
            cluster.at(fault.at, lambda fault=fault: self._begin(fault))  # type: ignore[misc]
            cluster.at(fault.at + fault.lasting, lambda fault=fault: self._end(fault))  # type: ignore[misc]

    def _begin(self, fault: Fault) -> None:
        self._under_way.append(fault)
        for address in fault.addresses:
            self._strike(fault, address)
        if fault.kind in {Kind.FLAPPING, Kind.SCALE_IN}:
            self._again(fault)
        self._update()

    def _end(self, fault: Fault) -> None:
        self._under_way.remove(fault)
        if fault.kind is Kind.PROCESS_STOPPED:
            for address in fault.addresses:
                self._cluster.continue_process(address)
        self._update()
        if fault.kind in {Kind.AGENT_STOPPED, Kind.SCALE_IN} and any(map(self._is_leaving, fault.addresses)):
            self._cluster.at(self._cluster.now + LEAVE_TIMEOUT, lambda: self._end_leaving(fault))

    def _end_leaving(self, fault: Fault) -> None:
        """As a supervisor does it: the next agent is started when the last one has ended, or was made to."""
        for address in filter(self._is_leaving, fault.addresses):
            self._cluster.kill_agent(address)
        self._update()

    def _is_leaving(self, address: Address) -> bool:
        agent = self._cluster.nodes[address].agent
        return agent is not None and agent.leaving

    def _strike(self, fault: Fault, address: Address) -> None:
        if fault.kind in _KILLS:
            self._cluster.kill_agent(address)
        elif fault.kind in {Kind.AGENT_STOPPED, Kind.SCALE_IN}:
            self._cluster.stop_agent(address)
        elif fault.kind is Kind.PROCESS_STOPPED:
            self._cluster.stop_process(address)

    def _again(self, fault: Fault) -> None:
        """Looks at a fault that changes while it lasts, each time that it does."""
        self._cluster.at(self._cluster.now + fault.amount, lambda: self._tick(fault))

    def _tick(self, fault: Fault) -> None:
        if fault in self._under_way:
            self._again(fault)
            self._update()

    # -- what it all amounts to -----------------------------------------------------------------------------------

    def _update(self) -> None:
        self._update_network()
        self._update_provider()
        for address, node in self._cluster.nodes.items():
            if not node.destroyed:
                self._update_node(address, node)

    def _update_network(self) -> None:
        network = self._cluster.network
        network.heal()
        for fault in self._under_way:
            match fault.kind:
                case Kind.PARTITION:
                    network.part(fault.addresses)
                case Kind.DEAF:
                    for address in fault.addresses:
                        network.deafen(address)
                case Kind.CUT_LINKS:
                    first, *others = fault.addresses
                    for other in others:
                        network.cut(first, other)
        network.loss = self._worst(Kind.LOSS)
        network.burst_loss = self._worst(Kind.BURSTS)

    def _update_provider(self) -> None:
        provider = self._cluster.provider
        kinds = {fault.kind for fault in self._under_way}
        provider.is_down = Kind.OUTAGE in kinds
        provider.throttles = Kind.THROTTLING in kinds
        provider.model = replace(
            self._usual,
            reply_loss=max(self._usual.reply_loss, self._worst(Kind.LOST_REPLIES)),
            staleness=max(self._usual.staleness, self._worst(Kind.STALE_READS)),
            busy=max(self._usual.busy, self._worst(Kind.BUSY)),
        )

    def _update_node(self, address: Address, node: Node) -> None:
        mine = [fault for fault in self._under_way if address in fault.addresses]
        if any(self._ends_service(fault) for fault in mine):
            self._cluster.service_down(address, silent=any(fault.kind in _SILENCES for fault in mine))
        else:
            self._cluster.service_up(address)
        runs = node.task is not None and not node.task.ended
        if not runs and not any(fault.kind in _ENDS_AGENT for fault in mine):
            self._cluster.kill_agent(address)  # one that has left by itself is no longer there
            self._cluster.start([address])

    def _ends_service(self, fault: Fault) -> bool:
        if fault.kind is Kind.FLAPPING:
            return int((self._cluster.now - fault.at) / fault.amount + 1e-9) % 2 == 0
        if fault.kind is Kind.SCALE_IN:
            return self._cluster.now - fault.at >= fault.amount
        return fault.kind in _ENDS_SERVICE

    def _worst(self, kind: Kind) -> float:
        return max((fault.amount for fault in self._under_way if fault.kind is kind), default=0.0)
