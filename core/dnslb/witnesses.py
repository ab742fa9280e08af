"""Asks hosts outside of the cluster for a sign of life: where none gives one, it is this host that is cut off.

Any answer over TCP will do, a refusal too: it is the way there and back that is asked about, and no service.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Mapping, Sequence

from dnslb.interfaces import Target
from dnslb.records import RecordType
from dnslb.text import one_line

_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}


class Witnesses:
    """Those of one service. They are asked at once, each in one connection that is closed again."""

    def __init__(self, targets: Sequence[Target]) -> None:
        self.targets = tuple(dict.fromkeys(targets))

    def of(self, type_: RecordType) -> Witnesses | None:
        """Those of the family of a record set, None where there are none: one family may be cut off alone."""
        targets = [target for target in self.targets if RecordType.of(target.address) is type_]
        return Witnesses(targets) if targets else None

    async def answer(self, timeout: float) -> bool:
        """Whether one of them answers within `timeout` seconds; as soon as one does, no other is waited for."""
        asked = [asyncio.create_task(_trouble(target, timeout)) for target in self.targets]
        try:
            for trouble in asyncio.as_completed(asked):
                if not await trouble:
                    return True
            return False
        finally:
            for task in asked:
                task.cancel()
            await asyncio.gather(*asked, return_exceptions=True)

    async def silent(self, timeout: float) -> Mapping[Target, str]:
        """Those that do not answer within `timeout` seconds, each with what was found instead."""
        troubles = await asyncio.gather(*(_trouble(target, timeout) for target in self.targets))
        return {target: trouble for target, trouble in zip(self.targets, troubles, strict=True) if trouble}


async def _trouble(target: Target, timeout: float) -> str:
    """What keeps a witness from answering; empty where it answers."""
    family, end = _FAMILIES[target.address.version], (str(target.address), target.port)
    try:
        if _is_this_host(family, end):
            return "it is an address of this host"
        with socket.socket(family, socket.SOCK_STREAM) as connection:
            connection.setblocking(False)
            async with asyncio.timeout(timeout):
                await asyncio.get_running_loop().sock_connect(connection, end)
    except ConnectionError:
        return ""  # refused, by a host that is there
    except TimeoutError:
        return f"no answer in {timeout:g} s"
    except OSError as error:  # no route, no descriptors: whatever it is, nobody was reached
        return os.strerror(error.errno) if error.errno else one_line(error)
    return ""


def _is_this_host(family: socket.AddressFamily, end: tuple[str, int]) -> bool:
    """Whether the way there ends here: towards an own address, the kernel takes that very one for the source too.

    To connect a datagram socket sends nothing. An own address would answer whatever the network does.
    """
    with socket.socket(family, socket.SOCK_DGRAM) as route:
        route.connect(end)
        return bool(route.getsockname()[0] == end[0])
