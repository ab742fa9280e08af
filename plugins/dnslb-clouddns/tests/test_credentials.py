"""Whose credentials are used, how tokens are renewed, and that nothing secret is shown."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
import traceback

import pytest
import trustme

from dnslb import ConfigurationError, Denied, ProviderError, RecordType, Service, Unavailable
from dnslb_clouddns import dnslb_record_managers
from dnslb_clouddns._client import find_credentials
from dnslb_clouddns._options import CloudDnsOptions

(REGISTRATION,) = dnslb_record_managers()

A = RecordType.A
ONE = "192.0.2.1"
WWW = "www.ex.test"
CREATE = "dns.changes.create"


@pytest.fixture(autouse=True)
def stay_on_this_machine(monkeypatch):
    """google-auth asks Google in the background where a service account may be used from; here it finds nobody."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{closed.getsockname()[1]}")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        yield


@pytest.fixture(scope="session")
def certificate() -> trustme.LeafCert:
    """A certificate for the loopback address by an authority that nobody knows, and its key."""
    return trustme.CA().issue_cert("127.0.0.1", key_type=trustme.KeyType.RSA)


@pytest.fixture
def service_account(tmp_path, certificate, fake):
    """A file of a service account whose tokens come from the fake, and are needed from now on."""
    fake.needs_tokens = True
    written = {
        "type": "service_account",
        "project_id": fake.project,
        "private_key_id": "canary-key-id",
        "private_key": certificate.private_key_pem.bytes().decode(),
        "client_email": "dnslb@dnslb-test.iam.gserviceaccount.com",
        "token_uri": fake.token_uri,
    }
    path = tmp_path / "key.json"
    path.write_text(json.dumps(written))
    return path


def test_a_service_account_tells_its_project_and_one_token_is_fetched(fake, connect, service_account, write):
    manager = connect(project=None, credentials_file=service_account)
    write(manager, WWW, ONE)
    write(manager, WWW)
    assert fake.tokens_issued == 1


def test_a_workload_identity_is_exchanged_for_a_token(fake, connect, tmp_path, write):
    fake.needs_tokens = True
    (tmp_path / "subject").write_text("a token of another provider")
    written = {
        "type": "external_account",
        "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/x",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": fake.token_uri,
        "credential_source": {"file": str(tmp_path / "subject")},
    }
    (tmp_path / "identity.json").write_text(json.dumps(written))
    write(connect(credentials_file=tmp_path / "identity.json"), WWW, ONE)
    assert fake.tokens_issued == 1


def test_without_a_token_the_service_denies(fake, connect):
    fake.needs_tokens = True
    with pytest.raises(Denied):
        connect().read(WWW, A)


def test_a_token_that_was_revoked_is_renewed_by_a_read_and_never_by_a_commit(
    fake, connect, service_account, change, values
):
    manager = connect(credentials_file=service_account)
    before = manager.read(WWW, A)
    fake.revoke_tokens()
    with pytest.raises(Denied, match="401 authError"):
        manager.commit([change(before, ONE)])
    assert [call.method for call in fake.calls].count(CREATE) == 1, "sent once"
    assert values(manager, WWW) == ()
    assert fake.tokens_issued == 2
    manager.commit([change(before, ONE)])
    assert values(manager, WWW) == (ONE,)


def test_tokens_that_cannot_be_fetched_make_the_service_unavailable(fake, connect, service_account):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        written = json.loads(service_account.read_text())
        written["token_uri"] = f"http://127.0.0.1:{closed.getsockname()[1]}/token"
        service_account.write_text(json.dumps(written))
        with pytest.raises(Unavailable, match="no token could be fetched"):
            connect(credentials_file=service_account, timeout=1.0).read(WWW, A)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("canary", "is not a file of credentials as Google issues it"),
        ("[]", "is not a file of credentials"),
        ('{"type": "service_account", "private_key": "canary"}', "is not a file of credentials"),
        ('{"type": "external_account", "audience": "canary"}', "is not a file of credentials"),
        ('{"type": "authorized_user", "refresh_token": "canary"}', "is not a file of credentials"),
        ('{"type": "gdch"}', "is of the type 'gdch', not one of service_account, external_account, authorized_user"),
        (None, "cannot read credentials_file .*: No such file"),
    ],
)
def test_a_file_that_holds_no_credentials_is_a_mistake_of_the_configuration(tmp_path, connect, text, message):
    path = tmp_path / "key.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigurationError, match=message) as caught:
        connect(credentials_file=path)
    assert "canary" not in "".join(traceback.format_exception(caught.value))


def test_an_authorized_user_is_known_too(tmp_path):
    written = {"type": "authorized_user", "client_id": "i", "client_secret": "s", "refresh_token": "r"}
    (tmp_path / "user.json").write_text(json.dumps(written))
    credentials, _ = find_credentials(CloudDnsOptions(credentials_file=tmp_path / "user.json"))
    assert credentials.refresh_token == "r"


def test_without_a_file_the_application_default_credentials_are_taken(service_account, monkeypatch, fake):
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(service_account))
    monkeypatch.delenv("GOOGLE_CLOUD_PROJECT", raising=False)
    credentials, project = find_credentials(CloudDnsOptions())
    assert (credentials.service_account_email, project) == ("dnslb@dnslb-test.iam.gserviceaccount.com", fake.project)
    assert credentials.scopes == ("https://www.googleapis.com/auth/ndev.clouddns.readwrite",), "and no more"


def test_without_any_credentials_it_is_said_so(tmp_path, monkeypatch):
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "gone.json"))
    manager = REGISTRATION.factory(CloudDnsOptions(), Service(WWW, 80))
    with pytest.raises(Denied, match=r"cannot find the application default credentials: .*gone\.json"):
        manager.read(WWW, A)


def test_no_secret_is_in_an_error_or_a_repr(fake, connect, service_account, change):
    secrets = [json.loads(service_account.read_text())["private_key"].splitlines()[3]]
    manager = connect(credentials_file=service_account)
    before = manager.read(WWW, A)
    secrets += fake.tokens
    assert len(secrets) == 2
    shown = repr(manager)
    for status in (401, 403, 412, 429, 500):
        fake.fail(status, "made", method=CREATE)
        with pytest.raises(ProviderError) as caught:
            manager.commit([change(before, ONE)])
        shown += "".join(traceback.format_exception(caught.value))
    assert not [secret for secret in secrets if secret in shown]


# -- TLS ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def untrusted(certificate):
    """The address of a TLS server on loopback that nobody has a reason to trust, and what it has received."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    received: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))
    done = threading.Event()

    def serve() -> None:
        while True:
            connection, _ = listener.accept()
            with connection, contextlib.suppress(OSError):
                if done.is_set():
                    return
                with context.wrap_socket(connection, server_side=True) as tls:
                    received.append(tls.recv(1))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield listener.getsockname(), received
    done.set()
    with socket.create_connection(listener.getsockname()):
        thread.join(10)
    listener.close()


def test_a_certificate_that_is_not_trusted_is_refused_and_nothing_is_sent(untrusted, connect, service_account, change):
    (host, port), received = untrusted
    manager = connect(credentials_file=service_account, api_endpoint=f"https://{host}:{port}")
    with pytest.raises(Unavailable, match="the certificate of the API is not trusted"):
        manager.read(WWW, A)
    assert received == []


def test_plain_http_stays_off_a_proxy(connect, monkeypatch, values):
    monkeypatch.setenv("no_proxy", "")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        manager = connect()
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{closed.getsockname()[1]}")
        assert values(manager, WWW) == ()
