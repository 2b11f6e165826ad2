"""Design effects: how much patients with several rows inflate the variance of a share."""

import numpy as np
import numpy.typing as npt

from pytest_readmit.stats.distribution import Array, Distribution

_MOST_LEVELS = 20


def proportion_design_effect(events_per_unit: npt.ArrayLike, rows_per_unit: npt.ArrayLike) -> float:
    """
    Return the cluster variance of a share over its binomial variance, at least 1.

    Without events, or with nothing else, the variance says nothing; then rows of a patient are taken
    to be copies of each other, sum n_i^2 / sum n_i.

    Args:
        events_per_unit: Rows with the event by patient, shape (c,).
        rows_per_unit: Rows by patient, shape (c,).

    References:
        Kish (1965), Survey Sampling, ch. 8; the ratio estimator's variance without small-sample factor.
    """
    events = np.asarray(events_per_unit, dtype=np.float64)
    rows = np.asarray(rows_per_unit, dtype=np.float64)
    total = float(rows.sum())
    if total == 0:
        return 1.0
    share = float(events.sum()) / total
    if share in (0.0, 1.0):
        return max(1.0, float((rows**2).sum()) / total)
    residuals = events - share * rows
    return max(1.0, float(residuals @ residuals) / (total * share * (1.0 - share)))


def quantile_edges(reference: Distribution) -> Array:
    """Return the distinct 5%, 10%, ..., 95% quantiles of the reference, at which clusters are judged."""
    return np.unique(reference.quantile(np.arange(1, 20) / 20.0))


def bin_codes(values: npt.ArrayLike, edges: Array) -> Array:
    """Return for each value the number of edges below it, so that code <= j means value <= edges[j]."""
    return np.asarray(np.searchsorted(edges, np.asarray(values), side="left"))


def distribution_design_effect(codes: npt.ArrayLike, patients: npt.ArrayLike, *, ordered: bool) -> float:
    """
    Return the largest design effect over thresholds (numbers) or levels (text), at least 1.

    Args:
        codes: Bin or level of each row, small integers from 0, shape (n,).
        patients: Patient of each row as integers from 0, shape (n,).
        ordered: Judge "code <= j" for each j (numbers); else "code == j" for the 20 commonest levels.
    """
    bins = np.asarray(codes, dtype=np.int64)
    owners = np.asarray(patients, dtype=np.int64)
    if len(bins) == 0:
        return 1.0
    rows = np.bincount(owners).astype(np.float64)
    if rows.max() <= 1:
        return 1.0
    events, squares, weighted = (_by_threshold if ordered else _by_level)(bins, owners, rows)
    total, rows_squared = float(len(bins)), float(rows @ rows)
    share = events / total
    judged = (share > 0) & (share < 1)
    if not ordered:
        judged &= events >= np.sort(events)[-_MOST_LEVELS:][0]
    if not judged.any():
        return rows_squared / total
    p = share[judged]
    residual = squares[judged] - 2.0 * p * weighted[judged] + p * p * rows_squared
    return max(1.0, float((residual / (total * p * (1.0 - p))).max()))


def _by_threshold(bins: Array, owners: Array, rows: Array) -> tuple[Array, Array, Array]:
    """
    Return for the events "code <= j": their number, sum of e_c^2 and sum of e_c n_c over patients c.

    In patient and code order, the row at place k of its patient raises e_c from k to k + 1, so e_c^2
    by 2 k + 1: one sort serves all thresholds.
    """
    owner, code = _sorted_pairs(bins, owners)
    place = np.arange(len(code)) - (np.cumsum(rows) - rows)[owner]
    sums = (
        np.bincount(code),
        np.bincount(code, weights=2.0 * place + 1.0),
        np.bincount(code, weights=rows[owner]),
    )
    events, squares, weighted = (np.cumsum(each) for each in sums)
    return events, squares, weighted


def _by_level(bins: Array, owners: Array, rows: Array) -> tuple[Array, Array, Array]:
    """Return the same for the events "code == j": a run of equal pairs is one patient's e_c."""
    owner, code = _sorted_pairs(bins, owners)
    changed = (owner[1:] != owner[:-1]) | (code[1:] != code[:-1])
    starts = np.concatenate(([0], np.flatnonzero(changed) + 1))
    length = np.diff(starts, append=len(code)).astype(np.float64)
    squares = np.bincount(code[starts], weights=length * length)
    weighted = np.bincount(code, weights=rows[owner])
    return np.bincount(code), squares, weighted


def _sorted_pairs(bins: Array, owners: Array) -> tuple[Array, Array]:
    """Return owners and codes in order of owner, then code."""
    width = int(bins.max()) + 1
    keys = np.sort(owners * width + bins)
    return np.divmod(keys, width)
