"""Gates whose truth is known: how often promotion lets a challenger through, beside the plain rule."""

import math
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, ndtri

from pytest_readmit import Context, run_suite
from pytest_readmit.rule import Policy, decide
from pytest_readmit.stats import roc
from pytest_readmit.stats.predictions import Predictions
from readmit_checks.contest import Contest, Rule, compared, guarded

pytestmark = pytest.mark.slow

ROWS = 5000
PREVALENCE = 0.11
GATES = 400
REPLICATES = 2000
LIMIT = 0.05 + 3 * math.sqrt(0.05 * 0.95 / REPLICATES)
SUITE = """
columns: {target: y, positive_label: 1}
models: {champion: {score: old}, challenger: {score: new}}
checks: [promotion]
"""

Scores = tuple[np.ndarray, np.ndarray, np.ndarray]


def binormal(
    rng: np.random.Generator, gain: float, correlation: float, rows: int = ROWS, auc: float = 0.7
) -> Scores:
    """Return labels and two scores of AUC `auc` and `auc + gain`, normal and correlated given the label."""
    y = rng.random(rows) < PREVALENCE
    old = rng.normal(size=rows)
    new = correlation * old + math.sqrt(1 - correlation**2) * rng.normal(size=rows)
    apart = [math.sqrt(2) * float(ndtri(area)) for area in (auc, auc + gain)]
    return y, old + apart[0] * y, new + apart[1] * y


def contest(y: np.ndarray, old: np.ndarray, *new: np.ndarray) -> Contest:
    dataset: Any = SimpleNamespace(name="current", source="simulated", rows=len(y), digest=lambda: None)
    names = ("challenger",) if len(new) == 1 else tuple(f"candidate-{i}" for i in range(len(new)))
    everyone = zip(("champion", *names), (old, *new), strict=True)
    rows = {name: Predictions(y, scores) for name, scores in everyone}
    return Contest(metric="roc_auc", threshold=None, dataset=dataset, rows=rows, rivals=names, left_out=0)


def verdict(*scores: np.ndarray) -> str:
    models: Any = None
    return decide(compared(contest(*scores), Rule(), models, Context()), Policy()).verdict


def plain(scores: Scores) -> bool:
    """The point rule: new - old > 0.01."""
    y, old, new = scores
    return roc.auc(Predictions(y, new)) - roc.auc(Predictions(y, old)) > 0.01


def rates(
    seed: int, gain: float, correlation: float, replicates: int = REPLICATES, **keys: Any
) -> Counter[str]:
    rng = np.random.default_rng(seed)
    found: Counter[str] = Counter()
    for _ in range(replicates):
        scores = binormal(rng, gain, correlation, **keys)
        found[verdict(*scores)] += 1
        found["plain rule"] += plain(scores)
    return found


def decided(scores: Scores, folder: Path) -> str:
    """Decide one gate as a user does: a suite, and a frame with the label and two columns of scores."""
    y, old, new = scores
    frame = pd.DataFrame({"y": y.astype(int), "old": expit(old - 3), "new": expit(new - 3)})
    (finding,) = run_suite(folder / "promotion.yml", data={"current": frame}).findings
    return finding.verdict


@pytest.mark.parametrize(
    ("gain", "correlation", "least", "most"), [(0.0, 0.9, 0, 29), (0.0, 0.5, 0, 29), (0.02, 0.9, 360, GATES)]
)
def test_of_four_hundred_gates(
    gain: float, correlation: float, least: int, most: int, tmp_path: Path
) -> None:
    (tmp_path / "promotion.yml").write_text(SUITE)
    rng = np.random.default_rng(20261123)
    gates = [binormal(rng, gain, correlation) for _ in range(GATES)]
    found = Counter(decided(gate, tmp_path) for gate in gates)
    by_plain_rule = sum(map(plain, gates))
    print(f"gain {gain}, correlation {correlation}: {dict(found)}, plain rule promotes {by_plain_rule}")
    assert least <= found["pass"] <= most
    assert found["error"] == 0


@pytest.mark.parametrize(("rows", "correlation"), [(1000, 0.5), (ROWS, 0.5), (ROWS, 0.9)])
def test_equal_models_are_promoted_no_more_often_than_alpha(rows: int, correlation: float) -> None:
    found = rates(7, 0.0, correlation, rows=rows)
    print(f"equal, n = {rows}, correlation {correlation}: {dict(found)} of {REPLICATES}")
    assert found["pass"] <= LIMIT * REPLICATES


@pytest.mark.parametrize("correlation", [0.5, 0.9])
def test_an_improvement_of_exactly_the_minimum_fails_no_more_often_than_alpha(correlation: float) -> None:
    found = rates(11, 0.01, correlation)
    print(f"better by 0.01, correlation {correlation}: {dict(found)} of {REPLICATES}")
    assert found["fail"] <= LIMIT * REPLICATES


def test_a_guard_certifies_a_drop_beyond_its_limit_no_more_often_than_alpha() -> None:
    rng = np.random.default_rng(13)
    found: Counter[str] = Counter()
    for _ in range(REPLICATES):
        y, old, new = binormal(rng, -0.01, 0.9)
        claim = guarded(contest(y, old, new), "roc_auc", 0.01, Context())
        found[decide(claim, Policy()).verdict] += 1
    print(f"a drop of 0.01, at most 0.01: {dict(found)} of {REPLICATES}")
    assert found["pass"] <= LIMIT * REPLICATES
    assert found["fail"] <= LIMIT * REPLICATES


def test_the_best_of_ten_equal_candidates_is_promoted_no_more_often_than_alpha() -> None:
    rng, replicates, rivals = np.random.default_rng(17), 500, 10
    promoted = plainly = 0
    for _ in range(replicates):
        y = rng.random(ROWS) < PREVALENCE
        shared, apart = rng.normal(size=ROWS), math.sqrt(2) * float(ndtri(0.7))
        own = rng.normal(size=(rivals + 1, ROWS))
        scores = math.sqrt(0.5) * shared + math.sqrt(0.5) * own + apart * y
        promoted += verdict(y, *scores) == "pass"
        plainly += any(plain((y, scores[0], new)) for new in scores[1:])
    print(f"best of {rivals} equal candidates: promoted {promoted} of {replicates}, plain rule {plainly}")
    assert promoted <= replicates * 0.05 + 3 * math.sqrt(replicates * 0.05 * 0.95)
