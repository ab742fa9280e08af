"""The address source: the own addresses as the instance metadata service tells them, version 2."""

from __future__ import annotations

from dnslb import Address, Unavailable
from dnslb_ec2._metadata import addresses_of_this_instance
from dnslb_ec2._options import Ec2AddressOptions

_ITEMS = {"private": ("local-ipv4", "ipv6"), "public": ("public-ipv4", "ipv6")}
"""What the service is asked for; an IPv6 address is the same inside and outside."""


class Ec2AddressSource:
    """Asks the service each time: an Elastic IP address may be given to a running instance, or taken from it."""

    def __init__(self, options: Ec2AddressOptions) -> None:
        self._options = options

    def find(self) -> frozenset[Address]:
        """The addresses of the first network interface: the primary IPv4 address that is asked for, the first of IPv6.

        Raises:
            Unavailable: the service does not answer, or the instance has no such address (yet).
        """
        use = self._options.use
        found = addresses_of_this_instance(self._options.metadata_endpoint, self._options.timeout, _ITEMS[use])
        if not found:
            other = ", or write `use: private`" if use == "public" else ""
            raise Unavailable(f"this instance has neither a {use} IPv4 address nor an IPv6 address; give it one{other}")
        return found
