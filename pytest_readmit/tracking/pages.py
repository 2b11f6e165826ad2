"""The evaluation of a run as one page, as pictures, and as names that MLflow takes."""

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from pytest_readmit.report.words import figure
from pytest_readmit.tracking.evaluation import ALPHA, Groups, Measured
from pytest_readmit.tracking.explain import SHOWN, Shap
from pytest_readmit.tracking.pictures import alone, bars, curve, matrix, page, section, swarm, table

__all__ = ["alone", "bars", "beeswarm", "drawings", "evaluation_page", "group_json", "key", "metric_names"]

_LONGEST_PART = 45
_TITLES = {
    "roc_curve": "ROC curve",
    "precision_recall_curve": "Precision and recall",
    "calibration": "Calibration",
    "confusion_matrix": "Confusion matrix",
    "feature_importance": "Feature importance",
    "shap_summary": "SHAP summary",
}
_UNFIT = re.compile(r"[^\w.\- ]", re.ASCII)


def key(text: str) -> str:
    """Return a text as one part of a metric's name; what had to be changed ends in six hex digits."""
    plain = _UNFIT.sub("_", text)[:_LONGEST_PART].strip()
    if plain == text and plain not in ("", ".", ".."):
        return plain
    return f"{plain}-{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:6]}"


def metric_names(groups: Groups) -> dict[str, str]:
    """Return what the metrics of each group begin with."""
    return {level: f"group/{key(groups.column)}/{key(level)}" for level in groups.measured}


def group_json(groups: Groups) -> dict[str, Any]:
    """Return metrics by group as plain JSON values."""
    return {
        "column": groups.column,
        "groups_not_shown": groups.hidden,
        "groups": [
            {
                "value": level,
                "rows": rows,
                "metrics": {
                    name: {"value": value, "lower": lower, "upper": upper}
                    for name, (value, lower, upper) in found.values.items()
                },
                "undefined": found.undefined,
            }
            for level, (rows, found) in groups.measured.items()
        ],
    }


def drawings(
    lines: Mapping[str, Mapping[str, list[float]]], counts: Mapping[str, int | None], min_cell: int
) -> dict[str, Markup]:
    """Return the pictures of the curves and of the confusion matrix."""
    area, recall, calibrated = lines["roc_curve"], lines["precision_recall_curve"], lines["calibration"]
    return {
        "roc_curve": curve(
            list(zip(area["false_positive_rate"], area["true_positive_rate"], strict=True)),
            x="false positive rate",
            y="true positive rate",
            title="ROC curve",
            diagonal=True,
        ),
        "precision_recall_curve": curve(
            list(zip(recall["recall"], recall["precision"], strict=True)),
            x="recall",
            y="precision",
            title="Precision-recall curve",
        ),
        "calibration": curve(
            list(zip(calibrated["predicted"], calibrated["observed"], strict=True)),
            x="predicted probability",
            y="observed share",
            title="Calibration",
            diagonal=True,
            intervals=list(zip(calibrated["lower"], calibrated["upper"], strict=True)),
        ),
        "confusion_matrix": matrix(counts, min_cell=min_cell, title="Confusion matrix"),
    }


def evaluation_page(
    found: Measured,
    drawn: Mapping[str, Markup],
    groups: list[Groups],
    *,
    threshold: float,
    min_cell: int,
) -> str:
    """Return everything that was measured on the test rows as one page."""
    rows = [(name, *map(figure, triple)) for name, triple in found.values.items()]
    rows += [(name, "–", "", why) for name, why in found.undefined.items()]
    level = f"{1 - 2 * ALPHA:.0%} interval"
    columns = ("metric", "value", f"lower, {level}", "upper")
    sections = [
        section("Metrics", table(columns, rows), note=f"An alert is a score of at least {threshold:g}.")
    ]
    for name, picture in drawn.items():
        sections.append(section(_TITLES[name], picture))
    sections += [_group_section(each, min_cell) for each in groups]
    lead = f"On the test rows. Counts from 1 to {min_cell - 1} are not shown."
    return page("Evaluation", lead, sections)


def _group_section(groups: Groups, min_cell: int) -> Markup:
    names = list(dict.fromkeys(name for _, found in groups.measured.values() for name in found.values))
    rows = [
        (level, "" if rows is None else f"{rows:,}", *(_interval(found, name) for name in names))
        for level, (rows, found) in groups.measured.items()
    ]
    note = ""
    if groups.hidden:
        note = f"Values with fewer than {min_cell} rows or patients are not shown: {groups.hidden}."
    return section(f"By {groups.column}", table((groups.column, "rows", *names), rows), note=note)


def _interval(found: Measured, name: str) -> str:
    if name not in found.values:
        return "–"
    value, lower, upper = map(figure, found.values[name])
    return f"{value} ({lower} to {upper})"


def beeswarm(found: Shap) -> Markup:
    """Return the SHAP values of single rows as a picture."""
    rows = [
        (name, found.values[:, place].tolist(), found.places[:, place].tolist())
        for place, name in enumerate(found.features[:SHOWN])
    ]
    return swarm(rows, title="SHAP values of single rows")
