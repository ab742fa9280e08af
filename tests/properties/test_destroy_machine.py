"""Intents, vetoes and the destroyer between real keepers, under any order of crashes, stalls and lost replies."""

import contextlib
import math
import random
from dataclasses import dataclass, field

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from dnslb import Conflict, OutcomeUnknown, Unavailable
from dnslb.decision import Look, destroy_name
from dnslb.decision.destroying import BUDGET_TIME
from dnslb.decision.destroyrecord import Line, Stage, new_line, parse
from dnslb.interfaces import ProbeResult, Service, Target
from dnslb.keeper import Keeper
from dnslb.parts import Parts, Surroundings
from dnslb.records import Address, Change, Receipt, RecordSet, RecordType, Snapshot
from dnslb.simulation.clock import Clock, Task
from dnslb.testing import MemoryZone

from effort import effort
from world import HEALTHY, REFUSED, WALL, address, policy

NAME, PORT = "www.example.test", 80
RECORD = destroy_name(NAME), RecordType.TXT
POLICY = policy(5.0, destroys=True, max_failures=20)
WAIT, MEMORY = POLICY.destroy_delay, 10 * POLICY.destroy_delay
FASTEST = 1.03
"""How fast a clock may run: an hour by the fastest of them is shorter than one by the others."""
CALL = 0.2
"""Seconds that each call of the provider takes."""

HOSTS = tuple(map(address, range(1, 5)))


@dataclass
class Host:
    """A host with its agent, seen from outside."""

    address: Address
    clock: Clock
    rate: float
    origin: float
    wall_offset: float = 0.0
    answers: bool = True
    reaches_provider: bool = True
    frozen_until: float = 0.0
    replies_to_lose: int = 0
    task: Task | None = None
    well_since: float = math.inf

    @property
    def is_well(self) -> bool:
        return self.task is not None and self.answers and self.reaches_provider

    def well_for(self) -> float:
        """For how long it could have vetoed: its agent ran, passed its check and reached the provider."""
        return self.clock.now() - max(self.well_since, self.frozen_until) if self.is_well else 0.0

    def now(self) -> float:
        return self.origin + self.rate * self.clock.now()

    async def sleep(self, seconds: float) -> None:
        """A frozen process wakes up when it goes on, and not when it was to."""
        await self.clock.sleep(seconds / self.rate)
        while (left := self.frozen_until - self.clock.now()) > 0:
            await self.clock.sleep(min(left, 1000.0))


@dataclass
class Records:
    """What the agent of one host reads and writes through; the world sees each commit that lands."""

    world: "Destruction"
    host: Host

    async def _arrive(self) -> None:
        await self.world.clock.sleep(CALL / 2)  # on its way, whatever becomes of the sender
        if not self.host.reaches_provider:
            await self.host.sleep(CALL / 2)
            raise Unavailable("no answer")

    async def read(self, name: str, type_: RecordType) -> Snapshot:
        await self._arrive()
        snapshot = self.world.zone.read(name, type_)
        await self.host.sleep(CALL / 2)
        return snapshot

    async def commit(self, changes) -> Receipt:
        [change] = changes
        await self._arrive()
        with contextlib.suppress(Conflict):
            receipt = self.world.zone.commit([change])
            self.world.landed(change, self.host)
            await self.host.sleep(CALL / 2)
            if self.host.replies_to_lose:
                self.host.replies_to_lose -= 1
                raise OutcomeUnknown("the reply was lost")
            return receipt
        await self.host.sleep(CALL / 2)
        raise Conflict("it is not what it was")

    async def wait(self, receipt: Receipt, timeout: float) -> bool:
        return True


@dataclass
class Destroyed:
    """One call of the destroyer."""

    at: float
    token: str


