"""Expected performance without labels, from scores taken as the probabilities of the labels."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pytest_readmit.stats.effect import Undefined
from pytest_readmit.stats.measure import Measure
from pytest_readmit.stats.metrics import METRICS

LEAST_EXPECTED = 1e-9
"""With fewer labels of a class expected, no metric that rests on them is worth stating."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Confusion:
    """
    Expected cells of the confusion matrix, in rows.

    Args:
        tp: Expected true positives.
        fp: Expected false positives.
        fn: Expected false negatives.
        tn: Expected true negatives.
        sd_of_tp: Standard deviation of the true positives, rows independent.
    """

    tp: float
    fp: float
    fn: float
    tn: float
    sd_of_tp: float


@dataclass(frozen=True, slots=True)
class _Expected:
    """A metric's expected value, and how it moves with the label of each row, shape (n,)."""

    value: float
    gradient: Floats


def confusion(scores: Floats, threshold: float) -> Confusion:
    """
    Return the expected confusion matrix where a score at or above the threshold raises an alert.

    Args:
        scores: Calibrated probabilities of the positive label, shape (n,), in [0, 1].
        threshold: In [0, 1].
    """
    alert = scores >= threshold
    tp, alerts = float(scores[alert].sum()), int(np.count_nonzero(alert))
    fn = float(scores[~alert].sum())
    spread = float((scores[alert] * (1 - scores[alert])).sum())
    return Confusion(tp, alerts - tp, fn, len(scores) - alerts - fn, math.sqrt(spread))


def roc_auc(scores: Floats, *, own_pairs: bool = False) -> float:
    """
    Return the expected AUC.

    Args:
        scores: Calibrated probabilities of the positive label, shape (n,), in [0, 1].
        own_pairs: Pair each row with itself too, as a sweep over thresholds does. A row cannot be both
            positive and negative, so the pairs of different rows alone are closer to the AUC to come.

    Raises:
        Undefined: If no positive or no negative is expected.
    """
    return _ranking(scores, own_pairs=own_pairs).value


def average_precision(scores: Floats, *, plug_in: bool = False) -> float:
    """
    Return the expected average precision.

    Args:
        scores: Calibrated probabilities of the positive label, shape (n,), in [0, 1].
        plug_in: Put expected counts in the formula. Precision and recall rise together where a row turns
            out positive, which makes the average precision to come larger; this is added without it.

    Raises:
        Undefined: If no positive is expected.
    """
    return _precision_recall(scores, plug_in=plug_in).value


def expected(
    name: str, scores: Floats, owners: npt.NDArray[np.int64] | None = None, *, threshold: float | None = None
) -> Measure:
    """
    Return the expected metric; its standard error is how far the metric to come may lie from it.

    Labels are taken to be drawn with the scores as probabilities, so this holds only where the scores are
    calibrated on these rows and the labels still depend on the inputs as they did. Labels of different
    patients are independent; those of one patient may be correlated anywhere between 0 and 1, and the
    standard error is the largest that this allows. The delta method gives it for ratios and ranks.

    Args:
        name: One of `metrics.METRICS`.
        scores: Calibrated probabilities of the positive label, shape (n,), in [0, 1].
        owners: Patient of each row as integers from 0, shape (n,); None: rows are independent.
        threshold: A score at or above it raises an alert; for the metrics that need one.

    Raises:
        Undefined: If the metric is expected not to exist, or every score is 0 or 1.
        ValueError: If it needs a threshold and has none.

    References:
        Białek et al. (2024), Estimating model performance under covariate shift without labels,
        arXiv 2401.08348, on confidence-based performance estimation.
    """
    if np.all((scores == 0) | (scores == 1)):
        raise Undefined("every score is 0 or 1, which is a class and not a probability")
    if name in _RANKED:
        found = _RANKED[name](scores)
    elif threshold is None:
        raise ValueError(f"{name} needs a threshold")
    else:
        found = _AT_THRESHOLD[name](scores, scores >= threshold, threshold)
    error = _standard_error(found.gradient, scores, owners)
    span = METRICS[name].lowest, METRICS[name].highest
    # sums of shares that make 1 may come out a last digit beyond it
    value = min(max(float(found.value), span[0]), span[1])
    return Measure(estimate=value, standard_error=error, n=len(scores), span=span)


