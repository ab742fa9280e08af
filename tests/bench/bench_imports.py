"""What importing a dependency costs an agent: processor time and memory, as ratios to a bare Python.

    uv run nox -s bench -- tests/bench/bench_imports.py
    uv run --with click python tests/bench/bench_imports.py 'import click'

Without arguments it measures the dependencies of the core, and what an agent imports in all. The programs take turns,
so that a busy moment of the machine does not fall on one of them alone; the figures are medians.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys

ROUNDS = 21
BARE = "(bare Python)"
PROGRAMS = {
    "dnspython": "import dns.message, dns.query, dns.rdata, dns.tsig, dns.update",
    "ifaddr": "import ifaddr",
    "packaging": "import packaging.requirements",
    "pluggy": "import pluggy",
    "PyYAML": "import yaml",
    "argparse, of the standard library": "import argparse",
    "asyncio, of the standard library": "import asyncio",
    "`import dnslb`": "import dnslb",
    "all that `dnslb run` imports": "import dnslb.cli.run, dnslb.builtin.tcp, dnslb_rfc2136._manager",
    "the same, with `observe: dns`": (
        "import dnslb.cli.run, dnslb.builtin.tcp, dnslb_rfc2136._manager, dnslb.authoritative"
    ),
    "the same with `route53`": "import dnslb.cli.run, dnslb.builtin.tcp, dnslb_route53._manager",
    "the same with `clouddns`": "import dnslb.cli.run, dnslb.builtin.tcp, dnslb_clouddns._manager",
    "the same with `azure`": "import dnslb.cli.run, dnslb.builtin.tcp, dnslb_azure._manager, azure.identity",
    "the same with `local` and `ec2`": (
        "import dnslb.cli.run, dnslb.builtin.tcp, dnslb.builtin._local, dnslb_ec2._region_filter, dnslb_ec2._destroyer"
    ),
}

# Peak memory from the kernel's own count: what `getrusage` says of a child includes its parent's before the exec.
REPORT = """
import time
with open("/proc/self/status", encoding="ascii") as status:
    peak = next(line.split()[1] for line in status if line.startswith("VmHWM"))
print(time.process_time(), peak)
"""


def measure(program: str) -> tuple[float, float]:
    """Milliseconds of processor time and megabytes at the peak, of a Python that runs `program` and ends."""
    # Without this variable Python keeps what it compiled, as it does for an installed program.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-c", program + REPORT]
    seconds, kilobytes = subprocess.check_output(command, env=environment, text=True).split()
    return float(seconds) * 1e3, int(kilobytes) / 1024


def main() -> None:
    programs = {BARE: ""} | ({argument: argument for argument in sys.argv[1:]} or PROGRAMS)
    for program in programs.values():
        measure(program)  # compiles what is not compiled yet
    rounds = [{name: measure(program) for name, program in programs.items()} for _ in range(ROUNDS)]
    medians = {
        name: tuple(statistics.median(figures[name][which] for figures in rounds) for which in (0, 1))
        for name in programs
    }
    bare_time, bare_memory = medians[BARE]
    print("| imported | time, ms | to bare | memory, MB | to bare |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for name, (time, memory) in medians.items():
        print(f"| {name} | {time:.0f} | {time / bare_time:.1f} | {memory:.1f} | {memory / bare_memory:.1f} |")


if __name__ == "__main__":
    main()
