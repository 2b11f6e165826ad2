"""Is a dataset what it should be: its columns, its keys, its patients, the age of its labels."""

import difflib
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Literal

from pytest_readmit import Claim, Context, DataError, Dataset, Duration, Selected, Share, check
from readmit_checks import claims

ALIKE = 0.5
MOST_PAIRS = 20_000
SAME_PLACE = 0.25
"""How much a like place among the columns adds to the likeness of two names."""


@check(census=True)
def schema(
    reference: Dataset, current: Dataset, selected: Selected, *, extra: Literal["error", "warn"] = "error"
) -> Claim:
    """
    Are the columns and their kinds as in the reference?

    A column that is missing and one that is new count as renamed where kind, name and place agree.

    All columns are compared, or those under `columns`: their names, and what they hold (numbers, text,
    times, true or false). The estimate is the number of differences; the limit is 0.

    Args:
        extra: Whether a column that the reference lacks is an error or a warning.

    Example:
        data: {reference: {demo: reference}, current: {demo: current}}
        checks:
          - schema: {extra: warn}
    """
    before, after = _kinds(reference, selected), _kinds(current, selected)
    missing = [name for name in before if name not in after]
    added = [name for name in after if name not in before]
    renamed = _renamed(missing, added, (before, after))
    new = [name for name in added if name not in renamed.values()]
    changed = [name for name in before if after.get(name, before[name]) != before[name]]
    changed = [name for name in changed if not _empty(reference, name) and not _empty(current, name)]
    rows = [
        *(["renamed", name, f"now {other!r}"] for name, other in renamed.items()),
        *(["missing", name, before[name]] for name in missing if name not in renamed),
        *(["new", name, after[name]] for name in new if extra == "error"),
        *(["kind", name, f"{before[name]}, now {after[name]}"] for name in changed),
    ]
    tolerated = new if extra == "warn" else []
    return Claim(
        estimate=float(len(rows)),
        limit=0.0,
        method="differences",
        n_reference=reference.rows,
        n_current=current.rows,
        summary=_differences(rows, len(before)),
        warning=f"columns that {reference.name} lacks: {', '.join(tolerated)}" if tolerated else None,
        details={"table": {"columns": ["difference", "column", "what"], "rows": rows}, "renamed": renamed},
    )


def _empty(dataset: Dataset, name: str) -> bool:
    """Whether a column has no value, so that the type it is stored in means nothing."""
    try:
        missing = dataset.column(name).missing()
    except DataError:
        return False
    return missing.events == missing.rows


def _differences(rows: Sequence[Sequence[str]], columns: int) -> str:
    if not rows:
        return f"all {columns} columns and their kinds are as in the reference"
    words = {
        "renamed": lambda name, what: f"renamed: {name!r} is {what}",
        "missing": lambda name, what: f"missing: {name!r} ({what})",
        "new": lambda name, what: f"new: {name!r} ({what})",
        "kind": lambda name, what: f"{name!r} was {what}",
    }
    return "; ".join(words[kind](name, what) for kind, name, what in rows)


def _renamed(
    missing: Sequence[str], added: Sequence[str], kinds: tuple[Mapping[str, str], Mapping[str, str]]
) -> dict[str, str]:
    """Pair what is missing with what is new, the likest first; each name at most once."""
    before, after = ({name: place for place, name in enumerate(side)} for side in kinds)
    pairs = [(old, new) for old in missing for new in added if kinds[0][old] == kinds[1][new]]
    if len(pairs) > MOST_PAIRS:
        pairs = [(old, new) for old, new in pairs if before[old] == after[new]]
    likeness = {(old, new): _likeness(old, new, same_place=before[old] == after[new]) for old, new in pairs}
    renamed: dict[str, str] = {}
    for old, new in sorted(likeness, key=lambda pair: (-likeness[pair], pair)):
        if likeness[old, new] >= ALIKE and old not in renamed and new not in renamed.values():
            renamed[old] = new
    return {name: renamed[name] for name in missing if name in renamed}


def _kinds(dataset: Dataset, selected: Selected) -> dict[str, str]:
    """
    Return what each column holds, in order.

    Not its kind, which current takes from the reference, but the type that it is stored in; whole
    numbers and others are one, because a missing value turns the first into the second.
    """
    families: Mapping[str, str] = dataset.families()
    kinds: dict[str, str] = {}
    for field in dataset.fields:
        if not selected or field.name in selected:
            # Of what the suite calls categorical, anything is a level, so it has no family.
            family = families.get(field.name, "categories")
            kind = "numbers" if family in ("integer", "float") else family
            kinds[field.name] = kind if _fits(dataset, field.name) else f"not all {kind}"
    return kinds


