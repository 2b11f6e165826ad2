"""The pictures of a run: curves, bars, a matrix, one column's distribution, and the pages they stand on."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from markupsafe import Markup, escape

from pytest_readmit.report.svg import (
    WIDTH,
    Scale,
    axis,
    box,
    drawing,
    element,
    line,
    words,
)
from pytest_readmit.report.words import figure, name, percent

LABEL, ROW = 130, 22
_SQUARE, _LEFT, _TOP = 312, 44, 22
_HEIGHT, _FLOOR = 132, 112
_ALONE = (
    "text{font:11px sans-serif;fill:#55606e}.sm{font-size:9.5px}.ax{stroke:#55606e;stroke-width:1}"
    ".cur{fill:none;stroke:#0064a8;stroke-width:2}.ref,.refb{fill:#c3ccd6;stroke:#7f8c9b}.curb{fill:#0064a8}"
    ".ci{stroke:#1b2430;stroke-width:1.5}.dot{fill:#1b2430}.high{fill:#a3330a}.low{fill:#0064a8}"
)
_MORE = (
    ".ci{stroke:var(--ink);stroke-width:1.5}.high{fill:var(--fail)}.low{fill:var(--cur)}"
    "main{padding-bottom:3rem}.scroll td,.scroll th{white-space:nowrap;overflow-wrap:normal}"
)


def curve(
    points: Sequence[Sequence[float]],
    *,
    x: str,
    y: str,
    title: str,
    diagonal: bool = False,
    intervals: Sequence[tuple[float, float]] = (),
) -> Markup:
    """Draw a line through points of the unit square; with `intervals`, dots with a bar for each."""
    across, up = Scale(0.0, 1.0, _LEFT, WIDTH - 8), Scale(1.0, 0.0, _TOP, _SQUARE)
    parts = [*axis(across, _SQUARE), words(WIDTH / 2, _SQUARE + 32, x), words(0, 11, y)]
    for value in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0):
        parts.append(line(_LEFT - 4, up(value), _LEFT, up(value), "ax"))
        parts.append(element("text", f"{value:.1f}", x=_LEFT - 7, y=up(value) + 4, text_anchor="end"))
    parts.append(line(_LEFT, _TOP, _LEFT, _SQUARE, "ax"))
    if diagonal:
        parts.append(line(across(0), up(0), across(1), up(1), "ax"))
    path = "L".join(f"{across(one):.1f} {up(other):.1f}" for one, other in points)
    if len(points) > 1:
        parts.append(element("path", d=f"M{path}", klass="cur"))
    for (one, other), (low, high) in zip(points, intervals, strict=False):
        parts.append(line(across(one), up(low), across(one), up(high), "ci"))
        parts.append(element("circle", cx=across(one), cy=up(other), r=4, klass="dot"))
    described = f"{y} against {x}, {len(points)} points."
    return drawing(parts, height=_SQUARE + 40, title=title, description=described)


def bars(rows: Sequence[tuple[str, float]], *, title: str, shares: bool = False) -> Markup:
    """Draw a bar for each row, the value beside it."""
    told = percent if shares else figure
    most = max((abs(value) for _, value in rows), default=0.0) or 1.0
    scale = Scale(min(0.0, *(value for _, value in rows)), most, LABEL, WIDTH - 52)
    parts: list[Markup] = []
    for index, (label, value) in enumerate(rows):
        y = index * ROW + 3
        parts.append(element("text", name(label, most=20), x=LABEL - 6, y=y + 12, text_anchor="end"))
        parts.append(box(scale(0.0), y, scale(value), y + 16, "refb"))
        beside = max(scale(value), scale(0.0)) + 4
        parts.append(element("text", told(value), x=beside, y=y + 12, klass="sm"))
    parts.append(line(scale(0.0), 0, scale(0.0), len(rows) * ROW, "ax"))
    said = "; ".join(f"{name(label, most=60)} {told(value)}" for label, value in rows)
    return drawing(parts, height=len(rows) * ROW + 4, title=title, description=f"{said}.")


def matrix(cells: Mapping[str, int | None], *, min_cell: int, title: str) -> Markup:
    """Draw the four counts of a confusion matrix; None is a count too small to be shown."""
    known = [count for count in cells.values() if count is not None]
    total = sum(known) if len(known) == len(cells) else 0
    keys = (("true_negative", "false_positive"), ("false_negative", "true_positive"))
    parts = [words(150, 12, "no alert"), words(290, 12, "alert")]
    said = []
    for row, pair in enumerate(keys):
        y = 20 + 80 * row
        parts.append(element("text", ("no event", "event")[row], x=72, y=y + 44, text_anchor="end"))
        for column, key in enumerate(pair):
            x, count = 80 + 140 * column, cells[key]
            shown = f"fewer than {min_cell}" if count is None else f"{count:,}"
            parts.append(box(x, y, x + 140, y + 80, "refb"))
            parts.append(words(x + 70, y + 40, shown))
            if count is not None and total:
                parts.append(words(x + 70, y + 58, percent(count / total), "sm"))
            said.append(f"{key.replace('_', ' ')} {shown}")
    return drawing(parts, height=184, title=title, description="; ".join(said) + ".")


def distribution(picture: Mapping[str, Any], title: str) -> Markup:
    """Draw one column as `stats.histogram` has binned it: steps for numbers, bars for levels."""
    shares = picture["reference"]
    if "levels" in picture:
        return bars(list(zip(picture["levels"], shares, strict=True)), title=title, shares=True)
    edges = picture["edges"]
    scale = Scale(edges[0], edges[-1])
    heights = [share / (high - low) for share, low, high in zip(shares, edges, edges[1:], strict=False)]
    top = max(heights) or 1.0
    parts = [
        box(scale(low), _FLOOR - 104 * height / top, scale(high), _FLOOR, "refb")
        for height, low, high in zip(heights, edges, edges[1:], strict=False)
    ]
    said = "Height is the share of rows per unit; the outer bars also hold what lies beyond them."
    return drawing([*parts, *axis(scale, _FLOOR)], height=_HEIGHT, title=title, description=said)


def swarm(rows: Sequence[tuple[str, Sequence[float], Sequence[float]]], *, title: str) -> Markup:
    """
    Draw a dot for each single row of the data.

    Args:
        rows: Feature, its effect on each row, and the rank of its value there (NaN: none).
        title: Of the picture.
    """
    every = [value for _, effects, _ in rows for value in effects]
    low, high = min(every, default=0.0), max(every, default=0.0)
    scale = Scale(low, high if high > low else low + 1.0, LABEL, WIDTH - 8)
    parts: list[Markup] = []
    for index, (label, effects, values) in enumerate(rows):
        y = index * ROW + 11
        parts.append(element("text", name(label, most=20), x=LABEL - 6, y=y + 4, text_anchor="end"))
        for number, (effect, value) in enumerate(zip(effects, values, strict=True)):
            side = "high" if value > 0.5 else "low" if value <= 0.5 else "dot"
            parts.append(element("circle", cx=scale(effect), cy=y + number % 7 - 3, r=1.5, klass=side))
    floor = len(rows) * ROW + 4
    parts.append(line(scale(0.0), 0, scale(0.0), floor, "ax"))
    said = "One dot is one row of the data; red: the upper half of the feature's values."
    return drawing([*parts, *axis(scale, floor)], height=floor + 20, title=title, description=said)


def alone(picture: Markup) -> str:
    """Return a picture as a file that needs no page."""
    text = str(picture).replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" width="720" ', 1)
    start = text.index(">") + 1
    return (
        f'{text[:start]}<style>{_ALONE}</style><rect width="100%" height="100%" fill="#fff"/>{text[start:]}\n'
    )


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Markup:
    """Return a table; the first column names the row."""
    head = Markup("").join(Markup("<th>{}</th>").format(column) for column in columns)
    lines = Markup("").join(
        Markup("<tr>{}</tr>").format(Markup("").join(Markup("<td>{}</td>").format(cell) for cell in row))
        for row in rows
    )
    return Markup(
        '<div class="scroll"><table><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>'
    ).format(head, lines)


def section(title: str, *parts: Markup, note: str = "") -> Markup:
    """Return a titled part of a page; a picture becomes a figure."""
    inner = Markup("").join(
        Markup("<figure>{}</figure>").format(part) if part.startswith("<svg") else part for part in parts
    )
    said = Markup('<p class="note">{}</p>').format(note) if note else ""
    return Markup('<section class="item"><h2>{}</h2>{}{}</section>').format(name(title, most=80), inner, said)


def page(title: str, lead: str, sections: Sequence[Markup]) -> str:
    """Return a page that loads nothing, in the report's own style."""
    body = Markup("\n").join(sections)
    style = _style()
    fingerprint = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{fingerprint}'; base-uri 'none'; form-action 'none'"
    # The style is the report's own file; everything else was escaped where it was made.
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{style}</style></head>\n"
        f'<body><header><p class="eyebrow">pytest-readmit</p><h1>{escape(title)}</h1>'
        f'<p class="lead">{escape(lead)}</p></header>\n<main>\n{body}\n</main></body></html>\n'
    )


@cache
def _style() -> str:
    style = files("pytest_readmit.report").joinpath("report.css").read_text(encoding="utf-8")
    return style.strip() + _MORE
