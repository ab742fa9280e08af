"""The HTTP proxy of `dnslb.testing`: what passes, what it answers itself, and what it has seen."""

import urllib.error
import urllib.request

import pytest

from dnslb.testing.httpproxy import Answer, HttpProxy
from dnslb.testing.jsonserver import Answer as JsonAnswer
from dnslb.testing.jsonserver import JsonServer


@pytest.fixture
def server():
    """Answers with the verb and the target of the request, and the length of its body."""
    server = JsonServer(lambda asked: JsonAnswer(201, [asked.verb, asked.target, len(asked.body)]))
    yield server
    assert server.failures == []
    server.close()


@pytest.fixture
def proxy(server):
    with HttpProxy(server.address) as proxy:
        yield proxy


def ask(proxy: HttpProxy, path: str, body: bytes | None = None) -> tuple[int, bytes]:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(urllib.request.Request(proxy.url + path, body), timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def test_requests_and_answers_pass_as_they_are(proxy):
    assert ask(proxy, "/zones?name=a%20b") == (201, b'["GET", "/zones?name=a%20b", 0]')
    assert ask(proxy, "/changes", b"four") == (201, b'["POST", "/changes", 4]')


def test_what_its_rule_answers_does_not_reach_the_server(proxy):
    proxy.rule = lambda seen: Answer(400, b"no writes", {"Content-Type": "text/plain"}) if seen.body else None
    assert ask(proxy, "/changes", b"four") == (400, b"no writes")
    assert ask(proxy, "/zones")[0] == 201


def test_it_keeps_what_came_with_its_time(proxy):
    for path in ("/one", "/two"):
        ask(proxy, path)
    assert [(seen.method, seen.path) for seen in proxy.seen] == [("GET", "/one"), ("GET", "/two")]
    assert proxy.seen[0].at < proxy.seen[1].at
