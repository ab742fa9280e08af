"""How many commits a second each server takes from eight processes at once: `python tests/bench_commits.py`.

Every commit counts a TXT value up by one, so that a lost update would show in the sum; a conflict is tried again.
"""

from __future__ import annotations

import multiprocessing
import random
import time
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier
from typing import Any

from dnslb import Change, Conflict, RecordManager, RecordType, Secret, Service
from dnslb.testing.nameservers import SERVERS, NameServer
from dnslb_rfc2136 import dnslb_record_managers
from dnslb_rfc2136._options import Rfc2136Options

WRITERS = 8
COMMITS = 50


@dataclass(frozen=True)
class Result:
    commits: int
    seconds: float
    conflicts: int


def connect(settings: dict[str, Any]) -> RecordManager:
    (registration,) = dnslb_record_managers()
    return registration.factory(Rfc2136Options(**settings), Service("www.ex.test", 80))


def count(manager: RecordManager, name: str) -> int:
    return int("".join(manager.read(name, RecordType.TXT).record_set.values) or 0)


def count_up(manager: RecordManager, name: str) -> None:
    before = manager.read(name, RecordType.TXT)
    number = int("".join(before.record_set.values) or 0)
    manager.commit([Change(before, before.record_set.holding([number + 1], ttl=60))])


def write(settings: dict[str, Any], name: str, start: Barrier, conflicts: Any) -> None:
    manager = connect(settings)
    count(manager, name)
    start.wait()
    met = 0
    for _ in range(COMMITS):
        while True:
            try:
                count_up(manager, name)
                break
            except Conflict:
                met += 1
                time.sleep(random.uniform(0, 0.01))
    conflicts.put(met)


def measure(server: NameServer, names: list[str]) -> Result:
    """One writer for each of `names`, which may be the same."""
    settings = {
        "server": server.address,
        "port": server.port,
        "key_name": server.key_name,
        "key_secret": Secret(server.key_secret),
    }
    start = multiprocessing.Barrier(len(names) + 1)
    conflicts: multiprocessing.Queue[int] = multiprocessing.Queue()
    writers = [multiprocessing.Process(target=write, args=(settings, name, start, conflicts)) for name in names]
    for writer in writers:
        writer.start()
    start.wait()
    began = time.monotonic()
    met = sum(conflicts.get() for _ in writers)
    took = time.monotonic() - began
    for writer in writers:
        writer.join()
    manager = connect(settings)
    return Result(sum(count(manager, name) for name in set(names)), took, met)


def main() -> None:
    cases = {"one record set": ["count.ex.test"] * WRITERS, "one each": [f"count{n}.ex.test" for n in range(WRITERS)]}
    for kind in SERVERS:
        if reason := kind.missing():
            print(f"{kind.__name__}: {reason}")
            continue
        for case, names in cases.items():
            with kind() as server:
                result = measure(server, names)
            print(
                f"{kind.__name__:8}  {case:14}  {result.commits} of {WRITERS * COMMITS} commits"
                f" in {result.seconds:5.2f} s: {result.commits / result.seconds:5.0f}/s, {result.conflicts} conflicts"
            )


if __name__ == "__main__":
    main()
