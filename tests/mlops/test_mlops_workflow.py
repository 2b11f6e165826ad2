"""The pipeline's jobs from retraining to promotion, their steps run in order against a real registry."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_readmit.mimic.__main__ import main

pytestmark = pytest.mark.slow
MODEL = "readmission"
RUN = "https://github.com/hospital/readmission/actions/runs/7"


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory, steps: Any) -> SimpleNamespace:
    """Return a repository with the promotion suite, and its commit."""
    folder = tmp_path_factory.mktemp("repository")
    (folder / "suites").mkdir()
    shutil.copy(steps.ROOT / "suites" / "promotion.yml", folder / "suites")

    def git(*arguments: str) -> str:
        identity = ("-c", "user.name=ada", "-c", "user.email=ada@hospital.example")
        done = subprocess.run(
            ["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    git("init", "-q")
    git("add", "-A")
    git("commit", "-q", "-m", "suite")
    return SimpleNamespace(folder=folder, commit=git("rev-parse", "HEAD"))


class Machines:
    """A registry, and a machine for each job, which share artifacts and nothing else."""

    def __init__(self, steps: Any, repository: SimpleNamespace, folder: Path, database: Path) -> None:
        self.steps, self.repository, self.folder, self.database = steps, repository, folder, database
        self.uri = f"sqlite:///{database}"
        self.artifacts = folder / "artifacts"

    def on(self, name: str, **known: str) -> Any:
        """Return the machine of a job."""
        found = self.steps.Runner(self.folder / name, self.repository.folder)
        found.artifacts = self.artifacts
        found.environ["GITHUB_SHA"] = self.repository.commit
        found.known |= {"vars.MLFLOW_TRACKING_URI": self.uri, "vars.READMIT_PROMOTE": "yes"}
        found.known |= {"needs.retrain.outputs.version": "1", **known}
        return found

    def run(self, machine: Any, job: str) -> bool:
        return bool(machine.job(self.steps.PIPELINE, job))

    def aliases(self) -> dict[str, str]:
        from pytest_readmit.mlops.registry import Registry

        return dict(Registry(self.uri).model(MODEL).aliases)


@pytest.fixture(scope="module")
def passed(
    needs_mlflow: None, steps: Any, repository: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory
) -> Machines:
    """Return what the first run left behind: a registry made by `retrain`, and gates that passed."""
    folder = tmp_path_factory.mktemp("passed")
    machines = Machines(steps, repository, folder, folder / "mlflow.db")
    retrain = machines.on("retrain")
    assert machines.run(retrain, "retrain"), retrain.said
    assert retrain.outputs["retrain"] == {"version": "1"}
    # DVC is only played: the table is the one that the retraining invented.
    table = str(repository.folder / "cohort.parquet")
    gates = machines.on("gates", **{"vars.READMIT_DATA": table})
    gates.play("dvc")
    assert machines.run(gates, "gates"), gates.said
    assert f"dvc pull {table}" in gates.calls
    summary = gates.summary.read_text()
    assert "| metric | challenger, version 1 |" in summary
    assert "readmit: Certified" in summary
    return machines


@pytest.fixture
def machines(passed: Machines, tmp_path: Path) -> Machines:
    """Return a copy of them, with a registry and artifacts of its own."""
    database = Path(shutil.copy(passed.database, tmp_path / "registry.db"))
    shutil.copytree(passed.artifacts, tmp_path / "artifacts")
    return Machines(passed.steps, passed.repository, tmp_path, database)


def test_a_record_that_passed_is_verified_and_makes_the_challenger_champion(machines: Machines) -> None:
    from pytest_readmit.mlops import history
    from pytest_readmit.mlops.registry import Registry

    machine = machines.on("promote")
    machine.play("gh", says=f"{RUN}/attempts/2")
    machine.watch("readmit")
    assert machines.run(machine, "promote"), machine.said
    assert machines.aliases()["champion"] == "1"
    assert "version 1 is champion, before it no champion" in machine.summary.read_text()
    [entry] = history.read(Registry(machines.uri).model(MODEL)).entries
    assert entry.reason == RUN
    kept = machines.artifacts / "gates"
    assert {path.name for path in kept.iterdir()} == {
        "attestation.json", "record.json", "report.html", "signature.jsonl",
    }  # fmt: skip
    folder = machine.temp / "gates"
    *verified, promoted = [call for call in machine.calls if not call.startswith("-m pip")]
    assert promoted == (
        f"readmit promote --record {folder}/record.json --suite suites/promotion.yml "
        f"--commit {machines.repository.commit} --attestation {folder}/attestation.json "
        f"--tracking-uri {machines.uri} --reason {RUN}"
    )
    assert verified == [
        f"gh attestation verify {folder}/{name} --bundle {folder}/signature.jsonl "
        "--repo hospital/readmission --signer-workflow hospital/readmission/.github/workflows/mlops.yml "
        f"--source-ref refs/heads/main --source-digest {machines.repository.commit} "
        "--deny-self-hosted-runners --predicate-type https://slsa.dev/provenance/v1 "
        "--format json --jq .[].verificationResult.signature.certificate.runInvocationURI"
        for name in ("record.json", "report.html", "attestation.json")
    ]


def _tampered(kept: Path) -> None:
    record = json.loads((kept / "record.json").read_text())
    record["cases"][0]["estimate"] = 0.5
    (kept / "record.json").write_text(json.dumps(record))


@pytest.mark.parametrize(
    ("change", "signed", "signer", "allowed", "told"),
    [
        (_tampered, 0, RUN, "yes", "damaged"),
        (None, 1, "", "yes", ""),
        (None, 0, f"{RUN}1", "yes", "not by this run"),
        (None, 0, RUN, "", "READMIT_PROMOTE"),
    ],
    ids=["tampered record", "no signature", "other run", "no environment"],
)
def test_promotion_refuses_what_is_not_the_record_of_this_run(
    machines: Machines,
    change: Callable[[Path], None] | None,
    signed: int,
    signer: str,
    allowed: str,
    told: str,
) -> None:
    if change:
        change(machines.artifacts / "gates")
    machine = machines.on("promote", **{"vars.READMIT_PROMOTE": allowed})
    machine.play("gh", code=signed, says=f"{signer}/attempts/1")
    assert not machines.run(machine, "promote")
    assert told in machine.said
    assert "Traceback" not in machine.said
    assert machines.aliases() == {"challenger": "1"}


def test_a_gate_that_blocks_keeps_its_report_and_ends_the_pipeline(
    machines: Machines, passed: Machines
) -> None:
    from pytest_readmit.mlops.registry import Registry

    # A week later: what was retrained is no better than the champion, since it is the same model.
    Registry(machines.uri).set_alias(MODEL, "champion", "1")
    gates = machines.on("gates")
    shutil.copytree(passed.folder / "gates" / "temp" / "evaluated", gates.temp / "evaluated")
    shutil.rmtree(machines.artifacts)
    machines.artifacts.mkdir()
    job = machines.steps.load(machines.steps.PIPELINE)["jobs"]["gates"]
    names = [step.get("name") for step in job["steps"]]
    rest = job["steps"][names.index("run the gates") :]
    # A job that failed starts none that needs it: tests/workflows holds the needs.
    assert not gates.run(rest, environ=job["env"], shell="bash")
    assert (gates.outcomes["gates"], gates.outcomes["sign"]) == ("failure", "skipped")
    kept = machines.artifacts / "gates"
    assert {path.name for path in kept.iterdir()} == {"attestation.json", "record.json", "report.html"}
    assert json.loads((kept / "record.json").read_text())["blocked"] is True


def test_retrain_and_evaluate_tell_a_mistake_in_one_line(
    passed: Machines, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import duckdb

    cohort = str(passed.repository.folder / "cohort.parquet")
    other = tmp_path / "other.parquet"
    duckdb.sql(f"copy (from '{cohort}' limit 5000) to '{other}'")
    store = ["--tracking-uri", passed.uri, "-o", str(tmp_path / "out")]
    for arguments, code, told in (
        (["--data", cohort, "--model", MODEL, "--version", "2"], 1, "challenger is version 1, not 2"),
        (["--data", cohort, "--model", "readmision"], 1, "did you mean 'readmission'"),
        (
            ["--data", str(other), "--model", MODEL],
            4,
            "is not the table that readmission version 1 was trained on",
        ),
        (["--model", MODEL], 4, "name the folder that `train` wrote, or all of --data"),
    ):
        assert main(["evaluate", *arguments, *store]) == code
        [line] = capsys.readouterr().err.splitlines()
        assert told in line
    assert not (tmp_path / "out").exists()
    missing = ["--data", "none.parquet", "--tracking-uri", f"sqlite:///{tmp_path}/new.db", "--model", MODEL]
    assert main(["retrain", *missing]) == 4
    assert capsys.readouterr().err == "none.parquet is not there\n"
    assert not (tmp_path / "new.db").exists()
