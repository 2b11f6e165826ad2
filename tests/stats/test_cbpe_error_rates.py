"""How often the metric to come lies beyond the bounds of its expected value, labels drawn from the scores."""

import math
import zlib

import numpy as np
import numpy.typing as npt
import pytest
from scipy.special import expit, ndtri

from pytest_readmit.stats import cbpe, measure
from pytest_readmit.stats.metrics import METRICS

pytestmark = pytest.mark.slow

ALPHA = 0.05
RUNS = 5000
ALLOWED = ALPHA + 3 * math.sqrt(ALPHA * (1 - ALPHA) / RUNS)
THRESHOLD = 0.15
CORRELATION = 0.5
TABLE: list[str] = ["metric, n, rows a patient: metric below the bounds / above"]

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.bool_]


def scores_of(rows: int, each: int) -> Floats:
    """Return scores of prevalence 0.11, rows of one patient close together, in descending order."""
    rng = np.random.default_rng(zlib.crc32(repr((rows, each)).encode()))
    patient = rng.normal(0, 0.8, rows // each).repeat(each)
    return np.sort(expit(-2.4 + patient + rng.normal(0, 0.4, rows)))[::-1]


def draw(rng: np.random.Generator, scores: Floats, each: int, runs: int) -> Labels:
    """Return labels of shape (runs, n) with the scores as probabilities; rows of one patient correlate."""
    noise = rng.standard_normal((runs, len(scores)), dtype=np.float32)
    if each > 1:
        shared = rng.standard_normal((runs, len(scores) // each), dtype=np.float32).repeat(each, axis=1)
        noise = math.sqrt(CORRELATION) * shared + math.sqrt(1 - CORRELATION) * noise
    return np.asarray(noise < ndtri(scores))


def come_true(name: str, scores: Floats, positive: Labels) -> Floats:
    """Return the metric of each run, shape (runs,); the scores descend and have no ties."""
    n = len(scores)
    events = positive.sum(axis=1)
    alerts = int(np.count_nonzero(scores >= THRESHOLD))
    hits = positive[:, :alerts].sum(axis=1)
    if name == "roc_auc":
        ranks = np.arange(n, 0, -1)
        return (positive @ ranks - events * (events + 1) / 2) / (events * (n - events))
    if name == "average_precision":
        precision = np.cumsum(positive, axis=1, dtype=np.float32) / np.arange(1, n + 1, dtype=np.float32)
        return np.einsum("rn,rn->r", precision, positive.astype(np.float32)) / events
    if name in ("brier", "brier_skill"):
        brier = (scores**2).mean() + positive @ (1 - 2 * scores) / n
        share = events / n
        return brier if name == "brier" else 1 - brier / (share * (1 - share))
    if name == "log_loss":
        return -(np.log1p(-scores).mean() + positive @ np.log(scores / (1 - scores)) / n)
    precision, recall = hits / alerts, hits / events
    return {
        "accuracy": (2 * hits + n - alerts - events) / n,
        "precision": precision,
        "recall": recall,
        "specificity": (n - alerts - events + hits) / (n - events),
        "npv": (n - alerts - events + hits) / (n - alerts),
        "f1": 2 * hits / (alerts + events),
        "balanced_accuracy": (recall + (n - alerts - events + hits) / (n - events)) / 2,
        "net_benefit": (hits - (alerts - hits) * THRESHOLD / (1 - THRESHOLD)) / n,
    }[name]


@pytest.mark.parametrize("each", [1, 5])
@pytest.mark.parametrize("rows", [1000, 10_000])
def test_the_metric_to_come_is_rarely_beyond_a_bound(rows: int, each: int) -> None:
    scores = scores_of(rows, each)
    owners = None if each == 1 else np.arange(rows) // each
    rng = np.random.default_rng(rows + each)
    names = sorted(METRICS.keys() - {"alert_rate"})
    beyond = {name: np.zeros(2) for name in names}
    bounds = {}
    for name in names:
        found = measure.level(cbpe.expected(name, scores, owners, threshold=THRESHOLD))
        assert found.bounds is not None
        bounds[name] = found.bounds(ALPHA)
    batch = 250
    for _ in range(RUNS // batch):
        positive = draw(rng, scores, each, batch)
        for name in names:
            metric = come_true(name, scores, positive)
            beyond[name] += [np.sum(metric < bounds[name][0]), np.sum(metric > bounds[name][1])]
    rates = {name: count / RUNS for name, count in beyond.items()}
    TABLE.extend(
        f"{name:18} {rows:6,} {each}  {below:.4f} / {above:.4f}" for name, (below, above) in rates.items()
    )
    assert {name: rate for name, rate in rates.items() if rate.max() > ALLOWED} == {}
