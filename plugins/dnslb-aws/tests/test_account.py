"""Whose credentials are used, over what, how often, and what becomes of it when that fails."""

from __future__ import annotations

import http.server
import os
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import trustme

from dnslb import ConfigurationError, Denied, OutcomeUnknown, Rejected, Throttled, Unavailable
from dnslb_aws.account import Account
from dnslb_aws.options import AwsOptions

ROLE = "arn:aws:iam::123456789012:role/dnslb"
NUMBER = "123456789012"


# -- profiles and files ------------------------------------------------------------------------------------


def test_a_profile_counts_for_more_than_the_environment(service, account, ask, tmp_path):
    keys = "aws_access_key_id = of-the-profile\naws_secret_access_key = x\n"
    (tmp_path / "credentials").write_text(f"[www]\n{keys}")
    assert ask(account(profile="www")) == NUMBER
    assert service.signers == ["of-the-profile"]


def test_a_profile_gives_the_region_that_it_configures(account, tmp_path, monkeypatch):
    (tmp_path / "config").write_text("[profile www]\nregion = sa-east-1\n")
    assert account(profile="www").configured_region == "sa-east-1"
    assert account().configured_region is None
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    assert account().configured_region == "eu-central-1"


def test_a_profile_that_is_not_there_is_a_mistake_of_the_configuration(account, monkeypatch):
    with pytest.raises(ConfigurationError, match=r"there is no AWS profile 'wwww' for this user"):
        account(profile="wwww")
    monkeypatch.setenv("AWS_PROFILE", "of-the-environment")
    with pytest.raises(ConfigurationError, match=r"there is no AWS profile 'of-the-environment'"):
        account()


def test_configuration_files_that_cannot_be_read_are_told(account, tmp_path):
    (tmp_path / "config").write_text("region = nowhere\n")
    with pytest.raises(ConfigurationError, match="the configuration files of AWS cannot be used"):
        account()


# -- credentials -------------------------------------------------------------------------------------------


def test_missing_credentials_are_denied_with_the_next_step_until_they_are_there(service, account, ask, monkeypatch):
    plain, in_a_role = account(), account(role_arn=ROLE)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    for each in (plain, in_a_role):
        with pytest.raises(Denied, match=r"cannot ask: no credentials for AWS .*; give the host an instance role, or"):
            ask(each)
    assert service.actions == []
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of-the-host")
    assert ask(plain) == ask(in_a_role) == NUMBER


def test_half_of_the_credentials_are_none(account, ask, monkeypatch):
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(Denied, match=r"no credentials for AWS .Partial credentials"):
        ask(account())


def test_a_program_for_credentials_that_is_not_there_is_no_foreign_exception(account, ask, tmp_path):
    (tmp_path / "config").write_text("[profile www]\ncredential_process = /no/such/program\n")
    with pytest.raises(Unavailable, match=r"cannot ask: FileNotFoundError: .*/no/such/program"):
        ask(account(profile="www"))


# -- roles -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", [{}, {"external_id": "4711"}])
def test_a_role_is_assumed_once_and_used_for_all_that_follows(service, account, ask, given):
    in_a_role = account(role_arn=ROLE, **given)
    ask(in_a_role)
    ask(in_a_role, order=True)
    assert service.actions == ["AssumeRole", "GetCallerIdentity", "GetCallerIdentity"]
    assert service.signers == ["of-the-host", "of-the-role", "of-the-role"]
    _, _, asked = service.seen[0]
    named = asked["RoleArn"], asked["RoleSessionName"], asked.get("ExternalId")
    assert named == (ROLE, "dnslb", given.get("external_id"))


def test_a_role_is_assumed_with_the_credentials_of_the_profile(service, account, ask, tmp_path):
    (tmp_path / "credentials").write_text("[www]\naws_access_key_id = of-the-profile\naws_secret_access_key = x\n")
    ask(account(profile="www", role_arn=ROLE))
    assert service.signers == ["of-the-profile", "of-the-role"]


def test_a_role_that_may_not_be_assumed_is_denied_with_the_next_step(service, account, ask):
    service.refuse("AccessDenied", "not authorized to perform: sts:AssumeRole", 403)
    with pytest.raises(Denied, match=r"AssumeRole was answered with AccessDenied .*; let the trust policy of role_arn"):
        ask(account(role_arn=ROLE))
    assert service.actions == ["AssumeRole"]


