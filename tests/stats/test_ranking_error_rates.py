"""Simulated error rates of the ranking metrics, with the true value or change at the limit, and power."""

import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
import pytest
from scipy.special import ndtr, ndtri

from pytest_readmit.stats import measure, precision, roc
from pytest_readmit.stats.effect import Effect
from pytest_readmit.stats.measure import Measure
from pytest_readmit.stats.predictions import Predictions

pytestmark = pytest.mark.slow

ALPHA = 0.05
PREVALENCE = 0.11
VISITS = 5
Array = npt.NDArray[np.float64]
TABLE: list[str] = []


@dataclass(frozen=True)
class Cohort:
    """
    Labels from a latent normal, scores from another plus `gap` for events; patients share part of both.

    Args:
        gap: How much higher an event scores, in standard deviations.
        visits: Rows a patient; 1 for independent rows.
    """

    gap: float
    visits: int = 1

    @property
    def shared(self) -> float:
        """Correlation of either latent between two rows of a patient."""
        return 0.5 if self.visits > 1 else 0.0

    @property
    def correlation(self) -> float:
        """Correlation of the two latents within a row."""
        return 0.6 * self.shared

    def draw(self, n: int, rng: np.random.Generator) -> Predictions:
        return self.draw_pair(n, rng, self.gap)[0]

    def draw_pair(
        self, n: int, rng: np.random.Generator, other_gap: float, alike: float = 0.9
    ) -> tuple[Predictions, Predictions]:
        """Draw the same rows with two scores; their noise correlates by `alike`."""
        own, patients = self.shared, n // self.visits
        label, score, other = rng.normal(size=(3, n))
        other = alike * score + math.sqrt(1 - alike**2) * other
        owners = None
        if own:
            first, second, third = rng.normal(size=(3, patients))
            third = alike * second + math.sqrt(1 - alike**2) * third
            owners = np.repeat(np.arange(patients), self.visits)
            label, score, other = (
                math.sqrt(own) * patient[owners] + math.sqrt(1 - own) * row
                for patient, row in (
                    (first, label),
                    (0.6 * first + 0.8 * second, score),
                    (0.6 * first + 0.8 * third, other),
                )
            )
        positive = label > ndtri(1 - PREVALENCE)
        return (
            Predictions(positive, score + self.gap * positive, owners),
            Predictions(positive, other + other_gap * positive, owners),
        )

    def rates(self) -> tuple[Array, Array]:
        """Return false and true positive rate over falling thresholds, by integrating the normal latents."""
        cut, rho = ndtri(1 - PREVALENCE), self.correlation
        thresholds = np.linspace(8.0, -7.0, 6001)
        tails = []
        for gap, latent in (
            (0.0, np.linspace(-8.0, cut, 801)),
            (self.gap, np.linspace(cut, 8.0, 801)),
        ):
            middle = (latent[1:] + latent[:-1]) / 2
            weight = np.diff(ndtr(latent))
            above = ndtr((rho * middle - (thresholds[:, None] - gap)) / math.sqrt(1 - rho**2))
            tails.append(above @ weight / weight.sum())
        return tails[0], tails[1]


@cache
def true_auc(cohort: Cohort) -> float:
    alarms, recall = cohort.rates()
    return float(np.diff(alarms) @ (recall[1:] + recall[:-1]) / 2)


@cache
def true_precision(cohort: Cohort) -> float:
    alarms, recall = cohort.rates()
    value = PREVALENCE * recall / (PREVALENCE * recall + (1 - PREVALENCE) * alarms)
    return float(np.diff(recall) @ (value[1:] + value[:-1]) / 2)


def test_the_truth_of_independent_rows_is_the_binormal_one() -> None:
    assert true_auc(Cohort(1.0)) == pytest.approx(ndtr(1 / math.sqrt(2)), abs=1e-5)


@dataclass
class Count:
    """How often an effect at its limit was proven beyond it on either side."""

    limit: float
    below: int = 0
    above: int = 0

    def add(self, effect: Effect) -> None:
        self.below += proven(effect.p_below, self.limit)
        self.above += proven(effect.p_beyond, self.limit)


def proven(p_value: Callable[[float], float] | None, limit: float) -> bool:
    assert p_value
    return p_value(limit) <= ALPHA


def check(what: str, n: int, runs: int, count: Count) -> None:
    """A floor fails falsely where the value is "proven" below it, and passes falsely where above."""
    below, above = count.below / runs, count.above / runs
    TABLE.append(f"{what:<66} n={n:<6} R={runs:<5} false fail {below:.4f}  false pass {above:.4f}")
    allowed = ALPHA + 3.0 * math.sqrt(ALPHA * (1.0 - ALPHA) / runs)
    assert max(below, above) <= allowed, (what, n, below, above)


