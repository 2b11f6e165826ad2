"""The report's picture hides every count below the smallest cell."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_readmit.stats.distribution import Distribution
from pytest_readmit.stats.histogram import picture

columns = st.lists(
    st.one_of(st.integers(-5, 40).map(float), st.floats(-1e4, 1e4, allow_subnormal=False)),
    min_size=20,
    max_size=200,
)
names = st.sampled_from(["a", "b", "c", "(other)", "(missing)", "<b>", "x" * 30])


def counts_of(shares: list[float], rows: int) -> np.ndarray:
    return np.round(np.array(shares) * rows)


@given(columns, columns, st.integers(1, 30))
def test_each_bin_of_numbers_is_empty_or_large_enough(a: list[float], b: list[float], smallest: int) -> None:
    drawn = picture(Distribution.of_numbers(a), Distribution.of_numbers(b), min_cell=smallest)
    if drawn is None:
        assert min(len(a), len(b)) < smallest
        return
    edges = drawn["edges"]
    assert edges == sorted(set(edges))
    for side, rows in (("reference", len(a)), ("current", len(b))):
        shown = counts_of(drawn[side], rows)
        assert len(shown) == len(edges) - 1
        assert shown.sum() == rows
        assert np.all((shown == 0) | (shown >= smallest))
    json.dumps(drawn, allow_nan=False)


@given(
    st.lists(st.tuples(names, st.integers(0, 40)), min_size=1, max_size=30),
    st.lists(st.tuples(names, st.integers(0, 40)), min_size=1, max_size=30),
    st.integers(1, 20),
)
def test_each_level_is_absent_or_large_enough(
    a: list[tuple[str, int]], b: list[tuple[str, int]], smallest: int
) -> None:
    sides = [Distribution.of_levels(*zip(*side, strict=True)) for side in (a, b)]
    if min(side.n for side in sides) < max(1, smallest):
        return
    drawn = picture(*sides, min_cell=smallest)
    assert drawn is not None
    assert len(set(drawn["levels"])) == len(drawn["levels"])
    for side, column in zip(("reference", "current"), sides, strict=True):
        shown = counts_of(drawn[side], column.n)
        assert shown.sum() == column.n
        assert np.all((shown == 0) | (shown >= smallest))


def test_many_levels_are_pooled_beyond_the_twenty_largest() -> None:
    column = Distribution.of_levels([f"level {i:02d}" for i in range(40)], range(60, 20, -1))
    drawn = picture(column, column)
    assert drawn is not None
    assert drawn["levels"][:2] == ["level 00", "level 01"]
    assert (len(drawn["levels"]), drawn["levels"][-1]) == (21, "(other)")


def test_a_rare_level_is_never_named() -> None:
    column = Distribution.of_levels(["common", "usual", "rare disease"], [500, 300, 3])
    drawn = picture(column, column)
    assert drawn is not None
    assert drawn["levels"] == ["common", "(other)"]
    assert drawn["reference"][1] == pytest.approx(303 / 803, abs=1e-6)


def test_few_whole_numbers_get_a_bin_each() -> None:
    column = Distribution.of_numbers(np.repeat(np.arange(5.0), 100))
    drawn = picture(column, column)
    assert drawn is not None
    assert drawn["edges"] == [-0.5, 0.5, 1.5, 2.5, 3.5, 4.5]
    assert drawn["reference"] == [0.2] * 5


def test_an_outlier_neither_flattens_the_picture_nor_shows_itself() -> None:
    rng = np.random.default_rng(3)
    usual = rng.normal(100, 10, 5000)
    drawn = picture(Distribution.of_numbers(usual), Distribution.of_numbers([*usual, 1.23456e6]))
    assert drawn is not None
    assert 15 <= len(drawn["edges"]) - 1 <= 31
    assert max(drawn["edges"]) < 200


def test_a_constant_column_has_a_picture() -> None:
    for value in (0.0, 0.1, 1e300, -7.0):
        column = Distribution.of_numbers([value] * 50)
        drawn = picture(column, column)
        assert drawn is not None
        assert drawn["reference"] == [1.0]


def test_a_side_with_too_few_rows_has_no_picture() -> None:
    assert picture(Distribution.of_numbers([1.0] * 5), Distribution.of_numbers(np.arange(50.0))) is None
