"""A suite file to a Suite: every problem at once, before any data is read."""

import hashlib
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from pytest_readmit.errors import SuiteError
from pytest_readmit.suite.common import COMMON, DEFAULTS, Known
from pytest_readmit.suite.entries import EntryReader
from pytest_readmit.suite.model import CheckLike, ColumnRoles, Entry, Settings, Source, Suite
from pytest_readmit.suite.nodes import MOST_BYTES, Listing, Node, Problems, Scalar, Table, compose, decode
from pytest_readmit.suite.scope import Scope
from pytest_readmit.suite.sources import read_datasets, read_model, read_models
from pytest_readmit.suite.variables import Variables

TEXTS = ("suite", "description", "owner", "intended_use", "approver", "protocol")
SECTIONS = (
    *TEXTS,
    "schedule",
    "as_of",
    "data",
    "columns",
    "models",
    "model",
    "mlflow",
    "privacy",
    "defaults",
    "checks",
)
"""Every key that a suite may have at its top."""

_SINGLE_ROLES = ("target", "score", "patient", "id", "time")
_LISTED_ROLES = ("sensitive", "numerical", "categorical", "features", "ignore")
_LABELS = ("positive_label", "negative_label")
_MOST_RUNS = 1_000_000
_LARGEST_CELL = 1_000_000


def read_suite(path: Path, *, shown: str, checks: Mapping[str, CheckLike], settings: Settings) -> Suite:
    """
    Read and validate a suite file; no data is read.

    Args:
        path: The file.
        shown: How messages name it.
        checks: Every registered check.
        settings: What the run brings: variables, environment, bounds.

    Raises:
        SuiteError: With every problem found, in the order of the file.
    """
    problems = Problems(shown)
    data = _bytes(path, shown)
    variables = Variables(settings, problems)
    root = _root(data, problems, variables)
    if root is None:
        problems.raise_any()
        raise AssertionError("a file that cannot be read has a problem")
    suite = _Reader(root, problems, variables, settings, checks)
    parts = suite.parts()
    problems.raise_any()
    return Suite(
        **{"name": path.stem, **parts},
        path=path,
        shown=shown,
        sha256=hashlib.sha256(data).hexdigest(),
        secrets=dict(variables.secrets),
        warnings=tuple(suite.warnings),
    )


def _root(data: bytes, problems: Problems, variables: Variables) -> Table | None:
    """Return the file's mapping, variables replaced, or None with the reason noted."""
    text = decode(data, problems)
    document = compose(text, problems) if text is not None else None
    if document is None:
        return None
    variables.replace_all(document.variables)
    if isinstance(document.root, Table):
        return document.root
    # Not the text itself: a data file taken for a suite is one long text.
    found = "text" if isinstance(document.root, Scalar) else document.root.shown
    problems.add(document.root, "suite", f"a suite is a mapping with `checks`, not {found}")
    return None


def _bytes(path: Path, shown: str) -> bytes:
    try:
        if not path.exists():
            raise SuiteError([f"{shown}: no such file"])
        if not path.is_file():
            raise SuiteError([f"{shown}: not a file"])
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise SuiteError([f"{shown}: {size:,} bytes; a suite has at most {MOST_BYTES:,}"])
        return path.read_bytes()
    except OSError as error:
        raise SuiteError([f"{shown}: cannot be read ({error.strerror})"]) from error


