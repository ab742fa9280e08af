"""The destroyer: it terminates the one instance that carries the address, and only if it is surely the one meant."""

from __future__ import annotations

import threading

from dnslb import Address, OutcomeUnknown, ProviderError, Rejected, Unavailable
from dnslb_ec2._api import Ec2Api
from dnslb_ec2._instances import Instance
from dnslb_ec2._metadata import id_of_this_instance
from dnslb_ec2._options import Ec2DestroyerOptions


class Ec2Destroyer:
    """Terminates instances; of all that is doubtful it terminates nothing.

    Raises:
        ConfigurationError: there is no such profile.
    """

    def __init__(self, options: Ec2DestroyerOptions) -> None:
        self._options = options
        self._api = Ec2Api(options)
        self._lock = threading.Lock()
        # Where the reply to an order was lost: a terminated instance soon no longer shows its addresses.
        self._in_doubt: dict[Address, str] = {}

    def destroy(self, addresses: frozenset[Address]) -> None:
        """Terminates the instances that carry `addresses`, one after another; one that fails keeps none of the others.

        Raises:
            Rejected: not exactly one live instance carries the address, or it lacks a tag, or is in another
                state or group.
            OutcomeUnknown: the order was sent and the reply was lost.
            ProviderError: EC2 could not be asked, or refused.
        """
        failures = [failure for address in _in_order(addresses) if (failure := self._attempt(address))]
        if len(failures) == 1:
            raise failures[0]
        if failures:
            kinds = (OutcomeUnknown, Unavailable, Rejected)
            worst = next((kind for kind in kinds if any(isinstance(each, kind) for each in failures)), Rejected)
            raise worst("; ".join(map(str, failures))) from failures[0]

    def _attempt(self, address: Address) -> ProviderError | None:
        try:
            self._destroy(address)
        except ProviderError as error:
            return error
        return None

    def _destroy(self, address: Address) -> None:
        instance = self._meant(address)
        if instance is None:
            return
        try:
            self._api.terminate(instance)
        except OutcomeUnknown:
            with self._lock:
                self._in_doubt[address] = instance.id
            raise

    def _meant(self, address: Address) -> Instance | None:
        """The one instance to terminate, as EC2 has it now; None where that is done already.

        Raises:
            Rejected: there is no such instance, or it is not certain which is meant.
        """
        carriers = self._api.carriers(frozenset({address}))
        live = [instance for instance in carriers if not instance.ended]
        if len(live) > 1:
            raise Rejected(
                f"terminated nothing: {len(live)} live instances carry {address} in {self._api.region}"
                f" ({', '.join(sorted(instance.id for instance in live))}); set vpc_id, or subnet_ids"
            )
        if live:
            self._require_allowed(live[0], address)
            return live[0]
        if not carriers and not self._ended_meanwhile(address):
            raise Rejected(
                f"terminated nothing: no instance carries {address} in {self._api.region}{self._network()};"
                " if it is one, check region, vpc_id, subnet_ids and by"
            )
        with self._lock:
            self._in_doubt.pop(address, None)
        return None

    def _require_allowed(self, instance: Instance, address: Address) -> None:
        about = f"terminated nothing: {instance.id}, which carries {address},"
        if lacking := instance.lacks(self._options.tags or {}):
            wanted = ", ".join(f"{key}={value}" for key, value in sorted(lacking.items()))
            raise Rejected(f"{about} lacks the tag {wanted}")
        if instance.state not in self._options.states:
            raise Rejected(f"{about} is {instance.state}; states allows {', '.join(self._options.states)}")
        if self._options.own_group and instance.group != (own := self._own_group()):
            raise Rejected(f"{about} is in {instance.group or 'no Auto Scaling group'}; own_group allows {own} only")

    def _own_group(self) -> str:
        """The Auto Scaling group of this very instance, as EC2 has it now.

        Raises:
            Rejected: it is in none, or EC2 does not know it.
            ProviderError: the metadata service or EC2 could not be asked.
        """
        own = id_of_this_instance(self._options.metadata_endpoint, self._options.timeout)
        instance = self._api.instance(own)
        if instance is None:
            raise Rejected(
                f"terminated nothing: {own}, which is this instance, is not to be found in {self._api.region};"
                " check region and the account of these credentials, or give `tags` in place of `own_group`"
            )
        if instance.group is None:
            raise Rejected(
                f"terminated nothing: {own}, which is this instance, is in no Auto Scaling group;"
                " give `tags` in place of `own_group`"
            )
        return instance.group

    def _ended_meanwhile(self, address: Address) -> bool:
        """Whether an order without a reply, given for this address, was carried out after all."""
        with self._lock:
            ordered = self._in_doubt.get(address)
        if ordered is None:
            return False
        instance = self._api.instance(ordered)
        return instance is None or instance.ended

    def _network(self) -> str:
        parts = [*([self._options.vpc_id] if self._options.vpc_id else []), *self._options.subnet_ids]
        return f" within {', '.join(parts)}" if parts else ""


def _in_order(addresses: frozenset[Address]) -> list[Address]:
    return sorted(addresses, key=lambda address: (address.version, int(address)))
