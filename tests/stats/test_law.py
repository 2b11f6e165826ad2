"""Every Effect obeys the law between bounds and p-values, and every distance its symmetries."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pytest_readmit.stats import (
    conjunction,
    divergence,
    ks,
    proportion,
    several,
    shift,
    variation,
    wasserstein,
)
from pytest_readmit.stats.distribution import Distribution
from pytest_readmit.stats.effect import Effect, Undefined
from pytest_readmit.stats.proportion import Proportion

TwoSample = Callable[[Distribution, Distribution], Effect]

NUMERIC: dict[str, TwoSample] = {
    "ks": ks.effect,
    "wasserstein": wasserstein.effect,
    "mean_shift": shift.effect,
    "psi": divergence.psi,
    "jensen_shannon": divergence.jensen_shannon,
    "hellinger": divergence.hellinger,
    "total_variation": variation.effect,
}
LEVELS: dict[str, TwoSample] = {
    name: NUMERIC[name] for name in ("psi", "jensen_shannon", "hellinger", "total_variation")
}
SHARES: dict[str, Callable[[Proportion, Proportion], Effect]] = {
    "risk_difference": proportion.risk_difference,
    "risk_ratio": proportion.risk_ratio,
    "excess_over": proportion.excess_over,
    "rare_difference": proportion.rare_difference,
    "share": lambda _, current: proportion.share(current),
}

columns = st.lists(st.integers(-6, 6).map(float), min_size=2, max_size=50)
deffs = st.sampled_from([1.0, 1.7])
errors = st.sampled_from([0.0, 0.01])
counts = st.lists(st.integers(0, 40), min_size=3, max_size=3)
alphas = st.sampled_from([1e-30, 1e-9, 1e-4, 0.01, 0.05, 0.2, 0.49])


def defined(effect: Callable[[], Effect]) -> Effect:
    try:
        return effect()
    except Undefined:
        assume(False)
        raise


def check_law(effect: Effect, alpha: float, limit: float) -> None:
    assert effect.bounds
    assert effect.p_beyond
    assert effect.p_below
    lower, upper = effect.bounds(alpha)
    assert lower <= upper
    # at the bound itself the two answers may differ by rounding
    slack = 1e-9 * (1 + abs(limit))
    if abs(lower - limit) > slack:
        assert (effect.p_beyond(limit) <= alpha) == (lower > limit)
    if abs(upper - limit) > slack:
        assert (effect.p_below(limit) <= alpha) == (upper < limit)
    wider = effect.bounds(alpha / 3)
    assert wider[0] <= lower
    assert wider[1] >= upper
    assert effect.p_beyond(limit) <= effect.p_beyond(limit + 0.1) + 1e-12
    assert effect.p_below(limit) + 1e-12 >= effect.p_below(limit + 0.1)
    assert 0 <= effect.p_beyond(limit) <= 1
    assert 0 <= effect.p_below(limit) <= 1


def check_bounds_meet_p_values(effect: Effect, alpha: float) -> None:
    """The p-value at an inner bound is alpha itself."""
    assert effect.bounds
    assert effect.p_beyond
    assert effect.p_below
    lower, upper = effect.bounds(alpha)
    if 0 < lower < 1:
        assert effect.p_beyond(lower) == pytest.approx(alpha, rel=1e-6)
    if 0 < upper < 1:
        assert effect.p_below(upper) == pytest.approx(alpha, rel=1e-6)


limits = st.floats(-0.2, 1.2)


@pytest.mark.parametrize("name", NUMERIC)
@given(a=columns, b=columns, deff=deffs, error=errors, alpha=alphas, limit=limits)
def test_distances_of_numbers_obey_the_law(
    name: str, a: list[float], b: list[float], deff: float, error: float, alpha: float, limit: float
) -> None:
    reference = Distribution.of_numbers(a, design_effect=deff, error=error)
    effect = defined(lambda: NUMERIC[name](reference, Distribution.of_numbers(b)))
    assume(name != "mean_shift" or np.std(b) > 0)
    check_law(effect, alpha, limit)


@pytest.mark.parametrize("name", LEVELS)
@given(a=counts, b=counts, deff=deffs, alpha=alphas, limit=limits)
def test_distances_of_levels_obey_the_law(
    name: str, a: list[int], b: list[int], deff: float, alpha: float, limit: float
) -> None:
    sides = [Distribution.of_levels(["x", "y", "z"], side, design_effect=deff) for side in (a, b)]
    check_law(defined(lambda: LEVELS[name](*sides)), alpha, limit)


@st.composite
def proportions(draw: st.DrawFn) -> Proportion:
    rows = draw(st.integers(2, 400))
    return Proportion(draw(st.integers(0, rows)), rows, draw(deffs))


@pytest.mark.parametrize("name", SHARES)
@given(a=proportions(), b=proportions(), alpha=alphas, limit=st.floats(-1.2, 2.2))
@settings(deadline=None)
def test_shares_obey_the_law(name: str, a: Proportion, b: Proportion, alpha: float, limit: float) -> None:
    check_law(defined(lambda: SHARES[name](a, b)), alpha, limit)


@given(st.lists(st.tuples(proportions(), proportions()), min_size=1, max_size=3), alphas, st.floats(-1, 1))
@settings(deadline=None)
def test_the_largest_of_several_obeys_the_law(
    pairs: list[tuple[Proportion, Proportion]], alpha: float, limit: float
) -> None:
    effects = [proportion.risk_difference(*pair) for pair in pairs]
    largest = several.largest_of(effects)
    assert largest.estimate == max(effect.estimate for effect in effects)
    check_law(largest, alpha, limit)


p_values = st.lists(st.floats(0, 1) | st.sampled_from([0.0, 1e-9, 0.01, 0.5, 1.0]), min_size=1, max_size=12)


@given(p_values, alphas, st.floats(-0.2, 1.2))
def test_the_share_of_drifted_features_obeys_the_law(p: list[float], alpha: float, limit: float) -> None:
    within = [min(1.0, 1.05 - value) for value in p]
    effect = conjunction.share(p, within, 0.5)
    assert effect.bounds
    assert effect.p_beyond
    assert effect.p_below
    lower, upper = effect.bounds(alpha)
    assert (effect.p_beyond(limit) <= alpha) == (lower > limit)
    assert (effect.p_below(limit) <= alpha) == (upper < limit)


@pytest.mark.parametrize("alpha", [1e-250, 1e-30, 1e-6, 0.05, 0.3])
@pytest.mark.parametrize("name", NUMERIC)
def test_the_p_value_at_a_bound_is_alpha(name: str, alpha: float) -> None:
    rng = np.random.default_rng(3)
    reference = Distribution.of_numbers(rng.normal(0, 1, 900).round(1))
    current = Distribution.of_numbers(rng.normal(0.6, 1, 700).round(1))
    check_bounds_meet_p_values(NUMERIC[name](reference, current), alpha)


@pytest.mark.parametrize("alpha", [1e-250, 1e-30, 1e-6, 0.05, 0.3])
@pytest.mark.parametrize("name", SHARES)
def test_the_p_value_at_the_bound_of_a_share_is_alpha(name: str, alpha: float) -> None:
    effect = SHARES[name](Proportion(40, 900, 1.3), Proportion(170, 1100))
    check_bounds_meet_p_values(effect, alpha)


@pytest.mark.parametrize("name", [name for name in NUMERIC if name != "mean_shift"])
@given(a=columns, b=columns)
def test_distances_are_symmetric_and_zero_on_themselves(name: str, a: list[float], b: list[float]) -> None:
    first, second = Distribution.of_numbers(a), Distribution.of_numbers(b)
    same = defined(lambda: NUMERIC[name](first, first))
    assert same.estimate == 0
    assert same.p_null is None or same.p_null > 0.9
    if name in ("ks", "total_variation"):
        forth, back = NUMERIC[name](first, second), NUMERIC[name](second, first)
        assert forth.estimate == pytest.approx(back.estimate, abs=1e-15)
        assert forth.bounds
        assert back.bounds
        assert forth.bounds(0.05) == pytest.approx(back.bounds(0.05))


@given(a=columns, b=columns)
def test_a_shift_changes_sign_with_the_direction(a: list[float], b: list[float]) -> None:
    reference = Distribution.of_numbers(a)
    up = defined(lambda: shift.effect(reference, Distribution.of_numbers(b)))
    mirror = Distribution.of_numbers([-x for x in a])
    down = shift.effect(mirror, Distribution.of_numbers([-x for x in b]))
    assert down.estimate == pytest.approx(-up.estimate, abs=1e-12)


@pytest.mark.parametrize("name", NUMERIC)
@given(a=columns, b=columns, factor=st.sampled_from([1e-150, 1 / 18, 2.0, 88.4, 1e150]))
def test_the_unit_of_a_column_does_not_matter(
    name: str, a: list[float], b: list[float], factor: float
) -> None:
    plain = [Distribution.of_numbers(side) for side in (a, b)]
    converted = [Distribution.of_numbers(np.array(side) * factor) for side in (a, b)]
    before = defined(lambda: NUMERIC[name](*plain))
    after = NUMERIC[name](*converted)
    # interpolated bin edges may move by a rounding and take a tied row with them
    if name not in ("psi", "jensen_shannon", "hellinger"):
        assert after.estimate == pytest.approx(before.estimate, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("name", NUMERIC)
@given(a=columns, b=columns, data=st.data())
def test_an_effect_does_not_depend_on_partitions_or_representation(
    name: str, a: list[float], b: list[float], data: st.DataObject
) -> None:
    cut = data.draw(st.integers(1, len(b) - 1))
    reference = Distribution.of_numbers(a)
    whole = defined(lambda: NUMERIC[name](reference, Distribution.of_numbers(b)))
    parts = Distribution.of_numbers(b[:cut]).merge(Distribution.of_numbers(b[cut:]))
    counted = Distribution(*reference.distinct())
    for other in (NUMERIC[name](reference, parts), NUMERIC[name](counted, Distribution(*parts.distinct()))):
        assert other.estimate == pytest.approx(whole.estimate, abs=1e-12)
        assert other.bounds
        assert whole.bounds
        ours, theirs = other.bounds(0.05), whole.bounds(0.05)
        # a mean shift of a constant current has bounds as wide as the rounding of its sd
        assert ours == pytest.approx(theirs, abs=1e-9)


@pytest.mark.parametrize("name", NUMERIC)
def test_repeated_patients_and_approximation_widen_the_bounds(name: str) -> None:
    rng = np.random.default_rng(5)
    a, b = rng.normal(0, 1, 400).round(1), rng.normal(0.5, 1, 400).round(1)
    exact = NUMERIC[name](Distribution.of_numbers(a), Distribution.of_numbers(b))
    assert exact.bounds
    for wider in (
        NUMERIC[name](Distribution.of_numbers(a, design_effect=2.0), Distribution.of_numbers(b)),
        NUMERIC[name](Distribution.of_numbers(a), Distribution.of_numbers(b, error=0.002)),
    ):
        assert wider.bounds
        assert wider.estimate == exact.estimate
        assert wider.bounds(0.05)[0] < exact.bounds(0.05)[0]
        assert wider.bounds(0.05)[1] > exact.bounds(0.05)[1]


def test_an_approximate_distribution_covers_the_exact_distance() -> None:
    rng = np.random.default_rng(7)
    a, b = rng.normal(0, 1, 5000), rng.normal(0.3, 1.2, 5000)
    edges = np.quantile(a, np.linspace(0, 1, 101))
    coarse = Distribution.of_numbers(edges[np.minimum(np.searchsorted(edges, a), 100)], error=0.01)
    exact = ks.effect(Distribution.of_numbers(a), Distribution.of_numbers(b))
    rough = ks.effect(coarse, Distribution.of_numbers(b))
    assert abs(rough.estimate - exact.estimate) <= 0.01
    assert rough.bounds
    assert exact.bounds
    assert rough.bounds(0.05)[0] <= exact.bounds(0.05)[0]
    assert rough.bounds(0.05)[1] >= exact.bounds(0.05)[1]


@pytest.mark.parametrize("name", NUMERIC)
def test_projection_at_the_same_number_of_rows_is_the_bounds(name: str) -> None:
    rng = np.random.default_rng(11)
    reference = Distribution.of_numbers(rng.normal(0, 1, 500).round(1))
    current = Distribution.of_numbers(rng.normal(0.2, 1, 300).round(1), design_effect=1.4)
    effect = NUMERIC[name](reference, current)
    assert effect.projected
    assert effect.bounds
    assert effect.projected(0.05, 300) == pytest.approx(effect.bounds(0.05))
    more = effect.projected(0.05, 3000)
    assert more[0] >= effect.bounds(0.05)[0]
    assert more[1] <= effect.bounds(0.05)[1]


def test_a_column_without_rows_is_undefined_for_every_distance() -> None:
    empty, filled = Distribution.of_numbers([]), Distribution.of_numbers([1.0, 2.0])
    for effect in NUMERIC.values():
        with pytest.raises(Undefined, match="reference has no usable rows"):
            effect(empty, filled)
        with pytest.raises(Undefined, match="current has no usable rows"):
            effect(filled, empty)


@pytest.mark.parametrize("name", ["wasserstein", "mean_shift", "psi", "jensen_shannon", "hellinger"])
def test_a_constant_reference_has_no_unit_and_no_bins(name: str) -> None:
    with pytest.raises(Undefined, match="single value"):
        NUMERIC[name](Distribution.of_numbers([2.0] * 40), Distribution.of_numbers([1.0, 3.0]))


@pytest.mark.parametrize("name", LEVELS)
def test_one_level_everywhere_is_no_drift(name: str) -> None:
    same = Distribution.of_levels(["only"], [5000])
    effect = LEVELS[name](same, same)
    assert effect.estimate == 0
    assert effect.bounds
    assert effect.bounds(0.05)[0] == 0
    assert 0 < effect.bounds(0.05)[1] < 0.06


@pytest.mark.parametrize("name", ["ks", "wasserstein", "mean_shift"])
def test_text_has_no_order(name: str) -> None:
    text = Distribution.of_levels(["a", "b"], [3, 4])
    with pytest.raises(Undefined, match="numbers"):
        NUMERIC[name](text, text)


def test_identical_samples_are_certified_only_within_their_noise() -> None:
    column = Distribution.of_numbers(np.arange(300.0))
    effect = ks.effect(column, column)
    assert effect.bounds
    assert effect.bounds(0.05) == (0.0, pytest.approx(1.6448536269514722 / 2 / math.sqrt(150)))
