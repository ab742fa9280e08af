"""How single values are written in a configuration: durations, ports, names, addresses, secrets, lists.

A `Form` is a noun for errors, a conversion and a JSON Schema. `form_of` finds the form of a type annotation, so
that an options class says with its types alone what may be written.
"""

from __future__ import annotations

import ipaddress
import os
import re
import stat
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from dnslb.records import Address, Network, normalise_name, parse_address


class Secret:
    """A password or key, which no log, repr or traceback shows; `reveal()` hands it out.

    In a configuration it is written `env:NAME` or `file:PATH`, never as itself. `warning` is what a person should know
    of the place that it came from, or None.
    """

    __slots__ = ("_value", "warning")

    def __init__(self, value: str, warning: str | None = None) -> None:
        self._value = value
        self.warning = warning

    def reveal(self) -> str:
        """The secret."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


@dataclass(frozen=True, slots=True)
class Form:
    """How a kind of value is written.

    Attributes:
        noun: what it is called in an error: "a port (1 to 65535)".
        convert: from the YAML value and the folder that relative paths start from; raises ValueError.
        schema: the JSON Schema of what may be written.
    """

    noun: str
    convert: Callable[[Any, Path], Any]
    # Not hashed: Python 3.11.2 (Debian 12) hashes what is in an `Annotated[...] | None`, and a mapping has no hash.
    schema: Mapping[str, Any] = field(hash=False)


_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION_PART = r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)"
_DURATION = re.compile(rf"(?:{_DURATION_PART})+")
_LONGEST_DURATION = 2**63 / 1e9
"""What Go can hold, some 292 years."""


def parse_duration(text: str) -> float:
    """Seconds from a duration as Go writes it: `45s`, `1m30s`, `1.5h` (https://pkg.go.dev/time#ParseDuration).

    Raises:
        ValueError: it is not one, has no unit, is negative, or is longer than 292 years.
    """
    text = text.strip()
    if not _DURATION.fullmatch(text):
        raise ValueError(f"{text!r} is not a duration such as 30s or 1m30s")
    seconds = sum(float(number) * _UNITS[unit] for number, unit in re.findall(_DURATION_PART, text))
    if seconds >= _LONGEST_DURATION:
        raise ValueError(f"{text!r} is longer than 292 years")
    return seconds


def format_duration(seconds: float) -> str:
    """A form that `parse_duration` reads back, exact to the nanosecond: 90 becomes `1m30s`, and 0.25 `0.25s`."""
    if seconds != int(seconds):
        return f"{seconds:.9f}".rstrip("0").rstrip(".") + "s"
    hours, rest = divmod(int(seconds), 3600)
    minutes, rest = divmod(rest, 60)
    parts = ((hours, "h"), (minutes, "m"), (rest, "s"))
    return "".join(f"{number}{unit}" for number, unit in parts if number) or "0s"


def _text(value: Any, _: Path) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise ValueError(f"{value} is a number here; put it in quotes")
    raise _wrong(value, "text")


def _boolean(value: Any, _: Path) -> bool:
    # The reference's YAML library reads these words, too, as what they mean.
    meant = {"yes": True, "on": True, "no": False, "off": False}
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in meant:
        return meant[value.lower()]
    raise _wrong(value, "true or false")


def _duration(value: Any, _: Path) -> float:
    if isinstance(value, str):
        return parse_duration(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise ValueError(f"{value} has no unit; write {value}s for seconds")
    raise _wrong(value, "a duration such as 30s or 1m30s")


def _path(value: Any, base: Path) -> Path:
    try:
        return base / Path(_text(value, base)).expanduser()
    except RuntimeError as error:  # ~somebody
        raise ValueError(f"{value!r} is in the home directory of nobody here") from error


def _secret(value: Any, base: Path) -> Secret:
    # The value never goes into a message: somebody may have written the secret itself here.
    kind, _, rest = value.partition(":") if isinstance(value, str) else ("", "", "")
    if kind == "env" and rest:
        secret = os.environ.get(rest, "")
        if not secret:
            raise ValueError(f"the environment variable {rest} is not set")
        return Secret(secret)
    if kind == "file" and rest:
        return _read_secret(_path(rest, base))
    raise ValueError("a secret is written env:NAME or file:PATH, never as itself")


def _read_secret(path: Path) -> Secret:
    try:
        mode = path.stat().st_mode
        if mode & stat.S_IRWXO:
            raise ValueError(f"{path} is open to every user of this host; chmod 600 it")
        secret = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not text") from None
    if not secret:
        raise ValueError(f"{path} is empty")
    # A group of its own for the agent is a way to keep secrets, too; so this is for a person to judge.
    open_to_group = f"{path} is open to its group; if that is not meant: chmod 600 {path}"
    return Secret(secret, open_to_group if mode & stat.S_IRWXG else None)


def _parsed(parse: Callable[[str], Any]) -> Callable[[Any, Path], Any]:
    return lambda value, base: parse(_text(value, base))


def _wrong(value: Any, noun: str) -> ValueError:
    return ValueError(f"{show(value)} is not {noun}")


def show(value: Any) -> str:
    """A value as an error names it."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return repr(value) if isinstance(value, str) else str(value)


def whole_number(low: int, high: int | None = None, noun: str = "a whole number") -> Form:
    """Whole numbers from `low` to `high`, or without an upper end."""
    span = f"{low} to {high}" if high is not None else f"{low} or more"

    def convert(value: Any, _: Path) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise _wrong(value, f"{noun} ({span})")
        if value < low or (high is not None and value > high):
            raise ValueError(f"{value} is not {noun} ({span})")
        return value

    bounds = {"minimum": low} | ({"maximum": high} if high is not None else {})
    return Form(f"{noun} ({span})", convert, {"type": "integer", **bounds})


def at_least(shortest: str) -> Form:
    """Durations of `shortest` or more."""
    low = parse_duration(shortest)

    def convert(value: Any, base: Path) -> float:
        seconds = _duration(value, base)
        if seconds < low:
            raise ValueError(f"{value} is too short; at least {shortest}")
        return seconds

    return Form(f"a duration of {shortest} or more", convert, _DURATION_SCHEMA)


_DURATION_SCHEMA: Mapping[str, Any] = {"type": "string", "pattern": rf"^(?:{_DURATION_PART})+$"}
_TEXT: Mapping[str, Any] = {"type": "string"}

Count = Annotated[int, whole_number(1)]
Port = Annotated[int, whole_number(1, 65535, "a port")]
Seconds = Annotated[float, Form("a duration", _duration, _DURATION_SCHEMA)]
DomainName = Annotated[str, Form("a domain name", _parsed(normalise_name), _TEXT)]

_FORMS: dict[Any, Form] = {
    str: Form("text", _text, _TEXT),
    bool: Form("true or false", _boolean, {"type": "boolean"}),
    int: whole_number(0),
    Path: Form("a path", _path, _TEXT),
    Secret: Form("env:NAME or file:PATH", _secret, {"type": "string", "pattern": "^(env|file):.+$"}),
    Address: Form("an IP address", _parsed(parse_address), _TEXT),
    Network: Form("a network such as 10.0.0.0/8", _parsed(ipaddress.ip_network), _TEXT),
}


def form_of(annotation: Any) -> Form:
    """The form of the values of a type annotation.

    Known are: str, bool, int, Path, Secret, addresses, networks, the annotated types of this module,
    Literal, `X | None`, `tuple[X, ...]` (a list) and `dict[str, X]`.

    Raises:
        TypeError: the annotation is not one of them.
    """
    if annotation in _FORMS:
        return _FORMS[annotation]
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        own = [extra for extra in arguments[1:] if isinstance(extra, Form)]
        return own[0] if own else form_of(arguments[0])
    if origin is Literal:
        return _one_of(arguments)
    if origin in (typing.Union, types.UnionType) and type(None) in arguments:
        present = [argument for argument in arguments if argument is not type(None)]
        return form_of(typing.Union[tuple(present)])  # noqa: UP007
    if origin is tuple and arguments[1:] == (...,):
        return _list_of(form_of(arguments[0]))
    if origin is dict and arguments[0] is str:
        return _mapping_of(form_of(arguments[1]))
    raise TypeError(f"an option cannot be of type {annotation}; see dnslb.forms.form_of")


def _one_of(choices: tuple[Any, ...]) -> Form:
    noun = "one of " + ", ".join(map(str, choices))

    def convert(value: Any, _: Path) -> Any:
        if value not in choices:
            raise _wrong(value, noun)
        return value

    return Form(noun, convert, {"enum": list(choices)})


def _list_of(item: Form) -> Form:
    noun = f"a list, each {item.noun}"

    def convert(value: Any, base: Path) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise _wrong(value, noun)
        return tuple(item.convert(part, base) for part in value)

    return Form(noun, convert, {"type": "array", "items": item.schema})


def _mapping_of(item: Form) -> Form:
    noun = f"a mapping to {item.noun}"

    def convert(value: Any, base: Path) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise _wrong(value, noun)
        return {str(key): item.convert(part, base) for key, part in value.items()}

    return Form(noun, convert, {"type": "object", "additionalProperties": item.schema})
