"""Simulated error rates of the largest gap between groups, with the true gap at the limit, and its power."""

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pytest
from scipy.special import ndtri

from pytest_readmit.stats import fairness
from pytest_readmit.stats.predictions import Predictions

pytestmark = pytest.mark.slow

ALPHA = 0.05
PREVALENCE = 0.11
ICC = 0.5
TPR, FPR = "true positive rate", "false positive rate"
TWO, FIVE = (0.5, 0.5), (0.4, 0.25, 0.2, 0.1, 0.05)
TABLE: list[str] = []

Floats = npt.NDArray[np.float64]


def allowed(runs: int) -> float:
    return ALPHA + 3.0 * math.sqrt(ALPHA * (1.0 - ALPHA) / runs)


@dataclass(frozen=True)
class Design:
    """How rows are drawn: `per_patient` rows share a normal effect in label and in score."""

    rows: int
    per_patient: int = 1
    shares: Sequence[float] = TWO

    def patients(self, rng: np.random.Generator) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        count = self.rows // self.per_patient
        owners = np.repeat(np.arange(count), self.per_patient)
        edges = np.cumsum(self.shares)[:-1]
        return owners, np.searchsorted(edges, rng.random(count))[owners]

    def latent(self, rng: np.random.Generator, owners: npt.NDArray[np.int64]) -> Floats:
        own = rng.standard_normal(self.rows)
        if self.per_patient == 1:
            return own
        shared = rng.standard_normal(self.rows // self.per_patient)[owners]
        return math.sqrt(ICC) * shared + math.sqrt(1.0 - ICC) * own


@dataclass
class Tally:
    """Decisions at a limit; a run with a group too small decides nothing, save that it may fail."""

    limit: float
    runs: int = 0
    fails: int = 0
    passes: int = 0
    undecided: int = 0
    names: list[str] = field(default_factory=list)

    def add(self, quantities: Sequence[fairness.Quantity], n: int) -> None:
        lower, upper = _bounds(quantities, n)
        complete = all(all(each.enough) for each in quantities)
        failed = lower > self.limit
        self.runs += 1
        self.fails += failed
        self.passes += complete and not failed and upper <= self.limit
        self.undecided += not complete

    def line(self, what: str) -> tuple[float, float]:
        fail, passed = self.fails / self.runs, self.passes / self.runs
        TABLE.append(
            f"{what:<72} R={self.runs:<6} fail {fail:.4f}  pass {passed:.4f}  "
            f"too few {self.undecided / self.runs:.3f}"
        )
        return fail, passed


def _bounds(quantities: Sequence[fairness.Quantity], n: int) -> tuple[float, float]:
    bounds = fairness.largest_gap(quantities, n).bounds
    assert bounds
    return bounds(ALPHA)


def generator(*labels: object) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(repr(labels).encode()))


def rates(design: Design, tpr: Sequence[float], fpr: Sequence[float], runs: int, limit: float = 0.1) -> Tally:
    rng = generator(design, tpr, fpr)
    tally = Tally(limit)
    for _ in range(runs):
        owners, groups = design.patients(rng)
        positive = design.latent(rng, owners) < ndtri(PREVALENCE)
        rate = np.where(positive, np.take(tpr, groups), np.take(fpr, groups))
        alerted = design.latent(rng, owners) < ndtri(rate)
        whole = Predictions(positive, alerted.astype(float), owners if design.per_patient > 1 else None)
        parts = fairness.by_group(whole, groups, len(design.shares))
        tally.add([fairness.rate_by_group(kind, whole, parts, 0.5) for kind in (TPR, FPR)], design.rows)
    return tally


def areas(design: Design, aucs: Sequence[float], runs: int, limit: float) -> Tally:
    rng = generator(design, aucs)
    shift = math.sqrt(2.0) * ndtri(np.array(aucs))
    tally = Tally(limit)
    for _ in range(runs):
        owners, groups = design.patients(rng)
        positive = design.latent(rng, owners) < ndtri(PREVALENCE)
        score = design.latent(rng, owners) + positive * shift[groups]
        whole = Predictions(positive, score, owners if design.per_patient > 1 else None)
        parts = fairness.by_group(whole, groups, len(design.shares))
        tally.add([fairness.area_by_group(whole, parts)], design.rows)
    return tally


