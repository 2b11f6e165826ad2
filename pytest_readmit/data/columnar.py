"""Open Parquet and JSON Lines in the engine: their own column names, types, and where to select from."""

# ruff: noqa: S608
# Queries name columns by quoted identifiers and files by quoted literals.

from collections.abc import Sequence
from dataclasses import dataclass

from pytest_readmit.data.engine import Engine, EngineRefusal, identifier, literal
from pytest_readmit.data.paths import Files
from pytest_readmit.errors import DataError

MOST_CELLS_IN_MEMORY = 2_000_000


@dataclass(frozen=True, slots=True)
class Opened:
    """
    Columns that the engine can select.

    Args:
        origin: What to select from.
        names: As the file calls them.
        sql: As the engine calls them; it renames what differs in letter case alone.
        types: The engine's types.
    """

    origin: str
    names: tuple[str, ...]
    sql: tuple[str, ...]
    types: tuple[str, ...]


def open_parquet(engine: Engine, files: Files) -> Opened:
    """
    Open Parquet files; a small table is held in memory, a large one is read a column at a time.

    Raises:
        DataError: A part is damaged, or has other columns than the first.
    """
    schemas = [
        _schema(engine, path, shown) for path, shown in zip(engine.files, _part_names(files), strict=True)
    ]
    names = [name for name, _ in schemas[0]]
    for schema, shown in zip(schemas, _part_names(files), strict=True):
        if [name for name, _ in schema] != names:
            raise DataError(f"{shown} has other columns than the first part of {files.shown}")
    parts = ", ".join(literal(path) for path in engine.files)
    # Parts that hold a column as different types (all missing, say) are read as what holds both.
    by_name = "true" if any(schema != schemas[0] for schema in schemas) else "false"
    origin = f"read_parquet([{parts}], hive_partitioning=false, union_by_name={by_name})"
    try:
        described = engine.rows(f"DESCRIBE SELECT * FROM {origin}")
        rows = int(engine.rows(f"SELECT count(*) FROM {origin}")[0][0])
    except EngineRefusal:
        raise DataError(f"{files.shown} cannot be read as Parquet; its parts may disagree on types") from None
    if rows * len(names) <= MOST_CELLS_IN_MEMORY:
        origin = _in_memory(engine, origin)
    return Opened(
        origin,
        tuple(names),
        tuple(identifier(str(row[0])) for row in described),
        tuple(str(row[1]) for row in described),
    )


def _in_memory(engine: Engine, origin: str) -> str:
    """Hold a table, so that a wide file's footer is parsed once; where a page is damaged, leave it be."""
    try:
        engine.run(f"CREATE TABLE data AS SELECT * FROM {origin}")
    except EngineRefusal:
        return origin
    return "data"


def _part_names(files: Files) -> list[str]:
    if files.root is None:
        return [files.shown]
    return [f"{files.shown} ({path.name})" for path in files.paths]


def _schema(engine: Engine, path: str, shown: str) -> list[tuple[str, str]]:
    """Return name and physical type of each column of a part."""
    query = f"SELECT name, num_children, type, logical_type FROM parquet_schema({literal(path)})"
    try:
        listed = engine.rows(query)
    except EngineRefusal:
        raise DataError(f"{shown} is a damaged Parquet file; fetch it again") from None
    return _top_level(listed)


def _top_level(listed: Sequence[tuple[str, int | None, str | None, str | None]]) -> list[tuple[str, str]]:
    """Return the root's own children from a schema listed depth first."""
    found: list[tuple[str, str]] = []
    inside = 0
    for name, children, physical, logical in listed[1:]:
        if inside == 0:
            found.append((name, f"{physical} {logical}"))
        else:
            inside -= 1
        inside += children or 0
    return found


def open_json(engine: Engine, files: Files) -> Opened:
    """
    Load JSON Lines as the engine's table ``data``; types are decided over the whole file.

    Raises:
        DataError: A line is no object.
    """
    parts = ", ".join(literal(path) for path in engine.files)
    try:
        engine.run(
            f"CREATE TABLE data AS SELECT * FROM read_json([{parts}], format='newline_delimited', "
            "sample_size=-1, union_by_name=true, convert_strings_to_integers=false, "
            "hive_partitioning=false)"
        )
    except EngineRefusal:
        raise DataError(f"{files.shown} is not JSON Lines: one object a line") from None
    described = engine.rows("DESCRIBE data")
    names = tuple(str(row[0]) for row in described)
    return Opened("data", names, tuple(map(identifier, names)), tuple(str(row[1]) for row in described))
