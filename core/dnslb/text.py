"""Text that somebody else may have written, made fit to be shown."""

from __future__ import annotations


def printable(text: str) -> str:
    """`text` on one line, without anything that could steer a terminal or forge a line of a log."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape", "backslashreplace").decode() for char in text
    )


def one_line(error: BaseException) -> str:
    """What an exception of somebody else says, as a part of a message of ours: it may run over several lines."""
    return " ".join(str(error).split())
