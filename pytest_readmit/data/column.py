"""One column of a dataset: its distribution, its missing values, the share of a kind of value."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pytest_readmit.data.store import Field, Rows
from pytest_readmit.data.table import Counts, Numbers, counts_of_codes
from pytest_readmit.errors import DataError, counted
from pytest_readmit.stats.cluster import (
    bin_codes,
    distribution_design_effect,
    proportion_design_effect,
    quantile_edges,
)
from pytest_readmit.stats.distribution import Distribution, text_array
from pytest_readmit.stats.proportion import Proportion

Array = np.ndarray
_SMALL_RANGE = 1 << 16


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """A column's finite values, and how many are infinite."""

    distribution: Distribution
    infinite: int


class Column:
    """
    One column of one dataset, read and sorted when it is first asked for.

    Args:
        dataset: The name of its dataset.
        rows: The rows it is read from.
        field: Its name and kind.
    """

    __readmit_injected__ = "column"

    def __init__(self, dataset: str, rows: Rows, field: Field) -> None:
        self.name = field.name
        self.kind = field.kind
        self.type = field.type
        self.dataset = dataset
        self.source = rows.store.shown
        self.rows = rows.count
        self.classified = field.stated
        self.note = rows.note(field.name)
        self._field = field
        self._rows = rows
        self._lock = threading.Lock()
        self._measured: Measured | None = None

    def __repr__(self) -> str:
        return f"Column({self.name!r}, {self.kind}, n={self.rows})"

    @property
    def distribution(self) -> Distribution:
        """
        The values as a Distribution; times are days since 1970-01-01.

        Raises:
            DataError: The values cannot be had as what the column is said to be, or some are infinite.
        """
        measured = self._measure()
        if measured.infinite:
            raise DataError(
                f"{self.source}: column {self.name!r}: {counted(measured.infinite)} infinite values of "
                f"{counted(measured.distribution.n + measured.infinite)}; "
                "leave them out with where: or mend them"
            )
        return measured.distribution

    def missing(self) -> Proportion:
        """Return the share of rows without a value, of all rows, with the patients behind them."""
        absent = self._measure().distribution.missing
        if not self._rows.clustered:
            return Proportion(float(absent), float(self.rows))
        return self.proportion_of(self._absent())

    def share(self, predicate: Callable[[Array], Array]) -> Proportion:
        """
        Return the share of the non-missing rows whose value is of a kind.

        Args:
            predicate: Takes an array of values (numbers, or texts as objects), shape (n,), in any order
                and each perhaps once for many rows, and returns bools of that shape.

        Raises:
            DataError: As `distribution` does.
        """
        distribution = self.distribution
        values, counts = distribution.support, distribution.counts
        if not self._rows.clustered:
            hits = np.asarray(predicate(values), dtype=bool)
            events = np.count_nonzero(hits) if counts is None else int(counts[hits].sum())
            return Proportion(float(events), float(distribution.n))
        present = ~self._absent()
        if self._is_text:
            codes = self._rows.codes(self.name)
            of_level = np.asarray(predicate(text_array(codes.levels)), dtype=bool)
            return self.proportion_of(of_level[codes.codes[present]], present)
        return self.proportion_of(
            np.asarray(predicate(self._numbers().floats()[present]), dtype=bool), present
        )

    def proportion_of(self, events: Array, among: Array | None = None) -> Proportion:
        """
        Return a Proportion of flagged rows, with the patients behind them.

        Args:
            events: Bools, shape (rows,), or one for each row of `among`.
            among: The rows that count, shape (rows,); None for all.
        """
        return proportion_of(events, self._rows.owners(), among)

    @property
    def integer_like(self) -> bool:
        """Whether every value is a whole number."""
        if self._is_text:
            return False
        if self._field.integer:
            return True
        values = self.distribution.support
        return bool(len(values)) and bool(np.all(values == np.floor(values)))

    def distinct_count(self, limit: int) -> int:
        """Return how many distinct values there are, or `limit` + 1 for more than `limit`."""
        return min(limit + 1, len(self.distribution.distinct()[0]))

    @property
    def _is_text(self) -> bool:
        return self.kind == "categorical"

    def _absent(self) -> Array:
        if self._is_text:
            return np.asarray(self._rows.codes(self.name).codes < 0)
        return self._numbers().absent

    def _numbers(self) -> Numbers:
        return self._rows.numbers(self._field)

    def _measure(self) -> Measured:
        with self._lock:
            if self._measured is None:
                if self.kind == "other":
                    raise DataError(f"{self.source}: column {self.name!r} holds nested values")
                self._measured = self._of_text() if self._is_text else self._of_numbers()
            return self._measured

    def _of_text(self) -> Measured:
        rows = self._rows
        if not rows.clustered and rows.keep is None:
            found = rows.store.table.counts(self.name)
            return Measured(_levels(found), 0)
        codes = rows.codes(self.name)
        plain = _levels(counts_of_codes(codes))
        if not rows.clustered:
            return Measured(plain, 0)
        present = codes.codes >= 0
        effect, units = _effect(codes.codes[present], rows.owners()[present], ordered=False)
        return Measured(Distribution(plain.support, plain.counts, plain.missing, effect, units), 0)

    def _of_numbers(self) -> Measured:
        rows = self._rows
        numbers = self._numbers()
        plain, infinite = _sorted(numbers, fresh=rows.fresh)
        if not rows.clustered or infinite:
            return Measured(plain, infinite)
        present = ~numbers.absent
        effect, units = 1.0, 0
        if plain.n:
            codes = bin_codes(numbers.floats()[present], quantile_edges(plain))
            effect, units = _effect(codes, rows.owners()[present], ordered=True)
        return Measured(Distribution(plain.support, plain.counts, plain.missing, effect, units), 0)


