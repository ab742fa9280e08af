"""A DNS provider on a real TCP port, for tests of the kit: one JSON object a line, around a MemoryZone."""

import json
import socket
import socketserver
import threading
from contextlib import contextmanager, suppress

from dnslb import (
    Change,
    Conflict,
    OutcomeUnknown,
    ProviderError,
    Receipt,
    RecordSet,
    RecordType,
    Rejected,
    Snapshot,
    Unavailable,
)
from dnslb.testing import MemoryZone


class _Handler(socketserver.StreamRequestHandler):
    def handle(self):
        with suppress(OSError):  # the client, or the proxy before it, went away
            for line in self.rfile:
                answer = self.server.answer(json.loads(line))
                self.wfile.write(json.dumps(answer).encode() + b"\n")


class LineServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, zone):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.zone = zone

    def answer(self, request):
        try:
            return getattr(self, f"on_{request['do']}")(request)
        except ProviderError as error:
            return {"error": type(error).__name__, "message": str(error)}

    def on_read(self, request):
        found = self.zone.read(request["name"], RecordType(request["type"]))
        return {"values": found.record_set.values, "ttl": found.record_set.ttl, "version": found.version}

    def on_commit(self, request):
        return {"id": self.zone.commit([_change(**change) for change in request["changes"]]).id}

    def on_wait(self, request):
        return {"served": True}


def _change(name, type, version, values, ttl):
    absent = RecordSet(name, RecordType(type))
    return Change(Snapshot(absent, version), absent.holding(values, ttl))


@contextmanager
def serving(kind=LineServer):
    """The address of a server around a zone of its own."""
    with kind(MemoryZone()) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_address
        finally:
            server.shutdown()
            thread.join()


class LineManager:
    """A sound record manager that opens a connection for each request."""

    def __init__(self, address, timeout):
        self.address, self.timeout = address, timeout

    def read(self, name, type):
        request = {"do": "read", "name": name, "type": type.value}
        try:
            answer = self.ask(request)
        except OSError as error:
            raise Unavailable(f"reading {name} {type}: {error}") from error
        return Snapshot(RecordSet(name, type, tuple(answer["values"]), answer["ttl"]), answer["version"])

    def commit(self, changes):
        request = {"do": "commit", "changes": [_written(change) for change in changes]}
        try:
            connection = self.connect()
        except OSError as error:
            raise Unavailable(f"committing: {error}") from error
        with connection:
            return self.send_commit(connection, request)

    def send_commit(self, connection, request):
        try:
            answer = self.exchange(connection, request)
        except OSError as error:
            raise self.lost_reply(error) from error
        return Receipt(answer["id"])

    def lost_reply(self, error):
        return OutcomeUnknown(f"committing: {error}")

    def wait(self, receipt, timeout):
        try:
            return self.ask({"do": "wait"})["served"]
        except OSError as error:
            raise Unavailable(f"waiting: {error}") from error

    def close(self):
        pass

    def connect(self):
        return socket.create_connection(self.address, self.timeout)

    def ask(self, request):
        with self.connect() as connection:
            return self.exchange(connection, request)

    def exchange(self, connection, request):
        """One request and its answer; OSError where none comes."""
        connection.sendall(json.dumps(request).encode() + b"\n")
        with connection.makefile("rb") as stream:
            line = stream.readline()
        if not line.endswith(b"\n"):
            raise ConnectionError("the connection was closed before an answer came")
        answer = json.loads(line)
        if "error" in answer:
            raise {"Conflict": Conflict, "Rejected": Rejected}[answer["error"]](answer["message"])
        return answer


def _written(change):
    after = change.after
    return {
        "name": after.name,
        "type": after.type.value,
        "version": change.before.version,
        "values": after.values,
        "ttl": after.ttl,
    }
