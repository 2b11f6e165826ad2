"""The strokes every picture is made of: escaped elements, a linear scale, round tick values."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

WIDTH = 360


def element(tag: str, *children: str, **attributes: str | float) -> Markup:
    """
    Return one SVG element; every attribute and every child that is not Markup is escaped.

    Args:
        tag: Name of the element, a constant of the caller.
        children: Text or elements.
        attributes: `klass` stands for ``class``, an underscore for a hyphen; numbers get one decimal.
    """
    written = "".join(
        f' {_NAMES.get(key, key)}="{escape(value) if isinstance(value, str) else _digits(value)}"'
        for key, value in attributes.items()
    )
    inner = "".join(escape(child) for child in children)
    # Every piece was escaped above; Markup.format() says the same at more than twice the time of a page.
    return Markup(f"<{tag}{written}>{inner}</{tag}>" if children else f"<{tag}{written}/>")  # noqa: S704


_NAMES = {
    "klass": "class",
    "text_anchor": "text-anchor",
    "aria_hidden": "aria-hidden",
    "aria_label": "aria-label",
}


def _digits(value: float) -> str:
    return f"{round(value, 1):g}"


def drawing(parts: Iterable[Markup], *, height: float, title: str, description: str) -> Markup:
    """Return a whole picture that scales with its place and says in words what it shows."""
    said = f"{title}. {description}" if description else title
    return element("svg", *parts, viewBox=f"0 0 {WIDTH} {height:g}", role="img", aria_label=said)


def line(x1: float, y1: float, x2: float, y2: float, klass: str) -> Markup:
    """Return a straight line."""
    left, top, right, bottom = map(_digits, (x1, y1, x2, y2))
    to = f"V{bottom}" if left == right else f"H{right}" if top == bottom else f"L{right} {bottom}"
    return element("path", d=f"M{left} {top}{to}", klass=klass)


def box(x1: float, y1: float, x2: float, y2: float, klass: str) -> Markup:
    """Return a rectangle between two corners, in any order."""
    # Opposite sides are written from the same rounded figures; a path is shorter than a rect.
    left, right = _digits(min(x1, x2)), _digits(max(x1, x2))
    top, bottom = _digits(min(y1, y2)), _digits(max(y1, y2))
    return element("path", d=f"M{left} {top}H{right}V{bottom}H{left}z", klass=klass)


def trace(points: Sequence[tuple[float, float]], *, digits: int = 1) -> str:
    """Return a path along points; relative moves take half the bytes of absolute ones."""
    rounded = [(round(x, digits), round(y, digits)) for x, y in points]
    (x, y), *rest = rounded
    path = f"M{x:g} {y:g}"
    for new_x, new_y in rest:
        right, down = round(new_x - x, digits), round(new_y - y, digits)
        if right or down:
            # A minus sign parts two numbers by itself.
            path += f"h{right:g}" if not down else f"v{down:g}" if not right else f"l{right:g}{down: g}"
        x, y = new_x, new_y
    return path.replace(" -", "-")


def words(
    x: float, y: float, text: str, klass: str = "", *, width: float = WIDTH, inherit: str = ""
) -> Markup:
    """Return text centred on x, or leaning inwards; `inherit` is the anchor of its group."""
    half = 3.1 * len(text)
    anchor = "start" if x - half < 0 else "end" if x + half > width else "middle"
    place = max(0.0, x) if anchor == "start" else min(width, x) if anchor == "end" else x
    if anchor == "start":
        place = 0.0 if x < half else x
    if anchor == "end":
        place = width
    extra = {"klass": klass} if klass else {}
    if anchor != inherit:
        extra["text_anchor"] = anchor
    return element("text", text, x=place, y=y, **extra)


@dataclass(frozen=True, slots=True)
class Scale:
    """Values low..high on pixels start..stop; `whole` pixels are shorter to write."""

    low: float
    high: float
    start: float = 8
    stop: float = WIDTH - 8
    whole: bool = False

    def __call__(self, value: float) -> float:
        """Return the pixel of a value, held within the picture."""
        share = (value - self.low) / (self.high - self.low)
        place = self.start + min(1.0, max(0.0, share)) * (self.stop - self.start)
        return round(place) if self.whole else place


def scale_over(values: Iterable[float], *, pad: float = 0.07, whole: bool = False) -> Scale:
    """Return a scale that shows all values with some room at both ends."""
    found = list(values)
    low, high = min(found), max(found)
    room = pad * (high - low) or abs(high) / 4 or 1.0
    return Scale(low - room, high + room, whole=whole)


def ticks(scale: Scale, about: int = 5, *, least_step: float = 0.0) -> list[float]:
    """Return round values within a scale, 3 to about twice `about` of them unless `least_step` forbids."""
    raw = max((scale.high - scale.low) / about, least_step)
    unit = 10.0 ** math.floor(math.log10(raw))
    step = next(unit * factor for factor in (1, 2, 2.5, 5, 10) if unit * factor >= raw * 0.999)
    first = math.ceil(scale.low / step - 1e-9)
    last = math.floor(scale.high / step + 1e-9)
    return [float(f"{number * step:.12g}") for number in range(first, last + 1)]


def tick_text(value: float, step: float) -> str:
    """Return an axis number with as many decimals as its neighbours need."""
    if value and (abs(value) >= 1e6 or step < 1e-5):
        return f"{value:.3g}".replace("-", "\u2212")
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    if decimals and abs(step * 10**decimals - round(step * 10**decimals)) > 1e-6:
        decimals += 1
    return f"{value:,.{decimals}f}".replace("-", "\u2212")


def axis(
    scale: Scale, y: float, *, about: int = 5, least_step: float = 0.0, texts: Iterable[Markup] = ()
) -> list[Markup]:
    """
    Return a horizontal axis with its numbers below it, at least `least_step` apart.

    Args:
        scale: Values on pixels.
        y: Where the line is.
        about: How many numbers, roughly.
        least_step: The least distance between two numbers.
        texts: More text of the picture, written with ``inherit="middle"``.
    """
    values = ticks(scale, about, least_step=least_step)
    step = values[1] - values[0] if len(values) > 1 else (abs(values[0]) if values and values[0] else 1.0)
    marks = "".join(f"M{_digits(scale(value))} {_digits(y)}v4" for value in values)
    path = f"M{_digits(scale.start)} {_digits(y)}H{_digits(scale.stop)}{marks}"
    numbers = [words(scale(value), y + 15, tick_text(value, step), inherit="middle") for value in values]
    return [element("path", d=path, klass="ax"), element("g", *numbers, *texts, klass="m")]
