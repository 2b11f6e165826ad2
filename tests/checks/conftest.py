"""Frames, and the ways to put them before a check."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pytest_readmit import Claim, Context, Finding, Model, Models, Selected, run_check
from pytest_readmit.data.dataset import Dataset, Roles
from pytest_readmit.data.scored import Scores
from pytest_readmit.data.source import SourceSpec, open_dataset
from pytest_readmit.stats.metrics import METRICS
from readmit_checks import contest


def cohort(seed: int = 0, rows: int = 4000) -> pd.DataFrame:
    """Return a small modelling table; every column a check may want."""
    rng = np.random.default_rng(seed)
    sex = rng.choice(["F", "M"], rows)
    ward = rng.choice(["medicine", "surgery", "cardiology", "neurology"], rows, p=[0.4, 0.3, 0.2, 0.1])
    glucose = rng.lognormal(np.log(120), 0.25, rows).round(0)
    glucose[rng.random(rows) < 0.05] = np.nan
    risk = rng.beta(2, 14, rows)
    return pd.DataFrame(
        {
            "subject_id": rng.integers(0, rows, rows),
            "hadm_id": np.arange(rows) + 1_000_000 * (seed + 1),
            "dischtime": pd.Timestamp("2026-01-01") + pd.to_timedelta(rng.integers(0, 200, rows), unit="D"),
            "age": rng.normal(64, 15, rows).clip(18, 100).round(1),
            "glucose": glucose,
            "sex": sex,
            "ward": ward,
            "readmitted_30d": (rng.random(rows) < risk).astype(int),
            "risk": risk,
        }
    )


@pytest.fixture(scope="session")
def reference() -> pd.DataFrame:
    return cohort(0)


@pytest.fixture
def current() -> pd.DataFrame:
    return cohort(1)


@pytest.fixture(scope="session")
def make_cohort() -> Callable[..., pd.DataFrame]:
    return cohort


ROLES = {
    "target": "readmitted_30d",
    "positive_label": 1,
    "score": "risk",
    "id": "hadm_id",
    "time": "dischtime",
}


@pytest.fixture(scope="session")
def find() -> Callable[..., list[Finding]]:
    """Decide a check on two frames with the cohort's roles; patients are named on demand."""

    def decide(check: str, before: Any, after: Any, *, roles: Any = None, **keys: Any) -> list[Finding]:
        return run_check(check, before, after, roles=ROLES if roles is None else roles, **keys)

    return decide


@pytest.fixture(scope="session")
def find_one(find: Callable[..., list[Finding]]) -> Callable[..., Finding]:
    """Decide a check that has one case."""

    def decide(check: str, before: Any, after: Any, **keys: Any) -> Finding:
        findings = find(check, before, after, **keys)
        assert len(findings) == 1, [finding.id for finding in findings]
        return findings[0]

    return decide


@pytest.fixture(scope="session")
def of_column(find_one: Callable[..., Finding]) -> Callable[..., Finding]:
    """Decide a check on one column, called x, given as two lists of values."""

    def decide(check: str, before: Any, after: Any, *, roles: Any = None, **keys: Any) -> Finding:
        frames = [pd.DataFrame({"x": values}) for values in (before, after)]
        return find_one(check, *frames, roles=roles or {}, columns=["x"], **keys)

    return decide


@pytest.fixture(scope="session")
def opened() -> Callable[..., tuple[Dataset, Dataset]]:
    """Open two frames as datasets, for the Claims themselves."""

    def pair(before: pd.DataFrame, after: pd.DataFrame, **roles: Any) -> tuple[Dataset, Dataset]:
        chosen = Roles(**{**ROLES, "patient": "subject_id", **roles})
        first = open_dataset("reference", _spec(before), chosen)
        return first, open_dataset("current", _spec(after), chosen, like=first)

    return pair


def _spec(frame: pd.DataFrame) -> SourceSpec:
    return SourceSpec(kind="frame", value="DataFrame", base=Path("."), frame=frame)


