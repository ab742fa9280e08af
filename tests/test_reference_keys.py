"""A file written for the Go package that dnslb re-implements loads unchanged, and means the same."""

import importlib.metadata

import pytest

from dnslb import ConfigurationError
from dnslb.config import Config, Providers

from distributions import site_in

FILE = """
fqdn: WWW.Example.com.
tcp_port: 443
check_interval: 45s
do_tls: true
minimum_failures: 4
maximum_failures: 40
all_regions: false
preserve: false
route53_hosted_zone_id: Z0123456789
aws_profile: production
aws_assume_role_arn: arn:aws:iam::123456789012:role/dns
"""


@pytest.fixture
def site(tmp_path):
    with site_in(tmp_path) as site:
        yield site


@pytest.fixture
def load(tmp_path):
    def load(text):
        file = tmp_path / "reference.yml"
        file.write_text(text)
        return Config.load(file)

    return load


def without(*keys):
    return "\n".join(line for line in FILE.splitlines() if line.partition(":")[0] not in keys)


def selected(service):
    chosen = {"record_manager": service.record_manager, "region_filter": service.region_filter}
    chosen |= {"destroyer": service.destroyer, "probe": service.probe}
    return {key: (choice.registration.name, choice.options) for key, choice in chosen.items() if choice}


def test_the_file_loads_unchanged(load):
    config = load(FILE)
    (service,) = config.services
    assert config.warnings == ()
    assert (service.options.fqdn, service.options.tcp_port) == ("www.example.com", 443)
    assert (service.check_interval, service.ttl) == (45.0, 45)
    assert (service.options.minimum_failures, service.options.maximum_failures) == (4, 40)
    chosen = selected(service)
    assert {key: name for key, (name, _) in chosen.items()} == {
        "record_manager": "route53",
        "region_filter": "ec2",
        "destroyer": "ec2",
        "probe": "tls",
    }
    zone = chosen["record_manager"][1]
    assert (zone.hosted_zone_id, zone.profile, zone.role_arn.rpartition("/")[2]) == ("Z0123456789", "production", "dns")
    for key in ("region_filter", "destroyer"):
        assert chosen[key][1].profile == "production"
    assert chosen["destroyer"][1].own_group
    assert chosen["probe"][1].mode == "insecure"


def test_the_defaults_are_those_of_the_reference(load):
    (service,) = load("fqdn: www.example.com\ntcp_port: 443\nroute53_hosted_zone_id: Z0").services
    assert service.check_interval == 60.0
    assert (service.options.minimum_failures, service.options.maximum_failures) == (3, 60)
    assert selected(service)["probe"][0] == "tcp"
    assert selected(service)["record_manager"][1].profile is None


def test_an_interval_under_five_seconds_becomes_five_seconds(load):
    config = load(FILE.replace("45s", "2s"))
    assert config.services[0].check_interval == 5.0
    (warning,) = config.warnings
    assert str(warning).endswith("reference.yml:4: check_interval: 2s is raised to 5s, the lowest that route53 can do")


def test_preserve_destroys_nothing(load):
    (service,) = load(FILE.replace("preserve: false", "preserve: true")).services
    assert service.destroyer is None
    assert selected(service)["region_filter"][0] == "ec2"


def test_preserve_counts_for_more_than_a_destroyer_beside_it(load):
    text = FILE.replace("preserve: false", "preserve: true")
    (service,) = load(text + "destroyer: {plugin: ec2, profile: reaper, own_group: true}\n").services
    assert service.destroyer is None


def test_all_regions_with_preserve_needs_neither_filter_nor_destroyer(site, load):
    site.distribution("dnslb-ec2", {})  # found before the real one
    text = FILE.replace("preserve: false", "preserve: true").replace("all_regions: false", "all_regions: true")
    (service,) = load(text).services
    assert set(selected(service)) == {"record_manager", "probe"}


def test_all_regions_without_preserve_is_an_error(load):
    with pytest.raises(ConfigurationError, match="all_regions: true is only valid with preserve: true"):
        load(FILE.replace("all_regions: false", "all_regions: true"))


