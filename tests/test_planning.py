"""What a suite and its data expand to, seen through `run_suite` and `run_check`."""

import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pytest_readmit import Claim, Column, SuiteError, check, run_check, run_suite
from pytest_readmit.settings import PlanSettings

RNG = np.random.Generator(np.random.PCG64(1))
ROWS = 400


def frame(rows: int = ROWS) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "age": RNG.normal(60, 10, rows),
            "glucose": RNG.normal(110, 20, rows),
            "sex": np.where(RNG.random(rows) < 0.5, "F", "M"),
            "ward": np.where(np.arange(rows) < 5, "B", "A"),
            "label": (RNG.random(rows) < 0.3).astype(int),
        }
    )


REFERENCE, CURRENT = frame(), frame()


def run(tmp_path: Path, text: str, **data):
    path = tmp_path / "s.yml"
    path.write_text(text, encoding="utf-8")
    return run_suite(path, data={"reference": REFERENCE, "current": CURRENT} | data)


def by_id(result) -> dict[str, object]:
    return {finding.id.split("::", 1)[1]: finding for finding in result.findings}


def test_one_case_for_each_feature_and_none_for_roles(tmp_path) -> None:
    result = run(tmp_path, "columns: {target: label, ignore: [ward]}\nchecks: [data_drift]")
    assert list(by_id(result)) == ["data_drift::age", "data_drift::glucose", "data_drift::sex"]
    assert {finding.m for finding in result.findings} == {3}


def test_a_misspelt_column_is_an_error_of_its_own_case_that_names_the_nearest(tmp_path) -> None:
    found = by_id(run(tmp_path, "checks: [{data_drift: {columns: [agee, glucose]}}]"))
    assert found["data_drift::agee"].verdict == "error"
    assert "'age'" in found["data_drift::agee"].message
    assert found["data_drift::glucose"].verdict != "error"


@pytest.mark.parametrize("role", ["numerical", "categorical", "sensitive", "features"])
def test_a_misspelt_column_among_the_roles_is_an_error_too(tmp_path, role) -> None:
    found = by_id(run(tmp_path, f"columns: {{{role}: [agee]}}\nchecks: [data_drift]"))
    assert found["data_drift::agee"].verdict == "error"
    assert "'age'" in found["data_drift::agee"].message


@pytest.mark.parametrize("role", ["patient", "target", "score", "id", "time"])
def test_a_misspelt_single_role_is_an_error_and_never_a_pass(tmp_path, role) -> None:
    positive = ", positive_label: 1" if role == "target" else ""
    result = run(tmp_path, f"columns: {{{role}: labell{positive}}}\nchecks: [data_drift, target_drift]")
    errors = [finding for finding in result.findings if finding.verdict == "error"]
    assert errors
    assert any("'label'" in finding.message for finding in errors)


def test_a_column_that_current_lost_is_an_error_of_its_case(tmp_path) -> None:
    found = by_id(run(tmp_path, "checks: [data_drift]", current=CURRENT.drop(columns="glucose")))
    assert found["data_drift::glucose"].verdict == "error"
    assert "current" in found["data_drift::glucose"].message
    assert found["data_drift::age"].verdict != "error"


def test_a_pattern_chooses_columns_and_one_that_finds_none_is_an_error(tmp_path) -> None:
    found = by_id(run(tmp_path, "checks: [{data_drift: {columns: ['*e', 'zz*']}}]"))
    assert set(found) == {"data_drift::age", "data_drift::glucose", "data_drift::zz_"} or set(found) == {
        "data_drift::age",
        "data_drift::glucose",
        "data_drift::zz*",
    }
    assert [finding.verdict for name, finding in found.items() if "zz" in name] == ["error"]


def test_a_role_chooses_its_columns(tmp_path) -> None:
    found = by_id(run(tmp_path, "columns: {sensitive: [sex]}\nchecks: [{data_drift: {columns: sensitive}}]"))
    assert list(found) == ["data_drift::sex"]


def test_a_check_with_nothing_to_measure_is_an_error(tmp_path) -> None:
    result = run(tmp_path, "columns: {features: [age]}\nchecks: [unseen_categories]")
    assert [finding.verdict for finding in result.findings] == ["error"]


def test_a_column_of_the_wrong_kind_is_an_error_that_says_what_to_do(tmp_path) -> None:
    (finding,) = run(tmp_path, "checks: [{unseen_categories: {columns: [age]}}]").findings
    assert finding.verdict == "error"
    assert "columns.categorical" in finding.message


