"""The suites on the model say of each window of the demo cohort what was done to it."""

from functools import cache
from pathlib import Path

import pytest

from pytest_readmit import run_suite

SUITES = Path(__file__).parents[2] / "suites"
CALIBRATION = {"slope", "observed_expected", "ece"}
RELATION = {"relation:roc_auc", "relation:log_loss"}


@cache
def decided(suite: str, window: str):
    return run_suite(SUITES / suite, variables={"WINDOW": window})


def subjects(result, check: str, verdict: str) -> set[str | None]:
    return {f.subject for f in result.findings if f.check == check and f.verdict == verdict}


@pytest.mark.slow
def test_the_current_window_passes_every_gate_on_the_model() -> None:
    result = decided("concept_drift.yml", "current")
    # Expectations from scores prove no performance, so this check alone never passes.
    others = {f.id: f.message for f in result.findings if f.check != "estimated_performance"}
    passed = {f.id for f in result.findings if f.verdict == "pass"}
    assert {name: others[name] for name in others.keys() - passed} == {}
    assert subjects(result, "estimated_performance", "inconclusive") == {"roc_auc"}
    assert not result.blocked


@pytest.mark.slow
def test_a_changed_relation_fails_and_is_laid_on_the_relation() -> None:
    result = decided("concept_drift.yml", "drifted")
    metrics = {"roc_auc", "average_precision", "slope", "observed_expected", "brier_skill"}
    assert subjects(result, "concept_drift", "fail") == metrics | RELATION
    assert subjects(result, "calibration", "fail") == CALIBRATION
    assert result.blocked
    for finding in result.findings:
        if finding.subject in RELATION:
            assert "the relation between inputs and label changed" in finding.message


@pytest.mark.slow
def test_what_shifted_inputs_do_to_a_metric_is_not_laid_on_the_relation() -> None:
    result = decided("concept_drift.yml", "inputs_shifted")
    losses = {f.subject: f.details for f in result.findings if f.entry == "losses"}
    assert losses["log_loss"]["change"] > 0.05
    assert subjects(result, "concept_drift", "pass") >= RELATION
    assert subjects(result, "joint_drift", "fail") == {None}
    assert not result.blocked
    for finding in result.findings:
        if finding.subject in RELATION:
            assert "only the inputs moved" in finding.message


@pytest.mark.slow
def test_the_estimate_without_labels_does_not_see_a_changed_relation() -> None:
    (finding,) = (
        f for f in decided("concept_drift.yml", "drifted").findings if f.check == "estimated_performance"
    )
    assert finding.verdict == "inconclusive"
    assert finding.estimate == pytest.approx(0.70, abs=0.02)
    assert "0.568 by the labels" in finding.message


@pytest.mark.parametrize("window", ["current", "reference"])
def test_the_fairness_suite_certifies_the_demo_model(window: str) -> None:
    result = decided("fairness.yml", window)
    assert {f.id: f.message for f in result.findings if f.verdict != "pass"} == {}
    assert result.record["certified"]


def test_the_fairness_suite_blocks_a_model_whose_risks_no_longer_hold() -> None:
    result = decided("fairness.yml", "drifted")
    assert result.blocked
    assert subjects(result, "calibration", "fail") == {"observed_expected"}