def test_a_plugin_of_ones_own_choice_takes_the_place_of_the_implied_one(load):
    (service,) = load(FILE + "destroyer: {plugin: ec2, profile: reaper, own_group: true}\n").services
    assert selected(service)["destroyer"][1].profile == "reaper"
    assert selected(service)["region_filter"][1].profile == "production"


def test_a_second_provider_is_an_error(load):
    with pytest.raises(ConfigurationError) as caught:
        load(FILE + "record_manager: {plugin: local, path: x.db}\n")
    (problem,) = caught.value.problems
    assert problem.path == ("record_manager",)
    assert problem.message == "route53_hosted_zone_id selects a provider too; keep one of them"


@pytest.mark.parametrize("zone", ["", "route53_hosted_zone_id:", "route53_hosted_zone_id: ''"])
def test_without_a_hosted_zone_there_is_no_provider_and_the_other_keys_have_no_effect(load, zone):
    config = load(without("route53_hosted_zone_id") + f"\n{zone}\n")
    assert set(selected(config.services[0])) == {"probe"}
    assert [(warning.path, warning.message) for warning in config.warnings] == [
        (("aws_profile",), "this has no effect without route53_hosted_zone_id"),
        (("aws_assume_role_arn",), "this has no effect without route53_hosted_zone_id"),
    ]


def test_a_flat_key_that_is_not_text_is_told_under_its_own_name(load):
    with pytest.raises(ConfigurationError) as caught:
        load(FILE.replace("production", "7"))
    assert [(problem.path, problem.line) for problem in caught.value.problems] == [(("aws_profile",), 11)]
    assert "is not text" in str(caught.value)


def test_check_answers_which_of_one_none_and_malformed_holds(tmp_path):
    def check(text):
        file = tmp_path / "reference.yml"
        file.write_text(text)
        return Config.check(file)

    assert check(FILE) is Providers.ONE
    assert check(without("route53_hosted_zone_id")) is Providers.NONE
    assert check(FILE + "record_manager: local\n") is Providers.MALFORMED
    assert check(without("fqdn")) is Providers.MALFORMED
    assert Config.check(tmp_path / "gone.yml") is Providers.MALFORMED
    assert [answer.value for answer in Providers] == ["one", "none", "malformed"]


def test_without_the_plugins_the_answer_is_the_commands_that_install_them(site, load, tmp_path):
    """As on a machine with dnslb alone; its extras stand in its metadata."""
    own = importlib.metadata.distribution("dnslb").entry_points.select(group="dnslb")
    requires = [f'dnslb-{name}~=0.1.0 ; extra == "{name}"' for name in ("route53", "ec2")]
    lines = "".join(f"{point.name} = {point.value}\n" for point in own)
    site.distribution("dnslb", f"[dnslb]\n{lines}", requires=requires, extras=["route53", "ec2"])
    for name in ("route53", "ec2"):
        site.distribution(f"dnslb-{name}", {})  # found before the real one
    with pytest.raises(ConfigurationError) as caught:
        load(FILE)
    where = f"{tmp_path}/reference.yml:10: route53_hosted_zone_id: "
    assert str(caught.value).splitlines() == [
        f"{where}the plugin {name!r} is not installed; install it: pip install 'dnslb[{name}]'"
        for name in ("route53", "ec2")
    ]


@pytest.mark.parametrize(("word", "meant"), [("yes", True), ("on", True), ("no", False), ("Off", False)])
def test_the_words_for_true_and_false_mean_what_they_do_in_the_reference(load, word, meant):
    switches = f"do_tls: {word}\nall_regions: {word}\npreserve: {word}\n"
    [service] = load(f"fqdn: www.example.com\ntcp_port: 443\nroute53_hosted_zone_id: Z0123456789\n{switches}").services
    assert service.probe.registration.name == ("tls" if meant else "tcp")
    assert (service.region_filter is None) == meant
    assert (service.destroyer is None) == meant
