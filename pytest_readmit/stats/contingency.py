"""Pearson's chi-square and Cramer's V of a side-by-level table."""

import math

import numpy as np

from pytest_readmit.stats.distribution import Array, Distribution, aligned, require_rows


def table(reference: Distribution, current: Distribution) -> Array:
    """Return the 2 x k table of rows over the union of levels, int64."""
    require_rows(reference, current)
    _, (before, after) = aligned(reference, current)
    return np.array([before, after])


def chi2(reference: Distribution, current: Distribution, yates: bool = False) -> tuple[float, int, float]:
    """
    Return Pearson's statistic, its degrees of freedom and p-value over the union of levels.

    Args:
        reference: Counts by level; rows count as independent.
        current: The same.
        yates: Correct a 2 x 2 table for continuity, as `scipy.stats.chi2_contingency` does.

    Raises:
        Undefined: If a side has no rows.

    References:
        Pearson (1900); Yates (1934), Suppl. J. R. Stat. Soc. 1, 217-235.
    """
    from scipy.special import chdtrc

    observed = table(reference, current).astype(np.float64)
    df = observed.shape[1] - 1
    if df == 0:
        return 0.0, 0, 1.0
    expected = observed.sum(axis=1, keepdims=True) * observed.sum(axis=0) / observed.sum()
    gap = observed - expected
    if yates and df == 1:
        gap = np.sign(gap) * (np.abs(gap) - np.minimum(0.5, np.abs(gap)))
    statistic = float((gap**2 / expected).sum())
    return statistic, df, float(chdtrc(df, statistic))


def fewest_expected(reference: Distribution, current: Distribution) -> float:
    """Return the smallest expected count; below 5 the chi-square p-value is rough."""
    observed = table(reference, current)
    expected = observed.sum(axis=1, keepdims=True) * observed.sum(axis=0) / observed.sum()
    return float(expected.min())


def cramers_v(reference: Distribution, current: Distribution, corrected: bool = False) -> float:
    """
    Return Cramer's V of side by level, in [0, 1]; 0 if there is one level.

    Args:
        reference: Counts by level.
        current: The same.
        corrected: Take out the bias that noise adds.

    Raises:
        Undefined: If a side has no rows.

    References:
        Cramer (1946), ch. 21; Bergsma (2013), J. Korean Stat. Soc. 42, 323-328 (corrected).
    """
    statistic, df, _ = chi2(reference, current)
    n = reference.n + current.n
    if df == 0:
        return 0.0
    if not corrected:
        return math.sqrt(statistic / n)
    levels, sides = df + 1, 2
    phi = max(0.0, statistic / n - df / (n - 1))
    shrunk_levels = levels - df**2 / (n - 1)
    shrunk_sides = sides - 1 / (n - 1)
    narrow = min(shrunk_levels - 1, shrunk_sides - 1)
    return math.sqrt(phi / narrow) if narrow > 0 else 0.0
