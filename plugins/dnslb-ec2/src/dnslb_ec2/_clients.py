"""The clients of EC2 and Auto Scaling, in the region that is meant."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from dnslb_aws.account import ORDER, QUESTION, Account
from dnslb_ec2._errors import meaning_of
from dnslb_ec2._metadata import region_of_this_instance
from dnslb_ec2._options import Ec2Options

if TYPE_CHECKING:
    from mypy_boto3_autoscaling import AutoScalingClient
    from mypy_boto3_ec2 import EC2Client


class Clients:
    """Clients for one region, with the credentials that the options name; made when they are first asked for.

    Raises:
        ConfigurationError: there is no such profile, or AWS's own configuration files cannot be read.
    """

    def __init__(self, options: Ec2Options) -> None:
        self._options = options
        self._region = options.region
        self._account = Account(options, own=meaning_of, sts_url=options.endpoint_url)

    @property
    def region(self) -> str:
        """The region that is configured, or else that of this instance, which is asked for once.

        Raises:
            Unavailable: the metadata service does not tell it.
        """
        if self._region is None:
            self._region = region_of_this_instance(self._options.metadata_endpoint, self._options.timeout)
        return self._region

    def calling(self, what: str, *, order: bool = False) -> AbstractContextManager[None]:
        """The boundary within which clients are made and called, as of `Account`."""
        return self._account.calling(what, order=order)

    def ec2(self, *, order: bool = False) -> EC2Client:
        """The client for EC2, for questions (which are tried twice) or for an order."""
        client: EC2Client = self._client("ec2", ORDER if order else QUESTION)
        return client

    def auto_scaling(self) -> AutoScalingClient:
        """The client for orders to Auto Scaling."""
        client: AutoScalingClient = self._client("autoscaling", ORDER)
        return client

    def _client(self, service: str, attempts: int) -> Any:
        return self._account.client(service, self.region, attempts=attempts, url=self._options.endpoint_url)
