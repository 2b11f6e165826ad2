"""--readmit-trust and ini readmit_trust: who may let a model be loaded, on one process and on many."""

import hashlib
import json
import pickle
from pathlib import Path
from typing import Any

import pytest

CHECKS = '''
from pytest_readmit import Claim, Scored, check


@check
def mean_risk(current: Scored) -> Claim:
    """How high are the scores?"""
    return Claim(estimate=float(current.predictions.score.mean()), limit=0.9, n_current=current.n)
'''
MODEL = '''
import numpy as np


class Fixed:
    """A classifier that says what it was told."""

    classes_ = np.array([0, 1])
    feature_names_in_ = np.array(["age"])

    def __init__(self, risk):
        self.risk = risk

    def predict_proba(self, rows):
        return np.tile([1 - self.risk, self.risk], (len(rows), 1))


class Canary:
    """A pickle of it writes a file when it is loaded."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        import os

        return os.mkdir, (self.path,)
'''
SUITE = """
data: {current: current.csv}
columns: {target: y, positive_label: 1}
models: {challenger: models/fixed.pkl}
checks:
  - mean_risk
  - mean_risk: {id: again}
  - mean_risk: {id: by, segments: sex}
"""


@pytest.fixture
def modelled(project: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the project with a suite that scores with a pickled model."""
    (project.path / "own_checks.py").write_text(CHECKS)
    (project.path / "own_model.py").write_text(MODEL)
    rows = ["age,sex,y", *(f"{row % 60},{'mf'[row % 2]},{int(row % 5 == 0)}" for row in range(200))]
    (project.path / "suites" / "current.csv").write_text("\n".join(rows) + "\n")
    (project.path / "suites" / "drift.yml").write_text(SUITE)
    (project.path / "suites" / "models").mkdir()
    monkeypatch.syspath_prepend(project.path)
    import own_model

    project.model = project.path / "suites" / "models" / "fixed.pkl"
    project.model.write_bytes(pickle.dumps(own_model.Fixed(0.25)))
    project.canary = lambda sign: project.model.write_bytes(pickle.dumps(own_model.Canary(str(sign))))
    return project


def verdicts(record: dict[str, Any]) -> set[str]:
    return {case["verdict"] for case in record["cases"]}


def test_a_model_that_nobody_trusts_blocks_and_prints_the_flag(modelled) -> None:
    result = modelled.run("--readmit-json=record.json")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert verdicts(modelled.read()) == {"error"}
    flag = "--readmit-trust=models/fixed.pkl"
    result.stdout.fnmatch_lines([f"*add {flag} to the command*"])
    assert verdicts(modelled.record(flag)) == {"pass"}


@pytest.mark.parametrize("pattern", ["models/*", "suites/models/fixed.pkl", "**/*.pkl"])
def test_globs_match_what_the_suite_writes_and_where_it_is(modelled, pattern) -> None:
    record = modelled.record(f"--readmit-trust={pattern}", "--readmit-trust=other")
    assert verdicts(record) == {"pass"}
    assert [case["estimate"] for case in record["cases"]] == [pytest.approx(0.25)] * 4


@pytest.mark.parametrize("pattern", ["*.pkl", "suites/*"])
def test_other_globs_do_not(modelled, pattern) -> None:
    assert verdicts(modelled.record(f"--readmit-trust={pattern}")) == {"error"}


def test_the_ini_trusts_from_the_root_whatever_the_folder(modelled, monkeypatch) -> None:
    ini = modelled.path / "tox.ini"
    ini.write_text(f"{ini.read_text()}\nreadmit_trust = suites/models/*.pkl\n")
    monkeypatch.chdir(modelled.path / "suites")
    result = modelled.run("--readmit-json=record.json", suite="drift.yml")
    assert result.ret == 0
    assert verdicts(json.loads(Path("record.json").read_text())) == {"pass"}


def test_no_pickle_is_opened_without_trust_in_any_run(modelled) -> None:
    sign = modelled.path / "was-here"
    modelled.canary(sign)
    for arguments in (("--collect-only",), ("--readmit-trust=elsewhere/**",)):
        modelled.run(*arguments)
        assert not sign.exists()


@pytest.mark.slow
def test_workers_score_the_same_and_tell_the_same_of_the_model(modelled) -> None:
    pytest.importorskip("xdist")
    trusted = "--readmit-trust=models/*"
    modelled.run_apart(trusted, "--readmit-json=one.json")
    modelled.run_apart(trusted, "--readmit-json=two.json", "-n2")
    one, two = modelled.read("one.json"), modelled.read("two.json")
    digest = hashlib.sha256(modelled.model.read_bytes()).hexdigest()
    assert one["provenance"]["models"] == two["provenance"]["models"]
    assert one["provenance"]["models"]["challenger"]["digest"] == f"sha256:{digest}"
    assert one["provenance"]["models"]["champion"] is None
    timeless = [[{**case, "seconds": 0} for case in made["cases"]] for made in (one, two)]
    assert timeless[0] == timeless[1]
    assert verdicts(one) == {"pass"}
