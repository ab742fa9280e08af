"""The text of the destroy record, the TXT record set at `_destroy.<fqdn>`: one line a string, about one instance.

A line is `key=value` words, as in `IP=10.0.0.7 Stage=intent By=10.0.0.1 Until=2026-01-02T03:10:05Z Token=9f86d081`.
Lines are put in and taken out by compare-and-swap and never edited, so a line is what its text is. How old it is, each
reader judges by its own monotonic clock, from when it first read it; `Until` is there for people.

Whatever stands in a record set can be read: what makes no sense is left alone, and as long as it stands there nobody is
destroyed.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from dnslb.records import Address, RecordSet, parse_address

RECORD_TTL = 60
"""What the destroy record is written with, in seconds; nobody reads it from caches."""

_TOKEN = re.compile(r"[0-9a-f]{8,64}")


class Stage(enum.Enum):
    """How far it is with an instance; a line becomes one of the next stage under the same token."""

    INTENT = "intent"
    """It is to be destroyed, unless its agent vetoes."""

    EXECUTING = "executing"
    """The destroyer has been asked, or is about to be."""

    DESTROYED = "destroyed"
    """It has been destroyed, and counts against the budget."""

    VETOED = "vetoed"
    """Its agent is alive; nobody writes another intent for a while."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the destroy record. Two lines are one if their text is.

    Attributes:
        text: as it stands in the record.
        address: which instance it is about.
        stage: how far that is.
        by: the own address of the agent that wrote it.
        token: what an intent and all that becomes of it have in common, and nothing else has.
    """

    text: str
    address: Address = field(compare=False)
    stage: Stage = field(compare=False)
    by: Address = field(compare=False)
    token: str = field(compare=False)

    @property
    def is_pending(self) -> bool:
        """Whether it leads to destruction if nobody vetoes."""
        return self.stage in {Stage.INTENT, Stage.EXECUTING}


def destroy_name(fqdn: str) -> str:
    """The name that the destroy record of a service stands at."""
    return f"_destroy.{fqdn}"


def new_line(address: Address, stage: Stage, by: Address, token: str, until: float) -> Line:
    """A line that says so; `until` is a wall time in seconds since 1970, for people."""
    stamp = datetime.fromtimestamp(int(until), UTC).isoformat().replace("+00:00", "Z")
    text = f"IP={address} Stage={stage.value} By={by} Until={stamp} Token={token}"
    return Line(text, address, stage, by, token)


def parse(value: str) -> Line | None:
    """What one string of a destroy record says; None where it makes no sense. Raises nothing."""
    fields: dict[str, str] = {}
    for word in value.split(" "):
        key, equals, rest = word.partition("=")
        if not equals or key in fields:
            return None
        fields[key] = rest
    try:
        token = fields["Token"]
        if not _TOKEN.fullmatch(token):
            return None
        return Line(value, parse_address(fields["IP"]), Stage(fields["Stage"]), parse_address(fields["By"]), token)
    except (KeyError, ValueError):
        return None


def rewritten(record_set: RecordSet, out: Iterable[Line], into: Iterable[Line]) -> RecordSet:
    """The record set with some lines taken out and others put in; all else stays as it is."""
    values = (set(record_set.values) - {line.text for line in out}) | {line.text for line in into}
    return record_set.holding(values, RECORD_TTL)


# -- what a reader knows of it -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sighting:
    """A line, and since when this reader knows it, by its own monotonic clock.

    Attributes:
        line: the line.
        since: when it was first read just like this.
        known_since: when any line with its token was.
    """

    line: Line
    since: float
    known_since: float


@dataclass(frozen=True, slots=True)
class IntentsView:
    """The destroy record as last read: the lines that can be read, oldest first, and whether that is all of them."""

    sightings: tuple[Sighting, ...] = ()
    is_legible: bool = True


def watched_intents(view: IntentsView | None, record_set: RecordSet, now: float) -> IntentsView:
    """The view after another reading, which ended at `now`."""
    lines = [parse(value) for value in record_set.values]
    before = view.sightings if view is not None else ()
    since = {sighting.line: sighting.since for sighting in before}
    known_since = {sighting.line.token: sighting.known_since for sighting in before}
    seen = [
        Sighting(line, since.get(line, now), known_since.get(line.token, now)) for line in lines if line is not None
    ]
    seen.sort(key=lambda sighting: (sighting.known_since, sighting.since, sighting.line.text))
    return IntentsView(tuple(seen), is_legible=None not in lines)
