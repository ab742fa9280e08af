"""One line an event, with its parts beside it: readable on a terminal, JSON elsewhere.

Everything is said through the logger `dnslb` of the standard library, so that a program that uses dnslb as a library
decides itself where it goes. An event's parts are the attribute `dnslb` of its log record.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from datetime import UTC, datetime
from typing import Any, TextIO

from dnslb.decision import Reason
from dnslb.text import printable

LOGGER = logging.getLogger("dnslb")
"""Where every event goes."""


def say(level: int, event: str, text: str, *, exc_info: bool = False, **parts: Any) -> None:
    """Logs an event: a word that programs look for, a sentence for people, and the parts it was made of.

    With `exc_info`, the traceback of the exception that is being handled follows.
    """
    LOGGER.log(level, "%s", text, exc_info=exc_info, extra={"dnslb": {"event": event, **parts}})


def reason_parts(reason: Reason) -> dict[str, Any]:
    """A reason as parts of an event."""
    return {"address": str(reason.address), "why": reason.why.name.lower(), **reason.details}


_REMINDER = 3600.0


class Lasting:
    """Something that goes wrong again and again: which of its lines are news. Times are in seconds, of one clock."""

    def __init__(self, since: float) -> None:
        self.since = since
        self._said: tuple[str, float] | None = None

    def is_news(self, text: str, now: float) -> bool:
        """Whether to say it: the first time, when the text is another one than before, and then once an hour."""
        if self._said and self._said[0] == text and now - self._said[1] < _REMINDER:
            return False
        self._said = text, now
        return True


class TerminalFormatter(logging.Formatter):
    """`12:00:01 warning: www.example.com A: ...`."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, and the traceback below it where there is one, indented: no line of it can look like an event."""
        clock = time.strftime("%H:%M:%S", time.localtime(record.created))
        level = "" if record.levelno == logging.INFO else f"{record.levelname.lower()}: "
        lines = [f"{clock} {level}{printable(record.getMessage())}"]
        if record.exc_info:
            lines += (f"  {printable(line)}" for line in self.formatException(record.exc_info).splitlines())
        return "\n".join(lines)


class JsonFormatter(logging.Formatter):
    """One JSON object a line: `time`, `level`, `message`, and the parts of the event."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON."""
        entry = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            **getattr(record, "dnslb", {}),
        }
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps(entry, default=str)


def set_up(stream: TextIO | None = None, *, form: str = "auto", level: int = logging.INFO) -> None:
    """Sends all events to `stream`, or to what is standard error by now.

    The `form` is `text` or `json`; `auto` is text on a terminal and JSON elsewhere.
    """
    stream = stream or sys.stderr
    terminal = form == "text" or (form == "auto" and stream.isatty())
    handler = logging.StreamHandler(stream)
    handler.setFormatter(TerminalFormatter() if terminal else JsonFormatter())
    LOGGER.handlers[:] = [handler]
    LOGGER.setLevel(level)
    LOGGER.propagate = False
