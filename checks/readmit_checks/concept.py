"""Has performance changed from reference to current: concept drift, as the labels show it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, cast

from pydantic import BaseModel, Field

from pytest_readmit import Case, Claim, Context, DataError, Schema, Scored, Share, check
from pytest_readmit.stats.metrics import METRICS, MetricName
from readmit_checks import claims, curves, explain, limits

if TYPE_CHECKING:
    from pytest_readmit import Dataset
    from pytest_readmit.stats.effect import Effect
    from pytest_readmit.stats.measure import Measure
    from pytest_readmit.stats.predictions import Predictions

Value = TypeVar("Value")
AtLeastZero = Annotated[float, Field(ge=0)]
Measured = Literal[MetricName, "slope", "observed_expected"]
Prevalence = Literal["reference", "observed"]

CHANGES = ("max_drop", "max_rise", "max_change", "max_relative_change")
LEVELS = {"slope": "the calibration slope", "observed_expected": "observed events per expected event"}
DEFAULT: Mapping[str, Mapping[str, float]] = {
    "roc_auc": {"max_drop": 0.05},
    "average_precision": {"max_drop": 0.05},
    "slope": {"min": 0.8, "max": 1.25},
    "observed_expected": {"min": 0.8, "max": 1.25},
}
RELATION = "relation:"
RELATIONS: tuple[explain.Metric, ...] = ("roc_auc", "log_loss")
RAW_BRIER = (
    "The raw Brier score moves with the prevalence, whatever the model does: see brier_skill beside it."
)


class Change(BaseModel):
    """How far a metric may change: one limit, or none to report only."""

    model_config = limits.STRICT
    max_drop: AtLeastZero | None = None
    max_rise: AtLeastZero | None = None
    max_change: AtLeastZero | None = None
    max_relative_change: AtLeastZero | None = None
    min: float | None = None
    max: float | None = None


def _cases(parameters: Mapping[str, Any], _: Schema) -> Sequence[Case]:
    metrics = DEFAULT if parameters["metrics"] is None else parameters["metrics"]
    cases = [Case(name, {"metrics": {name: allowed}, "explain": False}) for name, allowed in metrics.items()]
    if parameters["explain"]:
        cases += [Case(f"{RELATION}{name}", {"metrics": {name: {}}}) for name in RELATIONS]
    return cases


def _problems(parameters: Mapping[str, Any], decide_by: str) -> Iterator[tuple[str, str]]:
    metrics = parameters["metrics"]
    if decide_by == "p_value":
        yield "p_value", "concept_drift limits the size of a change: leave p_value out"
    if metrics is None:
        return
    if not metrics and not parameters["explain"]:
        yield "metrics", "`metrics` is empty: name a metric, or leave `metrics` out"
    yield from limits.threshold_problems(metrics, parameters["threshold"])
    for name, allowed in metrics.items():
        given = [key for key, limit in allowed.items() if limit is not None]
        for problem in _wrong_level(name, allowed, given) if name in LEVELS else _wrong_change(name, given):
            yield "metrics", f"`{name}`: {problem}"


def _wrong_level(name: str, allowed: Mapping[str, float | None], given: Sequence[str]) -> Iterator[str]:
    for key in ("max_drop", "max_rise"):
        if key in given:
            yield f"{LEVELS[name]} is best at 1, neither high nor low: write `max_change` in place of `{key}`"
    if len(given) > 1 and set(given) != {"min", "max"}:
        yield f"give `min` and `max`, or one limit of the change, not {_listed(given)}"
    low, high = allowed.get("min"), allowed.get("max")
    if low is not None and high is not None and low > high:
        yield "`min` is above `max`"


def _listed(keys: Sequence[str]) -> str:
    return " and ".join(f"`{key}`" for key in keys)


def _wrong_change(name: str, given: Sequence[str]) -> Iterator[str]:
    better = METRICS[name].better
    if {"min", "max"} & set(given):
        yield "floors and ceilings of current belong to the check performance; here a change is limited"
    elif len(given) > 1:
        yield f"give one limit, not {_listed(given)}"
    if "max_drop" in given and better != "high":
        instead = "`max_rise`" if better == "low" else "`max_change`"
        yield f"a drop of it is no loss of performance: write {instead} in place of `max_drop`"
    if "max_rise" in given and better != "low":
        instead = "`max_drop`" if better == "high" else "`max_change`"
        yield f"a rise of it is no loss of performance: write {instead} in place of `max_rise`"


@check(cases=_cases, validate=_problems)
def concept_drift(
    reference: Scored,
    current: Scored,
    context: Context,
    *,
    metrics: dict[Measured, Change] | None = None,
    threshold: Share | None = None,
    prevalence: Prevalence = "reference",
    explain: bool = False,
    max_missing_label: Share = 0.05,  # noqa: ARG001 - the run reads it
) -> Claim:
    """
    Has the model's performance changed by more than its limit from reference to current?

    One case per metric. A change is current less reference, in the metric's own unit.

    Args:
        metrics: Metric to its limit: `max_drop` for what should be high, `max_rise` for losses, `max_change`
            either way, `max_relative_change` in shares of the reference's value, or `{}` to report only;
            slope and observed_expected take `max_change`, `max_relative_change`, or what they may be in
            current: `min` and `max`. Default: roc_auc and
            average_precision may drop by 0.05, slope and observed_expected lie within 0.8 and 1.25.
        threshold: A score at or above it raises an alert; for the metrics that need one.
        prevalence: The prevalence that average precision is compared at: the reference's on both sides, or
            the observed one of each. It rises with the prevalence, whatever the model does.
        explain: Add the cases relation:roc_auc and relation:log_loss, which say how much of the change is
            due to the relation of inputs and label, and not to the inputs.
        max_missing_label: The largest share of missing labels or scores; above it the case is an error.

    Raises:
        DataError: A metric does not exist for one of the datasets; a relative change from 0; too many
            labels or scores are missing; a score is no number from 0 to 1.

    References:
        roc_auc: DeLong, DeLong and Clarke-Pearson (1988), Biometrics 44, 837-845. average_precision at one
        prevalence: Siblini et al. (2020), IDA. slope: Cox (1958), Biometrika 45, 562-565. explain: Cai,
        Namkoong and Yadlowsky (2023), arXiv 2303.02011.

    Example:
        data: {reference: {demo: reference}, current: {demo: current}}
        columns: {target: readmitted_30d, positive_label: 1, score: risk}
        checks:
          - concept_drift: {metrics: {roc_auc: {max_drop: 0.05}, brier: {}}}
    """
    ((name, given),) = (metrics or {}).items()
    if explain:
        return _relation(reference, current, cast("Any", name), context)
    allowed: dict[str, float | None] = dict(given)
    if name in LEVELS and all(allowed.get(key) is None for key in CHANGES):
        return _level(name, allowed, reference, current, context)
    return _changed(
        name,
        allowed,
        reference,
        current,
        threshold=threshold,
        prevalence=reference.predictions.prevalence if prevalence == "reference" else None,
        context=context,
    )


def _relation(reference: Scored, current: Scored, metric: explain.Metric, context: Context) -> Claim:
    datasets = cast("Dataset", reference.dataset), cast("Dataset", current.dataset)
    return explain.relation(*datasets, reference, current, metric, context)


def _level(
    name: str,
    allowed: Mapping[str, float | None],
    reference: Scored,
    current: Scored,
    context: Context,
) -> Claim:
    """Return the Claim of a measure of calibration that current must hold."""
    from pytest_readmit.stats import measure
    from pytest_readmit.stats.effect import Undefined

    found = _defined(name, f"{current.name} ({current.source})", lambda: _calibration(name, current))
    try:
        before: float | None = _calibration(name, reference).estimate
    except Undefined:
        before = None
    went = "is" if before is None else f"went from {claims.figure(before)} to"
    return claims.of_scored(
        replace(measure.level(found), p_null=None),
        None,
        current,
        method=name,
        summary=f"{LEVELS[name]} {went} {claims.figure(found.estimate)}",
        details={
            **({"current": found.estimate} if before is None else claims.change(before, found.estimate)),
            **curves.of_metric(name, _sides(reference, current), context),
        },
        **limits.of_range(allowed),
    )


def _changed(
    name: str,
    allowed: Mapping[str, float | None],
    reference: Scored,
    current: Scored,
    *,
    threshold: float | None,
    prevalence: float | None,
    context: Context,
) -> Claim:
    """Return the Claim of a metric's change."""
    from pytest_readmit.stats import metrics

    before, after = (metric_value(name, side, threshold, prevalence) for side in (reference, current))
    how = next((key for key in CHANGES if allowed.get(key) is not None), "")
    limit = allowed.get(how)
    relative = how == "max_relative_change"

    def measured() -> "Effect":
        if name in LEVELS:
            return _calibration_change(name, reference, current, relative=relative)
        compare = metrics.relative_change if relative else metrics.change
        sides = reference.predictions, current.predictions
        return compare(name, *sides, threshold=threshold, prevalence=prevalence, seed=context.seed)

    effect = _defined(name, f"{reference.name} and {current.name}", measured)
    bound: dict[str, Any] = {"limit": limit, "direction": "at_most"}
    if how == "max_drop":
        effect = _opposite(effect)
    elif limit is not None and how == "max_change":
        bound = {"limit": (-limit, limit), "direction": "within"}
    return claims.of_scored(
        effect,
        reference,
        current,
        method=how.removeprefix("max_") or "change",
        summary=_said(name, how, before, after, prevalence),
        events=min(_fewest(name, side, threshold) for side in (reference, current)),
        details={
            **_details(name, reference, current, before, after, prevalence),
            **curves.of_metric(name, _sides(reference, current), context, prevalence=prevalence),
        },
        **bound,
    )


