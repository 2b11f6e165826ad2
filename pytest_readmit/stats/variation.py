"""Total variation: the share of rows that would have to change their category."""

import math

import numpy as np

from pytest_readmit.stats.distribution import (
    OTHER,
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


def together(
    reference: Distribution, before: Array, after: Array, levels: Array
) -> tuple[Array, Array, tuple[float, float], int]:
    """
    Take together the levels that a reference does not tell apart.

    Args:
        reference: With or without pooled levels.
        before: Shares (or rows) of the reference by level, shape (k,).
        after: Those of current.
        levels: The levels.

    Returns:
        Both without these levels, what they are in all on either side, and how many levels they may be.
    """
    if reference.pooled is None:
        return before, after, (0.0, 0.0), 0
    other = levels == OTHER
    unknown = other | (before == 0)
    sums = float(before[unknown].sum()), float(after[unknown].sum())
    return before[~unknown], after[~unknown], sums, reference.pooled.levels + int((after[unknown] > 0).sum())


def bias(p: Array, q: Array, n: float, m: float, slack: float = 0.0) -> float:
    """
    Return the expected noise of the levels that do not differ by more than 3 standard errors.

    Args:
        p: Shares of the reference.
        q: Shares of current.
        n: Rows of the reference.
        m: Rows of current.
        slack: How far a share of the reference may be off.
    """
    largest = np.clip(0.5, p - slack, p + slack) if slack else p
    spread = np.sqrt(largest * (1.0 - largest) / n + q * (1.0 - q) / m)
    close = np.abs(p - q) <= 3.0 * spread + slack
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
    require_rows(reference, current)
    levels, (before, after) = aligned(reference, current)
    p, q, (rest_p, rest_q), pooled = together(
        reference, before / reference.n, after / current.n, np.asarray(levels)
    )
    estimate = float(np.abs(p - q).sum() + abs(rest_p - rest_q)) / 2.0
    # an error in cumulative shares is at most twice itself in one share, halved by the distance
    error = min(1.0, len(p) * (reference.error + current.error) + reference.left_out)
    # levels taken together on one side may all be others than those on the other
    high = estimate + error + min(rest_p, rest_q)

    def noise_at(m: float) -> float:
        n = reference.effective_n
        # by Cauchy and Schwarz the noise of so many levels is at most this
        rest = math.sqrt(pooled * (rest_p / n + rest_q / m) / (2.0 * math.pi))
        return bias(p, q, n, m, reference.left_out) + rest

    def bounds_for(alpha: float, m: float) -> tuple[float, float]:
        half_width = normal_quantile(alpha) / (2.0 * math.sqrt(harmonic(reference.effective_n, m)))
        lower = estimate - error - noise_at(m) - half_width
        return max(0.0, lower), min(1.0, high + half_width)

    noise = noise_at(current.effective_n)
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
        estimates=(estimate - error, high) if high > estimate else None,
        details={"bias": noise, "levels": len(levels), "effective_size": root * root},
    )