def _fits(dataset: Dataset, name: str) -> bool:
    """Whether every value of a column is of the type decided on the reference."""
    try:
        dataset.column(name)
    except DataError:
        return False
    return True


def _likeness(old: str, new: str, *, same_place: bool) -> float:
    """Return how alike two column names are, from 0 to a little above 1."""
    ratio = difflib.SequenceMatcher(None, old.casefold(), new.casefold(), autojunk=False).ratio()
    return ratio + (SAME_PLACE if same_place else 0.0)


@check(census=True)
def unique(current: Dataset, context: Context, selected: Selected, *, max: Share = 0.0) -> Claim:
    """
    Do more rows than `max` repeat a key?

    The key is made of `columns`, by default of the column with role `id`.

    All rows are counted, so there is no interval.

    Args:
        max: The largest share of rows that repeat the key of another row.

    Raises:
        DataError: No key is named, a column of it is not there, or there are no rows.

    Example:
        data: {current: {demo: current}}
        checks:
          - unique: {columns: [hadm_id]}
    """
    key = tuple(selected) or ((current.roles.id,) if current.roles.id else ())
    if not key:
        raise DataError("unique needs `columns` that make the key, or columns.id in the suite")
    claims.need_rows(current.name, current.source, current.rows)
    repeated = current.duplicates(key)
    return Claim(
        estimate=repeated / current.rows,
        limit=max,
        method="share",
        summary=(
            f"{_rows(repeated, context)} of {context.count(current.rows)} repeat a key of {', '.join(key)}"
        ),
        n_current=current.rows,
    )


def _rows(number: float, context: Context, noun: str = "row") -> str:
    words = context.count(number) if number else "no"
    return f"{words} {noun}{'' if words == '1' else 's'}"


@check(census=True)
def patient_overlap(reference: Dataset, current: Dataset, context: Context, *, max: Share) -> Claim:
    """
    Is more than the share `max` of current's patients in the reference too?

    All patients are counted, so there is no interval.

    Args:
        max: The largest share allowed: 0 for training and test data; periods of one hospital do share
            patients.

    Raises:
        DataError: `columns.patient` is not set, or current has no patient.

    Example:
        data: {reference: {demo: reference}, current: {demo: current}}
        columns: {patient: subject_id}
        checks:
          - patient_overlap: {max: 0.1}
    """
    common, patients = reference.patients_in_common(current)
    claims.need_rows(current.name, current.source, patients)
    share = common / patients
    return Claim(
        estimate=share,
        limit=max,
        method="share",
        summary=(
            f"{_rows(common, context, 'patient')} of {context.count(patients)} are in {reference.name} too"
        ),
        n_reference=reference.rows,
        n_current=current.rows,
        details={"current": share},
    )


@check(census=True)
def label_maturity(
    current: Dataset,
    context: Context,
    *,
    index_time: str,
    horizon: Duration = timedelta(days=30),
    as_of: date | None = None,
    max: Share = 0.0,
) -> Claim:
    """
    Is the outcome of more rows than `max` not yet known?

    An outcome within `horizon` of `index_time` is known once that time has passed.

    All rows are counted, so there is no interval. `matured: {horizon, index_time}` on a dataset drops such
    rows instead, and counts them.

    Args:
        index_time: The column with the time that the horizon starts at, such as dischtime.
        horizon: How long after it the outcome may still come.
        as_of: Today; default: the suite's as_of, else the day of the run (UTC).
        max: The largest share of rows allowed whose outcome cannot be known yet.

    Raises:
        DataError: The column is not there or holds no times, or there are no rows.

    Example:
        data: {current: {demo: current}}
        checks:
          - label_maturity: {index_time: dischtime, horizon: 30d, as_of: 2024-10-01}
    """
    today = as_of or context.as_of
    immature = current.immature(index_time, horizon, today)
    claims.need_rows(current.name, current.source, immature.rows)
    return Claim(
        estimate=float(immature.share),
        limit=max,
        method="share",
        summary=(
            f"{_rows(immature.events, context)} of {context.count(immature.rows)} have a value of "
            f"{index_time} less than {_days(horizon)} before {today.isoformat()}: "
            "their outcome cannot be known yet"
        ),
        n_current=int(immature.rows),
        details=_maturity(float(immature.share), horizon, today),
    )


def _days(horizon: timedelta) -> str:
    days = horizon.total_seconds() / 86400
    return f"{days:g} day{'' if days == 1 else 's'}"


def _maturity(share: float, horizon: timedelta, today: date) -> dict[str, Any]:
    return {"current": share, "horizon_days": horizon.total_seconds() / 86400, "as_of": today.isoformat()}
