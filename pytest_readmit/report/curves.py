"""Curves with their bands: ROC, precision-recall, and calibration with the rows of each bin below it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from markupsafe import Markup

from pytest_readmit.report.picture import Picture, Table
from pytest_readmit.report.svg import WIDTH, Scale, axis, drawing, element, line, tick_text, ticks, trace
from pytest_readmit.report.words import count, figure, items, mapping, name, real

LEFT, TOP, FLOOR, HEIGHT = 40.0, 24.0, 208.0, 246
BARS = 34
MOST_CURVES = 4
MOST_POINTS = 2000
MOST_ROWS = 12
STEP = 5.0
STROKES = ("c0", "c1", "c2", "c3")


@dataclass(frozen=True, slots=True)
class _Kind:
    """What a kind of curve is called, and its axes."""

    title: str
    x: str
    y: str
    diagonal: bool


KINDS = {
    "roc": _Kind("ROC curve", "false positive rate", "true positive rate", diagonal=True),
    "precision_recall": _Kind("Precision and recall", "recall", "precision", diagonal=False),
    "calibration": _Kind("Calibration", "mean predicted risk", "observed share of events", diagonal=True),
}


@dataclass(frozen=True, slots=True)
class _Curve:
    """Points in order, each with its band and its rows where they are known."""

    name: str
    x: list[float]
    y: list[float]
    lower: list[float]
    upper: list[float]
    rows: list[float]

    @property
    def line(self) -> list[tuple[float, float]]:
        return list(zip(self.x, self.y, strict=True))

    @property
    def reach(self) -> float:
        return max([*self.x, *self.y, *self.upper])


def of_details(
    details: Mapping[str, Any],
    spoken: str,
    *,
    entry: str,
    segment: str = "",
    bins: Table | None = None,
) -> tuple[list[Picture], bool]:
    """
    Return a picture for each kind of curve in ``details.curves``, and whether all of them could be drawn.

    Args:
        details: Of a case; ``calibration_curve`` stands in for a calibration curve where there is none.
        spoken: Entry and subject, for titles.
        entry: Its entry alone: what its subjects have in common is titled by entry and segment.
        segment: The part of the rows; "" for all.
        bins: The table of a case whose check writes its own calibration curve: the same figures.
    """
    told = [mapping(one) for one in items(details.get("curves"))]
    single = mapping(details.get("calibration_curve"))
    if single and not any(one.get("kind") == "calibration" for one in told):
        told.append(
            {**single, "kind": "calibration", "x": single.get("predicted"), "y": single.get("observed")}
        )
    known = [one for one in told if one.get("kind") in KINDS]
    read = [(str(one["kind"]), _read(one)) for one in known]
    pictures = []
    for kind, about in KINDS.items():
        own = [curve for found, curve in read if found == kind and curve is not None]
        if own:
            rows = kind == "calibration"
            common = rows and bool(single)
            title = f"{entry} {segment}".strip() if common else spoken
            drawn = _picture(about, own[-MOST_CURVES:], title, rows=rows, table=bins if common else None)
            pictures.append(replace(drawn, note=f"{segment}: {drawn.note}") if common and segment else drawn)
    nothing = details.get("curves") is not None and not told
    return pictures, not nothing and len(known) == len(told) and all(curve for _, curve in read)


def _read(told: Mapping[str, Any]) -> _Curve | None:
    x, y = _shares(told.get("x")), _shares(told.get("y"))
    if len(x) != len(y) or not 2 <= len(x) <= MOST_POINTS:
        return None
    lower, upper = _shares(told.get("lower")), _shares(told.get("upper"))
    band = len(lower) == len(upper) == len(x)
    rows = [real(one) for one in items(told.get("n"))]
    counted = [one for one in rows if one is not None and one >= 0]
    return _Curve(
        name(told.get("name"), most=16) or "current",
        x,
        y,
        lower if band else [],
        upper if band else [],
        counted if len(counted) == len(rows) == len(x) else [],
    )


def _shares(values: Any) -> list[float]:
    """Return numbers from 0 to 1; nothing at all if one of them is something else."""
    found = [real(value) for value in items(values)]
    known = [value for value in found if value is not None and -1e-9 <= value <= 1 + 1e-9]
    return known if len(known) == len(found) else []


def _picture(
    kind: _Kind, curves: Sequence[_Curve], spoken: str, *, rows: bool, table: Table | None
) -> Picture:
    most = 1.0
    if rows:
        # Risks are mostly low: on an axis up to 1 the curve would be a dot in a corner.
        reach = max(curve.reach for curve in curves) or 1.0
        most = min(1.0, 1.08 * reach)
    across, up = Scale(0.0, most, LEFT, WIDTH - 10), Scale(0.0, most, FLOOR, TOP)
    parts = [*_frame(kind, across, up)]
    if kind.diagonal:
        parts.append(line(across(0), up(0), across(most), up(most), "diag"))
    strokes = STROKES[: len(curves)][::-1]
    for curve, stroke in zip(curves, strokes, strict=True):
        parts += _drawn(curve, across, up, stroke, dots=rows)
    parts += _names(curves, strokes)
    height = float(HEIGHT)
    if rows and curves[-1].rows:
        parts += _bars(curves[-1], across)
        height += BARS + 14
    return Picture(
        drawing(parts, height=height, title=f"{spoken}: {kind.title}", description=_said(kind, curves)),
        note=_note(kind, curves),
        table=table or _table(kind, curves),
    )


def _frame(kind: _Kind, across: Scale, up: Scale) -> list[Markup]:
    values = ticks(up)
    step = values[1] - values[0]
    marks = "".join(f"M{LEFT - 4:g} {round(up(value), 1):g}h4" for value in values)
    numbers = [
        element("text", tick_text(value, step), x=LEFT - 7, y=up(value) + 4)
        for value in values
        if up(value) > TOP + 4 or value == values[-1]
    ]
    middle = (across.start + across.stop) / 2
    return [
        *axis(across, FLOOR),
        element("path", d=f"M{LEFT:g} {FLOOR:g}V{TOP:g}{marks}", klass="ax"),
        element("g", *numbers, text_anchor="end"),
        element("text", kind.y, x=0, y=11),
        element("text", kind.x, x=middle, y=FLOOR + 32, text_anchor="middle"),
    ]


def _drawn(curve: _Curve, across: Scale, up: Scale, stroke: str, *, dots: bool) -> list[Markup]:
    parts = []
    if curve.lower:
        high = [(across(x), up(y)) for x, y in zip(curve.x, curve.upper, strict=True)]
        low = [(across(x), up(y)) for x, y in zip(curve.x, curve.lower, strict=True)]
        there, back = thinned(high, STEP), thinned(low, STEP)[::-1]
        parts.append(element("path", d=f"{trace(there + back, digits=0)}Z", klass=f"band {stroke}"))
    places = [(across(x), up(y)) for x, y in curve.line]
    shown = places if dots and len(places) <= MOST_ROWS * 2 else thinned(places, STEP)
    parts.append(element("path", d=trace(shown), klass=f"curve {stroke}"))
    if dots and len(places) <= MOST_ROWS * 2:
        spots = "".join(f"M{round(x, 1):g} {round(y, 1):g}h0" for x, y in places)
        parts.append(element("path", d=spots, klass=f"spot {stroke}"))
    return parts


def thinned(points: Sequence[tuple[float, float]], step: float) -> list[tuple[float, float]]:
    """Return the points that lie at least `step` from the one before, and always both ends."""
    kept = [points[0]]
    for point in points[1:-1]:
        if abs(point[0] - kept[-1][0]) + abs(point[1] - kept[-1][1]) >= step:
            kept.append(point)
    return [*kept, points[-1]]


def _names(curves: Sequence[_Curve], strokes: Sequence[str]) -> list[Markup]:
    """Name the curves at the top right, each after a piece of its stroke; a curve alone needs no name."""
    if len(curves) < 2:
        return []
    parts, end = [], WIDTH - 2.0
    for curve, stroke in zip(reversed(curves), reversed(strokes), strict=True):
        parts.append(element("text", curve.name, x=end, y=11, text_anchor="end"))
        end -= 6.2 * len(curve.name) + 6
        parts.append(line(end - 18, 7, end, 7, f"curve {stroke}"))
        end -= 28
        if end < 190:
            break
    return parts


def _bars(curve: _Curve, across: Scale) -> list[Markup]:
    """Return the rows of each bin as bars that hang below the axis, at the bin's place."""
    top, most = float(HEIGHT), max(curve.rows) or 1.0
    floor = top + BARS
    places = [round(across(x), 1) for x in curve.x]
    path = "".join(
        f"M{x:g} {floor:g}v{-round(BARS * 0.8 * n / most, 1):g}"
        for x, n in zip(places, curve.rows, strict=True)
    )
    said = f"rows of each bin: {count(min(curve.rows))} to {count(most)}"
    return [
        element("path", d=path, klass="rug"),
        element("path", d=f"M{across.start:g} {floor:g}H{across.stop:g}", klass="ax"),
        element("text", said, x=across.start, y=floor + 12, klass="sm"),
    ]


