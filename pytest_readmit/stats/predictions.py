"""Labelled predictions: what metrics, calibration and fairness are computed from."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.generic]


@dataclass(frozen=True, eq=False)
class Predictions:
    """
    Labels and scores of the same rows, with the patient behind each.

    Args:
        positive: Bools, shape (n,): the row has the positive label.
        score: Predicted probability of the positive label, float64, shape (n,), finite.
        owners: Patient of each row as integers from 0 without gaps, shape (n,); None: rows are independent.
    """

    positive: npt.NDArray[np.bool_]
    score: npt.NDArray[np.float64]
    owners: npt.NDArray[np.int64] | None = None

    @classmethod
    def of(
        cls, positive: npt.ArrayLike, score: npt.ArrayLike, patients: npt.ArrayLike | None = None
    ) -> "Predictions":
        """Return predictions of any array-likes; `patients` may be any values that can be sorted."""
        owners = None if patients is None else np.unique(np.asarray(patients), return_inverse=True)[1]
        return cls(np.asarray(positive, dtype=bool), np.asarray(score, dtype=np.float64), owners)

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.positive)

    @cached_property
    def events(self) -> int:
        """Number of positive rows."""
        return int(np.count_nonzero(self.positive))

    @property
    def prevalence(self) -> float:
        """Share of positive rows; NaN without rows."""
        return self.events / self.n if self.n else float("nan")

    @cached_property
    def units(self) -> int | None:
        """Number of patients; None where rows are independent."""
        return None if self.owners is None else _distinct(self.owners)

    @cached_property
    def fewest_events(self) -> int:
        """The fewer of events and non-events; where patients are known, of patients with one."""
        if self.owners is None:
            return min(self.events, self.n - self.events)
        return min(_distinct(self.owners[self.positive]), _distinct(self.owners[~self.positive]))

    @cached_property
    def order(self) -> npt.NDArray[np.intp]:
        """Indices that sort the scores, ascending, shape (n,); computed once for all who ask."""
        return np.argsort(self.score)

    @cached_property
    def ranked(self) -> npt.NDArray[np.bool_]:
        """Labels in the order of `order`, shape (n,)."""
        return self.positive[self.order]

    def take(self, rows: npt.NDArray[np.generic]) -> "Predictions":
        """Return some of the rows: bools of shape (n,), or indices. Patients are numbered anew."""
        owners = None if self.owners is None else self.owners[rows]
        if owners is not None and len(owners):
            owners = np.unique(owners, return_inverse=True)[1].astype(np.int64)
        return Predictions(self.positive[rows], self.score[rows], owners)


def _distinct(owners: npt.NDArray[np.int64]) -> int:
    return int(np.count_nonzero(np.bincount(owners))) if len(owners) else 0
