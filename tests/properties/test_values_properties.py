"""What holds for names, TXT values, durations and configurations whatever anybody writes."""

import ipaddress
from datetime import timedelta

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dnslb import ConfigurationError, RecordSet, RecordType
from dnslb.config import Config
from dnslb.document import read_document
from dnslb.forms import format_duration, parse_duration
from dnslb.records import normalise_name
from dnslb.registry import Registry
from dnslb.text import printable
from dnslb.txt import MAX_STRING, from_strings, quote, to_strings, unquote

any_text = st.text(st.characters(), max_size=600)  # surrogates included
octets = st.binary(max_size=600)
addresses = {4: st.ip_addresses(v=4), 6: st.ip_addresses(v=6)}

# -- names -------------------------------------------------------------------------------------------------

labels = st.from_regex(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,20}[A-Za-z0-9_])?", fullmatch=True)
names = st.lists(labels, min_size=1, max_size=6).map(".".join).filter(lambda name: not name.split(".")[-1].isdigit())


@given(any_text)
@example("\u0130")
@example("\u212a")
@example("a" * 300)
@example("ﬀ.example")
def test_any_text_is_a_name_in_its_only_form_or_refused(text):
    try:
        name = normalise_name(text)
    except ValueError:
        return
    assert name.isascii()
    assert name == name.lower()
    assert 0 < len(name) <= 253
    assert not name.endswith(".")
    assert normalise_name(name) == name


@given(names, st.data())
def test_no_spelling_of_a_name_makes_it_another(name, data):
    case = data.draw(st.lists(st.booleans(), min_size=len(name), max_size=len(name)))
    spelled = "".join(char.upper() if up else char.lower() for char, up in zip(name, case, strict=True))
    dot = data.draw(st.sampled_from(["", "."]))
    assert normalise_name(f" {spelled}{dot}\n") == normalise_name(name) == name.lower()


# -- record sets -------------------------------------------------------------------------------------------


def spellings(address):
    yield str(address)
    yield address.exploded.upper()
    if address.version == 6:
        yield f"{ipaddress.IPv6Address(int(address)).exploded[:30]}{address.exploded[30:]}"


@given(st.sampled_from([4, 6]).flatmap(lambda version: st.lists(addresses[version], max_size=8)), st.randoms())
def test_neither_order_nor_spelling_nor_repetition_makes_another_record_set(members, chance):
    type_ = RecordType.of(members[0]) if members else RecordType.A
    written = [spelling for member in members for spelling in spellings(member)]
    chance.shuffle(written)
    record_set = RecordSet("www.example.test", type_, tuple(written), 60)
    assert record_set == RecordSet("www.example.test", type_).holding(set(members), 60)
    assert record_set.addresses == set(members)
    assert len(record_set.values) == len(set(members))


@given(st.lists(any_text, max_size=5), st.randoms())
def test_a_txt_set_holds_any_text_in_any_order(values, chance):
    shuffled = chance.sample(values, len(values))
    assert RecordSet("a.test", RecordType.TXT, tuple(values), 1) == RecordSet(
        "a.test", RecordType.TXT, tuple(shuffled), 1
    )


# -- TXT values --------------------------------------------------------------------------------------------


@given(octets)
def test_any_octets_survive_the_way_into_a_value_its_quotes_and_back(raw):
    value = from_strings([raw])
    assert unquote(quote(value)) == value
    assert b"".join(to_strings(value)) == raw


@given(st.lists(octets, max_size=4))
def test_how_a_record_is_cut_into_strings_does_not_matter(strings):
    assert from_strings(strings) == from_strings([b"".join(strings)])


@given(any_text)
@example("\ud800")
@example("\udcff\ud800")
@example("\udcc3\udca9")
@example('"\\"')
def test_any_text_is_quoted_in_printable_ascii_and_keeps_its_octets(text):
    quoted = quote(text)
    assert quoted.isascii()
    assert quoted.isprintable()
    assert to_strings(unquote(quoted)) == to_strings(text)
    assert all(len(string) <= MAX_STRING for string in to_strings(text))


