"""Curves for a picture: they lie on the exact ones, tell of no few rows, and their bands hold."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn.metrics import precision_recall_curve, roc_curve

from pytest_readmit.stats import curves, roc
from pytest_readmit.stats.predictions import Predictions


def cohort(
    n: int = 1200, *, visits: int = 1, seed: int = 0, gap: float = 0.75, digits: int = 9
) -> Predictions:
    rng = np.random.default_rng(seed)
    patients = n // visits
    owners = np.repeat(np.arange(patients), visits)
    positive = (rng.random(patients) < 0.11)[owners]
    noise = 0.8 * rng.normal(size=patients)[owners] + 0.6 * rng.normal(size=n)
    score = norm.cdf(noise + gap * positive - 1).round(digits)
    return Predictions(positive, score, owners if visits > 1 else None)


@pytest.mark.parametrize("digits", [1, 9])
def test_points_lie_on_the_exact_curves(digits: int) -> None:
    rows = cohort(digits=digits)
    found = curves.roc(rows)
    assert found
    x, y, _ = roc_curve(rows.positive, rows.score, drop_intermediate=False)
    exact = set(zip(x.round(4), y.round(4), strict=True))
    assert set(zip(found["x"], found["y"], strict=True)) <= exact
    assert (found["x"][0], found["y"][0], found["x"][-1], found["y"][-1]) == (0, 0, 1, 1)
    drawn = curves.precision_recall(rows)
    assert drawn
    precision, recall, _ = precision_recall_curve(rows.positive, rows.score)
    assert set(zip(drawn["x"], drawn["y"], strict=True)) <= set(
        zip(recall.round(4), precision.round(4), strict=True)
    )
    own = curves.precision_recall(rows, prevalence=rows.prevalence)
    assert own
    assert own["y"] == pytest.approx(drawn["y"], abs=1e-4)


@given(
    seed=st.integers(0, 99),
    n=st.integers(2, 400),
    min_cell=st.integers(1, 20),
    gap=st.sampled_from([0.0, 1.0, 9.0]),
    digits=st.sampled_from([1, 2, 9]),
)
def test_no_step_tells_of_few_rows_of_a_label(
    seed: int, n: int, min_cell: int, gap: float, digits: int
) -> None:
    rows = cohort(n, seed=seed, gap=gap, digits=digits)
    few = min(rows.events, rows.n - rows.events) < min_cell
    found = curves.roc(rows, min_cell=min_cell)
    assert (found is None) == few
    assert (curves.precision_recall(rows, min_cell=min_cell) is None) == few
    if found is None:
        return
    seen, events = roc.cumulative(rows, points=curves.POINTS, min_cell=min_cell)
    for steps in (np.diff(events), np.diff(seen - events)):
        assert all(step == 0 or step >= min_cell for step in steps.tolist())
    assert np.diff(seen).min() >= min_cell
    assert len(found["x"]) <= curves.POINTS + 2
    for low, value, high in zip(found["lower"], found["y"], found["upper"], strict=True):
        assert 0 <= low <= value <= high <= 1


@pytest.mark.parametrize("visits", [1, 3])
def test_the_band_holds_the_true_curve_and_the_true_precision(visits: int) -> None:
    covered, precise = [], []
    for seed in range(60):
        rows = cohort(visits=visits, seed=seed)
        found, drawn = curves.roc(rows), curves.precision_recall(rows)
        assert found
        assert drawn
        truth = norm.sf(norm.isf(found["x"][1:-1]) - 0.75)
        covered += [
            low <= value <= high
            for low, value, high in zip(found["lower"][1:-1], truth, found["upper"][1:-1], strict=True)
        ]
        seen, _ = roc.cumulative(rows, points=curves.POINTS, min_cell=11)
        at = norm.ppf(np.sort(rows.score)[::-1][seen[1:-1] - 1]) + 1
        hits, alarms = 0.11 * norm.sf(at - 0.75), 0.89 * norm.sf(at)
        precise += [
            low <= value <= high
            for low, value, high in zip(drawn["lower"], hits / (hits + alarms), drawn["upper"], strict=False)
        ]
    assert np.mean(covered) >= 0.93
    assert np.mean(precise) >= 0.91
