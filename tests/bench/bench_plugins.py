"""What an agent costs with each plugin: processor time until it is a member, and memory, of real `dnslb run` processes.

    uv run nox -s bench -- tests/bench/bench_plugins.py

Each combination runs as a cluster of three, on a name server or on the double of its cloud; the figures are medians
of what the kernel says of the processes. "At rest" is when all are members. Then one is killed, and "after a removal"
is when it has left: by then the region filter has been asked, and whatever a plugin makes at its first use is there.
Ratios are to a Python that runs nothing.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from dnslb import RecordType
from dnslb.builtin._local import LocalRecordManager
from dnslb.testing.ministack import MiniStack
from dnslb.testing.nameservers import Bind

from agents import Client, Cluster, Watch, record_manager, running, wait_until
from instances import Account, moto
from providers import AWS_ENVIRONMENT, NAME, ZONE, Provider, azure, clouddns, route53

SIZE = 3
SETTLE = 10.0
STARTS = 100
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Setting:
    """What a cluster runs on."""

    configuration: str
    view: Client | Watch
    environment: Mapping[str, str] = field(default_factory=dict)
    account: Account | None = None


@dataclass(frozen=True)
class Cost:
    """Seconds of processor time, and megabytes that are resident."""

    seconds: float
    megabytes: float


def cost(pid: int) -> Cost:
    """Of a process that runs: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html, fields 14 and 15."""
    after_the_name = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    ticks = int(after_the_name[11]) + int(after_the_name[12])
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    kilobytes = next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
    return Cost(ticks / TICKS, kilobytes / 1024)


def bare() -> Cost:
    """Of a Python that does nothing: as for its time the mean of many, since each takes about a tick of the kernel."""
    before = os.times()
    for _ in range(STARTS):
        subprocess.run([sys.executable, "-c", ""], check=True)
    after = os.times()
    seconds = after.children_user + after.children_system - before.children_user - before.children_system
    waiting = [sys.executable, "-c", "import sys; print(flush=True); sys.stdin.read()"]
    with subprocess.Popen(waiting, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        return Cost(seconds / STARTS, cost(process.pid).megabytes)


# -- what they run on --------------------------------------------------------------------------------------


@contextlib.contextmanager
def on_local(folder: Path) -> Iterator[Setting]:
    path = folder / "records.sqlite"
    manager = LocalRecordManager(path)
    view = Watch(lambda: frozenset(manager.read(NAME, RecordType.A).record_set.values))
    yield Setting(f"record_manager: {{plugin: local, path: '{path}'}}\n", view)
    manager.close()


@contextlib.contextmanager
def on_rfc2136(folder: Path) -> Iterator[Setting]:
    with Bind(ZONE) as server:
        yield Setting(record_manager(server, folder), Client((server.address, server.port), NAME))


def on(provider: Provider) -> Setting:
    return Setting(provider.configuration, Watch(provider.members), provider.environment)


@contextlib.contextmanager
def on_route53(_: Path) -> Iterator[Setting]:
    with MiniStack("route53") as ministack, route53(ministack) as provider:
        yield on(provider)


@contextlib.contextmanager
def on_clouddns(_: Path) -> Iterator[Setting]:
    with clouddns() as provider:
        yield on(provider)


@contextlib.contextmanager
def on_azure(folder: Path) -> Iterator[Setting]:
    with azure(folder) as provider:
        yield on(provider)


Place = Callable[[Path], contextlib.AbstractContextManager[Setting]]


def with_ec2(place: Place) -> Place:
    """The same with instances of EC2, and the plugin `ec2` as region filter and destroyer."""

    @contextlib.contextmanager
    def both(folder: Path) -> Iterator[Setting]:
        with place(folder) as setting, moto() as url:
            account = Account(url)
            yield Setting(setting.configuration + account.configuration, setting.view, AWS_ENVIRONMENT, account)

    return both


PLACES: Mapping[str, Place] = {
    "local": on_local,
    "rfc2136": on_rfc2136,
    "route53": on_route53,
    "clouddns": on_clouddns,
    "azure": on_azure,
    "local and ec2": with_ec2(on_local),
    "route53 and ec2": with_ec2(on_route53),
}


# -- what they cost ----------------------------------------------------------------------------------------


def measure(place: Place) -> tuple[Cost, Cost]:
    """Of an agent at rest, and after a removal."""
    with tempfile.TemporaryDirectory() as name, place(Path(name)) as setting:
        cluster = Cluster(Path(name), SIZE, NAME, setting.view, setting.configuration, setting.environment)
        with running(cluster):
            for address in cluster.addresses if setting.account else ():
                setting.account.launch(address)
            cluster.start()
            wait_until(cluster.complete, what="all are registered")
            at_rest = median(cluster)
            time.sleep(SETTLE)  # who has just appeared is left in for one and a half intervals
            victim = min(cluster.addresses)
            cluster.crash(victim)
            wait_until(cluster.is_without(victim), what="the dead one leaves")
            del cluster.agents[victim]
            return at_rest, median(cluster)


def median(cluster: Cluster) -> Cost:
    costs = [cost(agent.pid) for agent in cluster.agents.values()]
    return Cost(statistics.median(each.seconds for each in costs), statistics.median(each.megabytes for each in costs))


def main() -> None:
    nothing = bare()
    print("| agent with | processor time until a member, to bare | MB at rest | to bare | MB after a removal |")
    print("| --- | ---: | ---: | ---: | ---: |")
    print(f"| (bare Python: {nothing.seconds * 1000:.0f} ms) | 1.0 | {nothing.megabytes:.0f} | 1.0 | |")
    for name in sys.argv[1:] or PLACES:
        rest, later = measure(PLACES[name])
        ratios = rest.seconds / nothing.seconds, rest.megabytes / nothing.megabytes
        print(
            f"| {name} | {ratios[0]:.0f} | {rest.megabytes:.0f} | {ratios[1]:.1f} | {later.megabytes:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
