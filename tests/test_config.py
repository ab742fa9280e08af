"""From a file to settings: what may be written, what is filled in, and what is refused, all of it at once."""

from ipaddress import ip_address

import pytest

from dnslb import ConfigurationError, PluginBroken, Secret, Target
from dnslb.config import Config, Providers
from dnslb.endpoints import Endpoint
from dnslb.records import MAX_TTL

from distributions import site_in

CANARY = "kana-rien-vogel"

PROVIDER = """
from dataclasses import dataclass

from dnslb import Capabilities, Count, RecordManagerType, Secret, hookimpl, option

@dataclass(frozen=True)
class Options:
    server: str = option(help="a server")
    weight: Count = option(1, help="a weight")
    token: Secret | None = option(None, help="a token")

    def __post_init__(self):
        if self.weight == 13:
            raise ValueError("weight 13 brings bad luck")
        if self.weight == 14:
            raise TypeError("a mistake\\nof the plugin")

class Manager:
    def __init__(self, options, service):
        self.options, self.service = options, service
    def read(self, name, type): ...
    def commit(self, changes): ...
    def wait(self, receipt, timeout): ...
    def close(self): ...

def factory(options, service):
    if options.server == "broken":
        import acme_sdk_of_nobody
    return Manager(options, service)

@hookimpl
def dnslb_record_managers():
    can = Capabilities(min_ttl=30, min_interval=10.0)
    yield RecordManagerType(name="acme", summary="", options=Options, factory=factory, capabilities=can)
"""

SERVICE = "fqdn: www.example.com\ntcp_port: 443\n"
ACME = "record_manager: {plugin: acme, server: ns1}\n"


@pytest.fixture(autouse=True)
def site(tmp_path):
    with site_in(tmp_path) as site:
        site.plugin("acme", PROVIDER)
        yield site


@pytest.fixture
def file(tmp_path):
    return tmp_path / "dnslb.yml"


@pytest.fixture
def load(file):
    def load(text):
        file.write_text(text)
        return Config.load(file)

    return load


@pytest.fixture
def refused(load, file):
    """Every line of the answer, without the name of the file."""

    def refused(text):
        with pytest.raises(ConfigurationError) as caught:
            load(text)
        lines = str(caught.value).split("\n")
        assert len(lines) == len(caught.value.problems)
        assert all(line.startswith(str(file)) for line in lines)
        return [line.removeprefix(str(file)).removeprefix(":").strip() for line in lines]

    return refused


# -- what is filled in -------------------------------------------------------------------------------------


def test_two_keys_are_enough_for_a_service(load):
    config = load(SERVICE)
    (service,) = config.services
    assert (service.service.fqdn, service.service.port) == ("www.example.com", 443)
    assert (service.check_interval, service.probe_interval, service.ttl) == (60.0, 5.0, 60)
    assert service.record_manager is service.region_filter is service.destroyer is None
    assert service.probe.registration.name == "tcp"
    assert service.options.address == ("auto",)
    assert service.address_source is None
    assert service.options.rise == 2
    assert config.warnings == ()


def test_everything_that_may_be_written_arrives(load):
    (service,) = load(
        """
        fqdn: WWW.Example.COM.
        tcp_port: 8443
        check_interval: 1m30s
        probe_interval: 2s
        ttl: 45
        address: [eth0, "FD00::1"]
        observe: dns
        name_servers: [192.0.2.1, "NS1.Example.com.:5353", "2001:db8::1", "[2001:db8::1]:54"]
        rise: 3
        minimum_failures: 4
        maximum_failures: 5
        allowed_networks: [10.0.0.0/8, "fd00::/8"]
        witnesses: [192.0.2.1:53, "[2001:DB8::1]:443"]
        preserve: true
        record_manager: {plugin: acme, server: ns1, weight: 2}
        probe: {plugin: tls, mode: insecure}
        """
    ).services
    options = service.options
    assert (options.fqdn, options.tcp_port, options.rise) == ("www.example.com", 8443, 3)
    assert (service.check_interval, service.probe_interval, service.ttl) == (90.0, 2.0, 45)
    assert options.address == ("eth0", "FD00::1")
    assert options.observe == "dns"
    assert options.name_servers == (
        Endpoint("192.0.2.1", 53),
        Endpoint("ns1.example.com", 5353),
        Endpoint("2001:db8::1", 53),
        Endpoint("2001:db8::1", 54),
    )
    assert [str(network) for network in options.allowed_networks] == ["10.0.0.0/8", "fd00::/8"]
    assert options.witnesses == (Target(ip_address("192.0.2.1"), 53), Target(ip_address("2001:db8::1"), 443))
    assert (options.minimum_failures, options.maximum_failures, options.preserve) == (4, 5, True)
    assert service.record_manager.options.weight == 2
    assert service.probe.options.mode == "insecure"


