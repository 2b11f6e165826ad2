"""Have the features moved, also in how they go together: can a classifier tell the datasets apart?"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_readmit import Claim, DataError, Dataset, Selected, Share, check
from readmit_checks import claims

if TYPE_CHECKING:
    from pytest_readmit.stats.inputs import Input, Inputs

Mask = np.ndarray | None


def _problems(parameters: Mapping[str, Any], decide_by: str) -> Iterator[tuple[str, str]]:
    if parameters["max"] < 0.5 and decide_by != "p_value":
        yield "max", "'max' must be at least 0.5, the AUC of a classifier that cannot tell"


@check(severity="warn", validate=_problems)
def joint_drift(reference: Dataset, current: Dataset, selected: Selected, *, max: Share = 0.6) -> Claim:
    """
    Can a classifier tell the datasets apart by their features, with an AUC above `max`?

    It sees all features together, and so also finds what no single one shows. Two cross-fitted classifiers
    (an additive logistic regression and boosted trees) are judged on rows whose patients they have not
    seen; each learns from at most 40,000 rows. 0.5 is chance, and 0.6 is what one feature shows that has
    moved by a third of its standard deviation. A pass says that these classifiers, on this many rows,
    cannot tell; not that none ever could. Values that hardly ever repeat, such as identifiers, are new in
    any data and tell nothing: such features are named, and the case cannot pass by them alone.

    Args:
        max: The largest AUC allowed, from 0.5 (cannot tell) to 1 (tells every row).

    Raises:
        DataError: There are no features; one is a time or has no values; or there are too few rows.

    References:
        Lopez-Paz and Oquab (2017), ICLR (classifier two-sample test); DeLong, DeLong and Clarke-Pearson
        (1988), Biometrics 44, 837-845; LeDell, Petersen and van der Laan (2015), Electron. J. Stat. 9,
        1583-1607.

    Example:
        data: {reference: {demo: reference?rows=3000}, current: {demo: current?rows=3000}}
        checks:
          - joint_drift: {columns: [age, sodium, sex]}
    """
    from pytest_readmit.stats import domain

    inputs = inputs_of(reference, current, names=tuple(selected) or features_of(reference))
    found = domain.classify(inputs)
    effect = domain.effect(found.auc, inputs)
    by = f", most by {', '.join(found.telling)}" if found.telling else ""
    return claims.of_effect(
        effect,
        limit=max,
        method="domain_classifier",
        summary=f"a classifier tells {reference.name} and {current.name} apart with AUC "
        f"{claims.figure(effect.estimate)}{by}",
        n_reference=inputs.n_reference,
        n_current=inputs.n_current,
        units_reference=inputs.units[0],
        units_current=inputs.units[1],
        unpassable=nothing_told(inputs),
        details={
            **effect.details,
            "features": len(inputs.columns),
            "telling": list(found.telling),
            "notes": notes_on(inputs),
        },
    )


def features_of(reference: Dataset) -> tuple[str, ...]:
    """Return the features without those that would tell any two datasets apart: keys, patients and time."""
    roles = reference.roles
    return tuple(name for name in reference.features if name not in (roles.id, roles.patient, roles.time))


def inputs_of(
    reference: Dataset,
    current: Dataset,
    *,
    names: Sequence[str],
    keep: tuple[Mask, Mask] = (None, None),
) -> "Inputs":
    """
    Return columns of both datasets as a classifier's inputs.

    Args:
        reference: One dataset; its kinds hold for both.
        current: The other.
        names: The columns.
        keep: The rows of each that count, shape (rows,); None: all.

    Raises:
        DataError: No column, one that is not there or cannot be used, or too few rows.
    """
    from pytest_readmit.stats.effect import Undefined
    from pytest_readmit.stats.inputs import Inputs

    for side in (reference, current):
        claims.need_rows(side.name, side.source, side.rows)
    if not names:
        raise DataError("there are no features to compare: name some under columns.features or `columns`")
    columns = tuple(_input(reference, current, name, keep) for name in names)
    before, after = (
        _chosen(np.arange(side.rows), rows) for side, rows in zip((reference, current), keep, strict=True)
    )
    try:
        return Inputs(columns, len(before), len(after), _people(reference, current, keep))
    except Undefined as error:
        raise DataError(f"{reference.name} and {current.name}: {error}") from None


def _input(reference: Dataset, current: Dataset, name: str, keep: tuple[Mask, Mask]) -> "Input":
    from pytest_readmit.stats import inputs

    kind = reference.field(name).kind
    if kind == "time":
        raise DataError(
            f"{reference.source}: column {name!r} is a date or time, which tells any two periods apart; "
            "leave it out of `columns`"
        )
    if kind == "numerical":
        values = [
            _chosen(side.numbers(name), rows) for side, rows in zip((reference, current), keep, strict=True)
        ]
        if all(np.isnan(each).all() for each in values):
            raise DataError(f"column {name!r} has no values in {reference.name} and in {current.name}")
        return inputs.numbers(name, *values)
    found = [side.codes(name) for side in (reference, current)]
    codes = [_chosen(each.codes, rows) for each, rows in zip(found, keep, strict=True)]
    if all((each < 0).all() for each in codes):
        raise DataError(f"column {name!r} has no values in {reference.name} and in {current.name}")
    return inputs.levels(name, codes[0], found[0].levels, codes[1], found[1].levels)


def _people(reference: Dataset, current: Dataset, keep: tuple[Mask, Mask]) -> np.ndarray | None:
    """Return one number a patient for the rows of both; a row without a patient is one of its own."""
    name = reference.roles.patient
    if name is None:
        return None
    sides = [side.codes(name) for side in (reference, current)]
    place = {
        level: number
        for number, level in enumerate({**dict.fromkeys(sides[0].levels), **dict.fromkeys(sides[1].levels)})
    }
    parts = []
    for side, rows in zip(sides, keep, strict=True):
        table = np.array([*(place[level] for level in side.levels), -1], dtype=np.int64)
        parts.append(_chosen(table[side.codes], rows))
    owners = np.concatenate(parts)
    unnamed = owners < 0
    owners[unnamed] = len(place) + np.arange(np.count_nonzero(unnamed))
    return owners


def _chosen(values: np.ndarray, rows: Mask) -> np.ndarray:
    return values if rows is None else values[rows]


def notes_on(inputs: "Inputs") -> list[str]:
    """Return what a reader should know of how the inputs were used."""
    notes = []
    pooled = [f"{column.name} ({column.pooled:,})" for column in inputs.columns if column.pooled]
    if pooled:
        notes.append(
            "rare levels were taken together, told apart only by which dataset has them in other rows: "
            f"{', '.join(pooled)}"
        )
    if inputs.hardly_repeated:
        notes.append(f"{_unrepeated(inputs)}: nothing was told from them")
    if inputs.trained_on < inputs.n - inputs.n // inputs.folds:
        notes.append(f"each classifier learnt from {inputs.trained_on:,} of {inputs.n:,} rows")
    return notes


def nothing_told(inputs: "Inputs") -> str | None:
    """Return why nothing can be told from any of the inputs, or None."""
    if len(inputs.hardly_repeated) < len(inputs.columns):
        return None
    return f"{_unrepeated(inputs)}, and there are no other features"


def _unrepeated(inputs: "Inputs") -> str:
    return f"values hardly ever repeat in {', '.join(inputs.hardly_repeated)}"
