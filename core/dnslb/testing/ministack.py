"""MiniStack, an emulator of AWS, in a process of its own on loopback: `pip install ministack`."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from types import TracebackType
from typing import Self

from dnslb.testing.nameservers.base import free_port
from dnslb.testing.wire import Endpoint

START_LIMIT = 60.0
"""Seconds that it may take until it answers, on a busy machine."""

_ATTEMPTS = 3
_PAUSE = 0.05


class MiniStack:
    """The emulator; it runs while a `with` statement does.

    Attributes:
        address: where it listens.

    Args:
        services: what it emulates, by the names that AWS has for them: "sts", "iam".
    """

    def __init__(self, *services: str) -> None:
        self._services = services
        self._running = contextlib.ExitStack()
        self.address: Endpoint = ("127.0.0.1", 0)

    @staticmethod
    def missing() -> str | None:
        """Why it cannot run here, with the package to install; None where it can."""
        if importlib.util.find_spec("ministack") is None:
            return "ministack is not installed; run: pip install ministack"
        return None

    @property
    def url(self) -> str:
        """What a client needs for an endpoint."""
        return "http://{}:{}".format(*self.address)

    def __enter__(self) -> Self:
        """Starts it, and waits until it answers.

        Raises:
            RuntimeError: it does not; the message ends with its log.
        """
        for _ in range(_ATTEMPTS):  # somebody else may be faster to take a port that was free
            said = self._start()
            if said is None:
                return self
        raise RuntimeError(f"MiniStack does not answer on {self.url}:\n{said}")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._running.close()

    def _start(self) -> str | None:
        """Starts it on a port that is free now; what it has said, where it does not answer there."""
        host, port = self.address = ("127.0.0.1", free_port())
        named = {"BIND_HOST": host, "GATEWAY_PORT": str(port), "SERVICES": ",".join(self._services)}
        with contextlib.ExitStack() as opened:
            log = opened.enter_context(tempfile.TemporaryFile())
            command = [sys.executable, "-m", "ministack"]
            process = subprocess.Popen(command, env=os.environ | named, stdout=log, stderr=log)  # noqa: S603
            opened.callback(process.wait)
            opened.callback(process.terminate)
            if self._answers(process):
                self._running = opened.pop_all()
                return None
            log.seek(0)
            return log.read().decode(errors="replace")

    def _answers(self, process: subprocess.Popen[bytes]) -> bool:
        """Whether it, and not somebody else on its port, answers before the limit."""
        deadline = time.monotonic() + START_LIMIT
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        while process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(OSError), direct.open(f"{self.url}/_ministack/health", timeout=1):
                return process.poll() is None
            time.sleep(_PAUSE)
        return False
