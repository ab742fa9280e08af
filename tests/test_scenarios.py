"""What happens to a cluster when something goes wrong: a scenario a test, simulated, with every invariant watched."""

from itertools import pairwise

import pytest

from dnslb.decision import Policy
from dnslb.records import RecordSet, RecordType
from dnslb.simulation.agents import KeeperAgent
from dnslb.simulation.cluster import Cluster, address_of
from dnslb.simulation.faults import Fault, Faults, Kind
from dnslb.simulation.invariants import Watch
from dnslb.simulation.provider import NAME, ProviderModel

T = 60.0


class Scene:
    """A cluster at rest, watched; nodes are named by their numbers."""

    def __init__(self, size, *faults, interval=T, provider=None, regions=1, registered=True, seed=1, **policy):
        settings = {"probe_interval": min(interval, 5.0), "ttl": int(interval)} | policy
        policy_ = Policy(interval=interval, regional=regions > 1, **settings)
        self.cluster = Cluster(size, policy_, KeeperAgent, seed, provider)
        for number, node in enumerate(self.cluster.nodes.values()):
            node.region = f"region-{number % regions}"
        self.provider = self.cluster.provider
        self.watch = Watch(self.cluster)
        Faults(self.cluster, faults)
        if registered:
            self.cluster.register_all()
        self.cluster.start(within=interval)

    def run(self, seconds):
        self.cluster.run_until(self.cluster.now + seconds)

    def until(self, condition, limit):
        """Seconds until it holds."""
        began = self.cluster.now
        while not condition():
            assert self.cluster.now - began < limit, f"not within {limit} s"
            self.cluster.run_until(self.cluster.now + 0.25)
        return self.cluster.now - began

    @property
    def members(self):
        return {number for number, address in enumerate(self.cluster.nodes) if address in self.cluster.members}

    def gone(self, *numbers):
        return lambda: not self.members & set(numbers)

    def removals(self, since=0.0):
        """Who was taken out by others, as (time, number)."""
        numbers = {address: number for number, address in enumerate(self.cluster.nodes)}
        return [
            (each.at, numbers[address])
            for each in self.provider.history
            for address in each.before - each.after - {each.by}
            if each.at >= since
        ]

    def said(self, event, text=""):
        return [each for each in self.cluster.events if each.event == event and text in each.text]


def test_a_cluster_at_rest_writes_nothing_and_everybody_reads_once_an_interval():
    scene = Scene(5)
    scene.run(60 * T)
    assert len(scene.provider.history) == 1
    assert 5 * 58 <= scene.provider.requests <= 5 * 66


@pytest.mark.parametrize("silent", [False, True], ids=["refusing", "silent"])
@pytest.mark.parametrize("size", [2, 3, 12])
def test_a_lone_crash_leaves_within_fifteen_seconds(size, silent):
    scene = Scene(size)
    scene.run(5 * T)
    scene.cluster.crash(address_of(1), silent=silent)
    assert scene.until(scene.gone(1), 2.2 * T) <= 15


@pytest.mark.parametrize("pause", [1.0, 3.0, 4.5])
def test_a_pause_shorter_than_five_seconds_removes_nobody(pause):
    faults = [Fault(Kind.PROCESS_STOPPED, 120.0 + 37.3 * turn, pause, (turn % 5,)) for turn in range(30)]
    scene = Scene(5, *faults)
    scene.run(25 * T)
    assert scene.removals() == []


def test_a_service_that_answers_once_is_not_registered():
    # Between two checks of a service that is not up there are at least 5 s, so it is seen up once at most.
    scene = Scene(
        2, Fault(Kind.SERVICE_DOWN, 0.0, 1000.0, (0,)), Fault(Kind.ABSENT, 0.0, 99999.0, (1,)), registered=False
    )
    for turn in range(60):
        scene.cluster.at(50.0 + 11.3 * turn, lambda: scene.cluster.service_up(address_of(0)))
        scene.cluster.at(51.5 + 11.3 * turn, lambda: scene.cluster.service_down(address_of(0)))
    scene.run(900)
    assert scene.members == set()