def ratios(design: Design, observed_expected: Sequence[float], runs: int, limit: float) -> Tally:
    rng = generator(design, observed_expected)
    tally = Tally(limit)
    for _ in range(runs):
        owners, groups = design.patients(rng)
        score = rng.beta(2, 16, design.rows)
        truth = np.minimum(np.take(observed_expected, groups) * score, 0.99)
        positive = design.latent(rng, owners) < ndtri(truth)
        whole = Predictions(positive, score, owners if design.per_patient > 1 else None)
        parts = fairness.by_group(whole, groups, len(design.shares))
        tally.add([fairness.ratio_by_group(whole, parts)], design.rows)
    return tally


CLUSTERS = pytest.mark.parametrize("per_patient", [1, 5])
SIZES = pytest.mark.parametrize("rows", [1000, 10_000])


@CLUSTERS
@SIZES
def test_a_gap_of_two_groups_at_the_limit_is_seldom_failed_or_passed(rows: int, per_patient: int) -> None:
    limit = 0.1 if rows > 1000 else 0.2
    tally = rates(Design(rows, per_patient), (0.3 + limit, 0.3), (0.15, 0.15), runs=5000, limit=limit)
    fail, passed = tally.line(f"2 groups, n={rows}, {per_patient} a patient: true positive rate at {limit}")
    assert max(fail, passed) <= allowed(tally.runs)


@CLUSTERS
@SIZES
def test_both_rates_at_the_limit_are_seldom_failed(rows: int, per_patient: int) -> None:
    tally = rates(Design(rows, per_patient), (0.4, 0.3), (0.15, 0.05), runs=1000)
    fail, passed = tally.line(f"2 groups, n={rows}, {per_patient} a patient: both rates at 0.1")
    assert max(fail, passed) <= allowed(tally.runs)


@CLUSTERS
@SIZES
def test_many_gaps_of_five_groups_at_the_limit_are_seldom_failed(rows: int, per_patient: int) -> None:
    design = Design(rows, per_patient, FIVE if rows > 1000 else (0.2,) * 5)
    runs = 1000 if rows > 1000 else 200
    tally = rates(design, (0.4, 0.3, 0.4, 0.3, 0.4), (0.15, 0.05, 0.15, 0.05, 0.15), runs=runs)
    fail, passed = tally.line(f"5 groups, n={rows}, {per_patient} a patient: many gaps at 0.1")
    assert max(fail, passed) <= allowed(tally.runs)


@CLUSTERS
@SIZES
def test_areas_at_the_limit(rows: int, per_patient: int) -> None:
    aucs, limit = ((0.75, 0.70), 0.05) if rows > 1000 else ((0.80, 0.65), 0.15)
    tally = areas(Design(rows, per_patient), aucs, runs=1000, limit=limit)
    fail, passed = tally.line(f"2 groups, n={rows}, {per_patient} a patient: AUC at {limit}")
    assert max(fail, passed) <= allowed(tally.runs)


@CLUSTERS
@SIZES
def test_observed_to_expected_at_the_limit(rows: int, per_patient: int) -> None:
    both, limit = ((1.2, 0.9), 0.3) if rows > 1000 else ((1.4, 0.8), 0.6)
    tally = ratios(Design(rows, per_patient), both, runs=2000, limit=limit)
    fail, passed = tally.line(f"2 groups, n={rows}, {per_patient} a patient: observed:expected at {limit}")
    assert max(fail, passed) <= allowed(tally.runs)


@pytest.mark.parametrize("shares", [TWO, FIVE], ids=["2 groups", "5 groups"])
def test_the_power_to_certify_and_to_fail(shares: Sequence[float]) -> None:
    k = len(shares)
    for rows, runs in ((1000, 100), (10_000, 100), (50_000, 40)):
        for per_patient in (1, 5):
            design = Design(rows, per_patient, shares)
            what = f"{k} groups, n={rows}, {per_patient} a patient"
            fail, passed = rates(design, [0.4] * k, [0.15] * k, runs).line(f"{what}: no disparity")
            assert fail <= allowed(runs)
            if k == 2 and rows >= 10_000:
                assert passed > 0.7
            tally = rates(design, [0.4] * (k - 1) + [0.15], [0.15] * k, runs)
            found, passed = tally.line(f"{what}: true positive rate 0.25 apart, limit 0.1")
            assert passed <= allowed(runs)
            if rows >= 50_000:
                assert found > 0.9
