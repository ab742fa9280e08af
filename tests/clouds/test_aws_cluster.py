"""Servers on EC2 behind a name in Route 53: one dies, leaves the record set, is terminated, and is replaced."""

from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from agents import Agent, Cluster, Watch, running, wait_until
from instances import Account
from providers import AWS_ENVIRONMENT, NAME, Provider, route53

pytestmark = [pytest.mark.minutes, pytest.mark.timeout(400)]

SIZE = 5
DESTROY_LIMIT = 120.0
"""Seconds: nine intervals after the removal, at `check_interval: 5s`, and what a busy machine takes."""


@pytest.fixture
def provider(ministack) -> Iterator[Provider]:
    with route53(ministack) as provider:
        yield provider


@pytest.fixture
def account(moto_url) -> Account:
    return Account(moto_url)


@pytest.fixture
def cluster(provider, account, tmp_path) -> Iterator[Cluster[Watch]]:
    configuration = provider.configuration + account.configuration
    with running(Cluster(tmp_path, SIZE, NAME, Watch(provider.members), configuration, AWS_ENVIRONMENT)) as made:
        for address in made.addresses:
            account.launch(address)
        made.start()
        yield made


def sees(agent: Agent, members: frozenset[str]) -> bool:
    """Whether those are the members that the agent saw last."""
    return [set(event["members"]) for event in agent.events("members")][-1:] == [members]


def audit_trail(agents: Iterable[Agent], addresses: set[str]) -> list[dict[str, Any]]:
    """All that any agent says to have done about these addresses, in the order of time."""
    deeds = {"registered", "withdrawn", "removed", "intended", "vetoed", "destroyed", "destroy-failed"}
    events = [event | {"by": agent.address} for agent in agents for event in agent.events() if event["event"] in deeds]
    return sorted((event for event in events if event.get("address") in addresses), key=lambda event: event["time"])


def test_one_of_five_that_dies_is_removed_then_terminated_then_replaced(cluster, account):
    wait_until(cluster.complete, what="all five are registered")
    members = cluster.addresses
    victim, replacement = sorted(members)[2], "127.0.1.6"
    wait_until(lambda: all(sees(agent, members) for agent in cluster.agents.values()), what="all have seen all")

    cluster.crash(victim)
    wait_until(cluster.is_without(victim), what="the dead one leaves the record set")
    assert cluster.client.members == members - {victim}
    assert account.states()[victim] == "running", "it may still come back"

    wait_until(lambda: account.states()[victim] == "terminated", DESTROY_LIMIT, "its instance is terminated")
    assert {state for address, state in account.states().items() if address != victim} == {"running"}

    account.launch(replacement)
    cluster.join(replacement)
    wait_until(lambda: cluster.client.members == members - {victim} | {replacement}, what="its replacement is in")

    def trail() -> list[dict[str, Any]]:
        return audit_trail(cluster.agents.values(), {victim, replacement})

    # An event is logged once it is done, which is a moment later.
    wait_until(lambda: trail()[-1]["address"] == replacement, what="its registration is logged")
    for event in trail():
        print(f"{event['time']}  by {event['by']}  {event['message']}")
    assert [(event["event"], event["address"], event["why"]) for event in trail()] == [
        ("registered", victim, "join"),
        ("removed", victim, "down"),
        ("intended", victim, "gone"),
        ("destroyed", victim, "still_down"),
        ("registered", replacement, "join"),
    ]
    by = [event["by"] for event in trail()]
    assert (by[0], by[4]) == (victim, replacement), "each registers itself"
    assert by[1] == by[2] == by[3] != victim, "who removed it has it terminated"
    assert {account.states()[address] for address in cluster.client.members} == {"running"}
