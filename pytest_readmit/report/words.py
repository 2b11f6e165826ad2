"""Values of the record as text that a person reads: figures, shares, limits, names."""

import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

MINUS = "\u2212"
DASH = "\u2013"
SMALL_P = 0.001

# Characters that reorder or hide text around them. They are shown by their code, because a name that
# displays as another name is exactly what an auditor must see.
_UNSEEN = re.compile("[\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")


def clean(value: Any, *, most: int | None = None) -> str:
    """
    Return any value as text that displays as what it is.

    Args:
        value: A string, number or None (which gives "").
        most: The largest number of characters; what is longer ends in an ellipsis.
    """
    if value is None:
        return ""
    text = value if isinstance(value, str) else figure(value) or str(value)
    text = _UNSEEN.sub(lambda found: f"\u2039U+{ord(found[0]):04X}\u203a", text)
    if not text.isprintable():
        text = "".join(
            character
            if character in "\n\t" or unicodedata.category(character) not in ("Cc", "Cs")
            else "\ufffd"
            for character in text
        )
    if most is not None and len(text) > most:
        return text[: most - 1].rstrip() + "\u2026"
    return text


def name(value: Any, *, most: int | None = None) -> str:
    """Return `clean` text on one line."""
    return clean(" ".join(clean(value).split()), most=most)


def real(value: Any) -> float | None:
    """Return a finite number as float, anything else as None; so large a one that a sum overflows too."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= 1e300:
        return None
    return float(value)


def pair(value: Any) -> tuple[float, float] | None:
    """Return two finite numbers, or None."""
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) != 2:
        return None
    low, high = real(value[0]), real(value[1])
    return None if low is None or high is None else (low, high)


def mapping(value: Any) -> Mapping[str, Any]:
    """Return a mapping as it is, anything else as an empty one."""
    return value if isinstance(value, Mapping) else {}


def items(value: Any) -> list[Any]:
    """Return a list's items; anything that is no list has none."""
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else []


def figure(value: Any) -> str:
    """Return a number to three significant digits, with a true minus sign; "" if it is none."""
    found = real(value)
    if found is None:
        return ""
    return _plain(found).replace("-", MINUS)


def _plain(value: float) -> str:
    if value == 0:
        return "0"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    if abs(value) < 1e-4:
        return f"{value:.1e}"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    text = f"{value:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def p_figure(value: Any, against: Any = None) -> str:
    """Return a p-value, "< 0.001" for less than that; a threshold as small as it needs more digits."""
    found, threshold = real(value), real(against)
    if found is None:
        return ""
    least = SMALL_P if threshold is None or threshold >= SMALL_P else min(SMALL_P, threshold / 10)
    return f"<\u00a0{figure(least)}" if found < least else figure(found)


def count(value: Any) -> str:
    """Return a number of rows; text ("fewer than 11") stays as it is."""
    found = real(value)
    if found is None:
        return clean(value)
    return f"{found:,.0f}" if found == int(found) else figure(found)


def percent(share: float) -> str:
    """Return a share as a percentage of at most two decimals."""
    return f"{round(100 * share, 2):g}%".replace("-", MINUS)


def limit(value: Any, direction: Any) -> str:
    """Return a limit with its sense: "\u2264 0.1", "\u2265 0.7", "\u00b10.02" or "0.8 to 1.25"."""
    both = pair(value)
    if both is not None:
        return (
            f"\u00b1{figure(both[1])}" if both[0] == -both[1] else f"{figure(both[0])} to {figure(both[1])}"
        )
    one = real(value)
    if one is None:
        return ""
    sense = {"at_most": "\u2264\u00a0", "at_least": "\u2265\u00a0"}.get(str(direction), "\u00b1")
    return sense + figure(one)


def plural(number: int, one: str, many: str | None = None) -> str:
    """Return "1 gate" or "2 gates"."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def moment(value: Any) -> str:
    """Return an ISO time with a space for the T and UTC for a zero offset."""
    text = name(value)
    found = re.fullmatch(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d)?)(?:\.\d+)?(Z|\+00:?00)?", text)
    return f"{found[1]} {found[2]}{' UTC' if found[3] else ''}" if found else text
