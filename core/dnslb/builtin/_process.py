"""Runs one command under a time limit: bounded in what is kept of its output, and killed with its process group."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from time import monotonic

KEPT = 1024 * 1024
"""How many octets of each of the two outputs are kept; the rest is read and thrown away."""

_LONGEST_WAIT = 0.05
"""Seconds within which the end of a command is noticed whose outputs something else holds open, and a cancellation."""

_KILL_WAIT = 1.0
"""Seconds to wait for a killed process; one that hangs in the kernel (a dead NFS server) is left behind."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended: its exit status, or the negative number of the signal that killed it; and its outputs."""

    status: int
    output: bytes
    errors: bytes


def run(
    program: str,
    arguments: Sequence[str],
    timeout: float,
    *,
    given: bytes = b"",
    cancelled: threading.Event | None = None,
) -> Ended:
    """Runs `program` with `arguments`, the first of which is its own name, and with `given` as its input.

    The command leads a process group of its own. What it leaves in the background when it ends is not waited for.

    Raises:
        TimeoutError: it took longer than `timeout` seconds, or `cancelled` was set; its process group was killed.
        OSError: it could not be started.
    """
    deadline = monotonic() + timeout
    with _started(program, arguments, given) as process, selectors.PollSelector() as selector:
        outputs = _Outputs(process, selector)
        while process.poll() is None:
            left = deadline - monotonic()
            if left <= 0 or (cancelled is not None and cancelled.is_set()):
                raise TimeoutError
            outputs.read(min(left, _LONGEST_WAIT))
        return Ended(process.returncode, *outputs.rest())


@contextlib.contextmanager
def _started(program: str, arguments: Sequence[str], given: bytes) -> Iterator[subprocess.Popen[bytes]]:
    """The running command; killed where it has not ended by itself when the context is left."""
    # A file in memory: a command may read it or not, and nobody has to write to a pipe meanwhile.
    with os.fdopen(os.memfd_create("input"), "w+b") as standard_input:
        standard_input.write(given)
        standard_input.seek(0)
        process = subprocess.Popen(  # noqa: S603 - the operator's own command, and no shell is involved
            arguments,
            executable=program,
            stdin=standard_input,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        _kill(process)
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


def _kill(process: subprocess.Popen[bytes]) -> None:
    # As long as the leader has not been waited for, its number and its group's cannot be somebody else's.
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_KILL_WAIT)


class _Outputs:
    """The two outputs of a process, read as they come, so that it is never held up by a full pipe."""

    def __init__(self, process: subprocess.Popen[bytes], selector: selectors.BaseSelector) -> None:
        self._process = process
        self._selector = selector
        self._kept: dict[int, bytearray] = {}
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                os.set_blocking(pipe.fileno(), False)
                selector.register(pipe.fileno(), selectors.EVENT_READ)
                self._kept[pipe.fileno()] = bytearray()

    def read(self, timeout: float) -> None:
        """Waits for output and reads it, or for the end where both outputs are closed."""
        if not self._selector.get_map():
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout)
            return
        for key, _ in self._selector.select(timeout):
            if not self._read(key.fd):
                self._selector.unregister(key.fd)

    def rest(self) -> tuple[bytes, bytes]:
        """What was kept of both outputs, with what the pipes still hold."""
        for fd in self._kept:
            with contextlib.suppress(BlockingIOError):
                self._read(fd)
        output, errors = map(bytes, self._kept.values())
        return output, errors

    def _read(self, fd: int) -> int:
        # More than a pipe holds (pipe(7)), so that one call empties it.
        data = os.read(fd, KEPT)
        kept = self._kept[fd]
        kept += data[: KEPT - len(kept)]
        return len(data)
