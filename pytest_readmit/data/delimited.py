"""Read CSV and TSV into the engine: its header as it stands, each column's type over the whole file."""


# ruff: noqa: S608
# Queries name columns c0, c1, ...; file names are quoted literals and `where:` has passed its check.

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_readmit.data.engine import Engine, EngineRefusal, literal
from pytest_readmit.data.paths import Files, unique_names
from pytest_readmit.data.table import Family
from pytest_readmit.errors import DataError, did_you_mean

NULLS = ("", "NA", "N/A", "NaN", "nan", "NULL", "null", "<NA>")
_DELIMITERS = (",", "\t", ";", "|")
_SAMPLE = 2000
_SQL_TYPES: dict[Family, str] = {
    "bool": "BOOLEAN",
    "integer": "BIGINT",
    "float": "DOUBLE",
    "time": "TIMESTAMP",
    "text": "VARCHAR",
}
_KINDS: dict[str, Family] = {"numerical": "float", "categorical": "text", "time": "time"}
_TRUTHS = "('true', 'false', 'True', 'False', 'TRUE', 'FALSE')"


@dataclass(frozen=True, slots=True)
class Loaded:
    """The columns of the engine's table `data`, whose own names are c0, c1, ..."""

    names: tuple[str, ...]
    types: tuple[str, ...]
    families: tuple[Family, ...]
    misfits: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Found:
    """What a pass over a text column counted; `fits` has the values that each family holds."""

    values: int
    padded: int
    fits: Mapping[Family, int]


def load_delimited(
    engine: Engine,
    files: Files,
    read: Mapping[str, Any],
    rename: Mapping[str, str],
    families: Mapping[str, Family],
) -> Loaded:
    """
    Load delimited files as the engine's table ``data``.

    Args:
        engine: Opened for these files.
        files: The parts; all with the same header.
        read: The suite's `read:`.
        rename: Old names to new ones.
        families: Families decided on the reference, by (new) name.

    Raises:
        DataError: Header, lines or encoding are not what they should be.
    """
    paths = _as_utf8(engine, files, read.get("encoding"))
    delimiter = _delimiter(engine, files, paths[0], read.get("delimiter"))
    header = read.get("header", True)
    names = _header(engine, files, paths, delimiter, header=bool(header))
    names = _apply(names, rename, files.shown)
    origin = _origin(paths, len(names), delimiter, read.get("null_values"), header=bool(header))
    # What is not known here is refused where kinds are given out; this only reads by it.
    given = {name: _KINDS[kind] for name, kind in dict(read.get("types") or {}).items() if kind in _KINDS}
    wanted = {**families, **given}
    try:
        decided = _decide(engine, origin, names, wanted)
        casts = ", ".join(_cast(i, family) for i, (family, _) in enumerate(decided))
        engine.run(f"CREATE TABLE data AS SELECT {casts} FROM {origin}")
    except EngineRefusal:
        raise DataError(
            f"{files.shown} cannot be read as delimited text: a line has more or fewer fields than the "
            "header, a quote is not closed, its lines end in different ways (CRLF and LF), or the encoding "
            "is not the one named in read: {encoding: ...}"
        ) from None
    return Loaded(
        names,
        tuple(_SQL_TYPES[family] for family, _ in decided),
        tuple(family for family, _ in decided),
        tuple(misfits for _, misfits in decided),
    )


def _as_utf8(engine: Engine, files: Files, encoding: Any) -> list[str]:
    """Return names of UTF-8 files, writing private copies where another encoding is named."""
    if encoding is None or str(encoding).lower().replace("_", "-") in ("utf-8", "utf8", "utf-8-sig"):
        return engine.files
    import gzip

    try:
        "a".encode(str(encoding))  # refuses also what is a codec but no encoding of text, such as rot13
    except (LookupError, UnicodeError):
        raise DataError(f"{files.shown}: unknown encoding {str(encoding)!r}") from None
    copies = []
    for position, path in enumerate(files.paths):
        if path.suffix.lower() == ".zst":
            raise DataError(f"{files.shown}: .zst files must be UTF-8; recode them or use .gz")
        copy = engine.folder / f"utf8-{position:06d}.csv"
        opener = gzip.open if path.suffix.lower() == ".gz" else Path.open
        try:
            with (
                opener(path, "rt", encoding=str(encoding), newline="") as source,
                copy.open("w", encoding="utf-8", newline="") as target,
            ):
                while block := source.read(1 << 20):
                    target.write(block)
        except (UnicodeError, EOFError, gzip.BadGzipFile):
            raise DataError(f"{files.shown} is not encoded as {encoding}") from None
        copies.append(str(copy))
    return copies


