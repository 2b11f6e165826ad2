"""What the suite says of columns, and what follows for their kinds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_readmit.data.store import Field, Kind
from pytest_readmit.data.table import Family, Table

_SINGLE_ROLES = ("target", "score", "patient", "id", "time")
_KINDS: dict[Family, Kind] = {
    "integer": "numerical",
    "float": "numerical",
    "bool": "categorical",
    "text": "categorical",
    "time": "time",
    "other": "other",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """What the suite's `columns:` says; the fields are its keys, and `scores` those of its models."""

    target: str | None = None
    positive_label: Any = None
    negative_label: Any = None
    score: str | None = None
    patient: str | None = None
    id: str | None = None
    time: str | None = None
    sensitive: tuple[str, ...] = ()
    numerical: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    features: tuple[str, ...] | None = None
    ignore: tuple[str, ...] = ()
    scores: tuple[str, ...] = ()

    def why_left_out(self, field: Field) -> str | None:
        """Return why a column is no feature by default, or None if it is one."""
        for role in _SINGLE_ROLES:
            if getattr(self, role) == field.name:
                return role
        if field.name in self.scores:
            return "score"
        if field.name in self.ignore:
            return "ignore"
        if field.kind == "time":
            return "date or time"
        return "nested values" if field.kind == "other" else None

    def classifies(self, name: str) -> bool:
        """Whether `columns:` says what a column is."""
        named = {getattr(self, role) for role in _SINGLE_ROLES}
        return name in named or name in self.numerical or name in self.categorical


def fields_of(
    table: Table, roles: Roles, like: Sequence[Field] | None, given: Mapping[str, Kind]
) -> tuple[Field, ...]:
    """
    Return a table's columns.

    A kind is what the suite's `columns:` says, else its `read: {types: ...}`, else the reference's, else
    what the type suggests.
    """
    known: dict[str, Kind] = {field.name: field.kind for field in like or ()}
    known.update(given)
    fields = []
    for name in table.names:
        family = table.family(name)
        kind = known.get(name, _KINDS[family])
        if name in roles.numerical:
            kind = "numerical"
        elif name in roles.categorical:
            kind = "categorical"
        stated = name in given or roles.classifies(name)
        fields.append(Field(name, kind, table.type_name(name), family == "integer", stated))
    return tuple(fields)


def clashes_of(
    fields: Sequence[Field], table: Table, roles: Roles, like: Sequence[Field] | None
) -> dict[str, str]:
    """Return the columns whose type cannot be compared with the reference's, and why."""
    theirs = {field.name: field for field in like or ()}
    found: dict[str, str] = {}
    for field in fields:
        if field.name not in theirs or table.family(field.name) != "time":
            continue
        other = theirs[field.name]
        if other.kind == "numerical" and field.name not in roles.numerical:
            found[field.name] = "holds dates, but numbers in the reference"
        elif other.kind == "time" and _zoned(field.type) != _zoned(other.type):
            here, there = ("a", "none") if _zoned(field.type) else ("no", "one")
            found[field.name] = f"has {here} time zone, but {there} in the reference"
    return found


def _zoned(physical: str) -> bool:
    """Whether a time type of the engine, pandas or Arrow names a time zone."""
    return any(mark in physical for mark in ("TIME ZONE", "tz=", ", "))
