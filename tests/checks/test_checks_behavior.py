"""`behavior`: what a model does to generated patients, and that no counterexample is anybody's row."""

import json
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from pytest_readmit import DataError, Finding, SuiteError, run_check, run_suite
from pytest_readmit.privacy import Mask
from readmit_checks.patients import Generator, values_of

NUMBERS, TEXTS = ["age", "prior_admissions", "glucose"], ["insurance", "emergency"]
COLUMNS = [*NUMBERS, *TEXTS]
ROLES = {"target": "readmitted", "positive_label": 1}


def cohort(seed: int = 0, rows: int = 1200) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    prior = rng.poisson(1.2, rows)
    glucose = rng.normal(110, 20, rows).round(2)
    glucose[rng.random(rows) < 0.1] = np.nan
    return pd.DataFrame(
        {
            "age": rng.normal(60, 15, rows).round(3),
            "prior_admissions": prior,
            "glucose": glucose,
            "insurance": rng.choice(["medicare", "private", "none"], rows, p=[0.5, 0.4, 0.1]),
            "emergency": rng.random(rows) < 0.4,
            "readmitted": (rng.random(rows) < 1 / (1 + np.exp(2 - 0.6 * prior))).astype(int),
        }
    )


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return cohort()


def of_risk(risk: Callable[[pd.DataFrame], Any]) -> Any:
    """Return a model with a given risk."""

    def predict_proba(rows: pd.DataFrame) -> np.ndarray:
        p = np.asarray(risk(rows), dtype=float) * np.ones(len(rows))
        return np.column_stack([1 - p, p])

    return SimpleNamespace(
        classes_=np.array([0, 1]), feature_names_in_=np.array(COLUMNS), predict_proba=predict_proba
    )


def ask(frame: pd.DataFrame, model: Any, **keys: Any) -> dict[str, Finding]:
    found = run_check(
        "behavior", frame, roles=ROLES, models={"m": model}, **{"bounded": False, "examples": 40, **keys}
    )
    return {str(one.subject): one for one in found}


def up(feature: str) -> list[dict[str, str]]:
    return [{"feature": feature, "direction": "up"}]


def table(finding: Finding) -> dict[str, list[str]]:
    return {row[0]: row[1:] for row in finding.details["table"]["rows"]}


def test_a_logistic_model_behaves_as_its_coefficients_say(frame) -> None:
    numbers, texts = ["prior_admissions"], ["insurance"]
    model = make_pipeline(
        make_column_transformer((StandardScaler(), numbers), (OneHotEncoder(), texts)), LogisticRegression()
    ).fit(frame[[*numbers, *texts]], frame.readmitted)
    found = ask(
        frame,
        model,
        monotonic=up("prior_admissions"),
        invariant=["insurance", "age"],
        bounded=True,
    )
    verdicts = {subject: one.verdict for subject, one in found.items()}
    assert verdicts == {
        "monotonic:prior_admissions": "pass",
        "invariant:insurance": "fail",
        "invariant:age": "pass",
        "bounded": "pass",
    }
    # Fewer patients than asked for: the columns beside the feature hold no more of them.
    assert "never falls as prior_admissions rises" in found["monotonic:prior_admissions"].message
    assert "does not take age" in found["invariant:age"].message
    (down,) = ask(
        frame, model, monotonic=[{"feature": "prior_admissions", "direction": "down"}], examples=20
    ).values()
    assert down.verdict == "fail"
    assert "prediction rises from" in down.message


def test_a_boosting_model_is_caught_where_it_is_not_monotonic(frame) -> None:
    free = HistGradientBoostingClassifier(max_iter=30, random_state=0).fit(frame[NUMBERS], frame.readmitted)
    held = HistGradientBoostingClassifier(
        max_iter=30, random_state=0, monotonic_cst={"prior_admissions": 1}
    ).fit(frame[NUMBERS], frame.readmitted)
    verdicts = [
        next(iter(ask(frame, model, monotonic=up("prior_admissions")).values())).verdict
        for model in (free, held)
    ]
    assert verdicts == ["fail", "pass"]


