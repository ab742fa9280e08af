"""What came of a scenario: how long clients were sent to dead servers, who was removed though well, what it cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from dnslb.decision import Policy
from dnslb.records import Address
from dnslb.simulation.cluster import Cluster, Event, MakeAgent
from dnslb.simulation.provider import ProviderModel, Written
from dnslb.simulation.scenarios import MINUTE, Fault, Scenario, Stage, Turn

Progress = Callable[[float], None]
"""Told how much of a run is done, from 0 to 1."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What is simulated: so many nodes that want `policy`, at a provider that behaves like `provider`."""

    size: int
    policy: Policy
    provider: ProviderModel = field(default_factory=ProviderModel)


@dataclass(slots=True)
class Tally:
    """What is counted while members come, go, die and live again. Times are in seconds.

    Attributes:
        removals: from the moment when a member was dead until it was out of the record set, for each that was.
        missed: members that were dead and in the record set, until they lived again or time was up.
        false_removals: how often somebody took out another member that served.
        absences: how long each of these was out, or at least was when time was up.
        smallest: the smallest record set.
        dead_seconds: of all answers, the part that named a dead server, summed over the time.
        right_since: since when the record set holds all who serve and nobody else; None while it does not.
    """

    members: frozenset[Address]
    dead: dict[Address, float] = field(default_factory=dict)
    absent: dict[Address, float] = field(default_factory=dict)
    removals: list[float] = field(default_factory=list)
    missed: int = 0
    false_removals: int = 0
    absences: list[float] = field(default_factory=list)
    smallest: int = 0
    dead_seconds: float = 0.0
    right_since: float | None = None
    now: float = 0.0

    def pass_time(self, now: float) -> None:
        """Nothing happened until `now`."""
        if self.members:
            self.dead_seconds += (now - self.now) * len(self.members & self.dead.keys()) / len(self.members)
        self.now = now

    def turn(self, turn: Turn) -> None:
        """A node serves no longer, or again."""
        if not turn.serves:
            self.dead.setdefault(turn.address, turn.at)
            self._end_absence(turn.address)
        elif self.dead.pop(turn.address, None) is not None:
            self.missed += turn.address in self.members

    def write(self, written: Written) -> None:
        """The record set is another one."""
        for address in written.before - written.after:
            if address in self.dead:
                self.removals.append(self.now - self.dead[address])
            elif address != written.by:
                self.false_removals += 1
                self.absent[address] = self.now
        for address in written.after - written.before:
            self._end_absence(address)
            if address in self.dead:  # a dead one that came back misleads clients from now on
                self.dead[address] = self.now
        self.members = written.after
        self.smallest = min(self.smallest, len(written.after))

    def look(self, everybody: frozenset[Address]) -> None:
        """Whether the record set is as it should be."""
        if self.members != everybody - self.dead.keys():
            self.right_since = None
        elif self.right_since is None:
            self.right_since = self.now

    def end(self) -> None:
        """Time is up: what is still so counts as far as it went."""
        self.missed += len(self.members & self.dead.keys())
        for address in list(self.absent):
            self._end_absence(address)

    def _end_absence(self, address: Address) -> None:
        if address in self.absent:
            self.absences.append(self.now - self.absent.pop(address))


@dataclass(frozen=True, slots=True)
class Outcome:
    """One run of a scenario, measured from its beginning on; what came before was rest."""

    begin: float
    end: float
    size: int
    tally: Tally
    requests: int
    busiest_minute: int
    throttled: int
    destroyed: int
    healthy_destroyed: int
    first_members: frozenset[Address]
    writes: tuple[Written, ...]
    events: tuple[Event, ...]
    turns: tuple[Turn, ...]
    faults: tuple[Fault, ...]

    @property
    def requests_an_hour(self) -> float:
        """Of all agents together."""
        return self.requests * 3600 / (self.end - self.begin)

    @property
    def dead_answers(self) -> float:
        """The part of all answers, from 0 to 1, that named a dead server, caches left aside."""
        return self.tally.dead_seconds / (self.end - self.begin)

    @property
    def settled_after(self) -> float | None:
        """From the last change of what is true until the record set said so for good; None if it never did."""
        if self.tally.right_since is None:
            return None
        ends = [fault.ended for fault in self.faults if fault.ended < self.end]
        last = max([self.begin, *ends, *(turn.at for turn in self.turns)])
        return max(0.0, self.tally.right_since - last)


def play(
    scenario: Scenario,
    setting: Setting,
    make_agent: MakeAgent,
    seed: int = 1,
    duration: float | None = None,
    progress: Progress = lambda _: None,
) -> Outcome:
    """Runs a scenario in virtual time, for `duration` seconds or as long as it takes."""
    cluster = Cluster(setting.size, setting.policy, make_agent, seed, setting.provider)
    stage = scenario.on(cluster, duration)
    cluster.run_until(stage.begin)
    provider = cluster.provider
    before, already = provider.members, len(provider.history)
    asked, throttled = provider.requests, provider.throttled
    destroyed = _destructions(cluster, stage)
    busiest = _busiest_minute(stage, progress)
    writes = tuple(provider.history[already:])
    turns = tuple(sorted(stage.turns, key=lambda turn: turn.at))
    return Outcome(
        begin=stage.begin,
        end=stage.end,
        size=setting.size,
        tally=_tally(stage, before, writes, turns),
        requests=provider.requests - asked,
        busiest_minute=busiest,
        throttled=provider.throttled - throttled,
        destroyed=len(destroyed),
        healthy_destroyed=sum(destroyed),
        first_members=before,
        writes=writes,
        events=tuple(cluster.events),
        turns=turns,
        faults=tuple(stage.faults),
    )


def _destructions(cluster: Cluster, stage: Stage) -> list[bool]:
    """Filled, from now on, with whether each instance that is destroyed was well."""
    well: list[bool] = []

    def note(_: Address, address: Address) -> None:
        well.append(cluster.nodes[address].is_up)
        stage.turns.append(Turn(cluster.now, address, serves=False))

    cluster.on_destroy = note
    return well


def _busiest_minute(stage: Stage, progress: Progress) -> int:
    """Lets the time of the scenario pass, and answers how many requests the busiest minute of it saw."""
    cluster, busiest = stage.cluster, 0
    while cluster.now < stage.end:
        asked = cluster.provider.requests
        cluster.run_until(min(cluster.now + MINUTE, stage.end))
        busiest = max(busiest, cluster.provider.requests - asked)
        progress((cluster.now - stage.begin) / (stage.end - stage.begin))
    return busiest


def _tally(stage: Stage, members: frozenset[Address], writes: tuple[Written, ...], turns: tuple[Turn, ...]) -> Tally:
    tally = Tally(members, smallest=len(members), now=stage.begin)
    everybody = frozenset(stage.cluster.nodes)
    tally.look(everybody)
    for happened in _in_order(writes, turns):
        tally.pass_time(happened.at)
        if isinstance(happened, Turn):
            tally.turn(happened)
        else:
            tally.write(happened)
        tally.look(everybody)
    tally.pass_time(stage.end)
    tally.end()
    return tally


def _in_order(writes: tuple[Written, ...], turns: tuple[Turn, ...]) -> Iterator[Written | Turn]:
    happened: list[Written | Turn] = [*turns, *writes]
    yield from sorted(happened, key=lambda each: each.at)
