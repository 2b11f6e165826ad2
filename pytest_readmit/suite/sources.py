"""What `data` and `models` say: where each dataset or model comes from."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from pytest_readmit.errors import SuiteError, did_you_mean
from pytest_readmit.suite.model import Source
from pytest_readmit.suite.nodes import Listing, Node, Scalar, Table
from pytest_readmit.suite.scope import Scope
from pytest_readmit.suite.variables import Variables

GROUP = "readmit.sources"
_BUILT_IN = ("path", "demo", "sql", "dvc", "git", "mlflow", "profile")
_RESERVED = ("score",)
OPTIONS: Mapping[str, tuple[str, ...]] = {"sql": ("connect",), "dvc": ("rev", "repo"), "git": ("rev", "repo")}
"""The further keys of each kind of source."""
BACKENDS = ("duckdb",)
_REVISION = ("rev", "repo")
_MODEL_KINDS = ("path", "mlflow", "score", "git", "dvc")
_MODEL_OPTIONS = ("sha256", "rev", "repo", "name")
_COMMON = ("where", "read", "rename", "matured")
FORMATS = ("csv", "tsv", "parquet", "feather", "arrow", "jsonl", "json", "ndjson")
KINDS = ("numerical", "categorical", "time")
_READ = ("format", "delimiter", "header", "encoding", "null_values", "types")


@cache
def source_kinds() -> tuple[str, ...]:
    """Return the kinds of source that this installation can open."""
    from importlib.metadata import entry_points

    return tuple(dict.fromkeys((*_BUILT_IN, *sorted(entry.name for entry in entry_points(group=GROUP)))))


def parse_source(text: str) -> Source:
    """
    Return the source that ``--readmit-data NAME=SOURCE`` names: a path, or ``kind:value``.

    Raises:
        SuiteError: If it is empty or of a kind that this version cannot open.
    """
    if not text.strip():
        raise SuiteError(
            ["--readmit-data: the source is empty; give a path or kind:value, such as demo:current"]
        )
    kind, colon, value = text.partition(":")
    if colon and kind in source_kinds():
        if not value.strip():
            raise SuiteError([f"--readmit-data: nothing after {text!r}; give {kind}:VALUE"])
        return _given(kind, value)
    if colon and kind in _RESERVED:
        raise SuiteError([f"--readmit-data: the `{kind}` source is not available in this version"])
    return Source(kind="path", value=text)


def _given(kind: str, value: str) -> Source:
    """Return a source of the command line; what has revisions may end in ``@REV``."""
    if kind == "sql":
        raise SuiteError(["--readmit-data: a query needs `connect` too; write it in the suite"])
    path, at, rev = value.rpartition("@")
    if "rev" not in OPTIONS.get(kind, ()) or not at:
        return Source(kind=kind, value=value)
    if not path or not rev:
        raise SuiteError([f"--readmit-data: {kind}:{value} is not complete; give {kind}:PATH@REV"])
    return Source(kind=kind, value=path, options={"rev": rev})


def read_datasets(node: Node, scope: Scope, variables: Variables) -> dict[str, Source]:
    """Return the datasets of `data`."""
    table = scope.table("data", node, "a mapping from a dataset's name to its source")
    found: dict[str, Source] = {}
    for name, item in table.items.items() if table else ():
        inner = Scope(f"data.{name}", scope.problems)
        source = _dataset(item, inner, variables)
        if source:
            found[name] = source
    return found


def _dataset(node: Node, scope: Scope, variables: Variables) -> Source | None:
    if isinstance(node, Scalar):
        path = scope.text("path", node, "a path or a mapping such as {demo: current}")
        return None if path is None else Source(kind="path", value=path, line=node.line, column=node.column)
    if not isinstance(node, Table):
        scope.add(node, f"a source is a path or a mapping such as {{demo: current}}, not {node.shown}")
        return None
    kinds = source_kinds()
    kind = _kind(node, scope, kinds, (*kinds, *_RESERVED))
    if kind is None:
        return None
    if kind not in kinds:
        scope.add(node.marks[kind], f"the `{kind}` source is not available in this version")
        return None
    return _source(kind, node, scope, variables)


def _kind(table: Table, scope: Scope, kinds: tuple[str, ...], known: tuple[str, ...]) -> str | None:
    """Return the one key of a source that says its kind."""
    found = [key for key in table.items if key in known]
    if len(found) == 1:
        return found[0]
    if found:
        both = " and ".join(f"`{key}`" for key in found[:2])
        scope.add(table.marks[found[1]], f"{both} in one source; keep one")
        return None
    other = next((key for key in table.items if key not in _COMMON), None)
    hint = did_you_mean(other, known) if other else ""
    where = table.marks[other] if other and hint else (table.line, table.column)
    said = f"unknown source {other!r}{hint}" if hint else f"names no source; give one of {', '.join(kinds)}"
    scope.add(where, said)
    return None


def _source(kind: str, table: Table, scope: Scope, variables: Variables) -> Source:
    parts: dict[str, Any] = {}
    options: dict[str, Any] = {}
    further = OPTIONS.get(kind, ())
    for key, node in table.items.items():
        if key == "sql":
            parts["value"], options["parameters"] = _sql(node, scope, variables)
        elif key == kind:
            parts["value"] = scope.text(key, node)
        elif key in further:
            options[key] = _option(key, node, scope)
        elif key == "where":
            parts |= _where(node, scope, variables)
        elif key == "read":
            parts["read"] = _read(node, scope)
        elif key == "rename":
            parts["rename"] = _rename(node, scope)
        elif key == "matured":
            parts["matured"] = _matured(node, scope)
        else:
            scope.unknown("key", key, table.marks[key], (kind, *further, *_COMMON))
    if kind == "sql":
        _contradictions(table, scope)
    if kind == "profile":
        _needs_rows(table, scope)
    given = {name: part for name, part in parts.items() if part is not None}
    return Source(kind=kind, line=table.line, column=table.column, options=options, **{"value": "", **given})


def _option(key: str, node: Node, scope: Scope) -> str | None:
    if key != "connect":
        expected = "a tag, branch or commit" if key == "rev" else "a folder or an address"
        return scope.text(key, node, expected)
    text = scope.text(key, node, "duckdb:PATH")
    backend, colon, path = (text or "").partition(":")
    if text is not None and (backend not in BACKENDS or not colon or not path.strip()):
        # Not the text itself, which may hold a password.
        shown = f", not {backend}" if colon and backend.isalnum() and backend not in BACKENDS else ""
        scope.add(node, f"`connect` must be duckdb:PATH{shown}; the backends are: {', '.join(BACKENDS)}")
    return text


def _sql(node: Node, scope: Scope, variables: Variables) -> tuple[str | None, Mapping[str, str]]:
    if not isinstance(node, Scalar) or not isinstance(node.value, str) or not node.raw.strip():
        scope.wrong("sql", node, 'a query, such as "SELECT * FROM visits"')
        return None, {}
    return variables.bind(node, scope.where, "sql")


def _needs_rows(table: Table, scope: Scope) -> None:
    """Note what asks for rows, which a profile has none of."""
    if scope.where != "data.reference":
        scope.add(table.marks["profile"], "a profile can only be the reference: this dataset needs rows")
    for key in _COMMON:
        if key in table.items:
            scope.add(
                table.marks[key],
                f"`{key}` is for rows, and a profile holds none: `readmit baseline --suite` applies it",
            )


def _contradictions(table: Table, scope: Scope) -> None:
    """Note what a query lacks, or has no use for: its types are the database's own."""
    if "connect" not in table.items:
        scope.add(table, "missing `connect`; write connect: duckdb:PATH")
    read = table.items.get("read")
    for key in read.items if isinstance(read, Table) else ():
        if key != "types":
            scope.add(table.marks["read"], f"`read.{key}` is for files; a query has types of its own")


