"""How large the groups of a table are, with so many left out that no small one follows from the others."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_readmit.stats.predictions import Predictions

Levels = Sequence[tuple[int, ...]]
Lines = Mapping[tuple[int, ...], list[int]]


@dataclass(frozen=True, slots=True)
class _Sizes:
    """Of each group: its rows, patients (none where rows are independent), positives and negatives."""

    rows: list[int]
    patients: list[int]
    positives: list[int]
    negatives: list[int]

    def of_lines(self, lines: Lines) -> "_Sizes":
        """Return the sizes of groups put together."""
        each = (self.rows, self.patients, self.positives, self.negatives)
        return _Sizes(
            *([sum(values[i] for i in line) for line in lines.values()] if values else [] for values in each)
        )


def counts(parts: "Sequence[Predictions]", levels: Levels, min_cell: int) -> list[dict[str, int | None]]:
    """
    Return what may be shown of the size of each group; None where it is left out.

    Rows are positives and negatives, all groups together are the dataset, and groups of several columns add
    up to those of fewer, which may stand in another table. So in no line of a table is one count left out
    alone, and where a table of fewer columns leaves a count out, so does each that adds up to it.

    Args:
        parts: The rows of each group.
        levels: Of each group, which level of each column it is made of.
        min_cell: The smallest count that may be shown.
    """
    by_patient = all(part.owners is not None for part in parts)
    sizes = _Sizes(
        rows=[part.n for part in parts],
        patients=[part.units or 0 for part in parts] if by_patient else [],
        positives=[part.events for part in parts],
        negatives=[part.n - part.events for part in parts],
    )
    whole, split = _hidden(sizes, levels, min_cell)
    told = {"rows": (sizes.rows, whole)}
    if by_patient:
        told["patients"] = (sizes.patients, whole)
    told |= {"positives": (sizes.positives, split), "negatives": (sizes.negatives, split)}
    return [
        {key: None if hidden[i] else values[i] for key, (values, hidden) in told.items()}
        for i in range(len(parts))
    ]


def _hidden(sizes: _Sizes, levels: Levels, min_cell: int) -> tuple[list[bool], list[bool]]:
    """Return for which groups rows and patients, and for which the labels among them, are left out."""

    def small(*measured: Sequence[int]) -> list[bool]:
        known = [values for values in measured if values]
        return [any(0 < values[i] < min_cell for values in known) for i in range(len(levels))]

    tables: list[tuple[Lines, list[bool], list[bool]]] = []
    for axes in _fewer_axes(len(levels[0])):
        lines = _lines(levels, axes)
        margin = [False] * len(lines), [False] * len(lines)
        if axes:
            margin = _hidden(sizes.of_lines(lines), list(lines), min_cell)
        tables.append((lines, *margin))
    whole = _spread(small(sizes.rows, sizes.patients), sizes.rows, [(each[0], each[1]) for each in tables])
    either = small(sizes.positives, sizes.negatives)
    start = [a or b for a, b in zip(either, whole, strict=True)]
    return whole, _spread(start, sizes.rows, [(each[0], each[2]) for each in tables])


def _fewer_axes(columns: int) -> list[tuple[int, ...]]:
    return [axes for size in range(columns) for axes in combinations(range(columns), size)]


def _lines(levels: Levels, axes: tuple[int, ...]) -> Lines:
    """Return the groups that add up to each group of fewer columns."""
    found: dict[tuple[int, ...], list[int]] = {}
    for place, level in enumerate(levels):
        found.setdefault(tuple(level[axis] for axis in axes), []).append(place)
    return found


def _spread(
    start: Sequence[bool], rows: Sequence[int], tables: Sequence[tuple[Lines, Sequence[bool]]]
) -> list[bool]:
    """Leave out more counts, smallest first, until none follows from its line and the line's sum."""
    hidden = list(start)
    if not any(hidden) and not any(any(margin) for _, margin in tables):
        return hidden
    changed = True
    while changed:
        changed = False
        for lines, margin in tables:
            for line, sum_hidden in zip(lines.values(), margin, strict=True):
                left_out = sum(hidden[i] for i in line if rows[i] > 0)
                if left_out >= 2 or (left_out == 0 and not sum_hidden):
                    continue
                others = [i for i in line if not hidden[i] and rows[i] > 0]
                if others:
                    hidden[min(others, key=lambda i: rows[i])] = changed = True
                elif left_out == 1 and not sum_hidden:
                    # This one is its line's sum, which another table shows: nothing can stay hidden by it.
                    return [True] * len(hidden)
    return hidden
