"""The curves in a case's details: which cases hold them, whose they are, and what they never tell."""

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from pytest_readmit import Finding, run_suite

Find = Callable[..., list[Finding]]


def drawn(finding: Finding) -> list[tuple[str, str]]:
    return [(curve["kind"], curve["name"]) for curve in finding.details.get("curves", ())]


@pytest.mark.parametrize("patient", [None, "subject_id"])
def test_a_metric_with_a_curve_holds_it_for_each_side(
    patient: str | None, find: Find, reference: pd.DataFrame, current: pd.DataFrame
) -> None:
    roles = {"target": "readmitted_30d", "positive_label": 1, "score": "risk"}
    if patient:
        roles["patient"] = patient
    levels = find(
        "performance",
        reference,
        current,
        roles=roles,
        metrics={"roc_auc": {}, "average_precision": {}, "brier": {}},
    )
    changes = find("concept_drift", reference, current, roles=roles)
    assert [drawn(each) for each in levels] == [[("roc", "current")], [("precision_recall", "current")], []]
    assert [drawn(each) for each in changes] == [
        [(kind, side) for side in ("reference", "current")]
        for kind in ("roc", "precision_recall", "calibration")
    ] + [[]]
    for finding in (*levels, *changes):
        for curve in finding.details.get("curves", ()):
            lines = [curve[key] for key in ("x", "y", "lower", "upper")]
            assert {len(line) for line in lines} == {len(curve["x"])}
            assert 2 <= len(curve["x"]) <= 62
            assert curve["x"] == sorted(curve["x"])
            assert all(type(value) is float and round(value, 4) == value for line in lines for value in line)
            assert all(low <= y <= high for _, y, low, high in zip(*lines, strict=True))
            assert curve["n"] is None or min(curve["n"]) >= 11


def test_models_that_compete_are_drawn_together(tmp_path: Any, current: pd.DataFrame) -> None:
    path = tmp_path / "promotion.yml"
    path.write_text(
        "columns: {target: readmitted_30d, positive_label: 1}\n"
        "models: {champion: {score: old}, challenger: {score: risk}}\n"
        "checks:\n  - promotion: {guards: {average_precision: {max_drop: 0.1}, brier: {max_rise: 0.1}}}\n"
    )
    result = run_suite(path, data={"current": current.assign(old=current["risk"] ** 2)})
    sides = ("champion", "challenger")
    assert [drawn(each) for each in result.findings] == [
        [("roc", side) for side in sides],
        [("precision_recall", side) for side in sides],
        [],
    ]


def test_too_few_events_are_not_drawn(find: Find, current: pd.DataFrame) -> None:
    rows = pd.concat(
        [current[current["readmitted_30d"] == label].head(n) for label, n in ((1, 10), (0, 300))]
    )
    found = find("performance", None, rows, metrics={"roc_auc": {}})
    assert "curves" not in found[0].details
