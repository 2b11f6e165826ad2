"""Does the model serve groups alike: error rates, alerts, ranking and calibration by sensitive column."""

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, cast

from pydantic import BaseModel, ConfigDict, Field

from pytest_readmit import Case, Claim, Context, DataError, Models, Schema, Scored, Share, check
from readmit_checks import cells, claims, fairness_paired, groups

if TYPE_CHECKING:
    from pytest_readmit import Dataset
    from pytest_readmit.stats.effect import Effect
    from pytest_readmit.stats.fairness import Quantity
    from pytest_readmit.stats.predictions import Predictions

MEASURES = {
    "equalised_odds": ("true positive rate", "false positive rate"),
    "tpr_difference": ("true positive rate",),
    "fpr_difference": ("false positive rate",),
    "demographic_parity": ("alert rate",),
    "auc_difference": ("AUC",),
    "observed_expected": ("observed:expected",),
}
METHODS = {"auc_difference": "delong", "observed_expected": "ratio_difference"}
DEFAULT: Mapping[str, Mapping[str, float]] = {"equalised_odds": {"max": 0.1}}
AtLeastZero = Annotated[float, Field(ge=0)]


class Gap(BaseModel):
    """The largest gap allowed between two groups; without `max` the measure is reported only."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
    max: Share = 1.0


class RatioGap(BaseModel):
    """The largest difference allowed between the observed:expected of two groups."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
    max: AtLeastZero = 1.0


class Measures(BaseModel):
    """What is compared between groups."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
    equalised_odds: Gap = Gap()
    tpr_difference: Gap = Gap()
    fpr_difference: Gap = Gap()
    demographic_parity: Gap = Gap()
    auc_difference: Gap = Gap()
    observed_expected: RatioGap = RatioGap()


def _cases(parameters: Mapping[str, Any], schema: Schema) -> Sequence[Case]:
    if schema.selected is None:
        columns = list(dict.fromkeys([*schema.sensitive, *(parameters["bins"] or {})]))
    else:
        columns = list(schema.selected)
    crossed = list(dict.fromkeys(map(tuple, parameters["intersections"] or ())))
    # `columns` keeps the cases of chosen columns: a crossing goes with the first, wherever it was asked for.
    home = columns[0] if columns and schema.selected else None
    by = [((name,), name) for name in columns]
    by += [(names, home or names[0]) for names in crossed]
    if not by:
        # Nothing was chosen, which the check says; or nothing of it could be had, which the run says in place
        # of a case whose column was not chosen.
        column = None if schema.selected is None else next(iter(schema.columns), None)
        return [Case(None, {"intersections": []}, column=column)]
    return [
        Case(
            f"{measure}:{'+'.join(names)}",
            {"measures": {measure: limits}, "intersections": [list(names)]},
            column=column,
        )
        for measure, limits in measures_of(parameters).items()
        for names, column in by
    ]


def measures_of(parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return measure to its limits, by default equalised odds; the champion's gap takes the limit's place."""
    if parameters.get("measures"):
        measures: Mapping[str, Any] = parameters["measures"]
        return measures
    return DEFAULT if parameters.get("non_inferior_by") is None else {name: {} for name in DEFAULT}


def _problems(parameters: Mapping[str, Any], decide_by: str) -> Iterator[tuple[str, str]]:
    if parameters["measures"] is not None and not parameters["measures"]:
        yield "measures", "'measures': name at least one, such as {equalised_odds: {max: 0.1}}"
    if parameters.get("non_inferior_by") is not None:
        if parameters["non_inferior_by"] >= 1 and set(measures_of(parameters)) - {"observed_expected"}:
            yield (
                "non_inferior_by",
                f"'non_inferior_by': {parameters['non_inferior_by']:g}: rates lie within 1; write 0.05",
            )
        for name, limits in (parameters["measures"] or {}).items():
            if (limits or {}).get("max") is not None:
                yield (
                    "non_inferior_by",
                    f"'{name}': `max` and `non_inferior_by` are two rules; write an entry for each",
                )
    for name, edges in (parameters["bins"] or {}).items():
        if not edges or any(low >= high for low, high in pairwise(edges)):
            yield "bins", f"'bins': {name}: give its edges in ascending order, such as [18, 45, 65, 80]"
    for names in parameters["intersections"] or ():
        if len(set(names)) < 2 or len(set(names)) < len(names):
            yield "intersections", "'intersections': each crosses two or more different columns"
    if decide_by == "p_value":
        yield (
            "measures",
            "fairness compares gaps with a limit, not with a null hypothesis: leave p_value out",
        )


