"""The doubles of AWS that the clusters of this folder run on."""

import os
from collections.abc import Iterator

import pytest

from dnslb.testing.ministack import MiniStack

from instances import moto


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
    with moto() as url:
        yield url
