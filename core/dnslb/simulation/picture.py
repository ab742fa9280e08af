"""A run of a scenario as a picture: SVG 1.1, a row a node, with all that an agent said to be read by pointing at it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from xml.sax.saxutils import escape

from dnslb.forms import format_duration
from dnslb.records import Address
from dnslb.simulation.cluster import Event, address_of
from dnslb.simulation.outcome import Outcome

_LEFT, _RIGHT, _TOP, _BOTTOM = 118, 28, 126, 44
_PLOT = 1054
_WIDTH = _LEFT + _PLOT + _RIGHT
_MOST_LINES = 8
"""Of events that lie upon each other, so many are told one by one."""
_LEAD = 0.06
"""So much of the picture shows the rest before anything happens."""

_STYLE = """
    text { font: 12px system-ui, 'Segoe UI', Helvetica, Arial, sans-serif; fill: #24292f }
    .title { font-size: 17px; font-weight: 600 }
    .small, .tick { font-size: 11px; fill: #57606a }
    .node { font-family: ui-monospace, Menlo, Consolas, monospace; font-size: 11px }
    .stripe { fill: #f6f8fa }
    .grid { stroke: #d8dee4; stroke-width: 1 }
    .fault { fill: #fff1cc }
    .edge { stroke: #d4a72c; stroke-dasharray: 4 3 }
    .serves { fill: #8fcfa6 }
    .dead { fill: #cf222e }
    .out { fill: #f0883e }
    .off { fill: #afb8c1 }
    .mark { stroke: #ffffff; stroke-width: 1 }
    .removed, .withdrawn { fill: #82071e }
    .registered { fill: #0550ae }
    .refused { fill: #4d2d00; stroke: none }
    .destroyed, .destroy-failed { fill: #24292f }
"""
_STATES = {
    "serves": "in the record set, and serves",
    "dead": "in the record set, and dead",
    "out": "serves, and is not in the record set",
    "off": "dead, and not in the record set",
}
_MARKS = {
    "registered": "registered",
    "removed": "removed by another, or withdrawn",
    "refused": "refused to act, with a reason",
    "destroyed": "destroyed",
}
_RANK = ("destroyed", "removed", "withdrawn", "registered", "destroy-failed", "refused")
"""Which of several events upon each other is drawn."""


def picture(outcome: Outcome, title: str, subtitle: str) -> str:
    """The record set over the time, from shortly before anything happened: the text of an SVG file."""
    canvas = _Canvas(outcome)
    body = [*_heading(title, subtitle), *canvas.background(), *canvas.bars(), *canvas.marks()]
    size = f'width="{_WIDTH}" height="{canvas.height}" viewBox="0 0 {_WIDTH} {canvas.height}"'
    lines = "\n".join(f"  {line}" for line in body)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">\n  <title>{escape(title)}</title>\n'
        f'  <style>{_STYLE}  </style>\n  <rect width="100%" height="100%" fill="#ffffff"/>\n{lines}\n</svg>\n'
    )


@dataclass(frozen=True, slots=True)
class _Span:
    """A node was in one state for a while."""

    began: float
    ended: float
    state: str


@dataclass(slots=True)
class _Canvas:
    """Where a moment and a node are on the picture."""

    outcome: Outcome

    @property
    def nodes(self) -> list[Address]:
        return [address_of(number) for number in range(self.outcome.size)]

    @property
    def row(self) -> float:
        """The height of a row: small clusters are not drawn too big, and large ones stay on a page."""
        return min(26.0, max(11.0, 640 / self.outcome.size))

    @property
    def bottom(self) -> float:
        return _TOP + self.row * self.outcome.size

    @property
    def height(self) -> int:
        return round(self.bottom + _BOTTOM)

    @property
    def began(self) -> float:
        """The first moment on the picture."""
        return max(0.0, self.outcome.begin - _LEAD * (self.outcome.end - self.outcome.begin))

    def x(self, at: float) -> float:
        """How far to the right a moment is."""
        inside = min(max(at, self.began), self.outcome.end)
        return round(_LEFT + _PLOT * (inside - self.began) / (self.outcome.end - self.began), 1)

    def y(self, number: int) -> float:
        """Where the row of a node begins."""
        return round(_TOP + number * self.row, 1)

    # -- what is drawn, from behind to the front --------------------------------------------------------------------

    def background(self) -> Iterator[str]:
        """Stripes and names of the nodes, what was wrong, and the scale of the time."""
        for number, address in enumerate(self.nodes):
            if number % 2 == 0:
                yield _rectangle(_LEFT, self.y(number), _PLOT, self.row, "stripe")
            middle = self.y(number) + self.row / 2 + 4
            yield f'<text class="node" x="{_LEFT - 10}" y="{middle:g}" text-anchor="end">{address}</text>'
        yield from self._faults()
        yield from self._scale()

    def _faults(self) -> Iterator[str]:
        numbers = {address: number for number, address in enumerate(self.nodes)}
        for fault in self.outcome.faults:
            left, right = self.x(fault.began), self.x(fault.ended)
            told = f"{fault.text}: {self._span_text(fault.began, fault.ended)}"
            if not fault.nodes:
                yield _rectangle(left, _TOP, right - left, self.bottom - _TOP, "fault", told)
                yield f'<text class="small" x="{left + 4}" y="{_TOP - 6}">{escape(fault.text)}</text>'
            for address in sorted(fault.nodes, key=int):
                yield _rectangle(left, self.y(numbers[address]), right - left, self.row, "fault", told)

    def _scale(self) -> Iterator[str]:
        step = _tick(self.outcome.end - self.outcome.begin)
        for number in range(int((self.outcome.end - self.outcome.begin) / step) + 1):
            x = self.x(self.outcome.begin + number * step)
            yield f'<line class="grid" x1="{x}" y1="{_TOP}" x2="{x}" y2="{self.bottom:g}"/>'
            label = format_duration(number * step) if number else "0"
            yield f'<text class="tick" x="{x}" y="{self.bottom + 18:g}" text-anchor="middle">{label}</text>'
        x = self.x(self.outcome.begin)
        yield f'<line class="edge" x1="{x}" y1="{_TOP}" x2="{x}" y2="{self.bottom:g}"/>'

    def bars(self) -> Iterator[str]:
        """What was true of each node: whether it was in the record set, and whether it served."""
        for number, address in enumerate(self.nodes):
            for span in self._spans(address):
                inset = self.row * (0.2 if span.state in ("serves", "dead") else 0.42)
                left, right = self.x(span.began), self.x(span.ended)
                told = f"{address} {_STATES[span.state]}: {self._span_text(span.began, span.ended)}"
                # A second is less than a pixel; what was so must be seen all the same.
                width = max(right - left, 1.5 if span.state == "dead" else 0.4)
                yield _rectangle(left, self.y(number) + inset, width, self.row - 2 * inset, span.state, told)

    def _spans(self, address: Address) -> list[_Span]:
        inside, serves, since = address in self.outcome.first_members, True, self.began
        spans: list[_Span] = []
        changes = [(written.at, True, address in written.after) for written in self.outcome.writes]
        changes += [(turn.at, False, turn.serves) for turn in self.outcome.turns if turn.address == address]
        for at, is_membership, value in sorted(changes, key=lambda change: change[0]):
            if value == (inside if is_membership else serves):
                continue
            spans.append(_Span(since, at, _state(inside=inside, serves=serves)))
            inside, serves = (value, serves) if is_membership else (inside, value)
            since = at
        spans.append(_Span(since, self.outcome.end, _state(inside=inside, serves=serves)))
        return [span for span in spans if span.ended > span.began]

    def marks(self) -> Iterator[str]:
        """What agents said about each node; what lies upon each other is one mark."""
        for number, address in enumerate(self.nodes):
            about = [event for event in self.outcome.events if event.parts.get("address") == str(address)]
            shown = [event for event in about if self.began <= event.at <= self.outcome.end]
            # Refusals, of which there may be many, never hide a deed.
            refusals = [event for event in shown if event.event == "refused"]
            deeds = [event for event in shown if event.event != "refused"]
            middle = self.y(number) + self.row / 2
            for events in (*self._heaps(refusals), *self._heaps(deeds)):
                yield _mark(events, self.x(events[0].at), middle, self.row, [self._line(event) for event in events])

    def _heaps(self, events: Sequence[Event]) -> Iterator[list[Event]]:
        reach = min(9.0, 0.7 * self.row)
        for _, heap in groupby(events, key=lambda event: self.x(event.at) // reach):
            yield list(heap)

    def _line(self, event: Event) -> str:
        return f"{self._moment(event.at)}, by {event.by}: {event.text.split(': ', 1)[-1]}"

    def _moment(self, at: float) -> str:
        after = round(at - self.outcome.begin, 1)
        return f"-{format_duration(-after)}" if after < 0 else format_duration(after)

    def _span_text(self, began: float, ended: float) -> str:
        until = "the end" if ended >= self.outcome.end else self._moment(ended)
        return f"from {self._moment(began)} to {until}, {format_duration(round(ended - began, 1))}"


def _state(*, inside: bool, serves: bool) -> str:
    if inside:
        return "serves" if serves else "dead"
    return "out" if serves else "off"


def _heading(title: str, subtitle: str) -> Iterator[str]:
    yield f'<text class="title" x="20" y="32">{escape(title)}</text>'
    yield f'<text class="small" x="20" y="52">{escape(subtitle)}</text>'
    for number, (state, text) in enumerate(_STATES.items()):
        height = 10 if state in ("serves", "dead") else 4
        x = 20 + 250 * number
        yield _rectangle(x, 74 - height / 2, 18, height, state)
        yield f'<text class="small" x="{x + 26}" y="78">{text}</text>'
    for number, (event, text) in enumerate(_MARKS.items()):
        x = 20 + 250 * number
        yield f'<path class="mark {event}" d="{_shape(event, x + 9, 92, 5)}"/>'
        yield f'<text class="small" x="{x + 26}" y="96">{text}</text>'


def _mark(events: Sequence[Event], x: float, y: float, row: float, lines: Sequence[str]) -> str:
    drawn = min((event.event for event in events), key=_RANK.index)
    told = [*lines[:_MOST_LINES], *([f"and {len(lines) - _MOST_LINES} more"] if len(lines) > _MOST_LINES else [])]
    shape = _shape(drawn, x, y, min(5.0, 0.36 * row))
    return f'<path class="mark {drawn}" d="{shape}"><title>{escape(chr(10).join(told))}</title></path>'


def _shape(event: str, x: float, y: float, size: float) -> str:
    """A triangle that points up or down, a square, or a diamond: not told apart by colour alone."""
    corners = {
        "registered": ((0, -1), (1, 0.9), (-1, 0.9)),
        "removed": ((0, 1), (1, -0.9), (-1, -0.9)),
        "withdrawn": ((0, 1), (1, -0.9), (-1, -0.9)),
        "refused": ((0, -0.5), (0.5, 0), (0, 0.5), (-0.5, 0)),
    }.get(event, ((-0.8, -0.8), (0.8, -0.8), (0.8, 0.8), (-0.8, 0.8)))
    return _path((x + size * right, y + size * down) for right, down in corners)


def _path(points: Iterable[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points) + "Z"


def _rectangle(x: float, y: float, width: float, height: float, name: str, told: str = "") -> str:
    place = f'x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}"'
    if not told:
        return f'<rect class="{name}" {place}/>'
    return f'<rect class="{name}" {place}><title>{escape(told)}</title></rect>'


def _tick(seconds: float) -> int:
    """A round number of seconds, of which eight to fifteen or so fit."""
    steps = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400, 604800, 2419200)
    return next((step for step in steps if seconds / step <= 15), steps[-1])
