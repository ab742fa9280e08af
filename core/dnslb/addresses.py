"""The own address of this host, as the configuration chooses it: given, of an interface, or found out."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import ifaddr

from dnslb.errors import ConfigurationError
from dnslb.records import Address, RecordType, parse_address

AUTO = "auto"

# Documentation addresses (RFC 5737, RFC 3849): connecting a UDP socket sends nothing, and it makes the kernel choose
# the source address that it would use towards the rest of the world.
_TOWARDS = {RecordType.A: (socket.AF_INET, "192.0.2.1"), RecordType.AAAA: (socket.AF_INET6, "2001:db8::1")}

# Linux, <linux/in6.h>; RFC 5014: not one of the temporary addresses, which are gone tomorrow.
_IPV6_ADDR_PREFERENCES, _IPV6_PREFER_SRC_PUBLIC = 72, 2


@dataclass(frozen=True, slots=True)
class OwnAddresses:
    """Finds the own addresses, at most one of each family.

    `choices` are `auto`, names of interfaces, and addresses, as in the configuration.
    """

    choices: tuple[str, ...]

    def find(self) -> Mapping[RecordType, Address]:
        """The own addresses as they are now.

        Raises:
            ConfigurationError: there are several to choose from, or two choices give one family, or an
                interface is not there. It may go away again: interfaces come and go.
        """
        chosen = [address for choice in self.choices for address in _of_choice(choice)]
        try:
            return of_each_family(chosen)
        except ValueError as error:
            raise ConfigurationError(f"address: {error}; name one of them") from error


def of_each_family(addresses: Iterable[Address]) -> Mapping[RecordType, Address]:
    """The addresses by the type of their records.

    Raises:
        ValueError: two of them are of one family.
    """
    found: dict[RecordType, Address] = {}
    for address in addresses:
        type_ = RecordType.of(address)
        if found.setdefault(type_, address) != address:
            raise ValueError(f"{found[type_]} and {address} are of one family")
    return found


def require_reachable(address: Address) -> None:
    """Passes over an address that others may reach this host by, if they are on the right network.

    Raises:
        ValueError: nobody else can.
    """
    if address.is_multicast or address.is_unspecified or address.is_link_local:
        raise ValueError(f"{str(address)!r} is not an address that others can reach this host by")


def _of_choice(choice: str) -> list[Address]:
    if choice == AUTO:
        return [address for type_ in _TOWARDS for address in _automatic(type_)]
    try:
        address = parse_address(choice)
    except ValueError as error:
        if "%" in choice:  # a zone index
            raise ConfigurationError(f"address: {error}") from error
        return _of_interface(choice)
    try:
        require_reachable(address)
    except ValueError as error:
        raise ConfigurationError(f"address: {error}") from error
    return [address]


def _automatic(type_: RecordType) -> list[Address]:
    """The source address towards the world; without a default route, the only usable address, if there is just one."""
    source = _source(type_)
    if source is not None:
        return [source]
    candidates = [address for _, address in _usable() if RecordType.of(address) is type_]
    return [_only(candidates, "this host")] if candidates else []


def _source(type_: RecordType) -> Address | None:
    family, destination = _TOWARDS[type_]
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, _IPV6_ADDR_PREFERENCES, _IPV6_PREFER_SRC_PUBLIC)
            probe.connect((destination, 53))
            source = parse_address(probe.getsockname()[0])
    except (OSError, ValueError):
        return None
    return source if _is_usable(source) else None


def _of_interface(name: str) -> list[Address]:
    usable = [(interface, address) for interface, address in _usable(loopback=True) if interface == name]
    if not usable:
        names = sorted({interface for interface, _ in _usable(loopback=True)})
        raise ConfigurationError(
            f"address: {name!r} is neither an address nor an interface with one; interfaces here: {', '.join(names)}"
        )
    families = {RecordType.of(address) for _, address in usable}
    return [
        _only([address for _, address in usable if RecordType.of(address) is type_], f"the interface {name}")
        for type_ in sorted(families, key=str)
    ]


def _usable(*, loopback: bool = False) -> Iterable[tuple[str, Address]]:
    for adapter in ifaddr.get_adapters():
        for ip in adapter.ips:
            # ifaddr gives IPv4 as text, IPv6 as (text, flow info, scope id).
            address = parse_address(ip.ip if isinstance(ip.ip, str) else ip.ip[0])
            if _is_usable(address) or (loopback and address.is_loopback):
                yield adapter.name, address


def _is_usable(address: Address) -> bool:
    return not (address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified)


def _only(candidates: list[Address], owner: str) -> Address:
    if len(set(candidates)) > 1:
        several = ", ".join(map(str, candidates))
        raise ConfigurationError(f"address: {owner} has several addresses ({several}); name the one to register")
    return candidates[0]
