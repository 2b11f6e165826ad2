"""Brier score and skill, logarithmic loss, and the parts of the Brier score."""

import math
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss
from sklearn.metrics import log_loss as sklearn_log_loss

from pytest_readmit.stats import hybrid, losses, measure, metrics
from pytest_readmit.stats.effect import Undefined
from pytest_readmit.stats.measure import Measure
from pytest_readmit.stats.predictions import Predictions

LOSSES: dict[str, Callable[[Predictions], Measure]] = {
    "brier": losses.brier,
    "log_loss": losses.log_loss,
    "brier_skill": losses.brier_skill,
}


def sample(rows: int = 400, seed: int = 0, *, per_patient: int | None = None) -> Predictions:
    rng = np.random.default_rng(seed)
    score = rng.beta(1, 7, rows)
    patients = None if per_patient is None else np.arange(rows) // per_patient
    return Predictions.of(rng.random(rows) < score, score, patients)


labels_and_scores = st.integers(2, 40).flatmap(
    lambda n: st.tuples(
        st.lists(st.booleans(), min_size=n, max_size=n),
        st.lists(st.integers(0, 10).map(lambda k: k / 10), min_size=n, max_size=n),
    )
)


def test_losses_agree_with_scikit_learn() -> None:
    found = sample()
    assert losses.brier(found).estimate == pytest.approx(brier_score_loss(found.positive, found.score))
    assert losses.log_loss(found).estimate == pytest.approx(sklearn_log_loss(found.positive, found.score))


def test_saying_the_prevalence_has_no_skill_and_knowing_the_outcome_all_of_it() -> None:
    positive = np.arange(100) % 4 == 0
    assert losses.brier_skill(Predictions.of(positive, np.full(100, 0.25))).estimate == pytest.approx(0.0)
    assert losses.brier_skill(Predictions.of(positive, positive.astype(float))).estimate == 1.0


def test_a_score_of_0_for_an_event_costs_what_1e_15_would() -> None:
    found = Predictions.of([True, False], [0.0, 0.0])
    assert losses.log_loss(found).estimate == pytest.approx(-math.log(1e-15) / 2)


@pytest.mark.parametrize("name", LOSSES)
def test_influence_is_the_derivative_by_the_weight_of_a_row(name: str) -> None:
    found = sample(60)
    influence = LOSSES[name](found).influence
    assert influence is not None
    assert influence.mean() == pytest.approx(0.0, abs=1e-12)
    for row in (0, 7, 31):
        # a row repeated k times among n k rows weighs k / n k more
        copies = np.repeat(np.arange(60), 2000)
        more = found.take(np.concatenate([copies, np.full(60, row)]))
        moved = LOSSES[name](more).estimate - LOSSES[name](found).estimate
        assert moved == pytest.approx(influence[row] * 60 / more.n, rel=0.01, abs=1e-9)


@pytest.mark.parametrize("name", LOSSES)
def test_a_patient_of_several_equal_rows_tells_no_more_than_one(name: str) -> None:
    once = sample(300)
    copies = np.repeat(np.arange(300), 4)
    rows = once.take(copies)
    by_patient = Predictions(rows.positive, rows.score, copies)
    alone, together = LOSSES[name](once), LOSSES[name](by_patient)
    assert together.estimate == pytest.approx(alone.estimate)
    assert together.standard_error == pytest.approx(alone.standard_error)
    for alpha in (0.05, 1e-4):
        narrow = hybrid.level(losses.bounded(name, once)).bounds
        wide = hybrid.level(losses.bounded(name, by_patient)).bounds
        assert narrow is not None
        assert wide is not None
        assert wide(alpha) == pytest.approx(narrow(alpha))


@pytest.mark.parametrize("name", LOSSES)
def test_without_rows_there_is_no_loss(name: str) -> None:
    with pytest.raises(Undefined):
        LOSSES[name](Predictions.of([], []))


def test_skill_needs_both_classes_and_the_losses_do_not() -> None:
    one_class = Predictions.of([False] * 5, [0.1] * 5)
    with pytest.raises(Undefined, match="events and non-events"):
        losses.brier_skill(one_class)
    assert losses.brier(one_class).estimate == pytest.approx(0.01)


def test_limits_follow_the_skewness_of_a_loss() -> None:
    found = losses.bounded("log_loss", sample(500))
    lower, upper = found.limits(1.645, 1.0)
    assert upper - found.estimate > found.estimate - lower
    symmetric = measure.level(losses.brier_skill(sample(500))).bounds
    assert symmetric is not None
    assert sum(symmetric(0.05)) / 2 == pytest.approx(losses.brier_skill(sample(500)).estimate)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("per_patient", [None, 5])
