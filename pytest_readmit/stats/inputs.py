"""Inputs of two datasets side by side: columns, folds by patient, and what an additive classifier sees."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from pytest_readmit.stats.effect import Undefined
from pytest_readmit.stats.rare import Values

FOLDS = 5
MOST_TRAINING = 40_000
"""Rows that a classifier learns from at most; more make it slower and hardly better."""
RARE = 20
MOST_LEVELS = 40
FEWEST_REPEATED = 0.5
"""Share of rows whose value another patient has too, below which a column's values hardly repeat."""
SEED = 20230302
"""Folds and samples are the same whoever asks: two cases of one pair of datasets must not contradict."""
_KNOTS = np.linspace(0.0, 1.0, 2001)
_CHUNK = 50_000

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Numbers:
    """
    A numerical input of all rows, reference first.

    Args:
        name: What it is called.
        values: Shape (n,), finite or NaN where missing.
    """

    name: str
    values: Floats

    @property
    def pooled(self) -> int:
        """Levels taken together: a number has none."""
        return 0


@dataclass(frozen=True, slots=True, eq=False)
class Levels:
    """
    A categorical input of all rows, reference first.

    Args:
        name: What it is called.
        codes: Shape (n,): level from 0; -1 where missing.
        count: Number of levels.
        pooled: How many rare levels were taken together as the last one.
        rare: Shape (n,): which of the rare levels, from 0; -1 for all other rows. None where there are none.
    """

    name: str
    codes: Ints
    count: int
    pooled: int = 0
    rare: Ints | None = None


Input = Numbers | Levels


def numbers(name: str, before: npt.ArrayLike, after: npt.ArrayLike) -> Numbers:
    """
    Return a numerical input.

    Args:
        name: What it is called.
        before: Values of the reference, shape (n_reference,), NaN where missing.
        after: Values of current, shape (n_current,).

    Raises:
        Undefined: If a value is infinite.
    """
    values = np.concatenate([np.asarray(before, np.float64), np.asarray(after, np.float64)])
    if np.isinf(values).any():
        raise Undefined(f"{name} holds infinite values")
    return Numbers(name, values)


def levels(
    name: str,
    before: npt.ArrayLike,
    before_levels: Sequence[str],
    after: npt.ArrayLike,
    after_levels: Sequence[str],
) -> Levels:
    """
    Return a categorical input on the union of both sides' levels.

    Levels of fewer than 20 rows on both sides together, and all but the 40 most frequent, are taken together;
    beside that, classifiers see of each which dataset other patients' rows with it come from.

    Args:
        name: What it is called.
        before: Positions in `before_levels`, shape (n_reference,), -1 where missing.
        before_levels: Levels of the reference.
        after: Positions in `after_levels`, shape (n_current,).
        after_levels: Levels of current.
    """
    union = sorted({*before_levels, *after_levels})
    place = {level: position for position, level in enumerate(union)}
    sides = []
    for codes, names in ((before, before_levels), (after, after_levels)):
        # The last entry is for -1, which indexes it.
        table = np.array([*(place[each] for each in names), -1], dtype=np.int64)
        sides.append(table[np.asarray(codes, np.int64)])
    joined = np.concatenate(sides)
    return _pool(name, joined, np.bincount(joined[joined >= 0], minlength=len(union)))


def _pool(name: str, codes: Ints, tally: Ints) -> Levels:
    frequent = [int(i) for i in np.argsort(-tally, kind="stable")[:MOST_LEVELS] if tally[i] >= RARE]
    pooled = int(np.count_nonzero(tally)) - len(frequent)
    table = np.full(len(tally) + 1, len(frequent), dtype=np.int64)
    table[frequent] = np.arange(len(frequent))
    table[-1] = -1
    found = table[codes]
    rare = np.where(found == len(frequent), codes, -1) if pooled else None
    return Levels(name, found, len(frequent) + (pooled > 0), pooled, rare)


