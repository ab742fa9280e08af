"""A stand-in for AWS that answers as it is told to, and accounts that ask it."""

from __future__ import annotations

import collections
import contextlib
import datetime as dt
import html
import http.server
import os
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import pytest

from dnslb_aws.account import Account
from dnslb_aws.options import AwsOptions

REGION = "eu-west-1"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Credentials of nobody, no configuration of this machine, and no way out of it."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in {
        "AWS_ACCESS_KEY_ID": "of-the-host",
        "AWS_SECRET_ACCESS_KEY": "nothing",
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "127.0.0.1",
    }.items():
        monkeypatch.setenv(name, value)


@dataclass(frozen=True)
class Answer:
    """What is said next; `cut` ends the connection instead."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False


class Service(http.server.ThreadingHTTPServer):
    """STS, as far as it takes; all that it does is to answer.

    Attributes:
        answers: what it answers next, in order; where none are left, it does as STS does.
        seen: action, access key and form of each request.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: collections.deque[Answer] = collections.deque()
        self.seen: list[tuple[str, str, dict[str, str]]] = []

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def actions(self) -> list[str]:
        return [action for action, _, _ in self.seen]

    @property
    def signers(self) -> list[str]:
        return [key for _, key, _ in self.seen]

    def refuse(self, code: str, message: str = "as the test wants it", status: int = 400, **headers: str) -> None:
        error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{html.escape(message)}</Message></Error>"
        self.answers.append(Answer(status, f"<ErrorResponse>{error}</ErrorResponse>".encode(), headers))

    def say(self, body: bytes) -> None:
        """Answers next with something that AWS does not write."""
        self.answers.append(Answer(body=body))

    def cut(self, times: int) -> None:
        """Ends the next connections without an answer."""
        self.answers.extend([Answer(cut=True)] * times)

    def grant(self, key: str, seconds: float) -> None:
        """Answers next with credentials of a role, good for that long."""
        self.answers.append(Answer(body=credentials(key, seconds)))


def credentials(key: str, seconds: float) -> bytes:
    until = (dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return (
        "<AssumeRoleResponse><AssumeRoleResult><Credentials>"
        f"<AccessKeyId>{key}</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>"
        f"<Expiration>{until}</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"
    ).encode()


IDENTITY = (
    b"<GetCallerIdentityResponse><GetCallerIdentityResult><Account>123456789012</Account></GetCallerIdentityResult>"
    b"</GetCallerIdentityResponse>"
)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Service

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        form = dict(urllib.parse.parse_qsl(body))
        key = self.headers["Authorization"].partition("Credential=")[2].split("/")[0]
        self.server.seen.append((form["Action"], key, form))
        usual = {"GetCallerIdentity": IDENTITY, "AssumeRole": credentials("of-the-role", 3600)}
        answer = self.server.answers.popleft() if self.server.answers else Answer(body=usual[form["Action"]])
        if answer.cut:
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def service() -> Iterator[Service]:
    with Service() as running:
        yield running


@pytest.fixture
def account(service: Service) -> Iterator[Callable[..., Account]]:
    """`account(**options)`: an account at the stand-in, closed after the test."""
    with contextlib.ExitStack() as opened:

        def make(**options: Any) -> Account:
            made = Account(AwsOptions(**{"endpoint_url": service.url} | options), sts_url=service.url)
            opened.callback(made.close)
            return made

        yield make


@pytest.fixture
def ask() -> Callable[..., str]:
    """`ask(account)`: one call, a question or an order; the number of the account that AWS knows it by."""

    def ask(account: Account, *, order: bool = False, url: str | None = None) -> str:
        with account.calling("cannot ask", order=order):
            url = url or account._options.endpoint_url
            client = account.client("sts", REGION, attempts=1 if order else 2, url=url)
            number: str = client.get_caller_identity()["Account"]
            return number

    return ask
