"""What holds for the tests of the core and of every plugin: missing name servers, and the closing lines."""

from __future__ import annotations

import os
from collections import Counter

import pytest
from hypothesis import settings

from dnslb.testing import NOT_APPLICABLE
from dnslb.testing.nameservers import SERVERS

settings.register_profile("thorough", max_examples=2000)
"""For `--hypothesis-profile=thorough`: twenty times as many examples, see tests/effort.py."""


def pytest_configure() -> None:
    """Refuses to start without the name servers where skipping is forbidden, as it is in CI."""
    missing = [reason for server in SERVERS if (reason := server.missing())]
    if missing and os.environ.get("DNSLB_REQUIRE_SERVERS") == "1":
        raise pytest.UsageError(f"DNSLB_REQUIRE_SERVERS=1 forbids to skip: {'; '.join(missing)}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says how many tests were skipped and why, one line a reason."""
    reasons = Counter(_reason(report) for report in terminalreporter.getreports("skipped"))
    terminalreporter.section("skipped tests")
    if not reasons:
        terminalreporter.line("none")
    for reason, count in reasons.most_common():
        terminalreporter.line(f"{count:>5}  {reason}")


def _reason(report: pytest.TestReport) -> str:
    assert isinstance(report.longrepr, tuple)  # of a skipped test: path, line, "Skipped: reason"
    reason = report.longrepr[2].removeprefix("Skipped: ")
    return "not applicable to the plugin under test" if reason.startswith(NOT_APPLICABLE) else reason
