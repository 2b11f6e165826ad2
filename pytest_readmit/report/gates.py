"""One case of the record as a reader sees it: its words, its figures, its pictures."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from pytest_readmit.report import changes, charts, gallery, plain
from pytest_readmit.report.figures import MOST_OTHER, bounds_of, figures, table_of, with_unit
from pytest_readmit.report.history import Point
from pytest_readmit.report.picture import Picture, Table
from pytest_readmit.report.svg import element
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
    real,
)

VERDICTS = ("fail", "inconclusive", "pass", "error")
SHOWN = {"fail": "Fail", "inconclusive": "Undecided", "pass": "Pass", "error": "Error"}
# A gate without a limit: the record counts it as pass, yet it could not have failed.
REPORTED = "reported"
STATES = {"fail": "Fail", "inconclusive": "Undecided", "pass": "Pass", REPORTED: "Reported", "error": "Error"}
CANNOT_TELL = "cannot tell: "


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """
    What the page shows of one case; every string is safe to display once escaped.

    Args:
        anchor: Id of the place on the page, the same for the same case id in every report.
        verdict: One of `VERDICTS`; what is unknown counts as ``error``.
        plain: What it measures in plain words; "" where its name says it.
        size: How far it moved or where it stands, in short.
        tags: What the verdict leads to: "blocks", "waived until ...", "warns only".
        census: Decided by a count of every row, so free of chance.
        reports_only: It has no limit that it could break.
        why: Why an undecided gate cannot tell, where no number of rows would help.
        split: What a change is due to, where it was measured.
        standing: Estimate, bounds and limit where they can be drawn.
        detailed: Whether pictures and figures are shown; else they are only in the record.
        brief: What a picture of its whole entry takes from it.
        elsewhere: A picture of it is drawn once for several gates of its entry.
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
    plain: str
    size: str
    tags: list[str]
    message: str
    because: str | None
    estimate: str
    limit: str
    needed: str
    bounds: str
    fail_bound: str
    certifiable: str
    rows: str
    waiver: Mapping[str, str]
    decide_by: str
    census: bool
    reports_only: bool
    why: str
    split: changes.Split | None
    standing: charts.Standing | None
    detailed: bool
    picture: Markup | None
    pictures: list[Picture]
    brief: gallery.Brief
    figures: list[tuple[str, str]]
    notes: list[str]
    table: Table | None
    elsewhere: bool = False

    @property
    def blocks(self) -> bool:
        """Whether this gate alone makes the run fail."""
        return self.outcome == "failed"

    @property
    def state(self) -> str:
        """Its verdict, or `REPORTED` for a pass that no figure could have prevented."""
        return REPORTED if self.reports_only and self.verdict == "pass" else self.verdict

    @property
    def word(self) -> str:
        """Its state as a reader sees it."""
        return STATES[self.state]

    @property
    def warns(self) -> bool:
        """Whether it failed without blocking."""
        return self.verdict == "fail" and self.outcome == "passed"

    @property
    def measured(self) -> str:
        """What is judged: the estimate, or the p-value where that decides."""
        if self.standing is not None and self.standing.p_rule is not None:
            return f"p\u00a0{p_figure(*self.standing.p_rule)}"
        return self.estimate

    @property
    def allowed(self) -> str:
        """What it is judged against."""
        if self.standing is not None and self.standing.p_rule is not None:
            return f"\u2265\u00a0{figure(self.standing.p_rule[1])}"
        return self.limit

    @property
    def spoken(self) -> str:
        """Its name among the causes; "" where the cause and its size say all."""
        return (
            plain.short(self.plain)
            or self.label
            or ("" if self.size and self.entry == self.check else self.entry)
        )

    @property
    def covered(self) -> bool:
        """Whether a waiver covers it: its fail, its doubt, or a warning, which blocks a strict run."""
        warning = self.verdict == "pass" and self.warned and self.outcome == "passed"
        return self.outcome == "xfailed" or (bool(self.waiver) and warning)

    @property
    def picture_again(self) -> Markup | None:
        """The picture for a second place on a page whose first has it with the id `again`."""
        drawn = self.picture
        if drawn is None:
            return None
        shown = element("use", href=f"#{self.again}")
        # The opening tag was written by `drawing` and is Markup already.
        return Markup(f"{str(drawn).partition('>')[0]}>{shown}</svg>")  # noqa: S704

    @property
    def picture_named(self) -> Markup | None:
        """The picture for its first place on a page that shows it twice."""
        if self.picture is None:
            return None
        opening, end, rest = str(self.picture).partition(">")
        inner = rest.removesuffix("</svg>")
        return Markup(f'{opening}{end}<g id="{self.again}">{inner}</g></svg>')  # noqa: S704 - as above

    @property
    def again(self) -> str:
        """The id of the picture's strokes."""
        return f"p-{self.anchor}"

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
    unit = plain.unit(case)
    called, due = changes.quantity(case), changes.split(case)
    case = plain.in_unit(case, unit)
    identity = clean(case.get("id"))
    path = name(identity.split("::")[0])
    verdict = str(case.get("verdict"))
    verdict = verdict if verdict in VERDICTS else "error"
    details = mapping(case.get("details"))
    standing = _standing(case, unit)
    label = _label(case)
    entry = name(case.get("entry") or case.get("check"), most=160)
    spoken = label or entry
    granted = mapping(case.get("waiver"))
    waived = granted or case.get("outcome") == "xfailed"
    waiver = {key: name(granted.get(key), most=600) for key in ("until", "by", "reason")} if waived else {}
    table = table_of(mapping(details.get("table"))) if detailed else None
    pictures = gallery.of_case(case, spoken, earlier, table=table) if detailed else []
    return Gate(
        id=name(identity, most=400),
        anchor=_anchor(identity),
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
        plain=_plain(case),
        size=_size(case, details, unit, due),
        tags=_tags(case, verdict, waiver, _in_force(granted, as_of)),
        message=plain.message(clean(case.get("message"), most=2000 if detailed else 400), unit).strip()
        or "No message was recorded.",
        because=name(case.get("because"), most=1000) or None,
        estimate=f"{called} {with_unit(unit, figure(case.get('estimate')))}".strip()
        if real(case.get("estimate")) is not None
        else "",
        limit=with_unit(unit, changes.allowed(case.get("limit"), case.get("direction"), called)),
        needed=count(case.get("needed_n")),
        bounds=with_unit(unit, bounds_of(pair(case.get("interval")))),
        fail_bound=with_unit(unit, figure(case.get("fail_bound"))),
        certifiable=with_unit(unit, limit(case.get("certifiable"), case.get("direction"))),
        rows=count(case.get("n_current")),
        waiver=waiver,
        decide_by=name(case.get("decide_by")),
        census=case.get("decide_by") == "estimate" and case.get("interval") is None,
        reports_only=_reports_only(case),
        why=_why(case, details, verdict),
        split=due,
        standing=standing,
        detailed=detailed,
        picture=_picture(case, standing, verdict, spoken) if detailed else None,
        brief=gallery.brief(case, label, standing),
        pictures=pictures,
        figures=figures(case, details, unit) if detailed else [],
        notes=[
            clean(note, most=600)
            for note in items(details.get("notes"))[:MOST_OTHER]
            if due is None or clean(note) not in clean(case.get("message"))
        ]
        if detailed
        else [],
        table=None if any(one.table is table for one in pictures) else table,
    )


