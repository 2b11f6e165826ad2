"""Simulated error rates of floors, ceilings and changes of metrics, with the true value at the limit."""

import math
import zlib
from collections import Counter

import numpy as np
import numpy.typing as npt
import pytest
from scipy.special import ndtr, ndtri

from pytest_readmit.stats import metrics
from pytest_readmit.stats.effect import Effect
from pytest_readmit.stats.predictions import Predictions

pytestmark = pytest.mark.slow

ALPHA = 0.05
RUNS = 5000
ALLOWED = ALPHA + 3.0 * math.sqrt(ALPHA * (1.0 - ALPHA) / RUNS)
PREVALENCE = 0.11
THRESHOLD = 0.15
PER_PATIENT = 5
SLOPE, LATER_SLOPE = 0.8, 0.5
NAMES = ("brier", "log_loss", "brier_skill", "recall", "precision", "net_benefit")
FEWEST_EVENTS = 10
TABLE = [f"{RUNS} runs; allowed {ALLOWED:.4f}"]


def middle(slope: float) -> float:
    """Return the probit of an average patient's risk, so that the prevalence is held."""
    return float(ndtri(PREVALENCE)) * math.hypot(1.0, slope)


def scores(risk: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return what the model says: calibrated at first, too sure of itself once the slope has fallen."""
    return np.asarray(ndtr(middle(SLOPE) + SLOPE * risk))


def draw(rng: np.random.Generator, rows: int, slope: float, *, grouped: bool) -> Predictions:
    """Draw patients; rows of one share 70% of the variance of their risk and half that of their luck."""
    risk, luck = rng.normal(size=(2, rows))
    owners = None
    if grouped:
        patients = rng.normal(size=(2, rows // PER_PATIENT))
        shared = np.repeat(patients, PER_PATIENT, axis=1)
        risk = math.sqrt(0.7) * shared[0] + math.sqrt(0.3) * risk
        luck = math.sqrt(0.5) * (shared[1] + luck)
        owners = np.repeat(np.arange(rows // PER_PATIENT), PER_PATIENT)
    return Predictions(middle(slope) + slope * risk + luck > 0.0, scores(risk), owners)


def truth(slope: float) -> dict[str, float]:
    """Return the metrics of the population, by summing over the risk."""
    risk = np.linspace(-9.0, 9.0, 200_001)
    weight = np.exp(-(risk**2) / 2.0)
    weight /= weight.sum()
    score, event = scores(risk), ndtr(middle(slope) + slope * risk)
    alert = score >= THRESHOLD
    rate, true_alerts, alerts = (float(weight @ part) for part in (event, event * alert, alert * 1.0))
    brier = float(weight @ (event * (1.0 - score) ** 2 + (1.0 - event) * score**2))
    harm = THRESHOLD / (1.0 - THRESHOLD)
    return {
        "brier": brier,
        "brier_skill": 1.0 - brier / (rate * (1.0 - rate)),
        "log_loss": -float(weight @ (event * np.log(score) + (1.0 - event) * np.log1p(-score))),
        "recall": true_alerts / rate,
        "precision": true_alerts / alerts,
        "net_benefit": true_alerts - harm * (alerts - true_alerts),
    }


def tally(counts: Counter[str], effect: Effect, true: float, near: float) -> None:
    """Count where the bounds miss the truth, and what they can tell of a limit `near` to it."""
    assert effect.bounds
    lower, upper = effect.bounds(ALPHA)
    counts["above"] += lower > true
    counts["below"] += upper < true
    counts["proven"] += lower > near if near < true else upper < near


@pytest.mark.parametrize("grouped", [False, True], ids=["independent", "by patient"])
@pytest.mark.parametrize("rows", [1000, 10_000])
def test_bounds_miss_the_truth_no_more_often_than_they_say(rows: int, *, grouped: bool) -> None:
    """
    A floor at the truth fails wrongly where the upper bound is below it, and passes wrongly where the lower
    one is above it; a ceiling the other way. So both bounds together are every error at the limit.
    """
    rng = np.random.default_rng(zlib.crc32(f"{rows} {grouped}".encode()))
    before, after = truth(SLOPE), truth(LATER_SLOPE)
    counts: dict[tuple[str, str], Counter[str]] = {
        (kind, name): Counter() for kind in ("level", "change") for name in NAMES
    }
    for _ in range(RUNS):
        reference = draw(rng, rows, SLOPE, grouped=grouped)
        current = draw(rng, rows, LATER_SLOPE, grouped=grouped)
        for name in NAMES:
            if metrics.fewest(name, reference, THRESHOLD) < FEWEST_EVENTS:
                continue
            level = metrics.level(name, reference, threshold=THRESHOLD)
            tally(counts["level", name], level, before[name], 0.8 * before[name])
            change = metrics.change(name, reference, current, threshold=THRESHOLD)
            tally(counts["change", name], change, after[name] - before[name], 0.0)
    how = "by patient" if grouped else "independent"
    for (kind, name), count in counts.items():
        above, below, proven = (count[key] / RUNS for key in ("above", "below", "proven"))
        TABLE.append(
            f"{kind:<7}{name:<12} n={rows:<6} {how:<12} lower bound above {above:.4f}  "
            f"upper bound below {below:.4f}  proven {proven:.3f}"
        )
    wrong = {
        key: count for key, count in counts.items() if max(count["above"], count["below"]) > ALLOWED * RUNS
    }
    assert not wrong