def test_a_member_whose_ring_neighbour_has_no_agent_is_watched_all_the_same():
    scene = Scene(3)
    scene.run(3 * T)
    scene.cluster.kill_agent(address_of(0))
    for victim in (1, 2):
        survivor = Scene(3)
        survivor.run(3 * T)
        survivor.cluster.kill_agent(address_of(0))
        survivor.cluster.crash(address_of(victim))
        assert survivor.until(survivor.gone(victim), 2.2 * T) <= 40


def test_half_of_the_cluster_that_dies_is_gone_within_twelve_intervals():
    scene = Scene(20)
    scene.run(5 * T)
    for number in range(0, 20, 2):
        scene.cluster.crash(address_of(number), silent=True)
    scene.until(scene.gone(*range(0, 20, 2)), 12 * T)
    assert scene.members == set(range(1, 20, 2))


def test_more_than_half_that_dies_stays_until_it_failed_for_sixty_intervals_and_then_leaves_one_by_one():
    scene = Scene(5)
    scene.run(5 * T)
    for number in (0, 1, 2, 3):
        scene.cluster.crash(address_of(number))
    died_at = scene.cluster.now
    scene.run(40 * T)
    assert len(scene.members) >= 3
    scene.until(scene.gone(0, 1, 2, 3), 50 * T)
    assert scene.members == {4}
    late = [at for at, _ in scene.removals() if at - died_at > 55 * T]
    assert all(later - earlier >= T for earlier, later in pairwise(late))


@pytest.mark.parametrize("side", [1, 3, 6])
def test_a_partition_costs_a_few_removals_and_everybody_is_back_after_it(side):
    scene = Scene(12, Fault(Kind.PARTITION, 5 * T, 30 * T, tuple(range(side))))
    scene.run(35 * T)
    assert len(scene.removals()) <= 8
    scene.run(20 * T)
    assert scene.members == set(range(12))


def test_an_isolated_node_removes_nobody_before_the_slow_lane():
    scene = Scene(7, Fault(Kind.PARTITION, 5 * T, 50 * T, (3,)))
    scene.run(55 * T)
    assert {number for _, number in scene.removals()} == {3}


def test_an_isolated_node_that_gives_up_on_all_others_stops_when_they_come_back():
    scene = Scene(6, Fault(Kind.PARTITION, 5 * T, 90 * T, (3,)), max_failures=10)
    scene.run(95 * T)
    others = [number for _, number in scene.removals() if number != 3]
    assert len(others) <= 2
    scene.run(25 * T)
    assert scene.members == set(range(6))


def test_a_node_that_nobody_reaches_is_out_most_of_the_time():
    scene = Scene(5, Fault(Kind.DEAF, 5 * T, 120 * T, (2,)))
    inside = 0
    scene.run(5 * T)
    for _ in range(120):
        scene.run(T)
        inside += 2 in scene.members
    assert inside <= 0.25 * 120


def test_a_broken_link_does_not_keep_a_healthy_member_out():
    scene = Scene(6, Fault(Kind.CUT_LINKS, 5 * T, 60 * T, (0, 1)))
    scene.run(65 * T)
    assert len(scene.removals()) <= 5
    scene.run(25 * T)
    assert scene.members == set(range(6))


def test_lost_packets_remove_hardly_anybody():
    scene = Scene(5, Fault(Kind.LOSS, 5 * T, 360 * T, amount=0.1))
    scene.run(365 * T)
    assert len(scene.removals()) <= 1


def test_where_all_services_fail_together_all_stay():
    scene = Scene(5, Fault(Kind.SERVICE_DOWN, 5 * T, 20 * T, (0, 1, 2, 3, 4)))
    scene.run(25 * T)
    assert scene.members == {0, 1, 2, 3, 4}


def test_a_service_that_fails_alone_is_withdrawn_and_comes_back_when_it_works():
    scene = Scene(4, Fault(Kind.SERVICE_DOWN, 5 * T, 10 * T, (2,)))
    scene.run(10 * T)
    assert scene.members == {0, 1, 3}
    scene.run(10 * T)
    assert scene.members == {0, 1, 2, 3}