def _where(node: Node, scope: Scope, variables: Variables) -> dict[str, Any]:
    if not isinstance(node, Scalar) or not isinstance(node.value, str) or not node.raw.strip():
        scope.wrong("where", node, 'a condition in SQL, such as "age >= 18"')
        return {}
    text, bound = variables.bind(node, scope.where)
    return {"where": text, "where_parameters": bound}


def _read(node: Node, scope: Scope) -> dict[str, Any] | None:
    table = scope.table("read", node, f"a mapping with any of {', '.join(_READ)}")
    if table is None:
        return None
    inner = Scope(f"{scope.where}.read", scope.problems)
    found: dict[str, Any] = {}
    for key, item in inner.closed(table, _READ):
        found[key] = _read_option(key, item, inner)
    return {key: value for key, value in found.items() if value is not None}


def _read_option(key: str, node: Node, scope: Scope) -> Any:
    if key == "format":
        return scope.choice(key, node, FORMATS)
    if key == "delimiter":
        if isinstance(node, Scalar) and len(node.text) == 1:
            return node.text
        return scope.wrong(key, node, "one character, such as ';'")
    if key == "header":
        if isinstance(node, Scalar) and isinstance(node.value, bool):
            return node.value
        return scope.wrong(key, node, "true or false")
    if key == "encoding":
        return scope.text(key, node, "the name of an encoding, such as latin-1")
    if key == "null_values":
        return _null_values(node, scope)
    return _types(node, scope)


