"""S10: whatever stands in a record, nothing is raised, nothing worse is written, and what is somebody else's stays."""

from ipaddress import ip_address

from hypothesis import given
from hypothesis import strategies as st

from dnslb.decision import block_name, destroy_name
from dnslb.decision.blockrecord import BlockRecord, Illegible
from dnslb.decision.blockrecord import parse as parse_block_record
from dnslb.decision.destroyrecord import Stage, new_line, rewritten, watched_intents
from dnslb.decision.destroyrecord import parse as parse_line
from dnslb.records import RecordSet, RecordType
from dnslb.txt import from_strings, quote, unquote

from effort import effort
from world import WALL, World, address, policy

NAME = "www.example.test"
HOSTS = tuple(map(address, range(1, 4)))

octets = st.binary(max_size=80).map(lambda raw: from_strings([raw]))
words = st.sampled_from(
    [
        *("IP=10.0.0.1", "IP=10.0.0.2", "IP=10.0.0.9", "IP=::1", "IP=1.2.3", "IP=fe80::1%eth0", "IP= 10.0.0.1", "IP="),
        *("Stage=intent", "Stage=executing", "Stage=destroyed", "Stage=vetoed", "Stage=Intent", "Stage="),
        *("By=10.0.0.1", "By=10.0.0.3", "By=10.0.0.250", "By=?", "Token=0123abcd", "Token=", "Token=0123ABCD"),
        *(
            "Until=2026-01-02T03:10:05Z",
            "Until=",
            "OwnerId=x",
            "OwnerExpires=2026-01-02T03:10:05Z",
            "Fence=1",
            "Fence=x",
        ),
        *("IpExpires=2026-01-02T03:10:05Z", "IpExpires=never", "Dur=180", "Dur=" + "9" * 15, "", "=", "\x00", "\udcff"),
    ]
)
texts = st.one_of(octets, words, st.lists(words, max_size=6).map(" ".join), st.text(max_size=40))
values = st.lists(texts, max_size=6)


@effort(300)
@given(values)
def test_any_text_is_parsed_to_something_or_to_what_makes_no_sense(texts_):
    assert isinstance(parse_block_record(texts_), BlockRecord | Illegible | None)
    record_set = RecordSet(destroy_name(NAME), RecordType.TXT, tuple(texts_), 60)
    view = watched_intents(None, record_set, 1.0)
    assert {sighting.line.text for sighting in view.sightings} <= set(texts_)
    assert view.is_legible == all(parse_line(text) is not None for text in record_set.values)
    assert watched_intents(view, record_set, 2.0) == view


@effort(300)
@given(values)
def test_a_change_of_the_destroy_record_keeps_every_other_text_byte_for_byte_through_the_wire(texts_):
    there = RecordSet(destroy_name(NAME), RecordType.TXT, tuple(unquote(quote(text)) for text in texts_), 60)
    mine = new_line(HOSTS[0], Stage.VETOED, HOSTS[0], "0123456789abcdef", WALL)
    after = rewritten(there, [], [mine])
    assert set(after.values) == {*there.values, mine.text}
    as_read = RecordSet(there.name, there.type, tuple(unquote(quote(text)) for text in after.values), 60)
    assert as_read.values == after.values
    assert rewritten(as_read, [mine], []).values == there.values


@effort(25)
@given(values, values, st.integers(0, 2**32), st.sampled_from([None, HOSTS[0], HOSTS[1]]))
def test_a_cluster_lives_with_any_text_in_its_records_and_leaves_it_as_it_is(block, destroy, seed, dies):
    """Only lines that can be read are ever taken out: by a veto, or when they are over."""
    world = World(policy(5.0, destroys=True), seed, members=HOSTS)
    world.block_record = RecordSet(block_name(NAME), RecordType.TXT, tuple(block), 60)
    world.destroy_record = RecordSet(destroy_name(NAME), RecordType.TXT, tuple(destroy), 60)
    nonsense = {text for text in world.destroy_record.values if parse_line(text) is None}
    blocked = world.block_record
    world.start(*HOSTS)
    world.run(30)
    if dies:
        world.crash(dies)
    world.run(120)
    assert world.members, "S1"
    assert world.members <= set(HOSTS), "S2"
    assert world.block_record == blocked, "it was written by somebody who does not hold it"
    assert nonsense <= set(world.destroy_record.values), "S10: what cannot be read is gone"
    written = set(world.destroy_record.values) - set(destroy)
    assert all(parse_line(text) is not None for text in written), "S10: what was written cannot be read"


special = st.sampled_from(["0.0.0.0", "255.255.255.255", "127.0.0.1", "169.254.169.254", "224.0.0.1"]).map(ip_address)


@effort(25)
@given(st.frozensets(st.ip_addresses(v=4) | special, max_size=6), st.integers(0, 2**32))
def test_addresses_of_another_kind_are_neither_probed_nor_removed_whatever_they_are(there, seed):
    world = World(policy(5.0), seed, members={*HOSTS, *there})
    world.start(*HOSTS)
    world.run(60)
    strangers = {
        each for each in there if each.is_global or each.is_multicast or each.is_loopback or each.is_link_local
    }
    assert strangers | set(HOSTS) <= world.members, "S2: removed, though of another kind, or well"
    assert not strangers & {target for _, _, look in world.looks for target in look.probe}
