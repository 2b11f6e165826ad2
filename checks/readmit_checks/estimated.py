"""What performance can be expected while labels are not in."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_readmit import Case, Claim, DataError, Dataset, Schema, Share, check
from pytest_readmit.stats.metrics import METRICS, MetricName
from readmit_checks import claims, limits
from readmit_checks.concept import metric_value

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

REPORTED = ("roc_auc", "average_precision", "brier_skill")
"""What is expected of these is told where no metric is named."""

NEVER_PASSES = "an expectation from scores alone proves no performance; labels decide"
ASSUMED = (
    "It holds only for scores that are calibrated on these rows, and inputs that mean what they did: "
    "a changed relation of inputs and label (concept drift) cannot be seen without labels."
)
NOTES = (
    ASSUMED,
    "The bounds say where the metric may lie once labels are in.",
)
BY_PATIENT = "Labels of one patient may be correlated to any degree; the bounds are as wide as that needs."


def _cases(parameters: Mapping[str, Any], _: Schema) -> Sequence[Case]:
    metrics = parameters["metrics"] or {name: {} for name in REPORTED}
    return [Case(name, {"metrics": {name: allowed}}) for name, allowed in metrics.items()]


def _problems(parameters: Mapping[str, Any], decide_by: str) -> Iterator[tuple[str, str]]:
    metrics = parameters["metrics"]
    if decide_by == "p_value":
        yield "p_value", "an expected metric has no null hypothesis: leave p_value out"
    if metrics is None:
        return
    if not metrics:
        yield "metrics", "`metrics` is empty: name a metric, or leave `metrics` out"
    yield from limits.threshold_problems(metrics, parameters["threshold"])
    for name, allowed in metrics.items():
        for problem in limits.range_problems(name, allowed, METRICS[name].lowest, METRICS[name].highest):
            yield "metrics", problem


@check(cases=_cases, validate=_problems, severity="warn", may_block=False)
def estimated_performance(
    current: Dataset,
    *,
    metrics: dict[MetricName, limits.Range] | None = None,
    threshold: Share | None = None,
    max_missing_label: Share = 0.05,
) -> Claim:
    """
    Is the performance that the scores promise still good, while labels are not in?

    A fail is a warning, and nothing ever passes: the promise holds only for calibrated scores and an
    unchanged relation of inputs and label. Once labels are in, the truth is shown beside it.

    One case per metric.

    Args:
        metrics: Metric to what is expected of it: `{min: 0.7}`, `{max: 0.1}`, both, or `{}` to report only.
            Default: roc_auc, average_precision and brier_skill are reported.
        threshold: A score at or above it raises an alert; for the metrics that need one.
        max_missing_label: The largest share of missing scores; above it the case is an error.

    Raises:
        DataError: The metric does not exist for these scores; too many scores are missing; a score is no
            number from 0 to 1.

    References:
        Białek et al. (2024), Estimating model performance under covariate shift without labels.

    Example:
        data: {current: {demo: current}}
        columns: {score: risk}
        checks:
          - estimated_performance: {metrics: {roc_auc: {min: 0.65}}}
    """
    import numpy as np

    from pytest_readmit.stats import cbpe, measure
    from pytest_readmit.stats.effect import Undefined

    ((name, allowed),) = (metrics or {}).items()
    scores = current.scores(max_missing_label)
    known = ~np.isnan(scores.values)
    owners = _numbered(current.owners(), known)
    try:
        expected = cbpe.expected(name, scores.values[known], owners, threshold=threshold)
    except Undefined as error:
        raise DataError(f"{current.source}: score {scores.column!r}: {name}: {error}") from None
    truth, notes = _truth(current, name, threshold, max_missing_label)
    details: dict[str, Any] = {"expected": expected.estimate, "standard_error": expected.standard_error}
    said = f"{name} expected from the scores is {claims.figure(expected.estimate)}"
    if truth is not None:
        details |= {"truth": truth, "table": _table(name, expected.estimate, truth)}
        said = f"{name} is {claims.figure(truth)} by the labels; {said}"
    if scores.missing:
        details["missing_scores_current"] = scores.missing
    details["notes"] = [*NOTES, *([BY_PATIENT] if owners is not None else []), *notes]
    return claims.of_effect(
        replace(measure.level(expected), p_null=None),
        method="expected from scores",
        summary=said,
        n_current=int(np.count_nonzero(known)),
        units_current=None if owners is None else int(owners.max()) + 1,
        events=cbpe.fewest_events(scores.values[known], owners),
        unpassable=NEVER_PASSES,
        details=details,
        **limits.of_range(dict(allowed)),
    )


def _numbered(
    owners: "npt.NDArray[np.int64] | None", known: "npt.NDArray[np.bool_]"
) -> "npt.NDArray[np.int64] | None":
    """Return the patients of some rows, numbered from 0 without gaps."""
    import numpy as np

    return None if owners is None else np.unique(owners[known], return_inverse=True)[1].astype(np.int64)


def _truth(
    current: Dataset, name: str, threshold: float | None, max_missing: float
) -> tuple[float | None, Sequence[str]]:
    """Return the metric by the labels, where they are in, or why it cannot be told."""
    if current.roles.target is None:
        return None, ()
    try:
        found = metric_value(name, current.scored(max_missing), threshold, None)
    except DataError:
        return None, ("Too few labels of current can be used to show the truth beside it.",)
    return found, ("Labels are in: the truth stands beside the expectation and does not decide.",)


def _table(name: str, expected: float, truth: float) -> dict[str, Any]:
    columns = ["metric", "expected", "truth", "truth - expected"]
    return {"columns": columns, "rows": [[name, expected, truth, truth - expected]]}