def _first_line(engine: Engine, path: str, shown: str) -> str:
    # Strictly, a line break of another kind inside a quoted field further down would be refused here.
    try:
        rows = engine.rows(
            f"SELECT line FROM read_csv({literal(path)}, auto_detect=false, header=false, delim='\x01', "
            "quote='', escape='', strict_mode=false, columns={'line': 'VARCHAR'}) LIMIT 1"
        )
    except EngineRefusal:
        raise DataError(
            f"{shown} is not UTF-8 text; name its encoding with read: {{encoding: latin-1}}"
        ) from None
    return str(rows[0][0]) if rows and rows[0][0] is not None else ""


def _delimiter(engine: Engine, files: Files, path: str, wanted: Any) -> str:
    if wanted is not None:
        text = {"\\t": "\t", "tab": "\t"}.get(str(wanted), str(wanted))
        if len(text) != 1:
            raise DataError(f"{files.shown}: the delimiter must be one character")
        return text
    if files.format == "tsv":
        return "\t"
    line = _first_line(engine, path, files.shown)
    bare = "".join(part for i, part in enumerate(line.split('"')) if i % 2 == 0)
    return max(_DELIMITERS, key=bare.count)


def _fields(line: str, delimiter: str) -> list[str]:
    fields = next(csv.reader([line], delimiter=delimiter), [])
    return [field.strip() for field in fields]


def _header(
    engine: Engine, files: Files, paths: Sequence[str], delimiter: str, *, header: bool
) -> tuple[str, ...]:
    found: list[str] | None = None
    for position, path in enumerate(paths):
        fields = _fields(_first_line(engine, path, files.shown), delimiter)
        if not header:
            fields = [f"column{i}" for i in range(len(fields))]
        if found is not None and fields != found:
            raise DataError(
                f"{files.shown} ({files.paths[position].name}) has other columns than the first part"
            )
        found = fields
    if not found or not any(found):
        raise DataError(f"{files.shown} has no header line")
    # An index written without a name is common; it gets the name that pandas would give it.
    named = [name or f"Unnamed: {i}" for i, name in enumerate(found)]
    return unique_names(named, files.shown)


def _apply(names: tuple[str, ...], rename: Mapping[str, str], shown: str) -> tuple[str, ...]:
    for old in rename:
        if old not in names:
            raise DataError(f"{shown}: rename names {old!r}, which is no column{did_you_mean(old, names)}")
    return unique_names([rename.get(name, name) for name in names], shown)


def _origin(paths: Sequence[str], width: int, delimiter: str, nulls: Any, *, header: bool) -> str:
    listed = ", ".join(literal(path) for path in paths)
    columns = ", ".join(f"'c{i}': 'VARCHAR'" for i in range(width))
    tokens = NULLS if nulls is None else ("", *(str(token) for token in nulls))
    missing = ", ".join(literal(token) for token in dict.fromkeys(tokens))
    return (
        f"read_csv([{listed}], auto_detect=false, header={str(header).lower()}, delim={literal(delimiter)}, "
        f"quote='\"', escape='\"', nullstr=[{missing}], columns={{{columns}}}, hive_partitioning=false)"
    )


# Zip and ICD codes: a leading zero before a digit carries meaning that a number would lose.
_PADDED = "count(*) FILTER (WHERE {0} >= '00' AND {0} < '0:')"


def _fit(column: str, family: Family) -> str:
    """Return SQL that counts the values of a column that a family holds."""
    if family == "bool":
        return f"count(*) FILTER (WHERE {column} IN {_TRUTHS})"
    if family == "time":
        return f"count(TRY_CAST({column} AS TIMESTAMPTZ))"
    if family == "integer":
        # A cast to BIGINT would round 1.5: whole numbers are those written without point or exponent.
        return (
            f"count(*) FILTER (WHERE TRY_CAST({column} AS BIGINT) IS NOT NULL "
            f"AND NOT contains({column}, '.') AND NOT contains(lower({column}), 'e'))"
        )
    return f"count(TRY_CAST({column} AS DOUBLE))"


