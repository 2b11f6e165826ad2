"""JSON Schema of a suite, for editors, from the registered checks."""

from collections.abc import Mapping
from typing import Any, Protocol

from pytest_readmit.suite.common import CORRECTIONS, DECISIONS, DEFAULTS, REACTIONS, REFUSED_TAGS, SEVERITIES
from pytest_readmit.suite.sources import FORMATS, KINDS, OPTIONS, source_kinds

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_VARIABLE = {"$ref": "#/$defs/variable"}
_TEXT: dict[str, Any] = {"type": "string", "minLength": 1}
_NAMES: dict[str, Any] = {"anyOf": [_TEXT, {"type": "array", "items": _TEXT, "uniqueItems": True}]}
_SCALAR: dict[str, Any] = {"type": ["string", "number", "boolean"]}
_VALUES: dict[str, Any] = {"anyOf": [_SCALAR, {"type": "array", "items": _SCALAR, "minItems": 1}]}
_DURATION: dict[str, Any] = {"type": "string", "pattern": r"^\d+(\.\d+)?\s*[smhdw]$|^\$\{"}
_DATE: dict[str, Any] = {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}$|^\$\{"}


class Described(Protocol):
    """What the schema tells of a check."""

    @property
    def doc(self) -> str:
        """Its docstring."""

    @property
    def json_schema(self) -> dict[str, Any]:
        """JSON Schema of its parameters."""


def _closed(properties: Mapping[str, Any], *required: str, **more: Any) -> dict[str, Any]:
    schema = {"type": "object", "properties": dict(properties), "additionalProperties": False, **more}
    return schema | ({"required": list(required)} if required else {})


def _number(low: float, high: float) -> dict[str, Any]:
    return {"anyOf": [{"type": "number", "exclusiveMinimum": low, "exclusiveMaximum": high}, _VARIABLE]}


def _whole(low: int) -> dict[str, Any]:
    return {"anyOf": [{"type": "integer", "minimum": low}, _VARIABLE]}


def _word(options: tuple[str, ...]) -> dict[str, Any]:
    return {"anyOf": [{"enum": list(options)}, _VARIABLE]}


_SEGMENT = {
    "anyOf": [_TEXT, _closed({"column": _TEXT, "values": _VALUES, "min_rows": _whole(1)}, "column")],
}
_TAG = {"type": "string", "pattern": r"^[a-z][a-z0-9_-]*$", "not": {"enum": list(REFUSED_TAGS)}}

COMMON_KEYS: Mapping[str, tuple[dict[str, Any], str]] = {
    "id": ({"type": "string", "pattern": r"^[A-Za-z0-9_.-]+$|^\$\{"}, "Name of the entry in test ids."),
    "title": (_TEXT, "Name of the entry in the report."),
    "because": (_TEXT, "The reason for the limit."),
    "columns": (_NAMES, "Columns, roles or globs to check; default: the check's own choice."),
    "on": (_TEXT, "Dataset to take in place of current."),
    "model": (_TEXT, "Name of a model under `models`."),
    "segments": (
        {"anyOf": [_SEGMENT, {"type": "array", "items": _SEGMENT, "minItems": 1}]},
        "Check each group of rows by itself; a list is crossed.",
    ),
    "severity": (_word(SEVERITIES), "What a fail does."),
    "inconclusive": (_word(REACTIONS), "What an undecided case does."),
    "confidence": (_number(0.5, 1), "One minus the error rate of the entry."),
    "decide_by": (_word(DECISIONS), "The rule that decides."),
    "p_value": (_number(0, 1), "Decide by p-value: fail below this."),
    "correction": (_word(CORRECTIONS), "Which cases share the error rate."),
    "warn_above": ({"anyOf": [{"type": "number"}, _VARIABLE]}, "Proven beyond this: passes with a warning."),
    "tags": ({"anyOf": [_TAG, {"type": "array", "items": _TAG, "uniqueItems": True}]}, "pytest markers."),
    "waiver": (
        _closed({"until": _DATE, "by": _TEXT, "reason": _TEXT}, "until", "by", "reason"),
        "Who lets a gate that blocks pass until and including a day, and why; at most 180 days.",
    ),
    "timeout": (
        {"anyOf": [{"type": "number", "exclusiveMinimum": 0}, _DURATION]},
        "Seconds, or a duration, that a case may take.",
    ),
}
"""JSON Schema and meaning of the keys of every entry."""


def suite_schema(checks: Mapping[str, Described]) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a suite file that uses these checks."""
    definitions: dict[str, Any] = {
        "variable": {"type": "string", "pattern": r"^\$\{[^{}]*\}$", "description": "A variable, ${NAME}."},
        "source": _source(),
        "model": _model(),
    }
    properties = {name: _check(name, spec, definitions) for name, spec in checks.items()}
    names = [{"const": name, "description": summary(spec.doc)} for name, spec in checks.items()]
    mapping = {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 1,
    }
    definitions["check"] = {"anyOf": [*names, mapping]}
    return {
        "$schema": DIALECT,
        "title": "pytest-readmit suite",
        **_closed(_sections(), "checks"),
        "$defs": definitions,
    }


def summary(doc: str) -> str:
    """Return the first paragraph of a docstring on one line."""
    return " ".join(doc.strip().partition("\n\n")[0].split())


def _check(name: str, spec: Described, definitions: dict[str, Any]) -> dict[str, Any]:
    own = spec.json_schema
    for title, definition in own.get("$defs", {}).items():
        definitions[f"{name}.{title}"] = _adapted(definition, name)
    fields = {key: _adapted(field, name) for key, field in own.get("properties", {}).items()}
    common = {key: {**schema, "description": words} for key, (schema, words) in COMMON_KEYS.items()}
    body = _closed({**fields, **common}, *own.get("required", ()), description=summary(spec.doc))
    return (
        body if own.get("required") else {"anyOf": [body, {"type": "null"}], "description": summary(spec.doc)}
    )


def _adapted(schema: Any, name: str) -> Any:
    """Return a parameter's schema with its own definitions' names, and variables where no text is allowed."""
    if isinstance(schema, list):
        return [_adapted(item, name) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return {**schema, "$ref": f"#/$defs/{name}.{schema['$ref'].rsplit('/', 1)[-1]}"}
    inner = {key: _adapted_part(key, value, name) for key, value in schema.items() if key != "title"}
    if schema.get("type") in ("number", "integer", "boolean") or "enum" in schema or "const" in schema:
        said = {key: inner.pop(key) for key in ("description", "default") if key in inner}
        return {"anyOf": [inner, _VARIABLE], **said}
    if schema.get("format") == "duration":
        said = {key: inner[key] for key in ("description", "default") if key in inner}
        return {**_DURATION, **said}
    return inner


def _adapted_part(key: str, value: Any, name: str) -> Any:
    if key in ("properties", "patternProperties"):
        return {field: _adapted(schema, name) for field, schema in value.items()}
    if key in ("items", "prefixItems", "anyOf", "oneOf", "allOf", "additionalProperties", "propertyNames"):
        return _adapted(value, name)
    return value


def _source() -> dict[str, Any]:
    read = {
        "format": _word(FORMATS),
        "delimiter": {"type": "string", "minLength": 1, "maxLength": 1},
        "header": {"type": "boolean"},
        "encoding": _TEXT,
        "null_values": _VALUES,
        "types": {"type": "object", "additionalProperties": {"enum": list(KINDS)}},
    }
    keys: dict[str, Any] = {
        "where": {**_TEXT, "description": "Only rows that meet this SQL condition."},
        "read": {**_closed(read), "description": "How to read the files."},
        "rename": {"type": "object", "additionalProperties": _TEXT, "description": "Old to new column name."},
        "matured": {
            **_closed({"horizon": _DURATION, "index_time": _TEXT}, "horizon", "index_time"),
            "description": "Only rows whose outcome can be known.",
        },
    }
    kinds = source_kinds()
    words = {
        "sql": "One SELECT on the database that `connect` names.",
        "connect": "duckdb:PATH; it is only read.",
        "rev": "A tag, branch or commit.",
        "repo": "The folder or address of another repository; paths start from its top.",
    }
    further = dict.fromkeys(option for options in OPTIONS.values() for option in options)
    texts = {key: _TEXT | ({"description": words[key]} if key in words else {}) for key in (*kinds, *further)}
    texts["connect"] |= {"pattern": r"^duckdb:.|\$\{"}
    owners = {option: [kind for kind in kinds if option in OPTIONS.get(kind, ())] for option in further}
    return {
        "anyOf": [
            _TEXT,
            _closed(
                {**texts, **keys},
                oneOf=[{"required": [kind]} for kind in kinds],
                dependentRequired={"sql": ["connect"]},
                dependentSchemas={
                    option: {"anyOf": [{"required": [kind]} for kind in theirs]}
                    for option, theirs in owners.items()
                },
            ),
        ]
    }


def _model() -> dict[str, Any]:
    return {"anyOf": [_TEXT, {"type": "object"}]}


def _sections() -> dict[str, Any]:
    single = dict.fromkeys(("target", "score", "patient", "id", "time"), _TEXT)
    labels = dict.fromkeys(("positive_label", "negative_label"), _VALUES)
    lists = dict.fromkeys(("sensitive", "numerical", "categorical", "features", "ignore"), _NAMES)
    texts = dict.fromkeys(("description", "owner", "intended_use", "approver", "protocol"), _TEXT)
    return {
        "suite": {**_TEXT, "description": "Name; default: the file's."},
        **texts,
        "schedule": _closed({"runs": _whole(1)}),
        "as_of": {**_DATE, "description": "Today, for maturity and waivers."},
        "data": {"type": "object", "additionalProperties": {"$ref": "#/$defs/source"}},
        "columns": _closed({**single, **labels, **lists}),
        "models": {"type": "object", "additionalProperties": {"$ref": "#/$defs/model"}},
        "model": {"$ref": "#/$defs/model"},
        "mlflow": _closed({"tracking_uri": _TEXT}),
        "privacy": _closed({"min_cell": _whole(1)}),
        "defaults": _closed({key: COMMON_KEYS[key][0] for key in DEFAULTS}),
        "checks": {"type": "array", "items": {"$ref": "#/$defs/check"}, "minItems": 1},
    }
