"""Rates, areas and ratios by group, and the largest gap between any two."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_readmit.stats import calibration, fairness, hybrid, measure, roc
from pytest_readmit.stats.effect import Effect, Undefined
from pytest_readmit.stats.fairness import Quantity
from pytest_readmit.stats.predictions import Predictions
from pytest_readmit.stats.proportion import Proportion, risk_difference

TPR, FPR, ALERTS = "true positive rate", "false positive rate", "alert rate"


def drawn(seed: int = 0, rows: int = 3000, groups: int = 3, per_patient: int = 1):
    rng = np.random.default_rng(seed)
    group = rng.integers(0, groups, rows)
    positive = rng.random(rows) < 0.2
    score = 1 / (1 + np.exp(-rng.normal(-1.5 + positive * 1.2 + 0.2 * group, 1.0)))
    owners = None if per_patient == 1 else rng.integers(0, rows // per_patient, rows)
    return Predictions.of(positive, score, owners), group


def of_shares(*shares: tuple[int, int], kind: str = TPR, enough: bool = True) -> Quantity:
    total = sum(rows for _, rows in shares)
    values = tuple(
        hybrid.of_proportion(Proportion(hits, rows), total) if rows else None for hits, rows in shares
    )
    whole = hybrid.of_proportion(Proportion(sum(hits for hits, _ in shares), total), total)
    return Quantity(kind, "positives", values, (enough,) * len(shares), whole, total)


def test_groups_hold_their_rows_in_order_and_may_be_empty() -> None:
    whole = Predictions.of([1, 0, 1, 0], [0.1, 0.2, 0.3, 0.4], ["a", "b", "a", "c"])
    parts = fairness.by_group(whole, np.array([2, 0, 2, 0]), 4)
    assert [part.n for part in parts] == [2, 0, 2, 0]
    assert parts[2].score.tolist() == [0.1, 0.3]
    assert [part.units for part in parts] == [2, 0, 1, 0]


def test_rates_count_alerts_at_or_above_the_threshold() -> None:
    whole = Predictions.of([1, 1, 1, 0, 0], [0.5, 0.49, 0.9, 0.5, 0.1])
    assert fairness.true_positive_rate(whole, 0.5).share == pytest.approx(2 / 3)
    assert fairness.false_positive_rate(whole, 0.5).share == 0.5
    assert fairness.alert_rate(whole, 0.5).share == 0.6


def test_rows_of_one_patient_widen_a_rate() -> None:
    positive, score = np.tile([True, True, False], 60), np.repeat([0.2, 0.8] * 30, 3)
    patients = np.repeat(np.arange(60), 3)
    alone = fairness.true_positive_rate(Predictions.of(positive, score), 0.5)
    together = fairness.true_positive_rate(Predictions.of(positive, score, patients), 0.5)
    assert together.design_effect == pytest.approx(2.0)
    assert (together.units, together.event_units, together.non_event_units) == (60, 30, 30)
    assert alone.units is None


def test_the_gap_of_two_groups_is_newcombes() -> None:
    one, other = Proportion(40, 200), Proportion(70, 180)
    effect = fairness.largest_gap([of_shares((40, 200), (70, 180))], 380)
    newcombe = risk_difference(one, other)
    assert newcombe.bounds
    assert newcombe.p_beyond
    assert effect.bounds
    assert effect.p_beyond
    assert effect.estimate == pytest.approx(newcombe.estimate)
    # a pair has two sides, and passing needs each at alpha only
    assert effect.bounds(0.05)[0] == pytest.approx(newcombe.bounds(0.025)[0])
    assert effect.bounds(0.05)[1] == pytest.approx(newcombe.bounds(0.05)[1])
    assert effect.p_beyond(0.05) == pytest.approx(2 * newcombe.p_beyond(0.05))
    assert effect.details == {"quantity": 0, "between": (0, 1), "differences": 1}


def test_p_is_corrected_for_every_pair_and_quantity() -> None:
    pair = fairness.largest_gap([of_shares((40, 200), (70, 180))], 380)
    more = fairness.largest_gap(
        [of_shares((40, 200), (70, 180), (55, 200)), of_shares((50, 300), (50, 300), (50, 300), kind=FPR)],
        1480,
    )
    assert pair.p_beyond
    assert more.p_beyond
    assert more.details["differences"] == 6
    assert more.p_beyond(0.05) == pytest.approx(6 * pair.p_beyond(0.05))


def test_the_groups_with_the_largest_gap_are_named_lower_first() -> None:
    effect = fairness.largest_gap(
        [of_shares((50, 100), (40, 100), (90, 100)), of_shares((1, 9), (1, 9))], 300
    )
    assert effect.details["between"] == (1, 2)
    assert effect.estimate == pytest.approx(0.5)
    assert (
        fairness.largest_gap([of_shares((5, 50), (5, 50)), of_shares((1, 9), (8, 9))], 99).details["quantity"]
        == 1
    )


def test_a_small_group_widens_what_is_possible_but_proves_nothing() -> None:
    shares = ((50, 100), (52, 100), (0, 5))
    quantity = of_shares(*shares)
    small = Quantity(TPR, "positives", quantity.values, (True, True, False), quantity.whole, quantity.size)
    effect = fairness.largest_gap([small], 205)
    assert effect.bounds
    assert effect.p_beyond
    assert effect.estimate == pytest.approx(0.02)
    assert effect.details["differences"] == 1
    assert effect.bounds(0.05)[0] == 0.0
    assert effect.bounds(0.05)[1] > 0.5
    every = fairness.largest_gap([small], 205, every_group=True)
    assert every.estimate == pytest.approx(0.52)
    alone = Quantity(TPR, "positives", quantity.values, (True, False, False), quantity.whole, quantity.size)
    nothing = fairness.largest_gap([alone], 205)
    assert nothing.p_beyond
    assert nothing.p_beyond(0.0) == 1.0
    assert nothing.estimate == pytest.approx(0.52)


def test_a_group_without_the_quantity_is_left_out_and_one_group_is_undefined() -> None:
    effect = fairness.largest_gap([of_shares((50, 100), (0, 0), (30, 100))], 200)
    assert effect.details["between"] == (2, 0)
    with pytest.raises(Undefined):
        fairness.largest_gap([of_shares((50, 100), (0, 0))], 100)


def test_areas_and_ratios_are_those_of_each_group() -> None:
    whole, groups = drawn()
    parts = fairness.by_group(whole, groups, 3)
    areas, ratios = fairness.area_by_group(whole, parts), fairness.ratio_by_group(whole, parts)
    for part, area, ratio in zip(parts, areas.values, ratios.values, strict=True):
        assert area
        assert ratio
        assert area.estimate == pytest.approx(roc.auc(part))
        assert ratio.estimate == pytest.approx(part.events / part.score.sum())
    gap = fairness.largest_gap([areas], whole.n)
    low, high = (parts[i] for i in gap.details["between"])
    plain = measure.change(roc.measure(low), roc.measure(high))
    assert plain.bounds
    assert gap.bounds
    assert gap.estimate == pytest.approx(plain.estimate)
    assert gap.bounds(0.05)[1] >= plain.bounds(0.05)[1] - 1e-9


def test_one_class_has_no_area_and_no_event_no_ratio() -> None:
    whole = Predictions.of([1] * 30 + [0] * 70, np.linspace(0.1, 0.9, 100))
    parts = fairness.by_group(whole, np.repeat([0, 1], [30, 70]), 2)
    assert fairness.area_by_group(whole, parts).values == (None, None)
    ratios = fairness.ratio_by_group(whole, parts)
    assert ratios.values[0] is not None
    assert ratios.values[1] is None
    assert ratios.enough == (False, False)


def test_groups_count_patients_where_they_are_known() -> None:
    rng = np.random.default_rng(0)
    positive, score = np.repeat([True, False], [200, 400]), rng.random(600)
    patients = np.where(positive, 0, np.arange(600))
    groups = np.tile([0, 1], 300)
    for owners, enough in ((None, (True, True)), (patients, (False, False))):
        whole = Predictions.of(positive, score, owners)
        parts = fairness.by_group(whole, groups, 2)
        assert fairness.rate_by_group(TPR, whole, parts, 0.5).enough == enough
        assert fairness.rate_by_group(FPR, whole, parts, 0.5).enough == (True, True)
        assert fairness.area_by_group(whole, parts).enough == enough


def test_the_rows_that_a_group_needs_would_certify_alike_groups() -> None:
    quantity = of_shares((400, 1000), (420, 1000))
    needed = quantity.needed(0.1)
    assert needed
    assert 300 < needed < 550
    alike = of_shares(*[(round(0.41 * needed), needed)] * 2)
    effect = fairness.largest_gap([alike], 2 * needed)
    assert effect.bounds
    assert effect.bounds(0.05)[1] < 0.1
    assert quantity.needed(0.05) > 3 * needed
    assert quantity.needed(0.0) is None
    whole, groups = drawn()
    parts = fairness.by_group(whole, groups, 3)
    for each in (fairness.area_by_group(whole, parts), fairness.ratio_by_group(whole, parts)):
        assert 10 <= each.needed(0.1) < 1e6


@st.composite
def effects(draw: st.DrawFn) -> Effect:
    """The largest gap of one or two rates, or of areas or ratios, among two to four groups."""
    if draw(st.booleans()):
        size = draw(st.integers(2, 4))
        pair = st.integers(1, 300).flatmap(lambda rows: st.tuples(st.integers(0, rows), st.just(rows)))
        shares = draw(st.lists(st.lists(pair, min_size=size, max_size=size), min_size=1, max_size=2))
        return fairness.largest_gap([of_shares(*each) for each in shares], 1000)
    whole, groups = drawn(draw(st.integers(0, 20)), 300, 2, draw(st.sampled_from([1, 3])))
    parts = fairness.by_group(whole, groups, 2)
    by = draw(st.sampled_from([fairness.area_by_group, fairness.ratio_by_group]))
    return fairness.largest_gap([by(whole, parts)], whole.n)


@settings(max_examples=150, deadline=None)
@given(effects(), st.sampled_from([1e-11, 1e-6, 1e-3, 0.01, 0.05, 0.2, 0.45]), st.floats(-0.2, 1.2))
def test_bounds_and_p_values_are_one(effect: Effect, alpha: float, limit: float) -> None:
    assert effect.bounds
    assert effect.p_beyond
    assert effect.p_below
    lower, upper = effect.bounds(alpha)
    assert 0 <= lower <= effect.estimate <= upper
    if abs(limit - lower) > 1e-7:
        assert (effect.p_beyond(limit) <= alpha) == (lower > limit)
    if abs(limit - upper) > 1e-7:
        assert (effect.p_below(limit) <= alpha) == (upper < limit)
    wider = effect.bounds(alpha / 3)
    assert wider[0] <= lower + 1e-12
    assert wider[1] >= upper - 1e-12
    assert effect.p_beyond(limit) <= effect.p_beyond(limit + 0.1) + 1e-12
    assert effect.p_below(limit) + 1e-12 >= effect.p_below(limit + 0.1)


@settings(max_examples=30, deadline=None)
@given(st.permutations(range(4)), st.integers(0, 5))
def test_the_order_of_the_groups_does_not_matter(order: list[int], seed: int) -> None:
    whole, groups = drawn(seed, 800, 4)
    found = []
    for codes in (groups, np.array(order)[groups]):
        parts = fairness.by_group(whole, codes, 4)
        effect = fairness.largest_gap(
            [fairness.rate_by_group(k, whole, parts, 0.3) for k in (TPR, FPR)], whole.n
        )
        assert effect.bounds
        found.append((effect.estimate, *effect.bounds(0.05)))
    assert found[0] == pytest.approx(found[1])


def test_more_rows_of_the_same_kind_bring_the_bounds_nearer() -> None:
    whole, groups = drawn()
    parts = fairness.by_group(whole, groups, 3)
    for quantities in (
        [fairness.rate_by_group(ALERTS, whole, parts, 0.3)],
        [fairness.area_by_group(whole, parts)],
        [fairness.ratio_by_group(whole, parts)],
    ):
        effect = fairness.largest_gap(quantities, whole.n)
        assert effect.bounds
        assert effect.projected
        assert effect.projected(0.05, whole.n) == pytest.approx(effect.bounds(0.05))
        near = effect.projected(0.05, 1e9)
        assert near == pytest.approx((effect.estimate, effect.estimate), abs=2e-3)


def test_log_limits_keep_a_ratio_positive() -> None:
    whole = Predictions.of(np.repeat([1, 0], [12, 188]), np.full(200, 0.05))
    value = fairness.ratio_by_group(whole, [whole]).values[0]
    assert value
    low, high = value.limits(3.0, 1.0)
    assert 0 < low < value.estimate < high
    assert math.isclose(value.estimate, calibration.observed_expected(whole).estimate)


def test_groups_whose_scores_are_tied_are_not_certified_alike() -> None:
    positive = np.arange(60) < 12
    group = [Predictions(positive, np.full(60, 0.1)) for _ in range(2)]
    whole = Predictions(np.tile(positive, 2), np.full(120, 0.1))
    found = fairness.largest_gap([fairness.area_by_group(whole, group)], 120)
    assert found.bounds
    assert found.estimate == 0.0
    assert found.bounds(0.05)[1] > 0.055
