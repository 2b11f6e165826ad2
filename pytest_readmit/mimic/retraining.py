"""Retrain the registered model on a modelling table, and evaluate it on the rows that it has not seen."""

import json
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_readmit.errors import DataError
from pytest_readmit.mlops.registry import (
    CHALLENGER,
    CHAMPION,
    Refused,
    RegisteredModel,
    Registry,
    database_file,
)

if TYPE_CHECKING:
    import pandas as pd

    from pytest_readmit.mimic.training import Kind, Split

THRESHOLD = 0.15
METRICS = ("roc_auc", "average_precision", "brier", "log_loss", "recall", "precision", "alert_rate")
_PARTS = ("train", "reference")
_DIGESTS = {"train": "readmit.digest.train", "reference": "readmit.digest.test"}

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Registered:
    """
    A model that was trained and registered.

    Args:
        version: Its version.
        run_id: The run that holds it.
        champion: The version that is champion meanwhile; None where there is none.
        rows: Rows of train, reference and current.
        cutoff_year: First year of `current`.
    """

    version: str
    run_id: str
    champion: str | None
    rows: Mapping[str, int]
    cutoff_year: int


def retrain(
    table: str | os.PathLike[str],
    *,
    tracking_uri: str,
    model: str,
    kind: "Kind" = "boosting",
    cutoff_year: int | None = None,
    seed: int = 0,
    say: Say = lambda _: None,
) -> Registered:
    """
    Train a model on a modelling table, log it, register it and give it the alias `challenger`.

    Args:
        table: What `build_cohort` wrote.
        tracking_uri: The MLflow store.
        model: The registered model and the experiment; made if they are not there.
        kind: Of the model.
        cutoff_year: See `split`.
        seed: Of the choice of patients and of the model.
        say: Told what is being done.

    Raises:
        DataError: The table is none, cannot be parted, or the store refuses.
        MissingExtra: MLflow is not installed.
    """
    from pytest_readmit.mimic.training import fit, read_table, split
    from pytest_readmit.tracking.store import opened

    parted = split(read_table(table), cutoff_year=cutoff_year, seed=seed)
    opened(tracking_uri)  # what it lacks is better known before the work than after it
    say(f"retrain: fitting {kind} on {len(parted.train):,} rows before {parted.cutoff_year}")
    estimator = fit(kind, parted.train, seed=seed)
    version, run_id = register(
        estimator,
        parted,
        tracking_uri=tracking_uri,
        model=model,
        kind=kind,
        run_name=f"retrain-{kind}",
        seed=seed,
        say=say,
    )
    champion = Registry(tracking_uri).model(model).champion
    rows = {name: len(part) for name, part in parted.parts.items()}
    return Registered(version, run_id, champion, rows, parted.cutoff_year)


def register(
    estimator: Any,
    parted: "Split",
    *,
    tracking_uri: str,
    model: str,
    kind: "Kind",
    run_name: str,
    seed: int,
    say: Say = lambda _: None,
) -> tuple[str, str]:
    """Log a training run, register its model and let `challenger` name it; return version and run."""
    from pytest_readmit.mimic.training import FEATURES, TARGET
    from pytest_readmit.tracking import log_training_run

    run_id = log_training_run(
        estimator,
        tracking_uri=tracking_uri,
        experiment=model,
        run_name=run_name,
        X_train=_inputs(parted.train),
        y_train=parted.train[TARGET],
        X_test=_inputs(parted.reference),
        y_test=parted.reference[TARGET],
        positive_label=1,
        threshold=THRESHOLD,
        features=list(FEATURES),
        patient="subject_id",
        sensitive=("sex", "insurance"),
        params={"kind": kind, "seed": seed, "cutoff_year": parted.cutoff_year},
        registered_model_name=model,
        seed=seed,
        say=say,
    )
    registry = Registry(tracking_uri)
    version = next(one.number for one in registry.versions(model) if one.run_id == run_id)
    registry.set_alias(model, CHALLENGER, version)
    return version, run_id


def evaluate_challenger(
    table: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    tracking_uri: str,
    model: str,
    version: str | None = None,
    say: Say = lambda _: None,
) -> "pd.DataFrame":
    """
    Measure challenger and champion on the stays of `current`, and write the parts of the table for the gates.

    The table is parted as the challenger's training run did it, and must hold the very rows of that run, so
    that no patient it was trained on is among those tested.

    Args:
        table: The table that the challenger was trained on.
        folder: `train`, `reference` and `current` are written there, as Parquet; made if it is not there.
        tracking_uri: The MLflow store.
        model: The registered model.
        version: The version that must be challenger.
        say: Told what is being done.

    Returns:
        One row a metric, one column a model: estimate and its one-sided 95% bounds.

    Raises:
        DataError: The table is another one, or a metric cannot be measured.
        Refused: There is no challenger, or another one than `version`.
    """
    from pytest_readmit.mimic.training import make_folder, read_table, split, write_scored

    registry = Registry(tracking_uri)
    found = registry.model(model)
    number = _challenger(found, version)
    facts = _facts(registry, found.name, number)
    parted = split(read_table(table), cutoff_year=facts.cutoff_year, seed=facts.seed)
    _check_rows(parted, facts, f"{model} version {number}", table)
    out = Path(folder)
    make_folder(out)
    write_scored(parted, {}, out, say=say)
    models = {f"champion, version {found.champion}": CHAMPION} if found.champion else {}
    models[f"challenger, version {number}"] = CHALLENGER
    return _measured(out / "current.parquet", models, tracking_uri, model, say)


