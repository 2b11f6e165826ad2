"""Log a training run: data, metrics with intervals, curves, groups, importances and the model."""

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup

from pytest_readmit import provenance
from pytest_readmit.data.baseline import saved
from pytest_readmit.data.dataset import Roles
from pytest_readmit.data.profile import text_of
from pytest_readmit.data.source import SourceSpec, open_dataset
from pytest_readmit.errors import MIN_CELL, DataError, ReadmitError
from pytest_readmit.stats.predictions import Predictions
from pytest_readmit.tracking import evaluation, explain, pages
from pytest_readmit.tracking.datasets import checked, log_dataset, short
from pytest_readmit.tracking.example import ROWS, synthetic
from pytest_readmit.tracking.model import LoggedModel, runs
from pytest_readmit.tracking.profile import known_columns, log_profile
from pytest_readmit.tracking.store import Run, checked_names, opened, setup_experiment, started

if TYPE_CHECKING:
    import pandas as pd

OURS = (
    "training_samples",
    "test_samples",
    "positive_class_ratio_train",
    "train_rows",
    "train_columns",
    "test_rows",
    "test_columns",
    "shap_error",
)
LABEL = "(label)"
_REGISTERED = re.compile(r"[^/:@'\"]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Training:
    """What one run is about, checked."""

    model: Any
    train: "pd.DataFrame"
    test: "pd.DataFrame"
    features: list[str]
    patient: str | None
    ignore: list[str]
    sensitive: list[str]
    labels: tuple[Any, Any]
    positive: tuple[np.ndarray, np.ndarray]
    rows: Predictions
    positive_label: object
    threshold: float
    min_cell: int
    seed: int


def log_training_run(
    model: Any,
    *,
    tracking_uri: str,
    experiment: str,
    run_name: str,
    X_train: "pd.DataFrame",  # noqa: N803 - as everybody who trains models writes it
    y_train: Any,
    X_test: "pd.DataFrame",  # noqa: N803
    y_test: Any,
    positive_label: object,
    threshold: float,
    features: Sequence[str] | None = None,
    patient: str | None = None,
    sensitive: Sequence[str] = (),
    params: Mapping[str, object] | None = None,
    tags: Mapping[str, str] | None = None,
    registered_model_name: str | None = None,
    artifact_location: str | None = None,
    shap: bool = False,
    shap_beeswarm: bool = False,
    real_rows: bool = False,
    min_cell: int = MIN_CELL,
    seed: int = 0,
    say: Callable[[str], None] = lambda _: None,
) -> str:
    """
    Log the training of a classifier to MLflow.

    Nothing that is logged shows a single patient unless `real_rows` or `shap_beeswarm` asks for it. MLflow's
    global state (tracking URI, active run and experiment) is neither used nor changed.

    Args:
        model: Fitted, with `predict_proba` and `classes_`.
        tracking_uri: The store; there is no default. A SQLite file is made if it is not there.
        experiment: Its name; it is set up if it is not there.
        run_name: Of the run.
        X_train: What the model was trained on.
        y_train: Labels of these rows.
        X_test: Rows that it has not seen.
        y_test: Labels of these rows.
        positive_label: The label whose probability is predicted.
        threshold: A score at or above it raises an alert.
        features: Columns that the model takes. Default: those it was fitted on, else all but `patient`.
        patient: Column of patients: intervals hold by patient, and it is not drawn.
        sensitive: Columns of `X_test` whose values get metrics of their own.
        params: Further parameters.
        tags: Further tags.
        registered_model_name: The model becomes a new version of it, tagged as a candidate.
        artifact_location: See `setup_experiment`.
        shap: Log a SHAP summary of 500 rows of `X_test`; a failure is the parameter `shap_error`.
        shap_beeswarm: Also draw SHAP values of single patients.
        real_rows: Let the input example be rows of `X_train`.
        min_cell: Counts of rows above zero and below this are not shown.
        seed: Of the bootstrap, the shuffles and the input example.
        say: Told what is being done.

    Returns:
        The id of the run.

    Raises:
        DataError: An argument does not fit, or the store cannot be reached or refuses.
        MissingExtra: MLflow is not installed.
    """
    checked_names(list(params or {}), "params")
    taken = [name for name in params or {} if name in OURS]
    if taken:
        raise DataError(f"params: {taken[0]!r} is logged anyway; give yours another name")
    if registered_model_name is not None and not _REGISTERED.fullmatch(registered_model_name):
        raise DataError(
            f"registered_model_name: {registered_model_name!r} may hold no / : @ or quotation marks"
        )
    opened(tracking_uri)
    training = _checked(
        model,
        (X_train, X_test),
        (y_train, y_test),
        positive_label=positive_label,
        threshold=threshold,
        features=features,
        patient=patient,
        sensitive=sensitive,
        min_cell=min_cell,
        seed=seed,
    )
    where = setup_experiment(experiment, tracking_uri=tracking_uri, artifact_location=artifact_location)
    with started(where, run_name, tracking_uri=tracking_uri, tags=_tags(training, tags)) as run:
        logged = LoggedModel(run)
        try:
            run.params(params or {})
            digest = _log_data(run, training, say)
            found, groups, drawn = _log_metrics(run, training, logged.id, digest, say)
            drawn |= _log_importance(run, training, say)
            if shap or shap_beeswarm:
                drawn |= _log_shap(run, training, beeswarm=shap_beeswarm, say=say)
            page = pages.evaluation_page(
                found, drawn, groups, threshold=training.threshold, min_cell=training.min_cell
            )
            run.text(page, "evaluation.html")
            say("track: the model")
            _save(run, logged, training, real_rows=real_rows)
        except BaseException:
            logged.end("FAILED")
            raise
        if registered_model_name is not None:
            version = logged.register(registered_model_name)
            run.tags({"readmit.registered": f"{registered_model_name}/{version}"})
            say(f"track: registered as {registered_model_name} version {version}")
    return run.id


def _checked(
    model: Any,
    frames: tuple[Any, Any],
    labels: tuple[Any, Any],
    *,
    positive_label: object,
    threshold: float,
    features: Sequence[str] | None,
    patient: str | None,
    sensitive: Sequence[str],
    min_cell: int,
    seed: int,
) -> _Training:
    names = ("X_train", "X_test")
    train, test = (checked(data, name) for data, name in zip(frames, names, strict=True))
    if not 0.0 <= threshold <= 1.0:
        raise DataError(f"threshold: {threshold} is not within 0 and 1")
    ignore = [] if patient is None else [patient]
    wanted = _features(model, train, patient) if features is None else list(features)
    for data, name in ((train, names[0]), (test, names[1])):
        known_columns(data, wanted, name, "features")
        known_columns(data, ignore, name, "patient")
    known_columns(test, sensitive, names[1], "sensitive")
    for each, data, part in zip(labels, (train, test), ("train", "test"), strict=True):
        evaluation.check_index(each, data, part)
    evaluation.check_groups(test, sensitive)
    positive = tuple(
        evaluation.outcomes(each, len(data), positive_label, f"y_{part}", min_cell=min_cell)
        for each, data, part in zip(labels, (train, test), ("train", "test"), strict=True)
    )
    score = evaluation.scores(model, test[wanted], positive_label)
    if patient is not None and bool(test[patient].isna().any()):
        raise DataError(f"patient: X_test has rows without {patient!r}")
    owners = None if patient is None else test[patient].astype("category").cat.codes.to_numpy()
    # What neither the model takes nor a metric is grouped by may well identify a patient.
    drawn = {*wanted, *sensitive}
    ignore += [name for name in (*train.columns, *test.columns) if name not in drawn and name not in ignore]
    return _Training(
        model=model,
        train=train,
        test=test,
        features=wanted,
        patient=patient,
        ignore=ignore,
        sensitive=list(sensitive),
        labels=labels,
        positive=(positive[0], positive[1]),
        rows=Predictions.of(positive[1], score, owners),
        positive_label=positive_label,
        threshold=float(threshold),
        min_cell=min_cell,
        seed=seed,
    )


def _features(model: Any, train: "pd.DataFrame", patient: str | None) -> list[str]:
    fitted = [str(name) for name in getattr(model, "feature_names_in_", ())]
    if fitted and all(name in train for name in fitted):
        return fitted
    return [name for name in train.columns if name != patient]


def _tags(training: _Training, tags: Mapping[str, str] | None) -> dict[str, object]:
    found: dict[str, object] = {
        **(tags or {}),
        "readmit.threshold": training.threshold,
        "readmit.positive_label": training.positive_label,
        "readmit.min_cell": training.min_cell,
        "readmit.interval": f"{1 - 2 * evaluation.ALPHA:.0%}",
        "readmit.seed": training.seed,
        "readmit.version": provenance.packages().get(provenance.DISTRIBUTION, "unknown"),
    }
    git = provenance.GitState(Path.cwd()).read()
    if git["commit"]:
        found |= {"mlflow.source.git.commit": git["commit"], "readmit.dirty": git["dirty"]}
    return found


def _log_data(run: Run, training: _Training, say: Callable[[str], None]) -> str:
    """Log both datasets, and return the digest of the test rows."""
    run.params(
        {
            "training_samples": len(training.train),
            "test_samples": len(training.test),
            "positive_class_ratio_train": float(training.positive[0].mean()),
        }
    )
    digest = ""
    for name, data, labels, context in (
        ("train", training.train, training.labels[0], "training"),
        ("test", training.test, training.labels[1], "testing"),
    ):
        say(f"track: {name}, {len(data):,} rows")
        ignore = [column for column in training.ignore if column in data]
        log_profile(run, data, name, ignore=ignore, min_cell=training.min_cell)
        labelled = data.assign(**{LABEL: np.asarray(labels).ravel()})
        digest = log_dataset(run, labelled, name, context)
    _log_baseline(run, training, say)
    return digest


def _log_baseline(run: Run, training: _Training, say: Callable[[str], None]) -> None:
    """Log what the training rows look like, without them, as a reference for suites."""
    labels = training.labels[0]
    target = getattr(labels, "name", None)
    data = training.train
    if isinstance(target, str) and target not in data:
        data = data.assign(**{target: np.asarray(labels).ravel()})
    else:
        target = None
    roles = Roles(patient=training.patient, target=target, ignore=tuple(training.ignore))
    spec = SourceSpec(kind="frame", value="X_train", base=Path(), frame=data)
    try:
        with closing(open_dataset("reference", spec, roles)) as dataset:
            run.text(text_of(saved(dataset, min_cell=training.min_cell)), "baseline.json")
    except DataError as error:
        say(f"track: no baseline.json: {error}")


def _log_metrics(
    run: Run, training: _Training, model_id: str, digest: str, say: Callable[[str], None]
) -> tuple[evaluation.Measured, list[evaluation.Groups], dict[str, Markup]]:
    """Log what was measured on the test rows; return it with its pictures."""
    say("track: metrics with intervals")
    rows, few, seed = training.rows, training.min_cell, training.seed
    found = evaluation.measured(rows, evaluation.METRICS, training.threshold, min_cell=few, seed=seed)
    evaluation.calibrated(rows, found)
    if "average_precision" in found.values:
        found.values["pr_auc"] = found.values["average_precision"]
    run.metrics(found.flat(), model_id=model_id, dataset_name="test", dataset_digest=short(digest))
    groups = [
        evaluation.by_group(rows, training.test[name], training.threshold, min_cell=few, seed=seed)
        for name in training.sensitive
    ]
    by_group: dict[str, float] = {}
    for each in groups:
        names = pages.metric_names(each)
        for level, (_, measured) in each.measured.items():
            by_group |= measured.flat(f"{names[level]}/")
    run.metrics(by_group)
    run.tags({f"readmit.undefined.{name}": why for name, why in found.undefined.items()})
    counts = evaluation.confusion(rows, training.threshold, min_cell=few)
    lines = evaluation.curves(rows, min_cell=few)
    for name, value in (*lines.items(), ("confusion_matrix", counts)):
        run.json(value, f"{name}.json")
    if groups:
        run.json([pages.group_json(each) for each in groups], "groups.json")
    drawn = pages.drawings(lines, counts, few)
    for name, picture in drawn.items():
        run.text(pages.alone(picture), f"{name}.svg")
    return found, groups, drawn


def _log_importance(run: Run, training: _Training, say: Callable[[str], None]) -> dict[str, Markup]:
    say("track: feature importance")
    data = training.test[training.features]
    try:
        found = explain.importance(training.model, data, training.rows.positive, seed=training.seed)
    except Exception as error:  # a model may fail on shuffled rows; that must not cost the run
        run.tags({"readmit.importance_error": type(error).__name__})
        return {}
    return _log_bars(run, "feature_importance", found)


def _log_shap(
    run: Run, training: _Training, *, beeswarm: bool, say: Callable[[str], None]
) -> dict[str, Markup]:
    say("track: SHAP values")
    data = training.test[training.features]

    def score(rows: "pd.DataFrame") -> np.ndarray:
        return evaluation.scores(training.model, rows, training.positive_label)

    try:
        found = explain.shap_values(score, data)
    except Exception as error:  # an explainer fails in many ways; the run says so and goes on
        # The text of others may hold cells; ours does not.
        run.params({"shap_error": str(error) if isinstance(error, ReadmitError) else type(error).__name__})
        return {}
    if beeswarm:
        run.text(pages.alone(pages.beeswarm(found)), "shap_beeswarm.svg")
    return _log_bars(run, "shap_summary", found.importance)


def _log_bars(run: Run, name: str, found: explain.Importance) -> dict[str, Markup]:
    drawn = pages.bars(found.values, title=f"Importance: {found.method}")
    run.json(found.to_json(), f"{name}.json")
    run.text(pages.alone(drawn), f"{name}.svg")
    return {name: drawn}


def _save(run: Run, logged: LoggedModel, training: _Training, *, real_rows: bool) -> None:
    data = training.train[training.features]
    if real_rows:
        example = data.iloc[:ROWS]
    else:
        example = synthetic(data, seed=training.seed, min_cell=training.min_cell)
    works = runs(training.model, example)
    if not works:
        run.tags({"readmit.input_example": "left out: the model cannot score synthetic rows"})
    foreign = logged.save(training.model, data, example if works else None)
    if foreign:
        run.tags({"readmit.model_needs_trust": ", ".join(foreign)})
