"""A baseline as a dataset: its columns answer what distributions can, and say so where rows are needed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn, Protocol

import numpy as np

from pytest_readmit.data.column import Array, Column, Measured
from pytest_readmit.data.dataset import MOST_MISSING_LABELS, Dataset
from pytest_readmit.data.engine import Engine
from pytest_readmit.data.labels import as_list, label_text, split_labels
from pytest_readmit.data.profile import Profile, SavedColumn, filters_of, read
from pytest_readmit.data.roles import Roles, fields_of
from pytest_readmit.data.store import Field, Rows, Store
from pytest_readmit.data.table import Codes, Counts, Family, Numbers, number_text
from pytest_readmit.data.tracked import RUN, run_file
from pytest_readmit.errors import DataError, counted
from pytest_readmit.stats.distribution import OTHER, Distribution
from pytest_readmit.stats.proportion import Proportion

REFERENCE = "reference"


class Spec(Protocol):
    """What is asked of the source that a baseline is."""

    @property
    def value(self) -> str: ...
    @property
    def base(self) -> Path: ...
    @property
    def options(self) -> Mapping[str, Any]: ...


def open_profile(name: str, spec: Spec, roles: Roles) -> Dataset:
    """
    Open a baseline as the reference.

    Args:
        name: The dataset that it is to be.
        spec: The file, or ``runs:/RUN/PATH`` in MLflow, and what the suite asks of its rows.
        roles: The suite's `columns:`.

    Raises:
        DataError: It is no baseline, does not fit the suite, or is to be anything but the reference.
    """
    shown = spec.value
    if name != REFERENCE:
        raise DataError(f"{shown} is a profile, which can only be the reference: {name} needs rows")
    profile = read(_file(spec), shown)
    filters = filters_of(spec)
    if filters is not None and filters != profile.filters:
        raise DataError(
            f"{shown} is a profile of other rows than the suite's `where`, `matured` and `rename` ask for: "
            "save it again with `readmit baseline --suite`"
        )
    return Profiled(name, profile, roles)


def _file(spec: Spec) -> Path:
    if RUN.fullmatch(spec.value) is None:
        return spec.base / spec.value
    uri = spec.options.get("uri")
    if uri is None:
        raise DataError(f"profile: {spec.value}: no MLflow store is named")
    return run_file(spec.value, str(uri))


class Profiled(Dataset):
    """
    The distributions of a dataset, without its rows.

    Args:
        name: As the suite calls it.
        profile: The baseline.
        roles: The suite's `columns:`.

    Raises:
        DataError: The suite names patients, and the baseline was saved without or with other ones.
    """

    def __init__(self, name: str, profile: Profile, roles: Roles) -> None:
        if roles.patient is not None and profile.patients is None:
            raise DataError(
                f"{profile.shown} was saved without columns.patient, so it takes rows of one patient for "
                "independent: save it again with --suite or --patient"
            )
        other = [one for one in profile.columns if one.name == roles.patient and one.left_out != "patient"]
        if other:
            raise DataError(
                f"{profile.shown} was saved with another columns.patient than {roles.patient!r}: save it "
                "again with --suite or --patient"
            )
        table = ProfileTable(profile)
        store = Store(table, roles.patient)
        rows = _NoRows(store)
        store.opened(rows, None, None)
        super().__init__(name, store, roles, fields_of(table, roles, None, {}), rows, {"read": profile.rows})
        self._profile = profile

    @property
    def flow(self) -> dict[str, int]:
        """Rows and patients of the data that the baseline was saved from."""
        patients = self._profile.patients
        return self._flow | ({} if patients is None else {"patients": patients})

    def column(self, name: str) -> Column:
        """Return a column; what it cannot answer is a DataError when it is asked."""
        field = self.field(name)
        with self._guard:
            if name not in self._columns:
                saved = self._saved(name)
                self._columns[name] = ProfiledColumn(self.name, self._rows, field, saved, self._profile)
            return self._columns[name]

    def role(self, name: str) -> Column:
        """Return the column of a role; a baseline holds no predictions of a model."""
        if name == "score" and self.roles.score is None:
            raise DataError(
                f"{self.source}: a profile holds no predictions of a model: save them as a column and name "
                "it columns.score"
            )
        return super().role(name)

    def with_score(self, column: str | None) -> "Profiled":
        """Return the same with another column as its score, or with none."""
        return Profiled(self.name, self._profile, replace(self.roles, score=column))

    def positives(self, max_missing: float = MOST_MISSING_LABELS) -> Proportion:
        """Return the share of positive labels."""
        column = self.role("target")
        assert isinstance(column, ProfiledColumn)  # noqa: S101 - made here
        distribution = column.distribution
        saved = self._saved(column.name)
        missing = column.missing().ends[-1].events
        if missing > max_missing * self.rows:
            raise DataError(
                f"{self.source}: columns.target {column.name!r}: {counted(missing)} of "
                f"{counted(self.rows)} labels are missing; at most "
                f"{max_missing:.1%} may be (max_missing_label)"
            )
        unsure = _unsure(distribution)
        texts = self._label_texts(saved, unsure)
        counts = np.asarray(distribution.counts)
        codes = Codes(np.repeat(np.arange(len(texts)), counts), texts)
        positive, _ = split_labels(
            codes,
            saved.family,
            positive=self.roles.positive_label,
            negative=self.roles.negative_label,
            where=f"{self.source}: columns.target {column.name!r}",
        )
        chosen = {texts[place] for place in np.unique(codes.codes[positive])}
        sure = np.isin(np.arange(len(texts)), codes.codes[positive]) & ~unsure
        fewest, rest = float(counts[sure].sum()), float(counts[unsure].sum())
        # Where the label itself is among the rare ones, at least a row has it: the suite says so.
        share = column.between(fewest or 1.0, fewest + rest)
        if saved.patients is None:
            return share
        return Proportion(
            share.events,
            share.rows,
            share.design_effect,
            share.units,
            _patients(saved, texts, chosen),
            _patients(saved, texts, set(texts) - chosen),
            share.unsure,
        )

    def _label_texts(self, saved: SavedColumn, unsure: Array) -> tuple[str, ...]:
        """Return the labels; too rare to be told, the positive one is taken to be among the rare ones."""
        texts = [_text(level) for level in saved.distribution.support]
        wanted = [label_text(value, saved.family) for value in as_list(self.roles.positive_label)]
        told = {text.lower() for text, rare in zip(texts, unsure, strict=True) if not rare}
        if unsure.any() and not any(text.lower() in told for text in wanted):
            texts = [wanted[0] if rare else text for text, rare in zip(texts, unsure, strict=True)]
        return tuple(texts)

    def digest(self) -> str | None:
        """Return the sha256 of the baseline's file."""
        return self._profile.sha256

    def release(self, name: str) -> None:
        """Keep everything: it is small."""

    def _saved(self, name: str) -> SavedColumn:
        return next(column for column in self._profile.columns if column.name == name)


