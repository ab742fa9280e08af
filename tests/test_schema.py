"""The JSON Schema says what the loader says: it takes what is documented, and refuses what is wrong in form."""

import json
from dataclasses import dataclass

import jsonschema
import pytest
import yaml

from dnslb import AddressSourceType, ConfigurationError, RecordManagerType, Secret, option
from dnslb.config import Config
from dnslb.registry import Registry
from dnslb.schema import configuration_schema
from dnslb.settings import PLUGIN_KEYS

BUILT_IN = ("local", "tcp", "tls", "http")


@dataclass(frozen=True)
class Options:
    token: Secret = option(help="a token")


SERVICE = "fqdn: www.example.com\ntcp_port: 443\n"


@pytest.fixture(scope="module")
def schema():
    registry = Registry()
    made = [registration for name in BUILT_IN for registration in registry.load(name)]
    return json.loads(json.dumps(configuration_schema(made)))


@pytest.fixture(scope="module")
def errors(schema):
    validator = jsonschema.Draft202012Validator(schema)
    return lambda text: [error.message for error in validator.iter_errors(yaml.safe_load(text))]


def test_it_is_a_schema_of_draft_2020_12(schema):
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema.Draft202012Validator.check_schema(schema)


def test_every_key_of_a_service_has_a_meaning_beside_it(schema):
    properties = schema["$defs"]["service"]["properties"]
    assert set(PLUGIN_KEYS) <= set(properties)
    assert all(properties[key].get("description") for key in properties if key not in PLUGIN_KEYS)


TAKEN = {
    "the shortest": SERVICE,
    "all keys": """
        fqdn: www.example.com
        tcp_port: 443
        check_interval: 1m30s
        probe_interval: 500ms
        ttl: 60
        address: [eth0, 10.0.0.7]
        observe: dns
        name_servers: [192.0.2.1, "ns1.example.com:5353"]
        rise: 2
        minimum_failures: 3
        maximum_failures: 60
        allowed_networks: [10.0.0.0/8]
        all_regions: false
        preserve: true
        record_manager: {plugin: local, path: zone.db, timeout: 2.5s}
        probe: {plugin: http, path: /healthz}
    """,
    "the reference's keys": SERVICE
    + "do_tls: true\nroute53_hosted_zone_id: Z0\naws_profile: p\naws_assume_role_arn: r\n",
    "a plugin alone": SERVICE + "probe: tls\naddress: auto\n",
    "several services": "services:\n- {fqdn: a.test, tcp_port: 1}\n- {fqdn: b.test, tcp_port: 2, probe: tls}\n",
}

REFUSED = {
    "empty": "{}",
    "no mapping": "[]",
    "no port": "fqdn: www.example.com\n",
    "a wrong port": "fqdn: a.test\ntcp_port: 70000\n",
    "a port as text": "fqdn: a.test\ntcp_port: '443'\n",
    "an unknown key": SERVICE + "check_intervall: 15s\n",
    "a duration without a unit": SERVICE + "check_interval: 15\n",
    "a duration that is none": SERVICE + "check_interval: 15 sec\n",
    "an empty list of addresses": SERVICE + "address: []\n",
    "an observer that there is not": SERVICE + "observe: http\n",
    "a name server that is a number": SERVICE + "observe: dns\nname_servers: [53]\n",
    "an unknown address source": SERVICE + "address: {plugin: tcp}\n",
    "an address source in a list": SERVICE + "address: [{plugin: tcp}]\n",
    "an unknown plugin": SERVICE + "probe: tpc\n",
    "a plugin of another kind": SERVICE + "probe: {plugin: local, path: x}\n",
    "a plugin without its option": SERVICE + "record_manager: {plugin: local}\n",
    "a plugin alone that needs options": SERVICE + "record_manager: local\n",
    "an unknown option": SERVICE + "record_manager: {plugin: local, path: x, pth: y}\n",
    "options without a plugin": SERVICE + "probe: {path: /}\n",
    "no services": "services: []\n",
    "services and more": "services: [{fqdn: a.test, tcp_port: 1}]\nfqdn: b.test\n",
    "a service without a name": "services: [{tcp_port: 1}]\n",
}


@pytest.mark.parametrize("text", TAKEN.values(), ids=TAKEN)
def test_it_takes_what_is_documented(errors, text):
    assert errors(text) == []


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_it_refuses_what_is_wrong_as_the_loader_does(errors, text):
    assert errors(text)
    with pytest.raises(ConfigurationError):
        Config.load(yaml.safe_load(text) or {})


@pytest.mark.parametrize("name", sorted(set(TAKEN) - {"the reference's keys"}))
def test_the_loader_takes_it_too(name):
    Config.load(yaml.safe_load(TAKEN[name]))


@pytest.mark.parametrize(("written", "taken"), [("env:TOKEN", True), ("file:/run/token", True), ("geheim", False)])
def test_a_secret_is_a_reference_to_one(written, taken):
    made = RecordManagerType(name="acme", summary="", options=Options, factory=print)
    validator = jsonschema.Draft202012Validator(configuration_schema([made]))
    service = {"fqdn": "a.test", "tcp_port": 1, "record_manager": {"plugin": "acme", "token": written}}
    assert validator.is_valid(service) is taken


@pytest.mark.parametrize(
    ("written", "taken"),
    [
        ("auto", True),
        (["10.0.0.7", "fd00::7"], True),
        ({"plugin": "acme", "token": "env:TOKEN"}, True),
        ({"plugin": "acme"}, False),
        ({"plugin": "other", "token": "env:TOKEN"}, False),
    ],
)
def test_an_address_is_written_or_left_to_a_plugin(written, taken):
    made = AddressSourceType(name="acme", summary="", options=Options, factory=print)
    validator = jsonschema.Draft202012Validator(configuration_schema([made]))
    assert validator.is_valid({"fqdn": "a.test", "tcp_port": 1, "address": written}) is taken
    assert configuration_schema([made]) == configuration_schema([made]), "making it changes what it is made of"