def test_a_failing_node_judges_nobody():
    # It cannot withdraw, since most others fail as well; one answers, so it would not blame itself for that alone.
    down = Fault(Kind.SERVICE_DOWN, 5 * T, 30 * T, (0, 2, 3, 4))
    scene = Scene(5, down, Fault(Kind.AGENT_KILLED, 4 * T, 31 * T, (1, 2, 3, 4)))
    scene.run(25 * T)
    assert scene.members == {0, 1, 2, 3, 4}


def test_who_was_removed_judges_nobody_until_it_is_back():
    scene = Scene(4, Fault(Kind.DEAF, 5 * T, T, (0,)))
    scene.run(5 * T)
    scene.until(scene.gone(0), T)
    for number in (1, 2):
        scene.cluster.kill_agent(address_of(number))
    scene.cluster.crash(address_of(3))
    scene.run(T)
    assert scene.members >= {1, 2, 3}
    assert any("who is not in the record set judges nobody" in each.text for each in scene.said("refused"))


def test_the_members_of_another_region_are_left_to_it():
    scene = Scene(6, Fault(Kind.CUT_LINKS, 5 * T, 40 * T, (0, 1, 3)), regions=2)
    scene.run(45 * T)
    assert scene.removals() == []


def test_all_that_stop_one_after_the_other_leave_but_the_last():
    scene = Scene(4, *(Fault(Kind.AGENT_STOPPED, 300.0 + 20 * number, 9999.0, (number,)) for number in range(4)))
    for number in range(4):
        scene.cluster.at(330.0 + 20 * number, lambda number=number: scene.cluster.service_down(address_of(number)))
    scene.run(600)
    assert scene.members == {3}


def test_a_wiped_record_set_is_half_full_after_one_interval_and_whole_after_four():
    scene = Scene(5)
    scene.run(5 * T)
    wiped = RecordSet(NAME, RecordType.A).holding([address_of(0)], 60)
    scene.cluster.kill_agent(address_of(0))  # so that the write is taken for that of an operator
    scene.provider.put(wiped, address_of(0))
    scene.until(lambda: len(scene.members) >= 3, 1.25 * T)
    scene.until(lambda: scene.members == {0, 1, 2, 3, 4}, 3 * T)  # who reads late takes it for a removal


def test_what_was_due_during_an_outage_of_the_provider_follows_within_five_intervals():
    scene = Scene(3, Fault(Kind.OUTAGE, 300.0, 1200.0), Fault(Kind.CRASH, 900.0, 9999.0, (1,)))
    scene.run(1500)
    scene.until(scene.gone(1), 5 * T)


def test_a_provider_that_is_down_is_asked_ever_less():
    scene = Scene(4, Fault(Kind.OUTAGE, 300.0, 3600.0))
    scene.run(300 + 600)
    before = scene.provider.requests
    scene.run(3000)
    assert scene.provider.requests - before <= 4 * 3000 / (0.75 * 4 * T) + 4


def test_a_provider_that_throttles_is_asked_once_in_four_minutes():
    scene = Scene(4, Fault(Kind.THROTTLING, 300.0, 3600.0), interval=5.0)
    scene.run(300 + 900)
    before = scene.provider.requests
    scene.run(2400)
    assert scene.provider.requests - before <= 4 * 2400 / (0.75 * 240) + 4


def test_all_register_at_once_although_they_write_over_each_other():
    scene = Scene(12, registered=False, provider=ProviderModel(reply_loss=0.2))
    scene.until(lambda: len(scene.members) == 12, 2 * T)


def test_who_finds_another_one_gone_when_it_comes_to_remove_a_member_decides_anew():
    scene = Scene(3)
    scene.run(5 * T)
    dead = address_of(1)
    scene.cluster.crash(dead)

    def operator_is_faster(by):
        scene.provider.on_commit = lambda _by: None
        held = scene.provider.held(NAME, RecordType.A)
        scene.provider.put(
            held.holding({by, dead}, 60), dead
        )  # there is no agent any more, so nobody's rules are broken

    scene.provider.on_commit = operator_is_faster
    scene.until(lambda: len(scene.members) == 2, T)
    scene.run(10)  # less than it takes the other one to come back
    assert 1 in scene.members


