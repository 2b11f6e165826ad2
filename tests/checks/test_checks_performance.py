"""performance: floors and ceilings for each metric on current data."""

from collections.abc import Callable
from pathlib import Path
from textwrap import indent

import numpy as np
import pandas as pd
import pytest
from scipy.special import ndtr
from sklearn.metrics import roc_auc_score

from pytest_readmit import Finding, SuiteError, run_suite
from pytest_readmit.stats.metrics import METRICS
from pytest_readmit.stats.proportion import wilson

COLUMNS = {"target": "y", "positive_label": 1, "score": "risk"}
Decide = Callable[..., dict[str, Finding]]


def patients(rows: int = 5000, seed: int = 0, *, per_patient: int = 1) -> pd.DataFrame:
    """Return labelled scores, calibrated, 11% events; rows of a patient resemble each other."""
    rng = np.random.default_rng(seed)
    shared = np.repeat(rng.normal(size=(2, rows // per_patient)), per_patient, axis=1)
    own = rng.normal(size=(2, rows))
    part = np.sqrt([0.7, 0.3]) if per_patient > 1 else (0.0, 1.0)
    risk, luck = part[0] * shared + part[1] * own
    middle = -1.57 + 0.8 * risk
    return pd.DataFrame(
        {
            "y": (middle + luck > 0).astype(int),
            "risk": ndtr(middle),
            "subject_id": np.arange(rows) // per_patient,
            "sex": np.where(rng.random(rows) < 0.5, "F", "M"),
        }
    )


@pytest.fixture
def decide(tmp_path: Path) -> Decide:
    """Run a suite of one performance entry, given as YAML; return its Findings by id."""

    def run(keys: str, frame: pd.DataFrame, **columns: object) -> dict[str, Finding]:
        named = {name: value for name, value in (COLUMNS | columns).items() if value is not None}
        text = f"data: {{current: current.parquet}}\ncolumns: {named}\nchecks:\n- performance:\n"
        (tmp_path / "s.yml").write_text(text + indent(keys, "    ") + "\n")
        found = run_suite(tmp_path / "s.yml", data={"current": frame})
        return {finding.id.rpartition("::performance::")[2]: finding for finding in found.findings}

    return run


@pytest.fixture
def decide_one(decide: Decide) -> Callable[..., Finding]:
    def run(keys: str, frame: pd.DataFrame, **columns: object) -> Finding:
        (found,) = decide(keys, frame, **columns).values()
        return found

    return run


def problems(decide: Decide, keys: str) -> list[str]:
    with pytest.raises(SuiteError) as error:
        decide(keys, patients(100))
    return [problem.message for problem in error.value.problems]


def test_each_metric_is_a_case_with_its_own_limit_in_the_order_of_the_suite(decide: Decide) -> None:
    frame = patients()
    found = decide(
        "metrics: {recall: {min: 0.4}, roc_auc: {min: 0.7}, brier: {max: 0.2}, "
        "alert_rate: {min: 0.2, max: 0.3}}\nthreshold: 0.15",
        frame,
    )
    assert list(found) == ["recall", "roc_auc", "brier", "alert_rate"]
    assert {case.verdict for case in found.values()} == {"pass"}, found
    assert [case.subject for case in found.values()] == list(found)
    assert [case.direction for case in found.values()] == ["at_least", "at_least", "at_most", "within"]
    assert found["alert_rate"].limit == (0.2, 0.3)
    assert found["roc_auc"].estimate == pytest.approx(roc_auc_score(frame["y"], frame["risk"]))
    assert all(case.m == 4 for case in found.values())
    assert all(case.n_reference is None and case.n_current == 5000 for case in found.values())


@pytest.mark.parametrize(
    ("limits", "verdict"),
    [
        ("{min: 0.7}", "fail"),
        ("{max: 0.5}", "pass"),
        ("{min: 0.4, max: 0.45}", "inconclusive"),
        ("{}", "pass"),
    ],
)
def test_a_floor_that_is_proven_missed_fails_and_one_that_cannot_be_told_is_undecided(
    limits: str, verdict: str, decide_one: Callable[..., Finding]
) -> None:
    found = decide_one(f"metrics: {{f1: {limits}}}\nthreshold: 0.15", patients())
    assert found.verdict == verdict, found.message
    if verdict == "inconclusive":
        assert found.needed_n is not None
        assert found.needed_n > 5000


def test_every_metric_of_the_contract_is_measured_with_an_interval_around_it(decide: Decide) -> None:
    listed = ", ".join(f"{name}: {{}}" for name in METRICS)
    found = decide(f"metrics: {{{listed}}}\nthreshold: 0.15", patients(2000))
    assert list(found) == list(METRICS)
    for name, case in found.items():
        assert case.verdict == "pass", case.message
        assert "no limit, reported only" in case.message
        assert case.interval is not None
        assert case.estimate is not None
        assert case.interval[0] < case.estimate < case.interval[1]
        assert case.message.startswith(name)
        assert case.details["current"] == case.estimate
        assert case.p_value is None


def test_a_share_has_the_interval_of_wilson(decide_one: Callable[..., Finding]) -> None:
    frame = patients(1000)
    found = decide_one("metrics: {recall: {min: 0.4}}\nthreshold: 0.15", frame)
    events = frame["y"].sum()
    hits = ((frame["risk"] >= 0.15) & (frame["y"] == 1)).sum()
    assert found.interval == pytest.approx(wilson(float(hits), float(events), 0.05))
    assert found.method == "wilson"


def test_the_record_tells_what_was_counted_and_nothing_of_small_cells(
    decide_one: Callable[..., Finding],
) -> None:
    frame = patients(1000)
    told = decide_one("metrics: {precision: {}}\nthreshold: 0.15", frame).details
    assert told["events"] == frame["y"].sum()
    assert told["prevalence"] == pytest.approx(frame["y"].mean())
    (_, hits, missed), (_, false, _) = told["table"]["rows"]
    assert hits + missed == told["events"]
    assert hits + false == (frame["risk"] >= 0.15).sum()
    few = pd.concat([frame[frame["y"] == 0], frame[frame["y"] == 1].head(5)])
    told = decide_one("metrics: {precision: {}}\nthreshold: 0.15", few).details
    assert "prevalence" not in told
    assert "table" not in told


def test_repeated_rows_of_a_patient_widen_the_interval(decide: Decide) -> None:
    frame = patients(5000, per_patient=5)
    keys = "metrics: {roc_auc: {}, brier: {}, recall: {}, f1: {}}\nthreshold: 0.15"
    alone, grouped = decide(keys, frame), decide(keys, frame, patient="subject_id")
    for name in alone:
        assert alone[name].estimate == grouped[name].estimate
        before, after = (np.diff(each[name].interval)[0] for each in (alone, grouped))
        assert after > 1.05 * before, name


# what cannot be told


@pytest.mark.parametrize("name", ["roc_auc", "brier", "precision"])
def test_fewer_than_ten_events_never_decide(name: str, decide_one: Callable[..., Finding]) -> None:
    frame = patients(4000)
    few = pd.concat([frame[frame["y"] == 0], frame[frame["y"] == 1].head(9)])
    found = decide_one(f"metrics: {{{name}: {{max: 0.0001}}}}\nthreshold: 0.15", few)
    assert found.verdict == "inconclusive", found.message
    assert "fewer than 10 events" in found.message


def test_events_of_few_patients_never_decide(decide_one: Callable[..., Finding]) -> None:
    frame = patients(1000)
    frame.loc[frame["y"] == 1, "subject_id"] = 0
    found = decide_one("metrics: {brier: {max: 0.0001}}", frame, patient="subject_id")
    assert found.verdict == "inconclusive"
    assert "patients with events" in found.message


def test_precision_of_few_alerts_never_decides_and_of_none_is_an_error(
    decide_one: Callable[..., Finding],
) -> None:
    frame = patients(4000)
    high = np.sort(frame["risk"])[-5]
    found = decide_one(f"metrics: {{precision: {{min: 0.01}}}}\nthreshold: {high:.17g}", frame)
    assert found.verdict == "inconclusive"
    assert "too few rows to count among" in found.message
    none = decide_one("metrics: {precision: {min: 0.01}}\nthreshold: 1", frame)
    assert none.verdict == "error"
    assert "no alerts at threshold 1" in none.message


def test_a_model_that_never_alerts_fails_its_recall_and_does_not_pass_its_benefit(decide: Decide) -> None:
    frame = patients(2000).assign(risk=0.05)
    found = decide(
        "metrics: {recall: {min: 0.4}, net_benefit: {min: 0}, balanced_accuracy: {min: 0.5}}\n"
        "threshold: 0.15",
        frame,
    )
    assert [case.verdict for case in found.values()] == ["fail", "inconclusive", "inconclusive"]


def test_a_score_that_is_the_outcome_passes_a_floor(decide: Decide) -> None:
    frame = patients(2000)
    found = decide(
        "metrics: {roc_auc: {min: 0.9}, recall: {min: 0.9}, precision: {min: 0.9}, brier_skill: {min: 0.9}}\n"
        "threshold: 0.5",
        frame.assign(risk=frame["y"].astype(float)),
    )
    assert {case.verdict for case in found.values()} == {"pass"}


# segments


def test_a_segment_of_one_class_is_an_error_of_its_own_cases_alone(decide: Decide) -> None:
    frame = patients(6000)
    frame.loc[frame["sex"] == "M", "y"] = 0
    found = decide("metrics: {roc_auc: {min: 0.7}, brier: {max: 0.2}}\nsegments: sex", frame)
    assert {name: case.verdict for name, case in found.items()} == {
        "roc_auc::F": "pass",
        "roc_auc::M": "error",
        "brier::F": "pass",
        "brier::M": "error",
    }
    assert {case.segment for case in found.values()} == {"F", "M"}


# labels


@pytest.mark.parametrize(
    ("values", "positive"),
    [((0, 1), 1), (("NO", "<30"), "<30"), ((False, True), True), ((1, 2), 2), ((1, 2), 1), ((0.0, 1.0), 1)],
)
def test_labels_mean_what_the_suite_says_whatever_they_are(
    values: tuple[object, object], positive: object, decide_one: Callable[..., Finding]
) -> None:
    frame = patients(3000)
    positives = frame["y"].to_numpy() == (0 if positive == values[0] else 1)
    frame["y"] = [values[one] for one in frame["y"]]
    found = decide_one("metrics: {roc_auc: {}}", frame, positive_label=positive)
    assert found.estimate == pytest.approx(roc_auc_score(positives, frame["risk"]))


def test_the_positive_label_is_never_guessed(decide_one: Callable[..., Finding]) -> None:
    with pytest.raises(SuiteError, match=r"needs `columns: \{positive_label: …\}`; it is never guessed"):
        decide_one("metrics: {roc_auc: {min: 0.5}}", patients(200), positive_label=None)


def test_a_positive_label_that_no_row_has_is_an_error(decide_one: Callable[..., Finding]) -> None:
    found = decide_one("metrics: {brier: {max: 0.5}}", patients(200), positive_label=7)
    assert found.verdict == "error"


def test_three_labels_need_to_be_told_apart(decide_one: Callable[..., Finding]) -> None:
    frame = patients(3000)
    frame["y"] = np.where(frame["y"] == 1, "<30", np.where(frame.index % 3 == 0, ">30", "NO"))
    found = decide_one("metrics: {brier: {}}", frame, positive_label="<30")
    assert found.verdict == "error"
    assert "negative_label" in found.message
    told = decide_one("metrics: {brier: {}}", frame, positive_label="<30", negative_label=["NO", ">30"])
    assert told.verdict == "pass"


@pytest.mark.parametrize("only", [0, 1])
def test_one_class_alone_is_an_error(only: int, decide: Decide) -> None:
    found = decide("metrics: {roc_auc: {}, brier: {max: 0.9}}", patients(500).assign(y=only))
    assert {case.verdict for case in found.values()} == {"error"}


def test_missing_labels_are_left_out_and_counted_until_they_are_too_many(
    decide_one: Callable[..., Finding],
) -> None:
    frame = patients(2000).astype({"y": float})
    frame.loc[:59, "y"] = np.nan
    found = decide_one("metrics: {brier: {max: 0.2}}", frame)
    assert (found.verdict, found.n_current) == ("pass", 1940)
    assert found.details["missing_labels_current"] == 60
    frame.loc[:199, "y"] = np.nan
    assert decide_one("metrics: {brier: {max: 0.2}}", frame).verdict == "error"
    allowed = decide_one("metrics: {brier: {max: 0.2}}\nmax_missing_label: 0.2", frame)
    assert (allowed.verdict, allowed.n_current) == ("pass", 1800)


# scores


@pytest.mark.parametrize("bad", [1.2345, -0.0123, np.inf, -np.inf])
def test_a_score_that_is_no_probability_is_an_error_that_shows_no_value(
    bad: float, decide_one: Callable[..., Finding]
) -> None:
    frame = patients(500)
    frame.loc[3, "risk"] = bad
    found = decide_one("metrics: {roc_auc: {min: 0.5}}", frame)
    assert found.verdict == "error"
    assert "0123" not in found.message
    assert "2345" not in found.message


def test_missing_scores_are_left_out_and_counted_until_they_are_too_many(
    decide_one: Callable[..., Finding],
) -> None:
    frame = patients(2000)
    frame.loc[:59, "risk"] = np.nan
    found = decide_one("metrics: {roc_auc: {min: 0.7}}", frame)
    assert (found.verdict, found.n_current) == ("pass", 1940)
    assert found.details["missing_scores_current"] == 60
    frame.loc[:199, "risk"] = np.nan
    found = decide_one("metrics: {roc_auc: {min: 0.7}}", frame)
    assert found.verdict == "error"
    assert "max_missing_label" in found.message


def test_a_misspelt_score_names_the_nearest_column(decide_one: Callable[..., Finding]) -> None:
    found = decide_one("metrics: {roc_auc: {min: 0.5}}", patients(200), score="rsik")
    assert found.verdict == "error"
    assert "did you mean 'risk'" in found.message


def test_without_a_score_the_error_names_the_key(decide_one: Callable[..., Finding]) -> None:
    with pytest.raises(SuiteError, match=r"needs `columns: \{score: …\}`"):
        decide_one("metrics: {roc_auc: {min: 0.5}}", patients(200), score=None)


@pytest.mark.parametrize("column", ["sex", "as_text"])
def test_a_score_that_is_text_is_an_error(column: str, decide_one: Callable[..., Finding]) -> None:
    frame = patients(200)
    frame["as_text"] = frame["risk"].map("{:.3f} ".format)
    found = decide_one("metrics: {roc_auc: {min: 0.5}}", frame, score=column)
    assert found.verdict == "error"
    assert "numbers are needed" in found.message


def test_no_rows_at_all_are_an_error(decide_one: Callable[..., Finding]) -> None:
    assert decide_one("metrics: {brier: {max: 0.5}}", patients(100).head(0)).verdict == "error"


def test_a_constant_score_has_an_area_of_one_half_and_no_skill(decide: Decide) -> None:
    frame = patients(3000).assign(risk=0.11)
    found = decide("metrics: {roc_auc: {min: 0.6}, brier_skill: {min: 0.03}}", frame)
    assert [case.verdict for case in found.values()] == ["fail", "fail"]
    assert found["roc_auc"].estimate == 0.5


# what is wrong with a suite


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ("threshold: 0.2", "missing parameter 'metrics'"),
        ("metrics: {}", "name at least one"),
        ("metrics: [roc_auc]", "`metrics` must be a mapping"),
        ("metrics: {roc_acu: {min: 0.7}}", "unknown key 'roc_acu', did you mean 'roc_auc'?"),
        ("metrics: {roc_auc: {mni: 0.7}}", "unknown parameter 'mni', did you mean 'min'?"),
        ("metrics: {roc_auc: 0.7}", "must be a mapping with min, max, not 0.7"),
        ("metrics: {roc_auc: }", "must be a mapping with min, max, not nothing"),
        ("metrics: {roc_auc: {min: yes}}", "must be a number"),
        ("metrics: {roc_auc: {min: true}}", "must be a number"),
        ("metrics: {roc_auc: {min: '0.7'}}", "must be a number"),
        ("metrics: {roc_auc: {min: 0.8, max: 0.7}}", "`min` is above `max`"),
        ("metrics: {roc_auc: {min: 70}}", "outside [0, 1], where roc_auc always lies"),
        ("metrics: {brier_skill: {min: 1.1}}", "outside (-inf, 1]"),
        ("metrics: {log_loss: {max: -0.1}}", "outside [0, inf)"),
        ("metrics: {recall: {min: 0.4}}", "`recall` needs `threshold`"),
        ("metrics: {recall: {}, brier: {}, f1: {}}", "`recall`, `f1` need `threshold`"),
        ("metrics: {recall: {}}\nthreshold: 15", "`threshold` must be a number from 0 to 1, not 15"),
        ("metrics: {net_benefit: {}}\nthreshold: 1", "`net_benefit` needs a `threshold` below 1"),
        ("metrics: {brier: {}}\np_value: 0.05", "leave p_value out"),
        ("metrics: {brier: {}}\ntreshold: 0.2", "did you mean 'threshold'?"),
    ],
)
def test_what_is_wrong_with_an_entry_is_said_before_data_are_read(
    keys: str, words: str, decide: Decide
) -> None:
    assert any(words in problem for problem in problems(decide, keys)), problems(decide, keys)


def test_a_bare_entry_asks_for_its_metrics(tmp_path: Path) -> None:
    path = tmp_path / "s.yml"
    path.write_text("data: {current: demo:current}\nchecks: [performance]\n")
    with pytest.raises(SuiteError, match="missing parameter 'metrics'"):
        run_suite(path)


def test_by_estimate_the_limit_meets_the_value_itself(decide: Decide) -> None:
    frame = patients(200)
    area = roc_auc_score(frame["y"], frame["risk"])
    for floor, verdict in ((area - 1e-6, "pass"), (area + 1e-6, "fail")):
        found = decide(f"metrics: {{roc_auc: {{min: {floor:.9f}}}}}\ndecide_by: estimate", frame)
        assert found["roc_auc"].verdict == verdict


def test_the_same_suite_says_the_same_twice(decide: Decide) -> None:
    keys = "metrics: {average_precision: {min: 0.2}}"
    first, second = (decide(keys, patients(1000))["average_precision"] for _ in range(2))
    assert (first.interval, first.estimate) == (second.interval, second.estimate)
