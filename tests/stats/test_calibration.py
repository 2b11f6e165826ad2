"""Recalibration, calibration error, smoothed index and curve: values, invariances, what is undefined."""

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import expit, logit

from pytest_readmit.stats import calibration, measure, reliability
from pytest_readmit.stats.effect import Effect, Undefined
from pytest_readmit.stats.measure import Measure
from pytest_readmit.stats.predictions import Predictions

MEASURES: dict[str, Callable[[Predictions], Measure]] = {
    "slope": calibration.slope,
    "intercept": calibration.intercept,
    "observed_expected": calibration.observed_expected,
}
EFFECTS: dict[str, Callable[[Predictions], Effect]] = {
    **{name: (lambda p, of=of: measure.level(of(p))) for name, of in MEASURES.items()},
    "ece": reliability.ece,
}
ALPHAS = (1e-12, 1e-6, 1e-3, 0.01, 0.05, 0.2, 0.49)


def cohort(
    n: int = 2000, *, a: float = 0.0, b: float = 1.0, seed: int = 0, patients: int | None = None
) -> Predictions:
    """Return rows with logit P(y) = a + b logit(score), prevalence about 0.13."""
    rng = np.random.default_rng(seed)
    x = rng.normal(-2.3, 0.9, n)
    owners = None if patients is None else rng.integers(0, patients, n)
    return Predictions.of(rng.random(n) < expit(a + b * x), expit(x), owners)


@st.composite
def few_rows(draw: st.DrawFn) -> Predictions:
    n = draw(st.integers(4, 40))
    score = draw(st.lists(st.integers(1, 19).map(lambda k: k / 20), min_size=n, max_size=n))
    positive = draw(st.lists(st.booleans(), min_size=n, max_size=n))
    owners = draw(st.none() | st.lists(st.integers(0, 9), min_size=n, max_size=n))
    return Predictions.of(positive, score, owners)


def defined(effect: Callable[[], Effect]) -> Effect:
    try:
        return effect()
    except Undefined:
        assume(False)
        raise


@pytest.mark.parametrize("name", EFFECTS)
@given(predictions=few_rows())
@settings(max_examples=60, deadline=None)
def test_bounds_and_p_values_obey_the_law_and_are_monotone(name: str, predictions: Predictions) -> None:
    effect = defined(lambda: EFFECTS[name](predictions))
    assert effect.bounds
    assert effect.p_beyond
    assert effect.p_below
    pairs = [effect.bounds(alpha) for alpha in ALPHAS]
    assert all(one[0] <= two[0] and one[1] >= two[1] for one, two in itertools.pairwise(pairs))
    assert pairs[-1][0] <= effect.estimate <= pairs[-1][1]
    limits = np.sort(np.concatenate((np.linspace(-2.0, 3.0, 21), effect.estimate + np.array([-0.1, 0.1]))))
    for alpha, (low, high) in zip(ALPHAS, pairs, strict=True):
        for limit in limits + 1.23e-4:
            if abs(limit - low) > 1e-7 * max(1.0, abs(low)):
                assert (effect.p_beyond(limit) <= alpha) == (low > limit)
            if abs(limit - high) > 1e-7 * max(1.0, abs(high)):
                assert (effect.p_below(limit) <= alpha) == (high < limit)
    assert (np.diff([effect.p_beyond(limit) for limit in limits]) >= -1e-12).all()
    assert (np.diff([effect.p_below(limit) for limit in limits]) <= 1e-12).all()


@pytest.mark.parametrize("name", EFFECTS)
def test_more_rows_of_the_same_kind_make_the_bounds_narrower(name: str) -> None:
    effect = EFFECTS[name](cohort())
    assert effect.bounds
    assert effect.projected
    assert effect.projected(0.05, 2000) == pytest.approx(effect.bounds(0.05))
    low, high = effect.projected(0.05, 20_000)
    assert high - low < 0.5 * np.diff(effect.bounds(0.05))


