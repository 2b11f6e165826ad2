"""Has what is predicted moved: the target, and the score that predicts it."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from pytest_readmit import Claim, Column, Context, DataError, Dataset, Share, check
from readmit_checks import claims, methods
from readmit_checks.methods import METHODS, AtLeastZero

if TYPE_CHECKING:
    from pytest_readmit.stats.proportion import Proportion


def _target_problems(parameters: Mapping[str, Any], decide_by: str) -> Iterator[tuple[str, str]]:
    if parameters["max"] is not None and parameters["max_ratio"] is not None:
        yield "max_ratio", "give 'max' or 'max_ratio', not both"
    given = next((key for key in ("max", "max_ratio") if parameters[key] is not None), None)
    if decide_by == "p_value" and given:
        yield given, f"{given!r} has no effect where p_value decides: leave one of them out"


@check(validate=_target_problems)
def target_drift(
    reference: Dataset,
    current: Dataset,
    context: Context,
    *,
    max: AtLeastZero | None = None,
    max_ratio: Annotated[float, Field(gt=1)] | None = None,
    max_missing_label: Share = 0.05,
) -> Claim:
    """
    Has the target's distribution moved by more than `max`?

    With `columns.positive_label` the share of positives is compared; without it a numerical target by ks
    and a target of several levels by total variation.

    Args:
        max: The most that is allowed, either way. Default: 0.02 for the share of positives, else 0.10.
        max_ratio: Instead of `max`: the share of positives may at most grow, or shrink, by this factor.
        max_missing_label: The largest share of missing labels; above it the case is an error.

    Raises:
        DataError: Too many labels are missing; the target has two values and no `columns.positive_label`;
            `max_ratio` without it, or with no positives in the reference.

    References:
        Newcombe (1998), Stat. Med. 17, 873-890 (difference); Koopman (1984), Biometrics 40, 513-517
        (ratio).

    Example:
        data: {reference: {demo: reference}, current: {demo: current}}
        columns: {target: readmitted_30d, positive_label: 1}
        checks:
          - target_drift: {max: 0.03}
    """
    if reference.roles.positive_label is not None:
        before, after = reference.positives(max_missing_label), current.positives(max_missing_label)
        return _label_change(reference.roles.target or "target", before, after, max, max_ratio)
    if max_ratio is not None:
        raise DataError("max_ratio compares shares of positives: set columns.positive_label")
    before_column, after_column = reference.role("target"), current.role("target")
    _few_missing(before_column, max_missing_label, context)
    _few_missing(after_column, max_missing_label, context)
    if before_column.distinct_count(2) <= 2:
        raise DataError(
            f"columns.positive_label is not set, and target {before_column.name!r} has no more than two "
            "values: say which one is positive"
        )
    how = METHODS["ks" if before_column.kind == "numerical" else "total_variation"]
    effect, notes = methods.compare(how, before_column, after_column, context, methods.options(context))
    return claims.of_distributions(
        effect,
        before_column.distribution,
        after_column.distribution,
        context,
        notes=notes,
        limit=how.limit if max is None else max,
        method=how.name,
        summary=methods.moved(before_column.name, how, effect.estimate),
    )


def _label_change(
    name: str, reference: "Proportion", current: "Proportion", most: float | None, most_ratio: float | None
) -> Claim:
    from pytest_readmit.stats import proportion
    from pytest_readmit.stats.effect import Undefined

    events = min(_rarer(reference), _rarer(current))
    said = f"{name}: positives went {claims.went(reference, current)}"
    if most_ratio is None:
        effect = proportion.risk_difference(reference, current)
        bound = claims.limit_of(0.02 if most is None else most, "either")
        return claims.of_shares(
            effect, reference, current, method="risk_difference", summary=said, events=events, **bound
        )
    try:
        effect = proportion.risk_ratio(reference, current)
    except Undefined as error:
        raise DataError(f"{name}: {error}; use max") from None
    return claims.of_shares(
        effect,
        reference,
        current,
        method="risk_ratio",
        summary=f"{said}, a ratio of {claims.figure(effect.estimate)}",
        events=events,
        limit=(1 / most_ratio, most_ratio),
        direction="within",
    )


def _rarer(share: "Proportion") -> int:
    """Return the fewer of events and non-events; of patients with one, where patients are named."""
    if share.event_units is not None and share.non_event_units is not None:
        return int(min(share.event_units, share.non_event_units))
    return int(min(share.events, share.rows - share.events - share.unsure))


def _few_missing(column: Column, most: float, context: Context) -> None:
    missing = column.missing().ends[-1]
    claims.need_rows(column.dataset, column.source, missing.rows)
    if missing.share > most:
        raise DataError(
            f"column {column.name!r}: {context.count(missing.events)} of {context.count(missing.rows)} rows "
            f"of {column.dataset} have none; max_missing_label is {claims.figure(most)}"
        )


def _prediction_problems(parameters: Mapping[str, Any], decide_by: str) -> Iterator[tuple[str, str]]:
    if decide_by == "p_value" and parameters["max"] is not None:
        yield "max", "'max' has no effect where p_value decides: leave one of them out"


@check(validate=_prediction_problems)
def prediction_drift(
    reference: Dataset,
    current: Dataset,
    context: Context,
    *,
    max: Share | None = None,
    threshold: Share | None = None,
    max_missing_label: Share = 0.05,
) -> Claim:
    """
    Has the distribution of the predicted risk moved by more than `max`?

    Measured by ks, which is the largest change that the alert rate can have at any threshold: a case that
    passes holds the alert rate within `max` too. With `threshold` the alert rates are told beside it.

    Args:
        max: The largest ks distance allowed; default 0.05.
        threshold: A score at or above it raises an alert.
        max_missing_label: The largest share of missing scores; above it the case is an error.

    Raises:
        DataError: Too many scores are missing, or one is no number from 0 to 1.

    References:
        Kolmogorov (1933), Smirnov (1939); Anderson (1955), Proc. AMS 6, 170-176.

    Example:
        data: {reference: {demo: reference}, current: {demo: current}}
        columns: {score: risk}
        checks:
          - prediction_drift: {max: 0.05, threshold: 0.15}
    """
    before, after = reference.role("score"), current.role("score")
    for column in (before, after):
        _few_missing(column, max_missing_label, context)
        _are_probabilities(column, context)
    how = METHODS["ks"]
    effect, notes = methods.compare(how, before, after, context, methods.options(context))
    said, details = methods.moved(before.name, how, effect.estimate), {}
    if threshold is not None:
        rates = [column.share(lambda score: score >= threshold) for column in (before, after)]
        details = {**claims.change(*(float(rate.share) for rate in rates)), "threshold": threshold}
        said = f"alerts at {claims.figure(threshold)} went {claims.went(*rates)}; {said}"
    return claims.of_distributions(
        effect,
        before.distribution,
        after.distribution,
        context,
        notes=notes,
        details=details,
        limit=0.05 if max is None else max,
        method=how.name,
        summary=said,
    )


def _are_probabilities(column: Column, context: Context) -> None:
    """Hold a score to [0, 1]."""
    methods.chosen("ks", column, context)
    outside = column.share(lambda score: (score < 0) | (score > 1))
    outside = outside.ends[-1]
    if outside.events and not _within_one(*column.distribution.extremes):
        raise DataError(
            f"column {column.name!r}: {context.count(outside.events)} scores are outside [0, 1] in "
            f"{column.dataset} ({column.source}); columns.score is a predicted probability"
        )


def _within_one(low: float, high: float) -> bool:
    return low >= 0 and high <= 1