def test_credentials_of_a_role_are_renewed_before_they_expire(service, account, ask):
    in_a_role = account(role_arn=ROLE)
    service.grant("of-a-minute", seconds=90)
    ask(in_a_role)
    service.grant("of-an-hour", seconds=3600)
    ask(in_a_role)
    ask(in_a_role)
    assert service.signers == ["of-the-host", "of-a-minute", "of-the-host", "of-an-hour", "of-an-hour"]


@pytest.mark.parametrize(("status", "expected"), [(500, Unavailable), (403, Denied)])
def test_an_order_for_which_credentials_cannot_be_renewed_was_not_sent(service, account, ask, status, expected):
    in_a_role = account(role_arn=ROLE)
    for _ in range(2):
        service.refuse("InternalFailure", "STS has trouble", status)
    with pytest.raises(expected, match="AssumeRole"):
        ask(in_a_role, order=True)
    assert set(service.actions) == {"AssumeRole"}


def test_credentials_that_stay_expired_are_none(service, account, ask):
    service.grant("of-yesterday", seconds=-86400)
    service.grant("of-yesterday", seconds=-86400)
    with pytest.raises(Denied, match=r"no credentials for AWS .*expired"):
        ask(account(role_arn=ROLE))
    assert set(service.actions) == {"AssumeRole"}


# -- the way there -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("order", "expected", "times"), [(False, Unavailable, 2), (True, OutcomeUnknown, 1)])
def test_a_question_without_a_reply_is_asked_twice_and_an_order_is_given_once(
    service, account, ask, order, expected, times
):
    service.cut(times)
    with pytest.raises(expected, match="the reply was lost" if order else "no answer of AWS"):
        ask(account(), order=order)
    assert len(service.seen) == times


@pytest.mark.parametrize(("order", "expected"), [(False, Unavailable), (True, OutcomeUnknown)])
@pytest.mark.parametrize(
    ("said", "shown"), [("<html>welcome to this hotel", "this hotel"), ("<html/>", "IdentityResult")]
)
def test_an_answer_that_is_no_answer_of_aws_is_a_lost_reply(service, account, ask, order, expected, said, shown):
    service.say(said.encode())
    with pytest.raises(expected, match=shown):
        ask(account(), order=order)


@pytest.mark.parametrize("order", [False, True])
def test_where_nobody_listens_nothing_was_sent(account, ask, order):
    with pytest.raises(Unavailable, match=r"no answer of AWS .*; check the network and the region"):
        ask(account(endpoint_url="http://127.0.0.1:9"), order=order)


@pytest.fixture
def impostor():
    """An HTTPS server whose certificate nobody here trusts; its URL."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        server.handle_error = lambda *_: None
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield f"https://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("order", [False, True])
def test_a_certificate_that_nobody_vouches_for_is_refused_before_anything_is_sent(account, ask, impostor, order):
    with pytest.raises(Unavailable, match=r"no answer of AWS .*CERTIFICATE_VERIFY_FAILED"):
        ask(account(endpoint_url=impostor), order=order)


def test_an_address_without_tls_from_the_environment_is_refused(account, ask, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://sts.example.com")
    with pytest.raises(Rejected, match=r"the address of sts in the AWS configuration of this host: .* not encrypted"):
        ask(account(endpoint_url=None))


def test_a_role_is_not_assumed_without_tls(service, ask, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://sts.example.com")
    with pytest.raises(Rejected, match="the address of sts in the AWS configuration of this host"):
        ask(Account(AwsOptions(role_arn=ROLE, endpoint_url=service.url)))
    assert service.seen == []


# -- answers -----------------------------------------------------------------------------------------------


def test_a_pause_that_aws_asks_for_is_handed_on(service, account, ask):
    service.refuse("Throttling", "Rate exceeded", 400, **{"Retry-After": "7"})
    with pytest.raises(Throttled, match="too many requests, by anybody") as caught:
        ask(account(), order=True)
    assert caught.value.retry_after == 7.0


def test_all_threads_share_one_client_for_questions_and_one_for_orders(account):
    shared = account()

    def client(attempts):
        return id(shared.client("sts", "eu-west-1", attempts=attempts, url=None))

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(client, [1, 2] * 8))) == 2


def test_no_secret_is_in_an_error_or_a_repr(service, account, ask, monkeypatch, caplog):
    canary = "canary-of-the-secret-key"
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", canary)
    caplog.set_level("INFO")
    made = account()
    service.refuse("SignatureDoesNotMatch", "The request signature we calculated does not match", 403)
    with pytest.raises(Denied) as caught:
        ask(made)
    assert os.environ["AWS_SECRET_ACCESS_KEY"] == canary
    assert canary not in f"{caught.value!r} {caught.value.__cause__!r} {made!r} {caplog.text}"