def test_slope_is_what_a_general_optimiser_finds() -> None:
    predictions = cohort(a=0.4, b=0.7)
    x = logit(predictions.score)

    def loss(at: np.ndarray) -> float:
        eta = at[0] + at[1] * x
        return float(np.logaddexp(0.0, eta).sum() - eta[predictions.positive].sum())

    found = minimize(loss, [0.0, 1.0], method="BFGS", options={"gtol": 1e-4})
    assert calibration.recalibration(predictions).coefficients == pytest.approx(found.x, abs=1e-5)


@given(factor=st.floats(0.2, 4.0), shift=st.floats(-2.0, 2.0))
@settings(max_examples=20, deadline=None)
def test_slope_follows_the_scale_of_the_logits_and_not_their_place(factor: float, shift: float) -> None:
    predictions = cohort(300)
    moved = Predictions(predictions.positive, expit(shift + factor * logit(predictions.score)))
    one, other = calibration.slope(predictions), calibration.slope(moved)
    assert other.estimate * factor == pytest.approx(one.estimate, rel=1e-6)
    assert other.standard_error * factor == pytest.approx(one.standard_error, rel=1e-6)
    pushed = Predictions(predictions.positive, expit(shift + logit(predictions.score)))
    assert calibration.intercept(pushed).estimate == pytest.approx(
        calibration.intercept(predictions).estimate - shift, abs=1e-6
    )


def test_calling_the_other_class_positive_keeps_the_slope_and_turns_the_intercept() -> None:
    predictions = cohort(b=0.8, a=0.3)
    other = Predictions(~predictions.positive, 1.0 - predictions.score)
    assert calibration.slope(other).estimate == pytest.approx(calibration.slope(predictions).estimate)
    assert calibration.intercept(other).estimate == pytest.approx(
        -calibration.intercept(predictions).estimate
    )
    assert reliability.ece(other).estimate == pytest.approx(reliability.ece(predictions).estimate, rel=0.05)


@pytest.mark.parametrize("name", MEASURES)
def test_standard_error_is_that_of_leaving_out_one_patient(name: str) -> None:
    predictions = cohort(400, b=0.8, patients=60)
    whole = MEASURES[name](predictions)
    assert predictions.owners is not None
    without = [
        MEASURES[name](predictions.take(predictions.owners != patient)).estimate for patient in range(60)
    ]
    changes = np.array(without) - whole.estimate
    assert whole.standard_error == pytest.approx(math.sqrt(changes @ changes), rel=0.02)
    assert whole.influence is not None
    assert whole.influence.mean() == pytest.approx(0.0, abs=1e-9)
    plain = measure.standard_error(whole.influence, whole.owners)
    assert plain < whole.standard_error < 1.3 * plain
    assert whole.df == predictions.fewest_events - 1


@pytest.mark.parametrize("name", MEASURES)
def test_copies_of_a_row_under_one_patient_say_no_more_than_the_row(name: str) -> None:
    once = cohort(300)
    twice = Predictions(
        np.repeat(once.positive, 2), np.repeat(once.score, 2), np.repeat(np.arange(once.n), 2)
    )
    one, two = MEASURES[name](once), MEASURES[name](twice)
    assert two.estimate == pytest.approx(one.estimate)
    assert two.standard_error == pytest.approx(one.standard_error)
    single = Predictions(once.positive, once.score, np.arange(once.n))
    assert MEASURES[name](single).standard_error == pytest.approx(one.standard_error)
    assert reliability.ece(twice).bounds(0.05) == pytest.approx(reliability.ece(once).bounds(0.05))


@given(seed=st.integers(0, 1000))
@settings(max_examples=10, deadline=None)
def test_the_order_of_rows_says_nothing(seed: int) -> None:
    predictions = cohort(300, patients=100)
    mixed = predictions.take(np.random.default_rng(seed).permutation(predictions.n))
    for name, effect in {**EFFECTS, "ici": reliability.ici}.items():
        assert effect(mixed).estimate == pytest.approx(effect(predictions).estimate), name


