"""How far something is: one line of standard error, gone when it is done, and nothing where that is no terminal."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Self, TextIO

_CLEAR_LINE = "\r\x1b[2K"
_WIDTH = 30


class Progress:
    """A bar for as long as the `with` lasts."""

    def __init__(self, what: str, output: TextIO | None = None) -> None:
        self._what = what
        self._output = output or sys.stderr
        self._live = self._output.isatty()
        self._shown = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._write(_CLEAR_LINE)

    def show(self, done: float) -> None:
        """`done` goes from 0 to 1."""
        percent = int(100 * done)
        if percent != self._shown:
            self._shown = percent
            bar = "#" * round(_WIDTH * done)
            self._write(f"{_CLEAR_LINE}{self._what} [{bar:<{_WIDTH}}] {percent:3} %")

    def _write(self, text: str) -> None:
        if self._live:
            self._output.write(text)
            self._output.flush()
