"""A check's parameters in words: from their JSON Schema, what was asked for and what is wrong."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from pydantic import ValidationError

from pytest_readmit.errors import did_you_mean

MOST_FAULTS = 1_000


@dataclass(frozen=True, slots=True)
class Fault:
    """
    One wrong parameter.

    Args:
        path: Keys and indexes from the parameters down to the wrong value.
        message: What is wrong, without the value.
        hint: Ends the message; may tell of the value.
        shows_value: Whether the message wants ", not VALUE" after it.
    """

    path: tuple[str | int, ...]
    message: str
    hint: str = ""
    shows_value: bool = True


def json_value(value: Any) -> Any:
    """Return what stands in JSON for a value that a Python caller may give."""
    if isinstance(value, timedelta):
        return as_duration(value)
    if isinstance(value, date):
        return value.isoformat()
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(type(value).__name__)


def as_duration(value: timedelta) -> str:
    """Return a time as a suite writes it: ``30d``, ``12h``, ``90s``."""
    seconds = value.total_seconds()
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds:f}".rstrip("0").rstrip(".") + "s"


def faults(error: ValidationError, given: Mapping[str, Any], schema: Mapping[str, Any]) -> list[Fault]:
    """
    Turn pydantic's errors into ours: one for each place, in words of the suite.

    Args:
        error: What pydantic said.
        given: The parameters that it was said of.
        schema: Their JSON Schema.
    """
    found: dict[tuple[str | int, ...], list[Any]] = {}
    for item in error.errors(include_url=False, include_input=False):
        path = _path(item["loc"], item["type"], given)
        found.setdefault(path, []).append(item)
    # A union reports every alternative; the deepest place is the one the writer meant.
    outer = {path[:length] for path in found for length in range(len(path))}
    deepest = [path for path in found if path not in outer][:MOST_FAULTS]
    return [_fault(path, found[path], given, schema) for path in deepest]


def _path(loc: tuple[str | int, ...], kind: str, given: Any) -> tuple[str | int, ...]:
    """Drop from pydantic's location what is not a key or index of the data (names of alternatives)."""
    path: list[str | int] = []
    value = given
    for part in loc:
        inside = (isinstance(value, Mapping) and part in value) or (
            isinstance(value, list) and isinstance(part, int) and 0 <= part < len(value)
        )
        if inside:
            value = value[part]
            path.append(part)
    if kind == "missing" and isinstance(loc[-1], str):
        path.append(loc[-1])
    return tuple(path)


def _fault(path: tuple[str | int, ...], items: list[Any], given: Any, schema: Mapping[str, Any]) -> Fault:
    kinds = {item["type"] for item in items}
    if kinds == {"extra_forbidden"}:
        known = _known_keys(schema, path[:-1])
        hint = did_you_mean(str(path[-1]), known)
        takes = "" if hint else _takes(known)
        return Fault(path, f"unknown parameter {path[-1]!r}{hint}{takes}", shows_value=False)
    if kinds == {"missing"} and isinstance(items[0]["loc"][-1], str):
        words = describe(_schema_at(schema, path), schema)
        return Fault(path, f"missing parameter {path[-1]!r}: {words}", shows_value=False)
    if any(item["loc"][-1] == "[key]" for item in items):
        maps = _alternatives(_schema_at(schema, path[:-1]), schema)
        names = [
            key for each in maps for key in _choices(_resolve(each.get("propertyNames"), schema), schema)
        ]
        hint = did_you_mean(str(path[-1]), names)
        takes = "" if hint or not names else _takes(names)
        return Fault(path, f"unknown key {path[-1]!r}{hint}{takes}", shows_value=False)
    custom = [
        str(item["ctx"]["error"]) for item in items if item["type"] in ("value_error", "assertion_error")
    ]
    if custom:
        return Fault(path, custom[0], shows_value=len(custom[0]) < 80)
    expected = _schema_at(schema, path)
    value = given
    for part in path:
        value = value[part]
    hint = did_you_mean(value, _choices(expected, schema)) if isinstance(value, str) else ""
    words = describe(expected, schema, optional=len(path) == 1)
    return Fault(path, f"must be {words}", hint)


def _takes(known: Iterable[str]) -> str:
    names = ", ".join(known)
    return f"; it takes {names}" if names else "; it takes none of its own"


def _resolve(schema: Any, root: Mapping[str, Any]) -> dict[str, Any]:
    while isinstance(schema, dict) and "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rsplit("/", 1)[-1]]
    return schema if isinstance(schema, dict) else {}


