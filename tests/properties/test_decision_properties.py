"""The invariants of the balancer under any order of faults, in virtual time."""

import math
from dataclasses import replace
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from dnslb.decision import Destroy, Edit, Evict, EvictSlowly, Intend, Register, Withdraw
from dnslb.decision.blockrecord import BlockRecord, parse
from dnslb.decision.destroyrecord import Stage, new_line, rewritten
from dnslb.decision.hints import longest_unread
from dnslb.decision.leases import Claim, renew

from world import WALL, World, address, policy

HOSTS = tuple(map(address, range(1, 8)))
BLOCK = Claim("www.example.test", "0123")

faults = st.one_of(
    st.tuples(st.just("service dies"), st.sampled_from(HOSTS)),
    st.tuples(st.just("service returns"), st.sampled_from(HOSTS)),
    st.tuples(st.just("host crashes"), st.sampled_from(HOSTS)),
    st.tuples(st.just("host returns"), st.sampled_from(HOSTS)),
    st.tuples(st.just("agent stops"), st.sampled_from(HOSTS)),
    st.tuples(st.just("isolated"), st.sampled_from(HOSTS)),
    st.tuples(st.just("unreachable"), st.sampled_from(HOSTS)),
    st.tuples(st.just("halves"), st.integers(1, 6)),
    st.tuples(st.just("healed"), st.none()),
    st.tuples(st.just("provider down"), st.none()),
    st.tuples(st.just("provider up"), st.none()),
    st.tuples(st.just("name servers behind"), st.floats(0, 1000)),
    st.tuples(st.just("name servers silent"), st.none()),
    st.tuples(st.just("name servers well"), st.none()),
    st.tuples(st.just("witnesses answer"), st.sampled_from([frozenset(), frozenset(HOSTS[:3]), frozenset(HOSTS)])),
    st.tuples(st.just("blocked"), st.sampled_from(HOSTS)),
    st.tuples(st.just("block renewed"), st.none()),
    st.tuples(st.just("unblocked"), st.none()),
    st.tuples(st.just("nonsense in the block record"), st.none()),
    st.tuples(st.just("block record unreadable"), st.none()),
    st.tuples(st.just("block record readable"), st.none()),
    st.tuples(st.just("intent forged"), st.sampled_from(HOSTS)),
    st.tuples(st.just("nonsense in the destroy record"), st.none()),
    st.tuples(st.just("destroyer breaks"), st.none()),
    st.tuples(st.just("destroyer works"), st.none()),
    st.tuples(st.just("clocks set"), st.sampled_from([-600.0, 0.0, 600.0])),
)
aids = st.fixed_dictionaries({"hints": st.booleans(), "witnesses": st.booleans()})
histories = st.lists(st.tuples(faults, st.floats(0.1, 900)), max_size=25)


