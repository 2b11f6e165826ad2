"""Fairness of two models on the same rows: by how much the largest gap of one exceeds the other's."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pytest_readmit.stats import calibration, measure, roc
from pytest_readmit.stats.effect import Effect, Undefined
from pytest_readmit.stats.fairness import FEWEST, FEWEST_ROWS
from pytest_readmit.stats.predictions import Predictions
from pytest_readmit.stats.tails import bisect

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

FEWEST_SEEN = 20
"""Until as many rows (patients) with and without an alert were seen, a rate is less sure than it seems."""
MOST_PAIRS = 400
_FARTHEST = 1e4


@dataclass(frozen=True, slots=True)
class Cell:
    """
    One quantity in one group, of the old and the new model.

    Args:
        values: Of old and new.
        influence: What each row of the group adds to either error, shape (2, n); squares sum to variances.
        apart: Variance to add to that of the difference of both models.
        level: Variance to add to that of each.
        enough: Whether the group has rows (patients) enough for a verdict.
        df: Degrees of freedom of its errors.
    """

    values: tuple[float, float]
    influence: Floats
    apart: float
    level: float
    enough: bool
    df: float


@dataclass(frozen=True, slots=True)
class Quantity:
    """One quantity in each group; None where one of the models has none."""

    name: str
    cells: tuple[Cell | None, ...]


def rate_by_group(
    name: str, old: Sequence[Predictions], new: Sequence[Predictions], threshold: float
) -> Quantity:
    """
    Return a rate of each group: "true positive rate", "false positive rate" or "alert rate".

    Args:
        name: Which.
        old: The rows of each group with the scores that are compared with.
        new: The same rows with the other scores.
        threshold: A score at or above it raises an alert.
    """
    return Quantity(name, tuple(_rate(name, *pair, threshold) for pair in zip(old, new, strict=True)))


def area_by_group(old: Sequence[Predictions], new: Sequence[Predictions]) -> Quantity:
    """Return the area under the ROC curve of each group; it needs both labels."""
    return Quantity("AUC", tuple(_measured(roc.measure, *pair) for pair in zip(old, new, strict=True)))


def ratio_by_group(old: Sequence[Predictions], new: Sequence[Predictions]) -> Quantity:
    """Return observed over expected events of each group."""
    cells = (_measured(calibration.observed_expected, *pair) for pair in zip(old, new, strict=True))
    return Quantity("observed:expected", tuple(cells))


def change_of_gap(
    quantities: Sequence[Quantity], owners: Sequence[npt.NDArray[np.int64] | None], n: int, *, every: bool
) -> Effect:
    """
    Return the largest gap of the new model less that of the old one, on the same rows.

    A gap is the largest absolute difference D between two groups, of any of the quantities. Against each pair
    p of groups the largest old gap is at least t D_old(q), whatever the pair q and the sign t. So the change
    is at most the largest s D_new(p) less the smallest of these bounds, which all hold at once at alpha over
    their number (Bonferroni); over p and s each must hold, which costs nothing (intersection-union test:
    Berger 1982, Technometrics 24, 295-300). The lower bound is the same with the models exchanged. Variances
    are of sums over rows, or patients; groups are taken for independent.

    Args:
        quantities: What is compared.
        owners: Patient of each row of each group; None where rows are independent.
        n: Rows of all groups together.
        every: Let groups with few rows speak too, as a plain estimate does.

    Returns:
        `details` holds `reference` and `current`, both gaps, `quantity`, the place of the new one among the
        quantities, and `between`, its groups, the lower first.

    Raises:
        Undefined: If no two groups have rows enough, or they make too many pairs.
    """
    old, new, covariance, pairs, df = _differences(quantities, owners, every=every)
    size = len(pairs)
    variance = np.diag(covariance)
    joint = covariance[:size, size:]
    total = variance[:size, np.newaxis] + variance[size:]  # old pair by new pair
    # 0 where both models are one; rounding must not make it a little less
    same, other = (np.sqrt(np.maximum(0.0, total - sign * 2.0 * joint)) for sign in (1.0, -1.0))
    before, after = float(np.abs(old).max()), float(np.abs(new).max())

    def most(first: Floats, second: Floats, like: Floats, unlike: Floats, z: float) -> float:
        """Return what max |first| - max |second| may be; `like`, `unlike` have shape (second, first)."""
        minus, plus = first - second[:, np.newaxis], first + second[:, np.newaxis]
        up = np.minimum(minus + z * like, plus + z * unlike).min(axis=0)
        down = np.minimum(-minus + z * like, -plus + z * unlike).min(axis=0)
        return float(max(up.max(), down.max()))

    def lowest(z: float) -> float:
        return -most(old, new, same.T, other.T, z)

    def highest(z: float) -> float:
        return most(new, old, same, other, z)

    def bounds_at(alpha: float, shrink: float) -> tuple[float, float]:
        z = max(0.0, measure.quantile(alpha / (2 * size), df)) * shrink
        return lowest(z), highest(z)

    def tail(reached: Callable[[float], bool]) -> float:
        """Return the alpha at which a bound that walks away from the estimate reaches a limit."""
        if reached(0.0):
            return 1.0
        if not reached(_FARTHEST):
            return 0.0
        return min(1.0, 2 * size * measure.upper_tail(bisect(reached, 0.0, _FARTHEST), df))

    def p_beyond(limit: float) -> float:
        return tail(lambda z: lowest(z) <= limit)

    def p_below(limit: float) -> float:
        return tail(lambda z: highest(z) >= limit)

    place = int(np.abs(new).argmax())
    quantity, low, high = pairs[place]
    return Effect(
        estimate=after - before,
        bounds=lambda alpha: bounds_at(alpha, 1.0),
        p_beyond=p_beyond,
        p_below=p_below,
        p_null=min(1.0, 2.0 * min(p_beyond(0.0), p_below(0.0))),
        projected=lambda alpha, rows: bounds_at(alpha, math.sqrt(n / rows)),
        details={
            "reference": before,
            "current": after,
            "quantity": quantity,
            "between": (low, high) if new[place] >= 0 else (high, low),
        },
    )


def _differences(
    quantities: Sequence[Quantity], owners: Sequence[npt.NDArray[np.int64] | None], *, every: bool
) -> tuple[Floats, Floats, Floats, list[tuple[int, int, int]], float]:
    """Return all differences of old and of new, their covariance (old first), the pairs, and t's freedom."""
    used = {
        (q, g): cell
        for q, each in enumerate(quantities)
        for g, cell in enumerate(each.cells)
        if cell is not None and (every or cell.enough)
    }
    pairs = [(q, a, b) for q, a in used for other, b in used if other == q and a < b]
    if not pairs:
        raise Undefined("no two groups have rows enough, so there is nothing to compare")
    if len(pairs) > MOST_PAIRS:
        raise Undefined(f"{len(pairs):,} pairs of groups are too many; put the levels together first")
    row_of = {key: 2 * place for place, key in enumerate(used)}
    covariance = np.zeros((2 * len(used), 2 * len(used)))
    for group, own in enumerate(owners):
        keys = [key for key in used if key[1] == group]
        if keys:
            at = [row_of[key] + model for key in keys for model in (0, 1)]
            covariance[np.ix_(at, at)] = _covariance([used[key] for key in keys], own)
    contrast = np.zeros((2 * len(pairs), len(covariance)))
    for place, (q, a, b) in enumerate(pairs):
        for model in (0, 1):
            row = contrast[place + model * len(pairs)]
            row[row_of[q, b] + model], row[row_of[q, a] + model] = 1.0, -1.0
    values = contrast @ np.array([value for cell in used.values() for value in cell.values])
    df = min(cell.df for cell in used.values())
    return values[: len(pairs)], values[len(pairs) :], contrast @ covariance @ contrast.T, pairs, df


