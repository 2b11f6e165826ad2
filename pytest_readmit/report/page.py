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

from pytest_readmit.report import charts
from pytest_readmit.report.gates import Gate, gate
from pytest_readmit.report.provenance import Provenance, provenance
from pytest_readmit.report.verdict import Decision, advice, complete, decide, doubts, planned
from pytest_readmit.report.words import items, mapping, moment, name, plural

FARTHEST = 3.0


@dataclass(frozen=True, slots=True)
class Row:
    """One line of an overview: a gate, its name there, and where it stands against its limit."""

    gate: Gate
    label: str
    strip: Markup | None


@dataclass(frozen=True, slots=True)
class Entry:
    """The gates of one entry of a suite."""

    name: str
    check: str
    gates: list[Gate]


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """One suite's gates; `facts` are what the suite says of itself."""

    name: str
    path: str
    facts: list[tuple[str, str]]
    entries: list[Entry]
    overview: list[Row]
    overview_scale: Markup | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """All that the template shows."""

    title: str
    suites_named: str
    finished: str
    decision: Decision
    share: Markup
    alerts: list[str]
    waived: list[Gate]
    idle_waivers: list[Gate]
    blocking: list[Gate]
    advice: list[tuple[str, str]]
    warnings: list[Gate]
    undecided: list[Gate]
    suites: list[Suite]
    total: int
    provenance: Provenance


def render(record: Mapping[str, Any]) -> str:
    """
    Return the report of a record as one HTML page that loads nothing.

    The same record gives the same bytes: no clock, nothing random.

    Args:
        record: The record as `json.load` gives it; missing and null fields are left out of the page.
    """
    style = _packaged("report.css").strip()
    fingerprint = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    text = _template().render(page=view(record), style=Markup(style), style_hash=f"sha256-{fingerprint}")  # noqa: S704 - our own file
    return str(text)


def view(record: Mapping[str, Any]) -> Page:
    """Return what the page of a record shows."""
    gates = _anchored([gate(mapping(case)) for case in items(record.get("cases"))])
    decision = decide(record, gates)
    suites = _suites(record, gates)
    named = ", ".join(dict.fromkeys(suite.name for suite in suites)) or "no suite"
    return Page(
        title=f"{decision.stamp}: {named}",
        suites_named=named,
        finished=moment(mapping(record.get("provenance")).get("finished")),
        decision=decision,
        share=charts.proportions(
            [(one.verdict, one.number) for one in decision.counts],
            title="; ".join(f"{one.number} {one.shown.lower()}" for one in decision.counts),
        ),
        alerts=_alerts(record, gates),
        waived=[one for one in gates if one.outcome == "xfailed"],
        idle_waivers=[one for one in gates if one.waiver and one.outcome != "xfailed"],
        blocking=[one for one in gates if one.blocks],
        advice=advice(gates),
        warnings=[one for one in gates if _warns(one)],
        undecided=[one for one in gates if one.verdict == "inconclusive" and one.outcome == "passed"],
        suites=suites,
        total=len(gates),
        provenance=provenance(record),
    )


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
    paths = dict.fromkeys([name(suite.get("path")) for suite in said] + [one.path for one in gates])
    found = []
    for path in paths:
        suite: Mapping[str, Any] = next((one for one in said if name(one.get("path")) == path), {})
        own = [one for one in gates if one.path == path]
        overview, scale = _overview([one for one in own if one.check == "data_drift"])
        found.append(
            Suite(
                name=name(suite.get("name")) or (own[0].suite if own else "") or path,
                path=path,
                facts=_facts(suite),
                entries=[_entry(list(group)) for _, group in groupby(own, key=lambda one: one.entry)],
                overview=overview,
                overview_scale=scale,
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


def _entry(gates: list[Gate]) -> Entry:
    return Entry(gates[0].entry, gates[0].check, gates)


def _overview(gates: Sequence[Gate]) -> tuple[list[Row], Markup | None]:
    """Return drift gates that have a limit, from the farthest beyond it to the farthest within it."""
    near = [
        (charts.closeness(one.standing), one) for one in gates if one.standing and one.decide_by != "p_value"
    ]
    known = sorted(((at, one) for at, one in near if at is not None), key=lambda pair: -pair[0])
    if len(known) < 2:
        return [], None
    most = min(FARTHEST, max(1.5, 1.08 * known[0][0]))
    rows = [
        Row(
            one,
            one.label + f" ({one.entry})" * (one.entry != one.check),
            charts.strip(one.standing, most=most),
        )
        for _, one in known
        if one.standing
    ]
    return rows, charts.strip_scale(most)


def _packaged(file: str) -> str:
    return files("pytest_readmit.report").joinpath(file).read_text(encoding="utf-8")


@cache
def _template() -> Any:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(_packaged("template.html.j2"))