def test_a_name_that_leaves_no_room_for_its_block_record_is_refused(load, refused):
    longest = ".".join(["x" * 61, *["x" * 60] * 3])
    assert load(f"fqdn: {longest}\ntcp_port: 443\n")
    [line] = refused(f"fqdn: {longest}y\ntcp_port: 443\n")
    assert "no room for the name of its block record: 254 characters are too long" in line


def test_several_services_stand_under_one_key(load):
    config = load("services:\n- {fqdn: a.test, tcp_port: 1}\n- {fqdn: b.test, tcp_port: 2, probe: tls}\n")
    assert [service.options.fqdn for service in config.services] == ["a.test", "b.test"]
    assert [service.probe.registration.name for service in config.services] == ["tcp", "tls"]


def test_services_may_share_what_they_have_in_common(load):
    config = load(
        """
        services:
        - &first {fqdn: a.test, tcp_port: 443, record_manager: &manager {plugin: acme, server: ns1}}
        - {<<: *first, fqdn: b.test}
        - {fqdn: c.test, tcp_port: 80, record_manager: {<<: *manager, weight: 5}}
        """
    )
    assert [service.options.tcp_port for service in config.services] == [443, 443, 80]
    assert [service.record_manager.options.weight for service in config.services] == [1, 1, 5]


def test_a_mapping_of_a_program_is_as_good_as_a_file():
    config = Config.load({"fqdn": "a.test", "tcp_port": 443, "record_manager": {"plugin": "acme", "server": "ns1"}})
    assert config.services[0].record_manager.options.server == "ns1"
    with pytest.raises(ConfigurationError, match="tcp_port: 70000 is not a port"):
        Config.load({"fqdn": "a.test", "tcp_port": 70000})


def test_a_plugin_that_needs_no_options_may_be_named_alone(load):
    assert load(SERVICE + "probe: tls\n").services[0].probe.options.mode == "verify"


def test_a_plugin_that_is_named_alone_but_needs_options_says_which(refused):
    assert refused(SERVICE + "record_manager: local\n") == [
        "3: record_manager: path is missing: the SQLite file, on a local disk; it is made where there is none"
    ]


def test_relative_paths_start_from_the_folder_of_the_file(load, file):
    (service,) = load(SERVICE + "record_manager: {plugin: local, path: zone.db}\n").services
    assert service.record_manager.options.path == file.parent / "zone.db"


def test_do_tls_is_a_tls_probe_that_verifies_nothing(load):
    (service,) = load(SERVICE + "do_tls: true\n").services
    assert (service.probe.registration.name, service.probe.options.mode) == ("tls", "insecure")
    (service,) = load(SERVICE + "do_tls: false\nprobe: tls\n").services
    assert service.probe.options.mode == "verify"


@pytest.mark.parametrize("written", ["auto", "eth0", "10.0.0.7", "fd00::7"])
def test_one_address_need_not_be_a_list(load, written):
    assert load(SERVICE + f"address: '{written}'\n").services[0].options.address == (written,)


# -- what is raised or refused since the provider cannot do it ---------------------------------------------


