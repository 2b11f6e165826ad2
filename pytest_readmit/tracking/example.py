"""Rows that look like a dataset's and are none of it: each column drawn by itself from its distribution."""

from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_readmit.stats.distribution import OTHER
from pytest_readmit.tracking.datasets import kind_of
from pytest_readmit.tracking.profile import distribution, picture

if TYPE_CHECKING:
    import pandas as pd

ROWS = 5


def synthetic(data: "pd.DataFrame", *, seed: int, min_cell: int, rows: int = ROWS) -> "pd.DataFrame":
    """
    Return rows of the same columns and types.

    Numbers are drawn from bins of at least `min_cell` rows, text from levels of as many, and no two columns
    of a row belong together. Rows are counted, not patients: a level may be one patient's in many rows.
    Where nothing can be shown, the value is missing (0 where the type has no missing value; times are
    2000-01-01).
    """
    import pandas as pd

    draw = np.random.default_rng(seed)
    columns = {name: _drawn(data[name], draw, min_cell, rows) for name in data.columns}
    return pd.DataFrame(columns, columns=list(data.columns))


def _drawn(column: "pd.Series[Any]", draw: np.random.Generator, min_cell: int, rows: int) -> "pd.Series[Any]":
    import pandas as pd

    kind = kind_of(column)
    if kind == "time":
        return pd.Series(pd.Timestamp("2000-01-01", tz=column.dt.tz), index=range(rows)).astype(column.dtype)
    shown = picture(distribution(column), min_cell)
    if kind in ("text", "truth"):
        return _levels(column, shown, draw, rows)
    if shown is None:
        empty = 0 if kind == "whole" else np.nan
        return pd.Series([empty] * rows).astype(column.dtype)
    bins = draw.choice(len(shown["reference"]), size=rows, p=_whole(shown["reference"]))
    low, high = np.array(shown["edges"])[bins], np.array(shown["edges"])[bins + 1]
    values = low + (high - low) * draw.random(rows)
    if kind == "whole" or _is_whole(column):
        values = np.clip(np.round(values), np.ceil(low), np.floor(high))
    least = column.min()
    return pd.Series(np.maximum(values, 0.0) if least >= 0 else values).astype(column.dtype)


def _levels(
    column: "pd.Series[Any]", shown: dict[str, Any] | None, draw: np.random.Generator, rows: int
) -> "pd.Series[Any]":
    import pandas as pd

    shares = {} if shown is None else dict(zip(shown["levels"], shown["reference"], strict=True))
    shares.pop(OTHER, None)
    if kind_of(column) == "truth":
        texts = draw.choice(list(shares), size=rows, p=_whole(list(shares.values()))) if shares else ["False"]
        values: list[object] = [text == "True" for text in texts]
        return pd.Series(values * (rows if not shares else 1)).astype(column.dtype)
    if not shares:
        return pd.Series([np.nan] * rows, dtype=object).astype(column.dtype)
    # A level may be a number in a column of objects: what stands in the data is given back, not its text.
    spelled = {str(level): level for level in column.dropna().unique()}
    chosen = draw.choice(list(shares), size=rows, p=_whole(list(shares.values())))
    return pd.Series([spelled[str(text)] for text in chosen], dtype=object).astype(column.dtype)


def _is_whole(column: "pd.Series[Any]") -> bool:
    known = column.dropna().to_numpy(dtype=np.float64)
    known = known[np.isfinite(known)]
    return bool(np.all(known == np.round(known)))


def _whole(shares: list[float]) -> "np.ndarray[Any, Any]":
    found = np.array(shares, dtype=np.float64)
    return np.asarray(found / found.sum())
