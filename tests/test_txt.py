"""TXT values in presentation form: what anybody can write there is read without an exception, and in linear time."""

import time

import pytest

from dnslb.txt import MAX_STRING, from_strings, quote, to_strings, unquote

EXAMPLES = [
    ("", '""'),
    ("IP=10.0.0.7", '"IP=10.0.0.7"'),
    ("two words", '"two words"'),
    ('say "hi"', r'"say \"hi\""'),
    ("back\\slash", r'"back\\slash"'),
    (r"\065", r'"\\065"'),
    ("tab\tnewline\n", r'"tab\009newline\010"'),
    ("é", r'"\195\169"'),
    ("\udcff", r'"\255"'),
    ("\x00", r'"\000"'),
    ("~\x7f", r'"~\127"'),
    ("; not a comment", '"; not a comment"'),
    ("(", '"("'),
]


@pytest.mark.parametrize(("value", "quoted"), EXAMPLES)
def test_a_value_is_quoted_as_zone_files_have_it_and_read_back(value, quoted):
    assert quote(value) == quoted
    assert unquote(quoted) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", ""),
        ("   ", ""),
        ("bare", "bare"),
        ('"one" "two"', "onetwo"),
        ('  "one"\t"two"\n', "onetwo"),
        ('"one""two"', "onetwo"),
        ('"one" two', "onetwo"),
        (r'"\065\066"', "AB"),
        (r"bare\ word", "bare word"),
        (r'"\a"', "a"),
        (r'"\12"', "12"),
        (r'"\999"', "\udcff"),
        (r'"caf\195\169"', "café"),
        ('"café"', "café"),
        ('"never closed', "neverclosed"),
        ('closed"', "closed"),
        (r'"a\"', 'a"'),
        ("\\", ""),
    ],
)
def test_what_others_write_is_read_as_far_as_it_makes_sense(text, value):
    assert unquote(text) == value


def test_a_value_is_cut_into_strings_of_255_octets_and_joined_again():
    value = "x" * 254 + "é" + "y" * 300
    strings = to_strings(value)
    assert [len(string) for string in strings] == [255, 255, 46]
    assert from_strings(strings) == value
    assert unquote(quote(value)) == value
    assert quote("x" * (MAX_STRING + 1)) == f'"{"x" * 255}" "x"'


def test_an_empty_value_is_one_empty_string():
    assert to_strings("") == (b"",)
    assert from_strings([]) == from_strings([b""]) == ""


def test_octets_that_are_not_utf8_survive():
    raw = bytes(range(256))
    assert b"".join(to_strings(from_strings([raw]))) == raw
    assert unquote(quote(from_strings([raw]))) == from_strings([raw])


@pytest.mark.parametrize("value", ["\ud800", "\udbff\udcff", "a\ud800\udc80z"])
def test_a_surrogate_that_stands_for_no_octet_is_taken_as_octets_too(value):
    # JSON can carry one; DNS has octets only.
    assert to_strings("\ud800") == (b"\xed\xa0\x80",)
    read = unquote(quote(value))
    assert b"".join(to_strings(value)) == b"".join(to_strings(read))
    assert unquote(quote(read)) == read


@pytest.mark.parametrize(
    "text",
    [
        '"' + r"\123" * 20_000,
        '"' + r"\1" * 20_000,
        r"\123" * 20_000,
        '"' * 40_001,
        '" ' * 40_001,
        '"\\' * 40_001,
        "\\" * 40_001,
        '"a' * 40_001,
    ],
    ids=lambda text: f"{text[:8]}...",
)
def test_no_text_takes_more_than_linear_time(text):
    started = time.process_time()
    unquote(text)
    assert time.process_time() - started < 5.0
