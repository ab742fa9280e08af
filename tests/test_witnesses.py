"""Witnesses: hosts outside of the cluster, by which an agent learns whether it is itself the one that is cut off."""

import asyncio
import contextlib
import logging
import time
from dataclasses import replace
from ipaddress import ip_address

import pytest

from dnslb import RecordType, Target
from dnslb.balancer import LoadBalancer
from dnslb.config import Config
from dnslb.decision import (
    Destroy,
    Evict,
    EvictSlowly,
    Health,
    Intend,
    Look,
    Observation,
    Policy,
    Register,
    State,
    Why,
    decide,
)
from dnslb.decision.model import Healths
from dnslb.records import RecordSet
from dnslb.simulation.agents import KeeperAgent
from dnslb.simulation.cluster import Cluster
from dnslb.testing import MemoryRecordManager, MemoryZone, targets
from dnslb.witnesses import Witnesses

from agents import services
from peers import accepting
from world import HEALTHY, REFUSED, World, address, at_rest, policy

A, B, C, D = map(address, range(1, 5))


# -- one decision --------------------------------------------------------------------------------------------

MEMBERS = RecordSet("www.example.test", RecordType.A).holding([A, B], 60)
RULES = policy(witnesses=True)
SEEN = Observation(now=100.0, own=A, record_set=MEMBERS, probes={A: HEALTHY, B: REFUSED}, probed_at=100.0)


def of_two(**changes) -> State:
    """One of two, for which the other one fails; no witness has been asked yet."""
    failed = Health(failures=5, failing_since=0.0, probed_at=95.0, asked_at=95.0, detail="connection refused")
    return State(
        own=A, record_set=MEMBERS, shown=MEMBERS.addresses, registered_since=0.0, health=Healths({B: failed}), **changes
    )


def test_the_witnesses_are_asked_before_anybody_is_removed():
    decision = decide(of_two(), SEEN, RULES)
    assert decision.actions == ()
    assert decision.look == Look(100.0, read=True, witnesses=True)


@pytest.mark.parametrize("before", [True, False, None])
def test_what_a_witness_just_said_decides_and_not_what_it_said_before(before):
    state = of_two(witnessed=before, witnessed_at=50.0)
    answered = decide(state, replace(SEEN, witnesses=True, witnessed_at=100.0), RULES)
    assert [(type(action), action.address) for action in answered.actions] == [(Evict, B)]
    silent = decide(state, replace(SEEN, witnesses=False, witnessed_at=100.0), RULES)
    assert silent.actions == ()
    assert [reason.why for reason in silent.refusals] == [Why.CUT_OFF]
    assert not silent.look.witnesses, "the next reading asks again"


def test_an_answer_of_a_while_ago_is_not_enough():
    decision = decide(of_two(witnessed=True, witnessed_at=50.0), SEEN, RULES)
    assert decision.actions == ()
    assert decision.look.witnesses


def test_an_answer_after_which_the_agent_stood_still_is_not_enough():
    decision = decide(of_two(), replace(SEEN, witnesses=True, witnessed_at=40.0), RULES)
    assert decision.actions == ()
    later = decide(decision.state, replace(SEEN, now=102.0, probed_at=102.0), RULES)
    assert later.look.witnesses


@pytest.mark.parametrize(("interval", "round_"), [(60.0, 1.6), (60.0, 4.0), (60.0, 12.0), (5.0, 2.6)])
def test_a_slow_round_of_probes_after_witnesses_that_stay_silent_is_acted_on(interval, round_):
    """An agent of three waits for the witnesses, then for the probes, and the other one answers it."""
    rules = policy(interval, witnesses=True)
    members = MEMBERS.holding([A, B, C], 60)
    well = Health(passed=3, probed_at=98.0, asked_at=98.0)
    fails = Health(failures=2, failing_since=90.0, probed_at=98.0, asked_at=98.0)
    state = State(own=A, record_set=members, shown=members.addresses, registered_since=0.0)
    state = replace(state, health=Healths({A: well, B: fails, C: well}))
    look = Look(100.0, read=True, probe=frozenset({A, B, C}), witnesses=True)
    for _ in range(3):
        probed_at = look.at + (rules.probe_timeout + 0.01 if look.witnesses else 0.0)
        seen = Observation(
            now=probed_at + round_,
            own=A,
            record_set=members if look.read else None,
            witnesses=False if look.witnesses else None,
            witnessed_at=look.at,
            probes={target: REFUSED if target == B else HEALTHY for target in look.probe},
            probed_at=probed_at,
        )
        decision = decide(state, seen, rules)
        if decision.edits:
            break
        state, look = decision.state, decision.look
    assert [(type(action), action.address) for action in decision.edits] == [(Evict, B)]


