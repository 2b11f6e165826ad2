"""Which rows of a table count, and the raw columns that are kept while they are needed."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np

from pytest_readmit.data.table import Codes, Numbers, Table, days
from pytest_readmit.errors import DataError, did_you_mean

T = TypeVar("T")
Kind = Literal["numerical", "categorical", "time", "other"]


@dataclass(frozen=True, slots=True)
class Field:
    """
    A column's name and kind.

    Args:
        name: As the data (or `rename`) call it.
        kind: What checks take it for, the suite's own words applied.
        type: The physical type.
        integer: Whether the physical type is a whole number.
        stated: Whether the suite says the kind.
    """

    name: str
    kind: Kind
    type: str
    integer: bool
    stated: bool = False


class Store:
    """
    A table and the raw columns read from it.

    Raw columns are kept only where they are read again: where rows have patients, and for segments.

    Args:
        table: The table.
        patient: The suite's `columns.patient`.
        spec: What the table was opened from.
    """

    def __init__(self, table: Table, patient: str | None, spec: Any = None) -> None:
        self.table = table
        self.spec = spec
        self.shown = table.shown
        self.version = table.version
        self.patient = patient
        self.keeping = patient is not None
        self.base: Rows | None = None
        self.like: Store | None = None
        self.order: tuple[str, ...] | None = None
        self._kept: dict[tuple[str, str], Any] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()
        self._owners: np.ndarray | None = None

    def _lock(self, name: str) -> threading.Lock:
        with self._guard:
            return self._locks.setdefault(name, threading.Lock())

    def numbers(self, name: str) -> Numbers:
        """Return a raw column as numbers."""
        return self._read("numbers", name, lambda: self.table.numbers(name))

    def days(self, name: str) -> Numbers:
        """Return a raw column of times as days since 1970-01-01."""
        return self._read("days", name, lambda: Numbers(days(self.table.times(name))))

    def codes(self, name: str) -> Codes:
        """Return a raw column as codes of its levels."""
        return self._read("codes", name, lambda: self.table.codes(name))

    def _read(self, what: str, name: str, read: Callable[[], T]) -> T:
        if not self.keeping:
            return read()
        with self._lock(name):
            if (what, name) not in self._kept:
                self._kept[what, name] = read()
            found: T = self._kept[what, name]
            return found

    def release(self, name: str) -> None:
        """Forget the raw column."""
        for what in ("numbers", "days", "codes"):
            self._kept.pop((what, name), None)

    def opened(self, base: "Rows", like: "Store | None", order: tuple[str, ...] | None) -> None:
        """
        Remember what the dataset is before any segment.

        Args:
            base: Its rows.
            like: The reference's store, for another dataset than the reference.
            order: The reference's features, in order.
        """
        self.base, self.like, self.order = base, like, order

    def levels(self, name: str) -> frozenset[str]:
        """Return the levels that a column has in the dataset or, if of the same type, in the reference."""
        found: set[str] = set()
        for store in (self, self.like):
            if store is None or store.base is None or name not in store.table.names:
                continue
            if store.table.family(name) == self.table.family(name):
                found.update(store.base.levels(name))
        return frozenset(found)

    def owners(self) -> np.ndarray:
        """
        Return the patient of each row as integers from 0, shape (rows,).

        A row without a patient id is a patient of its own.

        Raises:
            DataError: The column is not there.
        """
        name = self.patient
        assert name is not None  # noqa: S101 - only asked for where the suite names patients
        with self._guard:
            if self._owners is None:
                self._owners = self._factorised(name)
            return self._owners

    def _factorised(self, name: str) -> np.ndarray:
        if name not in self.table.names:
            raise DataError(
                f"{self.shown}: columns.patient names {name!r}, which is no column"
                f"{did_you_mean(name, self.table.names)}"
            )
        if self.table.family(name) in ("integer", "float", "bool"):
            numbers = self.table.numbers(name)
            absent = numbers.absent
            distinct, codes = np.unique(numbers.values, return_inverse=True)
            count = len(distinct)
        else:
            found = self.table.codes(name)
            absent, codes, count = found.codes < 0, found.codes.copy(), len(found.levels)
        codes = codes.astype(np.int64)
        codes[absent] = count + np.arange(np.count_nonzero(absent))
        return codes


class Rows:
    """
    Some rows of a store: all, or those that a filter keeps.

    Args:
        store: Where they are.
        keep: Bools, shape (rows of the table,); None for all.
    """

    def __init__(self, store: Store, keep: np.ndarray | None) -> None:
        self.store = store
        self.keep = keep
        self.count = store.table.rows if keep is None else int(np.count_nonzero(keep))
        self._owners: np.ndarray | None = None

    @property
    def clustered(self) -> bool:
        """Whether rows belong to patients."""
        return self.store.patient is not None

    @property
    def fresh(self) -> bool:
        """Whether `numbers` returns an array that nobody else holds."""
        return self.keep is not None or (self.store.table.fresh and not self.store.keeping)

    def owners(self) -> np.ndarray:
        """Return the patient of each kept row as integers from 0, shape (count,); only where `clustered`."""
        if self._owners is None:
            owners = self.store.owners()
            self._owners = owners if self.keep is None else _packed(owners[self.keep])
        return self._owners

    def numbers(self, field: Field) -> Numbers:
        """Return a column of the kept rows as numbers; times as days since 1970-01-01."""
        found = (self.store.days if field.kind == "time" else self.store.numbers)(field.name)
        if self.keep is None:
            return found
        return Numbers(found.values[self.keep], None if found.missing is None else found.missing[self.keep])

    def codes(self, name: str) -> Codes:
        """Return a column of the kept rows as codes."""
        found = self.store.codes(name)
        return found if self.keep is None else Codes(found.codes[self.keep], found.levels)

    def levels(self, name: str) -> Sequence[str]:
        """Return the levels that the kept rows of a column have, sorted."""
        codes = self.codes(name)
        return [codes.levels[i] for i in np.unique(codes.codes[codes.codes >= 0])]

    def note(self, name: str) -> str | None:
        """Return what the user should know about how a column was read."""
        return self.store.table.note(name)

    def within(self, mask: np.ndarray) -> "Rows":
        """Return the kept rows that a mask over the whole table keeps too."""
        return Rows(self.store, mask if self.keep is None else self.keep & mask)


def _packed(owners: np.ndarray) -> np.ndarray:
    """Return integers renumbered without gaps, so that a small segment counts few patients."""
    seen = np.bincount(owners) > 0
    return np.asarray((np.cumsum(seen) - 1)[owners])
