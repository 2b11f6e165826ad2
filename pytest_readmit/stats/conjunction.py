"""Partial conjunction: how many of several features drifted, proven and certified."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pytest_readmit.stats.distribution import Array
from pytest_readmit.stats.effect import Effect, Undefined


def p_at_least(p_values: npt.ArrayLike) -> Array:
    """
    Return, for u = 1 ... k, the p-value of "fewer than u of the k null hypotheses are false".

    (k - u + 1) times the u-th smallest p-value, made to rise with u so that the counts proven at
    alpha are nested. Valid however the p-values depend on each other.

    Args:
        p_values: One p-value a feature, shape (k,).

    References:
        Benjamini and Heller (2008), Biometrics 64, 1215-1222, eq. 2 (Bonferroni's version).
    """
    p = np.sort(np.asarray(p_values, dtype=np.float64))
    scaled = p * (len(p) - np.arange(len(p)))
    return np.minimum(1.0, np.maximum.accumulate(scaled))


def proven(p_values: npt.ArrayLike, alpha: float) -> int:
    """Return how many null hypotheses are false at the least, with confidence 1 - alpha."""
    return int((p_at_least(p_values) <= alpha).sum())


def share(p_drifted: Sequence[float], p_within: Sequence[float], estimate: float) -> Effect:
    """
    Return the share of features that drifted beyond their limit.

    Args:
        p_drifted: By feature, the p-value of "its effect is at most the limit".
        p_within: By feature, the p-value of "its effect is at least the limit".
        estimate: The share of features whose estimate is beyond the limit.

    Returns:
        The share in [0, 1]; lower bound: features proven beyond; upper bound: all but those proven
        within. A true share is a count over k, so bounds move in steps of 1 / k.

    Raises:
        Undefined: If there are no features, or the lists differ in length.
    """
    k = len(p_drifted)
    if k == 0 or len(p_within) != k:
        raise Undefined("a share of drifted features needs both p-values of at least one feature")
    beyond, within = p_at_least(p_drifted), p_at_least(p_within)
    steps = np.arange(k + 1) / k

    def bounds(alpha: float) -> tuple[float, float]:
        lower = steps[int((beyond <= alpha).sum())]
        upper = steps[k - int((within <= alpha).sum())]
        return float(lower), float(upper)

    def p_beyond(limit: float) -> float:
        least = int(np.searchsorted(steps, limit, side="right"))  # the fewest that exceed the limit
        return 1.0 if least > k else 0.0 if least == 0 else float(beyond[least - 1])

    def p_below(limit: float) -> float:
        most = int(np.searchsorted(steps, limit, side="left")) - 1  # the most that stay below it
        return 1.0 if most < 0 else 0.0 if most == k else float(within[k - most - 1])

    return Effect(
        estimate=estimate,
        bounds=bounds,
        p_beyond=p_beyond,
        p_below=p_below,
        details={"features": k},
    )