def _unsure(found: Distribution) -> Array:
    """Return of which values it is not known which rows have them."""
    if found.spans is not None:
        return np.asarray(found.spans[:, 0] < found.spans[:, 1])
    return np.asarray((found.support == OTHER) & (found.pooled is not None), dtype=bool)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else number_text(value)


def _patients(saved: SavedColumn, texts: Sequence[str], chosen: set[str]) -> int:
    """Return how many patients have one of some labels, at least."""
    return max((int((saved.patients or {}).get(text, 0)) for text in texts if text in chosen), default=0)


class ProfiledColumn(Column):
    """
    One column of a baseline.

    Args:
        dataset: The name of its dataset.
        rows: What its dataset has in place of rows.
        field: Its name and kind, as the suite has it.
        saved: What the baseline holds of it.
        profile: The baseline.
    """

    def __init__(self, dataset: str, rows: Rows, field: Field, saved: SavedColumn, profile: Profile) -> None:
        super().__init__(dataset, rows, field)
        self._saved = saved
        self._profile = profile

    def missing(self) -> Proportion:
        """Return the share of rows without a value; within a range where they are too few to be told."""
        distribution = self.distribution
        few, rows = self._saved.few_missing, float(self._profile.rows)
        effect, patients = self._saved.missing_design_effect, self._profile.patients
        if few:
            most = self._profile.min_cell - 1
            return Proportion(1.0, rows, effect, patients, unsure=most - 1.0)
        return Proportion(float(distribution.missing), rows, effect, patients)

    def share(self, predicate: Callable[[Array], Array]) -> Proportion:
        """Return the share of a kind of value; within a range where a bin holds values of both kinds."""
        found = self.distribution
        counts = np.asarray(found.counts, dtype=np.float64)
        points = (
            [found.support] if found.spans is None else [found.spans[:, 0], found.support, found.spans[:, 1]]
        )
        hits = np.array([np.asarray(predicate(each), dtype=bool) for each in points])
        sure, maybe = hits.all(axis=0), hits.any(axis=0)
        if found.pooled is not None:
            rest = np.asarray(found.support == OTHER, dtype=bool)
            sure, maybe = sure & ~rest, maybe | rest
        return self.between(float(counts[sure].sum()), float(counts[maybe].sum()))

    def between(self, fewest: float, most: float) -> Proportion:
        """Return a share of so many rows, wider where some rows were left out when it was saved."""
        found = self.distribution
        if found.left_out:
            hidden = found.left_out * found.n
            fewest, most = fewest * found.n / (found.n + hidden), min(float(found.n), most + hidden)
        return Proportion(
            fewest, float(found.n), self._saved.share_design_effect, found.units, unsure=most - fewest
        )

    def proportion_of(self, events: Array, among: Array | None = None) -> Proportion:  # noqa: ARG002
        """Refuse: which rows are meant is not known."""
        _refuse(self.source)

    @property
    def integer_like(self) -> bool:
        """Whether every value is a whole number."""
        return self._saved.whole

    def distinct_count(self, limit: int) -> int:
        """Return how many distinct values there are, or `limit` + 1 for more, also where it is not known."""
        found = self.distribution
        exact = found.spans is None and found.pooled is None
        return min(limit + 1, len(found.support)) if exact else limit + 1

    def _measure(self) -> Measured:
        saved = self._saved
        if saved.left_out is not None:
            raise DataError(
                f"column {self.name!r} is not in {self.source}: {saved.left_out}; leave it out with "
                "`columns`, or give the rows as the reference"
            )
        if self.kind != saved.kind:
            raise DataError(
                f"column {self.name!r} is {self.kind} here, but was saved as {saved.kind} in {self.source}: "
                "save it again with --suite"
            )
        return Measured(saved.distribution, 0)


