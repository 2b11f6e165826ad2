"""Fairness: rates, areas and ratios by group, and the largest gap between any two groups."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from pytest_readmit.stats import calibration, hybrid, measure, roc
from pytest_readmit.stats.cluster import proportion_design_effect
from pytest_readmit.stats.effect import Effect, Undefined
from pytest_readmit.stats.hybrid import Bounded
from pytest_readmit.stats.measure import Measure
from pytest_readmit.stats.predictions import Predictions
from pytest_readmit.stats.proportion import Proportion
from pytest_readmit.stats.tails import bisect, normal_quantile, tail_where

FEWEST = 10
"""With fewer positives (negatives) a group's gap is neither proven nor certified; patients, where known."""
FEWEST_ROWS = 30
"""The same for a rate among all rows."""
_LARGEST_Z = 37.0

Counted = Literal["positives", "negatives", "rows"]
Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Quantity:
    """
    One quantity, measured in each group.

    Args:
        name: In words.
        counted: The rows that it rests on.
        values: Of each group; None where it does not exist.
        enough: Whether a group has enough of those rows (patients) for a verdict.
        whole: Of all groups together; None where it does not exist.
        size: Rows of all groups together that it rests on.
        is_rate: Whether it lies in [0, 1] and is moved by the threshold.
    """

    name: str
    counted: Counted
    values: tuple[Bounded | None, ...]
    enough: tuple[bool, ...]
    whole: Bounded | None
    size: int
    is_rate: bool = True

    def needed(self, limit: float, *, alpha: float = 0.05, power: float = 0.8) -> int | None:
        """
        Return the rows that each of two groups needs so that a gap can be certified to be within `limit`.

        Planned for groups that are alike and of one size, as all groups together are now: both bounds of
        their difference, each at 1 - alpha, then lie within the limit with probability `power`.
        None where no number of rows would do.
        """
        whole = self.whole
        if whole is None or limit <= 0:
            return None
        z = normal_quantile(alpha) + normal_quantile((1 - power) / 2)

        def within(log_growth: float) -> bool:
            low, high = whole.limits(z, math.exp(log_growth))
            return math.hypot(high - whole.estimate, whole.estimate - low) <= limit

        if not within(20.0):
            return None
        growth = math.exp(bisect(within, -20.0, 20.0))
        return max(FEWEST, math.ceil(growth * self.size))


def by_group(predictions: Predictions, groups: npt.NDArray[np.integer], size: int) -> list[Predictions]:
    """
    Return the rows of each group.

    Args:
        predictions: Labelled rows.
        groups: Group of each row, 0 to size - 1, shape (n,).
        size: Number of groups; some may have no row.
    """
    order = np.argsort(groups, kind="stable")
    ends = np.cumsum(np.bincount(groups, minlength=size))
    return [predictions.take(rows) for rows in np.split(order, ends[:-1])]


def true_positive_rate(predictions: Predictions, threshold: float) -> Proportion:
    """Return alerts (score >= threshold) among positive rows, patients behind them counted."""
    return _alerts(predictions, threshold, predictions.positive)


def false_positive_rate(predictions: Predictions, threshold: float) -> Proportion:
    """Return alerts among negative rows, likewise."""
    return _alerts(predictions, threshold, ~predictions.positive)


def alert_rate(predictions: Predictions, threshold: float) -> Proportion:
    """Return alerts among all rows, likewise."""
    return _alerts(predictions, threshold, None)


def _alerts(predictions: Predictions, threshold: float, among: npt.NDArray[np.bool_] | None) -> Proportion:
    score = predictions.score if among is None else predictions.score[among]
    alerted = score >= threshold
    events, rows = float(np.count_nonzero(alerted)), float(len(alerted))
    if predictions.owners is None:
        return Proportion(events, rows)
    owners = predictions.owners if among is None else predictions.owners[among]
    per_patient = np.bincount(owners)
    alerts = np.bincount(owners[alerted], minlength=len(per_patient))
    return Proportion(
        events,
        rows,
        proportion_design_effect(alerts, per_patient),
        int(np.count_nonzero(per_patient)),
        int(np.count_nonzero(alerts)),
        int(np.count_nonzero(per_patient > alerts)),
    )


def rate_by_group(
    kind: str,
    whole: Predictions,
    groups: Sequence[Predictions],
    threshold: float,
) -> Quantity:
    """
    Return a rate of each group with Wilson's limits (exact ones where alerts, or their absence, are few).

    Args:
        kind: "true positive rate", "false positive rate" or "alert rate".
        whole: All rows.
        groups: The rows of each group.
        threshold: A score at or above it raises an alert.
    """
    rate, counted, fewest = _RATES[kind]
    shares = [rate(group, threshold) for group in groups]
    total = rate(whole, threshold)
    return Quantity(
        kind,
        counted,
        tuple(hybrid.of_proportion(each, whole.n) if each.rows else None for each in shares),
        tuple((each.rows if each.units is None else each.units) >= fewest for each in shares),
        hybrid.of_proportion(total, whole.n) if total.rows else None,
        int(total.rows),
    )


_RATES: dict[str, tuple[Callable[[Predictions, float], Proportion], Counted, int]] = {
    "true positive rate": (true_positive_rate, "positives", FEWEST),
    "false positive rate": (false_positive_rate, "negatives", FEWEST),
    "alert rate": (alert_rate, "rows", FEWEST_ROWS),
}


def area_by_group(whole: Predictions, groups: Sequence[Predictions]) -> Quantity:
    """Return the area under the ROC curve of each group with DeLong's limits; it needs both labels."""
    return _measured("AUC", roc.measure, whole, groups)


