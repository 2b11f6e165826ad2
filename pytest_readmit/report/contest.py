"""Challenger against champion: both estimates, and where the paired difference puts the challenger."""

import math
from collections.abc import Mapping
from typing import Any

from pytest_readmit.report.picture import Picture
from pytest_readmit.report.svg import WIDTH, Scale, axis, box, drawing, element, line, scale_over, words
from pytest_readmit.report.words import figure, mapping, name, pair, real

LABEL, TOP, FLOOR, HEIGHT = 92, 20, 82, 118
FIRST, SECOND = 38.0, 64.0


def of_case(case: Mapping[str, Any], spoken: str) -> Picture | None:
    """
    Return both models on the axis of their metric; None where the case holds no contest.

    The bar is the interval of the paired difference laid from the champion's estimate; the line is where
    the challenger must be, or may not be beyond.
    """
    details = mapping(case.get("details"))
    old, new = real(details.get("reference")), real(details.get("current"))
    if old is None or new is None or not (details.get("champion") and details.get("challenger")):
        return None
    sign = _sign(real(case.get("estimate")), new - old)
    bounds, allowed = pair(case.get("interval")), real(case.get("limit"))
    span = sorted(old + sign * bound for bound in bounds) if bounds and sign else []
    edge = old + sign * allowed if allowed is not None and sign else None
    # The forbidden side is below a least improvement and above a most rise, turned where a loss is measured.
    below = (case.get("direction") == "at_least") == (sign > 0)
    found = scale_over([old, new, *span, *([edge] if edge is not None else [])], pad=0.12)
    scale = Scale(found.low, found.high, LABEL, WIDTH - 12)
    parts = []
    if edge is not None:
        parts.append(box(scale(edge), TOP, scale.start if below else scale.stop, FLOOR, "no"))
        parts.append(line(scale(edge), TOP - 3, scale(edge), FLOOR, "lim"))
        parts.append(words(scale(edge), 12, f"{'least' if below else 'most'} allowed {figure(edge)}", "limt"))
    parts.append(line(scale(old), FIRST, scale(old), FLOOR, "gap"))
    if span:
        parts.append(box(scale(span[0]), SECOND - 4, scale(span[1]), SECOND + 4, "ci"))
    x, y = scale(old), FIRST
    parts.append(element("rect", x=x - 4.5, y=y - 4.5, width=9, height=9, klass="was"))
    parts.append(element("circle", cx=scale(new), cy=SECOND, r=5, klass="dot"))
    for label, value, place in (("champion", old, FIRST), ("challenger", new, SECOND)):
        parts.append(element("text", label, x=LABEL - 12, y=place + 4, text_anchor="end"))
        parts.append(words(scale(value), place - 9, figure(value), "est"))
    parts += axis(scale, FLOOR)
    metric = name(case.get("subject"), most=40).removeprefix("guard:")
    if case.get("check") == "fairness" or metric.startswith("fairness:"):
        metric = f"largest gap between groups ({metric.removeprefix('fairness:')})"
    parts.append(words((scale.start + scale.stop) / 2, FLOOR + 32, metric))
    said = f"Champion {figure(old)}, challenger {figure(new)}, difference {figure(new - old)}"
    if bounds:
        said += f", bounds of the judged difference {figure(bounds[0])} and {figure(bounds[1])}"
    if allowed is not None:
        said += f", limit {figure(allowed)}"
    svg = drawing(
        parts, height=HEIGHT, title=f"{spoken}: challenger against champion", description=f"{said}."
    )
    note = f"Square: {_model(details, 'champion')}; dot: {_model(details, 'challenger')}"
    tail = "; the bar is the interval of the paired difference, laid from the champion." if span else "."
    return Picture(svg, note + tail)


def _model(details: Mapping[str, Any], role: str) -> str:
    named = name(details.get(role), most=60)
    return role if named == role else f"{role} ({named})"


def _sign(estimate: float | None, change: float) -> int:
    """Return whether the judged effect is the change (1), its opposite (-1) or something else (0)."""
    if estimate is None:
        return 0
    near = 1e-6 * max(abs(change), abs(estimate), 1e-9)
    if math.isclose(estimate, change, abs_tol=near):
        return 1
    return -1 if math.isclose(estimate, -change, abs_tol=near) else 0
