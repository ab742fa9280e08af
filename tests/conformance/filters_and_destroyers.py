"""Region filters and destroyers, sound and broken; test_conformance_kit.py says which checks must fail."""

from ipaddress import ip_address

import pytest

from dnslb import Rejected, Unavailable
from dnslb.testing import DestroyerConformance, Fleet, Region, RegionFilterConformance


def addresses(*texts):
    return frozenset(map(ip_address, texts))


INSIDE = addresses("10.0.0.1", "10.0.0.2", "fd00::1")
OUTSIDE = addresses("10.9.0.1", "fd00:9::1")


class Filter:
    """Sound: knows its region by heart."""

    def __init__(self, fails=False):
        self.fails = fails

    def filter(self, addresses):
        if self.fails:
            self.fail()
        return addresses & INSIDE

    def fail(self):
        raise Unavailable("the list of hosts cannot be read")


class Filters(RegionFilterConformance):
    Made = Filter

    @pytest.fixture
    def region(self):
        return Region(make=self.Made, inside=INSIDE, outside=OUTSIDE, broken=lambda: self.Made(fails=True))


class TestSoundFilter(Filters):
    pass


class TestSoundFilterWithoutTrouble(Filters):
    @pytest.fixture
    def region(self):
        return Region(make=Filter, inside=INSIDE)


class TestKeepsEverything(Filters):
    class Made(Filter):
        def filter(self, addresses):
            super().filter(addresses)
            return addresses


class TestKeepsWhatIsElsewhere(Filters):
    class Made(Filter):
        def filter(self, addresses):
            return super().filter(addresses) | (addresses & OUTSIDE)


class TestAnswersWithTheWholeRegion(Filters):
    class Made(Filter):
        def filter(self, addresses):
            super().filter(addresses)
            return INSIDE


class TestTakesNothingForEverything(Filters):
    class Made(Filter):
        def filter(self, addresses):
            return super().filter(addresses) if addresses else INSIDE


class TestTakesAnEmptyAnswerForAnError(Filters):
    class Made(Filter):
        def filter(self, addresses):
            found = super().filter(addresses)
            if addresses and not found:
                raise Rejected("nothing found")
            return found


class TestAsksForTwoHundredAtMost(Filters):
    class Made(Filter):
        def filter(self, addresses):
            if len(addresses) > 200:
                raise Rejected("more than 200 values")
            return super().filter(addresses)


class TestKnowsNoIpv6Address(Filters):
    class Made(Filter):
        def filter(self, addresses):
            return frozenset(found for found in super().filter(addresses) if found.version == 4)


class TestKeepsNothingUnlessAllAreInside(Filters):
    class Made(Filter):
        def filter(self, addresses):
            return super().filter(addresses) if addresses <= INSIDE else frozenset()


class TestKeepsNothingUnlessAllAreAsked(Filters):
    class Made(Filter):
        def filter(self, addresses):
            return super().filter(addresses) if addresses >= INSIDE else frozenset()


class TestAnswersWithASetThatCanChange(Filters):
    class Made(Filter):
        def filter(self, addresses):
            return set(super().filter(addresses))


class TestAnswersNothingWhenItCannotTell(Filters):
    class Made(Filter):
        def filter(self, addresses):
            return frozenset() if self.fails else super().filter(addresses)


class TestFiltersWithForeignExceptions(Filters):
    class Made(Filter):
        def fail(self):
            raise OSError("the list of hosts cannot be read")


UNKNOWN, TWICE = ip_address("10.0.1.200"), ip_address("10.0.1.201")


class Instances:
    """What runs: a list of addresses, in which TWICE may stand more than once."""

    def __init__(self):
        self.running = []

    def launch(self):
        self.running.append(ip_address(f"10.0.1.{len(self.running) + 1}"))
        return self.running[-1]

    def launch_twins(self):
        self.running += [TWICE, TWICE]
        return TWICE


class Reaper:
    """Sound: looks at each address before it destroys any."""

    def __init__(self, instances, fails=False):
        self.instances, self.fails = instances, fails

    def destroy(self, addresses):
        if self.fails:
            self.fail()
        for address in addresses:
            self.check(address)
        for address in addresses:
            self.end(address)

    def fail(self):
        raise Unavailable("the provider does not answer")

    def check(self, address):
        found = self.instances.running.count(address)
        if found != 1:
            raise Rejected(f"{found} instances carry {address}")

    def end(self, address):
        self.instances.running = [running for running in self.instances.running if running != address]


class Reapers(DestroyerConformance):
    destroy_limit = 0.3
    Made = Reaper

    @pytest.fixture
    def fleet(self):
        instances = Instances()
        return Fleet(
            make=lambda: self.Made(instances),
            launch=instances.launch,
            alive=lambda address: address in instances.running,
            unknown=UNKNOWN,
            uncertain=instances.launch_twins,
            broken=lambda: self.Made(instances, fails=True),
        )


class TestSoundDestroyer(Reapers):
    pass


class TestDestroysNobody(Reapers):
    class Made(Reaper):
        def end(self, address):
            pass


class TestDestroysTheFirstOnly(Reapers):
    class Made(Reaper):
        def destroy(self, addresses):
            super().destroy(frozenset(sorted(addresses)[:1]))


class TestDestroysAllForNone(Reapers):
    class Made(Reaper):
        def destroy(self, addresses):
            super().destroy(addresses or frozenset(self.instances.running))


class TestDestroysTheNeighbourToo(Reapers):
    class Made(Reaper):
        def end(self, address):
            super().end(address)
            super().end(address + 1)


class TestDoesNotMindUnknownAddresses(Reapers):
    class Made(Reaper):
        def check(self, address):
            if address in self.instances.running:
                super().check(address)


class TestDestroysTheLastForAnUnknownAddress(Reapers):
    class Made(Reaper):
        def check(self, address):
            if address == UNKNOWN:
                self.instances.running.pop()
            super().check(address)


class TestDestroysTwins(Reapers):
    class Made(Reaper):
        def check(self, address):
            if address not in self.instances.running:
                super().check(address)


class TestChecksOneOfSeveral(Reapers):
    class Made(Reaper):
        def destroy(self, addresses):
            if len(addresses) > 1:
                self.check = lambda address: None
            super().destroy(addresses)


class TestRaisesAKeyErrorTheSecondTime(Reapers):
    class Made(Reaper):
        gone: frozenset = frozenset()

        def destroy(self, addresses):
            if self.gone & addresses:
                raise KeyError("i-0123")
            super().destroy(addresses)
            self.gone |= addresses


class TestIsSilentWhenItCannotReachItsProvider(Reapers):
    class Made(Reaper):
        def destroy(self, addresses):
            if not self.fails:
                super().destroy(addresses)


class TestDestroysWithForeignExceptions(Reapers):
    class Made(Reaper):
        def fail(self):
            raise OSError("the provider does not answer")
