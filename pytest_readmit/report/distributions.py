"""Reference and current laid over each other: step outlines, paired bars, two values."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from pytest_readmit.report.picture import Picture, Table
from pytest_readmit.report.svg import WIDTH, Scale, axis, drawing, element, line
from pytest_readmit.report.words import figure, items, name, percent, real

HEIGHT, FLOOR = 142, 122
MOST_LEVELS = 12
MOST_STEPS = 16
MOST_ROWS = 8
ROW = 26
# Drawn once, at the head of the page; every picture of both datasets refers to them.
STEPS_KEY, BARS_KEY = element("use", href="#k-steps"), "#k-bars"
KEY_HEIGHT = 16
PERCENT = ("reference, %", "current, %")
LABEL = 118
LONGEST = 18


@dataclass(frozen=True, slots=True)
class _Bins:
    """Shares of rows between edges, reference and current; widths are positive."""

    edges: list[float]
    reference: list[float]
    current: list[float]

    def width(self, index: int) -> float:
        return self.edges[index + 1] - self.edges[index]

    def density(self, shares: Sequence[float]) -> list[float]:
        return [share / self.width(index) for index, share in enumerate(shares)]


def overlay(histogram: Mapping[str, Any], title: str) -> Picture | None:
    """Return the picture of a record's ``details.histogram``; None if it holds none that can be drawn."""
    if "levels" in histogram:
        return _levels(histogram, title)
    bins = _read_bins(histogram)
    return None if bins is None else _steps(bins, title)


def _read_bins(histogram: Mapping[str, Any]) -> _Bins | None:
    edges = [real(edge) for edge in items(histogram.get("edges"))]
    sides = [
        [real(share) or 0.0 for share in items(histogram.get(side))] for side in ("reference", "current")
    ]
    if len(edges) < 2 or any(len(side) != len(edges) - 1 for side in sides):
        return None
    closed = _closed(edges)
    if closed is None or closed != sorted(closed):
        return None
    return _widened(_Bins(closed, *sides))


def _closed(edges: list[float | None]) -> list[float] | None:
    """Give an open outer bin the width of its neighbour; an unknown edge elsewhere cannot be drawn."""
    inner = [edge for edge in edges if edge is not None]
    if len(inner) < 2:
        return None
    found = list(edges)
    if found[0] is None:
        found[0] = 2 * inner[0] - inner[1]
    if found[-1] is None:
        found[-1] = 2 * inner[-1] - inner[-2]
    known = [edge for edge in found if edge is not None]
    return known if len(known) == len(found) else None


def _widened(bins: _Bins) -> _Bins:
    """Give bins of no width (a value that fills a bin of its own) a hundredth of the range."""
    least = (bins.edges[-1] - bins.edges[0]) / 100 or 1.0
    edges = [bins.edges[0]]
    for index in range(len(bins.reference)):
        width = bins.width(index)
        edges.append(edges[-1] + (width if width > 0 else least))
    return _Bins(edges, bins.reference, bins.current)


def _without_tails(bins: _Bins) -> tuple[_Bins, str]:
    """Drop wide, thin outer bins that would squeeze all others, and say what they hold."""
    first, last = 0, len(bins.reference)
    while last - first > 3 and _is_tail(bins, last - 1, first, last):
        last -= 1
    while last - first > 3 and _is_tail(bins, first, first, last):
        first += 1
    kept = _Bins(bins.edges[first : last + 1], bins.reference[first:last], bins.current[first:last])
    said = []
    if first:
        said.append(_tail_words(bins, slice(None, first), f"below {figure(kept.edges[0])}"))
    if last < len(bins.reference):
        said.append(_tail_words(bins, slice(last, None), f"above {figure(kept.edges[-1])}"))
    return kept, "Not drawn: " + "; ".join(said) + "." if said else ""


def _is_tail(bins: _Bins, index: int, first: int, last: int) -> bool:
    span = bins.edges[last] - bins.edges[first]
    return bins.width(index) > 0.35 * span and max(bins.reference[index], bins.current[index]) < 0.1


def _tail_words(bins: _Bins, part: slice, where: str) -> str:
    reference, current = percent(sum(bins.reference[part])), percent(sum(bins.current[part]))
    return f"{reference} of reference and {current} of current {where}"


def _smoothed(bins: _Bins) -> _Bins:
    """Put neighbouring bins together, those first whose outlines change least by it, until few are left."""
    edges, reference, current = list(bins.edges), list(bins.reference), list(bins.current)
    while len(reference) > MOST_STEPS:
        found = _Bins(edges, reference, current)
        heights = [found.density(side) for side in (reference, current)]
        at = min(range(len(reference) - 1), key=lambda left: _changed(found, heights, left))
        del edges[at + 1]
        for side in (reference, current):
            side[at] += side.pop(at + 1)
    return _Bins(edges, reference, current)


def _changed(bins: _Bins, heights: Sequence[Sequence[float]], left: int) -> float:
    """Return the area by which two outlines change where a bin is put together with the next."""
    one, two = bins.width(left), bins.width(left + 1)
    return sum(abs(side[left] - side[left + 1]) for side in heights) * one * two / (one + two)


def _steps(bins: _Bins, title: str) -> Picture:
    drawn, note = _without_tails(bins)
    drawn = _smoothed(drawn)
    scale = Scale(drawn.edges[0], drawn.edges[-1], whole=True)
    heights = drawn.density(drawn.reference), drawn.density(drawn.current)
    top = max(*heights[0], *heights[1]) or 1.0
    paths = [_outline(scale, drawn.edges, [height / top for height in side]) for side in heights]
    parts = [
        element("path", d=f"{paths[0]}Z", klass="ref"),
        element("path", d=paths[1], klass="cur"),
        *axis(scale, FLOOR),
        STEPS_KEY,
    ]
    svg = drawing(parts, height=HEIGHT, title=title, description=note)
    return Picture(svg, note, _bin_table(bins))


