"""What a table must answer, whatever holds it: numbers, codes, times, counts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal, Protocol

import numpy as np

from pytest_readmit.data.engine import Engine

Family = Literal["integer", "float", "bool", "text", "time", "other"]
DAY = 86_400_000_000
MISSING = "(missing)"


@dataclass(frozen=True, slots=True, eq=False)
class Numbers:
    """
    One column as numbers.

    Args:
        values: Shape (rows,); floats hold NaN where missing.
        missing: Shape (rows,) of bools where integers are missing, or None if none is.
    """

    values: np.ndarray
    missing: np.ndarray | None = None

    @property
    def absent(self) -> np.ndarray:
        """Which rows are missing, shape (rows,)."""
        if self.values.dtype.kind == "f":
            return np.asarray(np.isnan(self.values))
        return self.missing if self.missing is not None else np.zeros(len(self.values), dtype=bool)

    def floats(self) -> np.ndarray:
        """Return float64 values, NaN where missing."""
        floats: np.ndarray = self.values.astype(np.float64, copy=False)
        if self.missing is not None:
            floats = np.where(self.missing, np.nan, floats)
        return floats


@dataclass(frozen=True, slots=True, eq=False)
class Codes:
    """
    One column as positions in its sorted levels.

    Args:
        codes: Shape (rows,), int64; -1 where missing.
        levels: The distinct texts, sorted.
    """

    codes: np.ndarray
    levels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Counts:
    """Levels, sorted as text, with the rows of each and the rows without one."""

    levels: tuple[str, ...]
    counts: np.ndarray
    missing: int


class Table(Protocol):
    """Rows somewhere; a column is read when it is asked for."""

    shown: str
    version: str | None
    fresh: bool
    """Whether `numbers` returns arrays that nobody else holds."""

    @property
    def names(self) -> tuple[str, ...]:
        """The columns, in order."""

    @property
    def rows(self) -> int:
        """How many rows there are."""

    def family(self, name: str) -> Family:
        """Return what kind of values a column holds."""

    def type_name(self, name: str) -> str:
        """Return the physical type."""

    def misfits(self, name: str) -> int:
        """Return how many values did not fit the type decided on the reference."""

    def note(self, name: str) -> str | None:
        """Return what the user should know about how a column was read."""

    def numbers(self, name: str) -> Numbers:
        """Return a column as numbers; a text that is none is a DataError that counts them."""

    def times(self, name: str) -> np.ndarray:
        """Return a column as datetime64[us], NaT where missing."""

    def codes(self, name: str) -> Codes:
        """Return a column as codes of its text levels."""

    def counts(self, name: str) -> Counts:
        """Return the levels of a column with their counts."""

    @property
    def engine(self) -> Engine:
        """A locked engine, to parse an expression with."""

    def select(self, expression: str, columns: Sequence[str], parameters: Mapping[str, str]) -> np.ndarray:
        """Return which rows a checked expression keeps, shape (rows,)."""

    def digest(self) -> str | None:
        """Return the sha256 of what was read."""

    def close(self) -> None:
        """Let go of files and memory."""


def number_text(value: float) -> str:
    """Return a number as a level: whole ones without a point."""
    as_float = float(value)
    if as_float == int(as_float) if np.isfinite(as_float) else False:
        return str(int(value))
    return repr(as_float)


def time_text(value: np.datetime64) -> str:
    """Return a time as a level in ISO 8601: the day alone where it is midnight."""
    day = value.astype("datetime64[D]")
    return str(day) if day == value else str(value.astype("datetime64[s]"))


def days(times: np.ndarray) -> np.ndarray:
    """Return times as days since 1970-01-01, NaN where missing."""
    floats: np.ndarray = times.astype("datetime64[us]").astype(np.int64) / DAY
    return np.where(np.isnat(times), np.nan, floats)


def codes_of_numbers(numbers: Numbers, family: Family) -> Codes:
    """Return codes over the text of distinct numbers (or truth values)."""
    absent = numbers.absent
    present = numbers.values[~absent]
    distinct, positions = np.unique(present, return_inverse=True)
    texts = [("true" if value else "false") if family == "bool" else number_text(value) for value in distinct]
    return _ordered(texts, positions, absent)


def codes_of_times(times: np.ndarray) -> Codes:
    """Return codes over the text of distinct times."""
    absent = np.isnat(times)
    distinct, positions = np.unique(times[~absent], return_inverse=True)
    return _ordered([time_text(value) for value in distinct], positions, absent)


def _ordered(texts: list[str], positions: np.ndarray, absent: np.ndarray) -> Codes:
    levels = tuple(sorted(set(texts)))
    rank = {level: position for position, level in enumerate(levels)}
    order = np.array([rank[text] for text in texts], dtype=np.int64)
    codes = np.full(len(absent), -1, dtype=np.int64)
    codes[~absent] = order[positions] if len(texts) else -1
    return Codes(codes, levels)


def counts_of_codes(codes: Codes, keep: np.ndarray | None = None) -> Counts:
    """Return the counts of the levels that occur (in the rows kept)."""
    chosen = codes.codes if keep is None else codes.codes[keep]
    tally = np.bincount(chosen + 1, minlength=len(codes.levels) + 1)
    seen = np.flatnonzero(tally[1:])
    return Counts(tuple(codes.levels[i] for i in seen), tally[1:][seen].astype(np.int64), int(tally[0]))


def equals(codes: Codes, text: str) -> np.ndarray:
    """Return which rows have a text; "(missing)" is that of rows without a value too."""
    wanted = [position for position, level in enumerate(codes.levels) if level == text]
    mask = np.isin(codes.codes, wanted)
    return mask | (codes.codes < 0) if text == MISSING else mask


def mature(table: Table, index_time: str, horizon: timedelta, as_of: date) -> np.ndarray:
    """Return which rows of a table are old enough for their outcome to be known, shape (rows,)."""
    times = table.times(index_time)
    latest = np.datetime64(as_of, "us") - np.timedelta64(int(horizon / timedelta(microseconds=1)), "us")
    return np.asarray(~np.isnat(times) & (times <= latest))
