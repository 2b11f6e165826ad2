"""Gaps between groups: one row a group, its estimate between its bounds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from pytest_readmit.report.charts import Standing, limit_names
from pytest_readmit.report.picture import Picture
from pytest_readmit.report.svg import WIDTH, Scale, axis, box, drawing, element, line, scale_over
from pytest_readmit.report.words import figure, items, mapping, name, plural, real

LABEL, ROW, HEAD = 112, 22, 20
LETTER = 6.4
MOST_GROUPS = 20
LOW, HIGH = " low", " high"
OLD, NEW = ", champion", ", challenger"


@dataclass(frozen=True, slots=True)
class _Group:
    """A group and its estimate with bounds; None where its rows are too few to show it."""

    name: str
    value: float | None
    low: float | None
    high: float | None


def of_details(details: Mapping[str, Any], spoken: str) -> list[Picture]:
    """Return a picture for each quantity that ``details.table`` gives by group: bounds, or two models."""
    table = mapping(details.get("table"))
    columns = [name(column, most=80) for column in items(table.get("columns"))]
    rows = [items(row) for row in items(table.get("rows"))]
    if not columns or columns[0] != "group":
        return []
    quantities = [each for each in columns if {each + LOW, each + HIGH} <= set(columns)]
    pictures = []
    for quantity in quantities:
        places = [columns.index(each) for each in (quantity, quantity + LOW, quantity + HIGH)]
        groups = [
            _Group(name(row[0], most=18), *(real(row[place]) for place in places))
            for row in rows
            if len(row) > max(places)
        ]
        if any(group.value is not None for group in groups):
            pictures.append(_picture(quantity, groups, details, spoken))
    for quantity in [each.removesuffix(OLD) for each in columns if each.endswith(OLD)]:
        if quantity + NEW in columns:
            places = [columns.index(quantity + OLD), columns.index(quantity + NEW)]
            known = [row for row in rows if len(row) > max(places)]
            old, new = places
            pairs = [(name(row[0], most=18), real(row[old]), real(row[new])) for row in known]
            pictures += _of_models(quantity, pairs, spoken)
    return pictures


def _of_models(
    quantity: str, pairs: Sequence[tuple[str, float | None, float | None]], spoken: str
) -> list[Picture]:
    """Return what a group has with the champion and with the challenger, one row a group."""
    shown = [(group, old, new) for group, old, new in pairs if old is not None and new is not None]
    shown = shown[:MOST_GROUPS]
    if not shown:
        return []
    found = scale_over([value for _, *both in shown for value in both])
    start = min(LABEL, 14 + LETTER * max(len(group) for group, *_ in shown))
    low = max(0.0, found.low) if min(min(both) for _, *both in shown) >= 0 else found.low
    scale = Scale(low, found.high, start, WIDTH - 88, whole=True)
    labels, values, ways, before, now = [], [], "", "", ""
    for index, (group, old, new) in enumerate(shown):
        y = ROW * index + ROW // 2
        first, last = scale(old), scale(new)
        ways += f"M{first:g} {y}H{last:g}"
        before += f"M{first - 4:g} {y - 4}h8v8h-8z"
        now += f"M{last:g} {y}h0"
        labels.append(element("text", group, x=start - 8, y=y + 4))
        values.append(element("text", f"{figure(old)} \u2192 {figure(new)}", x=WIDTH - 80, y=y + 4))
    floor = ROW * len(shown) + 4
    parts = [
        element("path", d=ways, klass="run"),
        element("path", d=before, klass="was"),
        element("path", d=now, klass="spot c0"),
        element("g", *labels, text_anchor="end"),
        element("g", *values, klass="sm"),
        *axis(scale, floor, about=3),
    ]
    said = "; ".join(f"{group} {figure(old)} to {figure(new)}" for group, old, new in shown)
    title = f"{spoken}: {quantity} by group, champion and challenger"
    note = f"{quantity[:1].upper()}{quantity[1:]} by group. Square: champion; dot: challenger."
    left = len(pairs) - len(shown)
    if left:
        note += f" {plural(left, 'more group')} in the table."
    return [Picture(drawing(parts, height=floor + 18, title=title, description=f"{said}."), note)]


def of_segments(subject: str, segments: Sequence[tuple[str, Standing]], spoken: str) -> list[Picture]:
    """Return the estimates of one subject by segment, against the limit that all of them have."""
    if len(segments) < 2:
        return []
    groups = [
        _Group(name(segment, most=18), one.estimate, *(one.interval or (None, None)))
        for segment, one in segments
    ]
    limits = {one.edges for _, one in segments if one.p_rule is None}
    edges = limits.pop() if len(limits) == 1 else (None, None)
    units = {one.unit for _, one in segments}
    unit = units.pop() if len(units) == 1 else ""
    return [_picture(subject, groups, {}, spoken, edges=edges, unit=unit)]


def _picture(
    quantity: str,
    groups: Sequence[_Group],
    details: Mapping[str, Any],
    spoken: str,
    *,
    edges: tuple[float | None, float | None] = (None, None),
    unit: str = "",
) -> Picture:
    shown = groups[:MOST_GROUPS]
    known = [value for group in shown for value in (group.value, group.low, group.high) if value is not None]
    known += [edge for edge in edges if edge is not None]
    found = scale_over(known)
    # Shares do not go below 0, and an axis that says they might misleads.
    low = max(0.0, found.low) if min(known) >= 0 else found.low
    start = min(LABEL, 14 + LETTER * max(len(group.name) for group in shown))
    scale = Scale(low, found.high, start, WIDTH - 48)
    floor = HEAD + ROW * len(shown) + 4
    parts = [*_forbidden(edges, scale, floor, unit), *_gap(quantity, shown, details, scale, floor)]
    if edges == (None, None):
        parts.append(element("text", quantity, x=scale.start, y=11))
    for index, group in enumerate(shown):
        parts += _row(group, scale, HEAD + ROW * index + ROW / 2, unit)
    parts += axis(scale, floor)
    said = "; ".join(
        f"{group.name} {figure(group.value)} ({figure(group.low)} to {figure(group.high)}){unit}"
        if group.value is not None
        else f"{group.name} not shown"
        for group in shown
    )
    svg = drawing(parts, height=floor + 18, title=f"{spoken}: {quantity} by group", description=f"{said}.")
    return Picture(svg, _note(quantity, groups, details))


def _forbidden(
    edges: tuple[float | None, float | None], scale: Scale, floor: float, unit: str
) -> list[Markup]:
    parts = []
    for edge, end in zip(edges, (scale.start, scale.stop), strict=True):
        if edge is not None:
            parts.append(box(scale(edge), HEAD - 4, end, floor, "no"))
            parts.append(line(scale(edge), HEAD - 6, scale(edge), floor, "lim"))
    return (
        [*parts, element("g", *limit_names(scale, *edges, unit=unit), text_anchor="middle")] if parts else []
    )


def _row(group: _Group, scale: Scale, y: float, unit: str) -> list[Markup]:
    parts = [element("text", group.name, x=scale.start - 8, y=y + 4, text_anchor="end")]
    if group.value is None:
        return [*parts, element("text", "too few rows to show", x=scale.start + 4, y=y + 4, klass="sm")]
    end = scale(group.value)
    if group.low is not None and group.high is not None:
        low, high = scale(group.low), scale(group.high)
        path = f"M{low:.1f} {y - 4:g}v8m0-4H{high:.1f}m0-4v8"
        parts.append(element("path", d=path, klass="whisker"))
        end = max(end, high)
    parts.append(element("circle", cx=scale(group.value), cy=y, r=4, klass="dot"))
    parts.append(element("text", figure(group.value) + unit, x=end + 6, y=y + 4, klass="sm"))
    return parts


def _gap(
    quantity: str, groups: Sequence[_Group], details: Mapping[str, Any], scale: Scale, floor: float
) -> list[Markup]:
    """Draw dashed lines through the two groups whose gap decides."""
    if details.get("quantity") != quantity:
        return []
    between = {name(one, most=18) for one in items(details.get("between"))}
    ends = [scale(group.value) for group in groups if group.value is not None and group.name in between]
    return [line(x, HEAD - 2, x, floor, "gap") for x in ends]


def _note(quantity: str, groups: Sequence[_Group], details: Mapping[str, Any]) -> str:
    said = [f"{quantity}, each group with its bounds"]
    if details.get("quantity") == quantity and items(details.get("between")):
        said.append("dashed: the two groups whose gap decides")
    if len(groups) > MOST_GROUPS:
        said.append(f"{len(groups) - MOST_GROUPS} more groups are in the table")
    return "; ".join(said) + "."
