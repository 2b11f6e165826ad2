"""How often concept_drift errs with the true drop at its limit, and beside it the rule of five per cent."""

import math
import zlib
from collections import Counter
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy.integrate import trapezoid
from scipy.optimize import brentq
from scipy.special import expit, ndtr, ndtri
from scipy.stats import norm

from pytest_readmit import Context, Scored, Scores
from pytest_readmit.rule import Policy, decide
from pytest_readmit.stats import metrics
from readmit_checks.concept import DEFAULT, concept_drift

pytestmark = pytest.mark.slow

ALPHA = 0.05
PREVALENCE = 0.11
LIMIT = 0.05
CORRELATION = 0.5
BEFORE = math.sqrt(2) * ndtri(0.75)
"""How far the scores of events and non-events are apart in the reference, in standard deviations."""
SETTINGS = [(rows, each) for rows in (1000, 10_000) for each in (1, 5)]
TABLE: list[str] = []

Floats = npt.NDArray[np.float64]


def allowed(runs: int) -> float:
    return ALPHA + 3 * math.sqrt(ALPHA * (1 - ALPHA) / runs)


def area(apart: float) -> float:
    return float(ndtr(apart / math.sqrt(2)))


def precision_area(apart: float) -> float:
    """Return the population's average precision."""
    at = np.linspace(-9, 9 + apart, 20_001)
    hits, alerts = PREVALENCE * ndtr(apart - at), (1 - PREVALENCE) * ndtr(-at)
    return float(trapezoid(norm.pdf(at - apart) * hits / (hits + alerts), at))


POPULATION = {"roc_auc": area, "average_precision": precision_area}


def apart_after(name: str, drop: float) -> float:
    """Return the separation at which a metric has dropped by so much."""
    value = POPULATION[name]
    if drop == 0:
        return BEFORE
    return float(brentq(lambda apart: value(BEFORE) - value(apart) - drop, 1e-6, BEFORE))


def drawn(rng: np.random.Generator, name: str, apart: float, rows: int, each: int) -> Scored:
    """Return rows whose scores are calibrated, labels and scores of one patient's rows correlated."""

    def latent() -> Floats:
        own = rng.standard_normal(rows)
        if each == 1:
            return own
        shared = rng.standard_normal(rows // each).repeat(each)
        return math.sqrt(CORRELATION) * shared + math.sqrt(1 - CORRELATION) * own

    positive = latent() < ndtri(PREVALENCE)
    noise = latent()
    odds = math.log(PREVALENCE / (1 - PREVALENCE)) + apart * (noise + apart * positive) - apart**2 / 2
    owners = None if each == 1 else np.arange(rows) // each
    home: Any = SimpleNamespace(
        name=name, source=name, rows=rows, roles=SimpleNamespace(target="y"), owners=lambda: owners
    )
    labels: Any = SimpleNamespace(positive=positive, known=np.ones(rows, dtype=bool), missing=0)
    return Scored(home, labels, Scores(expit(odds), "risk"))


def rates(
    allowance: Mapping[str, Mapping[str, float]], apart: float, rows: int, each: int, runs: int, m: int = 1
) -> Counter[str]:
    """Return the share of runs in which the worst of some gates was each verdict."""
    rng = np.random.default_rng(zlib.crc32(repr((sorted(allowance), apart, rows, each)).encode()))
    counted: Counter[str] = Counter()
    for _ in range(runs):
        sides = drawn(rng, "reference", BEFORE, rows, each), drawn(rng, "current", apart, rows, each)
        verdicts = {
            decide(concept_drift(*sides, Context(), metrics={name: limit}), Policy(m=m)).verdict
            for name, limit in allowance.items()
        }
        counted[min(verdicts, key=["error", "fail", "inconclusive", "pass"].index)] += 1
    return Counter({verdict: count / runs for verdict, count in counted.items()})


def told(what: str, rows: int, each: int, runs: int, found: Mapping[str, float]) -> None:
    shares = f"fail {found['fail']:.4f}  inconclusive {found['inconclusive']:.4f}  pass {found['pass']:.4f}"
    TABLE.append(f"{what:42} n={rows:6,} rows a patient {each}  R={runs:5,}  {shares}")


# Average precision with 100 replicates: the bootstrap takes nearly all of the time.
RUNS = {
    ("roc_auc", 1000): 5000,
    ("roc_auc", 10_000): 2000,
    ("average_precision", 1000): 600,
    ("average_precision", 10_000): 150,
}


@pytest.mark.parametrize(("rows", "each"), SETTINGS)
@pytest.mark.parametrize("name", ["roc_auc", "average_precision"])
def test_a_drop_at_the_limit_is_rarely_failed_or_passed(
    name: str, rows: int, each: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "REPLICATES", 100)
    gate = {name: {"max_drop": LIMIT}}
    runs = RUNS[name, rows]
    found = rates(gate, apart_after(name, LIMIT), rows, each, runs)
    told(f"{name}: drop of 0.05, the limit", rows, each, runs, found)
    assert max(found["fail"], found["pass"]) <= allowed(runs), found
    few = max(40, runs // 20)
    for drop, what in ((0.0, "no drop"), (0.1, "drop of 0.10")):
        power = rates(gate, apart_after(name, drop), rows, each, few)
        told(f"{name}: {what}", rows, each, few, power)
        assert power["fail" if drop == 0 else "pass"] <= allowed(few)


@pytest.mark.parametrize(("rows", "each"), SETTINGS)
def test_the_default_entry_rarely_fails_where_nothing_drifted(
    rows: int, each: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "REPLICATES", 100)
    runs = 300 if rows == 1000 else 60
    found = rates(DEFAULT, BEFORE, rows, each, runs, m=len(DEFAULT))
    told("default entry: no drift, calibrated", rows, each, runs, found)
    assert found["fail"] <= allowed(runs)
    assert found["error"] == 0


@pytest.mark.parametrize(("rows", "each"), SETTINGS)
def test_the_five_per_cent_rule_fails_where_nothing_drifted(rows: int, each: int) -> None:
    from pytest_readmit.stats import precision, roc

    runs = 400 if rows == 1000 else 200
    rng = np.random.default_rng(rows + each)
    alarms = 0
    for _ in range(runs):
        sides = [drawn(rng, name, BEFORE, rows, each).predictions for name in ("reference", "current")]
        moved = [
            abs(metric(sides[1]) / metric(sides[0]) - 1) > 0.05
            for metric in (roc.auc, precision.average_precision)
        ]
        alarms += any(moved)
    share = alarms / runs
    found = {"fail": share, "inconclusive": 0.0, "pass": 1 - share}
    told("5% rule (relative, by estimate): no drift", rows, each, runs, found)
    assert share > 0.3
