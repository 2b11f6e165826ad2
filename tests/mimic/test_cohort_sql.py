"""The cohort: who is in it, what counts as a readmission, and that features know only the past."""

import os
import shutil
import tempfile
from pathlib import Path

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_readmit.errors import DataError
from pytest_readmit.mimic import build
from pytest_readmit.mimic.__main__ import main
from pytest_readmit.mimic.build import NEEDED, Cohort, build_cohort, flow_text
from pytest_readmit.mimic.charlson import ranges
from pytest_readmit.mimic.tables import write_tables
from pytest_readmit.mimic.training import FEATURES

pytestmark = pytest.mark.slow

pd = pytest.importorskip("pandas")

SHARED = Path(os.environ.get("READMIT_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data"))
REAL = SHARED / "mimic_iv_demo_2.2"
needs_real = pytest.mark.skipif(not REAL.is_dir(), reason="no real data: set READMIT_SHARED_DATA")
ITEMS = [
    (1, "Glucose", "Blood", "Chemistry"),
    (2, "Glucose", "Urine", "Hematology"),
    (3, "Glucose", "Blood", "Blood Gas"),
    (4, "Creatinine", "Blood", "Chemistry"),
    (5, "Creatinine", "Blood", "Chemistry"),
]


def read(path: Path):
    with duckdb.connect() as connection:
        return connection.execute("SELECT * FROM read_parquet($1)", [str(path)]).df()


def write(hosp: Path, name: str, frame) -> None:
    with duckdb.connect() as connection:
        connection.register("frame", frame)
        connection.execute(f"COPY frame TO '{hosp / name}.parquet' (FORMAT parquet)")


def as_csv(source: Path, target: Path) -> Path:
    target.mkdir()
    with duckdb.connect() as connection:
        for name in NEEDED:
            to = f"'{target / name}.csv.gz' (FORMAT csv, COMPRESSION gzip)"
            connection.execute(f"COPY (FROM '{source / name}.parquet') TO {to}")
    return target