def test_wildly_wrong_scores_still_have_a_slope() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(0.0, 1.0, 1000)
    positive = rng.random(1000) < expit(x)
    for factor in (30.0, 300.0):
        score = np.clip(expit(factor * x), 1e-300, np.nextafter(1.0, 0.0))
        clipped = Predictions(positive, score)
        assert 0.0 < calibration.slope(clipped).estimate < 0.1
        assert calibration.slope(Predictions(~positive, score)).estimate < 0.0
        assert math.isfinite(calibration.intercept(clipped).standard_error)


def rows(positive: list[int], score: list[float]) -> Predictions:
    return Predictions.of(positive, score)


UNDEFINED: dict[str, tuple[Callable[[Predictions], object], Predictions, str]] = {
    "score 0": (calibration.slope, rows([0, 1, 0, 1], [0.0, 0.2, 0.3, 0.2]), "exactly 0 or 1"),
    "score 1": (calibration.intercept, rows([0, 1, 0, 1], [0.1, 0.2, 1.0, 0.2]), "exactly 0 or 1"),
    "one score": (calibration.slope, rows([0, 1, 0, 1], [0.2] * 4), "every score is the same"),
    "one class": (calibration.slope, rows([0, 0, 0], [0.1, 0.2, 0.3]), "one class"),
    "one class, intercept": (calibration.intercept, rows([1, 1], [0.1, 0.2]), "one class"),
    "separated": (calibration.slope, rows([0, 0, 1, 1], [0.1, 0.2, 0.3, 0.4]), "separate"),
    "separated but for a tie": (calibration.slope, rows([0, 0, 1, 1], [0.1, 0.2, 0.2, 0.4]), "separate"),
    "separated the other way": (calibration.slope, rows([1, 1, 0], [0.1, 0.2, 0.3]), "separate"),
    "nothing observed": (calibration.observed_expected, rows([0, 0], [0.1, 0.2]), "no event was observed"),
    "nothing expected": (calibration.observed_expected, rows([0, 1], [0.0, 0.0]), "no event was expected"),
    "no rows, slope": (calibration.slope, rows([], []), "one class"),
    "no rows, ratio": (calibration.observed_expected, rows([], []), "no rows"),
    "no rows, ece": (reliability.ece, rows([], []), "no rows"),
    "no rows, ici": (reliability.ici, rows([], []), "no rows"),
    "Hosmer and Lemeshow of zeros": (reliability.hosmer_lemeshow, rows([0, 1], [0.0, 0.0]), "0 or of 1"),
}


@pytest.mark.parametrize("what", UNDEFINED)
def test_what_does_not_exist_says_so(what: str) -> None:
    function, predictions, words = UNDEFINED[what]
    with pytest.raises(Undefined, match=words):
        function(predictions)


def test_a_tie_between_the_classes_is_enough_for_a_slope() -> None:
    assert math.isfinite(calibration.slope(rows([0, 1, 0, 1], [0.1, 0.1, 0.2, 0.2])).estimate)


def test_ratio_and_error_take_scores_of_exactly_0_and_1() -> None:
    predictions = rows([0, 1, 0, 1, 1], [0.0, 1.0, 1.0, 0.5, 0.5])
    assert calibration.observed_expected(predictions).estimate == pytest.approx(1.0)
    assert reliability.ece(predictions, 2, "equal_width").estimate == pytest.approx(0.0)
    assert reliability.ece(predictions, 10).estimate > 0.0


def test_scores_that_hit_every_label_are_not_certain() -> None:
    predictions = rows([0, 1] * 50, [0.0, 1.0] * 50)
    effect = reliability.ece(predictions)
    assert effect.bounds
    assert effect.estimate == 0.0
    assert effect.bounds(0.05)[1] == pytest.approx(0.033, abs=0.001)
    copies = Predictions(predictions.positive, predictions.score, np.repeat(np.arange(20), 5))
    assert reliability.ece(copies).details["standard_error"] > effect.details["standard_error"]


