"""A YAML file becomes plain values with the line of every key; what is no such file is one problem, in bounded time."""

import contextlib
import os
import threading

import pytest

from dnslb import ConfigurationError, Problem
from dnslb.document import Document, read_document


@pytest.fixture
def read(tmp_path):
    def read(content: str | bytes) -> Document:
        file = tmp_path / "dnslb.yml"
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return read_document(file)

    return read


@pytest.fixture
def refused(read, tmp_path):
    """The one problem with which the whole document is refused, without the file's name."""

    def refused(content):
        with pytest.raises(ConfigurationError) as caught:
            read(content)
        (problem,) = caught.value.problems
        assert "\n" not in str(problem)
        assert problem.file == str(tmp_path / "dnslb.yml")
        return str(problem).removeprefix(problem.file)

    return refused


def problems(document):
    return [(".".join(map(str, problem.path)), problem.line, problem.message) for problem in document.problems]


def test_values_are_those_of_yaml(read):
    document = read("a: 1\nb: [x, 2.5, true, null]\nc: {d: 1m30s}\n")
    assert document.value == {"a": 1, "b": ["x", 2.5, True, None], "c": {"d": "1m30s"}}
    assert document.problems == ()


@pytest.mark.parametrize(("written", "value"), [("true", True), ("True", True), ("FALSE", False)])
def test_true_and_false_are_booleans(read, written, value):
    assert read(f"a: {written}\n").value == {"a": value}


@pytest.mark.parametrize("written", ["yes", "no", "on", "Off", "y", "trueish", "falsehood", "tRUE"])
def test_other_words_are_words(read, written):
    document = read(f"a: {written}\n")
    assert document.value == {"a": written}
    assert document.problems == ()


def test_keys_are_words_as_they_are_written(read):
    assert read("on: 1\n2: 1\nnull: 1\n'q': 1\n1.0: 1\n").value == {"on": 1, "2": 1, "null": 1, "q": 1, "1.0": 1}


def test_every_key_and_every_item_has_its_line(read):
    document = read("fqdn: x\nservices:\n  - a: 1\n\n    b:\n      c: 2\n  - a: 3\n")
    assert document.lines == {
        ("fqdn",): 1,
        ("services",): 2,
        ("services", 0): 3,
        ("services", 0, "a"): 3,
        ("services", 0, "b"): 5,
        ("services", 0, "b", "c"): 6,
        ("services", 1): 7,
        ("services", 1, "a"): 7,
    }


def test_a_problem_gets_the_line_of_the_nearest_key_around_it(read, tmp_path):
    document = read("services:\n  - fqdn: x\n    probe: {plugin: http}\n")
    located = document.locate(Problem("wrong", ("services", 0, "probe", "path", "deeper")))
    assert str(located) == f"{tmp_path / 'dnslb.yml'}:3: services[0].probe.path.deeper: wrong"
    assert document.locate(Problem("wrong", ("elsewhere",))).line is None
    assert document.locate(Problem("wrong", ("services",), line=99)).line == 99


def test_a_document_of_a_program_has_neither_file_nor_lines():
    located = Document({"fqdn": "x"}).locate(Problem("wrong", ("fqdn",)))
    assert str(located) == "fqdn: wrong"


def test_a_problem_stays_on_one_line_whatever_is_in_it():
    problem = Problem("a\nb", ("x\r\ny",), "/tmp/\x1b[31m.yml", 3)
    assert str(problem) == r"/tmp/\x1b[31m.yml:3: x\r\ny: a\nb"


@pytest.mark.parametrize("content", ["", "# nothing\n", "---\n", "\n\n"])
def test_a_file_with_nothing_in_it_has_the_value_none(read, content):
    assert read(content).value is None


def test_a_byte_order_mark_is_no_part_of_the_first_key(read):
    assert read(b"\xef\xbb\xbffqdn: x\n").value == {"fqdn": "x"}


# -- files that cannot be read -----------------------------------------------------------------------------


