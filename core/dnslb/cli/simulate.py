"""`dnslb simulate FILE`: what a configuration would do when something goes wrong, in virtual time."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from dnslb.cli import OK, _forecasts
from dnslb.cli._forecasts import Forecast, aligned, count
from dnslb.cli._progress import Progress
from dnslb.errors import ConfigurationError, DnslbError
from dnslb.forms import format_duration
from dnslb.simulation.agents import KeeperAgent
from dnslb.simulation.cluster import MakeAgent
from dnslb.simulation.outcome import Outcome, Setting, play
from dnslb.simulation.picture import picture
from dnslb.simulation.provider import ProviderModel
from dnslb.simulation.reference import ReferenceAgent
from dnslb.simulation.scenarios import SCENARIOS, Scenario, summaries
from dnslb.simulation.summary import Summary, Times, summary

_HOUR = 3600.0


def declare(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the command."""
    parser.description = "Simulates a cluster with this configuration, in virtual time, while something goes wrong."
    parser.epilog = f"Scenarios:\n{summaries()}"
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    _forecasts.declare(parser)
    parser.add_argument("--scenario", choices=SCENARIOS, default="crash", metavar="NAME", help="see below")
    parser.add_argument("--nodes", type=count, default=12, help="how many servers the cluster has")
    parser.add_argument("--runs", type=count, default=5, help="how often it is simulated, each time by another seed")
    parser.add_argument("--seed", type=int, default=1, help="the first seed; one seed gives one history")
    parser.add_argument("--hours", type=_hours, help="how long it is watched; left out: as the scenario needs")
    parser.add_argument("--service", metavar="FQDN", help="which service, where the file has several")
    parser.add_argument("--reference", action="store_true", help="the algorithm of the Go package beside it")
    parser.add_argument("--picture", type=Path, metavar="FILE.svg", help="draw the record set of the first run")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    forecast = _chosen(_forecasts.read(arguments), arguments.service)
    scenario = SCENARIOS[arguments.scenario]
    duration = arguments.hours * _HOUR if arguments.hours else scenario.duration(forecast.policy.interval)
    agents: dict[str, MakeAgent] = {"dnslb": KeeperAgent}
    if arguments.reference:
        agents["reference"] = ReferenceAgent
    with Progress(f"{scenario.name}, {arguments.nodes} nodes") as bar:
        results = _results(arguments, forecast, scenario, duration, agents, bar.show)
    if arguments.json:
        print(json.dumps(_as_json(arguments, forecast, duration, results), indent=2))
    else:
        print(_as_text(arguments, forecast, duration, results))
    return OK


def _chosen(forecasts: list[Forecast], fqdn: str | None) -> Forecast:
    names = [forecast.settings.options.fqdn for forecast in forecasts]
    found = [forecast for forecast in forecasts if fqdn in (None, forecast.settings.options.fqdn)]
    if len(found) != 1:
        asked = "the file has several services" if found else f"the file has no service {fqdn}"
        raise ConfigurationError(f"{asked}; choose one: --service {' or --service '.join(names)}")
    return found[0]


def _results(
    arguments: argparse.Namespace,
    forecast: Forecast,
    scenario: Scenario,
    duration: float,
    agents: dict[str, MakeAgent],
    show: Callable[[float], None],
) -> dict[str, Summary]:
    """Each kind of agent, with the same seeds; the picture is drawn as soon as there is something to draw."""
    burst = max(1, round(forecast.limit or 1))
    provider = ProviderModel(
        rate=forecast.limit,
        burst=burst,
        propagation=forecast.propagation,
        reads_together=forecast.capabilities.reads_together,
    )
    setting = Setting(arguments.nodes, forecast.policy, provider)
    whole = len(agents) * arguments.runs
    results: dict[str, Summary] = {}
    for kind, (name, make_agent) in enumerate(agents.items()):
        outcomes: list[Outcome] = []
        for run in range(arguments.runs):
            already = kind * arguments.runs + run
            progress = lambda part, already=already: show((already + part) / whole)  # noqa: E731
            outcomes.append(play(scenario, setting, make_agent, arguments.seed + run, duration, progress))
            if arguments.picture and not already:
                title = f"{scenario.summary}: {arguments.nodes} nodes, seed {arguments.seed}"
                _write(arguments.picture, picture(outcomes[0], title, forecast.title))
        results[name] = summary(outcomes, forecast.policy.ttl, forecast.propagation)
    return results


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise DnslbError(f"the picture cannot be written: {error.strerror}: {file}; name another --picture") from error


