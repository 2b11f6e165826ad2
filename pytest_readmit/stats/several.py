"""Several effects as one: the largest of them, or any of them."""

from collections.abc import Callable, Sequence

from pytest_readmit.stats.effect import Effect, Undefined


def any_of(effects: Sequence[Effect]) -> Effect:
    """
    Return the effect that may be any of some.

    Its bounds hold whichever it is; what is proven, is proven of them all.
    """

    def widest(bounds: Sequence[tuple[float, float]]) -> tuple[float, float]:
        return min(low for low, _ in bounds), max(high for _, high in bounds)

    estimates = [one.estimate for one in effects]
    return Effect(
        estimate=(min(estimates) + max(estimates)) / 2.0,
        bounds=lambda alpha: widest([_bounds_of(one)(alpha) for one in effects]),
        p_beyond=lambda limit: max(_p_of(one.p_beyond, limit) for one in effects),
        p_below=lambda limit: max(_p_of(one.p_below, limit) for one in effects),
        projected=lambda alpha, rows: widest(
            [one.projected(alpha, rows) for one in effects if one.projected]
        ),
        estimates=(min(estimates), max(estimates)),
    )


def largest_of(effects: Sequence[Effect]) -> Effect:
    """
    Return the largest of k effects.

    That some effect is beyond a limit is a union, so its lower bound takes alpha / k (Bonferroni);
    that all are within it needs each to be, so the upper bound is the largest one at alpha
    (intersection-union test: Berger 1982, Technometrics 24, 295-300).

    Raises:
        Undefined: If there are none.
    """
    if not effects:
        raise Undefined("the largest of no effects does not exist")
    k = len(effects)
    largest = max(range(k), key=lambda i: effects[i].estimate)

    def bounds(alpha: float) -> tuple[float, float]:
        return (
            max(_bounds_of(one)(alpha / k)[0] for one in effects),
            max(_bounds_of(one)(alpha)[1] for one in effects),
        )

    def projected(alpha: float, rows: float) -> tuple[float, float]:
        lower = [one.projected(alpha / k, rows)[0] for one in effects if one.projected]
        upper = [one.projected(alpha, rows)[1] for one in effects if one.projected]
        return max(lower), max(upper)

    return Effect(
        estimate=effects[largest].estimate,
        bounds=bounds,
        p_beyond=lambda limit: min(1.0, k * min(_p_of(one.p_beyond, limit) for one in effects)),
        p_below=lambda limit: max(_p_of(one.p_below, limit) for one in effects),
        projected=projected if all(one.projected for one in effects) else None,
        estimates=_largest_range(effects),
        details={"largest": largest, "of": k},
    )


def _largest_range(effects: Sequence[Effect]) -> tuple[float, float] | None:
    if all(one.estimates is None for one in effects):
        return None
    ranges = [one.estimates or (one.estimate, one.estimate) for one in effects]
    return max(low for low, _ in ranges), max(high for _, high in ranges)


def _bounds_of(effect: Effect) -> Callable[[float], tuple[float, float]]:
    if effect.bounds is None:
        raise Undefined("an effect without bounds cannot be one of several")
    return effect.bounds


def _p_of(p_value: Callable[[float], float] | None, limit: float) -> float:
    if p_value is None:
        raise Undefined("an effect without p-values cannot be one of several")
    return p_value(limit)
