"""Write synthetic `hosp` tables in the shape of MIMIC-IV: invented patients, real column names and types."""

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import numpy as np

from pytest_readmit.errors import DataError
from pytest_readmit.mimic.courses import START, People, Stays, draw_course
from pytest_readmit.mimic.diagnoses import ACUTE, CHRONIC

MOST_PATIENTS = 2_000_000
CHUNK = 10_000
TABLES = ("patients", "admissions", "diagnoses_icd", "labevents", "d_labitems", "d_icd_diagnoses")
Format = Literal["csv.gz", "parquet"]

# itemid, label, fluid, category, unit, reference range, column of the invented cohort, decimals.
_LABS: tuple[tuple[int, str, str, str, str, float, float, str, int], ...] = (
    (50931, "Glucose", "Blood", "Chemistry", "mg/dL", 70, 100, "glucose", 0),
    (50912, "Creatinine", "Blood", "Chemistry", "mg/dL", 0.4, 1.2, "creatinine", 1),
    (51006, "Urea Nitrogen", "Blood", "Chemistry", "mg/dL", 6, 20, "urea_nitrogen", 0),
    (51222, "Hemoglobin", "Blood", "Hematology", "g/dL", 12, 17.5, "haemoglobin", 1),
    (50983, "Sodium", "Blood", "Chemistry", "mEq/L", 133, 145, "sodium", 0),
    (50971, "Potassium", "Blood", "Chemistry", "mEq/L", 3.3, 5.1, "potassium", 1),
    (51301, "White Blood Cells", "Blood", "Hematology", "K/uL", 4, 10, "white_cells", 1),
    (51265, "Platelet Count", "Blood", "Hematology", "K/uL", 150, 400, "platelets", 0),
    (50813, "Lactate", "Blood", "Blood Gas", "mmol/L", 0.5, 2, "lactate", 1),
)
_RACE = (
    "WHITE",
    "WHITE",
    "WHITE",
    "WHITE",
    "WHITE",
    "BLACK/AFRICAN AMERICAN",
    "HISPANIC OR LATINO",
    "ASIAN",
    "OTHER",
    "UNKNOWN",
)
_MARITAL = ("SINGLE", "MARRIED", "MARRIED", "MARRIED", "DIVORCED", "WIDOWED", None)
_LANGUAGE = (*("ENGLISH",) * 9, "?")
_PROVIDERS = 400
_ICD10_DAY = int((np.datetime64("2015-10-01") - START).astype(np.int64))

# What is added of each batch, from the arrays registered as `drawn`.
_ADD_PATIENTS = """
INSERT INTO patients
SELECT subject_id, gender, anchor_age, anchor_year, format('{} - {}', anchor_from, anchor_from + 2), dod
FROM drawn
"""
_ADD_ADMISSIONS = """
INSERT INTO admissions
SELECT
    subject_id, hadm_id, admittime, dischtime, deathtime, admission_type, format('P{:05d}', provider),
    admission_location, discharge_location, insurance, language, marital_status, race, edregtime, edouttime,
    hospital_expire_flag
FROM drawn
"""
# What the stay was about comes first, what the patient brought along after it.
_ADD_DIAGNOSES = """
INSERT INTO diagnoses_icd
SELECT
    subject_id, hadm_id, row_number() OVER (PARTITION BY hadm_id ORDER BY chronic, place),
    CASE version WHEN 9 THEN icd9 ELSE icd10 END, version
FROM drawn JOIN code USING (place)
"""
_ADD_LABS = """
INSERT INTO labevents
SELECT
    (SELECT count(*) FROM labevents) + row_number() OVER (ORDER BY subject_id, charttime, itemid),
    subject_id, nullif(hadm_id, 0),
    (SELECT coalesce(max(specimen_id), 0) FROM labevents)
        + dense_rank() OVER (ORDER BY subject_id, charttime),
    itemid, format('P{:05d}', provider), charttime, storetime, printf('%g', valuenum), valuenum,
    uom, low, high,
    CASE WHEN valuenum < low OR valuenum > high THEN 'abnormal' END,
    CASE WHEN stat THEN 'STAT' ELSE 'ROUTINE' END, NULL
FROM drawn JOIN lab USING (place)
"""
_ORDER = {
    "patients": "subject_id",
    "admissions": "subject_id, admittime, hadm_id",
    "diagnoses_icd": "subject_id, hadm_id, seq_num",
    "labevents": "labevent_id",
    "d_labitems": "itemid",
    "d_icd_diagnoses": "icd_version, icd_code",
}


