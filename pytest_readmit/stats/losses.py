"""Losses of predicted probabilities: Brier score and skill, logarithmic loss, and Brier's decomposition."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pytest_readmit.stats.effect import Undefined
from pytest_readmit.stats.hybrid import Bounded, Limits, of_skewed, widened
from pytest_readmit.stats.measure import Measure, of_influence
from pytest_readmit.stats.predictions import Predictions
from pytest_readmit.stats.proportion import clopper_pearson
from pytest_readmit.stats.tails import normal_tail

CLIP = 1e-15
"""Scores nearer to 0 or 1 than this count as this for the logarithmic loss, which would be infinite."""
FEWEST_WRONG = 10
"""With fewer rows (patients) that the scores call wrongly, or rightly, exact limits join in."""

Floats = npt.NDArray[np.float64]


def brier(predictions: Predictions) -> Measure:
    """
    Return the mean squared distance of score and outcome, in [0, 1]; less is better.

    Raises:
        Undefined: If there are no rows.

    References:
        Brier (1950), Mon. Weather Rev. 78, 1-3.
    """
    return _mean(_squares(predictions), predictions)


def log_loss(predictions: Predictions) -> Measure:
    """
    Return the mean of -log(probability given to what happened), natural logarithm; less is better.

    Scores nearer than 1e-15 to 0 or 1 are moved to there.

    Raises:
        Undefined: If there are no rows.

    References:
        Good (1952), J. R. Stat. Soc. B 14, 107-114.
    """
    given = np.where(predictions.positive, predictions.score, 1.0 - predictions.score)
    return _mean(-np.log(np.clip(given, CLIP, 1.0 - CLIP)), predictions)


def brier_skill(predictions: Predictions) -> Measure:
    """
    Return 1 - Brier / (prevalence (1 - prevalence)): at most 1, and 0 for who always says the prevalence.

    Its influence is that of a ratio of two means (delta method); more is better.

    Raises:
        Undefined: If there are no rows, or one class only.

    References:
        Murphy (1973), J. Appl. Meteorol. 12, 595-600 (the climatological reference).
    """
    rate = predictions.prevalence
    if not predictions.n or rate in (0.0, 1.0):
        raise Undefined("brier_skill needs events and non-events")
    squares, outcome = _squares(predictions), predictions.positive.astype(np.float64)
    loss, uncertainty = float(squares.mean()), rate * (1.0 - rate)
    ratio = loss / uncertainty
    influence = (ratio * (1.0 - 2.0 * rate) * (outcome - rate) - (squares - loss)) / uncertainty
    return of_influence(1.0 - ratio, influence, predictions.owners)


def bounded(name: str, predictions: Predictions) -> Bounded:
    """
    Return brier, log_loss or brier_skill with limits that allow for how skewed losses are.

    Where hardly a row is called wrongly the losses seen say little about those to come: there the limits
    are no nearer than the exact ones of `_edge`.

    Raises:
        Undefined: If there are no rows; for the skill also if there is one class only.

    References:
        Hall (1992), J. R. Stat. Soc. B 54, 221-228 (a mean); DiCiccio and Efron (1992), Biometrika 79,
        231-245, section 3 (bias and curvature of what is no mean).
    """
    measured = _MEASURES[name](predictions)
    edge = _edge(name, predictions, measured.estimate)
    return widened(_of_skewed(name, measured, predictions), edge)


def _of_skewed(name: str, measured: Measure, predictions: Predictions) -> Bounded:
    """Return a metric with the limits of a skewed mean, or of what is almost one."""
    assert measured.influence is not None  # noqa: S101 - all of them are measured row by row
    span = _SPANS[name]
    by_unit = _by_unit(measured.influence, predictions)
    spread = measured.standard_error
    if spread == 0.0:
        return of_skewed(measured.estimate, 0.0, measured.n, shift=0.0, curve=0.0, df=math.inf, span=span)
    squared = np.square(by_unit)
    skewness = float(squared @ by_unit) / float(squared.sum()) ** 1.5
    bias, bend = _second_order(by_unit, predictions, spread) if name == "brier_skill" else (0.0, 0.0)
    return of_skewed(
        measured.estimate,
        spread,
        measured.n,
        shift=skewness / 6.0 - bias / spread + bend,
        curve=skewness / 3.0 + bend,
        df=_degrees_of_freedom(squared),
        span=span,
    )


def _edge(name: str, predictions: Predictions, estimate: float) -> Limits:
    """
    Return limits from how many rows are called wrongly, of however few.

    A row is called wrongly if its score is on the other side of 0.5. What that costs it beyond being called
    rightly is its gap; the most that any row (patient) could lose so is the unit that gaps are counted in,
    so that their mean has the exact limits of a share. Those hold where nothing wrong was seen: of k rows
    all right, the share of wrong ones may be 1 - alpha^(1 / k). The lower limit of the loss counts rows
    called rightly in the same way. Once FEWEST_WRONG were seen whose gap is at least half the mean gap,
    these limits are the estimate itself.

    References:
        Clopper and Pearson (1934), Biometrika 26, 404-413; of means in [0, 1] instead of shares: Hoeffding
        (1963), JASA 58, 13-30, whose extreme case they are.
    """
    score, n = predictions.score, predictions.n
    if name == "log_loss":
        inside = np.clip(score, CLIP, 1.0 - CLIP)
        gaps = np.abs(np.log(inside) - np.log1p(-inside))
    else:
        gaps = np.abs(1.0 - 2.0 * score)
    wrong = (score < 0.5) == predictions.positive
    units_gaps = _by_unit(gaps, predictions)
    most, units, weight = float(units_gaps.max()), len(units_gaps), 1.0
    telling = gaps >= 0.5 * float(gaps.mean())

    def counted(rows: npt.NDArray[np.bool_]) -> tuple[float, int]:
        seen = np.count_nonzero(_by_unit((rows & telling).astype(np.float64), predictions))
        return float(gaps @ rows), int(seen)

    of_wrong, of_right, span = counted(wrong), counted(~wrong), _SPANS[name]
    if name == "brier_skill":
        weight = 1.0 / (predictions.prevalence * (1.0 - predictions.prevalence))

    def further(total: float, seen: int, z: float, growth: float) -> float:
        if most == 0.0 or seen * growth >= FEWEST_WRONG:
            return 0.0
        share = min(1.0, total / most / units)
        highest = clopper_pearson(share * units * growth, units * growth, normal_tail(z))[1]
        return weight * max(0.0, highest - share) * units * most / n

    def limits(z: float, growth: float) -> tuple[float, float]:
        up, down = further(*of_wrong, z, growth), further(*of_right, z, growth)
        if name == "brier_skill":
            up, down = down, up
        return max(span[0], estimate - down), min(span[1], estimate + up)

    return limits


_MEASURES = {"brier": brier, "log_loss": log_loss, "brier_skill": brier_skill}
_SPANS = {"brier": (0.0, 1.0), "log_loss": (0.0, math.inf), "brier_skill": (-math.inf, 1.0)}


def _degrees_of_freedom(squared: Floats) -> float:
    """
    Return how many degrees of freedom a sum of squared influences has, by its own variance.

    References:
        Satterthwaite (1946), Biometrics Bull. 2, 110-114.
    """
    excess = float(squared @ squared) / float(squared.sum()) ** 2 - 1.0 / len(squared)
    return 2.0 / excess if excess > 0.0 else math.inf


def _by_unit(values: Floats, predictions: Predictions) -> Floats:
    """Return the sums of a value by patient; the values themselves where rows are independent."""
    if predictions.owners is None:
        return values
    return np.bincount(predictions.owners, weights=values).astype(np.float64)


def _second_order(by_unit: Floats, predictions: Predictions, spread: float) -> tuple[float, float]:
    """
    Return the bias of Brier's skill, and how it bends along the direction that it is least sure in.

    The skill is 1 - q m / (y (m - y)) of the totals of squares q, events y and rows m.

    Args:
        by_unit: Influence of each patient (or row) on the skill, shape (c,).
        predictions: Labelled rows.
        spread: Standard error of the skill.
    """
    columns = (_squares(predictions), predictions.positive.astype(np.float64), np.ones(predictions.n))
    totals = np.column_stack([_by_unit(column, predictions) for column in columns]) / predictions.n
    q, y, m = (float(total) for total in totals.sum(axis=0))
    apart = totals - totals.mean(axis=0)
    below = y * (m - y)
    up, down = 1.0 / below, (m - 2.0 * y) / below**2
    # First and second derivatives of q m / (y (m - y)).
    with_y = -m * down
    with_m = up - m * y / below**2
    twice_y = q * m * (2.0 / below**2 + 2.0 * (m - 2.0 * y) ** 2 / below**3)
    y_and_m = q * (-down - m / below**2 + 2.0 * m * y * (m - 2.0 * y) / below**3)
    twice_m = q * (-2.0 * y / below**2 + 2.0 * m * y**2 / below**3)
    hessian = -np.array([[0.0, with_y, with_m], [with_y, twice_y, y_and_m], [with_m, y_and_m, twice_m]])
    bias = 0.5 * float(np.sum(hessian * (apart.T @ apart)))
    direction = by_unit @ apart / (predictions.n * spread)
    return bias, float(direction @ hessian @ direction) / (2.0 * spread)


def _squares(predictions: Predictions) -> Floats:
    return np.square(predictions.score - predictions.positive)


def _mean(losses: Floats, predictions: Predictions) -> Measure:
    if not predictions.n:
        raise Undefined("the mean loss of no rows does not exist")
    mean = float(losses.mean())
    # Losses are skewed to the right, and their logarithm less so.
    return of_influence(mean, losses - mean, predictions.owners, scale="log")


@dataclass(frozen=True, slots=True, kw_only=True)
class Decomposition:
    """
    What the Brier score is made of, over bins of the score.

    brier = reliability - resolution + uncertainty + within_bin_variance - 2 within_bin_covariance; the
    last two are 0 where a bin holds one score only.

    Args:
        reliability: Squared distance of mean score and event rate of a bin.
        resolution: Squared distance of a bin's event rate and the prevalence.
        uncertainty: prevalence (1 - prevalence).
        within_bin_variance: Squared distance of scores and their bin's mean.
        within_bin_covariance: Covariance of score and outcome within bins.
        brier: The Brier score.
    """

    reliability: float
    resolution: float
    uncertainty: float
    within_bin_variance: float
    within_bin_covariance: float
    brier: float


def brier_decomposition(predictions: Predictions, edges: npt.ArrayLike | None = None) -> Decomposition:
    """
    Return the parts of the Brier score.

    Args:
        predictions: Labelled rows.
        edges: Bin edges, ascending; a bin holds its lower edge, not its upper one. None: one bin for each
            distinct score.

    Raises:
        Undefined: If there are no rows, or a score lies outside the edges.

    References:
        Murphy (1973), J. Appl. Meteorol. 12, 595-600; Stephenson, Coelho and Jolliffe (2008), Weather
        Forecast. 23, 752-757 (the terms within bins).
    """
    if not predictions.n:
        raise Undefined("the Brier score of no rows does not exist")
    bins = _bins(predictions.score, edges)
    score, outcome = predictions.score, predictions.positive.astype(np.float64)
    rows = np.bincount(bins).astype(np.float64)
    filled = np.maximum(rows, 1.0)
    mean_score = np.bincount(bins, weights=score) / filled
    event_rate = np.bincount(bins, weights=outcome) / filled
    rate, weights = predictions.prevalence, rows / predictions.n
    from_mean = score - mean_score[bins]
    return Decomposition(
        reliability=float(weights @ np.square(mean_score - event_rate)),
        resolution=float(weights @ np.square(event_rate - rate)),
        uncertainty=rate * (1.0 - rate),
        within_bin_variance=float(np.square(from_mean).mean()),
        within_bin_covariance=float((from_mean * (outcome - event_rate[bins])).mean()),
        brier=float(_squares(predictions).mean()),
    )


def _bins(score: Floats, edges: npt.ArrayLike | None) -> npt.NDArray[np.int64]:
    """Return the bin of each row."""
    if edges is None:
        return np.unique(score, return_inverse=True)[1].astype(np.int64)
    inner = np.asarray(edges, dtype=np.float64)
    bins = np.searchsorted(inner, score, side="right").astype(np.int64) - 1
    if bins.min() < 0 or bins.max() >= len(inner) - 1:
        raise Undefined("a score lies outside the edges of the bins")
    return bins
