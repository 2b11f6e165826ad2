"""Effect: a measured size with its bounds and p-values, ready to become a Claim."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


class Undefined(ValueError):
    """The statistic does not exist for these data; the text says why and names no value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """
    A measured effect and what the data allow to be said of the true one.

    Law: ``p_beyond(x) <= alpha`` exactly where ``bounds(alpha)[0] > x``, and ``p_below(x) <= alpha``
    exactly where ``bounds(alpha)[1] < x``, for alpha < 0.5; all are monotone.

    Args:
        estimate: The effect in its own unit; signed for a change.
        bounds: Lower and upper bound, each one-sided at confidence 1 - alpha; None where the
            statistic has no population value to bound.
        p_beyond: p-value of "the effect is at most its argument".
        p_below: p-value of "the effect is at least its argument".
        p_null: p-value of "nothing differs".
        projected: Bounds at (alpha, rows of current) if the estimate stayed.
        estimates: Between which two the estimate lies, where counts are approximate.
        details: Small numbers behind it: bias, standard error, degrees of freedom, ...
    """

    estimate: float
    bounds: Callable[[float], tuple[float, float]] | None
    p_beyond: Callable[[float], float] | None = None
    p_below: Callable[[float], float] | None = None
    p_null: float | None = None
    projected: Callable[[float, float], tuple[float, float]] | None = None
    estimates: tuple[float, float] | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
