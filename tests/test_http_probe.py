"""The probe `http`: what it asks, what it accepts, and what no server can do to it."""

import asyncio
import ipaddress
import signal
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import trustme
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dnslb import ProbeResult, Service, Target, Verdict
from dnslb.builtin import http
from dnslb.builtin._http import judge_by, request_text
from dnslb.builtin._response import HEAD_LIMIT, RESPONSE_LIMIT, BadResponse
from dnslb.builtin.http import HttpOptions
from dnslb.options import parse_options, schema_of
from dnslb.testing import ProbeConformance, Probed

from peers import hold, serving

NAME = "www.example.com"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def read_request(connection):
    request = b""
    while not request.endswith(b"\r\n\r\n"):
        request += connection.recv(4096)
    return request


def answering(response, address="127.0.0.1", tls=None):
    """A server that reads a request, sends `response` and hangs up."""

    def answer(connection):
        read_request(connection)
        connection.sendall(response)
        connection.shutdown(1)
        hold(connection)

    return serving(answer, address, tls)


def check(options, target, timeout=5.0):
    probe = http.make(options, Service(NAME, target.port))
    [result] = asyncio.run(probe.check([target], timeout))
    return result


class TestHttpConformance(ProbeConformance):
    timeout = 1.0

    @pytest.fixture
    def probed(self):
        return Probed(
            make=lambda: http.make(HttpOptions(), Service(NAME, 80)), serve=lambda address: answering(OK, address)
        )


# -- the request -------------------------------------------------------------------------------------------


def lines(options, port):
    return request_text(options, Service(NAME, port)).decode().split("\r\n")


def test_the_request_is_complete_and_asks_for_an_end_of_the_connection():
    request = lines(HttpOptions(path="/healthz?full=1"), 8080)
    assert request[0] == "GET /healthz?full=1 HTTP/1.1"
    assert "Host: www.example.com:8080" in request
    assert "Connection: close" in request
    assert "Accept-Encoding: identity" in request
    assert request[-2:] == ["", ""]


@pytest.mark.parametrize(
    ("options", "port", "host"),
    [
        (HttpOptions(), 80, NAME),
        (HttpOptions(), 443, f"{NAME}:443"),
        (HttpOptions(tls="insecure"), 443, NAME),
        (HttpOptions(tls="insecure"), 80, f"{NAME}:80"),
        (HttpOptions(host="health.example.net:1"), 80, "health.example.net:1"),
    ],
)
def test_the_host_header_names_the_port_unless_it_is_the_usual_one(options, port, host):
    assert f"Host: {host}" in lines(options, port)


def test_further_headers_are_sent_and_replace_the_probes_own():
    request = lines(HttpOptions(headers={"user-agent": "me", "X-Probe": "a b\tc"}), 80)
    assert "X-Probe: a b\tc" in request
    assert [line for line in request if line.lower().startswith("user-agent")] == ["user-agent: me"]


def test_what_is_sent_is_what_was_written(tmp_path):
    requests = []

    def answer(connection):
        requests.append(read_request(connection))
        connection.sendall(OK)

    options = HttpOptions(method="HEAD", path="/x", headers={"X": "y"})
    with serving(answer) as target:
        assert check(options, target).healthy
        assert requests == [request_text(options, Service(NAME, target.port))]


# -- verdicts ----------------------------------------------------------------------------------------------

WORLD = HttpOptions(body="world")


