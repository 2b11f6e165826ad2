"""What gates can decide at the sizes of two datasets, by formulas on the reference alone."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pytest_readmit.start.facts import Facts
from pytest_readmit.stats import ks, variation
from pytest_readmit.stats.distribution import harmonic
from pytest_readmit.stats.tails import kolmogorov_quantile, kolmogorov_tail, normal_quantile, normal_tail

ALPHA = 0.05
MISS = 0.2
EQUALISED_ODDS = 4.0
"""Positives of the smallest group that certify a gap, times the limit squared: about 400 for 0.10."""


@dataclass(frozen=True, slots=True)
class Reach:
    """
    What one gate can decide.

    Args:
        name: Its column.
        limit: Its limit.
        caught: The smallest change that fails in 8 of 10 windows of current's size.
        certified: The smallest limit that a column which has not moved passes in 8 of 10.
        rows: How many times as many rows would certify the limit.
        alarm: How often it fails although nothing has moved.
    """

    name: str
    limit: float
    caught: float
    certified: float
    rows: float
    alarm: float

    @property
    def decides(self) -> bool:
        """Whether a column that has not moved would pass."""
        return self.certified <= self.limit


def drift(features: Sequence[Facts], rows: int, limit: float) -> list[Reach]:
    """
    Return what `data_drift` can decide of each feature.

    Args:
        features: The reference's features.
        rows: Rows of current.
        limit: The limit of each distance.
    """
    return [_drift(each, rows, limit, len(features)) for each in features if each.effective > 1]


def _drift(each: Facts, rows: int, limit: float, tests: int) -> Reach:
    before, after = each.effective, each.effective * rows / each.rows
    if each.shares is None or each.kind == "numerical":
        plan = ks.plan(limit, before, after, tests=tests, alpha=ALPHA, power=1 - MISS)
        # One column must pass, not all of them at once.
        alone = ks.plan(limit, before, after, alpha=ALPHA, power=1 - MISS)
        # It fails where the distance beats the limit by Kolmogorov's quantile.
        root = math.sqrt(harmonic(before, after))
        alarm = kolmogorov_tail(kolmogorov_quantile(ALPHA / tests) + limit * root)
        rows_times = (alone.certifiable / limit) ** 2
        return Reach(each.name, limit, plan.detectable, alone.certifiable, rows_times, alarm)
    noise = variation.bias(each.shares, each.shares, before, after)
    error = 0.5 / math.sqrt(harmonic(before, after))
    # The estimate holds the noise too, and the gate takes it off again before it fails.
    caught = limit + (normal_quantile(ALPHA / tests) + normal_quantile(MISS)) * error
    certified = noise + (normal_quantile(ALPHA) + normal_quantile(MISS)) * error
    alarm = normal_tail(normal_quantile(ALPHA / tests) + limit / error)
    return Reach(each.name, limit, caught, certified, (certified / limit) ** 2, alarm)


def share(name: str, share_of: float, effective: tuple[float, float], limit: float, tests: int = 1) -> Reach:
    """
    Return what a gate on the change of a share, either way, can decide.

    Args:
        name: The column.
        share_of: The share in the reference.
        effective: Effective rows of reference and current.
        limit: The change allowed.
        tests: Cases of the entry.
    """
    error = math.sqrt(share_of * (1 - share_of) / harmonic(*effective))
    caught = limit + (normal_quantile(ALPHA / (2 * tests)) + normal_quantile(MISS)) * error
    # Both bounds must hold, so each may miss half as often.
    certified = (normal_quantile(ALPHA) + normal_quantile(MISS / 2)) * error
    alarm = 2 * normal_tail(normal_quantile(ALPHA / (2 * tests)) + limit / error) if error else 0.0
    return Reach(name, limit, caught, certified, (certified / limit) ** 2, alarm)


def rare(name: str, rows: float, limit: float, tests: int = 1) -> Reach:
    """
    Return what a gate on a share that was zero can decide: without an event the bound is about 3 / n.

    Args:
        name: The column.
        rows: Effective rows of current.
        limit: The share allowed.
        tests: Cases of the entry.
    """
    size = max(rows, 1.0)
    none = 1.0 - ALPHA ** (1.0 / size)
    # The share p that lies z errors, each the root of p / n, above the limit.
    spread = (normal_quantile(ALPHA / tests) + normal_quantile(MISS)) / math.sqrt(size)
    caught = ((spread + math.sqrt(spread**2 + 4 * limit)) / 2) ** 2
    return Reach(name, limit, caught, none, none / limit, 0.0)


def drop(name: str, error: float, rows: tuple[int, int], limit: float, tests: int) -> Reach:
    """
    Return what a gate on the drop of a metric can decide.

    Args:
        name: The metric.
        error: Its standard error on the reference.
        rows: Rows of reference and current.
        limit: The drop allowed.
        tests: Cases of the entry.
    """
    both = error * math.sqrt(1 + rows[0] / rows[1])
    caught = limit + (normal_quantile(ALPHA / tests) + normal_quantile(MISS)) * both
    certified = (normal_quantile(ALPHA) + normal_quantile(MISS)) * both
    alarm = normal_tail(normal_quantile(ALPHA / tests) + limit / both) if both else 0.0
    return Reach(name, limit, caught, certified, (certified / limit) ** 2, alarm)


def positives_needed(limit: float) -> int:
    """Return about how many positives the smallest group needs to certify equal true positive rates."""
    return round(EQUALISED_ODDS / limit**2)


def median(reaches: Sequence[Reach]) -> float:
    return float(np.median([reach.caught for reach in reaches]))