def test_limits_move_outwards_with_confidence_and_inwards_with_rows(
    name: str, per_patient: int | None
) -> None:
    found = losses.bounded(name, sample(200, per_patient=per_patient))
    limits = [found.limits(z, 1.0) for z in (0.0, 0.5, 1.645, 3.0, 7.0, 20.0)]
    lowers, uppers = zip(*limits, strict=True)
    assert list(lowers) == sorted(lowers, reverse=True)
    assert list(uppers) == sorted(uppers)
    widths = [np.diff(found.limits(1.645, growth))[0] for growth in (1.0, 4.0, 100.0)]
    assert widths == sorted(widths, reverse=True)
    assert widths[2] == pytest.approx(widths[0] / 10, rel=0.2)


def sure(rows: int, wrong: int, high: float = 1.0, *, per_patient: int | None = None) -> Predictions:
    """Return rows scored `high` or 1 - `high`, a third of them high, of which the first are wrong."""
    says = np.arange(rows) % 3 == 0
    patients = None if per_patient is None else np.arange(rows) // per_patient
    return Predictions.of(says ^ (np.arange(rows) < wrong), np.where(says, high, 1.0 - high), patients)


def test_thirty_rows_without_a_mistake_do_not_prove_that_there_is_none() -> None:
    share = 1.0 - 0.05 ** (1.0 / 30.0)
    found = {name: metrics.level(name, sure(30, 0)) for name in LOSSES}
    bounds = {name: effect.bounds(0.05) for name, effect in found.items() if effect.bounds}
    assert bounds["brier"] == pytest.approx((0.0, share))
    assert bounds["log_loss"][1] == pytest.approx(-math.log(1e-15) * share, rel=0.01)
    assert bounds["brier_skill"] == pytest.approx((1.0 - share / (2.0 / 9.0), 1.0))


@pytest.mark.parametrize("name", LOSSES)
def test_the_same_score_and_outcome_in_every_row_leaves_doubt_both_ways(name: str) -> None:
    if name == "brier_skill":
        return
    for positive in (False, True):
        found = losses.bounded(name, Predictions.of([positive] * 40, [0.2] * 40))
        lower, upper = found.limits(1.645, 1.0)
        assert (lower, upper) != (found.estimate, found.estimate)
        assert lower < found.estimate if positive else upper > found.estimate


@pytest.mark.parametrize("name", LOSSES)
def test_patients_without_a_mistake_prove_what_so_many_rows_would(name: str) -> None:
    by_patient = losses.bounded(name, sure(150, 0, 0.99, per_patient=5))
    rows = losses.bounded(name, sure(30, 0, 0.99))
    assert by_patient.limits(1.645, 1.0) == pytest.approx(rows.limits(1.645, 1.0), rel=1e-3)


def test_a_loss_that_never_was_cannot_be_proven_unchanged_by_thirty_rows() -> None:
    effect = metrics.change("brier", sure(30, 0), sure(30, 0))
    assert effect.bounds
    lower, upper = effect.bounds(0.05)
    assert lower == pytest.approx(-upper)
    assert upper > 0.09


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("wrong", [0, 1, 2, 9, 10, 30])
def test_bounds_and_p_values_agree_with_few_mistakes(name: str, wrong: int) -> None:
    effect = metrics.level(name, sure(90, wrong, 0.95))
    assert effect.bounds
    assert effect.p_beyond
    assert effect.p_below
    before = (effect.estimate, effect.estimate)
    for alpha in (0.49, 0.45, 0.05, 1e-4, 1e-12):
        lower, upper = effect.bounds(alpha)
        assert lower <= before[0] <= before[1] <= upper
        before = lower, upper
        for limit in (effect.estimate - 0.01, effect.estimate + 0.01, 0.3, 0.6):
            assert (effect.p_beyond(limit) <= alpha) == (lower > limit)
            assert (effect.p_below(limit) <= alpha) == (upper < limit)


@pytest.mark.parametrize("name", LOSSES)
def test_ordinary_losses_have_the_limits_of_a_skewed_mean_alone(name: str) -> None:
    found = sample(500)
    alone = losses._of_skewed(name, LOSSES[name](found), found)
    for z in (1.645, 4.0):
        assert losses.bounded(name, found).limits(z, 1.0) == alone.limits(z, 1.0)


