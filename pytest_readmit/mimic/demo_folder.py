"""`readmit demo DIR`: invented patients, two trained models, and the registry that holds them."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_readmit.errors import DataError, MissingExtra

if TYPE_CHECKING:
    from pytest_readmit.mimic.training import Kind, Split

MODEL = "readmission"
PATIENTS = 20_000
FEWEST_PATIENTS = 5_000
UNFINISHED = "UNFINISHED"
SUITE = "promotion.yml"
FIRST = "first-champion.json"
KINDS: Mapping[str, "Kind"] = {"champion": "logistic", "challenger": "boosting"}
_STEPS = 6
_NEEDED = ("mlflow", "sqlalchemy", "alembic", "skops", "filelock")
_UNFIT = "?#%&;\"'\\" if os.name != "nt" else "?#%&;\"'"

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Demo:
    """
    A demo that was built.

    Args:
        folder: Where, in full.
        tracking_uri: Its registry.
        champion: The version that is champion.
        challenger: The version that is not yet.
        rows: Rows of train, reference and current.
    """

    folder: Path
    tracking_uri: str
    champion: str
    challenger: str
    rows: Mapping[str, int]


def build_demo(
    folder: str | os.PathLike[str], *, patients: int = PATIENTS, seed: int = 0, say: Say = lambda _: None
) -> Demo:
    """
    Build tables, cohort, models and registry in a new folder; whatever stops it leaves nothing there.

    Args:
        folder: Must not be there, or be empty.
        patients: How many are invented.
        seed: Which.
        say: Told what is being done.

    Raises:
        DataError: The folder or the number of patients will not do.
        MissingExtra: MLflow is not installed.
    """
    if patients < FEWEST_PATIENTS:
        raise DataError(
            f"--patients {patients}: at least {FEWEST_PATIENTS:,}; with fewer the gates could not tell the "
            "models apart"
        )
    place = _fit(Path(folder))
    if not all(find_spec(name) for name in _NEEDED):
        raise MissingExtra("`readmit demo`", "mlflow")
    try:
        with _new(place):
            return _build(place, patients, seed, say)
    except KeyboardInterrupt:
        say(f"stopped; nothing of the demo is left in {folder}")
        raise
    except OSError as error:
        raise DataError(f"{folder}: the demo could not be written ({error.strerror})") from None


def _build(folder: Path, patients: int, seed: int, say: Say) -> Demo:
    from pytest_readmit.mimic.build import build_cohort
    from pytest_readmit.mimic.tables import write_tables
    from pytest_readmit.mimic.training import fit, read_table, split, write_scored

    step = _counted(say)
    step(f"inventing {patients:,} patients")
    hosp = write_tables(folder, patients=patients, seed=seed, file_format="parquet", say=say)
    step("building the cohort")
    cohort = build_cohort(hosp, folder / "cohort.parquet", say=say)
    step(f"training two models on the cohort of {cohort.rows:,} index admissions")
    parted = split(read_table(cohort.path), seed=seed)
    estimators: dict[str, Any] = {}
    for name, kind in KINDS.items():
        say(f"train: fitting {name} ({kind}) on {len(parted.train):,} rows")
        estimators[name] = fit(kind, parted.train, seed=seed)
    write_scored(parted, estimators, folder, say=say)
    _write_suite(folder / SUITE)
    uri = f"sqlite:///{(folder / 'mlflow.db').as_posix()}"
    step("logging and registering the first model")
    first = _logged(estimators["champion"], parted, "champion", uri, seed, say)
    step("running the gates that make it the first champion")
    _make_first_champion(folder, uri)
    step("logging and registering the challenger")
    second = _logged(estimators["challenger"], parted, "challenger", uri, seed, say)
    return Demo(folder, uri, first, second, {name: len(part) for name, part in parted.parts.items()})


def _counted(say: Say) -> Say:
    numbers = iter(range(1, _STEPS + 1))
    return lambda text: say(f"[{next(numbers)}/{_STEPS}] {text}")


def _fit(folder: Path) -> Path:
    """
    Return the full path of a folder that a demo can be built in.

    Raises:
        DataError: It holds something, is none, or cannot stand in the address of a store.
    """
    place = Path(os.path.abspath(folder))
    if any(each in _UNFIT for each in str(place)):
        raise DataError(
            f"{folder}: the address of a SQLite store cannot hold {' '.join(_UNFIT)}; another name"
        )
    if (place / UNFINISHED).exists():
        raise DataError(
            f"{folder} holds a demo that was stopped before it was whole: delete the folder, then run again"
        )
    if place.exists() and not place.is_dir():
        raise DataError(f"{folder} is a file: name a folder that is not there yet")
    if place.exists() and any(place.iterdir()):
        raise DataError(f"{folder} is not empty: name a folder that is not there yet, or delete it first")
    return place


@contextmanager
def _new(folder: Path) -> Iterator[None]:
    """Make a folder, marked as unfinished until the end; where that is not reached, empty it again."""
    was_there = folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / UNFINISHED).write_text("`readmit demo` has not come to its end; delete this folder.\n")
    except OSError as error:
        raise DataError(f"{folder} cannot be made ({error.strerror})") from None
    try:
        yield
        (folder / UNFINISHED).unlink()
    except BaseException:
        _remove(folder, keep=was_there)
        raise


def _remove(folder: Path, *, keep: bool) -> None:
    # The marker goes last, so that a second Ctrl-C does not leave what looks whole.
    for path in sorted(folder.iterdir(), key=lambda path: path.name == UNFINISHED):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    if not keep:
        shutil.rmtree(folder, ignore_errors=True)


def suite_text() -> str:
    """Return the suite `suites/promotion.yml` as this package holds it."""
    return (files("pytest_readmit.mimic") / SUITE).read_text(encoding="utf-8")


def _write_suite(path: Path) -> None:
    """Write a copy of the suite that finds registry and data beside itself."""
    text = suite_text()
    body = text[text.index("suite: ") :].replace("${DEMO:-../demo}", "${DEMO:-.}")
    head = (
        "# May the challenger take the champion's place? Both out of the registry in this folder, on the\n"
        "# same admissions. A registry on a server: --readmit-set TRACKING_URI=http://127.0.0.1:5000\n"
    )
    path.write_text(head + body, encoding="utf-8")


def _logged(estimator: Any, parted: "Split", name: str, uri: str, seed: int, say: Say) -> str:
    """Log a training run and register its model as challenger; return the version."""
    from pytest_readmit.mimic.retraining import register

    kind = KINDS[name]
    version, _ = register(
        estimator,
        parted,
        tracking_uri=uri,
        model=MODEL,
        kind=kind,
        run_name=f"{name}-{kind}",
        seed=seed,
        say=say,
    )
    return version


def _make_first_champion(folder: Path, uri: str) -> None:
    """Promote the only version by a record of the suite on the earlier years, as any first champion is."""
    from pytest_readmit import record as records
    from pytest_readmit.api import run_suite
    from pytest_readmit.mlops import eligibility
    from pytest_readmit.mlops.commands import who
    from pytest_readmit.mlops.promotion import promote
    from pytest_readmit.mlops.registry import Registry

    result = run_suite(folder / SUITE, data={"current": str(folder / "reference.parquet")})
    records.write(folder / FIRST, dict(result.record))
    found = eligibility.candidate(result.record)
    reasons = eligibility.shortcomings(result.record, found)
    promote(Registry(uri), found, reasons, who=who(None), reason="first champion, by `readmit demo`")


def next_steps(demo: Demo) -> str:
    """Return what to run next, as commands that work in the current folder."""
    here = _from_here(demo.folder)
    at = ["--tracking-uri", f"sqlite:///{(here / 'mlflow.db').as_posix()}"]
    suite, record, report, statement = (
        str(here / name) for name in (SUITE, "record.json", "report.html", "attestation.json")
    )
    readmit, pytest = _program("readmit"), _program("pytest")
    steps = (
        (
            "Run the gates that decide whether the challenger may take the champion's place",
            [
                pytest,
                f"--readmit-suite={suite}",
                f"--readmit-json={record}",
                f"--readmit-report={report}",
                f"--readmit-attestation={statement}",
            ],
        ),
        (
            "Check that record, report, attestation and suite belong together",
            [readmit, "verify", record, "--report", report, "--attestation", statement, "--suite", suite],
        ),
        (
            "Promote on the strength of the record (with --dry-run: only say what would be done)",
            [readmit, "promote", "--record", record, "--suite", suite, "--attestation", statement, *at],
        ),
        ("Read the story of the champions", [readmit, "history", MODEL, "--verify", *at]),
        ("Go back", [readmit, "rollback", MODEL, *at]),
    )
    rows = ", ".join(f"{name} {count:,}" for name, count in demo.rows.items())
    lines = [
        f"{here}: tables, cohort ({rows} rows) and a registry with the model `{MODEL}`:",
        f"  champion    version {demo.champion}, {KINDS['champion']}",
        f"  challenger  version {demo.challenger}, {KINDS['challenger']}",
        "",
        "What to run next:",
    ]
    for number, (why, command) in enumerate(steps, 1):
        lines += ["", f"{number}. {why}:", f"   {_quoted(command)}"]
    return "\n".join(lines)


def _from_here(folder: Path) -> Path:
    """Return a folder as a path from the current one, if it lies below; else in full."""
    here = Path.cwd()
    return folder.relative_to(here) if folder != here and folder.is_relative_to(here) else folder


def _program(name: str) -> str:
    """Return a command's name; its full path where the shell would find another one or none."""
    beside = Path(sys.executable).parent
    own = shutil.which(name, path=str(beside))
    found = shutil.which(name)
    return name if own is None or (found and Path(found).parent == beside) else own


def _quoted(command: Sequence[str]) -> str:
    return subprocess.list2cmdline(command) if os.name == "nt" else shlex.join(command)
