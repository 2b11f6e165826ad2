"""A baseline tells what its rows would have told, and nothing that few rows share."""

import contextlib
import io
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_readmit import run_suite
from pytest_readmit.cli import main
from pytest_readmit.data import baseline, profile
from pytest_readmit.data.dataset import Roles
from pytest_readmit.data.source import SourceSpec, open_dataset
from pytest_readmit.errors import DataError, SuiteError
from pytest_readmit.stats import divergence, ks, variation
from pytest_readmit.stats.distribution import Distribution

RARE = "CANARY Quaker relief fund"
COLUMNS = """\
columns: {target: readmitted, positive_label: 1, score: risk, patient: subject_id, id: hadm_id,
          time: admitted, ignore: [note], numerical: [visits]}
"""
MEASURED = """\
  - data_drift
  - data_drift: {id: w, method: wasserstein, columns: [glucose, age, visits]}
  - data_drift: {id: shift, method: mean_shift, columns: [glucose, age, visits]}
  - data_drift: {id: psi, method: psi, columns: [glucose, visits, sex]}
  - data_drift: {id: js, method: jensen_shannon, columns: [glucose, sex, ward]}
  - data_drift: {id: hellinger, method: hellinger, columns: [glucose, sex, ward]}
  - drift_share
  - target_drift
  - target_drift: {id: ratio, max_ratio: 3}
  - prediction_drift: {threshold: 0.5}
  - missing_drift
  - unseen_categories
  - extreme_values
  - extreme_values: {id: log, scale: log1p, columns: [visits]}
  - unit_change
  - schema
  - out_of_range: {ranges: {age: [0, 120]}}
"""


def cohort(rows: int = 6000, seed: int = 1, shift: float = 0.0) -> pd.DataFrame:
    """Return stays with what a baseline must hide: rare levels, an outlier, few missing, ages above 89."""
    draw = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "subject_id": draw.integers(7_000_000, 7_000_000 + rows // 2, rows),
            "hadm_id": np.arange(rows) + 90_000_000,
            "admitted": pd.Timestamp("2023-01-01") + pd.to_timedelta(draw.integers(0, 300, rows), unit="D"),
            "age": draw.integers(18, 99, rows),
            "glucose": draw.normal(110.0 + 25.0 * shift, 25.0, rows),
            "visits": draw.poisson(1.5, rows),
            "sex": draw.choice(["F", "M"], rows),
            "ward": draw.choice(["A", "B", "C"], rows, p=[0.5, 0.3, 0.2]),
            "note": [f"note {i}" for i in draw.integers(0, 10**9, rows)],
            "readmitted": (draw.random(rows) < 0.2).astype(int),
            "risk": draw.beta(2 + shift, 6, rows).round(4),
        }
    )
    frame.loc[:2, "ward"] = RARE
    frame.loc[3, "glucose"] = 987.654321
    frame.loc[4:7, "sex"] = None
    frame.loc[draw.random(rows) < 0.1, "glucose"] = np.nan
    frame.loc[3, "glucose"] = 987.654321
    return frame