def ratio_by_group(whole: Predictions, groups: Sequence[Predictions]) -> Quantity:
    """Return observed over expected events of each group, limits on a logarithmic scale."""
    return _measured("observed:expected", calibration.observed_expected, whole, groups)


def _measured(
    name: str,
    measured: Callable[[Predictions], Measure],
    whole: Predictions,
    groups: Sequence[Predictions],
) -> Quantity:
    def bounded(rows: Predictions) -> Bounded | None:
        try:
            return hybrid.of_effect(measure.level(measured(rows)), whole.n)
        except Undefined:
            return None

    return Quantity(
        name,
        "positives",
        tuple(bounded(group) for group in groups),
        tuple(group.n > 0 and group.fewest_events >= FEWEST for group in groups),
        bounded(whole),
        whole.events,
        is_rate=False,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Pairs:
    """Every pair of groups that have a quantity: places among `values`, and whether they may prove a gap."""

    quantity: int
    values: tuple[Bounded, ...]
    groups: Indices
    first: Indices
    second: Indices
    tested: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, which: int, quantity: Quantity, *, every_group: bool) -> "_Pairs":
        there = [i for i, value in enumerate(quantity.values) if value is not None]
        first, second = np.triu_indices(len(there), k=1)
        enough = np.array([every_group or quantity.enough[i] for i in there], dtype=bool)
        values = tuple(value for value in quantity.values if value is not None)
        tested = enough[first] & enough[second]
        return cls(which, values, np.array(there, dtype=np.intp), first, second, tested)

    @property
    def gaps(self) -> Floats:
        """How far the second group's value is above the first's."""
        values = np.array([value.estimate for value in self.values])
        return np.asarray(values[self.second] - values[self.first])

    def limits(self, z: float, growth: float) -> tuple[Floats, Floats]:
        """Return what is proven and what is possible of each absolute gap, z standard deviations away."""
        values = np.array([value.estimate for value in self.values])
        low, high = np.array([value.limits(z, growth) for value in self.values]).T
        down, up = values - low, high - values
        gaps = values[self.second] - values[self.first]
        lower = gaps - np.hypot(down[self.second], up[self.first])
        upper = gaps + np.hypot(up[self.second], down[self.first])
        return np.maximum(lower, -upper), np.maximum(upper, -lower)


def largest_gap(quantities: Sequence[Quantity], n: int, *, every_group: bool = False) -> Effect:
    """
    Return the largest absolute difference between any two groups, of any of some quantities.

    That some gap is beyond a limit is a union of K claims, two sides of each pair that has rows enough: its
    lower bound takes alpha / K (Bonferroni). That all are within it needs each to be, so the upper bound is
    the largest at alpha (intersection-union test: Berger 1982, Technometrics 24, 295-300), small groups
    included. Groups are taken for independent; patients in several of them make a gap more certain than is
    said here.

    Args:
        quantities: What is compared.
        n: Rows of all groups together.
        every_group: Let groups with few rows speak too, as a plain estimate does.

    Returns:
        The largest gap among the pairs with rows enough (among all, if there is none); `details` holds
        `quantity`, its place among `quantities`, `between`, the groups with the lower and the higher value,
        and `differences`, the number of pairs compared.

    Raises:
        Undefined: If no two groups have the same quantity.

    References:
        Newcombe (1998), Stat. Med. 17, 873-890, method 10; Zou and Donner (2008), Stat. Med. 27, 1693-1702
        (limits of a difference); Hardt, Price and Srebro (2016), NeurIPS 29 (equalised odds).
    """
    every = [_Pairs.of(i, each, every_group=every_group) for i, each in enumerate(quantities)]
    pairs = [each for each in every if len(each.first)]
    if not pairs:
        raise Undefined("no two groups have it, so there is nothing to compare")
    sides = 2 * sum(int(np.count_nonzero(each.tested)) for each in pairs)

    def proven(z: float, growth: float = 1.0) -> float:
        found = [each.limits(z, growth)[0][each.tested] for each in pairs]
        return float(np.concatenate(found).max(initial=-math.inf))

    def possible(z: float, growth: float = 1.0) -> float:
        return max(float(each.limits(z, growth)[1].max()) for each in pairs)

    def bounds_at(alpha: float, growth: float) -> tuple[float, float]:
        lower = proven(normal_quantile(alpha / max(sides, 1)), growth)
        return max(0.0, lower), possible(normal_quantile(alpha), growth)

    def p_beyond(limit: float) -> float:
        if limit < 0:
            return 0.0
        if sides == 0:
            return 1.0
        return min(1.0, sides * tail_where(lambda z: limit - proven(z), farthest=_LARGEST_Z))

    estimate, which, between = _largest(pairs, tested_only=sides > 0)
    return Effect(
        estimate=estimate,
        bounds=lambda alpha: bounds_at(alpha, 1.0),
        p_beyond=p_beyond,
        p_below=lambda limit: tail_where(lambda z: possible(z) - limit, farthest=_LARGEST_Z),
        p_null=p_beyond(0.0),
        projected=lambda alpha, rows: bounds_at(alpha, rows / n),
        details={"quantity": which, "between": between, "differences": sides // 2},
    )


def _largest(pairs: Sequence[_Pairs], *, tested_only: bool) -> tuple[float, int, tuple[int, int]]:
    """Return the largest gap, whose quantity it is, and of which groups, the lower first."""
    best = (-1.0, 0, (0, 0))
    for each in pairs:
        gaps = each.gaps
        sizes = np.where(each.tested | (not tested_only), np.abs(gaps), -1.0)
        place = int(sizes.argmax())
        if sizes[place] > best[0]:
            low, high = int(each.groups[each.first[place]]), int(each.groups[each.second[place]])
            between = (low, high) if gaps[place] >= 0 else (high, low)
            best = (float(sizes[place]), each.quantity, between)
    return best
