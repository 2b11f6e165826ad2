"""concept_drift."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from pytest_readmit import SuiteError, run_suite

ROLES = {"target": "y", "positive_label": 1, "score": "risk"}


def cohort(
    rows: int = 12_000, seed: int = 0, *, slope: float = 1.0, shift: float = 0.0, spread: float = 1.0
) -> pd.DataFrame:
    """Rows whose label follows the score, unless `slope` or `shift` change how."""
    rng = np.random.default_rng(seed)
    x = rng.normal(0, spread, rows)
    labels = rng.random(rows) < expit(-2.4 + shift + slope * x)
    return pd.DataFrame(
        {"x": x, "risk": expit(-2.4 + x), "y": labels.astype(int), "patient": np.arange(rows) // 4}
    )


@pytest.fixture(scope="module")
def reference() -> pd.DataFrame:
    return cohort()


def by_subject(findings) -> dict:
    return {each.subject: each for each in findings}


def test_a_bare_entry_passes_where_nothing_drifted(find, reference) -> None:
    found = by_subject(find("concept_drift", reference, cohort(seed=1), roles=ROLES))
    assert list(found) == ["roc_auc", "average_precision", "slope", "observed_expected"]
    assert {each.verdict for each in found.values()} == {"pass"}, [each.message for each in found.values()]
    assert found["roc_auc"].limit == found["average_precision"].limit == 0.05
    assert found["slope"].limit == found["observed_expected"].limit == (0.8, 1.25)


def test_a_relation_that_weakened_fails(find, reference) -> None:
    found = by_subject(find("concept_drift", reference, cohort(seed=1, slope=0.3), roles=ROLES))
    assert found["roc_auc"].verdict == found["slope"].verdict == "fail"
    assert found["roc_auc"].estimate > 0.1
    assert "roc_auc fell by 0.1" in found["roc_auc"].message
    assert "the limit is 0.05" in found["roc_auc"].message


def test_a_base_rate_that_rose_shows_in_calibration_alone(find, reference) -> None:
    found = by_subject(find("concept_drift", reference, cohort(seed=1, shift=0.7), roles=ROLES))
    assert found["observed_expected"].verdict == "fail"
    assert found["roc_auc"].verdict == found["slope"].verdict == "pass"


def test_average_precision_is_compared_at_the_reference_s_prevalence(find_one, reference) -> None:
    rarer = cohort(20_000, seed=1)
    drop = (rarer["y"] == 1) & (np.arange(len(rarer)) % 2 == 0)
    rarer = rarer[~drop]
    keys = {"roles": ROLES, "metrics": {"average_precision": {"max_drop": 0.05}}}
    level = find_one("concept_drift", reference, rarer, **keys)
    observed = find_one("concept_drift", reference, rarer, prevalence="observed", **keys)
    assert (level.verdict, observed.verdict) == ("pass", "fail")
    assert abs(level.estimate) < 0.02
    assert observed.estimate > 0.06
    assert "at the reference's prevalence" in level.message
    own = [average_precision_score(side["y"], side["risk"]) for side in (reference, rarer)]
    assert level.details["at_own_prevalence"]["reference"] == pytest.approx(own[0])
    assert level.details["at_own_prevalence"]["current"] == pytest.approx(own[1])
    assert level.details["prevalence"]["current"] == pytest.approx(rarer["y"].mean())


MISSION = {
    "metrics": {
        "roc_auc": {"max_relative_change": 0.05},
        "average_precision": {"max_relative_change": 0.05},
        "brier": {},
    },
    "prevalence": "observed",
    "decide_by": "estimate",
}


@pytest.mark.parametrize(("rows", "slope"), [(500, 1.0), (2000, 1.0), (2000, 0.9), (2000, 1.2), (5000, 0.85)])
def test_the_five_per_cent_rule_to_the_letter(rows, slope, find) -> None:
    before, after = (cohort(rows, seed=7).round(2), cohort(rows, seed=8, slope=slope).round(2))
    found = by_subject(find("concept_drift", before, after, roles=ROLES, **MISSION))
    score = {
        "roc_auc": roc_auc_score,
        "average_precision": average_precision_score,
        "brier": brier_score_loss,
    }
    assert list(found) == list(score)
    for name, metric in score.items():
        old, new = (metric(side["y"], side["risk"]) for side in (before, after))
        relative = (new - old) / old
        assert found[name].details["reference"] == pytest.approx(old, rel=1e-9)
        assert found[name].details["current"] == pytest.approx(new, rel=1e-9)
        assert found[name].details["relative_change"] == pytest.approx(relative, rel=1e-6)
        drifted = name != "brier" and abs(relative) > 0.05
        assert found[name].verdict == ("fail" if drifted else "pass"), found[name].message
        if name != "brier":
            assert found[name].estimate == pytest.approx(abs(relative), rel=1e-6)


def test_the_five_per_cent_rule_with_intervals_admits_what_it_cannot_tell(find_one) -> None:
    keys = {"roles": ROLES, "metrics": {"roc_auc": {"max_relative_change": 0.05}}}
    assert find_one("concept_drift", cohort(1000), cohort(1000, 1), **keys).verdict == "inconclusive"
    assert find_one("concept_drift", cohort(90_000), cohort(90_000, 1), **keys).verdict == "pass"
    assert find_one("concept_drift", cohort(), cohort(seed=1, slope=0.3), **keys).verdict == "fail"


def test_a_brier_score_is_shown_with_its_skill(find_one, reference) -> None:
    found = find_one(
        "concept_drift", reference, cohort(seed=1, shift=-1.0), roles=ROLES, metrics={"brier": {}}
    )
    assert found.verdict == "pass"
    assert found.details["change"] < 0 < found.details["prevalence"]["reference"]
    assert found.details["brier_skill"]["change"] < 0
    assert "moves with the prevalence" in found.details["notes"][0]


SIGNS = [
    ("log_loss", {"max_rise": 0.02}, {"shift": 0.8}, 1),
    ("brier", {"max_rise": 0.02}, {"shift": 0.8}, 1),
    ("roc_auc", {"max_change": 0.05}, {"slope": 0.3}, -1),
    ("roc_auc", {"max_change": 0.05}, {"slope": 2.0}, 1),
    ("alert_rate", {"max_change": 0.01}, {"spread": 1.5}, 1),
    ("recall", {"max_drop": 0.05}, {"slope": 0.3}, 1),
]


@pytest.mark.parametrize(("name", "limit", "drift", "sign"), SIGNS)
def test_every_limit_has_its_sign(name, limit, drift, sign, find_one, reference) -> None:
    found = find_one(
        "concept_drift",
        reference,
        cohort(seed=1, **drift),
        roles=ROLES,
        metrics={name: limit},
        threshold=0.15,
    )
    assert found.verdict == "fail", found.message
    assert np.sign(found.estimate) == sign


@pytest.mark.parametrize("kind", ["max_change", "max_relative_change"])
def test_over_prediction_that_grows_is_a_change_of_calibration(kind, find, reference) -> None:
    metrics = {"observed_expected": {kind: 0.1}, "slope": {kind: 0.3}}
    after = cohort(seed=1, shift=-0.5)
    found = by_subject(find("concept_drift", reference, after, roles=ROLES, metrics=metrics))
    ratios = [side["y"].sum() / side["risk"].sum() for side in (reference, after)]
    change = ratios[1] - ratios[0]
    expected = change if kind == "max_change" else abs(change) / ratios[0]
    assert found["observed_expected"].verdict == "fail"
    assert found["observed_expected"].estimate == pytest.approx(expected)
    assert found["slope"].verdict == "pass", found["slope"].message
    assert found["slope"].details["relative_change"] is not None


def test_an_improvement_passes_where_only_a_loss_is_limited(find, reference) -> None:
    better = cohort(seed=1, slope=2.0)
    metrics = {"roc_auc": {"max_drop": 0.0}, "recall": {"max_drop": 0.0}}
    for found in find("concept_drift", reference, better, roles=ROLES, metrics=metrics, threshold=0.15):
        assert (found.verdict, found.estimate < 0) == ("pass", True)
        assert "a drop of -" in found.message


def test_patients_make_the_bounds_wider(find_one) -> None:
    before, after = (
        pd.concat([cohort(3000, seed)] * 4).assign(patient=np.tile(np.arange(3000), 4)) for seed in (0, 1)
    )
    widths = []
    for roles in (ROLES, {**ROLES, "patient": "patient"}):
        found = find_one("concept_drift", before, after, roles=roles, metrics={"roc_auc": {"max_drop": 0.05}})
        widths.append(found.interval[1] - found.interval[0])
    assert widths[1] == pytest.approx(2 * widths[0], rel=0.05)


def test_explain_adds_what_is_due_to_the_relation(find) -> None:
    before, after = cohort(4000), cohort(4000, seed=1, slope=0.1)
    keys = {
        "roles": {**ROLES, "features": ["x"]},
        "explain": True,
        "metrics": {"roc_auc": {"max_drop": 0.05}},
    }
    found = by_subject(find("concept_drift", before, after, **keys))
    assert list(found) == ["roc_auc", "relation:roc_auc", "relation:log_loss"]
    assert found["relation:roc_auc"].verdict == "fail", found["relation:roc_auc"].message


def test_few_events_never_decide(find) -> None:
    few = cohort(2000, seed=1)
    few = pd.concat([few[few["y"] == 0], few[few["y"] == 1].head(9)])
    for found in find("concept_drift", cohort(2000), few, roles=ROLES):
        assert found.verdict == "inconclusive", found.message
        assert "fewer than 10" in found.message


def labels(frame: pd.DataFrame, values) -> pd.DataFrame:
    return frame.assign(y=values)


BAD = {
    "one class": (lambda frame: labels(frame, 0), "label"),
    "three levels": (lambda frame: labels(frame, np.arange(len(frame)) % 3), "negative_label"),
    "labels missing": (
        lambda frame: labels(frame, np.where(np.arange(len(frame)) % 3, frame["y"], np.nan)),
        "missing",
    ),
    "no scores": (lambda frame: frame.assign(risk=np.nan), "missing"),
    "logits": (lambda frame: frame.assign(risk=frame["x"]), "outside [0, 1]"),
    "infinite": (lambda frame: frame.assign(risk=np.where(frame.index % 2, np.inf, 0.5)), "infinite"),
    "no score column": (lambda frame: frame.drop(columns="risk"), "risk"),
    "no rows": (lambda frame: frame.head(0), "0 rows"),
}


@pytest.mark.parametrize("side", ["reference", "current"])
@pytest.mark.parametrize("bad", BAD)
def test_bad_data_is_an_error_of_every_case(bad, side, find) -> None:
    change, said = BAD[bad]
    frames = {"reference": cohort(400), "current": cohort(400, seed=1)}
    frames[side] = change(frames[side])
    metrics = {"roc_auc": {"max_drop": 0.05}, "average_precision": {}, "brier_skill": {}}
    found = find("concept_drift", frames["reference"], frames["current"], roles=ROLES, metrics=metrics)
    assert {each.verdict for each in found} == {"error"}, [each.message for each in found]
    assert all(said in each.message for each in found), found[0].message


def test_scores_of_0_or_1_are_an_error_of_the_slope_alone(find, reference) -> None:
    current = cohort(seed=1)
    current.loc[:50, "risk"] = 0.0
    found = by_subject(find("concept_drift", reference, current, roles=ROLES))
    assert found["slope"].verdict == "error"
    assert {found[name].verdict for name in found if name != "slope"} == {"pass"}


def test_a_change_relative_to_nothing_is_an_error(find_one) -> None:
    frames = [cohort(2000), cohort(2000, seed=1)]
    keys = {"metrics": {"recall": {"max_relative_change": 0.05}}, "threshold": 0.999}
    found = find_one("concept_drift", *frames, roles=ROLES, **keys)
    assert found.verdict == "error"
    assert "recall is 0" in found.message


SUITE = """
data: {{reference: a.csv, current: b.csv}}
columns: {{target: y, positive_label: 1, score: risk}}
checks:
  - concept_drift: {keys}