def fewest_events(scores: Floats, owners: npt.NDArray[np.int64] | None = None) -> int:
    """
    Return the fewer of expected events and non-events, rounded down.

    Args:
        scores: Calibrated probabilities of the positive label, shape (n,), in [0, 1].
        owners: Patient of each row as integers from 0, shape (n,). With them, patients who are expected to
            have an event (or a non-event) are counted, as few as any correlation of their rows allows.
    """
    sides = (scores, 1 - scores)
    if owners is None:
        return int(min(side.sum() for side in sides))
    most = [np.zeros(int(owners.max()) + 1) for _ in sides]
    for each, side in zip(most, sides, strict=True):
        np.maximum.at(each, owners, side)
    return int(min(each.sum() for each in most))


def _standard_error(gradient: Floats, scores: Floats, owners: npt.NDArray[np.int64] | None) -> float:
    spread = np.sqrt(scores * (1 - scores))
    # A label that is certain moves nothing, also where its loss would be infinite.
    moves = np.multiply(gradient, spread, out=np.zeros_like(scores), where=spread > 0)
    if owners is None:
        return math.sqrt(float(moves @ moves))
    # Correlations in [0, 1] add most where rows move the metric the same way, and nothing elsewhere.
    up = np.bincount(owners, weights=np.maximum(moves, 0))
    down = np.bincount(owners, weights=np.minimum(moves, 0))
    return math.sqrt(float(up @ up + down @ down))


def _classes(scores: Floats) -> tuple[float, float]:
    """Return the expected positives and negatives."""
    # summed as the cells are, so that a share of all of them is 1 and no digit more
    positives, negatives = float(scores.sum()), float((1 - scores).sum())
    for label, rows in (("positive", positives), ("negative", negatives)):
        if rows <= 0:
            raise Undefined(f"no {label} label is expected")
        if rows < LEAST_EXPECTED:
            raise Undefined(f"hardly any {label} label is expected: the scores are almost all the same class")
    return positives, negatives


def _ranking(scores: Floats, *, own_pairs: bool = False) -> _Expected:
    positives, negatives = _classes(scores)
    levels, place = np.unique(scores, return_inverse=True)
    positive = np.bincount(place, weights=scores, minlength=len(levels))
    negative = np.bincount(place, weights=1 - scores, minlength=len(levels))
    below = np.cumsum(negative) - negative / 2
    above = positives - np.cumsum(positive) + positive / 2
    wins, pairs = float(positive @ below), positives * negatives
    if not own_pairs:
        own = float((scores * (1 - scores)).sum())
        wins, pairs = wins - own / 2, pairs - own
    if pairs <= 0:
        raise Undefined("one row alone is no pair to rank")
    value = wins / pairs
    gradient = (below / negatives - value) / positives - (above / positives - value) / negatives
    return _Expected(value, gradient[place])


def _precision_recall(scores: Floats, *, plug_in: bool = False) -> _Expected:
    positives = float(scores.sum())
    if positives <= 0:
        raise Undefined("no positive label is expected")
    levels, place, counts = np.unique(-scores, return_inverse=True, return_counts=True)
    found = np.bincount(place, weights=scores, minlength=len(levels))
    alerts, hits = np.cumsum(counts), np.cumsum(found)
    value = plain = float(found @ (hits / alerts)) / positives
    if not plug_in:
        variance = np.bincount(place, weights=scores * (1 - scores), minlength=len(levels))
        value += float(variance @ (1 / alerts)) / positives
    later = np.cumsum((found / alerts)[::-1])[::-1]
    return _Expected(value, ((hits / alerts + later - plain) / positives)[place])


def _brier(scores: Floats) -> _Expected:
    n = len(scores)
    return _Expected(float((scores * (1 - scores)).sum()) / n, (1 - 2 * scores) / n)


def _brier_skill(scores: Floats) -> _Expected:
    _classes(scores)
    brier, n = _brier(scores), len(scores)
    share = float(scores.mean())
    chance, slope = share * (1 - share), 1 - 2 * share
    ratio = brier.value / chance
    # The second-order term of a ratio whose two parts both move with the share of positives.
    variance = scores * (1 - scores) / n**2
    together = float(variance @ (1 - 2 * scores))
    bend = float(variance.sum()) * ratio * (1 / chance + (slope / chance) ** 2) - together * slope / chance**2
    return _Expected(1 - ratio - bend, -(brier.gradient - ratio * slope / n) / chance)


