"""Adjusted p-values of several tests."""

import numpy as np
import numpy.typing as npt

from pytest_readmit.stats.distribution import Array


def bonferroni(p_values: npt.ArrayLike) -> Array:
    """Return min(1, m p) for each of m p-values, in their order."""
    p = np.asarray(p_values, dtype=np.float64)
    return np.minimum(1.0, len(p) * p)


def holm(p_values: npt.ArrayLike) -> Array:
    """Return Holm's step-down adjusted p-values, in their order (Holm 1979, Scand. J. Stat. 6)."""
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * (len(p) - np.arange(len(p))))
    return _unsorted(np.minimum(1.0, stepped), order)


def bh(p_values: npt.ArrayLike) -> Array:
    """Return Benjamini and Hochberg's adjusted p-values (1995, JRSS B 57); for rankings, not for gates."""
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    scaled = p[order] * len(p) / np.arange(1, len(p) + 1)
    stepped = np.minimum.accumulate(scaled[::-1])[::-1]
    return _unsorted(np.minimum(1.0, stepped), order)


def _unsorted(values: Array, order: Array) -> Array:
    result = np.empty_like(values)
    result[order] = values
    return result