def write_tables(
    folder: str | os.PathLike[str],
    *,
    patients: int,
    seed: int = 0,
    file_format: Format = "parquet",
    say: Callable[[str], None] = lambda _: None,
) -> Path:
    """
    Write the tables of invented patients into the folder `hosp` of a folder.

    The same numbers give the same tables on every computer, and the first patients of a larger number are
    the same people. As in MIMIC-IV each patient's times are shifted by their own distance to the years
    2110 to 2200, and the real year is known to three years (`anchor_year_group`). The records run from 2008
    to 2019.

    Args:
        folder: Made if it is not there; its `hosp` must not hold anything yet.
        patients: Patients with at least one admission that ended in these years: nearly that many.
        seed: Which patients.
        file_format: ``parquet``, or ``csv.gz``, which is what MIMIC-IV itself comes as and takes longer.
        say: Told how far it is.

    Returns:
        The folder `hosp`.

    Raises:
        DataError: The number of patients is not 1 to 2,000,000, or the folder cannot be written or holds
            tables already.
    """
    import duckdb

    if not 1 <= patients <= MOST_PATIENTS:
        raise DataError(f"patients: {patients} is not a number from 1 to {MOST_PATIENTS:,}")
    if not 0 <= seed < 2**64:
        raise DataError(f"seed: {seed} is not a number from 0 to 2**64 - 1")
    hosp = Path(folder) / "hosp"
    if hosp.is_dir() and any(hosp.iterdir()):
        raise DataError(f"{hosp} is not empty; name another folder, or remove it if it is no longer needed")
    part = hosp.with_name(f".hosp-{os.getpid()}")
    with tempfile.TemporaryDirectory(prefix="readmit-") as spill:
        connection = duckdb.connect(":memory:", config={"temp_directory": spill})
        try:
            part.mkdir(parents=True)
            _make(connection, patients, seed, say)
            for name in TABLES:
                say(f"tables: writing {name}")
                _copy(connection, name, part, file_format)
            if hosp.is_dir():
                hosp.rmdir()
            part.rename(hosp)
        except (OSError, duckdb.Error) as error:
            raise DataError(f"{hosp} cannot be written ({type(error).__name__})") from None
        finally:
            shutil.rmtree(part, ignore_errors=True)
            connection.close()
    return hosp


def _make(connection: Any, patients: int, seed: int, say: Callable[[str], None]) -> None:
    schema = files("pytest_readmit.mimic").joinpath("tables.sql").read_text(encoding="utf-8")
    connection.execute(schema)
    _dictionaries(connection)
    serial = 0
    for first in range(0, patients, CHUNK):
        count = min(CHUNK, patients - first)
        people, stays, death = draw_course(seed, first, count)
        # Multiplying modulo a prime shuffles the numbers and keeps them distinct.
        numbers = serial + np.arange(len(stays.who), dtype=np.int64)
        hadm_id = 20_000_000 + numbers * 7_919_273 % 9_999_991
        serial += len(numbers)
        _add_patients(connection, people, stays, death)
        _add_admissions(connection, people, stays, hadm_id)
        _add_diagnoses(connection, stays, people.patients.subject_id[stays.who], hadm_id)
        _add_labs(connection, people, stays, hadm_id)
        say(f"tables: {first + count:,} of {patients:,} patients")


