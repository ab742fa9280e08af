"""The clients of boto3: region, credentials, time limits and retries.

What boto3 raises here is mapped by `_api`, which makes its clients when it first needs them; all that is raised before
is a ConfigurationError.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.credentials import (
    AssumeRoleCredentialFetcher,
    CredentialProvider,
    CredentialResolver,
    DeferredRefreshableCredentials,
)
from botocore.exceptions import BotoCoreError, NoCredentialsError, ProfileNotFound
from botocore.loaders import Loader

from dnslb import ConfigurationError, __version__
from dnslb_ec2._metadata import region_of_this_instance
from dnslb_ec2._options import Ec2Options

if TYPE_CHECKING:
    from mypy_boto3_autoscaling import AutoScalingClient
    from mypy_boto3_ec2 import EC2Client

_READS: Mapping[str, Any] = {"mode": "standard", "total_max_attempts": 2}
_ORDERS: Mapping[str, Any] = {"mode": "standard", "total_max_attempts": 1}
"""An order is given once: whether to give it again is decided on what is found then."""

_creating = threading.Lock()
"""Held while a client is made, which boto3 allows one thread at a time; the clients themselves are for all threads."""


class Clients:
    """Clients for one region, with the credentials that the options name; made when they are first asked for.

    Raises:
        ConfigurationError: there is no such profile, or AWS's own configuration files cannot be read.
    """

    def __init__(self, options: Ec2Options) -> None:
        self._options = options
        self._region = options.region
        self._made: dict[tuple[str, bool], Any] = {}
        self._source = _source_session(options.profile)
        self._in_use: boto3.Session | None = None

    @property
    def region(self) -> str:
        """The region that is configured, or else that of this instance, which is asked for once.

        Raises:
            Unavailable: the metadata service does not tell it.
        """
        if self._region is None:
            self._region = region_of_this_instance(self._options.metadata_endpoint, self._options.timeout)
        return self._region

    def ec2(self, *, order: bool = False) -> EC2Client:
        """The client for EC2, for questions (which are tried twice) or for an order."""
        client: EC2Client = self._client("ec2", order=order)
        return client

    def auto_scaling(self) -> AutoScalingClient:
        """The client for orders to Auto Scaling."""
        client: AutoScalingClient = self._client("autoscaling", order=True)
        return client

    def _client(self, service: str, *, order: bool) -> Any:
        where = self._where(_ORDERS if order else _READS)
        with _creating:
            if (service, order) not in self._made:
                session: Any = self._session()
                self._made[service, order] = session.client(service, **where)
            return self._made[service, order]

    def _where(self, retries: Mapping[str, Any]) -> dict[str, Any]:
        """How every client is made. TLS is verified, by boto3's default and with no option to change it."""
        settings: dict[str, Any] = {
            "connect_timeout": self._options.timeout,
            "read_timeout": self._options.timeout,
            "retries": dict(retries),
            "user_agent_extra": f"dnslb/{__version__}",
        }
        return {
            "region_name": self.region,
            "endpoint_url": self._options.endpoint_url,
            "config": Config(**settings),
        }

    def _session(self) -> boto3.Session:
        """The session that clients are made of: with the credentials as they are found, or in a role."""
        if self._in_use is None:
            role = self._options.role_arn
            self._in_use = self._source if role is None else self._session_in(role)
        return self._in_use

    def _session_in(self, role: str) -> boto3.Session:
        """A session in an assumed role, whose credentials are renewed before they expire."""
        source: Any = self._source
        credentials = source.get_credentials()
        if credentials is None:
            raise NoCredentialsError
        given = {"RoleSessionName": "dnslb"}
        if self._options.external_id is not None:
            given["ExternalId"] = self._options.external_id
        fetcher = AssumeRoleCredentialFetcher(
            client_creator=functools.partial(source.client, **self._where(_READS)),
            source_credentials=credentials,
            role_arn=role,
            extra_args=given,
        )
        session = _bare_session(None)
        session.register_component("credential_provider", CredentialResolver([_AssumedRole(fetcher)]))
        return boto3.Session(botocore_session=session)


class _AssumedRole(CredentialProvider):
    """The only place where a session in an assumed role looks for credentials."""

    METHOD = "dnslb-assume-role"

    def __init__(self, fetcher: AssumeRoleCredentialFetcher) -> None:
        super().__init__()
        self._fetcher = fetcher

    def load(self) -> DeferredRefreshableCredentials:
        """The role's credentials, fetched when they are first needed."""
        return DeferredRefreshableCredentials(method=self.METHOD, refresh_using=self._fetcher.fetch_credentials)


def _source_session(profile: str | None) -> boto3.Session:
    try:
        session = _bare_session(profile)
        session.get_scoped_config()  # reads the files, which would otherwise be read when something fails at night
        return boto3.Session(botocore_session=session)
    except ProfileNotFound as error:
        raise ConfigurationError(
            f"there is no AWS profile {profile!r} for this user; `profile` names one of ~/.aws/config or"
            " ~/.aws/credentials"
        ) from error
    except BotoCoreError as error:
        raise ConfigurationError(f"the configuration files of AWS cannot be used: {error}") from error


def _bare_session(profile: str | None) -> botocore.session.Session:
    session = botocore.session.Session(profile=profile)
    session.register_component("data_loader", _loader())
    return session


@functools.cache
def _loader() -> Loader:
    """One for the process: the description of the EC2 API takes 30 MB, which region filter and destroyer share."""
    loader: Loader = botocore.session.Session().get_component("data_loader")
    return loader
