"""The lease under any text in the record, and under any order of stalls, lost replies and wrong clocks."""

import contextlib
from dataclasses import dataclass, field, replace

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from dnslb.decision.blockrecord import BlockRecord, block_name, parse, written
from dnslb.decision.leases import (
    LONGEST_ILLEGIBLE,
    Claim,
    LeaseView,
    Refusal,
    acquire,
    act_until,
    holder,
    holds,
    release,
    renew,
    watched,
)
from dnslb.errors import Conflict
from dnslb.records import Change, RecordSet, RecordType, Snapshot
from dnslb.testing import MemoryZone
from dnslb.txt import from_strings

from effort import effort
from world import WALL

NAME = "www.example.test"
SKEW = 600.0
NEVER = -1e18

bytes_as_text = st.binary(max_size=60).map(lambda octets: from_strings([octets]))
keys = st.sampled_from(["IP", "IpExpires", "OwnerId", "OwnerExpires", "Fence", "Dur", "Op", "Started", "Phase", "Ttl"])
plausible = st.one_of(
    st.datetimes().map(lambda at: at.isoformat() + "Z"),
    st.datetimes().map(lambda at: at.isoformat(timespec="seconds") + "+23:59"),
    st.datetimes().map(lambda at: at.isoformat(timespec="seconds") + "-24:00"),
    st.ip_addresses().map(str),
    st.integers().map(str),
    st.just("0000-00-00T00:00:00Z"),
    bytes_as_text,
)
strings = st.one_of(bytes_as_text, st.text(max_size=60), st.tuples(keys, plausible).map("=".join))
records = st.lists(strings, max_size=12)
times = st.floats(-1e9, 1e11)


@effort(300)
@given(records, times, times)
def test_no_bytes_in_the_record_raise_anything_or_are_in_force_for_ever(values, now, wall):
    record_set = RecordSet(block_name(NAME), RecordType.TXT, tuple(values), 60)
    view = watched(None, record_set, now)
    hold = holds(view, now, wall)
    assert hold.free_at <= now + LONGEST_ILLEGIBLE
    assert holds(view, now + LONGEST_ILLEGIBLE, wall).free_at <= now + LONGEST_ILLEGIBLE
    assert isinstance(holder(view), str)
    mine = Claim(NAME, "an owner that no example has")
    assert isinstance(renew(record_set, mine, wall), Refusal)
    released = release(record_set, mine.owner)
    assert isinstance(released, Refusal) if record_set.exists else released == record_set
    refused = isinstance(acquire(view, mine, now, WALL), Refusal)
    assert refused == (now < holds(view, now, WALL).free_at)


moments = st.integers(0, 4_000_000_000).map(float)
texts = st.text(st.characters(categories=["L", "N", "P", "S"], exclude_characters="="), min_size=1, max_size=40)
legible = st.builds(
    BlockRecord,
    owner=texts,
    owner_expires=moments,
    addresses=st.frozensets(st.ip_addresses(), min_size=1, max_size=4),
    addresses_expire=moments,
    fence=st.none() | st.integers(0, 10**15 - 1),
    duration=st.none() | st.integers(0, 10**6),
    operation=st.just("") | texts,
    started=st.none() | moments,
    phase=st.just("") | texts,
    ttl=st.none() | st.integers(0, 2**31 - 1),
)


@given(legible)
def test_what_was_written_is_read_again(record):
    assert parse(written(record, NAME).values) == record


@dataclass
class Holder:
    """Somebody who wants the lease, with a wrong wall clock, and a monotonic one of any origin and of its own rate."""

    claim: Claim
    wall_offset: float
    clock_offset: float
    rate: float
    view: LeaseView | None = None
    act_until: float = NEVER
    excused_until: float = NEVER
    under_way: list[tuple[Change, float]] = field(default_factory=list)

    def clock(self, now: float) -> float:
        return self.clock_offset + self.rate * now

    def wall(self, now: float) -> float:
        return WALL + now + self.wall_offset


class ComparingZone(MemoryZone):
    """Compares values where the other compares versions: what is as it was counts as unchanged, as with RFC 2136."""

    def _replace(self, after):
        super()._replace(after)
        self._versions[after.name, after.type] = hash(after.values) if after.exists else 0


people = st.builds(
    lambda duration, *clocks: (duration, *clocks),
    st.sampled_from([10, 60, 180, 300]),
    st.sampled_from([-SKEW, 0.0, SKEW]) | st.floats(-SKEW, SKEW),
    st.sampled_from([0.0, 1e6]),
    st.floats(0.95, 1.05),
)
somebody = st.integers(0, 11)
pauses = st.sampled_from([1, 10, 35, 61, 91, 120, 181, 211, 301, 331, 421]) | st.floats(0, 500)