def readmit(folder: Path, *arguments: str) -> tuple[int, str]:
    said = io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = main(arguments)
    return code, said.getvalue()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with data, a suite on rows and one on the baseline that the command saved."""
    folder = tmp_path_factory.mktemp("baseline")
    cohort().to_parquet(folder / "2023.parquet")
    cohort(seed=2, shift=0.1).to_parquet(folder / "same.parquet")
    cohort(seed=3, shift=2.0).assign(visits=lambda frame: frame["visits"] * 3).to_parquet(
        folder / "moved.parquet"
    )
    for name, reference in (("rows", "2023.parquet"), ("saved", "{profile: baseline.json}")):
        data = f"data: {{reference: {reference}, current: same.parquet}}\n"
        (folder / f"{name}.yml").write_text(f"{data}{COLUMNS}checks:\n{MEASURED}")
    code, said = readmit(folder, "baseline", "--suite", "rows.yml", "-o", "baseline.json")
    assert code == 0, said
    return folder


def test_the_command_says_what_it_saved_and_what_not(project: Path) -> None:
    code, said = readmit(project, "baseline", "--suite", "rows.yml", "-o", "again.json")
    assert code == 0
    first, *left_out = said.splitlines()
    assert re.fullmatch(r"again.json: 6,000 rows, 7 of 11 columns, \d+ KB; no count below 11", first)
    assert sorted(left_out) == [
        "  not saved: admitted (time)",
        "  not saved: hadm_id (id)",
        "  not saved: note (ignore)",
        "  not saved: subject_id (patient)",
    ]
    assert (project / "again.json").read_bytes() == (project / "baseline.json").read_bytes()


@pytest.mark.parametrize("current", ["same.parquet", "moved.parquet"])
def test_verdicts_are_those_of_the_rows(project: Path, current: str) -> None:
    rows, saved = (
        run_suite(project / f"{name}.yml", data={"current": str(project / current)}).findings
        for name in ("rows", "saved")
    )
    assert len(rows) == len(saved) > 30
    for one, other in zip(rows, saved, strict=True):
        told = f"{one.id}: {one.verdict}, {other.verdict}: {other.message}"
        assert {one.verdict, other.verdict} not in ({"pass", "fail"}, {"pass", "error"}), told
        if other.verdict != one.verdict:
            assert (other.verdict, one.check) in {
                ("inconclusive", "unseen_categories"),
                ("inconclusive", "extreme_values"),
                ("inconclusive", "data_drift"),
                ("inconclusive", "unit_change"),
            }, told
    decided = sum(one.verdict == other.verdict for one, other in zip(rows, saved, strict=True))
    assert decided >= len(rows) - 4


def test_the_record_names_the_baseline(project: Path) -> None:
    found = run_suite(project / "rows.yml", data={"reference": f"profile:{project / 'baseline.json'}"})
    facts = found.record["provenance"]["datasets"]["reference"]
    assert facts["source"].endswith("baseline.json")
    assert facts["sha256"] == profile.read(project / "baseline.json", "b").sha256
    assert (facts["columns"], facts["flow"]["read"]) == (11, 6000)
    assert facts["flow"]["patients"] == cohort()["subject_id"].nunique() // 11 * 11


def test_pytest_takes_a_baseline_from_the_command_line(project: Path, pytester: pytest.Pytester) -> None:
    for name in ("baseline.json", "same.parquet"):
        (pytester.path / name).write_bytes((project / name).read_bytes())
    (pytester.path / "s.yml").write_text(
        f"data: {{reference: absent.csv, current: same.parquet}}\n{COLUMNS}"
        "checks: [schema, {data_drift: {columns: [glucose, sex]}}]\n"
    )
    result = pytester.runpytest_subprocess(
        "--readmit-suite=s.yml", "--readmit-data=reference=profile:baseline.json", "-p", "no:cacheprovider"
    )
    result.assert_outcomes(passed=3)


def small_counts(content: Any, least: int) -> list[int]:
    """Return every whole number of a column's counts that is above zero and below the least."""
    counts = [rows for *_, rows in (*content.get("bins", []), *content.get("levels", []))]
    counts += [content.get("missing") or 0, content.get("pooled", {}).get("rows", 0)]
    counts += [content.get("units") or 0, *content.get("patients", {}).values()]
    return [count for count in counts if 0 < count < least]


def test_no_count_below_min_cell_is_in_the_file_nor_can_be_had_by_subtraction(project: Path) -> None:
    text = (project / "baseline.json").read_text(encoding="utf-8")
    content = json.loads(text)
    assert RARE not in text
    assert "987.6" not in text
    assert "note " not in text
    frame = pd.read_parquet(project / "2023.parquet")
    for column in content["columns"]:
        assert not small_counts(column, 11), column["name"]
        if "left_out" in column:
            continue
        told = sum(rows for *_, rows in (*column.get("bins", []), *column.get("levels", [])))
        told += column.get("pooled", {}).get("rows", 0)
        few = column["missing"] is None
        assert content["rows"] - told - (column["missing"] or 0) == (10 if few else 0)
        assert few == (0 < frame[column["name"]].isna().sum() < 11)
        for low, high, rows in column.get("bins", []):
            if low == high:
                assert (frame[column["name"]] == low).sum() >= rows
    (age,) = (column for column in content["columns"] if column["name"] == "age")
    assert [row[:2] for row in age["bins"] if row[1] > 89] == [[89.0, 120.0]]
    (ward,) = (column for column in content["columns"] if column["name"] == "ward")
    assert ward["pooled"]["rows"] == 11


