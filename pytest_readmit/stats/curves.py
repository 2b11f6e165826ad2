"""ROC, precision-recall and calibration curves for a picture: points with bands, no single rows."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pytest_readmit.stats import reliability
from pytest_readmit.stats import roc as ranking
from pytest_readmit.stats.cluster import distribution_design_effect, proportion_design_effect
from pytest_readmit.stats.predictions import Predictions
from pytest_readmit.stats.proportion import wilson

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Curve = dict[str, Any]

POINTS = 60
DIGITS = 4


def roc(
    predictions: Predictions, *, points: int = POINTS, min_cell: int = 11, alpha: float = 0.05
) -> Curve | None:
    """
    Return the ROC curve with a pointwise band of the true positive rate at each false positive rate.

    Wilson's limits of the true positive rate are joined with what the curve makes of Wilson's limits of the
    false positive rate; by patient both count rows over their design effect, the largest of any threshold.

    Args:
        predictions: Labelled rows.
        points: About the most points there may be.
        min_cell: Between two points lie at least as many rows, and of each label none or as many.
        alpha: The band holds each point with probability 1 - alpha.

    Returns:
        ``x``, ``y``, ``lower``, ``upper`` and ``n`` (None); None if a label has fewer than `min_cell` rows.

    References:
        Hsieh and Turnbull (1996), Ann. Stat. 24, 25-40 (both parts of the variance); Zou and Donner (2008),
        Stat. Med. 27, 1693-1702 (joining limits).
    """
    found = _counted(predictions, points, min_cell)
    if found is None:
        return None
    rows, events = found
    (y, low, high), (x, left, right) = _rates(predictions, rows, events, alpha)
    down = np.hypot(y - low, y - np.interp(left, x, y))
    up = np.hypot(high - y, np.interp(right, x, y) - y)
    return _curve(x, y, y - down, y + up)


def precision_recall(
    predictions: Predictions,
    *,
    prevalence: float | None = None,
    points: int = POINTS,
    min_cell: int = 11,
    alpha: float = 0.05,
) -> Curve | None:
    """
    Return precision at each recall, with a pointwise band of the precision at the point's threshold.

    At the rows' own prevalence these are Wilson's limits of the share of events among the alerts, by patient
    of rows over their design effect. At a given prevalence they follow from limits of both rates that hold
    together, so that the band is somewhat too wide.

    Args:
        predictions: Labelled rows.
        prevalence: Share of events that precision is taken at, as a known figure; None: the rows' own.
        points: About the most points there may be.
        min_cell: Between two points lie at least as many rows, and of each label none or as many.
        alpha: The band holds each point with probability 1 - alpha.

    Returns:
        As `roc`; ``x`` is recall, ``y`` precision.
    """
    found = _counted(predictions, points, min_cell)
    if found is None:
        return None
    rows, events = found
    if prevalence is None:
        limits = [
            wilson(hits / effect, alerts / effect, alpha / 2)
            for hits, alerts, effect in zip(
                events[1:].tolist(), rows[1:].tolist(), _effects(predictions, rows[1:]), strict=True
            )
        ]
        low, high = np.array(limits).T
        return _curve(events[1:] / events[-1], events[1:] / rows[1:], low, high)
    each = 1.0 - (1.0 - alpha) ** 0.5
    recall, alarms = (np.array(rate)[:, 1:] for rate in _rates(predictions, rows, events, each))

    def precision(hit: Floats, alarm: Floats) -> Floats:
        flagged = prevalence * hit + (1.0 - prevalence) * alarm
        return np.divide(prevalence * hit, flagged, out=np.ones_like(flagged), where=flagged > 0)

    value, low, high = (precision(recall[i], alarms[j]) for i, j in ((0, 0), (1, 2), (2, 1)))
    return _curve(recall[0], value, low, high)


def calibration(predictions: Predictions, *, bins: int = 10, min_cell: int = 11) -> Curve | None:
    """Return `reliability.curve` in the shape of the others; None where no point can be shown."""
    told = reliability.curve(predictions, bins, min_cell)
    if not told["n"]:
        return None
    drawn = _curve(*(told[key] for key in ("predicted", "observed", "lower", "upper")))
    return {**drawn, "n": told["n"]}


def _counted(predictions: Predictions, points: int, min_cell: int) -> tuple[Integers, Integers] | None:
    if min(predictions.events, predictions.n - predictions.events) < max(min_cell, 1):
        return None
    return ranking.cumulative(predictions, points=points, min_cell=min_cell)


def _rates(
    predictions: Predictions, rows: Integers, events: Integers, alpha: float
) -> tuple[tuple[Floats, Floats, Floats], tuple[Floats, Floats, Floats]]:
    """Return true, and false, positive rates at each point with their two-sided limits at 1 - alpha."""
    step = np.searchsorted(rows, np.arange(predictions.n), side="right")
    descending = predictions.order[::-1]
    positive = predictions.positive[descending]
    owners = None if predictions.owners is None else predictions.owners[descending]

    def rate(counts: Integers, own: npt.NDArray[np.bool_]) -> tuple[Floats, Floats, Floats]:
        total, effect = int(counts[-1]), 1.0
        if owners is not None:
            effect = distribution_design_effect(step[own], owners[own], ordered=True)
        limits = [wilson(count / effect, total / effect, alpha / 2) for count in counts.tolist()]
        low, high = np.array(limits).T
        return counts / total, low, high

    return rate(events, positive), rate(rows - events, ~positive)


def _effects(predictions: Predictions, rows: Integers) -> list[float]:
    """Return the design effect of the share of events among the first rows, for each number of them."""
    if predictions.owners is None:
        return [1.0] * len(rows)
    descending = predictions.order[::-1]
    owners, positive = predictions.owners[descending], predictions.positive[descending]
    return [
        proportion_design_effect(np.bincount(owners[:k], weights=positive[:k]), np.bincount(owners[:k]))
        for k in rows.tolist()
    ]


def _curve(*lines: Floats | Sequence[float]) -> Curve:
    x, y, lower, upper = (
        [round(value, DIGITS) for value in np.clip(line, 0.0, 1.0).tolist()] for line in lines
    )
    return {"x": x, "y": y, "lower": lower, "upper": upper, "n": None}