@check(cases=_cases, validate=_problems)
def fairness(
    current: Scored,
    models: Models,
    context: Context,
    *,
    threshold: Share,
    measures: Measures | None = None,
    non_inferior_by: AtLeastZero | None = None,
    bins: dict[str, list[float]] | None = None,
    intersections: list[list[str]] | None = None,
    max_missing_label: Share = 0.05,
) -> Claim:
    """
    Do two groups of patients differ by more than `max`?

    Groups are the levels of each column under `columns.sensitive`; a missing value is a group of its own.
    The measure is the largest gap between any two groups: equalised_odds of true or false positive rates,
    demographic_parity of alert rates, auc_difference of AUC, observed_expected of observed:expected (1.2
    against 0.9 is a gap of 0.3). One proven gap fails the case, and it passes only if every pair is within
    the limit. Groups with fewer than 10 positives or negatives (patients, where named) are listed with what
    they would need: the case can fail without them, but not pass. Nor can it pass where no rate is above the
    limit, because then no gap could be: a threshold that alerts very few, or a limit that is large for the
    measure (fpr_difference of at most 0.1 where false positive rates are 0.05). equalised_odds needs one of
    its two rates above the limit.

    One case per measure and sensitive column, or crossing of columns.

    Args:
        threshold: A score at or above it raises an alert.
        measures: Measure to its limit, such as {tpr_difference: {max: 0.1}}; {} reports only. Default:
            equalised_odds with max 0.1.
        non_inferior_by: In place of `max`: by how much the largest gap may exceed that of the champion, the
            suite's model of this name, on the same rows.
        bins: Numerical column to the edges of its groups: [18, 65] makes <18, 18 to <65 and >=65.
        intersections: Lists of columns to cross, such as [[sex, insurance]].
        max_missing_label: The largest share of missing labels, or scores; above it the case is an error.

    Raises:
        DataError: No sensitive column is named or it is not there; too many labels or scores are missing; a
            score is no number from 0 to 1.

    References:
        Newcombe (1998), Stat. Med. 17, 873-890 (a gap of two rates); Berger (1982), Technometrics 24,
        295-300 (all pairs); Hardt, Price and Srebro (2016), NeurIPS 29 (equalised odds).

    Example:
        data: {current: {demo: current}}
        columns: {target: readmitted_30d, positive_label: 1, score: risk, sensitive: [sex]}
        checks:
          - fairness: {threshold: 0.15, measures: {equalised_odds: {max: 0.12}}}
    """
    if not intersections:
        raise DataError("columns.sensitive is not set in the suite; name the columns whose groups to compare")
    columns = intersections[0]
    measure, limits = next(iter(dict(measures or DEFAULT).items()))
    limit = dict(limits).get("max")
    by = groups.of_columns(current, columns, bins or {}, context.min_cell)
    if non_inferior_by is not None:
        home = cast("Dataset", current.dataset)
        return fairness_paired.compared(
            current,
            models.scored(fairness_paired.CHAMPION, home, max_missing_label),
            context,
            names=MEASURES[measure],
            subject="+".join(columns),
            threshold=threshold,
            most=non_inferior_by,
            by=by,
        )
    return _claim(current, context, measure, "+".join(columns), limit, threshold, by)


def _claim(
    current: Scored,
    context: Context,
    measure: str,
    subject: str,
    limit: float | None,
    threshold: float,
    by: groups.Groups,
) -> Claim:
    from pytest_readmit.stats import fairness as gaps
    from pytest_readmit.stats.effect import Effect, Undefined

    parts = gaps.by_group(current.predictions, by.codes, len(by.names))
    found = [_quantity(name, current.predictions, parts, threshold) for name in MEASURES[measure]]
    exempt = context.decide_by == "estimate"
    doubts = [text for each in found if (text := _too_few(each, by, limit, context, exempt=exempt))]
    if limit is not None and (doubt := _no_gap_possible(current.predictions, found, limit, threshold)):
        doubts.append(doubt)
    facts: dict[str, Any] = {}
    try:
        effect = gaps.largest_gap(found, current.n, every_group=exempt)
        summary, named = _in_words(subject, effect, found, by)
    except Undefined as error:
        effect = Effect(estimate=math.nan, bounds=lambda _: (0.0, math.inf))
        summary, named = f"{subject}: {error}", {}
        facts["undecidable"] = "; ".join(doubts) or str(error)
    if doubts and limit is not None:
        facts["unpassable"] = "; ".join(doubts)
    if measure == "demographic_parity":
        facts["events"] = None
    return claims.of_scored(
        effect,
        None,
        current,
        method=METHODS.get(measure, "newcombe"),
        summary=summary,
        limit=limit,
        details={
            **named,
            "threshold": threshold,
            "table": _table(found, parts, by, limit, context),
            **({"notes": doubts} if doubts else {}),
        },
        **facts,
    )


def _quantity(
    name: str, whole: "Predictions", parts: "Sequence[Predictions]", threshold: float
) -> "Quantity":
    from pytest_readmit.stats import fairness as gaps

    if name == "AUC":
        return gaps.area_by_group(whole, parts)
    if name == "observed:expected":
        return gaps.ratio_by_group(whole, parts)
    return gaps.rate_by_group(name, whole, parts, threshold)


