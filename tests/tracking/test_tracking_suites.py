"""Suite runs that log themselves to a real MLflow store on SQLite."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

mlflow = pytest.importorskip("mlflow", reason="needs the extra mlflow")

pytestmark = pytest.mark.filterwarnings("ignore")

SUITE = """
suite: weekly
data: {reference: reference.csv, current: current.csv}
checks:
  - data_drift: {columns: [age, los, sex]}
  - missing_drift: {columns: [age]}
"""


@pytest.fixture
def project(
    store: SimpleNamespace, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> SimpleNamespace:
    """Return a folder with a suite in which one column has drifted."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(pytester.path)
    store.cwd, store.pytester = pytester.path, pytester
    draw = np.random.default_rng(1)
    for name, shift in (("reference", 0.0), ("current", 30.0)):
        frame = pd.DataFrame(
            {
                "age": draw.normal(60 + shift, 15, 3000),
                "los": draw.exponential(4, 3000),
                "sex": draw.choice(["F", "M"], 3000),
            }
        )
        frame.to_csv(store.cwd / f"{name}.csv", index=False)
    (store.cwd / "weekly.yml").write_text(SUITE)
    (store.cwd / "pyproject.toml").write_text("[tool.pytest]\nreadmit_mlflow_experiment = 'gates'\n")
    return store


def run(project: SimpleNamespace, *arguments: str) -> pytest.RunResult:
    """Run the suite as a process of its own: pytester unloads libraries that cannot be loaded twice."""
    typed = ("--readmit-suite=weekly.yml", "-p", "no:cacheprovider", *arguments)
    return project.pytester.runpytest_subprocess(*typed, timeout=180)


def runs(project: SimpleNamespace) -> list[Any]:
    found = [each.experiment_id for each in project.client.search_experiments()]
    return list(project.client.search_runs(found))


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "workers"])
def test_a_suite_run_logs_itself_once(workers: tuple[str, ...], project: SimpleNamespace) -> None:
    outputs = ("--readmit-json=out/record.json", "--readmit-attestation=out/attestation.json")
    done = run(project, f"--readmit-mlflow={project.uri}", *outputs, *workers)
    assert done.ret == pytest.ExitCode.TESTS_FAILED
    (logged,) = runs(project)
    assert (
        f"logged to MLflow: run {logged.info.run_id} of experiment gates in sqlite:///" in done.stdout.str()
    )
    assert project.client.get_experiment(logged.info.experiment_id).name == "gates"
    folder = Path(project.client.download_artifacts(logged.info.run_id, ""))
    text = (folder / "record.json").read_text()
    assert text == (project.cwd / "out" / "record.json").read_text()
    record = json.loads(text)
    assert "weekly" in (folder / "report.html").read_text()
    attested = project.cwd / "out" / "attestation.json"
    assert (folder / "attestation.json").read_text() == attested.read_text()
    assert {name: logged.data.tags[f"readmit.{name}"] for name in ("verdict", "blocked", "digest")} == {
        "verdict": "fail",
        "blocked": "true",
        "digest": record["digest"],
    }
    assert logged.info.run_name == "weekly"
    metrics = logged.data.metrics
    assert metrics["gates/fail"] == metrics["gates/blocking"] == 1
    assert metrics["gates/planned"] == 4
    (case,) = (case for case in record["cases"] if case["subject"] == "age" and case["check"] == "data_drift")
    name = "weekly/data_drift/age"
    found = [metrics[f"{kind}/{name}"] for kind in ("lower", "estimate", "upper")]
    assert found == pytest.approx([case["interval"][0], case["estimate"], case["interval"][1]])
    assert all(len(each) <= 250 for each in metrics)


def test_a_store_that_does_not_answer_costs_the_exit_code_and_never_the_record(
    project: SimpleNamespace,
) -> None:
    uri = "http://me:hunter22@127.0.0.1:9/mlflow?token=hunter23"
    done = run(project, f"--readmit-mlflow={uri}", "--readmit-json=record.json")
    assert done.ret == pytest.ExitCode.INTERNAL_ERROR
    said = "readmit: the run could not be logged to MLflow: the MLflow server does not answer"
    assert said in done.stdout.str()
    text = (project.cwd / "record.json").read_text()
    assert len(json.loads(text)["cases"]) == 4
    assert json.loads(text)["exit_code"] == 3
    shown = done.stdout.str() + done.stderr.str()
    assert "Traceback" not in shown
    assert "hunter2" not in shown + text
    assert runs(project) == []


def test_collecting_logs_nothing(project: SimpleNamespace) -> None:
    done = run(project, "--readmit-mlflow=http://127.0.0.1:9", "--collect-only", "-q")
    assert done.ret == 0
