"""`docs/tutorial/first-cluster.md`, typed into a shell word for word, except that the ports are free ones."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from pages import DOCS, Block, blocks

TUTORIAL = DOCS / "tutorial" / "first-cluster.md"
LIMIT = 40.0


def free_port(addresses, kinds) -> int:
    """A port that is free on all the addresses."""
    for _ in range(50):
        with ExitStack() as stack:
            port = 0
            try:
                for address in addresses:
                    for kind in kinds:
                        sock = stack.enter_context(socket.socket(type=kind))
                        sock.bind((address, port))
                        port = sock.getsockname()[1]
            except OSError:
                continue
            return port
    raise AssertionError(f"no port is free on all of {addresses}")


class Shell:
    """A shell that somebody types into; `output` is what they have on their screen."""

    def __init__(self, folder: Path):
        programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self.output = ""
        self._process = subprocess.Popen(
            ["bash"],
            cwd=folder,
            env=os.environ | {"PATH": programs},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            bufsize=1,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        self._typed = 0

    def _read(self):
        for line in self._process.stdout:
            self.output += line

    def type(self, text: str) -> str:
        """What appears on the screen until the shell is ready again; fails where the last command fails."""
        self._typed += 1
        start, prompt = len(self.output), f"prompt-{self._typed} "
        self._process.stdin.write(f"{text}\necho {prompt}$?\n")
        self._process.stdin.flush()
        self.wait_for(prompt)
        appeared, _, rest = self.output[start:].partition(prompt)
        assert rest.split()[0] == "0", f"{text}\n{self.output}"
        return appeared

    def wait_for(self, text: str) -> None:
        deadline = time.monotonic() + LIMIT
        while text not in self.output:
            assert time.monotonic() < deadline, f"{text!r} did not appear:\n{self.output}"
            time.sleep(0.02)

    def close(self):
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._reader.join()
        self._process.stdin.close()
        self._process.stdout.close()


@pytest.fixture
def shell(tmp_path):
    shell = Shell(tmp_path)
    yield shell
    shell.close()


def steps() -> list[tuple[Block, str | None]]:
    """The blocks in their order, each command with the output that is shown below it."""
    found = [block for block in blocks(TUTORIAL) if block.language != "console"]
    after = [*found[1:], None]
    return [
        (block, following.text if following and following.language == "text" else None)
        for block, following in zip(found, after, strict=True)
        if block.language != "text"
    ]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_every_step_of_the_tutorial_shows_what_it_says(shell, tmp_path):
    hosts = ["127.0.0.11", "127.0.0.12", "127.0.0.13"]
    web = free_port(hosts, [socket.SOCK_STREAM])
    dns = free_port(["127.0.0.1"], [socket.SOCK_STREAM, socket.SOCK_DGRAM])
    shown = 0
    for block, output in steps():
        text = block.text.replace("8080", str(web)).replace("5353", str(dns))
        if block.file:
            (tmp_path / block.file).write_text(text, encoding="utf-8")
        elif output is not None:
            show(shell, text, output.replace("8080", str(web)).replace("5353", str(dns)))
            shown += 1
        elif not text.startswith("dig ") or shutil.which("dig"):
            shell.type(text)
    assert shown >= 8


def show(shell: Shell, text: str, output: str) -> None:
    """Types the command, again and again if it only asks, until what appears is the output."""
    if "&" in text:
        shell.type(text)
        shell.wait_for(output)
        return
    deadline = time.monotonic() + LIMIT
    while (appeared := shell.type(text)) != output:
        assert time.monotonic() < deadline, f"{text} shows {appeared!r} in place of {output!r}:\n{shell.output}"
        time.sleep(0.1)


def test_the_tutorial_ends_as_clean_as_it_says():
    started = {line.rpartition("> ")[2] for block, _ in steps() for line in block.text.splitlines() if "& echo" in line}
    ended = {word.strip("$()") for block, _ in steps() for word in block.text.split() if word.endswith(".pid)")}
    assert started == ended
