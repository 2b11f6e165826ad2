"""A dataset's rows as a pool to draw windows from: rows by index, whole patients where patients are named."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeVar

import numpy as np

from pytest_readmit.data.dataset import Dataset, Scores
from pytest_readmit.data.store import Rows, Store
from pytest_readmit.data.table import Codes, Counts, Family, Numbers, codes_of_numbers, counts_of_codes

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """
    Rows that were drawn from a pool.

    Args:
        rows: Their places in the pool, shape (n,), at least one.
        owners: The patient of each, as integers without gaps that no other window shares; None for
            independent rows.
    """

    rows: np.ndarray
    owners: np.ndarray | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Altered:
    """
    A column in which some drawn rows hold other values.

    Args:
        at: Places in the window, shape (k,).
        donors: Rows of the pool whose values they take, shape (k,).
        missing: They hold no value.
        value: They hold this number, or this text in a column of levels.
        factor: Their values are multiplied by it.
    """

    at: np.ndarray
    donors: np.ndarray | None = None
    missing: bool = False
    value: float | str | None = None
    factor: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """
    The rows of a dataset, each column read once and kept.

    Args:
        dataset: The dataset.
    """

    dataset: Dataset
    _kept: dict[tuple[str, str], Any] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return self.dataset.rows

    def owners(self) -> np.ndarray | None:
        """Return the patient of each row as integers from 0; None for independent rows."""
        return self._once("owners", "", self.dataset.owners)

    def numbers(self, name: str) -> Numbers:
        """Return a column as numbers."""
        return self._once("numbers", name, lambda: self._numbers(name))

    def codes(self, name: str) -> Codes:
        """Return a column as codes of its levels."""
        return self._once("codes", name, lambda: self._here.codes(name))

    def times(self, name: str) -> np.ndarray:
        """Return a column of times."""
        return self._once("times", name, lambda: self._taken(self._here.store.table.times(name)))

    def window(self, name: str, drawn: Drawn, altered: Mapping[str, Altered] | None = None) -> Dataset:
        """Return drawn rows as a dataset; `altered` by column."""
        whole = self.dataset
        store = Store(_DrawnTable(self, drawn, altered or {}), whole.roles.patient)
        if drawn.owners is not None:
            store._owners = drawn.owners - int(drawn.owners.min())
        rows = Rows(store, None)
        store.opened(rows, whole._store, whole.features)
        return Dataset(name, store, whole.roles, whole.fields, rows, {"read": rows.count})

    @property
    def _here(self) -> Rows:
        return self.dataset._rows

    def _taken(self, values: np.ndarray) -> np.ndarray:
        keep = self._here.keep
        return values if keep is None else values[keep]

    def _numbers(self, name: str) -> Numbers:
        found = self._here.store.table.numbers(name)
        missing = None if found.missing is None else self._taken(found.missing)
        return Numbers(self._taken(found.values), missing)

    def _once(self, what: str, name: str, read: Callable[[], T]) -> T:
        with self._lock:
            if (what, name) not in self._kept:
                self._kept[what, name] = read()
            found: T = self._kept[what, name]
            return found


class _DrawnTable:
    """The table behind a window."""

    fresh = True

    def __init__(self, pool: Pool, drawn: Drawn, altered: Mapping[str, Altered]) -> None:
        self._pool = pool
        self._table = pool.dataset._store.table
        self._drawn = drawn
        self._altered = altered
        self.shown = self._table.shown
        self.version = self._table.version

    @property
    def names(self) -> tuple[str, ...]:
        """The columns, in order."""
        return self._table.names

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self._drawn.rows)

    def family(self, name: str) -> Family:
        """Return what kind of values a column holds."""
        return "integer" if self._names_patients(name) else self._table.family(name)

    def type_name(self, name: str) -> str:
        """Return the physical type."""
        return self._table.type_name(name)

    def misfits(self, name: str) -> int:
        """Return how many values did not fit their type in the pool."""
        return self._table.misfits(name)

    def note(self, name: str) -> str | None:
        """Return what the user should know about how a column was read."""
        return self._table.note(name)

    def numbers(self, name: str) -> Numbers:
        """Return a column as numbers."""
        if self._names_patients(name):
            return Numbers(np.asarray(self._drawn.owners))
        base, rows = self._pool.numbers(name), self._drawn.rows
        found = Numbers(base.values[rows], None if base.missing is None else base.missing[rows])
        altered = self._altered.get(name)
        if altered is None:
            return found
        return Numbers(_changed(found.floats(), altered, lambda donors: base.floats()[donors]))

    def times(self, name: str) -> np.ndarray:
        """Return a column as datetime64[us]."""
        base = self._pool.times(name)
        found: np.ndarray = base[self._drawn.rows]
        altered = self._altered.get(name)
        if altered is not None and altered.donors is not None:
            found[altered.at] = base[altered.donors]
        elif altered is not None and altered.missing:
            found[altered.at] = np.datetime64("NaT")
        return found

    def codes(self, name: str) -> Codes:
        """Return a column as codes of its text levels."""
        if self._names_patients(name):
            return codes_of_numbers(self.numbers(name), "integer")
        base = self._pool.codes(name)
        codes, levels = base.codes[self._drawn.rows], base.levels
        altered = self._altered.get(name)
        if altered is None:
            return Codes(codes, levels)
        if altered.donors is not None:
            codes[altered.at] = base.codes[altered.donors]
        elif altered.missing:
            codes[altered.at] = -1
        elif isinstance(altered.value, str):
            codes[altered.at] = len(levels)
            levels = (*levels, altered.value)
        return Codes(codes, levels)

    def counts(self, name: str) -> Counts:
        """Return the levels of a column with their counts."""
        return counts_of_codes(self.codes(name))

    @property
    def engine(self) -> NoReturn:
        """A window is never filtered."""
        raise NotImplementedError

    def select(self, *_: object) -> NoReturn:
        """A window is never filtered."""
        raise NotImplementedError

    def digest(self) -> None:
        """Return None: a window is no file."""

    def close(self) -> None:
        """Do nothing: the pool's dataset holds what there is to close."""

    def _names_patients(self, name: str) -> bool:
        return self._drawn.owners is not None and name == self._pool.dataset.roles.patient


def lent(scores: Scores, drawn: Drawn, altered: Altered | None = None) -> Scores:
    """Return the scores of drawn rows, from those of every row of the pool."""
    values = scores.values[drawn.rows]
    if altered is not None:
        values = _changed(values, altered, lambda donors: scores.values[donors])
    return Scores(values, scores.column)


def _changed(
    values: np.ndarray, altered: Altered, of_donors: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """Return floats with the altered rows' values in place; the array given may be overwritten."""
    floats = np.array(values, dtype=np.float64)
    if altered.donors is not None:
        floats[altered.at] = of_donors(altered.donors)
    elif altered.missing:
        floats[altered.at] = np.nan
    elif altered.factor is not None:
        floats[altered.at] *= altered.factor
    elif isinstance(altered.value, float):
        floats[altered.at] = altered.value
    return floats