@pytest.fixture(scope="session")
def every_claim(opened: Callable[..., tuple[Dataset, Dataset]]) -> dict[str, list[Claim]]:
    """Return Claims of every built-in check, each by its own ways of measuring, with and without patients."""
    from readmit_checks import (
        behavior,
        calibration,
        concept,
        drift,
        estimated,
        fairness,
        fairness_paired,
        groups,
        integrity,
        joint,
        methods,
        missing,
        outcomes,
        performance,
        quality,
        units,
    )

    context = Context()
    before, after = opened(cohort(0, 600), _drifted(cohort(1, 500)))
    age, glucose, ward = ((before.column(name), after.column(name)) for name in ("age", "glucose", "ward"))
    distances = [
        drift.data_drift(*pair, context, method=name)
        for name, method in methods.METHODS.items()
        for pair in (age, ward)
        if method.limit is not None and pair[0].kind in method.kinds
    ]
    parts = {
        pair[0].name: drift._feature_drift(
            *pair, context=context, method="auto", column_max=0.05, bins=None, yates=False
        )
        for pair in (age, glucose, ward)
    }
    numbers = opened(cohort(0, 600), cohort(1, 500), target="age", positive_label=None)
    levels = opened(cohort(0, 600), _drifted(cohort(1, 500)), target="ward", positive_label=None)
    return {
        "data_drift": distances,
        "drift_share": [drift.drift_share(parts, context)],
        "target_drift": [
            outcomes.target_drift(before, after, context),
            outcomes.target_drift(before, after, context, max_ratio=1.5),
            outcomes.target_drift(*numbers, context),
            outcomes.target_drift(*levels, context),
        ],
        "promotion": _promotions(after, context),
        "prediction_drift": [outcomes.prediction_drift(before, after, context, threshold=0.2)],
        "missing_drift": [missing.missing_drift(*glucose), missing.missing_drift(*age, direction="up")],
        "unseen_categories": [quality.unseen_categories(*ward, context)],
        "out_of_range": [quality.out_of_range(age[1], context, ranges={"age": (18, 80)})],
        "extreme_values": [quality.extreme_values(*glucose, context)],
        "unit_change": [units.unit_change(*glucose, context), units.unit_change(*age, context)],
        "calibration": [
            calibration.calibration(after.scored(), context, measures={name: {"max": 0.02}})
            for name in ("slope", "intercept", "observed_expected", "ece")
        ],
        "joint_drift": [joint.joint_drift(before, after, Selected())],
        "fairness": [
            fairness.fairness(
                after.scored(),
                _models(),
                context,
                threshold=0.15,
                measures={name: {"max": 0.1}},
                intersections=[["ward"]],
            )
            for name in fairness.MEASURES
        ]
        + [
            fairness_paired.compared(
                after.scored(),
                after.scored(given=Scores(np.roll(after.scores(0.05).values, 1), "old")),
                context,
                names=names,
                subject="ward",
                threshold=0.15,
                most=0.05,
                by=groups.of_columns(after.scored(), ["ward"], {}, 11),
            )
            for names in fairness.MEASURES.values()
        ],
        "concept_drift": [
            concept.concept_drift(
                before.scored(), after.scored(), context, threshold=0.15, metrics={name: limit}
            )
            for name, limit in _changes()
        ],
        "estimated_performance": [
            estimated.estimated_performance(side, threshold=0.15, metrics={name: {"min": 0.1}})
            for name in METRICS
            for side in (before, after)
        ],
        "performance": [
            performance.performance(side.scored(), context, threshold=0.15, metrics={name: {"min": 0.1}})
            for name in METRICS
            for side in (before, after)
        ],
        "behavior": [
            behavior.behavior(before, _models(), context, examples=20, **{"bounded": False, **keys})
            for keys in (
                {"bounded": True},
                {"invariant": ("sex",)},
                {"monotonic": ({"feature": "age", "direction": "up"},)},
            )
        ],
        "schema": [integrity.schema(before, after, ())],
        "unique": [integrity.unique(after, context, ())],
        "patient_overlap": [integrity.patient_overlap(before, after, context, max=0.0)],
        "label_maturity": [integrity.label_maturity(after, context, index_time="dischtime")],
    }


def _promotions(current: Dataset, context: Context) -> list[Claim]:
    """Return a challenger better than the champion, guarded, and one of three that is as good."""
    rows = current.scored().predictions
    noise = np.random.default_rng(3).normal(0, 0.03, (3, rows.n))
    scores = {
        "champion": rows.score - noise[0],
        "challenger": rows.score,
        "candidate-1": rows.score + noise[1],
    }
    models: Any = SimpleNamespace(book=SimpleNamespace(uses=lambda *_: None))
    claims = []
    for rivals in (("challenger",), ("challenger", "candidate-1")):
        held = contest.Contest(
            metric="roc_auc",
            threshold=0.15,
            dataset=current,
            rows={name: replace(rows, score=score) for name, score in scores.items()},
            rivals=rivals,
            left_out=0,
        )
        claims += [contest.compared(held, rule, models, context) for rule in _RULES]
        claims += [contest.guarded(held, name, 0.01, context) for name in ("brier", "recall")]
    return claims


_RULES = (contest.Rule(), contest.Rule(proven_above=0.02), contest.Rule(non_inferior_by=0.01))


def _changes() -> list[tuple[Any, Any]]:
    """Return every metric of concept_drift with each kind of limit."""
    kinds = ("max_drop", "max_rise", "max_change", "max_relative_change")
    level: dict[str, float] = {"min": 0.8, "max": 1.25}
    limits = (level, {"max_change": 0.1}, {"max_relative_change": 0.1})
    levels = [(name, limit) for name in ("slope", "observed_expected") for limit in limits]
    return [(name, {kind: 0.05}) for name in METRICS for kind in kinds] + levels


def _models() -> Models:
    """Return the models of a suite whose only one sees more risk in age."""

    def predict_proba(rows: pd.DataFrame) -> np.ndarray:
        risk = rows["age"].to_numpy() / 200
        return np.column_stack([1 - risk, risk])

    estimator = SimpleNamespace(
        classes_=[0, 1], feature_names_in_=["age", "sex"], predict_proba=predict_proba
    )
    return Models(lambda name: Model(name, "memory", estimator, 1), ("m",), "m")


def _drifted(frame: pd.DataFrame) -> pd.DataFrame:
    frame.loc[frame.index[::10], "glucose"] *= 18
    frame.loc[frame.index[::7], "glucose"] = np.nan
    frame.loc[frame.index[::9], "ward"] = "hospice"
    frame["age"] += 4
    return frame
