"""Labelled predictions of a dataset: which rows can be analysed, and what groups they belong to."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from pytest_readmit.data.labels import Labels
from pytest_readmit.data.roles import Roles
from pytest_readmit.data.store import Field
from pytest_readmit.data.table import Codes
from pytest_readmit.errors import DataError, counted
from pytest_readmit.stats.predictions import Predictions

MOST_MISSING = 0.05


class Home(Protocol):
    """What Scored asks of the dataset that it belongs to."""

    name: str
    source: str
    rows: int
    roles: Roles

    def labels(self, max_missing: float = MOST_MISSING) -> Labels: ...
    def numbers(self, name: str) -> np.ndarray: ...
    def codes(self, name: str) -> Codes: ...
    def owners(self) -> np.ndarray | None: ...
    def field(self, name: str) -> Field: ...


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """
    The predicted probability of each row.

    Args:
        values: Shape (rows,), float64; NaN where missing.
        column: The column they come from, or the model's name.
    """

    values: np.ndarray
    column: str

    @property
    def missing(self) -> int:
        """Rows without a score."""
        return int(np.count_nonzero(np.isnan(self.values)))


class Scored:
    """
    The rows of a dataset that have both a label and a score.

    Args:
        home: The dataset.
        labels: Its labels.
        scores: Its scores.
    """

    __readmit_injected__ = "scored"

    def __init__(self, home: Home, labels: Labels, scores: Scores) -> None:
        self.name = home.name
        self.source = home.source
        self.rows = home.rows
        self.target = str(home.roles.target)
        self.score = scores.column
        self.missing_labels = labels.missing
        self.missing_scores = scores.missing
        self._home = home
        self.kept = labels.known & ~np.isnan(scores.values)
        """The rows of the dataset that are analysed, shape (rows,)."""
        owners = home.owners()
        whole = Predictions(labels.positive, scores.values, owners)
        self.predictions = whole if self.kept.all() else whole.take(self.kept)

    def __repr__(self) -> str:
        return f"Scored({self.name!r}, {self.score!r}, n={self.n})"

    def count_into(self, flow: dict[str, int]) -> None:
        """Add to a flow of rows how many have a label, and how many a label and a score."""
        for step, rows in (("labelled", self.rows - self.missing_labels), ("analysed", self.n)):
            flow[step] = min(rows, flow.get(step, rows))

    @property
    def dataset(self) -> Home:
        """The dataset that the rows belong to."""
        return self._home

    @property
    def n(self) -> int:
        """Rows with label and score."""
        return self.predictions.n

    def codes(self, name: str) -> Codes:
        """
        Return the levels of a column for the analysed rows; -1 where missing.

        Raises:
            DataError: There is no such column.
        """
        found = self._home.codes(name)
        return Codes(found.codes[self.kept], found.levels)

    def numbers(self, name: str) -> np.ndarray:
        """
        Return a numerical column for the analysed rows, NaN where missing.

        Raises:
            DataError: There is no such column, it holds no numbers, or some are infinite.
        """
        return np.asarray(self._home.numbers(name)[self.kept])


def checked(scores: Scores, home: Home, max_missing: float) -> Scores:
    """
    Return scores that are probabilities.

    Raises:
        DataError: None is there, too many are missing, some are infinite or outside [0, 1].
    """
    where = f"{home.source}: score {scores.column!r}"
    values = scores.values
    if not len(values):
        raise DataError(f"{home.name} ({home.source}) has 0 rows")
    missing = scores.missing
    if missing == len(values):
        raise DataError(f"{where}: every row is missing")
    if missing > max_missing * len(values):
        raise DataError(
            f"{where}: {counted(missing)} of {counted(len(values))} scores are missing; "
            f"at most {max_missing:.1%} may be (max_missing_label)"
        )
    infinite = int(np.count_nonzero(np.isinf(values)))
    if infinite:
        raise DataError(f"{where}: {counted(infinite)} scores are infinite")
    outside = int(np.count_nonzero((values < 0) | (values > 1)))
    if outside:
        raise DataError(
            f"{where}: {counted(outside)} scores are outside [0, 1]; a score is the predicted probability "
            "of the positive label, not a logit or a percentage"
        )
    return scores
