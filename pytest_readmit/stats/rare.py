"""Values too rare for a level of their own: what the rows of others say of the dataset they come from."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Values:
    """
    One column's values, and whose they are.

    Args:
        codes: Value of each row from 0, shape (n,); -1 where it is none of these.
        owners: Patient of each row, shape (n,); None: rows are independent.
    """

    codes: Ints
    owners: Ints | None = None

    def elsewhere(self, among: Bools) -> Ints:
        """Return how many of the rows `among`, other patients' only, have a row's value; shape (n,)."""
        here = among & (self.codes >= 0)
        of_value = np.bincount(self.codes[here], minlength=int(self.codes.max(initial=0)) + 1)
        own = np.bincount(self._pair[here], minlength=len(self.codes))
        return np.where(self.codes < 0, 0, of_value[self.codes] - own[self._pair]).astype(np.int64)

    @cached_property
    def _pair(self) -> Ints:
        """Number of each row's value and patient together, shape (n,)."""
        if self.owners is None:
            return np.arange(len(self.codes))
        _, owner = np.unique(self.owners, return_inverse=True)
        pairs = self.codes * (int(owner.max(initial=0)) + 1) + owner
        return np.asarray(np.unique(pairs, return_inverse=True)[1], dtype=np.int64)

    def leaning(self, current: Bools, training: Bools) -> npt.NDArray[np.float32]:
        """
        Return the log-odds of current, against those of all, that other patients' training rows give a value.

        A row never speaks for itself nor for its patient, so that a value which no one else has is 0: an
        identifier tells nothing. Two imagined rows at the odds of all are added to each value's.

        Where the rows of others point the wrong way (the same rows in both datasets: each finds its copy on
        the other side), everything is 0, so that no classifier learns to turn it round.

        Args:
            current: Whether a row is of current, shape (n,).
            training: The rows that may be learnt from, shape (n,), some of either dataset.

        Returns:
            Shape (n,).

        References:
            Micci-Barreca (2001), SIGKDD Explor. 3, 27-32 (smoothed target statistics of rare levels).
        """
        prior = float(current[training].mean())
        before, after = self.elsewhere(training & ~current), self.elsewhere(training & current)
        odds = (after + 2.0 * prior) / (before + 2.0 * (1.0 - prior))
        lean = np.log(odds) - np.log(prior / (1.0 - prior))
        right_way = lean[training & current].mean() > lean[training & ~current].mean()
        return np.asarray(lean if right_way else np.zeros(len(lean)), dtype=np.float32)
