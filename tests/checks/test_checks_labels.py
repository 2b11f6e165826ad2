"""Labels that would prove nothing: read as an input, coded in two ways, too few in a segment."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from pytest_readmit import SuiteError, run_suite

HEAD = "columns: {target: y, positive_label: 1, score: risk}\n"


def cohort(rows: int = 2000, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    x1, x2 = rng.normal(size=(2, rows))
    risk = 1 / (1 + np.exp(1.5 - x1))
    return pd.DataFrame({"x1": x1, "x2": x2, "y": (rng.random(rows) < risk).astype(int), "risk": risk})


def decide(folder: Path, text: str, **given: Any) -> dict[str, Any]:
    path = folder / "s.yml"
    path.write_text(text, encoding="utf-8")
    models = given.pop("models", None)
    found = run_suite(path, data=given, models=models).findings
    return {f.id.partition("::")[2]: f for f in found}


@pytest.mark.parametrize(
    "role", ["score: y", "score: risk, features: [x1, y]", "score: risk, sensitive: [y]"]
)
def test_the_label_cannot_be_an_input(role: str, tmp_path: Path) -> None:
    columns = f"columns: {{target: y, positive_label: 1, {role}}}\n"
    text = columns + "checks: [{performance: {metrics: {brier: {}}}}]\n"
    with pytest.raises(SuiteError, match="the target 'y' is under"):
        decide(tmp_path, text, current=cohort())


def test_a_model_that_takes_the_label_is_an_error(tmp_path: Path) -> None:
    frame = cohort()
    model = LogisticRegression().fit(frame[["x1", "y"]], frame["y"])
    text = (
        "columns: {target: y, positive_label: 1}\nmodels: {m: given}\n"
        "checks: [{performance: {metrics: {roc_auc: {min: 0.6}}}}]\n"
    )
    (found,) = decide(tmp_path, text, current=frame, models={"m": model}).values()
    assert found.verdict == "error"
    assert "takes the target 'y' as an input" in found.message


def test_a_model_without_names_gets_the_columns_in_the_order_of_the_reference(tmp_path: Path) -> None:
    before, after = cohort(seed=1), cohort(seed=2)
    model = LogisticRegression().fit(before[["x1", "x2"]].to_numpy(), before["y"])
    text = (
        "columns: {target: y, positive_label: 1, ignore: [risk]}\nmodels: {m: given}\n"
        "checks: [{concept_drift: {metrics: {roc_auc: {max_drop: 0.05}}}}]\n"
    )
    given = {"reference": before, "current": after[["x2", "risk", "x1", "y"]], "models": {"m": model}}
    (found,) = decide(tmp_path, text, **given).values()
    assert found.details["current"] > 0.7


def test_another_other_label_in_each_dataset_is_an_error(tmp_path: Path) -> None:
    before, after = cohort(seed=1), cohort(seed=2)
    after["y"] = after["y"].replace({0: 9})
    text = HEAD + "checks: [{concept_drift: {metrics: {roc_auc: {max_drop: 0.5}}}}]\n"
    (found,) = decide(tmp_path, text, reference=before, current=after).values()
    assert found.verdict == "error"
    assert "columns.negative_label" in found.message


def test_a_segment_of_a_few_rows_is_undecided_and_shows_no_figure(tmp_path: Path) -> None:
    frame = cohort()
    frame["ward"] = np.where(np.arange(len(frame)) < 5, "small", "large")
    frame.loc[frame["ward"] == "small", "y"] = 1
    text = (
        HEAD + "checks: [{calibration: {segments: ward}},"
        " {performance: {segments: ward, metrics: {brier: {max: 0.5}}}}]\n"
    )
    found = decide(tmp_path, text, current=frame)
    few = [f for name, f in found.items() if name.endswith("(small segment 1)")]
    assert len(few) == 4
    assert {(f.verdict, f.estimate, f.interval) for f in few} == {("inconclusive", None, None)}
    assert all("fewer than 11 rows of current" in f.message for f in few)


def test_a_segment_below_min_rows_is_undecided_also_where_it_has_one_class(tmp_path: Path) -> None:
    frame = cohort()
    frame["ward"] = np.where(np.arange(len(frame)) < 20, "small", "large")
    frame.loc[frame["ward"] == "small", "y"] = 0
    segments = "{column: ward, min_rows: 50}"
    text = HEAD + f"checks: [{{performance: {{segments: {segments}, metrics: {{roc_auc: {{min: 0.5}}}}}}}}]\n"
    found = decide(tmp_path, text, current=frame)
    assert found["performance::roc_auc::small"].verdict == "inconclusive"
    assert found["performance::roc_auc::large"].verdict == "pass"


def test_a_segment_that_one_dataset_lacks_has_zero_rows(tmp_path: Path) -> None:
    frame = cohort()
    frame["ward"] = "a"
    text = (
        HEAD + "checks: [{performance: {segments: {column: ward, values: [a, z]}, metrics: {brier: {}}}}]\n"
    )
    found = decide(tmp_path, text, current=frame)["performance::brier::z"]
    assert found.verdict == "error"
    assert "there are 0 rows" in found.message


@pytest.mark.parametrize(
    ("written", "meant"), [("sensitivity", "recall"), ("ppv", "precision"), ("auc", "roc_auc")]
)
def test_other_names_of_a_metric_lead_to_ours(written: str, meant: str, tmp_path: Path) -> None:
    text = HEAD + f"checks: [{{performance: {{threshold: 0.2, metrics: {{{written}: {{min: 0.5}}}}}}}}]\n"
    with pytest.raises(SuiteError, match=f"did you mean '{meant}'"):
        decide(tmp_path, text, current=cohort())


def test_a_model_that_the_run_brings_needs_no_score_column(tmp_path: Path) -> None:
    frame = cohort()
    model = LogisticRegression().fit(frame[["x1", "x2"]], frame["y"])
    text = (
        "columns: {target: y, positive_label: 1, ignore: [risk]}\n"
        "checks: [{performance: {metrics: {roc_auc: {min: 0.6}}}}]\n"
    )
    (found,) = decide(tmp_path, text, current=frame, models={"challenger": model}).values()
    assert found.verdict == "pass"