def test_the_look_that_can_settle_a_doubt_asks_them_too():
    nearly = Health(failures=2, failing_since=90.0, probed_at=95.0, asked_at=95.0)
    well = Health(passed=5, probed_at=99.0, asked_at=99.0)
    state = replace(of_two(next_read=150.0, next_probe=150.0), health=Healths({A: well, B: nearly}))
    look = decide(state, Observation(now=96.0, own=A), RULES).look
    assert (look.at, look.read, look.witnesses) == (97.0, True, True)


@pytest.mark.parametrize(("witnessed_at", "objects"), [(50.0, False), (90.0, True)])
def test_who_was_removed_objects_by_what_a_witness_said_since(witnessed_at, objects):
    state = of_two(witnessed=True, witnessed_at=witnessed_at, evictions=1, out_since=80.0, not_before=300.0)
    state = replace(
        state, record_set=MEMBERS.holding([B], 60), registered_since=None, next_read=150.0, next_probe=150.0
    )
    decision = decide(state, Observation(now=100.0, own=A), RULES)
    assert (decision.state.not_before < 300.0) == objects
    assert (decision.look.at == 100.0 and decision.look.witnesses) == (not objects)


# -- clusters ------------------------------------------------------------------------------------------------


def cluster(size: int, **changes) -> World:
    return at_rest(size, policy(60.0, **{"witnesses": True} | changes))


def whys(world: World, own) -> set[Why]:
    return {reason.why for _, by, reason in world.refusals if by == own}


def edits(world: World) -> list[tuple]:
    return [(type(deed.action), deed.by, deed.action.address) for deed in world.deeds]


def part(world: World, side, *, witnessed) -> None:
    """Cuts these off from the others; a witness answers on the sides of `witnessed` alone."""
    world.reaches = lambda own, target: (own in side) == (target in side)
    world.reaches_witness = lambda own: own in witnessed


def heal(world: World) -> None:
    world.reaches = lambda _own, _target: True
    world.reaches_witness = lambda _own: True


def test_of_two_the_one_that_is_cut_off_leaves_once_and_stays_out_until_the_network_heals():
    world = cluster(2)
    part(world, {B}, witnessed={A})
    world.run(50 * 60)
    assert edits(world) == [(Evict, A, B)]
    assert world.deeds[0].size == 1
    assert Why.CUT_OFF_STAYS_OUT in whys(world, B)
    heal(world)
    assert world.run_until(lambda: world.members == {A, B}, limit=60) <= 10
    assert edits(world) == [(Evict, A, B), (Register, B, B)]


def test_of_two_without_witnesses_whoever_is_removed_comes_back():
    world = cluster(2, witnesses=False)
    part(world, {B}, witnessed={A})
    world.run(20 * 60)
    assert [kind for kind, *_ in edits(world)] == [Evict, Register]
    assert world.members == {A, B}


def test_of_two_that_do_not_reach_each_other_and_both_reach_a_witness_both_stay():
    world = cluster(2)
    part(world, {B}, witnessed={A, B})
    world.run(20 * 60)
    (_, _, removed), (_, objector, _) = edits(world)
    assert removed == objector
    assert world.members == {A, B}
    assert world.deeds[1].at - world.deeds[0].at <= 60


def test_where_no_witness_answers_anybody_nobody_is_removed_however_long_it_lasts():
    world = cluster(2, max_failures=10)
    part(world, {B}, witnessed=set())
    world.run(60 * 60)
    assert world.deeds == []
    assert whys(world, A) == whys(world, B) == {Why.CUT_OFF}


def test_a_dead_member_leaves_as_soon_as_without_witnesses():
    world = cluster(2)
    world.crash(B)
    assert world.run_until(world.is_without(B), limit=30) <= 15


def test_of_two_a_dead_member_leaves_once_a_witness_answers_again():
    world = cluster(2)
    world.reaches_witness = lambda _: False
    world.crash(B)
    world.run(30 * 60)
    assert world.deeds == []
    world.reaches_witness = lambda _: True
    assert world.run_until(world.is_without(B), limit=120) <= 75


@pytest.mark.parametrize("size", [3, 5])
def test_where_half_of_the_others_answer_a_dead_member_leaves_as_ever_whatever_became_of_the_witnesses(size):
    world = cluster(size)
    world.reaches_witness = lambda _: False
    world.crash(A)
    assert world.run_until(world.is_without(A), limit=30) <= 15


def test_of_many_it_is_those_next_on_the_ring_that_tell_whether_half_of_them_answer():
    """All who fail are asked, and of those who are well sixteen: among all that were asked most would fail."""
    world = cluster(40)
    world.reaches_witness = lambda _: False
    world.crash(*map(address, range(1, 17)))
    world.run(10 * 60)
    assert not world.members & world.down