def _hours(text: str) -> float:
    hours = float(text)
    if not 0 < hours <= 24 * 365:
        raise argparse.ArgumentTypeError(f"{text} is not a number of hours up to a year")
    return hours


# -- how it is told ----------------------------------------------------------------------------------------------


def _as_json(
    arguments: argparse.Namespace, forecast: Forecast, duration: float, results: dict[str, Summary]
) -> dict[str, object]:
    return {
        "service": forecast.settings.options.fqdn,
        "scenario": arguments.scenario,
        "nodes": arguments.nodes,
        "runs": arguments.runs,
        "seed": arguments.seed,
        "seconds": duration,
        "ttl": forecast.policy.ttl,
        "propagation": forecast.propagation,
        "limit": forecast.limit,
        "results": {name: asdict(result) for name, result in results.items()},
    }


def _as_text(arguments: argparse.Namespace, forecast: Forecast, duration: float, results: dict[str, Summary]) -> str:
    scenario = SCENARIOS[arguments.scenario]
    runs = f"{arguments.runs} runs of" if arguments.runs > 1 else "1 run of"
    watched = f"{arguments.nodes} nodes, {runs} {format_duration(round(duration))} from seed {arguments.seed}"
    columns = [_column(result, arguments.nodes, forecast) for result in results.values()]
    rows = [("", *(_HEADINGS[name] for name in results))]
    rows += [(label, *(column[label] for column in columns)) for label in columns[0]]
    exposure = f"removal + propagation ({forecast.propagation:g} s) + TTL ({forecast.policy.ttl} s)"
    notes = f"  clients may use it for: {exposure}. Counts are means a run."
    head = f"{forecast.title}\n{scenario.name}: {scenario.summary}; {watched}"
    return f"{head}\n\n{aligned(rows)}\n\n{notes}"


_HEADINGS = {"dnslb": "dnslb", "reference": "Go package"}


def _column(result: Summary, nodes: int, forecast: Forecast) -> dict[str, str]:
    missed = f", and {result.missed:.3g} never" if result.missed else ""
    unsettled = f", {result.unsettled} never" if result.unsettled else ""
    column = {
        "a dead member leaves after": _times(result.removal) + missed,
        "clients may use it for": _times(result.exposure),
        "answers that named a dead server": f"{100 * result.dead_answers:.2f} %",
        "false removals": f"{result.false_removals:.3g}",
        "the longest of them": f"{result.longest_absence:.0f} s" if result.longest_absence else "-",
        "smallest record set": "-" if result.smallest is None else f"{result.smallest} of {nodes}",
        "all in order again after": _times(result.settled) + unsettled,
        "provider requests an hour": _cost(result.requests_an_hour, forecast.limit, _HOUR),
        "in the busiest minute": _cost(result.busiest_minute, forecast.limit, 60.0),
        "refused by the provider": f"{result.throttled:.3g}",
        "record writes": f"{result.writes:.3g}",
    }
    if forecast.policy.destroys:
        column["instances destroyed"] = f"{result.destroyed:.3g}, {result.healthy_destroyed:.3g} of them well"
    return column


def _times(times: Times) -> str:
    if times.median is None or times.p99 is None:
        return "-"
    return f"{times.median:.1f} s, p99 {times.p99:.1f} s" if times.count > 1 else f"{times.median:.1f} s"


def _cost(requests: float, limit: float | None, seconds: float) -> str:
    share = f" ({100 * requests / (limit * seconds):.1f} % of the limit)" if limit else ""
    return f"{requests:,.0f}{share}"
