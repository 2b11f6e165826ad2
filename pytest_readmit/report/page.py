"""The record turned into one page: what stands where, and the words of each section."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from itertools import groupby
from typing import Any

from markupsafe import Markup

from pytest_readmit.record import STILL_TOLD
from pytest_readmit.report import actions, causes, charts, gallery, overview
from pytest_readmit.report.about import about
from pytest_readmit.report.cautions import cautions
from pytest_readmit.report.gates import STATES, Gate, gate
from pytest_readmit.report.history import History
from pytest_readmit.report.picture import Picture
from pytest_readmit.report.provenance import Provenance, provenance
from pytest_readmit.report.verdict import Decision, complete, decide, doubts, planned
from pytest_readmit.report.words import clean, items, mapping, moment, name, plural

# What bounds the page: a record of thousands of gates must open as fast as one of forty.
MOST_DETAILED = 200
MOST_NAMED = 8
MOST_LISTED = 100
MOST_REPEATED = 3


@dataclass(frozen=True, slots=True)
class Entry:
    """
    The gates of one entry of a suite.

    Args:
        name: Its id.
        check: The check it asks for.
        gates: Its gates, without the figures in `shared`.
        shared: Figures that all its gates have in common, and the reason for the limit likewise.
        reason: A gate that has the reason of all; None where each says its own.
        pictures: Of all its gates at once.
        counts: Verdict, its word and how many gates have it.
        open: Whether its gates are shown at first.
    """

    name: str
    check: str
    gates: list[Gate]
    shared: list[tuple[str, str]]
    reason: Gate | None
    pictures: list[Picture]
    counts: list[tuple[str, str, int]]
    open: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """One suite's gates; `facts` are what the suite says of itself."""

    name: str
    path: str
    facts: list[tuple[str, str]]
    entries: list[Entry]
    overview: list[overview.Row]
    overview_scale: Markup | None
    overview_left: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """All that the template shows."""

    title: str
    about: list[tuple[str, str]]
    suites_named: str
    finished: str
    decision: Decision
    share: Markup
    alerts: list[str]
    cautions: list[str]
    waived: list[Gate]
    idle_waivers: list[Gate]
    blocking: list[causes.Group]
    columns: list[tuple[str, int, str]]
    carded: frozenset[str]
    keyed: str
    silent: list[Gate]
    named: int
    if_meant: str
    warnings: list[tuple[Gate, str]]
    undecided: list[Gate]
    most: int
    suites: list[Suite]
    filters: list[tuple[str, str, int]]
    total: int
    detailed: int
    earlier: str
    provenance: Provenance
    still_told: str


def render(record: Mapping[str, Any], history: History | None = None) -> str:
    """
    Return the report of a record as one HTML page that loads nothing.

    The same record gives the same bytes: no clock, nothing random.

    Args:
        record: The record as `json.load` gives it; missing and null fields are left out of the page.
        history: Earlier records of the same suite, as `read_history` finds them.
    """
    style, script = _packaged("report.css"), _packaged("report.js")
    text = _template().render(
        page=view(record, history),
        style=Markup(style),  # noqa: S704 - our own file
        style_hash=_hash(style),
        script=Markup(script),  # noqa: S704 - our own file
        script_hash=_hash(script),
    )
    return str(text)


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def view(record: Mapping[str, Any], history: History | None = None) -> Page:
    """Return what the page of a record shows."""
    gates = _gates(record, history or History())
    decision = decide(record, gates)
    blocking = causes.groups(gates)
    suites = _suites(record, gates)
    named = ", ".join(dict.fromkeys(suite.name for suite in suites)) or "no suite"
    return Page(
        title=f"{decision.stamp}: {named}",
        about=about(record),
        suites_named=named,
        finished=moment(mapping(record.get("provenance")).get("finished")),
        decision=decision,
        share=charts.proportions(
            [(one.verdict, one.number) for one in decision.tally],
            title="; ".join(f"{one.number} {one.shown.lower()}" for one in decision.tally),
        ),
        alerts=_alerts(record, gates),
        cautions=cautions(record, gates),
        waived=[one for one in gates if one.covered],
        idle_waivers=[one for one in gates if one.waiver and not one.covered],
        blocking=blocking,
        columns=causes.columns(gates),
        carded=frozenset(one.anchor for group in blocking[:MOST_LISTED] for one in group.gates),
        keyed=next((one.anchor for group in blocking for one in group.gates if _teaches(one)), ""),
        silent=[one for one in gates if one.reports_only and one.verdict == "pass"],
        named=MOST_NAMED,
        if_meant=actions.IF_MEANT if any(one.verdict == "fail" for one in blocking) else "",
        warnings=_warnings(gates),
        undecided=[one for one in gates if one.verdict == "inconclusive" and one.outcome == "passed"],
        most=MOST_LISTED,
        suites=suites,
        filters=_filters(gates),
        total=len(gates),
        detailed=sum(one.detailed for one in gates),
        earlier=history.said if history else "",
        provenance=provenance(record),
        still_told=STILL_TOLD,
    )