def test_an_interval_below_the_lowest_is_raised_with_a_warning(load, file):
    config = load(SERVICE + ACME + "check_interval: 3s\n")
    assert config.services[0].check_interval == 10.0
    assert config.services[0].probe_interval == 5.0
    assert [str(warning) for warning in config.warnings] == [
        f"{file}:4: check_interval: 3s is raised to 10s, the lowest that acme can do"
    ]


def test_members_are_probed_at_least_as_often_as_the_record_set_is_read(load):
    text = SERVICE + "record_manager: {plugin: local, path: x}\n"
    assert load(text + "check_interval: 2s\n").services[0].probe_interval == 2.0
    assert load(text + "check_interval: 2s\nprobe_interval: 3s\n").services[0].probe_interval == 2.0


@pytest.mark.parametrize("key", ["check_interval", "probe_interval"])
@pytest.mark.parametrize("written", ["0s", "1ns", "99ms"])
def test_no_interval_is_so_short_that_it_becomes_a_busy_loop(refused, key, written):
    assert refused(SERVICE + f"{key}: {written}\n") == [f"3: {key}: {written} is too short; at least 100ms"]


@pytest.mark.parametrize(
    ("written", "ttl"),
    [
        ("check_interval: 45s\n", 45),
        ("check_interval: 45.5s\n", 46),
        ("check_interval: 20s\n", 30),
        ("check_interval: 45s\nttl: 30\n", 30),
        ("check_interval: 2562047h\n", MAX_TTL),
    ],
)
def test_the_ttl_is_the_interval_within_what_the_provider_and_dns_allow(load, written, ttl):
    assert load(SERVICE + ACME + written).services[0].ttl == ttl


def test_a_ttl_below_the_lowest_of_the_provider_is_refused(refused):
    assert refused(SERVICE + ACME + "ttl: 29\n") == ["4: ttl: 29 is less than the lowest TTL of this provider, 30"]


def test_a_low_ttl_is_one_that_the_provider_takes_and_lower_than_the_ttl(load, refused):
    [service] = load(SERVICE + ACME + "ttl: 300\nlow_ttl: 30s\n").services
    assert service.policy(regional=False, destroys=False).low_ttl == 30
    assert refused(SERVICE + ACME + "low_ttl: 29\n") == [
        "4: low_ttl: 29 is less than the lowest TTL of this provider, 30"
    ]
    assert refused(SERVICE + ACME + "low_ttl: 5m\n") == ["4: low_ttl: 300 is not less than the TTL, 60"]


# -- what is wrong, all of it at once ----------------------------------------------------------------------


def test_everything_that_is_wrong_is_told_at_once_with_line_and_key(refused):
    found = refused(
        """fqdn: not a name
tcp_port: 70000
check_intervall: 15s
minimum_failures: 0
record_manager:
  plugin: acme
  wieght: 2
  token: hunter2
probe:
  plugin: tlss
"""
    )
    expected = [
        "1: fqdn: 'not a name' is not a domain name: ",
        "2: tcp_port: 70000 is not a port (1 to 65535)",
        "3: check_intervall: there is no such key; did you mean 'check_interval'?",
        "4: minimum_failures: 0 is not a whole number (1 or more)",
        "5: record_manager: server is missing: a server",
        "7: record_manager.wieght: there is no such key; did you mean 'weight'?",
        "8: record_manager.token: a secret is written env:NAME or file:PATH, never as itself",
        "10: probe.plugin: no plugin is named 'tlss'; did you mean 'tls'? installed: ",
    ]
    assert len(found) == len(expected)
    assert [line for line, start in zip(found, expected, strict=True) if not line.startswith(start)] == []


def test_what_is_wrong_in_each_of_several_services_is_told_at_once(refused):
    assert refused("services:\n- {fqdn: a.test}\n- fqdn: b.test\n  tcp_port: 0\n- text\n- fqdn: c.test\n") == [
        "2: services[0]: tcp_port is missing: the port that is probed on every member",
        "4: services[1].tcp_port: 0 is not a port (1 to 65535)",
        "5: services[2]: a service is a mapping of keys",
        "6: services[3]: tcp_port is missing: the port that is probed on every member",
    ]