def power(what: str, n: int, hits: int, runs: int) -> None:
    TABLE.append(f"power: {what:<59} n={n:<6} R={runs:<5} {hits / runs:.3f}")


Metric = Callable[[Predictions, int], Measure]

METRICS: dict[str, tuple[Metric, Callable[[Cohort], float], dict[int, int]]] = {
    "roc_auc": (lambda rows, _: roc.measure(rows), true_auc, {1000: 5000, 10_000: 1500}),
    "average_precision": (
        lambda rows, seed: precision.measure(rows, prevalence=PREVALENCE, replicates=100, seed=seed),
        true_precision,
        {1000: 1000, 10_000: 200},
    ),
}
GAPS = {1: (1.0, 0.78), VISITS: (0.5, 0.28)}


def rows_of(visits: int) -> str:
    return "independent rows" if visits == 1 else f"{visits} rows a patient"


def generator(*labels: object) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(repr(labels).encode()))


@pytest.mark.parametrize("n", [1000, 10_000])
@pytest.mark.parametrize("visits", [1, VISITS])
@pytest.mark.parametrize("metric", METRICS)
def test_a_level_and_a_change_keep_their_error_rates(metric: str, visits: int, n: int) -> None:
    """The metric falls between two cohorts: the floor is where it falls to, the largest drop its fall."""
    measured, truth, all_runs = METRICS[metric]
    runs, rng = all_runs[n], generator(metric, visits, n)
    before, after = (Cohort(gap, visits) for gap in GAPS[visits])
    fall = truth(after) - truth(before)
    level, change = Count(truth(after)), Count(fall)
    above_floor = dropped = five_percent = five_percent_null = default_null = default_passes = 0
    earlier = measured(before.draw(n, rng), 10**6)
    for run in range(runs):
        reference, current = measured(before.draw(n, rng), 2 * run), measured(after.draw(n, rng), 2 * run + 1)
        floor, drop = measure.level(reference), measure.change(reference, current)
        unchanged = measure.change(earlier, reference)
        level.add(measure.level(current))
        change.add(drop)
        above_floor += proven(floor.p_beyond, level.limit)
        dropped += proven(drop.p_below, 0.0)
        five_percent += abs(drop.estimate) > 0.05 * reference.estimate
        five_percent_null += abs(unchanged.estimate) > 0.05 * earlier.estimate
        default_null += proven(unchanged.p_below, -0.05)
        default_passes += proven(unchanged.p_beyond, -0.05)
        earlier = reference
    rows = rows_of(visits)
    check(f"{metric} at a floor of {level.limit:.3f}, {rows}", n, runs, level)
    check(f"{metric} at a drop of {-fall:.3f}, {rows}", n, runs, change)
    power(f"{metric} of {truth(before):.3f} passes that floor, {rows}", n, above_floor, runs)
    power(f"{metric}: that drop fails a limit of 0, {rows}", n, dropped, runs)
    power(f"{metric} unchanged: passes max_drop 0.05, {rows}", n, default_passes, runs)
    power(f"{metric} unchanged: fails max_drop 0.05, {rows}", n, default_null, runs)
    power(f"{metric} unchanged: the 5% rule flags, {rows}", n, five_percent_null, runs)
    power(f"{metric}, that drop: the 5% rule flags, {rows}", n, five_percent, runs)
    assert default_null / runs <= ALPHA


PAIRED: dict[str, tuple[Callable[..., Effect], Callable[[Cohort], float], dict[int, int]]] = {
    "roc_auc": (lambda old, new, _: roc.paired(old, new), true_auc, {1000: 3000, 10_000: 500}),
    "average_precision": (
        lambda old, new, seed: precision.paired(old, new, prevalence=PREVALENCE, replicates=100, seed=seed),
        true_precision,
        {1000: 700, 10_000: 100},
    ),
}


@pytest.mark.parametrize("n", [1000, 10_000])
@pytest.mark.parametrize("visits", [1, VISITS])
@pytest.mark.parametrize("metric", PAIRED)
def test_a_paired_difference_keeps_its_error_rates(metric: str, visits: int, n: int) -> None:
    paired, truth, all_runs = PAIRED[metric]
    runs, rng = all_runs[n], generator("paired", metric, visits, n)
    worse, better = GAPS[visits][1], GAPS[visits][1] + 0.08
    gain = truth(Cohort(better, visits)) - truth(Cohort(worse, visits))
    count, improved = Count(gain), 0
    for run in range(runs):
        effect = paired(*Cohort(worse, visits).draw_pair(n, rng, better), run)
        count.add(effect)
        improved += proven(effect.p_beyond, 0.0)
    check(f"{metric}, paired, at a gain of {gain:.3f}, {rows_of(visits)}", n, runs, count)
    power(f"{metric}, paired: that gain is proven over 0, {rows_of(visits)}", n, improved, runs)