def proportion_of(events: Array, owners: Array | None, among: Array | None = None) -> Proportion:
    """
    Return a Proportion of flagged rows.

    Args:
        events: Bools, shape (n,).
        owners: The patient of each row as integers from 0, shape (rows,); None for independent rows.
        among: Which rows the events stand for, shape (rows,) with n of them true; None for all.
    """
    total = float(len(events))
    hits = float(np.count_nonzero(events))
    if owners is None:
        return Proportion(hits, total)
    patients = owners if among is None else owners[among]
    size = int(patients.max()) + 1 if len(patients) else 0
    rows = np.bincount(patients, minlength=size)
    with_event = np.bincount(patients[events], minlength=size)
    return Proportion(
        hits,
        total,
        proportion_design_effect(with_event, rows),
        int(np.count_nonzero(rows)),
        int(np.count_nonzero(with_event)),
        int(np.count_nonzero(rows > with_event)),
    )


def _effect(codes: Array, owners: Array, *, ordered: bool) -> tuple[float, int]:
    """Return the design effect and the number of patients."""
    if not len(owners):
        return 1.0, 0
    units = int(np.count_nonzero(np.bincount(owners)))
    return distribution_design_effect(codes, owners, ordered=ordered), units


def _levels(found: Counts) -> Distribution:
    return Distribution(text_array(found.levels), found.counts, found.missing)


def _sorted(numbers: Numbers, *, fresh: bool) -> tuple[Distribution, int]:
    """Return the distribution of finite numbers and how many are infinite."""
    if numbers.values.dtype.kind == "f":
        return _sorted_floats(numbers.values, fresh=fresh)
    values = numbers.values if numbers.missing is None else numbers.values[~numbers.missing]
    missing = len(numbers.values) - len(values)
    if not len(values):
        return Distribution(np.zeros(0), None, missing), 0
    low, high = int(values.min()), int(values.max())
    if high - low <= max(_SMALL_RANGE, len(values)):
        tally = np.bincount((values - values.dtype.type(low)).astype(np.int64))
        seen = np.flatnonzero(tally)
        return Distribution(seen.astype(np.float64) + low, tally[seen].astype(np.int64), missing), 0
    return Distribution(np.sort(values).astype(np.float64), None, missing), 0


def _sorted_floats(values: Array, *, fresh: bool) -> tuple[Distribution, int]:
    floats = (
        values
        if fresh and values.dtype == np.float64 and values.flags.writeable
        else values.astype(np.float64)
    )
    floats.sort()
    # NaN sorts last, so that one search finds the missing ones and the ends show the infinite ones.
    present = int(np.searchsorted(floats, np.nan))
    missing = len(floats) - present
    floats = floats[:present]
    first = int(np.searchsorted(floats, -np.inf, side="right"))
    last = int(np.searchsorted(floats, np.inf, side="left"))
    return Distribution(floats[first:last], None, missing), present - (last - first)
