"""The API of Route 53 for one AWS identity: session, client, and the boundary that no error of the SDK passes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.credentials import (
    AssumeRoleCredentialFetcher,
    CredentialProvider,
    CredentialResolver,
    DeferredRefreshableCredentials,
)
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from dnslb import Denied, ProviderError, Rejected, Unavailable, __version__
from dnslb_route53._errors import CREDENTIALS_HINT, meaning_of
from dnslb_route53._options import Route53Options, require_tls

DEFAULT_REGION = "us-east-1"
"""Where nobody configures a region: Route 53 is one service for all regions, and signs for this one."""

SESSION_NAME = "dnslb"
"""What AWS CloudTrail calls an agent that has assumed a role."""

# OSError and ValueError: from the programs and files that credentials come from.
_FOREIGN = (BotoCoreError, ClientError, ResponseParserError, OSError, ValueError)


class Api:
    """Calls Route 53, each call once: a commit that the SDK sent again would find its own first try in the way.

    The client is made by the first call, since that takes a while, and serves all threads.
    """

    def __init__(self, options: Route53Options) -> None:
        self._options = options
        self._lock = threading.Lock()
        self._client: Any = None
        self._thread = threading.local()

    def call(
        self, operation: str, result: str, what: str, lost: type[ProviderError] = Unavailable, **parameters: Any
    ) -> Any:
        """The `result` of an operation by its name in boto3; `what` it does, for messages ("read www.example.com A").

        Raises:
            Unavailable: Route 53, or what the credentials come from, was not reached; nothing was sent.
            lost: it was sent, and no answer came, or none with a result.
            Conflict, Throttled, Refused: what Route 53 answered.
        """
        self._thread.has_sent = False
        try:
            answer: dict[str, Any] = getattr(self.client(), operation)(**parameters)
        except _FOREIGN as error:
            raise meaning_of(error, what, sent=self._thread.has_sent, lost=lost) from error
        if result not in answer:
            raise lost(f"no answer from Route 53 when asked to {what}: what came has no {result}")
        return answer[result]

    def client(self) -> Any:
        """The client of boto3.

        Raises:
            Denied: there are no credentials.
            Rejected: the environment or the profile sends the requests somewhere without TLS.
            BotoCoreError: the AWS configuration of the host cannot be used.
        """
        with self._lock:
            if self._client is None:
                self._client = self._make_client()
            return self._client

    def close(self) -> None:
        """Closes the connections."""
        with self._lock:
            if self._client is not None:
                self._client.close()

    def _make_client(self) -> Any:
        options = self._options
        session = botocore.session.Session(profile=options.profile)
        region = options.region or session.get_config_variable("region") or DEFAULT_REGION
        limits = Config(
            connect_timeout=options.timeout,
            read_timeout=options.timeout,
            retries={"total_max_attempts": 1, "mode": "standard"},
            user_agent_extra=f"dnslb/{__version__}",
        )
        if session.get_credentials() is None:
            raise Denied(f"there are no AWS credentials on this host: {CREDENTIALS_HINT}")
        if options.role_arn is not None:
            session = _assume(options.role_arn, options.external_id, session, region, limits)
        client = boto3.Session(botocore_session=session, region_name=region).client(
            "route53", endpoint_url=options.endpoint_url, config=limits
        )
        try:
            require_tls(client.meta.endpoint_url)
        except ValueError as error:
            raise Rejected(f"the address of Route 53 in the AWS configuration of this host: {error}") from error
        client.meta.events.register("before-send.route-53", self._note_sending)
        return client

    def _note_sending(self, **_: Any) -> None:
        """Called by botocore, in the thread of the call, once a request has been signed."""
        self._thread.has_sent = True


def _assume(
    role_arn: str, external_id: str | None, source: botocore.session.Session, region: str, limits: Config
) -> botocore.session.Session:
    """A session with the credentials of a role, which renew themselves before they expire."""

    def create_client(service: str, **credentials: Any) -> Any:
        return source.create_client(service, region_name=region, config=limits, **credentials)

    more = {"RoleSessionName": SESSION_NAME} | ({"ExternalId": external_id} if external_id else {})
    fetcher = AssumeRoleCredentialFetcher(create_client, source.get_credentials(), role_arn, extra_args=more)
    session = botocore.session.Session(profile=source.profile)
    session.register_component("credential_provider", CredentialResolver([_AssumedRole(fetcher.fetch_credentials)]))
    return session


class _AssumedRole(CredentialProvider):
    """The only place where the session of an assumed role looks for credentials."""

    METHOD = "assume-role"

    def __init__(self, fetch: Callable[[], dict[str, Any]]) -> None:
        super().__init__()
        self._fetch = fetch

    def load(self) -> DeferredRefreshableCredentials:
        return DeferredRefreshableCredentials(self._fetch, self.METHOD)