def test_a_counterexample_is_shrunk_to_the_one_change_that_matters(frame) -> None:
    def risk(rows: pd.DataFrame) -> Any:
        old = rows["age"].to_numpy() > 75
        return 0.3 - 0.1 * (old & (rows["prior_admissions"].to_numpy() >= 3))

    (finding,) = ask(frame, of_risk(risk), monotonic=up("prior_admissions")).values()
    assert finding.verdict == "fail"
    row = table(finding)
    assert row["prior_admissions"] == ["2", "3"]
    assert row["prediction"] == ["0.3", "0.2"]
    assert all(before == after for name, (before, after) in row.items() if name in COLUMNS[2:])
    ages = [float(value) for value in row["age"]]
    assert ages[0] == ages[1] > 75
    # Everything else is as typical as can be, and age only as old as it must be.
    nearest = min(value for value in values_of("age", frame["age"], 11).array if value > 75)
    assert ages[0] == nearest
    assert row["insurance"][0] == "medicare"
    assert row["emergency"][0] == "False"
    assert abs(float(row["glucose"][0]) - 110) < 3
    assert finding.message.startswith(
        "prediction falls from 0.3 to 0.2 where prior_admissions goes from 2 to 3"
    )
    assert finding.estimate == pytest.approx(float(finding.message.split("for ")[1].split(" of ")[0]))


def test_a_level_that_changes_the_prediction_is_shown_before_and_after(frame) -> None:
    model = of_risk(lambda rows: 0.2 + 0.01 * (rows["insurance"] == "none").to_numpy())
    (finding,) = ask(frame, model, invariant=["insurance"]).values()
    assert finding.verdict == "fail"
    assert set(table(finding)["insurance"]) & {"none"}
    assert table(finding)["prediction"] == ["0.2", "0.21"] or table(finding)["prediction"] == ["0.21", "0.2"]
    (missing,) = ask(
        frame, of_risk(lambda rows: 0.2 + 0.1 * rows["glucose"].isna()), invariant=["glucose"]
    ).values()
    assert "(missing)" in table(missing)["glucose"]


@pytest.mark.parametrize(
    ("risk", "verdict"),
    [
        (lambda rows: rows["prior_admissions"] / 20, "pass"),
        (lambda rows: 1 + 1e-12, "pass"),
        (lambda rows: 1 + rows["prior_admissions"] * 1e-3, "fail"),
        (lambda rows: -0.01 * rows["emergency"], "fail"),
        (lambda rows: np.where(rows["insurance"] == "none", np.nan, 0.5), "fail"),
        (lambda rows: np.where(rows["insurance"] == "none", np.inf, 0.5), "fail"),
    ],
    ids=["inside", "rounding", "above", "below", "nan", "infinite"],
)
def test_predictions_must_be_numbers_from_0_to_1(frame, risk, verdict) -> None:
    (finding,) = ask(frame, of_risk(risk), bounded=True).values()
    assert (finding.subject, finding.verdict) == ("bounded", verdict), finding.message
    assert (finding.details.get("table", {}).get("columns") == ["feature", "value"]) is (verdict == "fail")


def test_noise_of_single_precision_is_no_change(frame) -> None:
    noisy = of_risk(lambda rows: 0.3 + 1e-7 * np.sin(rows["prior_admissions"] * 7 + rows["age"]))
    found = ask(frame, noisy, monotonic=up("prior_admissions"), invariant=["prior_admissions"])
    assert {one.verdict for one in found.values()} == {"pass"}
    louder = of_risk(lambda rows: 0.3 + 1e-5 * np.sin(rows["prior_admissions"] * 7))
    found = ask(frame, louder, monotonic=up("prior_admissions"), invariant=["prior_admissions"])
    assert {one.verdict for one in found.values()} == {"fail"}


def test_no_patient_holds_a_value_that_few_rows_share(frame) -> None:
    seen: list[pd.DataFrame] = []

    def risk(rows: pd.DataFrame) -> Any:
        seen.append(rows)
        return 0.3 - 0.01 * rows["prior_admissions"]

    rare = frame.copy()
    rare["insurance"] = rare["insurance"].astype(object)
    rare.loc[rare.index[:10], "insurance"] = "canary"
    rare.loc[rare.index[:10], "age"] = 143.217
    rare.loc[rare.index[:10], "prior_admissions"] = 77
    rare.loc[rare.index[:10], "glucose"] = 999.25
    found = ask(rare, of_risk(risk), monotonic=up("prior_admissions"), invariant=["insurance"], bounded=True)
    whole = pd.concat(seen)
    assert set(whole["insurance"]) == {"medicare", "private", "none"}
    assert whole["age"].max() < 110
    assert whole["prior_admissions"].max() < 77
    assert whole["glucose"].max() < 200
    assert whole["glucose"].isna().any()
    assert "canary" not in json.dumps([dict(one.details) for one in found.values()])
    # Values with many digits are told by their bin: few of them are anybody's own.
    assert len(set(whole["age"])) <= 20


