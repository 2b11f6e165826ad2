"""An Effect and what was compared make a Claim: the words, the counts and the report's picture."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_readmit import Claim, Column, Context, DataError, Direction

if TYPE_CHECKING:
    from pytest_readmit import Scored
    from pytest_readmit.stats.distribution import Array, Distribution
    from pytest_readmit.stats.effect import Effect
    from pytest_readmit.stats.proportion import Proportion


def figure(value: float) -> str:
    """Return a number to three significant digits."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def percent(share: float) -> str:
    """Return a share as a percentage to three significant digits."""
    return f"{100 * share:.3g}%"


def share(of: "Proportion") -> str:
    """Return a share in words: between which two it is where counts are approximate."""
    fewest, *most = (percent(each.share) for each in of.ends)
    return f"between {fewest} and {most[0]}" if most else fewest


def went(reference: "Proportion", current: "Proportion") -> str:
    """Return a change of a share in words."""
    return f"from {share(reference)} to {share(current)}"


def change(reference: float, current: float) -> dict[str, float | None]:
    """Return what the record says of a change; no relative change from nothing."""
    return {
        "reference": reference,
        "current": current,
        "change": current - reference,
        "relative_change": (current - reference) / abs(reference) if reference else None,
    }


def of_effect(effect: "Effect", **facts: Any) -> Claim:
    """Return a Claim that answers as the effect does; `facts` are the Claim's other fields."""
    return Claim(
        estimate=float(effect.estimate),
        bounds=effect.bounds,
        p_beyond=effect.p_beyond,
        p_below=effect.p_below,
        p_null=None if effect.p_null is None else float(effect.p_null),
        projected=effect.projected,
        estimates=effect.estimates,
        **facts,
    )


def of_distributions(
    effect: "Effect",
    reference: "Distribution",
    current: "Distribution",
    context: Context,
    *,
    notes: Sequence[str] = (),
    details: Mapping[str, Any] | None = None,
    **facts: Any,
) -> Claim:
    """Return the Claim of an effect between two distributions, with both drawn for the report."""
    from pytest_readmit.stats import histogram

    drawn: dict[str, Any] = {"histogram": histogram.picture(reference, current, min_cell=context.min_cell)}
    drawn |= dict(effect.details) | dict(details or {})
    if notes:
        drawn["notes"] = list(notes)
    return of_effect(
        effect,
        n_reference=reference.n,
        n_current=current.n,
        units_reference=reference.units,
        units_current=current.units,
        details=drawn,
        **facts,
    )


def of_shares(
    effect: "Effect",
    reference: "Proportion",
    current: "Proportion",
    *,
    details: Mapping[str, Any] | None = None,
    **facts: Any,
) -> Claim:
    """Return the Claim of an effect between the shares of two datasets."""
    return of_effect(
        effect,
        n_reference=int(reference.rows),
        n_current=int(current.rows),
        units_reference=reference.units,
        units_current=current.units,
        details={**change(reference.share, current.share), **(details or {})},
        **facts,
    )


def of_scored(
    effect: "Effect",
    reference: "Scored | None",
    current: "Scored",
    *,
    details: Mapping[str, Any] | None = None,
    **facts: Any,
) -> Claim:
    """Return the Claim of an effect on labelled predictions, with what was left out counted."""
    sides = [current] if reference is None else [reference, current]
    left_out = {
        f"{what}_{side.name}": rows
        for side in sides
        for what, rows in (("missing_labels", side.missing_labels), ("missing_scores", side.missing_scores))
        if rows
    }
    facts.setdefault("events", min(side.predictions.fewest_events for side in sides))
    return of_effect(
        effect,
        n_reference=None if reference is None else reference.n,
        n_current=current.n,
        units_reference=None if reference is None else reference.predictions.units,
        units_current=current.predictions.units,
        details={**effect.details, **left_out, **(details or {})},
        **facts,
    )


def share_between(
    column: Column, surely: "Callable[[Array], Array]", perhaps: "Callable[[Array], Array]"
) -> "Proportion":
    """Return the share of the values that are surely of a kind, and of how many more may be."""
    fewest = column.share(surely)
    if surely == perhaps:
        return fewest
    most = column.share(perhaps)
    effect = max(fewest.design_effect, most.design_effect)
    return replace(fewest, design_effect=effect, unsure=most.events + most.unsure - fewest.events)


def limit_of(most: float, direction: Direction) -> dict[str, Any]:
    """Return a Claim's limit and direction for a signed change that may be at most `most`."""
    if direction == "up":
        return {"limit": most, "direction": "at_most"}
    if direction == "down":
        return {"limit": -most, "direction": "at_least"}
    return {"limit": (-most, most), "direction": "within"}


def need_rows(dataset: str, source: str, rows: float) -> None:
    """
    Hold a dataset to at least one row.

    Raises:
        DataError: If it has none.
    """
    if rows == 0:
        raise DataError(f"{dataset} ({source}) has 0 rows")
