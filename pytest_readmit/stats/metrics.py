"""The table of metrics: what each means, and its level, change and paired difference as Effects."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from pytest_readmit.stats import confusion, hybrid, losses, measure, precision, roc
from pytest_readmit.stats.effect import Effect, Undefined
from pytest_readmit.stats.hybrid import Bounded
from pytest_readmit.stats.measure import Measure
from pytest_readmit.stats.predictions import Predictions

REPLICATES = 1000
"""Bootstrap replicates behind average precision."""
FEWEST_APART = 20
"""With fewer rows (patients) on which two models differ, their difference is less sure than it seems."""
SAME_SCORE = 1e-9

MetricName = Literal[
    "roc_auc",
    "average_precision",
    "brier",
    "brier_skill",
    "log_loss",
    "accuracy",
    "precision",
    "recall",
    "specificity",
    "npv",
    "f1",
    "balanced_accuracy",
    "alert_rate",
    "net_benefit",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """
    A metric.

    Args:
        name: As a suite calls it.
        words: What it is, in words.
        better: Whether high or low is better; None: neither.
        needs_threshold: Whether it judges alerts, so that it needs a threshold.
        lowest: The least that it can be.
        highest: The most that it can be.
    """

    name: str
    words: str
    better: Literal["high", "low"] | None = "high"
    needs_threshold: bool = False
    lowest: float = 0.0
    highest: float = 1.0

    @property
    def is_loss(self) -> bool:
        """Whether less is better."""
        return self.better == "low"


def _alerts(
    name: str, words: str, *, better: Literal["high", "low"] | None = "high", lowest: float = 0.0
) -> Metric:
    return Metric(name=name, words=words, better=better, needs_threshold=True, lowest=lowest)


_TABLE = (
    Metric(name="roc_auc", words="the chance that an event scores above a non-event"),
    Metric(name="average_precision", words="precision averaged over the recall of every threshold"),
    Metric(name="brier", words="mean squared distance of score and outcome", better="low"),
    Metric(
        name="brier_skill",
        words="1 - Brier score / that of always saying the prevalence",
        lowest=-math.inf,
    ),
    Metric(
        name="log_loss",
        words="mean -log of the probability given to what happened",
        better="low",
        highest=math.inf,
    ),
    _alerts("accuracy", "share of rows that the alert gets right"),
    _alerts("precision", "share of alerts that are events"),
    _alerts("recall", "share of events that raise an alert"),
    _alerts("specificity", "share of non-events that raise no alert"),
    _alerts("npv", "share of rows without an alert that are non-events"),
    _alerts("f1", "harmonic mean of precision and recall"),
    _alerts("balanced_accuracy", "mean of recall and specificity"),
    _alerts("alert_rate", "share of rows that raise an alert", better=None),
    _alerts("net_benefit", "true alerts less false ones at the threshold's odds, per row", lowest=-math.inf),
)
METRICS: Mapping[str, Metric] = {metric.name: metric for metric in _TABLE}


def level(
    name: str,
    predictions: Predictions,
    *,
    threshold: float | None = None,
    seed: int = 0,
    prevalence: float | None = None,
) -> Effect:
    """
    Return a metric with its bounds.

    Args:
        name: One of METRICS.
        predictions: Labelled rows.
        threshold: A score at or above it raises an alert; for the metrics that need one.
        seed: Of the bootstrap behind average precision.
        prevalence: The prevalence that average precision is restated at; None: that of the rows.

    Raises:
        Undefined: If the metric does not exist for these rows.
        ValueError: If it needs a threshold and has none.
    """
    if METRICS[name].needs_threshold or name in _LOSSES:
        return hybrid.level(_bounded(name, predictions, threshold, seed, prevalence))
    return measure.level(_measure(name, predictions, threshold, seed, prevalence))


def change(
    name: str,
    reference: Predictions,
    current: Predictions,
    *,
    threshold: float | None = None,
    seed: int = 0,
    prevalence: float | None = None,
) -> Effect:
    """
    Return current - reference of a metric, measured on different rows; arguments as for `level`.

    Raises:
        Undefined: If the metric does not exist for either side.
        ValueError: If it needs a threshold and has none.
    """
    if METRICS[name].needs_threshold:
        return confusion.change(name, reference, current, _given(name, threshold))
    before, after = (_bounded(name, side, threshold, seed, prevalence) for side in (reference, current))
    return hybrid.difference(before, after)


def relative_change(
    name: str,
    reference: Predictions,
    current: Predictions,
    *,
    threshold: float | None = None,
    seed: int = 0,
    prevalence: float | None = None,
) -> Effect:
    """
    Return |current - reference| / |reference| of a metric; arguments as for `level`.

    The reference's own uncertainty counts. The lower bound takes alpha / 2, as the change may go either way;
    the upper bound holds both ways at alpha (intersection-union).

    Raises:
        Undefined: If the metric does not exist for either side, or is 0 on the reference.
        ValueError: If it needs a threshold and has none.
    """
    before, after = (_bounded(name, side, threshold, seed, prevalence) for side in (reference, current))
    if before.estimate == 0.0:
        raise Undefined(f"{name} is 0 on the reference: a change relative to it does not exist")
    of_sign = METRICS[name].lowest < 0.0
    return hybrid.size(hybrid.relative_difference(before, after, of_sign=of_sign))


def paired(
    name: str,
    old: Predictions,
    new: Predictions,
    *,
    threshold: float | None = None,
    seed: int = 0,
    prevalence: float | None = None,
) -> Effect:
    """
    Return new - old of a metric on the same rows in the same order; arguments as for `level`.

    Where hardly a row tells the models apart the bounds are no narrower than so many rows allow, see
    `_unseen_error`; so they are for the same score twice.

    Raises:
        Undefined: If the metric does not exist for either model.
        ValueError: If it needs a threshold and has none.
    """
    if name == "roc_auc":
        return _not_certain(roc.paired(old, new), new, roc.EDGE_ERROR / max(new.fewest_events, 1))
    if name == "average_precision":
        effect = precision.paired(old, new, prevalence=prevalence, replicates=REPLICATES, seed=seed)
        return _not_certain(effect, new, precision.edge_error(1.0, new, prevalence))
    sides = (_measure(name, side, threshold, seed, prevalence) for side in (old, new))
    return measure.paired(*sides, edge=_unseen_error(name, old, new, threshold), edge_df=roc.EDGE_DF)


def _not_certain(effect: Effect, rows: Predictions, error: float) -> Effect:
    """Return the effect of two scores that rank all rows alike with the error that these rows leave open."""
    if effect.details["standard_error"] > SAME_SCORE:
        return effect
    found = Measure(estimate=effect.estimate, standard_error=error, n=rows.n, df=roc.EDGE_DF)
    return replace(measure.level(found), details={**effect.details, "standard_error": error})


def one_model(old: Predictions, new: Predictions) -> bool:
    """Whether two scores of the same rows are the same on every row, but for rounding."""
    return bool(np.abs(old.score - new.score).max(initial=0.0) <= SAME_SCORE)


def _unseen_error(name: str, old: Predictions, new: Predictions, threshold: float | None) -> float:
    """
    Return the standard error of a paired difference that no row, or hardly one, has shown.

    Where two models agree on all k rows (patients) that a metric rests on, the share on which they would
    differ may still be 1 - alpha^(1 / k), at most log(1 / alpha) / k, and each may be worth a right answer
    against a wrong one. The error is the one with which Student's t meets that, as in `roc`. It fades out
    until FEWEST_APART differences were seen.
    """
    counted, worth = new.units or new.n, _WORTH.get(name, 1.0)
    if METRICS[name].needs_threshold:
        given = _given(name, threshold)
        counted = min(confusion.fewest(name, side, given) for side in (old, new))
        apart = (old.score >= given) != (new.score >= given)
        if name == "net_benefit":
            worth = max(1.0, given / (1.0 - given)) if given < 1.0 else 0.0
    else:
        apart = np.abs(old.score - new.score) > SAME_SCORE
        if name == "log_loss":
            worth = max(float(-np.log(_least_chance(side))) for side in (old, new))
        elif name == "brier_skill":
            worth = 1.0 / max(new.prevalence * (1.0 - new.prevalence), 1.0 / new.n)
    seen = int(np.count_nonzero(apart if new.owners is None else np.bincount(new.owners[apart])))
    return max(0.0, 1.0 - (seen / FEWEST_APART) ** 2) * roc.EDGE_ERROR * worth / max(counted, 1)


def _least_chance(predictions: Predictions) -> float:
    """Return the smallest probability that a score gives to either label, as far as a log-loss goes."""
    return float(np.clip(np.minimum(predictions.score, 1.0 - predictions.score), 1e-15, None).min())


def fewest(name: str, predictions: Predictions, threshold: float | None = None) -> int:
    """
    Return the fewest events, non-events or counted rows that a metric rests on; patients where known.

    Beside events and non-events these are the alerts for precision, the rows without an alert for npv.
    """
    if not METRICS[name].needs_threshold:
        return predictions.fewest_events
    return min(predictions.fewest_events, confusion.fewest(name, predictions, _given(name, threshold)))


def _given(name: str, threshold: float | None) -> float:
    if threshold is None:
        raise ValueError(f"{name} needs a threshold")
    return threshold


def _measure(
    name: str, predictions: Predictions, threshold: float | None, seed: int, prevalence: float | None
) -> Measure:
    if METRICS[name].needs_threshold:
        return confusion.measure(name, predictions, _given(name, threshold))
    if name == "roc_auc":
        return roc.measure(predictions)
    if name == "average_precision":
        return precision.measure(predictions, prevalence=prevalence, replicates=REPLICATES, seed=seed)
    return _LOSSES[name](predictions)


# What one row more or less is worth, in shares of the rows that the metric rests on; 1 for the others.
_WORTH = {"f1": 2.0}
_LOSSES = {"brier": losses.brier, "brier_skill": losses.brier_skill, "log_loss": losses.log_loss}


def _bounded(
    name: str, predictions: Predictions, threshold: float | None, seed: int, prevalence: float | None
) -> Bounded:
    """Return a metric with its limits, whatever they rest on."""
    if METRICS[name].needs_threshold:
        return confusion.bounded(name, predictions, _given(name, threshold))
    if name in _LOSSES:
        return losses.bounded(name, predictions)
    effect = measure.level(_measure(name, predictions, threshold, seed, prevalence))
    return hybrid.of_effect(effect, predictions.n)