"""
WRONG = {
    "{metrics: {brier: {max_drop: 0.1}}}": "`brier`: a drop of it is no loss of performance: write",
    "{metrics: {roc_auc: {max_rise: 0.1}}}": "a rise of it is no loss of performance: write `max_drop`",
    "{metrics: {alert_rate: {max_drop: 0.1}}, threshold: 0.2}": "write `max_change`",
    "{metrics: {alert_rate: {max_rise: 0.1}}, threshold: 0.2}": "write `max_change`",
    "{metrics: {roc_auc: {max_drop: 0.1, max_change: 0.1}}}": "give one limit, not `max_drop` and",
    "{metrics: {roc_auc: {min: 0.7}}}": "belong to the check performance",
    "{metrics: {slope: {max_drop: 0.1}}}": "neither high nor low: write `max_change`",
    "{metrics: {slope: {min: 0.8, max_change: 0.1}}}": "or one limit of the change",
    "{metrics: {slope: {min: 1.2, max: 0.8}}}": "`min` is above `max`",
    "{metrics: {roc_auc: {max_drop: -0.1}}}": "`metrics.roc_auc.max_drop` must be a number at least 0",
    "{metrics: {roc_ac: {max_drop: 0.1}}}": "unknown key 'roc_ac', did you mean 'roc_auc'?",
    "{metrics: {roc_auc: {max_dro: 0.1}}}": "unknown parameter 'max_dro', did you mean 'max_drop'?",
    "{metrics: {recall: {max_drop: 0.1}, f1: {}}}": "`recall`, `f1` need `threshold`",
    "{metrics: {}}": "`metrics` is empty",
    "{prevalence: current}": "`prevalence` must be 'reference' or 'observed'",
    "{p_value: 0.05}": "leave p_value out",
}


@pytest.mark.parametrize("keys", WRONG)
def test_a_mistake_of_the_suite_is_told_before_any_data_is_read(keys, tmp_path) -> None:
    path = tmp_path / "s.yml"
    path.write_text(SUITE.format(keys=keys))
    with pytest.raises(SuiteError) as error:
        run_suite(path)
    assert WRONG[keys] in str(error.value)


def test_as_a_suite_with_segments(tmp_path) -> None:
    for name, seed in (("a", 0), ("b", 1)):
        frame = cohort(8000, seed).assign(sex=np.tile(["F", "M"], 4000))
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
    path = tmp_path / "s.yml"
    path.write_text(SUITE.format(keys="{metrics: {roc_auc: {max_drop: 0.05}, slope: {}}, segments: sex}"))
    found = run_suite(path).findings
    assert [(each.subject, each.segment) for each in found] == [
        (subject, segment) for subject in ("roc_auc", "slope") for segment in ("F", "M")
    ]
    assert {each.n_current for each in found} == {4000}
    assert {each.verdict for each in found} <= {"pass", "inconclusive"}
