"""What an agent says about one record set: what was done, and what is wrong, each once however long it lasts."""

from __future__ import annotations

import logging
from collections.abc import Callable

from dnslb.decision import Action, RaiseTtl, Reason, Register, Trouble, Why
from dnslb.errors import ProviderError, Throttled
from dnslb.forms import format_duration
from dnslb.log import Lasting, reason_parts
from dnslb.records import Address, RecordSet, RecordType


class Voice:
    """Speaks for one record set, through the function `voice`, which is `log.say` or takes its place."""

    def __init__(self, fqdn: str, type_: RecordType, now: Callable[[], float], voice: Callable[..., None]) -> None:
        self._about = {"service": fqdn, "type": str(type_)}
        self._name = f"{fqdn} {type_}"
        self._now = now
        self._voice = voice
        self._refusals: frozenset[tuple[Why, Address]] = frozenset()
        self._complaints: dict[str, str] = {}
        self._troubles: dict[str, Lasting] = {}
        self._members: tuple[str, ...] | None = None

    def say(self, level: int, event: str, text: str, **parts: object) -> None:
        """Says it, as `log.say`, with the name of the record set."""
        self._voice(level, event, f"{self._name}: {text}", **self._about, **parts)

    def complain(self, event: str, text: str) -> None:
        """Says what is wrong once, however often it is met until it is mended."""
        if self._complaints.get(event) != text:
            self._complaints[event] = text
            self.say(logging.WARNING, event, text)

    def mended(self, event: str) -> None:
        """What was wrong is so no more; if it is again, it is said again."""
        self._complaints.pop(event, None)

    def trouble(self, error: ProviderError, *, writing: bool = False) -> Trouble:
        """Says that the provider could not be read, or not be written; and what the decision has to know of it."""
        doing = _doing(writing=writing)
        text = f"{doing} failed, nothing changed: {error}"
        if self._troubles.setdefault(doing, Lasting(self._now())).is_news(text, self._now()):
            self.say(logging.WARNING, "provider-trouble", text, error=str(error))
        pause = error.retry_after if isinstance(error, Throttled) else None
        return Trouble(isinstance(error, Throttled), pause, writing)

    def works(self, *, writing: bool = False) -> None:
        """Ends a trouble, if there was one. Reading and writing are two: who may read may not be let write."""
        doing = _doing(writing=writing)
        if trouble := self._troubles.pop(doing, None):
            seconds = round(self._now() - trouble.since, 1)
            text = f"{doing} works again, {format_duration(seconds)} after it failed first"
            self.say(logging.INFO, "provider-recovered", text, seconds=seconds)

    def done(self, action: Action) -> None:
        """Says what was done, and why."""
        level = logging.INFO if isinstance(action, Register | RaiseTtl) else logging.WARNING
        self.say(level, action.event, f"{action.event}: {action.reason}", **reason_parts(action.reason))

    def refuses(self, refusals: tuple[Reason, ...]) -> None:
        """Each refusal once, until it is none any more."""
        refused = frozenset((reason.why, reason.address) for reason in refusals)
        news = refused - self._refusals
        self._refusals = refused
        for reason in refusals if news else ():
            if (reason.why, reason.address) in news:
                self.say(logging.WARNING, "refused", str(reason), **reason_parts(reason))

    def members(self, record_set: RecordSet) -> None:
        """Says who the members are, if they are others than they were."""
        if self._members != record_set.values:
            self._members = record_set.values
            members = ", ".join(record_set.values) or "none"
            self.say(logging.INFO, "members", f"members: {members}", members=list(record_set.values))


def _doing(*, writing: bool) -> str:
    return "writing" if writing else "reading"
