"""The own address: given, of an interface, or found out; on this host, and on hosts made for the purpose."""

import json
import shutil
import subprocess
import sys
from ipaddress import ip_address

import ifaddr
import pytest

from dnslb import ConfigurationError, RecordType
from dnslb.addresses import OwnAddresses


def found(*choices):
    return {str(type_): str(address) for type_, address in OwnAddresses(choices).find().items()}


def refused(*choices):
    with pytest.raises(ConfigurationError) as caught:
        OwnAddresses(choices).find()
    return str(caught.value)


def of_this_host():
    ips = (ip.ip if isinstance(ip.ip, str) else ip.ip[0] for adapter in ifaddr.get_adapters() for ip in adapter.ips)
    return set(map(ip_address, ips))


# -- given -------------------------------------------------------------------------------------------------


def test_a_given_address_is_taken_as_it_is_whether_this_host_has_it_or_not():
    assert found("198.51.100.7") == {"A": "198.51.100.7"}
    assert found("2001:DB8::0:7") == {"AAAA": "2001:db8::7"}
    assert found("127.0.0.1") == {"A": "127.0.0.1"}


def test_an_address_of_each_family_may_be_given():
    assert found("fd00::7", "10.0.0.7") == {"A": "10.0.0.7", "AAAA": "fd00::7"}


def test_two_addresses_of_one_family_are_refused_unless_they_are_one():
    assert refused("10.0.0.7", "10.0.0.8") == "address: 10.0.0.7 and 10.0.0.8 are of one family; name one of them"
    assert found("fd00::7", "FD00:0::7") == {"AAAA": "fd00::7"}


@pytest.mark.parametrize("written", ["0.0.0.0", "::", "224.0.0.1", "ff02::1", "169.254.1.1", "fe80::1"])
def test_an_address_that_nobody_else_can_reach_is_refused(written):
    assert refused(written) == f"address: {written!r} is not an address that others can reach this host by"


@pytest.mark.parametrize("written", ["fe80::1%eth0", "fd00::7%2"])
def test_an_address_with_a_zone_index_is_refused(written):
    assert refused(written) == f"address: {written!r} has a zone index, which no DNS record can hold"


# -- of an interface ---------------------------------------------------------------------------------------


def test_an_interface_gives_its_address():
    if ip_address("127.0.0.1") not in of_this_host():
        pytest.skip("the loopback interface is not up")
    assert found("lo")["A"] == "127.0.0.1"


@pytest.mark.parametrize("written", ["eth99", "10.0.0.300", "www.example.com", "LO", " "])
def test_what_is_neither_an_address_nor_an_interface_is_answered_with_the_interfaces_there_are(written):
    message = refused(written)
    assert message.startswith(
        f"address: {written!r} is neither an address nor an interface with one; interfaces here: "
    )
    assert "lo" in message.rpartition(": ")[2].split(", ")


# -- found out ---------------------------------------------------------------------------------------------


def test_what_is_found_out_is_an_address_of_this_host_that_others_can_reach():
    own = OwnAddresses(("auto",)).find()
    assert set(own.values()) <= of_this_host()
    for type_, address in own.items():
        assert RecordType.of(address) is type_
        assert not address.is_loopback
        assert not address.is_link_local


def test_it_is_looked_at_again_each_time():
    own = OwnAddresses(("auto",))
    assert own.find() == own.find()
    assert own.find() is not own.find()


# -- on hosts made for the purpose: network namespaces -----------------------------------------------------

FIND = """
import json, sys
from dnslb import ConfigurationError
from dnslb.addresses import OwnAddresses
try:
    print(json.dumps({str(t): str(a) for t, a in OwnAddresses(tuple(sys.argv[1:])).find().items()}))
except ConfigurationError as error:
    print(json.dumps(str(error)))
"""


@pytest.fixture(scope="module")
def host():
    """Runs `OwnAddresses(choices).find()` on a host of its own that is set up by `ip` commands."""
    if not (shutil.which("unshare") and shutil.which("ip")):
        pytest.skip("unshare and ip are not installed")
    if subprocess.run(["unshare", "-rn", "true"], capture_output=True, check=False, timeout=30).returncode:
        pytest.skip("network namespaces are not allowed here")

    def find(setup, *choices):
        commands = ["ip link set lo up", *(f"ip {line.strip()}" for line in setup.splitlines() if line.strip())]
        shell = " && ".join([*commands, 'exec "$0" "$@"'])
        command = ["unshare", "-rn", "sh", "-c", shell, sys.executable, "-c", FIND, *choices]
        return json.loads(subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout)

    return find


def test_without_a_default_route_the_only_address_is_taken(host):
    assert host("addr add 10.0.0.7/24 dev lo", "auto") == {"A": "10.0.0.7"}
    assert host("addr add fd00::7/64 dev lo nodad", "auto") == {"AAAA": "fd00::7"}


def test_without_a_default_route_several_addresses_are_answered_with_all_of_them(host):
    setup = """
        addr add 10.0.0.7/24 dev lo
        addr add 10.0.1.7/24 dev lo
        """
    message = "address: this host has several addresses (10.0.0.7, 10.0.1.7); name the one to register"
    assert host(setup, "auto") == message


def test_the_source_of_the_default_route_is_taken_whatever_else_there_is(host):
    setup = """
        addr add 203.0.113.7/32 dev lo
        addr add 10.0.0.7/24 dev lo
        addr add 10.0.1.7/24 dev lo
        route add default dev lo src 10.0.1.7
        addr add fd00::7/64 dev lo nodad
        addr add fd00::8/64 dev lo nodad
        -6 route add default dev lo src fd00::8
        """
    assert host(setup, "auto") == {"A": "10.0.1.7", "AAAA": "fd00::8"}


def test_a_host_without_a_network_has_no_address(host):
    assert host("", "auto") == {}


def test_an_interface_with_several_addresses_of_one_family_is_answered_with_all_of_them(host):
    setup = """
        addr add 10.0.0.7/24 dev lo
        addr add fd00::7/64 dev lo nodad
        """
    # 127.0.0.1 and ::1 are on it, too.
    message = host(setup, "lo")
    assert message == "address: the interface lo has several addresses (127.0.0.1, 10.0.0.7); name the one to register"


def test_auto_beside_an_address_of_the_same_family_is_refused(host):
    setup = "addr add 10.0.0.7/24 dev lo"
    assert host(setup, "auto", "10.0.0.8") == ("address: 10.0.0.7 and 10.0.0.8 are of one family; name one of them")
    assert host(setup, "auto", "fd00::7") == {"A": "10.0.0.7", "AAAA": "fd00::7"}
