"""One column of a frame: find what it holds, whatever the library calls it."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np

from pytest_readmit.data.table import Codes, Family, Numbers


@dataclass(frozen=True, slots=True, eq=False)
class Parsed:
    """
    A column whose family is known.

    Args:
        family: What it holds.
        held: Numbers, Codes or datetime64[us]; None for values that are none of these.
        note: Something the user should know, such as mixed types.
    """

    family: Family
    held: Any
    note: str | None = None

    def numbers(self) -> Numbers:
        """Return the numbers of a numeric or boolean column."""
        assert isinstance(self.held, Numbers)  # noqa: S101 - the family says so
        return self.held

    def codes(self) -> Codes:
        """Return the codes of a text column."""
        assert isinstance(self.held, Codes)  # noqa: S101 - the family says so
        return self.held

    def times(self) -> np.ndarray:
        """Return the times of a time column."""
        assert isinstance(self.held, np.ndarray)  # noqa: S101 - the family says so
        return self.held


def parse_array(array: np.ndarray) -> Parsed:
    """Parse a numpy array; a masked one is missing where it is masked."""
    mask = np.ma.getmask(array)
    if mask is not np.ma.nomask:
        return _parse_masked(np.ma.getdata(array), np.asarray(mask))
    kind = array.dtype.kind
    if kind in "iu":
        return Parsed("integer", Numbers(array))
    if kind == "f":
        return Parsed("float", Numbers(array.astype(np.float64, copy=False)))
    if kind == "b":
        return Parsed("bool", Numbers(array.astype(np.int8)))
    if kind == "M":
        return Parsed("time", array.astype("datetime64[us]"))
    if kind in "UOT":
        return parse_objects(array.astype(object))
    return Parsed("other", None)


def _parse_masked(data: np.ndarray, mask: np.ndarray) -> Parsed:
    kind = data.dtype.kind
    if kind in "iub":
        whole = Numbers(data.astype(np.int8) if kind == "b" else data, mask if mask.any() else None)
        return Parsed("bool" if kind == "b" else "integer", whole)
    if kind == "f":
        return Parsed("float", Numbers(np.where(mask, np.nan, data.astype(np.float64))))
    if kind == "M":
        return Parsed("time", np.where(mask, np.datetime64("NaT", "us"), data.astype("datetime64[us]")))
    objects = data.astype(object)
    objects[mask] = None
    return parse_objects(objects)


def parse_objects(values: np.ndarray) -> Parsed:
    """
    Parse Python objects: missing are None, NaN, NaT and pandas' NA.

    A column that holds any text is compared as text throughout, so mixed types never clash.
    """
    table: dict[Any, int] = {}
    try:
        keys = np.fromiter(
            (-1 if _is_missing(v) else table.setdefault((type(v), v), len(table)) for v in values),
            dtype=np.int64,
            count=len(values),
        )
    except TypeError:
        # An unhashable value: a list, a dictionary, an array.
        return Parsed("other", None)
    return _parse_distinct([value for _, value in table], keys)


def _parse_distinct(distinct: list[Any], keys: np.ndarray) -> Parsed:
    absent = keys < 0
    if all(isinstance(value, bool | np.bool_) for value in distinct) and distinct:
        whole = np.array([*(int(value) for value in distinct), 0], dtype=np.int8)
        return Parsed("bool", Numbers(whole[keys], absent if absent.any() else None))
    if all(_is_number(value) for value in distinct) and distinct:
        return _parse_numbers(distinct, keys, absent)
    if all(isinstance(value, date | np.datetime64) for value in distinct) and distinct:
        times = np.array(
            [*(_naive(value) for value in distinct), np.datetime64("NaT", "us")], dtype="datetime64[us]"
        )
        return Parsed("time", times[keys])
    if distinct and not any(isinstance(value, str) for value in distinct):
        return Parsed("other", None)
    mixed = any(not isinstance(value, str) for value in distinct)
    note = "holds texts and other values, compared as text" if mixed else None
    return Parsed("text", _codes([_text(value) for value in distinct], keys), note)


def _parse_numbers(distinct: list[Any], keys: np.ndarray, absent: np.ndarray) -> Parsed:
    if all(isinstance(value, int | np.integer) and abs(int(value)) < 2**63 for value in distinct):
        whole = np.array([*(int(value) for value in distinct), 0], dtype=np.int64)
        return Parsed("integer", Numbers(whole[keys], absent if absent.any() else None))
    floats = np.array([*(float(value) for value in distinct), np.nan], dtype=np.float64)
    return Parsed("float", Numbers(floats[keys]))


def _is_missing(value: Any) -> bool:
    if value is None:
        return True
    if isinstance(value, str | int):
        return False
    if type(value).__name__ in ("NAType", "NaTType"):
        return True
    if isinstance(value, float | np.floating):
        return bool(value != value)  # noqa: PLR0124 - NaN alone differs from itself
    if isinstance(value, np.datetime64):
        return bool(np.isnat(value))
    return isinstance(value, Decimal) and value.is_nan()


def _is_number(value: Any) -> bool:
    return isinstance(value, Real | Decimal) and not isinstance(value, bool | np.bool_)


def _naive(value: Any) -> np.datetime64:
    from datetime import UTC

    if isinstance(value, datetime) and value.tzinfo is not None:
        value = value.astimezone(UTC).replace(tzinfo=None)
    return np.datetime64(value, "us")


def _text(value: Any) -> str:
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value)


def _codes(texts: list[str], keys: np.ndarray) -> Codes:
    """Return codes over sorted distinct texts for keys into `texts`, -1 where missing."""
    levels = tuple(sorted(set(texts)))
    rank = {level: position for position, level in enumerate(levels)}
    order = np.array([*(rank[text] for text in texts), -1], dtype=np.int64)
    return Codes(order[keys], levels)


def parse_series(series: Any) -> Parsed:
    """Parse a pandas series of any dtype: numpy, nullable, categorical, Arrow or object."""
    import pandas as pd
    from pandas.api import types

    dtype = series.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return _parse_categorical(series)
    if types.is_bool_dtype(dtype):
        return _parse_masked(series.to_numpy(dtype=bool, na_value=False), series.isna().to_numpy())
    if types.is_integer_dtype(dtype):
        return _parse_integers(series)
    if types.is_numeric_dtype(dtype) and not types.is_complex_dtype(dtype):
        return Parsed("float", Numbers(series.to_numpy(dtype=np.float64, na_value=np.nan)))
    if types.is_datetime64_any_dtype(dtype):
        return Parsed("time", _naive_times(series))
    if isinstance(dtype, pd.PeriodDtype):
        return Parsed("time", series.dt.to_timestamp().to_numpy().astype("datetime64[us]"))
    if types.is_string_dtype(dtype) and not types.is_object_dtype(dtype):
        keys, distinct = pd.factorize(series, use_na_sentinel=True)
        return Parsed("text", _codes([str(text) for text in distinct], keys.astype(np.int64)))
    if types.is_timedelta64_dtype(dtype) or types.is_complex_dtype(dtype):
        return Parsed("other", None)
    return parse_objects(series.to_numpy(dtype=object))


def _parse_integers(series: Any) -> Parsed:
    missing = series.isna().to_numpy()
    unsigned = "uint64" in str(series.dtype).lower()
    whole = series.to_numpy(dtype=np.uint64 if unsigned else np.int64, na_value=0)
    return Parsed("integer", Numbers(whole, missing if missing.any() else None))


def _parse_categorical(series: Any) -> Parsed:
    """Use the levels that occur: a declared level without rows is no observation."""
    inner = parse_objects(series.cat.categories.to_numpy(dtype=object))
    keys = series.cat.codes.to_numpy().astype(np.int64)
    seen = np.unique(keys[keys >= 0])
    if inner.family == "other":
        return inner
    texts = [_text(value) for value in series.cat.categories]
    place = np.full(len(texts) + 1, -1, dtype=np.int64)
    place[seen] = np.arange(len(seen))
    return Parsed("text", _codes([texts[i] for i in seen], place[keys]))


def _naive_times(series: Any) -> np.ndarray:
    import pandas as pd

    if isinstance(series.dtype, pd.ArrowDtype):
        import pyarrow as pa

        # Arrow holds zoned times as UTC already, and dates as days.
        series = series.astype(pd.ArrowDtype(pa.timestamp("us")))
    elif series.dt.tz is not None:
        series = series.dt.tz_convert("UTC").dt.tz_localize(None)
    times: np.ndarray = series.to_numpy(dtype="datetime64[us]")
    return times
