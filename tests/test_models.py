"""Models from files and from memory: which score a case uses, what may be loaded, and what goes wrong."""

import hashlib
import os
import pickle
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from pytest_readmit import (
    Claim,
    Context,
    Dataset,
    Finding,
    Models,
    Scored,
    SuiteError,
    check,
    run_check,
    run_suite,
)
from pytest_readmit.models.trust import Trust

CHECKS = '''
import numpy as np
from pytest_readmit import Claim, Scored, check

@check
def auc(current: Scored) -> Claim:
    """How well does the score rank?"""
    from sklearn.metrics import roc_auc_score
    found = current.predictions
    return Claim(
        estimate=float(roc_auc_score(found.positive, found.score)), summary=current.score, n_current=current.n
    )

@check
def top(reference: Scored, current: Scored) -> Claim:
    """How high is the highest score?"""
    highest = max(reference.predictions.score.max(), current.predictions.score.max())
    return Claim(estimate=float(highest), summary=current.score, n_current=current.n)
'''
NUMBERS, TEXTS = ["age", "prior", "glucose"], ["ward", "emergency"]
HEAD = """
data: {{reference: reference.csv, current: current.parquet}}
columns: {{target: readmitted, positive_label: 1{columns}}}
models: {models}
checks: {checks}
"""


def cohort(seed: int, rows: int = 1500) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    prior = rng.poisson(1.0, rows)
    emergency = rng.random(rows) < 0.4
    glucose = rng.normal(110, 20, rows).round(1)
    glucose[rng.random(rows) < 0.1] = np.nan
    age = rng.normal(60, 15, rows).clip(18, 100).round(1)
    chance = 1 / (1 + np.exp(1.5 - 0.5 * prior - 0.4 * emergency - 0.02 * (age - 60)))
    return pd.DataFrame(
        {
            "ward": rng.choice(["medicine", "surgery", "cardiology"], rows),
            "age": age,
            "prior": prior,
            "glucose": glucose,
            "emergency": emergency,
            "old_risk": chance,
            "readmitted": (rng.random(rows) < chance).astype(int),
        }
    )


def preparation() -> Any:
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    return make_column_transformer((numbers, NUMBERS), (OneHotEncoder(handle_unknown="ignore"), TEXTS))


@pytest.fixture(scope="session")
def training() -> pd.DataFrame:
    return cohort(0)


@pytest.fixture(scope="session")
def pipeline(training: pd.DataFrame) -> Any:
    return make_pipeline(preparation(), LogisticRegression()).fit(
        training[[*TEXTS, *NUMBERS]], training.readmitted
    )


@pytest.fixture(scope="session")
def frames() -> tuple[pd.DataFrame, pd.DataFrame]:
    return cohort(1), cohort(2)


class Project:
    """A folder with data, checks and suites."""

    def __init__(self, folder: Path, frames: tuple[pd.DataFrame, pd.DataFrame]) -> None:
        self.path = folder
        frames[0].to_csv(folder / "reference.csv", index=False)
        frames[1].to_parquet(folder / "current.parquet")

    def run(self, named: str, checks: str, *, columns: str = "", **given: Any) -> Any:
        path = self.path / "suite.yml"
        path.write_text(HEAD.format(models=named, checks=checks, columns=columns))
        return run_suite(path, check_modules=["scored_checks"], **given)

    def one(self, named: str, checks: str = "[auc]", **given: Any) -> Finding:
        (finding,) = self.run(named, checks, **given).findings
        return finding


