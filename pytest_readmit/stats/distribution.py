"""Distribution: one column as sorted values and counts, enough for every distance between two."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pytest_readmit.stats.effect import Undefined

Array = npt.NDArray[Any]
OTHER = "(other)"
"""The level that stands for those that were taken together."""


@dataclass(frozen=True, slots=True)
class Pooled:
    """
    Levels that are known only together, as the level ``(other)``.

    Args:
        levels: How many there are.
        most: The most rows that one of them has.
        once: The fewest and the most of them that one row has.
        twice: Likewise for two rows.
    """

    levels: int
    most: int
    once: tuple[int, int]
    twice: tuple[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Distribution:
    """
    The non-missing values of a column, sorted, with how often each occurs.

    Args:
        support: Sorted values, shape (k,): float64 for numbers, object (text) for categories.
        counts: Rows at each value, int64, shape (k,). None: each entry is one row, and values may
            repeat; this is the sorted column itself.
        missing: Rows without a value.
        design_effect: How much repeated patients inflate variances, >= 1.
        units: Patients among the non-missing rows; None where rows are independent.
        error: Bound on the error of any cumulative share, 0 where counts are exact.
        spans: Between which two values the rows at each value lie, shape (k, 2); None: at the value itself.
        left_out: The largest share of rows that may have been left out, near the median or of one level.
        told: Mean and standard deviation of the rows, where these are known better than by `support`, and the
            unit that both are rounded to.
        pooled: What is known of the levels behind ``(other)``; None where every level is known.
    """

    support: Array
    counts: Array | None
    missing: int = 0
    design_effect: float = 1.0
    units: int | None = None
    error: float = 0.0
    spans: Array | None = None
    left_out: float = 0.0
    pooled: Pooled | None = None
    told: tuple[float, float, float] | None = None

    @classmethod
    def of_numbers(
        cls,
        values: npt.ArrayLike,
        *,
        missing: int = 0,
        design_effect: float = 1.0,
        units: int | None = None,
        error: float = 0.0,
    ) -> "Distribution":
        """Return the distribution of finite numbers in any order, shape (n,); they are copied."""
        support = np.sort(np.asarray(values, dtype=np.float64).ravel())
        return cls(support, None, missing, design_effect, units, error)

    @classmethod
    def of_levels(
        cls,
        levels: Sequence[str] | Array,
        counts: Sequence[int] | Array,
        *,
        missing: int = 0,
        design_effect: float = 1.0,
        units: int | None = None,
        error: float = 0.0,
    ) -> "Distribution":
        """Return the distribution of text levels with their counts; repeated levels are added up."""
        totals: dict[str, int] = {}
        for level, count in zip(levels, counts, strict=True):
            totals[str(level)] = totals.get(str(level), 0) + int(count)
        kept = sorted(level for level, count in totals.items() if count)
        support = text_array(kept)
        rows = np.array([totals[level] for level in kept], dtype=np.int64)
        return cls(support, rows, missing, design_effect, units, error)

    @property
    def n(self) -> int:
        """Non-missing rows."""
        return len(self.support) if self.counts is None else int(self.counts.sum())

    @property
    def effective_n(self) -> float:
        """Non-missing rows that would say as much were they independent."""
        return self.n / self.design_effect

    @property
    def approximate(self) -> bool:
        """Whether these are not the rows themselves, as counted."""
        return bool(self.error or self.left_out) or self.pooled is not None

    @property
    def extremes(self) -> tuple[float, float]:
        """The least and the largest value, or between which two they lie; numbers only."""
        low, high = (self.support, self.support) if self.spans is None else self.spans.T
        return float(low[0]), float(high[-1])

    @property
    def is_text(self) -> bool:
        """Whether the values are categories."""
        return self.support.dtype.kind in "OUST"

    def distinct(self) -> tuple[Array, Array]:
        """Return the distinct values, sorted, and the rows at each (int64)."""
        if self.counts is not None:
            return self.support, self.counts
        if not len(self.support):
            return self.support, np.zeros(0, dtype=np.int64)
        changes = np.flatnonzero(self.support[1:] != self.support[:-1]) + 1
        starts = np.concatenate(([0], changes))
        return self.support[starts], np.diff(starts, append=len(self.support))

    def rank(self, points: npt.ArrayLike, side: str = "right") -> Array:
        """Return how many rows are <= each point (``side="left"``: < each point), as int64."""
        where = np.searchsorted(self.support, np.asarray(points), side=side)  # type: ignore[call-overload]
        if self.counts is None:
            return np.asarray(where)
        return np.asarray(np.concatenate(([0], np.cumsum(self.counts)))[where])

    def cdf(self, points: npt.ArrayLike) -> Array:
        """Return the share of rows <= each point."""
        return self.rank(points) / self._rows("cdf")

    def at(self, index: npt.ArrayLike) -> Array:
        """Return the values at 0-based positions of the sorted rows."""
        positions = np.asarray(index, dtype=np.int64)
        if self.counts is None:
            return np.asarray(self.support[positions])
        return np.asarray(self.support[np.searchsorted(np.cumsum(self.counts), positions, side="right")])

    def quantile(self, q: npt.ArrayLike) -> Any:
        """Return the smallest value whose cumulative share reaches `q` (inverse cdf); q in [0, 1]."""
        rows = self._rows("quantile")
        # 1e-9 of a row keeps q * n = 7.000000000000001 at the 7th row
        positions = np.ceil(np.asarray(q, dtype=np.float64) * rows - 1e-9).astype(np.int64) - 1
        found = self.at(np.clip(positions, 0, rows - 1))
        return found if np.ndim(q) else found[()]

    def interpolated_quantile(self, q: npt.ArrayLike) -> Array:
        """Return quantiles by linear interpolation of order statistics (Hyndman and Fan's type 7)."""
        rows = self._rows("quantile")
        position = np.asarray(q, dtype=np.float64) * (rows - 1)
        low = np.floor(position).astype(np.int64)
        below, above = self.at(low), self.at(np.minimum(low + 1, rows - 1))
        share = position - low
        # numpy's own order of operations, so that the edges agree with numpy.quantile to the last bit
        step = above - below
        return np.asarray(np.where(share >= 0.5, above - step * (1 - share), below + step * share))

    def mean(self) -> float:
        """Return the mean of the rows."""
        self._rows("mean")
        if self.told is not None:
            return self.told[0]
        return self._mean_of(self.support)

    def variance(self) -> float:
        """Return the mean squared deviation from the mean (ddof = 0); exactly 0 for one value."""
        return self.sd() ** 2

    def sd(self) -> float:
        """Return the root of the mean squared deviation (ddof = 0); exactly 0 for one value."""
        if self.told is not None:
            return self.told[1]
        deviations, scale = self._scaled_deviations()
        return scale * math.sqrt(self._mean_of(deviations * deviations))

    def centre_error(self, width: float) -> float:
        """Return how far the mean may be off; `width` is the range in which `error` counts."""
        if self.told is None:
            return self.mean_error(width)
        return self.told[2] / 2.0

    def mean_error(self, width: float) -> float:
        """Return how far rows may be off on average; `width` is the range in which `error` counts."""
        if self.spans is None:
            return self.error * width
        return self._mean_of(self._reach()) + 2.0 * self.left_out * self.sd()

    def sd_error(self) -> float:
        """Return how far the standard deviation may be off: the root mean square distance of rows."""
        if self.told is not None:
            return self.told[2] / 2.0
        if self.spans is None:
            return 0.0
        return math.sqrt(self._mean_of(self._reach() ** 2)) + 2.0 * self.left_out * self.sd()

    def _reach(self) -> Array:
        assert self.spans is not None  # noqa: S101 - the callers looked
        return np.asarray(np.abs(self.spans - self.support[:, None]).max(axis=1))

    def quantile_range(self, q: npt.ArrayLike) -> tuple[Array, Array]:
        """Return between which values the quantiles lie; the same twice where rows are known."""
        if self.spans is None:
            found = np.asarray(self.quantile(q))
            return found, found
        assert self.counts is not None  # noqa: S101 - what has spans is counted
        shares = np.asarray(q, dtype=np.float64)
        ends = []
        for shifted in (shares - self.left_out, shares + self.left_out):
            place = np.ceil(np.clip(shifted, 0.0, 1.0) * self.n - 1e-9).astype(np.int64) - 1
            at = np.searchsorted(np.cumsum(self.counts), np.clip(place, 0, self.n - 1), side="right")
            ends.append(self.spans[at])
        return np.asarray(ends[0][..., 0]), np.asarray(ends[1][..., 1])

    def standardised_moment(self, order: int) -> float:
        """
        Return the mean of ((x - mean) / sd) ** order: 3 skewness, 4 kurtosis.

        Raises:
            Undefined: If there are no rows or one value.
        """
        deviations, _ = self._scaled_deviations()
        spread = math.sqrt(self._mean_of(deviations * deviations))
        if spread == 0:
            raise Undefined("a column with a single value has no shape")
        scaled = deviations / spread
        return self._mean_of(math.prod([scaled] * (order - 1), start=scaled))  # quicker than a power

    def _scaled_deviations(self) -> tuple[Array, float]:
        """Return deviations from the mean over the largest one, so that no power over- or underflows."""
        self._rows("spread")
        if self.support[0] == self.support[-1]:
            return np.zeros(len(self.support)), 0.0
        deviations = self.support - self.mean()
        scale = float(max(-deviations[0], deviations[-1]))
        return deviations / scale, scale

    def _mean_of(self, values: Array) -> float:
        """Return the mean over the rows of something that is known by support value."""
        return float(values.mean() if self.counts is None else values @ self.counts / self.n)

    def expanded(self) -> Array:
        """Return all n values, sorted."""
        return self.support if self.counts is None else np.repeat(self.support, self.counts)

    def merge(self, other: "Distribution") -> "Distribution":
        """
        Return the distribution of both sets of rows together.

        The larger design effect holds for both; patients in both are counted twice.
        """
        rows = self.n + other.n
        error = (self.n * self.error + other.n * other.error) / rows if rows else 0.0
        units = None if self.units is None or other.units is None else self.units + other.units
        support: Array
        counts: Array | None
        if self.counts is None and other.counts is None:
            support = np.sort(np.concatenate((self.support, other.support)), kind="stable")
            counts = None
        else:
            support, (first, second) = aligned(self, other)
            counts = first + second
        return Distribution(
            support,
            counts,
            self.missing + other.missing,
            max(self.design_effect, other.design_effect),
            units,
            error,
        )

    def _rows(self, what: str) -> int:
        rows = self.n
        if rows == 0:
            raise Undefined(f"the {what} of a column without usable rows does not exist")
        return rows


def text_array(values: Iterable[str]) -> Array:
    """Return text as a one-dimensional object array."""
    items = list(values)
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array


def aligned(first: Distribution, second: Distribution) -> tuple[Array, tuple[Array, Array]]:
    """
    Return the distinct values of both, sorted, and the rows of each side at every one.

    Raises:
        Undefined: If one side is numbers and the other text.
    """
    if first.is_text != second.is_text:
        raise Undefined("one side holds numbers, the other text")
    (values_a, rows_a), (values_b, rows_b) = first.distinct(), second.distinct()
    if first.is_text:
        support = text_array(sorted(set(values_a) | set(values_b)))
    else:
        support = np.union1d(values_a, values_b)
    both = []
    for values, rows in ((values_a, rows_a), (values_b, rows_b)):
        counts = np.zeros(len(support), dtype=np.int64)
        counts[np.searchsorted(support, values)] = rows
        both.append(counts)
    return support, (both[0], both[1])


def require_rows(reference: Distribution, current: Distribution) -> None:
    """
    Check that two distributions can be compared.

    Raises:
        Undefined: If either has no rows, or one is numbers and the other text.
    """
    for side, distribution in (("reference", reference), ("current", current)):
        if distribution.n == 0:
            raise Undefined(f"{side} has no usable rows")
    if reference.is_text != current.is_text:
        raise Undefined("one side holds numbers, the other text")


def harmonic(n: float, m: float) -> float:
    """Return n m / (n + m), the effective size of a two-sample comparison."""
    return n * m / (n + m)


def effective_size(reference: Distribution, current: Distribution) -> float:
    """Return n m / (n + m) of the effective numbers of rows."""
    return harmonic(reference.effective_n, current.effective_n)
