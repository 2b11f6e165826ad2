"""Area under the ROC curve and average precision: values, standard errors, edges and pictures."""

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score

from pytest_readmit.stats import measure, precision, roc
from pytest_readmit.stats.effect import Effect, Undefined
from pytest_readmit.stats.measure import Measure
from pytest_readmit.stats.predictions import Predictions

Array = npt.NDArray[np.float64]


def cohort(n: int, *, gap: float = 1.0, share: float = 0.2, visits: int = 1, seed: int = 0) -> Predictions:
    """Labelled rows whose events score higher by `gap`, with patient effects where rows repeat."""
    random = np.random.default_rng(seed)
    own = np.repeat(random.normal(size=n // visits), visits) if visits > 1 else np.zeros(n)
    positive = 0.7 * own + random.normal(size=n) * (0.7 if visits > 1 else 1.0) > np.sqrt(2) * (0.6 - share)
    score = 1 / (1 + np.exp(-(gap * positive + own + random.normal(size=n))))
    owners = np.repeat(np.arange(n // visits), visits) if visits > 1 else None
    return Predictions(positive, score, owners)


def bounds(effect: Effect, alpha: float = 0.05) -> tuple[float, float]:
    assert effect.bounds
    return effect.bounds(alpha)


def error(rows: Predictions) -> float:
    return roc.measure(rows).standard_error


@st.composite
def predictions(draw: st.DrawFn) -> Predictions:
    """Few rows of both labels with many ties, half of them with patients."""
    pairs = draw(st.lists(st.tuples(st.booleans(), st.integers(0, 8)), min_size=4, max_size=40))
    positive, score = np.array([label for label, _ in pairs]), np.array([value / 8 for _, value in pairs])
    assume(positive.any() and not positive.all())
    owners = draw(st.none() | st.lists(st.integers(0, 12), min_size=len(pairs), max_size=len(pairs)))
    return Predictions.of(positive, score, owners)


@given(rows=predictions())
def test_both_metrics_are_those_of_scikit_learn(rows: Predictions) -> None:
    assert roc.auc(rows) == pytest.approx(roc_auc_score(rows.positive, rows.score), abs=1e-12)
    expected = average_precision_score(rows.positive, rows.score)
    assert precision.average_precision(rows) == pytest.approx(expected, abs=1e-12)
    assert precision.average_precision(rows, prevalence=rows.prevalence) == pytest.approx(expected, abs=1e-12)


@given(rows=predictions(), seed=st.integers(0, 99))
def test_weighted_replicates_are_those_of_scikit_learn(rows: Predictions, seed: int) -> None:
    weights = np.random.default_rng(seed).integers(0, 4, (3, rows.n))
    weights[:, [rows.positive.argmax(), (~rows.positive).argmax()]] = 1
    expected = [average_precision_score(rows.positive, rows.score, sample_weight=row) for row in weights]
    assert precision.replicates(rows, weights) == pytest.approx(expected, abs=1e-9)


def test_a_replicate_without_events_is_no_number() -> None:
    rows = Predictions.of([1, 0, 0], [0.3, 0.2, 0.1])
    assert np.isnan(precision.replicates(rows, np.array([[0, 1, 1]]))).all()


@given(rows=predictions())
def test_only_the_order_of_scores_counts(rows: Predictions) -> None:
    other = Predictions(rows.positive, np.exp(3 * rows.score) - 5, rows.owners)
    one, two = roc.measure(rows), roc.measure(other)
    assert one.estimate == two.estimate
    assert one.standard_error == pytest.approx(two.standard_error)
    turned = Predictions(rows.positive, -rows.score, rows.owners)
    assert roc.auc(turned) == pytest.approx(1 - one.estimate)
    assert error(turned) == pytest.approx(one.standard_error)
    assert precision.average_precision(other) == precision.average_precision(rows)


@given(rows=predictions(), seed=st.integers(0, 99))
def test_the_order_of_rows_does_not_count(rows: Predictions, seed: int) -> None:
    shuffled = rows.take(np.random.default_rng(seed).permutation(rows.n))
    assert roc.auc(shuffled) == pytest.approx(roc.auc(rows), abs=1e-12)
    assert error(shuffled) == pytest.approx(error(rows))
    assert precision.average_precision(shuffled) == pytest.approx(precision.average_precision(rows))


def test_at_a_fixed_prevalence_average_precision_ignores_how_many_events_there_are() -> None:
    rows = cohort(400)
    events = np.flatnonzero(rows.positive)
    more = rows.take(np.concatenate([np.arange(rows.n), events, events]))
    assert precision.average_precision(more) > precision.average_precision(rows) + 0.05
    values = [precision.average_precision(each, prevalence=0.11) for each in (rows, more)]
    assert values[0] == pytest.approx(values[1])


def test_a_normalised_average_precision_is_zero_by_chance_and_one_if_perfect() -> None:
    tied = Predictions.of([1, 0, 0, 0], [0.5] * 4)
    assert precision.normalised(precision.average_precision(tied), 0.25) == 0
    assert precision.normalised(1.0, 0.25) == 1


@pytest.mark.parametrize("label", [0, 1])
@pytest.mark.parametrize(
    "metric",
    [roc.auc, roc.measure, roc.curve, precision.measure, precision.average_precision],
    ids=["auc", "auc measure", "curve", "precision measure", "average_precision"],
)
def test_one_label_alone_has_no_metric(metric: Callable[[Predictions], object], label: int) -> None:
    with pytest.raises(Undefined, match="positive label"):
        metric(Predictions.of([label] * 30, np.linspace(0, 1, 30)))


@pytest.mark.parametrize("prevalence", [0.0, 1.0, float("nan")])
def test_a_prevalence_of_no_or_all_events_has_no_average_precision(prevalence: float) -> None:
    with pytest.raises(Undefined, match="prevalence"):
        precision.measure(cohort(100), prevalence=prevalence)


def brute_delong(rows: Predictions) -> float:
    """DeLong's variance from all pairs."""
    events, others = rows.score[rows.positive], rows.score[~rows.positive]
    wins = (events[:, None] > others) + 0.5 * (events[:, None] == others)
    by_event, by_other = wins.mean(axis=1), wins.mean(axis=0)
    return float(by_event.var(ddof=1) / len(events) + by_other.var(ddof=1) / len(others))


@given(rows=predictions())
def test_independent_rows_have_the_variance_of_delong(rows: Predictions) -> None:
    rows = Predictions(rows.positive, rows.score)
    assume(rows.fewest_events > 1)
    assume(not roc.measure(rows).details)  # no error is added for an edge or for ties
    assert error(rows) ** 2 == pytest.approx(brute_delong(rows), abs=1e-12)


def brute_obuchowski(rows: Predictions) -> float:
    """The clustered variance from sums of placements per patient; events and non-events never share one."""
    assert rows.owners is not None
    events, others = rows.score[rows.positive], rows.score[~rows.positive]
    wins = (events[:, None] > others) + 0.5 * (events[:, None] == others)
    variance = 0.0
    for placed, owners in (
        (wins.mean(axis=1), rows.owners[rows.positive]),
        (wins.mean(axis=0), rows.owners[~rows.positive]),
    ):
        sums = np.array([(placed[owners == one] - wins.mean()).sum() for one in np.unique(owners)])
        variance += len(sums) / (len(sums) - 1) * (sums @ sums) / len(placed) ** 2
    return float(variance)


def test_patients_have_the_clustered_variance_of_obuchowski() -> None:
    rows = cohort(120, gap=0.5)
    owners = np.arange(120) // 3 * 2 + rows.positive
    rows = Predictions.of(rows.positive, rows.score, owners)
    assert error(rows) ** 2 == pytest.approx(brute_obuchowski(rows))


@pytest.mark.parametrize("measured", [roc.measure, precision.measure], ids=["auc", "precision"])
def test_one_row_a_patient_is_an_independent_row(measured: Callable[[Predictions], Measure]) -> None:
    rows = cohort(300, gap=0.5)
    by_patient = Predictions.of(rows.positive, rows.score, np.arange(300)[::-1])
    assert measured(by_patient).standard_error == pytest.approx(measured(rows).standard_error, rel=0.08)


def test_copies_of_a_row_make_nothing_more_certain() -> None:
    rows = cohort(300, gap=0.5)
    copies = rows.take(np.repeat(np.arange(300), 4))
    copies = Predictions(copies.positive, copies.score, np.repeat(np.arange(300), 4))
    assert error(copies) == pytest.approx(error(rows))
    one, two = precision.measure(rows), precision.measure(copies)
    assert two.standard_error == pytest.approx(one.standard_error, rel=0.1)
    assert copies.owners is not None
    blind = precision.measure(Predictions(copies.positive, copies.score))
    assert blind.standard_error < 0.7 * two.standard_error


@given(rows=predictions(), prevalence=st.sampled_from([None, 0.11]))
@settings(max_examples=40)
def test_the_influence_of_average_precision_is_its_derivative(
    rows: Predictions, prevalence: float | None
) -> None:
    influence = precision.measure(rows, prevalence=prevalence, replicates=30).influence
    assert influence is not None
    value = precision.average_precision(rows, prevalence=prevalence)
    step = 1e-6
    moved = precision.replicates(rows, np.ones(rows.n) + step * np.eye(rows.n), prevalence=prevalence)
    wide1, wide0 = roc.widened(rows)
    assume(prevalence is not None or wide1 == wide0 == 1)
    wide = np.where(rows.positive, wide1, wide0)
    assert influence == pytest.approx((moved - value) / step * rows.n * wide, abs=2e-3)
    assert abs(influence.sum()) < 1e-9


@pytest.mark.parametrize("visits", [1, 5])
@pytest.mark.parametrize("prevalence", [None, 0.11])
def test_bootstrap_and_influence_agree_on_the_error_of_average_precision(
    visits: int, prevalence: float | None
) -> None:
    rows = cohort(8000, visits=visits, share=0.2, seed=4)
    found = precision.measure(rows, prevalence=prevalence, seed=1)
    assert found.influence is not None
    by_influence = measure.standard_error(found.influence, rows.owners)
    assert found.standard_error - found.details["bias"] == pytest.approx(by_influence, rel=0.08)
    assert found.details["bias"] < 0.3 * by_influence


def test_with_very_many_events_the_influence_alone_gives_the_error() -> None:
    found = precision.measure(cohort(250_000, share=0.35), replicates=2)
    assert found.influence is not None
    assert "bias" not in found.details
    assert found.standard_error == measure.standard_error(found.influence)


def test_resamples_that_hold_no_event_give_no_error() -> None:
    rows = Predictions.of([1] + [0] * 999, np.linspace(0, 1, 1000))
    with pytest.raises(Undefined, match="resamples"):
        precision.measure(rows, replicates=2, seed=6)


def test_a_known_prevalence_is_surer_than_an_estimated_one() -> None:
    rows = cohort(3000)
    known = precision.measure(rows, prevalence=rows.prevalence)
    estimated = precision.measure(rows)
    assert known.estimate == pytest.approx(estimated.estimate)
    assert known.standard_error < estimated.standard_error


def test_the_same_seed_gives_the_same_error_and_another_seed_another() -> None:
    rows = cohort(300)
    errors = [precision.measure(rows, replicates=50, seed=seed).standard_error for seed in (1, 1, 2)]
    assert errors[0] == errors[1] != errors[2]


def apart(events: int, others: int) -> Predictions:
    return Predictions.of([1] * events + [0] * others, [0.9] * events + [0.1] * others)


@pytest.mark.parametrize("events", [10, 30, 200])
@pytest.mark.parametrize("alpha", [0.1, 0.05, 0.01, 1e-3, 1e-6, 1e-12])
def test_classes_apart_are_bounded_by_their_numbers_alone(events: int, alpha: float) -> None:
    """The chance that k pairs are all ranked right is at most area^k."""
    rows = apart(events, 5000)
    lower, upper = bounds(measure.level(roc.measure(rows)), alpha)
    assert roc.auc(rows) == 1
    assert lower <= alpha ** (1 / events)
    assert upper >= 1
    if alpha >= 1e-3:
        assert lower >= 1 - 1.05 * math.log(1 / alpha) / events


def test_few_rows_apart_certify_nothing_and_many_do() -> None:
    for metric in (roc.measure, precision.measure):
        few, many = (bounds(measure.level(metric(apart(k, 10 * k))))[0] for k in (12, 3000))
        assert few < 0.8
        assert 0.98 < many < 1


def test_one_mistake_among_few_events_is_not_nearly_perfect() -> None:
    score = np.concatenate([np.full(12, 0.9), np.linspace(0, 0.91, 2000)])
    rows = Predictions.of([1] * 12 + [0] * 2000, score)
    assert roc.auc(rows) > 0.98
    assert bounds(measure.level(roc.measure(rows)))[0] < 0.9


def test_the_edge_fades_out() -> None:
    """Moving one non-event past more and more events never jumps."""
    lower = []
    for past in range(40):
        score = np.concatenate([np.arange(40.0), [past - 0.5], np.full(400, -5.0)])
        rows = Predictions.of([1] * 40 + [0] * 401, score)
        lower.append(bounds(measure.level(roc.measure(rows)))[0])
    assert np.abs(np.diff(lower)).max() < 0.01


def test_a_wholly_wrong_score_is_bounded_from_the_other_side() -> None:
    turned = Predictions.of([1] * 12 + [0] * 120, [0.1] * 12 + [0.9] * 120)
    assert roc.auc(turned) == 0
    assert bounds(measure.level(roc.measure(turned)))[1] >= 1 - 0.05 ** (1 / 12)


def test_patients_and_not_rows_bound_classes_apart() -> None:
    rows = apart(50, 500)
    owners = np.concatenate([np.arange(50) // 5, 10 + np.arange(500) // 5])
    lower = bounds(measure.level(roc.measure(Predictions.of(rows.positive, rows.score, owners))))[0]
    assert lower <= 0.05 ** (1 / 10)


@pytest.mark.parametrize("paired", [roc.paired, precision.paired], ids=["auc", "precision"])
def test_two_perfect_models_on_few_rows_are_not_proven_alike(
    paired: Callable[[Predictions, Predictions], Effect],
) -> None:
    few, many = (bounds(paired(apart(k, 10 * k), apart(k, 10 * k))) for k in (12, 3000))
    assert few[0] < -0.2
    assert many[0] > -0.02


def test_a_single_event_is_measured_without_a_promise() -> None:
    rows = Predictions.of([1] + [0] * 99, np.linspace(1, 0, 100))
    assert bounds(measure.level(roc.measure(rows)))[0] < 0.05
    assert bounds(measure.level(precision.measure(rows)))[0] < 0.05


def test_a_recalibrated_score_ranks_alike() -> None:
    rows = cohort(400, visits=4)
    other = Predictions(rows.positive, rows.score**2, rows.owners)
    for effect in (roc.paired(rows, other), precision.paired(rows, other, prevalence=0.11)):
        assert effect.estimate == 0
        assert bounds(effect) == (0, 0)


@pytest.mark.parametrize("visits", [1, 4])
def test_the_same_rows_tell_a_difference_better_than_others(visits: int) -> None:
    rows = cohort(2000, visits=visits)
    noise = np.random.default_rng(1).normal(scale=0.05, size=rows.n)
    other = Predictions(rows.positive, rows.score + noise, rows.owners)
    for metric, paired in ((roc.measure, roc.paired), (precision.measure, precision.paired)):
        same, apart_ = paired(rows, other), measure.change(metric(rows), metric(other))
        assert same.estimate == pytest.approx(apart_.estimate)
        assert bounds(same)[1] - bounds(same)[0] < 0.7 * (bounds(apart_)[1] - bounds(apart_)[0])


def test_paired_average_precision_agrees_with_its_influence() -> None:
    rows = cohort(4000, visits=4)
    noise = np.random.default_rng(1).normal(scale=0.1, size=rows.n)
    other = Predictions(rows.positive, rows.score + noise, rows.owners)
    effect = precision.paired(rows, other, prevalence=0.11)
    one, two = (precision.measure(each, prevalence=0.11, replicates=2) for each in (rows, other))
    by_influence = measure.paired(one, two)
    assert effect.estimate == pytest.approx(by_influence.estimate)
    expected = by_influence.details["standard_error"] + effect.details["bias"]
    assert effect.details["standard_error"] == pytest.approx(expected, rel=0.1)


@given(rows=predictions(), alpha=st.sampled_from([1e-9, 1e-3, 0.05, 0.3]), limit=st.floats(-0.2, 1.2))
@settings(max_examples=60, deadline=None)
def test_bounds_and_p_values_obey_the_law(rows: Predictions, alpha: float, limit: float) -> None:
    turned = Predictions(rows.positive, 1 - rows.score, rows.owners)
    measures = roc.measure(rows), precision.measure(rows, replicates=20)
    effects = [*map(measure.level, measures), measure.change(*measures), roc.paired(rows, turned)]
    for effect in effects:
        assert effect.p_beyond
        assert effect.p_below
        lower, upper = bounds(effect, alpha)
        assert lower <= effect.estimate + 1e-12
        assert upper >= effect.estimate - 1e-12
        if abs(lower - limit) > 1e-9:
            assert (effect.p_beyond(limit) <= alpha) == (lower > limit)
        if abs(upper - limit) > 1e-9:
            assert (effect.p_below(limit) <= alpha) == (upper < limit)


@given(rows=predictions())
def test_a_curve_of_all_points_has_the_area_and_the_precisions(rows: Predictions) -> None:
    found = roc.curve(rows, points=rows.n, min_cell=1)
    assert found[0].tolist() == [0, 0]
    assert found[-1].tolist() == [1, 1]
    area = np.diff(found[:, 0]) @ (found[1:, 1] + found[:-1, 1]) / 2
    assert area == pytest.approx(roc.auc(rows))
    points = precision.precision_recall_curve(rows, points=rows.n, min_cell=1)
    values, recall, _ = precision_recall_curve(rows.positive, rows.score)
    kept = recall[:-1][::-1], values[:-1][::-1]
    assert points == pytest.approx(np.column_stack(kept))


@given(rows=predictions(), min_cell=st.integers(2, 15), points=st.integers(1, 50))
def test_no_step_of_a_curve_holds_fewer_rows_than_may_be_shown(
    rows: Predictions, min_cell: int, points: int
) -> None:
    seen, events = roc.cumulative(rows, points=points, min_cell=min_cell)
    assert seen[-1] == rows.n
    assert events[-1] == rows.events
    assert len(seen) <= points + 2
    if len(seen) > 2:
        assert np.diff(seen).min() >= min_cell


def test_a_curve_of_many_rows_has_few_points() -> None:
    assert 40 <= len(roc.curve(cohort(5000), points=50)) <= 51
    assert len(precision.precision_recall_curve(cohort(5000), points=50, prevalence=0.11)) <= 50


def test_scores_that_are_all_the_same_do_not_prove_that_none_would_differ() -> None:
    positive = np.arange(30) % 3 == 0
    lower, upper = bounds(measure.level(roc.measure(Predictions.of(positive, np.full(30, 0.3)))))
    assert lower < 0.36
    assert upper > 0.64
    ranked = Predictions.of(positive, np.arange(30))
    assert not roc.measure(ranked).details


@pytest.mark.parametrize("rows", [30, 400])
def test_an_area_without_a_right_pair_has_a_plain_zero_for_its_bound(rows: int) -> None:
    positive = np.arange(rows) % 2 == 0
    lower, upper = bounds(measure.level(roc.measure(Predictions.of(positive, 1.0 - positive))))
    assert math.copysign(1.0, lower) == 1.0
    assert lower == 0.0 < upper


def tied(events: int, others: int, apart: int, visits: int = 1) -> Predictions:
    """Return rows of one score, but for the first events."""
    positive = np.repeat(np.arange(events + others) < events, visits)
    score = np.repeat(np.where(np.arange(events + others) < apart, 0.8, 0.1), visits)
    owners = np.repeat(np.arange(events + others), visits) if visits > 1 else None
    return Predictions(positive, score, owners)


@pytest.mark.parametrize("visits", [1, 5])
@pytest.mark.parametrize(("events", "others"), [(12, 48), (30, 120), (100, 400)])
@pytest.mark.parametrize("share", [0.05, 0.11, 0.21])
def test_hardly_any_event_above_the_rest_passes_wrongly_no_more_often_than_said(
    share: float, events: int, others: int, visits: int
) -> None:
    """Over every number of events that may lie above, by its probability."""
    truth = 0.5 + share / 2.0
    below = above = 0.0
    reference = roc.measure(tied(events, others, 0, visits))
    changed = 0.0
    for apart in range(events + 1):
        chance = math.comb(events, apart) * share**apart * (1.0 - share) ** (events - apart)
        if chance < 1e-9:
            continue
        found = roc.measure(tied(events, others, apart, visits))
        lower, upper = bounds(measure.level(found))
        below, above = below + chance * (upper < truth), above + chance * (lower > truth)
        changed += chance * (bounds(measure.change(reference, found))[1] < truth - 0.5)
    assert max(below, above, changed) <= 0.055