def test_few_distinct_scores_make_as_many_groups() -> None:
    found = reliability.groups(rows([0, 1, 0, 1, 1, 0], [0.1, 0.1, 0.1, 0.1, 0.2, 0.2]))
    assert found.rows.tolist() == [4, 2]
    assert found.expected == pytest.approx([0.4, 0.4])
    assert reliability.groups(rows([0, 1, 1], [0.3] * 3)).rows.tolist() == [3]
    assert reliability.groups(rows([0, 1, 1], [0.0, 0.99, 1.0]), 10, "equal_width").rows.tolist() == [1, 2]


def test_noise_is_taken_off_the_lower_bound_only() -> None:
    effect = reliability.ece(cohort(1000))
    assert effect.bounds
    low, high = effect.bounds(0.5)
    assert low == pytest.approx(max(0.0, effect.estimate - effect.details["bias"]))
    assert high == pytest.approx(effect.estimate)


def test_patients_with_many_rows_make_the_error_less_certain() -> None:
    rng = np.random.default_rng(3)
    patients = np.repeat(np.arange(400), 5)
    x = rng.normal(-2.0, 0.9, 400)[patients]
    positive = (rng.random(400)[patients]) < expit(x)
    alone = reliability.ece(Predictions(positive, expit(x)))
    together = reliability.ece(Predictions(positive, expit(x), patients))
    assert together.estimate == alone.estimate
    assert together.details["standard_error"] == pytest.approx(
        math.sqrt(5) * alone.details["standard_error"], rel=0.05
    )
    curves = [reliability.curve(Predictions(positive, expit(x), owners)) for owners in (None, patients)]
    widths = [np.subtract(each["upper"], each["lower"]) for each in curves]
    assert (widths[1] > 1.3 * widths[0]).all()


def test_loess_of_degree_two_follows_a_parabola_exactly() -> None:
    x = np.sort(np.random.default_rng(0).random(50))
    fitted = reliability.loess(x, 0.1 + x - 0.5 * x * x, np.ones(50), x)
    assert fitted == pytest.approx(0.1 + x - 0.5 * x * x)
    line = reliability.loess(x, 0.1 + x, np.ones(50), x, degree=1, span=0.4)
    assert line == pytest.approx(0.1 + x)


def test_cells_and_interpolation_change_the_index_little(monkeypatch: pytest.MonkeyPatch) -> None:
    predictions = cohort(1000, b=0.6, a=-0.5)
    monkeypatch.setattr(reliability, "MOST_CELLS", 200)
    quick = reliability.ici(predictions)
    monkeypatch.setattr(reliability, "MOST_CELLS", 10**6)
    monkeypatch.setattr(reliability, "MOST_POINTS", 10**6)
    exact = reliability.ici(predictions)
    assert quick.estimate == pytest.approx(exact.estimate, abs=1e-3)
    assert quick.details["e90"] == pytest.approx(exact.details["e90"], abs=1e-3)


def test_the_index_of_one_score_is_its_distance_from_the_prevalence() -> None:
    found = reliability.ici(rows([0, 1, 0, 1], [0.2] * 4))
    assert found.estimate == pytest.approx(0.3)
    assert found.bounds is None
    two = reliability.ici(rows([0, 1, 0, 0], [0.2, 0.2, 0.4, 0.4]), span=0.5)
    assert two.estimate == pytest.approx((0.3 + 0.4) / 2)


@given(predictions=few_rows(), min_cell=st.integers(1, 15), bins=st.integers(2, 12))
@settings(max_examples=60, deadline=None)
def test_no_point_of_the_curve_tells_of_few_people(
    predictions: Predictions, min_cell: int, bins: int
) -> None:
    curve = reliability.curve(predictions, bins, min_cell)
    if not curve["n"]:
        assert min(predictions.events, predictions.n - predictions.events) < min_cell
        return
    assert sum(curve["n"]) == predictions.n
    assert min(curve["n"]) >= min_cell
    assert len(curve["n"]) <= bins
    assert np.diff(curve["predicted"]).min(initial=1.0) > 0.0
    assert np.average(curve["observed"], weights=curve["n"]) == pytest.approx(predictions.prevalence)
    for low, share, high, n in zip(*(curve[key] for key in ("lower", "observed", "upper", "n")), strict=True):
        assert low - 1e-12 <= share <= high + 1e-12
        for count in (round(share * n), n - round(share * n)):
            assert count == 0 or count >= min_cell