@pytest.fixture
def project(
    tmp_path: Path, frames: tuple[pd.DataFrame, pd.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> Project:
    (tmp_path / "scored_checks.py").write_text(CHECKS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "scored_checks", raising=False)
    monkeypatch.chdir(tmp_path)
    return Project(tmp_path, frames)


def expected(pipeline: Any, frame: pd.DataFrame) -> float:
    return float(roc_auc_score(frame.readmitted, pipeline.predict_proba(frame)[:, 1]))


def test_a_model_scores_every_dataset_as_it_does_outside(project, pipeline, frames) -> None:
    joblib.dump(pipeline, project.path / "m.joblib")
    found = project.run("{m: m.joblib}", "[auc, {auc: {on: reference, id: before}}]", trust=["m.joblib"])
    assert [one.estimate for one in found.findings] == pytest.approx(
        [expected(pipeline, frames[1]), expected(pipeline, frames[0])], abs=1e-12
    )
    assert found.findings[0].message.startswith("models.m")


@pytest.mark.parametrize("suffix", ["joblib", "pkl", "pickle", "skops"])
def test_every_format_gives_the_same_scores(project, pipeline, frames, suffix) -> None:
    path = project.path / f"m.{suffix}"
    if suffix == "skops":
        pytest.importorskip("skops.io").dump(pipeline, path)
    elif suffix == "joblib":
        joblib.dump(pipeline, path, compress=3)
    else:
        path.write_bytes(pickle.dumps(pipeline))
    trust = [] if suffix == "skops" else ["*.p*", "*.joblib"]
    assert project.one(f"{{m: m.{suffix}}}", trust=trust).estimate == expected(pipeline, frames[1])


@pytest.mark.parametrize(
    "estimator", [HistGradientBoostingClassifier(max_iter=10), RandomForestClassifier(10, random_state=0)]
)
def test_tree_models_in_skops_files_need_no_trust(project, training, frames, estimator) -> None:
    skops_io = pytest.importorskip("skops.io")
    fitted = make_pipeline(preparation(), estimator).fit(training[[*TEXTS, *NUMBERS]], training.readmitted)
    skops_io.dump(fitted, project.path / "m.skops")
    assert project.one("{m: m.skops}").estimate == expected(fitted, frames[1])


def test_a_boosting_model_fitted_on_category_columns_takes_text(project, training, frames) -> None:
    typed = training[["ward", *NUMBERS]].astype({"ward": "category"})
    fitted = HistGradientBoostingClassifier(max_iter=10).fit(typed, training.readmitted)
    after = frames[1].astype({"ward": "category"})[["ward", *NUMBERS]]
    outside = roc_auc_score(frames[1].readmitted, fitted.predict_proba(after)[:, 1])
    assert project.one("{m: m.joblib}", models={"m": fitted}).estimate == pytest.approx(outside, abs=1e-12)


def test_the_frame_has_the_types_that_pandas_gives(frames) -> None:
    seen: list[pd.DataFrame] = []

    class Watching(ClassifierMixin, BaseEstimator):
        classes_ = np.array([0, 1])

        def predict_proba(self, rows: pd.DataFrame) -> np.ndarray:
            seen.append(rows)
            return np.full((len(rows), 2), 0.5)

    before = frames[0].assign(maybe=pd.array([True, None, False] * 500, dtype="boolean"), when="2026-01-02")
    before["when"] = pd.to_datetime(before["when"])
    before["count"] = pd.array([1, None, 3] * 500, dtype="Int64")
    roles = {
        "target": "readmitted",
        "positive_label": 1,
        "features": [*TEXTS, *NUMBERS, "maybe", "when", "count"],
    }
    (finding,) = run_check(auc_of, current=before, roles=roles, models={"m": Watching()})
    assert finding.verdict == "pass", finding.message
    (rows,) = seen
    assert list(rows.columns) == roles["features"]
    kinds = {name: rows[name].dtype.kind for name in rows.columns}
    assert kinds["age"] == kinds["glucose"] == kinds["count"] == "f"
    assert kinds["prior"] == "i"
    assert kinds["emergency"] == "b"
    assert kinds["when"] == "M"
    assert rows["ward"].dtype == pd.Series(["a"]).dtype
    assert rows["maybe"].tolist()[0] is True
    assert rows["maybe"].isna().tolist()[1]
    assert rows["glucose"].isna().sum() == before["glucose"].isna().sum()


@check
def auc_of(current: Scored) -> Claim:
    """How many rows are scored?"""
    return Claim(estimate=float(current.predictions.score.mean()), n_current=current.n)


def test_only_kept_rows_are_asked_for_and_each_dataset_once(frames) -> None:
    asked: list[int] = []

    class Counting(ClassifierMixin, BaseEstimator):
        classes_ = np.array([0, 1])

        def predict_proba(self, rows: pd.DataFrame) -> np.ndarray:
            asked.append(len(rows))
            assert (rows["age"] >= 50).all()
            p = (rows["age"].to_numpy() - 40) / 100
            return np.column_stack([1 - p, p])

    kept = frames[0][frames[0].age >= 50]
    suite = {
        "data": {"current": {"path": "x.csv", "where": "age >= 50"}},
        "columns": {"target": "readmitted", "positive_label": 1},
        "models": {"m": "x.joblib"},
    }
    import json
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "s.yml")
        entries = ["auc_of", {"auc_of": {"segments": "ward", "id": "by"}}, {"auc_of": {"id": "again"}}]
        path.write_text(json.dumps({**suite, "checks": entries}))
        found = run_suite(
            path, data={"current": frames[0]}, models={"m": Counting()}, check_modules=[__name__]
        )
    by_id = {one.id.split("::", 1)[1]: one for one in found.findings}
    assert asked == [len(kept)]
    assert by_id["auc_of"].estimate == pytest.approx((kept.age - 40).mean() / 100)
    surgery = kept[kept.ward == "surgery"]
    assert by_id["by::surgery"].estimate == pytest.approx((surgery.age - 40).mean() / 100)


def test_the_entry_names_its_model_else_the_column_else_the_challenger(project, pipeline) -> None:
    joblib.dump(pipeline, project.path / "m.joblib")
    models = "{champion: {score: old_risk}, challenger: m.joblib}"
    checks = "[auc, {auc: {model: champion, id: old}}, {auc: {model: challenger, id: new}}]"
    names = [one.message.split(";")[0] for one in project.run(models, checks, trust=["**"]).findings]
    assert names == ["models.challenger", "old_risk", "models.challenger"]
    with_column = project.run(models, checks, columns=", score: old_risk", trust=["**"]).findings
    assert [one.message.split(";")[0] for one in with_column] == ["old_risk", "old_risk", "models.challenger"]
    only = project.one("{any: {score: old_risk}}")
    assert only.message.startswith("old_risk")


def test_several_models_and_no_challenger_is_an_error_of_the_cases_that_score(project) -> None:
    models = "{a: {score: old_risk}, b: {score: age}}"
    found = project.run(models, "[auc, missing_drift]").findings
    assert found[0].verdict == "error"
    assert "several models (a, b)" in found[0].message
    assert {one.verdict for one in found[1:]} == {"pass"}


def test_the_score_column_of_a_model_is_no_feature(project) -> None:
    found = project.run("{a: {score: old_risk}}", "[missing_drift]").findings
    assert "old_risk" not in {one.subject for one in found}


def test_drift_of_predictions_is_drift_of_the_models(project, pipeline) -> None:
    joblib.dump(pipeline, project.path / "m.joblib")
    finding = project.one("{m: m.joblib}", "[prediction_drift: {max: 0.2}]", trust=["m.joblib"])
    assert (finding.verdict, finding.message.split(" ")[0]) == ("pass", "models.m")
    segments = project.run(
        "{m: m.joblib}", "[prediction_drift: {segments: ward, max: 0.4}]", trust=["m.joblib"]
    )
    assert [one.verdict for one in segments.findings] == ["pass"] * 3


class Canary:
    """A pickle of it writes a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


def test_nothing_is_unpickled_before_it_is_trusted(project) -> None:
    sign = project.path / "was-here"
    for name in ("m.pkl", "m.joblib"):
        (project.path / name).write_bytes(pickle.dumps(Canary(sign)))
        finding = project.one(f"{{m: {name}}}")
        assert finding.verdict == "error"
        assert f"--readmit-trust={name}" in finding.message
        assert not sign.exists()
    wrong = project.one("{m: {path: m.pkl, sha256: " + "ab" * 32 + "}}", trust=["*"])
    assert "is not the file that its sha256: pins" in wrong.message
    assert not sign.exists()
    project.one("{m: m.pkl}", trust=["m.pkl"])
    assert sign.exists()


def test_a_pinned_digest_is_trust_enough(project, pipeline, frames) -> None:
    data = pickle.dumps(pipeline)
    (project.path / "m.pkl").write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    for pin in (digest, f"'sha256:{digest}'", digest.upper()):
        finding = project.one(f"{{m: {{path: m.pkl, sha256: {pin}}}}}")
        assert finding.estimate == expected(pipeline, frames[1])


def test_types_outside_the_list_in_a_skops_file_need_trust(project, training) -> None:
    skops_io = pytest.importorskip("skops.io")
    own = Own().fit(training[NUMBERS], training.readmitted)
    skops_io.dump(own, project.path / "m.skops")
    finding = project.one("{m: m.skops}")
    assert finding.verdict == "error"
    assert "holds types that are not trusted" in finding.message
    assert "Own" in finding.message
    assert "--readmit-trust=m.skops" in finding.message
    assert project.one("{m: m.skops}", trust=["m.skops"]).verdict == "pass"


class Own(ClassifierMixin, BaseEstimator):
    """A classifier of nobody's list."""

    def fit(self, rows: pd.DataFrame, labels: Any) -> "Own":
        self.classes_ = np.array([0, 1])
        self.feature_names_in_ = np.array(rows.columns, dtype=object)
        return self

    def predict_proba(self, rows: pd.DataFrame) -> np.ndarray:
        share = rows["age"].to_numpy() / 200
        return np.column_stack([1 - share, share])


def test_the_record_says_what_was_loaded(project, pipeline) -> None:
    joblib.dump(pipeline, project.path / "m.joblib")
    digest = hashlib.sha256((project.path / "m.joblib").read_bytes()).hexdigest()
    models = "{challenger: m.joblib, champion: {score: old_risk}, gone: gone.joblib}"
    record = project.run(models, "[auc]", trust=["m.joblib"]).record
    blank = {"version": None, "run_id": None}
    assert record["provenance"]["models"] == {
        "champion": {"source": "score: old_risk", "name": "champion", **blank, "digest": None},
        "challenger": {
            "source": "m.joblib",
            "name": "challenger",
            **blank,
            "digest": f"sha256:{digest}",
        },
        "gone": {"source": "gone.joblib", "name": "gone", **blank, "digest": None},
    }


def test_without_models_the_record_says_so(project) -> None:
    record = project.run("{}", "[missing_drift]").record
    assert record["provenance"]["models"] == {"champion": None, "challenger": None}


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 12\n"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("m.joblib", None, "there is no file m.joblib, did you mean 'n.joblib'?"),
        ("sub/m.joblib", None, "its folder does not exist"),
        ("m.joblib", b"", "is empty (0 bytes)"),
        ("m.joblib", LFS, "is a Git LFS pointer, not the model: run `git lfs pull`"),
        ("m.pkl", b"outs:\n- md5: ab\n  path: m.pkl\n", "is a DVC pointer, not the model"),
        ("m.pkl", b"\x80\x04\x95", "it is truncated or no pickle"),
        ("m.pkl", b"not a pickle", "it is truncated or no pickle"),
        ("m.skops", b"PK\x03\x04short", "it is truncated or no skops file"),
        ("m.skops", b"\x80\x04\x95abc", "is no skops file"),
        ("m.onnx", b"\x08\x07", "ONNX models are not read by this version"),
        ("m.bin", b"\x08\x07", "its name does not tell a model's format"),
        ("m.csv", b"a,b\n", "its name does not tell a model's format"),
        ("folder.joblib", "folder", "is a folder"),
        ("folder", "folder", "is a folder"),
        ("m.joblib", "dvc", "is not here but m.joblib.dvc is: run `dvc pull`"),
    ],
)
def test_a_file_that_is_no_model_is_an_error_that_says_what_to_do(project, name, content, said) -> None:
    path = project.path / name
    (project.path / "n.joblib").write_bytes(b"x")
    if content == "folder":
        path.mkdir()
    elif content == "dvc":
        (project.path / f"{name}.dvc").write_text("outs:\n")
    elif content is not None:
        path.write_bytes(content)
    finding = project.one(f"{{m: {name}}}", trust=["**"])
    assert finding.verdict == "error"
    assert said in finding.message
    assert str(project.path) not in finding.message


