"""One case of the record as a reader sees it: its words, its figures, its pictures."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from pytest_readmit.report import charts, distributions
from pytest_readmit.report.words import (
    clean,
    count,
    figure,
    items,
    limit,
    mapping,
    name,
    p_figure,
    pair,
    percent,
    real,
)

VERDICTS = ("fail", "inconclusive", "pass", "error")
SHOWN = {"fail": "Fail", "inconclusive": "Undecided", "pass": "Pass", "error": "Error"}
DRAWN_DETAILS = ("histogram", "notes", "table")
CHANGE = ("reference", "current", "change", "relative_change")
MOST_ROWS = 50
MOST_OTHER = 12


@dataclass(frozen=True, slots=True)
class Table:
    """A small table; `left_out` rows are only in the record, `blank` tells of cells without a figure."""

    columns: list[str]
    rows: list[list[str]]
    left_out: int
    blank: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """
    What the page shows of one case; every string is safe to display once escaped.

    Args:
        anchor: Id of the place on the page, the same for the same case id in every report.
        verdict: One of `VERDICTS`; what is unknown counts as ``error``.
        tags: What the verdict leads to: "blocks", "waived until ...", "warns only".
        census: Decided by a count of every row, so free of chance.
        reports_only: It has no limit that it could break.
        standing: Estimate, bounds and limit where they can be drawn.
    """

    id: str
    anchor: str
    suite: str
    path: str
    place: str
    check: str
    entry: str
    label: str
    verdict: str
    shown: str
    outcome: str
    warned: bool
    tags: list[str]
    message: str
    because: str | None
    estimate: str
    limit: str
    needed: str
    certifiable: str
    rows: str
    waiver: Mapping[str, str]
    decide_by: str
    census: bool
    reports_only: bool
    standing: charts.Standing | None
    picture: Markup | None
    overlay: distributions.Picture | None
    figures: list[tuple[str, str]]
    notes: list[str]
    table: Table | None

    @property
    def blocks(self) -> bool:
        """Whether this gate alone makes the run fail."""
        return self.outcome == "failed"

    @property
    def title(self) -> str:
        """The gate's name where its suite is known: entry and subject."""
        return f"{self.entry} \u00b7 {self.label}" if self.label else self.entry


def gate(case: Mapping[str, Any]) -> Gate:
    """Return the view of one case; whatever is null or of another kind is left out."""
    identity = clean(case.get("id"))
    path = name(identity.split("::")[0])
    verdict = case.get("verdict") if case.get("verdict") in VERDICTS else "error"
    assert isinstance(verdict, str)  # noqa: S101 - for the type checker: VERDICTS holds strings only
    details = mapping(case.get("details"))
    standing = _standing(case)
    label = _label(case)
    entry = name(case.get("entry") or case.get("check"), most=160)
    spoken = f"{entry} {label}".strip()
    granted = mapping(case.get("waiver"))
    waiver = {key: name(granted.get(key), most=600) for key in ("until", "by", "reason")} if granted else {}
    return Gate(
        id=name(identity, most=400),
        anchor="gate-" + hashlib.sha256(identity.encode("utf-8", "replace")).hexdigest()[:10],
        suite=name(case.get("suite"), most=160),
        path=path,
        place=_place(path, case.get("line")),
        check=name(case.get("check"), most=160),
        entry=entry,
        label=label,
        verdict=verdict,
        shown=SHOWN[verdict],
        outcome=name(case.get("outcome")),
        warned=case.get("warned") is True,
        tags=_tags(case, verdict, waiver),
        message=clean(case.get("message"), most=2000).strip() or "No message was recorded.",
        because=name(case.get("because"), most=1000) or None,
        estimate=figure(case.get("estimate")),
        limit=limit(case.get("limit"), case.get("direction")),
        needed=count(case.get("needed_n")),
        certifiable=limit(case.get("certifiable"), case.get("direction")),
        rows=count(case.get("n_current")),
        waiver=waiver,
        decide_by=name(case.get("decide_by")),
        census=case.get("decide_by") == "estimate" and case.get("interval") is None,
        reports_only=_reports_only(case),
        standing=standing,
        picture=_picture(case, standing, spoken),
        overlay=_overlay(details, spoken),
        figures=_figures(case, details),
        notes=[clean(note, most=600) for note in items(details.get("notes"))],
        table=_table(mapping(details.get("table"))),
    )


def _label(case: Mapping[str, Any]) -> str:
    parts = [name(case.get(key), most=160) for key in ("subject", "segment") if case.get(key) is not None]
    return " \u00b7 ".join(part for part in parts if part)


def _place(path: str, line: Any) -> str:
    found = real(line)
    return f"{path}:{found:.0f}" if found is not None else path


def _tags(case: Mapping[str, Any], verdict: str, waiver: Mapping[str, str]) -> list[str]:
    outcome = case.get("outcome")
    if outcome == "xfailed":
        return [f"waived until {waiver['until']}" if waiver.get("until") else "waived"]
    tags = ["blocks"] if outcome == "failed" else []
    if verdict == "fail" and outcome == "passed":
        tags.append("warns only")
    if case.get("warned") is True and verdict == "pass":
        tags.append("with a warning")
    if verdict == "pass" and _reports_only(case):
        tags.append("reports only")
    if waiver:
        tags.append("waiver not needed" if verdict == "pass" else "waiver not in force")
    return tags


