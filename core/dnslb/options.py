"""Typed settings: a frozen dataclass says what may be written, and the configuration is held against it.

The core's own settings and every plugin's options go through the same few functions, so that a mistake in
either is reported in the same way, with the nearest key that exists. A plugin writes:

    @dataclass(frozen=True)
    class MyOptions:
        server: str = option(help="host name or address of the API")
        port: Port = option(443, help="its port")
        token: Secret | None = option(None, help="the API token")

and may raise ValueError in `__post_init__` for what no single field can tell.
"""

from __future__ import annotations

import dataclasses
import difflib
import typing
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from dnslb.errors import Problem
from dnslb.forms import Form, form_of, format_duration, show

T = TypeVar("T")
KeyPath = tuple[str | int, ...]


def option(default: Any = MISSING, *, help: str) -> Any:
    """A field of an options dataclass: required where `default` is left out. `help` is one line for people."""
    return field(default=default, metadata={"help": help})


@dataclass(frozen=True, slots=True)
class OptionInfo:
    """One option for people: its name, what is written, its default as text (None: required), its help."""

    name: str
    form: Form
    default: str | None
    help: str

    @property
    def required(self) -> bool:
        """Whether it must be given."""
        return self.default is None


def describe(options: type) -> tuple[OptionInfo, ...]:
    """The options of a dataclass, in its own order.

    Raises:
        TypeError: it is not a dataclass, or a field has a type that no form is known for.
    """
    if not dataclasses.is_dataclass(options):
        raise TypeError(f"{options!r} is not a dataclass")
    hints = typing.get_type_hints(options, include_extras=True)
    return tuple(
        OptionInfo(
            item.name,
            form_of(hints[item.name]),
            None if item.default is MISSING else _default_text(item.default, hints[item.name]),
            item.metadata.get("help", ""),
        )
        for item in dataclasses.fields(options)
    )


def _default_text(default: Any, annotation: Any) -> str:
    if default is None:
        return "none"
    if isinstance(default, float) and "duration" in form_of(annotation).noun:
        return format_duration(default)
    if isinstance(default, tuple | dict):
        return ", ".join(map(str, default)) or "empty"
    return str(default).lower() if isinstance(default, bool) else str(default) or "empty"


def parse_options(
    options: type[T],
    written: Any,
    *,
    path: KeyPath = (),
    base: Path,
    problems: list[Problem],
    others: Iterable[str] = (),
) -> T | None:
    """An instance of `options` from what was written, or None after adding to `problems` all that is wrong.

    Relative paths start from the folder `base`. The problems carry `path`, and no file or line yet. `others` are keys
    of the same mapping that somebody else reads.
    """
    if written is None:
        written = {}
    if not isinstance(written, Mapping):
        problems.append(Problem(f"{show(written)} is not a mapping of options", path))
        return None
    known = {info.name: info for info in describe(options)}
    keys = {*known, *others}
    found = [Problem(unknown_key(str(key), keys), (*path, str(key))) for key in written if key not in keys]
    values: dict[str, Any] = {}
    for name, info in known.items():
        if name not in written or written[name] is None:
            if info.required:
                found.append(Problem(f"{name} is missing: {info.help}", path))
            continue
        try:
            values[name] = info.form.convert(written[name], base)
        except ValueError as error:
            found.append(Problem(str(error), (*path, name)))
    problems += found
    if found:
        return None
    try:
        return options(**values)
    except ValueError as error:
        problems.append(Problem(str(error), path))
        return None


def unknown_key(key: str, known: Iterable[str]) -> str:
    """What to say of a key that does not exist, with the nearest that does."""
    return f"there is no such key{nearest(key, known)}"


def nearest(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?`, or nothing where no known word is near."""
    close = difflib.get_close_matches(word.lower(), list(known), n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else ""


def schema_of(options: type) -> dict[str, Any]:
    """The JSON Schema (2020-12) of an options class."""
    infos = describe(options)
    properties = {
        info.name: {
            **info.form.schema,
            "description": info.help + ("" if info.required else f" (default: {info.default})"),
        }
        for info in infos
    }
    schema: dict[str, Any] = {"type": "object", "additionalProperties": False, "properties": properties}
    required = [info.name for info in infos if info.required]
    return schema | ({"required": required} if required else {})
