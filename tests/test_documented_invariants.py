"""Each promise of docs/explanation/invariants.md has a rule and tests, and what is named there exists."""

import re
from pathlib import Path

import pytest

from pages import DOCS, ROOT

PAGE = (DOCS / "explanation" / "invariants.md").read_text(encoding="utf-8")
ROWS = {cells[1].strip(): cells for cells in (line.split("|") for line in PAGE.splitlines()) if len(cells) > 4}
PROMISES = [*(f"S{number}" for number in range(1, 12)), *(f"L{number}" for number in range(1, 7))]

CORE = ROOT / "core" / "dnslb"
TESTS = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests" / "properties").glob("test_*.py"))


def quoted(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


@pytest.mark.parametrize("promise", PROMISES)
def test_every_promise_is_held_by_tests_that_exist(promise):
    names = quoted(ROWS[promise][-2])
    assert names
    for name in names:
        assert re.search(rf"^(def {name}\(|{name} = )", TESTS, re.MULTILINE), name


@pytest.mark.parametrize("promise", [promise for promise in PROMISES if promise.startswith("S")])
def test_every_rule_that_is_named_exists(promise):
    source = ""
    for name in quoted(ROWS[promise][3]):
        if "/" in name or name.endswith(".py"):
            path = CORE / name
            source = source_of(path)
        else:
            assert re.search(rf"^ *(async )?def {name}\(", source, re.MULTILINE), name
    assert source


def source_of(path: Path) -> str:
    return "x" if path.is_dir() else path.read_text(encoding="utf-8")