@dataclass(frozen=True, slots=True)
class _Facts:
    """How a training run parted its table, and the digests of the parts it logged."""

    cutoff_year: int
    seed: int
    digests: Mapping[str, str | None]


def _inputs(part: "pd.DataFrame") -> "pd.DataFrame":
    from pytest_readmit.mimic.training import FEATURES

    return part[[*FEATURES, "subject_id"]]


def _challenger(found: RegisteredModel, version: str | None) -> str:
    number = found.aliases.get(CHALLENGER)
    if number is None:
        raise Refused(f"{found.name} has no challenger: run `python -m pytest_readmit.mimic retrain` first")
    if version is not None and number != version:
        raise Refused(
            f"{found.name}: challenger is version {number}, not {version}; another run set it since"
        )
    return number


def _facts(registry: Registry, model: str, number: str) -> _Facts:
    from pytest_readmit.tracking.store import opened, written

    version = registry.version(model, number)
    run_id = version.run_id if version else None
    if run_id is None:
        raise Refused(f"{model} version {number} names no training run, so the rows it has seen are unknown")
    client = opened(registry.uri)
    data = written("the training run", lambda: client.get_run(run_id)).data
    try:
        cutoff_year, seed = int(data.params["cutoff_year"]), int(data.params["seed"])
    except (KeyError, ValueError):
        raise Refused(
            f"{model} version {number}: its run does not say how the table was parted (cutoff_year, seed); "
            "it was not trained by `retrain` or `readmit demo`"
        ) from None
    return _Facts(cutoff_year, seed, {part: data.tags.get(_DIGESTS[part]) for part in _PARTS})


def _check_rows(parted: "Split", facts: _Facts, which: str, table: object) -> None:
    from pytest_readmit.mimic.training import TARGET
    from pytest_readmit.tracking.datasets import content_digest
    from pytest_readmit.tracking.training import LABEL

    for name in _PARTS:
        part = parted.parts[name]
        labelled = _inputs(part).assign(**{LABEL: part[TARGET].to_numpy()})
        if content_digest(labelled) != facts.digests[name]:
            raise DataError(
                f"{table} is not the table that {which} was trained on: its {name} rows differ. Take the "
                "version of the data that the run was given, or run `retrain` on this one"
            )


def _measured(
    current: Path, models: Mapping[str, str], tracking_uri: str, model: str, say: Say
) -> "pd.DataFrame":
    """Return the metrics of each model on the same rows, by a suite that only reports."""
    import pandas as pd

    from pytest_readmit.api import run_suite

    say(f"evaluate: scoring current with {' and '.join(models)}")
    file = database_file(tracking_uri)
    # A suite's paths start at its own folder, and this one lies elsewhere.
    uri = tracking_uri if file is None else f"sqlite:///{file.as_posix()}"
    with tempfile.TemporaryDirectory(prefix="readmit-") as place:
        suite = Path(place) / "evaluation.yml"
        suite.write_text(json.dumps(_suite(models, model)), encoding="utf-8")
        found = run_suite(
            suite, data={"current": str(current.absolute())}, variables={"TRACKING_URI": uri}
        ).findings
    wrong = [each.message for each in found if each.verdict == "error"]
    if wrong:
        raise DataError(wrong[0])
    told = {(each.entry, each.subject): _told(each.estimate, each.interval) for each in found}
    columns = {title: [told[alias, name] for name in METRICS] for title, alias in models.items()}
    return pd.DataFrame({"metric": METRICS, **columns})


def _suite(models: Mapping[str, str], model: str) -> dict[str, Any]:
    metrics: dict[str, dict[str, float]] = {name: {} for name in METRICS}
    return {
        "suite": "evaluation",
        "mlflow": {"tracking_uri": "${TRACKING_URI}"},
        "data": {"current": "current.parquet"},
        "columns": {
            "target": "readmitted_30d",
            "positive_label": 1,
            "patient": "subject_id",
            "id": "hadm_id",
            "time": "admittime",
        },
        "models": {alias: {"mlflow": f"models:/{model}@{alias}"} for alias in models.values()},
        "checks": [
            {"performance": {"id": alias, "model": alias, "threshold": THRESHOLD, "metrics": metrics}}
            for alias in models.values()
        ],
    }


def _told(estimate: float | None, interval: tuple[float, float] | None) -> str:
    if estimate is None:
        return "not shown"
    if interval is None:
        return f"{estimate:.3f}"
    return f"{estimate:.3f} ({interval[0]:.3f} to {interval[1]:.3f})"
