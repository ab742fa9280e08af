"""Tokens: from the credentials that the options name, with the SDK's errors mapped where they arise.

Nothing of a request has been sent while a token is asked for. So its failures are told apart from the request's
own: a commit that got no token has a known outcome.
"""

from __future__ import annotations

from typing import Any

from azure.core.credentials import AccessToken, TokenCredential
from azure.core.exceptions import AzureError, ClientAuthenticationError, ServiceRequestError, ServiceResponseError

from dnslb import Denied, Unavailable
from dnslb_azure._options import AzureOptions
from dnslb_azure._texts import one_line


class Tokens:
    """The credential as the SDK's pipeline sees it: what fails is an error of dnslb."""

    def __init__(self, credential: TokenCredential) -> None:
        self._credential = credential

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        """A token for the scopes.

        Raises:
            Denied: the credentials were refused, or there are none.
            Unavailable: whoever issues tokens could not be reached.
        """
        try:
            return self._credential.get_token(*scopes, **options)
        except AzureError as error:
            what = f"no token for {scopes[0]}: {one_line(error)}"
            if _is_refusal(error):
                raise Denied(
                    f"{what}; check the credentials (tenant_id, client_id and client_secret, the managed identity, or"
                    " the environment)"
                ) from error
            raise Unavailable(f"{what}; check the way to whoever issues the tokens") from error

    def close(self) -> None:
        """Gives back the credential's connections, where it keeps any."""
        close = getattr(self._credential, "close", None)
        if close is not None:
            close()


def _is_refusal(error: AzureError) -> bool:
    """Whether somebody answered; the SDK calls it an authentication error also where the way there is broken."""
    broken = (ServiceRequestError, ServiceResponseError)
    return isinstance(error, ClientAuthenticationError) and not isinstance(error.__cause__, broken)


def credential_of(options: AzureOptions) -> TokenCredential:
    """The service principal or managed identity that the options name, or else whatever the host has.

    Source of the last: https://learn.microsoft.com/azure/developer/python/sdk/authentication/credential-chains
    """
    # Only one of them is needed, and a test that brings its own credential needs none.
    from azure.identity import (  # noqa: PLC0415
        ClientSecretCredential,
        DefaultAzureCredential,
        ManagedIdentityCredential,
    )

    limits: dict[str, Any] = {"connection_timeout": options.timeout, "read_timeout": options.timeout}
    if options.managed_identity_client_id:
        return ManagedIdentityCredential(client_id=options.managed_identity_client_id, **limits)
    limits["retry_total"] = 1  # dnslb itself asks again; the SDK's own patience is longer than a check's
    if options.ca_file is not None:
        # A cloud of one's own issues the tokens too, and the public one has never heard of it.
        limits |= {"connection_verify": str(options.ca_file), "disable_instance_discovery": True}
    if options.tenant_id and options.client_id and options.client_secret:
        secret = options.client_secret.reveal()
        return ClientSecretCredential(options.tenant_id, options.client_id, secret, **limits)
    return DefaultAzureCredential(**limits)
