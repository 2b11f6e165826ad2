"""The rules that the mission states: the numbers are scipy's, to the last digit."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2_contingency, ks_2samp

SIZES = ((40, 60), (300, 5000), (9_999, 10_000), (10_001, 9_000), (25_000, 12_000))


def table(before, after) -> np.ndarray:
    levels = sorted({*before.dropna(), *after.dropna()})
    return np.array([[int((side == level).sum()) for level in levels] for side in (before, after)])


def columns(n: int, m: int, seed: int = 3) -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(seed)

    def frame(rows: int, shift: float) -> pd.DataFrame:
        numbers = rng.normal(shift, 1, rows)
        numbers[rng.random(rows) < 0.04] = np.nan
        return pd.DataFrame(
            {
                "fine": numbers,
                "tied": rng.poisson(3 + shift, rows).astype(float) + 0.5,
                "sex": rng.choice(["F", "M"], rows, p=[0.5 + shift / 3, 0.5 - shift / 3]),
                "ward": rng.choice(
                    ["a", "b", "c", None], rows, p=[0.5, 0.3 - shift / 5, 0.1 + shift / 5, 0.1]
                ),
            }
        )

    return frame(n, 0.0), frame(m, 0.03)


@pytest.mark.parametrize(("n", "m"), SIZES)
@pytest.mark.parametrize("name", ["fine", "tied"])
def test_ks_with_a_p_value_is_ks_2samp_on_what_is_not_missing(name, n, m, find_one) -> None:
    before, after = columns(n, m)
    found = find_one("data_drift", before, after, roles={}, columns=[name], method="ks", p_value=0.05)
    expected = ks_2samp(before[name].dropna(), after[name].dropna())
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-9)
    assert found.estimate == pytest.approx(expected.statistic, abs=1e-15)
    assert (found.verdict == "fail") == (expected.pvalue < 0.05)
    assert found.limit is None
    assert found.alpha == 0.05


@pytest.mark.parametrize(("n", "m"), SIZES)
@pytest.mark.parametrize("yates", [True, False])
@pytest.mark.parametrize("name", ["sex", "ward"])
def test_chi2_is_chi2_contingency_over_the_union_of_categories(name, yates, n, m, find_one) -> None:
    before, after = columns(n, m)
    found = find_one(
        "data_drift", before, after, roles={}, columns=[name], method="chi2", p_value=0.05, yates=yates
    )
    expected = chi2_contingency(table(before[name], after[name]), correction=yates)
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-9)
    assert found.estimate == pytest.approx(expected.statistic, rel=1e-9)
    assert found.details["df"] == expected.dof


def test_a_category_of_one_side_only_is_part_of_the_table(of_column) -> None:
    before, after = ["a"] * 60 + ["b"] * 40, ["a"] * 60 + ["b"] * 30 + ["new"] * 10
    found = of_column("data_drift", before, after, method="chi2", p_value=0.05)
    expected = chi2_contingency([[60, 40, 0], [60, 30, 10]], correction=False)
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-12)
    assert found.verdict == "fail"


def test_auto_takes_ks_and_chi2_where_a_p_value_decides(find) -> None:
    before, after = columns(500, 500)
    findings = find("data_drift", before, after, roles={}, p_value=0.05)
    assert {finding.subject: finding.method for finding in findings} == {
        "fine": "ks",
        "tied": "ks",
        "sex": "chi2",
        "ward": "chi2",
    }
    findings = find("data_drift", before, after, roles={})
    assert {finding.subject: finding.method for finding in findings} == {
        "fine": "ks",
        "tied": "ks",
        "sex": "total_variation",
        "ward": "total_variation",
    }


def test_p_values_are_not_corrected_unless_asked_and_then_by_the_number_of_features(find) -> None:
    before, after = columns(500, 500)
    plain = find("data_drift", before, after, roles={}, p_value=0.05)
    assert {finding.alpha for finding in plain} == {0.05}
    corrected = find("data_drift", before, after, roles={}, p_value=0.05, correction="entry")
    assert {finding.alpha for finding in corrected} == {0.05 / 4}


@pytest.mark.parametrize("largest", [0.2, 0.5, 0.75])
def test_the_share_of_drifted_features_fails_only_above_the_limit(largest, find_one) -> None:
    rng = np.random.default_rng(1)
    before = pd.DataFrame({name: rng.normal(0, 1, 400) for name in "abcd"})
    after = pd.DataFrame({name: rng.normal(1 if name in "ab" else 0, 1, 400) for name in "abcd"})
    expected = np.mean([ks_2samp(before[name], after[name]).pvalue < 0.05 for name in "abcd"])
    assert expected == 0.5
    found = find_one("drift_share", before, after, roles={}, p_value=0.05, max=largest)
    assert found.estimate == expected
    assert found.verdict == ("fail" if expected > largest else "pass")
    assert found.limit == largest
    assert found.details["drifted"] == ["a", "b"]


@pytest.mark.parametrize(
    ("method", "kind"),
    [
        ("ks", "number"),
        ("wasserstein", "number"),
        ("mean_shift", "number"),
        ("psi", "number"),
        ("jensen_shannon", "number"),
        ("hellinger", "number"),
        ("energy", "number"),
        ("cramer_von_mises", "number"),
        ("anderson_darling", "number"),
        ("total_variation", "text"),
        ("psi", "text"),
        ("jensen_shannon", "text"),
        ("hellinger", "text"),
        ("chi2", "text"),
        ("cramers_v", "text"),
    ],
)
def test_every_method_can_decide_by_a_p_value(method, kind, of_column) -> None:
    rng = np.random.default_rng(5)
    if kind == "number":
        before, same, other = rng.normal(0, 1, 300), rng.normal(0, 1, 300), rng.normal(1, 1, 300)
    else:
        before, same = rng.choice(list("abc"), 300), rng.choice(list("abc"), 300)
        other = rng.choice(list("abc"), 300, p=[0.8, 0.1, 0.1])
    for after, verdict in ((same, "pass"), (other, "fail")):
        found = of_column("data_drift", before, after, method=method, p_value=0.01)
        assert (found.verdict, found.method, found.decide_by) == (verdict, method, "p_value"), found.message
        assert found.p_value is not None
