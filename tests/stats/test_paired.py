"""Paired differences where hardly a row tells the models apart: no bound is surer than so few rows allow."""

import math

import numpy as np
import pytest

from pytest_readmit.stats import metrics
from pytest_readmit.stats.effect import Effect
from pytest_readmit.stats.predictions import Predictions


def bounds(effect: Effect) -> tuple[float, float]:
    assert effect.bounds
    return effect.bounds(0.05)


def rows(events: int, others: int, visits: int = 1) -> Predictions:
    rng = np.random.default_rng(events)
    positive = np.repeat(np.arange(events + others) < events, visits)
    score = np.repeat(rng.beta(2, 5, events + others), visits) * 0.9 + 0.05 * positive
    return Predictions(positive, score, np.repeat(np.arange(events + others), visits) if visits > 1 else None)


@pytest.mark.parametrize("visits", [1, 4])
@pytest.mark.parametrize("name", [name for name in metrics.METRICS if name != "average_precision"])
def test_the_same_score_twice_changes_nothing_and_proves_no_more_than_its_rows(
    name: str, visits: int
) -> None:
    widths = []
    for size in (60, 6000):
        found = metrics.paired(name, *[rows(size // 5, size, visits)] * 2, threshold=0.3, seed=1)
        low, high = bounds(found)
        assert found.estimate == 0
        assert low == pytest.approx(-high)
        widths.append(high)
    assert widths[0] > 10 * widths[1] > 0


@pytest.mark.parametrize("visits", [1, 4])
@pytest.mark.parametrize("events", [40, 150, 600])
@pytest.mark.parametrize("worse", [0.005, 0.02, 0.06])
@pytest.mark.parametrize("name", ["recall", "balanced_accuracy"])
def test_a_few_rows_that_a_model_loses_are_not_certified_too_often(
    name: str, worse: float, events: int, visits: int
) -> None:
    """Over every number of events that the new model may miss, by its probability."""
    positive = np.repeat(np.arange(6 * events) < events, visits)
    owners = np.repeat(np.arange(6 * events), visits) if visits > 1 else None
    old = Predictions(positive, np.where(positive, 0.9, 0.1), owners)
    drop = worse if name == "recall" else worse / 2
    passed = 0.0
    for missed in range(events + 1):
        chance = math.comb(events, missed) * worse**missed * (1.0 - worse) ** (events - missed)
        if chance < 1e-9:
            continue
        score = old.score.copy()
        score[: missed * visits] = 0.2
        low, _ = bounds(metrics.paired(name, old, Predictions(positive, score, owners), threshold=0.5))
        passed += chance * (low > -drop)
    assert passed <= 0.07  # 0.067 is what the normal law itself errs by at 36 rows expected
