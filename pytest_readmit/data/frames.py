"""Tables in memory: pandas and Arrow frames, and mappings of numpy arrays."""


# ruff: noqa: S608
# Queries name columns c0, c1, ...; file names are quoted literals and `where:` has passed its check.

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from pytest_readmit.data.engine import Engine, identifier
from pytest_readmit.data.files import renamed, select_rows
from pytest_readmit.data.paths import unique_names
from pytest_readmit.data.series import Parsed, parse_array, parse_series
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
from pytest_readmit.data.versions import Digest
from pytest_readmit.errors import DataError, counted


class FrameTable:
    """
    Rows in a frame or in a mapping of arrays.

    Args:
        frame: A pandas or pyarrow frame, anything that offers an Arrow stream, or a mapping from
            name to array.
        shown: How errors name it.
        rename: Old names to new ones.
        digest: How to identify the bytes behind it; None to hash names and values.
        version: The immutable version that it is, if its source has versions.
    """

    __readmit_injected__ = None
    fresh = False

    def __init__(
        self,
        frame: Any,
        shown: str,
        rename: Mapping[str, str],
        *,
        digest: Callable[[], str] | None = None,
        version: str | None = None,
    ) -> None:
        self.shown = shown
        self.version = version
        columns, self._rows = _columns_of(frame, shown)
        names = renamed(unique_names([str(name) for name, _ in columns], shown), rename, shown)
        self._raw = {name: column for name, (_, column) in zip(names, columns, strict=True)}
        self._parsed: dict[str, Parsed] = {}
        self._digest = Digest(digest or self._compute_digest)
        self._engine: Engine | None = None

    def _column(self, name: str) -> Parsed:
        found = self._parsed.get(name)
        if found is None:
            raw = self._raw[name]
            found = parse_array(raw) if isinstance(raw, np.ndarray) else parse_series(raw)
            self._parsed[name] = found
        return found

    @property
    def names(self) -> tuple[str, ...]:
        """The columns, in order."""
        return tuple(self._raw)

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return self._rows

    def family(self, name: str) -> Family:
        """Return what kind of values a column holds."""
        return self._column(name).family

    def type_name(self, name: str) -> str:
        """Return the frame's own name of the type."""
        return str(self._raw[name].dtype)

    def misfits(self, name: str) -> int:  # noqa: ARG002 - a frame's types are its own
        """Return 0: a frame's types are not guessed."""
        return 0

    def note(self, name: str) -> str | None:
        """Return what the user should know about how a column was read."""
        return self._column(name).note

    def numbers(self, name: str) -> Numbers:
        """Return a column as numbers; a text that is none is a DataError that counts them."""
        column = self._column(name)
        if column.family == "time":
            return Numbers(days(self.times(name)))
        if column.family == "text":
            return Numbers(self._parsed_numbers(name))
        if column.family == "other":
            raise DataError(f"{self.shown}: column {name!r} holds values that are no numbers")
        return column.numbers()

    def _parsed_numbers(self, name: str) -> np.ndarray:
        codes = self._column(name).codes()
        values = np.array([_number(level) for level in codes.levels], dtype=object)
        bad_levels = np.array([value is None for value in values], dtype=bool)
        present = codes.codes[codes.codes >= 0]
        bad = int(np.count_nonzero(bad_levels[present])) if len(bad_levels) else 0
        if bad:
            raise DataError(
                f"{self.shown}: column {name!r}: {counted(bad)} of {counted(len(present))} values "
                "are not numbers"
            )
        table = np.append(values.astype(np.float64), np.nan)
        return np.asarray(table[codes.codes])

    def times(self, name: str) -> np.ndarray:
        """Return a column as datetime64[us], NaT where missing."""
        column = self._column(name)
        if column.family == "time":
            return column.times()
        if column.family != "text":
            raise DataError(f"{self.shown}: column {name!r} holds no dates")
        codes = column.codes()
        values = [_time(level) for level in codes.levels]
        bad_levels = np.array([value is None for value in values], dtype=bool)
        present = codes.codes[codes.codes >= 0]
        bad = int(np.count_nonzero(bad_levels[present])) if len(bad_levels) else 0
        if bad:
            raise DataError(
                f"{self.shown}: column {name!r}: {counted(bad)} of {counted(len(present))} values "
                "are not dates "
                "(write them as YYYY-MM-DD)"
            )
        table = np.array([*values, np.datetime64("NaT", "us")], dtype="datetime64[us]")
        return np.asarray(table[codes.codes])

    def codes(self, name: str) -> Codes:
        """Return a column as codes of its text levels."""
        column = self._column(name)
        if column.family == "other":
            raise DataError(f"{self.shown}: column {name!r} holds nested values")
        if column.family == "time":
            return codes_of_times(column.times())
        if column.family == "text":
            return column.codes()
        return codes_of_numbers(column.numbers(), column.family)

    def counts(self, name: str) -> Counts:
        """Return the levels of a column with their counts."""
        return counts_of_codes(self.codes(name))

    def select(self, expression: str, columns: Sequence[str], parameters: Mapping[str, str]) -> np.ndarray:
        """Return which rows a checked expression keeps, shape (rows,)."""
        arrays = {f"c{i}": self._for_engine(name) for i, name in enumerate(columns)}
        arrays = arrays or {"one": np.ones(self._rows, dtype=np.int8)}
        chosen = ", ".join(f"c{i} AS {identifier(name)}" for i, name in enumerate(columns)) or "one"
        self.engine.register("frame", arrays)
        try:
            return select_rows(
                self.engine, expression, f"(SELECT {chosen} FROM frame)", parameters, self.shown
            )
        finally:
            self.engine.unregister("frame")

    def _for_engine(self, name: str) -> np.ndarray:
        family = self.family(name)
        if family == "other":
            raise DataError(f"{self.shown}: where cannot use column {name!r}: it holds nested values")
        if family == "time":
            return self.times(name)
        if family == "text":
            codes = self.codes(name)
            table = np.array([*codes.levels, None], dtype=object)
            return np.asarray(table[codes.codes])
        numbers = self.numbers(name)
        values = numbers.values.astype(bool) if family == "bool" else numbers.values
        absent = numbers.absent
        return np.ma.masked_array(values, mask=absent) if absent.any() else values

    @property
    def engine(self) -> Engine:
        """A locked engine that may read no file at all, opened when it is first needed."""
        if self._engine is None:
            self._engine = Engine((), self.shown)
        return self._engine

    def digest(self) -> str | None:
        """Return the sha256 over names and values."""
        return self._digest.result()

    def _compute_digest(self) -> str:
        digest = hashlib.sha256()
        for name in self._raw:
            digest.update(f"{len(name)}:{name}".encode())
            family = self.family(name)
            digest.update(family.encode())
            if family == "text":
                codes = self.codes(name)
                digest.update("\x00".join(codes.levels).encode("utf-8", "surrogatepass"))
                digest.update(np.ascontiguousarray(codes.codes).tobytes())
            elif family == "time":
                digest.update(np.ascontiguousarray(self.times(name)).tobytes())
            elif family != "other":
                digest.update(np.ascontiguousarray(self.numbers(name).floats()).tobytes())
        return digest.hexdigest()

    def close(self) -> None:
        """Let go of the engine, if one was opened."""
        if self._engine is not None:
            self._engine.close()


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _time(text: str) -> np.datetime64 | None:
    from datetime import UTC, datetime

    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    if found.tzinfo is not None:
        found = found.astimezone(UTC).replace(tzinfo=None)
    return np.datetime64(found, "us")