def misses(rows: int, error: float, high: float, runs: int, per_patient: int = 1) -> dict[str, float]:
    """Return how often limits at 5% call a model better than it is that errs in a share of its rows."""
    rng = np.random.default_rng(zlib.crc32(f"{rows} {error} {high} {per_patient}".encode()))
    right, lost = (min(max(each, 1e-15), 1.0 - 1e-15) for each in (high, 1.0 - high))
    brier = (1.0 - error) * (1.0 - high) ** 2 + error * high**2
    rate = (1.0 - error) / 3.0 + error * 2.0 / 3.0
    truth = {
        "brier": brier,
        "log_loss": -(1.0 - error) * math.log(right) - error * math.log(lost),
        "brier_skill": 1.0 - brier / (rate * (1.0 - rate)),
    }
    counts = dict.fromkeys(LOSSES, 0)
    owners = np.arange(rows) // per_patient if per_patient > 1 else None
    for _ in range(runs):
        says = rng.random(rows) < 1.0 / 3.0
        wrong = np.repeat(rng.random(rows // per_patient) < error, per_patient)
        found = Predictions(says ^ wrong, np.where(says, high, 1.0 - high), owners)
        if found.fewest_events < 10:
            continue
        for name in LOSSES:
            lower, upper = losses.bounded(name, found).limits(1.6448536, 1.0)
            counts[name] += lower > truth[name] if name == "brier_skill" else upper < truth[name]
    return {name: count / runs for name, count in counts.items()}


@pytest.mark.parametrize(("error", "high"), [(0.03, 0.99), (0.05, 1.0)])
def test_a_model_that_hardly_errs_passes_wrongly_no_more_often_than_said(error: float, high: float) -> None:
    found = misses(60, error, high, 400)
    assert max(found.values()) <= 0.05 + 3.0 * math.sqrt(0.05 * 0.95 / 400)


@pytest.mark.slow
@pytest.mark.parametrize("per_patient", [1, 5])
@pytest.mark.parametrize("high", [0.99, 1.0, 0.9])
@pytest.mark.parametrize("error", [0.01, 0.03, 0.05])
def test_models_that_hardly_err_pass_wrongly_no_more_often_than_said(
    error: float, high: float, per_patient: int
) -> None:
    runs = 1000
    for rows in (40, 60, 100, 300):
        found = misses(rows * per_patient, error, high, runs, per_patient)
        assert max(found.values()) <= 0.05 + 3.0 * math.sqrt(0.05 * 0.95 / runs), (rows, found)


@given(labels_and_scores)
def test_the_parts_of_the_brier_score_add_up_over_any_bins(drawn: tuple[list[bool], list[float]]) -> None:
    found = Predictions.of(*drawn)
    for edges in (None, [0.0, 0.25, 0.55, 1.01], [0.0, 1.01]):
        parts = losses.brier_decomposition(found, edges)
        added = parts.reliability - parts.resolution + parts.uncertainty
        added += parts.within_bin_variance - 2 * parts.within_bin_covariance
        assert added == pytest.approx(parts.brier, abs=1e-12)
        assert min(parts.reliability, parts.resolution, parts.uncertainty) >= 0.0
        if edges is None:
            assert parts.within_bin_variance == pytest.approx(0.0, abs=1e-15)


def test_a_score_outside_the_bins_is_refused() -> None:
    found = Predictions.of([True, False], [0.2, 1.0])
    with pytest.raises(Undefined, match="outside the edges"):
        losses.brier_decomposition(found, [0.0, 0.5, 1.0])
    with pytest.raises(Undefined):
        losses.brier_decomposition(Predictions.of([], []))


@given(labels_and_scores)
def test_swapping_the_labels_and_the_scores_changes_no_loss(drawn: tuple[list[bool], list[float]]) -> None:
    one = Predictions.of(*drawn)
    other = Predictions(~one.positive, 1.0 - one.score)
    for name, loss in LOSSES.items():
        if name == "brier_skill" and one.events in (0, one.n):
            continue
        assert loss(one).estimate == pytest.approx(loss(other).estimate)


@pytest.mark.parametrize("name", LOSSES)
def test_no_limit_lies_beyond_what_a_metric_can_be(name: str) -> None:
    found = losses.bounded(name, sample(40))
    for z in (1.645, 7.0, 20.0):
        lower, upper = found.limits(z, 1.0)
        assert lower >= (-math.inf if name == "brier_skill" else 0.0)
        assert upper <= (math.inf if name == "log_loss" else 1.0)
        assert lower < found.estimate < upper
