"""Confidence limits of sums, differences and ratios, built of the limits of their parts."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from pytest_readmit.stats.effect import Effect, Undefined
from pytest_readmit.stats.measure import quantile
from pytest_readmit.stats.proportion import Proportion, clopper_pearson, wilson
from pytest_readmit.stats.tails import normal_quantile, normal_tail, tail_where

FEWEST_FOR_WILSON = 10
"""With fewer events, or non-events, the exact limits take the place of Wilson's."""
LARGEST_CORRELATION = 0.9
"""Parts count as at most so much correlated: beyond it limits need not widen with confidence."""
_LARGEST_Z = 21.0  # P(Z > 21) = 3e-98; quantiles of Student's t hold no further
_LARGEST_RATIO = 1000.0

Limits = Callable[[float, float], tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Bounded:
    """
    A value and its limits.

    Args:
        estimate: The value.
        limits: Lower and upper limit at (z, growth): z standard deviations away, if there were `growth`
            times as many rows. They move outwards as z rises.
        n: Rows it rests on.
        details: Small numbers for the report.
    """

    estimate: float
    limits: Limits
    n: int
    details: dict[str, Any] = field(default_factory=dict)


def of_proportion(share: Proportion, n: int) -> Bounded:
    """
    Return a share with Wilson's limits; with the exact ones where events or non-events are few.

    With patients both take effective events and rows, and the quantiles of Student's t with one degree of
    freedom less than there are patients: the design effect is estimated from them.

    Args:
        share: Events among rows.
        n: Rows of the dataset that they are taken from.

    Raises:
        Undefined: If there are no rows.

    References:
        Wilson (1927), JASA 22, 209-212; Clopper and Pearson (1934), Biometrika 26, 404-413; with clusters
        Korn and Graubard (1998), Surv. Methodol. 24, 193-201.
    """
    estimate = share.share
    events, rows = share.effective
    df = math.inf if share.units is None else float(max(1, share.units - 1))

    def limits(z: float, growth: float) -> tuple[float, float]:
        z = z if share.units is None else quantile(normal_tail(z), df * growth)
        hits, size, alpha = events * growth, rows * growth, normal_tail(z)
        if min(hits, size - hits) < FEWEST_FOR_WILSON:
            return clopper_pearson(hits, size, alpha)
        return wilson(hits, size, alpha)

    return Bounded(estimate, limits, n, {"design_effect": share.design_effect})


def of_effect(effect: Effect, n: int) -> Bounded:
    """
    Return the value of an Effect with its own bounds as limits.

    Raises:
        Undefined: If it has no bounds.
    """
    bounds, projected = effect.bounds, effect.projected
    if bounds is None:
        raise Undefined("a value without bounds cannot be part of another")

    def limits(z: float, growth: float) -> tuple[float, float]:
        if growth == 1.0 or projected is None:
            return bounds(normal_tail(z))
        return projected(normal_tail(z), n * growth)

    return Bounded(effect.estimate, limits, n, dict(effect.details))


def mapped(value: Bounded, rising: Callable[[float], float]) -> Bounded:
    """Return a rising function of a value; its limits are those of the value, taken through it."""

    def limits(z: float, growth: float) -> tuple[float, float]:
        lower, upper = value.limits(z, growth)
        return rising(lower), rising(upper)

    return Bounded(rising(value.estimate), limits, value.n, value.details)


def of_skewed(
    estimate: float,
    standard_error: float,
    n: int,
    *,
    shift: float,
    curve: float,
    df: float,
    span: tuple[float, float],
) -> Bounded:
    """
    Return a value whose studentised distance from the truth is skewed.

    With t that distance, t + curve t^2 + curve^2 t^3 / 3 + shift is normal to the second order; the cubic
    term makes it rise everywhere, so that limits exist at every level and move outwards.

    Args:
        estimate: The value.
        standard_error: Its standard error.
        n: Rows it rests on.
        shift: Of the middle, in standard errors.
        curve: Of the square, in standard errors.
        df: Degrees of freedom of the standard error.
        span: The least and the most that the value can be.

    References:
        Hall (1992), J. R. Stat. Soc. B 54, 221-228; DiCiccio and Efron (1992), Biometrika 79, 231-245.
    """

    def distance(z: float, shrunk: float) -> float:
        middle, bend = z - shift * shrunk, curve * shrunk
        if abs(bend) < 1e-9:
            return middle
        return (math.cbrt(1.0 + 3.0 * bend * middle) - 1.0) / bend

    def limits(z: float, growth: float) -> tuple[float, float]:
        shrunk = 1.0 / math.sqrt(growth)
        z = quantile(normal_tail(z), df * growth)
        spread = standard_error * shrunk
        lower, upper = (estimate - spread * distance(away, shrunk) for away in (z, -z))
        # at little confidence the shift alone could carry both limits past the estimate
        return max(span[0], min(lower, estimate)), min(span[1], max(upper, estimate))

    return Bounded(estimate, limits, n, {"standard_error": standard_error})


def widened(value: Bounded, other: Limits) -> Bounded:
    """Return a value whose limits are the outer ones of its own and of others for the same value."""

    def limits(z: float, growth: float) -> tuple[float, float]:
        (low, high), (lowest, highest) = value.limits(z, growth), other(z, growth)
        return min(low, lowest), max(high, highest)

    return replace(value, limits=limits)


def weighted_sum(
    first: Bounded, second: Bounded, weights: tuple[float, float], correlation: float = 0.0
) -> Bounded:
    """
    Return the weighted sum of two values.

    Args:
        first: A value.
        second: Another, of the same dataset.
        weights: Of the first, at least 0, and of the second; a difference has a weight below 0.
        correlation: Of the two estimates.

    References:
        Zou and Donner (2008), Stat. Med. 27, 1693-1702 (limits recovered from those of the parts);
        Zou (2007), Psychol. Methods 12, 399-413 (correlated parts).
    """
    one, other = weights
    estimate = one * first.estimate + other * second.estimate
    together = max(-LARGEST_CORRELATION, min(LARGEST_CORRELATION, correlation))
    sign = math.copysign(together, together * other) if together else 0.0

    def limits(z: float, growth: float) -> tuple[float, float]:
        (low, high), (far_low, far_high) = first.limits(z, growth), second.limits(z, growth)
        if other < 0:
            far_low, far_high = far_high, far_low
        lower = one * (first.estimate - low), other * (second.estimate - far_low)
        upper = one * (high - first.estimate), other * (far_high - second.estimate)
        return estimate - _joined(*lower, sign), estimate + _joined(*upper, sign)

    return Bounded(estimate, limits, first.n)


def _joined(one: float, other: float, correlation: float) -> float:
    return math.sqrt(max(0.0, one * one + other * other + 2.0 * correlation * one * other))


def level(value: Bounded) -> Effect:
    """Return the Effect of a value; without a null hypothesis."""
    return _effect(value.estimate, value.limits, value.n, value.details)


def difference(reference: Bounded, current: Bounded) -> Effect:
    """
    Return the Effect of current - reference, measured on different rows.

    With Wilson's limits of two shares this is Newcombe's method.

    References:
        Newcombe (1998), Stat. Med. 17, 873-890, method 10; Zou and Donner (2008), Stat. Med. 27, 1693-1702.
    """
    estimate = current.estimate - reference.estimate

    def limits(z: float, growth: float) -> tuple[float, float]:
        before, after = reference.limits(z, 1.0), current.limits(z, growth)
        down = math.hypot(current.estimate - after[0], before[1] - reference.estimate)
        up = math.hypot(after[1] - current.estimate, reference.estimate - before[0])
        return estimate - down, estimate + up

    details = {"reference": reference.estimate, "current": current.estimate}
    return with_null(_effect(estimate, limits, current.n, details))


def with_null(effect: Effect) -> Effect:
    """Return an Effect with the p-value of "it is 0", by its own two."""
    above, below = effect.p_beyond, effect.p_below
    if above is None or below is None:
        return effect
    return replace(effect, p_null=min(1.0, 2.0 * min(above(0.0), below(0.0))))


def relative_difference(reference: Bounded, current: Bounded, *, of_sign: bool = False) -> Bounded:
    """
    Return (current - reference) / |reference|, measured on different rows.

    Args:
        reference: A value.
        current: The same of other rows.
        of_sign: Whether the values may be below 0. If not, the limits are those of a ratio.

    Raises:
        Undefined: If the reference is 0.

    References:
        Donner and Zou (2012), Stat. Methods Med. Res. 21, 347-359 (limits of a ratio from those of its
        parts); values of either sign: delta method on the distances to their limits.
    """
    if reference.estimate == 0.0:
        raise Undefined("a change relative to 0 does not exist")
    estimate = (current.estimate - reference.estimate) / abs(reference.estimate)
    joined = _of_signed if of_sign else _of_ratio

    def limits(z: float, growth: float) -> tuple[float, float]:
        before, after = reference.limits(z, 1.0), current.limits(z, growth)
        return joined(reference.estimate, before, current.estimate, after)

    details = {"reference": reference.estimate, "current": current.estimate}
    return Bounded(estimate, limits, current.n, details)


def _of_ratio(
    r: float, of_reference: tuple[float, float], c: float, of_current: tuple[float, float]
) -> tuple[float, float]:
    """Return the limits of c / r - 1, both at least 0."""
    lowest = max(of_reference[0], r / _LARGEST_RATIO)
    below, above = c - max(0.0, of_current[0]), of_current[1] - c
    up, down = of_reference[1] - r, r - lowest
    low_root = math.sqrt(max(0.0, (c * up) ** 2 + (below * r) ** 2 - (below * up) ** 2))
    high_root = math.sqrt(max(0.0, (c * down) ** 2 + (above * r) ** 2 - (above * down) ** 2))
    lower = (c * c - below * below) / (c * r + low_root) if c > 0.0 else 0.0
    return lower - 1.0, (c * r + high_root) / (r * r - down * down) - 1.0


def _of_signed(
    r: float, of_reference: tuple[float, float], c: float, of_current: tuple[float, float]
) -> tuple[float, float]:
    """Return the limits of (c - r) / |r| for values of either sign."""
    estimate, scale = (c - r) / abs(r), abs(r)
    of_scale = abs(c) / scale * max(of_reference[1] - r, r - of_reference[0])
    down, up = math.hypot(c - of_current[0], of_scale), math.hypot(of_current[1] - c, of_scale)
    return estimate - down / scale, estimate + up / scale


def size(value: Bounded) -> Effect:
    """
    Return the Effect of |value|.

    That it is larger than a limit may be proven on either side, so the lower bound takes alpha / 2; that it
    is no larger needs both sides, so the upper bound takes alpha (Berger 1982, Technometrics 24, 295-300).
    """
    signed = with_null(level(value))
    above, below, projected = signed.p_beyond, signed.p_below, signed.projected
    assert above is not None and below is not None and projected is not None  # noqa: S101, PT018

    def folded(bounds: Callable[[float], tuple[float, float]], alpha: float) -> tuple[float, float]:
        (low, high), (lowest, highest) = bounds(alpha), bounds(alpha / 2.0)
        return max(0.0, lowest, -highest), max(-low, high)

    def p_beyond(limit: float) -> float:
        return 0.0 if limit < 0.0 else min(1.0, 2.0 * min(above(limit), below(-limit)))

    def p_below(limit: float) -> float:
        return max(below(limit), above(-limit))

    return Effect(
        estimate=abs(signed.estimate),
        bounds=lambda alpha: folded(lambda rate: value.limits(_distance(rate), 1.0), alpha),
        p_beyond=p_beyond,
        p_below=p_below,
        p_null=signed.p_null,
        projected=lambda alpha, rows: folded(lambda rate: projected(rate, rows), alpha),
        details=signed.details,
    )


def _effect(estimate: float, limits: Limits, n: int, details: dict[str, Any]) -> Effect:
    """Return the Effect whose p-values are the limits read backwards."""

    def p_beyond(limit: float) -> float:
        return tail_where(lambda z: limit - limits(z, 1.0)[0], farthest=_LARGEST_Z)

    def p_below(limit: float) -> float:
        return tail_where(lambda z: limits(z, 1.0)[1] - limit, farthest=_LARGEST_Z)

    return Effect(
        estimate=estimate,
        bounds=lambda alpha: limits(_distance(alpha), 1.0),
        p_beyond=p_beyond,
        p_below=p_below,
        projected=lambda alpha, rows: limits(_distance(alpha), rows / n),
        details=details,
    )


def _distance(alpha: float) -> float:
    return min(normal_quantile(alpha), _LARGEST_Z)
