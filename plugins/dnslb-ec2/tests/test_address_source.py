"""The address source: which addresses of the instance it tells, and what it says where it cannot."""

from __future__ import annotations

import asyncio
import sys
import time
from ipaddress import ip_address
from subprocess import run

import pytest

from dnslb import Address, Config, LoadBalancer, RecordType, Unavailable
from dnslb.testing import MemoryRecordManager, MemoryZone

NAME = "www.example.com"


def addresses(*texts: str) -> frozenset[Address]:
    return frozenset(ip_address(text) for text in texts)


@pytest.fixture
def dual(metadata):
    """An instance with addresses of all kinds."""
    metadata.tell(local_ipv4="10.0.0.7", public_ipv4="198.51.100.7", ipv6="2001:db8::7")
    return metadata


def test_it_tells_the_private_address_unless_the_public_one_is_asked_for(dual):
    assert dual.source().find() == addresses("10.0.0.7", "2001:db8::7")
    assert dual.source(use="private").find() == addresses("10.0.0.7", "2001:db8::7")
    assert dual.source(use="public").find() == addresses("198.51.100.7", "2001:db8::7")


def test_it_asks_for_nothing_else_and_in_one_session(dual):
    dual.source(use="public").find()
    assert dual.asked == ["public-ipv4", "ipv6"]
    assert dual.sessions == 1


@pytest.mark.parametrize(("use", "item"), [("private", "local_ipv4"), ("public", "public_ipv4")])
def test_an_instance_may_have_one_family_only(metadata, use, item):
    metadata.tell(**{item: "10.0.0.7"})
    assert metadata.source(use=use).find() == addresses("10.0.0.7")
    metadata.told.clear()
    metadata.tell(ipv6="2001:db8::7")
    assert metadata.source(use=use).find() == addresses("2001:db8::7")


def test_an_elastic_address_that_comes_later_is_found_then(metadata):
    metadata.tell(local_ipv4="10.0.0.7")
    source = metadata.source(use="public")
    with pytest.raises(Unavailable, match=r"neither a public IPv4 address nor an IPv6 address; .* `use: private`$"):
        source.find()
    metadata.tell(public_ipv4="198.51.100.7")
    assert source.find() == addresses("198.51.100.7")


def test_an_instance_without_any_address(metadata):
    with pytest.raises(Unavailable, match=r"neither a private IPv4 address nor an IPv6 address; give it one$"):
        metadata.source().find()


@pytest.mark.parametrize("told", [(500, ""), (403, ""), (200, ""), (200, "<html>"), (200, "10.0.0.7 10.0.0.8")])
@pytest.mark.parametrize("item", ["local-ipv4", "ipv6"])
def test_half_an_answer_is_none(dual, item, told):
    dual.told[item] = told
    with pytest.raises(Unavailable, match=r"cannot find the addresses of this instance: .*; give `address`, or let"):
        dual.source().find()


def test_boto3_is_not_needed_for_it(dual):
    """It is loaded for region filter and destroyer, and takes its memory."""
    script = (
        "import sys, dnslb_ec2; from dnslb_ec2._options import Ec2AddressOptions;"
        "[made] = dnslb_ec2.dnslb_address_sources();"
        f"made.factory(Ec2AddressOptions(metadata_endpoint={dual.url!r}), None).find();"
        "print({'boto3', 'botocore'} & set(sys.modules))"
    )
    done = run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60)
    assert (done.stdout, done.stderr) == ("set()\n", "")


async def test_an_agent_registers_what_it_tells(metadata):
    """127.0.0.1 is the one address that answers, wherever this runs."""
    zone = MemoryZone()
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        metadata.tell(public_ipv4="127.0.0.1")
        address = {"plugin": "ec2", "use": "public", "metadata_endpoint": metadata.url}
        port = server.sockets[0].getsockname()[1]
        settings = {"fqdn": NAME, "tcp_port": port, "check_interval": "1s", "address": address}
        [service] = Config.load(settings).services
        async with LoadBalancer(service, record_manager=MemoryRecordManager(zone)) as balancer:
            deadline = time.monotonic() + 60
            while not balancer.registered:
                assert time.monotonic() < deadline
                await asyncio.sleep(0.02)
        assert zone.read(NAME, RecordType.A).record_set.values == ("127.0.0.1",)
