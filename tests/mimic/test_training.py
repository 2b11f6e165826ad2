"""The training run: who is trained on, what is written, and a suite on what it wrote."""

import sys
from pathlib import Path

import duckdb
import numpy as np
import pytest

from pytest_readmit import run_suite
from pytest_readmit.errors import DataError, MissingExtra
from pytest_readmit.mimic.__main__ import main
from pytest_readmit.mimic.build import build_cohort
from pytest_readmit.mimic.tables import write_tables
from pytest_readmit.mimic.training import (
    FEATURES,
    TARGET,
    evaluate,
    fit,
    read_table,
    risk,
    split,
    train,
)

pytestmark = pytest.mark.slow

pd = pytest.importorskip("pandas")

SUITE = """\
suite: readmission
data:
  reference: reference.parquet
  current: current.parquet
  train: train.parquet
columns:
  target: readmitted_30d
  positive_label: 1
  patient: subject_id
  id: hadm_id
  time: admittime
  ignore: [dischtime, year, risk_champion, risk_challenger]
  numerical: [age, prior_admissions, diagnosis_count, comorbidity_index]
  categorical: [sex, insurance, admission_type, discharge_location]
models:
  champion: {path: champion.skops}
  challenger: {path: challenger.skops}
checks:
  - data_drift: {columns: [age, los_days, sex, admission_type, creatinine], max: 0.2}
  - missing_drift
  - performance: {metrics: {roc_auc: {min: 0.6}, brier_skill: {min: 0.0}}}
  - performance: {id: champion, model: champion, metrics: {roc_auc: {}}}
  - patient_overlap: {on: train, max: 0}
"""