def content_of(frame: dict[str, Any], **roles: Any) -> dict[str, Any]:
    spec = SourceSpec(kind="frame", value="f", base=Path(), frame=pd.DataFrame(frame))
    found: dict[str, Any] = baseline.saved(open_dataset("reference", spec, Roles(**roles)), min_cell=11)
    return found


def column_of(values: Any, name: str = "x", **roles: Any) -> dict[str, Any]:
    (found,) = (one for one in content_of({name: values}, **roles)["columns"] if one["name"] == name)
    return dict(found)


STAYS = np.arange(600)


@pytest.mark.parametrize(
    ("name", "values", "why"),
    [
        ("age", (85 + STAYS % 20).astype(str), "ages above 89 as categories"),
        ("birth_year", 1920 + STAYS % 40, "year of birth"),
        ("born_on", np.where(STAYS % 2, "1931-02-03", "1940-11-30"), "dates as text"),
        ("seen", np.where(STAYS % 2, "3/2/1931", "30/11/1940"), "dates as text"),
        ("street", [f"{number} Elm Road" for number in STAYS], "text of many values"),
    ],
)
def test_what_tells_who_a_person_is_is_not_saved(name: str, values: Any, why: str) -> None:
    assert str(column_of(values, name)["left_out"]).startswith(why)


@pytest.mark.parametrize(("name", "year"), [("age_months", 12.0), ("AgeDays", 365.25), ("patient.age", 1.0)])
def test_ages_above_89_are_one_bin_in_any_unit(name: str, year: float) -> None:
    bins = column_of((60 + STAYS % 45) * year, name)["bins"]
    assert [row[:2] for row in bins if row[1] > 89 * year] == [[89 * year, 120 * year]]


def test_a_value_of_one_patient_is_not_told_however_many_rows_have_it() -> None:
    patient = np.where(STAYS < 20, 0, STAYS)
    one = patient == 0
    frame = {
        "p": patient,
        "height": np.where(one, 173.27, 160 + STAYS % 20),
        "tongue": np.where(one, RARE, "-"),
    }
    content = content_of(frame, patient="p")
    assert RARE not in profile.text_of(content)
    assert "173.27" not in profile.text_of(content)
    assert profile.parse(profile.text_of(content).encode(), "b").patients == 572


def test_edges_and_moments_do_not_tell_the_largest_value() -> None:
    counts = np.where(STAYS < 3, 7, STAYS % 3)
    assert column_of(counts)["bins"][-1][:2] == [2.0, 10.0]
    assert column_of(np.where(STAYS < 3, 9.0, 4.0))["bins"] == [[4.0, 4.0, 589], [4.0, 10.0, 11]]
    noise = np.random.default_rng(1).normal(size=600)
    assert column_of(noise)["told"][2] == 0.001 * 10 ** (noise.std() >= 1)
    assert column_of(np.append(noise, 12.0))["told"][2] == 0.1
    assert column_of(np.append(noise, 987.0))["told"] is None


def test_rows_lent_to_rare_levels_do_not_count_as_such() -> None:
    levels = np.array([f"rare {i}" if i < 10 else "-" for i in STAYS])
    pooled = column_of(levels)["pooled"]
    assert pooled == {"rows": 11, "levels": 11, "most": 10, "once": 0, "twice": 0, "lent": True}