class Destruction(RuleBasedStateMachine):
    """Agents over one record set; what they do is checked where it takes effect."""

    @initialize(
        rates=st.lists(st.sampled_from([1.0, 2 - FASTEST, FASTEST]), min_size=len(HOSTS), max_size=len(HOSTS)),
        seed=st.integers(0, 2**32),
    )
    def begin(self, rates, seed):
        self.clock = Clock()
        self.history: list[str] = []
        self.zone = MemoryZone()
        self.chance = random.Random(seed)
        self.deaf: set[Address] = set()
        self.destroyer_works = True
        self.fates: dict[Stage, float] = {}
        self.interfered_at = -math.inf
        self.calls: list[Destroyed] = []
        self.written: dict[str, float] = {}
        self.hosts = {
            each: Host(each, self.clock, rate, self.chance.choice([0.0, 1e6]))
            for each, rate in zip(HOSTS, rates, strict=True)
        }
        members = RecordSet(NAME, RecordType.A).holding(HOSTS, POLICY.ttl)
        self.zone.commit([Change(self.zone.read(NAME, RecordType.A), members)])
        for host in self.hosts.values():
            self.start(host)
        self.clock.run_until(12.0)

    def teardown(self):
        note("\n".join(self.history))
        for host in self.hosts.values():
            self.kill(host)

    # -- what agents reach out to --------------------------------------------------------------------------

    def start(self, host: Host) -> None:
        chance = random.Random(self.chance.random())
        wall = lambda: WALL + self.clock.now() + host.wall_offset  # noqa: E731
        around = Surroundings(host.now, wall, host.sleep, chance, self._say)
        probe = lambda targets, timeout: self._probe(host, targets)  # noqa: E731
        destroy = lambda addresses: self._destroy(host, addresses)  # noqa: E731
        parts = Parts(Records(self, host), probe, destroy=destroy)
        keeper = Keeper(Service(NAME, PORT), RecordType.A, POLICY, parts, Own(host.address), around)

        async def live() -> None:
            look = Look(host.now())
            while True:
                await host.sleep(max(0.0, look.at - host.now()))
                look = await keeper.step(look)

        host.task = self.clock.spawn(live())

    def kill(self, host: Host) -> None:
        if host.task is not None:
            host.task.cancel()
        host.task, host.frozen_until = None, 0.0

    def _say(self, level, event, text, **parts) -> None:
        if event == "bug":
            raise  # noqa: PLE0704
        if event != "probe":
            self.tell(f"{event}: {text}")

    def tell(self, text: str) -> None:
        self.history.append(f"{self.clock.now():.1f} {text}")

    async def _probe(self, own: Host, targets: list[Target]) -> dict[Target, ProbeResult]:
        await own.sleep(0.01)
        return {each: HEALTHY if self._reaches(own.address, each.address) else REFUSED for each in targets}

    def _reaches(self, own: Address, target: Address) -> bool:
        host = self.hosts.get(target)
        return host is not None and host.answers and (own == target or target not in self.deaf)

    async def _destroy(self, by: Host, addresses: frozenset[Address]) -> None:
        [doomed] = addresses
        self.is_destroyed(by, self.hosts[doomed])
        await by.sleep(1.0)
        if not self.destroyer_works:
            raise Unavailable("the destroyer is broken")

    # -- what is held of what takes effect -----------------------------------------------------------------

    def is_destroyed(self, by: Host, doomed: Host) -> None:
        now = self.clock.now()
        self.tell(f"{by.address} has {doomed.address} destroyed")
        assert doomed.well_for() < WAIT, "S6: an instance that could veto all the time is destroyed"
        executing = [line for line in self.lines() if line.stage is Stage.EXECUTING and line.address == doomed.address]
        if now - self.interfered_at > CALL:
            vetoed_now = any(
                line.stage is Stage.VETOED and line.address == doomed.address and now - self.written[line.text] <= CALL
                for line in self.lines()
            )
            assert vetoed_now or [line.by for line in executing] == [by.address], "S6: not by the one executor"
        token = executing[0].token if executing else "vetoed"
        self.calls.append(Destroyed(now, token))
        since = max(now - BUDGET_TIME / FASTEST, self.interfered_at)
        recent = {call.token for call in self.calls if call.at >= since}
        assert len(recent) <= 1, "S6: over the budget of an hour"
        if self.destroyer_works:
            doomed.answers = False
            self.kill(doomed)

    def landed(self, change: Change, by: Host) -> None:
        before, after = change.before.record_set, change.after
        if after.type is RecordType.A:
            assert after.exists, "S1: the record set is empty"
            assert after.addresses - before.addresses <= {by.address}, "S2: somebody else was added"
            return
        added = [line for line in map(parse, set(after.values) - set(before.values)) if line is not None]
        assert {text for text in before.values if parse(text) is None} <= set(after.values), "S10: foreign text is gone"
        for line in added:
            self.line_is_added(line, before, by)
            by.frozen_until = max(by.frozen_until, self.clock.now() + self.fates.pop(line.stage, 0.0))
        self.written |= {line.text: self.clock.now() for line in added}

    def line_is_added(self, line: Line, before: RecordSet, by: Host) -> None:
        self.tell(f"{by.address} writes {line.text}")
        now = self.clock.now()
        lines = list(map(parse, before.values))
        ages = {each: now - max(self.written.get(each.text, -math.inf), self.interfered_at) for each in lines if each}
        assert line.by == by.address, "it signs with its own name"
        if line.stage in {Stage.INTENT, Stage.EXECUTING}:
            assert None not in lines, "S6: beside a line that cannot be read"
        if line.stage is Stage.INTENT:
            vetoes = [age for each, age in ages.items() if each.stage is Stage.VETOED and each.address == line.address]
            assert all(age >= MEMORY / FASTEST for age in vetoes), "S6: intended again although it was vetoed"
        if line.stage is Stage.EXECUTING:
            [age] = [age for each, age in ages.items() if each.token == line.token]
            assert age >= WAIT / FASTEST, "S6: before its time, or while another one executes it"
        if line.stage is Stage.VETOED:
            assert by.address == line.address, "S6: a veto for somebody else"

    def lines(self) -> list[Line]:
        return [line for line in map(parse, self.zone.read(*RECORD).record_set.values) if line is not None]

    # -- what happens --------------------------------------------------------------------------------------

    def happened(self) -> None:
        for host in self.hosts.values():
            host.well_since = min(host.well_since, self.clock.now()) if host.is_well else math.inf

    somebody = st.sampled_from(HOSTS)
    pauses = st.sampled_from([0.05, 0.15, 1.0, 3.0, 7.0, 12.0, 32.0, 45.0, 75.0]) | st.floats(0, 60)

    @rule(seconds=pauses)
    def time_passes(self, seconds):
        self.happened()
        self.clock.run_until(self.clock.now() + seconds)
        self.happened()

    @rule(seconds=st.sampled_from([WAIT, WAIT + 10, 2 * WAIT]))
    def much_time_passes(self, seconds):
        self.time_passes(seconds)

    @rule(who=somebody)
    def service_dies(self, who):
        self.hosts[who].answers = False
        self.happened()

    @rule(who=somebody)
    def host_dies(self, who):
        self.kill(self.hosts[who])
        self.service_dies(who)

    @rule(who=somebody)
    def agent_dies(self, who):
        self.kill(self.hosts[who])
        self.happened()

    @rule(who=somebody)
    def host_returns_and_remembers_nothing(self, who):
        host = self.hosts[who]
        self.kill(host)
        host.answers = True
        self.happened()
        self.start(host)
        self.happened()

    @rule(who=somebody, seconds=st.sampled_from([2.0, 20.0, 40.0, 400.0]))
    def agent_is_frozen(self, who, seconds):
        """In the middle of whatever it does; its service goes on."""
        self.hosts[who].frozen_until = self.clock.now() + seconds

    @rule(stage=st.sampled_from([Stage.EXECUTING, *Stage]), seconds=st.sampled_from([20.0, 60.0, math.inf]))
    def whoever_writes_such_a_line_next_is_frozen_as_it_lands(self, stage, seconds):
        """For ever is a crash between the commit and what was to follow."""
        self.fates[stage] = seconds

    @rule(who=somebody)
    def nobody_reaches(self, who):
        self.deaf.add(who)

    @rule()
    def network_heals(self):
        self.deaf.clear()

    @rule(who=somebody)
    def provider_is_out_of_reach(self, who):
        self.hosts[who].reaches_provider = False
        self.happened()

    @rule()
    def provider_is_reached(self):
        for host in self.hosts.values():
            host.reaches_provider = True
        self.happened()

    @rule(who=somebody, number=st.integers(1, 3))
    def replies_get_lost(self, who, number):
        self.hosts[who].replies_to_lose = number

    @rule(who=somebody, offset=st.sampled_from([-600.0, 0.0, 600.0]))
    def wall_clock_is_set(self, who, offset):
        self.hosts[who].wall_offset = offset

    @rule(works=st.booleans())
    def destroyer_breaks_or_is_mended(self, works):
        self.destroyer_works = works

    @rule(who=somebody, by=somebody, stage=st.sampled_from([Stage.INTENT, Stage.EXECUTING, Stage.VETOED]))
    def somebody_writes_a_line(self, who, by, stage):
        token = f"{self.chance.getrandbits(32):08x}"
        line = new_line(who, stage, by, token, WALL)
        self._write({*self._texts(), line.text})
        self.written[line.text] = self.clock.now()

    @rule(text=st.sampled_from(["v=spf1 -all", "IP=10.0.0.1 Stage=intent", "\udcff"]))
    def somebody_writes_what_makes_no_sense(self, text):
        self._write({*self._texts(), text})

    @rule()
    def somebody_removes_what_makes_no_sense(self):
        self._write({text for text in self._texts() if parse(text) is not None})

    @rule()
    def somebody_deletes_the_record(self):
        if self._texts():
            self.interfered_at = self.clock.now()
            self._write(set())

    def _texts(self) -> tuple[str, ...]:
        return self.zone.read(*RECORD).record_set.values

    def _write(self, texts: set[str]) -> None:
        snapshot = self.zone.read(*RECORD)
        self.zone.commit([Change(snapshot, snapshot.record_set.holding(texts, 60))])


@dataclass(frozen=True)
class Own:
    """The own address of a host, which never changes."""

    address: Address
    found: dict[RecordType, Address] = field(init=False)

    def find(self):
        return {RecordType.A: self.address}


TestDestruction = Destruction.TestCase
TestDestruction.settings = effort(60, stateful_step_count=50)


def test_an_executor_that_was_frozen_before_the_call_does_not_destroy_who_came_back_meanwhile():
    world = Destruction()
    world.begin([1.0] * len(HOSTS), seed=1)
    dead = HOSTS[0]
    world.host_dies(dead)
    world.whoever_writes_such_a_line_next_is_frozen_as_it_lands(Stage.EXECUTING, 100.0)
    while not any(line.stage is Stage.EXECUTING for line in world.lines()):
        world.time_passes(1.0)
    world.host_returns_and_remembers_nothing(dead)
    world.time_passes(300.0)
    assert world.calls == []
    assert [line.stage for line in world.lines()] == [Stage.VETOED]
