"""Every figure of a case by name, as the list in its gate, and the table that its check wrote."""

from collections.abc import Mapping
from typing import Any

from pytest_readmit.report import changes, gallery
from pytest_readmit.report.picture import Table
from pytest_readmit.report.words import (
    count,
    figure,
    items,
    limit,
    name,
    p_figure,
    pair,
    percent,
    real,
)

TOLD_DETAILS = ("notes", "table")
CHANGE = ("reference", "current", "change", "relative_change")
ERRORS = ("standard_error", "model_standard_error")
MOST_ROWS = 50
MOST_OTHER = 12


def with_unit(unit: str, text: str) -> str:
    """Return a figure in its unit; "" stays empty."""
    return text + unit if text else ""


def bounds_of(both: tuple[float, float] | None) -> str:
    """Return "0.1 to 0.2"."""
    return f"{figure(both[0])} to {figure(both[1])}" if both else ""


def figures(case: Mapping[str, Any], details: Mapping[str, Any], unit: str) -> list[tuple[str, str]]:
    """Return every figure of a case with its name; what is null is left out."""
    confidence = real(case.get("confidence"))
    sure = percent(confidence) if confidence is not None else ""
    bounds = pair(case.get("interval"))
    by_p = case.get("decide_by") == "p_value"
    match = details.get("champion") and details.get("challenger")
    sides = ("With the champion", "With the challenger") if match else ("In reference", "In current")
    called = changes.quantity(case)
    due = changes.split(case) is not None
    if due:
        sides = ("In reference, in all", "In current, in all")
    rows = [
        (called.capitalize() or "Estimate", with_unit(unit, figure(case.get("estimate")))),
        (f"One-sided {sure} bounds".replace("  ", " "), with_unit(unit, bounds_of(bounds))),
        ("Stricter bound, for failing", with_unit(unit, figure(case.get("fail_bound")))),
        ("Limit", with_unit(unit, changes.allowed(case.get("limit"), case.get("direction"), called))),
        (
            "p-value" if by_p else "p-value against the limit",
            p_figure(case.get("p_value"), case.get("alpha")),
        ),
        ("Threshold for p" if by_p else "Error rate of that bound", figure(case.get("alpha"))),
        ("Cases that share the error rate", count(case.get("m"))),
        ("Tightest certifiable limit", with_unit(unit, _certifiable(case))),
        ("Rows of current needed", count(case.get("needed_n"))),
        ("Rows of reference", count(case.get("n_reference"))),
        ("Rows of current", count(case.get("n_current"))),
        ("Method", name(case.get("method"), most=80)),
        ("Decided by", _decided(case)),
        ("Severity", name(case.get("severity"))),
        (sides[0], _share(details.get("reference"), unit and "%")),
        (sides[1], _share(details.get("current"), unit and "%") if _differs(case, details, unit) else ""),
        ("Change in all" if due else "Change", _share(details.get("change"), unit and " pp")),
        ("Relative change", _value(details.get("relative_change"))),
    ]
    return [(label, value) for label, value in rows if value] + _other(case, details)


def _differs(case: Mapping[str, Any], details: Mapping[str, Any], unit: str) -> bool:
    """Whether the figure of current says more than the estimate does."""
    current = with_unit(unit, _share(details.get("current"), unit and "%").removesuffix("%"))
    return details.get("reference") is not None or current != with_unit(unit, figure(case.get("estimate")))


def _share(value: Any, unit: str) -> str:
    """Return a plain value; one that is a share or a difference of shares in its unit."""
    found = real(value)
    return _value(value) if found is None or not unit else with_unit(unit, figure(100 * found))


def _certifiable(case: Mapping[str, Any]) -> str:
    """Return the tightest limit that the data certify, where it is not one of the bounds again."""
    found = case.get("certifiable")
    if found == case.get("interval") or found in items(case.get("interval")):
        return ""
    return limit(found, case.get("direction"))


def _decided(case: Mapping[str, Any]) -> str:
    how = case.get("decide_by")
    if how == "estimate" and case.get("interval") is None:
        return "estimate, a count of all rows" if case.get("limit") is not None else "estimate"
    return {"interval": "interval", "estimate": "estimate alone", "p_value": "p-value"}.get(
        str(how), name(how)
    )


def _value(value: Any) -> str:
    """Return a plain figure, text, or short list of them; "" for anything else."""
    if isinstance(value, str):
        return name(value, most=160)
    if isinstance(value, list):
        return name(
            ", ".join(_value(item) for item in value[:MOST_OTHER] if not isinstance(item, list)), most=160
        )
    return figure(value)


def _other(case: Mapping[str, Any], details: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the plain figures that a check added of its own accord."""
    found = [
        (name(key, most=60).replace("_", " ").capitalize(), _value(value))
        for key, value in details.items()
        if key not in TOLD_DETAILS
        and key not in gallery.DRAWN
        and key not in CHANGE
        and not (key in changes.PARTS and changes.split(case) is not None)
        # One on another scale, such as that of the log odds, would be read as the estimate's.
        and (key not in ERRORS or changes.on_scale_of_bounds(case, value))
        # A check whose effect is the statistic itself says so by giving both.
        and (key != "statistic" or real(value) != real(case.get("estimate")))
    ]
    return [(key, value) for key, value in found if value][:MOST_OTHER]


def table_of(table: Mapping[str, Any]) -> Table | None:
    """Return the table that a check wrote, at most `MOST_ROWS` rows of it; None for what is none."""
    columns = [name(column, most=80) for column in items(table.get("columns"))]
    rows = [[name(cell, most=200) for cell in items(row)] for row in items(table.get("rows"))]
    if not columns or not rows:
        return None
    width = len(columns)
    even = [(row + [""] * width)[:width] for row in rows[:MOST_ROWS]]
    return Table(columns, even, max(0, len(rows) - MOST_ROWS))