def test_data_that_cannot_be_had_is_one_error_and_the_rest_runs(tmp_path) -> None:
    REFERENCE.to_csv(tmp_path / "r.csv", index=False)
    entries = "[{unique: {on: gone, columns: [age]}}, {unique: {on: old, columns: [age]}}]"
    text = f"data: {{old: r.csv, gone: nowhere.csv}}\nchecks: {entries}"
    path = tmp_path / "s.yml"
    path.write_text(text)
    first, second = run_suite(path).findings
    assert first.verdict == "error"
    assert "nowhere.csv" in first.message
    assert second.verdict == "pass"


def test_a_check_without_its_dataset_is_a_suite_error_with_a_line(tmp_path) -> None:
    path = tmp_path / "s.yml"
    path.write_text("data: {refrence: a.csv, current: b.csv}\nchecks:\n  - data_drift\n")
    with pytest.raises(SuiteError, match=r"s\.yml:3:5: .*'reference'.*'refrence'"):
        run_suite(path)


def test_another_dataset_can_stand_in_for_current(tmp_path) -> None:
    text = "data: {late: {path: late.csv}}\nchecks: [{data_drift: {on: late, columns: [age]}}]"
    CURRENT.iloc[:50].to_csv(tmp_path / "late.csv", index=False)
    (finding,) = run(tmp_path, text).findings
    assert finding.n_current == 50


def test_segments_make_a_case_for_each_value_and_share_the_error_rate(tmp_path) -> None:
    result = run(tmp_path, "checks: [{data_drift: {columns: [age, glucose], segments: sex}}]")
    assert list(by_id(result)) == [
        "data_drift::age::F",
        "data_drift::age::M",
        "data_drift::glucose::F",
        "data_drift::glucose::M",
    ]
    assert {finding.m for finding in result.findings} == {4}
    assert sum(f.n_reference for f in result.findings if f.subject == "age") == ROWS


def test_the_value_of_a_small_segment_is_not_shown(tmp_path) -> None:
    found = by_id(run(tmp_path, "checks: [{data_drift: {columns: [age], segments: ward}}]"))
    assert "data_drift::age::B" not in found
    assert len(found) == 2


def test_the_error_rate_can_be_shared_by_the_suite_or_not_at_all(tmp_path) -> None:
    entries = "[{data_drift: {columns: [age, glucose]}}, {data_drift: {columns: [sex]}}]"
    text = f"defaults: {{correction: %s}}\nchecks: {entries}"
    assert {f.m for f in run(tmp_path, text % "suite").findings} == {3}
    assert {f.m for f in run(tmp_path, text % "none").findings} == {1}
    assert {f.m for f in run(tmp_path, text % "entry").findings} == {2, 1}


def test_more_cases_than_allowed_is_a_suite_error(tmp_path) -> None:
    from pytest_readmit import cases

    path = tmp_path / "s.yml"
    path.write_text("checks: [data_drift]")
    settings = PlanSettings(data={"reference": REFERENCE, "current": CURRENT}, max_cases=3)
    with pytest.raises(SuiteError, match="readmit_max_cases"):
        cases.plan([path], settings)


def test_a_dataset_override_with_an_unknown_name_is_an_error(tmp_path) -> None:
    with pytest.raises(SuiteError, match=r"'curent'.*'current'"):
        run(tmp_path, "checks: [data_drift]", curent=CURRENT)


def test_the_same_seed_and_data_give_the_same_findings(tmp_path) -> None:
    text = "checks: [{data_drift: {columns: [age], method: energy, p_value: 0.05}}]"
    first, second = run(tmp_path, text).findings[0], run(tmp_path, text).findings[0]
    assert (first.p_value, first.estimate) == (second.p_value, second.estimate)


@check
def crashes(reference: Column, current: Column) -> Claim:
    """Does a crash stay in its case?"""
    raise ZeroDivisionError(f"secret of row {current.name}")


@check
def sleeps(reference: Column, current: Column) -> Claim:
    """Does a timeout end a case?"""
    time.sleep(5)
    return Claim(estimate=0.0, limit=1.0)


@check
def tells_nonsense(reference: Column, current: Column) -> Claim:
    """Is what no record can hold an error?"""
    return Claim(estimate=0.0, limit=1.0, details={"frame": object()})


def test_a_crashed_check_is_an_error_that_does_not_quote_its_exception() -> None:
    findings = run_check(crashes, REFERENCE, CURRENT, columns=["age", "sex"])
    assert [finding.verdict for finding in findings] == ["error", "error"]
    assert "ZeroDivisionError" in findings[0].message
    assert "secret" not in findings[0].message


@check
def skips(reference: Column, current: Column) -> Claim:
    """Is a check that would skip its case an error?"""
    pytest.skip("not today")


