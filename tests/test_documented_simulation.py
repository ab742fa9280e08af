"""What the how-to guides show of `dnslb simulate` and `dnslb explain` is what these print."""

import re

import pytest

from dnslb.cli import main
from dnslb.simulation.scenarios import SCENARIOS

from pages import DOCS, blocks, rows, section, write_files

SIMULATE = DOCS / "how-to" / "simulate.md"
EXPLAIN = DOCS / "how-to" / "choose-settings.md"


@pytest.fixture
def printed(tmp_path, monkeypatch, capsys):
    def printed(page, *words):
        write_files(page, tmp_path)
        monkeypatch.chdir(tmp_path)
        assert main(list(words)) == 0
        return capsys.readouterr().out

    return printed


def labels(text: str) -> list[str]:
    """The lines of a table without their figures, which change with each improvement of the decision."""
    return [re.split(r"  +", line.strip())[0] for line in text.splitlines()]


def test_the_worst_cases_are_shown_as_they_are(printed):
    [shown] = blocks(EXPLAIN, "text")
    assert shown.text == printed(EXPLAIN, "explain", "dnslb.yml")


def test_every_worst_case_has_its_formula(printed):
    told = printed(EXPLAIN, "explain", "dnslb.yml")
    figures = {figure for figure, _ in rows(section(EXPLAIN, "Where the figures come from"))}
    untold = {figure for figure in figures if figure not in told.replace(":", ",")}
    assert untold == {"a removed instance is destroyed", "clients see what follows a removal"}


def test_a_simulation_is_shown_with_the_lines_that_it_has(printed):
    [shown] = blocks(SIMULATE, "text")
    told = printed(SIMULATE, "simulate", "dnslb.yml", "--scenario", "crash", "--reference")
    assert labels(shown.text) == labels(told)


def test_every_figure_is_explained(printed):
    told = labels(printed(SIMULATE, "simulate", "dnslb.yml", "--runs", "1", "--hours", "0.1"))
    explained = [figure for figure, _ in rows(section(SIMULATE, "What the figures say"))]
    assert set(explained) - set(told) == {"instances destroyed"}
    assert told[4:-2] == [figure for figure in explained if figure in told]


def test_every_scenario_is_listed():
    listed = rows(section(SIMULATE, "What can go wrong"))
    assert listed == [[f"`{scenario.name}`", scenario.summary] for scenario in SCENARIOS.values()]