@given(st.one_of(any_text, st.text('"\\0123456789 a\t', max_size=200)))
def test_what_others_write_is_read_without_an_exception_and_means_the_same_once_quoted(text):
    value = unquote(text)
    assert unquote(quote(value)) == value


@given(any_text)
def test_anything_is_shown_on_one_line_and_showing_it_twice_changes_nothing(text):
    shown = printable(text)
    assert shown.isprintable()
    assert printable(shown) == shown


# -- durations ---------------------------------------------------------------------------------------------


@given(st.floats(0, 9.2e9))
@example(1e-9)
@example(0.1 + 0.2)
@example(59.9999999999)
def test_a_duration_that_is_shown_is_read_back_to_the_nanosecond(seconds):
    assert parse_duration(format_duration(seconds)) == pytest.approx(seconds, rel=1e-15, abs=0.6e-9)


@given(st.timedeltas(timedelta(0), timedelta(days=36500)))
def test_a_duration_of_whole_seconds_is_read_back_exactly(delta):
    assert parse_duration(format_duration(delta // timedelta(seconds=1))) == delta // timedelta(seconds=1)


@given(st.one_of(any_text, st.text("0123456789.nuµmsh", max_size=40)))
def test_any_text_is_a_duration_of_some_size_or_refused(text):
    try:
        seconds = parse_duration(text)
    except ValueError:
        return
    assert 0 <= seconds < 2**63 / 1e9
    format_duration(seconds)


# -- configurations ----------------------------------------------------------------------------------------

REGISTRY = Registry()
KEYS = [
    *("fqdn", "tcp_port", "check_interval", "probe_interval", "ttl", "address", "rise", "minimum_failures"),
    *("maximum_failures", "allowed_networks", "do_tls", "all_regions", "preserve", "services", "plugin", "path"),
    *("record_manager", "region_filter", "destroyer", "probe", "mode", "timeout", "route53_hosted_zone_id"),
    *("aws_profile", "tags", "no_such_key"),
]
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 70_000),
    st.integers(),
    st.floats(),
    st.dates(),
    st.binary(max_size=8),
    st.text(max_size=12),
    st.sampled_from(
        ["www.example.com", "5s", "1ns", "292000000h", "auto", "10.0.0.0/8", "fd00::1", "local", "tcp", "tls"]
    ),
    st.sampled_from(["insecure", "env:HOME", "file:/", "file:\0", "~root/x", "~nobody-at-all/x", "yes", "\ud800"]),
)
keys = st.one_of(st.sampled_from(KEYS), st.text(max_size=8))
trees = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(keys, inner, max_size=8)),
    max_leaves=20,
)
durations = st.one_of(st.integers(1, 10**6).map("{}s".format), st.sampled_from(["100ms", "1h", "2562047h", "0.25s"]))
plausible = {
    "check_interval": durations,
    "probe_interval": durations,
    "ttl": st.integers(0, 2**31 - 1),
    "address": st.sampled_from(["auto", "lo", ["10.0.0.7", "fd00::7"]]),
    "rise": st.integers(1, 9),
    "minimum_failures": st.integers(1, 60),
    "maximum_failures": st.integers(1, 10**6),
    "allowed_networks": st.just(["10.0.0.0/8", "fd00::/8"]),
    "do_tls": st.booleans(),
    "preserve": st.booleans(),
    "record_manager": st.fixed_dictionaries(
        {"plugin": st.just("local"), "path": st.just("x")}, optional={"timeout": durations}
    ),
    "probe": st.sampled_from(["tcp", "tls", {"plugin": "tls", "mode": "insecure"}]),
}
required = {"fqdn": names, "tcp_port": st.integers(1, 65535)}
services = st.one_of(
    st.fixed_dictionaries(required, optional=plausible),
    st.fixed_dictionaries(
        required, optional=plausible | {key: trees for key in KEYS if key not in plausible | required}
    ),
    st.fixed_dictionaries({}, optional=dict.fromkeys(KEYS, trees)),
)
several = st.fixed_dictionaries({"services": st.lists(services, max_size=3)})
mappings = st.one_of(services, several, st.dictionaries(keys, trees))

