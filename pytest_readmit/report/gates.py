"""One case of the record as a reader sees it: its words, its figures, its pictures."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from pytest_readmit.report import charts, gallery
from pytest_readmit.report.history import Point
from pytest_readmit.report.picture import Picture, Table
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
TOLD_DETAILS = ("notes", "table")
CHANGE = ("reference", "current", "change", "relative_change")
MOST_ROWS = 50
MOST_OTHER = 12


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
        detailed: Whether pictures and figures are shown; else they are only in the record.
        brief: What a picture of its whole entry takes from it.
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
    bounds: str
    certifiable: str
    rows: str
    waiver: Mapping[str, str]
    decide_by: str
    census: bool
    reports_only: bool
    standing: charts.Standing | None
    detailed: bool
    picture: Markup | None
    pictures: list[Picture]
    brief: gallery.Brief
    figures: list[tuple[str, str]]
    notes: list[str]
    table: Table | None

    @property
    def blocks(self) -> bool:
        """Whether this gate alone makes the run fail."""
        return self.outcome == "failed"

    @property
    def measured(self) -> str:
        """What is judged: the estimate, or the p-value where that decides."""
        if self.standing is not None and self.standing.p_rule is not None:
            return f"p\u00a0{p_figure(self.standing.p_rule[0])}".replace("below ", "<\u00a0")
        return self.estimate

    @property
    def allowed(self) -> str:
        """What it is judged against."""
        if self.standing is not None and self.standing.p_rule is not None:
            return f"\u2265\u00a0{figure(self.standing.p_rule[1])}"
        return self.limit

    @property
    def title(self) -> str:
        """The gate's name where its suite is known: entry and subject."""
        return f"{self.entry} \u00b7 {self.label}" if self.label else self.entry


def gate(
    case: Mapping[str, Any],
    *,
    as_of: str = "",
    detailed: bool = True,
    earlier: Sequence[Point] = (),
) -> Gate:
    """
    Return the view of one case; whatever is null or of another kind is left out.

    Args:
        case: The case.
        as_of: The date of the run, by which a waiver is in force or has expired.
        detailed: Whether to draw its pictures and to list its figures.
        earlier: What earlier records say of it, oldest first.
    """
    identity = clean(case.get("id"))
    path = name(identity.split("::")[0])
    verdict = str(case.get("verdict"))
    verdict = verdict if verdict in VERDICTS else "error"
    details = mapping(case.get("details"))
    standing = _standing(case)
    label = _label(case)
    entry = name(case.get("entry") or case.get("check"), most=160)
    spoken = f"{entry} {label}".strip()
    granted = mapping(case.get("waiver"))
    waived = granted or case.get("outcome") == "xfailed"
    waiver = {key: name(granted.get(key), most=600) for key in ("until", "by", "reason")} if waived else {}
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
        tags=_tags(case, verdict, waiver, _in_force(granted, as_of)),
        message=clean(case.get("message"), most=2000 if detailed else 400).strip()
        or "No message was recorded.",
        because=name(case.get("because"), most=1000) or None,
        estimate=figure(case.get("estimate")),
        limit=limit(case.get("limit"), case.get("direction")),
        needed=count(case.get("needed_n")),
        bounds=_bounds(pair(case.get("interval"))),
        certifiable=limit(case.get("certifiable"), case.get("direction")),
        rows=count(case.get("n_current")),
        waiver=waiver,
        decide_by=name(case.get("decide_by")),
        census=case.get("decide_by") == "estimate" and case.get("interval") is None,
        reports_only=_reports_only(case),
        standing=standing,
        detailed=detailed,
        picture=_picture(case, standing, spoken) if detailed else None,
        brief=gallery.brief(case, label, standing),
        pictures=gallery.of_case(case, spoken, earlier) if detailed else [],
        figures=_figures(case, details) if detailed else [],
        notes=[clean(note, most=600) for note in items(details.get("notes"))[:MOST_OTHER]]
        if detailed
        else [],
        table=_table(mapping(details.get("table"))) if detailed else None,
    )


def _label(case: Mapping[str, Any]) -> str:
    parts = [name(case.get(key), most=160) for key in ("subject", "segment") if case.get(key) is not None]
    return " \u00b7 ".join(part for part in parts if part)


def _place(path: str, line: Any) -> str:
    found = real(line)
    return f"{path}:{found:.0f}" if found is not None else path


def _bounds(both: tuple[float, float] | None) -> str:
    return f"{figure(both[0])} to {figure(both[1])}" if both else ""


def _in_force(waiver: Mapping[str, Any], as_of: str) -> bool:
    """Whether a waiver had not ended by the date of the run; `as_of` tells of records that do not say so."""
    if isinstance(waiver.get("in_force"), bool):
        return waiver["in_force"] is True
    return not as_of or name(waiver.get("until")) >= as_of


def _tags(case: Mapping[str, Any], verdict: str, waiver: Mapping[str, str], in_force: bool) -> list[str]:
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
    return tags + ([_idle(waiver, verdict, in_force)] if waiver else [])


def _idle(waiver: Mapping[str, str], verdict: str, in_force: bool) -> str:
    """Return why a waiver covers nothing."""
    if verdict == "pass":
        return "waiver not needed"
    if verdict == "error":
        return "a waiver covers no error"
    return "waiver switched off" if in_force else f"waiver ended on {waiver['until'] or 'no date'}"


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
        p_rule=pair([case.get("p_value"), case.get("alpha")]) if case.get("decide_by") == "p_value" else None,
    )


def _picture(case: Mapping[str, Any], standing: charts.Standing | None, spoken: str) -> Markup | None:
    p_value, threshold = real(case.get("p_value")), real(case.get("alpha"))
    if case.get("decide_by") == "p_value":
        if p_value is None or threshold is None:
            return None
        said = f"p-value {p_figure(p_value)}, threshold {figure(threshold)}. It says nothing about size."
        return charts.against_threshold(p_value, threshold, title=spoken, description=said)
    if standing is None:
        return None
    said = f"Estimate {figure(standing.estimate)}"
    if standing.interval:
        said += f", one-sided bounds {figure(standing.interval[0])} and {figure(standing.interval[1])}"
    if standing.fail_bound is not None:
        said += f", bound for failing {figure(standing.fail_bound)}"
    allowed = limit(case.get("limit"), case.get("direction"))
    said += f", limit {allowed}." if allowed else ", no limit."
    return charts.against_limit(standing, title=spoken, description=said)


def _figures(case: Mapping[str, Any], details: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return every figure of a case with its name; what is null is left out."""
    confidence = real(case.get("confidence"))
    sure = percent(confidence) if confidence is not None else ""
    bounds = pair(case.get("interval"))
    by_p = case.get("decide_by") == "p_value"
    rows = [
        ("Estimate", figure(case.get("estimate"))),
        (f"One-sided {sure} bounds".replace("  ", " "), _bounds(bounds)),
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
        if key not in TOLD_DETAILS and key not in gallery.DRAWN and key not in CHANGE
    ]
    return [(key, value) for key, value in found if value][:MOST_OTHER]


def _table(table: Mapping[str, Any]) -> Table | None:
    columns = [name(column, most=80) for column in items(table.get("columns"))]
    rows = [[name(cell, most=200) for cell in items(row)] for row in items(table.get("rows"))]
    if not columns or not rows:
        return None
    width = len(columns)
    even = [(row + [""] * width)[:width] for row in rows[:MOST_ROWS]]
    return Table(columns, even, max(0, len(rows) - MOST_ROWS))