class Hospital:
    """A few stays of one patient, who was 60 in 2150 and came first in 2008 to 2010."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.age = 60
        self.stays: list[dict[str, object]] = []
        self.codes: list[tuple[int, str, int]] = []
        self.labs: list[dict[str, object]] = []

    def stay(self, hadm_id: int, admitted: str, left: str, **more: object) -> None:
        self.stays.append(
            {
                "subject_id": 1,
                "hadm_id": hadm_id,
                "admittime": admitted,
                "dischtime": left,
                "edregtime": None,
                "admission_type": "EW EMER.",
                "discharge_location": "HOME",
                "insurance": "Medicare",
                "hospital_expire_flag": 0,
                **more,
            }
        )

    def lab(self, itemid: int, time: str, value: float, stored: str | None = None) -> None:
        self.labs.append(
            {
                "labevent_id": len(self.labs),
                "subject_id": 1,
                "itemid": itemid,
                "charttime": time,
                "storetime": stored or time,
                "valuenum": value,
            }
        )

    def build(self, last_year: int | None = 2019) -> tuple[Cohort, dict[int, dict[str, object]]]:
        person = (1, "F", self.age, 2150, "2008 - 2010")
        empty = {name: list(columns) for name, columns in NEEDED.items()}
        frames = {
            "patients": pd.DataFrame([person], columns=empty["patients"]),
            "admissions": pd.DataFrame(self.stays, columns=empty["admissions"]),
            "diagnoses_icd": pd.DataFrame(self.codes, columns=empty["diagnoses_icd"]),
            "labevents": pd.DataFrame(self.labs, columns=empty["labevents"]),
            "d_labitems": pd.DataFrame(ITEMS, columns=empty["d_labitems"]),
        }
        for name, frame in frames.items():
            frame.to_csv(self.folder / f"{name}.csv", index=False)
        cohort = build_cohort(self.folder, self.folder / "cohort.parquet", last_year=last_year)
        rows = read(cohort.path).to_dict("records")
        return cohort, {int(row["hadm_id"]): row for row in rows}


@pytest.fixture
def hospital(tmp_path: Path) -> Hospital:
    return Hospital(tmp_path)


@pytest.fixture(scope="module")
def synthetic(tmp_path_factory) -> Path:
    return write_tables(tmp_path_factory.mktemp("m"), patients=150, seed=3, file_format="parquet")


@needs_real
def test_the_flow_of_the_real_demo_is_known(tmp_path: Path) -> None:
    cohort = build_cohort(REAL, tmp_path / "cohort.parquet")
    assert [(step.name, step.rows, step.readmitted) for step in cohort.flow] == [
        ("admissions", 275, 53),
        ("left the hospital alive", 260, 53),
        ("times in order", 260, 53),
        ("aged 18 or older", 260, 53),
        ("not to hospice", 255, 53),
        ("followed for 30 days", 228, 47),
        ("planned readmissions not counted", 228, 44),
    ]
    frame = read(cohort.path)
    assert (cohort.rows, cohort.readmitted) == (len(frame), frame["readmitted_30d"].sum()) == (228, 44)
    assert frame["glucose"].notna().mean() > 0.9
    assert frame["age"].between(21, 91).all()


@needs_real
def test_the_real_demo_gives_the_same_cohort_from_csv(tmp_path: Path) -> None:
    folder = as_csv(REAL / "hosp", tmp_path / "hosp")
    ours = [build_cohort(source, tmp_path / f"{n}.parquet") for n, source in enumerate((REAL, folder))]
    assert ours[0].flow == ours[1].flow
    pd.testing.assert_frame_equal(read(ours[0].path), read(ours[1].path))


def test_synthetic_tables_give_the_same_cohort_as_parquet_and_as_csv(synthetic: Path, tmp_path: Path) -> None:
    folder = as_csv(synthetic, tmp_path / "hosp")
    # Of the folder itself, and of the one that holds it.
    ours = [build_cohort(source, tmp_path / f"{n}.parquet") for n, source in enumerate((synthetic, tmp_path))]
    assert ours[0].flow == ours[1].flow
    assert (tmp_path / "0.parquet").read_bytes() == (tmp_path / "1.parquet").read_bytes()
    rows = [step.rows for step in ours[0].flow]
    assert rows == sorted(rows, reverse=True)
    assert folder.is_dir()


def test_an_index_admission_is_of_an_adult_who_went_home_alive_and_was_followed(hospital: Hospital) -> None:
    hospital.stay(1, "2150-01-01 10:00", "2150-01-03 10:00")
    hospital.stay(2, "2150-05-01 10:00", "2150-05-03 10:00", discharge_location="HOSPICE")
    hospital.stay(3, "2150-06-01 10:00", "2150-06-03 10:00", hospital_expire_flag=1)
    hospital.stay(4, "2150-07-01 10:00", "2150-06-03 10:00")
    hospital.stay(5, "2150-08-01 10:00", "2150-08-12 10:00", discharge_location=None)
    hospital.stay(6, "2150-08-10 10:00", "2150-08-20 10:00", discharge_location=None)
    hospital.stay(7, "2151-01-01 10:00", "2151-01-03 10:00")
    cohort, rows = hospital.build(last_year=2010)
    assert set(rows) == {1, 6}
    assert [step.rows for step in cohort.flow] == [7, 6, 4, 4, 3, 2, 2]


def test_minors_and_people_without_a_record_are_left_out(hospital: Hospital) -> None:
    hospital.age = 17
    hospital.stay(1, "2150-01-01 10:00", "2150-01-03 10:00")
    hospital.stay(2, "2151-03-01 10:00", "2151-03-03 10:00")
    hospital.stay(3, "2150-03-01 10:00", "2150-03-03 10:00", subject_id=2)
    _, rows = hospital.build()
    assert {number: row["age"] for number, row in rows.items()} == {2: 18}


def test_whoever_grows_older_than_89_is_91(hospital: Hospital) -> None:
    hospital.age = 88
    for number, year in enumerate((2150, 2151, 2152)):
        hospital.stay(number, f"{year}-01-01 10:00", f"{year}-01-03 10:00")
    _, rows = hospital.build()
    assert [row["age"] for row in rows.values()] == [88, 89, 91]


@pytest.mark.parametrize(
    ("admitted", "kind", "label"),
    [
        ("2150-02-02 10:00", "EW EMER.", 1),
        ("2150-02-02 10:01", "EW EMER.", 0),
        ("2150-01-03 10:00", "URGENT", 1),
        ("2150-01-20 10:00", "EU OBSERVATION", 1),
        ("2150-01-20 10:00", None, 1),
        ("2150-01-20 10:00", "ELECTIVE", 0),
        ("2150-01-20 10:00", "SURGICAL SAME DAY ADMISSION", 0),
    ],
)
def test_an_unplanned_stay_within_30_days_is_a_readmission(
    hospital: Hospital, admitted: str, kind: str | None, label: int
) -> None:
    hospital.stay(1, "2150-01-01 10:00", "2150-01-03 10:00")
    hospital.stay(2, admitted, "2150-02-09 10:00", admission_type=kind)
    _, rows = hospital.build()
    assert rows[1]["readmitted_30d"] == label
    assert rows[2]["readmitted_30d"] == 0


def test_an_unplanned_stay_after_a_planned_one_still_counts(hospital: Hospital) -> None:
    hospital.stay(1, "2150-01-01 10:00", "2150-01-03 10:00")
    hospital.stay(2, "2150-01-08 10:00", "2150-01-09 10:00", admission_type="ELECTIVE")
    hospital.stay(3, "2150-01-20 10:00", "2150-01-21 10:00")
    cohort, rows = hospital.build()
    assert [row["readmitted_30d"] for row in rows.values()] == [1, 1, 0]
    assert [step.readmitted for step in cohort.flow[-2:]] == [2, 2]


def test_without_a_year_given_the_records_end_where_the_data_surely_reach(hospital: Hospital) -> None:
    for number, year in enumerate((2150, 2152, 2155)):
        hospital.stay(number, f"{year}-03-01 10:00", f"{year}-03-03 10:00")
    # The last stay seems to have been in 2013 to 2015, and may have been in 2012; that of 2152 by 2012.
    cohort, rows = hospital.build(last_year=None)
    assert set(rows) == {0, 1}
    assert [step.rows for step in cohort.flow[4:6]] == [3, 2]


@needs_real
def test_of_the_real_demo_more_is_left_out_the_earlier_its_records_end(tmp_path: Path) -> None:
    rows = [build_cohort(REAL, tmp_path / "c.parquet", last_year=year).rows for year in (2016, 2019, 2022)]
    assert rows[1:] == [228, 255]
    assert rows[0] < rows[1]


def test_the_last_lab_known_before_discharge_is_taken(hospital: Hospital) -> None:
    hospital.stay(1, "2150-01-02 10:00", "2150-01-04 10:00", edregtime="2150-01-02 04:00")
    hospital.stay(2, "2150-06-01 10:00", "2150-06-02 10:00", edregtime="2150-06-01 04:00")
    hospital.lab(1, "2150-01-02 11:00", 100)
    hospital.lab(1, "2150-01-03 11:00", 120)
    hospital.lab(1, "2150-01-04 09:00", 140, stored="2150-01-04 11:00")
    hospital.lab(1, "2150-01-04 12:00", 160)
    hospital.lab(2, "2150-01-04 08:00", 999)
    hospital.lab(3, "2150-01-04 08:00", 998)
    hospital.lab(4, "2150-01-02 05:00", 1.1)
    hospital.lab(5, "2150-01-02 06:00", 1.2)
    hospital.lab(4, "2150-06-01 03:00", 9.9)
    _, rows = hospital.build()
    assert (rows[1]["glucose"], rows[1]["creatinine"]) == (120, 1.2)
    assert np.isnan(rows[1]["sodium"])
    assert np.isnan(rows[2]["creatinine"])


def test_history_is_of_stays_that_ended_within_the_year_before(hospital: Hospital) -> None:
    hospital.stay(1, "2150-01-01 10:00", "2150-01-03 10:00")
    hospital.stay(2, "2150-06-01 10:00", "2150-06-03 10:00")
    hospital.stay(3, "2151-05-01 10:00", "2151-05-03 22:00")
    hospital.codes = [(1, "4280", 9), (1, "I10", 10), (2, "4280", 9), (2, "e119 ", 10), (3, "C7800", 10)]
    _, rows = hospital.build()
    picked = ("prior_admissions", "diagnosis_count", "comorbidity_index", "los_days")
    assert [tuple(row[name] for name in picked) for row in rows.values()] == [
        (0, 0, 0, 2.0),
        (1, 2, 1, 2.0),
        (1, 2, 2, 2.5),
    ]


@pytest.mark.parametrize(
    ("codes", "index"),
    [
        ([("41401", 9)], 0),
        ([("4111", 9)], 0),
        ([("41001", 9), ("I2510", 10)], 1),
        ([("25000", 9), ("25040", 9)], 2),
        ([("K7460", 10), ("K7290", 10)], 3),
        ([("1749", 9), ("C7800", 10)], 6),
        ([("042", 9), ("B20", 10)], 6),
        ([("I509", 10), ("J449", 10), ("N186", 10), ("F0390", 10)], 5),
        ([("I509", 9)], 0),
    ],
)
def test_the_charlson_index_counts_the_heaviest_of_each_family_once(
    hospital: Hospital, codes: list[tuple[str, int]], index: int
) -> None:
    hospital.stay(1, "2150-01-01 10:00", "2150-01-03 10:00")
    hospital.stay(2, "2150-06-01 10:00", "2150-06-03 10:00")
    hospital.codes = [(1, *code) for code in codes]
    _, rows = hospital.build()
    assert rows[2]["comorbidity_index"] == index


def test_every_range_of_codes_has_ends_of_one_length() -> None:
    found = list(ranges())
    assert all(len(first) == len(last) and first <= last for *_, first, last in found)
    assert {version for _, _, version, _, _ in found} == {9, 10}


@pytest.fixture(scope="module")
def whole(synthetic: Path, tmp_path_factory):
    frames = {name: read(synthetic / f"{name}.parquet") for name in NEEDED}
    cohort = build_cohort(synthetic, tmp_path_factory.mktemp("c") / "cohort.parquet", last_year=2019)
    return frames, read(cohort.path)


def assert_features_know_only_the_past(whole, folder: Path, seed: int, *, removed: bool) -> None:
    """Give each patient a moment of discharge and remove all after it, or mix it up."""
    frames, before = whole
    random = np.random.default_rng(seed)
    stays = frames["admissions"]
    chosen = stays.sample(frac=1, random_state=seed).drop_duplicates("subject_id")
    moment = stays["subject_id"].map(chosen.set_index("subject_id")["dischtime"])
    past = stays["admittime"] < moment
    past_stays = stays.loc[past, "hadm_id"]
    codes, labs = frames["diagnoses_icd"], frames["labevents"]
    # Diagnoses are coded after discharge: those of the chosen stay are not known yet either.
    coded = codes["hadm_id"].isin(set(past_stays) - set(chosen["hadm_id"]))
    known = labs["storetime"] < labs["subject_id"].map(chosen.set_index("subject_id")["dischtime"])
    if removed:
        changed = {"admissions": stays[past], "diagnoses_icd": codes[coded], "labevents": labs[known]}
    else:
        later = stays.copy()
        shift = pd.to_timedelta(random.integers(0, 400, len(stays)), unit="D").to_series(index=stays.index)
        for name in ("admittime", "dischtime"):
            later[name] = later[name].where(past, later[name] + shift)
        for name in ("admission_type", "discharge_location", "insurance"):
            later[name] = later[name].where(past, random.permutation(later[name].to_numpy()))
        mixed_codes, mixed_labs = codes.copy(), labs.copy()
        other = random.permutation(codes["icd_code"].to_numpy())
        mixed_codes["icd_code"] = codes["icd_code"].where(coded, other)
        mixed_labs["valuenum"] = labs["valuenum"].where(
            known, random.permutation(labs["valuenum"].to_numpy())
        )
        changed = {"admissions": later, "diagnoses_icd": mixed_codes, "labevents": mixed_labs}
    for name, frame in (frames | changed).items():
        write(folder, name, frame)
    after = read(build_cohort(folder, folder / "cohort.parquet", last_year=2019).path)
    kept = [part[part["hadm_id"].isin(past_stays)].reset_index(drop=True) for part in (before, after)]
    columns = ["hadm_id", "admittime", "dischtime", "year", *FEATURES]
    assert len(kept[0]) > 50
    # Only whether stays overlap can keep an earlier one out, and mixed-up ones never begin earlier.
    pd.testing.assert_frame_equal(kept[0][columns], kept[1][columns])


@given(seed=st.integers(0, 2**32 - 1), removed=st.booleans())
@settings(max_examples=6, deadline=None)
def test_what_happens_after_discharge_changes_no_feature(whole, seed: int, removed: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        assert_features_know_only_the_past(whole, Path(folder), seed, removed=removed)


@pytest.mark.parametrize(
    ("step", "bound", "planted"),
    [
        ("labs", "AND charttime < dischtime\n    AND storetime < dischtime", ""),
        ("diagnoses", "AND past.dischtime <= index_stays.admittime", ""),
        ("admissions", "AND INTERVAL 1 SECOND PRECEDING", "AND INTERVAL 90 DAY FOLLOWING"),
    ],
)
def test_a_planted_look_into_the_future_is_seen(
    whole, synthetic: Path, tmp_path: Path, monkeypatch, step: str, bound: str, planted: str
) -> None:
    steps = dict(build.script())
    assert bound in steps[step]
    steps[step] = steps[step].replace(bound, planted)
    monkeypatch.setattr(build, "script", lambda: list(steps.items()))
    before = read(build_cohort(synthetic, tmp_path / "cohort.parquet", last_year=2019).path)
    with pytest.raises(AssertionError):
        assert_features_know_only_the_past((whole[0], before), tmp_path, 1, removed=True)


def test_missing_tables_and_columns_are_named(synthetic: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not a folder"):
        build_cohort(tmp_path / "nowhere", tmp_path / "c.parquet")
    with pytest.raises(DataError, match="lacks the tables patients, admissions, diagnoses_icd, labevents"):
        build_cohort(tmp_path, tmp_path / "c.parquet")
    for name in NEEDED:
        shutil.copy(synthetic / f"{name}.parquet", tmp_path)
    write(tmp_path, "patients", read(synthetic / "patients.parquet").rename(columns={"gender": "Gender_"}))
    with pytest.raises(
        DataError, match=r"patients.parquet lacks the column 'gender', did you mean 'Gender_'\?"
    ):
        build_cohort(tmp_path, tmp_path / "c.parquet")


def test_a_value_that_does_not_fit_is_an_error_that_does_not_quote_it(hospital: Hospital) -> None:
    hospital.stay(1, "2150-01-01 10:00", "canary")
    with pytest.raises(DataError, match="could not be read as those of MIMIC-IV") as caught:
        hospital.build()
    assert "canary" not in str(caught.value)


def test_an_admission_that_is_there_twice_is_an_error_and_the_old_cohort_stays(hospital: Hospital) -> None:
    hospital.stay(1, "2150-01-01 10:00", "2150-01-03 10:00")
    cohort, _ = hospital.build()
    old = cohort.path.read_bytes()
    hospital.stay(1, "2150-03-01 10:00", "2150-03-03 10:00")
    with pytest.raises(DataError, match="admissions holds the same hadm_id more than once"):
        hospital.build()
    assert cohort.path.read_bytes() == old
    assert not list(cohort.path.parent.glob(".*"))


def test_the_command_prints_the_flow_and_errors_without_a_traceback(
    synthetic: Path, tmp_path: Path, capsys
) -> None:
    out = tmp_path / "cohort.parquet"
    assert main(["cohort", str(synthetic), "-o", str(out), "--last-year", "2019"]) == 0
    shown = capsys.readouterr()
    cohort = build_cohort(synthetic, out, last_year=2019)
    assert flow_text(cohort.flow) in shown.out
    assert f"{cohort.rows:,} index admissions, {cohort.readmitted:,} readmitted" in shown.out
    assert shown.err.splitlines()[0] == "cohort: admissions"
    assert main(["cohort", str(tmp_path / "nowhere"), "-o", str(out)]) == 4
    assert main(["cohort", str(synthetic), "-o", str(tmp_path / "no" / "c.parquet")]) == 4
    assert main(["cohort", str(synthetic)]) == 4
    assert "Traceback" not in capsys.readouterr().err
