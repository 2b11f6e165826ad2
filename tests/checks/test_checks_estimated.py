"""estimated_performance."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from sklearn.metrics import roc_auc_score

from pytest_readmit import SuiteError, run_suite

ROLES = {"target": "y", "positive_label": 1, "score": "risk"}
UNLABELLED = {"score": "risk"}


def cohort(rows: int = 5000, seed: int = 0, slope: float = 1.0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    logit = -2.4 + rng.normal(0, 0.9, rows)
    labels = (rng.random(rows) < expit(-2.4 + slope * (logit + 2.4))).astype(int)
    return pd.DataFrame({"risk": expit(logit), "y": labels, "patient": np.arange(rows) // 5})


def test_a_floor_out_of_reach_fails_as_a_warning(find_one) -> None:
    found = find_one(
        "estimated_performance", None, cohort(), roles=UNLABELLED, metrics={"roc_auc": {"min": 0.9}}
    )
    assert (found.verdict, found.severity, found.outcome, found.warned) == ("fail", "warn", "passed", True)
    assert "the floor is 0.9" in found.message
    assert found.n_reference is None


@pytest.mark.parametrize("decide_by", ["interval", "estimate"])
@pytest.mark.parametrize("allowed", [{"min": 0.5}, {"max": 1.0}, {"min": 0.1, "max": 1.0}, {}])
def test_it_never_passes(allowed, decide_by, find_one) -> None:
    found = find_one(
        "estimated_performance",
        None,
        cohort(),
        roles=UNLABELLED,
        metrics={"roc_auc": allowed},
        decide_by=decide_by,
    )
    assert found.verdict == "inconclusive", found.message
    assert "proves no performance" in found.message


def test_by_estimate_it_fails_too(find_one) -> None:
    keys = {"roles": UNLABELLED, "metrics": {"roc_auc": {"min": 0.9}}, "decide_by": "estimate"}
    assert find_one("estimated_performance", None, cohort(), **keys).verdict == "fail"


def test_its_notes_say_what_is_assumed_and_what_it_cannot_see(find_one) -> None:
    found = find_one(
        "estimated_performance", None, cohort(), roles=UNLABELLED, metrics={"brier": {"max": 0.2}}
    )
    said = " ".join(found.details["notes"])
    assert "calibrated" in said
    assert "concept drift" in said
    assert "truth" not in found.details
    assert "table" not in found.details


def test_a_model_that_turned_bad_looks_as_good_as_ever_until_labels_are_in(find_one) -> None:
    keys = {"metrics": {"roc_auc": {"min": 0.6}}}
    blind, seeing = (
        find_one("estimated_performance", None, cohort(slope=0.1), roles=roles, **keys)
        for roles in (UNLABELLED, ROLES)
    )
    assert blind.estimate == seeing.estimate > 0.7
    assert (blind.verdict, seeing.verdict) == ("inconclusive", "inconclusive")
    frame = cohort(slope=0.1)
    truth = roc_auc_score(frame["y"], frame["risk"])
    assert seeing.details["truth"] == pytest.approx(truth)
    assert truth < 0.6
    assert seeing.details["table"]["rows"][0][:3] == ["roc_auc", blind.estimate, seeing.details["truth"]]
    assert "by the labels" in seeing.message


def test_labels_that_are_not_all_in_leave_it_as_it_is(find_one) -> None:
    frame = cohort()
    frame["y"] = frame["y"].astype("float")
    frame.loc[: len(frame) // 2, "y"] = np.nan
    found = find_one("estimated_performance", None, frame, roles=ROLES, metrics={"roc_auc": {"min": 0.5}})
    assert found.verdict == "inconclusive"
    assert "truth" not in found.details
    assert any("labels" in note for note in found.details["notes"])


def test_a_bare_entry_reports_what_is_expected(find) -> None:
    found = find("estimated_performance", None, cohort(), roles=UNLABELLED)
    assert [each.subject for each in found] == ["roc_auc", "average_precision", "brier_skill"]
    assert {each.verdict for each in found} == {"inconclusive"}


def test_patients_make_the_bounds_wider(find_one) -> None:
    widths = []
    for roles in (UNLABELLED, {**UNLABELLED, "patient": "patient"}):
        found = find_one(
            "estimated_performance", None, cohort(), roles=roles, metrics={"roc_auc": {"min": 0.5}}
        )
        widths.append(found.interval[1] - found.interval[0])
    assert widths[1] > 1.3 * widths[0]
    assert any("one patient" in note for note in found.details["notes"])


def test_few_expected_events_never_decide(find_one) -> None:
    frame = cohort(50)
    found = find_one(
        "estimated_performance", None, frame, roles=UNLABELLED, metrics={"roc_auc": {"min": 1.0}}
    )
    assert found.verdict == "inconclusive"
    assert "fewer than 10" in found.message


def with_scores(change) -> pd.DataFrame:
    frame = cohort(200)
    frame["risk"] = change(frame["risk"].to_numpy())
    return frame


BAD = {
    "outside": (lambda risk: risk * 30, "outside [0, 1]"),
    "infinite": (lambda risk: np.where(np.arange(200) < 60, np.inf, risk), "infinite"),
    "missing": (lambda risk: np.where(np.arange(200) < 60, np.nan, risk), "missing"),
    "classes": (lambda risk: (risk > 0.2).astype(float), "class and not a probability"),
    "all 0": (lambda risk: risk * 0, "class and not a probability"),
    "text": (lambda risk: ["high"] * 200, "risk"),
}


@pytest.mark.parametrize("bad", BAD)
def test_bad_scores_are_errors(bad, find_one) -> None:
    change, said = BAD[bad]
    found = find_one(
        "estimated_performance",
        None,
        with_scores(change),
        roles=UNLABELLED,
        metrics={"roc_auc": {"min": 0.1}},
    )
    assert found.verdict == "error"
    assert said in found.message


def test_without_a_score_column_it_is_an_error(find_one) -> None:
    found = find_one("estimated_performance", None, cohort(), roles={}, metrics={"roc_auc": {"min": 0.1}})
    assert found.verdict == "error"
    assert "columns.score" in found.message


def test_an_alert_that_no_score_raises_is_an_error_of_that_case_alone(find) -> None:
    found = find(
        "estimated_performance",
        None,
        with_scores(lambda risk: risk / 10),
        roles=UNLABELLED,
        metrics={"precision": {"min": 0.1}, "brier": {"max": 0.9}},
        threshold=0.9,
    )
    assert [each.verdict for each in found] == ["error", "inconclusive"]
    assert "no score reaches the threshold" in found[0].message


SUITE = """
data: {{current: data.csv}}
columns: {{score: risk}}
{more}checks:
  - estimated_performance: {keys}