def _columns_of(frame: Any, shown: str) -> tuple[list[tuple[Any, Any]], int]:
    """Return (name, array or pandas series) pairs and the number of rows."""
    if isinstance(frame, Mapping):
        return _arrays_of(frame, shown)
    if not hasattr(frame, "iloc") and hasattr(frame, "__arrow_c_stream__"):
        frame = _from_arrow(frame)
    if not hasattr(frame, "iloc") or not hasattr(frame, "columns"):
        raise DataError(
            f"{shown} is no table ({type(frame).__name__}); "
            "give a pandas or Arrow frame or a mapping of arrays"
        )
    return [(name, frame.iloc[:, i]) for i, name in enumerate(frame.columns)], len(frame)


def _arrays_of(frame: Mapping[Any, Any], shown: str) -> tuple[list[tuple[Any, Any]], int]:
    columns = [(name, _as_array(values, name, shown)) for name, values in frame.items()]
    sizes = {len(values) for _, values in columns}
    if len(sizes) > 1:
        raise DataError(f"{shown}: its columns have different lengths")
    return columns, sizes.pop() if sizes else 0


def _as_array(values: Any, name: Any, shown: str) -> Any:
    if hasattr(values, "iloc"):
        return values
    array = values if isinstance(values, np.ndarray) else np.asarray(values)
    if array.ndim != 1:
        raise DataError(f"{shown}: column {str(name)!r} is not one-dimensional")
    return array


def _from_arrow(frame: Any) -> Any:
    """Return a pandas frame over Arrow memory, so that integers and booleans stay what they are."""
    try:
        import pyarrow as pa
    except ImportError:
        from pytest_readmit.errors import MissingExtra

        raise MissingExtra("reading an Arrow frame", "arrow") from None
    import pandas as pd

    return pa.table(frame).to_pandas(types_mapper=pd.ArrowDtype, ignore_metadata=True)
