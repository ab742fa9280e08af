"""One identity at AWS: credentials, clients, time limits, and the boundary that no error of the SDK passes."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from botocore.config import Config
from botocore.credentials import (
    AssumeRoleCredentialFetcher,
    CredentialProvider,
    CredentialResolver,
    DeferredRefreshableCredentials,
)
from botocore.exceptions import BotoCoreError, NoCredentialsError, ProfileNotFound
from botocore.session import Session

from dnslb import ConfigurationError, Rejected, __version__
from dnslb_aws.descriptions import shared_loader
from dnslb_aws.errors import FOREIGN, OwnMeaning, mapped
from dnslb_aws.options import AwsOptions, require_tls

SESSION_NAME = "dnslb"
"""What AWS CloudTrail calls an agent that has assumed a role."""

QUESTION, ORDER = 2, 1
"""How often a request is sent at most. An order is sent once: whether to repeat it is decided on what is found then."""

_creating = threading.Lock()
"""Held while a client is made, which botocore allows one thread at a time; what is made is for all threads."""


class Account:
    """Clients with the credentials that the options name, each made when it is first asked for.

    `own` tells what the service's own answers mean. `sts_url` is where roles are assumed, if not at AWS's own address.

    Raises:
        ConfigurationError: there is no such profile, or AWS's own configuration files cannot be read.
    """

    def __init__(self, options: AwsOptions, *, own: OwnMeaning | None = None, sts_url: str | None = None) -> None:
        self._options = options
        self._own = own
        self._sts_url = sts_url
        self._source = _checked_session(options.profile)
        self._in_use: Session | None = None
        self._clients: dict[tuple[str, int], Any] = {}
        self._lock = threading.Lock()
        self._thread = threading.local()

    @property
    def configured_region(self) -> str | None:
        """The region of the profile or of the environment."""
        region: str | None = self._source.get_config_variable("region")
        return region

    @contextlib.contextmanager
    def calling(self, what: str, *, order: bool = False) -> Iterator[None]:
        """The boundary: within it clients are made and called, and what botocore raises becomes an error of dnslb.

        `what` is not done if that happens ("cannot list ..."); `order` says that one call changes something.

        Raises:
            OutcomeUnknown: an order was sent, and no answer came.
            Unavailable: AWS, or what the credentials come from, was not reached or did not answer.
            Denied: there are no credentials, or they do not allow it.
            Throttled, Rejected, or what `own` says: AWS answered so.
        """
        self._thread.has_sent = False
        try:
            yield
        except FOREIGN as error:
            raise mapped(error, what, order=order, sent=self._thread.has_sent, own=self._own) from error

    def client(self, service: str, region: str, *, attempts: int, url: str | None = None) -> Any:
        """The client of a service, at `url` or where AWS's own configuration says; for use within `calling`.

        Raises:
            Rejected: AWS's own configuration sends the requests somewhere without TLS.
            NoCredentialsError, BotoCoreError: the host has no credentials, or an AWS configuration that cannot be used.
        """
        with self._lock:
            if (service, attempts) not in self._clients:
                client = self._make(self._session(region), service, region, attempts=attempts, endpoint_url=url)
                client.meta.events.register("before-send", self._note_sending)
                self._clients[service, attempts] = client
            return self._clients[service, attempts]

    def close(self) -> None:
        """Closes the connections."""
        with self._lock:
            for client in self._clients.values():
                client.close()

    def _note_sending(self, **_: Any) -> None:
        """Called by botocore, in the thread of the call, once a request has been signed."""
        self._thread.has_sent = True

    def _make(self, session: Session, service: str, region: str, *, attempts: int, **more: Any) -> Any:
        """A client as all of them are made. TLS is verified, by botocore's default and with no option to change it."""
        config = Config(
            connect_timeout=self._options.timeout,
            read_timeout=self._options.timeout,
            retries={"total_max_attempts": attempts, "mode": "standard"},
            user_agent_extra=f"dnslb/{__version__}",
        )
        with _creating:
            client: Any = session.create_client(service, region_name=region, config=config, **more)
        try:
            require_tls(f"the address of {service} in the AWS configuration of this host", client.meta.endpoint_url)
        except ValueError as error:
            raise Rejected(str(error)) from error
        return client

    def _session(self, region: str) -> Session:
        """The session that clients are made of: with the credentials as they are found, or in a role."""
        if self._source.get_credentials() is None:
            raise NoCredentialsError
        if self._in_use is None:
            role = self._options.role_arn
            self._in_use = self._source if role is None else self._session_in(role, region)
        return self._in_use

    def _session_in(self, role: str, region: str) -> Session:
        """A session in an assumed role, whose credentials renew themselves before they expire."""

        def create_client(service: str, **credentials: Any) -> Any:
            return self._make(
                self._source, service, region, attempts=QUESTION, endpoint_url=self._sts_url, **credentials
            )

        given = {"RoleSessionName": SESSION_NAME}
        if self._options.external_id is not None:
            given["ExternalId"] = self._options.external_id
        fetcher = AssumeRoleCredentialFetcher(create_client, self._source.get_credentials(), role, extra_args=given)
        session = Session(profile=self._options.profile)
        session.register_component("data_loader", shared_loader())
        session.register_component("credential_provider", CredentialResolver([_AssumedRole(fetcher.fetch_credentials)]))
        return session


class _AssumedRole(CredentialProvider):
    """The only place where a session in an assumed role looks for credentials."""

    METHOD = "dnslb-assume-role"

    def __init__(self, fetch: Callable[[], Mapping[str, Any]]) -> None:
        super().__init__()
        self._fetch = fetch

    def load(self) -> DeferredRefreshableCredentials:
        """The role's credentials, fetched when they are first needed."""
        return DeferredRefreshableCredentials(method=self.METHOD, refresh_using=self._fetch)


def _checked_session(profile: str | None) -> Session:
    session = Session(profile=profile)
    try:
        session.get_scoped_config()  # reads the files, which would otherwise be read when something fails at night
        session.register_component("data_loader", shared_loader())
    except ProfileNotFound as error:
        raise ConfigurationError(
            f"there is no AWS profile {session.profile!r} for this user; `profile` names one of ~/.aws/config or"
            " ~/.aws/credentials"
        ) from error
    except BotoCoreError as error:
        raise ConfigurationError(f"the configuration files of AWS cannot be used: {error}") from error
    return session