def _sides(reference: Scored, current: Scored) -> "dict[str, Predictions]":
    return {"reference": reference.predictions, "current": current.predictions}


def _calibration(name: str, side: Scored) -> "Measure":
    from pytest_readmit.stats import calibration

    measured = calibration.slope if name == "slope" else calibration.observed_expected
    return measured(side.predictions)


def _calibration_change(name: str, reference: Scored, current: Scored, *, relative: bool) -> "Effect":
    from pytest_readmit.stats import hybrid, measure

    before, after = (_calibration(name, side) for side in (reference, current))
    if not relative:
        return measure.change(before, after)
    bounded = (hybrid.of_effect(measure.level(side), side.n) for side in (before, after))
    return hybrid.size(hybrid.relative_difference(*bounded))


def _fewest(name: str, side: Scored, threshold: float | None) -> int:
    from pytest_readmit.stats import metrics

    return (
        side.predictions.fewest_events
        if name in LEVELS
        else metrics.fewest(name, side.predictions, threshold)
    )


def _defined(name: str, where: str, measured: Callable[[], Value]) -> Value:
    from pytest_readmit.stats.effect import Undefined

    try:
        return measured()
    except Undefined as error:
        raise DataError(f"{where}: {name}: {error}") from None


def metric_value(name: str, side: Scored, threshold: float | None, prevalence: float | None) -> float:
    """
    Return a metric's value, without the cost of its bounds.

    Raises:
        DataError: It does not exist for these rows.
    """
    from pytest_readmit.stats import metrics, precision

    def measured() -> float:
        if name in LEVELS:
            return _calibration(name, side).estimate
        if name == "average_precision":
            return precision.average_precision(side.predictions, prevalence=prevalence)
        return metrics.level(name, side.predictions, threshold=threshold).estimate

    return _defined(name, f"{side.name} ({side.source})", measured)


