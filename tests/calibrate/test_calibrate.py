"""`readmit calibrate` and `pytest_readmit.calibrate`: rates with nothing wrong, and what would be caught."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pytest_readmit import SuiteError, run_suite
from pytest_readmit.calibrate import Calibration, GateRate, calibrate
from pytest_readmit.cli import main

CODE = "import sys; from pytest_readmit.cli import main; sys.exit(main())"
CANARY = "canary-7f3a"
SMALL = """\
suite: small
data: {reference: {demo: "reference?rows=1500"}, current: {demo: "current?rows=1200"}}
columns:
  target: readmitted_30d
  positive_label: 1
  score: risk
  patient: subject_id
  id: hadm_id
  time: admittime
checks:
  - schema
  - data_drift: {columns: [age, sex], max: 0.2}
  - data_drift: {id: classic, columns: [sex], method: chi2, p_value: 0.05}
  - missing_drift: {columns: [lactate, no_such_column]}
  - performance: {metrics: {roc_auc: {min: 0.68}, brier: {}}}
"""

Suite = Callable[[str], Path]
TABLE: list[str] = []


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    """Return what writes a suite file of some checks, or of whole text."""

    def write(text: str) -> Path:
        path = tmp_path / "suite.yml"
        path.write_text(text if text.startswith("suite:") else f"suite: s\n{text}", encoding="utf-8")
        return path

    return write


def readmit(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", CODE, "calibrate", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )


def numbers(rng: np.random.Generator, n: int, moved: float = 0.0) -> pd.DataFrame:
    """Return a column with a KS distance of `moved` to that without: rows moved into its upper tenth."""
    return pd.DataFrame({"x": _moved(rng, rng.normal(size=n), rng.random(n) < moved / 0.9)})


def of_patients(rng: np.random.Generator, n: int, moved: float = 0.0) -> pd.DataFrame:
    """Return the same, where five rows are of one patient, nearly alike, and move together."""
    owners = np.repeat(np.arange(n // 5), 5)
    own = rng.normal(size=n // 5)[owners]
    values = np.sqrt(0.8) * own + np.sqrt(0.2) * rng.normal(size=n)
    who = (rng.random(n // 5) < moved / 0.9)[owners]
    return pd.DataFrame({"x": _moved(rng, values, who), "patient": owners})


def _moved(rng: np.random.Generator, values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    from scipy.stats import norm

    values[rows] = norm.ppf(1 - rng.random(int(rows.sum())) / 10)
    return values


def predictions(rng: np.random.Generator, n: int) -> pd.DataFrame:
    risk = 1 / (1 + np.exp(-rng.normal(-1, 1, size=n)))
    return pd.DataFrame({"risk": risk, "died": (rng.random(n) < risk).astype(int)})


def both(make: Callable[[np.random.Generator, int], pd.DataFrame], n: int, seed: int = 1) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {"reference": make(rng, n), "current": make(rng, n)}


def by_id(gates: list[GateRate]) -> dict[str, GateRate]:
    return {gate.id.split("::", 1)[1]: gate for gate in gates}


def test_the_command_tells_rates_what_is_caught_and_what_is_not_calibrated(
    suite: Suite, tmp_path: Path
) -> None:
    done = readmit(tmp_path, str(suite(SMALL)), "--replicates", "6", "-o", "rates.json")
    assert done.returncode == 0, done.stderr
    assert "small: 6 windows of its reference" in done.stdout
    assert "rows: reference 1,500, current 1,200; seed 0" in done.stdout
    assert "with nothing wrong, any gate blocks in" in done.stdout
    assert "schema: counts what was delivered" in done.stdout
    assert "its estimate grows with the rows" in done.stdout
    assert "has no limit: it is reported only" in done.stdout
    assert "window 1 of 6, about" in done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 100
    written = json.loads((tmp_path / "rates.json").read_text(encoding="utf-8"))
    gates = {gate["id"].split("::", 1)[1]: gate for gate in written["gates"]}
    assert list(gates)[:3] == ["schema", "data_drift::age", "data_drift::sex"]
    age = gates["data_drift::age"]
    assert age["false_alarm"] == age["error"] == 0
    assert age["passed"] + age["undecided"] == pytest.approx(1)
    assert age["smallest_change"] > age["limit"] == 0.2
    assert age["change"] == "rows that move into the upper tenth"
    assert 0.68 > gates["performance::roc_auc"]["smallest_change"] > 0.5
    assert gates["schema"]["false_alarm"] is None
    assert "no_such_column" in gates["missing_drift::no_such_column"]["reason"]
    assert gates["classic::sex"]["limit"] == 0.05
    assert (written["replicates"], written["with_replacement"], written["patients"]) == (6, True, True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["no.yml"], "no.yml: there is no such suite"),
        (["suite.yml", "--replicates", "0"], "0 replicates: at least 1 is needed"),
        (["suite.yml", "--current-rows", "0"], "0 rows of current"),
        (["suite.yml", "--seed", "-1"], "seed -1: must be 0 or more"),
        (["suite.yml", "--skip", "data_drft"], "no entry has the id 'data_drft', did you mean 'data_drift'?"),
        (["suite.yml", "--checks", "no_such"], "--checks: cannot import 'no_such'"),
        (
            ["suite.yml", "--data", "referense=x.csv"],
            "--data: no suite has a dataset 'referense', did you mean 'reference'?",
        ),
        (["suite.yml", "--data", "x.csv"], "--data x.csv: write NAME=SOURCE"),
        (["suite.yml", "--set", "A"], "--set A: write NAME=VALUE"),
        (["suite.yml", "-o", "no/rates.json"], "no/rates.json: cannot be written: there is no such folder"),
        (["suite.yml", "--data", "reference=gone.csv"], "reference: there is no file gone.csv"),
        (["suite.yml", "--data", "current=gone.csv"], "current: there is no file gone.csv"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_drawn(
    suite: Suite,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    said: str,
) -> None:
    suite(SMALL)
    monkeypatch.chdir(tmp_path)
    assert main(["calibrate", *arguments]) == 4
    told = capsys.readouterr()
    assert said in told.err
    assert "window" not in told.out + told.err


def test_a_suite_without_a_reference_names_the_option(suite: Suite) -> None:
    path = suite("data: {current: {demo: current}}\nchecks: [{out_of_range: {ranges: {age: [0, 120]}}}]\n")
    with pytest.raises(SuiteError, match="give one with --data reference=SOURCE"):
        calibrate(path)


def test_a_saved_baseline_has_no_rows_to_draw(suite: Suite, tmp_path: Path) -> None:
    numbers(np.random.default_rng(1), 500).to_csv(tmp_path / "r.csv", index=False)
    assert main(["baseline", str(tmp_path / "r.csv"), "-o", str(tmp_path / "baseline.json")]) == 0
    path = suite(
        "data: {reference: {profile: baseline.json}, current: r.csv}\n"
        "checks: [{data_drift: {columns: [x], max: 0.1}}]\n"
    )
    with pytest.raises(SuiteError, match="is a profile, which has no rows"):
        calibrate(path)


def test_rows_that_where_leaves_out_are_never_drawn(suite: Suite) -> None:
    path = suite(
        "data: {reference: {path: r.csv, where: x > 0}, current: c.csv}\n"
        "checks: [{out_of_range: {ranges: {x: [0, 9]}}}]\n"
    )
    gate = calibrate(path, data=both(numbers, 1000), replicates=10, power=False).gates[0]
    assert (gate.passed, gate.rows_current) == (1, 1000)


@pytest.mark.skipif(os.name == "nt", reason="an interrupt is sent as a signal")
def test_an_interrupt_ends_it_with_2(suite: Suite, tmp_path: Path) -> None:
    command = [sys.executable, "-c", CODE, "calibrate", str(suite(SMALL)), "--replicates", "100000"]
    with subprocess.Popen(
        command, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
    ) as process:
        assert process.stderr is not None
        process.stderr.readline()
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 2
    assert b"Traceback" not in said


def test_a_test_of_significance_alarms_at_its_level_and_an_interval_gate_hardly_ever(suite: Suite) -> None:
    path = suite(
        "checks:\n"
        "  - data_drift: {id: classic, columns: [x], method: ks, p_value: 0.05}\n"
        "  - data_drift: {id: some, columns: [x], method: ks, max: 0.1}\n"
        "  - data_drift: {id: strict, columns: [x], method: ks, max: 0.02, inconclusive: block}\n"
    )
    found = calibrate(path, data=both(numbers, 300), replicates=150, power=False)
    gates = by_id(list(found.gates))
    classic = gates["classic::x"]
    assert classic.false_alarm_interval is not None
    low, high = classic.false_alarm_interval
    assert low < 0.05 < high
    assert gates["some::x"].false_alarm == 0
    strict = gates["strict::x"]
    assert strict.false_alarm is not None
    assert strict.undecided is not None
    assert strict.false_alarm < 0.05
    assert strict.false_alarm + strict.undecided == pytest.approx(1)
    assert strict.blocked == 1
    assert found.blocked == 1


def test_a_seed_gives_the_same_figures_and_another_one_others(suite: Suite) -> None:
    path = suite("checks: [{data_drift: {columns: [x], method: ks, max: 0.1}}]\n")
    data = both(numbers, 300)

    def run(seed: int) -> Calibration:
        return calibrate(path, data=data, replicates=5, seed=seed)

    assert run(1) == run(1)
    assert run(1).gates[0].smallest_change != run(2).gates[0].smallest_change


def test_whole_patients_are_drawn_so_that_a_gate_needs_a_larger_change(suite: Suite) -> None:
    check = "checks: [{data_drift: {columns: [x], method: ks, p_value: 0.05}}]\n"
    data = both(of_patients, 1000)
    rows = calibrate(
        suite(f"columns: {{id: patient}}\n{check}"), data=data, replicates=60, power=False
    ).gates[0]
    patients = calibrate(
        suite(f"columns: {{patient: patient}}\n{check}"), data=data, replicates=60, power=False
    ).gates[0]
    assert rows.false_alarm is not None
    assert patients.false_alarm is not None
    # The test takes rows for independent, which those of a patient are not: only whole patients show it.
    assert rows.false_alarm < 0.15 < 0.2 < patients.false_alarm
    interval = "checks: [{data_drift: {columns: [x], method: ks, max: 0.1}}]\n"
    caught = [
        calibrate(suite(f"columns: {{{role}: patient}}\n{interval}"), data=data, replicates=15).gates[0]
        for role in ("id", "patient")
    ]
    assert caught[0].smallest_change is not None
    assert caught[1].smallest_change is not None
    assert caught[1].smallest_change > 1.1 * caught[0].smallest_change


def test_a_small_current_is_split_from_the_reference_without_replacement(suite: Suite) -> None:
    path = suite("checks: [{data_drift: {columns: [x], method: ks, max: 0.1}}]\n")
    found = calibrate(path, data=both(numbers, 1000), replicates=3, current_rows=100, power=False)
    assert not found.with_replacement
    assert (found.gates[0].rows_reference, found.gates[0].rows_current) == (900, 100)


def test_a_model_is_asked_once_and_its_scores_follow_their_rows(suite: Suite) -> None:
    asked = []

    class Model:
        classes_ = np.array([0, 1])

        def predict_proba(self, frame: pd.DataFrame) -> np.ndarray:
            asked.append(len(frame))
            risk = frame["risk"].to_numpy()
            return np.column_stack([1 - risk, risk])

    path = suite(
        "columns: {target: died, positive_label: 1}\nmodels: {challenger: given.joblib}\n"
        "checks: [{performance: {metrics: {roc_auc: {min: 0.6}}}}]\n"
    )
    data = both(predictions, 800)
    gate = calibrate(path, data=data, models={"challenger": Model()}, replicates=4).gates[0]
    assert gate.reason is None
    assert asked == [800]
    assert gate.unchanged == pytest.approx(
        run_suite(path, data=data | {"current": data["reference"]}, models={"challenger": Model()})
        .findings[0]
        .estimate
    )
    assert gate.smallest_change is not None
    assert gate.smallest_change < 0.6


def test_the_limit_that_would_pass_is_told_and_passes_in_80_percent_of_windows(suite: Suite) -> None:
    data = both(numbers, 300)

    def rate(limit: float) -> GateRate:
        path = suite(f"checks: [{{data_drift: {{columns: [x], method: ks, max: {limit}}}}}]\n")
        return calibrate(path, data=data, replicates=40, power=False).gates[0]

    strict = rate(0.02)
    assert isinstance(strict.passable_limit, float)
    assert strict.passed == 0
    wide, narrow = (rate(strict.passable_limit + side).passed for side in (1e-9, -1e-9))
    assert wide is not None
    assert narrow is not None
    assert narrow < wide
    assert 0.8 <= wide < 0.86


def test_a_gate_with_too_few_events_is_undecided_at_any_limit(
    suite: Suite, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(1)
    for name in ("reference", "current"):
        frame = predictions(rng, 40)
        frame["died"] = (np.arange(40) < 3).astype(int)
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
    path = suite(
        "data: {reference: reference.csv, current: current.csv}\n"
        "columns: {target: died, positive_label: 1, score: risk}\n"
        "checks:\n  - performance: {metrics: {roc_auc: {min: 0.1}}}\n"
        "  - data_drift: {columns: [risk], max: 0.1}\n"
    )
    assert main(["calibrate", str(path), "--replicates", "4"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    advice = told.partition("what to do:")[2]
    assert "performance::roc_auc: undecided in most windows with nothing wrong, whatever the limit" in advice
    assert "data_drift::risk (<=0." in advice
    assert main(["calibrate", str(path), "--replicates", "4", "--current-rows", "25"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "performance::roc_auc, data_drift::risk: undecided in most windows" in told


def test_the_figure_lies_in_its_interval_which_needs_windows_enough(suite: Suite) -> None:
    path = suite("checks: [{data_drift: {columns: [x], method: ks, max: 0.1}}]\n")
    few, many = (calibrate(path, data=both(numbers, 500), replicates=count).gates[0] for count in (16, 30))
    assert few.smallest_change_interval is None
    assert many.smallest_change is not None
    assert many.smallest_change_interval is not None
    low, high = many.smallest_change_interval
    assert low < many.smallest_change < high < 1.3 * low


def test_no_cell_is_told(suite: Suite, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    def make(rng: np.random.Generator, n: int) -> pd.DataFrame:
        level = np.where(rng.random(n) < 0.5, CANARY, f"{CANARY}-b")
        return pd.DataFrame({"k": level, "x": np.where(rng.random(n) < 0.5, 77123.5, 88123.5)})

    for name, frame in both(make, 200).items():
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
    path = suite(
        "data: {reference: reference.csv, current: current.csv}\n"
        "checks: [{data_drift: {max: 0.2}}, unseen_categories, {missing_drift: {columns: [k, x]}}]\n"
    )
    output = tmp_path / "rates.json"
    assert main(["calibrate", str(path), "--replicates", "3", "-o", str(output)]) == 0
    told = "".join(capfd.readouterr()) + output.read_text(encoding="utf-8")
    assert "data_drift" in told
    assert CANARY not in told
    assert "123.5" not in told


def test_a_gate_that_fails_on_the_reference_itself_gets_no_figure(suite: Suite) -> None:
    path = suite(
        "columns: {target: died, positive_label: 1, score: risk}\n"
        "checks: [{performance: {metrics: {roc_auc: {min: 0.95}}}}]\n"
    )
    gate = calibrate(path, data=both(predictions, 600), replicates=5).gates[0]
    assert gate.false_alarm == 1
    assert gate.smallest_change is None
    assert gate.reason == "fails in most windows with nothing wrong"


def test_a_column_that_cannot_be_measured_is_an_error_in_every_window(suite: Suite) -> None:
    path = suite("checks: [{data_drift: {columns: [x], method: ks, max: 0.1}}]\n")
    frame = numbers(np.random.default_rng(1), 200)
    frame.loc[:100, "x"] = np.inf
    gate = calibrate(path, data={"reference": frame, "current": frame}, replicates=3).gates[0]
    assert (gate.error, gate.blocked, gate.false_alarm) == (1, 1, 0)
    assert gate.smallest_change is None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "roles", "rule"),
    [
        (numbers, "{}", "max: 0.05"),
        (numbers, "{}", "p_value: 0.05"),
        (of_patients, "{patient: patient}", "max: 0.1"),
    ],
    ids=["rows", "significance", "patients"],
)
def test_a_true_change_of_the_figure_is_caught_in_about_80_percent_of_new_windows(
    suite: Suite, make: Callable[..., pd.DataFrame], roles: str, rule: str
) -> None:
    path = suite(f"columns: {roles}\nchecks: [{{data_drift: {{columns: [x], method: ks, {rule}}}}}]\n")
    figures = [
        calibrate(path, data=both(make, 1500, seed), seed=seed, replicates=30).gates[0] for seed in range(3)
    ]
    figure = float(np.mean([gate.smallest_change or np.nan for gate in figures]))
    rng = np.random.default_rng(7)
    runs = 100
    caught = sum(
        run_suite(path, data={"reference": make(rng, 1500), "current": make(rng, 1500, figure)}).verdict
        == "fail"
        for _ in range(runs)
    )
    TABLE.append(
        f"{rule} {roles}: a true distance of {figure:.3f} is caught in {caught / runs:.0%} of windows"
    )
    assert 0.65 < caught / runs < 0.95
