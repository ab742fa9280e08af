"""The own addresses as an address source tells them: asked for now and then, and known in between."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping

from dnslb.addresses import of_each_family, require_reachable
from dnslb.calls import Calls
from dnslb.errors import ConfigurationError, ProviderError, Rejected
from dnslb.interfaces import AddressSource
from dnslb.records import Address, RecordType

_TIMEOUT = 15.0


class AskedAddresses:
    """Remembers what an address source said when it was asked last, since asking may take a while."""

    def __init__(self, source: AddressSource) -> None:
        self._source = source
        self._calls = Calls("the address source")
        self._found: Mapping[RecordType, Address] = {}
        self._error: ProviderError | None = None

    def find(self) -> Mapping[RecordType, Address]:
        """What the source said when it was asked last.

        Raises:
            ConfigurationError: it could not tell.
        """
        if self._error is not None:
            raise ConfigurationError(f"address: {self._error}") from self._error
        return self._found

    async def ask(self) -> None:
        """Asks the source, for at most 15 seconds.

        Raises:
            ProviderError: it cannot tell; `find` says so too, until it can.
        """
        try:
            self._found = await self._calls.run(_TIMEOUT, self._told)
            self._error = None
        except ProviderError as error:
            self._error = error
            raise

    @contextlib.asynccontextmanager
    async def asked_each(self, seconds: float) -> AsyncIterator[None]:
        """Asks the source again each so many seconds, as long as the block lasts."""
        asking = asyncio.create_task(self._ask_each(seconds))
        try:
            yield
        finally:
            asking.cancel()
            await asyncio.wait({asking})

    async def _ask_each(self, seconds: float) -> None:
        while True:
            await asyncio.sleep(seconds)
            with contextlib.suppress(ProviderError):  # `find` raises it where the address is needed
                await self.ask()

    def _told(self) -> Mapping[RecordType, Address]:
        found = self._source.find()
        try:
            for address in found:
                require_reachable(address)
            return of_each_family(found)
        except ValueError as error:
            raise Rejected(f"the address source tells what cannot be registered: {error}") from error
