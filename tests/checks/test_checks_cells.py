"""What tables of groups leave out: no small count follows from the others, in one table or several."""

from itertools import product
from types import SimpleNamespace
from typing import Any

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from readmit_checks import cells

MIN_CELL = 11
SIZES = st.sampled_from([1, 5, 10, 11, 30, 400])


def shown_of(rows: np.ndarray, events: np.ndarray) -> dict[tuple[int, ...], dict[str, int | None]]:
    """Return what is shown of each group that has rows."""
    levels = [place for place in np.ndindex(*rows.shape) if rows[place]]
    parts: Any = [
        SimpleNamespace(n=int(rows[place]), events=int(events[place]), owners=None) for place in levels
    ]
    return dict(zip(levels, cells.counts(parts, levels, MIN_CELL), strict=True))


def follows(known: list[np.ndarray], wanted: np.ndarray) -> bool:
    """Whether a sum of cells is a combination of the sums that are known."""
    return bool(np.linalg.matrix_rank(known) == np.linalg.matrix_rank([*known, wanted]))


@settings(max_examples=60, deadline=None)
@given(sizes=st.lists(SIZES, min_size=9, max_size=9), columns=st.sampled_from([(9,), (3, 3), (2, 2, 2)]))
def test_no_small_count_follows_from_all_tables_of_a_suite(
    sizes: list[int], columns: tuple[int, ...]
) -> None:
    rows = np.array(sizes[: int(np.prod(columns))]).reshape(columns)
    assume(rows.sum() >= 50)
    events = rows // 4
    for key, counts in (("rows", rows), ("positives", events), ("negatives", rows - events)):
        known, small = [np.ones(rows.size)], []
        for chosen in product([False, True], repeat=len(columns)):
            others = tuple(axis for axis, kept in enumerate(chosen) if not kept)
            if len(others) == len(columns):
                continue
            shown = shown_of(rows.sum(axis=others), events.sum(axis=others))
            for level, told in shown.items():
                place = iter(level)
                at = tuple(next(place) if kept else slice(None) for kept in chosen)
                mask = np.zeros(columns)
                mask[at] = 1.0
                count = int(counts[at].sum())
                if told[key] is not None:
                    assert told[key] == count
                    assert count == 0 or count >= MIN_CELL
                    known.append(mask.ravel())
                elif 0 < count < MIN_CELL:
                    small.append(mask.ravel())
        assert not any(follows(known, each) for each in small), key


def test_a_table_without_small_counts_shows_all() -> None:
    rows = np.array([[60, 80], [50, 400]])
    shown = shown_of(rows, rows // 4)
    assert shown[0, 0] == {"rows": 60, "positives": 15, "negatives": 45}
    assert all(value is not None for each in shown.values() for value in each.values())
