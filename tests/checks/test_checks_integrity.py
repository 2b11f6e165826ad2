"""schema, unique, patient_overlap, label_maturity."""

import pandas as pd
import pytest

from pytest_readmit import SuiteError


def test_equal_columns_pass(find_one, reference, current) -> None:
    found = find_one("schema", reference, current)
    assert (found.verdict, found.estimate) == ("pass", 0)
    assert "all 9 columns" in found.message


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            lambda frame: frame.rename(columns={"glucose": "glucose_mgdl"}),
            "renamed: 'glucose' is now 'glucose_mgdl'",
        ),
        (lambda frame: frame.drop(columns="glucose"), "missing: 'glucose' (numbers)"),
        (lambda frame: frame.assign(extra="a"), "new: 'extra' (text)"),
        (lambda frame: frame.assign(age=frame["age"].astype(str)), "'age' was numbers, now text"),
        (
            lambda frame: frame.assign(dischtime=frame["dischtime"].astype(str)),
            "'dischtime' was time, now text",
        ),
    ],
)
def test_each_difference_fails_and_is_named(change, says, find_one, reference, current) -> None:
    found = find_one("schema", reference, change(current))
    assert (found.verdict, found.estimate) == ("fail", 1)
    assert says in found.message
    assert len(found.details["table"]["rows"]) == 1


def test_a_column_of_another_kind_is_not_taken_for_a_renamed_one(find_one) -> None:
    before, after = pd.DataFrame({"sex": [0, 1], "x": 1.5}), pd.DataFrame({"sexx": ["F", "M"], "x": 1.5})
    found = find_one("schema", before, after, roles={})
    assert found.estimate == 2
    assert found.details["renamed"] == {}


def test_a_new_column_may_be_only_warned_of(find_one, reference, current) -> None:
    found = find_one("schema", reference, current.assign(extra=1), extra="warn")
    assert found.verdict == "pass"
    assert "extra" in found.details["warning"]
    with pytest.raises(SuiteError, match="extra"):
        find_one("schema", reference, current, extra="ignore")


def test_whole_numbers_with_a_missing_one_are_still_numbers(find_one) -> None:
    before, after = pd.DataFrame({"n": [1, 2, 3]}), pd.DataFrame({"n": [1, None, 3]})
    assert find_one("schema", before, after, roles={}).verdict == "pass"


def test_a_column_without_values_has_no_kind_to_differ(find_one) -> None:
    before, after = pd.DataFrame({"n": ["a", "b"]}), pd.DataFrame({"n": [None, None]}, dtype=float)
    assert find_one("schema", before, after, roles={}).verdict == "pass"


def test_a_text_among_the_numbers_of_a_file_is_a_changed_kind(tmp_path, find_one) -> None:
    (tmp_path / "before.csv").write_text("x,y\n1,2\n3,4\n", encoding="utf-8")
    (tmp_path / "after.csv").write_text("x,y\n1,2\nSECRET,4\n", encoding="utf-8")
    found = find_one("schema", str(tmp_path / "before.csv"), str(tmp_path / "after.csv"), roles={})
    assert found.verdict == "fail"
    assert "'x' was numbers, now not all numbers" in found.message
    assert "SECRET" not in found.message


def test_the_order_of_columns_does_not_matter(find_one, reference, current) -> None:
    assert find_one("schema", reference, current[current.columns[::-1]]).verdict == "pass"


def keys(repeats: int, rows: int = 1000) -> pd.DataFrame:
    return pd.DataFrame(
        {"hadm_id": [0] * (repeats + 1) + list(range(1, rows - repeats)), "part": range(rows)}
    )


def test_one_repeated_key_fails_and_the_count_is_told_only_if_large(find_one) -> None:
    few = find_one("unique", None, keys(1), roles={}, columns=["hadm_id"])
    assert few.verdict == "fail"
    assert few.estimate == pytest.approx(1 / 1000)
    assert "fewer than 11 rows of 1,000 repeat a key of hadm_id" in few.message
    many = find_one("unique", None, keys(40), roles={}, columns=["hadm_id"])
    assert "40 rows of 1,000" in many.message


def test_distinct_keys_pass_also_those_of_two_columns_together(find_one) -> None:
    assert find_one("unique", None, keys(0), roles={}, columns=["hadm_id"]).verdict == "pass"
    assert find_one("unique", None, keys(9), roles={}, columns=["hadm_id", "part"]).verdict == "pass"


def test_the_key_is_by_default_the_id_of_the_suite(find_one) -> None:
    assert find_one("unique", None, keys(3), roles={"id": "hadm_id"}).verdict == "fail"
    found = find_one("unique", None, keys(3), roles={})
    assert found.verdict == "error"
    assert "columns" in found.message


