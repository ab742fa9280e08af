"""Answers that no real server gives: whatever comes back, nothing but a ProviderError leaves the plugin."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import dns.tsig
import dns.update
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dnslb import (
    Change,
    Conflict,
    Denied,
    OutcomeUnknown,
    ProviderError,
    Receipt,
    RecordManager,
    RecordSet,
    RecordType,
    Rejected,
    Snapshot,
    Unavailable,
    ZoneNotFound,
)

NAME, A = "www.ex.test", RecordType.A
ADDRESS = "192.0.2.1"
CHANGE = Change(Snapshot(RecordSet(NAME, A), ()), RecordSet(NAME, A, (ADDRESS,), 60))

SOA = dns.rrset.from_text("ex.test.", 60, "IN", "SOA", "ns.ex.test. root.ex.test. 1 60 60 600 1")

KEY = dns.tsig.Key("dnslb", b"k" * 32, "hmac-sha256")
KEY_SECRET = "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s="
OTHER_KEY = dns.tsig.Key("dnslb", b"x" * 32, "hmac-sha256")

Answer = Callable[[dns.message.Message], bytes]
"""From a request to everything that is sent back before the connection is closed, the length in front included."""


# -- a server that says what it is told to -----------------------------------------------------------------


def honest(request: dns.message.Message) -> dns.message.Message:
    """What a good server would say, signed like the request: every name in ex.test has one address."""
    reply = dns.message.make_response(request)
    reply.flags |= dns.flags.AA
    if isinstance(request, dns.update.UpdateMessage):
        return reply
    question = request.question[0]
    if question.rdtype == dns.rdatatype.SOA:
        section = reply.answer if question.name == SOA.name else reply.authority
        section.append(SOA)
    else:
        reply.answer.append(dns.rrset.from_text(question.name, 60, "IN", "A", ADDRESS))
    return reply


def framed(wire: bytes) -> bytes:
    return struct.pack("!H", len(wire)) + wire


def truth(request: dns.message.Message) -> bytes:
    return framed(honest(request).to_wire())


class Server:
    """Answers one request a connection: questions for the SOA record with `zone_answer`, all else with `answer`."""

    def __init__(self) -> None:
        self.answer: Answer = truth
        self.zone_answer: Answer = truth
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address, self.port = self._listener.getsockname()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        # A connection without a request is the sign to end.
        socket.create_connection((self.address, self.port)).close()
        self._thread.join()

    def _serve(self) -> None:
        with self._listener:
            while True:
                connection, _ = self._listener.accept()
                with connection, contextlib.suppress(ConnectionError):
                    with connection.makefile("rb") as stream:
                        prefix = stream.read(2)
                        if not prefix:
                            return
                        request = dns.message.from_wire(stream.read(*struct.unpack("!H", prefix)), keyring=KEY)
                    connection.sendall(self._reply_to(request))

    def _reply_to(self, request: dns.message.Message) -> bytes:
        if isinstance(request, dns.update.UpdateMessage) or request.question[0].rdtype != dns.rdatatype.SOA:
            return self.answer(request)
        return self.zone_answer(request)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


@pytest.fixture(scope="module")
def connect_to(connect) -> Callable[..., RecordManager]:
    def make(server: Server, **options: object) -> RecordManager:
        on = SimpleNamespace(
            address=server.address,
            port=server.port,
            zone="ex.test",
            key_name="dnslb",
            key_secret=KEY_SECRET,
            algorithm="hmac-sha256",
        )
        return connect(on, **options)

    return make


@pytest.fixture(scope="module")
def manager(server, connect_to) -> RecordManager:
    return connect_to(server)


@pytest.fixture(scope="module")
def unsigned_manager(server, connect_to) -> RecordManager:
    return connect_to(server, key_name=None, key_secret=None)


def test_honest_answers_are_understood(server, manager):
    server.answer = truth
    assert manager.read(NAME, A).record_set.values == (ADDRESS,)
    manager.commit([CHANGE])


# -- answers that say nothing ------------------------------------------------------------------------------


def edited(edit: Callable[[dns.message.Message], object]) -> Answer:
    """The honest answer, changed before it is signed."""

    def answer(request: dns.message.Message) -> bytes:
        reply = honest(request)
        edit(reply)
        return framed(reply.to_wire())

    return answer


def with_flags(add: int = 0, remove: int = 0) -> Answer:
    def edit(reply: dns.message.Message) -> None:
        reply.flags = (reply.flags | add) & ~remove

    return edited(edit)


def with_rcode(rcode: int) -> Answer:
    return edited(lambda reply: reply.set_rcode(dns.rcode.Rcode.make(rcode)))


def without_signature(rcode: int) -> Answer:
    def edit(reply: dns.message.Message) -> None:
        reply.set_rcode(dns.rcode.Rcode.make(rcode))
        reply.tsig = None

    return edited(edit)


def with_tsig_error(error: int, other: bytes = b"", junk: bytes = b"") -> Answer:
    def answer(request: dns.message.Message) -> bytes:
        reply = honest(request)
        reply.set_rcode(dns.rcode.NOTAUTH)
        reply.use_tsig(KEY, tsig_error=error, other_data=other)
        return framed(reply.to_wire() + junk)

    return answer


def cut(length: int) -> Answer:
    """The first octets of the honest answer, framed as if they were all."""
    return lambda request: framed(honest(request).to_wire()[:length])


def altered(request: dns.message.Message) -> bytes:
    """The honest answer, one bit of which changed on the way."""
    wire = bytearray(honest(request).to_wire())
    wire[20] ^= 0x01
    return framed(bytes(wire))


def to_another_question(reply: dns.message.Message) -> None:
    """A question names what it is about; so does the answer to an update, by its zone section."""
    reply.sections[0] = [dns.rrset.RRset(dns.name.from_text("other.test."), dns.rdataclass.IN, dns.rdatatype.SOA)]


def with_another_id(reply: dns.message.Message) -> None:
    reply.id ^= 0xFFFF


MEANINGLESS: dict[str, Answer] = {
    "closed": lambda request: b"",
    "half a length": lambda request: b"\0",
    "an empty message": lambda request: framed(b""),
    "less than promised": lambda request: b"\xff\xff" + honest(request).to_wire(),
    "another protocol": lambda request: framed(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "one octet": cut(1),
    "a header alone": cut(12),
    "half a message": cut(40),
    "altered on the way": altered,
    "trailing octets": lambda request: framed(honest(request).to_wire() + b"\0"),
    "another id": edited(with_another_id),
    "another id with a TSIG error": lambda request: framed(b"\0\0" + with_tsig_error(17)(request)[4:]),
    "no reply but a request": with_flags(remove=dns.flags.QR),
    "truncated by its own account": with_flags(add=dns.flags.TC),
    "another opcode": with_flags(add=0x7000),
    "no signature": without_signature(dns.rcode.NOERROR),
    "an unsigned SERVFAIL": without_signature(dns.rcode.SERVFAIL),
    "an unsigned NXRRSET": without_signature(dns.rcode.NXRRSET),
    "another key's signature": edited(lambda reply: reply.use_tsig(OTHER_KEY)),
}


SAYS_NOTHING = r"^127\.0\.0\.1 port \d+ (sent an answer|did not answer)"


@pytest.mark.parametrize("answer", MEANINGLESS.values(), ids=list(MEANINGLESS))
def test_an_answer_that_says_nothing_leaves_a_read_unavailable(server, manager, answer):
    server.answer = answer
    with pytest.raises(Unavailable, match=SAYS_NOTHING):
        manager.read(NAME, A)


@pytest.mark.parametrize("answer", MEANINGLESS.values(), ids=list(MEANINGLESS))
def test_an_answer_that_says_nothing_leaves_the_outcome_of_a_commit_unknown(server, manager, answer):
    server.answer = answer
    with pytest.raises(OutcomeUnknown, match=SAYS_NOTHING):
        manager.commit([CHANGE])


def test_an_answer_to_another_question_is_no_answer(server, manager):
    server.answer = edited(to_another_question)
    with pytest.raises(Unavailable, match="to something else"):
        manager.read(NAME, A)


def test_a_signed_answer_to_an_unsigned_question_is_no_answer(server, unsigned_manager):
    server.answer = edited(lambda reply: reply.use_tsig(KEY))
    with pytest.raises(Unavailable, match="cannot be believed"):
        unsigned_manager.read(NAME, A)


def test_a_silent_server_is_unavailable_when_the_time_is_up(connect_to):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host, port = silent.getsockname()
        with pytest.raises(Unavailable, match="did not answer: timed out"):
            connect_to(SimpleNamespace(address=host, port=port), timeout=0.1).read(NAME, A)


def test_an_answer_from_another_time_is_no_answer(server, manager):
    def an_hour_ago(request: dns.message.Message) -> bytes:
        with pytest.MonkeyPatch.context() as patch:
            now = time.time()
            patch.setattr("dns.message.time", SimpleNamespace(time=lambda: now - 3600))
            return truth(request)

    server.answer = an_hour_ago
    with pytest.raises(Unavailable, match="from another time than ours; synchronise both clocks"):
        manager.read(NAME, A)


# -- answers that refuse -----------------------------------------------------------------------------------

REFUSALS: dict[str, tuple[Answer, type[ProviderError], type[ProviderError]]] = {
    "an unsigned REFUSED": (without_signature(dns.rcode.REFUSED), ZoneNotFound, Denied),
    "an unsigned NOTAUTH": (without_signature(dns.rcode.NOTAUTH), Denied, ZoneNotFound),
    "an unsigned FORMERR": (without_signature(dns.rcode.FORMERR), Rejected, Rejected),
    "an unsigned NOTIMP": (without_signature(dns.rcode.NOTIMP), Rejected, Rejected),
    "SERVFAIL": (with_rcode(dns.rcode.SERVFAIL), Unavailable, Unavailable),
    "REFUSED": (with_rcode(dns.rcode.REFUSED), ZoneNotFound, Denied),
    "NOTAUTH": (with_rcode(dns.rcode.NOTAUTH), Denied, ZoneNotFound),
    "NOTZONE": (with_rcode(dns.rcode.NOTZONE), Unavailable, ZoneNotFound),
    "FORMERR": (with_rcode(dns.rcode.FORMERR), Rejected, Rejected),
    "NOTIMP": (with_rcode(dns.rcode.NOTIMP), Rejected, Rejected),
    "NXRRSET": (with_rcode(dns.rcode.NXRRSET), Unavailable, Conflict),
    "YXRRSET": (with_rcode(dns.rcode.YXRRSET), Unavailable, Conflict),
    "YXDOMAIN": (with_rcode(dns.rcode.YXDOMAIN), Unavailable, Conflict),
    "a code that nobody knows": (with_rcode(12), Unavailable, OutcomeUnknown),
    "BADSIG": (with_tsig_error(dns.rcode.BADSIG), Denied, Denied),
    "BADKEY": (with_tsig_error(dns.rcode.BADKEY), Denied, Denied),
    "BADTIME": (with_tsig_error(dns.rcode.BADTIME, other=b"\0\0\0\0\0\x01"), Denied, Denied),
    "BADTIME without the time": (with_tsig_error(dns.rcode.BADTIME), Denied, Denied),
    "BADTIME with trailing octets": (with_tsig_error(dns.rcode.BADTIME, junk=b"\0"), Denied, Denied),
    "BADTRUNC": (with_tsig_error(dns.rcode.BADTRUNC), Denied, Denied),
    "an unknown TSIG error": (with_tsig_error(99), Denied, Denied),
}


@pytest.mark.parametrize(("answer", "of_a_read", "of_a_commit"), REFUSALS.values(), ids=list(REFUSALS))
def test_a_refusal_has_its_class_and_one_line(server, manager, answer, of_a_read, of_a_commit):
    server.answer = answer
    for expected, operation in (
        (of_a_read, lambda: manager.read(NAME, A)),
        (of_a_commit, lambda: manager.commit([CHANGE])),
    ):
        with pytest.raises(ProviderError) as caught:
            operation()
        assert type(caught.value) is expected
        assert "\n" not in str(caught.value)


def test_nxdomain_to_an_update_is_a_conflict_and_to_a_question_an_absent_set(server, manager):
    def edit(reply: dns.message.Message) -> None:
        reply.set_rcode(dns.rcode.NXDOMAIN)
        if isinstance(reply, dns.message.QueryMessage):
            reply.answer = []

    server.answer = edited(edit)
    assert manager.read(NAME, A).record_set.values == ()
    with pytest.raises(Conflict):
        manager.commit([CHANGE])


def test_an_answer_without_authority_is_no_record_set(server, manager):
    server.answer = with_flags(remove=dns.flags.AA)
    with pytest.raises(ZoneNotFound, match="without authority"):
        manager.read(NAME, A)


ELSEWHERE = dns.rrset.from_text("elsewhere.test.", 60, "IN", "SOA", SOA[0].to_text())


# -- answers about the zone --------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _the_truth_again(server) -> Iterator[None]:
    yield
    server.answer = server.zone_answer = truth


def with_nothing_but(*authority: dns.rrset.RRset) -> Answer:
    def edit(reply: dns.message.Message) -> None:
        reply.answer, reply.authority = [], list(authority)

    return edited(edit)


@pytest.mark.parametrize(
    "answer",
    [with_nothing_but(), with_nothing_but(ELSEWHERE)],
    ids=["no zone", "a zone that cannot hold the name"],
)
def test_a_server_that_names_no_zone_asks_for_it_to_be_given(server, connect_to, answer):
    server.zone_answer = answer
    with pytest.raises(ZoneNotFound, match=r"names no zone that holds www\.ex\.test; give it as `zone`"):
        connect_to(server).read(NAME, A)


def test_an_alias_into_the_parent_zone_does_not_hide_the_zone(server, connect_to):
    def delegated(request: dns.message.Message) -> bytes:
        reply = dns.message.make_response(request)
        reply.flags |= dns.flags.AA
        name = request.question[0].name
        if name == dns.name.from_text("sub.ex.test"):
            reply.answer.append(dns.rrset.from_text(name, 60, "IN", "SOA", SOA[0].to_text()))
        else:
            reply.answer.append(dns.rrset.from_text(name, 60, "IN", "CNAME", "other.ex.test."))
            reply.authority.append(SOA)
        return framed(reply.to_wire())

    updated = []

    def watched(request: dns.message.Message) -> bytes:
        updated.append(request.sections[0][0].name.to_text())
        return truth(request)

    server.zone_answer, server.answer = delegated, watched
    name = "new.sub.ex.test"
    connect_to(server, fqdn="alias.sub.ex.test").commit(
        [Change(Snapshot(RecordSet(name, A), ()), RecordSet(name, A, (ADDRESS,), 60))]
    )
    assert updated == ["sub.ex.test."]


def test_a_server_that_sends_no_soa_record_is_named(server, connect_to):
    manager = connect_to(server, secondaries=(f"{server.address}:{server.port}",))
    receipt = manager.commit([CHANGE])
    server.zone_answer = with_nothing_but()
    with pytest.raises(ZoneNotFound, match=f"^{server.address} port {server.port} sent no SOA record for ex.test"):
        manager.wait(receipt, 1)


def test_a_secondary_that_answered_once_is_behind_and_not_out_of_reach(server, bind, connect, write):
    asked = []

    def once(request: dns.message.Message) -> bytes:
        asked.append(request)
        return truth(request) if len(asked) == 1 else b""

    server.zone_answer = once
    manager = connect(bind, secondaries=(f"{server.address}:{server.port}",))
    receipt = write(manager, "behind.ex.test", ADDRESS)
    assert manager.wait(receipt, 0.7) is False
    assert len(asked) > 1


# -- any answer --------------------------------------------------------------------------------------------

Edits = list[tuple[int, int]]
EDITS = st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), min_size=1, max_size=6)


def mangled(edits: Edits, length: int) -> Answer:
    def answer(request: dns.message.Message) -> bytes:
        wire = bytearray(honest(request).to_wire())
        for at, octet in edits:
            wire[at % len(wire)] = octet
        return framed(bytes(wire[:length]))

    return answer


def outcome(operation: Callable[[], object]) -> object:
    """What it returned, or the ProviderError that it raised; a server that is not there fails the test."""
    try:
        return operation()
    except ProviderError as error:
        if "cannot connect" in str(error):
            raise
        return error


@given(edits=EDITS, length=st.integers(0, 400))
@settings(max_examples=200, deadline=None, database=None)
def test_no_change_to_a_signed_answer_is_believed(server, manager, edits, length):
    server.answer = mangled(edits, length)
    read, committed = outcome(lambda: manager.read(NAME, A)), outcome(lambda: manager.commit([CHANGE]))
    assert isinstance(read, ProviderError) or read.record_set.values == (ADDRESS,)
    assert isinstance(committed, ProviderError | Receipt)
    assert not isinstance(committed, Conflict)


@given(edits=EDITS, length=st.integers(0, 400))
@settings(max_examples=200, deadline=None, database=None)
def test_no_unsigned_answer_raises_anything_but_a_provider_error(server, unsigned_manager, edits, length):
    server.answer = mangled(edits, length)
    assert isinstance(outcome(lambda: unsigned_manager.read(NAME, A)), ProviderError | Snapshot)
    assert isinstance(outcome(lambda: unsigned_manager.commit([CHANGE])), ProviderError | Receipt)
