"""The API of Route 53 for one AWS identity, each call by its name in the SDK."""

from __future__ import annotations

from typing import Any

from dnslb import OutcomeUnknown, Unavailable
from dnslb_aws.account import ORDER, Account
from dnslb_route53._errors import meaning_of
from dnslb_route53._options import Route53Options

DEFAULT_REGION = "us-east-1"
"""Where nobody configures a region: Route 53 is one service for all regions, and signs for this one."""


class Api:
    """Calls Route 53, each call once: a commit that the SDK sent again would find its own first try in the way.

    The client is made by the first call, since that takes a while, and serves all threads.

    Raises:
        ConfigurationError: there is no such profile, or AWS's own configuration files cannot be read.
    """

    def __init__(self, options: Route53Options) -> None:
        self._options = options
        self._account = Account(options, own=meaning_of)

    def call(self, operation: str, result: str, what: str, *, commit: bool = False, **parameters: Any) -> Any:
        """The `result` of an operation by its name in the SDK; `what` it does, for messages ("read www.example.com A").

        Raises:
            OutcomeUnknown: it was a `commit` and was sent, and no answer came, or none with a result.
            Unavailable: Route 53, or what the credentials come from, was not reached or did not answer.
            Conflict, Throttled, Refused: what Route 53 answered.
        """
        failed = f"cannot {what} in Route 53"
        with self._account.calling(failed, order=commit):
            answer: dict[str, Any] = getattr(self.client(), operation)(**parameters)
        if result in answer:
            return answer[result]
        if commit:
            raise OutcomeUnknown(f"{failed} for certain: the answer has no {result}")
        raise Unavailable(f"{failed}: the answer has no {result}")

    def client(self) -> Any:
        """The client of botocore, which is the same for all threads; raises what `Account.client` does."""
        region = self._options.region or self._account.configured_region or DEFAULT_REGION
        return self._account.client("route53", region, attempts=ORDER, url=self._options.endpoint_url)

    def close(self) -> None:
        """Closes the connections."""
        self._account.close()
