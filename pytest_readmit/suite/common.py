"""The keys that every entry takes, and `defaults`: what each must be."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from pytest_readmit.errors import did_you_mean
from pytest_readmit.suite.nodes import Listing, Node, Scalar, Table
from pytest_readmit.suite.scope import Scope

LONGEST_WAIVER = timedelta(days=180)
_ID = re.compile(r"[A-Za-z0-9_.-]+")
_TAG = re.compile(r"[a-z][a-z0-9_-]*")
REFUSED_TAGS = (
    "skip",
    "skipif",
    "xfail",
    "parametrize",
    "usefixtures",
    "filterwarnings",
    "flaky",
    "timeout",
    "xdist_group",
)
SEVERITIES = ("block", "warn")
REACTIONS = ("block", "warn", "pass")
DECISIONS = ("interval", "estimate", "p_value")
CORRECTIONS = ("entry", "suite", "none")


@dataclass(frozen=True, slots=True)
class Known:
    """What the rest of the suite offers to an entry: its datasets, its models, its day."""

    datasets: tuple[str, ...]
    models: tuple[str, ...]
    today: date


Reader = Callable[[Scope, str, Node, Known], Any]


def _choice(options: tuple[str, ...]) -> Reader:
    return lambda scope, key, node, _: scope.choice(key, node, options)


def _text(scope: Scope, key: str, node: Node, _: Known) -> str | None:
    return scope.text(key, node)


def _id(scope: Scope, key: str, node: Node, _: Known) -> str | None:
    return scope.word(key, node, _ID, "letters, digits, '_', '.' and '-'")


def _columns(scope: Scope, key: str, node: Node, _: Known) -> tuple[str, ...] | None:
    if isinstance(node, Listing) and not node.items:
        scope.wrong(key, node, "a column or a list with at least one")
        return None
    return scope.names(key, node, "a column or a list of columns")


def _confidence(scope: Scope, key: str, node: Node, _: Known) -> float | None:
    return scope.number(key, node, "a number between 0.5 and 1, such as 0.95", 0.5, 1)


def _p_value(scope: Scope, key: str, node: Node, _: Known) -> float | None:
    return scope.number(key, node, "a number between 0 and 1, such as 0.05", 0, 1)


def _warn_above(scope: Scope, key: str, node: Node, _: Known) -> float | None:
    return scope.number(key, node, "a number", -1e300, 1e300)


def _timeout(scope: Scope, key: str, node: Node, _: Known) -> float | None:
    return scope.seconds(key, node)


def _on(scope: Scope, key: str, node: Node, known: Known) -> str | None:
    return _member(scope, key, node, known.datasets, "dataset", "data")


def _model(scope: Scope, key: str, node: Node, known: Known) -> str | None:
    return _member(scope, key, node, known.models, "model", "models")


def _member(
    scope: Scope, key: str, node: Node, known: tuple[str, ...], kind: str, section: str
) -> str | None:
    name = scope.text(key, node, f"the name of a {kind}")
    if name is None or name in known:
        return name
    hint = "" if node.secret else did_you_mean(name, known)
    listed = "" if hint else f"; it has {', '.join(known) or 'none'}"
    scope.add(node, f"`{key}`: no {kind} {node.shown} under `{section}`{hint}{listed}")
    return None


def _tags(scope: Scope, key: str, node: Node, _: Known) -> tuple[str, ...] | None:
    names = scope.names(key, node, "a word or a list of words")
    items = node.items if isinstance(node, Listing) else [node]
    sound = True
    for item, name in zip(items, names or (), strict=False):
        if name in REFUSED_TAGS:
            scope.add(
                item, f"`{key}`: {item.shown} would change how pytest runs the case; choose another word"
            )
            sound = False
        elif not _TAG.fullmatch(name):
            scope.wrong(key, item, "lower-case letters, digits, '_' and '-', beginning with a letter")
            sound = False
    return names if sound else None


def _waiver(scope: Scope, key: str, node: Node, known: Known) -> Mapping[str, Any] | None:
    table = scope.table(key, node, "a mapping with until, by and reason")
    if table is None:
        return None
    inner = Scope(f"{scope.where}.waiver", scope.problems)
    wanted = ("until", "by", "reason")
    found: dict[str, Any] = {}
    for name, item in inner.closed(table, wanted):
        found[name] = _until(inner, item, known.today) if name == "until" else inner.text(name, item)
    for name in wanted:
        if name not in table.items:
            scope.add(table, f"`{key}` needs `{name}`")
            found[name] = None
    return None if None in found.values() else found


def _until(scope: Scope, node: Node, today: date) -> date | None:
    until = scope.day("until", node)
    if until is None or until - today <= LONGEST_WAIVER:
        return until
    latest = today + LONGEST_WAIVER
    scope.wrong("until", node, f"at most {LONGEST_WAIVER.days} days after {today}: {latest} or before")
    return None


def _segments(scope: Scope, key: str, node: Node, _: Known) -> tuple[Mapping[str, Any], ...] | None:
    items = node.items if isinstance(node, Listing) else [node]
    if not items:
        scope.wrong(key, node, "a column, {column, values, min_rows}, or a list of these")
        return None
    found: list[Mapping[str, Any]] = []
    for item in items:
        segment = _segment(scope, key, item)
        if segment and any(other["column"] == segment["column"] for other in found):
            scope.add(item, f"`{key}` names a column twice")
        elif segment:
            found.append(segment)
    return tuple(found) if len(found) == len(items) else None


def _segment(scope: Scope, key: str, node: Node) -> Mapping[str, Any] | None:
    if not isinstance(node, Table):
        column = scope.text(key, node, "a column, {column, values, min_rows}, or a list of these")
        return None if column is None else {"column": column, "values": None, "min_rows": None}
    inner = Scope(f"{scope.where}.{key}", scope.problems)
    found: dict[str, Any] = {"column": None, "values": None, "min_rows": None}
    for name, item in inner.closed(node, ("column", "values", "min_rows")):
        if name == "column":
            found[name] = inner.text(name, item, "a column's name")
        elif name == "min_rows":
            found[name] = inner.whole(name, item, 1, 1_000_000_000)
        else:
            found[name] = _values(inner, name, item)
    if "column" not in node.items:
        inner.add(node, "missing `column`")
    return found if found["column"] is not None else None


def _values(scope: Scope, key: str, node: Node) -> tuple[str, ...] | None:
    """Return the texts of values as written: a segment's values are compared as text."""
    items = node.items if isinstance(node, Listing) else [node]
    values = [item.text for item in items if isinstance(item, Scalar) and item.text]
    if items and len(values) == len(items):
        return tuple(dict.fromkeys(values))
    scope.wrong(key, node, "a value or a list of values")
    return None


COMMON: Mapping[str, Reader] = {
    "id": _id,
    "title": _text,
    "because": _text,
    "columns": _columns,
    "on": _on,
    "model": _model,
    "segments": _segments,
    "severity": _choice(SEVERITIES),
    "inconclusive": _choice(REACTIONS),
    "confidence": _confidence,
    "decide_by": _choice(DECISIONS),
    "p_value": _p_value,
    "correction": _choice(CORRECTIONS),
    "warn_above": _warn_above,
    "tags": _tags,
    "waiver": _waiver,
    "timeout": _timeout,
}
"""Every key that an entry takes beside its check's parameters, with what reads it."""

DEFAULTS = ("severity", "inconclusive", "confidence", "correction", "decide_by")
"""The common keys that `defaults` takes."""
