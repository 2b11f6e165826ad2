"""data_drift and drift_share: what fails, what passes, what stays undecided, what is an error."""

import numpy as np
import pandas as pd
import pytest

from pytest_readmit import SuiteError

NUMBER_METHODS = ("ks", "wasserstein", "mean_shift", "psi", "jensen_shannon", "hellinger")
TEXT_METHODS = ("total_variation", "psi", "jensen_shannon", "hellinger")
DEFAULTS = {
    "ks": 0.10,
    "total_variation": 0.10,
    "wasserstein": 0.25,
    "mean_shift": (-0.25, 0.25),
    "psi": 0.06,
    "jensen_shannon": 0.10,
    "hellinger": 0.09,
}
ONLY_P = {
    "chi2": "abab",
    "cramers_v": "abab",
    "energy": "n",
    "cramer_von_mises": "n",
    "anderson_darling": "n",
}


def numbers(seed: int, rows: int, shift: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, 1, rows)


def levels(seed: int, rows: int, p: tuple[float, ...] = (0.5, 0.3, 0.2)) -> np.ndarray:
    return np.random.default_rng(seed).choice(["low", "middle", "high"], rows, p=p)


@pytest.mark.parametrize("method", NUMBER_METHODS)
def test_numbers_that_stayed_pass_and_numbers_that_moved_fail(method, of_column) -> None:
    before = numbers(1, 20_000)
    stayed = of_column("data_drift", before, numbers(2, 20_000), method=method)
    moved = of_column("data_drift", before, numbers(3, 20_000, 0.6), method=method)
    assert (stayed.verdict, moved.verdict) == ("pass", "fail"), (stayed.message, moved.message)
    assert stayed.limit == moved.limit == DEFAULTS[method]
    assert moved.details["histogram"]["edges"]
    assert moved.details["kind"] == "numerical"


@pytest.mark.parametrize("method", TEXT_METHODS)
def test_categories_that_stayed_pass_and_categories_that_moved_fail(method, of_column) -> None:
    before = levels(1, 20_000)
    stayed = of_column("data_drift", before, levels(2, 20_000), method=method)
    moved = of_column("data_drift", before, levels(3, 20_000, (0.2, 0.3, 0.5)), method=method)
    assert (stayed.verdict, moved.verdict) == ("pass", "fail"), (stayed.message, moved.message)
    assert moved.limit == DEFAULTS[method]
    assert set(moved.details["histogram"]["levels"]) == {"low", "middle", "high"}


def test_a_drift_of_half_a_deviation_is_told_with_its_bounds_and_limit(of_column) -> None:
    found = of_column("data_drift", numbers(1, 3000), numbers(2, 3000, 0.5))
    assert found.verdict == "fail"
    assert found.message.startswith("x moved by 0.")
    assert "(KS" in found.message
    assert "the limit is 0.1" in found.message
    assert found.interval[0] < found.estimate < found.interval[1]


def test_a_mean_shift_has_a_sign_and_fails_either_way(of_column) -> None:
    before = numbers(1, 5000)
    up = of_column("data_drift", before, numbers(2, 5000, 0.5), method="mean_shift")
    down = of_column("data_drift", before, numbers(3, 5000, -0.5), method="mean_shift")
    assert up.verdict == down.verdict == "fail"
    assert up.estimate > 0.4
    assert down.estimate < -0.4
    assert up.direction == "within"
    assert up.details["change"] == pytest.approx(up.details["current"] - up.details["reference"])


@pytest.mark.parametrize("rows", [1, 2, 29])
@pytest.mark.parametrize("method", ["auto", "wasserstein", "psi"])
def test_fewer_than_thirty_rows_never_decide(method, rows, of_column) -> None:
    found = of_column("data_drift", numbers(1, 3000), numbers(2, rows, 9.0), method=method)
    assert found.verdict == "inconclusive", found.message
    assert "fewer than 30" in found.message


def test_a_few_hundred_rows_that_stayed_are_inconclusive_and_say_what_would_help(of_column) -> None:
    found = of_column("data_drift", numbers(1, 300), numbers(2, 300))
    assert found.verdict == "inconclusive"
    assert found.certifiable == found.interval[1]
    assert "rows of current would" in found.message


@pytest.mark.parametrize("side", ["reference", "current"])
@pytest.mark.parametrize("method", ["auto", "wasserstein"])
def test_a_column_without_a_value_is_an_error_that_names_the_side(method, side, of_column) -> None:
    empty, full = [None] * 50, list(numbers(1, 50))
    before, after = (empty, full) if side == "reference" else (full, empty)
    found = of_column("data_drift", before, after, method=method, roles={"numerical": ["x"]})
    assert found.verdict == "error"
    assert f"0 non-missing of 50 rows in {side}" in found.message