def test_a_truncated_model_is_told_as_such(project, pipeline) -> None:
    joblib.dump(pipeline, project.path / "m.joblib")
    whole = (project.path / "m.joblib").read_bytes()
    for kept in (len(whole) // 2, len(whole) - 1):
        (project.path / "m.joblib").write_bytes(whole[:kept])
        assert "truncated" in project.one("{m: m.joblib}", trust=["*"]).message


def test_a_missing_skops_package_names_the_extra(project, monkeypatch) -> None:
    (project.path / "m.skops").write_bytes(b"PK\x03\x04")
    monkeypatch.setitem(sys.modules, "skops", None)
    assert "pip install 'pytest-readmit[skops]'" in project.one("{m: m.skops}").message


def test_a_missing_mlflow_package_is_an_error_of_its_cases_that_names_the_extra(project, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///mlflow.db")
    found = project.run("{m: {mlflow: 'models:/r@c'}}", "[auc, missing_drift]").findings
    assert "pip install 'pytest-readmit[mlflow]'" in found[0].message
    assert {one.verdict for one in found[1:]} == {"pass"}


def model_of(classes: Any, probabilities: Any) -> Any:
    return SimpleNamespace(classes_=classes, predict_proba=lambda rows: probabilities(len(rows)))


def third(rows: int) -> np.ndarray:
    return np.tile([0.3, 0.7], (rows, 1))


@pytest.mark.parametrize(
    ("labels", "classes", "positive", "share"),
    [
        ([0, 1], [0, 1], 1, 0.7),
        ([0, 1], [0, 1], 0, 0.3),
        ([0, 1], [0, 1], "1", 0.7),
        ([0, 1], [0.0, 1.0], 1, 0.7),
        ([False, True], [False, True], True, 0.7),
        ([False, True], [0, 1], True, 0.7),
        ([0, 1], [False, True], 1, 0.7),
        (["no", "yes"], ["no", "yes"], "yes", 0.7),
        (["no", "yes"], ["no", "yes"], "no", 0.3),
        (["no", "yes"], [0, 1], ["yes", 1], 0.7),
        ([1, 2], [1, 2], 2, 0.7),
    ],
)
def test_the_positive_label_picks_the_class(frames, labels, classes, positive, share) -> None:
    frame = frames[0].assign(readmitted=np.array(labels)[frames[0].readmitted])
    roles = {"target": "readmitted", "positive_label": positive}
    (finding,) = run_check(
        auc_of, current=frame, roles=roles, models={"m": model_of(np.array(classes), third)}
    )
    assert finding.estimate == pytest.approx(share), finding.message


def test_probabilities_of_several_positive_classes_add_up(frames) -> None:
    frame = frames[0].assign(readmitted=np.array(["<30", ">30", "NO"])[np.arange(1500) % 3])
    model = model_of(np.array(["<30", ">30", "NO"]), lambda rows: np.tile([0.2, 0.3, 0.5], (rows, 1)))
    roles = {"target": "readmitted", "positive_label": ["<30", ">30"]}
    (finding,) = run_check(auc_of, current=frame, roles=roles, models={"m": model})
    assert finding.estimate == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (model_of(np.array(["no", "yes"]), third), "none of its 2 classes (texts) is columns.positive_label"),
        (model_of(None, third), "has no classes_"),
        (SimpleNamespace(classes_=[0, 1]), "without predict_proba"),
        (LogisticRegression(), "has no classes_"),
        (model_of([0, 1], lambda rows: np.full(rows, 0.5)), "no probability for each of its classes"),
        (model_of([0, 1], lambda rows: third(rows - 1)), "no probability for each of its classes"),
        (model_of([0, 1], lambda rows: third(rows) * np.nan), "gives no number for 1,500 rows"),
        (model_of([0, 1], lambda rows: third(rows) * np.inf), "1,500 scores are infinite"),
        (model_of([0, 1], lambda rows: third(rows) * 2), "1,500 scores are outside [0, 1]"),
        (model_of([0, 1], lambda rows: {}["medicine"]), "could not predict (KeyError)"),
    ],
)
def test_a_model_that_gives_no_probability_is_an_error(frames, model, said) -> None:
    roles = {"target": "readmitted", "positive_label": 1}
    (finding,) = run_check(auc_of, current=frames[0], roles=roles, models={"m": model})
    assert finding.verdict == "error"
    assert said in finding.message
    assert "medicine" not in finding.message


