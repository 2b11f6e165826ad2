"""Train models of 30-day readmission on the modelling table, and score what they have not seen."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from pytest_readmit.errors import DataError, MissingExtra, did_you_mean
from pytest_readmit.mimic.cohort import uniforms

if TYPE_CHECKING:
    import pandas as pd

NUMERICAL = (
    "age",
    "los_days",
    "prior_admissions",
    "diagnosis_count",
    "comorbidity_index",
    "glucose",
    "creatinine",
    "urea_nitrogen",
    "haemoglobin",
    "sodium",
    "potassium",
    "white_cells",
    "platelets",
    "lactate",
)
CATEGORICAL = ("sex", "insurance", "admission_type", "discharge_location")
FEATURES = (*NUMERICAL, *CATEGORICAL)
TARGET = "readmitted_30d"
_OTHERS = ("subject_id", "admittime", "dischtime", "year")

Kind = Literal["logistic", "boosting"]
Format = Literal["joblib", "skops"]
KINDS: tuple[Kind, ...] = ("logistic", "boosting")
DEFAULT_MODELS: Mapping[str, Kind] = {"champion": "logistic", "challenger": "boosting"}


@dataclass(frozen=True, slots=True)
class Split:
    """
    Rows of a modelling table, parted by patient and by time.

    Args:
        train: Stays of the training patients whose outcome was known before `cutoff_year`.
        reference: Stays of the other patients before it.
        current: Stays of these other patients from it on.
        left_out: Stays of the training patients whose outcome was known only later.
        cutoff_year: First year of `current`.
    """

    train: "pd.DataFrame"
    reference: "pd.DataFrame"
    current: "pd.DataFrame"
    left_out: int
    cutoff_year: int

    @property
    def parts(self) -> "dict[str, pd.DataFrame]":
        """The three tables by name."""
        return {"train": self.train, "reference": self.reference, "current": self.current}


@dataclass(frozen=True, slots=True)
class Training:
    """
    What a training run left behind.

    Args:
        models: File of each model.
        datasets: Parquet files `train`, `reference` and `current`, with a column `risk_NAME` of each model.
        rows: Rows of each dataset, and `left_out`.
        cutoff_year: First year of `current`.
        parameters: What the run was asked for, flat.
        estimators: The fitted pipelines.
    """

    models: Mapping[str, Path]
    datasets: Mapping[str, Path]
    rows: Mapping[str, int]
    cutoff_year: int
    parameters: Mapping[str, str | int | float]
    estimators: Mapping[str, Any]


def train(
    table: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    models: Mapping[str, Kind] = DEFAULT_MODELS,
    cutoff_year: int | None = None,
    holdout: float = 0.4,
    seed: int = 0,
    file_format: Format = "joblib",
    say: Callable[[str], None] = lambda _: None,
) -> Training:
    """
    Fit models on a modelling table and write them and the scored datasets into a folder.

    Args:
        table: What `build_cohort` wrote.
        folder: Made if it is not there.
        models: Kind of each model by name.
        cutoff_year: See `split`.
        holdout: See `split`.
        seed: Of the choice of patients and of the models.
        file_format: ``joblib``, or ``skops``, which needs no trust to be loaded but an extra.
        say: Told what is being done.

    Raises:
        DataError: The table is none of these, or a part of it cannot be trained on or measured.
        MissingExtra: skops is not installed.
    """
    folder = Path(folder)
    save = _saver(file_format)
    parted = split(read_table(table), cutoff_year=cutoff_year, holdout=holdout, seed=seed)
    make_folder(folder)
    files: dict[str, Path] = {}
    estimators: dict[str, Any] = {}
    for name, kind in models.items():
        say(f"train: fitting {name} ({kind}) on {len(parted.train):,} rows")
        estimators[name] = fit(kind, parted.train, seed=seed)
        files[name] = folder / f"{name}.{file_format}"
        save(estimators[name], files[name])
    datasets = write_scored(parted, estimators, folder, say=say)
    return Training(
        models=files,
        datasets=datasets,
        rows={part: len(frame) for part, frame in parted.parts.items()} | {"left_out": parted.left_out},
        cutoff_year=parted.cutoff_year,
        parameters={
            "seed": seed,
            "holdout": holdout,
            "cutoff_year": parted.cutoff_year,
            **{f"kind_{name}": kind for name, kind in models.items()},
        },
        estimators=estimators,
    )


def write_scored(
    parted: Split, estimators: Mapping[str, Any], folder: Path, *, say: Callable[[str], None] = lambda _: None
) -> dict[str, Path]:
    """Write each part as ``PART.parquet`` with a column ``risk_NAME`` of each model; return the files."""
    datasets: dict[str, Path] = {}
    for part, frame in parted.parts.items():
        say(f"train: scoring {part}, {len(frame):,} rows")
        datasets[part] = folder / f"{part}.parquet"
        scores = {f"risk_{name}": risk(estimator, frame) for name, estimator in estimators.items()}
        _write(frame.assign(**scores), datasets[part])
    return datasets


def read_table(path: str | os.PathLike[str]) -> "pd.DataFrame":
    """
    Return a modelling table.

    Raises:
        DataError: It is not there, is no Parquet file or lacks a column.
    """
    import duckdb

    if not Path(path).is_file():
        raise DataError(f"{path} is not there")
    try:
        with duckdb.connect(":memory:") as connection:
            frame: pd.DataFrame = connection.execute("SELECT * FROM read_parquet($1)", [str(path)]).df()
    except duckdb.Error as error:
        raise DataError(f"{path} could not be read as Parquet ({type(error).__name__})") from None
    needed = (*_OTHERS, *FEATURES, TARGET)
    absent = [f"{name!r}{did_you_mean(name, frame.columns)}" for name in needed if name not in frame]
    if absent:
        raise DataError(f"{path} is no modelling table: it lacks {'; '.join(absent)}")
    for name in CATEGORICAL:
        # One way to be missing, and the one that a model is given later.
        frame[name] = frame[name].astype(object).where(frame[name].notna(), np.nan)
    return frame


def split(
    frame: "pd.DataFrame", *, cutoff_year: int | None = None, holdout: float = 0.4, seed: int = 0
) -> Split:
    """
    Part a modelling table by patient and by time.

    Patients are parted by lot, so that who is tested depends neither on history nor on outcome. No patient
    is trained on and tested; nothing is trained on that was not known when the current period began; and
    both test periods are of patients whom no model has seen.

    Args:
        frame: A modelling table.
        cutoff_year: First year of the current period. Default: the earliest with at least half of the rows
            before it.
        holdout: Share of the patients that are tested, above 0 and below 1.
        seed: Which patients.

    Raises:
        DataError: A part is empty or holds one class only.
    """
    import pandas as pd

    if not 0.0 < holdout < 1.0:
        raise DataError(f"holdout: {holdout} is not above 0 and below 1")
    if not len(frame):
        raise DataError("the modelling table has no rows")
    year = frame["year"].to_numpy(dtype=np.int64)
    cutoff = cutoff_year if cutoff_year is not None else _half(year)
    patients, who = np.unique(frame["subject_id"].to_numpy(), return_inverse=True)
    held = (uniforms(np.random.PCG64(seed), (len(patients),)) < holdout)[who]
    known = frame["dischtime"] + pd.Timedelta(days=30)
    known_year = year + (known.dt.year - frame["admittime"].dt.year).to_numpy()
    parts = {
        "train": frame[~held & (known_year < cutoff)],
        "reference": frame[held & (year < cutoff)],
        "current": frame[held & (year >= cutoff)],
    }
    for name, part in parts.items():
        if part[TARGET].nunique() < 2:
            raise DataError(
                f"{name} (cutoff year {cutoff}) holds no rows of both outcomes; "
                f"there are rows of the years {year.min()} to {year.max()}"
            )
    left_out = int(np.count_nonzero(~held & (known_year >= cutoff)))
    return Split(
        train=parts["train"].reset_index(drop=True),
        reference=parts["reference"].reset_index(drop=True),
        current=parts["current"].reset_index(drop=True),
        left_out=left_out,
        cutoff_year=cutoff,
    )


def _half(year: np.ndarray) -> int:
    years = np.unique(year)
    before = np.searchsorted(np.sort(year), years)
    place = int(np.searchsorted(before, len(year) / 2))
    return int(years[min(place, len(years) - 1)])


def fit(kind: Kind, frame: "pd.DataFrame", *, seed: int = 0) -> Any:
    """Return a scikit-learn pipeline fitted on the features of a modelling table."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    build = {"logistic": _logistic, "boosting": _boosting}
    pipeline = build[kind](seed)
    # On a busy machine the threads of tables this small wait for each other most of the time.
    with threadpool_limits(limits=1):
        return pipeline.fit(frame[list(FEATURES)], frame[TARGET])


