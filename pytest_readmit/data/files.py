"""Tables in files: Parquet, CSV, JSON Lines through the engine, Arrow through pyarrow."""


# ruff: noqa: S608
# Queries name columns c0, c1, ...; file names are quoted literals and `where:` has passed its check.

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pytest_readmit.data.columnar import open_json, open_parquet
from pytest_readmit.data.delimited import load_delimited
from pytest_readmit.data.engine import Engine, EngineRefusal, identifier
from pytest_readmit.data.paths import Files, unique_names
from pytest_readmit.data.table import (
    Codes,
    Counts,
    Family,
    Numbers,
    codes_of_numbers,
    codes_of_times,
    counts_of_codes,
    days,
)
from pytest_readmit.data.versions import Digest, sha256_files
from pytest_readmit.errors import DataError, counted

_INTEGERS = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"}
_FLOATS = {"FLOAT", "DOUBLE"}
_WIDE = {"HUGEINT", "UHUGEINT"}
_TIMES = {"DATE", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS", "TIMESTAMP WITH TIME ZONE"}


@dataclass(frozen=True, slots=True)
class _Held:
    """A column as the engine holds it: `sql` is its name there, `misfits` the values that did not fit."""

    sql: str
    type: str
    family: Family
    misfits: int = 0


class FileTable:
    """
    Rows in files, read one column at a time.

    Args:
        files: What `find_files` found.
        read: The suite's `read:`.
        rename: Old names to new ones.
        families: The families decided on the reference, for files whose types are guessed.
    """

    __readmit_injected__ = None
    fresh = True
    version: str | None
    _discard: Callable[[], None] | None = None

    def __init__(
        self,
        files: Files,
        read: Mapping[str, Any],
        rename: Mapping[str, str],
        families: Mapping[str, Family] | None = None,
    ) -> None:
        self.shown = files.shown
        self.version = files.version
        self._discard = files.discard
        self._digest = Digest(lambda: sha256_files(files.paths, files.root)).start()
        self._engine = Engine(files.paths, files.shown)
        self._origin = "data"
        try:
            names, held = self._open(files, read, rename, families or {})
            self._held = dict(zip(names, held, strict=True))
            self._rows = int(self._engine.rows(f"SELECT count(*) FROM {self._origin}")[0][0])
        except BaseException:
            self._engine.close()
            raise

    def _open(
        self,
        files: Files,
        read: Mapping[str, Any],
        rename: Mapping[str, str],
        families: Mapping[str, Family],
    ) -> tuple[tuple[str, ...], list[_Held]]:
        if files.format in ("csv", "tsv"):
            loaded = load_delimited(self._engine, files, read, rename, families)
            return loaded.names, held_columns(loaded.types, loaded.families, loaded.misfits)
        found = (open_parquet if files.format == "parquet" else open_json)(self._engine, files)
        self._origin = found.origin
        names = renamed(unique_names(found.names, self.shown), rename, self.shown)
        typed = zip(found.sql, found.types, strict=True)
        return names, [_Held(sql, kind, family_of(kind)) for sql, kind in typed]

    @property
    def names(self) -> tuple[str, ...]:
        """The columns, in order."""
        return tuple(self._held)

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return self._rows

    def family(self, name: str) -> Family:
        """Return what kind of values a column holds."""
        return self._held[name].family

    def type_name(self, name: str) -> str:
        """Return the engine's type."""
        return self._held[name].type

    def misfits(self, name: str) -> int:
        """Return how many values did not fit the type decided on the reference."""
        return self._held[name].misfits

    def note(self, name: str) -> str | None:  # noqa: ARG002 - files hold one type a column
        """Return None: a file's columns are read as what they are."""
        return None

    def numbers(self, name: str) -> Numbers:
        """Return a column as numbers; a text that is none is a DataError that counts them."""
        held = self._held[name]
        self._refuse_nested(name)
        if held.family == "time":
            return Numbers(days(self.times(name)))
        if held.family == "text":
            return Numbers(self._parsed(name, "DOUBLE", "numbers"))
        return _numbers(self._array(_number_sql(held)))

    def times(self, name: str) -> np.ndarray:
        """Return a column as datetime64[us], NaT where missing."""
        held = self._held[name]
        if held.family == "text":
            self._refuse_misfits(name, "TIMESTAMPTZ", "dates (write them as YYYY-MM-DD)")
            return _times(self._array(f"epoch_us(TRY_CAST({held.sql} AS TIMESTAMPTZ))"))
        if held.family != "time":
            raise DataError(f"{self.shown}: column {name!r} holds no dates")
        return _times(self._array(f"epoch_us({held.sql})"))

    def codes(self, name: str) -> Codes:
        """Return a column as codes of its text levels."""
        held = self._held[name]
        self._refuse_nested(name)
        if held.family == "time":
            return codes_of_times(self.times(name))
        if held.family != "text":
            return codes_of_numbers(self.numbers(name), held.family)
        levels, hashes, _, _ = self._levels(held)
        order = np.argsort(hashes)
        keys = self._array(f"hash(CAST({held.sql} AS VARCHAR))").astype(np.uint64)
        codes = _located(keys, hashes[order], order)
        if len(np.unique(hashes)) != len(hashes):
            raise DataError(f"{self.shown}: the levels of column {name!r} could not be told apart")
        return Codes(codes, levels)

    def counts(self, name: str) -> Counts:
        """Return the levels of a column with their counts."""
        held = self._held[name]
        if held.family != "text":
            return counts_of_codes(self.codes(name))
        levels, _, counts, missing = self._levels(held)
        return Counts(levels, counts, missing)

    def _levels(self, held: _Held) -> tuple[tuple[str, ...], np.ndarray, np.ndarray, int]:
        """Return sorted levels, their hashes, their counts and the rows without one."""
        found = self._engine.arrays(
            f"SELECT level, hash(level) AS key, count(*) AS n "
            f"FROM (SELECT CAST({held.sql} AS VARCHAR) AS level FROM {self._origin}) "
            "GROUP BY level ORDER BY level NULLS LAST"
        )
        absent = np.ma.getmaskarray(found["level"])
        missing = int(np.asarray(found["n"])[absent].sum())
        texts = np.ma.getdata(found["level"])[~absent]
        return (
            tuple(str(text) for text in texts),
            np.asarray(found["key"])[~absent].astype(np.uint64),
            np.asarray(found["n"])[~absent].astype(np.int64),
            missing,
        )

    def _refuse_nested(self, name: str) -> None:
        if self._held[name].family == "other":
            raise DataError(f"{self.shown}: column {name!r} holds nested values")

    def _parsed(self, name: str, kind: str, what: str) -> np.ndarray:
        self._refuse_misfits(name, kind, what)
        return _floats(self._array(f"TRY_CAST({self._held[name].sql} AS {kind})"))

    def _refuse_misfits(self, name: str, kind: str, what: str) -> None:
        sql = self._held[name].sql
        query = f"SELECT count({sql}), count(TRY_CAST({sql} AS {kind})) FROM {self._origin}"
        found = self._engine.rows(query)[0]
        if found[0] != found[1]:
            bad = found[0] - found[1]
            raise DataError(
                f"{self.shown}: column {name!r}: {counted(bad)} of {counted(found[0])} values are not {what}"
            )

    def _array(self, sql: str) -> np.ndarray:
        found: np.ndarray = self._engine.arrays(f"SELECT {sql} AS v FROM {self._origin}")["v"]
        return found

    def select(self, expression: str, columns: Sequence[str], parameters: Mapping[str, str]) -> np.ndarray:
        """Return which rows a checked expression keeps, shape (rows,)."""
        chosen = ", ".join(f"{self._held[name].sql} AS {identifier(name)}" for name in columns) or "1 AS one"
        origin = f"(SELECT {chosen} FROM {self._origin})"
        return select_rows(self._engine, expression, origin, parameters, self.shown)

    @property
    def engine(self) -> Engine:
        """The engine, to parse an expression with."""
        return self._engine

    def digest(self) -> str | None:
        """Return the sha256 of the files' bytes."""
        return self._digest.result()

    def close(self) -> None:
        """Let go of files and memory."""
        self._engine.close()
        if self._discard is not None:
            self._discard()


def family_of(kind: str) -> Family:
    """Return the family of an engine type."""
    if kind in _INTEGERS:
        return "integer"
    if kind in _FLOATS or kind in _WIDE or kind.startswith("DECIMAL"):
        return "float"
    if kind == "BOOLEAN":
        return "bool"
    if kind in ("VARCHAR", "UUID", "NULL", '"NULL"') or kind.startswith("ENUM"):
        return "text"
    return "time" if kind in _TIMES else "other"


def held_columns(
    types: Sequence[str], families: Sequence[Family] | None = None, misfits: Sequence[int] | None = None
) -> list[_Held]:
    """Return the columns c0, c1, ... of a table in the engine."""
    chosen = families or [family_of(kind) for kind in types]
    columns = zip(types, chosen, misfits or [0] * len(types), strict=True)
    return [_Held(f"c{i}", *column) for i, column in enumerate(columns)]


def renamed(names: Sequence[str], rename: Mapping[str, str], shown: str) -> tuple[str, ...]:
    """
    Return names with the suite's `rename` applied.

    Raises:
        DataError: A name to rename is not there, or the new names clash.
    """
    from pytest_readmit.errors import did_you_mean

    for old in rename:
        if old not in names:
            raise DataError(f"{shown}: rename names {old!r}, which is no column{did_you_mean(old, names)}")
    return unique_names([rename.get(name, name) for name in names], shown)


def select_rows(
    engine: Engine, expression: str, origin: str, parameters: Mapping[str, str], shown: str
) -> np.ndarray:
    """
    Evaluate a checked expression over `origin`; missing counts as false.

    Raises:
        DataError: It cannot be evaluated, or is no yes-or-no question.
    """
    query = f"SELECT ({expression}\n) AS keep FROM {origin}"
    try:
        kept = engine.arrays(query, dict(parameters))["keep"]
    except EngineRefusal as refusal:
        raise DataError(
            f"{shown}: where cannot be evaluated on these columns ({refusal.kind}); "
            "are its texts quoted and its types comparable?"
        ) from None
    if kept.dtype.kind != "b":
        raise DataError(f"{shown}: where is not a yes-or-no question; write a comparison such as age >= 18")
    return np.ma.filled(kept, False).astype(bool)


def _number_sql(held: _Held) -> str:
    if held.family == "bool":
        return f"CAST({held.sql} AS TINYINT)"
    if held.type in _WIDE or held.type.startswith("DECIMAL"):
        return f"CAST({held.sql} AS DOUBLE)"
    return held.sql


def _numbers(array: np.ndarray) -> Numbers:
    if array.dtype.kind == "f":
        return Numbers(_floats(array))
    missing = np.ma.getmask(array)
    data = np.ma.getdata(array)
    return Numbers(data, np.asarray(missing) if missing is not np.ma.nomask else None)


def _floats(array: np.ndarray) -> np.ndarray:
    mask = np.ma.getmask(array)
    data = np.ma.getdata(array).astype(np.float64, copy=False)
    if mask is np.ma.nomask:
        return data
    if not data.flags.writeable:
        data = data.copy()
    data[mask] = np.nan
    return data


def _times(array: np.ndarray) -> np.ndarray:
    mask = np.ma.getmask(array)
    times = np.ma.getdata(array).astype(np.int64).view("datetime64[us]").copy()
    if mask is not np.ma.nomask:
        times[mask] = np.datetime64("NaT", "us")
    return times


def _located(keys: np.ndarray, known: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Return for each key the original position of its equal in `known` (sorted), -1 if there is none."""
    if len(known) == 0:
        return np.full(len(keys), -1, dtype=np.int64)
    at = np.minimum(np.searchsorted(known, keys), len(known) - 1)
    codes: np.ndarray = order[at].astype(np.int64)
    codes[known[at] != keys] = -1
    return codes