def test_a_dataset_without_rows_is_an_error(of_column) -> None:
    found = of_column("data_drift", numbers(1, 50), np.array([], dtype=float))
    assert found.verdict == "error"


@pytest.mark.parametrize("method", NUMBER_METHODS)
def test_the_same_constant_on_both_sides_has_not_moved(method, of_column) -> None:
    found = of_column("data_drift", [5.5] * 4000, [5.5] * 3000, method=method)
    assert (found.verdict, found.estimate) == ("pass", 0)
    assert "one and the same value" in found.details["notes"][0]


@pytest.mark.parametrize("method", [*TEXT_METHODS, "chi2", "cramers_v"])
def test_the_same_single_category_on_both_sides_has_not_moved(method, of_column) -> None:
    keys = {"p_value": 0.05} if method in ONLY_P else {}
    found = of_column("data_drift", ["a"] * 4000, ["a"] * 3000, method=method, **keys)
    assert (found.verdict, found.estimate) == ("pass", 0)


@pytest.mark.parametrize("method", ["energy", "cramer_von_mises", "anderson_darling"])
def test_a_constant_has_p_value_one_for_every_test(method, of_column) -> None:
    found = of_column("data_drift", [1.5] * 40, [1.5] * 50, method=method, p_value=0.05)
    assert (found.verdict, found.p_value) == ("pass", 1)


def test_a_constant_that_became_another_is_full_drift_by_ks_and_an_error_by_deviations(of_column) -> None:
    before, after = [1.5] * 200, [2.5] * 200
    assert of_column("data_drift", before, after).verdict == "fail"
    for method in ("wasserstein", "mean_shift", "psi"):
        found = of_column("data_drift", before, after, method=method)
        assert found.verdict == "error"
        assert "constant in reference" in found.message


def test_infinite_values_are_an_error(of_column) -> None:
    found = of_column("data_drift", numbers(1, 100), [*numbers(2, 99), np.inf])
    assert found.verdict == "error"
    assert "infinite" in found.message


@pytest.mark.parametrize("method", ["ks", "wasserstein", "mean_shift"])
def test_a_method_for_numbers_does_not_measure_categories(method, of_column) -> None:
    found = of_column("data_drift", levels(1, 100), levels(2, 100), method=method)
    assert found.verdict == "error"
    assert "is categorical" in found.message
    assert "total_variation" in found.message


def test_a_method_for_categories_does_not_measure_numbers(of_column) -> None:
    found = of_column("data_drift", numbers(1, 100), numbers(2, 100), method="total_variation")
    assert found.verdict == "error"
    assert "is numerical" in found.message


def test_a_date_is_compared_only_if_the_suite_says_as_what(find, reference, current) -> None:
    assert "dischtime" not in [f.subject for f in find("data_drift", reference, current, roles={})]
    named = find("data_drift", reference, current, roles={}, columns=["dischtime"])[0]
    assert named.verdict == "error"
    assert "is time" in named.message
    roles = {"numerical": ["dischtime"]}
    assert find("data_drift", reference, current, roles=roles, columns=["dischtime"])[0].method == "ks"


def test_text_where_the_reference_has_numbers_is_an_error_of_that_column(find) -> None:
    before = pd.DataFrame({"x": numbers(1, 100), "y": numbers(2, 100)})
    after = pd.DataFrame({"x": ["many"] * 100, "y": numbers(3, 100)})
    verdicts = {finding.subject: finding.verdict for finding in find("data_drift", before, after, roles={})}
    assert verdicts["x"] == "error"
    assert verdicts["y"] != "error"


@pytest.mark.parametrize("method", ONLY_P)
def test_a_method_without_a_population_limit_needs_a_p_value_or_an_estimate(method, of_column) -> None:
    values = list("ab") * 50 if ONLY_P[method] == "abab" else list(numbers(1, 100))
    for keys in ({}, {"max": 0.1}, {"decide_by": "estimate"}):
        with pytest.raises(SuiteError, match="limit"):
            of_column("data_drift", values, values, method=method, **keys)
    assert of_column("data_drift", values, values, method=method, p_value=0.05).verdict == "pass"
    by_size = of_column("data_drift", values, values, method=method, decide_by="estimate", max=0.5)
    assert by_size.verdict == "pass"


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"method": "metod"}, "method"),
        ({"method": "ks", "max": 1.5}, "never above 1"),
        ({"max": -0.1}, "max"),
        ({"max": 0.1, "p_value": 0.05}, "no effect"),
        ({"method": "ks", "yates": True, "p_value": 0.05}, "yates"),
        ({"method": "ks", "bins": 10}, "bins"),
        ({"method": "psi", "bins": 1}, "bins"),
        ({"bin": 3}, "bin"),
    ],
)
def test_keys_that_contradict_each_other_are_found_before_any_data_is_read(keys, says, of_column) -> None:
    with pytest.raises(SuiteError, match=says):
        of_column("data_drift", [1.0], [1.0], **keys)


