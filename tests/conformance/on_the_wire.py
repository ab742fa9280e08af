"""Record managers that talk to a server, sound and broken; test_conformance_kit.py says which checks must fail."""

import ssl
import threading
from functools import partial

import pytest
import trustme
from line_server import LineManager, LineServer, serving

from dnslb import Capabilities, Conflict, OutcomeUnknown, Receipt, RecordSet, Snapshot, Unavailable
from dnslb.testing import RecordManagerConformance, Store

AUTHORITY = trustme.CA()


class OnTheWire(RecordManagerConformance):
    capabilities = Capabilities(atomic_names=True, min_ttl=0)
    commits = 80
    time_limit = 6.0
    Made = LineManager

    @pytest.fixture
    def store(self):
        with serving() as address:
            yield Store(zone="ex.test", make=partial(self.make, address), server=address)

    def make(self, address, via=None):
        return self.Made(via or address, timeout=1.0 if via else 30.0)


class TestSound(OnTheWire):
    pass


class KeepsItsConnection(LineManager):
    """Sound: one connection for all requests, opened again after it broke."""

    def __init__(self, address, timeout):
        super().__init__(address, timeout)
        self.lock = threading.Lock()
        self.kept = None

    def read(self, name, type):
        with self.lock:
            return super().read(name, type)

    def commit(self, changes):
        with self.lock:
            return super().commit(changes)

    def connect(self):
        if self.kept is None or self.kept.connection.fileno() < 0:
            self.kept = _Kept(super().connect())
        return self.kept

    def close(self):
        if self.kept:
            self.kept.connection.close()


class _Kept:
    """A connection that a `with` statement leaves open, unless it broke."""

    def __init__(self, connection):
        self.connection = connection
        self.sendall, self.makefile = connection.sendall, connection.makefile

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        if kind and issubclass(kind, OSError | Unavailable | OutcomeUnknown):
            self.connection.close()


class TestSoundWithOneConnection(OnTheWire):
    Made = KeepsItsConnection


class ReadsBeforeItWrites(LineManager):
    """Sound: its commit takes two exchanges, as with an API that compares by etag."""

    def commit(self, changes):
        for change in changes:
            self.read(change.after.name, change.after.type)
        return super().commit(changes)


class TestSoundThatReadsBeforeItWrites(OnTheWire):
    Made = ReadsBeforeItWrites


class TlsServer(LineServer):
    def __init__(self, zone):
        super().__init__(zone)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        AUTHORITY.issue_cert("127.0.0.1").configure_cert(self.context)

    def get_request(self):
        client, address = super().get_request()
        client.settimeout(5)
        return self.context.wrap_socket(client, server_side=True, do_handshake_on_connect=False), address


class SpeaksTls(LineManager):
    """Sound: a connection with a TLS handshake for each request."""

    context = ssl.create_default_context()
    AUTHORITY.configure_trust(context)

    def connect(self):
        plain = super().connect()
        try:
            return self.context.wrap_socket(plain, server_hostname="127.0.0.1")
        except OSError:
            plain.close()
            raise


class TestSoundWithTls(OnTheWire):
    Made = SpeaksTls

    @pytest.fixture
    def store(self):
        with serving(TlsServer) as address:
            yield Store(zone="ex.test", make=partial(self.make, address), server=address)


class NeverGivesUp(LineManager):
    def connect(self):
        connection = super().connect()
        connection.settimeout(None)
        return connection


class TestHangs(OnTheWire):
    time_limit = 3.0
    Made = NeverGivesUp


class SendsAgain(LineManager):
    def send_commit(self, connection, request):
        try:
            return super().send_commit(connection, request)
        except OutcomeUnknown:
            with self.connect() as second:
                return super().send_commit(second, request)


class TestSendsALostCommitAgain(OnTheWire):
    Made = SendsAgain


class Optimist(LineManager):
    def send_commit(self, connection, request):
        try:
            return super().send_commit(connection, request)
        except OutcomeUnknown:
            return Receipt()


class TestReportsALostReplyAsSuccess(OnTheWire):
    Made = Optimist


class TestReportsALostReplyAsConflict(OnTheWire):
    class Made(LineManager):
        def lost_reply(self, error):
            return Conflict("no reply")


class TestReportsASilentServerAsUnavailable(OnTheWire):
    class Made(LineManager):
        def lost_reply(self, error):
            return Unavailable("no reply") if isinstance(error, TimeoutError) else super().lost_reply(error)


class TestReportsABrokenConnectionAsUnavailable(OnTheWire):
    class Made(LineManager):
        def lost_reply(self, error):
            return super().lost_reply(error) if isinstance(error, TimeoutError) else Unavailable("no reply")


class TestReportsAServerThatIsDownAsUnknown(OnTheWire):
    class Made(LineManager):
        def commit(self, changes):
            try:
                return super().commit(changes)
            except Unavailable as error:
                raise OutcomeUnknown(str(error)) from error


class TestReadsNothingWhereNobodyAnswers(OnTheWire):
    class Made(LineManager):
        def read(self, name, type):
            try:
                return super().read(name, type)
            except Unavailable:
                return Snapshot(RecordSet(name, type))


class TestLetsForeignExceptionsPass(OnTheWire):
    class Made(LineManager):
        def read(self, name, type):
            try:
                return super().read(name, type)
            except Unavailable as error:
                raise error.__cause__ from None


class NeverReconnects(KeepsItsConnection):
    def connect(self):
        self.kept = self.kept or _Kept(LineManager.connect(self))
        return self.kept


class TestKeepsABrokenConnection(OnTheWire):
    Made = NeverReconnects


class WaitsForEver(LineManager):
    def wait(self, receipt, timeout):
        while True:
            try:
                return super().wait(receipt, timeout)
            except Unavailable:
                pass


class TestWaitsForEver(OnTheWire):
    time_limit = 3.0
    Made = WaitsForEver


class TestIgnoresTheAddressItIsGiven(OnTheWire):
    @pytest.fixture
    def store(self):
        with serving() as address:
            yield Store(zone="ex.test", make=lambda via=None: LineManager(address, 5.0), server=address)
