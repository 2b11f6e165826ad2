"""The signature picture: where an estimate and its bounds stand against their limit."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from pytest_readmit.report.svg import WIDTH, Scale, axis, box, drawing, element, line, scale_over, words
from pytest_readmit.report.words import MINUS, figure, p_figure

TOP, BAR, FLOOR, HEIGHT = 18, 42, 62, 80
SMALLEST_P = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """
    What the picture of one gate needs; every number in the gate's own unit.

    Args:
        estimate: The measured effect.
        interval: One-sided lower and upper bound at the confidence of the gate, None for a census.
        fail_bound: The bound at alpha over m, on which a fail rests.
        limit: A number, a pair, or None where the gate only reports.
        direction: ``at_most``, ``at_least`` or ``within``.
        judged_by_estimate: Bounds are drawn for information only.
        p_rule: The p-value and its threshold, where these decide.
        unit: What is written behind every figure; they are given in this unit.
        chance: The estimate that chance alone gives.
        quantity: What the axis shows, where the figures are changes.
    """

    estimate: float
    interval: tuple[float, float] | None
    fail_bound: float | None
    limit: float | tuple[float, float] | None
    direction: str
    judged_by_estimate: bool = False
    p_rule: tuple[float, float] | None = None
    unit: str = ""
    chance: float = 0.0
    quantity: str = ""

    def told(self, value: float) -> str:
        """Return one of these figures as text."""
        return figure(value) + self.unit

    @property
    def counted(self) -> bool:
        """Whether these are whole numbers of things found, without uncertainty."""
        known = [self.estimate, *(edge for edge in self.edges if edge is not None)]
        return self.interval is None and all(value >= 0 and value == int(value) for value in known)

    @property
    def edges(self) -> tuple[float | None, float | None]:
        """The lowest and the highest value that is allowed; None: no such limit."""
        if isinstance(self.limit, tuple):
            return self.limit
        if self.limit is None:
            return None, None
        return (self.limit, None) if self.direction == "at_least" else (None, self.limit)


def against_limit(standing: Standing, *, title: str, description: str) -> Markup:
    """
    Draw estimate, bounds and fail bound on the axis of the effect, the forbidden side hatched.

    The thick bar spans the one-sided bounds, the thin line goes on to the bound at alpha over m.
    """
    low, high = standing.edges
    shown = [standing.estimate, *(standing.interval or ())]
    shown += [value for value in (standing.fail_bound, low, high) if value is not None]
    if standing.direction == "at_most" and _zero_is_near(shown):
        shown.append(0.0)
    if standing.counted:
        shown.append(1.0)
    scale = scale_over(shown, whole=True)
    told = standing.told(standing.estimate)
    texts = [
        *limit_names(scale, low, high, unit=standing.unit),
        words(_beside(scale, standing, told), BAR - 11, told, "est", inherit="middle"),
    ]
    base = axis(scale, FLOOR, about=4, least_step=1.0 if standing.counted else 0.0, texts=texts)
    parts = [*_forbidden(scale, low, high), *_measured(scale, standing), *base]
    if standing.quantity:
        parts.append(words(WIDTH / 2, HEIGHT + 9, standing.quantity, "m"))
    return drawing(
        parts, height=HEIGHT + (13 if standing.quantity else 0), title=title, description=description
    )


def _zero_is_near(shown: Sequence[float]) -> bool:
    """Whether zero can stand on the axis without pressing what is measured into a corner."""
    return 0 <= min(shown) <= 0.6 * max(shown)


def _beside(scale: Scale, standing: Standing, told: str) -> float:
    """Return the middle of the estimate's figure: above its dot, yet clear of the line of a limit."""
    place, half = scale(standing.estimate), 3.6 * len(told) + 6
    for edge in standing.edges:
        if edge is not None and abs(place - scale(edge)) < half:
            place = scale(edge) + (half if standing.estimate >= edge else -half)
    return place