@dataclass(frozen=True, eq=False)
class Inputs:
    """
    The inputs of two datasets' rows, reference first.

    Args:
        columns: At least one.
        n_reference: Rows of reference, at least 2.
        n_current: Rows of current, at least 2.
        owners: Patient of each row as integers from 0, shape (n,), one number a person on both sides; None:
            rows are independent.

    Raises:
        Undefined: If there is no column, or fewer than two rows (patients) on a side.
    """

    columns: tuple[Input, ...]
    n_reference: int
    n_current: int
    owners: Ints | None = None

    def __post_init__(self) -> None:
        if not self.columns:
            raise Undefined("there are no inputs to compare")
        if self.folds < 2:
            raise Undefined("a classifier needs at least two rows (patients) of each dataset")

    @property
    def n(self) -> int:
        """Rows of both."""
        return self.n_reference + self.n_current

    @cached_property
    def current(self) -> Bools:
        """Whether a row is of current, shape (n,)."""
        return np.arange(self.n) >= self.n_reference

    @cached_property
    def units(self) -> tuple[int, int] | tuple[None, None]:
        """Patients of reference and of current; None where rows are independent."""
        if self.owners is None:
            return None, None
        before, after = (len(np.unique(self.owners[side])) for side in self._sides)
        return before, after

    @cached_property
    def folds(self) -> int:
        """Number of folds: 5, or fewer where a side has fewer rows (patients)."""
        before, after = self.units
        return min(FOLDS, before or self.n_reference, after or self.n_current)

    @cached_property
    def fold(self) -> Ints:
        """
        Fold of each row, shape (n,); all rows of a patient are in one.

        They are dealt out in turn in random order: those of the reference alone, of both, of current alone,
        so that no fold lacks a side.
        """
        owners = np.arange(self.n) if self.owners is None else self.owners
        people, person = np.unique(owners, return_inverse=True)
        in_reference, in_current = (
            np.bincount(person[side], minlength=len(people)) > 0 for side in self._sides
        )
        order = np.random.default_rng(SEED).permutation(len(people))
        order = order[np.argsort((in_current.astype(int) - in_reference)[order], kind="stable")]
        dealt = np.empty(len(people), dtype=np.int64)
        dealt[order] = np.arange(len(people)) % self.folds
        return dealt[person]

    @cached_property
    def _rare(self) -> tuple[Values, ...]:
        found = (column.rare for column in self.columns if isinstance(column, Levels))
        return tuple(Values(rare, self.owners) for rare in found if rare is not None)

    @cached_property
    def with_rare(self) -> tuple[int, ...]:
        """Places of the columns that have rare levels."""
        return tuple(
            place
            for place, column in enumerate(self.columns)
            if isinstance(column, Levels) and column.rare is not None
        )

    def leaning(self, fold: int) -> npt.NDArray[np.float32]:
        """
        Return which dataset the rare levels lean to, as far as a fold's training rows show.

        Returns:
            Shape (n, columns with rare levels): log-odds of current, 0 for other levels.
        """
        found = [values.leaning(self.current, self.fold != fold) for values in self._rare]
        return np.column_stack(found) if found else np.zeros((self.n, 0), dtype=np.float32)

    @cached_property
    def hardly_repeated(self) -> tuple[str, ...]:
        """
        Names of the columns whose values are mostly found with one patient (in one row) only.

        Such values are new in any data, so that nothing can be told from them.
        """
        everyone = np.ones(self.n, dtype=bool)
        names = []
        for place, values in zip(self.with_rare, self._rare, strict=True):
            alone = (values.codes >= 0) & (values.elsewhere(everyone) == 0)
            if np.count_nonzero(alone) > (1.0 - FEWEST_REPEATED) * self.n:
                names.append(self.columns[place].name)
        return tuple(names)

    @property
    def _sides(self) -> tuple[Bools, Bools]:
        return ~self.current, self.current

    def training(self, fold: int) -> npt.NDArray[np.intp]:
        """Return the rows to learn from for a fold, ascending: those of the others, at most 40,000."""
        rows = np.flatnonzero(self.fold != fold)
        if len(rows) <= MOST_TRAINING:
            return rows
        chosen = np.random.default_rng((SEED, fold)).choice(len(rows), MOST_TRAINING, replace=False)
        return np.sort(rows[chosen])

    @cached_property
    def trained_on(self) -> int:
        """The most rows that any classifier learns from."""
        return int(min(MOST_TRAINING, self.n - np.bincount(self.fold).min()))