def _bin_table(bins: _Bins) -> Table:
    """Return the shares from each edge to the next, bins put together until the table is short."""
    size = len(bins.reference)
    step = -(-size // MOST_ROWS)
    rows = []
    for first in range(0, size, step):
        last = min(first + step, size)
        shares = [figure(100 * sum(side[first:last])) for side in (bins.reference, bins.current)]
        rows.append([figure(bins.edges[first]), *shares])
    rows[-1][0] += f" to {figure(bins.edges[-1])}"
    return Table(["from", *PERCENT], rows)


def _share(share: float) -> str:
    return f"{figure(100 * share)}%"


def _outline(scale: Scale, edges: Sequence[float], heights: Sequence[float]) -> str:
    """Return the path of a step outline, relative moves only: half the bytes of absolute ones."""
    x, y = round(scale(edges[0])), FLOOR
    path = f"M{x} {y}"
    for edge, height in zip(edges[1:], heights, strict=True):
        end, level = round(scale(edge)), round(FLOOR - 104 * height)
        path += f"{f'v{level - y}' if level != y else ''}h{end - x}"
        x, y = end, level
    return f"{path}V{FLOOR}"


def _levels(histogram: Mapping[str, Any], title: str) -> Picture | None:
    names = [name(level, most=200) for level in items(histogram.get("levels"))]
    sides = [
        [real(share) or 0.0 for share in items(histogram.get(side))] for side in ("reference", "current")
    ]
    if not names or any(len(side) != len(names) for side in sides):
        return None
    rows = list(zip(names, *sides, strict=True))
    ordered = sorted(rows, key=lambda row: -max(row[1], row[2]))
    note = ""
    if len(ordered) > MOST_LEVELS:
        # Those that moved most are why somebody looks; the largest give the shape. Half of each.
        kept = ordered[: MOST_LEVELS // 2]
        rest = sorted(ordered[MOST_LEVELS // 2 :], key=lambda row: -abs(row[1] - row[2]))
        kept += rest[: MOST_LEVELS // 2]
        left = rest[MOST_LEVELS // 2 :]
        note = (
            f"{len(left)} more levels are not drawn: {percent(sum(row[1] for row in left))} of reference"
            f" and {percent(sum(row[2] for row in left))} of current."
        )
        ordered = sorted(kept, key=lambda row: -max(row[1], row[2]))
    svg = _paired(
        ordered, title=title, description=f"Shares of rows by level. {note}".strip(), words_of=_share
    )
    cells = [[row[0], *(figure(100 * share) for share in row[1:])] for row in ordered]
    return Picture(svg, note, Table(["level", *PERCENT], cells, len(rows) - len(ordered)))


def _paired(
    rows: Sequence[tuple[str, float, float]],
    *,
    title: str,
    description: str,
    words_of: Callable[[float], str],
    start: float = LABEL,
) -> Markup:
    most = max(max(row[1], row[2]) for row in rows) or 1.0
    scale = Scale(0.0, most, start, WIDTH - 50)
    labels, values = [], []
    bars = {"refb": "", "curb": ""}
    for index, (label, *sides) in enumerate(rows):
        y = index * ROW + 2
        if label:
            labels += _label(name(label, most=2 * LONGEST), start - 6, y + 14)
        for value, klass, top in zip(sides, bars, (y + 1, y + 11), strict=True):
            end = round(scale(value))
            bars[klass] += f"M{start:g} {top}H{end}v9H{start:g}z"
            values.append(element("text", words_of(value), x=end + 4, y=top + 8))
    parts = [
        *(element("path", d=path, klass=klass) for klass, path in bars.items()),
        element("g", *labels, text_anchor="end"),
        element("g", *values, klass="sm"),
        line(scale.start, 0, scale.start, len(rows) * ROW, "ax"),
        element("use", href=BARS_KEY, x=start, y=len(rows) * ROW),
    ]
    return drawing(parts, height=len(rows) * ROW + KEY_HEIGHT, title=title, description=description)


def _label(text: str, x: float, y: float) -> list[Markup]:
    """Return a name in one line or two, broken at a space or underscore where it has one."""
    if len(text) <= LONGEST:
        return [element("text", text, x=x, y=y)]
    breaks = [at + 1 for at, character in enumerate(text[:LONGEST]) if character in " _-/"]
    at = next((place for place in reversed(breaks) if len(text) - place <= LONGEST), LONGEST)
    lines = (text[:at].rstrip(), text[at:])
    return [
        element("text", each, x=x, y=y + down, klass="sm") for each, down in zip(lines, (-4, 6), strict=True)
    ]


def two_values(
    reference: float, current: float, title: str, *, about: str = "", shares: bool = False
) -> Picture | None:
    """
    Return two bars from zero for a figure of each dataset; None where bars would mislead or be nothing.

    Args:
        reference: The figure of the reference.
        current: The figure of current.
        title: Of the picture.
        about: What the figures are, where the page does not say it beside them.
        shares: Whether they are shares of rows; they are written as percentages then.
    """
    if min(reference, current) < 0 or reference == current == 0:
        return None
    told = _share if shares else figure
    svg = _paired(
        [("", reference, current)],
        title=title,
        description=f"{about} Reference {told(reference)}, current {told(current)}.".strip(),
        words_of=told,
        start=8,
    )
    return Picture(svg, f"{about[0].upper()}{about[1:]}." if about else "")
