"""Bins of at least so many rows between round edges: a column without its rows."""

import itertools
import math
from typing import NamedTuple

import numpy as np

from pytest_readmit.stats.distribution import Array
from pytest_readmit.stats.histogram import round_step

MOST = 400
"""About how many bins and values a column keeps; a bin then holds about 0.25% of its rows."""
_ROOM = 1.5
_GROWTH = 1.6
_OUTER = 20
_OPEN = 4
_BEYOND = 1.2


class Bin(NamedTuple):
    """Rows between two values, both included; where they are the same, all rows have that value."""

    low: float
    high: float
    rows: int


def binned(
    values: Array, counts: Array, min_cell: int, most: int = MOST, shared: Array | None = None
) -> list[Bin]:
    """
    Return the rows of a column in bins of at least `min_cell` rows, in order.

    A value that enough rows have stays as it is, if there are not more than `most` of those. What lies
    between is cut at round numbers, finely at the ends; where it is less than `min_cell` rows, it takes some
    of the value beside it. Outer edges are round numbers beyond the extremes, of which they leave several
    open.

    Args:
        values: Distinct values, sorted, finite, shape (k,).
        counts: Rows of each, shape (k,).
        min_cell: The fewest rows of a bin.
        most: About the most bins.
        shared: How many have each value, where that is fewer than its rows (patients); default: its rows.

    Returns:
        The bins; none where there are fewer than `min_cell` rows.
    """
    rows = int(counts.sum())
    if rows < min_cell:
        return []
    shared = counts if shared is None else np.minimum(counts, shared)
    common = shared >= min_cell
    if int(common.sum()) > most:
        common &= counts >= max(min_cell, rows / most)
    places = [-1, *np.flatnonzero(common).tolist(), len(values)]
    extremes = float(values[0]), float(values[-1])
    step = _outer_step(values)
    outer = (_below(extremes[0], step), -_below(-extremes[1], step))
    if extremes[0] >= 0.0 and extremes[1] <= 1.0:
        outer = (outer[0], min(outer[1], 1.0))  # what may be a probability stays one
    size = max(math.ceil(_ROOM * min_cell), rows // most)
    left = {place: int(counts[place]) for place in places[1:-1]}
    gaps: list[list[Bin]] = []
    for before, after in itertools.pairwise(places):
        inside = slice(before + 1, after)
        low = outer[0] if before < 0 else float(values[before])
        high = outer[1] if after == len(values) else float(values[after])
        between = int(counts[inside].sum())
        if 0 < between < min_cell:
            between += _lent(left, before, after, min_cell - between, min_cell)
            gaps.append([Bin(low, high, between)])
        elif between:
            ends = (before < 0, after == len(values))
            tally = np.array([counts[inside], shared[inside]])
            gaps.append(_cut(values[inside], tally, (low, high), (min_cell, size), ends))
        else:
            gaps.append([])
    found = gaps[0]
    for place, gap in zip(places[1:-1], gaps[1:], strict=True):
        value = float(values[place])
        found += [Bin(value, value, left[place])] if left[place] else []
        found += gap
    return _merged(found, min_cell)


def _lent(left: dict[int, int], before: int, after: int, wanted: int, min_cell: int) -> int:
    """Take rows from the commoner of the two values beside a gap: all, where too few would be left."""
    lender = max((place for place in (before, after) if place in left), key=lambda place: left[place])
    lent = wanted if left[lender] - wanted >= min_cell else left[lender]
    left[lender] -= lent
    return lent


def _merged(found: list[Bin], min_cell: int) -> list[Bin]:
    """Join what is still too small, where the value beside it had been taken already, with its neighbour."""
    merged: list[Bin] = []
    for one in found:
        small = bool(merged) and min(one.rows, merged[-1].rows) < min_cell
        last = merged.pop() if small else Bin(one.low, one.low, 0)
        merged.append(Bin(last.low, one.high, last.rows + one.rows))
    return merged


def _outer_step(values: Array) -> float:
    """Return the step of the outer edges: a twentieth of the range, but several of the values that may be."""
    low, high = float(values[0]), float(values[-1])
    scale = max(abs(low), abs(high))
    step = round_step((high / 2 - low / 2) / _OUTER * 2, scale=scale)
    gaps = np.diff(values / 2) * 2
    if len(gaps) == 0 or gaps.tolist() == [1.0]:
        return step  # of yes and no, there is nothing to hide between
    wanted = _OPEN * float(gaps.min()) if len(gaps) > 1 else _BEYOND * float(gaps[0])
    return max(step, round_step(wanted, scale=scale)) if math.isfinite(10.0 * wanted) else step


def _cut(
    values: Array, tally: Array, edges: tuple[float, float], sizes: tuple[int, int], ends: tuple[bool, bool]
) -> list[Bin]:
    """Cut the rows between two edges at round numbers."""
    min_cell, size = sizes
    counts, shared = tally
    upto = np.cumsum(counts)
    rows = int(upto[-1])
    cuts: list[float] = []
    ranks = [0]
    for rank, width in _ranks(rows, min_cell, size, ends):
        edge = _edge(values, (upto, shared), rank, max(1, width // 6), min_cell)
        if edge is None:
            continue
        below = int(upto[np.searchsorted(values, edge, side="right") - 1])
        if below - ranks[-1] >= min_cell and rows - below >= min_cell:
            cuts.append(edge)
            ranks.append(below)
    bounds = [edges[0], *cuts, edges[1]]
    totals = np.diff([*ranks, rows]).tolist()
    return [Bin(low, high, total) for low, high, total in zip(bounds[:-1], bounds[1:], totals, strict=True)]


def _ranks(rows: int, min_cell: int, size: int, ends: tuple[bool, bool]) -> list[tuple[int, int]]:
    """Return where to cut, as rows below, with the size of the bin: small bins at the ends of a column."""
    smallest = math.ceil(_ROOM * min_cell)
    sides: list[list[tuple[int, int]]] = []
    for at_end in ends:
        place, width, side = 0, float(smallest), []
        while at_end and width < size and 2 * (place + width) < rows:
            place += int(width)
            side.append((place, int(width)))
            width *= _GROWTH
        sides.append(side)
    first = sides[0][-1][0] if sides[0] else 0
    last = rows - (sides[1][-1][0] if sides[1] else 0)
    pieces = max(1, (last - first) // size)
    middle = [(first + (last - first) * k // pieces, size) for k in range(1, pieces)]
    if last < rows:
        middle.append((last, sides[1][-1][1]))
    return [*sides[0], *middle, *((rows - place, width) for place, width in reversed(sides[1][:-1]))]


def _edge(values: Array, tally: tuple[Array, Array], rank: int, reach: int, min_cell: int) -> float | None:
    """Return the roundest number between two rows around a rank, or a value that enough rows there have."""
    upto, shared = tally
    around = np.clip([rank - reach, rank + reach - 1], 0, int(upto[-1]) - 1)
    first, last = np.searchsorted(upto, around, side="right").tolist()
    if first < last:
        return roundest(float(values[first]), float(values[last]))
    if shared[first] >= min_cell:
        return float(values[first])
    rows = int(upto[first]) - (int(upto[first - 1]) if first else 0)
    return _edge(values, tally, rank, 2 * reach, min_cell) if 2 * reach < max(min_cell, rows) else None


def roundest(low: float, high: float) -> float | None:
    """Return a number of few digits, at least `low` and below `high`; None where they hardly differ."""
    power = min(math.floor(math.log10(max(high / 2 - low / 2, 5e-324))) + 2, 307)
    for unit in (factor * 10.0**each for each in range(power, power - 4, -1) for factor in (5, 2, 1)):
        if 0.0 < unit < math.inf:
            found = float(f"{math.ceil(low / unit) * unit:.12g}")
            if low <= found < high:
                return found
    return None


def _below(value: float, step: float) -> float:
    """Return the largest multiple of a step that is not above a value."""
    found = float(f"{math.floor(value / step) * step:.12g}")
    return found if found <= value else value - step