def _said(kind: _Kind, curves: Sequence[_Curve]) -> str:
    ends = "; ".join(
        f"{curve.name}: {kind.y} {figure(curve.y[0])} at {kind.x} {figure(curve.x[0])}, "
        f"{figure(curve.y[len(curve.y) // 2])} at {figure(curve.x[len(curve.x) // 2])}, "
        f"{figure(curve.y[-1])} at {figure(curve.x[-1])}"
        for curve in curves
    )
    return f"{kind.y} against {kind.x}. {ends}."


def _note(kind: _Kind, curves: Sequence[_Curve]) -> str:
    said = [kind.title]
    if any(curve.lower for curve in curves):
        said.append("the band holds the bounds of each point")
    if kind.diagonal:
        chance = "a model whose risks are right" if kind.title == "Calibration" else "chance alone"
        said.append(f"the dotted line is {chance}")
    return "; ".join(said) + "."


def _table(kind: _Kind, curves: Sequence[_Curve]) -> Table:
    several = len(curves) > 1
    band = any(curve.lower for curve in curves)
    rows = any(curve.rows for curve in curves)
    columns = ["curve"] * several + [kind.x, kind.y] + ["lower", "upper"] * band + ["rows"] * rows
    cells = []
    each = max(4, MOST_ROWS // len(curves))
    for curve in curves:
        for at in _spread(len(curve.x), each):
            row = [curve.name] * several + [figure(curve.x[at]), figure(curve.y[at])]
            if band:
                row += [figure(curve.lower[at]), figure(curve.upper[at])] if curve.lower else ["", ""]
            if rows:
                row += [count(curve.rows[at])] if curve.rows else [""]
            cells.append(row)
    return Table(columns, cells, sum(len(curve.x) for curve in curves) - len(cells))


def _spread(size: int, most: int) -> list[int]:
    """Return up to `most` places spread over a list, both ends among them."""
    if size <= most:
        return list(range(size))
    return [round(number * (size - 1) / (most - 1)) for number in range(most)]