def _alternatives(schema: Any, root: Mapping[str, Any]) -> list[dict[str, Any]]:
    schema = _resolve(schema, root)
    options = schema.get("anyOf") or schema.get("oneOf")
    if not options:
        return [schema]
    return [deep for option in options for deep in _alternatives(option, root)]


def _step(schema: dict[str, Any], part: str | int) -> Any:
    """Return the schema of one key or index of a value, None if it has none."""
    if isinstance(part, int):
        items = schema.get("prefixItems", [])
        return items[part] if part < len(items) else schema.get("items")
    return schema.get("properties", {}).get(part) or schema.get("additionalProperties")


def _schema_at(root: Mapping[str, Any], path: tuple[str | int, ...]) -> dict[str, Any]:
    schema: Any = root
    for part in path:
        steps = [_step(option, part) for option in _alternatives(schema, root)]
        schema = next((step for step in steps if isinstance(step, dict)), {})
    return _resolve(schema, root)


def _known_keys(root: Mapping[str, Any], path: tuple[str | int, ...]) -> tuple[str, ...]:
    options = _alternatives(_schema_at(root, path), root)
    return tuple(key for option in options for key in option.get("properties", {}))


def _choices(schema: Any, root: Mapping[str, Any]) -> list[str]:
    options = _alternatives(schema, root)
    values = [value for option in options for value in (option.get("enum") or [option.get("const")])]
    return [value for value in values if isinstance(value, str)]


def describe(schema: Mapping[str, Any], root: Mapping[str, Any], *, optional: bool = True) -> str:
    """
    Return in words what a JSON Schema asks for ("a number from 0 to 1").

    Args:
        schema: What to describe.
        root: The schema whose definitions it refers to.
        optional: Leave null unsaid: a parameter that may be null may be left out.
    """
    words: list[str] = []
    options = _alternatives(schema, root)
    for option in [o for o in options if not (optional and o.get("type") == "null")] or options:
        values = option.get("enum") or ([option["const"]] if "const" in option else [])
        words += [repr(v) if isinstance(v, str) else json.dumps(v) for v in values] or [
            _describe(option, root)
        ]
    unique = list(dict.fromkeys(words))
    return unique[0] if len(unique) == 1 else f"{', '.join(unique[:-1])} or {unique[-1]}"


_PLAIN = {"string": "text", "boolean": "true or false", "null": "null"}
_FORMATS = {"duration": "a duration such as 30d, 12h or 45m", "date": "a date such as 2026-11-01"}


def _describe(schema: Mapping[str, Any], root: Mapping[str, Any]) -> str:
    kind = schema.get("type", "")
    if kind in ("number", "integer"):
        return ("a number" if kind == "number" else "a whole number") + _range(schema)
    if kind == "array":
        return _describe_list(schema, root)
    if kind == "object":
        keys = ", ".join(schema.get("properties", {}))
        values = schema.get("additionalProperties")
        each = f" of {describe(values, root, optional=False)}" if isinstance(values, dict) and values else ""
        return f"a mapping with {keys}" if keys else f"a mapping{each}"
    return _FORMATS.get(schema.get("format", ""), _PLAIN.get(kind, "a value"))


def _describe_list(schema: Mapping[str, Any], root: Mapping[str, Any]) -> str:
    fixed = schema.get("prefixItems")
    if fixed:
        return f"a list of {len(fixed)} ({', '.join(describe(item, root, optional=False) for item in fixed)})"
    items = schema.get("items")
    return (
        f"a list of {describe(items, root, optional=False)}"
        if isinstance(items, dict) and items
        else "a list"
    )


def _range(schema: Mapping[str, Any]) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        return f" from {low:g} to {high:g}"
    words = {
        "minimum": "at least",
        "maximum": "at most",
        "exclusiveMinimum": "above",
        "exclusiveMaximum": "below",
    }
    said = [f"{word} {schema[key]:g}" for key, word in words.items() if key in schema]
    return f" {' and '.join(said)}" if said else ""


def parameter_notes(doc: str) -> dict[str, str]:
    """Return what the ``Args:`` of a docstring say of each parameter."""
    notes: dict[str, str] = {}
    name = ""
    lines = iter(doc.splitlines())
    for line in lines:
        if line.strip() == "Args:":
            break
    for line in lines:
        indent = len(line) - len(line.lstrip())
        if line.strip() and indent == 0:
            break
        head, colon, rest = line.strip().partition(":")
        if indent == 4 and colon and head.isidentifier():
            name = head
            notes[name] = rest.strip()
        elif name and line.strip():
            notes[name] += f" {line.strip()}"
    return notes