def _in_words(
    subject: str, effect: "Effect", found: "Sequence[Quantity]", by: groups.Groups
) -> tuple[str, dict[str, Any]]:
    """Name the two groups with the largest gap."""
    quantity = found[effect.details["quantity"]]
    low, high = effect.details["between"]
    lowest, highest = quantity.values[low], quantity.values[high]
    assert lowest is not None  # noqa: S101 - a gap is between values that exist
    assert highest is not None  # noqa: S101
    said = (
        f"{subject}: {quantity.name} is {claims.figure(lowest.estimate)} in {by.names[low]} and "
        f"{claims.figure(highest.estimate)} in {by.names[high]}, a gap of {claims.figure(effect.estimate)}"
    )
    return said, {"quantity": quantity.name, "between": [by.names[low], by.names[high]]}


def _too_few(
    quantity: "Quantity", by: groups.Groups, limit: float | None, context: Context, *, exempt: bool
) -> str | None:
    """Return which groups have too few rows for a verdict, and how many they would need."""
    lacking = [
        name
        for name, value, enough in zip(by.names, quantity.values, quantity.enough, strict=True)
        if value is None or not (enough or exempt)
    ]
    if not lacking:
        return None
    what = {"rows": "rows", "positives": "positives", "negatives": "negatives"}[quantity.counted]
    if not quantity.is_rate:
        what = "positives or negatives"
    said = f"too few {what} for the {quantity.name} of {groups.listed(lacking)}"
    needed = None if limit is None else quantity.needed(limit, alpha=1 - context.confidence)
    if needed is None or limit is None:
        return said
    return f"{said}: to certify {claims.figure(limit)}, each group needs about {needed:,} {quantity.counted}"


def _out_of_reach(quantity: "Quantity", limit: float) -> bool:
    """
    Whether the rates are so low that none can be further below another than the limit.

    High rates are no such case: a model may serve everybody well, and a group that it serves badly would
    show.
    """
    rates = [value.estimate for value in quantity.values if value is not None]
    return bool(rates) and max(rates) <= limit


def _no_gap_possible(
    whole: "Predictions", found: "Sequence[Quantity]", limit: float, threshold: float
) -> str | None:
    """Return why no gap above the limit is possible, or None."""
    if not all(each.is_rate for each in found):
        return None
    at = f"threshold {claims.figure(threshold)}"
    alerts = int((whole.score >= threshold).sum())
    if alerts == 0:
        return f"{at} alerts nobody, so no gap is possible"
    if alerts == whole.n:
        return f"{at} alerts everybody, so no gap is possible"
    if not all(_out_of_reach(each, limit) for each in found):
        return None
    names = " or ".join(each.name for each in found)
    high = max(value.estimate for each in found for value in each.values if value is not None)
    return (
        f"{at} alerts so few that no group's {names} is above {claims.figure(high)}, so no gap above the "
        f"limit {claims.figure(limit)} is possible: set a lower limit or a lower threshold"
    )


def _table(
    found: "Sequence[Quantity]",
    parts: "Sequence[Predictions]",
    by: groups.Groups,
    limit: float | None,
    context: Context,
) -> dict[str, Any]:
    """Return a row for each group: its size, its values with one-sided bounds, and the rows it would need."""
    from pytest_readmit.stats.tails import normal_quantile

    z = normal_quantile(1 - context.confidence)
    counts = cells.counts(parts, by.levels, context.min_cell)
    columns = ["group", *counts[0]]
    for each in found:
        columns += [each.name, f"{each.name} low", f"{each.name} high"]
    needs: dict[str, int | None] = {}
    for each in found:
        needs[f"{each.counted} needed"] = (
            None if limit is None else each.needed(limit, alpha=1 - context.confidence)
        )
    columns += needs
    rows = []
    for i, (name, part, shown) in enumerate(zip(by.names, parts, counts, strict=True)):
        row: list[Any] = [name, *shown.values()]
        for each in found:
            row += _cells(each, i, part, shown, z, context.min_cell)
        rows.append([*row, *needs.values()])
    return {"columns": columns, "rows": rows}


def _cells(
    quantity: "Quantity", i: int, part: "Predictions", shown: Mapping[str, Any], z: float, min_cell: int
) -> list[float | None]:
    """Return a value and its bounds, rounded; a count that is not shown must not follow from them."""
    value = quantity.values[i]
    sizes = {"rows": part.n, "positives": part.events, "negatives": part.n - part.events}
    basis = [quantity.counted] if quantity.is_rate else ["positives", "negatives"]
    few = min(sizes[key] for key in basis) < min_cell or (part.units or min_cell) < min_cell
    if value is None or few:
        return [None, None, None]
    if any(shown[key] is None for key in basis):
        return [round(value.estimate, 2), None, None]
    low, high = value.limits(z, 1.0)
    return [round(value.estimate, 4), round(low, 4), round(high, 4)]