def test_a_key_that_is_given_twice_does_not_hide_other_mistakes(refused):
    assert refused("fqdn: a.test\nfqdn: b.test\ntcp_port: 0\n") == [
        "2: fqdn: the key is given twice",
        "3: tcp_port: 0 is not a port (1 to 65535)",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the configuration is empty"),
        ("# nothing yet\n", "the configuration is empty"),
        ("- fqdn: a.test\n", "the configuration is not a mapping of keys"),
        ("www.example.com\n", "the configuration is not a mapping of keys"),
        ("7\n", "the configuration is not a mapping of keys"),
        ("services:\n", "1: services: a list of services is needed here, each with its fqdn"),
        ("services: []\n", "1: services: a list of services is needed here, each with its fqdn"),
        ("services: {fqdn: a.test}\n", "1: services: a list of services is needed here, each with its fqdn"),
    ],
)
def test_what_is_no_configuration_is_refused(refused, text, message):
    assert refused(text) == [message]


def test_nothing_may_stand_beside_services(refused):
    text = "fqdn: a.test\nservices: [{fqdn: b.test, tcp_port: 1}]\n"
    assert refused(text) == ["1: fqdn: beside services: nothing else may stand; move it into the services"]


def test_one_name_has_one_service_however_it_is_written(refused):
    text = "services:\n- {fqdn: a.test, tcp_port: 1}\n- {fqdn: A.Test., tcp_port: 2}\n"
    assert refused(text) == ["1: services: a.test is managed by 2 services; one name, one service"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("all_regions: true\n", "all_regions: true is only valid with preserve: true"),
        (
            "minimum_failures: 5\nmaximum_failures: 4\n",
            "maximum_failures (4) is less than minimum_failures (5)",
        ),
        ("minimum_failures: 61\n", "maximum_failures (60) is less than minimum_failures (61)"),
        ("do_tls: true\nprobe: tcp\n", "3: do_tls: do_tls selects a probe too; keep one of them"),
        ("do_tls: sure\n", "3: do_tls: 'sure' is not true or false"),
        (
            "address: []\n",
            "3: address: write auto, the name of an interface, an address, a list of addresses, or {plugin:",
        ),
        (
            "address: 7\n",
            "3: address: write auto, the name of an interface, an address, a list of addresses, or {plugin:",
        ),
        ("address: [{plugin: acme}]\n", "3: address: write auto, the name of an interface, an address, a list"),
        (
            "address: {interface: eth0}\n",
            "3: address: write address: {plugin: NAME}, with the plugin's options beside it",
        ),
        ("address: {plugin: tcp}\n", "3: address.plugin: the plugin 'tcp' has no address source; it provides a probe"),
        ("name_servers: [192.0.2.1]\n", "name_servers are only asked with observe: dns; add that, or take them out"),
        ("observe: DNS\n", "3: observe: 'DNS' is not one of api, dns"),
        ("observe: dns\nname_servers: 192.0.2.1\n", "4: name_servers: '192.0.2.1' is not a list, each HOST, HOST:PORT"),
        ("observe: dns\nname_servers: [53]\n", "4: name_servers: write HOST, HOST:PORT or [IPV6]:PORT, in quotes"),
        ("observe: dns\nname_servers: ['ns1:0']\n", "4: name_servers: 'ns1:0' has '0' for a port (1 to 65535)"),
        ("observe: dns\nname_servers: ['[ns1]:53']\n", "4: name_servers: '[ns1]:53' is not an address; write [2001:"),
        ("observe: dns\nname_servers: [ns..1]\n", "4: name_servers: 'ns..1' is not a domain name: an empty label"),
        ("witnesses: 192.0.2.1:53\n", "3: witnesses: '192.0.2.1:53' is not a list, each ADDRESS:PORT or [IPV6]:PORT"),
        ("witnesses: [192.0.2.1]\n", "3: witnesses: '192.0.2.1' has no port; write 192.0.2.1:53 or [2001:db8::1]:53"),
        ("witnesses: ['2001:db8::1']\n", "3: witnesses: '2001:db8::1' has no port; write 192.0.2.1:53 or [2001:db8"),
        ("witnesses: ['192.0.2.1:dns']\n", "3: witnesses: '192.0.2.1:dns' has 'dns' for a port (1 to 65535)"),
        (
            "witnesses: ['gw.example.com:53']\n",
            "3: witnesses: 'gw.example.com:53' is not an address; whoever is cut off",
        ),
        ("witnesses: ['0.0.0.0:53']\n", "3: witnesses: '0.0.0.0:53' is not the address of a host"),
        ("witnesses: ['[ff02::1]:53']\n", "3: witnesses: '[ff02::1]:53' is not the address of a host"),
        ("witnesses: [53]\n", "3: witnesses: write ADDRESS:PORT or [IPV6]:PORT, in quotes"),
        ("ttl: 2147483648\n", "3: ttl: 2147483648 is not a TTL in seconds (0 to 2147483647)"),
        ("check_interval: 15\n", "3: check_interval: 15 has no unit; write 15s for seconds"),
        ("check_interval: -5s\n", "3: check_interval: '-5s' is not a duration such as 30s or 1m30s"),
        ("allowed_networks: 10.0.0.0/8\n", "3: allowed_networks: '10.0.0.0/8' is not a list, each a network such as"),
        ("probe: [tcp]\n", "3: probe: write probe: {plugin: NAME}, with the plugin's options beside it"),
        ("probe: {path: /}\n", "3: probe: write probe: {plugin: NAME}, with the plugin's options beside it"),
        ("probe: {plugin: 7}\n", "3: probe: write probe: {plugin: NAME}, with the plugin's options beside it"),
        ("probe: tpc\n", "3: probe: no plugin is named 'tpc'; did you mean 'tcp'?"),
        ("probe: {plugin: local}\n", "3: probe.plugin: the plugin 'local' has no probe; it provides a record manager"),
        ("record_manager: {plugin: acme, server: x, weight: 13}\n", "3: record_manager: weight 13 brings bad luck"),
        (
            "record_manager: {plugin: acme, server: x, weight: 14}\n",
            "3: record_manager: the plugin 'acme' fails to check its own options: TypeError: a mistake of the plugin",
        ),
    ],
)
def test_a_key_with_a_wrong_value_is_answered_with_one_line(refused, text, message):
    (line,) = refused(SERVICE + text)
    assert line.startswith(message)


