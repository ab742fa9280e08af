"""The load balancer of one service: a keeper for its A record set, and one for its AAAA record set.

It runs in the event loop of the program that it is part of (`async with`), or in a thread of its own (`start` and
`stop`). The command `dnslb run` is this and a signal handler.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import threading
from collections.abc import Mapping
from dataclasses import replace
from types import TracebackType
from typing import Self

from dnslb.addresses import OwnAddresses
from dnslb.asked import AskedAddresses
from dnslb.calls import AsyncRecordManager, Calls
from dnslb.errors import ConfigurationError, DnslbError, Unavailable
from dnslb.interfaces import AddressSource, Destroyer, Probe, RecordManager, RegionFilter
from dnslb.keeper import Keeper
from dnslb.log import say
from dnslb.parts import Hinting, Parts
from dnslb.prober import probe_round
from dnslb.records import Address, RecordType
from dnslb.settings import ServiceSettings
from dnslb.witnesses import Witnesses

ADDRESS_TYPES = (RecordType.A, RecordType.AAAA)

_FILTER_TIMEOUT = 15.0
_DESTROY_TIMEOUT = 120.0
_WITNESS_TIMEOUT = 3.0


class LoadBalancer:
    """Registers this host under the name of a service, and keeps the record sets of the name true.

    Raises:
        ConfigurationError: the settings choose no record manager, or a plugin cannot be made from its options.
        Unavailable: a plugin's factory could not reach what it needs.
    """

    def __init__(
        self,
        settings: ServiceSettings,
        *,
        record_manager: RecordManager | None = None,
        probe: Probe | None = None,
        region_filter: RegionFilter | None = None,
        destroyer: Destroyer | None = None,
        address_source: AddressSource | None = None,
    ) -> None:
        """Objects given here are used in place of those that the settings choose."""
        self.settings = settings
        service = settings.service
        if record_manager is None:
            record_manager = settings.required_record_manager().make(service)
        if region_filter is None and settings.region_filter:
            region_filter = settings.region_filter.make(service)
        if destroyer is None and settings.destroyer:
            destroyer = settings.destroyer.make(service)
        if address_source is None and settings.address_source:
            address_source = settings.address_source.make(service)
        self._records = AsyncRecordManager(record_manager)
        self._hint = _hinting(settings)
        parts = Parts(
            self._records,
            functools.partial(probe_round, probe or settings.probe.make(service)),
            Calls("the region filter").bound(_FILTER_TIMEOUT, region_filter.filter) if region_filter else None,
            Calls("the destroyer").bound(_DESTROY_TIMEOUT, destroyer.destroy) if destroyer else None,
            self._hint,
        )
        self._asked = AskedAddresses(address_source) if address_source is not None else None
        own = self._asked or OwnAddresses(settings.options.address)
        policy = settings.policy(regional=region_filter is not None, destroys=destroyer is not None)
        self._own = own
        self._witnesses = Witnesses(settings.options.witnesses)
        self._keepers: dict[RecordType, Keeper] = {}
        for type_ in ADDRESS_TYPES:
            witnesses = self._witnesses.of(type_)
            type_parts = replace(parts, witness=witnesses.answer if witnesses else None)
            type_policy = replace(policy, witnesses=witnesses is not None)
            self._keepers[type_] = Keeper(service, type_, type_policy, type_parts, own)
        self._begun = False
        self._stop: asyncio.Event | None = None
        self._task: asyncio.Task[None] | None = None
        self._thread: _Thread | None = None

    @property
    def members(self) -> frozenset[Address]:
        """The members of the service, of both families, as last seen."""
        return frozenset().union(*(keeper.state.members for keeper in self._keepers.values()))

    @property
    def registered(self) -> bool:
        """Whether this host is one of them."""
        return any(keeper.state.own in keeper.state.members for keeper in self._keepers.values())

    async def verify(self) -> bool:
        """Finds the own address and reads the record sets; changes nothing. False if one cannot be read now.

        With `observe: dns`, the zone's name servers are asked as well; witnesses too, and those that do not answer are
        told of and nothing more.

        Raises:
            ConfigurationError: there is no own address, or no one can tell which.
            Refused: the provider will not do what is asked of it until somebody changes something.
        """
        fqdn = self.settings.options.fqdn
        await self._ask_witnesses()
        try:
            if self._asked is not None:
                await self._asked.ask()
            for type_ in self._own_addresses():
                await self._records.read(fqdn, type_)
        except Unavailable as error:
            say(logging.WARNING, "provider-trouble", f"{fqdn}: {error}", service=fqdn, error=str(error))
            return False
        return await self._name_servers_answer()

    async def _ask_witnesses(self) -> None:
        fqdn = self.settings.options.fqdn
        for target, trouble in (await self._witnesses.silent(_WITNESS_TIMEOUT)).items():
            text = f"{fqdn}: the witness {target.address} port {target.port} does not answer: {trouble}"
            say(logging.WARNING, "witnesses-silent", text, service=fqdn)

    async def _name_servers_answer(self) -> bool:
        if self._hint is None:
            return True
        fqdn = self.settings.options.fqdn
        try:
            for type_ in self._own_addresses():
                await self._hint(type_)
        except Unavailable as error:
            say(logging.WARNING, "name-servers-silent", f"{fqdn}: {error}", service=fqdn)
            return False
        return True

    async def run(self, stop: asyncio.Event | None = None) -> None:
        """Runs until `stop` is set (or forever), then takes the own address out, and returns once that is served.

        Cancelling it ends it at once, without that.
        """
        await self._run(await self._first_addresses(), stop or asyncio.Event())

    async def _run(self, own: Mapping[RecordType, Address], stop: asyncio.Event) -> None:
        names = ", ".join(map(str, own.values())) or "no address yet"
        fqdn, port = self.settings.options.fqdn, self.settings.options.tcp_port
        say(logging.INFO, "started", f"{fqdn}: registering {names}, port {port}", service=fqdn, port=port)
        try:
            async with self._asking(), asyncio.TaskGroup() as tasks:
                for keeper in self._keepers.values():
                    tasks.create_task(keeper.run(stop))
        finally:
            await self._close()
        say(logging.INFO, "stopped", f"{fqdn}: stopped", service=fqdn)

    async def _close(self) -> None:
        # The record set is as it should be; what cannot be given back must not end anything else.
        try:
            await self._records.close()
        except DnslbError as error:
            say(logging.WARNING, "not-closed", f"{self.settings.options.fqdn}: {error}", error=str(error))

    async def _first_addresses(self) -> Mapping[RecordType, Address]:
        """The own addresses to begin with; none where a source cannot tell them now, which passes by itself."""
        if self._asked is not None:
            try:
                await self._asked.ask()
            except Unavailable:
                return {}  # each keeper says so, and has another look soon
        return self._own_addresses()

    def _asking(self) -> contextlib.AbstractAsyncContextManager[None]:
        """As long as it lasts, an address source is asked again and again."""
        return self._asked.asked_each(self.settings.check_interval) if self._asked else contextlib.nullcontext()

    def _own_addresses(self) -> Mapping[RecordType, Address]:
        own = self._own.find()
        if not own:
            raise ConfigurationError("address: this host has no address to register; name one in the configuration")
        return own

    def _begin(self) -> None:
        """What is wrong from the start is raised where it is started, and not later in the background."""
        if self._begun:
            raise RuntimeError("this load balancer has been started already; make another one")
        if self._asked is None:
            self._own_addresses()
        self._begun = True

    # -- inside somebody's event loop ----------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        self._begin()
        own = await self._first_addresses()
        self._stop = asyncio.Event()
        self._task = asyncio.create_task(self._run(own, self._stop), name="dnslb")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._stop is not None
        assert self._task is not None
        self._stop.set()
        await self._task

    # -- in a thread of its own ----------------------------------------------------------------------------

    def start(self) -> None:
        """Starts in the background, and returns at once.

        Raises:
            RuntimeError: it has been started already.
            ConfigurationError: there is no own address, or no one can tell which. An address source is asked later, in
                the background, and what is wrong then is logged as `failed`.
        """
        self._begin()
        self._thread = _Thread(self)
        self._thread.start()

    def stop(self, timeout: float | None = None) -> bool:
        """Takes the own address out and ends the thread; waits for that, at most `timeout` seconds.

        Says whether it has ended.
        """
        if self._thread is None:
            return True
        self._thread.finish()
        self._thread.join(timeout)
        return not self._thread.is_alive()


class _Thread(threading.Thread):
    """A thread with an event loop, in which a load balancer runs."""

    def __init__(self, balancer: LoadBalancer) -> None:
        super().__init__(name="dnslb", daemon=True)
        self._balancer = balancer
        self._stop_event = asyncio.Event()
        self._loop = asyncio.new_event_loop()

    def run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._balancer.run(self._stop_event))
        except DnslbError as error:
            say(logging.ERROR, "failed", f"{self._balancer.settings.options.fqdn}: {error}", error=str(error))

    def finish(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has been closed: it has ended by itself
            self._loop.call_soon_threadsafe(self._stop_event.set)


def _hinting(settings: ServiceSettings) -> Hinting | None:
    if settings.options.observe != "dns":
        return None
    from dnslb.authoritative import NameServers  # noqa: PLC0415 - dnspython is paid only by who speaks DNS

    return NameServers(settings.options.fqdn, settings.options.name_servers).read
