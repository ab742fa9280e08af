"""Address sources, sound and broken; test_conformance_kit.py says which checks must fail."""

from ipaddress import ip_address

import pytest

from dnslb import Unavailable
from dnslb.testing import AddressSourceConformance, OwnHost


def addresses(*texts):
    return frozenset(map(ip_address, texts))


FIRST, SECOND = addresses("10.0.0.7", "fd00::7"), addresses("10.0.0.8", "fd00::8")


class Source:
    """Sound: told by whoever makes it."""

    def __init__(self, told, fails=False):
        self.told = told
        self.fails = fails

    def find(self):
        if self.fails:
            self.fail()
        return frozenset(self.told)

    def fail(self):
        raise Unavailable("nobody answers")


class Sources(AddressSourceConformance):
    Made = Source
    first = FIRST

    @pytest.fixture
    def host(self):
        told = set(self.first)

        def move():
            told.clear()
            told.update(SECOND)
            return SECOND

        return OwnHost(
            make=lambda: self.Made(told),
            addresses=self.first,
            move=move,
            broken=lambda: self.Made(told, fails=True),
        )


class TestSoundSource(Sources):
    pass


class TestSoundSourceOfAFixedAddress(Sources):
    @pytest.fixture
    def host(self):
        return OwnHost(make=lambda: Source(FIRST), addresses=FIRST)


class TestFindsAnIpv4AddressOnly(Sources):
    class Made(Source):
        def find(self):
            return frozenset(found for found in super().find() if found.version == 4)


class TestCanBeAskedOnce(Sources):
    class Made(Source):
        def find(self):
            found, self.told = super().find(), ()
            return found


class TestRemembersForGood(Sources):
    class Made(Source):
        def __init__(self, told, fails=False):
            super().__init__(frozenset(told), fails)


class TestAnswersWithText(Sources):
    class Made(Source):
        def find(self):
            return frozenset(map(str, super().find()))


class TestAnswersWithASetOfAddressesThatCanChange(Sources):
    class Made(Source):
        def find(self):
            return set(super().find())


class TestFindsSecondaryAddressesToo(Sources):
    first = FIRST | addresses("10.0.0.70")


class TestFindsTheLinkLocalAddress(Sources):
    first = addresses("10.0.0.7", "fe80::7")


class TestFindsNothingWhenItCannotTell(Sources):
    class Made(Source):
        def find(self):
            return frozenset() if self.fails else super().find()


class TestFindsWithForeignExceptions(Sources):
    class Made(Source):
        def fail(self):
            raise OSError("nobody answers")
