"""What tracking makes of data frames: digests, pages without a single patient, rows that are nobody's."""

import importlib.util

import numpy as np
import pandas as pd
import pytest

from pytest_readmit.errors import DataError
from pytest_readmit.stats.predictions import Predictions
from pytest_readmit.tracking import evaluation
from pytest_readmit.tracking.datasets import content_digest
from pytest_readmit.tracking.example import synthetic
from pytest_readmit.tracking.profile import profile

from .conftest import FEATURES, OUTLIER, RARE, cohort

SUITE = "data: {reference: a.csv, current: a.csv}\nchecks: [data_drift]\n"


def mixed(rows: int = 40) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "whole": np.arange(rows),
            "number": np.arange(rows) / 7,
            "text": [["a", "b", None][place % 3] for place in range(rows)],
            "truth": [place % 2 == 0 for place in range(rows)],
            "time": pd.date_range("2024-01-01", periods=rows, freq="h"),
        }
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda frame: frame.assign(text=frame["text"].astype("category")),
        lambda frame: frame.assign(text=frame["text"].astype(object).where(frame["text"].notna(), np.nan)),
        lambda frame: frame.assign(time=frame["time"].astype("datetime64[s]")),
        lambda frame: frame.assign(time=frame["time"].dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo")),
        lambda frame: frame.assign(number=frame["number"].replace(0.0, -0.0)),
        lambda frame: frame.set_axis(frame.index + 7),
    ],
    ids=["category", "missing", "resolution", "zone", "zero", "index"],
)
def test_the_same_rows_have_the_same_digest_however_they_are_kept(change) -> None:
    assert content_digest(change(mixed())) == content_digest(mixed())


@pytest.mark.parametrize(
    "change",
    [
        lambda frame: frame.iloc[::-1],
        lambda frame: frame.iloc[:-1],
        lambda frame: frame[list(frame.columns[::-1])],
        lambda frame: frame.rename(columns={"whole": "Whole"}),
        lambda frame: frame.assign(whole=frame["whole"].astype(str)),
        lambda frame: frame.assign(whole=frame["whole"].where(frame["whole"] != 20, 21)),
        lambda frame: frame.assign(number=frame["number"].where(frame["number"] != 0)),
        lambda frame: frame.assign(text=frame["text"].fillna("None")),
    ],
    ids=["order", "rows", "columns", "name", "kind", "cell", "missing", "spelling"],
)
def test_other_rows_have_another_digest(change) -> None:
    assert content_digest(change(mixed())) != content_digest(mixed())


def test_a_cell_beyond_the_first_ten_thousand_rows_counts() -> None:
    frame = pd.DataFrame({"age": np.arange(200_000) % 90})
    other = frame.copy()
    other.loc[100_000, "age"] += 1
    assert content_digest(frame) != content_digest(other)


def test_a_profile_shows_no_patient_no_rare_value_and_no_markup_of_the_data() -> None:
    frame = cohort().assign(**{"<i>note</i>": [f"<script>{place}" for place in range(1500)]})
    page = profile(frame, "train", ignore=["subject_id"])
    for never in (RARE, "987", "subject_id", "70000", "<script", "<i>"):
        assert never not in page
    for shown in ("glucose", "Medicare", "&lt;i&gt;note", "no value has 11 rows or more"):
        assert shown in page


def test_a_profile_tells_few_values_only_as_few() -> None:
    frame = pd.DataFrame({"rarely": [1.0] * 4 + [np.nan] * 96, "seldom": [1] * 3 + [0] * 97})
    page = profile(frame, "train")
    assert "fewer than 11 rows with a value" in page
    assert "0.03" not in page  # the mean of 0 and 1 is a count
    assert "3%" not in page


def test_a_synthetic_example_has_the_columns_types_and_no_rare_value() -> None:
    frame = cohort()[FEATURES].assign(seen=pd.Timestamp("2024-02-03"), known=True)
    made = synthetic(frame, seed=0, min_cell=11, rows=2000)
    assert dict(made.dtypes) == dict(frame.dtypes)
    assert set(made["insurance"]) <= {"Medicare", "Other", "Private"}
    assert made["glucose"].max() < OUTLIER
    assert not set(made["los"]) & set(frame["los"])
    assert abs(made["age"].mean() - frame["age"].mean()) < 3
    assert synthetic(frame, seed=0, min_cell=11).equals(synthetic(frame, seed=0, min_cell=11))


def test_a_uri_that_is_none_is_a_wrong_command_line(pytester: pytest.Pytester) -> None:
    pytester.makefile(".yml", suite=SUITE)
    result = pytester.runpytest_inprocess("--readmit-suite=suite.yml", "--readmit-mlflow=mlruns")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines("*names no MLflow store: write sqlite:///FILE or http://HOST:PORT")


@pytest.mark.skipif(importlib.util.find_spec("mlflow") is not None, reason="MLflow is installed")
def test_without_mlflow_the_extra_is_named_before_any_data_is_read(pytester: pytest.Pytester) -> None:
    pytester.makefile(".yml", suite=SUITE)
    result = pytester.runpytest_inprocess("--readmit-suite=suite.yml", "--readmit-mlflow=sqlite:///a.db")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines("*pip install 'pytest-readmit[[]mlflow[]]'*")


def predicted(missed: int) -> Predictions:
    """100 positives of 1,000 rows, `missed` of them below a threshold of one half."""
    positive = np.arange(1_000) < 100
    score = np.where(positive, 0.9, np.where(np.arange(1_000) < 300, 0.7, 0.1))
    score[:missed] = 0.2
    return Predictions.of(positive, score, None)


def test_a_small_count_at_the_threshold_follows_from_nothing_that_is_logged() -> None:
    rows = predicted(missed=7)
    assert set(evaluation.confusion(rows, 0.5, min_cell=11).values()) == {None}
    found = evaluation.measured(rows, ["recall", "npv", "roc_auc"], 0.5, min_cell=11, seed=0)
    assert [found.values[name][0] for name in ("recall", "npv")] == [0.93, 0.99]
    assert evaluation.confusion(predicted(missed=20), 0.5, min_cell=11)["false_negative"] == 20


@pytest.mark.parametrize("small", [[5], [3, 2]])
def test_the_rows_of_hidden_groups_follow_from_nothing_that_is_logged(small: list[int]) -> None:
    sizes = [300, 700 - sum(small), *small]
    groups = pd.Series(np.repeat([f"g{place}" for place in range(len(sizes))], sizes), name="group")
    mixed_up = groups.sample(frac=1, random_state=0).reset_index(drop=True)
    found = evaluation.by_group(predicted(missed=30), mixed_up, 0.5, min_cell=11, seed=0)
    assert found.hidden == len(small)
    assert {rows for rows, _ in found.measured.values()} == {None}
    for _, measured in found.measured.values():
        assert all(value == float(f"{value:.2g}") for triple in measured.values.values() for value in triple)


def test_labels_of_other_rows_are_refused() -> None:
    data = pd.DataFrame({"age": range(30)})
    labels = pd.Series([0, 1] * 15)
    evaluation.check_index(labels, data, "test")
    evaluation.check_index(labels.to_numpy(), data, "test")
    with pytest.raises(DataError, match="y_test and X_test have different indexes"):
        evaluation.check_index(labels.sample(frac=1, random_state=0), data, "test")