def test_an_address_may_be_left_to_a_plugin(site, load):
    site.plugin(
        "cloud",
        """
        from dataclasses import dataclass

        from dnslb import AddressSourceType, hookimpl, option

        @dataclass(frozen=True)
        class Options:
            url: str = option("http://cloud", help="where it is")

        @hookimpl
        def dnslb_address_sources():
            yield AddressSourceType(name="cloud", summary="", options=Options, factory=print)
        """,
    )
    (service,) = load(SERVICE + "address: {plugin: cloud, url: http://here}\n").services
    assert service.address_source.registration.name == "cloud"
    assert service.address_source.options.url == "http://here"


@pytest.mark.parametrize("written", ["cloud", "[cloud, 10.0.0.7]"])
def test_the_name_of_a_plugin_alone_is_an_interface_where_an_address_is_meant(load, written):
    (service,) = load(SERVICE + f"address: {written}\n").services
    assert service.address_source is None
    assert "cloud" in service.options.address


def test_all_regions_leaves_nothing_to_filter(site, refused):
    site.plugin(
        "rack",
        """
        from dnslb import RegionFilterType, hookimpl

        @hookimpl
        def dnslb_region_filters():
            yield RegionFilterType(name="rack", summary="", factory=print)
        """,
    )
    text = SERVICE + "preserve: true\nall_regions: true\nregion_filter: rack\n"
    assert refused(text) == ["5: region_filter: all_regions: true leaves nothing for a region filter to do"]