def test_a_label_that_few_rows_have_leaves_the_case_undecided(tmp_path: Path) -> None:
    rare = pd.DataFrame({"y": (STAYS < 4).astype(int), "same": np.where(STAYS, 7.0, np.nan)})
    rare.to_parquet(tmp_path / "a.parquet")
    suite = tmp_path / "s.yml"
    suite.write_text(
        "data: {reference: a.parquet, current: a.parquet}\ncolumns: {target: y, positive_label: 1}\n"
        "checks: [target_drift, {target_drift: {id: ratio, max_ratio: 2}}, data_drift: {columns: [same]}]\n"
    )
    assert readmit(tmp_path, "baseline", "--suite", "s.yml", "-o", "b.json")[0] == 0
    *labels, same = run_suite(suite, data={"reference": f"profile:{tmp_path / 'b.json'}"}).findings
    assert same.verdict == "pass", same.message
    for found in labels:
        assert found.verdict == "inconclusive"
        assert "fewer than 10 events" in found.message


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from(["normal", "counts", "ties", "mixed", "few missing"]),
    st.integers(40, 900),
    st.sampled_from([2, 5, 11]),
)
def test_bounds_from_a_baseline_hold_those_from_the_rows(
    seed: int, shape: str, rows: int, least: int
) -> None:
    draw = np.random.default_rng(seed)

    def column(shift: float) -> np.ndarray:
        values = {
            "counts": draw.geometric(0.3, rows) + shift,
            "ties": np.round(draw.normal(shift, 2.0, rows)),
            "mixed": np.where(draw.random(rows) < 0.5, 0.0, draw.lognormal(shift, 2.0, rows)),
        }.get(shape, draw.normal(shift, 1.0, rows))
        values[: int(draw.integers(1, 4)) if shape == "few missing" else 0] = np.nan
        return np.asarray(values, dtype=float)

    before, after = column(0.0), column(float(draw.choice([0.0, 0.3, 1.0])))
    saved = saved_column({"x": before}, least)
    known, now = before[~np.isnan(before)], after[~np.isnan(after)]
    current = Distribution.of_numbers(now)
    assert_holds(ks.effect(saved, current), ks.effect(Distribution.of_numbers(known), current))
    assert saved.n <= len(known)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(2, 40),
    st.integers(60, 900),
    st.sampled_from([2, 5, 11]),
    st.booleans(),
)
def test_bounds_of_levels_hold_those_from_the_rows(
    seed: int, levels: int, rows: int, least: int, few_missing: bool
) -> None:
    draw = np.random.default_rng(seed)

    def column() -> np.ndarray:
        shares = draw.dirichlet(np.full(levels, 0.5))
        values = np.array([f"level {i}" for i in range(levels)], dtype=object)[
            draw.choice(levels, rows, p=shares)
        ]
        values[: 3 if few_missing else 0] = None
        return values

    before, after = column(), column()
    try:
        saved = saved_column({"x": before}, least)
    except KeyError:
        return  # most rows are in rare levels: the column is not saved

    def counted(values: np.ndarray) -> Distribution:
        names, counts = np.unique(values[values != None].astype(str), return_counts=True)  # noqa: E711
        return Distribution.of_levels(names, counts)

    current = counted(after)
    known = counted(before)
    assert_holds(variation.effect(saved, current), variation.effect(known, current))
    for measure in (divergence.psi, divergence.jensen_shannon, divergence.hellinger):
        found, estimate = measure(saved, current), measure(known, current).estimate
        low, high = found.estimates or (found.estimate, found.estimate)
        assert low - 1e-5 <= estimate <= high + 1e-5


def saved_column(frame: dict[str, np.ndarray], least: int) -> Distribution:
    """Return a column as a baseline in its file holds it; a KeyError where it is not saved."""
    dataset = open_dataset(
        "reference", SourceSpec(kind="frame", value="f", base=Path(), frame=pd.DataFrame(frame)), Roles()
    )
    content = baseline.saved(dataset, min_cell=least)
    (column,) = profile.parse(profile.text_of(content).encode(), "b").columns
    if column.left_out:
        raise KeyError(column.left_out)
    assert not small_counts(content["columns"][0], least)
    return column.distribution