def test_a_missing_file_and_a_folder_are_answered_with_what_the_system_says(tmp_path):
    for path, reason in ((tmp_path / "gone.yml", "No such file or directory"), (tmp_path, "Is a directory")):
        with pytest.raises(ConfigurationError) as caught:
            read_document(path)
        assert str(caught.value) == f"{path}: cannot be read: {reason}"


def test_a_file_without_an_end_is_not_read_to_it(tmp_path):
    pipe = tmp_path / "endless.yml"
    os.mkfifo(pipe)
    written = []

    def write():
        with contextlib.suppress(BrokenPipeError), pipe.open("wb", buffering=0) as stream:
            while len(written) < 64:
                written.append(stream.write(b"#" * 2**20))

    writer = threading.Thread(target=write)
    writer.start()
    with pytest.raises(ConfigurationError, match="is longer than 1048576 octets"):
        read_document(pipe)
    writer.join()
    assert len(written) < 4


@pytest.mark.parametrize("content", [b"fqdn: \xff\n", b"\x7fELF\x02\x01\x01\xd0", "fqdn: x".encode("utf-16")])
def test_what_is_not_text_is_refused(refused, content):
    assert refused(content) == ": is not text in UTF-8"


def test_control_characters_are_refused(refused):
    assert refused(b"fqdn: \x00\n").startswith(": is not YAML: unacceptable character #x0000")


# -- what is not YAML --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("fqdn: x\n bad: y\n", ":2: is not YAML: mapping values are not allowed here"),
        ("fqdn: [x\n", ":2: is not YAML: while parsing a flow sequence: expected ',' or ']', but got '<stream end>'"),
        ("fqdn: 'x\n", ":2: is not YAML: while scanning a quoted scalar: found unexpected end of stream"),
        ("fqdn: @x\n", ":1: is not YAML: while scanning for the next token: found character '@' that cannot start any"),
        ("a: 1\n\tb: 2\n", ":2: is not YAML: "),
        ("a: *nobody\n", ":1: is not YAML: found undefined alias 'nobody'"),
        ("a: 1\n---\nb: 2\n", ":2: is not YAML: expected a single document in the stream: but found another document"),
        ('a: "\\UFFFFFFFF"\n', ": is not YAML: "),
        ('a: "\\U00110000"\n', ": is not YAML: "),
        ("%YAML 1." + "1" * 5000 + "\n---\na: 1\n", ": is not YAML: "),
    ],
    ids=lambda value: value[:12],
)
def test_what_is_not_yaml_is_answered_with_the_line_and_the_reason(refused, content, message):
    assert refused(content).startswith(message)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("!!int ''", "this is not what its tag tag:yaml.org,2002:int says"),
        ("!!float ''", "this is not what its tag tag:yaml.org,2002:float says"),
        ("!!bool geheim", "this is not what its tag tag:yaml.org,2002:bool says"),
        ("!!timestamp geheim", "this is not what its tag tag:yaml.org,2002:timestamp says"),
        ("2026-13-45", "this is not what its tag tag:yaml.org,2002:timestamp says"),
        ("1" * 5000, "this is not what its tag tag:yaml.org,2002:int says"),
        ("1" + ":1" * 400 + ".0", "this is not what its tag tag:yaml.org,2002:float says"),
        ("!!python/object/apply:os.abort geheim", "could not determine a constructor for the tag"),
        ("!secret geheim", "could not determine a constructor for the tag '!secret'"),
        ("!!binary geheim", "failed to decode base64 data: "),
    ],
    ids=lambda value: value[:20],
)
def test_a_value_that_is_not_what_its_tag_says_is_a_problem_of_its_key_which_does_not_show_it(read, value, message):
    document = read(f"a: 1\nb: {value}\n")
    ((path, line, found),) = problems(document)
    assert (path, line) == ("b", 2)
    assert found.startswith(message)
    assert "geheim" not in found


def test_tags_on_collections_make_no_objects(read):
    assert read("!!python/object/apply:os.abort {a: !!set {b: 1}}").value == {"a": {"b": 1}}


def test_a_key_that_is_given_twice_is_a_problem_of_the_second_one(read):
    document = read("a: 1\nb: {c: 1, d: 2, c: 3}\na: 2\n")
    assert problems(document) == [("b.c", 2, "the key is given twice"), ("a", 3, "the key is given twice")]