def _covariance(cells: Sequence[Cell], owners: npt.NDArray[np.int64] | None) -> Floats:
    """Return the covariance of a group's cells, old and new of each in turn."""
    rows = np.vstack([cell.influence for cell in cells])
    if owners is not None:
        rows = np.vstack([np.bincount(owners, weights=row) for row in rows])
    found = rows @ rows.T
    for place, cell in enumerate(cells):
        own = slice(2 * place, 2 * place + 2)
        found[own, own] += cell.level + cell.apart / 4.0 * np.array([[1.0, -1.0], [-1.0, 1.0]])
    return np.asarray(found)


def _rate(name: str, old: Predictions, new: Predictions, threshold: float) -> Cell | None:
    among, fewest = _AMONG[name]
    counted = among(new.positive)
    rows = int(np.count_nonzero(counted))
    if rows == 0:
        return None
    alerts = np.vstack([(each.score >= threshold) & counted for each in (old, new)])
    shares = alerts.sum(axis=1) / rows
    influence = (alerts - shares[:, np.newaxis]) * counted / rows
    units = _units(counted, new)
    seen = min(min(_units(each, new), _units(counted & ~each, new)) for each in alerts)
    differ = _units(alerts[0] != alerts[1], new)
    apart = _few(differ, units) ** 2
    level = _few(seen, units) ** 2
    df = max(1.0, units - 1.0)
    return Cell(
        values=(float(shares[0]), float(shares[1])),
        influence=np.asarray(influence, dtype=np.float64),
        apart=apart,
        level=level,
        enough=units >= fewest,
        df=min(df, roc.EDGE_DF) if apart or level else df,
    )


_AMONG: Mapping[str, tuple[Callable[[Bools], Bools], int]] = {
    "true positive rate": (lambda positive: positive, FEWEST),
    "false positive rate": (lambda positive: ~positive, FEWEST),
    "alert rate": (np.ones_like, FEWEST_ROWS),
}


def _few(seen: int, units: int) -> float:
    """
    Return the standard error that a share has of which hardly a row (patient) was seen; as in `roc`.

    The share of rows of which k hold none is at most log(1 / alpha) / k. It fades out until FEWEST_SEEN were
    seen.
    """
    return max(0.0, 1.0 - (seen / FEWEST_SEEN) ** 2) * roc.EDGE_ERROR / units


def _units(rows: Bools, predictions: Predictions) -> int:
    if predictions.owners is None:
        return int(np.count_nonzero(rows))
    return int(np.count_nonzero(np.bincount(predictions.owners[rows])))


def _measured(
    measured: Callable[[Predictions], measure.Measure], old: Predictions, new: Predictions
) -> Cell | None:
    try:
        found = [measured(each) for each in (old, new)]
    except Undefined:
        return None
    influence = np.vstack([each.influence for each in found if each.influence is not None]) / new.n
    plain = [measure.standard_error(row * new.n, new.owners) for row in influence]
    extra = [max(0.0, each.standard_error**2 - own**2) for each, own in zip(found, plain, strict=True)]
    unseen = roc.EDGE_ERROR / max(new.fewest_events, 1) if np.array_equal(old.score, new.score) else 0.0
    return Cell(
        values=(found[0].estimate, found[1].estimate),
        influence=influence,
        apart=sum(extra) + unseen**2,
        level=max(extra),
        enough=new.fewest_events >= FEWEST,
        df=min([*(each.df for each in found), *([roc.EDGE_DF] if unseen else [])]),
    )
