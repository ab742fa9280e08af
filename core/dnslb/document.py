"""A YAML file as plain values, together with the line of every key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from dnslb.errors import ConfigurationError, Problem

KeyPath = tuple[str | int, ...]

_MAX_NODES = 10_000
"""More than any configuration has; what is reached through aliases counts each time."""


@dataclass(frozen=True, slots=True)
class Document:
    """What a configuration says: plain values, and where each key stands.

    `file` is None, and `lines` is empty, where the configuration came from a program.
    """

    value: Any
    file: Path | None = None
    lines: Mapping[KeyPath, int] = field(default_factory=dict)

    @property
    def base(self) -> Path:
        """The folder that relative paths start from."""
        return self.file.parent if self.file else Path()

    def locate(self, problem: Problem) -> Problem:
        """The same problem with its file, and the line of the nearest enclosing key."""
        line = next(
            (self.lines[problem.path[:n]] for n in range(len(problem.path), -1, -1) if problem.path[:n] in self.lines),
            None,
        )
        return Problem(problem.message, problem.path, str(self.file) if self.file else None, line)


def read_document(file: Path) -> Document:
    """Reads a YAML file.

    Raises:
        ConfigurationError: it cannot be read, is not YAML, or repeats a key.
    """
    try:
        text = file.read_text(encoding="utf-8")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except OSError as error:
        raise _wrong(file, f"cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise _wrong(file, "is not text in UTF-8") from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise _wrong(file, f"is not YAML: {error.problem or error.context}", line) from error
    except yaml.YAMLError as error:
        raise _wrong(file, f"is not YAML: {' '.join(str(error).split())}") from error
    reader = _Reader(file)
    value = reader.value(node, ()) if node is not None else None
    if reader.problems:
        raise ConfigurationError(reader.problems)
    return Document(value, file, reader.lines)


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

    def value(self, node: yaml.Node, path: KeyPath) -> Any:
        self._nodes += 1
        if self._nodes > _MAX_NODES:  # also what ends an alias that contains itself
            raise _wrong(self.file, f"has more than {_MAX_NODES} values", node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self._item(item, (*path, index)) for index, item in enumerate(node.value)]
        try:
            return self._scalars.construct_object(node)
        except (yaml.YAMLError, ValueError) as error:
            text = error.problem if isinstance(error, yaml.MarkedYAMLError) and error.problem else str(error)
            self._problem(text, path, node)
            return None

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        own_keys = {id(key) for key, _ in node.value}
        try:
            self._scalars.flatten_mapping(node)  # `<<: *defaults`
        except yaml.MarkedYAMLError as error:
            self._problem(error.problem or str(error), path, node)
            return {}
        result: dict[str, Any] = {}
        own: set[str] = set()
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._problem("a key must be a word", path, key_node)
                continue
            key = key_node.value
            if id(key_node) in own_keys and key in own:
                self._problem("the key is given twice", (*path, key), key_node)
            if id(key_node) in own_keys:
                own.add(key)
            self.lines[*path, key] = key_node.start_mark.line + 1
            result[key] = self.value(value_node, (*path, key))
        return result

    def _item(self, node: yaml.Node, path: KeyPath) -> Any:
        self.lines[path] = node.start_mark.line + 1
        return self.value(node, path)

    def _problem(self, message: str, path: KeyPath, node: yaml.Node) -> None:
        self.problems.append(Problem(message, path, str(self.file), node.start_mark.line + 1))
