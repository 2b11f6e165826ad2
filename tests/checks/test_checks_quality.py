"""unseen_categories, out_of_range, extreme_values."""

import numpy as np
import pandas as pd
import pytest

from pytest_readmit import SuiteError


def wards(rows: int = 20_000, new: int = 0, name: str = "hospice") -> list[str]:
    return [name] * new + [("medicine", "surgery", "cardiology")[i % 3] for i in range(rows - new)]


@pytest.mark.parametrize(("new", "verdict"), [(0, "pass"), (5, "pass"), (200, "fail"), (45, "inconclusive")])
def test_a_new_category_fails_above_two_rows_in_a_thousand(new, verdict, of_column) -> None:
    found = of_column("unseen_categories", wards(), wards(new=new))
    assert found.verdict == verdict, found.message
    assert found.limit == 0.002
    assert found.estimate == pytest.approx(new / 20_000)


def test_categories_are_named_only_where_enough_rows_hold_them(of_column) -> None:
    found = of_column("unseen_categories", wards(), [*wards(new=200), *["rare"] * 3])
    assert found.details["table"]["rows"] == [["hospice", 200]]


def test_codes_that_are_mostly_unique_are_expected_to_bring_new_ones(of_column) -> None:
    rng = np.random.default_rng(0)
    codes = [f"c{i}" for i in rng.zipf(1.3, 40_000) % 100_000]
    found = of_column("unseen_categories", codes[:20_000], codes[20_000:])
    assert found.details["current"] > 0.05
    assert found.details["reference"] > 0.05
    assert abs(found.estimate) < 0.02
    assert found.verdict != "fail"


def test_missing_is_not_a_category(of_column) -> None:
    found = of_column("unseen_categories", wards(), [*wards(), *[None] * 5000])
    assert (found.verdict, found.estimate) == ("pass", 0)


def test_only_categorical_features_are_asked_for_unseen_categories(find, reference, current) -> None:
    assert [finding.subject for finding in find("unseen_categories", reference, current)] == ["sex", "ward"]


def test_an_empty_side_or_a_number_is_an_error(of_column) -> None:
    assert of_column("unseen_categories", wards(), [None] * 100).verdict == "error"
    found = of_column("unseen_categories", [1.5] * 100, [2.5] * 100)
    assert found.verdict == "error"


def ages(outside: int, rows: int = 5000, value: float = 140.0) -> pd.DataFrame:
    return pd.DataFrame(
        {"age": [value] * outside + [40.0 + i % 50 for i in range(rows - outside)], "los": 3.5}
    )


@pytest.mark.parametrize(
    ("outside", "verdict"), [(0, "pass"), (20, "pass"), (120, "fail"), (50, "inconclusive")]
)
@pytest.mark.parametrize("value", [140.0, -3.0])
def test_more_than_one_row_in_a_hundred_outside_its_range_fails(outside, verdict, value, find_one) -> None:
    found = find_one("out_of_range", None, ages(outside, value=value), roles={}, ranges={"age": [0, 120]})
    assert found.verdict == verdict, found.message
    assert (found.subject, found.limit) == ("age", 0.01)
    assert found.estimate == pytest.approx(outside / 5000)
    assert "outside [0, 120]" in found.message


def test_out_of_range_has_a_case_for_each_column_of_ranges(find) -> None:
    findings = find(
        "out_of_range", None, ages(0), roles={}, ranges={"los": [0, 3], "age": [0, 120], "agee": [0, 1]}
    )
    verdicts = {finding.subject: finding.verdict for finding in findings}
    assert verdicts == {"los": "fail", "age": "pass", "agee": "error"}


def test_a_named_column_that_is_not_there_is_an_error_beside_those_that_are(find) -> None:
    findings = find(
        "out_of_range", None, ages(0), roles={}, ranges={"age": [0, 120]}, columns=["agee", "age"]
    )
    verdicts = {finding.subject: finding.verdict for finding in findings}
    assert verdicts == {"age": "pass", "agee": "error"}


def test_the_ends_of_a_range_are_inside_and_an_end_may_be_open(find_one) -> None:
    exact = pd.DataFrame({"age": [0.0, 120.0] * 500})
    assert find_one("out_of_range", None, exact, roles={}, ranges={"age": [0, 120]}).estimate == 0
    assert find_one("out_of_range", None, exact, roles={}, ranges={"age": [1, None]}).estimate == 0.5
    assert find_one("out_of_range", None, exact, roles={}, ranges={"age": [None, 1]}).estimate == 0.5


@pytest.mark.parametrize(
    "ranges", [{}, {"age": [5, 1]}, {"age": [None, None]}, {"age": [0]}, {"age": 120}, {"age": ["0", "9"]}]
)
def test_a_range_that_is_none_is_found_before_any_data_is_read(ranges, find_one) -> None:
    with pytest.raises(SuiteError, match=r"ranges|age"):
        find_one("out_of_range", None, ages(0), roles={}, ranges=ranges)


def test_out_of_range_needs_ranges(find_one) -> None:
    with pytest.raises(SuiteError, match="ranges"):
        find_one("out_of_range", None, ages(0), roles={})


def labs(seed: int, gross: int = 0, rows: int = 20_000) -> np.ndarray:
    values = np.random.default_rng(seed).lognormal(np.log(5.8), 0.25, rows)
    values[:gross] *= 18
    return values


@pytest.mark.parametrize(
    ("gross", "verdict"), [(0, "pass"), (10, "pass"), (200, "fail"), (45, "inconclusive")]
)
def test_gross_outliers_fail_where_they_rise_by_two_in_a_thousand(gross, verdict, of_column) -> None:
    found = of_column("extreme_values", labs(1), labs(2, gross))
    assert found.verdict == verdict, found.message
    assert found.limit == 0.002


def test_one_row_in_a_hundred_times_eighteen_fails_at_three_thousand_rows(of_column) -> None:
    assert of_column("extreme_values", labs(1, rows=3000), labs(2, 30, rows=3000)).verdict == "fail"


def test_outliers_of_the_reference_do_not_count_against_current(of_column) -> None:
    found = of_column("extreme_values", labs(1, 400), labs(2, 400))
    assert found.verdict != "fail"
    assert abs(found.estimate) < 0.001
    assert found.details["reference"] > 0.01
    assert of_column("extreme_values", labs(1, 400), labs(2)).verdict == "pass"


def test_a_log_scale_makes_room_for_skewed_counts(of_column) -> None:
    rng = np.random.default_rng(0)
    before, after = (rng.lognormal(1, 1.4, 20_000).round() for _ in range(2))
    after[:200] *= 8
    plain = of_column("extreme_values", before, after)
    scaled = of_column("extreme_values", before, after, scale="log1p")
    assert scaled.details["current"] < plain.details["current"]
    negative = of_column("extreme_values", before, after - 5, scale="log1p")
    assert negative.verdict == "error"
    assert "log1p" in negative.message


def test_where_most_values_are_equal_the_deviation_sets_the_reach(of_column) -> None:
    before = [0.0] * 9000 + [1.0] * 1000
    assert of_column("extreme_values", before, before).verdict == "pass"
    assert of_column("extreme_values", before, [0.0] * 9000 + [50.0] * 1000).verdict == "fail"


def test_a_constant_has_no_reach_but_may_stay_as_it_is(of_column) -> None:
    same = of_column("extreme_values", [2.5] * 5000, [2.5] * 5000)
    assert (same.verdict, same.estimate) == ("pass", 0)
    other = of_column("extreme_values", [2.5] * 5000, [3.5] * 5000)
    assert other.verdict == "error"
    assert "constant" in other.message
