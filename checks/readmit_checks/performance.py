"""Is the model good enough: floors and ceilings for what it achieves on current data."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_readmit import Case, Claim, Context, DataError, Schema, Scored, Share, check
from pytest_readmit.stats.metrics import METRICS, MetricName
from readmit_checks import claims, curves, limits
from readmit_checks.limits import Range

if TYPE_CHECKING:
    from pytest_readmit.stats.predictions import Predictions

FEWEST_COUNTED = 10
METHODS = {
    "roc_auc": "delong",
    "average_precision": "bootstrap",
    "brier": "mean",
    "log_loss": "mean",
    "brier_skill": "ratio_of_means",
    "f1": "wilson",
    "balanced_accuracy": "hybrid_wilson",
    "net_benefit": "hybrid_wilson",
}
"""How the interval of a metric is made; Wilson's for the others, which are shares."""


def _problems(parameters: Mapping[str, Any], decide_by: str) -> Iterator[tuple[str, str]]:
    metrics: Mapping[str, Mapping[str, float | None]] = parameters["metrics"]
    threshold = parameters["threshold"]
    if not metrics:
        yield "metrics", "`metrics`: name at least one, such as {roc_auc: {min: 0.7}}"
    for name, allowed in metrics.items():
        metric = METRICS[name]
        for problem in limits.range_problems(name, allowed, metric.lowest, metric.highest):
            yield "metrics", problem
    yield from limits.threshold_problems(metrics, threshold)
    if decide_by == "p_value":
        yield "metrics", "performance compares with limits, not with a null hypothesis: leave p_value out"


def _cases(parameters: Mapping[str, Any], _: Schema) -> Sequence[Case]:
    return [Case(name, {"metrics": {name: allowed}}) for name, allowed in parameters["metrics"].items()]


@check(cases=_cases, validate=_problems)
def performance(
    current: Scored,
    context: Context,
    *,
    metrics: dict[MetricName, Range],
    threshold: Share | None = None,
    max_missing_label: Share = 0.05,  # noqa: ARG001 - read where labels and scores are
) -> Claim:
    """
    Is each metric at least its `min` and at most its `max`?

    One case per metric. A metric without limits, as in `brier: {}`, is measured and reported, and only an
    error can fail it; so an entry may hold nothing but such metrics.

    Args:
        metrics: Metric to its limits `min` and `max`; {} reports only. roc_auc, average_precision, brier,
            brier_skill, log_loss and, with `threshold`, accuracy, precision, recall, specificity, npv, f1,
            balanced_accuracy, alert_rate, net_benefit.
        threshold: A score at or above it raises an alert.
        max_missing_label: The largest share of missing labels, and of scores; above it the case is an
            error.

    Raises:
        DataError: The metric does not exist for these rows (one class only, no alerts for precision); too
            many labels or scores are missing; a score is no number from 0 to 1.

    References:
        roc_auc: DeLong, DeLong and Clarke-Pearson (1988), Biometrics 44, 837-845; by patient Obuchowski
        (1997). average_precision: Field and Welsh (2007), JRSS B 69, 369-390. brier_skill: Murphy (1973).
        Shares: Wilson (1927), JASA 22, 209-212. net_benefit: Vickers and Elkin (2006), Med. Decis. Making
        26, 565-574.

    Example:
        data: {current: {demo: current}}
        columns: {target: readmitted_30d, positive_label: 1, score: risk}
        checks:
          - performance: {threshold: 0.15, metrics: {roc_auc: {min: 0.65}, recall: {min: 0.35}, brier: {}}}
    """
    from pytest_readmit.stats import metrics as measured
    from pytest_readmit.stats.effect import Undefined

    ((name, allowed),) = metrics.items()
    predictions = current.predictions
    used = threshold if METRICS[name].needs_threshold else None
    try:
        effect = measured.level(name, predictions, threshold=used, seed=context.seed)
        counted = measured.fewest(name, predictions, used)
    except Undefined as error:
        raise DataError(f"{current.source}: {name} of score {current.score!r}: {error}") from None
    at = "" if used is None else f" at threshold {used:g}"
    few_alerts = counted < min(FEWEST_COUNTED, predictions.fewest_events)
    return claims.of_scored(
        # The metric's own p-value is against 0, which is no hypothesis of anybody's.
        replace(effect, p_null=None),
        None,
        current,
        method=METHODS.get(name, "wilson"),
        summary=f"{name}{at} is {claims.figure(effect.estimate)}",
        events=counted,
        undecidable=f"{name} has too few rows to count among{at}" if few_alerts else None,
        details={
            "current": float(effect.estimate),
            **_counts(predictions, used, context),
            **curves.of_metric(name, {"current": predictions}, context),
        },
        **limits.of_range(dict(allowed)),
    )


def _counts(predictions: "Predictions", threshold: float | None, context: Context) -> dict[str, Any]:
    """Return what the metric was counted from; no share from which a small count could be had."""
    import numpy as np

    events, others = predictions.events, predictions.n - predictions.events
    if 0 < min(events, others) < context.min_cell:
        return {}  # either count tells the other, which is too small to be shown
    told: dict[str, Any] = {"events": events, "non_events": others}
    if min(events, others):
        told["prevalence"] = predictions.prevalence
    if threshold is None:
        return told
    alert = predictions.score >= threshold
    cells = np.bincount(2 * predictions.positive + alert, minlength=4).tolist()
    told["threshold"] = threshold
    if not any(0 < cell < context.min_cell for cell in cells):
        rows = [["events", cells[3], cells[2]], ["non-events", cells[1], cells[0]]]
        told["table"] = {"columns": ["label", "rows with an alert", "rows without"], "rows": rows}
    return told