def _anchor(identity: str) -> str:
    digest = hashlib.sha256(identity.encode("utf-8", "replace")).digest()
    return "g" + base64.b32encode(digest[:5]).decode().lower()


def _label(case: Mapping[str, Any]) -> str:
    parts = [name(case.get(key), most=160) for key in ("subject", "segment") if case.get(key) is not None]
    return " \u00b7 ".join(part for part in parts if part)


def _plain(case: Mapping[str, Any]) -> str:
    """Return what a case measures in plain words, "" where its subject says it."""
    found = plain.measure(str(case.get("check")), name(case.get("subject"), most=160))
    segment = name(case.get("segment"), most=160)
    return f"{found} \u00b7 {segment}" if found and segment else found


def _why(case: Mapping[str, Any], details: Mapping[str, Any], verdict: str) -> str:
    """Return why an undecided case cannot tell, and the truth where the record has it."""
    if verdict != "inconclusive" or case.get("needed_n") is not None:
        return ""
    reason = name(case.get("message"), most=2000).rpartition(CANNOT_TELL)[2]
    truth = figure(details.get("truth"))
    said = clean(reason, most=300) if CANNOT_TELL in name(case.get("message")) else ""
    return "; ".join(part for part in (said, f"by the labels it is {truth}" if truth else "") if part)


