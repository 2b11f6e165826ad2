from pathlib import Path

import pytest

from pytest_readmit import run_suite
from pytest_readmit.mimic.demo import planted

SUITES = Path(__file__).parents[2] / "suites"
BARE = """
data: {reference: {demo: reference}, current: {demo: "${WINDOW:-current}"}}
columns:
  target: readmitted_30d
  positive_label: 1
  score: risk
  patient: subject_id
  id: hadm_id
  time: admittime
  numerical: [prior_admissions]
checks:
  - schema
  - unique
  - data_drift
  - drift_share
  - missing_drift
  - unseen_categories
  - extreme_values
  - unit_change
  - target_drift
  - prediction_drift
  - patient_overlap: {max: 0.1}
  - label_maturity: {horizon: 30d, index_time: dischtime}
"""


def decided(window, suite="drift.yml"):
    return run_suite(SUITES / suite, variables={"WINDOW": window})


def by_verdict(result, verdict):
    return {(finding.check, finding.subject) for finding in result.findings if finding.verdict == verdict}


@pytest.fixture(scope="module")
def drifted():
    return decided("drifted")


def expected(window):
    """What must fail: checks of one column as (check, column), checks of the whole table without."""
    whole = {"target_drift", "prediction_drift", "drift_share"}
    return {
        (check, None if check in whole else each.column) for each in planted(window) for check in each.fails
    }


def test_every_gate_passes_on_the_current_window():
    result = run_suite(SUITES / "drift.yml")
    assert {finding.id: finding.message for finding in result.findings if finding.verdict != "pass"} == {}
    assert result.verdict == "pass"
    assert result.record["certified"]
    assert not result.blocked


def test_exactly_what_was_planted_and_its_consequences_fail_on_the_drifted_window(drifted):
    assert by_verdict(drifted, "fail") == expected("drifted")
    assert by_verdict(drifted, "error") == set()
    assert by_verdict(drifted, "inconclusive") == set()
    assert drifted.blocked


@pytest.fixture
def bare(tmp_path):
    """A suite in which every check takes every default that it has."""
    path = tmp_path / "bare.yml"
    path.write_text(BARE, encoding="utf-8")
    return path


def test_with_every_default_the_current_window_passes_every_gate(bare):
    result = run_suite(bare)
    assert {finding.id: finding.message for finding in result.findings if finding.verdict != "pass"} == {}


def test_with_every_default_the_same_fails_on_the_drifted_window(bare):
    result = run_suite(bare, variables={"WINDOW": "drifted"})
    assert by_verdict(result, "fail") == {
        (check, subject) for check, subject in expected("drifted") if check != "out_of_range"
    }
    assert by_verdict(result, "error") == set()
    assert by_verdict(result, "inconclusive") == set()


def test_unit_changes_are_named_with_their_factor_in_both_directions(drifted):
    said = {
        finding.subject: finding.message for finding in drifted.findings if finding.check == "unit_change"
    }
    assert "88.4" in said["creatinine"]
    assert "18" in said["glucose"]
    assert said["creatinine"] != said["glucose"]


def test_what_fails_when_only_the_inputs_moved_is_what_moved_and_what_follows():
    result = decided("inputs_shifted")
    assert by_verdict(result, "fail") == expected("inputs_shifted")
    assert by_verdict(result, "error") == set()


def test_the_drift_suite_reads_another_source_in_place_of_current():
    result = run_suite(SUITES / "drift.yml", data={"current": "demo:drifted"})
    assert by_verdict(result, "fail") == expected("drifted")


def test_the_classic_suite_decides_every_case_by_its_p_value_or_share():
    result = decided("drifted", "classic.yml")
    assert by_verdict(result, "error") == set()
    assert by_verdict(result, "inconclusive") == set()
    # drift_share of a threshold on p is decided by its estimate.
    assert {finding.decide_by for finding in result.findings} <= {"p_value", "estimate"}
    failed = {finding.subject for finding in result.findings if finding.verdict == "fail"}
    assert {"age", "glucose", "creatinine", "admission_type"} <= failed


def test_the_classic_suite_calls_two_features_drifted_where_nothing_is_wrong():
    result = decided("current", "classic.yml")
    assert len(by_verdict(result, "fail")) == 2
    assert result.blocked
