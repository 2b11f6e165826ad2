"""unit_change: which values look as if they were in another unit, and in which."""

import numpy as np
import pandas as pd
import pytest

from pytest_readmit import SuiteError
from readmit_checks.units import known_factors

TYPICAL = {"glucose": 130, "creatinine": 1.1, "haemoglobin": 13, "weight": 80, "height": 170}


def lab(name: str, seed: int, share: float = 0.0, factor: float = 1.0, rows: int = 20_000) -> pd.DataFrame:
    values = np.random.default_rng(seed).lognormal(np.log(TYPICAL.get(name, 100)), 0.15, rows)
    values[: round(share * rows)] *= factor
    return pd.DataFrame({name: values.round(2)})


@pytest.mark.parametrize(
    ("name", "factor"),
    [("glucose", 18), ("creatinine", 88.4), ("haemoglobin", 10), ("weight", 2.2046), ("height", 2.54)],
)
@pytest.mark.parametrize("up", [True, False])
def test_three_percent_in_another_unit_fail_and_are_named_both_ways(name, factor, up, find_one) -> None:
    after = lab(name, 2, 0.03, factor if up else 1 / factor)
    found = find_one("unit_change", lab(name, 1), after, roles={})
    assert found.verdict == "fail", found.message
    words = f"{'multiplied' if up else 'divided'} by {factor:g}"
    assert f"of rows look {words}" in found.message
    assert found.details["looks"] == words
    assert found.estimate == pytest.approx(0.03, abs=0.004)


@pytest.mark.parametrize("name", ["glucose", "weight", "some_index"])
def test_what_stayed_in_its_unit_passes(name, find_one) -> None:
    found = find_one("unit_change", lab(name, 1), lab(name, 2), roles={})
    assert found.verdict == "pass", found.message
    assert found.limit == 0.002


def test_one_percent_times_eighteen_fails_at_three_thousand_rows(find_one) -> None:
    after = lab("glucose", 2, 0.01, 18, rows=3000)
    assert find_one("unit_change", lab("glucose", 1, rows=3000), after, roles={}).verdict == "fail"


def test_a_column_whose_name_tells_nothing_is_tried_with_every_factor(find_one) -> None:
    found = find_one("unit_change", lab("x7", 1), lab("x7", 2, 0.03, 88.4), roles={})
    assert found.verdict == "fail"
    assert found.details["factor"] == pytest.approx(88.4, rel=0.01)


def test_given_factors_take_the_place_of_known_ones(find_one) -> None:
    before, after = lab("glucose", 1), lab("glucose", 2, 0.03, 7)
    assert find_one("unit_change", before, after, roles={}).verdict == "pass"
    for factors in ([7], {"glucose": 7}, {"glucose": [7, 18]}, [1 / 7]):
        found = find_one("unit_change", before, after, roles={}, factors=factors)
        assert (found.verdict, found.details["looks"]) == ("fail", "multiplied by 7")


def test_factors_for_another_column_leave_the_known_ones(find_one) -> None:
    after = lab("glucose", 2, 0.03, 18)
    found = find_one("unit_change", lab("glucose", 1), after, roles={}, factors={"sodium": 2.3})
    assert found.details["looks"] == "multiplied by 18"


@pytest.mark.parametrize("factors", [[], [1], [0], [-2], {}, {"glucose": []}, "18", ["18"], [True]])
def test_factors_that_are_none_are_found_before_any_data_is_read(factors, find_one) -> None:
    with pytest.raises(SuiteError, match="factor"):
        find_one("unit_change", lab("glucose", 1), lab("glucose", 2), roles={}, factors=factors)


@pytest.mark.parametrize(
    ("name", "factor"),
    [
        ("glucose", 18),
        ("lab_glucose_mean", 18),
        ("GlucoseLevel", 18),
        ("Hgb", 10),
        ("hemoglobin_last", 10),
        ("serum creatinine", 88.4),
        ("BUN", 2.8),
        ("weight_kg", 2.2046),
    ],
)
def test_a_name_tells_the_factor_however_it_is_written(name, factor) -> None:
    assert factor in known_factors(name)
    assert len(known_factors(name)) <= 3


def test_whole_numbers_that_stay_whole_are_tried_with_whole_factors_only(find_one) -> None:
    rng = np.random.default_rng(0)
    before = pd.DataFrame({"visits": rng.poisson(3, 20_000)})
    after = pd.DataFrame({"visits": np.where(np.arange(20_000) < 400, 10, 1) * rng.poisson(3, 20_000)})
    found = find_one("unit_change", before, after, roles={"numerical": ["visits"]})
    assert (found.verdict, found.details["looks"]) == ("fail", "multiplied by 10")
    assert all(factor == int(factor) for factor in known_factors("visits", whole=True))
    assert 88.4 in known_factors("visits")
    assert known_factors("creatinine", whole=True) == [88.4]


def test_a_drop_of_everything_is_not_mistaken_for_a_unit(find_one) -> None:
    found = find_one("unit_change", lab("glucose", 1), lab("glucose", 2, 1.0, 1.2), roles={})
    assert found.verdict == "pass", found.message


def test_a_whole_column_in_another_unit_fails(find_one) -> None:
    found = find_one("unit_change", lab("glucose", 1), lab("glucose", 2, 1.0, 1 / 18), roles={})
    assert (found.verdict, found.details["looks"]) == ("fail", "divided by 18")
    assert found.estimate > 0.8


def test_an_empty_column_is_an_error_and_a_constant_one_passes(of_column) -> None:
    assert of_column("unit_change", [1.5] * 100, [None] * 100, roles={"numerical": ["x"]}).verdict == "error"
    assert of_column("unit_change", [1.5] * 9000, [1.5] * 9000).verdict == "pass"


def test_shares_of_few_rows_stay_untold(find_one) -> None:
    found = find_one("unit_change", lab("glucose", 1), lab("glucose", 2, 5 / 20_000, 18), roles={})
    assert all(cell is None or cell == 0 for row in found.details["table"]["rows"] for cell in row[1:])


def test_a_plain_shift_of_a_column_of_no_known_unit_is_no_change_of_unit() -> None:
    from readmit_checks.units import known_factors

    assert min(known_factors("age_in_years")) >= 3.5
    assert known_factors("weight_kg")[0] == 2.2046