def test_hosmer_lemeshow_knows_both_degrees_of_freedom() -> None:
    found = reliability.hosmer_lemeshow(cohort(5000))
    assert found["groups"] == 10
    assert found["p_df_g"] > found["p_df_g_minus_2"] > 0.001
    assert reliability.hosmer_lemeshow(cohort(5000, b=0.5))["p_df_g"] < 1e-6
    assert math.isnan(reliability.hosmer_lemeshow(cohort(100), bins=2)["p_df_g_minus_2"])


def certain(rows: int, wrong: int, high: float = 1.0) -> Predictions:
    """Return rows scored `high` or 1 - `high`, a third of them high, of which the first are wrong."""
    says = np.arange(rows) % 3 == 0
    return Predictions.of(says ^ (np.arange(rows) < wrong), np.where(says, high, 1.0 - high))


def test_thirty_rows_without_a_mistake_do_not_prove_that_observed_is_expected() -> None:
    found = measure.level(calibration.observed_expected(certain(30, 0)))
    assert found.bounds
    lower, upper = found.bounds(0.05)
    assert lower < 0.8
    assert upper > 1.25


def test_many_mistakes_leave_the_error_of_the_ratio_as_it_is() -> None:
    found = certain(300, 30, 0.9)
    measured = calibration.observed_expected(found)
    assert measured.influence is not None
    assert measured.standard_error == pytest.approx(measure.standard_error(measured.influence), rel=0.02)


@pytest.mark.parametrize(("high", "error"), [(0.99, 0.03), (1.0, 0.05)])
def test_a_ratio_of_hardly_any_mistakes_passes_wrongly_no_more_often_than_said(
    high: float, error: float
) -> None:
    rng, runs, rows = np.random.default_rng(7), 600, 60
    truth = (0.5 * (1.0 - error) + 0.5 * error, 0.5 * (1.0 - error), 0.5 + 0.5 * error)
    missed = np.zeros((3, 2))
    for _ in range(runs):
        says = rng.random(rows) < 0.5
        wrong = rng.random(rows) < error
        for place, chosen in enumerate((wrong, wrong & says, wrong & ~says)):
            found = Predictions(says ^ chosen, np.where(says, high, 1.0 - high))
            bounds = measure.level(calibration.observed_expected(found)).bounds
            assert bounds
            lower, upper = bounds(0.05)
            missed[place] += (lower > 2.0 * truth[place] + 1e-12, upper < 2.0 * truth[place] - 1e-12)
    assert missed.max() / runs <= 0.05 + 3.0 * math.sqrt(0.05 * 0.95 / runs)


@pytest.mark.parametrize("alpha", [0.49, 0.05, 1e-6, 1e-12, 1e-30])
def test_the_ratio_of_few_rows_has_bounds_that_can_be_true(alpha: float) -> None:
    rng = np.random.default_rng(0)
    score = rng.beta(1, 4, 42)
    found = measure.level(calibration.observed_expected(Predictions(rng.random(42) < score, score)))
    assert found.bounds
    assert found.p_below
    lower, upper = found.bounds(alpha)
    most = 10.0 * 42 / score.sum()
    assert 0.0 <= lower <= found.estimate <= upper <= most
    for limit in (0.5, 1.0, 10.0, most, 2.0 * most, 1e150):
        assert (found.p_below(limit) <= alpha) == (upper < limit)


@pytest.mark.filterwarnings("error")
def test_scores_that_expect_hardly_an_event_have_no_ratio() -> None:
    with pytest.raises(Undefined, match="hardly any event was expected"):
        calibration.observed_expected(Predictions.of([True, False] * 20, [1e-300] * 40))
