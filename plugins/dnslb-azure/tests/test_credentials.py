"""Tokens: whose they are, and what is said where there is none. The issuer is a fake on loopback."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError, ServiceResponseError
from azure.identity import CredentialUnavailableError, DefaultAzureCredential, ManagedIdentityCredential

from dnslb import Denied, RecordType, Secret, Service, Unavailable
from dnslb.testing._https import HttpsServer
from dnslb_azure import dnslb_record_managers
from dnslb_azure._credentials import credential_of
from dnslb_azure._manager import AzureRecordManager
from dnslb_azure._options import AzureOptions

A = RecordType.A
WWW = "www.ex.test"
TENANT = "11111111-2222-4333-8444-555555555555"
CLIENT = "66666666-7777-4888-9999-aaaaaaaaaaaa"
CANARY = "canary-of-the-secret"


class Issuer:
    """Hands out one token, to whoever knows the secret."""

    def __init__(self, tls, token: str) -> None:
        self.token = token
        self.asked: list[dict[str, list[str]]] = []
        self.server = HttpsServer(tls, self._answer)
        self.host = f"127.0.0.1:{self.server.address[1]}"

    def _answer(self, method: str, target: str, headers: Any, body: bytes) -> tuple[int, dict[str, str], Any]:
        if method == "GET":
            base = f"https://{self.host}/{TENANT}"
            endpoints = {"authorization_endpoint": f"{base}/authorize", "token_endpoint": f"{base}/oauth2/v2.0/token"}
            return 200, {}, endpoints | {"issuer": f"{base}/v2.0"}
        form = parse_qs(body.decode())
        self.asked.append(form)
        if form.get("client_secret") != [CANARY]:
            return 401, {}, {"error": "invalid_client", "error_description": "AADSTS7000215: wrong secret\r\nTrace: 1"}
        return 200, {}, {"token_type": "Bearer", "expires_in": 3600, "access_token": self.token}


@pytest.fixture
def issuer(tls, dns, monkeypatch) -> Iterator[Issuer]:
    issuer = Issuer(tls, dns.token)
    monkeypatch.setenv("AZURE_AUTHORITY_HOST", issuer.host)
    yield issuer
    issuer.server.close()


@pytest.fixture
def make(dns, ca_file) -> Iterator[Any]:
    """Makes managers as a configuration does: by the registration."""
    (registration,) = dnslb_record_managers()
    made = []

    def make(**options: Any) -> Any:
        settings = {"subscription_id": dns.subscription, "base_url": dns.url, "ca_file": ca_file, "zone": "ex.test"}
        made.append(registration.factory(AzureOptions(**settings, **options), Service(WWW, 443)))
        return made[-1]

    yield make
    for manager in made:
        manager.close()


def test_a_service_principal_gets_a_token_for_the_api_and_no_other(dns, issuer, make, write):
    manager = make(tenant_id=TENANT, client_id=CLIENT, client_secret=Secret(CANARY))
    write(manager, WWW, "192.0.2.1")
    (asked,) = issuer.asked
    assert (asked["client_id"], asked["scope"]) == ([CLIENT], [f"{dns.url}/.default"])


def test_a_wrong_secret_is_denied_without_showing_it(issuer, make, caplog):
    caplog.set_level("DEBUG")
    manager = make(tenant_id=TENANT, client_id=CLIENT, client_secret=Secret("wrong-" + CANARY))
    with pytest.raises(Denied, match=r"AADSTS7000215: wrong secret Trace: 1.*; check the credentials") as raised:
        manager.read(WWW, A)
    assert CANARY not in str(raised.value)
    assert CANARY not in caplog.text


def test_the_token_is_in_no_log(dns, connect, caplog, write):
    caplog.set_level("DEBUG")
    write(connect(), WWW, "192.0.2.1")
    assert dns.token not in caplog.text


def test_without_options_the_environment_is_asked_first(issuer, make, write, monkeypatch):
    for name, value in {"TENANT_ID": TENANT, "CLIENT_ID": CLIENT, "CLIENT_SECRET": CANARY}.items():
        monkeypatch.setenv(f"AZURE_{name}", value)
    write(make(), WWW, "192.0.2.1")
    assert len(issuer.asked) == 1


def test_an_issuer_that_cannot_be_reached_is_unavailable(issuer, make):
    issuer.server.close()
    manager = make(tenant_id=TENANT, client_id=CLIENT, client_secret=Secret(CANARY), timeout=0.5)
    with pytest.raises(Unavailable, match="no token for"):
        manager.read(WWW, A)


@pytest.mark.parametrize(
    ("options", "kind"),
    [({}, DefaultAzureCredential), ({"managed_identity_client_id": CLIENT}, ManagedIdentityCredential)],
    ids=["default", "managed identity"],
)
def test_the_options_choose_the_credential(options, kind):
    credential = credential_of(AzureOptions(subscription_id="0", **options))
    assert type(credential) is kind
    credential.close()


class Failing:
    """A credential that fails from the second token on; the first is short-lived."""

    def __init__(self, token: str, error: Exception) -> None:
        self.token, self.error, self.asked = token, error, 0

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        self.asked += 1
        if self.asked > 2:
            raise self.error
        return AccessToken(self.token, int(time.time()) + 1)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ClientAuthenticationError("AADSTS700016: no such application"), Denied),
        (CredentialUnavailableError("no managed identity endpoint"), Denied),
        (ServiceRequestError("cannot reach the issuer"), Unavailable),
        (ServiceResponseError("the issuer hung up"), Unavailable),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_a_commit_without_a_token_was_not_sent(dns, ca_file, error, kind, change):
    options = AzureOptions(
        zone="ex.test", resource_group="dns", subscription_id=dns.subscription, base_url=dns.url, ca_file=ca_file
    )
    manager = AzureRecordManager(options, WWW, Failing(dns.token, error))
    try:
        before = manager.read(WWW, A)
        with pytest.raises(kind, match="no token for"):
            manager.commit([change(before, "192.0.2.1")])
    finally:
        manager.close()
    assert {request.method for request in dns.requests} == {"GET"}
