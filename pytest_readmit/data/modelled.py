"""A dataset whose score is a model's: the same rows, scored when a check first asks."""

from collections.abc import Callable, Mapping

import numpy as np

from pytest_readmit.data.column import Column
from pytest_readmit.data.dataset import Dataset, Scores
from pytest_readmit.data.frame_of import spread
from pytest_readmit.data.scored import MOST_MISSING
from pytest_readmit.data.store import Field, Rows
from pytest_readmit.data.table import Numbers

Scorer = Callable[[], Scores]


class Modelled(Dataset):
    """
    A dataset seen through a model.

    Args:
        plain: The dataset.
        scorer: Returns the scores of every row of its table.
    """

    def __init__(self, plain: Dataset, scorer: Scorer) -> None:
        super().__init__(
            plain.name, plain._store, plain.roles, plain.fields, plain._rows, plain._flow, plain._clashes
        )
        # What is read of a column is kept once for both.
        self._columns, self._segment_codes, self._guard = plain._columns, plain._segment_codes, plain._guard
        self._analysed = plain._analysed
        self._plain = plain
        self._scorer = scorer

    def scores(self, max_missing: float = MOST_MISSING, *, given: Scores | None = None) -> Scores:
        """Return the model's predicted probabilities; `given` replaces them."""
        return super().scores(max_missing, given=self._scorer() if given is None else given)

    def role(self, name: str) -> Column:
        """Return the column of a role; that of "score" holds the model's."""
        if name != "score":
            return super().role(name)
        scores = self.scores(1.0)
        field = Field(scores.column, "numerical", "DOUBLE", integer=False, stated=True)
        return Column(self.name, _Lent(self._rows, scores.values), field)

    def segment(self, selection: Mapping[str, str]) -> Dataset:
        """Return the rows where each column has the given text, with the model's scores."""
        key = tuple(sorted(selection.items()))
        with self._guard:
            if key not in self._segments:
                self._segments[key] = Modelled(self._plain.segment(selection), self._scorer)
            return self._segments[key]


class _Lent(Rows):
    """The same rows with one column of their own, which is all that is read of them."""

    def __init__(self, rows: Rows, values: np.ndarray) -> None:
        super().__init__(rows.store, rows.keep)
        self._values = values

    def numbers(self, field: Field) -> Numbers:  # noqa: ARG002 - there is one column
        return Numbers(self._values.copy())  # the reader may sort them in place

    def note(self, name: str) -> str | None:  # noqa: ARG002 - as above
        return None


def feature_order(dataset: Dataset) -> tuple[str, ...]:
    """Return the features in the reference's order; a file may have its columns in another."""
    return dataset._store.order or dataset.features


def scored_by(dataset: Dataset, column: str) -> Scores:
    """Return a column of a dataset as the scores of every row of its table."""
    return scored_rows(dataset, dataset.numbers(column), column)


def scored_rows(dataset: Dataset, values: np.ndarray, name: str) -> Scores:
    """Return predictions for the rows of a dataset as the scores of every row of its table."""
    return Scores(spread(dataset._rows, values), name)
