"""Total variation: the share of rows that would have to change their category."""

import math

import numpy as np

from pytest_readmit.stats.distribution import (
    Array,
    Distribution,
    aligned,
    effective_size,
    harmonic,
    require_rows,
)
from pytest_readmit.stats.effect import Effect
from pytest_readmit.stats.tails import normal_quantile, normal_tail


def shares(reference: Distribution, current: Distribution) -> tuple[Array, Array]:
    """Return the shares of both sides over the union of their values, each shape (k,)."""
    require_rows(reference, current)
    _, (before, after) = aligned(reference, current)
    return before / reference.n, after / current.n


def distance(reference: Distribution, current: Distribution) -> float:
    """
    Return half the sum of |p - q| over the union of values, in [0, 1].

    Raises:
        Undefined: If a side has no rows.
    """
    p, q = shares(reference, current)
    return float(np.abs(p - q).sum() / 2.0)


def bias(p: Array, q: Array, n: float, m: float) -> float:
    """Return the expected noise of the levels that do not differ by more than 3 standard errors."""
    spread = np.sqrt(p * (1.0 - p) / n + q * (1.0 - q) / m)
    close = np.abs(p - q) <= 3.0 * spread
    return float(spread[close].sum() / math.sqrt(2.0 * math.pi))


def effect(reference: Distribution, current: Distribution) -> Effect:
    """
    Return the total variation distance with bounds on that of the populations.

    The distance is a supremum of mean differences over events, each with standard error at most
    1 / (2 sqrt(Ne)). Upper: the true distance is one event's difference, so no correction. Lower: the
    supremum of the noise is its mean (the bias) plus one such error (Gaussian isoperimetry).

    Raises:
        Undefined: If a side has no rows, or one holds numbers and the other text.

    References:
        Sriperumbudur et al. (2012), Electron. J. Stat. 6, 1550-1599 (distances as suprema);
        Ledoux and Talagrand (1991), Probability in Banach Spaces, ch. 3.
    """
    p, q = shares(reference, current)
    estimate = float(np.abs(p - q).sum() / 2.0)
    # an error in cumulative shares is at most twice itself in one share, halved by the distance
    error = min(1.0, len(p) * (reference.error + current.error))
    high = estimate + error

    def bounds_for(alpha: float, m: float) -> tuple[float, float]:
        n = reference.effective_n
        half_width = normal_quantile(alpha) / (2.0 * math.sqrt(harmonic(n, m)))
        lower = estimate - error - bias(p, q, n, m) - half_width
        return max(0.0, lower), min(1.0, high + half_width)

    noise = bias(p, q, reference.effective_n, current.effective_n)
    low = estimate - error - noise
    root = math.sqrt(effective_size(reference, current))

    def p_beyond(limit: float) -> float:
        return 0.0 if limit < 0.0 else normal_tail(2.0 * root * (low - limit))

    def p_below(limit: float) -> float:
        return 0.0 if limit > 1.0 else normal_tail(2.0 * root * (limit - high))

    return Effect(
        estimate=estimate,
        bounds=lambda alpha: bounds_for(alpha, current.effective_n),
        p_beyond=p_beyond,
        p_below=p_below,
        projected=lambda alpha, rows: bounds_for(alpha, rows / current.design_effect),
        details={"bias": noise, "levels": len(p), "effective_size": root * root},
    )
