"""Does a model treat groups less alike than the champion does: both on the same rows."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pytest_readmit import Claim, Context, DataError, Scored
from readmit_checks import cells, claims, groups

if TYPE_CHECKING:
    from pytest_readmit.stats.effect import Effect
    from pytest_readmit.stats.fairness_paired import Quantity
    from pytest_readmit.stats.predictions import Predictions

CHAMPION = "champion"
CHALLENGER = "challenger"


def compared(
    current: Scored,
    champion: Scored,
    context: Context,
    *,
    names: Sequence[str],
    subject: str,
    threshold: float,
    most: float,
    by: groups.Groups,
) -> Claim:
    """
    Return the Claim that the largest gap is at most `most` larger than the champion's.

    Raises:
        DataError: It is the champion itself, or no row has the scores of both.

    Args:
        current: The model that is judged, on the dataset.
        champion: The champion on the same dataset.
        context: How the case is decided.
        names: The quantities that are compared between groups.
        subject: The columns that make the groups.
        threshold: A score at or above it raises an alert.
        most: By how much the gap may be larger.
        by: The groups of the rows of `current`.
    """
    import numpy as np

    from pytest_readmit.stats import fairness as gaps
    from pytest_readmit.stats import fairness_paired as paired
    from pytest_readmit.stats.effect import Effect, Undefined

    if current.score == champion.score:
        raise DataError(f"this entry measures the champion itself ({current.score}): name another `model`")
    shared = current.kept & champion.kept
    if not shared.any():
        raise DataError(f"{current.source}: no row has a label and the scores of both models")
    old, new = (each.predictions.take(shared[each.kept]) for each in (champion, current))
    codes = by.codes[shared[current.kept]]
    before, after = (gaps.by_group(each, codes, len(by.names)) for each in (old, new))
    found = [_quantity(name, before, after, threshold) for name in names]
    exempt = context.decide_by == "estimate"
    doubts = _doubts(found, new, by, threshold, exempt=exempt)
    facts: dict[str, Any] = {}
    try:
        owners = [part.owners for part in after]
        effect = paired.change_of_gap(found, owners, new.n, every=exempt)
        summary, told = _in_words(subject, effect, found, by)
    except Undefined as error:
        effect = Effect(estimate=math.nan, bounds=lambda _: (-math.inf, math.inf))
        summary, told = f"{subject}: {error}", {}
        facts["undecidable"] = str(error)
    if doubts:
        facts["unpassable"] = "; ".join(doubts)
        told["notes"] = doubts
    left_out = int(np.count_nonzero(~shared))
    return claims.of_effect(
        effect,
        method="paired_difference",
        summary=summary,
        limit=most,
        n_current=new.n,
        units_current=new.units,
        events=None if names == ("alert rate",) else new.fewest_events,
        details={
            **told,
            CHAMPION: CHAMPION,
            CHALLENGER: current.score,
            "threshold": threshold,
            "left_out": left_out,
            "table": _table(found, after, by, context),
        },
        **facts,
    )


def _quantity(
    name: str, old: "Sequence[Predictions]", new: "Sequence[Predictions]", threshold: float
) -> "Quantity":
    from pytest_readmit.stats import fairness_paired as paired

    if name == "AUC":
        return paired.area_by_group(old, new)
    if name == "observed:expected":
        return paired.ratio_by_group(old, new)
    return paired.rate_by_group(name, old, new, threshold)


def _doubts(
    found: "Sequence[Quantity]",
    new: "Predictions",
    by: groups.Groups,
    threshold: float,
    *,
    exempt: bool,
) -> list[str]:
    """Return why the case cannot pass: groups that are too small, or nothing to compare."""
    doubts = []
    for each in found:
        lacking = [
            name
            for name, cell in zip(by.names, each.cells, strict=True)
            if cell is None or not (cell.enough or exempt)
        ]
        if lacking:
            doubts.append(f"too few rows for the {each.name} of {groups.listed(lacking)}")
    if all(each.name.endswith("rate") for each in found):
        alerts = int((new.score >= threshold).sum())
        if alerts in (0, new.n):
            whom = "everybody" if alerts else "nobody"
            doubts.append(f"threshold {claims.figure(threshold)} alerts {whom}, so no gap is possible")
    return doubts


def _in_words(
    subject: str, effect: "Effect", found: "Sequence[Quantity]", by: groups.Groups
) -> tuple[str, dict[str, Any]]:
    before, after = effect.details["reference"], effect.details["current"]
    quantity, between = found[effect.details["quantity"]], effect.details["between"]
    size = claims.figure(abs(effect.estimate))
    more = f"{size} {'larger' if effect.estimate > 0 else 'smaller'}" if effect.estimate else "unchanged"
    low, high = (by.names[place] for place in between)
    said = (
        f"{subject}: the largest gap is {claims.figure(after)} ({quantity.name} in {low} and {high}), "
        f"{claims.figure(before)} with the champion: {more}"
    )
    told = {"quantity": quantity.name, "between": [low, high]}
    return said, {**claims.change(before, after), **told}


def _table(
    found: "Sequence[Quantity]", parts: "Sequence[Predictions]", by: groups.Groups, context: Context
) -> dict[str, Any]:
    """Return each group's size, and its values with both models; none that few rows lie behind."""
    counts = cells.counts(parts, by.levels, context.min_cell)
    columns = ["group", *counts[0]]
    for each in found:
        columns += [f"{each.name}, champion", f"{each.name}, challenger"]
    rows = []
    for place, (name, part, shown) in enumerate(zip(by.names, parts, counts, strict=True)):
        row: list[Any] = [name, *shown.values()]
        few = min(part.events, part.n - part.events, part.units or part.n) < context.min_cell
        digits = 2 if None in shown.values() else 4
        for each in found:
            cell = each.cells[place]
            row += [None, None] if cell is None or few else [round(value, digits) for value in cell.values]
        rows.append(row)
    return {"columns": columns, "rows": rows}