def _size(case: Mapping[str, Any], details: Mapping[str, Any], unit: str, due: changes.Split | None) -> str:
    """Return how far a case is from where it should be: from what to what, or estimate and limit."""
    if real(case.get("estimate")) is None or case.get("decide_by") == "p_value":
        return ""
    if due is not None:
        return due.size.replace(" at equal inputs", "")
    alerts = case.get("check") == "prediction_drift"
    moved = plain.change(details.get("reference"), details.get("current"), "%" if alerts else unit)
    more = changes.rows_that_decide(case)
    if moved and not alerts:
        return moved + more
    measured, allowed = figure(case.get("estimate")), limit(case.get("limit"), case.get("direction"))
    told = (f"{measured}{unit}, limit {allowed}{unit}" if allowed else f"{measured}{unit}") + more
    return f"scores moved by {told}; alerts {moved}" if moved else told


def _place(path: str, line: Any) -> str:
    found = real(line)
    return f"{path}:{found:.0f}" if found is not None else path


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
    warned = case.get("warned") is True
    if verdict == "pass" and warned and outcome == "passed" and waiver:
        return [*tags, f"warning covered by a waiver until {waiver['until'] or 'no date'}"]
    return tags + ([_idle(waiver, verdict, in_force, warned)] if waiver else [])


def _idle(waiver: Mapping[str, str], verdict: str, in_force: bool, warned: bool) -> str:
    """Return why a waiver covers nothing, or what it covers besides a fail."""
    if verdict == "pass" and not warned:
        return "waiver not needed"
    if verdict == "error":
        return "a waiver covers no error"
    return "waiver switched off" if in_force else f"waiver ended on {waiver['until'] or 'no date'}"


def _reports_only(case: Mapping[str, Any]) -> bool:
    """Whether a case has no limit that it could break."""
    return case.get("limit") is None and case.get("decide_by") != "p_value"


def _standing(case: Mapping[str, Any], unit: str) -> charts.Standing | None:
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
        chance=_chance(case, allowed),
        quantity=_axis_name(case),
        p_rule=pair([case.get("p_value"), case.get("alpha")]) if case.get("decide_by") == "p_value" else None,
        unit=unit,
    )


def _axis_name(case: Mapping[str, Any]) -> str:
    called = changes.quantity(case)
    subject = name(case.get("subject") or case.get("entry"), most=60)
    metric = changes.SHARES.get(str(case.get("check"))) or subject.removeprefix(changes.RELATION_OF)
    where = " at equal inputs" if subject.startswith(changes.RELATION_OF) else ""
    return f"{called} of {metric}{where}" if called else ""


def _chance(case: Mapping[str, Any], allowed: Any) -> float:
    """Return the value that chance alone gives, from which a limit above it is measured."""
    ranks = case.get("check") in ("performance", "estimated_performance") and case.get("subject") == "roc_auc"
    above = isinstance(allowed, float) and allowed > 0.5
    return 0.5 if above and (ranks or case.get("check") == "joint_drift") else 0.0


def _picture(
    case: Mapping[str, Any], standing: charts.Standing | None, verdict: str, spoken: str
) -> Markup | None:
    p_value, threshold = real(case.get("p_value")), real(case.get("alpha"))
    if case.get("decide_by") == "p_value":
        if p_value is None or threshold is None:
            return None
        said = f"{SHOWN[verdict]}: p-value {p_figure(p_value)}, threshold {figure(threshold)}."
        return charts.against_threshold(p_value, threshold, title=spoken, description=said)
    if standing is None or (standing.counted and standing.estimate == 0):
        return None
    said = f"{SHOWN[verdict]}: {standing.told(standing.estimate)}"
    if standing.interval:
        said += f" ({with_unit(standing.unit, bounds_of(standing.interval))})"
    allowed = limit(case.get("limit"), case.get("direction"))
    said += f", limit {with_unit(standing.unit, allowed)}" if allowed else ", no limit"
    said += f"; {standing.quantity}" if standing.quantity else ""
    return charts.against_limit(standing, title=spoken, description=said)