def test_columns_that_the_model_wants_are_named_with_the_nearest(frames, pipeline) -> None:
    roles = {"target": "readmitted", "positive_label": 1}
    renamed = frames[0].rename(columns={"glucose": "glucoses"})
    (finding,) = run_check(auc_of, current=renamed, roles=roles, models={"m": pipeline})
    assert "fitted on columns that DataFrame lacks: 'glucose', did you mean 'glucoses'?" in finding.message


def test_a_model_without_names_takes_the_features_in_order(frames, training) -> None:
    fitted = LogisticRegression().fit(training[["age", "prior"]].to_numpy(), training.readmitted)
    roles = {"target": "readmitted", "positive_label": 1}
    (wrong,) = run_check(auc_of, current=frames[0], roles=roles, models={"m": fitted})
    assert "takes 2 columns and does not tell their names" in wrong.message
    (finding,) = run_check(
        auc_of, current=frames[0], roles={**roles, "features": ["age", "prior"]}, models={"m": fitted}
    )
    outside = fitted.predict_proba(frames[0][["age", "prior"]].to_numpy())[:, 1].mean()
    assert finding.estimate == pytest.approx(outside)


def test_nested_values_are_no_models_business(frames, pipeline) -> None:
    roles = {"target": "readmitted", "positive_label": 1}
    nested = frames[0].assign(age=[[1]] * len(frames[0]))
    (finding,) = run_check(auc_of, current=nested, roles=roles, models={"m": pipeline})
    assert "column 'age' holds nested values; no model takes them" in finding.message


