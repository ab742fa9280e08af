"""Holds requests and answers against the description that Google publishes of an API, its discovery document.

The documents are in the distribution google-api-python-client, which nothing but tests needs. Where it is not
installed, `find` says so by None.

Source: https://developers.google.com/discovery/v1/reference/apis
"""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

_INT32 = range(-(2**31), 2**31)
_DIGITS = re.compile(r"-?[0-9]+")


class Description:
    """One API, as its discovery document describes it."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._schemas: Mapping[str, Any] = document["schemas"]
        self._common: Mapping[str, Any] = document["parameters"]
        prefix = "/" + document["servicePath"]
        found = [method for resource in document["resources"].values() for method in resource["methods"].values()]
        self._methods: dict[str, Mapping[str, Any]] = {method["id"]: method for method in found}
        self._routes = [(method["httpMethod"], _pattern(prefix + method["path"]), method["id"]) for method in found]

    @classmethod
    def find(cls, api: str) -> Description | None:
        """The description of an API such as `dns.v1`; None where google-api-python-client is not installed."""
        spec = importlib.util.find_spec("googleapiclient")
        if spec is None or spec.origin is None:
            return None
        path = Path(spec.origin).parent / "discovery_cache" / "documents" / f"{api}.json"
        return cls(json.loads(path.read_text(encoding="utf-8")))

    def method_of(self, verb: str, path: str) -> str | None:
        """The id of the method, such as `dns.changes.create`, that an HTTP verb and a path call."""
        found = [name for known, pattern, name in self._routes if known == verb and pattern.fullmatch(path)]
        return found[0] if found else None

    def faults_of_request(self, method: str, query: Mapping[str, str], body: Any) -> list[str]:
        """All that is wrong with a request's query and body (None: it has none)."""
        described = self._methods[method]
        return [*self._query_faults(described, query), *self._body_faults(described, "request", body, lenient=True)]

    def faults_of_answer(self, method: str, body: Any) -> list[str]:
        """All that is wrong with the body of a good answer."""
        return list(self._body_faults(self._methods[method], "response", body, lenient=False))

    def _query_faults(self, method: Mapping[str, Any], query: Mapping[str, str]) -> Iterator[str]:
        own = {name: part for name, part in method["parameters"].items() if part["location"] == "query"}
        known = {**self._common, **own}
        for name, value in query.items():
            if name not in known:
                yield f"there is no query parameter {name!r}"
            else:
                yield from self._faults(known[name], _typed(known[name], value), f"the query parameter {name!r}", True)
        yield from (
            f"the query parameter {name!r} is missing"
            for name, part in own.items()
            if part.get("required") and name not in query
        )

    def _body_faults(self, method: Mapping[str, Any], side: str, body: Any, *, lenient: bool) -> Iterator[str]:
        if side not in method:
            if body is not None:
                yield f"{method['id']} takes no body"
            return
        yield from self._faults(method[side], body, f"the {side}", lenient)

    def _faults(self, schema: Mapping[str, Any], value: Any, where: str, lenient: bool) -> Iterator[str]:
        """`lenient` as the servers are: they take a whole number for a string of digits, too."""
        schema = self._schemas[schema["$ref"]] if "$ref" in schema else schema
        kind = schema["type"]
        if kind == "object" and isinstance(value, Mapping):
            yield from self._faults_of_members(schema, value, where, lenient)
        elif kind == "array" and isinstance(value, list):
            for index, item in enumerate(value):
                yield from self._faults(schema["items"], item, f"{where}[{index}]", lenient)
        elif not _is_scalar(kind, schema.get("format"), value, lenient):
            yield f"{where} is {value!r}, not of type {schema.get('format', kind)}"
        elif "enum" in schema and value not in schema["enum"]:
            yield f"{where} is {value!r}, not one of {', '.join(schema['enum'])}"

    def _faults_of_members(
        self, schema: Mapping[str, Any], value: Mapping[str, Any], where: str, lenient: bool
    ) -> Iterator[str]:
        properties, others = schema.get("properties", {}), schema.get("additionalProperties")
        for name, item in value.items():
            described = properties.get(name, others)
            if described is None:
                yield f"{where} has no member {name!r}"
            else:
                yield from self._faults(described, item, f"{where}.{name}", lenient)


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path)))


def _typed(parameter: Mapping[str, Any], text: str) -> Any:
    """A query parameter is text whatever it is; a boolean is one of two words."""
    words = {"true": True, "false": False}
    return words.get(text, text) if parameter["type"] == "boolean" else text


def _is_scalar(kind: str, form: str | None, value: Any, lenient: bool) -> bool:
    if kind == "boolean":
        return isinstance(value, bool)
    if kind == "string":
        return isinstance(value, str) and (form not in ("int64", "uint64") or bool(_DIGITS.fullmatch(value)))
    if kind == "integer":
        if lenient and isinstance(value, str) and _DIGITS.fullmatch(value):
            value = int(value)
        return isinstance(value, int) and not isinstance(value, bool) and value in _INT32
    if kind == "number":
        return isinstance(value, int | float) and not isinstance(value, bool)
    return kind == "any"
