"""Wasserstein-1 distance in reference standard deviations: how far values moved on average."""

import math

import numpy as np

from pytest_readmit.stats.distribution import Array, Distribution, require_rows
from pytest_readmit.stats.effect import Effect, Undefined
from pytest_readmit.stats.tails import normal_quantile, normal_tail


def _steps(reference: Distribution, current: Distribution) -> tuple[Array, Array, Array]:
    """Return both cumulative shares between consecutive pooled values, and the widths, shape (k - 1,)."""
    require_rows(reference, current)
    if reference.is_text:
        raise Undefined("the Wasserstein distance needs numbers")
    points = np.concatenate((reference.distinct()[0], current.distinct()[0]))
    points.sort(kind="stable")  # two sorted runs: a merge
    return reference.cdf(points[:-1]), current.cdf(points[:-1]), np.diff(points)


def raw_distance(reference: Distribution, current: Distribution) -> float:
    """Return the integral of |F - G| in the column's own unit."""
    f, g, width = _steps(reference, current)
    return float(np.abs(f - g) @ width)


def distance(reference: Distribution, current: Distribution) -> float:
    """
    Return the integral of |F - G| over the reference's standard deviation (ddof = 0).

    Raises:
        Undefined: If a side has no rows or text, or the reference has one value.
    """
    return raw_distance(reference, current) / _scale(reference)


def _scale(reference: Distribution) -> float:
    scale = reference.sd()
    if scale == 0:
        raise Undefined("reference has a single value: no standard deviation to measure in")
    return scale


def scale_range(reference: Distribution, scale: float, low: float, high: float) -> tuple[float, float, float]:
    """
    Return the least that the reference's standard deviation may be, and the range of what is measured in it.

    Args:
        reference: Where it is in bins, its standard deviation is known within a range only.
        scale: The standard deviation as it seems.
        low: The least that a distance may be, in `scale`.
        high: The most.

    Raises:
        Undefined: If its bins are so wide that the standard deviation may be 0.
    """
    error = reference.sd_error()
    if error >= scale:
        raise Undefined("the bins of the reference are too wide to know its standard deviation")
    shrunk, grown = scale / (scale + error), scale / (scale - error)
    return scale - error, low * (shrunk if low > 0 else grown), high * (grown if high > 0 else shrunk)


def effect(reference: Distribution, current: Distribution) -> Effect:
    """
    Return the distance with bounds on that of the populations.

    The distance is a supremum over functions of slope at most 1, whose means have at most the
    standard error of the mean itself; the lower bound also gives up the mean of the noise.

    Raises:
        Undefined: If a side has no rows or text, or the reference has one value.

    References:
        Kantorovich and Rubinstein (1958); Sriperumbudur et al. (2012), Electron. J. Stat. 6.
    """
    f, g, width = _steps(reference, current)
    scale = _scale(reference)
    n, m = reference.effective_n, current.effective_n
    estimate = float(np.abs(f - g) @ width) / scale
    error = (reference.mean_error(float(width.sum())) + current.mean_error(float(width.sum()))) / scale
    sure, least, most = scale_range(reference, scale, estimate - error, estimate + error)
    noise_squared = f * (1.0 - f) / n + g * (1.0 - g) / m
    spread = np.sqrt(noise_squared)
    close = np.abs(f - g) <= 3.0 * spread
    bias = math.sqrt(2.0 / math.pi) * float(spread[close] @ width[close]) / sure
    ratio = ((current.sd() + current.sd_error()) / sure) ** 2

    def bounds_for(alpha: float, rows: float) -> tuple[float, float]:
        half_width = normal_quantile(alpha) * math.sqrt(unit / n + ratio / rows)
        shrunk = bias * math.sqrt((1.0 / n + 1.0 / rows) / (1.0 / n + 1.0 / m))
        return max(0.0, least - shrunk - half_width), most + half_width

    unit = ((scale + reference.sd_error()) / sure) ** 2
    se = math.sqrt(unit / n + ratio / m)

    def p_beyond(limit: float) -> float:
        return 0.0 if limit < 0.0 else normal_tail((least - bias - limit) / se)

    return Effect(
        estimate=estimate,
        bounds=lambda alpha: bounds_for(alpha, m),
        p_beyond=p_beyond,
        p_below=lambda limit: normal_tail((limit - most) / se),
        projected=lambda alpha, rows: bounds_for(alpha, rows / current.design_effect),
        estimates=(max(0.0, least), most) if most > least else None,
        details={"bias": bias, "standard_error": se, "reference_sd": scale},
    )