def test_a_key_that_is_not_a_word_is_a_problem(read):
    document = read("a: 1\n? [b, c]\n: 2\n? {d: e}\n: 3\n")
    assert problems(document) == [("", 2, "a key must be a word"), ("", 4, "a key must be a word")]
    assert document.value == {"a": 1}


# -- aliases and merging -----------------------------------------------------------------------------------


def test_an_alias_stands_for_what_it_names(read):
    document = read("a: &x {b: 1}\nc: *x\nd: [*x, *x]\n")
    assert document.value == {"a": {"b": 1}, "c": {"b": 1}, "d": [{"b": 1}, {"b": 1}]}
    assert document.lines["c", "b"] == 1


def test_merged_keys_give_way_to_the_keys_beside_them(read):
    document = read("base: &x {a: 1, b: 1}\nuse:\n  b: 2\n  <<: *x\n  c: 3\n")
    assert document.value["use"] == {"a": 1, "b": 2, "c": 3}
    assert document.problems == ()
    assert [document.lines["use", key] for key in "abc"] == [1, 3, 5]


def test_of_several_merged_mappings_the_first_counts_for_most(read):
    document = read("x: &x {a: 1, b: 1}\ny: &y {b: 2, c: 2}\nuse: {<<: [*x, *y], d: 3}\n")
    assert document.value["use"] == {"a": 1, "b": 1, "c": 2, "d": 3}
    document = read("x: &x {a: 1}\ny: &y {<<: *x, b: 2}\nuse: {<<: *y}\n")
    assert document.value["use"] == {"a": 1, "b": 2}
    document = read("x: &x {a: 1}\ny: &y {a: 2, b: 2}\nuse:\n  <<: *x\n  <<: *y\n")
    assert document.value["use"] == {"a": 1, "b": 2}


@pytest.mark.parametrize("written", ["7", "[7]", "[[]]", "[{a: 1}, text]"])
def test_only_mappings_can_be_merged(read, written):
    document = read(f"a: 1\nuse:\n  <<: {written}\n")
    assert [(path, message) for path, _, message in problems(document)] == [
        ("use", "only mappings can be merged by <<")
    ]


def test_a_quoted_merge_key_is_a_key_like_any_other(read):
    assert read("'<<': {a: 1}\n").value == {"<<": {"a": 1}}


# -- bounds ------------------------------------------------------------------------------------------------

LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 20)
)
MERGED_LAUGHS = "<<:\n- &a0 {x: 1}\n" + "".join(
    f"- &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}\n" for n in range(1, 20)
)


@pytest.mark.parametrize("content", [LAUGHS, MERGED_LAUGHS], ids=["aliases", "merge keys"])
def test_aliases_of_aliases_are_counted_and_end_at_the_bound(refused, content):
    message = refused(content)
    assert message.endswith(": has more than 10000 values")


def test_more_values_than_any_configuration_has_are_refused(refused):
    assert refused("- x\n" * 10_001) == ":10000: has more than 10000 values"


@pytest.mark.parametrize("content", ["a: &a [*a]\n", "&a {b: *a}\n", "&a {<<: *a}\n", "a: &a {<<: [*a]}\n"])
def test_what_contains_itself_is_refused(refused, content):
    assert refused(content) == ":1: is nested more than 32 deep"


@pytest.mark.parametrize("depth", [40, 2_000, 200_000])
@pytest.mark.parametrize("bracket", ["[", "{a: "])
def test_what_is_nested_deeper_than_any_configuration_is_refused(refused, bracket, depth):
    closing = {"[": "]", "{a: ": "}"}[bracket]
    assert refused(bracket * depth + "x" + closing * depth).endswith(": is nested more than 32 deep")


def test_what_is_nested_as_deep_as_the_bound_is_read(read):
    value = read("[" * 32 + "x" + "]" * 32).value
    for _ in range(32):
        (value,) = value
    assert value == "x"


def test_a_file_that_is_too_long_is_refused(refused):
    assert refused("#" * 2**20 + "\n") == ": is longer than 1048576 octets"