def _opposite(effect: "Effect") -> "Effect":
    """Return the Effect of minus the value: a drop is minus a change."""
    bounds, above, below, projected = effect.bounds, effect.p_beyond, effect.p_below, effect.projected

    def swapped(pair: tuple[float, float]) -> tuple[float, float]:
        return -pair[1], -pair[0]

    return replace(
        effect,
        estimate=-effect.estimate,
        bounds=None if bounds is None else lambda alpha: swapped(bounds(alpha)),
        p_beyond=None if below is None else lambda limit: below(-limit),
        p_below=None if above is None else lambda limit: above(-limit),
        projected=None if projected is None else lambda alpha, rows: swapped(projected(alpha, rows)),
    )


def _said(name: str, how: str, before: float, after: float, prevalence: float | None) -> str:
    at = ""
    if name == "average_precision" and prevalence is not None:
        at = f" at the reference's prevalence of {claims.figure(prevalence)}"
    change, values = after - before, f"from {claims.figure(before)} to {claims.figure(after)}"
    verb, size = "fell" if change < 0 else "rose", claims.figure(abs(change))
    if how == "max_relative_change":
        size = claims.percent(abs(change / before))
    elif (how == "max_drop" and change > 0) or (how == "max_rise" and change < 0):
        size += f" (a {how.removeprefix('max_')} of -{size})"
    elif how != "max_drop" and change < 0:
        size += f" (a change of -{size})"
    return (
        f"{name}{at} {verb} by {size}, {values}" if change else f"{name}{at} stayed at {claims.figure(after)}"
    )


def _details(
    name: str, reference: Scored, current: Scored, before: float, after: float, prevalence: float | None
) -> dict[str, Any]:
    """Return what the report shows of a change: both values, both prevalences, and what puts them right."""
    sides = (reference, current)
    shares = [side.predictions.prevalence for side in sides]
    rows: list[list[Any]] = [
        [name, before, after, after - before],
        ["prevalence", *shares, shares[1] - shares[0]],
    ]
    details: dict[str, Any] = {**claims.change(before, after), "prevalence": claims.change(*shares)}
    if name == "average_precision" and prevalence is not None:
        own = [metric_value(name, side, None, None) for side in sides]
        details["at_own_prevalence"] = claims.change(*own)
        rows.append(["average_precision, each at its own prevalence", *own, own[1] - own[0]])
    if name == "brier" and all(0 < share < 1 for share in shares):
        skill = [metric_value("brier_skill", side, None, None) for side in sides]
        details["brier_skill"] = claims.change(*skill)
        details["notes"] = [RAW_BRIER]
        rows.append(["brier_skill", *skill, skill[1] - skill[0]])
    details["table"] = {"columns": ["metric", reference.name, current.name, "change"], "rows": rows}
    return details
