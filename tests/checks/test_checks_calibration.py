"""calibration."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from pytest_readmit import SuiteError, run_suite

ROLES = {"target": "y", "positive_label": 1, "score": "risk"}
EVERY = {"slope": {}, "intercept": {}, "observed_expected": {}, "ece": {}, "ici": {}}


def cohort(rows: int = 20_000, *, a: float = 0.0, b: float = 1.0, seed: int = 0) -> pd.DataFrame:
    """Return labels with logit P(y) = a + b logit(risk)."""
    rng = np.random.default_rng(seed)
    x = rng.normal(-2.3, 0.9, rows)
    return pd.DataFrame({"y": (rng.random(rows) < expit(a + b * x)).astype(int), "risk": expit(x)})


@pytest.fixture
def decided(find):
    """Decide calibration on one frame; findings by measure."""

    def decide(frame: pd.DataFrame, *, roles=ROLES, **keys):
        return {found.subject: found for found in find("calibration", None, frame, roles=roles, **keys)}

    return decide


def test_bare_it_holds_slope_ratio_and_error_to_the_contract(decided) -> None:
    found = decided(cohort())
    assert {name: each.limit for name, each in found.items()} == {
        "slope": (0.8, 1.25),
        "observed_expected": (0.8, 1.25),
        "ece": 0.02,
    }
    assert {each.verdict for each in found.values()} == {"pass"}, [each.message for each in found.values()]
    assert {each.m for each in found.values()} == {3}
    assert found["ece"].id.endswith("::calibration::ece")


@pytest.mark.parametrize(
    ("a", "b", "broken"),
    [
        (-0.6, 0.6, {"slope", "ece"}),
        (-0.7, 1.0, {"observed_expected", "ece"}),
        (0.7, 1.0, {"observed_expected", "ece"}),
        (1.2, 1.5, {"slope", "ece"}),
    ],
)
def test_what_is_wrong_with_the_scores_is_what_fails(a, b, broken, decided) -> None:
    found = decided(cohort(a=a, b=b))
    assert {name for name, each in found.items() if each.verdict == "fail"} == broken, {
        name: each.message for name, each in found.items()
    }


def test_each_measure_is_the_one_of_its_name(decided) -> None:
    found = decided(cohort(a=0.3, b=1.2), measures=EVERY)
    assert found["slope"].estimate == pytest.approx(1.2, abs=0.05)
    assert found["observed_expected"].estimate == pytest.approx(
        cohort(a=0.3, b=1.2)["y"].sum() / cohort(a=0.3, b=1.2)["risk"].sum()
    )
    assert -0.3 < found["intercept"].estimate < 0.0
    assert found["ici"].estimate == pytest.approx(found["ece"].estimate, abs=0.005)


def test_without_limits_it_is_reported_only(decided) -> None:
    found = decided(cohort(300, a=-2.0, b=0.1), measures=EVERY)
    assert {each.verdict for each in found.values()} == {"pass"}
    assert all("reported only" in each.message for each in found.values())
    assert all(each.limit is None for each in found.values())


def test_one_end_is_a_floor_or_a_ceiling(decided) -> None:
    found = decided(cohort(b=0.6), measures={"slope": {"min": 0.8}, "intercept": {"max": 5}})
    assert (found["slope"].limit, found["slope"].direction) == (0.8, "at_least")
    assert (found["intercept"].limit, found["intercept"].direction) == (5, "at_most")
    assert found["slope"].verdict == "fail"
    assert found["intercept"].verdict == "pass"
    open_end = decided(cohort(b=1.6), measures={"slope": {"min": 0.8, "max": None}})
    assert open_end["slope"].verdict == "pass"


def test_the_index_is_decided_by_its_estimate_and_says_so(decided) -> None:
    found = decided(cohort(a=-0.8), measures={"ici": {"max": 0.02}, "ece": {"max": 0.02}})
    assert found["ici"].verdict == "fail"
    assert found["ici"].decide_by == "estimate"
    assert found["ici"].interval is None
    assert "it has no bounds, so its estimate decides; the limit is 0.02" in found["ici"].message
    assert found["ece"].decide_by == "interval"
    asked = decided(cohort(), measures={"ici": {"max": 0.02}}, decide_by="estimate")["ici"]
    assert asked.verdict == "pass"
    assert "no bounds" not in asked.message


def test_few_rows_cannot_tell_and_say_how_many_would(decided) -> None:
    found = decided(cohort(400))
    assert found["slope"].verdict == "inconclusive"
    assert found["slope"].needed_n > 1000
    assert found["ece"].verdict == "inconclusive"
    assert "by chance alone" in found["ece"].message


def test_fewer_than_ten_events_never_decide(decided) -> None:
    frame = cohort(5000)
    frame = pd.concat([frame[frame["y"] == 1][:9], frame[frame["y"] == 0]])
    found = decided(frame)
    assert {each.verdict for each in found.values()} == {"inconclusive"}
    assert all("fewer than 10 events" in each.message for each in found.values())
    for each in found.values():
        assert not set(each.details["calibration_curve"]["n"])
        assert each.details.get("expected_events") is None


def test_rows_of_a_patient_are_not_independent(decided) -> None:
    once = cohort(3000)
    frame = once.loc[once.index.repeat(4)].assign(patient=np.repeat(np.arange(3000), 4))
    alone = decided(once, measures=EVERY)
    rows = decided(frame, measures=EVERY)
    patients = decided(frame, roles={**ROLES, "patient": "patient"}, measures=EVERY)
    for name in ("slope", "intercept", "observed_expected"):
        assert patients[name].interval == pytest.approx(alone[name].interval, rel=0.01)
        assert np.diff(rows[name].interval) < 0.6 * np.diff(patients[name].interval)
    assert patients["ece"].interval[1] == pytest.approx(alone["ece"].interval[1], rel=0.02)
    assert "hosmer_lemeshow" in rows["ece"].details
    assert "hosmer_lemeshow" not in patients["ece"].details
    few = frame.assign(patient=frame["patient"] % 29)
    assert {each.verdict for each in decided(few, roles={**ROLES, "patient": "patient"}).values()} == {
        "inconclusive"
    }


def test_the_curve_is_there_for_the_report(decided) -> None:
    found = decided(cohort(), bins=8)
    for each in found.values():
        curve = each.details["calibration_curve"]
        assert set(curve) == {"predicted", "observed", "lower", "upper", "n"}
        assert sum(curve["n"]) == 20_000
        assert len(curve["n"]) == 8
        table = each.details["table"]
        assert table["columns"] == list(curve)
        assert [row[0] for row in table["rows"]] == curve["predicted"]
    assert found["ece"].details["bins"] == 8


def test_scores_of_exactly_0_or_1_have_no_slope_yet_a_ratio(decided) -> None:
    frame = cohort()
    frame.loc[:19, "risk"] = 0.0
    frame.loc[20:29, "risk"] = 1.0
    found = decided(frame, measures=EVERY)
    for name in ("slope", "intercept"):
        assert found[name].verdict == "error"
        assert "30 of 20,000 values of score 'risk' are exactly 0 or 1" in found[name].message
    assert {found[name].verdict for name in ("observed_expected", "ece", "ici")} == {"pass"}
    frame.loc[3:, "risk"] = 0.1
    few = decided(frame, measures={"slope": {}})["slope"].message
    assert "fewer than 11 of 20,000" in few


def test_a_constant_score_has_no_slope(decided) -> None:
    found = decided(cohort().assign(risk=0.13), measures=EVERY)
    assert found["slope"].verdict == "error"
    assert "every score is the same" in found["slope"].message
    assert found["observed_expected"].estimate == pytest.approx(cohort()["y"].mean() / 0.13)
    assert found["ece"].estimate == pytest.approx(abs(cohort()["y"].mean() - 0.13))


def test_scores_that_separate_the_classes_have_no_slope(decided) -> None:
    frame = cohort()
    frame["risk"] = np.where(frame["y"] == 1, 0.9, 0.1) + 0.01 * frame["risk"]
    found = decided(frame)
    assert found["slope"].verdict == "error"
    assert "separate the classes" in found["slope"].message
    assert found["ece"].verdict == "fail"


@pytest.mark.parametrize("bad", [1.2345, -0.1234, np.inf])
def test_a_score_that_is_no_probability_is_an_error_that_shows_no_value(bad, decided) -> None:
    frame = cohort(2000)
    frame.loc[0, "risk"] = bad
    for each in decided(frame, measures=EVERY).values():
        assert each.verdict == "error"
        assert "1.23" not in each.message
        assert "0.12" not in each.message


def test_missing_scores_are_counted_and_above_their_limit_an_error(decided) -> None:
    frame = cohort(5000)
    frame.loc[:99, "risk"] = np.nan
    found = decided(frame)
    assert found["slope"].n_current == 4900
    assert found["slope"].details["missing_scores_current"] == 100
    frame.loc[:400, "risk"] = np.nan
    for each in decided(frame).values():
        assert each.verdict == "error"
        assert "max_missing_label" in each.message
    assert decided(frame, max_missing_label=0.2)["slope"].verdict != "error"


def test_one_class_alone_is_an_error(decided) -> None:
    for label in (0, 1):
        found = decided(cohort(1000).assign(y=label), measures=EVERY)
        assert {each.verdict for each in found.values()} == {"error"}


def test_labels_may_be_texts_or_truth_values_and_are_never_guessed(decided) -> None:
    frame = cohort(5000)
    expected = decided(frame)["slope"].estimate
    for values in (("no", "yes"), (False, True), (1, 2)):
        named = frame.assign(y=np.where(frame["y"] == 1, values[1], values[0]))
        found = decided(named, roles={**ROLES, "positive_label": values[1]})
        assert found["slope"].estimate == pytest.approx(expected)
    with pytest.raises(SuiteError, match="positive_label"):
        decided(frame, roles={"target": "y", "score": "risk"})


WRONG = {
    "measures: {slop: {min: 0.8}}": "unknown key 'slop', did you mean 'slope'?",
    "measures: {slope: {mn: 0.8}}": "unknown parameter 'mn', did you mean 'min'?",
    "measures: {slope: 0.8}": "must be a mapping with min, max",
    "measures: {slope: {min: high}}": "must be a number",
    "measures: {slope: {min: true}}": "must be a number",
    "measures: {slope: {min: 1.3, max: 0.8}}": "`slope`: `min` is above `max`",
    "measures: {slope: {min: -1}}": "a limit below 0 would allow scores that rank backwards",
    "measures: {observed_expected: {min: -0.5}}": "is outside [0, inf)",
    "measures: {ece: {min: 0.01}}": "`ece`: an error has no `min`; it takes `max`",
    "measures: {ici: {max: -0.01}}": "is outside [0, 1]",
    "measures: {ece: {max: 2}}": "is outside [0, 1]",
    "measures: {}": "name at least one",
    "p_value: 0.05": "leave p_value out",
    "bins: 1": "must be a whole number from 2 to 1000",
    "threshold: 0.2": "unknown parameter 'threshold'",
}


@pytest.mark.parametrize("keys", WRONG)
def test_a_suite_that_makes_no_sense_is_refused_before_data_is_read(keys, tmp_path) -> None:
    path = tmp_path / "s.yml"
    path.write_text(f"data: {{current: nowhere.csv}}\nchecks:\n  - calibration: {{{keys}}}\n")
    with pytest.raises(SuiteError) as refused:
        run_suite(path)
    assert WRONG[keys] in str(refused.value)
    assert str(refused.value).count("\n") == 0


def test_a_suite_may_measure_by_segment(tmp_path) -> None:
    frame = cohort().assign(sex=["F", "M"] * 10_000)
    frame.loc[frame["sex"] == "M", "risk"] **= 0.5
    frame.to_csv(tmp_path / "now.csv", index=False)
    path = tmp_path / "s.yml"
    path.write_text(
        "data: {current: now.csv}\n"
        "columns: {target: y, positive_label: 1, score: risk}\n"
        "checks:\n"
        "  - calibration:\n"
        "      measures: {slope: {min: 0.8, max: 1.25}, observed_expected: {min: 0.8, max: 1.25}}\n"
        "      segments: sex\n"
    )
    found = {(each.subject, each.segment): each for each in run_suite(path).findings}
    assert len(found) == 4
    verdicts = {key: each.verdict for key, each in found.items()}
    assert {each.m for each in found.values()} == {4}
    assert sorted(verdicts.values()) == ["fail", "fail", "pass", "pass"]
    assert all(("M" in segment) == (verdict == "fail") for (_, segment), verdict in verdicts.items())
