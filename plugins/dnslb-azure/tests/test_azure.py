"""What Azure DNS has of its own: etags, metadata, aliases, limits, propagation."""

from __future__ import annotations

from functools import partial

import pytest

from dnslb import Change, Conflict, Receipt, RecordSet, RecordType, Rejected, Snapshot, Throttled
from dnslb.testing.azuredns import Quota
from dnslb_azure import dnslb_record_managers

WWW = "www.ex.test"
A, AAAA, TXT = RecordType.A, RecordType.AAAA, RecordType.TXT
ALIAS = "/subscriptions/0/resourceGroups/net/providers/Microsoft.Network/publicIPAddresses/front"


def writes(dns) -> list[tuple[str, str | None, str | None]]:
    return [(each.method, each.if_match, each.if_none_match) for each in dns.requests if each.method != "GET"]


def etag(dns, type: str = "A", relative: str = "www") -> str:
    return dns.record_set("ex.test", type, relative)["etag"]


# -- requests ----------------------------------------------------------------------------------------------


def test_every_write_names_what_it_replaces(dns, manager, write):
    write(manager, WWW, "192.0.2.1")
    first = etag(dns)
    write(manager, WWW, "192.0.2.1", "192.0.2.2")
    second = etag(dns)
    write(manager, WWW)
    assert writes(dns) == [("PUT", None, "*"), ("PUT", first, None), ("DELETE", second, None)]


def test_a_name_is_read_by_one_request_once_the_zone_is_known(dns, manager, write):
    write(manager, WWW, "192.0.2.1")
    before = len(dns.requests)
    manager.read(WWW, A)
    (request,) = dns.requests[before:]
    assert request.path.endswith("/dnsZones/ex.test/A/www")


def test_the_apex_of_a_zone_can_be_a_service(dns, connect, write, values):
    manager = connect("ex.test")
    write(manager, "ex.test", "192.0.2.1")
    assert dns.record_set("ex.test", "A", "@")["properties"]["fqdn"] == "ex.test."
    assert values(manager, "ex.test") == ("192.0.2.1",)


def test_several_record_sets_are_rejected_before_anything_is_sent(dns, manager, change):
    changes = [change(manager.read(name, A), "192.0.2.1") for name in (WWW, "mail.ex.test")]
    with pytest.raises(Rejected, match="commit of 2 record sets; Azure DNS takes one at a time"):
        manager.commit(changes)
    assert writes(dns) == []


def test_a_commit_of_nothing_is_applied(dns, manager):
    assert manager.wait(manager.commit([]), 1.0)
    assert dns.requests == []


# -- etags -------------------------------------------------------------------------------------------------


def test_whatever_changes_the_set_is_a_conflict_even_if_the_values_are_the_same(dns, manager, change, write):
    write(manager, WWW, "192.0.2.1")
    before = manager.read(WWW, A)
    properties = dns.record_set("ex.test", "A", "www")["properties"]
    dns.place("ex.test", "A", "www", properties | {"metadata": {"owner": "somebody"}})
    with pytest.raises(Conflict, match="412 PreconditionFailed"):
        manager.commit([change(before, "192.0.2.2")])


def test_an_empty_record_set_reads_as_absent_and_is_replaced_by_its_etag(dns, manager, write, values):
    dns.place("ex.test", "A", "www", {"TTL": 60, "ARecords": []})
    left = etag(dns)
    assert not manager.read(WWW, A).record_set.exists
    write(manager, WWW, "192.0.2.1")
    assert writes(dns) == [("PUT", left, None)]
    assert values(manager, WWW) == ("192.0.2.1",)


def test_deleting_what_somebody_else_has_deleted_is_a_conflict(dns, manager, change, write):
    write(manager, WWW, "192.0.2.1")
    before = manager.read(WWW, A)
    write(manager, WWW)
    with pytest.raises(Conflict):
        manager.commit([change(before)])


def test_a_deletion_that_found_nothing_is_a_conflict(dns, manager, change, write):
    # The vendor's reference has an answer of its own for it, 204, and does not say whether a precondition comes first.
    write(manager, WWW, "192.0.2.1")
    before = manager.read(WWW, A)
    dns.fail(204, "", writes=True)
    with pytest.raises(Conflict, match="was deleted since it was read"):
        manager.commit([change(before)])


def test_to_leave_absent_what_was_created_meanwhile_is_a_conflict(manager, change, write):
    before = manager.read(WWW, A)
    write(manager, WWW, "192.0.2.1")
    with pytest.raises(Conflict, match="was created since it was read"):
        manager.commit([change(before)])


# -- what is kept ------------------------------------------------------------------------------------------


def test_metadata_is_kept_when_a_set_is_replaced(dns, manager, write):
    metadata = {"owner": "web team", "cost centre": "42"}
    dns.place("ex.test", "A", "www", {"TTL": 60, "ARecords": [{"ipv4Address": "192.0.2.1"}], "metadata": metadata})
    write(manager, WWW, "192.0.2.2")
    found = dns.record_set("ex.test", "A", "www")["properties"]
    assert (found["metadata"], found["ARecords"]) == (metadata, [{"ipv4Address": "192.0.2.2"}])


