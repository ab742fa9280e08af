"""What the plugins on AWS add to an agent: processor time and memory after each step, in this one process.

    uv run nox -s bench -- tests/bench/bench_aws.py

Nothing is sent: the clients are made, which is where the time and the memory go.
"""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import Any

import dnslb
import dnslb.builtin.tcp
import dnslb.cli.run
import dnslb_ec2
import dnslb_route53
from dnslb_ec2._options import Ec2DestroyerOptions, Ec2RegionFilterOptions
from dnslb_route53._options import Route53Options

SERVICE = dnslb.Service("www.example.com", 443)
NOBODY = {
    "AWS_ACCESS_KEY_ID": "nobody",
    "AWS_SECRET_ACCESS_KEY": "nothing",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}


def say(step: str) -> None:
    """One row: the kernel's own count of what the process holds now, and held at the most."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    kilobytes = dict(re.findall(r"(VmRSS|VmHWM):\s+(\d+)", status))
    rest, peak = int(kilobytes["VmRSS"]) / 1024, int(kilobytes["VmHWM"]) / 1024
    print(f"| {step} | {time.process_time() * 1000:.0f} | {rest:.1f} | {peak:.1f} |")


def main() -> None:
    os.environ.update(NOBODY)
    print("| after | processor time, ms | memory, MB | at the peak, MB |")
    print("| --- | ---: | ---: | ---: |")
    say("all that `dnslb run` imports")

    (record_manager,) = dnslb_route53.dnslb_record_managers()
    manager: Any = record_manager.factory(Route53Options(hosted_zone_id="Z0123456789ABC"), SERVICE)
    manager._api.client()
    say("the record manager `route53`")

    (region_filter,) = dnslb_ec2.dnslb_region_filters()
    asking: Any = region_filter.factory(Ec2RegionFilterOptions(region="eu-west-1"), SERVICE)
    asking._api._clients.ec2()
    say("the first question of the region filter `ec2`")

    (destroyer,) = dnslb_ec2.dnslb_destroyers()
    ordering: Any = destroyer.factory(Ec2DestroyerOptions(region="eu-west-1", tags={"cluster": "www"}), SERVICE)
    ordering._api._clients.ec2()
    ordering._api._clients.ec2(order=True)
    ordering._api._clients.auto_scaling()
    say("orders of both kinds by the destroyer `ec2`")


if __name__ == "__main__":
    main()