def test_values_that_were_not_tried_are_said(frame) -> None:
    model = of_risk(lambda rows: np.where(rows["insurance"] == "canary", 0.9, 0.3))
    rare = frame.assign(insurance=frame["insurance"].astype(object))
    rare.loc[rare.index[:3], "insurance"] = "canary"
    (few,) = ask(rare, model, invariant=["insurance"]).values()
    said = "values of insurance that fewer than 11 rows share were not tried (fewer than 11 of the rows)"
    assert said in few.message
    assert few.details["notes"] == [said]
    assert "canary" not in few.message
    rare.loc[rare.index[:60], "insurance"] = [f"rare {i % 12}" for i in range(60)]
    (more,) = ask(rare, model, invariant=["insurance"]).values()
    assert "were not tried (5% of the rows)" in more.message
    for feature in ("insurance", "age", "prior_admissions"):
        rows = frame[frame["prior_admissions"] < 4]
        (all_tried,) = ask(rows, of_risk(lambda rows: 0.3), invariant=[feature]).values()
        assert "not tried" not in all_tried.message
        assert "notes" not in all_tried.details


def test_how_many_examples_were_drawn_is_no_count_of_patients_to_hide(frame) -> None:
    model = of_risk(lambda rows: 0.3)
    (finding,) = ask(frame, model, bounded=True, examples=4).values()
    assert Mask(min_cell=11).case(finding)["details"]["examples"] == 4


def test_the_frame_asked_about_has_the_types_of_the_data(frame) -> None:
    kinds: set[tuple[str, ...]] = set()

    def risk(rows: pd.DataFrame) -> Any:
        kinds.add(tuple(str(rows[name].dtype) for name in COLUMNS))
        return 0.3

    ask(frame, of_risk(risk), monotonic=up("age"), bounded=True, examples=5)
    assert kinds == {tuple(str(frame[name].dtype) for name in COLUMNS)}


def test_the_same_suite_gives_the_same_counterexample(frame) -> None:
    model = of_risk(lambda rows: 0.3 - 0.02 * (rows["age"] > 70) * rows["prior_admissions"])
    first, second = (
        [
            one.to_json() | {"seconds": 0}
            for one in ask(frame, model, monotonic=up("prior_admissions")).values()
        ]
        for _ in range(2)
    )
    assert first == second


def test_hypothesis_leaves_nothing_behind(frame, tmp_path, monkeypatch, capfd) -> None:
    monkeypatch.chdir(tmp_path)
    model = of_risk(lambda rows: 0.3 - 0.02 * rows["prior_admissions"])
    state = np.random.get_state()[1].tolist()
    ask(frame, model, monotonic=up("prior_admissions"), bounded=True)
    assert np.random.get_state()[1].tolist() == state
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")


def test_a_missing_hypothesis_names_the_extra(frame, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "hypothesis", None)
    (finding,) = ask(frame, of_risk(lambda rows: 0.3), bounded=True).values()
    assert finding.verdict == "error"
    assert "pip install 'pytest-readmit[behavior]'" in finding.message


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"monotonic": up("prior_admision")}, "no column 'prior_admision', did you mean 'prior_admissions'?"),
        ({"invariant": ["insurence"]}, "no column 'insurence', did you mean 'insurance'?"),
        ({"monotonic": up("insurance")}, "holds no numbers"),
        ({"monotonic": up("readmitted")}, "does not take 'readmitted'"),
        ({"monotonic": up("constant")}, "fewer than two values that at least 11 rows share"),
        ({"bounded": True, "wild": True}, "'age' has no value that at least 11 rows share"),
    ],
)
def test_what_cannot_be_asked_is_an_error(frame, keys, said) -> None:
    given = dict(keys)
    data = frame.assign(constant=3)
    if given.pop("wild", False):
        data["age"] = [f"nobody {row}" for row in range(len(data))]
    model = of_risk(lambda rows: 0.3)
    if "constant" in str(keys):
        model.feature_names_in_ = np.array([*COLUMNS, "constant"])
    (finding,) = ask(data, model, **given).values()
    assert finding.verdict == "error"
    assert said in finding.message


def test_a_prediction_that_is_no_number_does_not_pass_as_unchanged(frame) -> None:
    model = of_risk(lambda rows: np.nan)
    found = ask(frame, model, monotonic=up("age"), invariant=["insurance"])
    assert {one.verdict for one in found.values()} == {"error"}


