"""Open a dataset: the source kinds, built in or by entry point, and the rows that the suite keeps."""

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from pytest_readmit.data.dataset import Dataset
from pytest_readmit.data.files import FileTable
from pytest_readmit.data.frames import FrameTable
from pytest_readmit.data.paths import Files, find_files
from pytest_readmit.data.profiled import open_profile
from pytest_readmit.data.roles import Roles, clashes_of, fields_of
from pytest_readmit.data.store import Kind, Rows, Store
from pytest_readmit.data.table import Table, mature
from pytest_readmit.data.versions import VERSIONED
from pytest_readmit.data.where import check_where
from pytest_readmit.errors import DataError, MissingExtra, ReadmitError, counted, did_you_mean

GROUP = "readmit.sources"
_UNITS = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds", "w": "weeks"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSpec:
    """
    Where a dataset is, and which of its rows count.

    Args:
        kind: "path", "git", "dvc", "sql", "mlflow", "frame", or a registered name such as "demo".
        value: The path, the query, or what the source is to open.
        base: The folder that relative paths start from.
        read: format, delimiter, header, encoding, null_values, types.
        rename: Old column names to new ones.
        where: One expression over a row; ``$NAME`` stands for a bound value.
        parameters: The bound values.
        matured: ``{horizon: "30d", index_time: COLUMN}``.
        as_of: "Today" for `matured`; None for the run's UTC date.
        frame: The frame of kind "frame".
        options: Further keys: `rev` and `repo`, `connect` and the query's own `parameters`, or `uri`.
    """

    kind: str
    value: str
    base: Path
    read: Mapping[str, Any] = field(default_factory=dict)
    rename: Mapping[str, str] = field(default_factory=dict)
    where: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    matured: Mapping[str, Any] | None = None
    as_of: date | None = None
    frame: Any = None
    options: Mapping[str, Any] = field(default_factory=dict)


def open_dataset(name: str, spec: SourceSpec, roles: Roles, *, like: Dataset | None = None) -> Dataset:
    """
    Open a dataset; columns are read when they are asked for.

    Args:
        name: As the suite calls it.
        spec: Where it is.
        roles: The suite's `columns:`.
        like: The reference, whose types and kinds hold here too.

    Raises:
        DataError: It cannot be had, or no row is left.
        MissingExtra: Its format needs a package that is not installed.
    """
    if spec.kind == "profile":
        return open_profile(name, spec, roles)
    shared = like is not None and _same_table(spec, like._store.spec)
    table = like._store.table if like is not None and shared else _open_table(spec, like)
    try:
        if table.rows == 0:
            raise DataError(f"{table.shown} holds 0 rows")
        keep, flow = _kept_rows(table, spec)
        store = Store(table, roles.patient, spec)
        theirs = like.fields if like is not None else None
        fields = fields_of(table, roles, theirs, kinds_of(spec.read.get("types"), table.names, table.shown))
        clashes = clashes_of(fields, table, roles, theirs)
        rows = Rows(store, keep)
        store.opened(rows, None if like is None else like._store, None if like is None else like.features)
        return Dataset(name, store, roles, fields, rows, flow, clashes)
    except BaseException:
        if not shared:
            table.close()
        raise


def _same_table(one: SourceSpec, other: Any) -> bool:
    """Whether two datasets are rows of one table: split by `where`, it is read once."""
    if not isinstance(other, SourceSpec) or one.kind == "frame":
        return False
    keys = ("kind", "value", "base", "read", "rename", "options")
    return all(getattr(one, key) == getattr(other, key) for key in keys)


def kinds_of(types: Any, names: Sequence[str], shown: str) -> dict[str, Kind]:
    """
    Return the kinds that `read: {types: ...}` names.

    Raises:
        DataError: A column that is not there, or an unknown kind.
    """
    kinds: dict[str, Kind] = {}
    for name, kind in dict(types or {}).items():
        if name not in names:
            raise DataError(
                f"{shown}: read.types names {name!r}, which is no column{did_you_mean(name, names)}"
            )
        if kind not in ("numerical", "categorical", "time"):
            raise DataError(f"{shown}: read.types: {kind!r} is not one of numerical, categorical, time")
        kinds[name] = kind
    return kinds


def _open_table(spec: SourceSpec, like: Dataset | None) -> Table:
    if spec.kind == "frame":
        return FrameTable(spec.frame, spec.value or "frame", spec.rename)
    if spec.kind == "path":
        return _open_files(find_files(spec.value, spec.base, spec.read.get("format")), spec, like)
    if spec.kind in VERSIONED:
        return _open_version(spec, like)
    if spec.kind == "mlflow":
        return _open_logged(spec, like)
    if spec.kind == "sql":
        from pytest_readmit.data.sql import QueryTable

        connect, bound = str(spec.options.get("connect", "")), spec.options.get("parameters") or {}
        return QueryTable(spec.value, connect, spec.base, bound, spec.rename)
    return FrameTable(_open_registered(spec.kind, spec.value), f"{spec.kind}: {spec.value}", spec.rename)


