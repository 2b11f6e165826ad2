"""The answer of one query on a database file, asked once in the locked engine."""

# ruff: noqa: S608
# Queries name columns c0, c1, ...; the suite's own query has passed its check.

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_readmit.data.engine import Engine, EngineRefusal
from pytest_readmit.data.files import FileTable, held_columns, renamed
from pytest_readmit.data.paths import unique_names
from pytest_readmit.data.versions import Digest
from pytest_readmit.errors import DataError, did_you_mean

BACKENDS = ("duckdb",)
_ANSWER = "memory.main.answer"
_BATCH = 20_000
_TABLE_FUNCTIONS = ("generate_series", "range", "unnest")
_CLOCKS = ("current_timestamp", "current_date", "current_time", "localtime", "localtimestamp")


class QueryTable(FileTable):
    """
    The rows that a query answers with, in an order that depends on nothing but themselves.

    Args:
        query: One SELECT, with ``$NAME`` for bound values.
        connect: ``duckdb:PATH``.
        base: The folder that a relative path starts from.
        parameters: The bound values.
        rename: Old names to new ones.
    """

    def __init__(
        self,
        query: str,
        connect: str,
        base: Path,
        parameters: Mapping[str, str],
        rename: Mapping[str, str],
    ) -> None:
        path, self.shown = _database(connect, base)
        self.version = None
        self._origin = _ANSWER
        self._engine = Engine((), self.shown, database=path)
        try:
            names, types = self._ask(query, parameters)
            columns = renamed(unique_names(names, self.shown), rename, self.shown)
            self._held = dict(zip(columns, held_columns(types), strict=True))
            self._rows = int(self._engine.rows(f"SELECT count(*) FROM {_ANSWER}")[0][0])
        except BaseException:
            self._engine.close()
            raise
        self._digest = Digest(lambda: self._sha256(columns, types))

    def _ask(self, query: str, parameters: Mapping[str, str]) -> tuple[list[str], list[str]]:
        """Run the query once; return its columns' names and types."""
        engine = self._engine
        query = query.strip().removesuffix(";")
        named = _check_query(engine, query, parameters, self.shown)
        used = {name: value for name, value in parameters.items() if name in named}
        try:
            engine.run("USE source")
            described = engine.rows(f"DESCRIBE {query}", used)
            names, types = [str(row[0]) for row in described], [str(row[1]) for row in described]
            columns = ", ".join(f"c{i}" for i in range(len(names)))
            engine.run(
                f"CREATE TABLE {_ANSWER} AS SELECT * FROM ({query}\n) AS asked({columns}) ORDER BY ALL", used
            )
            engine.run("USE memory")
            engine.run("DETACH source")
        except EngineRefusal as refusal:
            raise DataError(f"{self.shown}: {self._why(refusal.kind)}") from None
        return names, types

    def _why(self, kind: str) -> str:
        if kind == "CatalogException":
            tables = ", ".join(
                str(row[0])
                for row in self._engine.rows(
                    "SELECT table_name FROM duckdb_tables() WHERE database_name = 'source' UNION "
                    "SELECT view_name FROM duckdb_views() WHERE database_name = 'source' AND NOT internal "
                    "ORDER BY 1 LIMIT 20"
                )
            )
            return f"sql names a table or function that the database lacks (its tables: {tables or 'none'})"
        if kind == "BinderException":
            return "sql names a column that its tables lack, or compares or bounds types that do not fit"
        if kind == "PermissionException":
            return "sql may read the database that connect: names, and no other file"
        return f"sql could not be answered ({kind}); are its values of the types that it casts them to?"

    def _sha256(self, names: Sequence[str], types: Sequence[str]) -> str:
        """Return the sha256 over names, types and rows; how rows are stored or ordered plays no part."""
        digest = hashlib.sha256(json.dumps([list(names), list(types)]).encode())
        texts = (f"CAST(c{i} AS VARCHAR)" for i in range(len(names)))
        # Each value with its length, so that no value can stand for another or for a missing one.
        parts = ", ".join(f"coalesce(length({text}) || ':' || {text}, '-')" for text in texts)
        cursor = self._engine.run(f"SELECT concat({parts}) FROM {_ANSWER}")
        while rows := cursor.fetchmany(_BATCH):
            digest.update("\n".join(row[0] for row in rows).encode("utf-8", "surrogatepass"))
        return digest.hexdigest()


def _database(connect: str, base: Path) -> tuple[Path, str]:
    """Return a database's file, and how messages name it."""
    backend, colon, place = connect.partition(":")
    if not colon or backend not in BACKENDS:
        raise DataError(unknown_backend(backend if colon else ""))
    path, shown = Path(base / place), f"sql on {backend}:{place}"
    if not place.strip() or path.is_dir():
        raise DataError(f"{shown}: connect names no file; write connect: duckdb:PATH")
    if not path.is_file():
        folder = path.parent
        hint = did_you_mean(path.name, (each.name for each in folder.iterdir())) if folder.is_dir() else ""
        raise DataError(f"{shown}: there is no such file{hint}")
    return path, shown


def unknown_backend(name: str) -> str:
    """Return what is wrong with a `connect:`; its own text could hold a password."""
    said = f"{name!r} is no backend of this version" if name.isalnum() else "it names no backend"
    return f"connect: {said}; there is {', '.join(BACKENDS)}: write connect: duckdb:PATH"


def _check_query(engine: Engine, query: str, parameters: Mapping[str, str], shown: str) -> set[str]:
    """Return the bound values that a query uses; refuse what is not one query with the same answer always."""
    try:
        answer = engine.rows("SELECT json_serialize_sql(?::VARCHAR)", [query])
        parsed = json.loads(answer[0][0])
    except (EngineRefusal, ValueError):
        raise DataError(f"{shown}: sql could not be parsed") from None
    if parsed.get("error") or len(parsed.get("statements", ())) != 1:
        raise DataError(f"{shown}: sql is one SELECT; it could not be parsed as such")
    unsteady = {
        str(row[0])
        for row in engine.rows("SELECT function_name FROM duckdb_functions() WHERE stability <> 'CONSISTENT'")
    }
    used: set[str] = set()
    for node in _nodes(parsed):
        kind = node.get("class")
        name = str(node.get("function_name", "")).lower()
        clock = kind == "COLUMN_REF" and ".".join(node["column_names"]).lower() in _CLOCKS
        if node.get("sample") or clock or (kind == "FUNCTION" and name in unsteady):
            raise DataError(f"{shown}: sql may not ask for chance, the clock or the session's own state")
        if node.get("type") == "TABLE_FUNCTION":
            called = str((node.get("function") or {}).get("function_name", "")).lower()
            if called not in _TABLE_FUNCTIONS:
                raise DataError(f"{shown}: sql may not read from the function {called!r}; name a table")
        if kind == "PARAMETER":
            used.add(_bound(str(node.get("identifier")), parameters, shown))
    return used


def _bound(name: str, parameters: Mapping[str, str], shown: str) -> str:
    if name not in parameters:
        raise DataError(f"{shown}: sql uses ${name}; write ${{{name}}} and set it by --readmit-set")
    return name


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    pending = [tree]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            yield item
            pending.extend(item.values())
        elif isinstance(item, list):
            pending.extend(item)