class _Reader:
    """Reads the sections of one suite."""

    def __init__(
        self,
        root: Table,
        problems: Problems,
        variables: Variables,
        settings: Settings,
        checks: Mapping[str, CheckLike],
    ) -> None:
        self.warnings: list[str] = []
        self._root = root
        self._problems = problems
        self._variables = variables
        self._settings = settings
        self._checks = checks
        self._top = Scope("suite", problems)

    def parts(self) -> dict[str, Any]:
        """Return the arguments of Suite that the file gives."""
        for _ in self._top.closed(self._root, SECTIONS):
            pass
        found: dict[str, Any] = {}
        for key in TEXTS:
            found["name" if key == "suite" else key] = self._section(key, self._text)
        found["as_of"] = self._section("as_of", self._top.day)
        found["runs"] = self._one("schedule", "runs", 1, _MOST_RUNS)
        found["min_cell"] = self._one("privacy", "min_cell", 1, _LARGEST_CELL)
        found["data"] = self._section("data", self._data)
        found["columns"] = self._section("columns", self._columns)
        found["models"] = self._models()
        found["mlflow"] = self._section("mlflow", self._mlflow)
        found["entries"] = self._entries(found)
        return {key: value for key, value in found.items() if value is not None}

    def _section(self, key: str, read: Callable[[str, Node], Any]) -> Any:
        node = self._root.items.get(key)
        return None if node is None else read(key, node)

    def _text(self, key: str, node: Node) -> str | None:
        return self._top.text(key, node)

    def _one(self, section: str, key: str, low: int, high: int) -> int | None:
        """Return the only key of a section, a whole number."""
        node = self._root.items.get(section)
        if node is None:
            return None
        table = self._top.table(section, node, f"a mapping such as {{{key}: {max(low, 11)}}}")
        scope = Scope(section, self._problems)
        value = None
        for name, item in scope.closed(table, (key,)) if table else ():
            value = scope.whole(name, item, low, high)
        return value

    def _data(self, _: str, node: Node) -> dict[str, Source]:
        return read_datasets(node, self._top, self._variables)

    def _models(self) -> dict[str, Source]:
        """Return the models; `model: S` is short for a challenger."""
        models: dict[str, Source] = (
            self._section("models", lambda _, node: read_models(node, self._top)) or {}
        )
        node = self._root.items.get("model")
        if node is None:
            return models
        if "challenger" in models:
            self._top.add(
                self._root.marks["model"], "`model` is short for models.challenger, which is given too"
            )
        short = read_model(node, Scope("model", self._problems))
        return models | ({"challenger": short} if short else {})

    def _mlflow(self, key: str, node: Node) -> dict[str, Any]:
        table = self._top.table(key, node, "a mapping with tracking_uri")
        scope = Scope(key, self._problems)
        items = scope.closed(table, ("tracking_uri",)) if table else ()
        return {name: scope.text(name, item) for name, item in items}

    def _columns(self, key: str, node: Node) -> ColumnRoles | None:
        table = self._top.table(key, node, "a mapping from role to column")
        if table is None:
            return None
        scope = Scope(key, self._problems)
        found: dict[str, Any] = {}
        for role, item in scope.closed(table, (*_SINGLE_ROLES, *_LABELS, *_LISTED_ROLES)):
            if role in _SINGLE_ROLES:
                found[role] = scope.text(role, item, "a column's name")
            elif role in _LABELS:
                found[role] = _label(scope, role, item)
            else:
                found[role] = scope.names(role, item, "a column or a list of columns")
        found = {role: value for role, value in found.items() if value is not None}
        _contradictions(scope, table, found)
        return ColumnRoles(**found)

    def _defaults(self) -> dict[str, Any]:
        node = self._root.items.get("defaults")
        table = (
            self._top.table("defaults", node, f"a mapping with any of {', '.join(DEFAULTS)}")
            if node
            else None
        )
        scope = Scope("defaults", self._problems)
        found = {
            key: COMMON[key](scope, key, item, Known((), (), date.min))
            for key, item in (scope.closed(table, DEFAULTS) if table else ())
        }
        return {key: value for key, value in found.items() if value is not None}

    def _entries(self, found: Mapping[str, Any]) -> tuple[Entry, ...]:
        defaults = self._defaults()
        node = self._root.items.get("checks")
        if node is None:
            self._top.add(self._root, "`checks` is missing: a suite without checks would always pass")
            return ()
        if not isinstance(node, Listing):
            self._top.wrong("checks", node, "a list of checks, each line beginning with `-`")
            return ()
        if not node.items:
            self._top.add(node, "`checks` is empty: a suite without checks would always pass")
            return ()
        most = self._settings.max_cases
        if len(node.items) > most:
            said = f"`checks` has {len(node.items):,} entries; at most {most:,} (ini readmit_max_cases)"
            self._top.add(node, said)
            return ()
        datasets = (*(found["data"] or {}), *sorted(self._settings.datasets))
        today = found["as_of"] or self._settings.today or datetime.now(UTC).date()
        known = Known(datasets, tuple(found["models"]), today)
        reader = EntryReader(self._checks, known, defaults, self._problems)
        entries = reader.read(node)
        self.warnings = reader.warnings
        return entries


def _label(scope: Scope, role: str, node: Node) -> Any:
    """Return a label, or a tuple of labels that mean the same."""
    items = node.items if isinstance(node, Listing) else [node]
    values = [item.value for item in items if isinstance(item, Scalar) and item.value is not None]
    if not items or len(values) != len(items):
        scope.wrong(role, node, "a value or a list of values")
        return None
    return tuple(values) if isinstance(node, Listing) else values[0]


def _contradictions(scope: Scope, table: Table, found: Mapping[str, Any]) -> None:
    """Note roles that cannot both hold."""
    for role, other in (("categorical", "numerical"), ("ignore", "features"), ("ignore", "sensitive")):
        both = [name for name in found.get(role) or () if name in (found.get(other) or ())]
        if both:
            shown = "a column" if table.items[role].secret else repr(both[0])
            scope.add(table.items[role], f"{shown} is under `{role}` and under `{other}`")
    target = found.get("target")
    for role in ("score", "features", "sensitive"):
        if target is not None and (target == found.get(role) or target in _names(found.get(role))):
            shown = "the target" if table.items["target"].secret else f"the target {target!r}"
            scope.add(table.items[role], f"{shown} is under `{role}` too; no model may read the label")
    positive, negative = (_as_set(found.get(role)) for role in _LABELS)
    if positive & negative:
        scope.add(table.items["negative_label"], "`negative_label` is also a `positive_label`")


def _names(given: Any) -> tuple[str, ...]:
    return given if isinstance(given, tuple) else ()


def _as_set(label: Any) -> set[tuple[type, Any]]:
    values = label if isinstance(label, tuple) else () if label is None else (label,)
    return {(type(value), value) for value in values}
