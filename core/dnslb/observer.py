"""Makes the looks that the decision asks for: reads what is to be read, and probes whom it names."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from dnslb.decision import Look, Observation, State, Trouble, attempts, block_name, destroy_name
from dnslb.decision.actions import Action
from dnslb.errors import ConfigurationError, ProviderError
from dnslb.interfaces import ProbeResult, Service, Target
from dnslb.log import LOGGER
from dnslb.parts import Own, Parts, Surroundings
from dnslb.records import Address, RecordSet, RecordType, Snapshot
from dnslb.voice import Voice


class Observer:
    """Observes one record set of one service.

    Attributes:
        snapshot: the record set as read in the last look, None where it was not.
        intents, block_record: the destroy record, and the block record, in the same way.
    """

    def __init__(
        self, service: Service, type_: RecordType, parts: Parts, own: Own, around: Surroundings, voice: Voice
    ) -> None:
        self.snapshot: Snapshot | None = None
        self.intents: Snapshot | None = None
        self.block_record: Snapshot | None = None
        self._service = service
        self._type = type_
        self._parts = parts
        self._own = own
        self._around = around
        self._voice = voice

    async def observe(self, look: Look, state: State, timeout: float, *, stopping: bool) -> Observation:
        """What there is to be seen; each probe within `timeout` seconds."""
        # The probes come last: they are what a removal rests on, and reading may be slow.
        trouble = await self._read(look)
        hint = await self._hint(look)
        local = await self._local(look.probe, state)
        witnessed_at = self._around.now()
        witnesses = await self._witnesses(timeout) if look.witnesses else None
        started = self._around.now()
        probes = await self._probe(look.probe, state, timeout)
        own, host = self._addresses(state)
        return Observation(
            now=self._around.now(),
            wall=self._around.wall(),
            own=own,
            host=host,
            record_set=content(self.snapshot),
            block_record=content(self.block_record),
            intents=content(self.intents),
            trouble=trouble,
            hint=hint,
            silent=look.hint and hint is None,
            witnesses=witnesses,
            witnessed_at=witnessed_at,
            probes=probes,
            probed_at=started,
            local=local,
            stopping=stopping,
            jitter=self._around.chance.random(),
            token=self._token(),
        )

    def after(
        self,
        state: State,
        *,
        record_set: RecordSet | None = None,
        block_record: RecordSet | None = None,
        intents: RecordSet | None = None,
        trouble: Trouble | None = None,
        done: tuple[Action, ...] = (),
        stopping: bool = False,
    ) -> Observation:
        """What is to be seen right after something was tried."""
        return Observation(
            now=self._around.now(),
            wall=self._around.wall(),
            own=state.own,
            host=self._addresses(state)[1],
            record_set=record_set,
            block_record=block_record,
            intents=intents,
            trouble=trouble,
            done=done,
            stopping=stopping,
            jitter=self._around.chance.random(),
            token=self._token(),
        )

    def _token(self) -> str:
        return f"{self._around.chance.getrandbits(64):016x}"

    def _addresses(self, state: State) -> tuple[Address | None, frozenset[Address]]:
        """The own address of this family, and those of both."""
        try:
            found = self._own.find()
        except ConfigurationError as error:
            self._voice.complain("own-address", f"keeping {state.own or 'none'}: {error}")
            return state.own, frozenset({state.own} if state.own else ())
        self._voice.mended("own-address")
        return found.get(self._type), frozenset(found.values())

    async def _read(self, look: Look) -> Trouble | None:
        self.snapshot = self.block_record = self.intents = None
        fqdn = self._service.fqdn
        record_set = (fqdn, self._type)
        block_record, intents = (block_name(fqdn), RecordType.TXT), (destroy_name(fqdn), RecordType.TXT)
        asked = {record_set: look.read, block_record: look.lease, intents: look.intents}
        keys = [key for key, is_asked in asked.items() if is_asked]
        if not keys:
            return None
        try:
            found = dict(zip(keys, await self._parts.records.read_together(keys), strict=True))
        except ProviderError as error:
            return self._voice.trouble(error)
        self._voice.works()
        self.snapshot, self.block_record, self.intents = map(found.get, asked)
        return None

    async def _hint(self, look: Look) -> RecordSet | None:
        if not look.hint or self._parts.hint is None:
            return None
        try:
            hint = await self._parts.hint(self._type)
        except ProviderError as error:
            self._voice.complain("name-servers-silent", f"reading by the API instead, more rarely: {error}")
            return None
        self._voice.mended("name-servers-silent")
        return hint

    async def _witnesses(self, timeout: float) -> bool:
        assert self._parts.witness is not None  # the policy says whether there are any
        if await self._parts.witness(timeout):
            self._voice.mended("witnesses-silent")
            return True
        self._voice.complain("witnesses-silent", "no witness answers: this host may be cut off")
        return False

    async def _probe(
        self, addresses: frozenset[Address], state: State, timeout: float
    ) -> Mapping[Address, ProbeResult]:
        targets: list[Target] = []
        for address in sorted(addresses, key=int):
            targets += [Target(address, self._service.port)] * attempts(state, address)
        results = await self._parts.probe(targets, timeout) if targets else {}
        if LOGGER.isEnabledFor(logging.DEBUG):  # asked first: there may be hundreds, each time
            for target, result in results.items():
                if not result.healthy:
                    about = {"address": str(target.address), "verdict": result.verdict.value, "detail": result.detail}
                    text = f"{target.address} {result.verdict.value}: {result.detail}"
                    self._voice.say(logging.DEBUG, "probe", text, **about)
        return {target.address: result for target, result in results.items()}

    async def _local(self, addresses: frozenset[Address], state: State) -> frozenset[Address]:
        """Those of the failing addresses that are in this region: nobody, where the filter cannot tell."""
        if self._parts.filter_region is None:
            return addresses
        failed = frozenset(address for address in addresses if state.health_of(address).failures)
        if not failed:
            return failed
        try:
            inside = await self._parts.filter_region(failed)
        except ProviderError as error:
            self._voice.complain("region-unknown", f"taking nobody to be in this region: {error}")
            return frozenset()
        self._voice.mended("region-unknown")
        return frozenset(inside) & failed


def content(snapshot: Snapshot | None) -> RecordSet | None:
    """The record set that was read, if any was."""
    return snapshot.record_set if snapshot is not None else None
