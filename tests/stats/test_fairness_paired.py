"""By how much the largest gap of one model exceeds another's: the numbers, and simulated error rates."""

from collections.abc import Sequence

import numpy as np
import pytest
from scipy.stats import norm

from pytest_readmit.stats import fairness, fairness_paired
from pytest_readmit.stats.effect import Effect, Undefined
from pytest_readmit.stats.predictions import Predictions

BOTH = ("true positive rate", "false positive rate")
Rates = Sequence[float]


def draw(
    rng: np.random.Generator,
    n: int,
    old: tuple[Rates, Rates],
    new: tuple[Rates, Rates],
    *,
    alike: float = 0.9,
    visits: int = 1,
) -> tuple[Predictions, Predictions, np.ndarray]:
    """Return both models' predictions and the groups; true and false positive rates are given by group."""
    patients = n // visits
    owners = np.repeat(np.arange(patients), visits)
    groups = rng.integers(0, len(old[0]), patients)[owners]
    positive = (rng.random(patients) < 0.11)[owners]

    def noise() -> np.ndarray:
        shared = 0.5**0.5 if visits > 1 else 0.0
        return shared * rng.normal(size=patients)[owners] + (1 - shared**2) ** 0.5 * rng.normal(size=n)

    first = noise()
    second = alike * first + (1 - alike**2) ** 0.5 * noise()
    sides = []
    for own, (hits, alarms) in ((first, old), (second, new)):
        rate = np.where(positive, np.array(hits)[groups], np.array(alarms)[groups])
        sides.append(
            Predictions(positive, np.where(norm.sf(own) < rate, 0.9, 0.1), owners if visits > 1 else None)
        )
    return sides[0], sides[1], groups


def change(
    old: Predictions,
    new: Predictions,
    groups: np.ndarray,
    names: Sequence[str] = BOTH,
    *,
    every: bool = False,
) -> Effect:
    size = int(groups.max()) + 1
    before, after = (fairness.by_group(each, groups, size) for each in (old, new))
    found = [fairness_paired.rate_by_group(name, before, after, 0.5) for name in names]
    return fairness_paired.change_of_gap(found, [part.owners for part in after], new.n, every=every)


def bounds(effect: Effect, alpha: float = 0.05) -> tuple[float, float]:
    assert effect.bounds
    return effect.bounds(alpha)


def test_the_estimate_is_the_difference_of_both_largest_gaps() -> None:
    old, new, groups = draw(
        np.random.default_rng(1), 4000, ((0.6, 0.5, 0.4), (0.2,) * 3), ((0.6, 0.6, 0.6), (0.2, 0.3, 0.2))
    )
    effect = change(old, new, groups)
    gaps = []
    for side in (old, new):
        parts = fairness.by_group(side, groups, 3)
        found = [fairness.rate_by_group(name, side, parts, 0.5) for name in BOTH]
        gaps.append(fairness.largest_gap(found, side.n).estimate)
    assert effect.details["reference"] == pytest.approx(gaps[0])
    assert effect.details["current"] == pytest.approx(gaps[1])
    assert effect.estimate == pytest.approx(gaps[1] - gaps[0])
    swapped = bounds(change(new, old, groups))
    assert bounds(effect) == pytest.approx((-swapped[1], -swapped[0]))


@pytest.mark.parametrize("limit", [-0.1, -0.01, 0.0, 0.02, 0.2])
def test_bounds_and_p_values_are_one(limit: float) -> None:
    effect = change(*draw(np.random.default_rng(2), 3000, ((0.6, 0.5), (0.2, 0.2)), ((0.6, 0.6), (0.2, 0.2))))
    assert effect.p_beyond
    assert effect.p_below
    for alpha in (0.2, 0.05, 0.001):
        low, high = bounds(effect, alpha)
        assert low <= effect.estimate <= high
        assert (effect.p_beyond(limit) <= alpha) == (low > limit)
        assert (effect.p_below(limit) <= alpha) == (high < limit)


@pytest.mark.parametrize("name", ["true positive rate", "AUC", "observed:expected"])
def test_the_same_scores_change_nothing_but_few_rows_prove_little(name: str) -> None:
    widths = []
    for n in (400, 40_000):
        old, _, groups = draw(np.random.default_rng(3), n, ((0.6, 0.5), (0.2, 0.2)), ((0.6,) * 2, (0.2,) * 2))
        parts = fairness.by_group(old, groups, 2)
        by = {
            "AUC": fairness_paired.area_by_group,
            "observed:expected": fairness_paired.ratio_by_group,
        }.get(name, lambda a, b: fairness_paired.rate_by_group(name, a, b, 0.5))
        effect = fairness_paired.change_of_gap([by(parts, parts)], [None, None], n, every=False)
        assert effect.estimate == 0
        low, high = bounds(effect)
        assert low < 0 < high
        widths.append(high)
    assert widths[0] > 0.05 > 0.02 > widths[1]


def test_groups_without_rows_enough_say_nothing() -> None:
    old, new, groups = draw(np.random.default_rng(4), 60, ((0.6, 0.5), (0.2, 0.2)), ((0.6,) * 2, (0.2,) * 2))
    with pytest.raises(Undefined, match="rows enough"):
        change(old, new, groups, ["true positive rate"])
    assert change(old, new, groups, ["true positive rate"], every=True).estimate is not None


# Rates of old and new by group whose gaps differ by exactly the limit of 0.05.
AT_THE_LIMIT = {
    "a gap grows": (((0.6, 0.5), (0.2, 0.2)), ((0.6, 0.45), (0.2, 0.2)), 0.9),
    "there was no gap": (((0.6, 0.6), (0.2, 0.2)), ((0.6, 0.6), (0.2, 0.25)), 0.9),
    "other groups": (((0.6, 0.5, 0.6, 0.6), (0.2,) * 4), ((0.5, 0.65, 0.5, 0.5), (0.2,) * 4), 0.5),
    "hardly a row differs": (((0.9, 0.9), (0.05, 0.05)), ((0.9, 0.85), (0.05, 0.05)), 0.999),
}


@pytest.mark.slow
@pytest.mark.parametrize("visits", [1, 3])
@pytest.mark.parametrize("case", AT_THE_LIMIT)
def test_error_rates_at_the_limit(case: str, visits: int) -> None:
    rng = np.random.default_rng(len(case) + visits)
    old, new, alike = AT_THE_LIMIT[case]
    runs = 400
    found = [bounds(change(*draw(rng, 3000, old, new, alike=alike, visits=visits))) for _ in range(runs)]
    passed = sum(high <= 0.05 for _, high in found) / runs
    failed = sum(low > 0.05 for low, _ in found) / runs
    print(f"{case}, {visits} rows a patient: false pass {passed:.4f}, false fail {failed:.4f}")
    assert max(passed, failed) <= 0.05


@pytest.mark.slow
def test_an_equal_model_is_certified_with_rows_enough() -> None:
    rng = np.random.default_rng(8)
    rates = ((0.6, 0.5), (0.2, 0.2))
    passed = sum(bounds(change(*draw(rng, 20_000, rates, rates)))[1] <= 0.05 for _ in range(100))
    assert passed >= 65
