"""Distances and tests against scipy, and against what can be worked out by hand."""

import subprocess
import sys

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon

from pytest_readmit.stats import contingency, divergence, energy, ks, shift, variation, wasserstein
from pytest_readmit.stats.distribution import Distribution
from pytest_readmit.stats.effect import Undefined

tied = st.lists(st.integers(-9, 9).map(float), min_size=1, max_size=80)
heavy = st.lists(st.sampled_from([0.0, 0.0, 0.0, 1.0, 2.5]), min_size=1, max_size=80)
real = st.lists(st.floats(-1e9, 1e9, allow_subnormal=False), min_size=1, max_size=80)
columns = st.one_of(tied, heavy, real)
levels = st.lists(st.integers(0, 50), min_size=2, max_size=6)


def of(values: object) -> Distribution:
    return Distribution.of_numbers(np.asarray(values, dtype=float))


def counted(values: object) -> Distribution:
    return Distribution(*of(values).distinct())


def of_levels(counts: list[int]) -> Distribution:
    return Distribution.of_levels([f"l{i}" for i in range(len(counts))], counts)


@given(columns, columns)
def test_ks_of_small_columns_is_the_largest_difference_at_any_value(a: list[float], b: list[float]) -> None:
    points = np.array(a + b)
    shares = [np.searchsorted(np.sort(side), points, side="right") / len(side) for side in (a, b)]
    expected = np.abs(shares[0] - shares[1]).max()
    for first in (of(a), counted(a)):
        for second in (of(b), counted(b)):
            assert ks.distance(first, second) == expected


