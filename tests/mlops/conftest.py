"""Registries with a few versions of a model, and records that speak for one of them."""

import contextlib
import io
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_readmit import provenance, record
from pytest_readmit.claim import Finding

CODE = "import sys; from pytest_readmit.cli import main; sys.exit(main())"
MODEL = "readmission"
SUITE_SHA = "5" * 64
COMMIT = "c" * 40


def finding(name: str, check: str, verdict: str = "pass", **facts: Any) -> dict[str, Any]:
    """Return a decided case as JSON."""
    outcome = "passed" if verdict in ("pass", "inconclusive") else "failed"
    given = {
        "subject": name,
        "segment": None,
        "line": 1,
        "because": None,
        "severity": "block",
        "outcome": outcome,
        "decide_by": "interval",
        "interval": (0.01, 0.03),
        "estimate": 0.02,
        "limit": 0.0,
        "alpha": 0.05,
        "m": 1,
        "message": name,
        **facts,
    }
    return Finding(
        id=f"suites/promotion.yml::{check}::{name}",
        suite="promotion",
        check=check,
        entry=check,
        verdict=verdict,
        **given,
    ).to_json()


def model(version: str | None, run_id: str | None, digest: str | None) -> dict[str, Any]:
    """Return what a record says of a model."""
    name = MODEL if version else None
    source = f"mlflow: models:/{MODEL}/{version}"
    return {"source": source, "name": name, "version": version, "run_id": run_id, "digest": digest}


def made(
    cases: Sequence[dict[str, Any]],
    *,
    champion: dict[str, Any] | None,
    challenger: dict[str, Any] | None,
    planned: int | None = None,
    finished: str | None = None,
    git: dict[str, Any] | None = None,
    suites: Sequence[str] = (SUITE_SHA,),
) -> dict[str, Any]:
    """Return a record of these cases."""
    entry = SimpleNamespace(id="e", correction="entry")
    ids = [*(case["id"] for case in cases), *(f"left-{n}" for n in range((planned or 0) - len(cases)))]
    nothing = dict.fromkeys(("owner", "intended_use", "approver", "protocol", "as_of"))
    plan = SimpleNamespace(
        suites=[
            SimpleNamespace(
                name="promotion", shown="suites/promotion.yml", sha256=sha256, min_cell=11, **nothing,
                secrets={},
            )
            for sha256 in suites
        ],
        cases=[SimpleNamespace(id=name, index=0, entry=entry) for name in ids],
    )  # fmt: skip
    facts = provenance.collect(
        started=finished or provenance.now(),
        finished=finished or provenance.now(),
        git={"commit": COMMIT, "dirty": False} if git is None else git,
        command="pytest",
        datasets={"current": {"source": "d.csv", "sha256": "d" * 64, "columns": 3, "flow": {}}},
        models={"champion": champion, "challenger": challenger},
    )
    blocked = any(case["outcome"] == "failed" for case in cases)
    return record.build(plan, {case["id"]: case for case in cases}, exit_code=int(blocked), provenance=facts)


def good_cases(*more: dict[str, Any], **details: Any) -> list[dict[str, Any]]:
    """Return cases that promote."""
    facts = {"champion": "champion", "challenger": "challenger", **details}
    return [
        finding("roc_auc", "promotion", details=facts),
        finding("roc_auc", "performance"),
        *more,
    ]


def need_mlflow() -> None:
    """Skip where MLflow is not installed, but never in CI."""
    try:
        import filelock
        import mlflow
    except ImportError:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip("needs the extra mlflow")
    assert filelock
    assert mlflow


@pytest.fixture(scope="session")
def needs_mlflow() -> None:
    need_mlflow()


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a SQLite store that holds five versions; version 1 is champion."""
    need_mlflow()
    folder = tmp_path_factory.mktemp("template")
    script = f"""
import sys
from mlflow import MlflowClient
folder = sys.argv[1]
client = MlflowClient(f"sqlite:///{{folder}}/registry.db", f"sqlite:///{{folder}}/registry.db")
experiment = client.create_experiment("e", artifact_location=f"file://{{folder}}/artifacts")
client.create_registered_model({MODEL!r})
for number in range(1, 6):
    run = client.create_run(experiment)
    client.log_text(run.info.run_id, f"model {{number}}", "model/MLmodel")
    client.create_model_version({MODEL!r}, f"{{run.info.artifact_uri}}/model", run.info.run_id)