def test_a_check_cannot_skip_its_case_whether_measured_ahead_or_on_demand(tmp_path) -> None:
    from pytest_readmit import cases
    from pytest_readmit.registry import Registry, spec_of
    from pytest_readmit.run import Session

    (ahead,) = run_check(skips, REFERENCE, CURRENT, columns=["age"])
    path = tmp_path / "s.yml"
    path.write_text("checks: [{skips: {columns: [age]}}]")
    settings = PlanSettings(data={"reference": REFERENCE, "current": CURRENT})
    plan = cases.plan([path], settings, registry=Registry({"skips": spec_of(skips)}))
    on_demand = Session(plan).finding(plan.cases[0])
    assert ahead.verdict == on_demand.verdict == "error"
    assert ahead.message == on_demand.message
    assert "not today" not in ahead.message


def test_a_check_that_takes_too_long_is_an_error() -> None:
    started = time.perf_counter()
    (finding,) = run_check(sleeps, REFERENCE, CURRENT, columns=["age"], timeout=0.2)
    assert finding.verdict == "error"
    assert "timed out after 0.2 s" in finding.message
    assert time.perf_counter() - started < 4


def test_details_that_no_record_can_hold_are_an_error() -> None:
    (finding,) = run_check(tells_nonsense, REFERENCE, CURRENT, columns=["age"])
    assert finding.verdict == "error"


def test_one_check_runs_on_two_frames() -> None:
    (finding,) = run_check("data_drift", REFERENCE, CURRENT, columns=["age"], max=0.9)
    assert (finding.verdict, finding.limit) == ("pass", 0.9)


def test_an_unknown_parameter_of_a_single_check_is_an_error() -> None:
    with pytest.raises(SuiteError, match="'max'"):
        run_check("data_drift", REFERENCE, CURRENT, maxx=0.1)


def test_columns_for_a_check_that_measures_none_is_a_suite_error(tmp_path) -> None:
    with pytest.raises(SuiteError, match=r"s\.yml:1:26: target_drift: .*`columns`"):
        run(tmp_path, "checks: [{target_drift: {columns: [age]}}]")


def test_a_small_count_in_an_error_is_not_told(tmp_path) -> None:
    current = CURRENT.copy()
    current.loc[:2, "age"] = np.inf
    text = "privacy: {min_cell: %d}\nchecks: [{data_drift: {columns: [age]}}]"
    assert "fewer than 11 infinite" in run(tmp_path, text % 11, current=current).findings[0].message
    assert ": 3 infinite values of 400" in run(tmp_path, text % 2, current=current).findings[0].message


def test_comparing_the_reference_with_itself_is_a_suite_error(tmp_path) -> None:
    with pytest.raises(SuiteError, match=r"s\.yml:1:\d+: data_drift: `on: reference`"):
        run(tmp_path, "checks: [{data_drift: {columns: [age], on: reference}}]")
    assert run(tmp_path, "checks: [{unique: {columns: [age], on: reference}}]").verdict == "pass"


def test_a_named_column_without_a_range_is_an_error_of_its_own(tmp_path) -> None:
    text = "checks: [{out_of_range: {ranges: {age: [0, 200]}, columns: [age, glucose]}}]"
    found = by_id(run(tmp_path, text))
    assert found["out_of_range::age"].verdict == "pass"
    assert found["out_of_range::glucose"].verdict == "error"


def test_a_segment_value_that_no_row_has_is_an_error_beside_the_others(tmp_path) -> None:
    text = "checks: [{data_drift: {columns: [age], max: 0.9, segments: {column: sex, values: [F, Q]}}}]"
    found = by_id(run(tmp_path, text))
    assert found["data_drift::age::F"].verdict == "pass"
    assert found["data_drift::age::Q"].verdict == "error"


def test_patient_ids_of_another_type_are_not_taken_for_other_patients(tmp_path) -> None:
    reference = REFERENCE.assign(pid=[f"{i:04}" for i in range(ROWS)])
    current = CURRENT.assign(pid=range(ROWS))
    text = "columns: {patient: pid}\nchecks: [{patient_overlap: {max: 0}}]"
    (finding,) = run(tmp_path, text, reference=reference, current=current).findings
    assert finding.verdict == "error"


def test_values_too_large_to_draw_do_not_stop_the_case(tmp_path) -> None:
    huge = REFERENCE.assign(age=REFERENCE["age"] * 1e306)
    (finding,) = run(
        tmp_path, "checks: [{data_drift: {columns: [age], max: 0.9}}]", reference=huge, current=huge
    ).findings
    assert finding.verdict == "pass"


def test_too_few_rows_come_with_the_rows_that_would_decide(tmp_path) -> None:
    (finding,) = run(
        tmp_path, "checks: [{data_drift: {columns: [age], max: 0.4}}]", current=CURRENT[:20]
    ).findings
    assert finding.verdict == "inconclusive"
    assert finding.needed_n is not None
    assert finding.needed_n >= 30
    assert "fewer than 30 usable rows" in finding.message