def assert_holds(wide: Any, narrow: Any) -> None:
    for alpha in (0.05, 0.001):
        (low, high), (lower, upper) = wide.bounds(alpha), narrow.bounds(alpha)
        assert low <= lower + 1e-12
        assert high >= upper - 1e-12
    for limit in (0.05, 0.1, 0.3):
        assert wide.p_beyond(limit) >= narrow.p_beyond(limit) - 1e-12
        assert wide.p_below(limit) >= narrow.p_below(limit) - 1e-12


NO_ROWS = "this needs rows of reference; baseline.json is a profile and holds none"
NEED_ROWS = {
    "joint_drift": NO_ROWS,
    "concept_drift": NO_ROWS,
    "concept_drift: {explain: true}": NO_ROWS,
    "patient_overlap: {max: 0.5}": NO_ROWS,
    "data_drift: {columns: [age], segments: sex}": NO_ROWS,
    "data_drift: {columns: [age], p_value: 0.05}": "p_value needs rows of reference",
    "data_drift: {columns: [age], method: energy, decide_by: estimate, max: 1}": "energy needs rows of",
    "data_drift: {columns: [note]}": "column 'note' is not in baseline.json: ignore",
    "missing_drift: {columns: [note]}": "column 'note' is not in baseline.json: ignore",
    "performance: {on: reference, metrics: {roc_auc: {min: 0.5}}}": NO_ROWS,
}


@pytest.mark.parametrize(("entry", "said"), NEED_ROWS.items())
def test_what_needs_rows_is_an_error_of_its_case_alone(project: Path, entry: str, said: str) -> None:
    path = project / "need.yml"
    path.write_text(
        f"data: {{reference: {{profile: baseline.json}}, current: same.parquet}}\n{COLUMNS}"
        f"checks:\n  - {entry}\n  - missing_drift: {{columns: [age], id: other}}\n"
    )
    first, *_, last = run_suite(path).findings
    assert (first.verdict, last.verdict) == ("error", "pass"), first.message
    assert said in first.message


@pytest.mark.parametrize(
    ("model", "said"),
    [("{score: risk}", "risk moved by"), ("model.skops", "a profile holds no predictions of a model")],
)
def test_scores_of_the_reference_are_a_saved_column(project: Path, model: str, said: str) -> None:
    path = project / "model.yml"
    path.write_text(
        "data: {reference: {profile: baseline.json}, current: same.parquet}\n"
        "columns: {target: readmitted, positive_label: 1, patient: subject_id, id: hadm_id}\n"
        f"models: {{champion: {model}}}\nchecks: [prediction_drift, target_drift]\n"
    )
    scores, labels = run_suite(path).findings
    assert said in scores.message
    assert labels.verdict == "pass"


def test_an_estimate_that_the_bins_leave_open_decides_nothing(project: Path) -> None:
    path = project / "open.yml"

    def verdict(limit: float) -> Any:
        path.write_text(
            f"data: {{reference: {{profile: baseline.json}}, current: same.parquet}}\n{COLUMNS}"
            f"checks:\n  - data_drift: {{columns: [glucose], decide_by: estimate, max: {limit}}}\n"
        )
        (found,) = run_suite(path).findings
        return found

    assert verdict(0.5).verdict == "pass"
    assert verdict(0.001).verdict == "fail"
    estimate = verdict(0.5).estimate
    left_open = verdict(round(estimate + 0.001, 4))
    assert left_open.verdict == "inconclusive"
    assert "approximate counts" in left_open.message


def edited(change: Callable[[dict[str, Any]], Any]) -> Callable[[bytes], bytes]:
    def apply(raw: bytes) -> bytes:
        content = json.loads(raw)
        change(content)
        return json.dumps(content).encode()

    return apply


def forged(change: Callable[[dict[str, Any]], Any]) -> Callable[[bytes], bytes]:
    def apply(raw: bytes) -> bytes:
        content = json.loads(raw)
        change(content)
        return profile.text_of({key: value for key, value in content.items() if key != "digest"}).encode()

    return apply


