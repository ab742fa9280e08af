"""Finding the hosted zone: by its id, by its name, or as the longest one that holds the fqdn."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dnslb import ZoneNotFound
from dnslb_route53._client import Api
from dnslb_route53._options import Route53Options


@dataclass(frozen=True, slots=True)
class Zone:
    """A hosted zone: its id without `/hostedzone/`, its name without the trailing dot."""

    id: str
    name: str
    private: bool

    def __str__(self) -> str:
        return f"{self.name} ({_kind(self.private)}, {self.id})"

    def holds(self, name: str) -> bool:
        """Whether records of that name belong into it."""
        return is_within(name, self.name)


def is_within(name: str, zone: str) -> bool:
    """Whether a name is that of the zone, or below it."""
    return name == zone or name.endswith(f".{zone}")


def find_zone(api: Api, options: Route53Options, fqdn: str) -> Zone:
    """The hosted zone that the options mean, or the longest of the right kind that holds `fqdn`.

    Raises:
        ZoneNotFound: there is none, or several that differ in their ids only; the message lists them.
        Unavailable, Refused: as for any call.
    """
    if options.zone_id is None:
        return _by_name(api, options, fqdn)
    what = f"find the zone {options.zone_id}"
    zone = _zone_of(api.call("get_hosted_zone", "HostedZone", what, Id=options.zone_id))
    if not zone.holds(fqdn):
        raise ZoneNotFound(f"{fqdn} is not in the hosted zone {zone}; correct hosted_zone_id, or leave it out")
    if options.zone not in (None, zone.name):
        raise ZoneNotFound(f"hosted_zone_id is that of {zone}, and `zone` says {options.zone}; leave one of them out")
    return zone


def _by_name(api: Api, options: Route53Options, fqdn: str) -> Zone:
    others: list[Zone] = []
    for name in [options.zone] if options.zone else _parents(fqdn):
        found = _zones_called(api, name)
        zones = [zone for zone in found if zone.private is options.private]
        if len(zones) > 1:
            raise ZoneNotFound(
                f"there are {len(zones)} {_kind(options.private)} hosted zones called {name}:"
                f" {', '.join(zone.id for zone in zones)}; set hosted_zone_id to one of them"
            )
        if zones:
            return zones[0]
        others += found
    wanted = f"called {options.zone}" if options.zone else f"that holds {fqdn}"
    hint = f"; there is {', '.join(map(str, others))}: set hosted_zone_id, or change `private`" if others else ""
    raise ZoneNotFound(
        f"the account has no {_kind(options.private)} hosted zone {wanted}{hint or '; set hosted_zone_id'}"
    )


def _parents(fqdn: str) -> Iterator[str]:
    """The names that a zone which holds it may have, the longest first."""
    labels = fqdn.split(".")
    return (".".join(labels[at:]) for at in range(len(labels)))


def _zones_called(api: Api, name: str) -> list[Zone]:
    """The hosted zones of exactly that name: a listing in the order of names starts with them.

    One page of it is enough, since it holds 100.
    """
    listed = api.call("list_hosted_zones_by_name", "HostedZones", f"find the zone {name}", DNSName=name)
    return [zone for zone in map(_zone_of, listed) if zone.name == name]


def _zone_of(raw: dict[str, Any]) -> Zone:
    return Zone(
        id=raw["Id"].rpartition("/")[2],
        name=raw["Name"].removesuffix("."),
        private=bool(raw.get("Config", {}).get("PrivateZone", False)),
    )


def _kind(private: bool) -> str:
    return "private" if private else "public"
