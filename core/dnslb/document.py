"""A YAML file as plain values, together with the line of every key."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from dnslb.errors import ConfigurationError, Problem
from dnslb.text import one_line

KeyPath = tuple[str | int, ...]

_MAX_OCTETS, _MAX_NODES, _MAX_DEPTH = 2**20, 10_000, 32
"""More than any configuration has; what is reached through aliases counts each time."""

_MERGE = "tag:yaml.org,2002:merge"


class _Loader(yaml.SafeLoader):
    """Takes only true and false for booleans (YAML 1.2, section 10.3.2): `off` is a word like any other."""


_BOOLEAN = "tag:yaml.org,2002:bool"
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != _BOOLEAN]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(_BOOLEAN, re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z"), list("tTfF"))


@dataclass(frozen=True, slots=True)
class Document:
    """What a configuration says: plain values, and where each key stands.

    `file` is None, and `lines` is empty, where the configuration came from a program. `problems` are those of the
    single keys: what is left can still be looked at. `text` is what stands in the file.
    """

    value: Any
    file: Path | None = None
    text: str = ""
    lines: Mapping[KeyPath, int] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()

    @property
    def base(self) -> Path:
        """The folder that relative paths start from."""
        return self.file.parent if self.file else Path()

    def locate(self, problem: Problem) -> Problem:
        """The same problem with its file, and the line of the nearest enclosing key."""
        if problem.line is not None:
            return problem
        line = next(
            (self.lines[problem.path[:n]] for n in range(len(problem.path), -1, -1) if problem.path[:n] in self.lines),
            None,
        )
        return replace(problem, file=str(self.file) if self.file else None, line=line)


def read_document(file: Path) -> Document:
    """Reads a YAML file.

    Raises:
        ConfigurationError: it cannot be read, is not YAML, or is beyond all measure.
    """
    text = _read(file)
    node = _compose(file, text)
    reader = _Reader(file)
    value = reader.value(node, ()) if node is not None else None
    return Document(value, file, text, reader.lines, tuple(reader.problems))


def _read(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            raw = stream.read(_MAX_OCTETS + 1)
        text = raw.decode()
    except OSError as error:
        raise _wrong(file, f"cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise _wrong(file, "is not text in UTF-8") from error
    if len(raw) > _MAX_OCTETS:
        raise _wrong(file, f"is longer than {_MAX_OCTETS} octets")
    return text


def _compose(file: Path, text: str) -> yaml.Node | None:
    try:
        return yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        said = ": ".join(part for part in (error.context, error.problem) if part)
        raise _wrong(file, f"is not YAML: {said}", line) from error
    except RecursionError as error:
        raise _wrong(file, f"is nested more than {_MAX_DEPTH} deep") from error
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # the last two for "\UFFFFFFFF" and the like
        raise _wrong(file, f"is not YAML: {one_line(error)}") from error


def _wrong(file: Path, message: str, line: int | None = None) -> ConfigurationError:
    return ConfigurationError([Problem(message, file=str(file), line=line)])


class _Reader:
    """Turns nodes into values, noting lines on the way."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.lines: dict[KeyPath, int] = {}
        self.problems: list[Problem] = []
        self._scalars = yaml.constructor.SafeConstructor()
        self._nodes = 0
        self._depth = 0

    def value(self, node: yaml.Node, path: KeyPath) -> Any:
        self._nodes += 1
        if self._nodes > _MAX_NODES:
            raise _wrong(self.file, f"has more than {_MAX_NODES} values", node.start_mark.line + 1)
        if self._depth > _MAX_DEPTH:  # as is an alias that contains itself
            raise _wrong(self.file, f"is nested more than {_MAX_DEPTH} deep", node.start_mark.line + 1)
        self._depth += 1
        try:
            return self._value(node, path)
        finally:
            self._depth -= 1

    def _value(self, node: yaml.Node, path: KeyPath) -> Any:
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self._item(item, (*path, index)) for index, item in enumerate(node.value)]
        try:
            return self._scalars.construct_object(node)
        except (yaml.YAMLError, ValueError, ArithmeticError, LookupError, AttributeError) as error:
            # PyYAML takes a tag at its word: `!!int ""` is an IndexError. What was written may be a secret: not shown.
            said = error.problem if isinstance(error, yaml.MarkedYAMLError) else None
            self._problem(said or f"this is not what its tag {node.tag} says", path, node)
            return node.value

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        merged = self._merged([value for key, value in node.value if key.tag == _MERGE], path)
        own: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if key_node.tag == _MERGE:
                continue
            if not isinstance(key_node, yaml.ScalarNode):
                self._problem("a key must be a word", path, key_node)
                continue
            key = key_node.value
            if key in own:
                self._problem("the key is given twice", (*path, key), key_node)
            self.lines[*path, key] = key_node.start_mark.line + 1
            own[key] = self.value(value_node, (*path, key))
        return merged | own

    def _merged(self, written: list[yaml.Node], path: KeyPath) -> dict[str, Any]:
        """What `<<: *defaults` brings in. Of several the first counts for most, so that it comes last here."""
        merged: dict[str, Any] = {}
        for node in reversed(written):
            for part in reversed(node.value) if isinstance(node, yaml.SequenceNode) else [node]:
                if isinstance(part, yaml.MappingNode):
                    merged |= self.value(part, path)
                else:
                    self._problem("only mappings can be merged by <<", path, part)
        return merged

    def _item(self, node: yaml.Node, path: KeyPath) -> Any:
        self.lines[path] = node.start_mark.line + 1
        return self.value(node, path)

    def _problem(self, message: str, path: KeyPath, node: yaml.Node) -> None:
        self.problems.append(Problem(message, path, str(self.file), node.start_mark.line + 1))