class _NoRows(Rows):
    """What a baseline has in place of rows."""

    def __init__(self, store: Store) -> None:
        super().__init__(store, None)
        table = store.table
        assert isinstance(table, ProfileTable)  # noqa: S101 - made for it
        self._table = table

    def owners(self) -> np.ndarray:
        _refuse(self.store.shown)

    def levels(self, name: str) -> Sequence[str]:
        """Return the values that a column is known to have, as text."""
        found = self._table.saved(name).distribution
        return [_text(value) for value in found.support[~_unsure(found)]]


class ProfileTable:
    """
    A table without rows; whoever asks for them is told.

    Args:
        profile: The baseline.
    """

    __readmit_injected__ = None
    fresh = False

    def __init__(self, profile: Profile) -> None:
        self.shown = profile.shown
        self.version = None if profile.of is None else f"profile of sha256:{profile.of}"
        self._profile = profile
        self._columns = {column.name: column for column in profile.columns}

    def saved(self, name: str) -> SavedColumn:
        """Return what the baseline holds of a column."""
        return self._columns[name]

    @property
    def names(self) -> tuple[str, ...]:
        """The columns, in order."""
        return tuple(self._columns)

    @property
    def rows(self) -> int:
        """How many rows it was saved from."""
        return self._profile.rows

    def family(self, name: str) -> Family:
        """Return what kind of values a column holds."""
        return self._columns[name].family

    def type_name(self, name: str) -> str:
        """Return the physical type."""
        return self._columns[name].type

    def misfits(self, name: str) -> int:  # noqa: ARG002 - the types of a baseline are settled
        """Return 0."""
        return 0

    def note(self, name: str) -> str | None:  # noqa: ARG002 - nothing was read
        """Return nothing."""
        return None

    def numbers(self, name: str) -> Numbers:  # noqa: ARG002
        """Refuse."""
        _refuse(self.shown)

    def times(self, name: str) -> np.ndarray:  # noqa: ARG002
        """Refuse."""
        _refuse(self.shown)

    def codes(self, name: str) -> Codes:  # noqa: ARG002
        """Refuse."""
        _refuse(self.shown)

    def counts(self, name: str) -> Counts:  # noqa: ARG002
        """Refuse."""
        _refuse(self.shown)

    @property
    def engine(self) -> Engine:
        """Refuse."""
        _refuse(self.shown)

    def select(self, expression: str, columns: Sequence[str], parameters: Mapping[str, str]) -> np.ndarray:  # noqa: ARG002
        """Refuse."""
        _refuse(self.shown)

    def digest(self) -> str | None:
        """Return the sha256 of the file."""
        return self._profile.sha256

    def close(self) -> None:
        """Do nothing: nothing is open."""


def _refuse(shown: str) -> NoReturn:
    raise DataError(
        f"this needs rows of reference; {shown} is a profile and holds none: give the data themselves"
    )
