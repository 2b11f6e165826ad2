"""Expected performance without labels."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

from pytest_readmit.stats import cbpe, measure
from pytest_readmit.stats.effect import Undefined
from pytest_readmit.stats.metrics import METRICS

NAMES = sorted(METRICS)
THRESHOLD = 0.3
chances = st.lists(
    st.integers(1, 99).map(lambda percent: percent / 100), min_size=4, max_size=60
).map(np.array)  # fmt: skip


def scores_of(rows: int = 400, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).beta(2, 6, rows)


def value_at(name: str, labels: np.ndarray, scores: np.ndarray) -> float:
    """Return the plug-in value of a metric for labels that may be fractions, cell by cell."""
    alert = scores >= THRESHOLD
    tp, fp = labels[alert].sum(), (1 - labels[alert]).sum()
    fn, tn = labels[~alert].sum(), (1 - labels[~alert]).sum()
    share = labels.mean()
    brier = (scores**2 + labels * (1 - 2 * scores)).mean()
    wins = np.sum(
        np.outer(labels, 1 - labels)
        * ((scores[:, None] > scores[None, :]) + 0.5 * (scores[:, None] == scores[None, :]))
    )
    precision_at = np.array([labels[scores >= s].sum() / np.sum(scores >= s) for s in scores])
    return {
        "roc_auc": wins / (labels.sum() * (1 - labels).sum()),
        "average_precision": labels @ precision_at / labels.sum(),
        "brier": brier,
        "brier_skill": 1 - brier / (share * (1 - share)),
        "log_loss": -(labels * np.log(scores) + (1 - labels) * np.log(1 - scores)).mean(),
        "accuracy": (tp + tn) / len(scores),
        "precision": tp / (tp + fp),
        "recall": tp / (tp + fn),
        "specificity": tn / (tn + fp),
        "npv": tn / (tn + fn),
        "f1": 2 * tp / (2 * tp + fp + fn),
        "balanced_accuracy": (tp / (tp + fn) + tn / (tn + fp)) / 2,
        "alert_rate": alert.mean(),
        "net_benefit": (tp - fp * THRESHOLD / (1 - THRESHOLD)) / len(scores),
    }[name]


def test_the_plug_in_values_here_are_the_usual_metrics() -> None:
    scores = scores_of()
    labels = (np.random.default_rng(1).random(len(scores)) < scores).astype(int)
    assert value_at("roc_auc", labels, scores) == pytest.approx(roc_auc_score(labels, scores))
    assert value_at("average_precision", labels, scores) == pytest.approx(
        average_precision_score(labels, scores)
    )
    assert value_at("brier", labels, scores) == pytest.approx(brier_score_loss(labels, scores))
    assert value_at("log_loss", labels, scores) == pytest.approx(log_loss(labels, scores))


@pytest.mark.parametrize("name", NAMES)
def test_the_standard_error_is_the_delta_method_s(name: str) -> None:
    scores = scores_of(80).round(2).clip(0.01, 0.99)
    step, moves = 1e-5, np.empty(len(scores))
    for row in range(len(scores)):
        up, down = scores.copy(), scores.copy()
        up[row], down[row] = up[row] + step, down[row] - step
        moves[row] = (value_at(name, up, scores) - value_at(name, down, scores)) / (2 * step)
    wanted = np.sqrt(np.sum(moves**2 * scores * (1 - scores)))
    found = cbpe.expected(name, scores, threshold=THRESHOLD)
    assert found.standard_error == pytest.approx(wanted, rel=0.02, abs=1e-9)
    assert found.estimate == pytest.approx(value_at(name, scores, scores), abs=0.1)


@pytest.mark.parametrize("name", NAMES)
def test_it_expects_the_mean_over_all_possible_labels(name: str) -> None:
    scores = np.array([0.1, 0.2, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8])
    drawn = [np.array(labels) for labels in product((0.0, 1.0), repeat=8) if 0 < sum(labels) < 8]
    chances = np.array([np.prod(np.where(labels == 1, scores, 1 - scores)) for labels in drawn])
    values = np.array([value_at(name, labels, scores) for labels in drawn])
    found = cbpe.expected(name, scores, threshold=THRESHOLD)
    linear = name in {"brier", "log_loss", "accuracy", "precision", "npv", "alert_rate", "net_benefit"}
    assert found.estimate == pytest.approx(values @ chances / chances.sum(), abs=0.03 if linear else 0.1)


@given(chances)
def test_auc_does_not_depend_on_how_rows_are_ordered_and_reflects(scores: np.ndarray) -> None:
    value = cbpe.roc_auc(scores)
    assert value == pytest.approx(cbpe.roc_auc(scores[::-1]))
    assert 0.5 - 1e-12 <= value <= 1
    assert value == pytest.approx(cbpe.roc_auc(1 - scores))


@given(chances)
def test_patients_only_ever_make_it_less_certain(scores: np.ndarray) -> None:
    alone = np.arange(len(scores))
    for name in ("roc_auc", "average_precision", "brier", "log_loss", "recall", "f1"):
        free = cbpe.expected(name, scores, threshold=0.0)
        assert cbpe.expected(name, scores, alone, threshold=0.0).standard_error == pytest.approx(
            free.standard_error, abs=1e-12
        )
        shared = cbpe.expected(name, scores, alone // 3, threshold=0.0)
        assert shared.estimate == free.estimate
        assert shared.standard_error >= free.standard_error * (1 - 1e-12) - 1e-15


def test_the_law_holds_of_its_bounds() -> None:
    effect = measure.level(cbpe.expected("roc_auc", scores_of()))
    assert effect.bounds
    assert effect.p_below
    for alpha in (1e-10, 0.01, 0.05, 0.4):
        upper = effect.bounds(alpha)[1]
        assert effect.p_below(upper + 1e-9) <= alpha <= effect.p_below(upper - 1e-9)


def test_certain_rows_beside_others_cost_nothing() -> None:
    scores = np.array([0.0, 1.0, 0.5, 0.25])
    found = cbpe.expected("log_loss", scores)
    assert found.estimate == pytest.approx((np.log(2) + 0.25 * np.log(4) + 0.75 * np.log(4 / 3)) / 4)
    assert np.isfinite(found.standard_error)


@pytest.mark.parametrize(
    ("name", "scores", "threshold", "said"),
    [
        ("roc_auc", [0.0, 1.0, 1.0], None, "a class and not a probability"),
        ("precision", [0.1, 0.2], 0.5, "no score reaches"),
        ("npv", [0.6, 0.7], 0.5, "every score reaches"),
        ("net_benefit", [0.6, 0.7], 1.0, "threshold of 1"),
        ("roc_auc", [0.6], None, "no pair"),
    ],
)
def test_what_does_not_exist_is_said(name, scores, threshold, said) -> None:
    with pytest.raises(Undefined, match=said):
        cbpe.expected(name, np.array(scores), threshold=threshold)


def test_a_metric_at_a_threshold_needs_one() -> None:
    with pytest.raises(ValueError, match="recall needs a threshold"):
        cbpe.expected("recall", scores_of())


@pytest.mark.parametrize("name", ["specificity", "balanced_accuracy", "recall", "npv", "accuracy"])
@pytest.mark.parametrize("threshold", [0.0, 1.0])
def test_no_rounding_takes_a_metric_beyond_what_it_can_be(name: str, threshold: float) -> None:
    if (name, threshold) == ("npv", 0.0):
        return
    found = measure.level(cbpe.expected(name, np.full(100, 0.1), threshold=threshold))
    assert found.bounds
    lower, upper = found.bounds(0.05)
    assert 0.0 <= lower <= found.estimate <= upper <= 1.0
    if name == "balanced_accuracy":
        assert (lower, upper) == (0.5, 0.5)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", ["brier_skill", "roc_auc"])
@pytest.mark.parametrize("scores", [np.full(50, 1e-300), np.full(50, 1e-12)])
def test_scores_that_expect_hardly_an_event_have_no_metric_of_events(name: str, scores: np.ndarray) -> None:
    with pytest.raises(Undefined, match="hardly any positive label is expected"):
        cbpe.expected(name, scores)