def risk(estimator: Any, frame: "pd.DataFrame") -> np.ndarray:
    """Return the predicted probability of readmission, shape (rows,)."""
    from threadpoolctl import threadpool_limits

    place = int(np.flatnonzero(estimator.classes_ == 1)[0])
    with threadpool_limits(limits=1):
        return np.asarray(estimator.predict_proba(frame[list(FEATURES)])[:, place])


def _logistic(seed: int) -> Any:
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numbers = make_pipeline(
        # Who lacks every value of a lab in a small cohort is no reason to drop the column.
        SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True),
        StandardScaler(),
    )
    levels = OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=20)
    prepare = ColumnTransformer(
        [("numbers", numbers, list(NUMERICAL)), ("levels", levels, list(CATEGORICAL))]
    )
    return make_pipeline(prepare, LogisticRegression(C=0.1, max_iter=1000, random_state=seed))


def _boosting(seed: int) -> Any:
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder

    levels = OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=np.nan, encoded_missing_value=np.nan
    )
    prepare = ColumnTransformer(
        [
            ("levels", levels, list(CATEGORICAL)),
            ("numbers", "passthrough", list(NUMERICAL)),
        ]
    )
    model = HistGradientBoostingClassifier(
        learning_rate=0.08,
        max_iter=80,
        max_leaf_nodes=8,
        min_samples_leaf=40,
        categorical_features=list(range(len(CATEGORICAL))),
        early_stopping=False,
        random_state=seed,
    )
    return make_pipeline(prepare, model)


