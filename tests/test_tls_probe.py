"""The probe `tls`: what it trusts, and what it says where it does not."""

import asyncio
import datetime as dt
import functools
import hashlib
import ipaddress
import signal
import ssl
import subprocess
import sys
from pathlib import Path

import pytest
import trustme

from dnslb import ConfigurationError, ProbeResult, Service, Target, Verdict
from dnslb.builtin import tls
from dnslb.builtin._sockets import HEALTHY
from dnslb.builtin.tls import TlsOptions
from dnslb.options import parse_options
from dnslb.testing import ProbeConformance, Probed

from peers import hold, serving

NAME = "www.example.com"
PAST = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
FUTURE = dt.datetime(2100, 1, 1, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture(scope="module")
def certificates(authority):
    return {
        "good": authority.issue_cert(NAME),
        "expired": authority.issue_cert(NAME, not_before=PAST, not_after=PAST + dt.timedelta(days=1)),
        "not yet": authority.issue_cert(NAME, not_before=FUTURE, not_after=FUTURE + dt.timedelta(days=1)),
        "other name": authority.issue_cert("www.example.net"),
        "other authority": trustme.CA().issue_cert(NAME),
    }


@pytest.fixture(scope="module")
def ca_file(authority, tmp_path_factory):
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return path


def server_context(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    context.num_tickets = 0
    return context


def fingerprint(certificate):
    der = ssl.PEM_cert_to_DER_cert(certificate.cert_chain_pems[0].bytes().decode())
    return hashlib.sha256(der).hexdigest()


def check(options, target, timeout=5.0):
    probe = tls.make(options, Service(NAME, target.port))
    [result] = asyncio.run(probe.check([target], timeout))
    return result


class TestTlsConformance(ProbeConformance):
    timeout = 1.0

    @pytest.fixture
    def probed(self, certificates, ca_file):
        options = TlsOptions(ca_file=ca_file)
        context = server_context(certificates["good"])
        return Probed(
            make=lambda: tls.make(options, Service(NAME, 443)), serve=functools.partial(serving, hold, tls=context)
        )


# -- verify ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("certificate", "detail"),
    [
        ("expired", "certificate expired"),
        ("not yet", "certificate not valid yet"),
        ("other name", f"certificate is not for {NAME}"),
        ("other authority", "certificate signed by an authority that is not known"),
    ],
)
def test_verify_says_what_is_wrong_with_a_certificate(certificates, ca_file, certificate, detail):
    with serving(hold, tls=server_context(certificates[certificate])) as target:
        assert check(TlsOptions(ca_file=ca_file), target) == ProbeResult(Verdict.FAILED, detail)


def test_verify_refuses_a_self_signed_certificate(authority, ca_file, tmp_path):
    other = trustme.CA()
    pem = tmp_path / "self-signed.pem"
    other.private_key_pem.write_to_path(pem)
    other.cert_pem.write_to_path(pem, append=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    with serving(hold, tls=context) as target:
        assert check(TlsOptions(ca_file=ca_file), target) == ProbeResult(Verdict.FAILED, "certificate self-signed")


def test_verify_without_ca_file_trusts_whom_the_system_trusts(certificates):
    with serving(hold, tls=server_context(certificates["good"])) as target:
        assert check(TlsOptions(), target).detail == "certificate signed by an authority that is not known"


def test_server_name_is_what_is_asked_for_and_verified(certificates, ca_file):
    asked = []
    context = server_context(certificates["other name"])
    context.sni_callback = lambda _socket, name, _context: asked.append(name)
    with serving(hold, tls=context) as target:
        assert check(TlsOptions(ca_file=ca_file), target) != HEALTHY
        assert check(TlsOptions(ca_file=ca_file, server_name="www.example.net"), target) == HEALTHY
    assert asked == [NAME, "www.example.net"]


# -- pin and insecure --------------------------------------------------------------------------------------


def test_pin_accepts_its_own_certificate_whoever_signed_it_and_whatever_its_dates(certificates):
    for name in ("other authority", "expired", "other name"):
        certificate = certificates[name]
        with serving(hold, tls=server_context(certificate)) as target:
            options = TlsOptions(mode="pin", pin=("0" * 64, fingerprint(certificate)))
            assert check(options, target) == HEALTHY


def test_pin_refuses_every_other_certificate_and_shows_its_fingerprint(certificates):
    with serving(hold, tls=server_context(certificates["good"])) as target:
        result = check(TlsOptions(mode="pin", pin=(fingerprint(certificates["expired"]),)), target)
    assert result.verdict is Verdict.FAILED
    assert result.detail == f"certificate is not the pinned one, its SHA-256 is {fingerprint(certificates['good'])}"


def test_insecure_accepts_any_certificate(certificates):
    for certificate in certificates.values():
        with serving(hold, tls=server_context(certificate)) as target:
            assert check(TlsOptions(mode="insecure"), target) == HEALTHY


# -- the handshake -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_the_server_sees_a_complete_handshake_and_a_proper_end(certificates, ca_file, version):
    seen = []

    def read_to_the_end(connection):
        # Only called after the handshake. Without a close_notify, recv raises SSLEOFError.
        connection.suppress_ragged_eofs = False
        seen.append((connection.version(), connection.recv(10)))

    context = server_context(certificates["good"])
    context.minimum_version = context.maximum_version = version
    with serving(read_to_the_end, tls=context) as target:
        assert check(TlsOptions(ca_file=ca_file), target) == HEALTHY
    assert seen == [(version.name.replace("_", "."), b"")]


def test_a_server_that_hangs_up_in_the_handshake_has_failed():
    with serving(lambda connection: connection.recv(10_000)) as target:
        assert check(TlsOptions(mode="insecure"), target) == ProbeResult(
            Verdict.FAILED, "closed during the TLS handshake"
        )


def test_a_server_that_does_not_speak_tls_has_failed():
    with serving(lambda connection: connection.sendall(b"220 mail.example.com ESMTP\r\n")) as target:
        assert check(TlsOptions(mode="insecure"), target) == ProbeResult(
            Verdict.FAILED, "TLS failed: wrong version number"
        )


def test_a_server_that_refuses_the_version_has_failed_with_its_alert(certificates):
    context = server_context(certificates["good"])
    context.set_ciphers("DHE-RSA-AES256-SHA256")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with serving(hold, tls=context) as target:
        result = check(TlsOptions(mode="insecure"), target)
    assert result.verdict is Verdict.FAILED
    assert result.detail.startswith("TLS failed: ")
    assert "alert handshake failure" in result.detail


def test_half_a_handshake_is_no_answer(certificates):
    def answer_half(connection):
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        session = server_context(certificates["good"]).wrap_bio(incoming, outgoing, server_side=True)
        incoming.write(connection.recv(10_000))
        with pytest.raises(ssl.SSLWantReadError):
            session.do_handshake()
        connection.sendall(outgoing.read()[:600])
        hold(connection)

    with serving(answer_half) as target:
        result = check(TlsOptions(mode="insecure"), target, timeout=0.5)
    assert result == ProbeResult(Verdict.FAILED, "connected, but no answer in 0.5 s")


def test_a_stopped_process_fails():
    script = (
        "import socket; s = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1], flush=True); s.accept()"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        try:
            stopped = Target(ipaddress.ip_address("127.0.0.1"), int(process.stdout.readline()))
            process.send_signal(signal.SIGSTOP)
            result = check(TlsOptions(mode="insecure"), stopped, timeout=0.3)
        finally:
            process.kill()
    assert result == ProbeResult(Verdict.FAILED, "connected, but no answer in 0.3 s")


def test_hundreds_of_handshakes_share_one_round(certificates, ca_file):
    probe = tls.make(TlsOptions(ca_file=ca_file), Service(NAME, 443))
    with (
        serving(hold, tls=server_context(certificates["good"])) as good,
        serving(hold, tls=server_context(certificates["expired"])) as expired,
    ):
        results = asyncio.run(probe.check([good, expired] * 100, 30))
    assert [result.detail for result in results] == ["", "certificate expired"] * 100


# -- options -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({"mode": "none"}, "'none' is not one of verify, pin, insecure"),
        ({"mode": "pin"}, "mode: pin needs the option pin, a certificate's SHA-256 fingerprint"),
        ({"pin": "00" * 32}, "pin is only used with mode: pin, and mode is verify"),
        ({"mode": "pin", "pin": "abcd"}, "'abcd' is not a SHA-256 fingerprint"),
        ({"mode": "pin", "pin": "0g" * 32}, "is not a SHA-256 fingerprint"),
        ({"mode": "pin", "pin": []}, "a list of them, in quotes"),
        ({"mode": "pin", "pin": [12345]}, "a list of them, in quotes"),
        ({"mode": "insecure", "ca_file": "ca.pem"}, "ca_file is only used with mode: verify"),
        ({"server_name": "no name"}, "is not a domain name"),
    ],
)
def test_options_that_make_no_sense_are_refused(written, said):
    problems = []
    assert parse_options(TlsOptions, written, base=Path(), problems=problems) is None
    assert said in str(problems[0])


@pytest.mark.parametrize("bad", ["abcd", "0g" * 32, ""])
def test_a_fingerprint_that_is_none_is_refused_in_python_too(bad):
    with pytest.raises(ValueError, match="not a SHA-256 fingerprint"):
        TlsOptions(mode="pin", pin=(bad,))


def test_fingerprints_may_be_written_as_openssl_prints_them():
    written = ":".join(["AB"] * 32)
    for pin in (written, [written, "ab" * 32]):
        options = parse_options(TlsOptions, {"mode": "pin", "pin": pin}, base=Path(), problems=[])
        assert set(options.pin) == {"ab" * 32}


@pytest.mark.parametrize("content", [None, "", "-----BEGIN CERTIFICATE-----\nrubbish\n-----END CERTIFICATE-----\n"])
def test_a_ca_file_that_cannot_be_used_is_a_configuration_error(tmp_path, content):
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigurationError, match=f"cannot use ca_file {path}: .+") as caught:
        tls.make(TlsOptions(ca_file=path), Service(NAME, 443))
    assert "\n" not in str(caught.value)
