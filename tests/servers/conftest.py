"""The name servers, one after the other."""

import os

import pytest

from dnslb.testing.nameservers import Bind, Knot, PowerDNS


@pytest.fixture(scope="module", params=[Bind, Knot, PowerDNS], ids=["bind", "knot", "powerdns"])
def server(request):
    kind = request.param
    if reason := kind.missing():
        if os.environ.get("DNSLB_REQUIRE_SERVERS") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    with kind() as started:
        yield started
