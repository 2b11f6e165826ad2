"""All gates on one scale: how much of its limit each uses, as strips below each other."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from pytest_readmit.report.charts import SMALLEST_P, Standing
from pytest_readmit.report.gates import Gate
from pytest_readmit.report.svg import element

FAR = 1e9
FARTHEST = 3.0
MOST = 40
TENFOLD = 10


@dataclass(frozen=True, slots=True)
class Row:
    """One line of an overview: a gate, its name there, and where it stands against its limit."""

    gate: Gate
    label: str
    strip: Markup | None


def nearest(gates: Sequence[Gate], *, wall: str) -> tuple[list[Row], Markup | None, int]:
    """
    Return the gates that have a limit, from the farthest beyond it to the farthest within it.

    Returns:
        The rows, the scale above them, and how many more there are.
    """
    near = [(closeness(one.standing), one) for one in gates if one.standing]
    known = sorted(((at, one) for at, one in near if at is not None), key=lambda pair: -pair[0])
    if len(known) < 2:
        return [], None, 0
    most = min(FARTHEST, max(1.5, 1.08 * known[0][0]))
    rows = [
        Row(one, one.title, strip(one.standing, most=most, wall=wall))
        for _, one in known[:MOST]
        if one.standing
    ]
    return rows, strip_scale(most, wall=wall), len(known) - len(rows)


def closeness(standing: Standing) -> float | None:
    """
    Return how much of its limit an estimate uses: 1 is at the limit, more is beyond; None without a limit.

    At most: the estimate over the limit. At least: the limit over the estimate. Within: the distance from
    the middle over the half width. By p-value: the orders of magnitude of p over those of its threshold.
    """
    if standing.p_rule is not None:
        p_value, threshold = standing.p_rule
        if not 0 < threshold < 1:
            return None
        return min(FAR, abs(math.log(min(1.0, max(p_value, SMALLEST_P))) / math.log(threshold)))
    return _share(standing, standing.estimate)


def _share(standing: Standing, value: float) -> float | None:
    limit = standing.limit
    if isinstance(limit, tuple):
        low, high = limit
        half = (high - low) / 2
        return min(FAR, abs(value - (low + high) / 2) / half) if half > 0 else None
    if limit is None:
        return None
    limit, value = limit - standing.chance, value - standing.chance
    if standing.direction == "at_least":
        # "At least 0.7" is "at most 1" of 0.7 over the value; "at least -0.01" is "at most 0.01" of a loss.
        if standing.chance and value <= 0:
            return FAR
        return _over(limit, value) if limit > 0 else _over(-value, -limit)
    return _over(value, limit) if limit >= 0 else _over(-limit, -value)


def _over(used: float, allowed: float) -> float:
    """Return a share of what is allowed; where nothing is, anything is far beyond."""
    if used <= 0:
        return 0.0
    return min(FAR, used / allowed) if allowed > 0 else FAR


def _ends(standing: Standing) -> tuple[float, float] | None:
    """Return the bounds of an estimate as shares of its limit, the smaller one first."""
    if standing.interval is None or standing.p_rule is not None:
        return None
    shares = [_share(standing, bound) for bound in standing.interval]
    low, high = shares
    if low is None or high is None:
        return None
    if isinstance(standing.limit, tuple):
        middle = sum(standing.limit) / 2
        if standing.interval[0] <= middle <= standing.interval[1]:
            return 0.0, max(low, high)
    return min(low, high), max(low, high)


def strip(standing: Standing, *, most: float, wall: str) -> Markup | None:
    """
    Draw one row of an overview, in shares of the limit from 0 to `most`.

    Places are percentages, so the row stretches to any width and its dot stays round. What lies
    beyond `most` becomes an arrow at the end.

    Args:
        standing: Estimate, bounds and limit.
        most: The end of the scale.
        wall: Where `strip_scale` put what lies beyond the limit, which is the same for every row.
    """
    at = closeness(standing)
    if at is None:
        return None
    parts = [element("use", href=f"#{wall}")]
    ends = _ends(standing)
    if ends is not None:
        low, high = (min(end, most) for end in ends)
        parts.append(
            element("rect", x=_along(low, most), y=5, width=_along(high - low, most), height=6, klass="ci")
        )
    if at <= most:
        parts.append(element("circle", cx=_along(at, most), cy=8, r=4, klass="dot"))
    else:
        arrow = element("path", d="M-9 2 0 8-9 14Z", klass="over")
        parts.append(element("svg", arrow, x="100%", klass="arrow"))
        if at < FAR:
            times = f"{at:,.0f}\u00d7" if at >= TENFOLD else f"{at:.2g}\u00d7"
            parts.append(element("text", times, x="100%", dx=-13, y=12, klass="times"))
    return element("svg", *parts, aria_hidden="true", klass="strip")


def strip_scale(most: float, *, wall: str) -> Markup:
    """Return the numbers that stand above a column of strips, and the wall that they share."""
    # Its left edge is the limit; the other three lie outside of the picture.
    beyond = element("rect", id=wall, x=_along(1, most), y=-2, width="99%", height=20, klass="nos")
    parts = [
        element("defs", beyond),
        element("text", "0", x=0, y=11),
        element("text", "limit", x=_along(1, most), y=11, text_anchor="middle", klass="limt"),
    ]
    if most >= 2:  # else it would stand in the limit's own word on a narrow page
        parts.append(element("text", f"{most:.2g}\u00d7", x="100%", y=11, text_anchor="end"))
    return element("svg", *parts, aria_hidden="true", klass="marks")


def _along(share: float, most: float) -> str:
    return f"{round(100 * min(share, most) / most, 1):g}%"
