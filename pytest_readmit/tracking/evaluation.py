"""What a model's scores on the test rows come to: metrics with intervals, curves, counts, groups."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_readmit.errors import DataError, counted
from pytest_readmit.stats import calibration, fairness, measure, metrics, precision, reliability, roc
from pytest_readmit.stats.effect import Effect, Undefined
from pytest_readmit.stats.predictions import Predictions

if TYPE_CHECKING:
    import pandas as pd

METRICS = (
    "roc_auc",
    "average_precision",
    "brier",
    "log_loss",
    "accuracy",
    "precision",
    "recall",
    "f1",
    "specificity",
    "npv",
    "alert_rate",
)
AT_THRESHOLD = frozenset({"accuracy", "precision", "recall", "f1", "specificity", "npv", "alert_rate"})
OF_GROUPS = ("roc_auc", "brier", "recall", "precision", "specificity", "alert_rate")
_CALIBRATION = {
    "calibration_slope": calibration.slope,
    "calibration_intercept": calibration.intercept,
    "observed_expected": calibration.observed_expected,
}
ALPHA = 0.025
"""Each bound is one-sided at 1 - ALPHA: together they are the two-sided 95% interval."""
MOST_GROUPS = 50
MISSING = "(missing)"


@dataclass(frozen=True, slots=True)
class Measured:
    """
    Metrics of some rows.

    Args:
        values: Name → (estimate, lower, upper).
        undefined: Name → why there is none.
    """

    values: dict[str, tuple[float, float, float]] = field(default_factory=dict)
    undefined: dict[str, str] = field(default_factory=dict)

    def flat(self, prefix: str = "") -> dict[str, float]:
        """Return NAME, NAME_lower and NAME_upper of each."""
        found: dict[str, float] = {}
        for name, triple in self.values.items():
            for end, value in zip(("", "_lower", "_upper"), triple, strict=True):
                found[f"{prefix}{name}{end}"] = value
        return found

    def coarsen(self, names: Iterable[str]) -> None:
        """Leave two digits of these metrics, their bounds included."""
        for name in list(names):
            estimate, lower, upper = (float(f"{value:.2g}") for value in self.values[name])
            self.values[name] = (estimate, lower, upper)


@dataclass(frozen=True, slots=True)
class Groups:
    """
    Metrics by the values of one column.

    Args:
        column: The sensitive column.
        measured: Value → its rows (None where they would tell of a group that is not shown), its metrics.
        hidden: How many values have too few rows to be shown.
    """

    column: str
    measured: dict[str, tuple[int | None, Measured]]
    hidden: int


def outcomes(
    labels: Any, rows: int, positive_label: object, what: str, *, min_cell: int
) -> "np.ndarray[Any, np.dtype[np.bool_]]":
    """
    Return whether each row has the positive label.

    Raises:
        DataError: Labels are missing or more than two, or a class has too few rows to be shown.
    """
    import pandas as pd

    series = pd.Series(np.asarray(labels).ravel() if not isinstance(labels, pd.Series) else labels.to_numpy())
    if len(series) != rows:
        raise DataError(f"{what} has {len(series):,} labels for {rows:,} rows")
    if series.isna().any():
        raise DataError(f"{what}: {counted(int(series.isna().sum()))} labels are missing")
    if series.nunique() > 2:
        raise DataError(f"{what} holds {series.nunique()} labels; two are needed")
    positive = (series == positive_label).to_numpy(dtype=bool)
    events = int(np.count_nonzero(positive))
    for count, said in ((events, "with the positive label"), (rows - events, "without the positive label")):
        if count < min_cell:
            raise DataError(
                f"{what} has fewer than {min_cell} rows {said}: metrics of so few tell of single patients"
            )
    return positive


def check_index(labels: Any, data: "pd.DataFrame", part: str) -> None:
    """
    Hold labels that carry an index to the rows that they are given for.

    Raises:
        DataError: They are those of other rows, or in another order.
    """
    import pandas as pd

    if isinstance(labels, pd.Series) and len(labels) == len(data) and not labels.index.equals(data.index):
        raise DataError(
            f"y_{part} and X_{part} have different indexes: are the labels those of these rows, in order?"
            " If they do, reset both with reset_index(drop=True)"
        )


def scores(
    model: Any, data: "pd.DataFrame", positive_label: object
) -> "np.ndarray[Any, np.dtype[np.float64]]":
    """
    Return the predicted probability of the positive label.

    Raises:
        DataError: The model has none, fails, or gives no probabilities.
    """
    if not callable(getattr(model, "predict_proba", None)) or not hasattr(model, "classes_"):
        raise DataError(
            "the model has no predict_proba or classes_: a fitted scikit-learn classifier is needed"
        )
    classes = list(model.classes_)
    if positive_label not in classes:
        known = ", ".join(repr(getattr(each, "item", lambda each=each: each)()) for each in classes[:5])
        raise DataError(f"positive_label: {positive_label!r} is not among the model's classes ({known})")
    try:
        found = np.asarray(model.predict_proba(data), dtype=np.float64)
    except Exception as error:  # whatever a model raises; its text may hold cells
        raise DataError(f"the model could not score the rows ({type(error).__name__})") from None
    if found.shape != (len(data), len(classes)):
        raise DataError(f"predict_proba gave an array of shape {found.shape} for {len(data):,} rows")
    score: np.ndarray[Any, np.dtype[np.float64]] = found[:, classes.index(positive_label)]
    if not bool(np.all((score >= 0.0) & (score <= 1.0))):
        raise DataError("predict_proba gave values that are not within 0 and 1")
    return score


def measured(
    rows: Predictions, names: Sequence[str], threshold: float, *, min_cell: int, seed: int
) -> Measured:
    """
    Return metrics with their intervals; one that rests on too few rows, or does not exist, says so.

    Where a count at the threshold is too small to be shown, what is computed from it has two digits: with
    more, the count could be worked out.
    """
    found = Measured()
    for name in names:
        if metrics.fewest(name, rows, threshold) < min_cell:
            found.undefined[name] = f"fewer than {min_cell} of the rows or patients that it is counted among"
            continue
        _add(found, name, lambda name=name: metrics.level(name, rows, threshold=threshold, seed=seed))  # type: ignore[misc]
    if None in confusion(rows, threshold, min_cell=min_cell).values():
        found.coarsen(found.values.keys() & AT_THRESHOLD)
    return found


def calibrated(rows: Predictions, found: Measured) -> None:
    """Add slope, intercept and observed over expected."""
    for name, ask in _CALIBRATION.items():
        _add(found, name, lambda ask=ask: measure.level(ask(rows)))  # type: ignore[misc]


def _add(found: Measured, name: str, ask: Callable[[], Effect]) -> None:
    try:
        effect = ask()
        assert effect.bounds is not None  # noqa: S101 - every metric has bounds
        found.values[name] = (effect.estimate, *effect.bounds(ALPHA))
    except Undefined as error:
        found.undefined[name] = str(error)


def check_groups(data: "pd.DataFrame", columns: Sequence[str]) -> None:
    """
    Hold sensitive columns to few values.

    Raises:
        DataError: One has too many.
    """
    for name in columns:
        many = data[name].nunique()
        if many > MOST_GROUPS:
            raise DataError(
                f"sensitive: {name!r} has {many:,} values, more than {MOST_GROUPS}: group them first"
            )


def by_group(
    rows: Predictions, values: "pd.Series[Any]", threshold: float, *, min_cell: int, seed: int
) -> Groups:
    """Return metrics for each value of a column; a value with too few rows or patients is only counted."""
    texts = values.astype(object).where(values.notna(), MISSING).astype(str)
    levels, codes = np.unique(texts.to_numpy(dtype=object), return_inverse=True)
    parts = fairness.by_group(rows, codes, len(levels))
    large = [min(part.n, part.n if part.units is None else part.units) >= min_cell for part in parts]
    hidden = large.count(False)
    rest = sum(part.n for part, enough in zip(parts, large, strict=True) if not enough)
    # What the hidden groups have together is the whole less all others.
    told = hidden == 0 or (hidden > 1 and rest >= min_cell)
    shown = {}
    for level, part, enough in zip(levels, parts, large, strict=True):
        if enough:
            found = measured(part, OF_GROUPS, threshold, min_cell=min_cell, seed=seed)
            if not told:
                found.coarsen(found.values)
            shown[str(level)] = (part.n if told else None, found)
    return Groups(str(values.name), shown, hidden)


def confusion(rows: Predictions, threshold: float, *, min_cell: int) -> dict[str, int | None]:
    """Return the four counts; all None where one is too small, since it is the whole less the others."""
    alert = rows.score >= threshold
    counts = {
        "true_positive": alert & rows.positive,
        "false_positive": alert & ~rows.positive,
        "false_negative": ~alert & rows.positive,
        "true_negative": ~alert & ~rows.positive,
    }
    found = {name: int(np.count_nonzero(where)) for name, where in counts.items()}
    small = any(0 < count < min_cell for count in found.values())
    return {name: None if small else count for name, count in found.items()}


def curves(rows: Predictions, *, min_cell: int) -> dict[str, dict[str, list[float]]]:
    """Return the points of the ROC, precision-recall and calibration curves."""
    area = roc.curve(rows, min_cell=min_cell)
    recall = precision.precision_recall_curve(rows, min_cell=min_cell)
    return {
        "roc_curve": {
            "false_positive_rate": _rounded(area[:, 0]),
            "true_positive_rate": _rounded(area[:, 1]),
        },
        "precision_recall_curve": {"recall": _rounded(recall[:, 0]), "precision": _rounded(recall[:, 1])},
        "calibration": reliability.curve(rows, min_cell=min_cell, alpha=2 * ALPHA),
    }


def _rounded(values: "np.ndarray[Any, Any]") -> list[float]:
    return [round(float(value), 6) for value in values]
