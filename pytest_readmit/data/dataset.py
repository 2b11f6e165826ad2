"""A dataset: named rows with roles and kinds, read one column at a time."""

import threading
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from pytest_readmit.data.column import Column, proportion_of
from pytest_readmit.data.frame_of import frame_of
from pytest_readmit.data.labels import Labels, split_labels
from pytest_readmit.data.roles import Roles
from pytest_readmit.data.scored import Scored, Scores, checked
from pytest_readmit.data.store import Field, Rows, Store
from pytest_readmit.data.table import MISSING, Codes, Family, counts_of_codes, equals, mature
from pytest_readmit.errors import DataError, counted, did_you_mean
from pytest_readmit.stats.proportion import Proportion

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MISSING", "Column", "Dataset", "Field", "Labels", "Roles", "Scored", "Scores"]

MOST_SEGMENTS = 50
MOST_MISSING_LABELS = 0.05


class Dataset:
    """
    Rows that a source holds, after `where` and `matured`.

    Args:
        name: As the suite calls it.
        store: The table.
        roles: The suite's `columns:`.
        fields: Its columns, in order.
        rows: Which rows count.
        flow: Rows after each step.
        clashes: The columns that cannot be compared with the reference's, and why.
    """

    __readmit_injected__ = "dataset"

    def __init__(
        self,
        name: str,
        store: Store,
        roles: Roles,
        fields: tuple[Field, ...],
        rows: Rows,
        flow: Mapping[str, int],
        clashes: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.source, self.version = store.shown, store.version
        self.roles = roles
        self.fields = fields
        self.rows = rows.count
        self._store = store
        self._rows = rows
        self._flow = dict(flow)
        self._clashes = dict(clashes or {})
        self._fields = {field.name: field for field in fields}
        self._columns: dict[str, Column] = {}
        self._segments: dict[tuple[tuple[str, str], ...], Dataset] = {}
        self._segment_codes: dict[str, Codes] = {}
        self._scored: dict[tuple[float, str | None], Scored] = {}
        self._analysed: dict[str, int] = {}
        self._guard = threading.RLock()

    def __repr__(self) -> str:
        return f"Dataset({self.name!r}, {len(self.fields)} columns, n={self.rows})"

    @cached_property
    def features(self) -> tuple[str, ...]:
        """The columns that checks measure by default, in order."""
        found = tuple(field.name for field in self.fields if self.roles.why_left_out(field) is None)
        return found if self.roles.features is None else self.roles.features

    @property
    def left_out(self) -> Mapping[str, str]:
        """The columns that are no features, and why."""
        if self.roles.features is None:
            reasons = {field.name: self.roles.why_left_out(field) for field in self.fields}
        else:
            chosen = set(self.roles.features)
            reasons = {
                field.name: self.roles.why_left_out(field) or "not in columns.features"
                for field in self.fields
                if field.name not in chosen
            }
        return MappingProxyType({name: why for name, why in reasons.items() if why is not None})

    @property
    def flow(self) -> dict[str, int]:
        """Rows read, kept by `where`, old enough, with a label and a score; patients of the old enough."""
        flow = self._flow | self._analysed
        if self._store.patient is not None and self._store.patient in self._fields:
            flow["patients"] = int(np.count_nonzero(np.bincount(self._rows.owners())))
        return flow

    def has(self, name: str) -> bool:
        """Whether there is such a column."""
        return name in self._fields

    def field(self, name: str) -> Field:
        """
        Return the kind of a column.

        Raises:
            DataError: There is no such column; names the nearest.
        """
        found = self._fields.get(name)
        if found is None:
            raise DataError(f"{self.source} has no column {name!r}{did_you_mean(name, self._fields)}")
        return found

    def column(self, name: str) -> Column:
        """
        Return a column; the same object until it is released.

        Raises:
            DataError: There is no such column, or values do not fit the type of the reference.
        """
        field = self.field(name)
        self._refuse_misfits(field)
        with self._guard:
            found = self._columns.get(name)
            if found is None:
                found = Column(self.name, self._rows, field)
                self._columns[name] = found
            return found

    def _refuse_misfits(self, field: Field) -> None:
        misfits = self._store.table.misfits(field.name)
        if misfits:
            raise DataError(
                f"{self.source}: {counted(misfits)} values of column {field.name!r} do not fit the type "
                "that the reference has; mend them, or name the column under columns.categorical"
            )
        if field.name in self._clashes:
            raise DataError(f"{self.source}: column {field.name!r} {self._clashes[field.name]}")

    def release(self, name: str) -> None:
        """Let go of what a column holds in memory; it is read again if asked for."""
        with self._guard:
            self._columns.pop(name, None)
            self._store.release(name)
            segments = list(self._segments.values())
        for segment in segments:
            segment.release(name)

    def role(self, name: str) -> Column:
        """
        Return the column of a role: "target", "score", "patient", "id" or "time".

        Raises:
            DataError: The suite names none, or it is not there.
        """
        return self.column(self._role(name))

    def _role(self, name: str) -> str:
        column = getattr(self.roles, name)
        if column is None:
            raise DataError(f"columns.{name} is not set in the suite; this check needs it")
        return str(column)

    def labels(self, max_missing: float = MOST_MISSING_LABELS) -> Labels:
        """
        Return the outcomes as the suite names them.

        Raises:
            DataError: A label that is neither positive nor negative, one class only, or more missing
                than `max_missing`.
        """
        column = self.role("target")
        where = f"{self.source}: columns.target {column.name!r}"
        if column.kind == "other":
            raise DataError(f"{where} holds nested values")
        codes = self._rows.codes(column.name)
        absent = int(np.count_nonzero(codes.codes < 0))
        positive, known = split_labels(
            codes,
            self._store.table.family(column.name),
            positive=self.roles.positive_label,
            negative=self.roles.negative_label,
            where=where,
            known=self._store.levels(column.name) if self.roles.negative_label is None else (),
        )
        if absent > max_missing * self.rows:
            raise DataError(
                f"{where}: {counted(absent)} of {counted(self.rows)} labels are missing; "
                f"at most {max_missing:.1%} may be (max_missing_label)"
            )
        return Labels(positive, known, proportion_of(positive[known], self.owners(), known))

    def positives(self, max_missing: float = MOST_MISSING_LABELS) -> Proportion:
        """Return the share of positive labels; errors as `labels`."""
        return self.labels(max_missing).proportion

    def scores(self, max_missing: float = MOST_MISSING_LABELS, *, given: Scores | None = None) -> Scores:
        """
        Return the predicted probabilities.

        Args:
            max_missing: The largest share that may be missing.
            given: Scores of every row of the table (a model's), in place of the score column.

        Raises:
            DataError: There are none, too many are missing, or some are no probability.
        """
        if given is not None:
            kept = given.values if self._rows.keep is None else given.values[self._rows.keep]
            return checked(Scores(kept, given.column), self, max_missing)
        column = self.role("score")
        return checked(Scores(self._floats(column.name), column.name), self, max_missing)

    def scored(self, max_missing: float = MOST_MISSING_LABELS, *, given: Scores | None = None) -> Scored:
        """
        Return the rows that have a label and a score; the same object until the dataset is closed.

        Args:
            max_missing: The largest share of labels, and of scores, that may be missing.
            given: Scores of every row of the table (a model's), in place of the score column.

        Raises:
            DataError: As `labels` and `scores` do, or no row has both.
        """
        key = (max_missing, None if given is None else given.column)
        with self._guard:
            if key not in self._scored:
                labels = self.labels(max_missing)
                found = Scored(self, labels, self.scores(max_missing, given=given))
                if not found.n:
                    raise DataError(f"{self.source}: no row of {self.name} has both a label and a score")
                self._scored[key] = found
                found.count_into(self._analysed)
            return self._scored[key]

    def owners(self) -> np.ndarray | None:
        """Return the patient of each row as integers from 0, shape (rows,); None where none is named."""
        return self._rows.owners() if self._rows.clustered else None

    def codes(self, name: str) -> Codes:
        """
        Return a column as positions in its sorted levels, shape (rows,); -1 where missing.

        Raises:
            DataError: There is no such column, or it holds nested values.
        """
        if self.column(name).kind == "other":
            raise DataError(f"{self.source}: column {name!r} holds nested values")
        return self._rows.codes(name)

    def numbers(self, name: str) -> np.ndarray:
        """
        Return a numerical column, shape (rows,), float64; NaN where missing.

        Raises:
            DataError: There is no such column, it holds no numbers, or some are infinite.
        """
        values = self._floats(name)
        infinite = int(np.count_nonzero(np.isinf(values)))
        if infinite:
            raise DataError(f"{self.source}: column {name!r}: {counted(infinite)} values are infinite")
        return values

    def _floats(self, name: str) -> np.ndarray:
        column = self.column(name)
        if column.kind != "numerical":
            raise DataError(f"{self.source}: column {name!r} is {column.kind}; numbers are needed")
        return self._rows.numbers(self.field(name)).floats()

    def frame(self, names: Sequence[str]) -> "pd.DataFrame":
        """Return columns as pandas would read them; a DataError if one is not there or nested."""
        for name in names:
            self._refuse_misfits(self.field(name))
        return frame_of(self._rows, names)

    def duplicates(self, columns: Sequence[str]) -> int:
        """Return the rows beyond the first of each key; missing parts are equal to each other."""
        keys: np.ndarray | None = None
        for name in columns:
            codes = self._keys(name)
            if keys is not None:
                codes = keys * (int(codes.max(initial=0)) + 1) + codes
            keys = np.unique(codes, return_inverse=True)[1]
        return 0 if keys is None or not len(keys) else self.rows - (int(keys.max()) + 1)

    def _keys(self, name: str) -> np.ndarray:
        """Return a column as integers from 0 that are equal where its values are."""
        self.column(name)
        family = self._store.table.family(name)
        if family == "other":
            raise DataError(f"{self.source}: column {name!r} holds nested values and is no key")
        if family == "text":
            return self._rows.codes(name).codes + 1
        numbers = self._rows.numbers(self.field(name))
        keys = np.unique(numbers.values, return_inverse=True)[1].astype(np.int64) + 1
        keys[numbers.absent] = 0
        return keys

    def patients_in_common(self, other: "Dataset") -> tuple[int, int]:
        """Return how many of `other`'s patients are here too, and how many patients `other` has."""
        mine, theirs = self._patient_ids(), other._patient_ids()
        name = self._role("patient")
        families = (side._store.table.family(name) for side in (self, other))
        here, there = ("number" if family in ("integer", "float") else family for family in families)
        if here != there and not mine & theirs:
            raise DataError(
                f"{other.source}: column {name!r} holds {there}, but {here} in {self.name}: "
                "patients cannot be matched; read both as text with read: {types: …} or mend one"
            )
        return len(mine & theirs), len(theirs)

    def _patient_ids(self) -> set[str]:
        name = self.column(self._role("patient")).name
        codes = self._rows.codes(name)
        seen = np.unique(codes.codes[codes.codes >= 0])
        if not len(seen):
            raise DataError(f"{self.source}: column {name!r} names no patient: all its values are missing")
        return {codes.levels[i] for i in seen}

    def immature(self, index_time: str, horizon: timedelta, as_of: date) -> Proportion:
        """Return the rows whose outcome cannot be known by `as_of` (or that have no `index_time`)."""
        self.column(index_time)
        young = ~mature(self._store.table, index_time, horizon, as_of)
        if self._rows.keep is not None:
            young = young[self._rows.keep]
        return proportion_of(young, self._rows.owners() if self._rows.clustered else None)

    def values(self, name: str) -> list[str]:
        """
        Return the distinct values of a column as text, sorted; missing is "(missing)".

        Raises:
            DataError: There are more than 50.
        """
        self.column(name)
        found = counts_of_codes(self._codes_for_segments(name), self._rows.keep)
        texts = {*found.levels, *([MISSING] if found.missing else [])}
        if len(texts) > MOST_SEGMENTS:
            raise DataError(
                f"{self.source}: column {name!r} has {len(texts):,} values; "
                f"segments take at most {MOST_SEGMENTS}"
            )
        return sorted(texts)

    def _codes_for_segments(self, name: str) -> Codes:
        with self._guard:
            found = self._segment_codes.get(name)
            if found is None:
                found = self._store.table.codes(name)
                found = Codes(found.codes.astype(np.int32), found.levels)
                self._segment_codes[name] = found
            return found

    def segment(self, selection: Mapping[str, str]) -> "Dataset":
        """Return the rows where each column has the given text, "(missing)" for missing."""
        key = tuple(sorted(selection.items()))
        with self._guard:
            found = self._segments.get(key)
            if found is None:
                rows = self._rows
                for name, text in key:
                    self.column(name)
                    rows = rows.within(equals(self._codes_for_segments(name), text))
                # Several segments read the same raw column: keep it until it is released.
                self._store.keeping = True
                found = Dataset(
                    self.name, self._store, self.roles, self.fields, rows, self._flow, self._clashes
                )
                self._segments[key] = found
            return found

    def digest(self) -> str | None:
        """Return the sha256 of the bytes that were read, waiting for it if need be."""
        return self._store.table.digest()

    def families(self) -> dict[str, Family]:
        """
        Return the family of each column, for datasets whose types are decided here.

        Without the columns that the suite calls categorical: any text is a level of those.
        """
        free = set(self.roles.categorical)
        return {name: self._store.table.family(name) for name in self._store.table.names if name not in free}

    def close(self) -> None:
        """Let go of files and memory."""
        self._columns.clear()
        self._scored.clear()
        self._segments.clear()
        self._store.table.close()
