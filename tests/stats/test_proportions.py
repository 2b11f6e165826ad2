"""Proportions: bounds by hand, design effects, the largest of several, counts of drifted features."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from pytest_readmit.stats import cluster, conjunction, multiplicity, proportion, several
from pytest_readmit.stats.distribution import Distribution
from pytest_readmit.stats.effect import Undefined
from pytest_readmit.stats.proportion import Proportion


@given(st.integers(1, 300), st.data(), st.sampled_from([0.2, 0.05, 1e-6]))
def test_exact_limits_are_scipys(rows: int, data: st.DataObject, alpha: float) -> None:
    events = data.draw(st.integers(0, rows))
    low, high = proportion.clopper_pearson(events, rows, alpha)
    exact = scipy.stats.binomtest(events, rows).proportion_ci(1 - 2 * alpha, method="exact")
    assert (low, high) == pytest.approx((exact.low, exact.high), abs=1e-9)
    score = scipy.stats.binomtest(events, rows).proportion_ci(1 - 2 * alpha, method="wilson")
    assert proportion.wilson(events, rows, alpha) == pytest.approx((score.low, score.high), abs=1e-9)


def test_a_design_effect_of_two_counts_half_the_rows() -> None:
    doubled = proportion.risk_difference(Proportion(20, 200, 2.0), Proportion(60, 400, 2.0))
    halved = proportion.risk_difference(Proportion(10, 100), Proportion(30, 200))
    assert doubled.bounds
    assert halved.bounds
    assert doubled.bounds(0.05) == pytest.approx(halved.bounds(0.05))
    assert doubled.p_null == pytest.approx(halved.p_null)


def test_a_difference_of_equal_shares_has_no_p_value_to_speak_of() -> None:
    assert proportion.risk_difference(Proportion(0, 50), Proportion(0, 90)).p_null == 1.0
    assert proportion.risk_difference(Proportion(5, 50), Proportion(9, 90)).p_null == pytest.approx(1.0)


def test_a_ratio_to_nothing_is_undefined() -> None:
    with pytest.raises(Undefined, match="no events"):
        proportion.risk_ratio(Proportion(0, 100), Proportion(3, 100))


def test_a_share_of_no_rows_is_undefined() -> None:
    with pytest.raises(Undefined, match="no rows"):
        proportion.share(Proportion(0, 0))


def test_a_ratio_has_the_bounds_of_a_published_example() -> None:
    """Koopman (1984), example: 36 of 40 against 16 of 80, 95% limits 2.94 and 7.15."""
    effect = proportion.risk_ratio(Proportion(16, 80), Proportion(36, 40))
    assert effect.estimate == pytest.approx(4.5)
    assert effect.bounds
    assert effect.bounds(0.025) == pytest.approx((2.94, 7.15), abs=0.02)


def test_one_event_proves_that_a_share_is_not_zero() -> None:
    effect = proportion.share(Proportion(1, 1000))
    assert effect.bounds
    assert effect.p_beyond
    assert effect.bounds(1e-9)[0] > 0
    assert effect.p_beyond(0.0) == 0.0
    none = proportion.share(Proportion(0, 1000))
    assert none.bounds
    assert none.bounds(0.05) == (0.0, pytest.approx(1 - 0.05 ** (1 / 1000)))


def test_good_turing_counts_levels_seen_once_and_their_uncertainty() -> None:
    column = Distribution.of_levels(list("abcdef"), [1, 1, 2, 2, 2, 92])
    expected = proportion.singletons(column)
    assert (expected.events, expected.rows) == (2, 100)
    # Esty: N1 (1 - N1/n) + 2 N2 = 1.96 + 6 against 1.96
    assert expected.design_effect == pytest.approx((1.96 + 6) / 1.96)
    assert proportion.singletons(Distribution.of_levels(["a"], [50])).design_effect == 1.0


def test_an_excess_trusts_a_forecast_of_rare_levels_less_than_a_count() -> None:
    expected, current = Proportion(20, 3000, 2.7), Proportion(12, 3000)
    excess, plain = proportion.excess_over(current, expected), proportion.rare_difference(expected, current)
    assert excess.bounds
    assert plain.bounds
    assert excess.bounds(0.05)[0] == plain.bounds(0.05)[0]
    assert excess.bounds(0.05)[1] > plain.bounds(0.05)[1]


def test_the_largest_of_several_names_which_and_pays_for_looking() -> None:
    effects = [proportion.risk_difference(Proportion(5, 1000), Proportion(k, 1000)) for k in (5, 60, 9)]
    largest = several.largest_of(effects)
    assert largest.details["largest"] == 1
    assert largest.bounds
    assert effects[1].bounds
    assert largest.bounds(0.05)[0] == effects[1].bounds(0.05 / 3)[0]
    assert largest.bounds(0.05)[1] == effects[1].bounds(0.05)[1]
    assert largest.projected
    assert largest.projected(0.05, 1000) == pytest.approx(largest.bounds(0.05))
    with pytest.raises(Undefined):
        several.largest_of([])


def test_one_row_a_patient_has_no_design_effect() -> None:
    assert cluster.proportion_design_effect([1, 0, 0, 1], [1, 1, 1, 1]) == 1.0
    codes, patients = np.arange(100) % 20, np.arange(100)
    assert cluster.distribution_design_effect(codes, patients, ordered=True) == 1.0


def test_copies_of_a_patients_row_count_once() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(size=400)
    column, patients = np.repeat(values, 5), np.repeat(np.arange(400), 5)
    codes = cluster.bin_codes(column, cluster.quantile_edges(Distribution.of_numbers(column)))
    assert cluster.distribution_design_effect(codes, patients, ordered=True) == pytest.approx(5.0, rel=0.01)
    assert cluster.distribution_design_effect(codes % 3, patients, ordered=False) == pytest.approx(5.0)
    assert cluster.proportion_design_effect([5, 0, 5, 0], [5, 5, 5, 5]) == 5.0


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 6)), min_size=2, max_size=60), st.booleans())
def test_the_design_effect_of_a_column_is_the_largest_of_its_shares(
    rows: list[tuple[int, int]], ordered: bool
) -> None:
    codes, patients = (np.array(side) for side in zip(*rows, strict=True))
    sizes = np.bincount(patients)
    if sizes.max() <= 1 or len(set(codes.tolist())) == 1:
        return
    shares = []
    for code in set(codes.tolist()):
        events = np.bincount(patients[codes <= code if ordered else codes == code], minlength=len(sizes))
        if 0 < events.sum() < len(codes):
            shares.append(cluster.proportion_design_effect(events, sizes))
    found = cluster.distribution_design_effect(codes, patients, ordered=ordered)
    assert found == pytest.approx(max(shares))


@pytest.mark.parametrize("events", [0, 1])
def test_without_events_rows_of_a_patient_are_taken_for_copies(events: int) -> None:
    rows = np.array([1, 2, 5])
    assert cluster.proportion_design_effect(events * rows, rows) == pytest.approx(30 / 8)


def test_a_constant_column_takes_rows_of_a_patient_for_copies() -> None:
    patients = np.array([0, 0, 1, 2, 2, 2])
    for ordered in (True, False):
        found = cluster.distribution_design_effect(np.zeros(6, int), patients, ordered=ordered)
        assert found == pytest.approx(14 / 6)


def test_a_design_effect_of_no_rows_is_one() -> None:
    assert cluster.proportion_design_effect([], []) == 1.0
    assert cluster.distribution_design_effect([], [], ordered=True) == 1.0


def test_bin_codes_are_right_closed() -> None:
    assert cluster.bin_codes([0.0, 1.0, 1.5, 9.0], np.array([1.0, 2.0])).tolist() == [0, 0, 1, 2]


def test_partial_conjunction_proves_no_more_features_than_drifted() -> None:
    p = [1e-6, 1e-5, 0.02, 0.6]
    # 4e-6, 3e-5, 0.04, 0.6
    assert conjunction.p_at_least(p).tolist() == pytest.approx([4e-6, 3e-5, 0.04, 0.6])
    assert conjunction.proven(p, 0.05) == 3
    assert conjunction.proven(p, 0.01) == 2
    effect = conjunction.share(p, [1.0, 1.0, 0.9, 1e-9], 0.75)
    assert effect.bounds
    assert effect.p_beyond
    assert effect.bounds(0.05) == (0.75, 0.75)
    assert effect.p_beyond(0.5) == pytest.approx(0.04)
    assert effect.p_beyond(0.75) == pytest.approx(0.6)


def test_a_share_of_features_needs_features() -> None:
    with pytest.raises(Undefined):
        conjunction.share([], [], 0.0)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_adjusted_p_values_keep_order_and_nest(p: list[float]) -> None:
    holm, bh, bonferroni = multiplicity.holm(p), multiplicity.bh(p), multiplicity.bonferroni(p)
    assert np.all(bh <= holm + 1e-12)
    assert np.all(holm <= bonferroni + 1e-12)
    assert np.all(np.diff(holm[np.argsort(p, kind="stable")]) >= 0)
    assert bh == pytest.approx(scipy.stats.false_discovery_control(p), abs=1e-12)