def _gates(record: Mapping[str, Any], history: History) -> list[Gate]:
    cases = [mapping(case) for case in items(record.get("cases"))]
    dates = {
        name(suite.get("path")): name(suite.get("as_of"))
        for suite in map(mapping, items(record.get("suites")))
    }
    order = sorted(range(len(cases)), key=lambda at: _rank(cases[at]))
    detailed = set(order[:MOST_DETAILED])
    return _anchored(
        [
            gate(
                case,
                as_of=dates.get(name(clean(case.get("id")).split("::")[0]), ""),
                detailed=at in detailed,
                earlier=history.points.get(str(case.get("id")), ()),
            )
            for at, case in enumerate(cases)
        ]
    )


def _rank(case: Mapping[str, Any]) -> int:
    """Return the place of a case among those that somebody wants to look into."""
    if case.get("outcome") != "passed":
        return 0 if case.get("outcome") == "failed" else 1
    if case.get("verdict") == "pass":
        return 3 if case.get("warned") is True else 4
    return 2


def _filters(gates: Sequence[Gate]) -> list[tuple[str, str, int]]:
    """Return what the list of gates can be narrowed to: class, word and number of gates."""
    blocking = sum(one.blocks for one in gates)
    return [("all", "All", len(gates)), *[("blocks", "Blocking", blocking)] * (blocking > 0), *_counts(gates)]


def _counts(gates: Sequence[Gate]) -> list[tuple[str, str, int]]:
    found = [(state, STATES[state], sum(one.state == state for one in gates)) for state in STATES]
    return [one for one in found if one[2]]


def _teaches(one: Gate) -> bool:
    """Whether its picture has all that a picture of a gate can have."""
    return bool(one.picture and one.bounds and one.limit and one.fail_bound)


def _warnings(gates: Sequence[Gate]) -> list[tuple[Gate, str]]:
    """Return each gate that warns with what to do about it, said at the first of its kind."""
    found, told = [], set()
    for one in gates:
        if _warns(one):
            advice = actions.action(one.check, one.verdict, gates) if one.verdict == "fail" else ""
            found.append((one, "" if advice in told else advice))
            told.add(advice)
    return found


def _warns(one: Gate) -> bool:
    return one.outcome == "passed" and (one.verdict == "fail" or (one.warned and one.verdict == "pass"))


def _anchored(gates: Sequence[Gate]) -> list[Gate]:
    """Give every gate an anchor of its own, also in a record that names a case twice."""
    seen: dict[str, int] = {}
    found = []
    for one in gates:
        seen[one.anchor] = seen.get(one.anchor, 0) + 1
        again = seen[one.anchor]
        found.append(one if again == 1 else replace(one, anchor=f"{one.anchor}-{again}"))
    return found


