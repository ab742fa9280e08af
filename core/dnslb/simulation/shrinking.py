"""Makes a history that violates an invariant smaller, as long as it still violates the same one."""

from __future__ import annotations

from dataclasses import replace

from dnslb.simulation.histories import Cut, History
from dnslb.simulation.running import run


def shrink(history: History, invariant: str) -> Cut:
    """As little of a history as still violates the invariant: fewer faults, then fewer nodes, then less time.

    The faults that are left are 1-minimal: without any one of them the invariant holds.
    """
    cut = _fewer_faults(history, invariant, Cut())
    cut = _fewer_nodes(history, invariant, cut)
    cut = _shorter(history, invariant, cut)
    return _fewer_faults(history, invariant, cut)


def _fewer_faults(history: History, invariant: str, cut: Cut) -> Cut:
    """Delta debugging: without a half of them, then without a quarter, and so on."""
    chosen = tuple(range(len(history.faults))) if cut.keep is None else cut.keep
    parts = 2
    while chosen:
        size = max(1, len(chosen) // parts)
        cuts = [chosen[:start] + chosen[start + size :] for start in range(0, len(chosen), size)]
        smaller = next((each for each in cuts if _violates(history, invariant, replace(cut, keep=each))), None)
        if smaller is not None:
            chosen, parts = smaller, max(2, parts - 1)
        elif size == 1:
            break
        else:
            parts = min(len(chosen), 2 * parts)
    return cut if len(chosen) == len(history.faults) else replace(cut, keep=chosen)


def _fewer_nodes(history: History, invariant: str, cut: Cut) -> Cut:
    smaller = (replace(cut, size=size) for size in range(2, history.size))
    return next((each for each in smaller if _violates(history, invariant, each)), cut)


def _shorter(history: History, invariant: str, cut: Cut) -> Cut:
    """By quarters, as long as that goes; whole seconds are easier on the eye."""
    length = history.length
    while length > 1.0:
        shorter = replace(cut, length=float(int(0.75 * length)))
        if not _violates(history, invariant, shorter):
            return cut
        cut, length = shorter, 0.75 * length
    return cut


def _violates(history: History, invariant: str, cut: Cut) -> bool:
    violated = run(history.cut(cut)).violated
    return violated is not None and violated.invariant == invariant
