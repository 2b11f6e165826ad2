"""Distribution: the two representations agree, and merging parts gives the whole."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_readmit.stats.distribution import Distribution
from pytest_readmit.stats.effect import Undefined

tied = st.lists(st.integers(-5, 5).map(float), min_size=1, max_size=60)
real = st.lists(st.floats(-1e6, 1e6, allow_subnormal=False), min_size=1, max_size=60)
numbers = st.one_of(tied, real)


def counted(values: list[float]) -> Distribution:
    support, counts = np.unique(np.array(values), return_counts=True)
    return Distribution(support, counts)


@given(numbers)
def test_rows_and_counts_tell_the_same(values: list[float]) -> None:
    rows, counts = Distribution.of_numbers(values), counted(values)
    assert rows.n == counts.n == len(values)
    for ours, theirs in zip(rows.distinct(), counts.distinct(), strict=True):
        assert np.array_equal(ours, theirs)
    points = np.array([*values, -1e9, 0.25, 1e9])
    for side in ("left", "right"):
        assert np.array_equal(rows.rank(points, side=side), counts.rank(points, side=side))
    q = np.linspace(0, 1, 21)
    assert np.array_equal(rows.quantile(q), counts.quantile(q))
    assert np.array_equal(rows.expanded(), counts.expanded())
    scale = 1 + max(abs(v) for v in values)
    assert rows.mean() == pytest.approx(counts.mean(), abs=1e-12 * scale)
    assert rows.variance() == pytest.approx(counts.variance(), rel=1e-9, abs=1e-20 * scale**2)


@given(numbers)
def test_moments_and_quantiles_are_those_of_numpy(values: list[float]) -> None:
    column = Distribution.of_numbers(values)
    scale = 1 + max(abs(v) for v in values)
    assert column.mean() == pytest.approx(np.mean(values), abs=1e-12 * scale)
    assert column.sd() == pytest.approx(np.std(values), rel=1e-9, abs=1e-12 * scale)
    q = np.arange(17) / 16  # exact in binary: a rounding of q never decides between two rows
    assert np.array_equal(column.quantile(q), np.quantile(values, q, method="inverted_cdf"))
    assert np.allclose(column.interpolated_quantile(q), np.quantile(values, q), rtol=1e-14, atol=0)


@given(numbers, numbers)
def test_merging_parts_gives_the_whole(first: list[float], second: list[float]) -> None:
    whole = Distribution.of_numbers(first + second, missing=3)
    for parts in (
        Distribution.of_numbers(first, missing=1).merge(Distribution.of_numbers(second, missing=2)),
        counted(first).merge(Distribution.of_numbers(second, missing=3)),
    ):
        assert np.array_equal(parts.expanded(), whole.expanded())
        assert parts.missing == whole.missing


@given(st.lists(st.sampled_from(["a", "b", "(missing)", "z"]), min_size=1), st.data())
def test_levels_merge_by_adding_counts(rows: list[str], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(rows)))
    parts = [Distribution.of_levels(part, [1] * len(part)) for part in (rows[:cut], rows[cut:])]
    merged, whole = parts[0].merge(parts[1]), Distribution.of_levels(rows, [1] * len(rows))
    assert merged.support.tolist() == whole.support.tolist() == sorted(set(rows))
    assert merged.distinct()[1].tolist() == whole.distinct()[1].tolist()


def test_merging_keeps_the_larger_design_effect_and_the_mean_error() -> None:
    first = Distribution.of_numbers([1, 2, 3], design_effect=2.0, units=2, error=0.01)
    second = Distribution.of_numbers([4], design_effect=1.5, units=1, error=0.05)
    merged = first.merge(second)
    assert (merged.design_effect, merged.units) == (2.0, 3)
    assert merged.error == pytest.approx(0.02)
    assert merged.effective_n == 2.0
    assert first.merge(Distribution.of_numbers([5.0])).units is None


def test_a_level_without_rows_is_no_level() -> None:
    column = Distribution.of_levels(["b", "a", "b"], [2, 0, 3])
    assert column.support.tolist() == ["b"]
    assert column.counts is not None
    assert column.counts.tolist() == [5]
    assert column.is_text


def test_one_value_has_no_spread_to_the_last_bit() -> None:
    column = Distribution.of_numbers([0.1] * 7)
    assert column.variance() == 0.0
    with pytest.raises(Undefined, match="single value"):
        column.standardised_moment(4)


@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e200])
def test_spread_survives_extreme_units(scale: float) -> None:
    column = Distribution.of_numbers(np.array([1.0, 2.0, 3.0, 4.0]) * scale)
    assert column.sd() == pytest.approx(scale * np.sqrt(1.25))
    assert column.standardised_moment(4) == pytest.approx(1.64)


@pytest.mark.parametrize("ask", ["mean", "sd", "variance"])
def test_a_column_without_rows_has_no_moments(ask: str) -> None:
    empty = Distribution.of_numbers([], missing=4)
    assert (empty.n, empty.missing) == (0, 4)
    with pytest.raises(Undefined, match="usable rows"):
        getattr(empty, ask)()
    with pytest.raises(Undefined, match="usable rows"):
        empty.quantile(0.5)


def test_a_quantile_does_not_hang_on_the_rounding_of_its_share() -> None:
    column = Distribution.of_numbers([1, 2, 3, 4, 5])
    assert column.quantile(0.6000000000000001) == column.quantile(0.6) == 3


def test_numbers_and_text_do_not_merge() -> None:
    with pytest.raises(Undefined, match="numbers"):
        Distribution.of_numbers([1.0]).merge(Distribution.of_levels(["1"], [1]))


def test_values_are_copied_not_sorted_in_place() -> None:
    values = np.array([3.0, 1.0, 2.0])
    Distribution.of_numbers(values)
    assert values.tolist() == [3.0, 1.0, 2.0]
