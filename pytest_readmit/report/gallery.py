"""Which pictures a case, a suite and a dataset of the record have; each in order of appearance."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from markupsafe import Markup

from pytest_readmit.report import changes, contest, curves, distributions, flow, groups, missing, plain, trend
from pytest_readmit.report.charts import Standing
from pytest_readmit.report.history import Point
from pytest_readmit.report.picture import Picture, Table
from pytest_readmit.report.words import mapping, name, pair, real

# Keys of `details` that a picture shows, so that they are not listed as figures too.
DRAWN = frozenset({"histogram", "curves", "calibration_curve"})
MOST_SUBJECTS = 4
UNDRAWN = "The record holds figures for a picture here that cannot be drawn."


def of_case(
    case: Mapping[str, Any], spoken: str, earlier: Sequence[Point] = (), *, table: Table | None = None
) -> list[Picture]:
    """
    Return the pictures of a case, apart from its estimate against its limit.

    Args:
        case: One case of the record; anything in it may be missing or of the wrong type.
        spoken: Entry and subject, for titles.
        earlier: What earlier records say of the same case, oldest first.
        table: Its own table, which a picture may take over.
    """
    details = mapping(case.get("details"))
    makers: list[Callable[[], list[Picture]]] = [
        lambda: _compared(case, details, spoken),
        lambda: _curves(case, details, spoken, table),
        lambda: groups.of_details(details, spoken),
        lambda: trend.of_case(case, earlier, spoken),
    ]
    return [picture for make in makers for picture in _guarded(make)]


def of_dataset(named: str, dataset: Mapping[str, Any]) -> list[Picture]:
    """Return the pictures of one entry of ``provenance.datasets``."""
    return _guarded(lambda: [one] if (one := flow.of_dataset(named, dataset)) else [])


@dataclass(frozen=True, slots=True)
class Brief:
    """
    What a picture of several gates takes from each.

    Args:
        label: The gate's name within its entry.
        subject: What it measures.
        segment: The part of the rows; "" for all.
        standing: Estimate, bounds and limit where they can be drawn.
        missing: The shares of missing values in reference and current, where it compares these.
        column: Its column as the suite names it; "" for none.
    """

    label: str
    subject: str
    segment: str
    standing: Standing | None
    missing: tuple[float, float] | None
    column: str = ""


def brief(case: Mapping[str, Any], label: str, standing: Standing | None) -> Brief:
    """Return what a picture of several gates takes from a case."""
    details = mapping(case.get("details"))
    both = pair([details.get("reference"), details.get("current")])
    return Brief(
        label,
        name(case.get("subject") or case.get("entry"), most=60),
        name(case.get("segment"), most=18),
        standing,
        both if case.get("check") == "missing_drift" else None,
        name(case.get("subject"), most=60),
    )


def of_entry(title: str, gates: Sequence[Brief]) -> list[Picture]:
    """Return the pictures that show all gates of an entry at once."""
    columns = [(one.label, *one.missing) for one in gates if one.missing is not None]
    segments: dict[str, list[tuple[str, Standing]]] = {}
    for one in gates:
        if one.segment and one.standing is not None:
            segments.setdefault(one.subject, []).append((one.segment, one.standing))
    drawn = _guarded(lambda: [found] if (found := missing.of_columns(columns, title)) else [])
    for subject, parts in list(segments.items())[:MOST_SUBJECTS]:
        drawn += _guarded(partial(groups.of_segments, subject, parts, title))
    return drawn


def _guarded(make: Callable[[], list[Picture]]) -> list[Picture]:
    """Return pictures; a record edited by hand must cost a picture, not the page."""
    try:
        return make()
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        return [Picture(Markup(), UNDRAWN)]


def _compared(case: Mapping[str, Any], details: Mapping[str, Any], spoken: str) -> list[Picture]:
    """Return both sides of a comparison: distributions, models, or two figures."""
    title = f"{spoken}: reference and current"
    if details.get("histogram") is not None:
        drawn = distributions.overlay(mapping(details.get("histogram")), title)
        return [drawn or Picture(Markup(), UNDRAWN)]
    if changes.split(case) is not None:
        return [drawn] if (drawn := changes.picture(case, spoken)) else []
    match = contest.of_case(case, spoken)
    if match is not None:
        return [match]
    reference, current = real(details.get("reference")), real(details.get("current"))
    if reference is None or current is None:
        return []
    about = "share of rows without a value" if case.get("check") == "missing_drift" else ""
    shares = bool(about or plain.unit(case))
    both = distributions.two_values(reference, current, title, about=about, shares=shares)
    return [both] if both else []


def _curves(
    case: Mapping[str, Any], details: Mapping[str, Any], spoken: str, table: Table | None
) -> list[Picture]:
    entry = name(case.get("entry") or case.get("check"), most=160)
    segment = name(case.get("segment"), most=160)
    drawn, whole = curves.of_details(details, spoken, entry=entry, segment=segment, bins=table)
    return drawn if whole else [*drawn, Picture(Markup(), UNDRAWN)]