def _dictionaries(connection: Any) -> None:
    diagnoses = (*CHRONIC, *ACUTE)
    # Urine is never measured here; whoever picks items by label alone must not take it for the blood's.
    labs = [*(lab[:4] for lab in _LABS), (51478, "Glucose", "Urine", "Hematology")]
    titles = [(one.icd9, 9, one.title) for one in diagnoses] + [
        (one.icd10, 10, one.title) for one in diagnoses
    ]
    items = [(place, lab[0], *lab[4:7]) for place, lab in enumerate(_LABS)]
    codes = [(place, one.icd9, one.icd10) for place, one in enumerate(diagnoses)]
    for name, rows in (("d_labitems", labs), ("d_icd_diagnoses", titles), ("lab", items), ("code", codes)):
        columns = {f"c{place}": np.array(column) for place, column in enumerate(zip(*rows, strict=True))}
        _insert(connection, f"INSERT INTO {name} FROM drawn", columns)


def _insert(connection: Any, query: str, columns: Mapping[str, np.ndarray]) -> None:
    connection.register("drawn", dict(columns))
    try:
        connection.execute(query)
    finally:
        connection.unregister("drawn")


def _times(people: People, who: np.ndarray, day: np.ndarray) -> np.ndarray:
    """Return the shifted times of days since `START`, to the minute."""
    years = np.floor(102.0 + 79.0 * people.extras[0])
    # Whole weeks near a whole number of years: weekday and season stay what they were.
    weeks = np.rint(years * 365.2425 / 7.0).astype(np.int64)[who]
    minutes = np.rint(day * 1440.0).astype(np.int64) + weeks * (7 * 1440)
    return np.asarray(START.astype("datetime64[s]") + minutes.astype("timedelta64[m]"))


def _pick(names: tuple[str | None, ...], draw: np.ndarray) -> np.ndarray:
    return np.array(names, dtype=object)[(draw * len(names)).astype(np.int64)]


def _some(where: np.ndarray, texts: np.ndarray) -> np.ndarray:
    """Return texts, None where `where` is false."""
    found = texts.astype(object)
    found[~where] = None
    return found


def _years(times: np.ndarray) -> np.ndarray:
    return np.asarray(times.astype("datetime64[Y]").astype(np.int64) + 1970)


def _add_patients(connection: Any, people: People, stays: Stays, death: np.ndarray) -> None:
    who, first = np.unique(stays.who, return_index=True)
    last = np.append(first[1:], len(stays.who)) - 1
    columns = stays.columns
    arrives = _times(people, who, columns["start"][first])
    real = _years(START.astype("datetime64[s]") + (columns["start"][first] * 86_400).astype("timedelta64[s]"))
    group = 2008 + (real - 2008) // 3 * 3
    # Deaths are known up to a year after the last discharge.
    known = death[who] <= columns["end"][last] + 365.0
    day = _times(people, who, np.where(known, death[who], 0.0)).astype("datetime64[D]").astype(str)
    drawn = {
        "subject_id": people.patients.subject_id[who],
        "gender": np.where(people.patients.male[who], "M", "F").astype(object),
        "anchor_age": columns["age"][first],
        "anchor_year": _years(arrives),
        "anchor_from": group,
        "dod": _some(known, day),
    }
    _insert(connection, _ADD_PATIENTS, drawn)


