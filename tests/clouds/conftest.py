"""The doubles of AWS that the clusters of this folder run on."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dnslb.testing.ministack import MiniStack

MOTO = Path(__file__).parents[2] / "plugins" / "dnslb-ec2" / "tests" / "moto_double.py"


@pytest.fixture(scope="module")
def ministack() -> Iterator[MiniStack]:
    if reason := MiniStack.missing():
        if os.environ.get("DNSLB_REQUIRE_SERVERS") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    with MiniStack("route53") as running:
        yield running


@pytest.fixture(scope="module")
def moto_url() -> Iterator[str]:
    with subprocess.Popen([sys.executable, str(MOTO)], stdout=subprocess.PIPE, text=True) as process:
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()