def _forbidden(scale: Scale, low: float | None, high: float | None) -> list[Markup]:
    sides = ((low, scale.start), (high, scale.stop))
    areas = [box(scale(value), TOP, end, FLOOR, "no") for value, end in sides if value is not None]
    edges = [scale(value) for value, _ in sides if value is not None]
    return [*areas, *(line(x, TOP - 3, x, FLOOR, "lim") for x in edges)]


def limit_names(scale: Scale, low: float | None, high: float | None, *, unit: str = "") -> list[Markup]:
    """Return the limits in words above their lines, for a group whose text is centred."""
    if low is not None and high is not None and scale(high) - scale(low) < 90 + 12 * len(unit):
        middle = round((scale(low) + scale(high)) / 2)
        said = f"limits {figure(low)} and {figure(high)}{unit}"
        return [words(middle, 11, said, "limt", inherit="middle")]
    return [
        words(scale(value), 11, f"limit {figure(value)}{unit}", "limt", inherit="middle")
        for value in (low, high)
        if value is not None
    ]


def _measured(scale: Scale, standing: Standing) -> list[Markup]:
    parts = []
    if standing.interval is not None:
        lower, upper = standing.interval
        parts.append(box(scale(lower), BAR - 4, scale(upper), BAR + 4, "ci" + _faint(standing)))
        if standing.fail_bound is not None:
            end = scale(standing.fail_bound)
            path = f"M{end:g} {BAR - 7}v14m0-7H{scale(standing.estimate):g}"
            parts.append(element("path", d=path, klass="fb"))
    parts.append(element("circle", cx=scale(standing.estimate), cy=BAR, r=5, klass="dot"))
    return parts


def _faint(standing: Standing) -> str:
    return " dim" if standing.judged_by_estimate else ""


def against_threshold(p_value: float, threshold: float, *, title: str, description: str) -> Markup:
    """Draw a p-value against its threshold on a logarithmic axis; the side that fails is hatched."""
    held = max(p_value, SMALLEST_P)
    low = math.floor(min(math.log10(held), math.log10(max(threshold, SMALLEST_P)), -2))
    scale = Scale(low - 0.15 * -low / 4, 0.0)
    edge, x = scale(math.log10(max(threshold, SMALLEST_P))), scale(math.log10(held))
    shown = p_figure(p_value, threshold)
    shown = shown if shown.startswith("<") else f"= {shown}"
    parts = [
        box(scale.start, TOP, edge, FLOOR, "no"),
        line(edge, TOP - 3, edge, FLOOR, "lim"),
        words(edge, 11, f"threshold {figure(threshold)}", "limt"),
        element("circle", cx=x, cy=BAR, r=5, klass="dot"),
        words(x, BAR - 11, f"p {shown}", "est"),
        line(scale.start, FLOOR, scale.stop, FLOOR, "ax"),
    ]
    step = max(1, -low // 4)
    for power in range(0, low - 1, -step):
        value = figure(10.0**power) if power > -4 else f"1e{MINUS}{-power}"
        parts.append(line(scale(power), FLOOR, scale(power), FLOOR + 4, "ax"))
        parts.append(words(scale(power), FLOOR + 15, value))
    return drawing(parts, height=HEIGHT, title=title, description=description)


def proportions(counts: Sequence[tuple[str, int]], *, title: str) -> Markup:
    """Draw how many gates there are of each verdict as one bar; the words beside it carry the numbers."""
    total = sum(number for _, number in counts) or 1
    parts, x = [], 0.0
    for verdict, number in counts:
        if number:
            width = WIDTH * number / total
            parts.append(box(x, 0, x + width, 10, f"v-{verdict}"))
            x += width
    return element(
        "svg",
        *parts,
        viewBox=f"0 0 {WIDTH} 10",
        preserveAspectRatio="none",
        role="img",
        aria_label=title,
        klass="share",
    )
