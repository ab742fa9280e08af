"""How many requests to the provider's API agents send at rest, with `observe: api` and with `observe: dns`.

    uv run nox -s bench -- tests/bench/bench_hints.py

In virtual time: it counts what the decision asks for, and needs no network. Two agents among so many members stand for
all of them, since at rest they do the same, and nobody waits for two hundred that probe each other.
"""

import ipaddress
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))

from world import World, policy

HOUR = 3600
WATCHED = 2


def requests_a_second(agents: int, interval: float, *, hints: bool) -> float:
    """Of all agents together, over two hours at rest."""
    first = int(ipaddress.ip_address("10.0.0.1"))
    hosts = [ipaddress.ip_address(first + number) for number in range(agents)]
    world = World(policy(interval, hints=hints), members=hosts)
    world.start(*hosts[:WATCHED])
    world.run(2 * interval)
    world.reads = 0
    world.run(2 * HOUR)
    return world.reads / (2 * HOUR) * agents / WATCHED


def main() -> None:
    print("| agents | `check_interval` | `observe: api` | `observe: dns` |")
    print("| ---: | ---: | ---: | ---: |")
    for agents, interval in [(5, 5.0), (20, 15.0), (60, 30.0), (200, 5.0)]:
        api, dns = (requests_a_second(agents, interval, hints=hints) for hints in (False, True))
        print(f"| {agents} | {interval:g}s | {api:.2g} | {dns:.2g} |")


if __name__ == "__main__":
    main()
