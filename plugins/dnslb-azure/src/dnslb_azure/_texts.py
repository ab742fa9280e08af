"""Foreign text for messages of one line."""

from __future__ import annotations

_LONGEST = 300


def one_line(said: object) -> str:
    """Its words on one line, cut where there are too many."""
    text = " ".join(str(said).split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
