"""What a suite file says, as plain frozen values with the lines they stand on."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Literal, Protocol

Severity = Literal["block", "warn"]
Reaction = Literal["block", "warn", "pass"]
Decision = Literal["interval", "estimate", "p_value"]
Correction = Literal["entry", "suite", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """
    What the run brings to a suite.

    Args:
        variables: Values given by ``--readmit-set``.
        environ: The environment.
        allowed_env: Names that may be read from it beside ``READMIT_…``.
        max_cases: The most entries (and cases) a suite may have.
        datasets: Datasets that the run brings itself (``--readmit-data``, the Python API).
        today: The run's UTC date, for waivers of a suite without `as_of`; None: the clock's.
    """

    variables: Mapping[str, str] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=dict)
    allowed_env: frozenset[str] = frozenset()
    max_cases: int = 10_000
    datasets: frozenset[str] = frozenset()
    today: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """
    Where a dataset or a model comes from.

    Args:
        kind: ``path``, ``demo``, ... ; the name of a source.
        value: What the kind reads: a path, a name.
        where: A condition in SQL, its variables written ``$NAME``.
        where_parameters: Values of these variables.
        read: How to read files: format, delimiter, header, encoding, null_values, types.
        rename: Old to new column name.
        matured: ``{"horizon": "30d", "index_time": COLUMN}``, or None.
        options: Every other key: `rev`, `repo`, `connect`, a model's `sha256`; a query's bound `parameters`.
        line: 1-based line.
        column: 1-based column.
    """

    kind: str
    value: str
    where: str | None = None
    where_parameters: Mapping[str, str] = field(default_factory=dict)
    read: Mapping[str, Any] = field(default_factory=dict)
    rename: Mapping[str, str] = field(default_factory=dict)
    matured: Mapping[str, Any] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    line: int = 1
    column: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnRoles:
    """What the suite's `columns` says; names as written, whether or not the data has them."""

    target: str | None = None
    positive_label: Any = None
    negative_label: Any = None
    score: str | None = None
    patient: str | None = None
    id: str | None = None
    time: str | None = None
    sensitive: tuple[str, ...] = ()
    numerical: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    features: tuple[str, ...] | None = None
    ignore: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """
    One item of `checks`, defaults applied.

    Args:
        id: Unique in its suite.
        check: The check's name.
        parameters: The check's own parameters, validated, its defaults filled in.
        given: Keys that the writer wrote, common keys included.
        columns: Column selectors; None: the check's own choice.
        on: Dataset to take for `current`.
        model: Name of a model.
        segments: Each ``{"column": …, "values": tuple of text or None, "min_rows": int or None}``.
        severity: What a fail does.
        inconclusive: What an undecided case does.
        confidence: One minus the error rate of the entry.
        decide_by: The rule.
        p_value: Threshold, where `decide_by` is ``p_value``.
        correction: Which cases share the error rate.
        warn_above: Level of a warning.
        tags: Names of pytest markers.
        title: Shown in place of the id.
        because: The reason for the limit.
        waiver: ``{"until": date, "by": text, "reason": text}``, or None.
        timeout: Seconds a case may take.
        line: 1-based line of the check's name.
        column: 1-based column of it.
        marks: Key to (line, column) of the key.
    """

    id: str
    check: str
    parameters: Mapping[str, Any]
    given: frozenset[str] = frozenset()
    columns: tuple[str, ...] | None = None
    on: str | None = None
    model: str | None = None
    segments: tuple[Mapping[str, Any], ...] = ()
    severity: Severity = "block"
    inconclusive: Reaction = "warn"
    confidence: float = 0.95
    decide_by: Decision = "interval"
    p_value: float | None = None
    correction: Correction = "entry"
    warn_above: float | None = None
    tags: tuple[str, ...] = ()
    title: str | None = None
    because: str | None = None
    waiver: Mapping[str, Any] | None = None
    timeout: float | None = None
    line: int = 1
    column: int = 1
    marks: Mapping[str, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """
    A valid suite file.

    Args:
        name: `suite`, or the file's stem.
        path: The file.
        shown: The file as messages and ids name it.
        sha256: Of the file's bytes, hexadecimal.
        runs: Runs that share the error rate.
        as_of: "Today", if the suite says so.
        data: Named datasets.
        columns: Roles.
        models: Named models.
        mlflow: Settings of the MLflow store.
        min_cell: The smallest count that may be shown.
        entries: The checks in order.
        secrets: Variable to value, of every value taken from the environment.
        warnings: What `readmit lint` says beside errors.
    """

    name: str
    path: Path
    shown: str
    sha256: str
    description: str | None = None
    owner: str | None = None
    intended_use: str | None = None
    approver: str | None = None
    protocol: str | None = None
    runs: int = 1
    as_of: date | None = None
    data: Mapping[str, Source] = field(default_factory=dict)
    columns: ColumnRoles = ColumnRoles()
    models: Mapping[str, Source] = field(default_factory=dict)
    mlflow: Mapping[str, Any] = field(default_factory=dict)
    min_cell: int = 11
    entries: tuple[Entry, ...] = ()
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    warnings: tuple[str, ...] = ()


class FaultLike(Protocol):
    """What is wrong with one parameter, as a check's own reader tells it."""

    @property
    def path(self) -> tuple[str | int, ...]:
        """Keys and indexes down to the wrong value."""

    @property
    def message(self) -> str:
        """What is wrong, without the value."""

    @property
    def hint(self) -> str:
        """The end of the message; may tell of the value."""

    @property
    def shows_value(self) -> bool:
        """Whether ", not VALUE" belongs after the message."""


class CheckLike(Protocol):
    """What the suite must know of a check."""

    @property
    def fields(self) -> Mapping[str, Any]:
        """Its parameters by name."""

    @property
    def severity(self) -> Severity:
        """Its own default."""

    @property
    def inconclusive(self) -> Reaction:
        """Its own default."""

    @property
    def may_block(self) -> bool:
        """Whether `inconclusive: block` is allowed."""

    @property
    def validate(self) -> Any:
        """Finds problems beyond types: (parameters, decide_by) to (key, message) pairs; or None."""

    def read(self, given: Mapping[str, Any]) -> tuple[dict[str, Any], Iterable[FaultLike]]:
        """Return the validated parameters, or what is wrong with them."""