def test_a_broken_plugin_that_is_selected_is_a_problem_of_its_key(site, refused):
    site.plugin("broken", "import acme_sdk_of_nobody")
    (line,) = refused(SERVICE + "probe:\n  plugin: broken\n")
    assert line.startswith(
        "4: probe.plugin: the plugin 'broken' of acme-broken 1.2.3 does not load: ModuleNotFoundError"
    )


def test_a_hostile_plugin_that_nobody_selected_is_never_imported(site, load):
    site.plugin("hostile", "raise SystemExit('imported')")
    load(SERVICE + ACME)
    assert site.imported() == {"acme_acme"}


def test_a_yaml_error_is_one_problem_with_its_line(refused):
    assert refused(SERVICE + " probe: tcp\n") == ["3: is not YAML: mapping values are not allowed here"]


def test_check_says_which_of_one_none_and_malformed_holds(file):
    def check(text):
        file.write_text(text)
        return Config.check(file)

    assert check(SERVICE + ACME) is Providers.ONE
    assert check(SERVICE) is Providers.NONE
    assert (
        check(f"services: [{{fqdn: a.test, tcp_port: 1}}, {{fqdn: b.test, tcp_port: 1, {ACME.strip()}}}]")
        is Providers.NONE
    )
    assert check(SERVICE + "record_manager: {plugin: nobody}\n") is Providers.MALFORMED
    assert check("{") is Providers.MALFORMED
    assert Config.check({"fqdn": "a.test", "tcp_port": 1}) is Providers.NONE


# -- the objects behind the selections ---------------------------------------------------------------------


def test_a_selection_makes_its_object_for_the_service(load):
    (service,) = load(SERVICE + ACME).services
    made = service.record_manager.make(service.service)
    assert (made.options.server, made.service.fqdn, made.service.port) == ("ns1", "www.example.com", 443)


def test_a_factory_that_misses_its_sdk_stops_the_start_with_one_line(load):
    (service,) = load(SERVICE + "record_manager: {plugin: acme, server: broken}\n").services
    with pytest.raises(ConfigurationError) as caught:
        service.record_manager.make(service.service)
    [problem] = caught.value.problems
    assert (problem.line, problem.path) == (3, ("record_manager",))
    assert isinstance(problem.cause, PluginBroken)
    assert problem.message == (
        "the record manager 'acme' cannot be made: ModuleNotFoundError: No module named 'acme_sdk_of_nobody'; "
        "mend it: pip install --force-reinstall acme-acme"
    )


# -- secrets -----------------------------------------------------------------------------------------------


def test_a_secret_arrives_and_is_shown_nowhere(load, monkeypatch):
    monkeypatch.setenv("DNSLB_TEST_TOKEN", CANARY)
    config = load(SERVICE + "record_manager: {plugin: acme, server: ns1, token: 'env:DNSLB_TEST_TOKEN'}\n")
    assert config.services[0].record_manager.options.token == Secret(CANARY)
    assert CANARY not in repr(config)


def test_a_secret_written_as_itself_is_refused_without_being_shown(refused):
    (line,) = refused(SERVICE + f"record_manager: {{plugin: acme, server: ns1, token: {CANARY}}}\n")
    assert line == "3: record_manager.token: a secret is written env:NAME or file:PATH, never as itself"


@pytest.mark.parametrize(("written", "seconds"), [(0, 0), (30, 30), ("30s", 30), ("1m30s", 90)])
def test_a_ttl_is_seconds_or_a_duration(written, seconds):
    [service] = Config.load({"fqdn": "www.example.com", "tcp_port": 80, "ttl": written}).services
    assert service.ttl == seconds


@pytest.mark.parametrize("written", ["1500ms", -1, 2**31, True, "soon"])
def test_a_ttl_of_another_form_is_refused(written):
    with pytest.raises(ConfigurationError, match="ttl: "):
        Config.load({"fqdn": "www.example.com", "tcp_port": 80, "ttl": written})
