"""The demonstration is a test of its own, and must be able to fail."""

import io
import subprocess
import sys

from dnslb.demo.cluster import Cluster
from dnslb.demo.story import play


def test_the_demonstration_plays_every_step_in_under_a_minute():
    played = subprocess.run(
        [sys.executable, "-m", "dnslb", "demo"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )
    assert played.returncode == 0, played.stdout + played.stderr
    assert played.stdout.count("  ok  ") == 7
    assert "    0  empty answers" in played.stdout
    assert "    0  answers in which no address answered" in played.stdout
    assert "\x1b" not in played.stdout, "colours where there is no terminal"


def test_a_step_that_does_not_happen_fails_the_demonstration_and_shows_the_logs(monkeypatch):
    monkeypatch.setattr(Cluster, "start_server", lambda self, address: None)
    output = io.StringIO()
    assert play(output, limit=4.0) is False
    assert "FAILED" in output.getvalue()
    assert "never  all three agents register themselves" in output.getvalue()
    assert "is not registered: it fails its self-check: connection refused" in output.getvalue()