def _null_values(node: Node, scope: Scope) -> list[str] | None:
    """Return texts that stand for a missing value, as written: ``-999`` is as good as ``'-999'``."""
    items = node.items if isinstance(node, Listing) else [node]
    found = [item.text for item in items if isinstance(item, Scalar)]
    if len(found) == len(items):
        return found
    scope.wrong("null_values", node, "a text or a list of texts, such as [NA, '?']")
    return None


def _types(node: Node, scope: Scope) -> dict[str, str] | None:
    table = scope.table("types", node, "a mapping from column to kind")
    if table is None:
        return None
    found = {name: scope.choice(f"types.{name}", item, KINDS) for name, item in table.items.items()}
    return {name: kind for name, kind in found.items() if kind is not None}


def _rename(node: Node, scope: Scope) -> dict[str, str] | None:
    renamed = scope.mapping_of_text("rename", node, "a mapping from old to new name")
    table = node if isinstance(node, Table) else None
    taken: dict[str, str] = {}
    for old, new in (renamed or {}).items():
        other = taken.setdefault(new, old)
        if other != old and table:
            shown = table.items[old].shown
            scope.add(table.marks[old], f"`rename` gives {other!r} and {old!r} the same name {shown}")
    return renamed


def _matured(node: Node, scope: Scope) -> dict[str, str] | None:
    table = scope.table("matured", node, "a mapping with horizon and index_time")
    if table is None:
        return None
    inner = Scope(f"{scope.where}.matured", scope.problems)
    known = ("horizon", "index_time")
    found: dict[str, str | None] = {}
    for key, item in inner.closed(table, known):
        found[key] = (
            inner.duration(key, item) if key == "horizon" else inner.text(key, item, "a column's name")
        )
    for key in known:
        if key not in table.items:
            inner.add(table, f"missing `{key}`")
    return {key: value for key, value in found.items() if value is not None}


def source_of(given: Any) -> Source:
    """Return the source of a model that a check's parameters hold: a path, or a mapping as in `models`."""
    if isinstance(given, str):
        return Source(kind="path", value=given)
    kind = next(key for key in given if key in _MODEL_KINDS)
    options = {key: value for key, value in given.items() if key != kind}
    return Source(kind=kind, value=str(given[kind]), options=options)


def read_models(node: Node, scope: Scope) -> dict[str, Source]:
    """Return the models of `models`; only their form is checked here."""
    table = scope.table("models", node, "a mapping from a model's name to its source")
    found: dict[str, Source] = {}
    for name, item in table.items.items() if table else ():
        source = read_model(item, Scope(f"models.{name}", scope.problems))
        if source:
            found[name] = source
    return found


def read_model(node: Node, scope: Scope) -> Source | None:
    """Return one model's source."""
    if isinstance(node, Scalar):
        path = scope.text("path", node, "a path or a mapping such as {score: COLUMN}")
        return None if path is None else Source(kind="path", value=path, line=node.line, column=node.column)
    if not isinstance(node, Table):
        scope.add(node, f"a model is a path or a mapping such as {{score: COLUMN}}, not {node.shown}")
        return None
    kind = _kind(node, scope, _MODEL_KINDS, _MODEL_KINDS)
    if kind is None:
        return None
    options: dict[str, Any] = {}
    value = ""
    for key, item in scope.closed(node, (kind, *_MODEL_OPTIONS)):
        if key == kind:
            value = scope.text(key, item) or ""
        elif key in _REVISION:
            if key not in OPTIONS.get(kind, ()):
                scope.add(
                    node.marks[key], f"`{key}` is for git and dvc; a {kind} has no revisions of its own"
                )
            options[key] = _option(key, item, scope)
        else:
            options[key] = item.plain
    return Source(kind=kind, value=value, options=options, line=node.line, column=node.column)