@pytest.mark.parametrize("silent", [False, True], ids=["refusing", "silent"])
@pytest.mark.parametrize("interval", [5.0, 60.0])
def test_an_instance_that_died_is_destroyed_and_no_other_one(interval, silent):
    scene = Scene(4, interval=interval, destroys=True)
    scene.run(5 * interval)
    scene.cluster.crash(address_of(1), silent=silent)
    scene.run(6 * interval)
    assert not scene.said("destroyed")
    scene.run(6 * interval)
    assert [node.destroyed for node in scene.cluster.nodes.values()] == [False, True, False, False]


@pytest.mark.parametrize("interval", [5.0, 60.0])
def test_an_instance_that_nobody_reaches_vetoes_its_destruction_by_coming_back(interval):
    scene = Scene(4, Fault(Kind.DEAF, 5 * interval, 150 * interval, (1,)), interval=interval, destroys=True)
    scene.run(155 * interval)
    assert not scene.said("destroyed")


def test_an_instance_whose_service_takes_long_to_start_is_not_destroyed():
    scene = Scene(5, Fault(Kind.SLOW_START, 5 * T, 3 * T, (1, 3)), destroys=True)
    scene.run(40 * T)
    assert not scene.said("destroyed")
    assert scene.members == set(range(5))


def test_what_left_by_the_slow_lane_is_never_destroyed():
    scene = Scene(4, destroys=True, max_failures=10)
    scene.run(5 * T)
    for number in (0, 1, 2):
        scene.cluster.crash(address_of(number))
    scene.until(scene.gone(0, 1, 2), 30 * T)
    slowly = scene.said("removed", "more than")
    scene.run(40 * T)
    assert slowly
    destroyed = {number for number, node in enumerate(scene.cluster.nodes.values()) if node.destroyed}
    assert not destroyed & {int(str(event.parts["address"]).split(".")[-1]) - 1 for event in slowly}


def test_a_killed_agent_leaves_its_service_in():
    scene = Scene(4, Fault(Kind.AGENT_KILLED, 5 * T, 40 * T, (0, 2)))
    scene.run(45 * T)
    assert scene.members == {0, 1, 2, 3}
    assert scene.removals() == []


def test_a_process_that_was_stopped_for_long_comes_back_and_does_no_harm():
    scene = Scene(4, *(Fault(Kind.PROCESS_STOPPED, 300.0 + 13.7 * turn * T, 5 * T, (turn % 4,)) for turn in range(8)))
    scene.run(150 * T)
    assert scene.members == {0, 1, 2, 3}
    assert len(scene.removals()) == 8


def test_a_process_that_was_stopped_while_it_probed_does_not_judge_by_what_it_found():
    undisturbed = Scene(3)
    undisturbed.run(3 * T)
    undisturbed.cluster.crash(address_of(1), silent=True)
    removed_at = 3 * T + undisturbed.until(undisturbed.gone(1), T)
    scene = Scene(3)
    scene.run(3 * T)
    scene.cluster.crash(address_of(1), silent=True)
    scene.run(removed_at - 1.0 - 3 * T)  # a round of probes takes 1.5 s, and the commit after it 0.125 s
    for number in (0, 2):
        scene.cluster.stop_process(address_of(number))
    scene.run(T)
    scene.cluster.restart(address_of(1))
    for number in (0, 2):
        scene.cluster.continue_process(address_of(number))
    scene.run(5 * T)
    assert scene.removals() == []


def test_a_member_that_failed_less_often_than_the_configuration_asks_is_left_in():
    scene = Scene(3, fall=12)
    scene.run(5 * T)
    scene.cluster.crash(address_of(1))
    assert 20 <= scene.until(scene.gone(1), 2 * T) <= 40