def _open_files(files: Files, spec: SourceSpec, like: Dataset | None) -> Table:
    if files.format == "feather":
        return _open_feather(files, spec)
    return FileTable(files, spec.read, spec.rename, like.families() if like is not None else None)


def _open_version(spec: SourceSpec, like: Dataset | None) -> Table:
    """Open the copy of a version, which is removed when the table is closed."""
    from pytest_readmit.data.fetched import fetch

    fetched = fetch(spec.kind, spec.value, spec.options, spec.base)
    try:
        found = find_files(fetched.path, fetched.files, spec.read.get("format"))
        files = replace(found, shown=fetched.shown, version=fetched.version, discard=fetched.discard)
        return _open_files(files, spec, like)
    except BaseException:
        fetched.discard()
        raise


def _open_logged(spec: SourceSpec, like: Dataset | None) -> Table:
    """Open what a run logged in MLflow; a run's files do not change."""
    from pytest_readmit.data.tracked import run_file, run_of

    uri = spec.options.get("uri")
    if uri is None:
        raise DataError(f"mlflow: {spec.value}: no MLflow store is named")
    path = run_file(spec.value, str(uri))
    files = find_files(path.name, path.parent, spec.read.get("format"))
    shown = f"mlflow: {spec.value}"
    return _open_files(replace(files, shown=shown, version=run_of(spec.value)), spec, like)


def _open_feather(files: Files, spec: SourceSpec) -> Table:
    try:
        import pyarrow as pa
        from pyarrow import feather
    except ImportError:
        raise MissingExtra("reading Feather and Arrow files", "arrow") from None
    from pytest_readmit.data.versions import sha256_files

    try:
        parts = [feather.read_table(path, memory_map=files.discard is None) for path in files.paths]
        whole = pa.concat_tables(parts)
    except pa.ArrowInvalid:
        raise DataError(
            f"{files.shown} is no readable Arrow file, or its parts differ; fetch it again"
        ) from None

    def digest() -> str:
        return sha256_files(files.paths, files.root)

    if files.discard is not None:
        known = digest()
        files.discard()
        return FrameTable(whole, files.shown, spec.rename, digest=lambda: known, version=files.version)
    return FrameTable(whole, files.shown, spec.rename, digest=digest, version=files.version)


@functools.lru_cache(maxsize=8)
def _open_registered(kind: str, value: str) -> Mapping[str, np.ndarray]:
    from importlib.metadata import entry_points

    known = {point.name: point for point in entry_points(group=GROUP)}
    if kind not in known:
        kinds = sorted({"path", "sql", "mlflow", "profile", *VERSIONED, *known})
        raise DataError(
            f"unknown kind of source {kind!r}{did_you_mean(kind, kinds)} (known: {', '.join(kinds)})"
        )
    try:
        opened: Mapping[str, np.ndarray] = known[kind].load()(value)
    except ReadmitError:
        raise
    except Exception as error:  # anybody's source; its text could quote the data
        raise DataError(f"the source {kind!r} failed ({type(error).__name__})") from None
    return opened


def _kept_rows(table: Table, spec: SourceSpec) -> tuple[np.ndarray | None, dict[str, int]]:
    """Return which rows `where` and `matured` keep, and how many are left after each."""
    flow = {"read": table.rows, "where": table.rows, "matured": table.rows}
    keep: np.ndarray | None = None
    if spec.where is not None:
        columns = check_where(table.engine, spec.where, table.names, spec.parameters, table.shown)
        used = {name: value for name, value in spec.parameters.items() if f"${name}" in spec.where}
        keep = table.select(spec.where, columns, used)
        flow["where"] = flow["matured"] = int(np.count_nonzero(keep))
        if not flow["where"]:
            raise DataError(f"{table.shown}: where keeps 0 of {counted(table.rows)} rows")
    if spec.matured is not None:
        index_time, horizon = _maturity(spec.matured, table)
        old = mature(table, index_time, horizon, spec.as_of or datetime.now(UTC).date())
        keep = old if keep is None else keep & old
        flow["matured"] = int(np.count_nonzero(keep))
        if not flow["matured"]:
            raise DataError(
                f"{table.shown}: none of {counted(flow['where'])} rows is old enough for its outcome "
                "to be known (matured)"
            )
    return (None if keep is None or keep.all() else keep), flow


def _maturity(matured: Mapping[str, Any], table: Table) -> tuple[str, timedelta]:
    index_time = str(matured.get("index_time"))
    if index_time not in table.names:
        raise DataError(
            f"{table.shown}: matured.index_time names {index_time!r}, which is no column"
            f"{did_you_mean(index_time, table.names)}"
        )
    horizon = matured.get("horizon")
    return index_time, horizon if isinstance(horizon, timedelta) else duration(str(horizon))


def duration(text: str) -> timedelta:
    """
    Return a duration such as "30d" or "12h".

    Raises:
        DataError: It is none.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([dhmsw])\s*", text)
    if found is None:
        raise DataError(f"{text!r} is not a duration; write 30d or 12h")
    return timedelta(**{_UNITS[found[2]]: float(found[1])})
