"""A dataset's profile as a page: each column's distribution, no cell and no small count."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup

from pytest_readmit.errors import MIN_CELL, DataError, did_you_mean
from pytest_readmit.report.words import figure, percent
from pytest_readmit.stats import histogram
from pytest_readmit.stats.distribution import OTHER, Distribution
from pytest_readmit.tracking import pictures
from pytest_readmit.tracking.datasets import checked, kind_of, log_dataset
from pytest_readmit.tracking.store import Run, checked_names, opened, written

if TYPE_CHECKING:
    import pandas as pd

_SAID = {
    "truth": "true or false",
    "whole": "whole numbers",
    "number": "numbers",
    "time": "times",
    "text": "text",
}


def log_dataset_profile(
    data: "pd.DataFrame",
    name: str = "dataset",
    *,
    tracking_uri: str,
    run_id: str,
    ignore: Sequence[str] = (),
    min_cell: int = MIN_CELL,
) -> str:
    """
    Log a dataset to a run: a page of its columns, the parameters NAME_rows and NAME_columns, its digest.

    Args:
        data: The dataset.
        name: Its name.
        tracking_uri: The store.
        run_id: The run.
        ignore: Columns that are not drawn: identifiers of patients and stays.
        min_cell: Counts of rows above zero and below this are not shown.

    Returns:
        The digest of the content, ``sha256:…``.

    Raises:
        DataError: It is no data frame, is too small, or the store cannot be reached.
        MissingExtra: MLflow is not installed.
    """
    data = checked(data, name)
    known_columns(data, ignore, name, "ignore")
    client = opened(tracking_uri)
    found = written("the run", lambda: client.get_run(run_id))
    run = Run(client, run_id, str(found.info.experiment_id), tracking_uri)
    log_profile(run, data, name, ignore=ignore, min_cell=min_cell)
    return log_dataset(run, data, name, name)


def known_columns(data: "pd.DataFrame", names: Sequence[str], what: str, where: str) -> None:
    """
    Hold names to columns that are there.

    Raises:
        DataError: One is not.
    """
    for name in names:
        if name not in data:
            raise DataError(f"{where}: {what} has no column {name!r}{did_you_mean(name, data.columns)}")


def log_profile(run: Run, data: "pd.DataFrame", name: str, *, ignore: Sequence[str], min_cell: int) -> None:
    """Log the page and the parameters of a dataset."""
    checked_names([name], "the name of the dataset")
    if len(data) < min_cell:
        raise DataError(f"{name} has fewer than {min_cell} rows: nothing of it can be shown")
    run.params({f"{name}_rows": len(data), f"{name}_columns": data.shape[1]})
    run.text(profile(data, name, ignore=ignore, min_cell=min_cell), f"{name}_profile.html")


def profile(data: "pd.DataFrame", name: str, *, ignore: Sequence[str] = (), min_cell: int = MIN_CELL) -> str:
    """Return the page of a dataset's columns, those of `ignore` left out."""
    drawn = [column for column in data.columns if column not in ignore]
    lead = f"{len(data):,} rows, {data.shape[1]:,} columns. Counts from 1 to {min_cell - 1} are not shown."
    if len(drawn) < data.shape[1]:
        lead += f" Identifiers are not drawn ({data.shape[1] - len(drawn)} of the columns)."
    sections = [_section(column, data[column], min_cell) for column in drawn]
    return pictures.page(f"Profile of {name}", lead, sections)


def distribution(column: "pd.Series[Any]") -> Distribution | None:
    """Return a column's distribution: text for truth values, finite values for numbers; None for times."""
    kind = kind_of(column)
    known = column[column.notna()]
    missing = len(column) - len(known)
    if kind == "time":
        return None
    if kind in ("text", "truth"):
        counts = known.astype(str).value_counts()
        return Distribution.of_levels(
            [str(level) for level in counts.index], counts.to_numpy(), missing=missing
        )
    values = known.to_numpy(dtype=np.float64)
    finite = values[np.isfinite(values)]
    return Distribution.of_numbers(finite, missing=len(column) - len(finite))


def picture(found: Distribution | None, min_cell: int) -> dict[str, Any] | None:
    """Return the shares of a column's bins or levels; None where they cannot be shown."""
    if found is None or found.n < min_cell:
        return None
    return histogram.picture(found, found, min_cell)


def _section(name: str, column: "pd.Series[Any]", min_cell: int) -> Markup:
    found = distribution(column)
    known = int(column.notna().sum()) if found is None else found.n
    facts = [f"{_SAID[kind_of(column)]}; {_missing(known, len(column), min_cell)}"]
    if found is not None and not found.is_text and _may_be_averaged(found, min_cell):
        facts.append(f"mean {figure(found.mean())}, standard deviation {figure(found.sd())}")
    shown = picture(found, min_cell)
    if shown is None or shown.get("levels") == [OTHER]:
        why = "times are not drawn" if found is None else f"no value has {min_cell} rows or more"
        return pictures.section(name, note="; ".join([*facts, why]))
    drawn = pictures.distribution(shown, f"Distribution of {name}")
    return pictures.section(name, drawn, note="; ".join(facts))


def _missing(known: int, rows: int, min_cell: int) -> str:
    for count, what in ((rows - known, "without a value"), (known, "with a value")):
        if 0 < count < min_cell:
            return f"fewer than {min_cell} rows {what}"
    return (
        f"{percent((rows - known) / rows)} of rows without a value" if rows > known else "no value is missing"
    )


def _may_be_averaged(found: Distribution, min_cell: int) -> bool:
    """Whether a mean tells no small count: of two values it tells how often each occurs."""
    if found.n < min_cell:
        return False
    values, counts = found.distinct()
    return len(values) > 2 or bool(np.all(counts >= min_cell))
