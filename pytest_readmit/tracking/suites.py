"""Log a suite run: its record and report as files, its verdicts as metrics and tags."""

import hashlib
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_readmit import record as records
from pytest_readmit.data import tracked
from pytest_readmit.errors import MissingExtra, ReadmitError, SuiteError
from pytest_readmit.privacy import plain_uris
from pytest_readmit.report import render
from pytest_readmit.tracking.pages import key
from pytest_readmit.tracking.store import opened, setup_experiment, started

EXPERIMENT = "readmit-gates"
MOST_CASES = 1000
"""The most cases whose estimates become metrics; the record holds them all."""


def log_suite_run(
    record: Mapping[str, Any],
    *,
    tracking_uri: str,
    experiment: str = EXPERIMENT,
    run_name: str | None = None,
    report: str | None = None,
    attestation: str | None = None,
) -> str:
    """
    Log the record of a run of gates to MLflow.

    Args:
        record: As `json.load` gives it.
        tracking_uri: The store; there is no default. A SQLite file is made if it is not there.
        experiment: Its name; it is set up if it is not there.
        run_name: Of the run. Default: the names of the suites.
        report: The report's text; default: drawn from the record.
        attestation: The attestation's text, if there is one.

    Returns:
        The id of the run.

    Raises:
        DataError: The store cannot be reached or refuses.
        MissingExtra: MLflow is not installed.
    """
    opened(tracking_uri)
    where = setup_experiment(experiment, tracking_uri=tracking_uri)
    suites = ", ".join(str(suite["name"]) for suite in record["suites"]) or "no suite"
    with started(
        where, run_name or suites[:200], tracking_uri=tracking_uri, tags=_tags(record, suites)
    ) as run:
        run.text(records.dumps(record), "record.json")
        run.text(render(record) if report is None else report, "report.html")
        if attestation is not None:
            run.text(attestation, "attestation.json")
        metrics, left = _metrics(record)
        run.metrics(metrics)
        if left:
            run.tags({"readmit.estimates_left_out": left})
    return run.id


def _tags(record: Mapping[str, Any], suites: str) -> dict[str, object]:
    found: dict[str, object] = {
        "readmit.suites": suites,
        **{
            f"readmit.{name}": _plain(record[name])
            for name in ("verdict", "blocked", "certified", "complete")
        },
        "readmit.digest": record["digest"],
        "readmit.exit_code": record["exit_code"],
    }
    facts = record["provenance"]
    git = facts["git"]
    if git["commit"]:
        found |= {"readmit.commit": git["commit"], "readmit.dirty": _plain(git["dirty"])}
        found["mlflow.source.git.commit"] = git["commit"]
    for role, model in facts["models"].items():
        if model and model.get("digest"):
            version = f" version {model['version']}" if model.get("version") else ""
            found[f"readmit.model.{key(str(role))}"] = (
                f"{model['name'] or 'a model'}{version}, {model['digest']}"
            )
    for name, dataset in facts["datasets"].items():
        if dataset and dataset.get("sha256"):
            found[f"readmit.data.{key(str(name))}"] = (
                f"sha256:{str(dataset['sha256']).removeprefix('sha256:')}"
            )
    return found


def _plain(value: object) -> object:
    return str(value).lower() if isinstance(value, bool) else value


def _metrics(record: Mapping[str, Any]) -> tuple[dict[str, float], int]:
    """Return counts of verdicts, estimates with their bounds, and how many cases were left out."""
    found: dict[str, float] = {f"gates/{verdict}": count for verdict, count in record["counts"].items()}
    found["gates/planned"] = record["planned"]
    found["gates/blocking"] = sum(case["outcome"] == "failed" for case in record["cases"])
    measured = [case for case in record["cases"] if case["estimate"] is not None]
    for case in measured[:MOST_CASES]:
        name = "/".join(key(part) for part in _names(str(case["id"])))
        if f"estimate/{name}" in found:  # suites of one name in two folders
            name = f"{name}-{hashlib.sha256(str(case['id']).encode()).hexdigest()[:6]}"
        found[f"estimate/{name}"] = case["estimate"]
        for end, value in zip(("lower", "upper"), case["interval"] or (), strict=False):
            if value is not None:
                found[f"{end}/{name}"] = value
    return found, max(0, len(measured) - MOST_CASES)


def _names(case: str) -> list[str]:
    """Return the parts of a case's id: its suite without folders, entry, subject, segment."""
    path, *rest = case.split("::")
    return [path.rpartition("/")[2].rpartition(".")[0] or path, *rest]


def ready(uri: str) -> None:
    """
    Hold a tracking URI of the command line to what can be logged to.

    Raises:
        SuiteError: It names no store.
        MissingExtra: MLflow is not installed.
    """
    if ("://" not in uri and uri != "databricks") or uri.startswith("file:"):
        raise SuiteError(["--readmit-mlflow names no MLflow store: write sqlite:///FILE or http://HOST:PORT"])
    if importlib.util.find_spec("mlflow") is None:
        raise MissingExtra("--readmit-mlflow", "mlflow")


def track(
    record: Mapping[str, Any],
    uri: str,
    experiment: str,
    *,
    folder: Path,
    report: Path | None = None,
    attestation: Path | None = None,
) -> tuple[str | None, list[str]]:
    """
    Log a run at its end; return the line that says where, and what went wrong.

    Args:
        record: The record as it was written.
        uri: As the command line names it.
        experiment: Its name.
        folder: Where a relative SQLite path starts.
        report: Where the report was to be written.
        attestation: Where the attestation was to be written.
    """
    store = tracked.tracking_uri(uri, {}, folder) or uri
    try:
        texts = {"report": _text(report), "attestation": _text(attestation)}
        run = log_suite_run(record, tracking_uri=store, experiment=experiment, **texts)
    except Exception as error:  # whatever tracking raises, the record is written and the user is told
        # A library's text may hold addresses and secrets.
        said = str(error) if isinstance(error, ReadmitError) else type(error).__name__
        return None, [f"the run could not be logged to MLflow: {said}"]
    return f"logged to MLflow: run {run} of experiment {experiment} in {plain_uris(uri)}", []


def _text(file: Path | None) -> str | None:
    return file.read_text(encoding="utf-8") if file is not None and file.is_file() else None
