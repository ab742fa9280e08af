"""The proxy that loses things: what passes, what does not, and what it counts."""

import socket
import threading
import time
from contextlib import contextmanager, suppress

import pytest

from dnslb.testing import CuttingProxy, Mode

LIMIT = 10.0


class EchoServer:
    """Answers each line with the same line, and remembers what it was asked."""

    def __init__(self):
        self.asked = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = self.listener.getsockname()
        self.closing = False
        self.thread = threading.Thread(target=self.serve)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.closing = True
        socket.create_connection(self.address).close()
        self.thread.join()
        self.listener.close()

    def serve(self):
        handlers = []
        while not self.closing:
            client, _ = self.listener.accept()
            handlers.append(threading.Thread(target=self.handle, args=(client,)))
            handlers[-1].start()
        for handler in handlers:
            handler.join()

    def handle(self, client):
        with client, client.makefile("rwb") as stream, suppress(OSError):
            for line in stream:
                self.asked.append(line)
                stream.write(line)
                stream.flush()


@pytest.fixture
def server():
    with EchoServer() as server:
        yield server


@pytest.fixture
def proxy(server):
    with CuttingProxy(server.address) as proxy:
        yield proxy


@contextmanager
def connected(proxy):
    with socket.create_connection(proxy.address, LIMIT) as client, client.makefile("rb") as stream:
        yield Client(client, stream)


class Client:
    def __init__(self, client, stream):
        self.client, self.stream = client, stream

    def send(self, line):
        self.client.sendall(line)

    def ask(self, line):
        self.send(line)
        return self.stream.readline()

    def is_cut(self):
        """Whether the connection was closed by the other end."""
        try:
            return self.stream.readline() == b""
        except ConnectionResetError:
            return True

    def hears_nothing(self, seconds=0.2):
        self.client.settimeout(seconds)
        with pytest.raises(TimeoutError):
            self.client.recv(1)
        self.client.settimeout(LIMIT)
        return True


def eventually(condition):
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)
    return True


def test_it_passes_everything_until_it_is_told_otherwise(server, proxy):
    with connected(proxy) as client:
        assert [client.ask(b"one\n"), client.ask(b"two\n")] == [b"one\n", b"two\n"]
    assert server.asked == [b"one\n", b"two\n"]


def test_it_counts_what_passes(proxy):
    with connected(proxy) as first, connected(proxy) as second:
        first.ask(b"one\n")
        first.ask(b"two\n")
        second.ask(b"three\n")
        counted = proxy.counters
    assert (counted.connections, counted.requests, counted.replies, counted.lost) == (2, 3, 3, 0)
    assert counted.bytes_to_server == counted.bytes_to_client == len(b"one\ntwo\nthree\n")


def test_a_request_in_pieces_is_one_request(server, proxy):
    with connected(proxy) as client:
        client.send(b"o")
        assert eventually(lambda: proxy.counters.bytes_to_server == 1)
        assert client.ask(b"ne\n") == b"one\n"
    assert proxy.counters.requests == 1
    assert server.asked == [b"one\n"]


def test_a_large_transfer_passes_whole(proxy):
    line = b"x" * 3_000_000 + b"\n"
    with connected(proxy) as client:
        sender = threading.Thread(target=client.send, args=(line,))
        sender.start()
        assert client.stream.readline() == line
        sender.join()


def test_a_client_that_has_shut_down_its_sending_half_still_gets_its_reply(proxy):
    with connected(proxy) as client:
        client.send(b"one\n")
        client.client.shutdown(socket.SHUT_WR)
        assert client.stream.read() == b"one\n"


def test_a_cut_reply_reaches_nobody_although_the_request_was_served(server, proxy):
    with connected(proxy) as client:
        client.ask(b"before\n")
        proxy.switch(Mode.CUT_REPLY)
        client.send(b"lost\n")
        assert client.is_cut()
    assert server.asked == [b"before\n", b"lost\n"]
    assert (proxy.counters.requests, proxy.counters.replies, proxy.counters.lost) == (2, 1, 1)


def test_a_held_reply_leaves_the_connection_open_and_silent(server, proxy):
    proxy.switch(Mode.HOLD_REPLY)
    with connected(proxy) as client:
        client.send(b"lost\n")
        assert eventually(lambda: proxy.counters.lost == 1)
        assert client.hears_nothing()
        client.send(b"more\n")
        assert eventually(lambda: proxy.counters.requests == 2)
        assert client.hears_nothing()
    assert server.asked == [b"lost\n"]


def test_a_cut_request_never_arrives(server, proxy):
    proxy.switch(Mode.CUT_REQUEST)
    with connected(proxy) as client:
        client.send(b"lost\n")
        assert client.is_cut()
    assert server.asked == []
    assert (proxy.counters.lost, proxy.counters.bytes_to_server) == (1, 0)


def test_a_stalled_request_never_arrives_and_is_never_answered(server, proxy):
    proxy.switch(Mode.STALL)
    with connected(proxy) as client:
        client.send(b"lost\n")
        assert eventually(lambda: proxy.counters.lost == 1)
        assert client.hears_nothing()
        assert proxy.open_connections == 1
    assert server.asked == []
    assert eventually(lambda: proxy.open_connections == 0)


def test_a_mode_can_begin_after_some_more_requests(server, proxy):
    proxy.switch(Mode.CUT_REPLY, after=2)
    with connected(proxy) as client:
        assert [client.ask(b"one\n"), client.ask(b"two\n")] == [b"one\n", b"two\n"]
        client.send(b"three\n")
        assert client.is_cut()
    assert len(server.asked) == 3


def test_a_mode_holds_for_every_connection_until_it_is_switched_off(proxy):
    proxy.switch(Mode.CUT_REPLY)
    for _ in range(2):
        with connected(proxy) as client:
            client.send(b"lost\n")
            assert client.is_cut()
    proxy.switch(Mode.PASS)
    with connected(proxy) as client:
        assert client.ask(b"back\n") == b"back\n"


def test_a_lost_reply_counts_even_if_the_client_does_not_wait_for_it(server, proxy):
    proxy.switch(Mode.CUT_REPLY)
    with connected(proxy) as client:
        client.send(b"lost\n")
    assert eventually(lambda: proxy.counters.lost == 1)
    assert server.asked == [b"lost\n"]
    assert eventually(lambda: proxy.open_connections == 0)


def test_a_server_that_is_down_closes_the_connection():
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        with CuttingProxy(bound.getsockname()) as proxy, connected(proxy) as client:
            assert client.is_cut()


def test_closing_it_closes_every_connection_and_the_port(proxy):
    with connected(proxy) as client:
        client.ask(b"one\n")
        proxy.close()
        assert client.is_cut()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(proxy.address, LIMIT)
    proxy.close()


def test_a_stalled_connection_does_not_hold_up_closing(proxy):
    proxy.switch(Mode.STALL)
    with connected(proxy) as client:
        client.send(b"lost\n")
        assert eventually(lambda: proxy.counters.lost == 1)
        proxy.close()
        assert client.is_cut()
