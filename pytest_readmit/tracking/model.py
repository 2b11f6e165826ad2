"""A model in a run: saved as skops where that holds it, with signature and example, and registered."""

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_readmit.models.skops_types import KNOWN
from pytest_readmit.tracking.store import Run, current_store, written

if TYPE_CHECKING:
    import pandas as pd

NAME = "model"
STATUS_TAG = "readmit.status"
CANDIDATE = "candidate"
_SCHEMA_ROWS = 1000
_PINNED = ("numpy", "pandas", "scipy")


class LoggedModel:
    """
    The model of a run, announced before its metrics so that they are its own.

    Args:
        run: The run.
    """

    def __init__(self, run: Run) -> None:
        from mlflow.entities import LoggedModelOutput

        self._run = run
        made = written(
            "the model",
            lambda: run.client.create_logged_model(
                run.experiment_id, name=NAME, source_run_id=run.id, model_type="classifier"
            ),
        )
        self.id = str(made.model_id)
        self._place = str(made.artifact_location)
        output = LoggedModelOutput(self.id, step=0)
        written("the model", lambda: run.client.log_outputs(run.id, models=[output]))

    def save(self, model: Any, data: "pd.DataFrame", example: "pd.DataFrame | None") -> list[str]:
        """
        Save the estimator, and return the names of types that skops does not know itself.

        Args:
            model: The estimator.
            data: Rows that tell the types of the columns; none is kept.
            example: The input example.

        Raises:
            DataError: It cannot be saved.
        """
        how, foreign = serialization(model, data)

        def save() -> None:
            import mlflow.sklearn
            from mlflow.models import Model, infer_signature

            typical = _typical(data)
            with tempfile.TemporaryDirectory(prefix="readmit-model-") as folder:
                path = Path(folder) / "model"
                mlflow.sklearn.save_model(
                    model,
                    str(path),
                    mlflow_model=Model(
                        artifact_path=self._place, model_uuid=self.id, run_id=self._run.id, model_id=self.id
                    ),
                    serialization_format=how,
                    skops_trusted_types=foreign if how == "skops" else None,
                    signature=infer_signature(typical, np.asarray(model.predict_proba(typical))),
                    input_example=example,
                    pip_requirements=_requirements() if how == "skops" else None,
                    pyfunc_predict_fn="predict_proba",
                )
                self._run.client.log_model_artifacts(self.id, str(path))

        written("the model", save)
        self._run.tags({"readmit.model_format": how})
        self.end("READY")
        return [name for name in foreign if name not in KNOWN] if how == "skops" else [how]

    def end(self, status: str) -> None:
        """Say that the model is ``READY`` or ``FAILED``."""
        written("the model", lambda: self._run.client.finalize_logged_model(self.id, status=status))

    def register(self, name: str) -> str:
        """
        Make the model a new version of a registered model, and return the version.

        Raises:
            DataError: The registry refuses it.
        """
        client = self._run.client

        def make() -> Any:
            from mlflow.exceptions import MlflowException

            try:
                client.create_registered_model(name)
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise
            with current_store(self._run.tracking_uri):
                return client.create_model_version(
                    name,
                    source=f"models:/{self.id}",
                    run_id=self._run.id,
                    model_id=self.id,
                    tags={STATUS_TAG: CANDIDATE},
                )

        version = str(written(f"the registered model {name!r}", make).version)
        told = json.dumps([{"name": name, "version": version}])
        written("the model", lambda: client.set_logged_model_tags(self.id, {"mlflow.modelVersions": told}))
        return version


def serialization(model: Any, data: "pd.DataFrame") -> tuple[str, list[str]]:
    """
    Return how to save a model: skops where its file predicts the same, else cloudpickle.

    With skops comes the list of types in the file that skops itself does not trust.
    """
    try:
        import skops.io

        content = skops.io.dumps(model)
        foreign = sorted(skops.io.get_untrusted_types(data=content))
        again = skops.io.loads(content, trusted=foreign)
        rows = data.iloc[:_SCHEMA_ROWS]
        same = np.array_equal(model.predict_proba(rows), again.predict_proba(rows), equal_nan=True)
    except Exception:  # skops raises whatever the model's parts raise
        return "cloudpickle", []
    return ("skops", foreign) if same else ("cloudpickle", [])


def runs(model: Any, example: "pd.DataFrame") -> bool:
    """Whether a model can score an example."""
    try:
        model.predict_proba(example)
    except Exception:  # whatever a model raises
        return False
    return True


def _typical(data: "pd.DataFrame") -> "pd.DataFrame":
    """Return few rows in which each column that has missing values has one."""
    rows = set(range(min(len(data), _SCHEMA_ROWS)))
    for name in data.columns:
        missing = np.flatnonzero(data[name].isna().to_numpy())
        rows |= set(missing[:1].tolist())
    return data.iloc[sorted(rows)]


def _requirements() -> list[str]:
    from importlib.metadata import version

    from mlflow.sklearn import get_default_pip_requirements

    defaults = [str(each) for each in get_default_pip_requirements(include_skops=True)]
    return sorted({*defaults, *(f"{name}=={version(name)}" for name in _PINNED)})
