"""How long agents take: until twenty that start at once are all registered, and until a dead one has left.

    uv run python tests/bench/bench_cluster.py [--server bind|knot|powerdns] [--runs 10] [--json FILE]

Times are wall-clock seconds at `check_interval: 5s`, on a real name server and real processes; they rest on the
waits of the policy far more than on the machine. A figure belongs beside the command that it came from.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from dnslb.testing.nameservers import Bind, Knot, NameServer, PowerDNS

from agents import cluster_on, running, wait_until

SERVERS: dict[str, type[NameServer]] = {"bind": Bind, "knot": Knot, "powerdns": PowerDNS}
SETTLE = 10.0


def registration(server: NameServer, size: int) -> dict[str, float]:
    """Seconds until all are registered, from the start of the first process and from the first registration."""
    with tempfile.TemporaryDirectory() as folder, running(cluster_on(server, Path(folder), size, "many")) as made:
        started = time.monotonic()
        made.start()
        wait_until(lambda: bool(made.client.members))
        first = time.monotonic()
        wait_until(made.complete)
        end = time.monotonic()
        return {
            "agents": size,
            "seconds": round(end - started, 2),
            "after_the_first": round(end - first, 2),
            "empty_answers": made.client.empty,
            "answers": made.client.answers,
        }


def removals(server: NameServer, runs: int) -> list[float]:
    """Seconds from the SIGKILL of one of five, service included, until the name server no longer answers with it."""
    taken = []
    with tempfile.TemporaryDirectory() as folder, running(cluster_on(server, Path(folder), 5, "five")) as made:
        made.start()
        for run in range(runs):
            wait_until(made.complete)
            # Who has just appeared is left in for 1.5 intervals; and the phase of the kill should vary.
            time.sleep(SETTLE + run * 0.7)
            victim = sorted(made.addresses)[run % 5]
            killed = time.monotonic()
            made.crash(victim)
            wait_until(made.is_without(victim))
            taken.append(round(time.monotonic() - killed, 2))
            made.recover(victim)
    assert made.client.empty == 0
    return taken


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--server", choices=SERVERS, action="append")
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    results = {}
    for name in arguments.server or SERVERS:
        with SERVERS[name]() as server:
            took, gone = registration(server, 20), removals(server, arguments.runs)
        results[name] = {"registration": took, "removal": gone}
        print(
            f"{name}: 20 agents registered {took['seconds']} s after the first process was started, "
            f"{took['after_the_first']} s after the first registration; "
            f"{took['empty_answers']} of {took['answers']} answers empty"
        )
        if gone:
            print(f"{name}: removal of a dead one: median {statistics.median(gone)} s, at most {max(gone)} s: {gone}")
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
