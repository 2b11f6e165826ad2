"""missing_drift: a change in missing values, either way, with the tighter limit where there were none."""

import numpy as np
import pandas as pd
import pytest


def column(missing: float, rows: int = 5000, kind: str = "number") -> list:
    holes = round(missing * rows)
    filled = [1.5, 2.5] if kind == "number" else ["a", "b"]
    return [None] * holes + [filled[i % 2] for i in range(rows - holes)]


@pytest.mark.parametrize("kind", ["number", "text"])
@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        (0.05, 0.05, "pass"),
        (0.05, 0.07, "pass"),
        (0.05, 0.15, "fail"),
        (0.15, 0.05, "fail"),
        (0.05, 1.0, "fail"),
    ],
)
def test_a_change_of_more_than_five_points_fails_either_way(kind, before, after, verdict, of_column) -> None:
    found = of_column("missing_drift", column(before, kind=kind), column(after, kind=kind))
    assert found.verdict == verdict, found.message
    assert found.limit == (-0.05, 0.05)
    assert found.estimate == pytest.approx(after - before)
    assert found.details["relative_change"] == pytest.approx((after - before) / before)


def test_where_nothing_was_missing_one_point_is_the_limit(of_column) -> None:
    found = of_column("missing_drift", column(0.0), column(0.03))
    assert (found.verdict, found.limit) == ("fail", (-0.01, 0.01))
    assert found.details["relative_change"] is None
    assert of_column("missing_drift", column(0.0), column(0.0)).verdict == "pass"
    assert of_column("missing_drift", column(0.0), column(0.03), max=0.05).verdict == "pass"


@pytest.mark.parametrize(
    ("direction", "up", "down"),
    [("either", "fail", "fail"), ("up", "fail", "pass"), ("down", "pass", "fail")],
)
def test_the_direction_says_which_change_counts(direction, up, down, of_column) -> None:
    low, high = column(0.05), column(0.15)
    assert of_column("missing_drift", low, high, direction=direction).verdict == up
    assert of_column("missing_drift", high, low, direction=direction).verdict == down


def test_a_column_that_is_missing_throughout_on_both_sides_has_not_changed(of_column) -> None:
    found = of_column("missing_drift", column(1.0), column(1.0))
    assert (found.verdict, found.estimate) == ("pass", 0)


def test_no_rows_are_an_error_and_few_rows_undecided(of_column) -> None:
    assert of_column("missing_drift", column(0.05), []).verdict == "error"
    assert of_column("missing_drift", column(0.05), column(1.0, 29)).verdict == "inconclusive"
    assert of_column("missing_drift", column(0.05), column(0.05, 40)).verdict == "inconclusive"


def test_dates_can_be_missing_too(find_one) -> None:
    def frame(missing: int) -> pd.DataFrame:
        days = pd.Series(pd.Timestamp("2026-01-01"), index=range(4000)).mask(np.arange(4000) < missing)
        return pd.DataFrame({"seen": days, "x": 1.0})

    found = find_one("missing_drift", frame(100), frame(900), roles={}, columns=["seen"])
    assert found.verdict == "fail"


def test_infinite_values_are_not_missing(of_column) -> None:
    found = of_column("missing_drift", [1.5] * 4000, [np.inf] * 2000 + [1.5] * 2000)
    assert (found.verdict, found.estimate) == ("pass", 0)


def test_the_p_value_is_the_pooled_two_sided_z_test(of_column) -> None:
    found = of_column("missing_drift", column(0.05, 1000), column(0.08, 1000), p_value=0.05)
    pooled = 0.065
    z = 0.03 / np.sqrt(pooled * (1 - pooled) * (2 / 1000))
    from scipy.stats import norm

    assert found.p_value == pytest.approx(2 * norm.sf(z))
    assert found.verdict == "fail"
