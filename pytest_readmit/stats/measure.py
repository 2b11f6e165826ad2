"""A value with its standard error, and the Effects that follow: a level, a change, a paired difference."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from pytest_readmit.stats.effect import Effect, Undefined

Scale = Literal["identity", "log", "logit"]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """
    An estimate and how sure it is.

    Args:
        estimate: The value.
        standard_error: Its standard error, by patient where patients are known.
        n: Rows it rests on.
        scale: On which scale it is close to normal: its interval is symmetric there.
        df: Degrees of freedom of Student's t; infinity for the normal.
        span: The least and the most that the value can be; bounds go no further.
        influence: Influence of each row on the estimate, shape (n,), mean 0; None where only the standard
            error is known. Two measures of the same rows are compared by it.
        owners: Patient of each row as integers from 0, shape (n,); None where rows are independent.
        details: Small numbers for the report.
    """

    estimate: float
    standard_error: float
    n: int
    scale: Scale = "identity"
    df: float = math.inf
    span: tuple[float, float] = (-math.inf, math.inf)
    influence: Floats | None = None
    owners: npt.NDArray[np.int64] | None = None
    details: dict[str, Any] = field(default_factory=dict)


def standard_error(influence: Floats, owners: npt.NDArray[np.int64] | None = None) -> float:
    """
    Return the standard error of an estimate from the influence of its rows.

    Args:
        influence: Shape (n,), mean 0.
        owners: Patient of each row as integers from 0, shape (n,); None: rows are independent.

    References:
        Liang and Zeger (1986), Biometrika 73, 13-22: sum over patients of squared sums, without
        small-sample factor (CR0).
    """
    sums = influence if owners is None else np.bincount(owners, weights=influence)
    return math.sqrt(float(sums @ sums)) / len(influence)


def of_influence(
    estimate: float, influence: Floats, owners: npt.NDArray[np.int64] | None = None, **facts: Any
) -> Measure:
    """Return the Measure of an estimate from the influence of its rows; `facts` are its other fields."""
    return Measure(
        estimate=estimate,
        standard_error=standard_error(influence, owners),
        n=len(influence),
        influence=influence,
        owners=owners,
        **facts,
    )


def level(measure: Measure) -> Effect:
    """Return the Effect of a value: bounds on its own scale, p-values that agree with them."""
    forth, back, slope = _SCALES[measure.scale]
    middle = forth(measure.estimate)
    spread = measure.standard_error * slope(measure.estimate)
    if not (math.isfinite(middle) and math.isfinite(spread)):
        # At the edge of its scale (a share of 1, say) the value is bounded on the scale it is measured on.
        forth, back, middle, spread = _same, _same, measure.estimate, measure.standard_error
    effect = _effect(middle, spread, measure.df, measure.n, forth=forth, back=back, details=measure.details)
    return effect if measure.span == (-math.inf, math.inf) else _within(effect, *measure.span)


def change(reference: Measure, current: Measure) -> Effect:
    """
    Return the Effect of current - reference, measured on different rows.

    Patients who are in both would make the difference more certain than is said here, never less.
    """
    spread = math.hypot(reference.standard_error, current.standard_error)
    df = _satterthwaite(reference, current)
    share = 1.0 if spread == 0 else (current.standard_error / spread) ** 2
    details = {"reference": reference.estimate, "current": current.estimate}
    return _effect(current.estimate - reference.estimate, spread, df, current.n, share=share, details=details)


def paired(old: Measure, new: Measure, *, edge: float = 0.0, edge_df: float = math.inf) -> Effect:
    """
    Return the Effect of new - old, both measured on the same rows in the same order.

    Args:
        old: What is compared with.
        new: What is compared.
        edge: Standard error to add for differences of a kind that hardly a row has shown.
        edge_df: The most degrees of freedom that there are if `edge` is not 0.

    Raises:
        Undefined: If either has no influence of single rows.
    """
    if old.influence is None or new.influence is None:
        raise Undefined("a paired difference needs the influence of each row")
    difference = of_influence(new.estimate - old.estimate, new.influence - old.influence, new.owners)
    spread = math.hypot(difference.standard_error, edge)
    df = min(old.df, new.df, edge_df if edge else math.inf)
    return _effect(difference.estimate, spread, df, new.n)


def _within(effect: Effect, least: float, most: float) -> Effect:
    """Return an effect whose bounds stay within what is possible; beyond that nothing is in doubt."""
    bounds, projected, p_beyond, p_below = effect.bounds, effect.projected, effect.p_beyond, effect.p_below
    assert bounds and projected and p_beyond and p_below  # noqa: S101, PT018 - every effect of this module has them

    def cut(found: tuple[float, float]) -> tuple[float, float]:
        return max(found[0], least) + 0.0, min(found[1], most) + 0.0  # + 0.0 makes of -0.0 a plain 0

    return replace(
        effect,
        bounds=lambda alpha: cut(bounds(alpha)),
        projected=lambda alpha, rows: cut(projected(alpha, rows)),
        p_beyond=lambda limit: 0.0 if limit < least else p_beyond(limit),
        p_below=lambda limit: 0.0 if limit > most else p_below(limit),
    )


def _effect(
    middle: float,
    spread: float,
    df: float,
    n: int,
    *,
    share: float = 1.0,
    forth: Callable[[float], float] = lambda value: value,
    back: Callable[[float], float] = lambda value: value,
    details: dict[str, Any] | None = None,
) -> Effect:
    """
    Return the Effect of a value that is normal (or Student's t) on a scale.

    Args:
        middle: The value on that scale.
        spread: Its standard error there.
        df: Degrees of freedom.
        n: Rows of current.
        share: The part of the variance that more rows of current would make smaller.
        forth: Takes a value to the scale.
        back: Takes it back.
        details: For the report.
    """

    def bounds_for(alpha: float, width: float) -> tuple[float, float]:
        half = quantile(alpha, df) * width
        return back(middle - half), back(middle + half)

    def projected(alpha: float, rows: float) -> tuple[float, float]:
        return bounds_for(alpha, spread * math.sqrt(1 - share + share * n / rows))

    def tail(distance: float) -> float:
        if spread == 0:
            return 0.0 if distance > 0 else 1.0
        return upper_tail(distance / spread, df)

    return Effect(
        estimate=back(middle),
        bounds=lambda alpha: bounds_for(alpha, spread),
        p_beyond=lambda limit: tail(middle - forth(limit)),
        p_below=lambda limit: tail(forth(limit) - middle),
        p_null=2.0 * min(0.5, tail(abs(middle))),
        projected=projected,
        details={"standard_error": spread, **(details or {})},
    )


def quantile(alpha: float, df: float = math.inf) -> float:
    """Return the value that a standard normal (Student's t with `df`) exceeds with probability alpha."""
    from scipy.special import ndtri, stdtrit

    if math.isinf(df):
        return -float(ndtri(max(alpha, 1e-300)))
    return -float(stdtrit(df, max(alpha, 1e-100)))  # below, scipy's quantile of t turns over


def upper_tail(value: float, df: float = math.inf) -> float:
    """Return the probability that a standard normal (Student's t with `df`) exceeds a value."""
    from scipy.special import ndtr, stdtr

    return float(ndtr(-value) if math.isinf(df) else stdtr(df, -value))


def _satterthwaite(one: Measure, other: Measure) -> float:
    """Return the degrees of freedom of a sum of variances (Satterthwaite 1946, Biometrics Bull. 2)."""
    if math.isinf(one.df) and math.isinf(other.df):
        return math.inf
    parts = [each.standard_error**2 for each in (one, other)]
    below = sum(part**2 / each.df for part, each in zip(parts, (one, other), strict=True))
    return sum(parts) ** 2 / below if below else math.inf


def _same(value: float) -> float:
    return value


def _log(value: float) -> float:
    return math.log(value) if value > 0 else -math.inf


def _exp(value: float) -> float:
    return math.exp(min(value, 700.0))


def _logit(value: float) -> float:
    if value <= 0:
        return -math.inf
    return math.inf if value >= 1 else math.log(value / (1 - value))


def _expit(value: float) -> float:
    return 1 / (1 + math.exp(-value)) if value >= 0 else 1 - 1 / (1 + math.exp(max(value, -700.0)))


_SCALES: dict[str, tuple[Callable[[float], float], Callable[[float], float], Callable[[float], float]]] = {
    "identity": (_same, _same, lambda _: 1.0),
    "log": (_log, _exp, lambda value: 1 / value if value > 0 else math.inf),
    "logit": (_logit, _expit, lambda value: 1 / (value * (1 - value)) if 0 < value < 1 else math.inf),
}