BROKEN = {
    "by hand": (edited(lambda content: content.update(rows=7000)), "was changed after it was saved"),
    "cut off": (lambda raw: raw[:-500], "is no baseline, or only a part of one"),
    "empty": (lambda _: b"", "is no baseline, or only a part of one"),
    "later": (edited(lambda content: content.update(version=2)), "has another version of the format"),
    "other": (lambda _: b'{"cases": []}', "is no baseline, but some other JSON"),
    "a list": (lambda _: b"[1]", "is no baseline, but some other JSON"),
    "lfs": (
        lambda _: b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 9\n",
        "Git LFS pointer",
    ),
    "small": (
        forged(lambda content: content["columns"][3]["bins"][0].append(3)),
        "is not as `readmit baseline`",
    ),
    "no moments": (
        forged(lambda content: content["columns"][4].update(told=[])),
        "is not as `readmit baseline`",
    ),
    "no patients": (
        forged(lambda content: content["columns"][4].update(units=None)),
        "is not as `readmit baseline`",
    ),
    "not a number": (
        lambda raw: raw.replace(b'"missing":0', b'"missing":NaN', 1),
        "is not as `readmit baseline`",
    ),
    "no columns": (forged(lambda content: content.pop("columns")), "is not as `readmit baseline`"),
}


@pytest.mark.parametrize(("damage", "said"), BROKEN.values(), ids=BROKEN)
def test_a_baseline_that_is_none_is_told_with_what_to_do(
    project: Path, tmp_path: Path, damage: Callable[[bytes], bytes], said: str
) -> None:
    (tmp_path / "b.json").write_bytes(damage((project / "baseline.json").read_bytes()))
    path = tmp_path / "s.yml"
    path.write_text(
        f"data: {{reference: {{profile: b.json}}, current: {project / 'same.parquet'}}}\n{COLUMNS}"
        "checks: [{data_drift: {columns: [age]}}, {out_of_range: {ranges: {age: [0, 120]}}}]\n"
    )
    first, last = run_suite(path).findings
    assert (first.verdict, last.verdict) == ("error", "pass")
    assert first.message.startswith("b.json ")
    assert said in first.message


@pytest.mark.parametrize(
    ("suite", "said"),
    [
        ("data: {reference: {profile: b.json, where: 'age > 3'}}", "data.reference: `where` is for rows"),
        ("data: {reference: {profile: b.json, rename: {a: b}}}", "data.reference: `rename` is for rows"),
        ("data: {reference: a.csv, current: {profile: b.json}}", "a profile can only be the reference"),
    ],
)
def test_what_a_profile_cannot_be_is_a_suite_error(tmp_path: Path, suite: str, said: str) -> None:
    path = tmp_path / "s.yml"
    path.write_text(f"{suite}\nchecks: [data_drift]\n")
    with pytest.raises(SuiteError, match=re.escape(said)):
        run_suite(path, data={"current": cohort(50)} if "current" not in suite else {})