def test_a_share_of_repeated_keys_may_be_allowed(find_one) -> None:
    assert find_one("unique", None, keys(9), roles={}, columns=["hadm_id"], max=0.01).verdict == "pass"
    with pytest.raises(SuiteError):
        find_one("unique", None, keys(9), roles={}, columns=["hadm_id"], max=3)


def test_a_key_column_that_is_not_there_is_an_error_that_names_the_nearest(find_one) -> None:
    found = find_one("unique", None, keys(0), roles={}, columns=["hadm"])
    assert found.verdict == "error"
    assert "hadm_id" in found.message


def test_no_rows_are_an_error_for_a_census_too(find_one) -> None:
    assert find_one("unique", None, keys(0).iloc[:0], roles={}, columns=["hadm_id"]).verdict == "error"


def people(first: int, rows: int = 500) -> pd.DataFrame:
    return pd.DataFrame({"who": [f"p{first + i // 2}" for i in range(rows)]})


@pytest.mark.parametrize(("first", "share"), [(250, 0.0), (200, 0.2), (0, 1.0)])
def test_the_overlap_is_the_share_of_currents_patients(first, share, find_one) -> None:
    found = find_one("patient_overlap", people(0), people(first), roles={"patient": "who"}, max=0.0)
    assert found.estimate == share
    assert found.verdict == ("pass" if share == 0 else "fail")
    tolerant = find_one("patient_overlap", people(0), people(first), roles={"patient": "who"}, max=0.2)
    assert tolerant.verdict == ("fail" if share > 0.2 else "pass")


def test_patients_are_compared_as_they_are_written_whatever_their_type(find_one) -> None:
    before, after = pd.DataFrame({"who": [1, 2, 3]}), pd.DataFrame({"who": [3.0, 4.0, None]})
    found = find_one("patient_overlap", before, after, roles={"patient": "who"}, max=0.0)
    assert found.estimate == 0.5


@pytest.mark.parametrize("empty", ["reference", "current"])
def test_patients_that_nobody_names_are_no_proof_of_no_overlap(empty, find_one) -> None:
    sides = {"reference": people(0), "current": people(250)}
    sides[empty] = sides[empty].assign(who=None)
    found = find_one("patient_overlap", *sides.values(), roles={"patient": "who"}, max=0.0)
    assert found.verdict == "error"
    assert "names no patient" in found.message


def test_schema_counts_the_rows_it_rests_on(find_one, reference, current) -> None:
    found = find_one("schema", reference, current)
    assert (found.n_reference, found.n_current) == (len(reference), len(current))


def test_a_limit_that_is_not_a_number_is_a_mistake_of_the_caller(find_one) -> None:
    with pytest.raises(SuiteError, match="finite"):
        find_one("patient_overlap", people(0), people(0), roles={"patient": "who"}, max=float("nan"))


def test_patient_overlap_needs_a_limit_and_a_patient(find_one) -> None:
    with pytest.raises(SuiteError, match="max"):
        find_one("patient_overlap", people(0), people(0), roles={"patient": "who"})
    found = find_one("patient_overlap", people(0), people(0), roles={}, max=0)
    assert found.verdict == "error"
    assert "columns.patient" in found.message


MATURITY = {"index_time": "dischtime", "as_of": "2026-07-15"}


def stays(young: int, rows: int = 100) -> pd.DataFrame:
    days = ["2026-06-30"] * young + ["2026-01-15"] * (rows - young)
    return pd.DataFrame({"dischtime": pd.to_datetime(days), "note": "a"})


@pytest.mark.parametrize(("young", "verdict"), [(0, "pass"), (20, "fail")])
def test_a_row_younger_than_the_horizon_has_no_outcome_yet(young, verdict, find_one) -> None:
    found = find_one(
        "label_maturity", None, stays(young), roles={}, index_time="dischtime", as_of="2026-07-15"
    )
    assert (found.verdict, found.estimate) == (verdict, young / 100)
    assert found.details["as_of"] == "2026-07-15"
    assert "30 days before 2026-07-15" in found.message


def test_the_horizon_ends_when_it_has_passed(find_one) -> None:
    for horizon, verdict in (("15d", "pass"), ("16d", "fail"), ("2w", "pass"), ("360h", "pass")):
        found = find_one(
            "label_maturity",
            None,
            stays(50),
            roles={},
            index_time="dischtime",
            as_of="2026-07-15",
            horizon=horizon,
        )
        assert found.verdict == verdict, horizon


def test_maturity_needs_a_time_that_is_one(find_one) -> None:
    with pytest.raises(SuiteError, match="index_time"):
        find_one("label_maturity", None, stays(0), roles={})
    for name in ("note", "dischtme"):
        found = find_one("label_maturity", None, stays(0), roles={}, index_time=name, as_of="2026-07-15")
        assert found.verdict == "error"
    with pytest.raises(SuiteError, match="horizon"):
        find_one("label_maturity", None, stays(0), roles={}, index_time="dischtime", horizon=30)