def _alerts(record: Mapping[str, Any], gates: Sequence[Gate]) -> list[str]:
    said = []
    if not complete(record, gates):
        missing = planned(record, gates) - len(gates)
        text = "This record is not complete"
        if missing:
            text += f": {plural(missing, 'planned gate has', 'planned gates have')} no verdict"
        said.append(f"{text}. It can never count as a pass.")
    return said + doubts(record, gates, digest=_digest(record))


def _digest(record: Mapping[str, Any]) -> str | None:
    from pytest_readmit import record as records

    try:
        return records.digest(record)
    except (TypeError, ValueError):  # NaN or no JSON value at all: no digest fits it
        return ""


def _suites(record: Mapping[str, Any], gates: Sequence[Gate]) -> list[Suite]:
    said = [mapping(suite) for suite in items(record.get("suites"))]
    told = {name(suite.get("path")): suite for suite in reversed(said)}
    paths: dict[str, list[Gate]] = {name(suite.get("path")): [] for suite in said}
    for one in gates:
        paths.setdefault(one.path, []).append(one)
    found: list[Suite] = []
    for path, own in paths.items():
        suite = told.get(path, {})
        nearest, scale, left = overview.nearest(own, wall=f"wall-{len(found)}")
        found.append(
            Suite(
                name=name(suite.get("name")) or (own[0].suite if own else "") or path,
                path=path,
                facts=_facts(suite),
                entries=[
                    _entry(list(group), folded=len(gates) > MOST_DETAILED)
                    for _, group in groupby(own, key=lambda one: one.entry)
                ],
                overview=nearest,
                overview_scale=scale,
                overview_left=left,
            )
        )
    return found


def _facts(suite: Mapping[str, Any]) -> list[tuple[str, str]]:
    named = (
        ("Description", "description"),
        ("Intended use", "intended_use"),
        ("Owner", "owner"),
        ("Approver", "approver"),
        ("Protocol", "protocol"),
        ("As of", "as_of"),
    )
    rows = [(label, name(suite.get(key), most=600)) for label, key in named]
    return [(label, value) for label, value in rows if value]


def _entry(gates: list[Gate], *, folded: bool) -> Entry:
    shown = not folded or any(one.blocks for one in gates)
    shared = _shared([one.figures for one in gates if one.detailed])
    known = set(shared)
    own = [replace(one, figures=[row for row in one.figures if row not in known]) for one in gates]
    own, common = _lifted(own)
    limited = [one for one in gates if one.limit]
    alike = len(gates) > 1 and len({(one.because, one.place) for one in gates}) == 1
    return Entry(
        gates[0].entry,
        gates[0].check,
        own,
        shared,
        (limited or gates)[0] if alike else None,
        gallery.of_entry(gates[0].entry, [one.brief for one in gates]) + common,
        _counts(gates),
        shown,
    )


def _lifted(gates: Sequence[Gate]) -> tuple[list[Gate], list[Picture]]:
    """Take out of gates what several of them draw alike, to draw it once."""
    drawn: dict[str, list[Picture]] = {}
    for picture in (picture for one in gates for picture in one.pictures):
        drawn.setdefault(str(picture.svg), []).append(picture)
    common = {svg: alike[0] for svg, alike in drawn.items() if svg and len(alike) > 1}
    if not common:
        return list(gates), []
    kept = [(one, [picture for picture in one.pictures if str(picture.svg) not in common]) for one in gates]
    return [replace(one, pictures=left, elsewhere=len(left) < len(one.pictures)) for one, left in kept], list(
        common.values()
    )


def _shared(figures: Sequence[list[tuple[str, str]]]) -> list[tuple[str, str]]:
    """Return what stands in each of several lists of figures, so that it is said once."""
    if len(figures) < MOST_REPEATED:
        return []
    common = set(figures[0]).intersection(*figures[1:])
    return [row for row in figures[0] if row in common]


def _packaged(file: str) -> str:
    return files("pytest_readmit.report").joinpath(file).read_text(encoding="utf-8")


@cache
def _template() -> Any:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(_packaged("template.html.j2"))
