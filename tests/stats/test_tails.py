"""Tails and quantiles written by hand agree with scipy and mpmath, far into the tail."""

import math

import numpy as np
import pytest
import scipy.special
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from pytest_readmit.stats import divergence, tails

ALPHAS = [0.9, 0.5, 0.05, 1e-3, 1e-9, 1e-40, 1e-290]


@pytest.mark.parametrize("alpha", ALPHAS)
def test_normal_quantile_and_tail_undo_each_other(alpha: float) -> None:
    z = tails.normal_quantile(alpha)
    assert z == pytest.approx(scipy.stats.norm.isf(alpha), rel=1e-12)
    assert tails.normal_tail(z) == pytest.approx(alpha, rel=1e-12)


@pytest.mark.parametrize("alpha", ALPHAS)
def test_kolmogorov_quantile_and_tail_undo_each_other(alpha: float) -> None:
    t = tails.kolmogorov_quantile(alpha)
    assert tails.kolmogorov_tail(t) == pytest.approx(alpha, rel=1e-11)
    assert t == pytest.approx(scipy.special.kolmogi(alpha), rel=1e-9)


@pytest.mark.parametrize("t", [0.0, 0.19, 0.21, 0.5, 0.9999, 1.0, 1.3581, 2.0, 5.0])
def test_kolmogorov_tail_is_scipys(t: float) -> None:
    assert tails.kolmogorov_tail(t) == pytest.approx(scipy.special.kolmogorov(t), rel=1e-12, abs=1e-12)


def test_the_quantile_of_everything_is_zero() -> None:
    assert tails.kolmogorov_quantile(1.0) == 0.0


@given(st.floats(0, 1, allow_subnormal=False), st.floats(0.3, 5000), st.floats(0.3, 5000))
def test_the_incomplete_beta_function_is_scipys(x: float, a: float, b: float) -> None:
    lower, upper = tails.beta_tails(x, a, b)
    assert lower == pytest.approx(scipy.special.betainc(a, b, x), rel=1e-8, abs=1e-300)
    assert upper == pytest.approx(scipy.special.betaincc(a, b, x), rel=1e-8, abs=1e-300)


@pytest.mark.parametrize("rows", [1e5, 1e7, 1e9])
def test_the_incomplete_beta_function_holds_for_many_rows(rows: float) -> None:
    events = 0.01 * rows
    expected = scipy.special.betainc(events, rows - events + 1, 0.0101)
    assert tails.beta_tails(0.0101, events, rows - events + 1)[0] == pytest.approx(expected, rel=1e-5)


@given(st.floats(0.01, 3000), st.integers(1, 200), st.floats(0, 2000))
def test_the_noncentral_chi_square_is_scipys(statistic: float, df: int, noncentrality: float) -> None:
    lower, upper = divergence.noncentral_tails(statistic, df, noncentrality)
    law = scipy.stats.ncx2(df, noncentrality) if noncentrality else scipy.stats.chi2(df)
    assert lower == pytest.approx(law.cdf(statistic), rel=1e-6, abs=1e-12)
    assert upper == pytest.approx(law.sf(statistic), rel=1e-6, abs=1e-12)
    assert lower + upper == pytest.approx(1.0)


@pytest.mark.parametrize("alpha", [1e-200, 1e-6, 0.05, 0.4])
def test_noncentrality_bounds_have_probability_alpha(alpha: float) -> None:
    statistic, df = 900.0, 9
    low = divergence.lower_noncentrality(statistic, df, alpha)
    high = divergence.upper_noncentrality(statistic, df, alpha)
    assert divergence.noncentral_tails(statistic, df, high)[0] == pytest.approx(alpha, rel=1e-6)
    if low:
        assert divergence.noncentral_tails(statistic, df, low)[1] == pytest.approx(alpha, rel=1e-6)
    assert low <= statistic - df <= high


def test_bisection_returns_the_side_that_answers_true() -> None:
    root = tails.bisect(lambda x: x * x >= 2, 0.0, 2.0)
    assert root * root >= 2
    assert root == pytest.approx(math.sqrt(2), abs=np.finfo(float).eps * 2)


@pytest.mark.parametrize("guess", [0.0, 1.4, 1.4142135623730951, 40.0])
def test_a_root_is_found_from_any_guess(guess: float) -> None:
    assert tails.root_of_rising(lambda x: x * x - 2, guess) == pytest.approx(math.sqrt(2), abs=1e-12)
