"""One record set of one service: observe, decide, execute, and look again when the decision says so.

Everything that is decided is decided in `dnslb.decision`; here is the I/O around it. A keeper owns the clock and the
randomness, and both can be replaced: the simulator runs this very code in virtual time.
"""

from __future__ import annotations

import asyncio
import logging

from dnslb.decision import (
    Decision,
    Destroy,
    Look,
    Observation,
    Policy,
    Reason,
    State,
    Why,
    decide,
    destroy_name,
    remarked,
    revised,
    settled,
)
from dnslb.errors import ProviderError
from dnslb.interfaces import Service
from dnslb.observer import Observer, content
from dnslb.parts import Own, Parts, Surroundings
from dnslb.publisher import Publisher
from dnslb.records import Receipt, RecordSet, RecordType, Snapshot
from dnslb.voice import Voice

LEAVE_TIMEOUT = 30.0
"""How long leaving may take in seconds: the commit, and then as long again until it is served."""

_STEP_GRACE = 5.0
"""How long a step that is under way when the agent stops may still take."""


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
        self._policy = policy
        self._parts = parts
        around = surroundings or Surroundings()
        self._now, self._wall, self._sleep = around.now, around.wall, around.sleep
        self._publisher = Publisher(parts.records, around.chance, around.sleep)
        self._voice = Voice(service.fqdn, type_, around.now, around.say)
        self._observer = Observer(service, type_, parts, own, around, self._voice)
        self._receipt: Receipt | None = None
        self._refusals: tuple[Reason, ...] = ()

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
            self._voice.say(logging.ERROR, "bug", "a mistake in dnslb or in a plugin; going on", exc_info=True)
            return Look(self._now() + self._policy.probe_interval, read=True)

    async def _step(self, look: Look, *, stopping: bool = False) -> Look:
        observer = self._observer
        decision = self._decide(await observer.observe(look, self.state, self._policy.probe_timeout, stopping=stopping))
        seen_at = self._now()
        if decision.edits and observer.snapshot:
            decision = await self._publish(observer.snapshot, decision, stopping=stopping)
            if decision.edits:  # they rest on what was written, and a commit needs what was read
                return Look(self._now(), read=True)
        if decision.marks and observer.intents:
            decision = await self._mark(observer.intents, decision, seen_at)
        return decision.look

    def _decide(self, seen: Observation) -> Decision:
        decision = decide(self.state, seen, self._policy)
        if decision.state.record_set is not None:
            self._voice.members(decision.state.record_set)
        self.state = decision.state
        self._voice.refuses(decision.refusals)
        self._refusals = decision.refusals
        return decision

    # -- execute -------------------------------------------------------------------------------------------

    async def _publish(self, snapshot: Snapshot, decision: Decision, *, stopping: bool) -> Decision:
        edits = decision.edits
        after = self._observer.after

        def revise(current: Snapshot) -> RecordSet | None:
            nonlocal edits
            if current is not snapshot:  # somebody else was faster: decide anew on what they left
                block_record = content(self._observer.block_record)
                seen = after(self.state, record_set=current.record_set, block_record=block_record, stopping=stopping)
                edits = self._decide(seen).edits
            return revised(current.record_set, edits, self._policy) if edits else None

        try:
            publication = await self._publisher.publish(snapshot, revise)
        except ProviderError as error:
            trouble = self._voice.trouble(error, writing=True)
            return self._decide(after(self.state, trouble=trouble, stopping=stopping))
        if publication.changed:
            self._voice.works(writing=True)
        done = edits if publication.changed else ()
        self._receipt = publication.receipt or self._receipt
        for action in done:
            self._voice.done(action)
        return self._decide(after(self.state, record_set=publication.record_set, done=done, stopping=stopping))

    async def _mark(self, snapshot: Snapshot, decision: Decision, seen_at: float) -> Decision:
        """Writes into the destroy record what is wanted, and has done what it then says."""
        after, marks = self._observer.after, decision.marks

        def revise(current: Snapshot) -> RecordSet | None:
            # Where somebody else was faster, all is looked at anew: it rests on more than this record.
            return remarked(current.record_set, marks) if current is snapshot else None

        try:
            publication = await self._publisher.publish(snapshot, revise)
        except ProviderError as error:
            return self._decide(after(self.state, trouble=self._voice.trouble(error, writing=True)))
        seen = after(self.state, intents=publication.record_set)
        if not publication.changed:
            return self._decide(seen)
        self._voice.works(writing=True)
        decision = self._decide(seen)
        for mark in marks:
            if isinstance(mark, Destroy):
                decision = await self._destroy(mark, seen_at)
            else:
                self._voice.done(mark)
        return decision

    async def _destroy(self, action: Destroy, seen_at: float) -> Decision:
        assert self._parts.destroy is not None  # the policy says whether there is one
        if (late := self._now() - seen_at) > self._policy.destroy_within:
            text = f"{action.address} is not destroyed before another look: the last one is {late:.0f} s old"
            self._voice.say(logging.WARNING, "destroy-late", text)
            return self._decide(self._observer.after(self.state))
        try:
            await self._parts.destroy(frozenset({action.address}))
        except ProviderError as error:
            text = f"the destroyer failed for {action.address}, and will be asked again: {error}"
            self._voice.say(logging.ERROR, "destroy-failed", text)
            return self._decide(self._observer.after(self.state))
        self._voice.done(action)
        return self._decide(self._observer.after(self.state, intents=await self._settle(action), done=(action,)))

    async def _settle(self, action: Destroy) -> RecordSet | None:
        """Writes down that it is destroyed; what cannot be written is destroyed again, which does no harm."""
        wall = self._wall()

        def revise(current: Snapshot) -> RecordSet:
            return settled(current.record_set, action, wall)

        try:
            publication = await self._publisher.update(destroy_name(self._service.fqdn), RecordType.TXT, revise)
        except ProviderError as error:
            self._voice.trouble(error, writing=True)
            return None
        return publication.record_set

    # -- leave ---------------------------------------------------------------------------------------------

    async def _leave(self) -> None:
        """Takes the own address out, unless nobody else answers, and waits until that is served."""
        self._receipt = None
        try:
            async with asyncio.timeout(LEAVE_TIMEOUT):
                await self.withdraw()
        except TimeoutError:
            self._voice.say(logging.ERROR, "not-left", f"{self.state.own} may still be in the record set; giving up")
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
            if any(reason.why is Why.STOP_STAYS for reason in self._refusals):
                return

    async def _await_served(self, receipt: Receipt) -> None:
        try:
            served = await self._parts.records.wait(receipt, LEAVE_TIMEOUT)
        except ProviderError as error:
            self._voice.say(logging.WARNING, "not-served", f"cannot tell whether the change is served: {error}")
            return
        if not served:
            self._voice.say(logging.WARNING, "not-served", f"the change is not served after {LEAVE_TIMEOUT:g} s")

    @property
    def _is_member(self) -> bool:
        own = self.state.former | ({self.state.own} if self.state.own else frozenset())
        return bool(own & self.state.members)


async def _set_within(event: asyncio.Event, seconds: float) -> bool:
    """Whether `event` is set, waiting for it that long."""
    try:
        async with asyncio.timeout(max(0.0, seconds)):
            return await event.wait()
    except TimeoutError:
        return event.is_set()