def test_rounding_beyond_one_is_no_error(frames) -> None:
    model = model_of([0, 1], lambda rows: np.tile([-1e-12, 1 + 1e-12], (rows, 1)))
    roles = {"target": "readmitted", "positive_label": 1}
    (finding,) = run_check(auc_of, current=frames[0], roles=roles, models={"m": model})
    assert finding.estimate == 1.0


def test_a_check_may_ask_the_models_itself(frames, pipeline) -> None:
    @check
    def asks(current: Dataset, models: Models, context: Context) -> Claim:
        """What does the model say?"""
        model = models["m"]
        frame = current.frame(models.chosen.columns(current))
        mapping = {name: frame[name].to_numpy() for name in frame.columns}
        assert list(models) == ["m"]
        assert "other" not in models
        assert np.array_equal(model.predict(frame), model.predict(mapping))
        assert len(model.predict(frame.iloc[:0])) == 0
        assert repr(model) == "Model('m', 'Pipeline')"
        return Claim(estimate=float(model.predict(frame).mean()))

    roles = {"target": "readmitted", "positive_label": 1}
    (finding,) = run_check(asks, current=frames[0], roles=roles, models={"m": pipeline})
    assert finding.estimate == pytest.approx(pipeline.predict_proba(frames[0])[:, 1].mean())