@pytest.mark.parametrize(
    ("options", "response", "healthy", "detail"),
    [
        (HttpOptions(), OK, True, "status 200"),
        (HttpOptions(), b"HTTP/1.0 204 No Content\r\n\r\n", True, "status 204"),
        (HttpOptions(), b"HTTP/1.1 200\r\n\r\n", True, "status 200"),
        (HttpOptions(), b"HTTP/1.1 503 Service Unavailable\r\n\r\n", False, "status 503"),
        (
            HttpOptions(),
            b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n",
            False,
            "status 302 (redirects are not followed)",
        ),
        (HttpOptions(status=("200", "300-399")), b"HTTP/1.1 302 Found\r\n\r\n", True, "status 302"),
        (HttpOptions(status=("404",)), OK, False, "status 200"),
        (HttpOptions(), b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: a\r\n\r\n" + OK, True, "status 200"),
        (HttpOptions(), b"HTTP/1.1 101 Switching Protocols\r\n\r\n", False, "status 101"),
        (HttpOptions(method="HEAD"), b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", True, "status 200"),
        # Only the status is wanted, so that nothing is said about the body.
        (HttpOptions(), b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf", True, "status 200"),
        # Bodies: counted, chunked, until the end of the connection.
        (WORLD, b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello world", True, "status 200"),
        (WORLD, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello world", False, "not in its first 64 KiB"),
        (WORLD, b"HTTP/1.1 200 OK\r\n\r\nhello world", True, "status 200"),
        (WORLD, b"HTTP/1.1 200 OK\r\n\r\nhello", False, "not in its first 64 KiB"),
        (
            WORLD,
            b"HTTP/1.1 200 OK\r\ntransfer-encoding:\tChunked \r\n\r\n6;x=y\r\nhello \r\n3\r\nwor\r\n2\r\nld\r\n0\r\n",
            True,
            "status 200",
        ),
        (
            WORLD,
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Trailer: world\r\n\r\n",
            False,
            "not in its first 64 KiB",
        ),
        (WORLD, b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nworld", False, "not in its first 64 KiB"),
        (HttpOptions(body="Grüße"), b"HTTP/1.1 200 OK\r\n\r\n" + "Viele Grüße".encode(), True, "status 200"),
        # What was looked for is there before the connection breaks.
        (WORLD, b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhello world", True, "status 200"),
        (
            WORLD,
            b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello",
            False,
            "closed 4 octets before the end of the body",
        ),
        (
            WORLD,
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhello",
            False,
            "closed in the middle of a chunk",
        ),
        # What is not HTTP, or not all of it.
        (HttpOptions(), b"", False, "closed without an answer"),
        (HttpOptions(), b"HTTP/1.1 200", False, "closed in the middle of a line"),
        (HttpOptions(), b"HTTP/1.1 200 OK\r\n", False, "closed early"),
        (HttpOptions(), b"SSH-2.0-OpenSSH_9.6\r\n", False, "not HTTP/1.1: 'SSH-2.0-OpenSSH_9.6'"),
        (HttpOptions(), b"HTTP/2 200\r\n\r\n", False, "not HTTP/1.1: 'HTTP/2 200'"),
        (HttpOptions(), b"HTTP/1.1 20 OK\r\n\r\n", False, "not HTTP/1.1: 'HTTP/1.1 20 OK'"),
        (HttpOptions(), b"HTTP/1.1 999 OK\r\n\r\n", False, "not HTTP/1.1: 'HTTP/1.1 999 OK'"),
        (HttpOptions(), b"HTTP/1.1 200 OK\n\n", False, r"a line without CRLF: 'HTTP/1.1 200 OK\\n'"),
        (HttpOptions(), b"HTTP/1.1 200 \x1b[31mred\r\n\r\n", False, r"not HTTP/1.1: 'HTTP/1.1 200 \\x1b[31mred'"),
        (HttpOptions(), b"HTTP/1.1 200 OK\r\nfolded: a\r\n b\r\n\r\n", False, "not a header: ' b'"),
        (HttpOptions(), b"HTTP/1.1 200 OK\r\nspace : a\r\n\r\n", False, "not a header: 'space : a'"),
        (HttpOptions(), b"HTTP/1.1 200 OK\r\nnothing\r\n\r\n", False, "not a header: 'nothing'"),
        (WORLD, b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", False, "not a Content-Length: '-1'"),
        (
            WORLD,
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            False,
            "not a Content-Length: '1, 2'",
        ),
        (WORLD, b"HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nworld", True, "status 200"),
        (
            WORLD,
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            False,
            "a Transfer-Encoding that was not asked for: 'gzip, chunked'",
        ),
        (
            WORLD,
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\nworld",
            False,
            "both Transfer-Encoding and Content-Length",
        ),
        (
            WORLD,
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nworld\r\n",
            False,
            "not the size of a chunk: 'world'",
        ),
        (
            WORLD,
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n",
            False,
            "a chunk that does not end where it should",
        ),
    ],
)
def test_a_response_is_judged(options, response, healthy, detail):
    with answering(response) as target:
        result = check(options, target)
    assert result.verdict is (Verdict.HEALTHY if healthy else Verdict.FAILED)
    assert result.detail.endswith(detail)


def test_ipv6_is_the_same():
    with answering(OK, "::1") as target:
        assert check(HttpOptions(), target) == ProbeResult(Verdict.HEALTHY, "status 200")


def test_a_redirect_is_not_followed():
    followed = threading.Event()

    def note(connection):
        followed.set()
        connection.sendall(OK)

    with serving(note) as elsewhere:
        to = f"Location: http://127.0.0.1:{elsewhere.port}/\r\n".encode()
        with answering(b"HTTP/1.1 301 Moved\r\n" + to + b"\r\n") as target:
            assert not check(HttpOptions(), target).healthy
    assert not followed.is_set()


# -- servers that mean no good -----------------------------------------------------------------------------


def test_nothing_is_read_after_the_head_where_only_the_status_is_wanted():
    def never_ends(connection):
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        hold(connection)

    with serving(never_ends) as target:
        assert check(HttpOptions(), target, timeout=30).healthy


def flood(start, more):
    """A server that sends `more` again and again; and how much of it was taken from it."""
    sent = []

    def send_without_end(connection):
        read_request(connection)
        connection.sendall(start)
        try:
            while True:
                connection.sendall(more)
                sent.append(len(more))
        except OSError:
            pass

    return serving(send_without_end), sent


@pytest.mark.parametrize(
    ("start", "more", "detail"),
    [
        (b"HTTP/1.1 200 OK\r\n", b"x-more: and more\r\n", "a head of more than 16 KiB"),
        (b"HTTP/1.1 200 OK\r\nx-endless: ", b"x" * 1000, "a head of more than 16 KiB"),
        (b"HTTP/1.1 200 ", b"OK" * 500, "a head of more than 16 KiB"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n", "a head of more than 16 KiB"),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 1000, "not in its first 64 KiB"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n", b"x" * 1000, "not in its first 64 KiB"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n", "not in its first 64 KiB"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"x" * 1000, "not in its first 64 KiB"),
    ],
)
def test_an_answer_without_end_is_cut_off(start, more, detail):
    server, sent = flood(start, more)
    with server as target:
        result = check(WORLD, target, timeout=30)
    assert result.verdict is Verdict.FAILED
    assert result.detail.endswith(detail)
    # Whatever the buffers of the kernel took besides.
    assert sum(sent) < 20_000_000


def test_the_limits_are_exact():
    head = b"HTTP/1.1 200 OK\r\nx: "
    for surplus, detail in ((0, "status 200"), (1, "a head of more than 16 KiB")):
        padding = b"x" * (HEAD_LIMIT - len(head) - 4 + surplus)
        with answering(head + padding + b"\r\n\r\n") as target:
            assert check(HttpOptions(), target).detail == detail
    head = b"HTTP/1.1 200 OK\r\n\r\n"
    for surplus, healthy in ((0, True), (1, False)):
        padding = b"x" * (RESPONSE_LIMIT - len(head) - len("world") + surplus)
        with answering(head + padding + b"world") as target:
            assert check(WORLD, target).healthy is healthy


def test_a_drip_of_octets_does_not_stretch_the_time_limit():
    def drip(connection):
        read_request(connection)
        while True:
            connection.sendall(b"H")
            time.sleep(0.01)

    with serving(drip) as target:
        began = time.monotonic()
        result = check(HttpOptions(), target, timeout=0.5)
        assert time.monotonic() - began < 2
    assert result == ProbeResult(Verdict.FAILED, "connected, but no answer in 0.5 s")


def test_a_stopped_process_fails():
    script = (
        "import socket; s = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1], flush=True); s.accept()"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        try:
            stopped = Target(ipaddress.ip_address("127.0.0.1"), int(process.stdout.readline()))
            process.send_signal(signal.SIGSTOP)
            result = check(HttpOptions(), stopped, timeout=0.3)
        finally:
            process.kill()
    assert result == ProbeResult(Verdict.FAILED, "connected, but no answer in 0.3 s")


# -- TLS ---------------------------------------------------------------------------------------------------


def test_https_verifies_as_the_probe_tls_does(tmp_path):
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(NAME).configure_cert(context)
    body = b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 50_000 + b"world"
    with answering(body, tls=context) as target:
        verify = {"tls": "verify", "ca_file": tmp_path / "ca.pem", "body": "world"}
        assert check(HttpOptions(**verify), target) == ProbeResult(Verdict.HEALTHY, "status 200")
        assert check(HttpOptions(**verify, server_name="other.example.com"), target) == ProbeResult(
            Verdict.FAILED, "certificate is not for other.example.com"
        )
        assert check(HttpOptions(tls="insecure"), target).healthy
        assert "not the pinned one" in check(HttpOptions(tls="pin", pin=("00" * 32,)), target).detail
        assert not check(HttpOptions(), target).healthy


def test_https_to_a_plain_server_has_failed():
    with serving(lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as target:
        assert check(HttpOptions(tls="insecure"), target).detail == "TLS failed: wrong version number"


# -- whatever comes ----------------------------------------------------------------------------------------


class Pieces:
    """A stream that hands out a response in given pieces, and then its end."""

    def __init__(self, pieces):
        self._pieces = iter([piece for piece in pieces if piece])

    def receive(self):
        return next(self._pieces, b"")
        yield


def judged(options, pieces):
    """What the judge says of a response, as text; only a BadResponse may be raised."""
    steps = judge_by(options)(Pieces(pieces))
    try:
        next(steps)
    except StopIteration as done:
        return done.value.detail
    except BadResponse as error:
        return str(error)
    pytest.fail("it waited, though the stream had something, or had ended")


def cut(data, places):
    ends = sorted({place % (len(data) + 1) for place in places})
    return [data[start:end] for start, end in zip([0, *ends], [*ends, len(data)], strict=True)]


PARTS = st.sampled_from(
    [
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.0 204 \r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"Content-Length: 5\r\n",
        b"Content-Length: 99999999999999999999\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"\r\n",
        b"5\r\nworld\r\n",
        b"0\r\n\r\n",
        b"ffffffffffffffff\r\n",
        b"\n",
        b"\r",
        b"\0",
        b"wor",
        b"ld",
    ]
)
RESPONSES = st.one_of(
    st.binary(max_size=200),
    st.lists(st.one_of(PARTS, st.binary(max_size=20)), max_size=12).map(b"".join),
)


@settings(deadline=None)
@given(RESPONSES, st.lists(st.integers(0, 10_000), max_size=8), st.sampled_from([HttpOptions(), WORLD]))
@example(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", [], WORLD)
def test_any_octets_in_any_pieces_have_one_verdict_and_raise_nothing(response, places, options):
    whole = judged(options, [response])
    assert whole == judged(options, cut(response, places))
    assert whole.isprintable()


@settings(deadline=None)
@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=8), st.booleans())
def test_a_chunked_body_is_the_same_body(body, places, there):
    if there:
        body += b"world"
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in cut(body, places) if piece)
    response = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
    assert (judged(WORLD, [response]) == "status 200") is (b"world" in body)


# -- options -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({"path": "healthz"}, "path 'healthz' is not a /"),
        ({"path": "/a b"}, "is not a /"),
        ({"path": "/\r\nX: y"}, "is not a /"),
        ({"path": "/#fragment"}, "is not a /"),
        ({"path": "/grüße"}, "is not a /"),
        ({"host": "a\r\nX: y"}, "is not a host name"),
        ({"host": ""}, "is not a host name"),
        ({"headers": {"X": "a\r\nY: b"}}, "the value of X is not plain ASCII text on one line"),
        ({"headers": {"X": "a\n"}}, "the value of X"),
        ({"headers": {"X": "grüße"}}, "the value of X"),
        ({"headers": {"X: y\r\nZ": "a"}}, "is not the name of a header"),
        ({"headers": {"": "a"}}, "is not the name of a header"),
        ({"headers": {"Host": "a"}}, "headers: Host is the probe's own; use the option host"),
        ({"headers": {"connection": "keep-alive"}}, "headers: connection is the probe's own"),
        ({"headers": {"Content-Length": "1"}}, "headers: Content-Length is the probe's own"),
        ({"method": "POST"}, "is not one of GET, HEAD"),
        ({"method": "HEAD", "body": "x"}, "method GET"),
        ({"body": ""}, "body needs text"),
        ({"status": 99}, "'99' is not a status"),
        ({"status": 600}, "'600' is not a status"),
        ({"status": "299-200"}, "'299-200' is not a status"),
        ({"status": "200,204"}, "'200,204' is not a status"),
        ({"status": [200, "x"]}, "'x' is not a status"),
        ({"status": []}, "a status such as 200, a range such as 200-299, or a list"),
        ({"status": {"a": 1}}, "a status such as 200, a range such as 200-299, or a list"),
        ({"tls": "on"}, "'on' is not one of off, verify, pin, insecure"),
        ({"tls": True}, "is not one of off, verify, pin, insecure"),
        ({"tls": "pin"}, "tls: pin needs the option pin"),
        ({"pin": "00" * 32}, "pin is only used with tls: pin, and tls is off"),
        ({"ca_file": "ca.pem"}, "ca_file is only used with tls: verify, and tls is off"),
        ({"server_name": "a.example"}, "server_name is only used with TLS, and tls is off"),
    ],
)
def test_options_that_make_no_sense_are_refused(written, said):
    problems = []
    assert parse_options(HttpOptions, written, base=Path(), problems=problems) is None
    assert said in str(problems[0])
    assert "\n" not in str(problems[0])


@pytest.mark.parametrize(
    ("written", "statuses"),
    [(200, ("200",)), ("200-299", ("200-299",)), ([200, "300-399"], ("200", "300-399"))],
)
def test_statuses_are_written_as_a_number_a_range_or_a_list(written, statuses):
    options = parse_options(HttpOptions, {"status": written}, base=Path(), problems=[])
    assert options.status == statuses


def test_tls_off_is_understood_though_yaml_takes_it_for_false():
    assert parse_options(HttpOptions, {"tls": False}, base=Path(), problems=[]).tls == "off"


def test_the_schema_knows_the_forms():
    properties = schema_of(HttpOptions)["properties"]
    assert properties["status"]["anyOf"][1]["type"] == "array"
    assert False in properties["tls"]["enum"]
