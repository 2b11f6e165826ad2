"""Omnibus distances without a population limit: energy, Cramer-von Mises, Anderson-Darling."""

import math
import warnings

import numpy as np

from pytest_readmit.stats.distribution import Array, Distribution, aligned, require_rows
from pytest_readmit.stats.effect import Undefined

_MOST_POINTS = 512


def squared_distance(reference: Distribution, current: Distribution) -> float:
    """
    Return E2 = 2 E|X - Y| - E|X - X'| - E|Y - Y'| = 2 x the integral of (F - G)^2.

    Raises:
        Undefined: If a side has no rows or text.

    References:
        Szekely and Rizzo (2013), J. Stat. Plan. Inference 143, 1249-1272.
    """
    points, before, after = _pooled(reference, current)
    return _squared(points, before / reference.n, after / current.n)


def distance(reference: Distribution, current: Distribution) -> float:
    """Return the energy distance, the root of `squared_distance`, in root units of the column."""
    return math.sqrt(squared_distance(reference, current))


def permutation_p(
    reference: Distribution, current: Distribution, seed: int = 0, permutations: int = 999
) -> float:
    """
    Return the permutation p-value of the energy distance, (1 + as large) / (1 + permutations).

    Beyond 512 distinct pooled values, values are first pooled into 512 runs of equal rows; that
    looks at no side's label, so the p-value stays valid. Rows count as independent.

    Args:
        reference: Numbers.
        current: Numbers.
        seed: Seed of the generator.
        permutations: Number of relabellings.

    Raises:
        Undefined: If a side has no rows or text.
    """
    points, before, after = _coarse(*_pooled(reference, current))
    total = before + after
    n, m = reference.n, current.n
    observed = _squared(points, before / n, after / m)
    generator = np.random.default_rng(seed)
    drawn = generator.multivariate_hypergeometric(total, n, size=permutations, method="marginals")
    gaps = np.cumsum(drawn / n - (total - drawn) / m, axis=1)[:, :-1]
    found = 2.0 * (gaps**2 @ np.diff(points))
    # equal relabellings differ in the last bits
    as_large = int((found >= observed * (1.0 - 1e-9)).sum())
    return (1 + as_large) / (1 + permutations)


def cramer_von_mises(reference: Distribution, current: Distribution) -> tuple[float, float]:
    """
    Return the two-sample Cramer-von Mises statistic and p-value of scipy.

    Raises:
        Undefined: If a side has fewer than two rows or text.

    References:
        Anderson (1962), Ann. Math. Stat. 33, 1148-1159.
    """
    from scipy.stats import cramervonmises_2samp

    _require_numbers(reference, current, at_least=2)
    found = cramervonmises_2samp(reference.expanded(), current.expanded())
    return float(found.statistic), float(found.pvalue)


def anderson_darling(reference: Distribution, current: Distribution) -> tuple[float, float]:
    """
    Return the two-sample Anderson-Darling statistic (standardised) and p-value of scipy.

    scipy's table ends at 0.001 and 0.25; a p-value at an end means "this or beyond".

    Raises:
        Undefined: If a side has no rows or text, or all rows hold one value.

    References:
        Scholz and Stephens (1987), JASA 82, 918-924, midrank version.
    """
    from scipy.stats import anderson_ksamp

    _require_numbers(reference, current, at_least=1)
    if min(reference.support[0], current.support[0]) == max(reference.support[-1], current.support[-1]):
        raise Undefined("all rows hold one value: the Anderson-Darling statistic does not exist")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # told above: p-values end at the table's ends
        found = anderson_ksamp([reference.expanded(), current.expanded()])
    return float(found.statistic), float(found.pvalue)


def _require_numbers(reference: Distribution, current: Distribution, *, at_least: int) -> None:
    require_rows(reference, current)
    if reference.is_text:
        raise Undefined("this distance needs numbers")
    if min(reference.n, current.n) < at_least:
        raise Undefined(f"this distance needs {at_least} rows a side")


def _pooled(reference: Distribution, current: Distribution) -> tuple[Array, Array, Array]:
    _require_numbers(reference, current, at_least=1)
    points, (before, after) = aligned(reference, current)
    return points, before, after


def _squared(points: Array, p: Array, q: Array) -> float:
    gaps = np.cumsum(p - q)[:-1]
    return float(2.0 * (gaps**2 @ np.diff(points)))


def _coarse(points: Array, before: Array, after: Array) -> tuple[Array, Array, Array]:
    """Pool neighbouring values into at most 512 runs of about equal rows, at their mean value."""
    if len(points) <= _MOST_POINTS:
        return points, before, after
    total = before + after
    run = (np.cumsum(total) - total) * _MOST_POINTS // int(total.sum())
    _, run = np.unique(run, return_inverse=True)
    rows = np.bincount(run, weights=total)
    middle = np.bincount(run, weights=total * points) / rows
    sides = [np.bincount(run, weights=side).astype(np.int64) for side in (before, after)]
    return middle, sides[0], sides[1]
