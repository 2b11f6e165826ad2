"""Windows of the real size, drawn from one reference, in which nothing has changed."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pytest_readmit.data.pool import Drawn, Pool

FEW = 0.1


@dataclass(frozen=True, slots=True)
class Sizes:
    """
    How large the windows are.

    Args:
        reference: Rows of the reference.
        others: Rows of each other dataset.
    """

    reference: int
    others: Mapping[str, int]

    @property
    def split(self) -> bool:
        """
        Whether each row goes to one window only.

        That is where the other windows take so little of the reference that what is left is, but for
        a tenth at most, of its size; else rows are drawn with replacement.
        """
        return sum(self.others.values()) <= FEW * self.reference


def draw(pool: Pool, sizes: Sizes, rng: np.random.Generator) -> dict[str, Drawn]:
    """Draw a window for the reference and for each other dataset; whole patients where they are named."""
    owners = pool.owners()
    units = pool.rows if owners is None else int(owners.max()) + 1
    wanted = {name: _units(rows, units, sizes.reference) for name, rows in sizes.others.items()}
    chosen: dict[str, np.ndarray] = {}
    if sizes.split:
        shuffled = rng.permutation(units)
        for name, count in wanted.items():
            chosen[name], shuffled = shuffled[:count], shuffled[count:]
        chosen["reference"] = shuffled
    else:
        chosen["reference"] = rng.integers(units, size=units)
        chosen |= {name: rng.integers(units, size=count) for name, count in wanted.items()}
    if owners is None:
        return {name: Drawn(rows) for name, rows in chosen.items()}
    return _with_patients(owners, units, chosen)


def _units(rows: int, units: int, of_rows: int) -> int:
    return max(1, round(rows * units / of_rows))


def _with_patients(owners: np.ndarray, units: int, chosen: Mapping[str, np.ndarray]) -> dict[str, Drawn]:
    """Return the rows of the chosen patients; one who was drawn twice is two patients."""
    order = np.argsort(owners, kind="stable")
    sizes = np.bincount(owners, minlength=units)
    starts = np.cumsum(sizes) - sizes
    found: dict[str, Drawn] = {}
    known = 0
    for name, patients in chosen.items():
        counts = sizes[patients]
        within = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
        rows = order[np.repeat(starts[patients], counts) + within]
        found[name] = Drawn(rows, np.repeat(np.arange(known, known + len(patients)), counts))
        known += len(patients)
    return found


def whole(pool: Pool, copies: int = 1) -> Drawn:
    """Return every row once, or as often as is said; each copy of a patient is another one."""
    owners = pool.owners()
    rows = np.tile(np.arange(pool.rows), copies)
    if owners is None:
        return Drawn(rows)
    patients = int(owners.max()) + 1
    return Drawn(rows, np.concatenate([owners + turn * patients for turn in range(copies)]))