@pytest.mark.parametrize(
    ("pattern", "written", "covered"),
    [
        ("models/x.joblib", "models/x.joblib", True),
        ("models/*.joblib", "models/x.joblib", True),
        ("models/*.joblib", "./models/x.joblib", True),
        ("models/*.joblib", "models/sub/x.joblib", False),
        ("models/**", "models/sub/x.joblib", True),
        ("**/x.joblib", "a/b/x.joblib", True),
        ("**", "a/b/x.joblib", True),
        ("models/*", "models/../evil.pkl", False),
        ("models/**", "models/../evil.pkl", False),
        ("**", "../evil.pkl", False),
        ("*/x.pkl", "../x.pkl", False),
        ("../models/*", "../models/x.pkl", True),
        ("models/[ab].pkl", "models/a.pkl", True),
        ("x.joblib", "models/x.joblib", False),
        ("*.JOBLIB", "x.joblib", False),
        ("", "x.joblib", False),
    ],
)
def test_a_glob_covers_what_it_names_and_never_leads_out_of_a_folder(pattern, written, covered) -> None:
    assert Trust([pattern], ()).covers(written) is covered


def test_a_glob_may_start_from_the_command_lines_folder(tmp_path) -> None:
    model = tmp_path / "suites" / "models" / "x.pkl"
    assert Trust(["suites/models/*"], [tmp_path]).covers("models/x.pkl", model)
    assert Trust([str(tmp_path / "**")], []).covers("models/x.pkl", model)
    assert not Trust(["other/*"], [tmp_path]).covers("models/x.pkl", model)


@pytest.mark.parametrize("name", ["m.joblib", "odd [1] name.joblib", "it's.joblib"])
def test_the_printed_flag_trusts_just_that_file(name) -> None:
    import shlex

    (option,) = shlex.split(Trust.flag(name))
    assert Trust([option.partition("=")[2]], ()).covers(name)


def test_a_model_that_the_suite_does_not_know_is_refused(project, pipeline) -> None:
    with pytest.raises(SuiteError, match="no suite has a model 'chalenger', did you mean 'challenger'"):
        project.run("{challenger: m.joblib}", "[auc]", models={"chalenger": pipeline})


def test_an_unknown_model_of_an_entry_is_a_suite_error(project) -> None:
    with pytest.raises(SuiteError, match="no model 'chalenger' under `models`, did you mean 'challenger'"):
        project.run("{challenger: m.joblib}", "[{auc: {model: chalenger}}]")
