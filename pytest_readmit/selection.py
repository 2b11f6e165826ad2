"""Selectors and segments: which columns and which rows the cases of an entry measure."""

import fnmatch
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pytest_readmit.data.dataset import Dataset
from pytest_readmit.errors import did_you_mean
from pytest_readmit.signature import CheckSpec

SINGLE_ROLES = ("target", "score", "patient", "id", "time")
ROLE_NAMES = (*SINGLE_ROLES, "sensitive", "numerical", "categorical", "features")


@dataclass(slots=True, kw_only=True)
class Draft:
    """A case before it has a name and a policy."""

    subject: str | None = None
    column: str | None = None
    features: tuple[str, ...] = ()
    selected: tuple[str, ...] = ()
    arguments: Mapping[str, Any] = field(default_factory=dict)
    segment: str | None = None
    selection: Mapping[str, str] = field(default_factory=dict)
    error: str | None = None


def select(selectors: Sequence[str] | None, spec: CheckSpec, sides: Sequence[Dataset]) -> Iterator[Draft]:
    """Yield a draft for each chosen column; a selector that finds nothing yields an error."""
    anchor = sides[0]
    if selectors is None:
        misspelt = _named_but_missing(anchor)
        columns = [name for name in anchor.features if name not in misspelt and _fits(spec, anchor, name)]
        if not columns and not misspelt:
            kinds = " or ".join(spec.kinds) or "usable"
            yield Draft(error=f"{anchor.name} has no {kinds} feature for {spec.name} to measure")
        for name in [*columns, *misspelt]:
            yield _named_column(name, spec, sides)
        return
    seen: set[str] = set()
    for selector in selectors:
        for draft in _select_one(selector, spec, sides):
            key = draft.column or selector
            if key not in seen:
                seen.add(key)
                yield draft


def _named_but_missing(anchor: Dataset) -> list[str]:
    """
    Return what the suite's roles name, but the data does not have.

    A misspelt role would let the column that was meant pass as a feature, or a feature pass unmeasured.
    """
    roles = anchor.roles
    named = [*(roles.features or ()), *roles.numerical, *roles.categorical, *roles.sensitive]
    named += [getattr(roles, role) for role in SINGLE_ROLES if getattr(roles, role)]
    known = {each.name for each in anchor.fields}
    return [name for name in dict.fromkeys(named) if name not in known]


def _select_one(selector: str, spec: CheckSpec, sides: Sequence[Dataset]) -> Iterator[Draft]:
    anchor = sides[0]
    known = list(dict.fromkeys(each.name for side in sides for each in side.fields))
    if selector in known:
        yield _named_column(selector, spec, sides)
        return
    word = selector.removeprefix("role:")
    if word in ROLE_NAMES and not selector.startswith("glob:"):
        columns, what = _role_columns(anchor, word), f"role {word!r} names"
    elif selector.startswith("role:"):
        columns, what = (), f"no role {word!r}{did_you_mean(word, ROLE_NAMES)}: it names"
    else:
        pattern = selector.removeprefix("glob:")
        columns = tuple(name for name in known if fnmatch.fnmatchcase(name, pattern))
        if not columns and not re.search(r"[*?\[]", pattern):
            yield Draft(subject=selector, error=_no_column(selector, anchor, known))
            return
        what = f"pattern {pattern!r} finds"
    fitting = [name for name in columns if name not in known or _fits(spec, anchor, name)]
    if not fitting:
        kinds = f"{' or '.join(spec.kinds)} " if spec.kinds else ""
        yield Draft(subject=selector, error=f"{what} no {kinds}column in {anchor.name}")
    for name in fitting:
        yield _named_column(name, spec, sides)


def _no_column(name: str, anchor: Dataset, known: Sequence[str]) -> str:
    return f"{anchor.name} ({anchor.source}) has no column {name!r}{did_you_mean(name, known)}"


def _named_column(name: str, spec: CheckSpec, sides: Sequence[Dataset]) -> Draft:
    for side in sides:
        if not side.has(name):
            known = [each.name for each in side.fields]
            return Draft(subject=name, column=name, error=_no_column(name, side, known))
    if not _fits(spec, sides[0], name):
        kind = sides[0].field(name).kind
        return Draft(
            subject=name,
            column=name,
            error=(
                f"{name} is {kind} in {sides[0].name}; {spec.name} measures "
                f"{' or '.join(spec.kinds)} columns: "
                f"name it under columns.{spec.kinds[0]} if its type misleads"
            ),
        )
    return Draft(subject=name, column=name)


def _fits(spec: CheckSpec, side: Dataset, name: str) -> bool:
    return not spec.kinds or (side.has(name) and side.field(name).kind in spec.kinds)


def _role_columns(side: Dataset, role: str) -> tuple[str, ...]:
    if role == "features":
        return side.features
    named = getattr(side.roles, role)
    if named is None:
        return ()
    return (named,) if isinstance(named, str) else tuple(named)


def segments(
    axes_named: Sequence[Mapping[str, Any]], sides: Sequence[Dataset], min_cell: int
) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Yield each segment's text and selection: the cross of the values of every segment column."""
    if not axes_named:
        return
    axes: list[list[tuple[str, str]]] = []
    for axis in axes_named:
        column, chosen = axis["column"], axis.get("values")
        found = sorted({value for side in sides for value in side.values(column)})
        values = [str(value) for value in chosen] if chosen else found
        axes.append([(column, value) for value in values])

    def rows_of(selection: Mapping[str, str]) -> int:
        return max(side.segment(selection).rows for side in sides)

    small = itertools.count(1)
    for combination in itertools.product(*axes):
        selection = dict(combination)
        text = " / ".join(value for _, value in combination)
        # A level of few rows could be a person: its text is not shown. One without rows stands in the suite.
        parts = [selection, *({column: value} for column, value in combination)]
        is_small = rows_of(selection) < min_cell and any(0 < rows_of(part) < min_cell for part in parts)
        yield (f"(small segment {next(small)})" if is_small else text), selection