def _drawn(rng: np.random.Generator) -> np.ndarray:
    """A column of some thousand rows: continuous, rounded, mostly zero, integer or with outliers."""
    size = int(rng.integers(600, 9000))
    values = rng.normal(rng.normal(0, 0.2), rng.uniform(0.8, 1.2), size)
    kind = rng.integers(5)
    if kind == 1:
        values = values.round(int(rng.integers(0, 3)))
    elif kind == 2:
        values = np.where(rng.random(size) < 0.7, 0.0, values)
    elif kind == 3:
        values = rng.poisson(3, size).astype(float)
    elif kind == 4:
        values[: size // 50] *= 88.4
    return values


@pytest.mark.parametrize("seed", range(150))
def test_ks_of_large_columns_ranks_only_what_can_still_win(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = _drawn(rng), _drawn(rng)
    expected = scipy.stats.ks_2samp(a, b, method="asymp").statistic
    # scipy's last digit differs between its releases.
    assert ks.distance(of(a), of(b)) == pytest.approx(expected, rel=1e-12)


def test_ks_sees_a_difference_outside_the_other_columns_range() -> None:
    below, above = np.arange(5000.0), np.arange(5000.0) + 2000
    assert ks.distance(of(below), of(above)) == pytest.approx(0.4, abs=1e-15)
    assert ks.distance(of(above), of(below)) == pytest.approx(0.4, abs=1e-15)
    assert ks.distance(of(below), of(below + 10_000)) == 1.0
    assert ks.distance(of([3.0] * 2000), of([3.0] * 50)) == 0.0


@pytest.mark.parametrize(
    ("n", "m"), [(40, 25), (700, 9000), (10_000, 3000), (10_001, 3000), (12_000, 15_000)]
)
@pytest.mark.parametrize("decimals", [12, 1])
def test_the_ks_p_value_is_scipys_below_and_above_ten_thousand_rows(n: int, m: int, decimals: int) -> None:
    rng = np.random.default_rng(n + m)
    a, b = rng.normal(0, 1, n).round(decimals), rng.normal(0.03, 1, m).round(decimals)
    expected = scipy.stats.ks_2samp(a, b)
    assert ks.scipy_p(of(a), of(b)) == pytest.approx((expected.statistic, expected.pvalue), rel=1e-12)
    assert ks.scipy_p(counted(a), counted(b))[1] == pytest.approx(expected.pvalue, rel=1e-12)


@given(columns, columns)
def test_wasserstein_and_energy_are_those_of_scipy(a: list[float], b: list[float]) -> None:
    scale = 1 + max(abs(v) for v in a + b)
    expected = scipy.stats.wasserstein_distance(a, b)
    assert wasserstein.raw_distance(of(a), counted(b)) == pytest.approx(expected, abs=1e-12 * scale)
    squared = scipy.stats.energy_distance(a, b) ** 2
    assert energy.squared_distance(counted(a), of(b)) == pytest.approx(squared, abs=1e-12 * scale)


@given(levels, st.data())
def test_level_distances_are_those_of_scipy(a: list[int], data: st.DataObject) -> None:
    b = data.draw(st.lists(st.integers(0, 50), min_size=len(a), max_size=len(a)))
    if not sum(a) or not sum(b):
        return
    p, q = np.array(a) / sum(a), np.array(b) / sum(b)
    first, second = of_levels(a), of_levels(b)
    assert variation.distance(first, second) == pytest.approx(np.abs(p - q).sum() / 2, abs=1e-12)
    found = divergence.jensen_shannon(first, second).estimate
    # near 0 scipy's root of a rounding error is 1e-8
    assert found == pytest.approx(np.nan_to_num(jensenshannon(p, q, base=2)), abs=1e-7)
    expected = np.sqrt(((np.sqrt(p) - np.sqrt(q)) ** 2).sum() / 2)
    assert divergence.hellinger(first, second).estimate == pytest.approx(expected, abs=1e-9)


@given(levels, st.data(), st.booleans())
def test_chi_squared_is_scipys_over_the_union_of_levels(
    a: list[int], data: st.DataObject, yates: bool
) -> None:
    b = data.draw(st.lists(st.integers(0, 50), min_size=len(a), max_size=len(a)))
    if not sum(a) or not sum(b):
        return
    table = np.array([a, b])
    table = table[:, table.sum(axis=0) > 0]
    expected = scipy.stats.chi2_contingency(table, correction=yates)
    statistic, df, p = contingency.chi2(of_levels(a), of_levels(b), yates=yates)
    assert statistic == pytest.approx(expected.statistic, rel=1e-12, abs=1e-12)
    assert df == expected.dof
    assert p == pytest.approx(expected.pvalue, rel=1e-9)


def test_cramers_v_of_opposite_halves_is_one_and_of_equal_ones_zero() -> None:
    left, right = Distribution.of_levels(["a"], [50]), Distribution.of_levels(["b"], [50])
    assert contingency.cramers_v(left, right) == 1.0
    assert contingency.cramers_v(left, left) == 0.0
    assert contingency.cramers_v(of_levels([30, 30]), of_levels([20, 20]), corrected=True) == 0.0


def test_the_smallest_expected_count_is_that_of_the_rarer_level() -> None:
    assert contingency.fewest_expected(of_levels([8, 2]), of_levels([8, 2])) == 2.0


def test_psi_of_a_column_with_itself_is_zero() -> None:
    column = of(np.arange(100.0))
    assert divergence.psi(column, column).estimate == 0


def test_psi_bins_are_numpys_quantiles_right_closed_with_open_ends() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(0, 1, 1000), rng.normal(0.5, 2, 800)
    edges = np.quantile(a, np.arange(1, 10) / 10)
    full = np.concatenate(([-np.inf], edges, [np.inf]))
    # numpy's histogram is left-closed: mirror it
    expected = np.histogram(-b, bins=-full[::-1])[0][::-1]
    before, after = divergence.counts(of(a), of(b))
    assert before.tolist() == [100] * 10
    assert after.tolist() == expected.tolist()


def test_a_bin_above_the_references_largest_value_is_never_made() -> None:
    reference = of([0.0] * 50 + [1.0] * 50)
    before, after = divergence.counts(reference, of([0.0, 1.0, 7.0]))
    assert (before.tolist(), after.tolist()) == ([50, 50], [1, 2])


def test_the_p_value_of_a_mean_shift_is_welchs() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.normal(0, 1, 60), rng.normal(0.4, 2, 45)
    effect = shift.effect(of(a), counted(b))
    assert effect.estimate == pytest.approx((b.mean() - a.mean()) / a.std(ddof=1))
    assert effect.p_null == pytest.approx(scipy.stats.ttest_ind(b, a, equal_var=False).pvalue)


def test_a_mean_needs_two_rows() -> None:
    with pytest.raises(Undefined, match="two rows"):
        shift.effect(of([1.0]), of([1.0, 2.0]))


def test_omnibus_distances_are_scipys() -> None:
    rng = np.random.default_rng(4)
    a, b = rng.normal(0, 1, 80).round(1), rng.normal(0.5, 1, 70).round(1)
    expected = scipy.stats.cramervonmises_2samp(a, b)
    assert energy.cramer_von_mises(of(a), counted(b)) == (expected.statistic, expected.pvalue)
    statistic, p = energy.anderson_darling(of(a), of(b))
    assert 0.001 <= p < 0.05
    assert statistic > 2


def test_omnibus_distances_of_one_value_are_undefined() -> None:
    with pytest.raises(Undefined, match="one value"):
        energy.anderson_darling(of([2.0] * 9), of([2.0] * 5))
    with pytest.raises(Undefined, match="2 rows"):
        energy.cramer_von_mises(of([2.0]), of([2.0, 3.0]))
    with pytest.raises(Undefined, match="numbers"):
        energy.distance(of_levels([1, 2]), of_levels([2, 1]))


def test_the_energy_permutation_is_repeatable_and_finds_drift_only_where_it_is() -> None:
    rng = np.random.default_rng(6)
    a, b, c = rng.normal(0, 1, 2000), rng.normal(0, 1, 1500), rng.normal(0.3, 1, 1500)
    assert energy.permutation_p(of(a), of(c), seed=1) == 0.001
    same = energy.permutation_p(of(a), of(b), seed=1)
    assert same > 0.05
    assert energy.permutation_p(of(a), of(b), seed=1) == same


@pytest.mark.parametrize("n", [40, 900])
def test_the_energy_permutation_keeps_its_level(n: int) -> None:
    rng = np.random.default_rng(8)
    found = [
        energy.permutation_p(of(rng.normal(size=n)), of(rng.normal(size=n)), seed=i, permutations=99)
        for i in range(300)
    ]
    assert np.mean(np.array(found) <= 0.05) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 300)


def test_the_exact_ks_p_value_counts_ties() -> None:
    a, b = of([1.0, 2.0, 2.0]), of([2.0, 3.0, 3.0])
    # of the 20 ways to choose three of 1 2 2 2 3 3, two have a D of 2/3 or more each way
    rows = np.array([1, 2, 2, 2, 3, 3])
    from itertools import combinations

    chosen = [list(c) for c in combinations(range(6), 3)]
    extreme = [ks.distance(of(rows[c]), of(np.delete(rows, c))) >= ks.distance(a, b) - 1e-9 for c in chosen]
    assert ks.exact_p(a, b) == pytest.approx(np.mean(extreme))


def test_a_plan_says_what_rows_can_decide() -> None:
    found = ks.plan(0.1, 3000, 3000, alpha=0.05, power=0.8)
    assert found.effective_size_to_certify == pytest.approx(719 / 2, rel=2e-3)  # 719 rows a side
    rows = 2 * found.effective_size_to_certify
    assert ks.plan(0.1, rows, rows).certifiable == pytest.approx(0.1)


def test_the_default_gates_import_no_scipy() -> None:
    code = """
import sys
import numpy as np
from pytest_readmit.stats import conjunction, histogram, ks, proportion, variation, wasserstein
from pytest_readmit.stats.distribution import Distribution
a, b = Distribution.of_numbers(np.arange(99.0)), Distribution.of_numbers(np.arange(99.0) + 5)
c, d = Distribution.of_levels(["x", "y"], [40, 60]), Distribution.of_levels(["x", "y"], [50, 50])
p = proportion.Proportion(3, 100)
for effect in (ks.effect(a, b), variation.effect(c, d), wasserstein.effect(a, b), proportion.share(p),
               proportion.risk_difference(p, p), proportion.excess_over(p, proportion.singletons(c)),
               proportion.risk_ratio(p, p), conjunction.share([0.1, 0.2], [0.3, 0.4], 0.0)):
    effect.bounds(1e-6), effect.p_beyond(0.1), effect.p_below(0.1)
histogram.picture(a, b), histogram.picture(c, d)
print([name for name in ("scipy", "pandas", "sklearn") if name in sys.modules])
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
