"""What alerts at a threshold get right and wrong, and the table that all metrics stand in."""

import math
from typing import get_args

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics

from pytest_readmit.stats import confusion, hybrid, measure, metrics, proportion
from pytest_readmit.stats.effect import Effect, Undefined
from pytest_readmit.stats.hybrid import Bounded
from pytest_readmit.stats.metrics import METRICS
from pytest_readmit.stats.predictions import Predictions

T = 0.15
LOSSES = ("brier", "brier_skill", "log_loss")
WITHOUT_THRESHOLD = ("roc_auc", "average_precision", *LOSSES)


def sample(rows: int = 600, seed: int = 0, *, per_patient: int | None = None) -> Predictions:
    rng = np.random.default_rng(seed)
    patients = None if per_patient is None else np.arange(rows) // per_patient
    risk = rng.normal(size=rows)
    if per_patient:
        risk = 0.5 * risk + np.repeat(rng.normal(size=rows // per_patient), per_patient)
    score = 1 / (1 + np.exp(2.2 - risk))
    return Predictions.of(rng.random(rows) < score, score, patients)


def counted(alert: str) -> Predictions:
    """Return rows from a picture: E and e are events, N and n non-events, capitals raise an alert."""
    return Predictions.of([c in "Ee" for c in alert], [0.9 if c.isupper() else 0.1 for c in alert])


def bounds(effect: Effect, alpha: float = 0.05) -> tuple[float, float]:
    assert effect.bounds
    return effect.bounds(alpha)


def test_every_metric_agrees_with_scikit_learn() -> None:
    found = sample()
    alert = found.score >= T
    ours = {name: confusion.level(name, found, T).estimate for name in confusion.NAMES}
    tn, fp, fn, tp = sklearn_metrics.confusion_matrix(found.positive, alert).ravel()
    assert ours == pytest.approx(
        {
            "accuracy": sklearn_metrics.accuracy_score(found.positive, alert),
            "precision": sklearn_metrics.precision_score(found.positive, alert),
            "recall": sklearn_metrics.recall_score(found.positive, alert),
            "specificity": tn / (tn + fp),
            "npv": tn / (tn + fn),
            "f1": sklearn_metrics.f1_score(found.positive, alert),
            "balanced_accuracy": sklearn_metrics.balanced_accuracy_score(found.positive, alert),
            "alert_rate": (tp + fp) / found.n,
            "net_benefit": tp / found.n - fp / found.n * T / (1 - T),
        }
    )


def test_a_score_equal_to_the_threshold_raises_an_alert() -> None:
    found = Predictions.of([True, False], [0.15, 0.1499999])
    assert confusion.level("alert_rate", found, 0.15).estimate == 0.5


def test_a_share_has_wilson_bounds_and_its_change_newcombe_bounds() -> None:
    one, other = sample(seed=1), sample(900, seed=2)
    for name in confusion.SHARES:
        shares = [confusion.proportion(name, side, T) for side in (one, other)]
        first = shares[0]
        assert bounds(confusion.level(name, one, T)) == proportion.wilson(first.events, first.rows, 0.05)
        assert bounds(confusion.change(name, one, other, T)) == pytest.approx(
            bounds(proportion.risk_difference(*shares))
        )


def test_with_few_events_a_share_has_exact_bounds() -> None:
    few = counted("E" * 4 + "e" * 46 + "n" * 50)
    assert bounds(confusion.level("recall", few, 0.5)) == proportion.clopper_pearson(4, 50, 0.05)
    everything = counted("E" * 50 + "n" * 50)
    lower, upper = bounds(confusion.level("recall", everything, 0.5))
    assert (lower, upper) == (pytest.approx(0.05 ** (1 / 50)), 1.0)


@pytest.mark.parametrize(
    ("name", "rows", "words"),
    [
        ("precision", "eeennn", "no alerts"),
        ("npv", "EEENNN", "no rows without an alert"),
        ("recall", "NNnn", "no events"),
        ("specificity", "EEee", "no non-events"),
        ("balanced_accuracy", "EEee", "no non-events"),
        ("f1", "nnnn", "no events and alerts"),
        ("accuracy", "", "no rows"),
        ("net_benefit", "", "no rows"),
    ],
)
def test_a_share_of_nothing_does_not_exist(name: str, rows: str, words: str) -> None:
    for measured in (confusion.level, confusion.measure):
        with pytest.raises(Undefined, match=words):
            measured(name, counted(rows), 0.5)


def test_net_benefit_has_no_weight_for_a_false_alert_at_threshold_1() -> None:
    with pytest.raises(Undefined, match="threshold 1"):
        confusion.level("net_benefit", counted("EeNn"), 1.0)


def test_no_alert_at_all_proves_no_benefit_and_no_balance() -> None:
    silent = counted("e" * 50 + "n" * 450)
    benefit, balance = (confusion.level(name, silent, 0.5) for name in ("net_benefit", "balanced_accuracy"))
    assert (benefit.estimate, balance.estimate) == (0.0, 0.5)
    assert bounds(benefit)[0] < 0.0 < bounds(benefit)[1]
    assert bounds(balance)[0] < 0.5 < bounds(balance)[1]
    assert confusion.level("f1", silent, 0.5).estimate == 0.0
    assert 0.0 < bounds(confusion.level("f1", silent, 0.5))[1] < 0.2


@pytest.mark.parametrize("name", confusion.NAMES)
def test_influence_is_the_derivative_by_the_weight_of_a_row(name: str) -> None:
    found = sample(80, seed=3)
    measured = confusion.measure(name, found, T)
    assert measured.influence is not None
    assert measured.influence.mean() == pytest.approx(0.0, abs=1e-12)
    copies = np.repeat(np.arange(80), 2000)
    for row in (np.argmax(found.positive & (found.score >= T)), 5, 40):
        more = found.take(np.concatenate([copies, np.full(80, row)]))
        moved = confusion.measure(name, more, T).estimate - measured.estimate
        assert moved == pytest.approx(measured.influence[row] * 80 / more.n, rel=0.01, abs=1e-8)


@pytest.mark.parametrize("name", confusion.NAMES)
def test_bounds_and_standard_error_tell_the_same_where_there_are_many_rows(name: str) -> None:
    for per_patient in (None, 5):
        found = sample(20_000, seed=4, per_patient=per_patient)
        lower, upper = bounds(confusion.level(name, found, T))
        spread = confusion.measure(name, found, T).standard_error
        assert (upper - lower) / (2 * 1.645) == pytest.approx(spread, rel=0.03)


@pytest.mark.parametrize(
    "name", ["accuracy", "precision", "recall", "specificity", "alert_rate", "f1", "net_benefit", *LOSSES]
)
def test_rows_of_a_patient_widen_the_interval(name: str) -> None:
    by_patient = sample(5000, seed=5, per_patient=10)
    as_if_independent = Predictions(by_patient.positive, by_patient.score)
    widths = [
        np.diff(bounds(metrics.level(name, each, threshold=T)))[0] for each in (as_if_independent, by_patient)
    ]
    assert widths[1] > 1.05 * widths[0]


def test_the_fewest_counted_are_alerts_for_precision_and_patients_where_known() -> None:
    rows = "E" * 4 + "N" * 6 + "e" * 20 + "n" * 100
    found = counted(rows)
    assert metrics.fewest("precision", found, 0.5) == 10
    assert metrics.fewest("recall", found, 0.5) == 24
    assert metrics.fewest("npv", found, 0.5) == 24
    assert metrics.fewest("brier", found) == 24
    patients = Predictions(found.positive, found.score, np.arange(len(rows)) // 2)
    assert metrics.fewest("precision", patients, 0.5) == 5


# the table


def test_the_table_holds_every_metric_of_the_contract_and_knows_which_way_is_better() -> None:
    assert tuple(METRICS) == get_args(metrics.MetricName)
    assert tuple(METRICS) == (*WITHOUT_THRESHOLD, *(name for name in METRICS if name in confusion.NAMES))
    assert {name for name, each in METRICS.items() if each.needs_threshold} == set(confusion.NAMES)
    assert {name for name, each in METRICS.items() if each.is_loss} == {"brier", "log_loss"}
    assert [name for name, each in METRICS.items() if each.better is None] == ["alert_rate"]
    assert all(each.words for each in METRICS.values())


@pytest.mark.parametrize("name", confusion.NAMES)
def test_a_metric_of_alerts_asks_for_its_threshold(name: str) -> None:
    found = sample()
    with pytest.raises(ValueError, match="threshold"):
        metrics.level(name, found)
    with pytest.raises(ValueError, match="threshold"):
        metrics.paired(name, found, found)


@pytest.mark.parametrize("name", METRICS)
def test_a_change_is_current_less_reference_and_relative_to_the_size_of_the_reference(name: str) -> None:
    before, after = sample(seed=6), sample(1200, seed=7)
    levels = [metrics.level(name, side, threshold=T).estimate for side in (before, after)]
    assert METRICS[name].lowest <= levels[0] <= METRICS[name].highest
    found = metrics.change(name, before, after, threshold=T)
    assert found.estimate == pytest.approx(levels[1] - levels[0])
    assert bounds(found)[0] < found.estimate < bounds(found)[1]
    relative = metrics.relative_change(name, before, after, threshold=T)
    assert relative.estimate == pytest.approx(abs(levels[1] - levels[0]) / abs(levels[0]))
    assert bounds(relative)[0] <= relative.estimate < bounds(relative)[1]


@pytest.mark.parametrize("name", METRICS)
def test_two_models_on_the_same_rows_are_compared_more_closely_than_on_different_ones(name: str) -> None:
    old = sample(2000, seed=8)
    noisy = old.score * np.exp(0.05 * np.random.default_rng(9).normal(size=old.n))
    new = Predictions(old.positive, np.clip(noisy, 0, 1))
    together = metrics.paired(name, old, new, threshold=T)
    apart = metrics.change(name, old, new, threshold=T)
    assert together.estimate == pytest.approx(apart.estimate)
    assert np.diff(bounds(together))[0] < 0.6 * np.diff(bounds(apart))[0]


def test_a_relative_change_counts_both_ways_and_needs_a_reference() -> None:
    low, high = counted("E" * 20 + "e" * 80 + "n" * 100), counted("E" * 60 + "e" * 40 + "n" * 100)
    fell = metrics.relative_change("recall", high, low, threshold=0.5)
    rose = metrics.relative_change("recall", low, high, threshold=0.5)
    assert (fell.estimate, rose.estimate) == (pytest.approx(2 / 3), pytest.approx(2.0))
    assert fell.p_beyond
    assert rose.p_beyond
    assert fell.p_beyond(0.05) < 0.001
    assert rose.p_beyond(0.05) < 0.001
    never = counted("e" * 50 + "n" * 100)
    with pytest.raises(Undefined, match="0 on the reference"):
        metrics.relative_change("recall", never, high, threshold=0.5)


# laws

drawn_rows = st.tuples(*[st.integers(0, 60)] * 4).map(
    lambda k: counted("E" * k[0] + "e" * k[1] + "N" * k[2] + "n" * k[3])
)
alphas = st.sampled_from([1e-9, 1e-4, 0.01, 0.05, 0.2, 0.49])


def check_law(effect: Effect, alpha: float, limit: float) -> None:
    assert effect.bounds
    assert effect.p_beyond
    assert effect.p_below
    lower, upper = effect.bounds(alpha)
    assert lower <= upper
    slack = 1e-9 * (1 + abs(limit))
    if abs(lower - limit) > slack:
        assert (effect.p_beyond(limit) <= alpha) == (lower > limit)
    if abs(upper - limit) > slack:
        assert (effect.p_below(limit) <= alpha) == (upper < limit)
    wider = effect.bounds(alpha / 3)
    assert wider[0] <= lower + 1e-12
    assert wider[1] >= upper - 1e-12
    assert effect.p_beyond(limit) <= effect.p_beyond(limit + 0.1) + 1e-9
    assert effect.p_below(limit) + 1e-9 >= effect.p_below(limit + 0.1)


@pytest.mark.parametrize("name", [*confusion.NAMES, *LOSSES])
@settings(max_examples=40, deadline=None)
@given(one=drawn_rows, other=drawn_rows, alpha=alphas, limit=st.floats(-0.3, 1.1), grouped=st.booleans())
def test_bounds_and_p_values_are_one(
    name: str, one: Predictions, other: Predictions, alpha: float, limit: float, *, grouped: bool
) -> None:
    if grouped:
        one, other = (Predictions(p.positive, p.score, np.arange(p.n) // 3) for p in (one, other))
    try:
        found = [
            metrics.level(name, one, threshold=0.5),
            metrics.change(name, one, other, threshold=0.5),
            metrics.relative_change(name, one, other, threshold=0.5),
        ]
    except Undefined:
        assume(False)
        raise
    for effect in found:
        check_law(effect, alpha, limit)


@given(
    st.floats(-1, 1),
    st.floats(0.1, 2),
    st.floats(-1, 1),
    st.floats(0.1, 2),
    st.floats(-1, 1),
    st.floats(-2, 2),
)
def test_a_sum_of_two_normal_values_has_the_normal_limits(
    a: float, sd_a: float, b: float, sd_b: float, correlation: float, weight: float
) -> None:
    parts = [
        Bounded(value, lambda z, _, value=value, sd=sd: (value - z * sd, value + z * sd), 100)  # type: ignore[misc]
        for value, sd in ((a, sd_a), (b, sd_b))
    ]
    found = hybrid.weighted_sum(parts[0], parts[1], (1.0, weight), correlation)
    held = max(-0.9, min(0.9, correlation))
    variance = sd_a**2 + (weight * sd_b) ** 2 + 2 * held * weight * sd_a * sd_b
    lower, upper = found.limits(1.645, 1.0)
    assert found.estimate == pytest.approx(a + weight * b)
    assert upper - lower == pytest.approx(2 * 1.645 * math.sqrt(variance))


def test_more_rows_narrow_what_is_projected() -> None:
    for name in confusion.NAMES:
        effect = confusion.change(name, sample(seed=1), sample(seed=2), T)
        assert effect.projected
        now, later = effect.projected(0.05, 600.0), effect.projected(0.05, 60_000.0)
        assert now == pytest.approx(bounds(effect))
        assert later[1] - later[0] < now[1] - now[0]


def test_an_effect_without_bounds_is_part_of_nothing() -> None:
    with pytest.raises(Undefined):
        hybrid.of_effect(Effect(estimate=1.0, bounds=None), 10)
    known = measure.level(measure.Measure(estimate=1.0, standard_error=0.1, n=10))
    assert hybrid.of_effect(known, 10).limits(1.0, 4.0) == pytest.approx((0.95, 1.05))
