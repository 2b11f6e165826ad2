"""Simulated error rates of the calibration gates, with the true value at the limit, and power beside."""

import math
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
import pytest
from scipy.optimize import brentq
from scipy.special import expit, logit, ndtri

from pytest_readmit.stats import calibration, measure, reliability
from pytest_readmit.stats.effect import Effect
from pytest_readmit.stats.predictions import Predictions

pytestmark = pytest.mark.slow

ALPHA = 0.05
PREVALENCE = 0.11
ROWS_PER_PATIENT = 5
FEWEST_EVENTS = 10
RUNS = {1000: 5000, 10_000: 1500}
RUNS_FOR_POWER = 400
RATIO = (0.8, 1.25)
ECE_LIMIT = 0.02

Array = npt.NDArray[np.float64]
TABLE: list[str] = []


@dataclass(frozen=True)
class Population:
    """Patients to draw from: true risks and labels, each of shape (patients, rows of a patient)."""

    risk: Array
    positive: npt.NDArray[np.bool_]

    @property
    def rows(self) -> int:
        return self.risk.shape[1]


@cache
def population(rows: int) -> Population:
    """
    Return 300,000 rows of prevalence 0.11; rows of a patient share latent causes.

    Risks of a patient correlate by 0.7 on the logit scale; given the risks, latent normal variables behind
    the labels correlate by 0.5.
    """
    rng = np.random.default_rng(rows)
    patients = 300_000 // rows

    def shared(correlation: float) -> Array:
        own = rng.standard_normal((patients, rows))
        together = rng.standard_normal((patients, 1))
        return math.sqrt(correlation) * together + math.sqrt(1.0 - correlation) * own

    spread = 0.9 * (shared(0.7) if rows > 1 else rng.standard_normal((patients, 1)))
    risk = expit(spread + brentq(lambda a: expit(spread + a).mean() - PREVALENCE, -6.0, 0.0))
    latent = shared(0.5) if rows > 1 else rng.standard_normal((patients, 1))
    return Population(risk, latent < ndtri(risk))


def whole(people: Population, score: Array) -> Predictions:
    return Predictions(people.positive.ravel(), score.ravel())


def with_slope(people: Population, value: float) -> Array:
    """Return scores whose calibration slope in the population is the value."""
    x = logit(people.risk)
    found = calibration.slope(whole(people, people.risk)).estimate
    return expit(x * found / value)


def with_ratio(people: Population, value: float) -> Array:
    """Return scores with that many observed per expected event in the population."""
    return people.risk * people.positive.mean() / people.risk.mean() / value


def with_ece(people: Population, value: float, direction: float) -> Array:
    """Return scores too low (1), too high (-1) or too extreme (0), with that error in the population."""
    x = logit(people.risk)
    middle = float(x.mean())

    def scores(size: float) -> Array:
        return expit(x - direction * size) if direction else expit(middle + (x - middle) * (1.0 + size))

    if value == 0.0:
        return people.risk
    return scores(
        brentq(lambda size: reliability.ece(whole(people, scores(size))).estimate - value, 0.05, 3.0)
    )


def samples(people: Population, score: Array, n: int, runs: int, *labels: object) -> Iterator[Predictions]:
    rng = np.random.default_rng(zlib.crc32(repr((people.rows, n, *labels)).encode()))
    patients = n // people.rows
    owners = None if people.rows == 1 else np.repeat(np.arange(patients), people.rows)
    for _ in range(runs):
        drawn = rng.integers(0, len(score), patients)
        yield Predictions(people.positive[drawn].ravel(), score[drawn].ravel(), owners)


