"""Kolmogorov-Smirnov distance: exact statistic, bounds on the population distance, p-values."""

import math
from typing import NamedTuple

import numpy as np

from pytest_readmit.stats.distribution import (
    Array,
    Distribution,
    aligned,
    effective_size,
    harmonic,
    require_rows,
)
from pytest_readmit.stats.effect import Effect, Undefined
from pytest_readmit.stats.tails import (
    kolmogorov_quantile,
    kolmogorov_tail,
    normal_quantile,
    normal_tail,
)

_FIRST_BLOCKS = 512
_SPLIT = 16
_EXACT_UP_TO = 10_000  # scipy's own switch from the exact to the asymptotic p


def distance(reference: Distribution, current: Distribution) -> float:
    """
    Return D = max over x of |F(x) - G(x)|, ties grouped.

    Raises:
        Undefined: If a side has no rows or holds text.
    """
    require_rows(reference, current)
    if reference.is_text:
        raise Undefined("the Kolmogorov-Smirnov distance needs numbers")
    if reference.counts is None and current.counts is None:
        return _distance_of_sorted(reference.support, current.support)
    counted, other = (reference, current) if reference.counts is not None else (current, reference)
    return _distance_of_counted(counted, other)


def _distance_of_counted(counted: Distribution, other: Distribution) -> float:
    """Compare both cumulative shares just after and just before each value of the counted side."""
    assert counted.counts is not None  # noqa: S101 - the caller chose the side that has counts
    after = np.cumsum(counted.counts)
    before = after - counted.counts
    n, m = counted.n, other.n
    above = after / n - other.rank(counted.support) / m
    below = other.rank(counted.support, side="left") / m - before / n
    return float(max(above.max(), below.max(), 0.0))


def _distance_of_sorted(a: Array, b: Array) -> float:
    """
    Rank only those blocks of `a` in `b` that can still beat the best difference found.

    F - G is largest just after a value of `a`, G - F just before one. Inside a block of `a` that
    spans positions [start, end) and ranks [left, right] of `b`, the first is at most
    end/n - left/m, the second at most right/m - start/n. A block of one value is settled by its ends.
    """
    n, m = len(a), len(b)
    edges = np.unique(np.linspace(0, n, _FIRST_BLOCKS + 1).astype(np.int64))
    starts, ends = edges[:-1], edges[1:]
    best = 0.0
    while len(starts):
        first, last = a[starts], a[ends - 1]
        left = np.searchsorted(b, first, side="left") / m
        right = np.searchsorted(b, last, side="right") / m
        begin, end = starts / n, ends / n
        best = max(best, float((end - right).max()), float((left - begin).max()))
        alive = (np.maximum(end - left, right - begin) > best) & (first < last)
        starts, ends = _split(starts[alive], ends[alive])
    return best


def _split(starts: Array, ends: Array) -> tuple[Array, Array]:
    """Cut each block into up to 16 parts, none empty."""
    steps = (ends - starts)[:, None] * np.arange(_SPLIT + 1) // _SPLIT + starts[:, None]
    lows, highs = steps[:, :-1].ravel(), steps[:, 1:].ravel()
    filled = highs > lows
    return lows[filled], highs[filled]


def effect(reference: Distribution, current: Distribution) -> Effect:
    """
    Return the KS distance with bounds on the distance between the populations.

    Lower: D - K_alpha / sqrt(Ne), K Kolmogorov's quantile: by Anderson's inequality the noise of any
    two distributions is stochastically no larger than at F = G. Upper: D + z_alpha / (2 sqrt(Ne)),
    since at the point where the populations differ most the noise has at most that standard error.

    Args:
        reference: Numbers.
        current: Numbers.

    Returns:
        The distance in [0, 1], 0 = same.

    Raises:
        Undefined: If a side has no rows or holds text.

    References:
        Kolmogorov (1933), Smirnov (1939); Anderson (1955), Proc. AMS 6, 170-176.
    """
    estimate, low, high = _range(reference, current)

    def bounds_for(alpha: float, ne: float) -> tuple[float, float]:
        lower = low - kolmogorov_quantile(alpha) / math.sqrt(ne)
        upper = high + normal_quantile(alpha) / (2.0 * math.sqrt(ne))
        return max(0.0, lower), min(1.0, upper)

    ne = effective_size(reference, current)
    root = math.sqrt(ne)

    def p_beyond(limit: float) -> float:
        return 0.0 if limit < 0.0 else kolmogorov_tail(root * max(0.0, low - limit))

    def p_below(limit: float) -> float:
        return 0.0 if limit > 1.0 else normal_tail(2.0 * root * (limit - high))

    return Effect(
        estimate=estimate,
        bounds=lambda alpha: bounds_for(alpha, ne),
        p_beyond=p_beyond,
        p_below=p_below,
        p_null=kolmogorov_tail(root * max(0.0, low)),
        projected=lambda alpha, rows: bounds_for(
            alpha, harmonic(reference.effective_n, rows / current.design_effect)
        ),
        details={"effective_size": ne},
        estimates=(max(0.0, low), min(1.0, high)) if high > low else None,
    )