def test_a_baseline_of_other_rows_or_of_independent_ones_is_refused(project: Path, tmp_path: Path) -> None:
    def said(columns: str, where: str = "age > 30") -> str:
        path = project / "where.yml"
        path.write_text(
            f"data: {{reference: {{path: 2023.parquet, where: '{where}'}}, current: same.parquet}}\n{columns}"
            "checks: [{data_drift: {columns: [age]}}]\n"
        )
        found = run_suite(path, data={"reference": f"profile:{tmp_path / 'b.json'}"}).findings
        return f"{found[0].verdict}: {found[0].message}"

    said(COLUMNS)  # writes the suite
    assert readmit(project, "baseline", "--suite", "where.yml", "-o", str(tmp_path / "b.json"))[0] == 0
    assert said(COLUMNS).startswith("fail: age moved")
    assert "is a profile of other rows" in said(COLUMNS, "age > 40")
    arguments = (
        "--ignore",
        "subject_id",
        "--id",
        "hadm_id",
        "--ignore",
        "note",
        "-o",
        str(tmp_path / "b.json"),
    )
    assert readmit(project, "baseline", "2023.parquet", *arguments)[0] == 0
    path = project / "plain.yml"
    path.write_text(
        f"data: {{current: same.parquet}}\n{COLUMNS}checks: [{{data_drift: {{columns: [age]}}}}]\n"
    )
    (found,) = run_suite(path, data={"reference": f"profile:{tmp_path / 'b.json'}"}).findings
    assert "was saved without columns.patient" in found.message


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("-o", "b.json"), 4, "name DATA to save, or --suite SUITE"),
        (("2023.parquet", "--patient", "subject", "-o", "b.json"), 4, "did you mean 'subject_id'?"),
        (("2023.parquet", "--min-cell", "1", "-o", "b.json"), 4, "min_cell must be at least 2"),
        (("absent.csv", "-o", "b.json"), 4, "absent.csv"),
        (("2023.parquet", "--suite", "rows.yml", "--id", "hadm_id", "-o", "b.json"), 4, "leave one out"),
        (("2023.parquet", "-o", "absent/b.json"), 4, "b.json could not be written"),
        (("2023.parquet", "-o", "2023.parquet"), 4, "2023.parquet is there and is no baseline"),
        (("profile:baseline.json", "-o", "b.json"), 4, "baseline.json is a baseline already"),
    ],
)
def test_a_wrong_command_line_is_told(
    project: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    found, text = readmit(project, "baseline", *arguments)
    assert found == code, text
    assert said in text


FOLDER = Path(os.environ.get("READMIT_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data"))


@pytest.mark.slow
@pytest.mark.skipif(
    not FOLDER.is_dir(), reason="no real data: set READMIT_SHARED_DATA to the folder that holds it"
)
def test_a_baseline_of_real_stays_says_what_their_rows_say(tmp_path: Path) -> None:
    """36 of 48 columns moved between these windows (the folder's DATA.md); half the stays are the third."""
    stays = pd.read_parquet(FOLDER / "diabetes130.parquet").sort_values("encounter_id", ignore_index=True)
    stays[:40_706].to_parquet(tmp_path / "reference.parquet")
    path = tmp_path / "s.yml"
    path.write_text(
        "data: {reference: reference.parquet}\n"
        "columns: {target: readmitted, positive_label: '<30', negative_label: ['>30', 'NO'],\n"
        "          patient: patient_nbr, id: encounter_id,\n"
        "          categorical: [admission_type_id, discharge_disposition_id, admission_source_id]}\n"
        "checks: [data_drift, missing_drift, target_drift, schema, drift_share]\n"
    )
    code, said = readmit(tmp_path, "baseline", "--suite", "s.yml", "-o", "baseline.json")
    assert (code, said.splitlines()[0]) == (
        0,
        "baseline.json: 40,706 rows, 48 of 50 columns, 28 KB; no count below 11",
    )
    content = json.loads((tmp_path / "baseline.json").read_text())
    assert not [column["name"] for column in content["columns"] if small_counts(column, 11)]
    changed: dict[str, list[str]] = {}
    for name, current in (("last", stays[81_412:]), ("half", stays.sample(frac=0.5, random_state=1))):
        rows, saved = (
            run_suite(path, data={"current": current, "reference": reference}).findings
            for reference in (
                "path:" + str(tmp_path / "reference.parquet"),
                f"profile:{tmp_path}/baseline.json",
            )
        )
        pairs = list(zip(rows, saved, strict=True))
        assert len(pairs) == 97
        assert {other.verdict for one, other in pairs if one.verdict != other.verdict} <= {"inconclusive"}
        changed[name] = [str(one.subject) for one, other in pairs if one.verdict != other.verdict]
    # Codes of diagnoses: a few percent of the rows have one that fewer than 11 rows share.
    assert changed == {"last": ["diag_3"], "half": ["diag_1", "diag_2", "diag_3"]}


def test_few_rows_are_not_saved() -> None:
    with pytest.raises(DataError, match="fewer than 11 rows: nothing of it can be saved"):
        saved_column({"x": np.arange(5.0)}, 11)
