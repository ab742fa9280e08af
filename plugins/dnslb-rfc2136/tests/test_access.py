"""Keys, clocks and permissions: what a server lets nobody do but the right one."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import traceback

import pytest

from dnslb import Denied, RecordSet, RecordType, Secret, Snapshot
from dnslb.testing.nameservers import Bind, Knot

A, TXT = RecordType.A, RecordType.TXT
ONE = "192.0.2.1"
OTHER_SECRET = "bm90IHRoZSBzZWNyZXQgb2YgdGhpcyBrZXksIGJ1dCA0MCBvY3RldHM="


def unread(name: str, type: RecordType = A) -> Snapshot:
    """The snapshot of a set that was absent."""
    return Snapshot(RecordSet(name, type), ())


# -- the key --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"key_name": "stranger"},
        {"key_secret": Secret(OTHER_SECRET)},
        {"key_algorithm": "hmac-sha512"},
    ],
    ids=["name", "secret", "algorithm"],
)
def test_a_wrong_key_is_denied_and_named(server, connect, wrong):
    manager = connect(server, **wrong)
    with pytest.raises(Denied) as caught:
        manager.read("www.ex.test", A)
    message = str(caught.value)
    assert f"key {wrong.get('key_name', server.key_name)}" in message
    assert f"{server.address} port {server.port}" in message
    assert "\n" not in message


def test_the_answer_tells_a_wrong_name_from_a_wrong_secret(bind, connect):
    with pytest.raises(Denied, match=r"\(BADKEY\): compare key_name and key_algorithm"):
        connect(bind, key_name="stranger").read("www.ex.test", A)
    with pytest.raises(Denied, match=r"\(BADSIG\): compare key_secret"):
        connect(bind, key_secret=Secret(OTHER_SECRET)).read("www.ex.test", A)


def test_no_secret_is_in_an_error_or_a_repr(server, connect):
    manager = connect(server, key_secret=Secret(OTHER_SECRET))
    with pytest.raises(Denied) as caught:
        manager.read("www.ex.test", A)
    shown = "".join(traceback.format_exception(caught.value)) + repr(manager)
    assert OTHER_SECRET not in shown
    assert "not the secret" not in shown


@pytest.mark.parametrize("algorithm", ["hmac-sha384", "hmac-sha512"])
def test_stronger_algorithms_work(algorithm, connect, require, values, write):
    require(Bind.missing())
    with Bind(algorithm=algorithm) as server:
        manager = connect(server)
        write(manager, "www.ex.test", ONE)
        assert values(manager, "www.ex.test") == (ONE,)


def test_a_key_that_is_changed_on_the_server_is_denied_and_nothing_is_unknown(own_server, connect, change):
    manager = connect(own_server)
    before = manager.read("www.ex.test", A)
    if hasattr(own_server, "pdnsutil"):
        own_server.pdnsutil("delete-tsig-key", own_server.key_name)
        own_server.pdnsutil("import-tsig-key", own_server.key_name, own_server.algorithm, OTHER_SECRET)
    own_server.key_secret = OTHER_SECRET
    own_server.stop()
    own_server.start()
    with pytest.raises(Denied):
        manager.commit([change(before, ONE)])


def test_an_unsigned_update_is_denied_where_a_key_is_wanted(server, connect, values, write):
    manager = connect(server, key_name=None, key_secret=None)
    with pytest.raises(Denied, match="without a key"):
        write(manager, "unsigned.ex.test", ONE)
    assert values(manager, "unsigned.ex.test") == ()


def test_a_server_that_wants_no_key_needs_none(connect, require, values, write):
    require(Bind.missing())
    server = Bind()
    server.config = re.sub(r"update-policy {.*};", "allow-update { 127.0.0.0/8; };", server.default_config())
    with server:
        manager = connect(server, key_name=None, key_secret=None)
        write(manager, "www.ex.test", ONE)
        assert values(manager, "www.ex.test") == (ONE,)


ASK = """
import sys
from dnslb import ProviderError, RecordType, Secret, Service
from dnslb_rfc2136 import dnslb_record_managers
from dnslb_rfc2136._options import Rfc2136Options

address, port, key_name, secret = sys.argv[1:]
options = Rfc2136Options(server=address, port=int(port), key_name=key_name, key_secret=Secret(secret))
(registration,) = dnslb_record_managers()
try:
    print(registration.factory(options, Service("www.ex.test", 80)).read("www.ex.test", RecordType.A))
except ProviderError as error:
    print(type(error).__name__, error)
"""


@pytest.mark.parametrize("skew", ["-1h", "+1h"])
def test_clocks_that_differ_are_denied_and_the_clocks_are_named(server, skew, require):
    faketime = shutil.which("faketime")
    require(None if faketime else "faketime is not installed; run: apt-get install faketime")
    arguments = [server.address, str(server.port), server.key_name, server.key_secret]
    done = subprocess.run(
        [faketime, "-f", skew, sys.executable, "-c", ASK, *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env=os.environ | {"FAKETIME_DONT_FAKE_MONOTONIC": "1"},
    )
    assert done.stdout.startswith("Denied")
    assert "clock" in done.stdout
    assert re.search(r"differ by 3[56]\d\d s;", done.stdout) or "PowerDNS" in repr(server), done.stdout


# -- the policy -----------------------------------------------------------------------------------------------


def test_what_the_key_may_not_change_is_denied(connect, require, change, values, write):
    require(Bind.missing())
    server = Bind()
    server.config = server.default_config().replace("zonesub A AAAA TXT", "name www.ex.test A")
    with server:
        manager = connect(server)
        write(manager, "www.ex.test", ONE)
        for name, type in (("mail.ex.test", A), ("www.ex.test", TXT), ("_blocked.www.ex.test", TXT)):
            with pytest.raises(Denied, match=r"with key dnslb \(REFUSED\): .* may update these names and types"):
                manager.commit([change(unread(name, type), ONE)])
            assert values(manager, name, type) == ()


def test_knots_answer_to_what_a_key_may_not_change_names_both_causes(connect, require, write):
    # Knot says BADKEY where others say REFUSED.
    require(Knot.missing())
    server = Knot()
    server.config = server.default_config().replace("[A, AAAA, TXT]", "[A]")
    with server:
        manager = connect(server)
        with pytest.raises(Denied, match="does not know key dnslb or does not let it do this"):
            write(manager, "www.ex.test", "text", type=TXT)


def test_a_forbidden_question_is_denied_and_never_an_empty_set(connect, require):
    require(Bind.missing())
    server = Bind()
    config = server.default_config().replace("allow-transfer", 'allow-query { key "dnslb"; }; allow-transfer')
    server.config = config + f'key "stranger" {{ algorithm hmac-sha256; secret "{server.key_secret}"; }};'
    with server, pytest.raises(Denied, match=r"\(REFUSED\): the server forbids it"):
        connect(server, key_name="stranger").read("www.ex.test", A)


def test_a_secondary_refuses_and_the_primary_is_asked_for(bind, connect, write):
    with Bind(primary=bind) as secondary, pytest.raises(Denied, match="check that this is the primary"):
        write(connect(secondary), "www.ex.test", ONE)
