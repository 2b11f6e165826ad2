"""`readmit init` on real tables (READMIT_SHARED_DATA, or ../shared/data), and its figures measured."""

import os
import re
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from pytest_readmit import run_suite
from pytest_readmit.calibrate import calibrate
from pytest_readmit.cli import main

FOLDER = Path(os.environ.get("READMIT_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data"))
pytestmark = pytest.mark.slow


def shared(name: str) -> Path:
    path = FOLDER / name
    if not path.exists():
        said = f"no real data: set READMIT_SHARED_DATA to the folder that holds {name}"
        if os.environ.get("CI") == "true":
            pytest.fail(said)
        pytest.skip(said)
    return path


def start(folder: Path, reference: pd.DataFrame, current: pd.DataFrame, *arguments: str):
    """Write a suite for two tables, run it as it is, and return both."""
    for name, table in (("reference", reference), ("current", current)):
        table.to_parquet(folder / f"{name}.parquet", index=False)
    sources = [f"--{name}={folder / name}.parquet" for name in ("reference", "current")]
    assert main(["init", str(folder / "new"), *sources, *arguments]) == 0
    path = folder / "new" / "suites" / "gates.yml"
    return yaml.safe_load(path.read_text(encoding="utf-8")), run_suite(path)


def test_ten_years_of_encounters_get_a_suite_that_finds_their_drift(tmp_path) -> None:
    table = pd.read_parquet(shared("diabetes130.parquet")).sort_values("encounter_id")
    begun = time.monotonic()
    suite, result = start(tmp_path, table[:40_707], table[81_413:])
    print(f"from nothing to a verdict: {time.monotonic() - begun:.1f} s")
    columns = suite["columns"]
    assert {key: columns[key] for key in ("target", "patient", "id", "sensitive")} == {
        "target": "readmitted",
        "patient": "patient_nbr",
        "id": "encounter_id",
        "sensitive": ["race", "gender", "age"],
    }
    assert "positive_label" not in columns
    assert {"admission_type_id", "discharge_disposition_id", "admission_source_id"} <= {
        *columns["categorical"]
    }
    assert {"examide", "citoglipton"} <= {*columns["ignore"]}
    verdicts = {finding.id.split("::", 1)[1]: finding.verdict for finding in result.findings}
    assert "error" not in verdicts.values()
    assert verdicts["data_drift::medical_specialty"] == verdicts["missing_drift::payer_code"] == "fail"
    assert verdicts["data_drift::gender"] == "pass"


def test_a_table_of_few_patients_gets_a_suite_that_says_what_it_cannot_decide(tmp_path) -> None:
    folder = shared("mimic_iv_demo_2.2")
    table = pd.read_parquet(folder / "hosp" / "admissions.parquet").sort_values("hadm_id")
    suite, result = start(tmp_path, table[:150], table[150:])
    columns = suite["columns"]
    assert {key: columns[key] for key in ("target", "patient", "id", "time", "sensitive", "ignore")} == {
        "target": "hospital_expire_flag",
        "patient": "subject_id",
        "id": "hadm_id",
        "time": "admittime",
        "sensitive": ["insurance", "race"],
        "ignore": ["admit_provider_id"],
    }
    assert "CANNOT DECIDE" in (tmp_path / "new/suites/gates.yml").read_text(encoding="utf-8")
    assert {finding.verdict for finding in result.findings} == {"pass", "inconclusive"}
    assert not result.blocked


def test_what_the_comments_say_is_what_windows_of_the_reference_show(tmp_path) -> None:
    draw = np.random.Generator(np.random.PCG64(3))
    rows = 3000
    table = pd.DataFrame(
        {
            "value": draw.normal(size=rows),
            "ward": draw.choice(list("abcde"), rows),
            "outcome": (draw.random(rows) < 0.2).astype(int),
        }
    )
    start(tmp_path, table, table[: rows // 2])
    suite = tmp_path / "new" / "suites" / "gates.yml"
    text = suite.read_text(encoding="utf-8")
    said = {
        check: [
            float(figure)
            for figure in re.findall(r"0\.\d+", re.search(rf"Catches (.*)\n(  # .*\n)*  - {check}", text)[1])
        ]
        for check in ("data_drift", "target_drift")
    }
    for gate in calibrate(suite, replicates=20).gates:
        if gate.check in said:
            assert gate.smallest_change is not None
            assert min(abs(gate.smallest_change - figure) for figure in said[gate.check]) < 0.02, gate.id
            assert gate.false_alarm == 0