def _reports_only(case: Mapping[str, Any]) -> bool:
    """Whether a case has no limit that it could break."""
    return case.get("limit") is None and case.get("decide_by") != "p_value"


def _standing(case: Mapping[str, Any]) -> charts.Standing | None:
    estimate = real(case.get("estimate"))
    if estimate is None:
        return None
    allowed = pair(case.get("limit")) or real(case.get("limit"))
    direction = "within" if isinstance(allowed, tuple) else name(case.get("direction")) or "at_most"
    return charts.Standing(
        estimate=estimate,
        interval=pair(case.get("interval")),
        fail_bound=real(case.get("fail_bound")),
        limit=allowed,
        direction=direction,
        judged_by_estimate=case.get("decide_by") == "estimate",
    )


def _picture(case: Mapping[str, Any], standing: charts.Standing | None, spoken: str) -> Markup | None:
    p_value, threshold = real(case.get("p_value")), real(case.get("alpha"))
    if case.get("decide_by") == "p_value":
        if p_value is None or threshold is None:
            return None
        said = f"p-value {p_figure(p_value)}, threshold {figure(threshold)}. It says nothing about size."
        return charts.against_threshold(
            p_value, threshold, title=f"{spoken}: p-value and threshold", description=said
        )
    if standing is None:
        return None
    said = f"Estimate {figure(standing.estimate)}"
    if standing.interval:
        said += f", one-sided bounds {figure(standing.interval[0])} and {figure(standing.interval[1])}"
    if standing.fail_bound is not None:
        said += f", bound for failing {figure(standing.fail_bound)}"
    allowed = limit(case.get("limit"), case.get("direction"))
    said += f", limit {allowed}." if allowed else ", no limit."
    kind = "estimate and bounds" if standing.interval else "estimate"
    return charts.against_limit(standing, title=f"{spoken}: {kind} against the limit", description=said)


def _overlay(details: Mapping[str, Any], spoken: str) -> distributions.Picture | None:
    histogram = mapping(details.get("histogram"))
    if histogram:
        return distributions.overlay(histogram, f"{spoken}: reference and current")
    reference, current = real(details.get("reference")), real(details.get("current"))
    if reference is None or current is None:
        return None
    return distributions.two_values(reference, current, f"{spoken}: reference and current")


def _figures(case: Mapping[str, Any], details: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return every figure of a case with its name; what is null is left out."""
    confidence = real(case.get("confidence"))
    sure = percent(confidence) if confidence is not None else ""
    bounds = pair(case.get("interval"))
    by_p = case.get("decide_by") == "p_value"
    rows = [
        ("Estimate", figure(case.get("estimate"))),
        (f"Lower bound, one-sided {sure}".strip(), figure(bounds[0]) if bounds else ""),
        (f"Upper bound, one-sided {sure}".strip(), figure(bounds[1]) if bounds else ""),
        ("Bound for failing, at \u03b1/m", figure(case.get("fail_bound"))),
        ("Limit", limit(case.get("limit"), case.get("direction"))),
        ("p-value" if by_p else "p-value against the limit", p_figure(case.get("p_value"))),
        ("Threshold for p" if by_p else "\u03b1/m, for failing", figure(case.get("alpha"))),
        ("m, cases that share \u03b1", count(case.get("m"))),
        ("Tightest certifiable limit", limit(case.get("certifiable"), case.get("direction"))),
        ("Rows of current needed", count(case.get("needed_n"))),
        ("Rows of reference", count(case.get("n_reference"))),
        ("Rows of current", count(case.get("n_current"))),
        ("Method", name(case.get("method"), most=80)),
        ("Decided by", _decided(case)),
        ("Severity", name(case.get("severity"))),
        ("In reference", _value(details.get("reference"))),
        ("In current", _value(details.get("current"))),
        ("Change", _value(details.get("change"))),
        ("Relative change", _value(details.get("relative_change"))),
    ]
    return [(label, value) for label, value in rows if value] + _other(details)


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


def _other(details: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the plain figures that a check added of its own accord."""
    found = [
        (name(key, most=60).replace("_", " ").capitalize(), _value(value))
        for key, value in details.items()
        if key not in DRAWN_DETAILS and key not in CHANGE
    ]
    return [(key, value) for key, value in found if value][:MOST_OTHER]


def _table(table: Mapping[str, Any]) -> Table | None:
    columns = [name(column, most=80) for column in items(table.get("columns"))]
    rows = [[name(cell, most=200) for cell in items(row)] for row in items(table.get("rows"))]
    if not columns or not rows:
        return None
    width = len(columns)
    even = [(row + [""] * width)[:width] for row in rows[:MOST_ROWS]]
    blank = any(not cell for row in even for cell in row)
    return Table(columns, even, max(0, len(rows) - MOST_ROWS), blank)