client.set_registered_model_alias({MODEL!r}, "champion", "1")
"""
    environ = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"}
    subprocess.run([sys.executable, "-c", script, folder], check=True, env=environ, cwd=folder)
    return folder


class Store:
    """A copy of the template, and the command run on it."""

    def __init__(self, folder: Path, template: Path) -> None:
        self.folder = folder
        self.database = folder / "registry.db"
        with sqlite3.connect(template / "registry.db") as source, sqlite3.connect(self.database) as copy:
            source.backup(copy)
        self.uri = f"sqlite:///{self.database}"

    def registry(self) -> Any:
        from pytest_readmit.mlops.registry import Registry

        return Registry(self.uri)

    def challenger(self, version: str) -> dict[str, Any]:
        """Return what a record says of a version."""
        registry = self.registry()
        return model(version, registry.version(MODEL, version).run_id, registry.digest(MODEL, version))

    def write(self, name: str, content: dict[str, Any]) -> Path:
        """Write a record."""
        path = self.folder / name
        record.write(path, content)
        return path

    def good(self, champion: str | None, challenger: str, name: str = "record.json", **facts: Any) -> Path:
        """Write a record that promotes."""
        against = None if champion is None else self.challenger(champion)
        cases = facts.pop("cases", None) or good_cases(**({} if champion else {"first": True}))
        content = made(cases, champion=against, challenger=self.challenger(challenger), **facts)
        return self.write(name, content)

    def run(self, *arguments: str, code: int | None = 0) -> str:
        """Run the command on this store; return all that it says."""
        from pytest_readmit import cli

        said = io.StringIO()
        with (
            pytest.MonkeyPatch.context() as patch,
            contextlib.redirect_stdout(said),
            contextlib.redirect_stderr(said),
        ):
            patch.chdir(self.folder)
            patch.setenv("MLFLOW_TRACKING_URI", self.uri)
            found = cli.main(arguments)
        assert code is None or found == code, said.getvalue()
        return said.getvalue()


@pytest.fixture
def store(tmp_path: Path, template: Path) -> Store:
    return Store(tmp_path, template)


@pytest.fixture
def kit() -> SimpleNamespace:
    """Return what makes records by hand."""
    return SimpleNamespace(
        finding=finding, model=model, made=made, good_cases=good_cases, SUITE_SHA=SUITE_SHA, COMMIT=COMMIT
    )


class Demo:
    """A folder that `readmit demo` built, and the programs of this environment run beside it."""

    def __init__(self, cwd: Path) -> None:
        self.cwd = cwd
        self.folder = cwd / "demo"
        done = self._ran([sys.executable, "-c", CODE, "demo", "demo", "--patients", "5000"])
        assert done.returncode == 0, done.stderr
        self.printed, self.progress = done.stdout, done.stderr
        shutil.copy(self.folder / "mlflow.db", cwd.parent / "as-built.db")

    def copy(self, name: str) -> Path:
        """Return a copy of the registry as it was built; its artifacts stay where they are."""
        return Path(shutil.copy(self.cwd.parent / "as-built.db", self.cwd.parent / name))

    def shell(self, command: str, code: int = 0) -> str:
        """Run a line as a user types it; return all that it says."""
        return self._said(self._ran(command, shell=True), code)

    def readmit(self, *arguments: str, code: int = 0) -> str:
        """Run `readmit`; return all that it says."""
        return self._said(self._ran([sys.executable, "-c", CODE, *arguments]), code)

    def pytest(self, *arguments: str, code: int = 0, **environ: str) -> str:
        """Run pytest; return all that it says."""
        return self._said(self._ran([sys.executable, "-m", "pytest", *arguments], environ), code)

    def _ran(
        self, command: Any, environ: Mapping[str, str] | None = None, **how: Any
    ) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            command,
            cwd=self.cwd,
            env={**clean_environ(), **(environ or {})},
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=180,
            check=False,
            **how,
        )

    def _said(self, done: "subprocess.CompletedProcess[str]", code: int) -> str:
        said = done.stdout + done.stderr
        assert "Traceback" not in said
        assert done.returncode == code, said
        return said


def clean_environ() -> dict[str, str]:
    """Return the environment without what pytest and MLflow read from it."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "MLFLOW_"))}
    return {**kept, "MLFLOW_DISABLE_TELEMETRY": "true", "PYTHONIOENCODING": "utf-8"}


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    need_mlflow()
    cwd = tmp_path_factory.mktemp("user") / "cwd"
    cwd.mkdir()
    return Demo(cwd)
