"""Build the modelling table of 30-day readmission from a folder of MIMIC-IV `hosp` tables."""

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from pytest_readmit.errors import DataError, did_you_mean
from pytest_readmit.mimic import charlson

SUFFIXES = (".parquet", ".csv.gz", ".csv")
NEEDED = {
    "patients": ("subject_id", "gender", "anchor_age", "anchor_year", "anchor_year_group"),
    "admissions": (
        "subject_id",
        "hadm_id",
        "admittime",
        "dischtime",
        "edregtime",
        "admission_type",
        "discharge_location",
        "insurance",
        "hospital_expire_flag",
    ),
    "diagnoses_icd": ("hadm_id", "icd_code", "icd_version"),
    "labevents": ("labevent_id", "subject_id", "itemid", "charttime", "storetime", "valuenum"),
    "d_labitems": ("itemid", "label", "fluid", "category"),
}
_STEP = "-- step: "

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Step:
    """
    What is left after one step.

    Args:
        name: What the rows left have in common.
        rows: Admissions left.
        readmitted: Of these, followed by another admission within 30 days; by an unplanned one in the
            last step.
    """

    name: str
    rows: int
    readmitted: int


@dataclass(frozen=True, slots=True)
class Cohort:
    """
    A modelling table that was built.

    Args:
        path: Its Parquet file.
        flow: From all admissions to the index admissions, step by step.
    """

    path: Path
    flow: tuple[Step, ...]

    @property
    def rows(self) -> int:
        """Index admissions."""
        return self.flow[-1].rows

    @property
    def readmitted(self) -> int:
        """Index admissions that were followed by an unplanned admission within 30 days."""
        return self.flow[-1].readmitted


def build_cohort(
    hosp: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    last_year: int | None = None,
    say: Say = lambda _: None,
) -> Cohort:
    """
    Build the modelling table and write it as Parquet, rows ordered by patient and time.

    Args:
        hosp: The folder with the tables, or the folder that holds it: `NAME.parquet`, `.csv.gz` or `.csv`.
        out: The file to write; an older one is replaced once the new one is whole.
        last_year: Last real year in which admissions were recorded. Default: the latest that the data
            surely reach, by the patients' groups of years.
        say: Told what is being done.

    Raises:
        DataError: A table or column is missing, a value cannot be read, or an admission is there twice.
    """
    import duckdb

    found = find_tables(Path(hosp))
    with _connection() as connection:
        try:
            for name, path in found.items():
                _open_table(connection, name, path)
            _refuse_repeats(connection)
            _settings(connection, last_year)
            for name, text in script():
                say(f"cohort: {name}")
                connection.execute(text)
            say("cohort: writing")
            _write(connection, "cohort", Path(out))
            rows = connection.execute("SELECT step, rows, readmitted FROM flow").fetchall()
        except duckdb.Error as error:
            # Its text may quote cells.
            raise DataError(
                f"the tables in {hosp} could not be read as those of MIMIC-IV ({type(error).__name__})"
            ) from None
    return Cohort(Path(out), tuple(Step(*row) for row in rows))


def find_tables(folder: Path) -> dict[str, Path]:
    """
    Return the file of each table that the cohort needs.

    Raises:
        DataError: The folder or a table is not there.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder; name the folder `hosp` of MIMIC-IV")
    inner = folder / "hosp"
    if _file(folder, "admissions") is None and inner.is_dir():
        folder = inner
    found = {name: _file(folder, name) for name in NEEDED}
    absent = [name for name, path in found.items() if path is None]
    if absent:
        raise DataError(
            f"{folder} lacks the table{'s' * (len(absent) > 1)} {', '.join(absent)} "
            f"(each as NAME{', NAME'.join(SUFFIXES)})"
        )
    return {name: path for name, path in found.items() if path is not None}


def _file(folder: Path, name: str) -> Path | None:
    paths = (folder / f"{name}{suffix}" for suffix in SUFFIXES)
    return next((path for path in paths if path.is_file()), None)


def script() -> list[tuple[str, str]]:
    """Return the steps of `cohort.sql` in order: name and statements."""
    text = files("pytest_readmit.mimic").joinpath("cohort.sql").read_text(encoding="utf-8")
    parts = text.split(_STEP)[1:]
    return [(part.partition("\n")[0], part.partition("\n")[2]) for part in parts]


@contextlib.contextmanager
def _connection() -> Iterator[Any]:
    """Open a private database that spills to a private folder."""
    import duckdb

    with tempfile.TemporaryDirectory(prefix="readmit-") as folder:
        connection = duckdb.connect(
            ":memory:", config={"temp_directory": folder, "autoinstall_known_extensions": "false"}
        )
        try:
            yield connection
        finally:
            connection.close()


def _open_table(connection: Any, name: str, path: Path) -> None:
    """Make a file readable under the name of its table; CSV as text, as the script casts by itself."""
    source = _literal(str(path))
    if path.suffix == ".parquet":
        reader = f"read_parquet({source})"
    else:
        reader = f"read_csv({source}, header=true, all_varchar=true, delim=',', quote='\"', escape='\"')"
    connection.execute(f"CREATE VIEW {name} AS SELECT * FROM {reader}")  # noqa: S608 (a known name)
    described = connection.execute(f"DESCRIBE {name}").fetchall()
    there = [row[0] for row in described]
    absent = [f"{column!r}{did_you_mean(column, there)}" for column in NEEDED[name] if column not in there]
    if absent:
        raise DataError(f"{path} lacks the column{'s' * (len(absent) > 1)} {'; '.join(absent)}")


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _settings(connection: Any, last_year: int | None) -> None:
    connection.execute("CREATE TABLE settings AS SELECT CAST($1 AS BIGINT) AS last_year", [last_year])
    names = ("family", "weight", "version", "first", "last")
    columns = zip(*charlson.ranges(), strict=True)
    arrays = {name: np.array(column) for name, column in zip(names, columns, strict=True)}
    connection.register("ranges", arrays)
    connection.execute("CREATE TABLE charlson_codes AS FROM ranges")
    connection.unregister("ranges")


def _refuse_repeats(connection: Any) -> None:
    for name, key in (("admissions", "hadm_id"), ("patients", "subject_id")):
        query = f"SELECT count({key}) > count(DISTINCT {key}) FROM {name}"  # noqa: S608 (known names)
        if connection.execute(query).fetchall()[0][0]:
            raise DataError(f"the table {name} holds the same {key} more than once")


def _write(connection: Any, table: str, path: Path) -> None:
    """Write a table as Parquet beside its place, then put it there."""
    if not path.parent.is_dir():
        raise DataError(f"{path.parent} is not a folder")
    part = path.with_name(f".{path.name}.part")
    try:
        connection.execute(f"COPY {table} TO {_literal(str(part))} (FORMAT parquet, COMPRESSION zstd)")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def flow_text(flow: Sequence[Step]) -> str:
    """Return the flow as a table for people."""
    width = max(len(step.name) for step in flow)
    lines = [f"{'':{width}}  {'rows':>9}  {'left out':>9}  {'readmitted':>10}"]
    before = flow[0].rows
    for step in flow:
        left_out = before - step.rows
        lines.append(f"{step.name:{width}}  {step.rows:>9,}  {left_out:>9,}  {step.readmitted:>10,}")
        before = step.rows
    return "\n".join(lines)