@pytest.mark.parametrize("records", [[], [{"ipv4Address": "192.0.2.9"}]], ids=["without records", "with records"])
def test_an_alias_record_set_is_refused_and_left_alone(dns, manager, records):
    dns.place("ex.test", "A", "www", {"TTL": 60, "ARecords": records, "targetResource": {"id": ALIAS}})
    with pytest.raises(Rejected, match=f"is an alias of {ALIAS}"):
        manager.read(WWW, A)
    assert writes(dns) == []


def test_a_set_that_became_an_alias_meanwhile_is_not_overwritten(dns, manager, change):
    before = manager.read(WWW, A)
    dns.place("ex.test", "A", "www", {"TTL": 60, "targetResource": {"id": ALIAS}})
    with pytest.raises(Conflict):
        manager.commit([change(before, "192.0.2.1")])


def test_beside_a_cname_record_nothing_is_written(dns, manager, write):
    dns.place("ex.test", "CNAME", "www", {"TTL": 60, "CNAMERecord": {"cname": "elsewhere.test"}})
    with pytest.raises(Rejected, match="A CNAME record cannot share"):
        write(manager, WWW, "192.0.2.1")


# -- limits ------------------------------------------------------------------------------------------------


def unread(type: RecordType, values: tuple[str, ...], ttl: int = 60) -> Change:
    before = Snapshot(RecordSet(WWW, type))
    return Change(before, before.record_set.holding(values, ttl))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (unread(A, tuple(f"192.0.2.{number}" for number in range(21))), "21 values; Azure DNS keeps at most 20"),
        (unread(A, ("192.0.2.1",), ttl=0), "a TTL of 0 s; Azure DNS takes 1 s or more"),
        (unread(TXT, ("x" * 4097,)), "4097 characters; Azure DNS keeps at most 4096"),
        (unread(TXT, ("x" * 4000, "y" * 97)), "4097 characters"),
        (unread(TXT, ("\udcff",)), "octets that are not UTF-8"),
    ],
    ids=["too many", "no TTL", "too long", "too long together", "no text"],
)
def test_what_azure_cannot_hold_is_rejected_before_it_is_sent(dns, manager, change, said):
    with pytest.raises(Rejected, match=said):
        manager.commit([change])
    assert dns.requests == []


@pytest.mark.parametrize(
    "text", ["x" * 4096, "é" * 300, "x" * 254 + "☃" * 3, ""], ids=["longest", "wide", "cut", "empty"]
)
def test_a_long_text_is_cut_between_characters(dns, manager, write, values, text):
    write(manager, WWW, text, type=TXT)
    ((record),) = dns.record_set("ex.test", "TXT", "www")["properties"]["TXTRecords"]
    assert all(len(string.encode()) <= 255 for string in record["value"])
    assert values(manager, WWW, TXT) == (text,)


def test_the_limits_are_declared():
    (registration,) = dnslb_record_managers()
    declared = registration.capabilities
    assert (declared.max_values, declared.atomic_names, declared.min_ttl) == (20, False, 1)


def test_the_fake_refuses_what_the_sdk_has_no_word_for(dns):
    dns.place("ex.test", "A", "www", {"TTL": "soon"})
    found = dns.record_set("ex.test", "A", "www")
    with pytest.raises(Exception, match="soon"):
        dns._check("RecordSet", found)
    with pytest.raises(AssertionError, match="came back as"):
        dns._check("RecordSet", {"properties": {"TTL": 60, "weight": 3}})


# -- waiting -----------------------------------------------------------------------------------------------


def pending(dns, manager, state: str) -> Receipt:
    """The receipt of a commit that Azure had not finished when it answered, and what it says of it since."""
    place = partial(dns.place, "ex.test", "A", "www")
    place({"TTL": 60, "ARecords": [], "provisioningState": "Updating"})
    answer = dns.record_set("ex.test", "A", "www")
    before = manager.read(WWW, A)
    store = dns._store
    dns._store = lambda zone, type, relative, properties: store(
        zone, type, relative, {**properties, "provisioningState": "Updating"}
    )
    receipt = manager.commit([Change(before, before.record_set.holding(["192.0.2.1"], 60))])
    dns._store = store
    assert dns.record_set("ex.test", "A", "www") is not answer
    place({"TTL": 60, "ARecords": [{"ipv4Address": "192.0.2.1"}], "provisioningState": state})
    return receipt


def test_a_change_that_is_not_through_is_waited_for(dns, manager):
    assert manager.wait(pending(dns, manager, "Succeeded"), 5.0) is True


def test_a_change_that_does_not_get_through_is_waited_for_no_longer_than_told(dns, manager):
    assert manager.wait(pending(dns, manager, "Updating"), 0.2) is False


# -- throttling --------------------------------------------------------------------------------------------


def test_writes_beyond_the_quota_are_throttled_and_nothing_is_sent_again(dns, manager, write, values):
    dns.quota = Quota(writes=2, seconds=60.0)
    write(manager, WWW, "192.0.2.1")
    write(manager, WWW, "192.0.2.2")
    with pytest.raises(Throttled) as raised:
        write(manager, WWW, "192.0.2.3")
    assert 55 < raised.value.retry_after <= 61
    assert len(writes(dns)) == 3
    assert values(manager, WWW) == ("192.0.2.2",)
