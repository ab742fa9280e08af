"""What the destroy record said over time, and what may be destroyed after that: S6, as far as it is about intents."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from dnslb.decision import destroy_name
from dnslb.decision.destroying import BUDGET_TIME
from dnslb.decision.destroyrecord import Line, Stage, parse
from dnslb.records import Address, RecordSet, RecordType
from dnslb.simulation.clock import SHORT
from dnslb.simulation.cluster import Cluster
from dnslb.simulation.provider import NAME

Hold = Callable[[str, bool, str], None]
"""Takes the name of an invariant, whether it holds, and what is said otherwise."""

Intent = tuple[Address, str]
"""What a line is about: an instance, and the token that all have which follow from one intent."""


@dataclass(slots=True)
class Ledger:
    """The history of the destroy record of a simulated cluster.

    Attributes:
        changed: when the last line about an intent was written.
        vetoed: the intents that were vetoed.
        destroyed: the instances that were destroyed, and when that was first.
    """

    cluster: Cluster
    hold: Hold
    changed: dict[Intent, float] = field(default_factory=dict)
    vetoed: set[Intent] = field(default_factory=set)
    destroyed: dict[Address, float] = field(default_factory=dict)

    def write(self, by: Address, before: RecordSet, after: RecordSet) -> None:
        """An agent has replaced the destroy record."""
        for line in _lines(after):
            if line.text in before.values:
                continue
            if line.stage is Stage.EXECUTING:
                self._check_executor(by, line, after)
            elif line.stage is Stage.VETOED:
                self.hold("S6", line.address == by, f"{by} vetoed for {line.address}")
                self.vetoed.add(_intent(line))
            elif line.stage is Stage.INTENT:
                self.hold("S6", line.address != by, f"{by} intends to destroy itself")
            self.changed[_intent(line)] = self.cluster.now

    def _check_executor(self, by: Address, line: Line, after: RecordSet) -> None:
        what = f"{by} goes about to destroy {line.address}"
        self.hold("S6", line.by == by, f"{what} in the name of {line.by}")
        self.hold("S6", _intent(line) not in self.vetoed, f"{what} in spite of a veto")
        others = [each for each in _lines(after) if each.stage is Stage.EXECUTING and each.address == line.address]
        self.hold("S6", others == [line], f"{what}, and so does another one")
        self.hold("S6", _intent(line) in self.changed, f"{what} without an intent")
        waited = self.cluster.now - self.changed[_intent(line)]
        delay = self.cluster.policy.destroy_delay
        self.hold("S6", waited >= SHORT * delay, f"{what} {waited:.1f} s after the intent, and not {delay:g} s")

    def destroy(self, by: Address, address: Address, largest: int) -> None:
        """An agent has asked the destroyer; `largest` is how many members it saw lately, at most."""
        held = self.cluster.provider.held(destroy_name(NAME), RecordType.TXT)
        ours = [line for line in _lines(held) if line.stage is Stage.EXECUTING and line.address == address]
        self.hold("S6", [line.by for line in ours] == [by], f"{by} destroyed {address}, and the record does not say so")
        now = self.cluster.now
        self.destroyed.setdefault(address, now)
        spent = sum(now - at < SHORT * BUDGET_TIME for at in self.destroyed.values())
        budget = max(1, largest // 10)
        self.hold("S6", spent <= budget, f"{by} destroyed {address}: {spent} in an hour, and the budget is {budget}")


def _intent(line: Line) -> Intent:
    return line.address, line.token


def _lines(record_set: RecordSet) -> list[Line]:
    return [line for line in map(parse, record_set.values) if line is not None]