def _log_loss(scores: Floats) -> _Expected:
    with np.errstate(divide="ignore"):
        positive, negative = np.log(scores), np.log1p(-scores)
    # 0 log 0 is 0: a certain label costs nothing.
    loss = np.where(scores > 0, scores * np.where(scores > 0, positive, 0), 0)
    loss = loss + np.where(scores < 1, (1 - scores) * np.where(scores < 1, negative, 0), 0)
    certain = (scores == 0) | (scores == 1)
    logit = np.subtract(positive, negative, out=np.zeros_like(scores), where=~certain)
    return _Expected(-float(loss.mean()), -logit / len(scores))


def _accuracy(scores: Floats, alert: npt.NDArray[np.bool_], _: float) -> _Expected:
    right = np.where(alert, scores, 1 - scores)
    return _Expected(float(right.mean()), np.where(alert, 1.0, -1.0) / len(scores))


def _precision(scores: Floats, alert: npt.NDArray[np.bool_], _: float) -> _Expected:
    alerts = np.count_nonzero(alert)
    if not alerts:
        raise Undefined("no score reaches the threshold, so there is no precision")
    return _Expected(float(scores[alert].mean()), alert / alerts)


def _npv(scores: Floats, alert: npt.NDArray[np.bool_], _: float) -> _Expected:
    quiet = np.count_nonzero(~alert)
    if not quiet:
        raise Undefined("every score reaches the threshold, so there is no negative predictive value")
    return _Expected(float((1 - scores[~alert]).mean()), np.where(alert, 0.0, -1.0 / quiet))


def _recall(scores: Floats, alert: npt.NDArray[np.bool_], _: float) -> _Expected:
    positives, _negatives = _classes(scores)
    value = float(scores[alert].sum()) / positives
    return _Expected(value, (np.where(alert, 1.0, 0.0) - value) / positives)


def _specificity(scores: Floats, alert: npt.NDArray[np.bool_], _: float) -> _Expected:
    _positives, negatives = _classes(scores)
    value = float((1 - scores[~alert]).sum()) / negatives
    return _Expected(value, (value - np.where(alert, 0.0, 1.0)) / negatives)


def _f1(scores: Floats, alert: npt.NDArray[np.bool_], _: float) -> _Expected:
    both = float(scores.sum()) + np.count_nonzero(alert)
    if both <= 0:
        raise Undefined("no positive label and no alert is expected")
    value = 2 * float(scores[alert].sum()) / both
    return _Expected(value, (np.where(alert, 2.0, 0.0) - value) / both)


def _balanced_accuracy(scores: Floats, alert: npt.NDArray[np.bool_], at: float) -> _Expected:
    one, other = _recall(scores, alert, at), _specificity(scores, alert, at)
    return _Expected((one.value + other.value) / 2, (one.gradient + other.gradient) / 2)


def _alert_rate(scores: Floats, alert: npt.NDArray[np.bool_], _: float) -> _Expected:
    return _Expected(float(alert.mean()), np.zeros_like(scores))


def _net_benefit(scores: Floats, alert: npt.NDArray[np.bool_], at: float) -> _Expected:
    if at >= 1:
        raise Undefined("net benefit does not exist at a threshold of 1")
    cost = at / (1 - at)
    value = float(np.where(alert, scores - cost * (1 - scores), 0).mean())
    return _Expected(value, alert * (1 + cost) / len(scores))


_RANKED: Mapping[str, Callable[[Floats], _Expected]] = {
    "roc_auc": _ranking,
    "average_precision": _precision_recall,
    "brier": _brier,
    "brier_skill": _brier_skill,
    "log_loss": _log_loss,
}
_AT_THRESHOLD: Mapping[str, Callable[[Floats, npt.NDArray[np.bool_], float], _Expected]] = {
    "accuracy": _accuracy,
    "precision": _precision,
    "recall": _recall,
    "specificity": _specificity,
    "npv": _npv,
    "f1": _f1,
    "balanced_accuracy": _balanced_accuracy,
    "alert_rate": _alert_rate,
    "net_benefit": _net_benefit,
}
