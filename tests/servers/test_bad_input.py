"""What people get wrong, against real name servers: one clear line, the right exit status, and no record touched."""

import base64
import re
import subprocess
import sys

import dns.message
import dns.query
import dns.rdatatype
import pytest

from agents import record_manager


@pytest.fixture
def attempt(server, tmp_path):
    """Writes a configuration, runs `dnslb check` and `dnslb run` on it, and sees to it that the zone is as it was."""

    def make(service: str = "", **provider) -> list[tuple[int, list[str]]]:
        written = {"fqdn": f"www.{server.zone}", "tcp_port": "80", "address": "127.0.0.1"}
        written |= dict(line.split(": ", 1) for line in service.splitlines())
        file = tmp_path / "dnslb.yml"
        lines = "".join(f"{key}: {value}\n" for key, value in written.items())
        file.write_text(lines + record_manager(server, tmp_path, **provider), encoding="utf-8")
        before = serial(server)
        results = [dnslb("check", file), dnslb("run", file)]
        assert serial(server) == before, "a record was touched"
        return results

    return make


def dnslb(command, file):
    words = [sys.executable, "-m", "dnslb", command, str(file)]
    done = subprocess.run(words, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stderr.splitlines()


def serial(server):
    query = dns.message.make_query(server.zone, dns.rdatatype.SOA)
    return dns.query.tcp(query, server.address, port=server.port, timeout=10).answer[0][0].serial


@pytest.mark.parametrize(
    ("service", "provider", "line"),
    [
        ("tcp_prot: 80", {}, r"dnslb\.yml:\d+: tcp_prot: there is no such key; did you mean 'tcp_port'\?"),
        ("tcp_port: 70000", {}, r"dnslb\.yml:2: tcp_port: 70000 is not a port"),
        ("fqdn: www..ex.test", {}, r"dnslb\.yml:1: fqdn: 'www\.\.ex\.test' is not a domain name"),
        ("fqdn: www.other.test", {"zone": "other.test"}, r"other\.test"),
        ("fqdn: www.other.test", {}, r"www\.other\.test is not in the zone ex\.test"),
        ("", {"key_name": "nobody"}, r"with key nobody|key nobody"),
    ],
)
def test_what_a_person_has_to_mend_is_one_line_and_status_2(attempt, service, provider, line):
    for status, said in attempt(service, **provider):
        assert status == 2
        assert len(said) == 1
        assert re.search(line, said[0])


def test_a_wrong_key_is_one_line_and_status_2(attempt, tmp_path):
    wrong = tmp_path / "wrong"
    wrong.write_text(base64.b64encode(b"not the server's secret, but long").decode(), encoding="utf-8")
    wrong.chmod(0o600)
    for status, said in attempt(key_secret=f"file:{wrong}"):
        assert status == 2
        assert len(said) == 1
        assert "key" in said[0]
        assert wrong.read_text() not in said[0]
