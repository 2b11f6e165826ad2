"""A training run in a real MLflow store on SQLite: what it holds, what it never shows, what is refused."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

mlflow = pytest.importorskip("mlflow", reason="needs the extra mlflow")

from sklearn.dummy import DummyClassifier  # noqa: E402
from sklearn.ensemble import RandomForestClassifier  # noqa: E402
from sklearn.linear_model import LogisticRegression  # noqa: E402
from sklearn.metrics import (  # noqa: E402
    accuracy_score,
    average_precision_score,
    brier_score_loss,
    f1_score,
    log_loss,
    precision_score,
    recall_score,
    roc_auc_score,
)

from pytest_readmit import DataError, run_suite  # noqa: E402
from pytest_readmit.tracking import log_dataset_profile, setup_experiment  # noqa: E402

from .conftest import FEATURES, OUTLIER, RARE, cohort  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")

Log = Callable[..., str]


def files(store: SimpleNamespace, run: str) -> dict[str, str]:
    """Return the text of every file of a run."""
    folder = Path(store.client.download_artifacts(run, ""))
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_a_run_holds_everything_that_a_reviewer_asks_for(
    log: Log, store: SimpleNamespace, fitted: Any
) -> None:
    said: list[str] = []
    run_id = log(
        sensitive=["sex", "insurance"],
        params={"C": 1.0},
        tags={"team": "ml"},
        registered_model_name="readmission",
        say=said.append,
    )
    run = store.client.get_run(run_id)
    assert (run.info.run_name, run.info.status) == ("logistic", "FINISHED")
    train, test = cohort(), cohort(seed=2)
    positive = (test["readmitted"] == "yes").to_numpy()
    score = fitted.predict_proba(test[FEATURES])[:, 1]
    alert = score >= 0.3
    expected = {
        "roc_auc": roc_auc_score(positive, score),
        "average_precision": average_precision_score(positive, score),
        "pr_auc": average_precision_score(positive, score),
        "brier": brier_score_loss(positive, score),
        "log_loss": log_loss(positive, score),
        "accuracy": accuracy_score(positive, alert),
        "precision": precision_score(positive, alert),
        "recall": recall_score(positive, alert),
        "f1": f1_score(positive, alert),
    }
    found = run.data.metrics
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-9)
    for name in expected:
        assert found[f"{name}_lower"] < found[name] < found[f"{name}_upper"]
    women = (test["sex"] == "F").to_numpy()
    assert found["group/sex/F/roc_auc"] == pytest.approx(roc_auc_score(positive[women], score[women]))
    assert found["group/insurance/Medicare/recall_lower"] < found["group/insurance/Medicare/recall"]
    params = run.data.params
    assert {name: params[name] for name in ("C", "training_samples", "test_rows", "test_columns")} == {
        "C": "1.0",
        "training_samples": "1500",
        "test_rows": "1500",
        "test_columns": "6",
    }
    assert float(params["positive_class_ratio_train"]) == (train["readmitted"] == "yes").mean()
    assert run.data.tags["team"] == "ml"
    assert run.data.tags["readmit.registered"] == "readmission/1"
    inputs = {each.dataset.name: each.dataset.digest for each in run.inputs.dataset_inputs}
    for name in ("train", "test"):
        assert run.data.tags[f"readmit.digest.{name}"].removeprefix("sha256:").startswith(inputs[name])
    logged = files(store, run_id)
    assert {
        "train_profile.html",
        "test_profile.html",
        "evaluation.html",
        "baseline.json",
        "roc_curve.json",
        "precision_recall_curve.svg",
        "calibration.json",
        "confusion_matrix.json",
        "feature_importance.json",
        "groups.json",
    } <= set(logged)
    assert json.loads(logged["confusion_matrix.json"])["true_positive"] == int((alert & positive).sum())
    assert set(json.loads(logged["feature_importance.json"])["features"][:2]) == {"age", "los"}
    assert "shap_summary.json" not in logged
    for name, text in logged.items():
        for never in (RARE, str(OUTLIER), ">70000"):
            assert never not in text, name
        # A baseline names the columns that it leaves out, and why.
        assert ("subject_id" in text) == (name == "baseline.json"), name
    assert said[0] == "track: train, 1,500 rows"
    assert os.listdir(store.cwd) == []


def test_a_gate_compares_with_the_baseline_of_a_run_and_needs_no_training_data(
    log: Log, store: SimpleNamespace
) -> None:
    run_id = log()
    suite = store.cwd.parent / "gate.yml"
    suite.write_text(
        f"mlflow: {{tracking_uri: '{store.uri}'}}\n"
        f"data: {{reference: {{profile: 'runs:/{run_id}/baseline.json'}}}}\n"
        "columns: {target: readmitted, positive_label: 'yes', patient: subject_id}\n"
        "checks: [schema, {target_drift: {max: 0.2}}, {data_drift: {columns: [sex, los]}}]\n"
    )
    found = run_suite(suite, data={"current": cohort(seed=3)})
    assert {case.verdict for case in found.findings} == {"pass"}, [case.message for case in found.findings]
    assert found.record["provenance"]["datasets"]["reference"]["source"] == f"runs:/{run_id}/baseline.json"


def test_a_gate_scores_the_registered_model_without_further_trust(log: Log, store: SimpleNamespace) -> None:
    run_id = log(registered_model_name="readmission")
    version = store.client.get_model_version("readmission", "1")
    assert (version.run_id, version.tags) == (run_id, {"readmit.status": "candidate"})
    suite = store.cwd.parent / "gate.yml"
    suite.write_text(
        f"mlflow: {{tracking_uri: '{store.uri}'}}\n"
        "columns: {target: readmitted, positive_label: 'yes', patient: subject_id}\n"
        "models: {challenger: {mlflow: 'models:/readmission/1'}}\n"
        "checks:\n  - performance: {metrics: {roc_auc: {min: 0.6}}}\n"
    )
    (case,) = run_suite(suite, data={"current": cohort(seed=3)}).findings
    assert case.verdict == "pass", case.message
    folder = Path(store.client.get_model_version_download_uri("readmission", "1").removeprefix("file://"))
    example = json.loads((folder / "input_example.json").read_text())
    real = {tuple(row) for row in cohort()[FEATURES].to_numpy().tolist()}
    assert example["columns"] == FEATURES
    assert not {tuple(row) for row in example["data"]} & real
    loaded = mlflow.pyfunc.load_model(str(folder))
    assert loaded.predict(cohort()[FEATURES].head(3)).shape == (3, 2)
    assert log(registered_model_name="readmission", real_rows=True)
    assert str(store.client.get_registered_model("readmission").latest_versions[0].version) == "2"


def test_the_state_of_mlflow_is_as_it_was(log: Log, store: SimpleNamespace, tmp_path: Path) -> None:
    other = f"sqlite:///{tmp_path}/other.db"
    try:
        mlflow.set_tracking_uri(other)
        mlflow.set_experiment("mine")
        with mlflow.start_run() as mine:
            log(registered_model_name="readmission")
            assert mlflow.active_run().info.run_id == mine.info.run_id
            assert (mlflow.get_tracking_uri(), os.environ["MLFLOW_TRACKING_URI"]) == (other, other)
            mlflow.log_metric("mine", 1.0)
        assert [run.data.metrics for run in mlflow.search_runs(output_format="list")] == [{"mine": 1.0}]
    finally:
        mlflow.set_tracking_uri(None)
        os.environ.pop("MLFLOW_TRACKING_URI", None)


def test_shap_values_are_logged_when_asked_for_and_single_patients_only_by_name(
    log: Log, store: SimpleNamespace
) -> None:
    pytest.importorskip("shap", reason="needs the extra explain")
    numbers = ["age", "los"]
    model = LogisticRegression(max_iter=1000).fit(cohort()[numbers], cohort()["readmitted"])
    before = np.random.get_state()[1].tolist()
    logged = files(store, log(model=model, features=numbers, shap=True))
    assert np.random.get_state()[1].tolist() == before
    summary = json.loads(logged["shap_summary.json"])
    assert set(summary["features"]) == set(numbers)
    assert "500 rows" in summary["method"]
    assert "shap_beeswarm.svg" not in logged
    few = cohort(seed=2).head(120)
    given = {"X_test": few, "y_test": few["readmitted"], "features": FEATURES}
    again = files(store, log(shap_beeswarm=True, **given))
    assert set(json.loads(again["shap_summary.json"])["features"][:2]) == {"age", "los"}
    assert again["shap_beeswarm.svg"].count("<circle") == 120 * len(FEATURES)


def test_a_shap_failure_is_recorded(
    log: Log, store: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "shap", None)
    run = store.client.get_run(log(shap=True))
    assert "pytest-readmit[explain]" in run.data.params["shap_error"]
    assert run.info.status == "FINISHED"


class Strange(DummyClassifier):
    """A model of the tests' own module: skops must be told to trust it."""