"""
WRONG = {
    "{inconclusive: block}": "`inconclusive: block` is not possible",
    "{severity: block}": "`severity: block` is not possible",
    "{metrics: {roc_auk: {min: 0.7}}}": "`metrics`: unknown key 'roc_auk', did you mean 'roc_auc'?",
    "{metrics: {roc_auc: {mn: 0.7}}}": "unknown parameter 'mn'",
    "{metrics: {roc_auc: {min: '0.7'}}}": "`metrics.roc_auc.min` must be a number",
    "{metrics: {roc_auc: {min: 70}}}": "`min: 70` is outside [0, 1]",
    "{metrics: {brier_skill: {max: 2}}}": "`max: 2` is outside (-inf, 1]",
    "{metrics: {roc_auc: {min: 0.8, max: 0.7}}}": "`min` is above `max`",
    "{metrics: {recall: {min: 0.8}}}": "`recall` needs `threshold`",
    "{metrics: {net_benefit: {min: 0}}, threshold: 1}": "needs a `threshold` below 1",
    "{metrics: {}}": "`metrics` is empty",
    "{metrics: {roc_auc: {min: 0.7}}, p_value: 0.05}": "leave p_value out",
}


@pytest.mark.parametrize("keys", WRONG)
def test_a_mistake_of_the_suite_is_told_before_any_data_is_read(keys, tmp_path) -> None:
    path = tmp_path / "s.yml"
    path.write_text(SUITE.format(more="", keys=keys))
    with pytest.raises(SuiteError) as error:
        run_suite(path)
    assert WRONG[keys] in str(error.value)


@pytest.mark.parametrize("strict", [False, True])
def test_it_warns_whatever_the_defaults_say_and_strict_exempts_it(strict, tmp_path) -> None:
    cohort(1000).drop(columns="y").to_csv(tmp_path / "data.csv", index=False)
    path = tmp_path / "s.yml"
    keys = "{metrics: {roc_auc: {min: 0.95}, brier: {max: 0.9}}}"
    path.write_text(SUITE.format(more="defaults: {severity: block}\n", keys=keys))
    result = run_suite(path, strict=strict)
    found = result.findings
    assert [(each.verdict, each.severity, each.outcome) for each in found] == [
        ("fail", "warn", "passed"),
        ("inconclusive", "warn", "passed"),
    ]


def test_blocking_is_refused_with_exit_4(pytester: pytest.Pytester) -> None:
    pytester.makefile(".yml", s=SUITE.format(more="", keys="{inconclusive: block}"))
    done = pytester.runpytest_subprocess("--readmit-suite", "s.yml", "-p", "no:cacheprovider")
    assert done.ret == 4
    done.stderr.fnmatch_lines(["*s.yml:4:*estimated_performance: `inconclusive: block` is not possible*"])
