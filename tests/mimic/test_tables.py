import os
from functools import cache
from pathlib import Path

import duckdb
import pytest

from pytest_readmit.errors import DataError
from pytest_readmit.mimic import tables
from pytest_readmit.mimic.tables import TABLES, write_tables

SHARED = Path(os.environ.get("READMIT_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data"))
REAL = SHARED / "mimic_iv_demo_2.2" / "hosp"


@pytest.fixture(scope="module")
def hosp(tmp_path_factory) -> Path:
    return write_tables(tmp_path_factory.mktemp("m"), patients=400, seed=7, file_format="parquet")


@cache
def connection():
    return duckdb.connect()


def ask(hosp: Path, query: str):
    """Run a query in which {NAME} stands for a table."""
    names = {name: f"'{hosp / name}.parquet'" for name in TABLES}
    return connection().execute(query.format(**names)).fetchall()


@pytest.mark.skipif(not REAL.is_dir(), reason="no real data: set READMIT_SHARED_DATA")
@pytest.mark.parametrize("name", TABLES)
def test_a_table_has_the_columns_and_types_of_the_real_one(hosp: Path, name: str) -> None:
    ours, real = (
        [row[:2] for row in connection().execute(f"DESCRIBE FROM '{folder / name}.parquet'").fetchall()]
        for folder in (hosp, REAL)
    )
    assert ours == real


@pytest.mark.parametrize("file_format", ["csv.gz", "parquet"])
def test_the_same_seed_gives_the_same_bytes_and_another_one_does_not(tmp_path: Path, file_format) -> None:
    def contents(folder: str, seed: int) -> list[bytes]:
        hosp = write_tables(tmp_path / folder, patients=60, seed=seed, file_format=file_format)
        return [(hosp / f"{name}.{file_format}").read_bytes() for name in TABLES[:4]]

    first = contents("a", 1)
    assert contents("b", 1) == first
    assert all(x != y for x, y in zip(contents("c", 2), first, strict=True))


def test_the_first_patients_of_a_larger_number_are_the_same_people(hosp: Path, tmp_path: Path) -> None:
    fewer = write_tables(tmp_path, patients=150, seed=7, file_format="parquet")
    for name in ("patients", "admissions", "diagnoses_icd"):
        more = set(ask(hosp, f"FROM {{{name}}}"))
        assert set(ask(fewer, f"FROM {{{name}}}")) < more


def test_numbers_stay_unique_when_patients_are_drawn_in_batches(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(tables, "CHUNK", 37)
    said: list[str] = []
    hosp = write_tables(tmp_path, patients=100, seed=7, file_format="parquet", say=said.append)
    assert said[:3] == [f"tables: {n} of 100 patients" for n in (37, 74, 100)]
    for name, key in (("patients", "subject_id"), ("admissions", "hadm_id"), ("labevents", "labevent_id")):
        ((rows, keys),) = ask(hosp, f"SELECT count(*), count(DISTINCT {key}) FROM {{{name}}}")
        assert rows == keys > 90
    query = "SELECT max(n) FROM (SELECT count(DISTINCT charttime) AS n FROM {labevents} GROUP BY specimen_id)"
    assert ask(hosp, query) == [(1,)]


def test_stays_of_a_patient_follow_each_other_and_end_with_death(hosp: Path) -> None:
    query = """
        WITH stay AS (
            SELECT *, lead(admittime) OVER (PARTITION BY subject_id ORDER BY admittime) AS following
            FROM {admissions} JOIN {patients} USING (subject_id)
        )
        SELECT
            bool_and(dischtime > admittime),
            bool_and(following IS NULL OR following >= dischtime),
            bool_and((deathtime IS NOT NULL) = (hospital_expire_flag = 1)),
            bool_and((discharge_location IS NOT DISTINCT FROM 'DIED') = (hospital_expire_flag = 1)),
            bool_and(dod IS NULL OR CAST(dod AS DATE) >= CAST(admittime AS DATE)),
            bool_and(deathtime IS NULL OR CAST(dod AS DATE) = CAST(deathtime AS DATE)),
            bool_and(edregtime IS NULL OR (edregtime < admittime AND edouttime >= admittime)),
            bool_and(year(admittime) BETWEEN 2105 AND 2205),
            bool_and(year(admittime) - anchor_year BETWEEN 0 AND 12),
            bool_and(anchor_age BETWEEN 18 AND 91)
        FROM stay
    """
    assert ask(hosp, query) == [(True,) * 10]


def test_diagnoses_and_labs_belong_to_stays_that_are_there(hosp: Path) -> None:
    orphans = "SELECT count(*) FROM {{{0}}} AS t ANTI JOIN {{admissions}} USING (subject_id, hadm_id)"
    assert ask(hosp, orphans.format("diagnoses_icd")) == [(0,)]
    assert ask(hosp, orphans.format("labevents") + " WHERE t.hadm_id IS NOT NULL") == [(0,)]
    unknown = "SELECT count(*) FROM {diagnoses_icd} ANTI JOIN {d_icd_diagnoses} USING (icd_code, icd_version)"
    assert ask(hosp, unknown) == [(0,)]
    assert ask(hosp, "SELECT count(*) FROM {labevents} ANTI JOIN {d_labitems} USING (itemid)") == [(0,)]
    stays = ask(hosp, "SELECT count(*) FROM {admissions} SEMI JOIN {diagnoses_icd} USING (hadm_id)")
    assert stays == ask(hosp, "SELECT count(*) FROM {admissions}")
    both = ask(hosp, "SELECT DISTINCT icd_version FROM {diagnoses_icd} ORDER BY 1")
    assert both == [(9,), (10,)]
    texts = "SELECT bool_and(CAST(value AS DOUBLE) = valuenum AND storetime > charttime) FROM {labevents}"
    assert ask(hosp, texts) == [(True,)]


def test_about_a_fifth_comes_back_within_30_days(hosp: Path) -> None:
    query = """
        WITH stay AS (
            SELECT *, lead(admittime) OVER (PARTITION BY subject_id ORDER BY admittime) AS following
            FROM {admissions}
        )
        SELECT avg(CAST(coalesce(following <= dischtime + INTERVAL 30 DAY, false) AS INTEGER))
        FROM stay WHERE hospital_expire_flag = 0
    """
    ((share,),) = ask(hosp, query)
    assert 0.12 < share < 0.30


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ({"patients": 0}, "patients: 0 is not a number from 1 to 2,000,000"),
        ({"patients": 2_000_001}, "patients: 2000001 is not a number from 1 to 2,000,000"),
        ({"patients": 1, "seed": -1}, "seed: -1 is not a number from 0"),
    ],
)
def test_impossible_numbers_are_refused(tmp_path: Path, numbers, text: str) -> None:
    with pytest.raises(DataError, match=text):
        write_tables(tmp_path, **numbers)


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        write_tables(tmp_path / "file", patients=5)


def test_tables_that_are_there_are_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "hosp").mkdir()
    write_tables(tmp_path, patients=3)
    before = (tmp_path / "hosp" / "admissions.parquet").read_bytes()
    with pytest.raises(DataError, match="is not empty"):
        write_tables(tmp_path, patients=3, seed=1)
    assert (tmp_path / "hosp" / "admissions.parquet").read_bytes() == before


def test_an_interrupted_writing_leaves_no_tables(tmp_path: Path) -> None:
    def interrupt(text: str) -> None:
        if "labevents" in text:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_tables(tmp_path, patients=3, say=interrupt)
    assert not list(tmp_path.iterdir())
