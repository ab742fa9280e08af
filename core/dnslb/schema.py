"""A JSON Schema (2020-12) of the configuration, with the options of the plugins in it: for editors and CI."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from dnslb.hookspecs import Registration
from dnslb.options import describe, schema_of
from dnslb.reference import FLAT_KEYS
from dnslb.settings import PLUGIN_KEYS, ServiceOptions


def configuration_schema(registrations: Iterable[Registration]) -> Mapping[str, Any]:
    """The schema of a whole file, given all that the installed plugins provide."""
    made = list(registrations)
    service = schema_of(ServiceOptions)
    for key, kind in PLUGIN_KEYS.items():
        of_kind = [item for item in made if isinstance(item, kind)]
        setting = service["properties"].get(key)  # `address` is one, where it selects no plugin
        service["properties"][key] = _either(setting, of_kind) if setting else _selection(of_kind)
    service["properties"] |= {key: {"type": "string", "description": "a key of the reference"} for key in FLAT_KEYS}
    several = {
        "type": "object",
        "additionalProperties": False,
        "properties": {"services": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/service"}}},
        "required": ["services"],
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "dnslb",
        "oneOf": [{"$ref": "#/$defs/service"}, several],
        "$defs": {"service": service},
    }


def _selection(registrations: list[Registration]) -> dict[str, Any]:
    by_name = [registration.name for registration in registrations if not _needs_options(registration)]
    return {"oneOf": [{"type": "string", "enum": by_name}, *map(_with_options, registrations)]}


def _either(setting: dict[str, Any], registrations: list[Registration]) -> dict[str, Any]:
    """What may be written for a key that is a setting, or selects a plugin by a mapping."""
    return setting | {"oneOf": [*setting["oneOf"], *map(_with_options, registrations)]}


def _needs_options(registration: Registration) -> bool:
    return any(option.required for option in describe(registration.options))


def _with_options(registration: Registration) -> dict[str, Any]:
    schema = schema_of(registration.options)
    plugin = {"const": registration.name, "description": registration.summary}
    schema["properties"] = {"plugin": plugin, **schema["properties"]}
    schema["required"] = ["plugin", *schema.get("required", [])]
    return schema
