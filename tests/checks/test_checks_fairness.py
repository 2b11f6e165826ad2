"""fairness: groups, gaps, small groups, limits out of reach, and what may be shown."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pytest_readmit import SuiteError, run_check, run_suite
from pytest_readmit.stats import fairness
from pytest_readmit.stats.predictions import Predictions

ROLES = {"target": "y", "positive_label": 1, "score": "risk", "sensitive": ["sex"]}


def cohort(gap: float = 0.0, rows: int = 20_000, seed: int = 0) -> pd.DataFrame:
    """Return scored rows; women score higher by `gap` on the logit scale, whatever their outcome."""
    rng = np.random.default_rng(seed)
    sex = rng.choice(["F", "M"], rows).astype(object)
    positive = rng.random(rows) < 0.11
    logit = rng.normal(-2.0 + 0.8 * positive + gap * (sex == "F"), 0.8)
    return pd.DataFrame(
        {
            "y": positive.astype(int),
            "risk": 1 / (1 + np.exp(-logit)),
            "sex": sex,
            "insurance": rng.choice(["private", "public"], rows).astype(object),
            "age": rng.normal(60, 18, rows).clip(10, 100).round(),
        }
    )


def found(frame: pd.DataFrame, *, roles: dict | None = None, **keys):
    keys = {"threshold": 0.2, **keys}
    return run_check("fairness", current=frame, roles={**ROLES, **(roles or {})}, **keys)


def one(frame: pd.DataFrame, **keys):
    findings = found(frame, **keys)
    assert len(findings) == 1, [each.id for each in findings]
    return findings[0]


def measured(name: str, limit: float | None = 0.1) -> dict:
    return {name: {} if limit is None else {"max": limit}}


def table(finding) -> pd.DataFrame:
    drawn = finding.details["table"]
    return pd.DataFrame(drawn["rows"], columns=drawn["columns"]).set_index("group")


def suite(tmp_path: Path, keys: str, columns: str = "sensitive: [sex]", data: pd.DataFrame | None = None):
    path = tmp_path / "fairness.yml"
    path.write_text(
        "columns: {target: y, positive_label: 1, score: risk, " + columns + "}\n"
        f"checks:\n  - fairness: {keys}\n",
        encoding="utf-8",
    )
    return run_suite(path, data={"current": cohort(rows=3000) if data is None else data})


# what is measured


def test_each_measure_and_column_is_a_case(tmp_path) -> None:
    keys = (
        "{threshold: 0.2, bins: {age: [45, 65]}, intersections: [[sex, insurance]], measures: "
        "{equalised_odds: {max: 0.1}, tpr_difference: {max: 0.1}, fpr_difference: {max: 0.1}, "
        "demographic_parity: {max: 0.1}, auc_difference: {max: 0.05}, observed_expected: {}}}"
    )
    result = suite(tmp_path, keys, "sensitive: [sex, insurance, age]", cohort())
    subjects = [each.subject for each in result.findings]
    assert len(subjects) == 6 * 4
    assert {"equalised_odds:sex", "observed_expected:age", "auc_difference:sex+insurance"} <= set(subjects)
    assert {each.m for each in result.findings} == {24}
    assert {each.verdict for each in result.findings} == {"pass"}, [e.message for e in result.findings]


def test_alone_it_asks_for_equalised_odds_within_a_tenth() -> None:
    finding = one(cohort())
    assert (finding.subject, finding.limit, finding.verdict) == ("equalised_odds:sex", 0.1, "pass")
    assert finding.method == "newcombe"


@pytest.mark.parametrize(
    ("measure", "quantity"),
    [
        ("equalised_odds", "false positive rate"),
        ("tpr_difference", "true positive rate"),
        ("fpr_difference", "false positive rate"),
        ("demographic_parity", "alert rate"),
        ("observed_expected", "observed:expected"),
    ],
)
def test_a_disparity_fails_and_the_two_groups_are_named(measure, quantity) -> None:
    frame = cohort(gap=0.7)
    finding = one(frame, measures=measured(measure))
    assert finding.verdict == "fail", finding.message
    assert finding.details["quantity"] == quantity
    assert finding.details["between"] in (["M", "F"], ["F", "M"])
    assert finding.message.startswith(f"sex: {quantity} is ")
    assert "a gap of" in finding.message
    parts = dict(list(frame.groupby("sex")))
    positives = {sex: part[part.y == 1] for sex, part in parts.items()}
    if measure == "tpr_difference":
        rates = [(part.risk >= 0.2).mean() for part in positives.values()]
        assert finding.estimate == pytest.approx(abs(rates[0] - rates[1]))
    if measure == "observed_expected":
        ratios = [part.y.sum() / part.risk.sum() for part in parts.values()]
        assert finding.estimate == pytest.approx(abs(ratios[0] - ratios[1]))


def test_a_shift_of_the_score_leaves_the_ranking_of_each_group_alone() -> None:
    assert one(cohort(gap=0.7), measures=measured("auc_difference", 0.05)).verdict == "pass"
    frame = cohort()
    women = frame.sex == "F"
    frame.loc[women, "risk"] = np.random.default_rng(1).permutation(frame.loc[women, "risk"])
    finding = one(frame, measures=measured("auc_difference", 0.05))
    assert (finding.verdict, finding.method) == ("fail", "delong")
    assert finding.details["between"] == ["F", "M"]


def test_without_a_limit_a_measure_is_only_reported() -> None:
    finding = one(cohort(gap=0.7), measures=measured("equalised_odds", None))
    assert (finding.verdict, finding.limit) == ("pass", None)
    assert "reported only" in finding.message


def test_the_same_numbers_come_from_the_statistics() -> None:
    frame = cohort(gap=0.3)
    finding = one(frame)
    whole = Predictions.of(frame.y, frame.risk)
    parts = fairness.by_group(whole, (frame.sex == "M").to_numpy().astype(int), 2)
    rates = [
        fairness.rate_by_group(kind, whole, parts, 0.2)
        for kind in ("true positive rate", "false positive rate")
    ]
    effect = fairness.largest_gap(rates, whole.n)
    assert finding.estimate == pytest.approx(effect.estimate)
    assert finding.interval == pytest.approx(effect.bounds(0.05))
    shown = table(finding)
    assert shown.loc["F", "true positive rate"] == pytest.approx(rates[0].values[0].estimate, abs=1e-4)
    assert shown.loc["F", "positives"] == frame[frame.sex == "F"].y.sum()


def test_rows_of_the_same_patients_count_less() -> None:
    frame = cohort(rows=4000)
    copies = pd.concat([frame] * 3, ignore_index=True).assign(patient=np.tile(np.arange(4000), 3))
    alone, by_patient = one(copies), one(copies, roles={"patient": "patient"})
    assert alone.estimate == pytest.approx(by_patient.estimate)
    assert by_patient.interval[1] > alone.interval[1] * 1.2
    assert by_patient.interval == pytest.approx(one(frame).interval, rel=0.02)
    assert "patients" in by_patient.details["table"]["columns"]


def test_segments_are_measured_each_by_itself() -> None:
    frame = cohort(rows=40_000)
    frame.loc[(frame.insurance == "public") & (frame.sex == "F"), "risk"] **= 0.5
    verdicts = {each.segment: each.verdict for each in found(frame, segments="insurance")}
    assert verdicts == {"private": "pass", "public": "fail"}


# groups


def test_missing_values_are_a_group_of_their_own() -> None:
    frame = cohort()
    frame.loc[:1999, "sex"] = None
    frame.loc[:1999, "risk"] **= 0.4
    finding = one(frame)
    assert finding.verdict == "fail"
    assert "(missing)" in finding.details["between"]
    assert table(finding)["rows"].sum() == len(frame)


def test_values_outside_the_bins_are_groups_too() -> None:
    frame = cohort()
    frame.loc[:499, "age"] = np.nan
    shown = table(found(frame, roles={"sensitive": ["age"]}, bins={"age": [18, 45, 65, 80]})[0])
    assert list(shown.index) == ["<18", "18 to <45", "45 to <65", "65 to <80", ">=80", "(missing)"]
    assert shown["rows"].sum() == len(frame)
    assert shown.loc["65 to <80", "rows"] == ((frame.age >= 65) & (frame.age < 80)).sum()


def test_a_numerical_column_needs_bins_and_the_error_says_how() -> None:
    finding = one(cohort(), roles={"sensitive": ["age"]})
    assert finding.verdict == "error"
    assert "bins: {age: [...]}" in finding.message
    assert "columns.categorical" in finding.message
    coded = cohort().assign(sex=lambda frame: (frame.sex == "F").astype(int))
    assert one(coded).verdict == "error"
    assert one(coded, roles={"categorical": ["sex"]}).verdict == "pass"
    assert one(cohort(), bins={"sex": [1]}).verdict == "error"


def test_naming_bins_is_asking_for_the_column_and_a_misspelt_one_is_an_error() -> None:
    subjects = {each.subject: each for each in found(cohort(), bins={"age": [65], "agee": [65]})}
    assert subjects["equalised_odds:age"].verdict == "pass"
    assert subjects["equalised_odds:agee"].verdict == "error"
    assert "did you mean 'age'" in subjects["equalised_odds:agee"].message


def test_more_than_fifty_groups_are_an_error() -> None:
    frame = cohort().assign(zip=np.arange(20_000) % 51)
    frame["zip"] = frame["zip"].map("z{:02d}".format)
    finding = one(frame, roles={"sensitive": ["zip"]})
    assert finding.verdict == "error"
    assert "51 groups" in finding.message
    assert one(frame[frame["zip"] < "z30"], roles={"sensitive": ["zip"]}).verdict != "error"
    ids = cohort().assign(id=[f"p{i}" for i in range(20_000)])
    assert one(ids, columns="id", intersections=[]).verdict == "error"


def test_one_group_alone_is_an_error() -> None:
    for value in ("F", None):
        finding = one(cohort(rows=1000).assign(sex=value), roles={"categorical": ["sex"]})
        assert finding.verdict == "error"
        assert "'sex' makes one group only" in finding.message


def test_columns_narrow_the_cases_and_keep_the_intersections() -> None:
    roles = {"sensitive": ["sex", "insurance"]}
    subjects = [
        each.subject
        for each in found(cohort(), roles=roles, columns="insurance", intersections=[["sex", "insurance"]])
    ]
    assert subjects == ["equalised_odds:insurance", "equalised_odds:sex+insurance"]
    assert len(found(cohort(), roles=roles, columns="sensitive")) == 2


def test_a_column_that_is_not_there_is_an_error_case() -> None:
    for findings in (
        found(cohort(), columns=["insurence"]),
        found(cohort(), columns=["insurence"], intersections=[["sex", "insurance"]]),
        found(cohort(), columns=["sex", "insurence"]),
        found(cohort(), roles={"sensitive": ["sex", "insurence"]}),
        found(cohort(), intersections=[["sex", "insurence"]]),
    ):
        assert [each.verdict for each in findings].count("error") == 1, [e.message for e in findings]
        error = next(each for each in findings if each.verdict == "error")
        assert "did you mean 'insurance'" in error.message


def test_without_a_sensitive_column_the_error_names_the_key() -> None:
    finding = one(cohort(), roles={"sensitive": []})
    assert finding.verdict == "error"
    assert "columns.sensitive" in finding.message
    assert one(cohort(), roles={"sensitive": []}, columns="sex").verdict == "pass"


# small groups


def with_small_group(frame: pd.DataFrame, rows: int, positives: int) -> pd.DataFrame:
    small = cohort(rows=2000, seed=9).assign(sex="X")
    return pd.concat(
        [frame, small[small.y == 1].head(positives), small[small.y == 0].head(rows - positives)],
        ignore_index=True,
    )


def test_a_small_group_keeps_the_case_from_passing_and_is_listed() -> None:
    finding = one(with_small_group(cohort(), 60, 9))
    assert finding.verdict == "inconclusive"
    assert "too few positives for the true positive rate of X" in finding.message
    assert "each group needs about" in finding.message
    shown = table(finding)
    assert list(shown.index) == ["F", "M", "X"]
    assert 300 < shown.loc["X", "positives needed"] < 600
    assert one(with_small_group(cohort(), 3000, 300)).verdict == "pass"


def test_a_proven_disparity_of_large_groups_fails_beside_a_small_group() -> None:
    finding = one(with_small_group(cohort(gap=0.7), 60, 9))
    assert finding.verdict == "fail"
    assert finding.details["notes"]


def test_a_group_without_positives_decides_nothing_and_is_no_zero() -> None:
    finding = one(with_small_group(cohort(), 200, 0), measures=measured("tpr_difference"))
    assert finding.verdict == "inconclusive"
    assert "X" in finding.message
    assert table(finding).loc["X", "positives"] == 0
    frame = cohort()
    frame.loc[frame.sex == "F", "y"] = 0
    for measure in ("tpr_difference", "auc_difference", "observed_expected"):
        finding = one(frame, measures=measured(measure))
        assert finding.verdict == "inconclusive", finding.message
        assert finding.to_json()["estimate"] is None
        assert "of F" in finding.message
    assert one(frame, measures=measured("equalised_odds")).verdict == "inconclusive"
    for keys in ({"decide_by": "estimate"}, {"inconclusive": "block"}):
        assert one(frame, measures=measured("tpr_difference"), **keys).verdict == "inconclusive"


def test_a_group_whose_labels_are_all_missing_is_not_dropped() -> None:
    frame = with_small_group(cohort(), 50, 20)
    frame["y"] = frame["y"].where(frame.sex != "X")
    finding = one(frame)
    assert finding.verdict == "inconclusive"
    assert len(table(finding)) == 3


def test_by_estimate_every_group_counts() -> None:
    frame = with_small_group(cohort(), 60, 5)
    frame.loc[(frame.sex == "X") & (frame.y == 1), "risk"] = 0.01
    finding = one(frame, decide_by="estimate")
    assert (finding.verdict, finding.details["between"][0]) == ("fail", "X")
    assert one(cohort(), decide_by="estimate").verdict == "pass"


def test_groups_count_patients_where_they_are_named() -> None:
    frame = with_small_group(cohort(), 200, 60)
    frame["patient"] = np.arange(len(frame))
    frame.loc[(frame.sex == "X") & (frame.y == 1), "patient"] = 0
    assert "too few positives" in one(frame, roles={"patient": "patient"}).message
    assert "too few" not in one(frame).message


# what may be shown


def test_a_group_with_few_rows_has_no_name_anywhere() -> None:
    frame = with_small_group(cohort(rows=3000), 7, 3)
    frame.loc[frame.sex == "X", "sex"] = "Zoroastrian"
    for finding in found(frame, measures={"tpr_difference": {"max": 0.1}, "demographic_parity": {}}):
        said = json.dumps(finding.to_json())
        assert "Zoroastrian" not in said
        assert "(small group 1)" in said
        shown = table(finding)
        assert shown["rows"].isna().sum() == 2, "a single hidden count follows from the sum of the others"
        assert shown["positives"].isna().sum() == 2


def test_a_small_count_hides_its_complement_and_the_next_smallest() -> None:
    shown = table(one(with_small_group(cohort(), 60, 9)))
    assert shown.loc["X", "rows"] == 60
    assert np.isnan(shown.loc["X", "positives"])
    assert np.isnan(shown.loc["X", "negatives"])
    assert np.isnan(shown.loc["X", "true positive rate"])
    assert shown["positives"].isna().sum() == 2
    hidden = shown[shown["positives"].isna()].drop(index="X")
    assert hidden["true positive rate"].notna().all()
    assert hidden["true positive rate low"].isna().all()


# a limit out of reach


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"threshold": 0.999}, "alerts nobody"),
        ({"threshold": 0.0}, "alerts everybody"),
        ({"threshold": 0.6}, "no gap above the limit 0.1 is possible"),
        (
            {"threshold": 0.6},
            "threshold 0.6 alerts so few that no group's true positive rate or false positive",
        ),
    ],
)
def test_a_limit_that_the_rates_cannot_exceed_is_inconclusive(keys, words) -> None:
    for how in ("interval", "estimate"):
        finding = one(cohort(), **keys, decide_by=how)
        assert finding.verdict == "inconclusive", finding.message
        assert words in finding.message


def test_one_rate_within_reach_is_enough() -> None:
    frame = cohort()
    threshold = float(frame.risk[frame.y == 0].quantile(0.95))
    assert one(frame, threshold=threshold, measures=measured("equalised_odds")).verdict == "pass"
    assert one(frame, threshold=threshold, measures=measured("fpr_difference")).verdict == "inconclusive"
    assert one(frame, threshold=threshold, measures=measured("fpr_difference", 0.02)).verdict == "pass"


def test_high_rates_are_within_reach() -> None:
    frame = cohort()
    rng = np.random.default_rng(2)
    frame["risk"] = np.where(frame.y == 1, rng.random(len(frame)) < 0.94, rng.random(len(frame)) < 0.05) * 0.9
    for name in ("tpr_difference", "equalised_odds"):
        for how in ("interval", "estimate"):
            finding = one(frame, measures=measured(name), decide_by=how)
            assert finding.verdict == "pass", finding.message
    women = (frame.sex == "F") & (frame.y == 1)
    frame.loc[women & (rng.random(len(frame)) < 0.2), "risk"] = 0.0
    assert one(frame, measures=measured("tpr_difference")).verdict == "fail"


# mistakes in the suite


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("{}", "missing parameter 'threshold'"),
        ("{threshold: 20}", "threshold"),
        ("{threshold: 0.2, measures: {}}", "name at least one"),
        ("{threshold: 0.2, measures: {equalized_odds: {max: 0.1}}}", "did you mean 'equalised_odds'"),
        ("{threshold: 0.2, measures: {equalised_odds: {min: 0.1}}}", "min"),
        ("{threshold: 0.2, measures: {equalised_odds: {max: 2}}}", "from 0 to 1"),
        ("{threshold: 0.2, measures: {equalised_odds: {max: '0.1'}}}", "from 0 to 1"),
        ("{threshold: 0.2, measures: {equalised_odds: 0.1}}", "equalised_odds"),
        ("{threshold: 0.2, bins: {age: [65, 45]}}", "ascending"),
        ("{threshold: 0.2, bins: {age: []}}", "ascending"),
        ("{threshold: 0.2, intersections: [[sex]]}", "two or more"),
        ("{threshold: 0.2, intersections: [[sex, sex]]}", "two or more"),
        ("{threshold: 0.2, p_value: 0.05}", "p_value"),
        ("{threshold: 0.2, max: 0.1}", "unknown parameter 'max'"),
    ],
)
def test_mistakes_are_found_before_data_is_read(tmp_path, keys, said) -> None:
    with pytest.raises(SuiteError, match=r"fairness\.yml:3:") as caught:
        suite(tmp_path, keys)
    assert said in str(caught.value)


# mistakes in the data


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"y": 1}, "y"),
        ({"risk": np.nan}, "missing"),
        ({"risk": 1.5}, "outside [0, 1]"),
        ({"risk": np.inf}, "infinite"),
        ({"y": 2}, "y"),
    ],
)
def test_labels_and_scores_that_cannot_be_had_are_errors(change, words) -> None:
    finding = one(cohort(rows=2000).assign(**change))
    assert finding.verdict == "error"
    assert words in finding.message


def test_missing_labels_are_an_error_above_their_limit() -> None:
    frame = cohort(rows=2000)
    frame["y"] = frame["y"].where(frame.index >= 200)
    assert "max_missing_label" in one(frame).message
    counted = one(frame, max_missing_label=0.2)
    assert counted.verdict != "error"
    assert counted.details["missing_labels_current"] == 200


def test_fewer_than_ten_events_in_all_decide_nothing() -> None:
    frame = cohort(rows=2000)
    frame["y"] = (frame.index < 9).astype(int)
    assert one(frame, measures=measured("fpr_difference")).verdict == "inconclusive"


def test_the_rows_that_would_decide_are_told() -> None:
    finding = one(cohort(rows=1000))
    assert finding.verdict == "inconclusive"
    assert finding.needed_n
    assert finding.needed_n > 1000
    assert "rows of current would decide" in finding.message