class WatchedWorld(World):
    """Checks the invariants after every step."""

    blocked_at = -math.inf

    def __init__(self, policy_, seed):
        super().__init__(policy_, seed)
        self.witnesses_changed_at = -math.inf
        self.well_since = {}
        """Since when hosts are up and reach the provider; nobody who does may be destroyed."""

    def _step(self, own, agent):
        before = self.members
        deeds = len(self.deeds)
        super()._step(own, agent)
        done = [deed.action for deed in self.deeds[deeds:]]
        edits = [action for action in done if isinstance(action, Edit)]
        assert self.members or not before, "S1: an empty set was committed"
        for action in edits:
            if isinstance(action, Register):
                assert not self._is_blocked(own), "S8: a blocked address was added"
                assert not self.block_record_down, "S8: added without a look at the block record"
            if isinstance(action, Register | Withdraw):
                assert action.address == own, "S2: somebody else was added or withdrawn"
            else:
                assert not self._answers(own, action.address), "S2: a member that answers was removed"
                assert own in before, "S5: somebody who is out judged others"
                assert own not in self.down, "S5: somebody who is down judged others"
        if any(type(action) is Evict for action in edits):
            recent = max(size for at, size in agent.state.sizes)
            assert len(self.members) >= math.ceil(recent / 2), "S4: below half of the recent size"
        judges = any(isinstance(action, Evict | Intend | Destroy) for action in done)
        if judges and self.policy.witnesses and not self.reaches_witness(own):
            since = self.now - self.witnesses_changed_at
            others = before - {own}
            most = 2 * sum(self._answers(own, other) for other in others) >= len(others)
            slowly = any(isinstance(action, EvictSlowly) for action in edits)
            assert since <= 5.0 or (edits and (most or slowly)), "S5: somebody who is cut off judged others"
        assert sum(isinstance(action, EvictSlowly) for action in edits) <= 1
        for action in done:
            if isinstance(action, Destroy):
                assert action.address not in self.members, "S6: destroyed while in the record set"
                assert not self._answers(own, action.address), "S6: destroyed although it answers"
                lived = self.now - self.well_since.get(action.address, math.inf)
                assert lived < self.policy.destroy_delay, "S6: destroyed although it could veto"

    def _answers(self, own, target):
        return target not in self.down and self.reaches(own, target)

    def _is_blocked(self, own):
        """Whether it was blocked, or the block renewed, within the time for which that is good."""
        return f"IP={own}" in self.block_record.values and self.now < self.blocked_at + BLOCK.duration

    def _block(self, record_set):
        self.block_record, self.blocked_at = record_set, self.now

    def suffer(self, fault, subject):
        self._suffer(fault, subject)
        well = {own for own, agent in self.agents.items() if own not in self.down and not agent.stopping}
        if self.provider_down or self.block_record_down:
            well = set()
        self.well_since = {own: self.well_since.get(own, self.now) for own in well}

    def _suffer(self, fault, subject):
        match fault:
            case "service dies":
                self.down.add(subject)
            case "service returns":
                self.down.discard(subject)
            case "host crashes":
                self.crash(subject)
            case "host returns":
                self.down.discard(subject)
                if subject not in self.agents:
                    self.start(subject)
            case "agent stops":
                if subject in self.agents and not self.agents[subject].stopping:
                    self.stop(subject)
            case "isolated":
                self.reaches = lambda own, target: subject not in (own, target)
            case "unreachable":
                self.reaches = lambda own, target: target != subject
            case "halves":
                cut = HOSTS[subject]
                self.reaches = lambda own, target: (own < cut) == (target < cut)
            case "healed":
                self.reaches = lambda own, target: True
            case "provider down":
                self.provider_down = True
            case "provider up":
                self.provider_down = False
            case "name servers behind":
                self.name_servers_lag = lambda: subject
            case "name servers silent":
                self.name_servers_down = True
            case "name servers well":
                self.name_servers_down = False
                self.name_servers_lag = lambda: 0.0
            case "witnesses answer":
                self.reaches_witness = lambda own: own in subject
                self.witnesses_changed_at = self.now
            case "blocked":
                self._block(replace(BLOCK, addresses=frozenset({subject})).record_set(1, WALL + self.now))
            case "block renewed":
                if isinstance(known := parse(self.block_record.values), BlockRecord):
                    self._block(renew(self.block_record, replace(BLOCK, addresses=known.addresses), WALL + self.now))
            case "unblocked":
                self.block_record = self.block_record.holding(())
            case "nonsense in the block record":
                self.block_record = self.block_record.holding(["IP=?", "="], ttl=60)
            case "block record unreadable":
                self.block_record_down = True
            case "block record readable":
                self.block_record_down = False
            case "intent forged":
                line = new_line(subject, Stage.INTENT, HOSTS[-1], "0123456789abcdef", 0)
                self.destroy_record = rewritten(self.destroy_record, [], [line])
            case "nonsense in the destroy record":
                self.destroy_record = self.destroy_record.holding(["IP=?", "="], ttl=60)
            case "destroyer breaks":
                self.destroyer_works = False
            case "destroyer works":
                self.destroyer_works = True
            case "clocks set":
                self.wall_offset = lambda own: subject


@settings(max_examples=40, deadline=None)
@given(histories, st.integers(0, 2**32), st.sampled_from([5.0, 30.0, 60.0]), st.integers(2, len(HOSTS)), aids)
def test_no_order_of_faults_breaks_an_invariant(history, seed, interval, size, aids):
    world = WatchedWorld(policy(interval, destroys=True, max_failures=20, **aids), seed)
    world.start(*HOSTS[:size])
    world.run(3 * interval)
    for (fault, subject), pause in history:
        world.suffer(fault, subject)
        world.run(pause)


@settings(max_examples=15, deadline=None)
@given(histories, st.integers(0, 2**32), st.integers(2, len(HOSTS)), aids)
def test_when_the_faults_are_over_everybody_is_back_and_nothing_is_written_any_more(history, seed, size, aids):
    world = WatchedWorld(policy(30.0, **aids), seed)
    world.start(*HOSTS[:size])
    world.run(90)
    for (fault, subject), pause in history:
        world.suffer(fault, subject)
        world.run(pause)
    world.down.clear()
    world.suffer("healed", None)
    world.suffer("provider up", None)
    world.suffer("name servers well", None)
    world.suffer("witnesses answer", frozenset(HOSTS))
    world.suffer("unblocked", None)
    world.suffer("block record readable", None)
    world.run(60)
    for own in HOSTS[:size]:
        if own not in world.agents or world.agents[own].stopping:
            world.agents.pop(own, None)
            world.start(own)
    world.run(30 * 25 + aids["hints"] * 1.25 * longest_unread(30))
    assert world.members >= set(HOSTS[:size])
    world.deeds.clear()
    world.run(3600)
    assert world.deeds == []


@settings(max_examples=8, deadline=None)
@given(histories, st.integers(0, 2**32))
def test_the_same_seed_gives_the_same_trace(history, seed):
    traces = []
    for _ in range(2):
        world = WatchedWorld(policy(30.0), seed)
        world.start(*HOSTS[:4])
        for (fault, subject), pause in history[:8]:
            world.suffer(fault, subject)
            world.run(pause)
        traces.append(world.deeds)
    assert traces[0] == traces[1]
    assert all(earlier.at <= later.at for earlier, later in pairwise(traces[0]))