def evaluate(folder: str | os.PathLike[str]) -> "pd.DataFrame":
    """
    Return the metrics of each model on each dataset of a training run, one a row.

    Raises:
        DataError: The folder holds no datasets of a training run.
    """
    import pandas as pd
    from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

    rows: list[dict[str, object]] = []
    for part in ("train", "reference", "current"):
        frame = read_table(Path(folder) / f"{part}.parquet")
        label = frame[TARGET].to_numpy()
        for column in frame.columns:
            if not column.startswith("risk_"):
                continue
            score = frame[column].to_numpy()
            rows.append(
                {
                    "dataset": part,
                    "model": column.removeprefix("risk_"),
                    "rows": len(label),
                    "prevalence": label.mean(),
                    "roc_auc": roc_auc_score(label, score),
                    "average_precision": average_precision_score(label, score),
                    "brier": brier_score_loss(label, score),
                    "log_loss": log_loss(label, score),
                }
            )
    return pd.DataFrame(rows)


def _saver(file_format: Format) -> Callable[[Any, Path], Any]:
    if file_format == "joblib":
        import joblib

        return joblib.dump  # type: ignore[no-any-return]
    try:
        import skops.io
    except ImportError:
        raise MissingExtra("saving a model as .skops", "skops") from None
    return skops.io.dump  # type: ignore[no-any-return]


def make_folder(folder: Path) -> None:
    """
    Make a folder if it is not there.

    Raises:
        DataError: It cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{folder} cannot be made ({type(error).__name__})") from None


def _write(frame: "pd.DataFrame", path: Path) -> None:
    import duckdb

    with duckdb.connect(":memory:") as connection:
        connection.register("scored", frame)
        text = str(path).replace("'", "''")
        connection.execute(f"COPY scored TO '{text}' (FORMAT parquet, COMPRESSION zstd)")
