"""One record set of one service: observe, decide, execute, and look again when the decision says so.

Everything that is decided is decided in `dnslb.decision`; here is the I/O around it. A keeper owns the clock and the
randomness, and both can be replaced: the simulator runs this very code in virtual time.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from dnslb.decision import (
    Action,
    Decision,
    Destroy,
    Look,
    Observation,
    Policy,
    Reason,
    Register,
    State,
    Trouble,
    Why,
    attempts,
    block_name,
    decide,
    revised,
)
from dnslb.errors import ConfigurationError, ProviderError, Throttled
from dnslb.forms import format_duration
from dnslb.interfaces import ProbeResult, Service, Target
from dnslb.log import Lasting, reason_parts, say
from dnslb.publisher import Publisher
from dnslb.publisher import Records as PublishedRecords
from dnslb.records import Address, Receipt, RecordSet, RecordType, Snapshot

LEAVE_TIMEOUT = 30.0
"""How long leaving may take in seconds: the commit, and then as long again until it is served."""

_STEP_GRACE = 5.0
"""How long a step that is under way when the agent stops may still take."""


class Records(PublishedRecords, Protocol):
    """What a keeper reads and writes through: `AsyncRecordManager`, or a simulated one."""

    async def wait(self, receipt: Receipt, timeout: float) -> bool:
        """Waits at most `timeout` seconds until the commit is served."""


Probing = Callable[[Sequence[Target], float], Awaitable[Mapping[Target, ProbeResult]]]
"""One round of probes, each within so many seconds: the best result for each target, of as many as it is named."""

Filtering = Callable[[frozenset[Address]], Awaitable[Collection[Address]]]
Destroying = Callable[[frozenset[Address]], Awaitable[None]]

Hinting = Callable[[RecordType], Awaitable[RecordSet]]
"""What a name server of the zone has now."""


class Own(Protocol):
    """What knows the own addresses without waiting: `OwnAddresses`, `AskedAddresses`, or a simulated one."""

    def find(self) -> Mapping[RecordType, Address]:
        """The own addresses as they are now, or as far as is known."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What does the work of one service. Each raises ProviderError alone, and gives up by itself after a while."""

    records: Records
    probe: Probing
    filter_region: Filtering | None = None
    destroy: Destroying | None = None
    hint: Hinting | None = None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Time, chance and voice: what a simulator replaces."""

    now: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    chance: random.Random = field(default_factory=random.Random)
    say: Callable[..., None] = say


class Keeper:
    """Keeps one record set true."""

    def __init__(
        self,
        service: Service,
        type_: RecordType,
        policy: Policy,
        parts: Parts,
        own: Own,
        surroundings: Surroundings | None = None,
    ) -> None:
        self.state = State()
        self._service = service
        self._type = type_
        self._policy = policy
        self._parts = parts
        self._own = own
        around = surroundings or Surroundings()
        self._now, self._wall, self._sleep = around.now, around.wall, around.sleep
        self._chance, self._voice = around.chance, around.say
        self._publisher = Publisher(parts.records, self._chance, self._sleep)
        self._receipt: Receipt | None = None
        self._refusals: frozenset[tuple[Why, Address]] = frozenset()
        self._complaints: dict[str, str] = {}
        self._troubles: dict[str, Lasting] = {}
        self._snapshot: Snapshot | None = None
        self._block_record: RecordSet | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Keeps the record set true until `stop` is set, and leaves it then."""
        watching = asyncio.create_task(self._watch(stop))
        try:
            await stop.wait()
            # What is under way may end by itself; leaving begins with a fresh reading, whatever became of it.
            await asyncio.wait({watching}, timeout=_STEP_GRACE)
        finally:
            watching.cancel()
        await self._leave()

    async def _watch(self, stop: asyncio.Event) -> None:
        look = Look(self._now())
        while not await _set_within(stop, look.at - self._now()):
            look = await self.step(look)

    async def step(self, look: Look, *, stopping: bool = False) -> Look:
        """Makes one look, does what it asks for, and says when to look next."""
        # A keeper that dies of a mistake of ours leaves its cluster unwatched; it says so, and goes on.
        try:
            return await self._step(look, stopping=stopping)
        except Exception:  # noqa: BLE001 - whatever it is
            self._say(logging.ERROR, "bug", "a mistake in dnslb or in a plugin; going on", exc_info=True)
            return Look(self._now() + self._policy.probe_interval, read=True)

    async def _step(self, look: Look, *, stopping: bool = False) -> Look:
        decision = self._decide(await self._observe(look, stopping=stopping))
        if decision.edits and self._snapshot:
            decision = await self._publish(self._snapshot, decision, stopping=stopping)
            if decision.edits:  # they rest on what was written, and a commit needs what was read
                return Look(self._now(), read=True)
        destruction = next((action for action in decision.actions if isinstance(action, Destroy)), None)
        if destruction is not None:  # one at a time: the next one rests on what is seen after it
            decision = await self._destroy(destruction)
        return decision.look

    # -- observe -------------------------------------------------------------------------------------------

    async def _observe(self, look: Look, *, stopping: bool) -> Observation:
        # The probes come last: they are what a removal rests on, and reading may be slow.
        reading = await self._read(look)
        hint = await self._hint(look)
        self._snapshot = reading if isinstance(reading, Snapshot) else None
        local = await self._local(look.probe)
        started = self._now()
        probes = await self._probe(look.probe)
        return Observation(
            now=self._now(),
            wall=self._wall(),
            own=self._own_address(),
            record_set=reading.record_set if isinstance(reading, Snapshot) else None,
            block_record=self._block_record,
            trouble=reading if isinstance(reading, Trouble) else None,
            hint=hint,
            silent=look.hint and hint is None,
            probes=probes,
            probed_at=started,
            local=local,
            stopping=stopping,
            jitter=self._chance.random(),
        )

    def _own_address(self) -> Address | None:
        try:
            own = self._own.find().get(self._type)
        except ConfigurationError as error:
            self._complain("own-address", f"keeping {self.state.own or 'none'}: {error}")
            return self.state.own
        self._complaints.pop("own-address", None)
        return own

    async def _read(self, look: Look) -> Snapshot | Trouble | None:
        self._block_record = None
        if not look.read:
            return None
        fqdn, records = self._service.fqdn, self._parts.records
        try:
            snapshot = await records.read(fqdn, self._type)
            if look.lease:
                self._block_record = (await records.read(block_name(fqdn), RecordType.TXT)).record_set
        except ProviderError as error:
            return self._trouble(error)
        self._works("reading")
        return snapshot

    async def _hint(self, look: Look) -> RecordSet | None:
        if not look.hint or self._parts.hint is None:
            return None
        try:
            hint = await self._parts.hint(self._type)
        except ProviderError as error:
            self._complain("name-servers-silent", f"reading by the API instead, more rarely: {error}")
            return None
        self._complaints.pop("name-servers-silent", None)
        return hint

    def _trouble(self, error: ProviderError, *, writing: bool = False) -> Trouble:
        doing = "writing" if writing else "reading"
        text = f"{doing} failed, nothing changed: {error}"
        if self._troubles.setdefault(doing, Lasting(self._now())).is_news(text, self._now()):
            self._say(logging.WARNING, "provider-trouble", text, error=str(error))
        pause = error.retry_after if isinstance(error, Throttled) else None
        return Trouble(isinstance(error, Throttled), pause, writing)

    def _works(self, doing: str) -> None:
        """Ends a trouble, if there was one. Reading and writing are two: who may read may not be let write."""
        if trouble := self._troubles.pop(doing, None):
            seconds = round(self._now() - trouble.since, 1)
            text = f"{doing} works again, {format_duration(seconds)} after it failed first"
            self._say(logging.INFO, "provider-recovered", text, seconds=seconds)

    async def _probe(self, addresses: frozenset[Address]) -> Mapping[Address, ProbeResult]:
        targets: list[Target] = []
        for address in sorted(addresses, key=int):
            targets += [Target(address, self._service.port)] * attempts(self.state, address)
        results = await self._parts.probe(targets, self._policy.probe_timeout) if targets else {}
        for target, result in results.items():
            if not result.healthy:
                about = {"address": str(target.address), "verdict": result.verdict.value, "detail": result.detail}
                self._say(logging.DEBUG, "probe", f"{target.address} {result.verdict.value}: {result.detail}", **about)
        return {target.address: result for target, result in results.items()}

    async def _local(self, addresses: frozenset[Address]) -> frozenset[Address]:
        """Those of the failing addresses that are in this region: nobody, where the filter cannot tell."""
        health = self.state.health
        failed = frozenset(address for address in addresses if address in health and health[address].failures)
        if self._parts.filter_region is None:
            return addresses
        if not failed:
            return failed
        try:
            inside = await self._parts.filter_region(failed)
        except ProviderError as error:
            self._complain("region-unknown", f"taking nobody to be in this region: {error}")
            return frozenset()
        self._complaints.pop("region-unknown", None)
        return frozenset(inside) & failed

    # -- decide --------------------------------------------------------------------------------------------

    def _decide(self, seen: Observation) -> Decision:
        decision = decide(self.state, seen, self._policy)
        if decision.state.record_set is not None:
            self._report_members(decision.state.record_set)
        self.state = decision.state
        self._report_refusals(decision.refusals)
        return decision

    # -- execute -------------------------------------------------------------------------------------------

    async def _publish(self, snapshot: Snapshot, decision: Decision, *, stopping: bool) -> Decision:
        edits = decision.edits

        def revise(current: Snapshot) -> RecordSet | None:
            nonlocal edits
            if current is not snapshot:  # somebody else was faster: decide anew on what they left
                after = self._after(record_set=current.record_set, block_record=self._block_record, stopping=stopping)
                edits = self._decide(after).edits
            return revised(current.record_set, edits, self._policy) if edits else None

        try:
            publication = await self._publisher.publish(snapshot, revise)
        except ProviderError as error:
            return self._decide(self._after(trouble=self._trouble(error, writing=True), stopping=stopping))
        if publication.changed:
            self._works("writing")
        done = edits if publication.changed else ()
        self._receipt = publication.receipt or self._receipt
        for action in done:
            self._report(action)
        return self._decide(self._after(record_set=publication.record_set, done=done, stopping=stopping))

    async def _destroy(self, action: Action) -> Decision:
        assert self._parts.destroy is not None  # the policy says whether there is one
        addresses = frozenset({action.address})
        try:
            await self._parts.destroy(addresses)
        except ProviderError as error:
            text = f"the destroyer failed for {action.address}, and will be asked again: {error}"
            self._say(logging.ERROR, "destroy-failed", text)
            return self._decide(self._after(failed=(action,)))
        self._report(action)
        return self._decide(self._after(done=(action,)))

    def _after(
        self,
        *,
        record_set: RecordSet | None = None,
        block_record: RecordSet | None = None,
        trouble: Trouble | None = None,
        done: tuple[Action, ...] = (),
        failed: tuple[Action, ...] = (),
        stopping: bool = False,
    ) -> Observation:
        """What is to be seen right after something was tried."""
        return Observation(
            now=self._now(),
            wall=self._wall(),
            own=self.state.own,
            record_set=record_set,
            block_record=block_record,
            trouble=trouble,
            done=done,
            failed=failed,
            stopping=stopping,
            jitter=self._chance.random(),
        )

    async def _leave(self) -> None:
        """Takes the own address out, unless nobody else answers, and waits until that is served."""
        self._receipt = None
        try:
            async with asyncio.timeout(LEAVE_TIMEOUT):
                await self.withdraw()
        except TimeoutError:
            self._say(logging.ERROR, "not-left", f"{self.state.own} may still be in the record set; giving up")
        if self._receipt is not None:
            await self._await_served(self._receipt)

    async def withdraw(self) -> None:
        """Takes the own address out, unless nobody else answers.

        It looks at least once: a commit whose reply was lost may have registered this host.
        """
        look = Look(self._now(), read=self.state.own is not None)
        while look.read or self._is_member:
            await self._sleep(max(0.0, look.at - self._now()))
            look = await self.step(look, stopping=True)
            if self.state.record_set is not None and not self._is_member:
                return
            if any(why is Why.STOP_STAYS for why, _ in self._refusals):
                return

    async def _await_served(self, receipt: Receipt) -> None:
        try:
            served = await self._parts.records.wait(receipt, LEAVE_TIMEOUT)
        except ProviderError as error:
            self._say(logging.WARNING, "not-served", f"cannot tell whether the change is served: {error}")
            return
        if not served:
            self._say(logging.WARNING, "not-served", f"the change is not served after {LEAVE_TIMEOUT:g} s")

    @property
    def _is_member(self) -> bool:
        own = self.state.former | ({self.state.own} if self.state.own else frozenset())
        return bool(own & self.state.members)

    # -- say -----------------------------------------------------------------------------------------------

    @property
    def _name(self) -> str:
        return f"{self._service.fqdn} {self._type}"

    def _say(self, level: int, event: str, text: str, **parts: object) -> None:
        name = {"service": self._service.fqdn, "type": str(self._type)}
        self._voice(level, event, f"{self._name}: {text}", **name, **parts)

    def _complain(self, event: str, text: str) -> None:
        """Says what is wrong once, however often it is met until it is mended."""
        if self._complaints.get(event) != text:
            self._complaints[event] = text
            self._say(logging.WARNING, event, text)

    def _report(self, action: Action) -> None:
        level = logging.INFO if isinstance(action, Register) else logging.WARNING
        self._say(level, action.event, f"{action.event}: {action.reason}", **reason_parts(action.reason))

    def _report_refusals(self, refusals: tuple[Reason, ...]) -> None:
        """Each refusal once, however long it lasts."""
        for reason in refusals:
            if (reason.why, reason.address) not in self._refusals:
                self._say(logging.WARNING, "refused", str(reason), **reason_parts(reason))
        self._refusals = frozenset((reason.why, reason.address) for reason in refusals)

    def _report_members(self, record_set: RecordSet) -> None:
        known = self.state.record_set
        if known is None or known.values != record_set.values:
            members = ", ".join(record_set.values) or "none"
            self._say(logging.INFO, "members", f"members: {members}", members=list(record_set.values))


async def _set_within(event: asyncio.Event, seconds: float) -> bool:
    """Whether `event` is set, waiting for it that long."""
    try:
        async with asyncio.timeout(max(0.0, seconds)):
            return await event.wait()
    except TimeoutError:
        return event.is_set()