def _add_admissions(connection: Any, people: People, stays: Stays, hadm_id: np.ndarray) -> None:
    columns, extras, who = stays.columns, stays.extras, stays.who
    emergency = np.isin(columns["admission_type"], ("EW EMER.", "EU OBSERVATION", "DIRECT EMER."))
    through = emergency & (extras[0] < 0.9)
    arrived = columns["start"] - (20.0 + 400.0 * extras[1]) / 1440.0
    never = np.datetime64("NaT", "s")
    admitted = _times(people, who, columns["start"])
    left = _times(people, who, columns["end"])
    provider = (extras[2] * _PROVIDERS).astype(np.int64)
    fixed = people.extras[:, who]
    drawn = {
        "subject_id": people.patients.subject_id[who],
        "hadm_id": hadm_id,
        "admittime": admitted,
        "dischtime": left,
        "deathtime": np.where(columns["died"], left, never),
        "admission_type": columns["admission_type"],
        "provider": provider,
        "admission_location": np.where(
            through,
            "EMERGENCY ROOM",
            _pick(("PHYSICIAN REFERRAL", "CLINIC REFERRAL", "TRANSFER FROM HOSPITAL"), extras[3]),
        ).astype(object),
        "discharge_location": columns["discharge_location"],
        "insurance": columns["insurance"],
        "language": _pick(_LANGUAGE, fixed[1]),
        "marital_status": _pick(_MARITAL, fixed[2]),
        "race": _pick(_RACE, fixed[3]),
        "edregtime": np.where(through, _times(people, who, arrived), never),
        "edouttime": np.where(through, admitted + np.timedelta64(3600, "s"), never),
        "hospital_expire_flag": columns["died"].astype(np.int64),
    }
    _insert(connection, _ADD_ADMISSIONS, drawn)


def _add_diagnoses(connection: Any, stays: Stays, subject_id: np.ndarray, hadm_id: np.ndarray) -> None:
    place, stay = np.nonzero(stays.coded)
    drawn = {
        "subject_id": subject_id[stay],
        "hadm_id": hadm_id[stay],
        "place": place,
        "chronic": place < len(CHRONIC),
        "version": np.where(stays.columns["end"][stay] < _ICD10_DAY, 9, 10),
    }
    _insert(connection, _ADD_DIAGNOSES, drawn)


def _add_labs(connection: Any, people: People, stays: Stays, hadm_id: np.ndarray) -> None:
    """Add of each lab a result at arrival, one before discharge, and for some one weeks after it."""
    columns, extras = stays.columns, stays.extras
    start, end = columns["start"], columns["end"]
    early = start + (1.0 + 3.0 * extras[5]) / 24.0
    late = np.maximum(end - (0.1 + 0.3 * extras[6]) * (end - start), early + 1.0 / 24.0)
    after = end + 5.0 + 10.0 * extras[6]
    seen_again = (extras[4] < 0.15) & ~columns["died"]
    rows = np.arange(len(start))
    parts: list[tuple[np.ndarray, ...]] = []
    for item, lab in enumerate(_LABS):
        values, decimals = columns[lab[7]], lab[8]
        noise = 1.0 + 0.3 * (extras[7 + item] - 0.5)
        moments = (
            (late, values, ~np.isnan(values), True),
            (early, np.round(values * noise, decimals), ~np.isnan(values) & (end - start > 1.0), True),
            (after, np.round(values / noise, decimals), ~np.isnan(values) & seen_again, False),
        )
        for time, result, there, inside in moments:
            kept = rows[there]
            hadm = np.where(inside & (extras[18][kept] > 0.1), hadm_id[kept], 0)
            parts.append((np.full(len(kept), item), kept, hadm, time[kept], result[kept]))
    place, stay, hadm, time, result = (np.concatenate(column) for column in zip(*parts, strict=True))
    charted = _times(people, stays.who[stay], time)
    waits = np.rint(30.0 + 90.0 * extras[16][stay]).astype(np.int64)
    drawn = {
        "subject_id": people.patients.subject_id[stays.who][stay],
        "hadm_id": hadm,
        "place": place,
        "provider": (extras[19][stay] * _PROVIDERS).astype(np.int64),
        "charttime": charted,
        "storetime": charted + waits.astype("timedelta64[m]"),
        "valuenum": result,
        "stat": extras[17][stay] < 0.5,
    }
    _insert(connection, _ADD_LABS, drawn)


def _copy(connection: Any, name: str, hosp: Path, file_format: Format) -> None:
    path = hosp / f"{name}.{file_format}"
    text = str(path).replace("'", "''")
    options = (
        "FORMAT parquet, COMPRESSION zstd" if file_format == "parquet" else "FORMAT csv, COMPRESSION gzip"
    )
    connection.execute(f"COPY (FROM {name} ORDER BY {_ORDER[name]}) TO '{text}' ({options})")
