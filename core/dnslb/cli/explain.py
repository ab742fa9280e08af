"""`dnslb explain FILE`: the worst cases of a configuration, computed."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence

from dnslb.cli import OK, _forecasts
from dnslb.cli._forecasts import Forecast, aligned, count
from dnslb.forms import format_duration
from dnslb.simulation.bounds import Bounds

_HOUR = 3600.0


def declare(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the command."""
    parser.description = "Prints the worst cases of a configuration: how long, how many, and what it costs."
    _forecasts.declare(parser)
    parser.add_argument("--nodes", type=count, nargs="+", default=[5, 20, 100], help="for clusters of so many servers")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    print("\n\n".join(_explained(forecast, arguments.nodes) for forecast in _forecasts.read(arguments)))
    return OK


def _explained(forecast: Forecast, nodes: Sequence[int]) -> str:
    bounds = Bounds(forecast.policy)
    parts = [forecast.title, _aligned("At worst", _times(forecast, bounds)), _sizes(forecast, bounds, nodes)]
    if warnings := list(_warnings(forecast, bounds, nodes)):
        parts.append("\n".join(f"warning: {warning}" for warning in warnings))
    return "\n\n".join(parts)


def _aligned(title: str, rows: Iterator[tuple[str, str, str]]) -> str:
    return f"{title}\n{aligned(list(rows))}"


def _times(forecast: Forecast, bounds: Bounds) -> Iterator[tuple[str, str, str]]:
    policy = forecast.policy
    removal = bounds.removal(silent=True)
    yield "a dead process leaves the record set after", _time(bounds.removal(silent=False)), "its port refuses"
    yield "a dead host leaves it after", _time(removal), "nothing answers"
    sum_ = f"{removal:.1f} s + propagation {forecast.propagation:g} s + TTL {policy.ttl} s"
    yield "clients may go to it for", _time(bounds.exposure(forecast.propagation)), sum_
    if policy.low_ttl is not None:
        sum_ = f"propagation {forecast.propagation:g} s + low_ttl {policy.low_ttl} s"
        yield "clients see what follows a removal within", _time(forecast.propagation + policy.low_ttl), sum_
    yield "a pause removes nobody if shorter than", _time(policy.blip), "whatever minimum_failures is"
    yield "a new server is registered after", _time(bounds.registration), f"{policy.rise} passed self-checks"
    yield "removed wrongly, and objecting: out for", _time(bounds.objection), "others fail for it, too"
    yield "removed wrongly, and seeing nothing: out for", _time(bounds.absence), "the first time"
    yield "removed again and again: out for", _time(bounds.longest_absence), "it doubles, up to 16 intervals"
    limit = f"{policy.max_failures} intervals and a removal"
    yield "floor or region keep a dead member in for", _time(bounds.slow_removal), limit
    if policy.destroys:
        yield "a removed instance is destroyed after", _time(policy.destroy_delay), "at the earliest"


def _sizes(forecast: Forecast, bounds: Bounds, nodes: Sequence[int]) -> str:
    limit = forecast.limit
    rows = [("For a cluster of", *(f"{number} servers" for number in nodes))]
    rows.append(("must stay, whatever fails at once", *(str(bounds.floor(number)) for number in nodes)))
    rows.append(("probes a second, of all", *(f"{bounds.probes_a_second(number):.1f}" for number in nodes)))
    at_rest = (_cost(bounds.requests_an_hour(number), limit) for number in nodes)
    rows.append(("provider requests an hour, at rest", *at_rest))
    at_most = (_cost(bounds.most_requests_an_hour(number), limit) for number in nodes)
    rows.append(("the same, while a member fails", *at_most))
    if limit:
        fits = "At {:g} requests a second, {} servers fit at rest, and {} while a member fails."
        fitting = fits.format(limit, bounds.most_nodes(limit), bounds.most_disturbed_nodes(limit))
        return f"{aligned(rows, indent='')}\n{fitting}"
    return aligned(rows, indent="")


def _warnings(forecast: Forecast, bounds: Bounds, nodes: Sequence[int]) -> Iterator[str]:
    policy, capabilities = forecast.policy, forecast.capabilities
    removal = bounds.removal(silent=True)
    if policy.ttl > max(removal, forecast.propagation, capabilities.min_ttl):
        lower = f"lower ttl (this provider: {capabilities.min_ttl} s and more)"
        yield f"the TTL of {policy.ttl} s is the longest part of what clients see: {lower}"
    if 2 in nodes and not policy.witnesses:
        yield "of two servers that do not reach each other nobody can say which is right: a third one can, or witnesses"
    limit = forecast.limit
    for number in nodes:
        if limit and bounds.requests_an_hour(number) > limit * _HOUR:
            least = format_duration(-(-number // limit))
            yield f"{number} servers ask too often for {limit:g} requests/s: check_interval {least} fits"
        if capabilities.max_values is not None and number > capabilities.max_values:
            yield f"{number} servers are too many: a record set of this provider holds {capabilities.max_values}"


def _time(seconds: float) -> str:
    """Precise where it is short."""
    return f"{seconds:.1f} s" if seconds < 60 else format_duration(round(seconds))


def _cost(requests: float, limit: float | None) -> str:
    return f"{requests:,.0f} ({100 * requests / (limit * _HOUR):.0f} %)" if limit else f"{requests:,.0f}"
