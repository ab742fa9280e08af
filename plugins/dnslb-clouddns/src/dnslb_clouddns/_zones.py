"""Finding the managed zone of a name.

Source: https://cloud.google.com/dns/docs/reference/rest/v1/managedZones
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from google.cloud import dns  # type: ignore[import-untyped]

from dnslb import ZoneNotFound, normalise_name
from dnslb_clouddns._errors import boundary
from dnslb_clouddns._options import CloudDnsOptions
from dnslb_clouddns._records import absolute

_WITHOUT_RECORDS = ("forwardingConfig", "peeringConfig", "reverseLookupConfig", "serviceDirectoryConfig")
"""What a zone has whose answers come from elsewhere."""


def is_within(name: str, zone: str) -> bool:
    """Whether a name is that of the zone, or below it; both are normalised."""
    return name == zone or name.endswith(f".{zone}")


def find_zone(client: dns.Client, options: CloudDnsOptions, fqdn: str) -> dns.zone.ManagedZone:
    """The managed zone that the options name, or else the one with the longest DNS name that holds the fqdn.

    Raises:
        ZoneNotFound: there is none, or more than one with that DNS name, or it does not hold the fqdn.
        Unavailable, Denied: it could not be asked for.
    """
    if options.zone_name is not None:
        zone = client.zone(options.zone_name)
        with boundary(f"find the zone {options.zone_name} in the project {client.project}"):
            zone.reload()
            dns_name = normalise_name(zone.dns_name)
        if not is_within(fqdn, dns_name):
            raise ZoneNotFound(f"the zone {options.zone_name} is of {dns_name}, which does not hold {fqdn}")
        return zone
    kind = "private" if options.private else "public"
    for dns_name in [options.zone_dns_name] if options.zone_dns_name else _ancestors(fqdn):
        found = _zones_of(client, dns_name, kind)
        if len(found) > 1:
            raise ZoneNotFound(
                f"{len(found)} {kind} zones of the project {client.project} have the DNS name {dns_name}:"
                f" {', '.join(sorted(found))}; set `zone` to the name of one of them"
            )
        if found:
            return client.zone(found[0], absolute(dns_name))
    raise ZoneNotFound(
        f"the project {client.project} has no {kind} zone that holds {options.zone_dns_name or fqdn}; check `project`,"
        " `private` and `zone`"
    )


def _ancestors(name: str) -> Iterator[str]:
    """The name itself and those above it, the longest first."""
    labels = name.split(".")
    return (".".join(labels[depth:]) for depth in range(len(labels)))


def _zones_of(client: dns.Client, dns_name: str, kind: str) -> list[str]:
    """The names of the zones of that kind that have the DNS name and records of their own."""
    zones = client.list_zones()
    zones.extra_params = {"dnsName": absolute(dns_name)}
    zones.item_to_value = _as_it_is  # the SDK's own leaves out whether a zone is private
    with boundary(f"look for zones of {dns_name} in the project {client.project}"):
        return [
            str(zone["name"])
            for zone in zones
            if zone.get("visibility", "public") == kind and not any(zone.get(each) for each in _WITHOUT_RECORDS)
        ]


def _as_it_is(_: object, resource: Mapping[str, Any]) -> Mapping[str, Any]:
    return resource
