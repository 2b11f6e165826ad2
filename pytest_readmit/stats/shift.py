"""Shift of the mean in reference standard deviations."""

import math

from pytest_readmit.stats.distribution import Distribution, require_rows
from pytest_readmit.stats.effect import Effect, Undefined
from pytest_readmit.stats.wasserstein import scale_range


def effect(reference: Distribution, current: Distribution) -> Effect:
    """
    Return (mean of current - mean of reference) / sd of reference, with bounds.

    Welch's bound on the difference, made wider by the reference sd's own error: with skewness s and
    kurtosis k of the reference, the delta method gives the variance of a shift d as
    var_cur / (var_ref m) + (1 + d s + d^2 (k - 1) / 4) / n; degrees of freedom by Satterthwaite.

    Args:
        reference: Numbers.
        current: Numbers.

    Returns:
        The signed shift (Glass's delta); `p_null` is Welch's two-sided test.

    Raises:
        Undefined: If a side has fewer than two rows or text, or the reference has one value.

    References:
        Welch (1947), Biometrika 34, 28-35; Glass (1976), Educ. Res. 5, 3-8.
    """
    require_rows(reference, current)
    if reference.is_text:
        raise Undefined("a mean needs numbers")
    n, m = reference.n, current.n
    if min(n, m) < 2:
        raise Undefined("a shift of means needs two rows a side")
    sd = reference.sd() * math.sqrt(n / (n - 1))
    if sd == 0:
        raise Undefined("reference has a single value: no standard deviation to measure in")
    shift = (current.mean() - reference.mean()) / sd
    skew, kurtosis = reference.standardised_moment(3), reference.standardised_moment(4)
    ratio = (current.sd() / sd) ** 2 * m / (m - 1)
    factor = max(0.0, 1.0 + shift * skew + shift * shift * (kurtosis - 1.0) / 4.0)
    error = _error(reference, current, sd)
    sure, least, most = scale_range(reference, sd, shift - error, shift + error)
    stretch = (sd + reference.sd_error() + current.sd_error()) / sure
    sizes = (reference.effective_n, current.effective_n)

    def spread(factor: float, rows: float) -> tuple[float, float]:
        """Return the standard error and Satterthwaite's degrees of freedom."""
        parts = (factor / sizes[0], ratio / rows)
        total = sum(parts)
        df = total**2 / (parts[0] ** 2 / max(1.0, sizes[0] - 1) + parts[1] ** 2 / max(1.0, rows - 1))
        return stretch * math.sqrt(total), df

    def bounds_for(alpha: float, rows: float) -> tuple[float, float]:
        se, df = spread(factor, rows)
        half_width = _t_quantile(df, alpha) * se
        return least - half_width, most + half_width

    se, df = spread(factor, sizes[1])
    null_se, null_df = spread(1.0, sizes[1])
    return Effect(
        estimate=shift,
        bounds=lambda alpha: bounds_for(alpha, sizes[1]),
        p_beyond=lambda limit: _t_tail(df, (least - limit) / se),
        p_below=lambda limit: _t_tail(df, (limit - most) / se),
        p_null=2.0 * _t_tail(null_df, abs(shift) / null_se),
        projected=lambda alpha, rows: bounds_for(alpha, rows / current.design_effect),
        estimates=(least, most) if most > least else None,
        details={"standard_error": se, "df": df, "reference_sd": sd},
    )


def _error(reference: Distribution, current: Distribution, sd: float) -> float:
    """Return how far approximate counts can move the difference of means, in sd."""
    sides = (reference, current)
    return sum(side.centre_error(float(side.support[-1] - side.support[0])) for side in sides) / sd


def _t_tail(df: float, t: float) -> float:
    from scipy.special import stdtr

    return float(stdtr(df, -t))


def _t_quantile(df: float, alpha: float) -> float:
    from scipy.special import stdtrit

    return -float(stdtrit(df, max(alpha, 1e-300)))
