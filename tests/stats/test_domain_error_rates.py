"""Simulated error rates of the relation term and of the classifier's AUC, the true effect at the limit."""

import math
from collections.abc import Iterator
from functools import cache

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import expit, ndtr

from pytest_readmit.stats import disde, domain, measure
from pytest_readmit.stats.inputs import Inputs, numbers
from pytest_readmit.stats.measure import Measure
from pytest_readmit.stats.predictions import Predictions

pytestmark = pytest.mark.slow

ALPHA = 0.05
COLUMNS = 5
EFFECTS = np.array([0.6, -0.4, 0.3, 0.25, 0.0])
INTERCEPT = -2.45
MOVED = np.array([0.5, -0.5, 0.3, 0.0, 0.0])
STILL = np.zeros(COLUMNS)
LIMITS: dict[disde.Metric, float] = {"roc_auc": 0.05, "log_loss": 0.04}
TABLE: list[str] = []

Floats = np.ndarray


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    with domain.one_thread():
        yield


def allowed(runs: int) -> float:
    return ALPHA + 3.0 * math.sqrt(ALPHA * (1.0 - ALPHA) / runs)


def normals(random: np.random.Generator, n: int, each: int, columns: int = COLUMNS) -> Floats:
    """Standard normals; with `each` rows a patient, half of the variance is the patient's."""
    rows = random.normal(size=(n, columns))
    if each == 1:
        return rows
    shared = np.repeat(random.normal(size=(n // each, columns)), each, axis=0)
    return math.sqrt(0.5) * (rows + shared)


@cache
def crowd() -> Floats:
    return np.random.default_rng(1).normal(size=(200_000, COLUMNS))


def truth(metric: disde.Metric, shift: tuple[float, ...], slope: float, up: float) -> float:
    """The harm on shared inputs, from the known densities of both sides and the known risks."""
    moved, values = np.array(shift), []
    for side in (0, 1):
        x = crowd() + side * moved
        share = expit(x @ moved - moved @ moved / 2)
        weight = 1 - share if side else share
        odds = x @ EFFECTS
        score = expit(INTERCEPT + odds)
        risk = expit(INTERCEPT + up + slope * odds) if side else score
        if metric == "log_loss":
            loss = -(risk * np.log(score) + (1 - risk) * np.log1p(-score))
            values.append(weight @ loss / weight.sum())
            continue
        order = np.argsort(score)
        yes, no = (weight * risk)[order], (weight * (1 - risk))[order]
        values.append(yes @ (np.cumsum(no) - no / 2) / yes.sum() / no.sum())
    return values[0] - values[1] if metric == "roc_auc" else values[1] - values[0]


@cache
def at_limit(metric: disde.Metric, shift: tuple[float, ...]) -> tuple[float, float]:
    """Slope and intercept of current's relation with which the harm is the limit."""
    limit = LIMITS[metric]
    if metric == "roc_auc":
        return brentq(lambda slope: truth(metric, shift, slope, 0.0) - limit, 0.1, 1.0), 0.0
    return 1.0, brentq(lambda up: truth(metric, shift, 1.0, up) - limit, 0.0, 2.0)


def harms(
    random: np.random.Generator, n: int, each: int, shift: Floats, slope: float, up: float
) -> dict[disde.Metric, Measure]:
    sides, inputs = [], []
    for side in (0, 1):
        x = normals(random, n, each) + side * shift
        odds = x @ EFFECTS
        risk = expit(INTERCEPT + (up + slope * odds if side else odds))
        positive = ndtr(normals(random, n, each, 1)[:, 0]) < risk
        owners = np.repeat(np.arange(n // each), each) if each > 1 else None
        sides.append(Predictions(positive, expit(INTERCEPT + odds), owners))
        inputs.append(x)
    people = np.repeat(np.arange(2 * n // each), each) if each > 1 else None
    columns = tuple(numbers(f"x{j}", inputs[0][:, j], inputs[1][:, j]) for j in range(COLUMNS))
    common = disde.overlap(Inputs(columns, n, n, people))
    return {
        metric: disde.harm(disde.split(sides[0], sides[1], common, metric).relation, metric)
        for metric in LIMITS
    }


def rates(found: list[Measure], limit: float) -> tuple[float, float]:
    bounds = np.array([measure.level(each).bounds(ALPHA) for each in found])  # type: ignore[misc]
    return float(np.mean(bounds[:, 0] > limit)), float(np.mean(bounds[:, 1] <= limit))


@pytest.mark.parametrize(
    ("n", "each", "runs"), [(1000, 1, 200), (1000, 5, 200), (10_000, 1, 20), (10_000, 5, 20)]
)
@pytest.mark.parametrize("metric", LIMITS)
def test_the_relation_term_at_its_limit_while_the_inputs_move(
    metric: disde.Metric, n: int, each: int, runs: int
) -> None:
    random = np.random.default_rng((n, each))
    slope, up = at_limit(metric, tuple(MOVED))
    found = [harms(random, n, each, MOVED, slope, up)[metric] for _ in range(runs)]
    fail, passed = rates(found, LIMITS[metric])
    TABLE.append(
        f"relation of {metric:<9} at its limit, n={n:<6} {each} a patient, R={runs:<4} "
        f"false fail {fail:.3f}  false pass {passed:.3f}"
    )
    assert max(fail, passed) <= allowed(runs)


@pytest.mark.parametrize(
    ("what", "shift", "slope", "up"),
    [("only the inputs", MOVED, 1.0, 0.0), ("slope 0.4", STILL, 0.4, 0.0), ("level +0.7", STILL, 1.0, 0.7)],
)
def test_the_relation_term_alarms_for_the_relation_only(
    what: str, shift: Floats, slope: float, up: float
) -> None:
    n, runs = 5000, 30
    random = np.random.default_rng(3)
    found = [harms(random, n, 1, shift, slope, up) for _ in range(runs)]
    alarms = {metric: rates([each[metric] for each in found], limit)[0] for metric, limit in LIMITS.items()}
    passes = {metric: rates([each[metric] for each in found], limit)[1] for metric, limit in LIMITS.items()}
    TABLE.append(f"{what:<16} n={n} R={runs}: alarms {alarms}, passes {passes}")
    if what == "only the inputs":
        assert max(alarms.values()) == 0.0
        assert min(passes.values()) > 0.5
    else:
        assert max(alarms.values()) > 0.9


def compared(random: np.random.Generator, n: int, each: int, distance: float) -> Inputs:
    """Two normal samples whose best classifier has an AUC of Phi(distance / sqrt 2)."""
    before = normals(random, n, each)
    after = normals(random, n, each) + distance / math.sqrt(COLUMNS)
    people = np.repeat(np.arange(2 * n // each), each) if each > 1 else None
    columns = tuple(numbers(f"x{j}", before[:, j], after[:, j]) for j in range(COLUMNS))
    return Inputs(columns, n, n, people)


def aucs(n: int, each: int, distance: float, runs: int, *, whole: bool) -> list[Measure]:
    random = np.random.default_rng((n, each, runs))
    found = []
    for _ in range(runs):
        inputs = compared(random, n, each, distance)
        if whole:
            found.append(domain.classify(inputs).auc)
        else:
            found.append(domain.auc_by_fold(domain.additive(inputs).log_odds, inputs))
    return found


BEST = 0.3583
"""The distance at which the best classifier has an AUC of 0.6."""


@pytest.mark.parametrize(
    ("n", "each", "runs", "whole"),
    [(1000, 1, 150, False), (1000, 5, 150, False), (10_000, 1, 20, False), (1000, 1, 30, True)],
)
def test_the_classifiers_auc_where_the_limit_is_what_they_reach_on_average(
    n: int, each: int, runs: int, whole: bool
) -> None:
    found = aucs(n, each, BEST, runs, whole=whole)
    reached = float(np.mean([each.estimate for each in found]))
    fail, passed = rates(found, reached)
    beyond_best, within_best = rates(found, 0.6)
    kind = "both classifiers" if whole else "additive"
    TABLE.append(
        f"AUC of {kind}, n={n:<6} {each} a patient, R={runs:<4} reached {reached:.3f} (best 0.600): "
        f"false fail {fail:.3f}  false pass {passed:.3f}; "
        f"limit 0.6: fail {beyond_best:.3f} pass {within_best:.3f}"
    )
    assert max(fail, passed) <= allowed(runs)
    assert beyond_best <= ALPHA


@pytest.mark.parametrize("each", [1, 5])
def test_two_samples_of_one_law_pass_and_moved_ones_fail(each: int) -> None:
    same, moved = (aucs(1000, each, distance, 40, whole=False) for distance in (0.0, 0.8))
    chance = float(np.mean([measure.level(one).p_null < ALPHA for one in same]))  # type: ignore[operator]
    fail, passed = rates(same, 0.6)
    power = rates(moved, 0.6)[0]
    TABLE.append(
        f"AUC at n=1000, {each} a patient: one law: p<0.05 {chance:.3f} fail {fail:.3f} pass {passed:.3f}; "
        f"0.8 sd apart (best 0.71): fail {power:.3f}"
    )
    assert fail == 0.0
    assert passed > 0.9
    assert chance <= allowed(40)
    assert power > 0.8
