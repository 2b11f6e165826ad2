"""The picture of two distributions for the report: bins wide enough to hide every single row."""

import math
from typing import Any

import numpy as np

from pytest_readmit.stats.distribution import OTHER, Array, Distribution, aligned, require_rows

_MOST_LEVELS = 20
_EXACT_HALVES = 2.0**50


def picture(
    reference: Distribution, current: Distribution, min_cell: int = 11, bins: int = 30
) -> dict[str, Any] | None:
    """
    Return both distributions as shares of few bins, each empty or holding at least `min_cell` rows.

    Args:
        reference: Numbers or text.
        current: The same.
        min_cell: The smallest count that may be shown.
        bins: About how many bins numbers get.

    Returns:
        For numbers ``{"edges": [k + 1], "reference": [k], "current": [k]}``; the first and last bin
        also hold what lies beyond them. For text ``{"levels": [k], ...}``, small levels pooled as
        ``(other)``. None where a side has fewer than `min_cell` rows, or the range is no finite number.
    """
    require_rows(reference, current)
    if min(reference.n, current.n) < min_cell:
        return None
    if reference.is_text:
        return _of_levels(reference, current, min_cell)
    edges = _edges(reference, current, bins)
    if edges is None:
        return None
    counts = np.array([_binned(side, edges) for side in (reference, current)])
    groups = _merged(counts, min_cell)
    kept = [float(edges[start]) for start, _ in groups] + [float(edges[-1])]
    totals = np.array([counts[:, start:end].sum(axis=1) for start, end in groups]).T
    return {"edges": kept, **_shares(totals)}


def _shares(totals: Array) -> dict[str, list[float]]:
    return {
        side: [round(float(count / row.sum()), 6) for count in row]
        for side, row in zip(("reference", "current"), totals, strict=True)
    }


def _edges(reference: Distribution, current: Distribution, bins: int) -> Array | None:
    """
    Return round edges over the middle 99% of the reference and the middle 90% of current.

    Round, because a quantile is one row's value. Of current a little less: a few percent in another
    unit would squeeze everything else into one bin; they show in the outer one.
    """
    before = reference.quantile(np.array([0.005, 0.995]))
    now = current.quantile(np.array([0.05, 0.95]))
    low, high = float(min(before[0], now[0])), float(max(before[1], now[1]))
    if not math.isfinite(high - low):
        return None
    if _few_whole_numbers(reference, low, high, bins) and _few_whole_numbers(current, low, high, bins):
        return np.arange(low - 0.5, high + 1.0)
    step = round_step((high - low) / bins, scale=max(abs(low), abs(high)))
    first = math.floor(low / step)
    last = max(math.ceil(high / step), first + 1)
    return np.array([float(f"{step * k:.12g}") for k in range(first, last + 1)])


def _few_whole_numbers(side: Distribution, low: float, high: float, bins: int) -> bool:
    return (
        high - low < bins
        and max(abs(low), abs(high)) < _EXACT_HALVES
        and bool(np.all(side.support == np.round(side.support)))
    )


def round_step(width: float, scale: float) -> float:
    """Return 1, 2 or 5 times a power of ten, at least the width; never lost in the scale's rounding."""
    width = max(width, scale * 1e-9, 1e-300)
    power = 10.0 ** math.floor(math.log10(width))
    return next((power * factor for factor in (1.0, 2.0, 5.0) if power * factor >= width), power * 10.0)


def _binned(side: Distribution, edges: Array) -> Array:
    """Count rows in [edge, next edge); the outer bins are open."""
    ranks = side.rank(edges[1:-1], side="left")
    return np.diff(np.concatenate(([0], ranks, [side.n])))


def _merged(counts: Array, min_cell: int) -> list[tuple[int, int]]:
    """Return ranges of bins in which each side has no rows or at least `min_cell`."""

    def safe(start: int, end: int) -> bool:
        rows = counts[:, start:end].sum(axis=1)
        return bool(np.all((rows == 0) | (rows >= min_cell)))

    groups: list[tuple[int, int]] = []
    start = 0
    for end in range(1, counts.shape[1] + 1):
        if safe(start, end):
            groups.append((start, end))
            start = end
    end = counts.shape[1]
    while start < end and groups and not safe(start, end):
        start = groups.pop()[0]
    if start < end:
        groups.append((start, end))
    return groups


def _of_levels(reference: Distribution, current: Distribution, min_cell: int) -> dict[str, Any]:
    levels, both = aligned(reference, current)
    counts = np.array(both)
    by_size = sorted(range(len(levels)), key=lambda i: (-int(counts[:, i].sum()), levels[i]))
    safe = [
        i
        for i in by_size
        if levels[i] != OTHER and bool(np.all((counts[:, i] == 0) | (counts[:, i] >= min_cell)))
    ]
    shown = safe[:_MOST_LEVELS]

    def rest() -> Array:
        return np.asarray(counts.sum(axis=1) - counts[:, shown].sum(axis=1))

    while shown and not np.all((rest() == 0) | (rest() >= min_cell)):
        shown.pop()
    totals = counts[:, shown]
    names = [str(levels[i]) for i in shown]
    if rest().any():
        names.append(OTHER)
        totals = np.column_stack((totals, rest()))
    return {"levels": names, **_shares(totals)}
