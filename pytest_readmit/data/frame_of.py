"""Columns of a dataset as the pandas frame that a model takes, of the types that pandas would give them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from pytest_readmit.data.store import Rows
from pytest_readmit.data.table import Codes, Numbers
from pytest_readmit.errors import DataError

if TYPE_CHECKING:
    import pandas as pd


def frame_of(rows: Rows, names: Sequence[str]) -> "pd.DataFrame":
    """
    Return columns of the kept rows.

    Whole numbers stay whole (float64 with NaN where some are missing), truth values are bool (objects
    where some are missing), text is pandas' own text type, times are datetime64 without a zone.

    Args:
        rows: The rows.
        names: Columns that are there, in the order wanted.

    Raises:
        DataError: A column holds nested values.
    """
    import pandas as pd

    return pd.DataFrame({name: _values(rows, name) for name in names}, columns=list(names))


def spread(rows: Rows, values: np.ndarray) -> np.ndarray:
    """Return a value for every row of the table, NaN where `where` or `matured` left the row out."""
    if rows.keep is None:
        return values
    whole = np.full(len(rows.keep), np.nan)
    whole[rows.keep] = values
    return whole


def _values(rows: Rows, name: str) -> np.ndarray:
    table = rows.store.table
    family = table.family(name)
    if family == "other":
        raise DataError(f"{table.shown}: column {name!r} holds nested values; no model takes them")
    if family == "time":
        times = table.times(name)
        return times if rows.keep is None else times[rows.keep]
    if family == "text":
        return _texts(rows.codes(name))
    numbers = rows.store.numbers(name)
    if rows.keep is not None:
        missing = None if numbers.missing is None else numbers.missing[rows.keep]
        numbers = Numbers(numbers.values[rows.keep], missing)
    return _truths(numbers) if family == "bool" else _numbers(numbers)


def _texts(codes: Codes) -> np.ndarray:
    levels = np.array([*codes.levels, np.nan], dtype=object)
    return np.asarray(levels[codes.codes])


def _truths(numbers: Numbers) -> np.ndarray:
    truths = numbers.values.astype(bool)
    absent = numbers.absent
    if not absent.any():
        return truths
    objects = truths.astype(object)
    objects[absent] = np.nan
    return objects


def _numbers(numbers: Numbers) -> np.ndarray:
    if numbers.missing is not None and numbers.missing.any():
        return numbers.floats()
    return numbers.values
