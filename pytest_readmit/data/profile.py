"""A saved baseline: the file, its form and its digest."""

import hashlib
import json
import math
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args

import numpy as np

from pytest_readmit.data.store import Kind
from pytest_readmit.data.table import Family
from pytest_readmit.data.versions import pointer_advice
from pytest_readmit.errors import DataError
from pytest_readmit.stats.distribution import OTHER, Distribution, Pooled, text_array

FORMAT = "readmit-baseline"
VERSION = 1
MOST_ROWS = 2**53
"""Beyond it, floats do not tell whole numbers apart."""
T = TypeVar("T")
_HEAD = 1024
_AGAIN = "save it again with `readmit baseline`"


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedColumn:
    """
    What a baseline holds of a column.

    Args:
        name: The column.
        family: What kind of values it holds.
        type: The physical type.
        kind: What it was saved as.
        left_out: Why there is no distribution; the rest then means nothing.
        distribution: Its values.
        few_missing: Whether some rows lack a value, but too few to tell how many.
        missing_design_effect: Of the share of missing values.
        share_design_effect: Of any share of its values, at most.
        whole: Whether every value is a whole number.
        patients: How many patients have each label, at least; of the target only.
    """

    name: str
    family: Family
    type: str
    kind: Kind
    left_out: str | None = None
    distribution: Distribution
    few_missing: bool = False
    missing_design_effect: float = 1.0
    share_design_effect: float = 1.0
    whole: bool = False
    patients: Mapping[str, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """
    A baseline.

    Args:
        shown: How messages name its file.
        sha256: Of the file.
        of: The sha256 of the data that it was saved from.
        filters: The digest of the filters that these data had passed; None where there were none.
        min_cell: The smallest count in it.
        rows: Rows of these data.
        patients: Their patients, at least; None where rows are independent.
        columns: In order.
    """

    shown: str
    sha256: str
    of: str | None
    filters: str | None
    min_cell: int
    rows: int
    patients: int | None
    columns: tuple[SavedColumn, ...]


def filters_of(spec: Any) -> str | None:
    """Return the digest of what a source asks of its rows; None where it asks nothing."""
    asked = {key: getattr(spec, key, None) for key in ("where", "matured", "rename")}
    if not any(asked.values()):
        return None
    used = {name: value for name, value in spec.parameters.items() if f"${name}" in (spec.where or "")}
    text = json.dumps({**asked, "parameters": used}, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def text_of(content: Mapping[str, Any]) -> str:
    """Return the text of a baseline, one line a column, with its digest."""
    whole = {**content, "digest": digest_of(content)}
    lines = []
    for key, value in whole.items():
        if key == "columns":
            rows = ",\n".join(f"  {_compact(column)}" for column in value)
            lines.append(f' "columns": [\n{rows}\n ]')
        else:
            lines.append(f" {_compact(key)}: {_compact(value)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def digest_of(content: Mapping[str, Any]) -> str:
    """Return the digest of everything but the digest itself."""
    plain = {key: value for key, value in content.items() if key != "digest"}
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def write(content: Mapping[str, Any], path: Path) -> None:
    """
    Write a baseline in one step: no reader ever sees half of one.

    Raises:
        DataError: It cannot be written, or another kind of file is there.
    """
    try:
        if path.is_file() and not _is_baseline(path):
            raise DataError(f"{path.name} is there and is no baseline: name another file, or delete it")
        handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                stream.write(text_of(content))
            Path(draft).chmod(0o644)
            Path(draft).replace(path)
        except BaseException:
            with suppress(OSError):
                Path(draft).unlink()
            raise
    except OSError as error:
        raise DataError(f"{path.name} could not be written ({error.strerror})") from None


def _is_baseline(path: Path) -> bool:
    with path.open("rb") as stream:
        return f'"{FORMAT}"'.encode() in stream.read(_HEAD)


def read(path: Path, shown: str) -> Profile:
    """
    Read a baseline.

    Args:
        path: The file.
        shown: How messages name it.

    Raises:
        DataError: It is not there, no baseline, of another version, or changed since it was saved.
    """
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"{shown} is not there; save it with `readmit baseline DATA -o {shown}`") from None
    except OSError as error:
        raise DataError(f"{shown} may not be read ({error.strerror})") from None
    return parse(raw, shown)


def parse(raw: bytes, shown: str) -> Profile:
    """Return the baseline that these bytes are; a DataError where they are none."""
    advice = pointer_advice(raw[:_HEAD])
    if advice:
        raise DataError(f"{shown} is {advice}")
    try:
        content = json.loads(raw)
    except (ValueError, RecursionError):
        raise DataError(
            f"{shown} is no baseline, or only a part of one: fetch it again, or {_AGAIN}"
        ) from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise DataError(
            f"{shown} is no baseline, but some other JSON: name the file that `readmit baseline` wrote"
        )
    if content.get("version") != VERSION:
        raise DataError(
            f"{shown} has another version of the format than {VERSION}, the one known here: "
            f"{_AGAIN}, or install the release of pytest-readmit that wrote it"
        )
    try:
        if content.get("digest") != digest_of(content):
            raise DataError(f"{shown} was changed after it was saved (its digest does not fit): {_AGAIN}")
        return _profile(content, shown, hashlib.sha256(raw).hexdigest())
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError, RecursionError):
        raise DataError(f"{shown} is not as `readmit baseline` writes it: {_AGAIN}") from None


def _profile(content: Mapping[str, Any], shown: str, sha256: str) -> Profile:
    min_cell = _count(content["min_cell"], 2)
    rows = _count(content["rows"], min_cell)
    patients = content["patients"]
    columns = tuple(_column(column, rows, min_cell) for column in content["columns"])
    if len({column.name for column in columns}) < len(columns):
        raise ValueError("two columns of one name")
    measured = [column.distribution.units for column in columns if column.left_out is None]
    if any((units is None) != (patients is None) for units in measured):
        raise ValueError("patients in some columns only")
    return Profile(
        shown=shown,
        sha256=sha256,
        of=content["source"]["sha256"],
        filters=content["source"]["filters"],
        min_cell=min_cell,
        rows=rows,
        patients=None if patients is None else _count(patients, 0, rows),
        columns=columns,
    )


def _count(value: Any, least: int, most: int = MOST_ROWS) -> int:
    if type(value) is not int or not least <= value <= most:
        raise ValueError("no count")
    return value


def _as(kind: type[T], value: Any) -> T:
    if type(value) is not kind:
        raise TypeError("another type")
    return value


def _effect(value: Any) -> float:
    if not isinstance(value, int | float) or not 1.0 <= value < math.inf:
        raise ValueError("no design effect")
    return float(value)


def _column(content: Mapping[str, Any], rows: int, min_cell: int) -> SavedColumn:
    family, kind = content["family"], content["kind"]
    if family not in get_args(Family) or kind not in get_args(Kind):
        raise ValueError("no kind")
    facts: dict[str, Any] = {key: _as(str, content[key]) for key in ("name", "family", "type", "kind")}
    if "left_out" in content:
        nothing = Distribution(np.zeros(0), None)
        return SavedColumn(**facts, left_out=_as(str, content["left_out"]), distribution=nothing)
    missing = content["missing"]
    few = missing is None
    distribution = (_text if "levels" in content else _numbers)(content, min_cell)
    told = min_cell - 1 if few else _count(missing, 0)
    if distribution.n + told != rows:
        raise ValueError("rows and bins differ")
    return SavedColumn(
        **facts,
        distribution=distribution,
        few_missing=few,
        missing_design_effect=_effect(content["missing_design_effect"]),
        share_design_effect=_effect(content["share_design_effect"]),
        whole=_as(bool, content["whole"]),
        patients=_patients(content.get("patients")),
    )


def _patients(content: Mapping[str, Any] | None) -> dict[str, int] | None:
    if content is None:
        return None
    return {str(level): _count(patients, 0) for level, patients in content.items()}


def _common(content: Mapping[str, Any], rows: int, min_cell: int) -> dict[str, Any]:
    few = content["missing"] is None
    units = content["units"]
    return {
        "missing": 0 if few else content["missing"],
        "design_effect": _effect(content["design_effect"]),
        "units": None if units is None else _count(units, 0, rows),
        # The rows that are not told are fewer than this.
        "left_out": (min_cell - 1) / rows if few and rows else 0.0,
    }


def _numbers(content: Mapping[str, Any], min_cell: int) -> Distribution:
    bins = np.array([[float(low), float(high)] for low, high, _ in content["bins"]]).reshape(-1, 2)
    counts = np.array([_count(rows, min_cell) for *_, rows in content["bins"]], dtype=np.int64)
    in_order = np.all(bins[:, 0] <= bins[:, 1]) and np.all(bins[1:, 0] >= bins[:-1, 1])
    if not np.isfinite(bins).all() or not in_order:
        raise ValueError("bins out of order")
    rows = int(counts.sum())
    wide = bins[:, 1] > bins[:, 0]
    common = _common(content, rows, min_cell)
    error = (float(counts[wide].max(initial=0)) / rows if rows else 0.0) + common["left_out"]
    middle = bins[:, 0] / 2.0 + bins[:, 1] / 2.0
    told = content.get("told")
    if told is not None:
        mean, sd, unit = map(float, told)
        told = (mean, sd, unit)
        if min(sd, unit) <= 0 or not all(map(math.isfinite, told)):
            raise ValueError("no moments")
    spans = bins if error else None
    return Distribution(middle, counts, error=error, spans=spans, told=told, **common)


def _text(content: Mapping[str, Any], min_cell: int) -> Distribution:
    levels = {_as(str, level): _count(rows, min_cell) for level, rows in content["levels"]}
    told = content["pooled"]
    pooled = None
    if told["rows"]:
        rows = levels[OTHER] = _count(told["rows"], min_cell)
        once, twice = (_count(told[key], 0, rows) for key in ("once", "twice"))
        pooled = Pooled(
            levels=_count(told["levels"], 1, rows + min_cell),
            most=_count(told["most"], min_cell - 1, rows + min_cell),
            once=(once, once + min_cell - 1),
            twice=(twice, twice + min_cell - 1),
        )
    names = sorted(levels)
    counts = np.array([levels[name] for name in names], dtype=np.int64)
    common = _common(content, int(counts.sum()), min_cell)
    if _as(bool, told["lent"]):
        common["left_out"] += (min_cell - 1) / counts.sum()
    return Distribution(text_array(names), counts, pooled=pooled, **common)
