"""A data frame's content digest, and its record in an MLflow run."""

import hashlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_readmit.errors import DataError
from pytest_readmit.tracking.store import Run, written

if TYPE_CHECKING:
    import pandas as pd

_DIGITS = 32
"""MLflow keeps at most 36 characters of a dataset's digest."""
_MOST_SCHEMA = 60_000


def checked(data: Any, what: str) -> "pd.DataFrame":
    """
    Return a data frame.

    Raises:
        DataError: It is none, or its columns have no names or one name twice.
    """
    import pandas as pd

    if not isinstance(data, pd.DataFrame):
        raise DataError(f"{what} must be a pandas DataFrame with named columns, not {type(data).__name__}")
    odd = [name for name in list[object](data.columns) if not isinstance(name, str)]
    if odd:
        raise DataError(f"{what}: the column {odd[0]!r} has no text for a name")
    twice = data.columns[data.columns.duplicated()]
    if len(twice):
        raise DataError(f"{what}: two columns are named {twice[0]!r}")
    return data


def content_digest(data: "pd.DataFrame") -> str:
    """
    Return ``sha256:…`` of every cell in order, with names and kinds of the columns; the index is not part.

    The same rows give the same digest whatever made them: text as `object`, `str` or `category`, times of
    any resolution (to the microsecond), missing values of any spelling.
    """
    total = hashlib.sha256(f"{len(data)} rows\n".encode())
    for name in data.columns:
        kind, missing, parts = _content(data[name])
        column = hashlib.sha256(np.packbits(missing).tobytes())
        for part in parts:
            column.update(part)
        total.update(f"{json.dumps(name)} {kind} {column.hexdigest()}\n".encode())
    return f"sha256:{total.hexdigest()}"


def kind_of(column: "pd.Series[Any]") -> str:
    """Return what a column holds: truth, whole, number, time or text."""
    import pandas as pd

    types = pd.api.types
    if types.is_bool_dtype(column.dtype):
        return "truth"
    if types.is_integer_dtype(column.dtype):
        return "whole"
    if types.is_float_dtype(column.dtype):
        return "number"
    return "time" if types.is_datetime64_any_dtype(column.dtype) else "text"


def _content(column: "pd.Series[Any]") -> tuple[str, np.ndarray, list[bytes]]:
    import pandas as pd

    kind = kind_of(column)
    missing = column.isna().to_numpy()
    if kind == "text":
        codes, levels = pd.factorize(column)
        told = b"".join(_spelled(level) for level in levels)
        return kind, missing, [codes.astype("<i8").tobytes(), told]
    if kind == "time":
        times = column if column.dt.tz is None else column.dt.tz_convert("UTC").dt.tz_localize(None)
        values = times.to_numpy().astype("datetime64[us]").astype("<i8")
    elif kind == "number":
        values = column.to_numpy(dtype="<f8", na_value=np.nan) + 0.0  # one zero, not two
    else:
        values = column.fillna(0).to_numpy(dtype="<u8" if str(column.dtype).lower() == "uint64" else "<i8")
    return kind, missing, [np.where(missing, 0, values).tobytes()]


def _spelled(level: object) -> bytes:
    text = level if isinstance(level, str) else f"\0{type(level).__name__} {level}"
    written_out = text.encode("utf-8", "surrogatepass")
    return f"{len(written_out)}:".encode() + written_out


def log_dataset(run: Run, data: "pd.DataFrame", name: str, context: str) -> str:
    """Record a dataset in a run by its content digest, which is returned."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    digest = content_digest(data)
    schema = json.dumps([{"name": column, "kind": kind_of(data[column])} for column in data.columns])
    facts = {"num_rows": len(data), "num_elements": data.size, "sha256": digest.removeprefix("sha256:")}
    dataset = Dataset(
        name=name,
        digest=short(digest),
        source_type="code",
        source=json.dumps({"tags": {"readmit.digest": digest}}),
        schema=schema if len(schema) <= _MOST_SCHEMA else None,
        profile=json.dumps(facts),
    )
    tags = [InputTag("mlflow.data.context", context)]
    written(
        f"the dataset {name}",
        lambda: run.client.log_inputs(run.id, datasets=[DatasetInput(dataset, tags)]),
    )
    run.tags({f"readmit.digest.{name}": digest})
    return digest


def short(digest: str) -> str:
    """Return the part of a digest that MLflow's own field has room for."""
    return digest.removeprefix("sha256:")[:_DIGITS]