def _range(reference: Distribution, current: Distribution) -> tuple[float, float, float]:
    """
    Return the distance, and between which two the distance of the rows lies.

    A reference in bins has its exact shares where these begin and end: there the distance is at least what
    it seems. Inside a bin its share is anything between that before and that after it.
    """
    if reference.spans is None or reference.counts is None or current.approximate:
        estimate = distance(reference, current)
        error = reference.error + current.error
        return estimate, estimate - error, estimate + error
    require_rows(reference, current)
    after = np.cumsum(reference.counts) / reference.n
    before = np.concatenate(([0.0], after[:-1]))
    starts, ends = reference.spans.T
    under_start, at_start = (current.rank(starts, side) / current.n for side in ("left", "right"))
    under_end, at_end = (current.rank(ends, side) / current.n for side in ("left", "right"))
    seen = max(0.0, float((after - at_end).max()), float((under_start - before).max()))
    most = max(seen, float((after - at_start).max()), float((under_end - before).max()))
    return seen, seen - reference.left_out, most + reference.left_out


def null_p(reference: Distribution, current: Distribution) -> float:
    """Return Kolmogorov's limiting p-value of "both are the same", with effective sizes."""
    root = math.sqrt(effective_size(reference, current))
    return kolmogorov_tail(root * distance(reference, current))


def scipy_p(reference: Distribution, current: Distribution) -> tuple[float, float]:
    """
    Return D and the p-value exactly as `scipy.stats.ks_2samp(a, b)` gives them.

    scipy takes the exact law (which ignores ties) up to 10,000 rows a side, and beyond it the
    one-sample law at round(n m / (n + m)) rows. Rows count as independent.
    """
    statistic = distance(reference, current)
    n, m = reference.n, current.n
    if max(n, m) > _EXACT_UP_TO:
        from scipy.stats import kstwo

        # scipy divides by the sum of the larger and the smaller, in this order
        large, small = float(max(n, m)), float(min(n, m))
        p_value = float(kstwo.sf(statistic, np.round(large * small / (large + small))))
        return statistic, min(max(p_value, 0.0), 1.0)
    import warnings

    from scipy.stats import ks_2samp

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # scipy tells when it fell back to the limit
        found = ks_2samp(reference.expanded(), current.expanded())
    return float(found.statistic), float(found.pvalue)


def exact_p(reference: Distribution, current: Distribution) -> float:
    """
    Return the permutation p-value of D given the ties, by counting lattice paths.

    Takes n m steps: for a few thousand rows a side at most.

    References:
        Schroeer and Trenkler (1995), Comput. Stat. Data Anal. 20, 185-202 (what R's ks.test does).
    """
    _, (rows_a, rows_b) = aligned(reference, current)
    n, m = reference.n, current.n
    observed = distance(reference, current) - 1e-12
    closed = np.zeros(n + m + 1, dtype=bool)
    closed[np.cumsum(rows_a + rows_b)] = True
    i = np.arange(n + 1)
    # share of paths that reach (i, j) without a difference >= observed where a group of ties ends
    inside = np.zeros(n + 1)
    for j in range(m + 1):
        row = np.empty(n + 1)
        allowed = ~(closed[i + j] & (np.abs(i / n - j / m) >= observed))
        carried = 0.0
        for k in range(n + 1):
            if j == 0 and k == 0:
                carried = 1.0
            else:
                # the k + j th row drawn: from a with share k/(k+j) of the paths to here, else from b
                carried = carried * k / (k + j) + (inside[k] * j / (k + j) if j else 0.0)
            carried = carried if allowed[k] else 0.0
            row[k] = carried
        inside = row
    return float(min(1.0, max(0.0, 1.0 - inside[n])))


class Plan(NamedTuple):
    """What a planned comparison can show; all distances in [0, 1]."""

    detectable: float
    certifiable: float
    effective_size_to_certify: float


def plan(
    limit: float,
    n_reference: float,
    n_current: float,
    *,
    tests: int = 1,
    alpha: float = 0.05,
    power: float = 0.8,
) -> Plan:
    """
    Return what `tests` KS gates at a limit can decide with these numbers of rows.

    Returns:
        The smallest distance that fails with the power, the smallest limit that all pass with the
        power if nothing drifted, and n m / (n + m) needed for that at `limit`.
    """
    root = math.sqrt(harmonic(n_reference, n_current))
    miss = 1.0 - power
    detectable = limit + (kolmogorov_quantile(alpha / tests) + normal_quantile(miss) / 2.0) / root
    width = kolmogorov_quantile(miss / tests) + normal_quantile(alpha) / 2.0
    return Plan(detectable, width / root, (width / limit) ** 2)
