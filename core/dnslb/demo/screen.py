"""What the demonstration shows: a line a step, and on a terminal the record set as it is now below them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TextIO

_CLEAR_LINE = "\r\x1b[2K"
_GREEN, _RED, _BOLD, _DIM, _PLAIN = "\x1b[32m", "\x1b[31m", "\x1b[1m", "\x1b[2m", "\x1b[0m"


class Screen:
    """Plain lines anywhere; a live line at the bottom where the output is a terminal."""

    def __init__(self, output: TextIO) -> None:
        self._output = output
        self._live = output.isatty()
        self._shown: frozenset[str] | None = None

    def line(self, text: str = "") -> None:
        """A line that stays."""
        self._write(f"{_CLEAR_LINE if self._live else ''}{text}\n")

    def heading(self, text: str) -> None:
        """A line that stays and stands out."""
        self.line(f"\n{_BOLD}{text}{_PLAIN}" if self._live else f"\n{text}")

    def outcome(self, text: str, *, good: bool) -> None:
        """How a step ended."""
        mark = "ok" if good else "FAILED"
        colour = _GREEN if good else _RED
        self.line(f"  {colour}{mark}{_PLAIN}  {text}" if self._live else f"  {mark}  {text}")

    def members(self, name: str, everybody: Iterable[str], members: frozenset[str], seconds: float) -> None:
        """The record set: live on a terminal, and a line whenever it changes elsewhere."""
        if self._live:
            parts = [f"{_GREEN}● {one}{_PLAIN}" if one in members else f"{_DIM}○ {one}{_PLAIN}" for one in everybody]
            self._write(f"{_CLEAR_LINE}  {seconds:5.1f} s  {name} A  {'  '.join(parts)}")
        elif members != self._shown:
            self.line(f"  {seconds:5.1f} s  {name} A  {' '.join(sorted(members)) or '(empty)'}")
        self._shown = members

    def _write(self, text: str) -> None:
        self._output.write(text)
        self._output.flush()