WORDS = [
    *(f"{key}: " for key in KEYS),
    *("www.example.com", "443", "5s", "tcp", "tls", "local", "''", '"\\UFFFFFFFF"', '"\\ud800"', "~", ".inf", "0x1"),
    *("\n", "\n", "\n", "\n  ", "\n- ", "- ", "? ", ": ", ", ", "{", "}", "[", "]", "|", ">", "#", "---\n", "...\n"),
    *("&a ", "&b ", "*a", "*b", "<<: ", "<<: [*a, *b]", "{<<: *a}", "%TAG ! x\n", "%YAML 1.1\n", "\t", "\0", "\ufeff"),
    *("!!int ", "!!float ", "!!bool ", "!!null ", "!!timestamp ", "!!binary ", "!!set ", "!!omap ", "!!map ", "!x "),
    *("1:1:1", "0b_", "2026-13-45", "1" * 40, "[" * 40, "{a: " * 40),
]
soups = st.lists(st.sampled_from(WORDS), max_size=40).map("".join)
files = st.one_of(
    st.binary(max_size=200),
    st.text(max_size=200).map(str.encode),
    soups.map(lambda soup: soup.encode("utf-8", "surrogatepass")),
    mappings.map(lambda value: yaml.safe_dump(value, allow_unicode=True).encode("utf-8", "surrogatepass")),
)

each_example_has_the_same_file = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def refusal(call, *arguments):
    """The result, or the ConfigurationError; nothing else may come."""
    try:
        return call(*arguments)
    except ConfigurationError as error:
        return error


def is_config_or_refused(source):
    config = refusal(Config.load, source, REGISTRY)
    if isinstance(config, ConfigurationError):
        assert config.problems
        assert all(str(problem).isprintable() for problem in config.problems)
        return
    assert config.services
    for service in config.services:
        assert 0 < service.probe_interval <= service.check_interval
        assert 0 <= service.ttl < 2**31
        assert 0 < service.options.minimum_failures <= service.options.maximum_failures


@each_example_has_the_same_file
@given(content=files)
def test_any_file_is_a_configuration_or_refused_with_what_is_wrong_and_nothing_else(tmp_path, content):
    file = tmp_path / "dnslb.yml"
    file.write_bytes(content)
    is_config_or_refused(file)


@settings(deadline=None)
@given(mappings)
def test_any_mapping_of_a_program_is_a_configuration_or_refused_with_what_is_wrong_and_nothing_else(mapping):
    is_config_or_refused(mapping)


def size(value):
    if isinstance(value, dict):
        return 1 + sum(map(size, value.values()))
    return 1 + sum(map(size, value)) if isinstance(value, list) else 1


@each_example_has_the_same_file
@given(
    fans=st.lists(st.integers(1, 12), min_size=1, max_size=12),
    written=st.sampled_from(["[{}]", "{{<<: [{}]}}", "{{a: [{}]}}"]),
)
def test_however_aliases_are_stacked_the_values_are_bounded(tmp_path, fans, written):
    file = tmp_path / "dnslb.yml"
    lines = ["a0: &a0 {x: 1}"]
    for level, fan in enumerate(fans, 1):
        lines.append(f"a{level}: &a{level} " + written.format(", ".join([f"*a{level - 1}"] * fan)))
    file.write_text("\n".join(lines))
    document = refusal(read_document, file)
    if isinstance(document, ConfigurationError):
        assert "has more than 10000 values" in str(document)
    else:
        assert size(document.value) <= 10_000
