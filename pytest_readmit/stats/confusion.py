"""What alerts at a threshold get right and wrong: accuracy, precision, recall, F1, net benefit and others."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pytest_readmit.stats import hybrid
from pytest_readmit.stats.cluster import proportion_design_effect
from pytest_readmit.stats.effect import Effect, Undefined
from pytest_readmit.stats.hybrid import Bounded
from pytest_readmit.stats.measure import Measure, of_influence
from pytest_readmit.stats.predictions import Predictions
from pytest_readmit.stats.proportion import Proportion

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Alerts:
    """
    Labelled rows and whether each raises an alert.

    Args:
        positive: The row has the positive label, shape (n,).
        alert: Its score is at least the threshold, shape (n,).
        threshold: The threshold.
        owners: Patient of each row as integers from 0, shape (n,); None where rows are independent.
    """

    positive: Bools
    alert: Bools
    threshold: float
    owners: Ints | None

    @classmethod
    def of(cls, predictions: Predictions, threshold: float) -> "Alerts":
        """
        Return the alerts of scores at least as high as a threshold.

        Raises:
            Undefined: If there are no rows.
        """
        if not predictions.n:
            raise Undefined("there are no rows")
        alert = predictions.score >= threshold
        return cls(predictions.positive, alert, threshold, predictions.owners)

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.positive)


@dataclass(frozen=True, slots=True)
class Share:
    """
    A metric that is a share of some of the rows.

    Args:
        hits: The rows counted.
        among: The rows they are counted among; the hits are some of them.
        base: What those are called, where there may be none.
    """

    hits: Callable[[Alerts], Bools]
    among: Callable[[Alerts], Bools]
    base: str


def _every(alerts: Alerts) -> Bools:
    return np.ones(alerts.n, dtype=bool)


SHARES: Mapping[str, Share] = {
    "accuracy": Share(lambda a: a.positive == a.alert, _every, "rows"),
    "precision": Share(lambda a: a.positive & a.alert, lambda a: a.alert, "alerts"),
    "recall": Share(lambda a: a.positive & a.alert, lambda a: a.positive, "events"),
    "specificity": Share(lambda a: ~a.positive & ~a.alert, lambda a: ~a.positive, "non-events"),
    "npv": Share(lambda a: ~a.positive & ~a.alert, lambda a: ~a.alert, "rows without an alert"),
    "alert_rate": Share(lambda a: a.alert, _every, "rows"),
}
# F1 is 2 J / (1 + J), J the share of hits among the rows that are an event or an alert (Jaccard).
_JACCARD = Share(lambda a: a.positive & a.alert, lambda a: a.positive | a.alert, "events and alerts")
NAMES = (*SHARES, "f1", "balanced_accuracy", "net_benefit")
"""The metrics that need a threshold."""


def proportion(name: str, predictions: Predictions, threshold: float) -> Proportion:
    """
    Return a metric of SHARES as a Proportion, with the design effect of its patients.

    Raises:
        Undefined: If there is nothing to count among: precision without alerts, say.
    """
    return _proportion(SHARES[name], Alerts.of(predictions, threshold), name)


def _proportion(share: Share, alerts: Alerts, name: str) -> Proportion:
    among = share.among(alerts)
    total = int(np.count_nonzero(among))
    if not total:
        raise Undefined(f"{name} does not exist: there are no {share.base} at threshold {alerts.threshold:g}")
    hits = share.hits(alerts)
    events = float(np.count_nonzero(hits))
    if alerts.owners is None:
        return Proportion(events, float(total))
    size = int(alerts.owners.max()) + 1
    rows = np.bincount(alerts.owners[among], minlength=size)
    with_event = np.bincount(alerts.owners[hits], minlength=size)
    return Proportion(
        events,
        float(total),
        proportion_design_effect(with_event, rows),
        int(np.count_nonzero(rows)),
        int(np.count_nonzero(with_event)),
        int(np.count_nonzero(rows > with_event)),
    )


def level(name: str, predictions: Predictions, threshold: float) -> Effect:
    """
    Return a metric of NAMES with its bounds.

    Shares have Wilson's (exact ones where counts are few), F1 those of the share that it is a function of,
    balanced accuracy and net benefit limits put together from those of their two shares.

    Args:
        name: One of NAMES.
        predictions: Labelled rows.
        threshold: A score at or above it raises an alert.

    Raises:
        Undefined: If the metric does not exist for these rows.
    """
    return hybrid.level(bounded(name, predictions, threshold))


def change(name: str, reference: Predictions, current: Predictions, threshold: float) -> Effect:
    """
    Return current - reference of a metric of NAMES; for shares with Newcombe's bounds.

    Raises:
        Undefined: If the metric does not exist for either side.
    """
    before, after = (bounded(name, side, threshold) for side in (reference, current))
    return hybrid.difference(before, after)


def bounded(name: str, predictions: Predictions, threshold: float) -> Bounded:
    """
    Return a metric of NAMES with its limits.

    Raises:
        Undefined: If the metric does not exist for these rows.
    """
    alerts = Alerts.of(predictions, threshold)
    if name in SHARES:
        return _bounded(SHARES[name], alerts, name)
    if name == "f1":
        return hybrid.mapped(_bounded(_JACCARD, alerts, name), _f1)
    return _BOUNDED[name](alerts)


def _bounded(share: Share, alerts: Alerts, name: str) -> Bounded:
    return hybrid.of_proportion(_proportion(share, alerts, name), alerts.n)


def _f1(jaccard: float) -> float:
    return 2.0 * jaccard / (1.0 + jaccard)


def _balanced_accuracy(alerts: Alerts) -> Bounded:
    return _sum_of(SHARES["recall"], SHARES["specificity"], alerts, "balanced_accuracy", (0.5, 0.5))


def _net_benefit(alerts: Alerts) -> Bounded:
    weights = 1.0, -_harm(alerts.threshold)
    return _sum_of(_TRUE_ALERTS, _FALSE_ALERTS, alerts, "net_benefit", weights)


_TRUE_ALERTS = Share(lambda a: a.positive & a.alert, _every, "rows")
_FALSE_ALERTS = Share(lambda a: ~a.positive & a.alert, _every, "rows")
_BOUNDED = {"balanced_accuracy": _balanced_accuracy, "net_benefit": _net_benefit}


def _harm(threshold: float) -> float:
    """
    Return how many false alerts outweigh one true alert: the odds at the threshold.

    Raises:
        Undefined: If the threshold is 1.
    """
    if threshold >= 1.0:
        raise Undefined("net_benefit does not exist at threshold 1: a false alert would weigh infinitely")
    return threshold / (1.0 - threshold)


def _sum_of(one: Share, other: Share, alerts: Alerts, name: str, weights: tuple[float, float]) -> Bounded:
    first, second = (_bounded(share, alerts, name) for share in (one, other))
    correlation = _correlation(_influence(one, alerts), _influence(other, alerts), alerts.owners)
    return hybrid.weighted_sum(first, second, weights, correlation)


def _correlation(one: Floats, other: Floats, owners: Ints | None) -> float:
    """Return the correlation of two estimates from the influence of their rows."""
    if owners is not None:
        one, other = (np.bincount(owners, weights=each).astype(np.float64) for each in (one, other))
    spread = float(np.sqrt((one @ one) * (other @ other)))
    return float(one @ other) / spread if spread > 0.0 else 0.0


def measure(name: str, predictions: Predictions, threshold: float) -> Measure:
    """
    Return a metric of NAMES with the influence of each row, to compare two models on the same rows.

    Its standard error is 0 where every counted row agrees: `level` gives the bounds of a single model.

    Raises:
        Undefined: If the metric does not exist for these rows.

    References:
        Vickers and Elkin (2006), Med. Decis. Making 26, 565-574 (net benefit).
    """
    alerts = Alerts.of(predictions, threshold)
    estimate = bounded(name, predictions, threshold).estimate
    if name in SHARES:
        influence = _influence(SHARES[name], alerts)
    elif name == "f1":
        slope = np.square(2.0 - estimate) / 2.0  # of F1 in J, written in F1
        influence = slope * _influence(_JACCARD, alerts)
    elif name == "balanced_accuracy":
        influence = 0.5 * (_influence(SHARES["recall"], alerts) + _influence(SHARES["specificity"], alerts))
    else:
        harm = _harm(threshold)
        influence = _influence(_TRUE_ALERTS, alerts) - harm * _influence(_FALSE_ALERTS, alerts)
    return of_influence(estimate, influence, alerts.owners)


def _influence(share: Share, alerts: Alerts) -> Floats:
    """Return the influence of each row on a share (a ratio of two means), shape (n,)."""
    among, hits = share.among(alerts), share.hits(alerts)
    total = int(np.count_nonzero(among))
    rate = np.count_nonzero(hits) / total
    return (hits - rate * among) * (alerts.n / total)


def fewest(name: str, predictions: Predictions, threshold: float) -> int:
    """
    Return the fewest rows that a metric of NAMES is counted among; patients where they are known.

    Alerts for precision, rows without an alert for npv, events and non-events for balanced accuracy.
    """
    alerts = Alerts.of(predictions, threshold)
    return min(_units(rows(alerts), alerts.owners) for rows in _BASES[name])


_BASES: Mapping[str, tuple[Callable[[Alerts], Bools], ...]] = {
    **{name: (share.among,) for name, share in SHARES.items()},
    "f1": (_JACCARD.among,),
    "balanced_accuracy": (SHARES["recall"].among, SHARES["specificity"].among),
    "net_benefit": (_every,),
}


def _units(rows: Bools, owners: Ints | None) -> int:
    if owners is None:
        return int(np.count_nonzero(rows))
    return int(np.count_nonzero(np.bincount(owners[rows])))
