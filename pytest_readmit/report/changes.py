"""Effects that are changes: their name (fall, rise, change), and what each is due to where it was split."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pytest_readmit.report.picture import Picture, Table
from pytest_readmit.report.svg import WIDTH, axis, box, drawing, element, line, scale_over
from pytest_readmit.report.words import count, figure, limit, mapping, name, pair, real

BY_METHOD = {
    "drop": "fall",
    "rise": "rise",
    "change": "change",
    "relative_change": "relative change",
    "risk_difference": "change",
}
# Of what a share is, where the subject of a case is a column.
SHARES = {
    "missing_drift": "the share of missing values",
    "target_drift": "the outcome rate",
    "extreme_values": "the share of extreme values",
}
CHECKS = frozenset({"concept_drift", "missing_drift", "target_drift", "extreme_values"})
SPLIT = "disde"
PARTS = ("inputs", "relation", "total")
# Of the whole change, in which what the inputs did is little.
LITTLE = 0.2
RELATION, INPUTS, NEITHER = "relation", "inputs", "neither"
RELATION_OF = "relation:"
ONLY_INPUTS = "only the inputs moved"


@dataclass(frozen=True, slots=True)
class Split:
    """
    What a change of a metric is due to, as a check measured it.

    Args:
        cause: `RELATION`, `INPUTS` or `NEITHER`; "" where it is not known.
        size: How much of the change stands at equal inputs.
        mostly: Whether the inputs explain little of it.
    """

    cause: str
    size: str
    mostly: bool


def quantity(case: Mapping[str, Any]) -> str:
    """Return "fall", "rise" or "change" for an effect that is one, "" for a level or a distance."""
    if str(case.get("check")) not in CHECKS:
        return ""
    if case.get("method") == SPLIT:
        return "fall" if name(case.get("subject")).endswith("roc_auc") else "rise"
    found = BY_METHOD.get(str(case.get("method")), "")
    one_sided = case.get("limit") is not None and case.get("direction") == "at_most"
    return "rise" if found == "change" and one_sided and pair(case.get("limit")) is None else found


def allowed(value: Any, direction: Any, called: str) -> str:
    """Return a limit as `limit` does; in words beside the name of a change."""
    text = limit(value, direction)
    return text.replace("\u2264\u00a0", "at most ").replace("\u2265\u00a0", "at least ") if called else text


def split(case: Mapping[str, Any]) -> Split | None:
    """Return what a case says of the cause of a change; None where it says nothing."""
    parts = _parts(case)
    if not parts:
        return None
    cause = {"fail": RELATION}.get(str(case.get("verdict")), "")
    if case.get("verdict") == "pass":
        notes = mapping(case.get("details")).get("notes") or [""]
        cause = INPUTS if str(notes[0]).startswith(ONLY_INPUTS) else NEITHER
    verb = "falls" if quantity(case) == "fall" else "rises"
    harm = -1 if verb == "falls" else 1
    at_equal, whole = (figure(harm * parts[part]) for part in ("relation", "total"))
    size = f"{verb} by {at_equal} at equal inputs, of {whole} in all"
    return Split(cause, size, abs(parts["inputs"]) <= LITTLE * abs(parts["total"]))


def _parts(case: Mapping[str, Any]) -> dict[str, float]:
    details = mapping(case.get("details"))
    found = {part: value for part in PARTS if (value := real(details.get(part))) is not None}
    return found if case.get("method") == SPLIT and len(found) == len(PARTS) else {}


def picture(case: Mapping[str, Any], title: str) -> Picture | None:
    """Draw what inputs and relation did to a metric as bars from zero; None for any other case."""
    parts = _parts(case)
    if not parts:
        return None
    rows = [
        ("due to the inputs", parts["inputs"]),
        ("due to the relation", parts["relation"]),
        ("in all", parts["total"]),
    ]
    scale = scale_over([0.0, *(value for _, value in rows)], pad=0.2)
    scale = type(scale)(scale.low, scale.high, 118, WIDTH - 4)
    labels, bars, values = [], [], []
    for index, (label, value) in enumerate(rows):
        y = index * 22 + 2.0
        labels.append(element("text", label, x=112, y=y + 13))
        bars.append(box(scale(0.0), y + 2, scale(value), y + 17, "refb" if label == "in all" else "curb"))
        right = value >= 0
        values.append(
            element(
                "text",
                figure(value),
                x=scale(value) + (4 if right else -4),
                y=y + 13,
                **({} if right else {"text_anchor": "end"}),
            )
        )
    floor = len(rows) * 22 + 4.0
    metric = name(case.get("subject")).removeprefix(RELATION_OF)
    drawn = [
        *bars,
        element("g", *labels, text_anchor="end"),
        element("g", *values, klass="sm"),
        line(scale(0.0), 0, scale(0.0), floor, "ax"),
        *axis(scale, floor, about=3),
    ]
    told = "; ".join(f"{label} {figure(value)}" for label, value in rows)
    svg = drawing(drawn, height=floor + 20, title=f"{title}: what changed", description=f"{told}.")
    note = (
        f"Change of {metric} from reference to current; the relation\u2019s part is the one at equal inputs."
    )
    return Picture(svg, note, Table(["part", "change"], [[label, figure(value)] for label, value in rows]))


def on_scale_of_bounds(case: Mapping[str, Any], error: Any) -> bool:
    """Whether a standard error is on the scale of the estimate, as its bounds tell."""
    found, bounds, confidence = real(error), pair(case.get("interval")), real(case.get("confidence"))
    if not found or bounds is None or confidence is None or not 0.5 < confidence < 1:
        return False
    from statistics import NormalDist

    width = (bounds[1] - bounds[0]) / (2 * NormalDist().inv_cdf(confidence))
    return math.isclose(width, found, rel_tol=0.25)


def rows_that_decide(case: Mapping[str, Any]) -> str:
    """Return "; about 330,000 rows would decide", and how if the estimate stays; "" where none is known."""
    needed, estimate, limit = count(case.get("needed_n")), real(case.get("estimate")), real(case.get("limit"))
    if not needed or case.get("verdict") != "inconclusive":
        return ""
    beyond = (
        estimate is not None
        and limit is not None
        and (estimate < limit if case.get("direction") == "at_least" else estimate > limit)
    )
    return f"; about {needed} rows would decide{', by a fail if the estimate stays' if beyond else ''}"
