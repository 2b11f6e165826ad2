"""The same gate in earlier runs: its estimates against its limit, each with the mark of its verdict."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from markupsafe import Markup

from pytest_readmit.report import plain
from pytest_readmit.report.charts import Standing
from pytest_readmit.report.history import Point, point
from pytest_readmit.report.picture import Picture, Table
from pytest_readmit.report.svg import (
    WIDTH,
    Scale,
    box,
    drawing,
    element,
    line,
    scale_over,
    tick_text,
    ticks,
    trace,
)
from pytest_readmit.report.words import figure, limit, moment, plural

TOP, FLOOR, HEIGHT = 16.0, 88.0, 108
LEFT = 44.0
LISTED = 6
SAID = {"pass": "pass", "fail": "fail", "inconclusive": "undecided", "error": "error"}
NOW = "this run"
SHAPES = {
    "pass": (0, 0, "h0"),
    "fail": (-4, -4, "l8 8m0-8l-8 8"),
    "inconclusive": (0, -5, "l5 5-5 5-5-5z"),
    "error": (0, -5, "l5 9h-10z"),
}


def of_case(case: Mapping[str, Any], earlier: Sequence[Point], spoken: str) -> list[Picture]:
    """
    Return the trend of a case up to this run; none if no earlier record measured it in the same way.

    Args:
        case: The case of the record that the page shows, in its unit.
        earlier: What earlier records say of it, oldest first.
        spoken: Entry and subject, for the title.
    """
    unit = plain.unit(case)
    if unit:
        earlier = [_hundredfold(one) for one in earlier]
    now = point(case, NOW)
    way = (now.method, now.quantity)
    alike = [one for one in earlier if one.verdict == "error" or (one.method, one.quantity) == way]
    runs = [*alike, now]
    if not alike or not any(one.estimate is not None for one in runs):
        return []
    across = Scale(0.0, max(1.0, len(runs) - 1.0), LEFT + 10, WIDTH - 14, whole=True)
    up = _upward(runs)
    parts = [*_limits(runs, across, up), *_axis(up), *_whiskers(runs, across, up), *_path(runs, across, up)]
    parts += _marks(runs, across, up)
    first = moment(runs[0].finished)[:10]
    parts.append(element("text", first, x=LEFT, y=FLOOR + 16, klass="sm"))
    parts.append(element("text", NOW, x=WIDTH - 6, y=FLOOR + 16, text_anchor="end", klass="sm"))
    counts = [f"{sum(one.verdict == verdict for one in runs)} {word}" for verdict, word in SAID.items()]
    said = ", ".join(count for count in counts if not count.startswith("0 "))
    known = [one.estimate for one in runs if one.estimate is not None]
    description = (
        f"{len(runs)} runs since {first}: {said}. {now.quantity.capitalize()}s from {figure(min(known))} to "
        f"{figure(max(known))}{unit}, last {figure(now.estimate) or 'none'}."
    )
    svg = drawing(parts, height=HEIGHT, title=f"{spoken}: trend over earlier runs", description=description)
    return [Picture(svg, _note(runs, said, len(earlier) - len(alike)), table=_table(runs, unit))]


def _hundredfold(one: Point) -> Point:
    """Return a point in per cent, for a case that measures shares."""
    bounds, edges = one.interval, one.limit
    return replace(
        one,
        estimate=None if one.estimate is None else 100 * one.estimate,
        interval=bounds and (100 * bounds[0], 100 * bounds[1]),
        limit=(100 * edges[0], 100 * edges[1]) if isinstance(edges, tuple) else edges and 100 * edges,
    )


def _upward(runs: Sequence[Point]) -> Scale:
    """Return the vertical scale: all estimates, and limits unless they would press these flat."""
    known = [one.estimate for one in runs if one.estimate is not None]
    bounds = [bound for one in runs for bound in one.interval or ()]
    edges = [edge for one in runs for edge in _edges(one) if edge is not None]
    span = max([*known, *bounds]) - min([*known, *bounds]) or abs(known[-1]) or 1.0
    near = [edge for edge in edges if min(known) - 20 * span <= edge <= max(known) + 20 * span]
    shown = [*known, *bounds, *near]
    # A row of zeros needs an axis too, and one without negative numbers.
    found = scale_over(shown, pad=0.1) if any(shown) else Scale(-0.1, 1.0)
    return Scale(found.low, found.high, FLOOR, TOP, whole=True)


def _edges(one: Point) -> tuple[float | None, float | None]:
    standing = Standing(
        estimate=0.0, interval=None, fail_bound=None, limit=one.limit, direction=one.direction or "at_most"
    )
    return standing.edges


def _limits(runs: Sequence[Point], across: Scale, up: Scale) -> list[Markup]:
    """Return the forbidden sides, in one piece for as long as a limit stays."""
    parts: list[Markup] = []
    for side, wall in ((0, FLOOR), (1, TOP)):
        values = [_edges(one)[side] for one in runs]
        start = 0
        for index in range(1, len(runs) + 1):
            if index < len(runs) and values[index] == values[start]:
                continue
            value = values[start]
            if value is not None:
                left = LEFT if start == 0 else across(start - 0.5)
                right = float(WIDTH) if index == len(runs) else across(index - 0.5)
                y = up(value)
                parts.append(box(left, y, right, wall, "no"))
                parts.append(line(left, y, right, y, "lim"))
            start = index
    return parts


def _axis(up: Scale) -> list[Markup]:
    values = ticks(up, 3)
    step = values[1] - values[0] if len(values) > 1 else 1.0
    marks = "".join(f"M{LEFT - 4:g} {round(up(value), 1):g}h4" for value in values)
    texts = [element("text", tick_text(value, step), x=LEFT - 6, y=up(value) + 4) for value in values]
    frame = element("path", d=f"M{LEFT:g} {TOP:g}V{FLOOR:g}{marks}", klass="ax")
    return [frame, element("g", *texts, text_anchor="end", klass="sm")]


def _whiskers(runs: Sequence[Point], across: Scale, up: Scale) -> list[Markup]:
    path = "".join(
        f"M{across(index):g} {up(one.interval[0]):g}V{up(one.interval[1]):g}"
        for index, one in enumerate(runs)
        if one.interval is not None and one.estimate is not None
    )
    return [element("path", d=path, klass="thin")] if path else []


def _path(runs: Sequence[Point], across: Scale, up: Scale) -> list[Markup]:
    """Return the line through the estimates, broken where a run has none."""
    pieces: list[list[tuple[float, float]]] = [[]]
    for index, one in enumerate(runs):
        if one.estimate is None:
            pieces.append([])
        else:
            pieces[-1].append((across(index), up(one.estimate)))
    return [element("path", d="".join(trace(piece, digits=0) for piece in pieces if piece), klass="run")]


def _marks(runs: Sequence[Point], across: Scale, up: Scale) -> list[Markup]:
    """Return the marks of each verdict as one path: dot, cross, hollow diamond, triangle on the floor."""
    paths: dict[str, str] = {}
    for index, one in enumerate(runs):
        x = across(index)
        if one.estimate is None:
            kind, y = "error", FLOOR - 5
        else:
            kind, y = (one.verdict if one.verdict in SHAPES else "inconclusive"), up(one.estimate)
        right, down, shape = SHAPES[kind]
        paths[kind] = paths.get(kind, "") + f"M{x + right:g} {y + down:g}{shape}"
    marks = [element("path", d=path, klass=f"m-{kind}") for kind, path in paths.items()]
    now = runs[-1].estimate
    ring = [] if now is None else [element("circle", cx=across(len(runs) - 1), cy=up(now), r=8, klass="ring")]
    return [*ring, *marks]


def _note(runs: Sequence[Point], said: str, unlike: int) -> str:
    quantity = runs[-1].quantity
    text = f"{quantity.capitalize()} of {plural(len(runs), 'run')}, oldest first: {said}."
    names = {"pass": "dot: pass", "fail": "cross: fail", "inconclusive": "diamond: undecided"}
    marks = [word for verdict, word in names.items() if any(one.verdict == verdict for one in runs)]
    if any(one.estimate is None for one in runs):
        marks.append(f"triangle: no {quantity}")
    if len(marks) > 1:
        text += f" {', '.join(marks).capitalize()}."
    if unlike:
        text += f" {plural(unlike, 'run')} measured by another method left out."
    if len(runs) > LISTED:
        text += f" Figures: the last {LISTED} runs."
    return text


def _table(runs: Sequence[Point], unit: str) -> Table:
    """Return the last runs; their limit only where it changed, for the gate says what it is now."""
    last = runs[: -LISTED - 1 : -1]
    moved = len({one.limit for one in last}) > 1
    rows = [
        [
            moment(one.finished)[:16],
            SAID.get(one.verdict, ""),
            figure(one.estimate),
            " to ".join(figure(bound) for bound in one.interval or ()),
            *([limit(one.limit, one.direction)] if moved else []),
        ]
        for one in last
    ]
    quantity = f"{runs[-1].quantity}, {unit.strip()}" if unit else runs[-1].quantity
    return Table(["run, UTC", "verdict", quantity, "bounds", *(["limit"] if moved else [])], rows)
