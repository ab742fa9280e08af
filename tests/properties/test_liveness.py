"""What happens in time once the faults are over: L1 to L6, whoever they hit and whenever."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from effort import effort
from world import World, address, policy

T = 60.0
seeds, moments = st.integers(0, 2**32), st.floats(0, T)


def cluster(size: int, seed: int, rest: float) -> World:
    """A cluster that is up and registered, some time after that."""
    world = World(policy(T), seed)
    world.start(*map(address, range(1, size + 1)))
    world.run(3 * T + rest)
    assert len(world.members) == size
    world.deeds.clear()
    return world


@pytest.mark.parametrize("size", [2, 3, 12])
@effort(10)
@given(seeds, moments, st.integers(1, 12))
def test_a_lone_crash_is_removed_within_two_intervals(size, seed, moment, number):
    world = cluster(size, seed, moment)
    dead = address(1 + number % size)
    world.crash(dead)
    assert world.run_until(world.is_without(dead), 3 * T) <= 2.2 * T, "L1"


@effort(5)
@given(seeds, moments, st.integers(1, 11), st.floats(0, 30 * T))
def test_everybody_is_back_within_twenty_intervals_of_the_end_of_a_partition(seed, moment, cut, seconds):
    world = cluster(12, seed, moment)
    world.reaches = lambda own, target: (int(own) & 15 <= cut) == (int(target) & 15 <= cut)
    world.run(seconds)
    world.reaches = lambda own, target: True
    world.run_until(lambda: len(world.members) == 12, 20 * T)


@pytest.mark.parametrize("size", [8, 20])
@effort(5)
@given(seeds, moments)
def test_half_of_the_cluster_that_died_at_once_is_gone_within_twelve_intervals(size, seed, moment):
    world = cluster(size, seed, moment)
    dead = set(map(address, range(1, size // 2 + 1)))
    world.crash(*dead)
    assert world.run_until(lambda: not world.members & dead, 20 * T) <= 12 * T, "L3"


@effort(10)
@given(seeds, moments, st.floats(60, 3600))
def test_a_removal_that_is_due_follows_within_five_intervals_of_an_outage_of_the_provider(seed, moment, outage):
    world = cluster(5, seed, moment)
    world.provider_down = True
    world.crash(address(2))
    world.run(outage)
    world.provider_down = False
    assert world.run_until(world.is_without(address(2)), 6 * T) <= 5 * T, "L4"


@effort(5)
@given(seeds, moments, st.integers(1, 12))
def test_at_rest_nothing_is_written(seed, moment, size):
    world = cluster(size, seed, moment)
    world.run(3600)
    assert world.deeds == [], "L6"
