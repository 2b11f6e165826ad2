"""A cohort with a few rare values, a model of it, and empty MLflow stores."""

import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

FEATURES = ["age", "los", "glucose", "sex", "insurance"]
RARE = "Quaker relief fund"
OUTLIER = 987.654


def cohort(rows: int = 1500, seed: int = 1) -> pd.DataFrame:
    """Return stays: an insurance that three rows have, a glucose that one row has, patients of several."""
    draw = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "subject_id": draw.integers(70_000_000, 70_000_000 + rows // 2, rows),
            "age": draw.integers(18, 95, rows),
            "los": draw.exponential(4.0, rows),
            "glucose": draw.normal(110.0, 25.0, rows),
            "sex": draw.choice(["F", "M"], rows),
            "insurance": draw.choice(["Medicare", "Other", "Private"], rows, p=[0.5, 0.3, 0.2]),
        }
    )
    frame.loc[:2, "insurance"] = RARE
    frame.loc[3, "glucose"] = OUTLIER
    frame.loc[draw.random(rows) < 0.1, "glucose"] = np.nan
    frame.loc[3, "glucose"] = OUTLIER
    risk = expit(-2.0 + 0.03 * (frame["age"] - 60) + 0.15 * frame["los"])
    frame["readmitted"] = np.where(draw.random(rows) < risk, "yes", "no")
    return frame


@pytest.fixture(scope="session")
def fitted() -> Any:
    """Return a pipeline that takes the features of the cohort."""
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    frame = cohort()
    prepare = ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), FEATURES[:3]),
            ("levels", OneHotEncoder(handle_unknown="ignore"), FEATURES[3:]),
        ]
    )
    return make_pipeline(prepare, LogisticRegression()).fit(frame[FEATURES], frame["readmitted"])


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an MLflow database once: it takes seconds."""
    from pytest_readmit.tracking.store import opened

    file = tmp_path_factory.mktemp("mlflow") / "store.db"
    opened(f"sqlite:///{file}")
    return file


@pytest.fixture
def store(empty_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Give a test a store of its own, and an empty folder to run in."""
    import mlflow

    for folder in ("store", "cwd"):
        (tmp_path / folder).mkdir()
    shutil.copy(empty_store, tmp_path / "store" / "mlflow.db")
    monkeypatch.chdir(tmp_path / "cwd")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    uri = f"sqlite:///{tmp_path}/store/mlflow.db"
    return SimpleNamespace(uri=uri, client=mlflow.MlflowClient(uri, uri), cwd=tmp_path / "cwd")


@pytest.fixture
def log(store: SimpleNamespace, fitted: Any) -> Callable[..., str]:
    """Log a run of the cohort's model; keywords replace arguments."""
    from pytest_readmit.tracking import log_training_run

    def logged(**given: Any) -> str:
        train, test = cohort(), cohort(seed=2)
        columns = ["subject_id", *FEATURES]
        return log_training_run(
            given.pop("model", fitted),
            **{
                "tracking_uri": store.uri,
                "experiment": "readmission",
                "run_name": "logistic",
                "X_train": train[columns],
                "y_train": train["readmitted"],
                "X_test": test[columns],
                "y_test": test["readmitted"],
                "positive_label": "yes",
                "threshold": 0.3,
                "patient": "subject_id",
                **given,
            },
        )

    return logged
