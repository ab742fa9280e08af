"""The page about the block record says what the code does."""

import dataclasses
import re
from ipaddress import ip_address

from dnslb.decision import blockrecord, leases
from dnslb.lease import RENEWALS

from pages import DOCS, blocks, known, rows, section
from world import WALL

PAGE = DOCS / "reference" / "block-record.md"
BY_HAND, OURS = (block.text.splitlines() for block in blocks(PAGE, "text"))


def test_the_record_by_hand_is_read_as_the_page_says():
    record = blockrecord.parse(BY_HAND)
    assert record.addresses == {ip_address("10.0.0.7")}
    assert (record.owner, record.addresses_expire) == ("9f86d081", WALL + 245)
    view = leases.LeaseView(tuple(sorted(BY_HAND)), since=0.0)
    hold = leases.holds(view, 0.0, WALL + 86400)
    assert (hold.blocked_until, hold.locked_until) == (2 * 60, 5 * 60)


def test_the_longer_record_is_read_and_written_as_it_stands_there():
    record = blockrecord.parse(OURS)
    assert set(blockrecord.written(record, "www.example.com").values) == set(OURS)
    assert all(getattr(record, field.name) for field in dataclasses.fields(record))


def test_every_key_is_in_the_table():
    table = known(rows(section(PAGE, "Keys")))
    assert list(table) == list(dict.fromkeys(line.partition("=")[0] for line in OURS))
    assert {key for key, cells in table.items() if cells[-1] == "yes"} == {line.partition("=")[0] for line in BY_HAND}


def test_the_figures_are_those_of_the_code():
    text = " ".join(PAGE.read_text(encoding="utf-8").split())
    default = leases.Claim("www.example.com", "one").duration
    bounds = f"{leases.SHORTEST_DURATION} to {leases.LONGEST_DURATION} as dnslb writes it, {default} unless"
    assert bounds in text
    assert f"past by more than {leases.GRACE:.0f} s" in text
    assert f"not changed for **{leases.LONGEST / 60:.0f} minutes**" in text
    assert f"not changed for **{leases.LONGEST_ILLEGIBLE / 60:.0f} minutes**" in text
    assert RENEWALS == 6
    assert re.search(r"renews six times in `Dur`", text)
    assert leases.act_until(0.0, default) == default / 2