@pytest.fixture(scope="module")
def cohort(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("m")
    hosp = write_tables(folder, patients=2500, seed=11, file_format="parquet")
    return build_cohort(hosp, folder / "cohort.parquet", last_year=2019).path


@pytest.fixture(scope="module")
def run(cohort: Path, tmp_path_factory):
    pytest.importorskip("skops")
    return train(cohort, tmp_path_factory.mktemp("run") / "out", file_format="skops")


def test_nobody_is_trained_on_and_tested_and_nothing_known_only_later_is_learnt(cohort: Path) -> None:
    frame = read_table(cohort)
    parted = split(frame, cutoff_year=2014, seed=5)
    people = {name: set(part["subject_id"]) for name, part in parted.parts.items()}
    assert not people["train"] & (people["reference"] | people["current"])
    assert people["reference"] & people["current"]
    assert parted.reference["year"].max() < 2014 <= parted.current["year"].min()
    told = parted.train["dischtime"] + pd.Timedelta(days=30)
    years = parted.train["year"] + told.dt.year - parted.train["admittime"].dt.year
    assert years.max() < 2014
    assert sum(map(len, parted.parts.values())) + parted.left_out == len(frame)


def test_who_is_tested_does_not_depend_on_the_outcome(cohort: Path) -> None:
    frame = read_table(cohort)
    turned = frame.assign(**{TARGET: 1 - frame[TARGET]})
    for name, part in split(frame).parts.items():
        assert part["hadm_id"].equals(split(turned).parts[name]["hadm_id"])


def test_by_default_half_of_the_rows_lie_before_the_cutoff(cohort: Path) -> None:
    year = read_table(cohort)["year"].to_numpy()
    cutoff = split(read_table(cohort)).cutoff_year
    assert np.mean(year < cutoff) >= 0.5 > np.mean(year < cutoff - 1)


def test_the_same_seed_gives_the_same_models_and_another_one_other_patients(cohort: Path) -> None:
    frame = read_table(cohort)
    first, again, other = (split(frame, seed=seed) for seed in (1, 1, 2))
    assert first.train.equals(again.train)
    assert not first.train["subject_id"].equals(other.train["subject_id"])
    for kind in ("logistic", "boosting"):
        scores = [risk(fit(kind, part.train, seed=1), part.current) for part in (first, again)]
        np.testing.assert_array_equal(*scores)


def test_a_suite_on_the_built_cohort_runs_end_to_end(run) -> None:
    folder = run.models["champion"].parent
    (folder / "suite.yml").write_text(SUITE)
    result = run_suite(folder / "suite.yml")
    verdicts = {finding.id.partition("::")[2]: finding.verdict for finding in result.findings}
    assert "error" not in verdicts.values(), [f.message for f in result.findings if f.verdict == "error"]
    assert verdicts["patient_overlap"] == "pass"
    assert verdicts["performance::roc_auc"] == "pass"
    assert verdicts["data_drift::age"] == "pass"
    measured = evaluate(folder).set_index(["dataset", "model"])["roc_auc"]
    by_suite = {
        finding.entry: finding.estimate for finding in result.findings if finding.subject == "roc_auc"
    }
    assert by_suite["performance"] == pytest.approx(measured["current", "challenger"], abs=1e-12)
    assert by_suite["champion"] == pytest.approx(measured["current", "champion"], abs=1e-12)


def test_the_written_scores_are_the_models_own(run) -> None:
    for part, path in run.datasets.items():
        frame = read_table(path)
        assert len(frame) == run.rows[part]
        for name, estimator in run.estimators.items():
            np.testing.assert_array_equal(frame[f"risk_{name}"], risk(estimator, frame))


def test_what_is_missing_stays_missing_in_the_written_datasets(cohort: Path, run) -> None:
    query = (
        "SELECT count(*) FILTER (discharge_location IS NULL), count(glucose), count(*) FROM read_parquet($1)"
    )
    with duckdb.connect() as connection:
        before = connection.execute(query, [str(cohort)]).fetchall()[0]
        paths = [str(path) for path in run.datasets.values()]
        after = [connection.execute(query, [path]).fetchall()[0] for path in paths]
        texts = connection.execute(
            "SELECT DISTINCT discharge_location FROM read_parquet($1)", [paths]
        ).fetchall()
    assert before[0] > 0
    assert 0 < sum(counts[0] for counts in after) <= before[0]
    assert before[1] < before[2]
    assert not {"nan", "None", ""} & {text for (text,) in texts}


def test_models_beat_a_coin_on_patients_they_have_not_seen(run) -> None:
    table = evaluate(run.models["champion"].parent)
    unseen = table[table["dataset"] != "train"]
    assert len(unseen) == 4
    assert unseen["roc_auc"].between(0.62, 0.85).all()
    assert (unseen["brier"] < unseen["prevalence"] * (1 - unseen["prevalence"])).all()


def test_a_level_or_lab_that_training_lacked_is_scored_all_the_same(run) -> None:
    frame = read_table(run.datasets["current"]).head(5)
    odd = frame.assign(admission_type="HOSPITAL AT HOME", lactate=np.nan)
    odd["discharge_location"] = pd.Series([np.nan] * 5, dtype=object)
    for estimator in run.estimators.values():
        scores = risk(estimator, odd)
        assert ((scores > 0) & (scores < 1)).all()
    assert list(run.estimators["champion"].feature_names_in_) == list(FEATURES)


def test_a_small_table_is_refused_with_the_years_there_are(cohort: Path) -> None:
    frame = read_table(cohort)
    with pytest.raises(
        DataError, match=r"reference \(cutoff year 2000\) holds no rows of both outcomes|train"
    ):
        split(frame, cutoff_year=2000)
    with pytest.raises(DataError, match="no rows"):
        split(frame.head(0))
    with pytest.raises(DataError, match="holdout"):
        split(frame, holdout=1.0)


def test_another_table_is_refused_by_what_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not there"):
        read_table(tmp_path / "cohort.parquet")
    (tmp_path / "text.parquet").write_text("no")
    with pytest.raises(DataError, match="could not be read as Parquet"):
        read_table(tmp_path / "text.parquet")
    with duckdb.connect() as connection:
        connection.execute(f"COPY (SELECT 1 AS subject_ids) TO '{tmp_path / 'x.parquet'}'")
    with pytest.raises(DataError, match="lacks 'subject_id', did you mean 'subject_ids'"):
        read_table(tmp_path / "x.parquet")


def test_without_skops_the_extra_is_named_before_anything_is_fitted(
    cohort: Path, tmp_path, monkeypatch
) -> None:
    monkeypatch.setitem(sys.modules, "skops", None)
    monkeypatch.setitem(sys.modules, "skops.io", None)
    with pytest.raises(MissingExtra, match=r"pytest-readmit\[skops\]"):
        train(cohort, tmp_path / "out", file_format="skops")
    assert not (tmp_path / "out").exists()


def test_the_commands_go_from_nothing_to_trained_models(tmp_path: Path, capsys) -> None:
    table, out = str(tmp_path / "cohort.parquet"), tmp_path / "out"
    assert main(["tables", str(tmp_path), "--patients", "400", "--seed", "2", "--format", "csv.gz"]) == 0
    assert main(["cohort", str(tmp_path), "-o", table]) == 0
    assert main(["train", table, "-o", str(out), "--model", "model=logistic"]) == 0
    assert main(["evaluate", str(out)]) == 0
    shown = capsys.readouterr()
    assert {path.name for path in out.iterdir()} == {
        "model.joblib",
        "train.parquet",
        "reference.parquet",
        "current.parquet",
    }
    assert "tables: 400 of 400 patients" in shown.err
    assert "train: fitting model (logistic)" in shown.err
    assert "average_precision" in shown.out


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["train", "nowhere.parquet", "-o", "out"], "nowhere.parquet is not there"),
        (["evaluate", "nowhere"], "is not there"),
        (["tables", ".", "--patients", "0"], "patients: 0 is not a number"),
        (["tables", ".", "--patients", "many"], "invalid int value"),
        (["train", "t", "-o", "o", "--model", "a=tree"], "expected NAME=KIND with KIND logistic or boosting"),
        ([], "required: COMMAND"),
    ],
)
def test_a_wrong_command_is_one_line_and_exit_code_4(tmp_path, monkeypatch, capsys, arguments, text) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 4
    assert text in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
