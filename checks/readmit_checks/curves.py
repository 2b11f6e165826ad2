"""The curves that the report draws beside a metric: ROC, precision and recall, calibration."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pytest_readmit import Context

if TYPE_CHECKING:
    from pytest_readmit.stats.predictions import Predictions

KINDS: Mapping[str, str] = {
    "roc_auc": "roc",
    "average_precision": "precision_recall",
    "slope": "calibration",
}
"""Metric to the curve that shows it."""


def of_metric(
    metric: str,
    sides: "Mapping[str, Predictions]",
    context: Context,
    *,
    prevalence: float | None = None,
) -> dict[str, Any]:
    """
    Return ``{"curves": [...]}`` of a metric, one curve for each side that has rows enough; else nothing.

    Args:
        metric: What is compared.
        sides: Name of a dataset or model → its labelled predictions, the one that is judged last.
        context: Says what may be shown.
        prevalence: Share of events that precision is taken at; None: each side's own.
    """
    from pytest_readmit.stats import curves

    kind = KINDS.get(metric)
    if kind is None:
        return {}
    found = []
    for name, predictions in sides.items():
        if kind == "roc":
            curve = curves.roc(predictions, min_cell=context.min_cell)
        elif kind == "calibration":
            curve = curves.calibration(predictions, min_cell=context.min_cell)
        else:
            curve = curves.precision_recall(predictions, prevalence=prevalence, min_cell=context.min_cell)
        if curve is not None:
            found.append({"kind": kind, "name": name, **curve})
    return {"curves": found} if found else {}
