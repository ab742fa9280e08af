"""Google's client, made so that a commit is sent once.

The SDK has no retries of its own, and no time limit that can be set. google-auth sends a request that was answered
401 again with a new token, and requests follows redirections: both are off for commits.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import google.auth
import google.auth.exceptions
from google.auth import identity_pool
from google.auth.credentials import AnonymousCredentials, Credentials
from google.auth.transport.requests import AuthorizedSession
from google.cloud import dns  # type: ignore[import-untyped]
from google.oauth2 import credentials as user
from google.oauth2 import service_account

from dnslb import ConfigurationError, Denied
from dnslb_clouddns._options import CloudDnsOptions


class _Session(AuthorizedSession):
    """A session with a time limit for every request."""

    def __init__(self, credentials: Credentials, timeout: float, *, renew: bool) -> None:
        attempts = {} if renew else {"max_refresh_attempts": 0}
        super().__init__(credentials, **attempts)  # type: ignore[no-untyped-call]
        self.max_redirects = 0
        self._timeout = timeout

    def request(self, method: Any, url: Any, *arguments: Any, **named: Any) -> Any:
        named["timeout"] = self._timeout
        return super().request(method, url, *arguments, **named)  # type: ignore[no-untyped-call]


@dataclass(frozen=True)
class Clients:
    """Two clients with the same credentials: one renews a token that is refused and asks again, one never does."""

    reads: dns.Client
    commits: dns.Client

    def close(self) -> None:
        """Closes all connections."""
        self.reads.close()
        self.commits.close()


def load_credentials_file(path: Path) -> tuple[Credentials, str | None]:
    """The credentials in a file, and the project that they belong to where it says so.

    Raises:
        ConfigurationError: it cannot be read, or is of a kind that is not known here.
    """
    makers: dict[str, Any] = {
        "service_account": service_account.Credentials.from_service_account_info,
        "external_account": identity_pool.Credentials.from_info,
        "authorized_user": user.Credentials.from_authorized_user_info,
    }
    try:
        info = json.loads(path.read_text(encoding="utf-8"))
        kind = info.get("type")
        if kind not in makers:
            raise ConfigurationError(
                f"credentials_file {path} is of the type {kind!r}, not one of {', '.join(makers)}; for others leave it"
                " out and set GOOGLE_APPLICATION_CREDENTIALS"
            )
        return makers[kind](info, scopes=dns.Client.SCOPE), info.get("project_id")
    except OSError as error:
        raise ConfigurationError(f"cannot read credentials_file {path}: {error.strerror}") from error
    except (AttributeError, KeyError, TypeError, ValueError, google.auth.exceptions.GoogleAuthError):
        # Neither the text nor the cause: they may quote from the file.
        raise ConfigurationError(f"credentials_file {path} is not a file of credentials as Google issues it") from None


def find_credentials(options: CloudDnsOptions) -> tuple[Credentials, str | None]:
    """Those of the file, or the application default credentials, with their project.

    Raises:
        ConfigurationError: as `load_credentials_file`.
        google.auth.exceptions.GoogleAuthError: there are no default credentials.
    """
    if options.credentials_file is not None:
        return load_credentials_file(options.credentials_file)
    if options.is_plain_http:
        return AnonymousCredentials(), None  # type: ignore[no-untyped-call]
    found: tuple[Credentials, str | None] = google.auth.default(scopes=dns.Client.SCOPE)
    return found


def connect(options: CloudDnsOptions, credentials: Credentials, project: str | None) -> Clients:
    """The clients; nothing is sent yet.

    Raises:
        Denied: nobody says which project it is.
    """
    project = options.project or project
    if not project:
        raise Denied("cannot tell the project: the credentials name none; set `project` to the id of the zone's")

    def client(*, renew: bool) -> dns.Client:
        session = _Session(credentials, options.timeout, renew=renew)
        session.trust_env = not options.is_plain_http  # no proxy has anything to do with the loopback interface
        endpoint = {"api_endpoint": options.api_endpoint} if options.api_endpoint else {}
        return dns.Client(project=project, credentials=credentials, _http=session, client_options=endpoint)

    return Clients(reads=client(renew=True), commits=client(renew=False))