class Leases(RuleBasedStateMachine):
    """Holders that read, send, learn or do not learn what became of it, and stall between any two of these steps."""

    @initialize(kind=st.sampled_from([MemoryZone, ComparingZone]), people=st.lists(people, min_size=2, max_size=4))
    def begin(self, kind, people):
        self.zone = kind()
        self.now = 0.0
        self.orphans = []
        self.holders = [
            Holder(Claim(NAME, f"owner-{number}", duration), *clocks)
            for number, (duration, *clocks) in enumerate(people)
        ]

    def who(self, number) -> Holder:
        return self.holders[number % len(self.holders)]

    def read(self, who) -> Snapshot:
        snapshot = self.zone.read(block_name(NAME), RecordType.TXT)
        who.view = watched(who.view, snapshot.record_set, who.clock(self.now))
        return snapshot

    @rule(seconds=pauses)
    def time_passes(self, seconds):
        self.now += seconds

    @rule(number=somebody)
    def looks(self, number):
        self.read(self.who(number))

    @rule(number=somebody)
    def sends(self, number):
        """A renewal of what it acts on, or else an attempt to acquire the lease, that is under way from now on."""
        who = self.who(number)
        snapshot = self.read(who)
        if who.act_until > NEVER:
            wanted = renew(snapshot.record_set, who.claim, who.wall(self.now))
        else:
            wanted = acquire(who.view, who.claim, who.clock(self.now), who.wall(self.now))
        if isinstance(wanted, RecordSet):
            who.under_way.append((Change(snapshot, wanted), who.clock(self.now)))

    @rule(number=somebody, which=st.integers(0, 3), replied=st.booleans())
    def what_was_sent_arrives(self, number, which, replied):
        """At any time after it was sent, and in any order; the sender may hear of it or not."""
        who = self.who(number)
        if not 0 <= which < len(who.under_way):
            return
        change, sent = who.under_way.pop(which)
        with contextlib.suppress(Conflict):
            self.zone.commit([change])
            if replied:
                who.act_until = max(who.act_until, act_until(sent, who.claim.duration))

    @rule(number=somebody)
    def acquires_or_renews(self, number):
        """The same in one step, as it mostly is."""
        self.sends(number)
        self.what_was_sent_arrives(number, len(self.who(number).under_way) - 1, replied=True)

    @rule(number=somebody)
    def releases(self, number):
        who = self.who(number)
        who.act_until = NEVER  # first it stops, and then it lets go
        snapshot = self.read(who)
        wanted = release(snapshot.record_set, who.claim.owner)
        if isinstance(wanted, RecordSet) and wanted != snapshot.record_set:
            self.zone.commit([Change(snapshot, wanted)])

    @rule(number=somebody)
    def is_restarted_and_remembers_nothing(self, number):
        """Its process is gone, and what that had sent still arrives; the next one has another name."""
        who = self.who(number)
        self.orphans += [change for change, _ in who.under_way]
        heir = replace(who.claim, owner=f"{who.claim.owner}+")
        self.holders[self.holders.index(who)] = Holder(heir, who.wall_offset, who.clock_offset, who.rate)

    @rule(which=st.integers(0, 3))
    def what_the_dead_had_sent_arrives(self, which):
        if which < len(self.orphans):
            with contextlib.suppress(Conflict):
                self.zone.commit([self.orphans.pop(which)])

    @rule(text=st.sampled_from(["v=spf1 -all", "OwnerId=owner-0", "\udcff"]))
    def somebody_writes_what_makes_no_sense(self, text):
        self.write(text)

    @rule()
    def somebody_deletes_the_record(self):
        """Which nobody may; who acts then does not know it before its next renewal, and somebody else may begin."""
        self.write()
        for who in self.holders:
            who.excused_until = who.act_until

    def write(self, *values):
        snapshot = self.zone.read(block_name(NAME), RecordType.TXT)
        self.zone.commit([Change(snapshot, snapshot.record_set.holding(values, 60 if values else 0))])

    @invariant()
    def at_most_one_acts(self):
        acting = [
            who.claim.owner
            for who in self.holders
            if who.clock(self.now) < who.act_until and who.act_until > who.excused_until
        ]
        assert len(acting) <= 1, f"S7: {acting} act at once"

    def teardown(self):
        """L5: whoever held it is dead from now on; whoever looks now and then has it within ten minutes."""
        died = self.now
        for skew in (-SKEW, SKEW):
            heir, self.now = Holder(Claim(NAME, "heir"), skew, 5.0, 1.0), died
            while isinstance(
                acquire(self.view_of(heir), heir.claim, heir.clock(self.now), heir.wall(self.now)), Refusal
            ):
                self.now += 10.0
                assert self.now - died < LONGEST_ILLEGIBLE + 10.0, "L5: the lease of the dead is not free"

    def view_of(self, who) -> LeaseView:
        self.read(who)
        return who.view


TestLeases = Leases.TestCase
TestLeases.settings = effort(200, stateful_step_count=50)