def test_the_number_of_bins_changes_a_binned_distance(of_column) -> None:
    before, after = numbers(1, 5000), numbers(2, 5000, 0.3)
    ten, four = (of_column("data_drift", before, after, method="psi", **keys) for keys in ({}, {"bins": 4}))
    assert ten.estimate != four.estimate


def test_repeated_patients_widen_the_bounds(find_one) -> None:
    rng = np.random.default_rng(4)

    def frame() -> pd.DataFrame:
        own = rng.normal(0, 1, 500)
        patients = np.repeat(np.arange(500), 4)
        return pd.DataFrame({"patient": patients, "x": own[patients] + rng.normal(0, 0.1, 2000)})

    before, after = frame(), frame()
    plain = find_one("data_drift", before, after, roles={"ignore": ["patient"]}, method="mean_shift")
    honest = find_one("data_drift", before, after, roles={"patient": "patient"}, method="mean_shift")
    assert honest.interval[1] - honest.interval[0] > 1.5 * (plain.interval[1] - plain.interval[0])


def test_thirty_rows_of_few_patients_never_decide(find_one) -> None:
    before = pd.DataFrame({"patient": np.arange(2000), "x": numbers(1, 2000)})
    after = pd.DataFrame({"patient": np.arange(2000) % 20, "x": numbers(2, 2000, 3.0)})
    found = find_one("data_drift", before, after, roles={"patient": "patient"})
    assert found.verdict == "inconclusive"
    assert "patients" in found.message


def test_few_whole_numbers_give_a_warning_until_the_suite_says_what_they_are(of_column) -> None:
    before, after = ([1, 2, 3, 4] * 500, [1, 2, 3, 4] * 400)
    found = of_column("data_drift", before, after)
    assert "columns.numerical or columns.categorical" in found.details["warning"]
    for roles in ({"numerical": ["x"]}, {"categorical": ["x"]}):
        assert "warning" not in of_column("data_drift", before, after, roles=roles).details
    assert "warning" not in of_column("data_drift", list(range(11)) * 90, list(range(11)) * 80).details


def features(moved: int, of: int, rows: int = 4000) -> tuple[pd.DataFrame, pd.DataFrame]:
    before = {f"f{i}": numbers(i, rows) for i in range(of)}
    after = {f"f{i}": numbers(100 + i, rows, 0.8 if i < moved else 0.0) for i in range(of)}
    return pd.DataFrame(before), pd.DataFrame(after)


@pytest.mark.parametrize(("moved", "verdict"), [(0, "pass"), (3, "pass"), (4, "fail"), (10, "fail")])
def test_drift_share_fails_iff_more_than_the_limit_drifted(moved, verdict, find_one) -> None:
    found = find_one("drift_share", *features(moved, 10), roles={})
    assert (found.verdict, found.estimate) == (verdict, moved / 10)
    assert found.subject is None
    assert f"{moved} of 10 features drifted" in found.message
    assert found.interval == (moved / 10, moved / 10)


def test_drift_share_of_a_small_sample_is_undecided(find_one) -> None:
    found = find_one("drift_share", *features(0, 10, 200), roles={})
    assert found.verdict == "inconclusive"
    assert found.interval[1] == 1


def test_drift_share_counts_rows_like_any_other_check(find_one) -> None:
    assert find_one("drift_share", *features(10, 10, 25), roles={}).verdict == "inconclusive"


def test_drift_share_names_a_feature_that_cannot_be_measured(find_one) -> None:
    before, after = features(0, 4, 400)
    after["f2"] = np.nan
    found = find_one("drift_share", before, after, roles={})
    assert found.verdict == "error"
    assert "1 of 4 features" in found.message
    assert "f2" in found.message
    assert find_one("drift_share", before, after, roles={}, columns=["f0", "f1"]).verdict != "error"


def test_drift_share_uses_the_limit_of_a_column(find_one) -> None:
    before, after = features(5, 10)
    assert find_one("drift_share", before, after, roles={}, column_max=0.9).estimate == 0
    assert find_one("drift_share", before, after, roles={}, method="mean_shift").estimate == 0.5
    by_size = find_one("drift_share", before, after, roles={}, decide_by="estimate")
    assert (by_size.verdict, by_size.estimate) == ("fail", 0.5)


def test_drift_share_refuses_what_data_drift_refuses(find_one) -> None:
    for keys in ({"method": "energy"}, {"column_max": 2}, {"p_value": 0.05, "column_max": 0.1}):
        with pytest.raises(SuiteError):
            find_one("drift_share", *features(0, 2, 50), roles={}, **keys)
