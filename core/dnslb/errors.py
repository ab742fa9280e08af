"""Every error that dnslb raises on purpose, split by whose fault it is.

    DnslbError
    ├── ConfigurationError      whoever wrote the configuration
    ├── PluginError             whoever wrote, packaged or installed the plugin
    │   ├── PluginNotFound
    │   ├── PluginBroken
    │   ├── PluginAmbiguous
    │   └── PluginIncompatible
    └── ProviderError           the DNS service, or the way to it
        ├── Conflict            a commit was refused: the record set is no longer what was read
        ├── OutcomeUnknown      a commit was sent and its reply was lost
        ├── Unavailable         try again later
        │   └── Throttled       ... and not before `retry_after`
        └── Refused             trying again is useless until somebody changes something
            ├── Denied          credentials, keys, permissions
            ├── ZoneNotFound    the zone is not there, or not served by this provider
            └── Rejected        the request itself: a value, a limit, a record set that is not plain

A message says what was asked, what was found and, where there is one, the next command, in one line.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from dnslb.text import printable


class DnslbError(Exception):
    """The root of the tree: catch it to catch all that dnslb raises on purpose."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in a configuration.

    `path` is the key path (`("services", 0, "tcp_port")`); `line` counts from 1, and is None where the
    configuration did not come from a file. `cause` is the error that it tells of, where there was one.
    """

    message: str
    path: tuple[str | int, ...] = ()
    file: str | None = None
    line: int | None = None
    cause: DnslbError | None = field(default=None, compare=False)

    def __str__(self) -> str:
        """`FILE:LINE: KEY.PATH: MESSAGE` on one line, leaving out what is not known."""
        where = self.file or ""
        if self.file and self.line:
            where = f"{self.file}:{self.line}"
        return printable(": ".join(part for part in (where, key_path(self.path), self.message) if part))


def key_path(path: Iterable[str | int]) -> str:
    """`("services", 0, "fqdn")` as people write it: `services[0].fqdn`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


class ConfigurationError(DnslbError):
    """The configuration is wrong; `problems` holds everything that is, not just the first."""

    def __init__(self, problems: Iterable[Problem] | str) -> None:
        self.problems: tuple[Problem, ...] = (Problem(problems),) if isinstance(problems, str) else tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


class PluginError(DnslbError):
    """A plugin that the configuration names cannot be used."""


class PluginNotFound(PluginError):
    """No installed distribution has a plugin of that name, or it is not of the kind that was asked for."""


class PluginBroken(PluginError):
    """The plugin was found, and does not import or does not keep the contract; the cause is chained."""


class PluginAmbiguous(PluginError):
    """Two installed distributions provide a plugin of that name."""


class PluginIncompatible(PluginError):
    """The plugin was made for another version of dnslb."""


class ProviderError(DnslbError):
    """The DNS service, or the way to it, did not do what was asked."""


class Conflict(ProviderError):
    """Nothing was applied, because a record set is no longer what the snapshot says."""


class OutcomeUnknown(ProviderError):
    """A commit was sent, and no reply came: it may have been applied. Read again and compare."""


class Unavailable(ProviderError):
    """The provider could not be reached or could not answer; nothing was applied. Try again later."""


class Throttled(Unavailable):
    """The provider asks for fewer requests; nothing was applied.

    `retry_after` is the pause that it asked for in seconds, or None where it named none.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Refused(ProviderError):
    """Nothing was applied, and trying again is useless until a person changes something."""


class Denied(Refused):
    """The credentials, the key or the permissions do not allow it."""


class ZoneNotFound(Refused):
    """The provider has no zone for the name."""


class Rejected(Refused):
    """The request is not acceptable: a value, a limit, or a record set that dnslb must not touch."""
