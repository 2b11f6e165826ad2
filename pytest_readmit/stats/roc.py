"""ROC: the area under the curve with DeLong's variance, by patient too, paired differences, and the curve."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from pytest_readmit.stats import measure as measures
from pytest_readmit.stats.effect import Effect, Undefined
from pytest_readmit.stats.measure import Measure
from pytest_readmit.stats.predictions import Predictions

Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[Any]

# 1.68 / k times the quantile of Student's t with 10 degrees of freedom is at least log(1 / alpha) / k for
# every alpha up to 0.1, and not much more until 1e-4
EDGE_ERROR = 1.68
EDGE_DF = 10.0
FEWEST_APART = 20
"""With fewer rows (patients) of a label beside its most common score, ties make an area less sure."""


def auc(predictions: Predictions) -> float:
    """
    Return the area under the ROC curve: P(an event scores above a non-event), ties counted half.

    Raises:
        Undefined: If all rows have one label.
    """
    return _placements(predictions)[0]


def measure(predictions: Predictions) -> Measure:
    """
    Return the area under the ROC curve with DeLong's standard error and the influence of each row.

    The influence of an event is the share of non-events that it beats, less the area, and likewise for a
    non-event; each class is widened by sqrt(k / (k - 1)) for its k rows, or patients with such a row. So
    independent rows give DeLong's S10 / n1 + S01 / n0, and patients Obuchowski's clustered variance with the
    factor of its cross term between those of its squares.

    DeLong's variance is 0 where the classes are apart, and near it promises more than few rows can. There
    `_edge_error` bounds the area from the number of events and non-events alone. Where almost all rows of a
    label have one score, `_tie_error` is added: DeLong's variance then rests on few rows or none.

    Returns:
        A Measure. Its interval is symmetric on the logit scale: on the plain one the lower bound is too high
        6% to 8% of the time at 110 events, alpha 5%. Student's t has one degree of freedom less than there
        are rows, or patients, with the rarer label.

    Raises:
        Undefined: If all rows have one label.

    References:
        DeLong, DeLong and Clarke-Pearson (1988), Biometrics 44, 837-845; by ranks: Sun and Xu (2014), IEEE
        Signal Process. Lett. 21, 1389-1393; by patient: Obuchowski (1997), Biometrics 53, 567-578.
    """
    area, influence = _placements(predictions)
    found = measures.of_influence(
        area,
        influence,
        predictions.owners,
        scale="logit",
        df=degrees_of_freedom(predictions),
        span=(0.0, 1.0),
    )
    least, tied = _edge_error(area, predictions), _tie_error(predictions)
    error = math.hypot(found.standard_error, tied)
    if found.standard_error < max(least, tied):
        error = max(least, error)
        return replace(
            found,
            standard_error=error,
            scale="identity",
            df=EDGE_DF,
            details={"edge_error": max(least, tied)},
        )
    if tied:
        df = min(found.df, EDGE_DF)
        return replace(found, standard_error=error, df=df, details={"tie_error": tied})
    return found


def paired(old: Predictions, new: Predictions) -> Effect:
    """
    Return the difference of two areas, new - old, measured on the same rows in the same order.

    Where either area is so near 0 or 1 that its own variance is that of `_edge_error`, or rests on as few
    untied rows as `_tie_error` says, so is the difference's: two models that both make no mistake on few
    rows are not proven alike. Two scores that rank all rows alike otherwise differ by 0 without error.
    Independent rows are compared by the normal law, as in DeLong's test; with patients by Student's t as in
    `measure`.

    Raises:
        Undefined: If all rows have one label.

    References:
        DeLong, DeLong and Clarke-Pearson (1988), Biometrics 44, 837-845 (correlated areas).
    """
    (before, of_old), (after, of_new) = _placements(old), _placements(new)
    edges = [_edge_error(before, old), _edge_error(after, new)]
    if not np.array_equal(old.score, new.score):
        edges += [_tie_error(old), _tie_error(new)]
    details = {"reference": before, "current": after}
    difference = measures.of_influence(after - before, of_new - of_old, new.owners, details=details)
    df = math.inf if new.owners is None else degrees_of_freedom(new)
    return measures.level(
        replace(
            difference,
            standard_error=math.hypot(difference.standard_error, *edges),
            df=EDGE_DF if any(edges) else df,
        )
    )


def unpaired_df(reference: Measure, current: Measure) -> float:
    """
    Return the degrees of freedom that pROC gives the difference of two areas on different rows.

    References:
        Welch and Satterthwaite with n - 1 rows a side: `roc.test` of Robin et al. (2011), BMC
        Bioinformatics 12:77.
    """
    variances = [(each.standard_error**2, each.n) for each in (reference, current)]
    below = sum(variance**2 / (n - 1) for variance, n in variances)
    return sum(variance for variance, _ in variances) ** 2 / below if below else math.inf


def curve(predictions: Predictions, *, points: int = 100, min_cell: int = 11) -> Floats:
    """
    Return the ROC curve for a picture.

    Args:
        predictions: Labelled rows.
        points: About the most points there may be.
        min_cell: Fewest rows between two points, and of each label none or as many, so that no step shows a
            single row.

    Returns:
        Shape (k, 2), columns false positive rate and true positive rate, from (0, 0) to (1, 1).

    Raises:
        Undefined: If all rows have one label.
    """
    rows, events = cumulative(predictions, points=points, min_cell=min_cell)
    return np.column_stack([(rows - events) / (rows[-1] - events[-1]), events / events[-1]])


def cumulative(
    predictions: Predictions, *, points: int, min_cell: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """
    Return how many rows, and how many events, score at least as high as each of some thresholds.

    Args:
        predictions: Labelled rows.
        points: About the most thresholds there may be.
        min_cell: Fewest rows between two thresholds; of each label none or as many.

    Returns:
        Rows and events, shape (k,) each, from 0 to all, rising.

    Raises:
        Undefined: If all rows have one label.
    """
    need_both_labels(predictions)
    descending = predictions.order[::-1]
    score = predictions.score[descending]
    ends = np.append(np.flatnonzero(score[1:] != score[:-1]) + 1, predictions.n)
    step = max(min_cell, math.ceil(predictions.n / max(points, 1)), 1)
    events_at = np.cumsum(predictions.positive[descending])[ends - 1]
    others_at = ends - events_at
    chosen = [-1]  # places among the ends; -1 is before the first row
    while (place := _next_safe(chosen[-1], ends, events_at, others_at, step, min_cell)) < len(ends):
        chosen.append(place)
    # the last step takes what is left over
    last = len(ends) - 1
    while len(chosen) > 1 and not _apart(chosen[-1], last, events_at, others_at, min_cell):
        chosen.pop()
    if chosen[-1] != last:
        chosen.append(last)
    places = np.array(chosen[1:])
    rows, events = (np.concatenate(([0], counts[places])).astype(np.int64) for counts in (ends, events_at))
    return rows, events


def _next_safe(after: int, ends: Numbers, events: Numbers, others: Numbers, step: int, min_cell: int) -> int:
    """Return the first place at least `step` rows further on whose step tells of no few rows of a label."""
    row = 0 if after < 0 else int(ends[after])
    place = int(np.searchsorted(ends, row + step))
    while place < len(ends):
        wanted = place
        for counts in (events, others):
            before = 0 if after < 0 else int(counts[after])
            if 0 < counts[place] - before < min_cell:
                wanted = max(wanted, int(np.searchsorted(counts, before + min_cell)))
        if wanted == place:
            return place
        place = wanted
    return place


def _apart(first: int, last: int, events: Numbers, others: Numbers, min_cell: int) -> bool:
    """Whether of each label none, or at least `min_cell`, rows lie between two places; true of one place."""
    moved = [int(counts[last] - (0 if first < 0 else counts[first])) for counts in (events, others)]
    return sum(moved) == 0 or (
        sum(moved) >= min_cell and all(rows == 0 or rows >= min_cell for rows in moved)
    )


def need_both_labels(predictions: Predictions) -> None:
    """
    Hold predictions to rows of both labels.

    Raises:
        Undefined: If all rows have one label, or there are none.
    """
    if predictions.events == 0:
        raise Undefined("no row has the positive label")
    if predictions.events == predictions.n:
        raise Undefined("every row has the positive label")


def _placements(predictions: Predictions) -> tuple[float, Floats]:
    """Return the area and the influence of each row."""
    need_both_labels(predictions)
    n, n1 = predictions.n, predictions.events
    n0 = n - n1
    places, others_below, events_below = _ranks(predictions)
    area = float(others_below.sum()) / n1 / n0
    wide1, wide0 = widened(predictions)
    ranked = events_below * (-wide0 * n / n0 / n1)  # for every row: the events' own are written over
    ranked += (1.0 - area) * wide0 * n / n0
    ranked[places] = (others_below / n0 - area) * (wide1 * n / n1)
    influence = np.empty(n)
    influence[predictions.order] = ranked
    return area, influence


def _ranks(predictions: Predictions) -> tuple[Numbers, Numbers, Numbers]:
    """
    Return, with rows by rising score and ties counted half: where the events are, how many non-events lie
    below each of them, both shape (n1,), and how many events lie below each row, shape (n,), which holds for
    non-events only.
    """
    order, n = predictions.order, predictions.n
    positive, score = predictions.ranked, predictions.score[order]
    places = np.flatnonzero(positive)
    events_to = np.cumsum(positive, dtype=np.int32 if n < 2**31 else np.int64)
    last = score[1:] != score[:-1]
    if last.all():
        return places, places - np.arange(len(places)), events_to
    ends = np.append(np.flatnonzero(last), n - 1)  # of every distinct score
    events_at = np.diff(events_to[ends], prepend=0)
    sizes = np.diff(ends, prepend=-1)
    others_at = sizes - events_at
    others_below = np.cumsum(others_at) - 0.5 * others_at
    events_below = np.cumsum(events_at) - 0.5 * events_at
    return places, np.repeat(others_below, events_at), np.repeat(events_below, sizes)


def widened(predictions: Predictions) -> tuple[float, float]:
    """
    Return what the influence of events, and of non-events, is multiplied by.

    sqrt(k / (k - 1)) for k of them, or patients with one: a variance about a mean that was estimated.
    """
    counts = _units(predictions)
    first, second = (math.sqrt(k / (k - 1)) if k > 1 else 1.0 for k in counts)
    return first, second


def _units(predictions: Predictions) -> tuple[int, int]:
    """Return the number of events and of non-events; where patients are known, of patients with one."""
    if predictions.owners is None:
        return predictions.events, predictions.n - predictions.events
    found = [
        int(np.count_nonzero(np.bincount(predictions.owners[rows])))
        for rows in (predictions.positive, ~predictions.positive)
    ]
    return found[0], found[1]


def degrees_of_freedom(predictions: Predictions) -> float:
    """Return one less than there are rows, or patients where they are known, with the rarer label."""
    return max(1.0, predictions.fewest_events - 1.0)


def _tie_error(predictions: Predictions) -> float:
    """
    Return the standard error that rows with a score of their own add to an area while hardly one was seen.

    Where all k rows (patients) of a label have one score, the share of rows of that label with another may
    still be 1 - alpha^(1 / k), at most log(1 / alpha) / k, and each of those may come to lie above or below
    all of the other label. The error is the one with which Student's t meets that, as in `_edge_error`. It
    fades out until FEWEST_APART rows with another score were seen, or a quarter of the rows.
    """
    ranked, order = predictions.ranked, predictions.order
    held = [own for own in (ranked, ~ranked) if _mostly_one_score(predictions, own)]
    if not held:
        return 0.0
    score, units = predictions.score[order], _units(predictions)
    parts = []
    for own in held:
        k = units[0] if own is ranked else units[1]
        common, apart = _most_common(score[own])
        if 4 * apart >= np.count_nonzero(own):
            continue
        if predictions.owners is not None and apart:
            others = own & (score != common)
            apart = int(np.count_nonzero(np.bincount(predictions.owners[order[others]])))
        counted = min(FEWEST_APART, k / 4.0)
        if apart >= counted:
            continue
        other = score[~own]
        under = np.count_nonzero(other < common) + 0.5 * np.count_nonzero(other == common)
        reach = max(under, len(other) - under) / len(other)
        parts.append((1.0 - (apart / counted) ** 2) * reach * EDGE_ERROR / k)
    return math.hypot(*parts)


def _mostly_one_score(predictions: Predictions, own: npt.NDArray[np.bool_]) -> bool:
    """
    Whether more than 3/4 of the rows of a label may have one score.

    A run so long, wherever it begins, holds both quartiles of the sorted scores.
    """
    places = np.flatnonzero(own)
    first, third = predictions.order[places[[len(places) // 4, 3 * len(places) // 4]]]
    return bool(predictions.score[first] == predictions.score[third])


def _most_common(ascending: Floats) -> tuple[float, int]:
    """Return the most common of sorted values, and how many are another."""
    ends = np.append(np.flatnonzero(ascending[1:] != ascending[:-1]), len(ascending) - 1)
    counts = np.diff(ends, prepend=-1)
    place = int(counts.argmax())
    return float(ascending[ends[place]]), len(ascending) - int(counts[place])


def _edge_error(area: float, predictions: Predictions) -> float:
    """
    Return the least standard error that an area near 0 or 1 may claim; 0 away from there.

    Take k pairs of an event and a non-event, no patient twice. If the classes are apart all k are ranked
    right, which has probability area^k; so alpha^(1 / k) is an exact lower bound (Clopper and Pearson's for k
    successes of k), at least 1 - log(1 / alpha) / k. The error is the one with which Student's t meets that
    for every confidence of 0.9 or more. It fades out until one of the k pairs would be ranked wrong.
    """
    pairs = predictions.fewest_events
    if predictions.units is not None:
        pairs = max(1, min(pairs, predictions.units // 2))
    wrong = min(1.0, pairs * min(area, 1.0 - area))
    return (1.0 - wrong) * EDGE_ERROR / pairs