class Unsavable(DummyClassifier):
    def __reduce__(self) -> Any:
        raise TypeError("cell 4711")


@pytest.mark.parametrize(
    ("model", "tag", "said"),
    [
        (RandomForestClassifier(n_estimators=5, random_state=0), "readmit.model_format", "skops"),
        (Strange(strategy="prior"), "readmit.model_needs_trust", "Strange"),
    ],
    ids=["forest", "own"],
)
def test_what_loading_a_model_needs_is_said(
    model: Any, tag: str, said: str, log: Log, store: SimpleNamespace
) -> None:
    numbers = FEATURES[:2]
    model.fit(cohort()[numbers], cohort()["readmitted"])
    run = store.client.get_run(log(model=model, features=numbers, threshold=0.9))
    assert said in run.data.tags[tag]
    method = json.loads(files(store, run.info.run_id)["feature_importance.json"])["method"]
    assert ("feature_importances_" in method) == hasattr(model, "feature_importances_")
    # With no alert there is no precision: said, not left out in silence.
    if isinstance(model, Strange):
        assert "precision" not in run.data.metrics
        assert "fewer than 11" in run.data.tags["readmit.undefined.precision"]


def test_a_run_that_breaks_off_is_marked_and_registers_nothing(log: Log, store: SimpleNamespace) -> None:
    model = Unsavable().fit(cohort()[FEATURES], cohort()["readmitted"])
    with pytest.raises(DataError, match=r"^the model could not be logged to MLflow \(\w+\)$"):
        log(model=model, registered_model_name="readmission")
    (run,) = store.client.search_runs(["1"])
    assert run.info.status == "FAILED"
    assert store.client.search_registered_models() == []