def test_where_fewer_answer_and_no_witness_those_who_fail_leave_slowly():
    world = cluster(5, max_failures=10)
    world.reaches_witness = lambda _: False
    world.crash(A, B, C)
    world.run(9 * 60)
    assert world.deeds == []
    world.run(11 * 60)
    assert world.members == {D, address(5)}
    assert {type(deed.action) for deed in world.deeds} == {EvictSlowly}


def test_who_is_answered_by_half_of_the_others_objects_whatever_became_of_the_witnesses():
    world = cluster(3)
    world.reaches_witness = lambda _: False
    world.reaches = lambda own, target: {own, target} != {A, B}
    world.run(20 * 60)
    removed = [deed.action.address for deed in world.done(Evict)]
    assert removed
    assert len(world.members) == 3


def test_of_two_halves_the_one_that_a_witness_answers_stays():
    world = cluster(4)
    part(world, {C, D}, witnessed={A, B})
    world.run(30 * 60)
    assert world.members == {A, B}
    assert {deed.by for deed in world.deeds} <= {A, B}
    heal(world)
    world.run(20 * 60)
    assert world.members == {A, B, C, D}


def test_who_was_removed_wrongly_comes_back_where_a_member_answers_whatever_the_witnesses_do():
    world = cluster(2)
    world.record_set = world.record_set.holding([A], 60)
    world.reaches_witness = lambda _: False
    world.run(5 * 60)
    assert world.members == {A, B}


def test_who_is_cut_off_does_not_stay_out_for_ever_since_the_witnesses_may_be_what_is_gone():
    world = cluster(2, max_failures=10)
    part(world, {B}, witnessed={A})
    world.run(60)
    assert world.members == {A}
    world.crash(A)
    world.run(8 * 60)
    assert world.members == {A}
    world.run(4 * 60)
    assert world.members == {A, B}


def test_who_is_cut_off_and_finds_the_record_set_empty_comes_back():
    world = cluster(2)
    part(world, {B}, witnessed={A})
    world.run(10 * 60)
    assert world.members == {A}
    world.agents.pop(A)
    world.record_set = world.record_set.holding([])
    world.run(2 * 60)
    assert world.members == {B}


def test_where_all_answer_again_nobody_asks_although_the_witnesses_stay_silent():
    world = cluster(4)
    world.reaches_witness = lambda _: False
    world.reaches = lambda _, target: target not in {C, D}
    world.run_until(lambda: Why.CUT_OFF in whys(world, A) & whys(world, B), limit=60)
    world.reaches = lambda _own, _target: True
    world.run(60)
    world.witnesses_asked = 0
    world.run(3600)
    assert world.witnesses_asked == 0


def test_a_cluster_at_rest_asks_no_witness():
    world = cluster(3)
    world.witnesses_asked = 0
    world.run(3600)
    assert world.witnesses_asked == 0


def test_witnesses_are_asked_a_few_times_for_a_member_that_died():
    world = cluster(3)
    world.witnesses_asked = 0
    world.crash(C)
    world.run(3600)
    assert 1 <= world.witnesses_asked <= 4


def test_an_agent_that_is_cut_off_asks_once_a_reading_and_no_more():
    world = cluster(2)
    part(world, {B}, witnessed=set())
    world.run(3600)
    asked = [look for _, _, look in world.looks if look.witnesses]
    assert all(look.read for look in asked)
    assert world.witnesses_asked <= 2 * (3600 / 60 + 7.5 * 3 + 10)


def test_who_is_cut_off_has_nobody_destroyed():
    world = cluster(3, destroys=True)
    world.crash(C)
    world.run_until(lambda: world.done(Intend), limit=180)
    world.reaches_witness = lambda _: False
    world.run(60 * 60)
    assert world.done(Destroy) == []
    world.reaches_witness = lambda _: True
    world.run(90 * 60)
    assert [deed.action.address for deed in world.done(Destroy)] == [C]


# -- simulated, with the agents as they are ------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_simulated_agents_decide_by_a_witness_who_of_two_stays(seed):
    made = Cluster(2, Policy(15.0, 5.0, 15, witnesses=True), KeeperAgent, seed)
    made.register_all()
    made.start(within=15.0)
    made.run_until(75.0)
    inside, cut_off = made.nodes
    made.network.part([cut_off])
    made.run_until(600.0)
    assert made.members == {inside}
    made.network.heal()
    made.run_until(630.0)
    assert made.members == {inside, cut_off}
    assert [(event.event, event.by) for event in made.events if event.event != "refused"] == [
        ("removed", inside),
        ("registered", cut_off),
    ]


