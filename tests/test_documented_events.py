"""Every event and every reason that an agent logs is in the reference, as the code says it."""

import ast
import dataclasses
import json
import logging
import re
from ipaddress import ip_address
from pathlib import Path

import dnslb
from dnslb.decision import RaiseTtl, Reason, Register, Why
from dnslb.decision.actions import Action
from dnslb.log import JsonFormatter, TerminalFormatter, reason_parts

from pages import DOCS, blocks, known, rows, section

EVENTS = DOCS / "reference" / "events.md"

CORE = Path(dnslb.__file__).parent

SAYS = {"say", "self.say", "self._say", "self._voice.say"}
COMPLAINS = {"self.complain", "self._complain", "self._voice.complain"}


@dataclasses.dataclass
class Said:
    """What the code says about one event, all places taken together."""

    levels: set[str]
    parts: set[str]


def of_an_event(call: ast.Call, function: ast.AST) -> set[str]:
    """The parts in a call of SAYS or COMPLAINS, those in `**about` included where `about` is a literal."""
    parts = {word.arg for word in call.keywords if word.arg and word.arg != "exc_info"}
    for word in [word for word in call.keywords if not word.arg]:
        if isinstance(word.value, ast.Call):  # **reason_parts(...): the numbers of a reason have a table of their own
            parts |= {"address", "why"}
        else:
            literals = [node.value for node in ast.walk(function) if isinstance(node, ast.Assign)]
            parts |= {
                ast.literal_eval(key) for node in literals if isinstance(node, ast.Dict) for key in node.keys if key
            }
    return parts | ({"service", "type"} if isinstance(call.func, ast.Attribute) else set())


def actions(kind: type[Action] = Action) -> set[type[Action]]:
    """Every kind of action that has a name in the log."""
    named = {kind} if hasattr(kind, "event") else set()
    return named.union(*(actions(each) for each in kind.__subclasses__()))


def events() -> dict[str, Said]:
    """Every event that the code says, found in its sources."""
    found: dict[str, Said] = {}

    def add(event: str, level: str, parts: set[str]) -> None:
        known = found.setdefault(event, Said(set(), set()))
        known.levels.add(level)
        known.parts |= parts

    functions = [
        node
        for source in CORE.rglob("*.py")
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name not in {"say", "_say", "complain", "_complain"}
    ]
    for function in functions:
        for node in ast.walk(function):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in SAYS | COMPLAINS:
                first, second = node.args[:2]
                complains = ast.unparse(node.func) in COMPLAINS
                level = "warning" if complains else ast.unparse(first).removeprefix("logging.").lower()
                event = first if complains else second
                parts = of_an_event(node, function)
                if isinstance(event, ast.Constant):
                    add(str(event.value), level, parts)
                else:  # of an action, once it is done
                    for action in actions():
                        add(action.event, "info" if action in {RaiseTtl, Register} else "warning", parts)
    return found


def test_the_example_of_an_event_is_what_the_formatters_make_of_it():
    text, shown = blocks(EVENTS, "text")[0].text, blocks(EVENTS, "json")[0].text
    written = json.loads(shown)
    reason = Reason.of(Why.DOWN, ip_address("10.0.0.3"), failures=3, seconds=5.0, detail="connection refused")
    parts = {"event": "removed", "service": "www.example.com", "type": "A", **reason_parts(reason)}
    message = f"www.example.com A: removed: {reason}"
    record = logging.LogRecord("dnslb", logging.WARNING, "", 0, message, (), None)
    record.dnslb = parts
    assert TerminalFormatter().format(record).split(maxsplit=1)[1] == text.split(maxsplit=1)[1].rstrip()
    made = json.loads(JsonFormatter().format(record))
    assert made | {"time": written["time"]} == written
    assert re.sub(r"\d", "0", made["time"]) == re.sub(r"\d", "0", written["time"])


def test_every_event_is_in_the_tables_with_its_level_and_its_parts():
    tables = rows(section(EVENTS, "What was done to a member")) + rows(section(EVENTS, "What else is said"))
    documented = {
        event: Said({cells[0]}, set(re.findall(r"`(\w+)`", cells[1]))) for event, cells in known(tables).items()
    }
    assert documented == events()


def as_documented(text: str) -> str:
    """What a number counts stands beside it in the table, and how it is rounded does not."""
    return re.sub(r":\.[^}]+}", "}", re.sub(r"{(\w+):([a-z][^}]*)}", r"{\1} \2s", text))


def test_every_reason_is_in_the_table_with_its_text():
    documented = known(rows(section(EVENTS, "Reasons")))
    expected = {why.name.lower(): as_documented(why.value) for why in Why}
    assert {why: cells[0] for why, cells in documented.items()} == expected