class Unfitted:
    classes_ = ("no", "yes")

    def predict_proba(self, rows: Any) -> Any:
        raise ValueError(f"cell {rows.iloc[0, 0]}")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"params": {"test_rows": 3}}, "params: 'test_rows' is logged anyway"),
        ({"params": {"a;b": 3}}, "params: 'a;b' is no name that MLflow takes"),
        ({"positive_label": 1}, r"y_train has fewer than 11 rows with the positive label"),
        ({"threshold": 30}, "threshold: 30 is not within 0 and 1"),
        ({"features": ["agee"]}, "features: X_train has no column 'agee', did you mean 'age'?"),
        ({"patient": "subject"}, "patient: X_train has no column 'subject', did you mean 'subject_id'?"),
        ({"sensitive": ["los"]}, "sensitive: 'los' has 1,500 values, more than 50: group them first"),
        ({"model": Unfitted()}, r"the model could not score the rows \(ValueError\)"),
        ({"model": object()}, "the model has no predict_proba"),
        ({"X_test": np.zeros((5, 2))}, "X_test must be a pandas DataFrame with named columns, not ndarray"),
        ({"y_train": ["yes"] * 3}, "y_train has 3 labels for 1,500 rows"),
        ({"y_test": [None, *["yes", "no"] * 749, "no"]}, "y_test: fewer than 11 labels are missing"),
        ({"y_test": ["yes"] * 10 + ["no"] * 1490}, "y_test has fewer than 11 rows with the positive label"),
        ({"registered_model_name": "a/b"}, "registered_model_name: 'a/b'"),
        ({"tracking_uri": ""}, "tracking_uri is empty"),
        ({"tracking_uri": "http://me:secret@127.0.0.1:9"}, r"does not answer \(ConnectionRefusedError\)"),
    ],
)
def test_what_does_not_fit_is_refused_before_a_run_is_made(
    given: dict[str, Any], said: str, log: Log, store: SimpleNamespace
) -> None:
    with pytest.raises(DataError, match=said) as caught:
        log(**given)
    assert "secret" not in str(caught.value)
    assert "cell" not in str(caught.value)
    assert [each.name for each in store.client.search_experiments()] == ["Default"]


def test_an_experiment_is_set_up_once(store: SimpleNamespace, tmp_path: Path) -> None:
    new = f"sqlite:///{tmp_path}/a folder/new.db"
    first = setup_experiment("gates", tracking_uri=new)
    assert setup_experiment("gates", tracking_uri=new) == first
    client = mlflow.MlflowClient(new, new)
    place = client.get_experiment(first).artifact_location
    assert place == (tmp_path / "a folder" / "mlartifacts").as_uri()
    elsewhere = str(tmp_path / "files")
    assert sorted(path.name for path in (tmp_path / "a folder").iterdir()) == ["new.db"]
    with pytest.raises(DataError, match="keeps its files elsewhere"):
        setup_experiment("gates", tracking_uri=new, artifact_location=elsewhere)
    own = setup_experiment("own", tracking_uri=new, artifact_location=elsewhere)
    assert setup_experiment("own", tracking_uri=new, artifact_location=elsewhere) == own
    client.delete_experiment(own)
    with pytest.raises(DataError, match="'own' was deleted: restore it, or choose another name"):
        setup_experiment("own", tracking_uri=new)


def test_a_profile_is_logged_to_a_run_of_ones_own(store: SimpleNamespace) -> None:
    where = setup_experiment("profiles", tracking_uri=store.uri)
    run_id = store.client.create_run(where).info.run_id
    frame = cohort()
    digest = log_dataset_profile(
        frame, "cohort", tracking_uri=store.uri, run_id=run_id, ignore=["subject_id"]
    )
    run = store.client.get_run(run_id)
    assert run.data.params == {"cohort_rows": "1500", "cohort_columns": str(frame.shape[1])}
    assert run.data.tags["readmit.digest.cohort"] == digest
    assert RARE not in files(store, run_id)["cohort_profile.html"]
    with pytest.raises(DataError, match="fewer than 11 rows"):
        log_dataset_profile(frame.head(4), tracking_uri=store.uri, run_id=run_id)
    with pytest.raises(DataError, match="must be a pandas DataFrame"):
        log_dataset_profile(pd.Series([1]), tracking_uri=store.uri, run_id=run_id)
