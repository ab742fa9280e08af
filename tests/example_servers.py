"""The servers that the plugins in the documentation talk to: a pytest plugin for their tests."""

import ipaddress
import itertools
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest


class Server(ThreadingHTTPServer):
    """An HTTP server on loopback with some state, one request at a time."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, handler):
        super().__init__(("127.0.0.1", 0), handler)
        self.lock = threading.Lock()
        self.records = {}
        self.instances = {}
        self.numbers = itertools.count(1)
        self.address = self.server_address
        self.url = f"http://127.0.0.1:{self.server_port}"
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def stop(self):
        self.shutdown()
        self._thread.join()
        self.server_close()

    def launch(self, cluster):
        number = next(self.numbers)
        address = ipaddress.ip_address("10.1.0.0") + number
        with self.lock:
            self.instances[f"i-{number}"] = {"id": f"i-{number}", "address": str(address), "cluster": cluster}
        return address

    def has(self, address):
        with self.lock:
            return any(instance["address"] == str(address) for instance in self.instances.values())


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def handle_one_request(self):
        # A client that hangs up is what some of these tests are about.
        try:
            super().handle_one_request()
        except OSError:
            self.close_connection = True


class EtagApi(Handler):
    """Record sets by name and type, with a new ETag for each version, as RFC 9110 has it."""

    def do_GET(self):
        with self.server.lock:
            found = self.server.records.get(self.path)
        if found is None:
            self.answer(404)
        else:
            self.answer(200, found[1], ETag=found[0])

    def do_PUT(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        values = json.loads(body)["values"]
        if len(values) > 100:
            self.answer(422, b"too many values")
            return
        with self.server.lock:
            etag = self.server.records.get(self.path, [None])[0]
            holds = self.headers["If-None-Match"] == "*" if etag is None else self.headers["If-Match"] == etag
            if holds and values:
                self.server.records[self.path] = f'"{next(self.server.numbers)}"', body
            elif holds:
                self.server.records.pop(self.path, None)
        self.answer(204 if holds else 412)


class InventoryApi(Handler):
    """Instances with an address and a tag."""

    def do_GET(self):
        [address] = parse_qs(urlsplit(self.path).query)["address"]
        with self.server.lock:
            found = [instance for instance in self.server.instances.values() if instance["address"] == address]
        self.answer(200, json.dumps(found).encode())

    def do_DELETE(self):
        with self.server.lock:
            gone = self.server.instances.pop(self.path.rpartition("/")[2], None)
        self.answer(204 if gone else 404)


@pytest.fixture
def api():
    server = Server(EtagApi)
    yield server
    server.stop()


@pytest.fixture
def inventory():
    server = Server(InventoryApi)
    yield server
    server.stop()
