"""The clouds' doubles as clusters of agents meet them: a configuration, who the members are, and how to throttle.

Each is a context manager over a `Provider`. What goes past the agents, such as the look at the members, is not counted
among the requests.
"""

from __future__ import annotations

import contextlib
import math
import os
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trustme
from botocore.session import Session

from dnslb.testing.azuredns import AzureDns
from dnslb.testing.clouddns import CloudDns
from dnslb.testing.httpproxy import Answer, HttpProxy, Seen, pass_on
from dnslb.testing.jsonserver import Answer as JsonAnswer
from dnslb.testing.jsonserver import JsonServer
from dnslb.testing.ministack import MiniStack

ZONE = "ex.test"
NAME = f"www.{ZONE}"
REGION = "eu-west-1"

AWS_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "NO_PROXY": "127.0.0.1",
}
"""For the agents' processes: credentials for the doubles, and nothing of this host's own."""

AZURE_PAUSE = "10"
"""Seconds that the fake of Azure DNS asks for in `Retry-After`."""


@dataclass(frozen=True)
class Provider:
    """One double.

    Attributes:
        name: the plugin.
        kind: what `throttle` makes it answer, and to which requests.
        configuration: the lines of a configuration that choose it.
        members: the addresses in the record set of `NAME`.
        requests: when (`time.monotonic`) the requests of the agents came.
        throttle, heal: begin and end the throttling.
        environment: variables that the agents need.
    """

    name: str
    kind: str
    configuration: str
    members: Callable[[], frozenset[str]]
    requests: Callable[[], list[float]]
    throttle: Callable[[], object]
    heal: Callable[[], object]
    environment: Mapping[str, str] = field(default_factory=dict)


def aws_client(service: str, url: str) -> Any:
    make: Any = Session().create_client
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    return make(service, region_name=REGION, endpoint_url=url, **keys)


class Route53:
    """A zone of MiniStack with a proxy before it."""

    def __init__(self, ministack: MiniStack, proxy: HttpProxy):
        self.proxy = proxy
        self._client = aws_client("route53", ministack.url)
        made = self._client.create_hosted_zone(Name=ZONE, CallerReference=str(time.time_ns()))
        self._zone = made["HostedZone"]["Id"].rpartition("/")[2]

    @property
    def configuration(self) -> str:
        options = f"hosted_zone_id: {self._zone}, endpoint_url: '{self.proxy.url}'"
        return f"record_manager: {{plugin: route53, {options}}}\n"

    def members(self) -> frozenset[str]:
        listed = self._client.list_resource_record_sets(HostedZoneId=self._zone)["ResourceRecordSets"]
        ours = [each for each in listed if (each["Name"], each["Type"]) == (f"{NAME}.", "A")]
        return frozenset(record["Value"] for each in ours for record in each["ResourceRecords"])

    def refuse(self, code: str, *, writes: bool) -> None:
        """Answers every request, or every write, with that error."""
        text = f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message/></Error></ErrorResponse>"
        answer = Answer(400, text.encode(), {"Content-Type": "text/xml"})

        def rule(seen: Seen) -> Answer | None:
            return answer if seen.method == "POST" or not writes else None

        self.proxy.rule = rule

    def heal(self) -> None:
        self.proxy.rule = pass_on


@contextlib.contextmanager
def route53(ministack: MiniStack, code: str = "Throttling", *, writes: bool = False) -> Iterator[Provider]:
    """Route 53, throttled by the error of that code in answer to all requests, or to writes alone."""
    with HttpProxy(ministack.address) as proxy:
        zone = Route53(ministack, proxy)
        yield Provider(
            "route53",
            f"{code}{' of writes' * writes}",
            zone.configuration,
            zone.members,
            lambda: [seen.at for seen in proxy.seen],
            lambda: zone.refuse(code, writes=writes),
            zone.heal,
            AWS_ENVIRONMENT,
        )


@contextlib.contextmanager
def clouddns() -> Iterator[Provider]:
    """Cloud DNS, throttled by 429."""
    with CloudDns() as fake:
        fake.add_zone("ex-test", f"{ZONE}.")

        def members() -> frozenset[str]:
            ours = [each for each in fake.record_sets("ex-test") if (each["name"], each["type"]) == (f"{NAME}.", "A")]
            return frozenset(value for each in ours for value in each["rrdatas"])

        yield Provider(
            "clouddns",
            "429",
            f"record_manager: {{plugin: clouddns, project: {fake.project}, api_endpoint: '{fake.endpoint}'}}\n",
            members,
            lambda: [call.at for call in fake.calls],
            lambda: fake.fail(429, "rateLimitExceeded", times=math.inf),
            fake.heal,
        )
        assert fake.faults == []


@contextlib.contextmanager
def azure(folder: Path) -> Iterator[Provider]:
    """Azure DNS, throttled by 429 with `Retry-After`; the agents get their token as an App Service gives it."""
    authority = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    ca_file = folder / "ca.pem"
    authority.cert_pem.write_to_path(ca_file)
    with AzureDns(tls) as dns, contextlib.closing(_identity(dns.token)) as identity:
        dns.add_zone(ZONE)

        def members() -> frozenset[str]:
            found = dns.record_set(ZONE, "A", "www") or {"properties": {}}
            return frozenset(record["ipv4Address"] for record in found["properties"].get("ARecords") or ())

        options = f"zone: {ZONE}, resource_group: dns, subscription_id: {dns.subscription}"
        yield Provider(
            "azure",
            f"429, Retry-After: {AZURE_PAUSE}",
            f"record_manager: {{plugin: azure, {options}, base_url: '{dns.url}', ca_file: '{ca_file}'}}\n",
            members,
            lambda: [request.at for request in dns.requests],
            lambda: dns.fail(429, "TooManyRequests", times=math.inf, headers={"Retry-After": AZURE_PAUSE}),
            dns.heal,
            {
                "IDENTITY_ENDPOINT": "http://{}:{}/token".format(*identity.address),
                "IDENTITY_HEADER": "any",
                "NO_PROXY": "127.0.0.1",
            },
        )


def _identity(token: str) -> JsonServer:
    """The token endpoint of an App Service: https://learn.microsoft.com/azure/app-service/overview-managed-identity."""
    expires = str(int(time.time()) + 24 * 3600)
    answer = {"access_token": token, "expires_on": expires, "resource": "any", "token_type": "Bearer"}
    return JsonServer(lambda _: JsonAnswer(200, answer))
