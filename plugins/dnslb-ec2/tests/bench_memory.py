"""What the plugin adds to an agent: processor time and peak memory of each step, in this one process.

Run it alone: `python tests/bench_memory.py`. Nothing is sent.
"""

from __future__ import annotations

import resource
import time
from typing import Any

import dnslb
import dnslb_ec2
from dnslb_ec2._options import Ec2DestroyerOptions, Ec2RegionFilterOptions


def say(step: str) -> None:
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{step:<50}{time.process_time() * 1000:>6.0f} ms{megabytes:>7.1f} MB")


def main() -> None:
    service = dnslb.Service("www.example.com", 443)
    (region_filter,) = dnslb_ec2.dnslb_region_filters()
    (destroyer,) = dnslb_ec2.dnslb_destroyers()
    say("dnslb, and what the plugin declares")
    made_filter: Any = region_filter.factory(Ec2RegionFilterOptions(region="eu-west-1"), service)
    say("the region filter is made (boto3)")
    made_filter._api._clients.ec2()
    say("its first question (the EC2 API)")
    made_destroyer: Any = destroyer.factory(Ec2DestroyerOptions(region="eu-west-1", tags={"cluster": "www"}), service)
    made_destroyer._api._clients.ec2()
    made_destroyer._api._clients.ec2(order=True)
    made_destroyer._api._clients.auto_scaling()
    say("the destroyer has given orders of both kinds")


if __name__ == "__main__":
    main()