def _count(engine: Engine, origin: str, wanted: Mapping[int, Sequence[Family]]) -> dict[int, _Found]:
    parts = [
        sql
        for i, families in wanted.items()
        for sql in (
            f"count(c{i})",
            _PADDED.format(f"c{i}"),
            *(_fit(f"c{i}", family) for family in families),
        )
    ]
    if not parts:
        return {}
    answer = iter(engine.rows(f"SELECT {', '.join(parts)} FROM {origin}")[0])
    found = {}
    for i, families in wanted.items():
        values, padded = int(next(answer)), int(next(answer))
        fits = {family: int(next(answer)) for family in families}
        found[i] = _Found(values, padded, fits)
    return found


_GUESSES: tuple[Family, ...] = ("bool", "integer", "float", "time")


def _decide(
    engine: Engine, origin: str, names: Sequence[str], wanted: Mapping[str, Family]
) -> list[tuple[Family, int]]:
    """Return each column's family and how many values do not fit it."""
    fixed = {i: wanted[name] for i, name in enumerate(names) if name in wanted}
    rows, first = _sampled(engine, origin, len(names))
    checks: dict[int, Sequence[Family]] = {
        i: _checks_of(fixed[i])
        if i in fixed
        else tuple(family for family in _GUESSES if _holds(first[i], family))
        for i in range(len(names))
    }
    wide = {i: families for i, families in checks.items() if families}
    counted = {i: first[i] for i in wide} if rows < _SAMPLE else _count(engine, origin, wide)
    return [_family(i, fixed.get(i), counted) for i in range(len(names))]


def _sampled(engine: Engine, origin: str, width: int) -> tuple[int, dict[int, _Found]]:
    """
    Count in the first lines what each column holds; returns also how many lines there were.

    The columns are stacked, as the engine takes longer to plan six counts of each than to make them.
    """
    columns = ", ".join(f"c{i}" for i in range(width))
    fits = ", ".join(_fit("v", family) for family in _GUESSES)
    found = engine.rows(
        f"SELECT name, count(*), count(v), {_PADDED.format('v')}, {fits} FROM (SELECT * FROM {origin} "
        f"LIMIT {_SAMPLE}) UNPIVOT INCLUDE NULLS (v FOR name IN ({columns})) GROUP BY name"
    )
    by_column = {
        int(row[0][1:]): _Found(int(row[2]), int(row[3]), dict(zip(_GUESSES, map(int, row[4:]), strict=True)))
        for row in found
    }
    nothing = _Found(0, 0, dict.fromkeys(_GUESSES, 0))
    rows = int(found[0][1]) if found else 0
    return rows, {i: by_column.get(i, nothing) for i in range(width)}


def _family(i: int, fixed: Family | None, counted: Mapping[int, _Found]) -> tuple[Family, int]:
    if i not in counted:
        return "text", 0
    found = counted[i]
    if fixed is not None:
        family: Family = fixed
        if fixed in ("integer", "float"):
            family = "integer" if found.fits["integer"] == found.values else "float"
        return family, found.values - found.fits[family]
    if found.values == 0:
        return "text", 0
    return next((family for family in _GUESSES if family in found.fits and _holds(found, family)), "text"), 0


def _holds(found: _Found, family: Family) -> bool:
    if family in ("integer", "float") and found.padded:
        return False
    return found.fits[family] == found.values


def _checks_of(family: Family) -> tuple[Family, ...]:
    """Return what to count for a column whose family is given: any number fits a column of numbers."""
    if family in ("integer", "float"):
        return ("integer", "float")
    return (family,) if family in ("bool", "time") else ()


def _cast(i: int, family: Family) -> str:
    """
    Return SQL that turns column i into its family, NULL where it does not fit.

    The engine may hand a bare cast down to its CSV reader, where what does not fit stops everything;
    an empty field is missing already, so nullif() changes nothing but that.
    """
    if family == "text":
        return f"c{i}"
    if family == "time":
        # A cast to TIMESTAMP would drop an offset such as +02:00; this turns it into UTC.
        return f"make_timestamp(epoch_us(TRY_CAST(nullif(c{i}, '') AS TIMESTAMPTZ))) AS c{i}"
    return f"TRY_CAST(nullif(c{i}, '') AS {_SQL_TYPES[family]}) AS c{i}"