def rates(
    effect_of: Callable[[Predictions], Effect],
    drawn: Iterator[Predictions],
    limit: float | tuple[float, float],
) -> tuple[float, float]:
    """Return the shares of runs that fail and that pass; too few events are neither."""
    fails = passes = runs = 0
    for predictions in drawn:
        runs += 1
        if predictions.fewest_events < FEWEST_EVENTS:
            continue
        effect = effect_of(predictions)
        assert effect.bounds
        assert effect.p_beyond
        assert effect.p_below
        low, high = effect.bounds(ALPHA)
        if isinstance(limit, tuple):
            p = 2.0 * min(effect.p_beyond(limit[1]), effect.p_below(limit[0]))
            within = low >= limit[0] and high <= limit[1]
        else:
            p, within = effect.p_beyond(limit), high <= limit
        fails += p <= ALPHA
        passes += within and p > ALPHA
    return fails / runs, passes / runs


def slope(predictions: Predictions) -> Effect:
    return measure.level(calibration.slope(predictions))


def ratio(predictions: Predictions) -> Effect:
    return measure.level(calibration.observed_expected(predictions))


def note(what: str, n: int, rows: int, failed: float, passed: float, words: tuple[str, str]) -> None:
    TABLE.append(
        f"{what:<24} n={n:<6} rows a patient {rows}  {words[0]} {failed:.4f}  {words[1]} {passed:.4f}"
    )


def check_size(what: str, n: int, rows: int, found: tuple[float, float]) -> None:
    note(what, n, rows, *found, ("false fail", "false pass"))
    allowed = ALPHA + 3.0 * math.sqrt(ALPHA * (1.0 - ALPHA) / RUNS[n])
    assert max(found) <= allowed, (what, n, rows, found)


@pytest.mark.parametrize("rows", [1, ROWS_PER_PATIENT])
@pytest.mark.parametrize("n", [1000, 10_000])
@pytest.mark.parametrize("limit", RATIO)
def test_slope_and_ratio_at_either_limit(limit: float, n: int, rows: int) -> None:
    people = population(rows)
    drawn = samples(people, with_slope(people, limit), n, RUNS[n], "slope", limit)
    check_size(f"slope {limit}", n, rows, rates(slope, drawn, RATIO))
    drawn = samples(people, with_ratio(people, limit), n, RUNS[n], "ratio", limit)
    check_size(f"observed_expected {limit}", n, rows, rates(ratio, drawn, RATIO))


@pytest.mark.parametrize("rows", [1, ROWS_PER_PATIENT])
@pytest.mark.parametrize("n", [1000, 10_000])
@pytest.mark.parametrize(("words", "direction"), [("too low", 1.0), ("too high", -1.0), ("too extreme", 0.0)])
def test_ece_at_its_limit(words: str, direction: float, n: int, rows: int) -> None:
    people = population(rows)
    drawn = samples(people, with_ece(people, ECE_LIMIT, direction), n, RUNS[n], words)
    check_size(f"ece 0.02, {words}", n, rows, rates(reliability.ece, drawn, ECE_LIMIT))


@pytest.mark.parametrize("rows", [1, ROWS_PER_PATIENT])
@pytest.mark.parametrize("n", [1000, 10_000])
def test_power_beside_the_size(n: int, rows: int) -> None:
    people = population(rows)
    found = {}
    for value in (0.6, 1.0):
        drawn = samples(people, with_slope(people, value), n, RUNS_FOR_POWER, "slope", value)
        found["slope", value] = rates(slope, drawn, RATIO)
    for value in (1.0, 1.5):
        drawn = samples(people, with_ratio(people, value), n, RUNS_FOR_POWER, "ratio", value)
        found["observed_expected", value] = rates(ratio, drawn, RATIO)
    for value in (0.0, 0.04):
        drawn = samples(people, with_ece(people, value, -1.0), n, RUNS_FOR_POWER, "ece", value)
        found["ece", value] = rates(reliability.ece, drawn, ECE_LIMIT)
    for (what, value), (failed, passed) in found.items():
        note(f"{what} {value}", n, rows, failed, passed, ("fail", "pass"))
    if n == 10_000:
        assert min(found[key][0] for key in (("slope", 0.6), ("observed_expected", 1.5), ("ece", 0.04))) > 0.8
        assert min(found[key][1] for key in (("slope", 1.0), ("observed_expected", 1.0), ("ece", 0.0))) > 0.8