def test_without_a_model_there_is_nothing_to_ask(frame, tmp_path) -> None:
    (finding,) = run_check("behavior", frame, roles={**ROLES, "score": "age"})
    assert "the suite has no model" in finding.message
    path = Path(tmp_path, "s.yml")
    path.write_text(
        "data: {reference: r.csv}\ncolumns: {target: readmitted, positive_label: 1}\n"
        "models: {old: {score: age}}\nchecks: [behavior]\n"
    )
    (finding,) = run_suite(path, data={"reference": frame}).findings
    assert finding.verdict == "error"
    assert "models.old is the score column 'age'; a model is needed" in finding.message


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"bounded": False}, "nothing to check"),
        ({"monotonic": [*up("age"), *up("age")]}, "'age' is named twice"),
        ({"invariant": ["age", "age"]}, "'age' is named twice"),
        ({"monotonic": [{"feature": "age"}]}, "direction"),
        ({"monotonic": [{"feature": "age", "direction": "sideways"}]}, "sideways"),
        ({"monotonic": [{"feature": "age", "direction": "up", "by": 3}]}, "by"),
        ({"examples": 0}, "examples"),
    ],
)
def test_a_wrong_suite_is_found_before_any_data_is_read(keys, said) -> None:
    with pytest.raises(SuiteError, match=said):
        run_check("behavior", "nowhere.csv", roles=ROLES, models={"m": of_risk(lambda rows: 0.3)}, **keys)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.one_of(st.integers(-5, 5), st.floats(-1e6, 1e6), st.none()), min_size=30, max_size=200))
def test_every_value_stands_for_enough_rows(cells: list[float | None]) -> None:
    series = pd.Series(cells, dtype=float)
    if series.notna().sum() < 5:
        return
    if max(Counter(series.dropna()).values()) < 5 and series.nunique() <= 20:
        with pytest.raises(DataError, match="no value that at least 5 rows share"):
            values_of("x", series[series.notna()], 5)
        return
    values = values_of("x", series, 5)
    known = values.array[: values.known]
    assert (np.diff(known) > 0).all()
    assert values.missing == (series.isna().sum() >= 5)
    assert set(values.slots) == set(range(len(values.array)))
    assert len(values.slots) == 1 << values.bits


@pytest.mark.parametrize(
    ("cells", "kind", "texts", "ordered"),
    [
        (pd.Series(range(1000)), "i", None, True),
        (pd.Series([1, 2, 3] * 20 + [9]), "i", ["1", "2", "3"], True),
        (pd.Series([1.5, 2.5] * 20 + [np.inf] * 20), "f", ["1.5", "2.5"], True),
        (pd.Series([True, False] * 20), "b", ["False", "True"], True),
        (pd.Series([True, None, False] * 20), "O", ["False", "True", "(missing)"], True),
        (pd.Series(["a", None, "b"] * 20 + ["c"]), "O", ["a", "b", "(missing)"], False),
        (
            pd.Series(pd.to_datetime(["2026-01-01", "2026-03-01"] * 20 + ["2027-01-01"])),
            "M",
            None,
            True,
        ),
        (pd.Series([np.nan] * 40), "f", ["(missing)"], True),
    ],
    ids=["ints", "few", "infinite", "bools", "bools-missing", "texts", "times", "absent"],
)
def test_values_keep_their_type(cells, kind, texts, ordered) -> None:
    values = values_of("x", cells, 11)
    assert values.array.dtype.kind == kind
    assert values.ordered is ordered
    found = [values.text(place) for place in range(len(values.array))]
    if texts is not None:
        assert found == texts
    elif kind == "i":
        assert len(found) == 20
    else:
        assert [text[:10] for text in found] == ["2026-01-01", "2026-03-01"]


def test_patients_are_drawn_once_each_and_again_the_same(frame) -> None:
    values = [values_of(name, frame[name], 11) for name in COLUMNS]
    drawn = Generator(values, 30, 7).patients()
    assert len(drawn) == len(set(drawn)) == 30
    assert drawn == Generator(values, 30, 7).patients()
    assert drawn != Generator(values, 30, 8).patients()
    assert Generator(values, 30, 7).smallest(lambda patient: False) is None
    simplest = Generator(values, 30, 7).smallest(lambda patient: True)
    assert simplest == tuple(int(each.slots[0]) for each in values)
