"""Checks of record managers: that names and values come back as the same names and values."""

from __future__ import annotations

from functools import partial

import pytest

from dnslb.interfaces import RecordManager
from dnslb.records import RecordType
from dnslb.testing.record_managers.base import RecordManagerChecks, values_of

TXT_VALUES = {
    "key=value": "holder=0123abcd",
    "spaces": "  two  spaces  ",
    "quotes": 'say "hi" twice',
    "backslashes": "a\\b\\\\c\\",
    "escape": "not \\032 a space",
    "semicolons": "v=DKIM1; k=rsa; p=",
    "punctuation": "$(x) {y} [z] <w> 'v' #u @t %20",
    "300 characters": "0123456789" * 30,
    "600 octets": "abc def " * 75,
    "not ASCII": "naïve ☃",
}

IPV6_ADDRESSES = {
    "in full": ("FD00:0:0:0:0:0:0:1", "fd00::1"),
    "with two gaps": ("2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
    "with one zero": ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),
    "with an IPv4 tail": ("::192.0.2.1", "::c000:201"),
    "ending in zeros": ("2001:db8:0000::", "2001:db8::"),
}
"""As somebody writes it, and its canonical text: RFC 5952, sections 2 and 4."""


class ValueChecks(RecordManagerChecks):
    """Spelling: of names, addresses and texts."""

    def test_names_are_the_same_in_any_spelling(self, manager: RecordManager, name: str) -> None:
        """Case and the trailing dot make no difference (RFC 4343)."""
        self.write(manager, name, RecordType.A, ["192.0.2.11"])
        for spelling in (name.upper(), name + ".", name.title() + "."):
            found = manager.read(spelling, RecordType.A).record_set
            assert (found.name, found.values) == (name, ("192.0.2.11",)), f"the same set, read as {spelling}"

    @pytest.mark.parametrize(("written", "canonical"), IPV6_ADDRESSES.values(), ids=list(IPV6_ADDRESSES))
    def test_an_ipv6_address_is_the_same_in_any_spelling(
        self, manager: RecordManager, name: str, written: str, canonical: str
    ) -> None:
        """It is read in its canonical text (RFC 5952), and the snapshot holds whatever the server's text is."""
        self.write(manager, name, RecordType.AAAA, [written])
        before = manager.read(name, RecordType.AAAA)
        assert before.record_set.values == (canonical,)
        self.replace(manager, before, ["2001:db8::2"])
        assert values_of(manager, name, RecordType.AAAA) == ("2001:db8::2",)

    def test_the_order_of_values_makes_no_difference(self, manager: RecordManager, name: str) -> None:
        """A set has no order: servers rotate it, and texts sort differently from numbers."""
        values = ("192.0.2.9", "192.0.2.10", "192.0.2.100")
        self.write(manager, name, RecordType.A, values[::-1])
        for left in (values, values[1:], values[2:]):
            before = manager.read(name, RecordType.A)
            assert before.record_set.values == left
            outcome = self.outcome("commit()", partial(self.replace, manager, before, left[1:]))
            assert not isinstance(outcome, Exception), (
                f"nobody else wrote, and the commit raised {outcome!r}: hosts could neither join nor leave"
            )

    @pytest.mark.parametrize("value", TXT_VALUES.values(), ids=list(TXT_VALUES))
    def test_a_txt_value_survives_the_round_trip(self, manager: RecordManager, name: str, value: str) -> None:
        """Quoting and the cut into strings of 255 octets (RFC 1035, sections 3.3 and 5.1) stay inside the plugin."""
        self.write(manager, name, RecordType.TXT, [value])
        before = manager.read(name, RecordType.TXT)
        assert before.record_set.values == (value,)
        self.replace(manager, before, ["replaced"])
        assert values_of(manager, name, RecordType.TXT) == ("replaced",)

    def test_a_txt_set_holds_several_values(self, manager: RecordManager, name: str) -> None:
        """Each is a record of its own."""
        values = ("alpha", "beta; gamma", "with space")
        self.write(manager, name, RecordType.TXT, values)
        before = manager.read(name, RecordType.TXT)
        assert before.record_set.values == values
        self.replace(manager, before, values[:2])
        assert values_of(manager, name, RecordType.TXT) == values[:2]