# -- over TCP ------------------------------------------------------------------------------------------------


async def test_a_witness_answers_by_accepting_a_connection_and_by_refusing_one():
    with accepting("127.0.3.1") as listening, targets.refusing("127.0.3.2") as refusing:
        assert await Witnesses([listening]).answer(5.0)
        assert await Witnesses([refusing]).answer(5.0)
        assert await Witnesses([listening, refusing]).silent(5.0) == {}


async def test_who_does_not_answer_in_time_is_no_witness_and_keeps_nobody_waiting_where_another_one_answers():
    with targets.unresponsive("127.0.3.1") as lost, accepting("127.0.3.2") as listening:
        assert not await Witnesses([lost]).answer(0.2)
        assert await Witnesses([lost]).silent(0.2) == {lost: "no answer in 0.2 s"}
        async with asyncio.timeout(10.0):
            assert await Witnesses([lost, listening]).answer(60.0)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
async def test_an_address_of_this_host_is_no_witness(address):
    with accepting(address) as own:
        assert not await Witnesses([own]).answer(5.0)
        assert await Witnesses([own]).silent(5.0) == {own: "it is an address of this host"}


async def test_an_error_on_this_host_is_no_answer():
    unreachable = Target(ip_address("255.255.255.255"), 53)  # the kernel connects nobody to it, and sends nothing
    assert not await Witnesses([unreachable]).answer(5.0)
    [trouble] = (await Witnesses([unreachable]).silent(5.0)).values()
    assert trouble in {"Network is unreachable", "Permission denied"}


def test_each_family_has_witnesses_of_its_own():
    four, six = Target(ip_address("192.0.2.1"), 53), Target(ip_address("2001:db8::1"), 53)
    assert Witnesses([four]).of(RecordType.AAAA) is None
    assert Witnesses([four, six, four]).of(RecordType.A).targets == (four,)


# -- in an agent ---------------------------------------------------------------------------------------------

NAME = "www.example.test"


@pytest.fixture
def hosts():
    """Two services on one port."""
    made = services(2, "127.0.2")
    yield made
    for service in made:
        service.close()


def settings_for(service, *witnesses) -> dict[str, object]:
    settings = {"fqdn": NAME, "tcp_port": service.port, "address": service.address, "check_interval": "1s"}
    return settings | {"witnesses": [f"{witness.address}:{witness.port}" for witness in witnesses]}


def balancer(zone, service, witness) -> LoadBalancer:
    [made] = Config.load(settings_for(service, witness)).services
    return LoadBalancer(made, record_manager=MemoryRecordManager(zone))


async def eventually(condition):
    deadline = time.monotonic() + 30.0
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


def events(caplog) -> list[str]:
    return [record.dnslb["event"] for record in caplog.records if hasattr(record, "dnslb")]


def refusals(caplog) -> set[str]:
    return {record.dnslb["why"] for record in caplog.records if getattr(record, "dnslb", {}).get("event") == "refused"}


async def test_a_member_that_died_stays_until_a_witness_answers(hosts, caplog):
    caplog.set_level(logging.INFO, "dnslb")
    zone, (first, second) = MemoryZone(), hosts
    with contextlib.ExitStack() as lost:
        witness = lost.enter_context(targets.unresponsive("127.0.3.1"))
        async with balancer(zone, first, witness) as one:
            dying = asyncio.create_task(balancer(zone, second, witness).run())
            await eventually(lambda: len(one.members) == 2)
            assert "witnesses-silent" not in events(caplog), "nobody asks at rest"
            dying.cancel()
            second.close()
            await eventually(lambda: "cut_off" in refusals(caplog))
            assert len(one.members) == 2
            assert events(caplog).count("witnesses-silent") == 1
            lost.close()  # nobody listens there any more, so that the host refuses: it is there
            await eventually(lambda: one.members == {ip_address(first.address)})


async def test_before_it_starts_a_witness_that_does_not_answer_is_told_of_and_nothing_more(hosts, caplog):
    with targets.unresponsive("127.0.3.1") as lost:
        [made] = Config.load(settings_for(hosts[0], lost, Target(ip_address("127.0.0.1"), hosts[0].port))).services
        assert await LoadBalancer(made, record_manager=MemoryRecordManager(MemoryZone())).verify()
    said = [record.getMessage() for record in caplog.records]
    assert said == [
        f"{NAME}: the witness {lost.address} port {lost.port} does not answer: no answer in 3 s",
        f"{NAME}: the witness 127.0.0.1 port {hosts[0].port} does not answer: it is an address of this host",
    ]