class Basis:
    """
    What an additive classifier sees of the inputs: standardised columns, shape (rows, width).

    A number becomes its winsorised value, pieces of its rank (hinges at the quartiles and in the outer 2%)
    and whether it is missing; a level becomes an indicator, and so does a missing one. What rare levels lean
    to is another column, which depends on the fold.

    Args:
        inputs: Of both datasets; ranks and scales are those of all rows together, whichever side.
    """

    def __init__(self, inputs: Inputs) -> None:
        self._inputs = inputs
        self._n, self._columns = inputs.n, inputs.columns
        self._ranks = [_ranks(each) if isinstance(each, Numbers) else None for each in self._columns]
        rows = np.arange(inputs.n)
        if inputs.n > MOST_TRAINING:
            rows = np.sort(np.random.default_rng(SEED).choice(inputs.n, MOST_TRAINING, replace=False))
        raw = self._raw(rows)
        self._mean, spread = raw.mean(axis=0), raw.std(axis=0)
        self._used = spread > 1e-9
        self._mean, self._spread = self._mean[self._used], spread[self._used]
        self.width = int(self._used.sum()) + 1 + len(inputs.with_rare)

    def in_fold(self, fold: int) -> "FoldBasis":
        """Return what a fold's classifier sees."""
        return FoldBasis(self, self._inputs.leaning(fold))

    def standardised(self, rows: npt.NDArray[np.intp]) -> Floats:
        """Return what is the same in every fold of some rows."""
        raw = self._raw(rows)[:, self._used]
        raw -= self._mean
        raw /= self._spread
        return raw

    def as_trees_see(self) -> npt.NDArray[np.float32]:
        """
        Return one column an input, shape (n, inputs): ranks and levels; the same in every fold.

        Missing is -1 and a level of its own: a value that is there in every fold, unlike NaN.
        """
        seen = np.zeros((self._n, len(self._columns)), dtype=np.float32)
        for place, (column, ranks) in enumerate(zip(self._columns, self._ranks, strict=True)):
            if isinstance(column, Levels):
                seen[:, place] = np.where(column.codes < 0, column.count, column.codes)
            elif ranks is not None:
                seen[:, place] = np.where(np.isnan(column.values), -1.0, ranks.rank)
        return seen

    def _raw(self, rows: npt.NDArray[np.intp]) -> Floats:
        parts: list[Floats] = []
        for column, ranks in zip(self._columns, self._ranks, strict=True):
            if isinstance(column, Levels):
                codes = column.codes[rows]
                parts += [(codes == level).astype(np.float64) for level in range(-1, column.count)]
            elif ranks is not None:
                parts += ranks.pieces(column.values[rows], rows)
        return np.column_stack(parts) if parts else np.zeros((len(rows), 0))


@dataclass(frozen=True, slots=True, eq=False)
class FoldBasis:
    """
    What one fold's classifier sees.

    Args:
        basis: What all folds have in common.
        leaning: What rare levels lean to, shape (n, columns with rare levels).
    """

    basis: Basis
    leaning: npt.NDArray[np.float32]

    def rows(self, rows: npt.NDArray[np.intp]) -> Floats:
        """Return some rows, shape (rows, width); the first column is 1."""
        return np.column_stack([np.ones(len(rows)), self.basis.standardised(rows), self.leaning[rows]])

    def chunks(self, rows: npt.NDArray[np.intp]) -> Iterator[tuple[npt.NDArray[np.intp], Floats]]:
        """Yield rows with their basis, so few at a time that memory suffices."""
        for start in range(0, len(rows), _CHUNK):
            part = rows[start : start + _CHUNK]
            yield part, self.rows(part)


@dataclass(frozen=True, slots=True, eq=False)
class _Ranks:
    """Where each value stands among all, from 0 to 1, and the values between which it is winsorised."""

    rank: npt.NDArray[np.float32]
    low: float
    high: float

    def pieces(self, values: Floats, rows: npt.NDArray[np.intp]) -> list[Floats]:
        absent = np.isnan(values)
        rank = self.rank[rows].astype(np.float64)
        # Halves, because the difference of two large numbers may be infinite.
        width = self.high / 2 - self.low / 2
        place = (np.clip(values, self.low, self.high) / 2 - self.low / 2) / width if width else 0.0 * rank
        hinges = [np.maximum(rank - at, 0.0) for at in (0.25, 0.5, 0.75, 0.98)]
        low_tail = np.maximum(0.02 - rank, 0.0)
        return [np.where(absent, 0.5, place), *hinges, low_tail, absent.astype(np.float64)]


def _ranks(column: Numbers) -> _Ranks | None:
    values = column.values
    present = values[~np.isnan(values)]
    if not len(present):
        return None
    knots = np.quantile(present, _KNOTS, method="inverted_cdf")
    sides = np.searchsorted(knots, values, "left") + np.searchsorted(knots, values, "right")
    rank = np.where(np.isnan(values), 0.5, sides / (2 * len(knots)))
    return _Ranks(rank.astype(np.float32), float(knots[10]), float(knots[-11]))
