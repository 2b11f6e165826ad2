"""Average precision: at a fixed prevalence, with bootstrap standard error and influence, and the curve."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from pytest_readmit.stats import measure as measures
from pytest_readmit.stats.effect import Effect, Undefined
from pytest_readmit.stats.measure import Measure
from pytest_readmit.stats.predictions import Predictions
from pytest_readmit.stats.roc import (
    EDGE_DF,
    EDGE_ERROR,
    cumulative,
    degrees_of_freedom,
    need_both_labels,
    widened,
)

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_CELLS = 1 << 17  # weights drawn at a time: what a processor's second cache holds
_ENOUGH_EVENTS = 50_000


def average_precision(predictions: Predictions, *, prevalence: float | None = None) -> float:
    """
    Return the average precision: the precision at each distinct score, weighted by its step of recall.

    Args:
        predictions: Labelled rows.
        prevalence: Share of events that precision is taken at; None: the rows' own.

    Raises:
        Undefined: If all rows have one label, or the prevalence is not inside (0, 1).

    References:
        At a prevalence p, precision is p TPR / (p TPR + (1 - p) FPR): Siblini et al. (2020), "Master your
        metrics with calibration", IDA 2020.
    """
    return float(replicates(predictions, np.ones((1, predictions.n)), prevalence=prevalence)[0])


def normalised(value: float, prevalence: float) -> float:
    """Return (value - prevalence) / (1 - prevalence): about 0 for a score by chance, 1 for a perfect one."""
    return (value - prevalence) / (1.0 - prevalence)


def replicates(
    predictions: Predictions, weights: npt.NDArray[np.generic], *, prevalence: float | None = None
) -> Floats:
    """
    Return the average precision for each of several weightings of the rows.

    Args:
        predictions: Labelled rows.
        weights: How often each row counts, >= 0, shape (replicates, n).
        prevalence: Share of events that precision is taken at; None: each weighting's own.

    Returns:
        Shape (replicates,); NaN where a weighting leaves no event.

    Raises:
        Undefined: If all rows have one label, or the prevalence is not inside (0, 1).
    """
    steps = _Steps.of(predictions, prevalence)
    return steps.averages(np.asarray(weights)[:, steps.descending])


def measure(
    predictions: Predictions, *, prevalence: float | None = None, replicates: int = 1000, seed: int = 0
) -> Measure:
    """
    Return the average precision with its bootstrap standard error and the influence of each row.

    At a given prevalence rows are resampled within their label; at their own they are resampled as they are,
    and so are patients: how many of them have an event is as random as anything else about them, and the
    rates of events and non-events are each a ratio, so that a few events more or less hardly matter. Above
    50,000 events (patients with one) the standard error is that of the influence, which agrees with the
    bootstrap's to 2% from 110 events on.

    With few events the average precision is too high: its every threshold is one of the events it counts. The
    bias that the bootstrap sees (a third of a standard error at 110 events and an area of 0.7) is added to
    the standard error; the estimate stays the usual one.

    Args:
        predictions: Labelled rows.
        prevalence: Share of events that precision is taken at, as a known figure; None: the rows' own, whose
            error counts too. For a change take the reference's on both sides: its error cancels (simulated at
            110 events it moved the spread of the change by less than 1%).
        replicates: Number of resamples, at least 2.
        seed: Seed of their generator.

    Returns:
        A Measure; Student's t has one degree of freedom less than there are rows, or patients, with the rarer
        label.

    Raises:
        Undefined: If all rows have one label, the prevalence is not inside (0, 1), or hardly a resample holds
            both labels.

    References:
        Bootstrap of patients: Field and Welsh (2007), JRSS B 69, 369-390; intervals of average precision
        compared: Boyd, Eng and Page (2013), ECML PKDD, 451-466.
    """
    steps = _Steps.of(predictions, prevalence)
    value, influence = steps.influence(predictions)
    found = measures.of_influence(
        value, influence, predictions.owners, df=degrees_of_freedom(predictions), span=(0.0, 1.0)
    )
    if predictions.fewest_events <= _ENOUGH_EVENTS:
        drawn = np.concatenate(list(_bootstrap(predictions, [steps], replicates, seed)))[:, 0]
        error, bias = _error_and_bias(drawn, value)
        found = replace(found, standard_error=error + bias, details={"bias": bias})
    least = edge_error(value, predictions, prevalence)
    if found.standard_error < least:
        return replace(found, standard_error=least, df=EDGE_DF, details={"edge_error": least})
    return found


def paired(
    old: Predictions,
    new: Predictions,
    *,
    prevalence: float | None = None,
    replicates: int = 1000,
    seed: int = 0,
) -> Effect:
    """
    Return the difference of two average precisions, new - old, measured on the same rows in the same order.

    Both are taken on the same resamples, drawn as in `measure`.

    Args:
        old: Labelled rows with the score that is compared with.
        new: The same rows with the other score.
        prevalence: Share of events that precision is taken at; None: the rows' own.
        replicates: Number of resamples, at least 2.
        seed: Seed of their generator.

    Raises:
        Undefined: If all rows have one label, or the prevalence is not inside (0, 1).
    """
    steps = [_Steps.of(each, prevalence) for each in (old, new)]
    before, after = (average_precision(each, prevalence=prevalence) for each in (old, new))
    drawn = np.concatenate(list(_bootstrap(new, steps, replicates, seed)))
    error, bias = _error_and_bias(drawn[:, 1] - drawn[:, 0], after - before)
    edges = [edge_error(value, each, prevalence) for value, each in ((before, old), (after, new))]
    difference = Measure(
        estimate=after - before,
        standard_error=math.hypot(error + bias, *edges),
        n=new.n,
        df=EDGE_DF if any(edges) else degrees_of_freedom(new),
        details={"reference": before, "current": after, "bias": bias},
    )
    return measures.level(difference)


def precision_recall_curve(
    predictions: Predictions,
    *,
    points: int = 100,
    min_cell: int = 11,
    prevalence: float | None = None,
) -> Floats:
    """
    Return recall and precision for a picture.

    Args:
        predictions: Labelled rows.
        points: About the most points there may be.
        min_cell: Fewest rows between two points, and of each label none or as many, so that no step shows a
            single row.
        prevalence: Share of events that precision is taken at; None: the rows' own.

    Returns:
        Shape (k, 2), columns recall, rising to 1, and precision.

    Raises:
        Undefined: If all rows have one label.
    """
    rows, events = cumulative(predictions, points=points, min_cell=min_cell)
    recall = events[1:] / events[-1]
    alarms = (rows - events)[1:] / (rows - events)[-1]
    share = predictions.prevalence if prevalence is None else prevalence
    return np.column_stack([recall, share * recall / (share * recall + (1 - share) * alarms)])


def _error_and_bias(drawn: Floats, value: float) -> tuple[float, float]:
    """Return the standard error and the size of the bias that replicates with events show."""
    kept = drawn[np.isfinite(drawn)]
    if len(kept) < 2:
        raise Undefined("too few resamples hold rows of both labels")
    return float(kept.std(ddof=1)), abs(float(kept.mean()) - value)


def edge_error(value: float, predictions: Predictions, prevalence: float | None) -> float:
    """
    Return the least standard error that an average precision near 1 may claim; 0 away from there.

    Where the classes are apart the bootstrap sees no error at all. Yet a share of events up to
    log(1 / alpha) / k may score low, which costs as much; and such a share e of non-events may score highest,
    which costs r e (1 + log(1 / (r e))) at most, where r = (1 - prevalence) / prevalence.
    """
    share = predictions.prevalence if prevalence is None else prevalence
    few = predictions.fewest_events
    others = few if predictions.units is not None else predictions.n - predictions.events
    top = min(1.0, (1 - share) / share / others)
    wrong = min(1.0, few * (1.0 - value))
    return (1.0 - wrong) * EDGE_ERROR * (1.0 / few + top * (1.0 - math.log(top)))


def _bootstrap(
    predictions: Predictions, scores: Sequence["_Steps"], replicates: int, seed: int
) -> Iterator[Floats]:
    """Yield blocks of replicates, shape (some, scores): every score's on the same resamples."""
    random = np.random.default_rng(seed)
    strata, unit = _units(predictions, by_label=scores[0].prevalence is not None)
    places = [unit[each.descending] for each in scores]
    ends = np.cumsum(strata)
    block = max(1, _CELLS // predictions.n)
    for first in range(0, replicates, block):
        size = min(block, replicates - first)
        counts = np.empty((size, ends[-1]), dtype=np.int32)
        for row in counts:
            chosen = [random.integers(end - k, end, k) for k, end in zip(strata, ends, strict=True)]
            row[:] = np.bincount(np.concatenate(chosen), minlength=ends[-1])
        yield np.column_stack(
            [each.averages(counts.take(at, axis=1)) for each, at in zip(scores, places, strict=True)]
        )


def _units(predictions: Predictions, *, by_label: bool) -> tuple[list[int], Integers]:
    """Return how many units each stratum has, and the unit of each row: patients, or rows."""
    if predictions.owners is not None:
        return [int(predictions.owners.max()) + 1], predictions.owners
    n, n1 = predictions.n, predictions.events
    if not by_label:
        return [n], np.arange(n)
    unit = np.empty(n, dtype=np.int64)
    unit[predictions.positive] = np.arange(n1)
    unit[~predictions.positive] = np.arange(n1, n)
    return [n1, n - n1], unit


@dataclass(frozen=True, slots=True)
class _Steps:
    """
    Rows by falling score, and where each distinct score with an event ends.

    Args:
        descending: Rows by falling score, shape (n,).
        positive: Places of the events in that order, shape (n1,).
        starts: First of these events at each distinct score that has one, shape (k,).
        ends: Last place of each such score, shape (k,).
        prevalence: Where precision is taken; None: as weighted.
    """

    descending: npt.NDArray[np.intp]
    positive: npt.NDArray[np.intp]
    starts: npt.NDArray[np.intp]
    ends: npt.NDArray[np.intp]
    prevalence: float | None

    @classmethod
    def of(cls, predictions: Predictions, prevalence: float | None) -> "_Steps":
        need_both_labels(predictions)
        if prevalence is not None and not 0.0 < prevalence < 1.0:
            raise Undefined("a prevalence lies between 0 and 1")
        descending = predictions.order[::-1]
        score = predictions.score[descending]
        places = np.flatnonzero(predictions.positive[descending])
        last = np.append(np.flatnonzero(score[1:] != score[:-1]), predictions.n - 1)
        end_of = last[np.searchsorted(last, places)]
        ends, starts = np.unique(end_of, return_index=True)
        return cls(descending, places, starts, ends, prevalence)

    def averages(self, weights: npt.NDArray[np.generic]) -> Floats:
        """Return the average precision for weights in falling order, shape (replicates, n)."""
        rows = np.cumsum(weights, axis=1)
        events = weights.take(self.positive, axis=1)
        if len(self.starts) < len(self.positive):
            events = np.add.reduceat(events, self.starts, axis=1)
        hits, seen = np.cumsum(events, axis=1), rows.take(self.ends, axis=1)
        total = hits[:, -1:]
        with np.errstate(invalid="ignore", divide="ignore"):
            if self.prevalence is not None:
                # events count as if they were as many as the prevalence says
                others = rows[:, -1:] - total
                ratio = self.prevalence / (1.0 - self.prevalence) * others / total
                precision = ratio * hits / (ratio * hits + (seen - hits))
            else:
                precision = hits / seen
            precision[events == 0] = 0.0
            return np.asarray((events * precision).sum(axis=1) / total[:, 0], dtype=np.float64)

    def influence(self, predictions: Predictions) -> tuple[float, Floats]:
        """
        Return the average precision and the influence of each row on it.

        The derivative of sum (TPR_k - TPR_(k-1)) precision(TPR_k, FPR_k) along the row: it moves the weight
        of its own score's precision, and the rates at every score below.
        """
        n, n1 = predictions.n, predictions.events
        hits = np.searchsorted(self.positive, self.ends, side="right")
        recall, alarms = hits / n1, (self.ends + 1 - hits) / (n - n1)
        share = predictions.prevalence if self.prevalence is None else self.prevalence
        flagged = share * recall + (1 - share) * alarms
        precision, step = share * recall / flagged, np.diff(recall, prepend=0.0)
        value = float(step @ precision)
        pull = step * share * (1 - share) / flagged**2
        by_recall, by_alarms = pull * alarms, -pull * recall
        # the first score with an event that is not above the row's; none for rows below them all
        at = np.repeat(np.arange(len(self.ends) + 1), np.diff(self.ends, prepend=-1, append=n - 1))
        of_event = np.append(precision, 0.0) - value + _sums_from(by_recall) - by_recall @ recall
        of_other = _sums_from(by_alarms) - by_alarms @ alarms
        positive = np.zeros(n, dtype=bool)
        positive[self.positive] = True
        wide1, wide0 = widened(predictions)
        moved = np.where(positive, of_event[at] * (wide1 * n / n1), of_other[at] * (wide0 * n / (n - n1)))
        if self.prevalence is None:
            moved += float(step @ (recall * alarms / flagged**2)) * (positive - share)
        influence = np.empty(n)
        influence[self.descending] = moved
        return value, influence


def _sums_from(values: Floats) -> Floats:
    """Return the sum of the values from each place on, and 0 past the last."""
    return np.append(np.cumsum(values[::-1])[::-1], 0.0)
