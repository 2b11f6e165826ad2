"""Simulated error rates of every method that has bounds, with the true effect at the limit."""

import math
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest
from scipy.special import ndtr, ndtri

from pytest_readmit.stats import (
    cluster,
    conjunction,
    divergence,
    ks,
    proportion,
    several,
    shift,
    variation,
    wasserstein,
)
from pytest_readmit.stats.distribution import Distribution, text_array
from pytest_readmit.stats.effect import Effect, Undefined
from pytest_readmit.stats.proportion import Proportion

pytestmark = pytest.mark.slow

ALPHA = 0.05
RUNS = 5000
SIZES = (50, 300, 3000, 30_000)
ALLOWED = ALPHA + 3.0 * math.sqrt(ALPHA * (1.0 - ALPHA) / RUNS)
FEWEST_EVENTS = 10

Array = npt.NDArray[np.float64]
TwoSample = Callable[[Distribution, Distribution], Effect]
TABLE: list[str] = []


@dataclass(frozen=True)
class Populations:
    """Two populations on one support, and the true effect between them."""

    support: npt.NDArray[np.generic]
    reference: Array
    current: Array
    limit: float


def generator(*labels: object) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(repr(labels).encode()))


def draw(
    populations: Populations, n: int, m: int, rng: np.random.Generator, runs: int = RUNS
) -> Iterator[tuple[Distribution, Distribution]]:
    """Draw both samples as counts; a drawn zero leaves the support, as in real data."""
    before = rng.multinomial(n, populations.reference, size=runs)
    after = rng.multinomial(m, populations.current, size=runs)
    for row_before, row_after in zip(before, after, strict=True):
        sides = []
        for row in (row_before, row_after):
            present = row > 0
            sides.append(Distribution(populations.support[present], row[present]))
        yield sides[0], sides[1]


def decisions(
    effects: Iterable[Effect | None], limit: float, *, by_bounds: bool = False
) -> tuple[float, float]:
    """
    Return the rates of "proven beyond" and "certified within"; None stands for undecidable.

    By the law of bounds and p-values both ways of asking are one; bounds are quicker for exact limits.
    """
    fails = passes = runs = 0
    for effect in effects:
        runs += 1
        if effect is None:
            continue
        assert effect.p_beyond
        assert effect.p_below
        assert effect.bounds
        if by_bounds:
            lower, upper = effect.bounds(ALPHA)
            failed, passed = lower > limit, upper <= limit
        else:
            failed = effect.p_beyond(limit) <= ALPHA
            passed = not failed and effect.p_below(limit) <= ALPHA
        fails += failed
        passes += passed
    return fails / runs, passes / runs


def note(what: str, n: object, false_fail: float, false_pass: float) -> None:
    TABLE.append(f"{what:<44} n={n!s:<12} false fail {false_fail:.4f}  false pass {false_pass:.4f}")


def check_size(what: str, n: object, rates: tuple[float, float]) -> None:
    note(what, n, *rates)
    assert max(rates) <= ALLOWED, (what, n, rates)


# populations on a grid fine enough to be continuous for every method


def grid(density_before: Array, density_after: Array, points: Array) -> tuple[Array, Array, Array]:
    return points, density_before / density_before.sum(), density_after / density_after.sum()


def normal_shift(steps: int, width: float = 0.02) -> tuple[Array, Array, Array]:
    points = np.arange(-4.5, 4.5 + width / 2, width)
    before = np.exp(-(points**2) / 2)
    before[:steps] = before[-steps:] = 0.0
    after = np.roll(before, steps)
    return grid(before, after, points)


def lognormal_shift(steps: int) -> tuple[Array, Array, Array]:
    """A laboratory value, skewed to the right (lognormal, sigma 0.25), moved as a whole."""
    points = np.arange(0.3, 3.2, 0.005)
    before = np.exp(-((np.log(points) / 0.25) ** 2) / 2) / points
    before[-steps:] = 0.0
    return grid(before, np.roll(before, steps), points)


def normal_scale(ratio: float) -> tuple[Array, Array, Array]:
    points = np.arange(-6.0, 6.01, 0.02)
    return grid(np.exp(-(points**2) / 2), np.exp(-((points / ratio) ** 2) / 2), points)


def flat_contact(gap: float) -> tuple[Array, Array, Array]:
    """F - G equals the gap over the whole middle of the range."""
    points = np.arange(400.0)
    before = np.full(400, 1 / 400)
    after = before.copy()
    after[:40] -= gap / 40
    after[-40:] += gap / 40
    return grid(before, after, points)


def ordinal(gap: float) -> tuple[Array, Array, Array]:
    before = np.array([0.3, 0.25, 0.2, 0.15, 0.1])
    return grid(before, before + np.array([-gap, 0, 0, 0, gap]), np.arange(5.0))


def binary(gap: float) -> tuple[Array, Array, Array]:
    before = np.array([0.45, 0.55])
    return grid(before, before + np.array([gap, -gap]), np.arange(2.0))


def true_ks(p: Array, q: Array, x: Array) -> float:
    return float(np.abs(np.cumsum(p - q)).max())


def true_tv(p: Array, q: Array, x: Array) -> float:
    return float(np.abs(p - q).sum() / 2)


def sd(p: Array, x: Array) -> float:
    return float(np.sqrt(p @ (x - p @ x) ** 2))


def true_wasserstein(p: Array, q: Array, x: Array) -> float:
    return float(np.abs(np.cumsum(p - q))[:-1] @ np.diff(x)) / sd(p, x)


def true_mean_shift(p: Array, q: Array, x: Array) -> float:
    return float((q - p) @ x) / sd(p, x)


def tenths(p: Array, q: Array) -> tuple[Array, Array]:
    """Return both laws over the reference population's tenths, cells split in proportion."""
    ends = np.concatenate(([0.0], np.cumsum(p)))
    share_below = np.interp(np.linspace(0, 1, 11), ends, np.concatenate(([0.0], np.cumsum(q))))
    return np.full(10, 0.1), np.diff(share_below)


def true_divergence(name: str, p: Array, q: Array) -> float:
    if name == "psi":
        return float(((p - q) * np.log(p / q)).sum())
    if name == "hellinger":
        return float(np.sqrt(((np.sqrt(p) - np.sqrt(q)) ** 2).sum() / 2))
    middle = (p + q) / 2
    return float(np.sqrt((p @ np.log2(p / middle) + q @ np.log2(q / middle)) / 2))


NUMERIC: dict[str, tuple[TwoSample, tuple[Array, Array, Array], Callable[[Array, Array, Array], float]]] = {
    "ks, shift": (ks.effect, normal_shift(13), true_ks),
    "ks, scale": (ks.effect, normal_scale(1.5), true_ks),
    "ks, flat contact": (ks.effect, flat_contact(0.1), true_ks),
    "ks, five ordered levels": (ks.effect, ordinal(0.1), true_ks),
    "ks, two values": (ks.effect, binary(0.1), true_ks),
    "wasserstein, shift": (wasserstein.effect, normal_shift(13), true_wasserstein),
    "wasserstein, scale": (wasserstein.effect, normal_scale(1.3), true_wasserstein),
    "wasserstein, skewed shift": (wasserstein.effect, lognormal_shift(13), true_wasserstein),
    "mean_shift, normal": (shift.effect, normal_shift(13), true_mean_shift),
    "mean_shift, normal, one sd": (shift.effect, normal_shift(50), true_mean_shift),
    "mean_shift, skewed": (shift.effect, lognormal_shift(13), true_mean_shift),
}


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("name", NUMERIC)
def test_numeric_distances_keep_their_error_rates(name: str, n: int) -> None:
    effect, (points, before, after), truth = NUMERIC[name]
    populations = Populations(points, before, after, truth(before, after, points))
    samples = draw(populations, n, n, generator(name, n))
    check_size(name, n, decisions((effect(*sides) for sides in samples), populations.limit))


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize(
    "effect", [ks.effect, wasserstein.effect, shift.effect], ids=["ks", "wasserstein", "mean_shift"]
)
def test_unequal_sizes_keep_their_error_rates(effect: TwoSample, n: int) -> None:
    truth = {ks.effect: true_ks, wasserstein.effect: true_wasserstein, shift.effect: true_mean_shift}[effect]
    points, before, after = normal_shift(13)
    populations = Populations(points, before, after, truth(before, after, points))
    name = f"{effect.__module__.rsplit('.', 1)[-1]}, shift, 5 n against n"
    samples = draw(populations, 5 * n, n, generator(name, n))
    check_size(name, n, decisions((effect(*sides) for sides in samples), populations.limit))


def levels_moved(k: int, how: str, distance: float) -> Populations:
    names = text_array(f"level {i:03d}" for i in range(k))
    before = np.full(k, 1 / k)
    after = before.copy()
    if how == "one up":
        after[0] += distance
        after[1:] -= distance / (k - 1)
    else:
        after[: k // 2] += distance / (k // 2)
        after[k // 2 :] -= distance / (k - k // 2)
    return Populations(names, before, after, true_tv(before, after, before))


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize(
    ("k", "how"), [(2, "one up"), (4, "one up"), (4, "half up"), (20, "one up"), (20, "half up")]
)
def test_total_variation_keeps_its_error_rates(k: int, how: str, n: int) -> None:
    populations = levels_moved(k, how, 0.1)
    samples = draw(populations, n, n, generator("tv", k, how, n))
    rates = decisions((variation.effect(*sides) for sides in samples), populations.limit)
    check_size(f"total_variation, {k} levels, {how}", n, rates)


DIVERGENCES: dict[str, TwoSample] = {
    "psi": divergence.psi,
    "jensen_shannon": divergence.jensen_shannon,
    "hellinger": divergence.hellinger,
}


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("name", DIVERGENCES)
def test_divergences_of_numbers_keep_their_error_rates(name: str, n: int) -> None:
    points, before, after = normal_shift(12)
    limit = true_divergence(name, *tenths(before, after))
    samples = draw(Populations(points, before, after, limit), n, n, generator(name, "numbers", n))
    rates = decisions((DIVERGENCES[name](*sides) for sides in samples), limit)
    check_size(f"{name}, ten bins of the reference", n, rates)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("k", [2, 4, 10])
@pytest.mark.parametrize("name", DIVERGENCES)
def test_divergences_of_levels_keep_their_error_rates(name: str, k: int, n: int) -> None:
    moved = levels_moved(k, "half up", 0.12)
    limit = true_divergence(name, moved.reference, moved.current)
    samples = draw(moved, n, n, generator(name, "levels", k, n))
    rates = decisions((DIVERGENCES[name](*sides) for sides in samples), limit)
    check_size(f"{name}, {k} levels", n, rates)


def pairs_of_events(
    p: float, q: float, n: int, rng: np.random.Generator
) -> Iterator[tuple[Proportion, Proportion]]:
    for x, y in zip(rng.binomial(n, p, RUNS), rng.binomial(n, q, RUNS), strict=True):
        yield Proportion(float(x), n), Proportion(float(y), n)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize(
    ("p", "limit"), [(0.05, 0.05), (0.11, 0.02), (0.5, 0.05), (0.01, 0.01), (0.0005, 0.002), (0.0, 0.002)]
)
def test_risk_difference_keeps_its_error_rates(p: float, limit: float, n: int) -> None:
    pairs = pairs_of_events(p, p + limit, n, generator("rd", p, limit, n))
    rates = decisions((proportion.risk_difference(*pair) for pair in pairs), limit)
    check_size(f"risk_difference, {p} and {p + limit:.4g}", n, rates)


RARE = [(0.0, 0.002), (0.0005, 0.002), (0.01, 0.01)]


@pytest.mark.parametrize(
    ("n", "m"), [*zip(SIZES, SIZES, strict=True), (3000, 300), (300, 3000), (30_000, 300)]
)
@pytest.mark.parametrize(("p", "limit"), RARE)
def test_rare_difference_keeps_its_error_rates(p: float, limit: float, n: int, m: int) -> None:
    rng = generator("rare", p, limit, n, m)
    drawn = np.column_stack((rng.binomial(n, p, RUNS), rng.binomial(m, p + limit, RUNS))).tolist()
    pairs = [(x, y) for x, y in drawn]
    rates = decisions((rare(*pair, n, m) for pair in pairs), limit, by_bounds=True)
    check_size(f"rare_difference, {p} and {p + limit:.4g}", f"{n}/{m}", rates)


def rare(x: int, y: int, n: int, m: int) -> Effect:
    return proportion.rare_difference(Proportion(x, n), Proportion(y, m))


def ratio_or_none(reference: Proportion, current: Proportion) -> Effect | None:
    """The rule leaves fewer than ten events undecided."""
    if min(reference.events, current.events) < FEWEST_EVENTS:
        return None
    return proportion.risk_ratio(reference, current)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize(("p", "limit"), [(0.3, 1.25), (0.11, 1.25), (0.11, 0.8), (0.02, 2.0)])
def test_risk_ratio_keeps_its_error_rates(p: float, limit: float, n: int) -> None:
    pairs = pairs_of_events(p, p * limit, n, generator("rr", p, limit, n))
    rates = decisions((ratio_or_none(*pair) for pair in pairs), limit)
    check_size(f"risk_ratio {limit}, {p}", n, rates)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("limit", [0.002, 0.01, 0.05, 0.3])
def test_one_share_keeps_its_error_rates(limit: float, n: int) -> None:
    events = generator("share", limit, n).binomial(n, limit, RUNS)
    rates = decisions((proportion.share(Proportion(float(x), n)) for x in events), limit)
    check_size(f"share at {limit}", n, rates)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("k", [5, 200, 2000])
def test_unseen_excess_keeps_its_error_rates(k: int, n: int) -> None:
    limit = 0.002
    names = text_array(f"level {i:05d}" for i in range(k))
    zipf = 1.0 / np.arange(1, k + 1)
    zipf /= zipf.sum()
    rng = generator("unseen", k, n)
    before = rng.multinomial(n, zipf, size=RUNS)
    # new levels take a share that leaves the excess at the limit: e + (1 - e) u - u = limit
    unseen = (before == 0) @ zipf
    new = limit / (1.0 - unseen)
    current = rng.binomial(n, new + (1.0 - new) * unseen)

    def one(row: npt.NDArray[np.int64], y: int) -> Effect:
        expected = proportion.singletons(Distribution(names, row))
        return proportion.excess_over(Proportion(y, n), expected)

    effects = (one(row, int(y)) for row, y in zip(before, current, strict=True))
    check_size(f"unseen_categories, Zipf of {k}", n, decisions(effects, limit, by_bounds=True))


@pytest.mark.parametrize("n", SIZES)
def test_the_largest_of_five_factors_keeps_its_error_rates(n: int) -> None:
    limit, k = 0.002, 5
    rng = generator("factors", n)
    before = rng.binomial(n, 0.0002, (RUNS, k))
    after = rng.binomial(n, 0.0002 + limit, (RUNS, k))

    def largest(x: npt.NDArray[np.int64], y: npt.NDArray[np.int64]) -> Effect:
        return several.largest_of([rare(int(a), int(b), n, n) for a, b in zip(x, y, strict=True)])

    effects = (largest(x, y) for x, y in zip(before, after, strict=True))
    check_size("largest of five factors, all at the limit", n, decisions(effects, limit, by_bounds=True))


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.95])
def test_drift_share_keeps_its_error_rates(correlation: float) -> None:
    features, drifted, limit = 20, 6, 0.3
    rng = generator("share of features", correlation)
    common = rng.normal(size=(RUNS, 1)) * math.sqrt(correlation)
    uniform = ndtr(common + rng.normal(size=(RUNS, features)) * math.sqrt(1 - correlation))
    # to fail falsely: six drift for certain, the others sit at their limit
    beyond = uniform.copy()
    beyond[:, :drifted] = 0.0
    fails = np.mean([_share(row, np.ones(features)).p_beyond(limit) <= ALPHA for row in beyond])  # type: ignore[misc]
    # to pass falsely: the others are within for certain, six sit at their limit
    within = uniform.copy()
    within[:, drifted:] = 0.0
    passes = np.mean([_share(np.ones(features), row).p_below(limit) <= ALPHA for row in within])  # type: ignore[misc]
    check_size(f"drift_share, correlation {correlation}", "any", (float(fails), float(passes)))


def _share(p_drifted: Array, p_within: Array) -> Effect:
    return conjunction.share(p_drifted.tolist(), p_within.tolist(), 0.3)


# patients with several rows


def repeated(
    patients: int, visits: int, icc: float, mean: float, rng: np.random.Generator
) -> tuple[Array, npt.NDArray[np.int64]]:
    own = rng.normal(size=(patients, 1)) * math.sqrt(icc)
    rows = own + rng.normal(size=(patients, visits)) * math.sqrt(1 - icc) + mean
    return rows.ravel(), np.repeat(np.arange(patients), visits)


def clustered(
    values: Array, owners: npt.NDArray[np.int64], edges: npt.NDArray[np.float64] | None = None
) -> Distribution:
    plain = Distribution.of_numbers(values)
    codes = cluster.bin_codes(values, cluster.quantile_edges(plain) if edges is None else edges)
    effect = cluster.distribution_design_effect(codes, owners, ordered=True)
    return Distribution.of_numbers(values, design_effect=effect)


@pytest.mark.parametrize(("n", "visits", "icc"), [(600, 3, 0.5), (600, 5, 0.8), (3000, 3, 0.8)])
def test_repeated_patients_keep_the_error_rate_of_ks(n: int, visits: int, icc: float) -> None:
    limit = 0.1
    moved = 2.0 * float(ndtri((1.0 + limit) / 2.0))
    rng = generator("clusters", n, visits, icc)
    runs = 5000 if n < 1000 else 2000

    def one() -> Effect:
        before, owners = repeated(n // visits, visits, icc, 0.0, rng)
        after, _ = repeated(n // visits, visits, icc, moved, rng)
        reference = clustered(before, owners)
        return ks.effect(reference, clustered(after, owners, cluster.quantile_edges(reference)))

    rates = decisions((one() for _ in range(runs)), limit)
    check_size(f"ks, {visits} rows a patient, icc {icc}", n, rates)


@pytest.mark.parametrize(("n", "visits", "icc"), [(600, 3, 0.5), (600, 5, 0.8), (3000, 3, 0.8)])
def test_repeated_patients_keep_the_error_rate_of_a_difference(n: int, visits: int, icc: float) -> None:
    p, limit = 0.1, 0.05
    rng = generator("clustered shares", n, visits, icc)

    def one(share: float) -> Proportion:
        values, _ = repeated(n // visits, visits, icc, 0.0, rng)
        events = (values < ndtri(share)).reshape(-1, visits).sum(axis=1)
        effect = cluster.proportion_design_effect(events, np.full(len(events), visits))
        return Proportion(float(events.sum()), n, effect)

    rates = decisions((proportion.risk_difference(one(p), one(p + limit)) for _ in range(RUNS)), limit)
    check_size(f"risk_difference, {visits} rows a patient, icc {icc}", n, rates)


def test_no_event_among_repeated_patients_never_passes_too_often() -> None:
    """Without events the design effect is that of patients' rows as copies."""
    limit, patients, visits = 0.01, 200, 5
    rng = generator("no events")
    events = visits * rng.binomial(patients, limit, RUNS)

    def one(count: int) -> Effect:
        per_patient = np.zeros(patients)
        per_patient[: count // visits] = visits
        effect = cluster.proportion_design_effect(per_patient, np.full(patients, visits))
        return proportion.share(Proportion(float(count), patients * visits, effect))

    check_size("share at 0.01, 5 copies a patient", patients * visits, decisions(map(one, events), limit))


# power


def power(what: str, rate: float, wanted: float) -> None:
    TABLE.append(f"power: {what:<60} {rate:.4f} (wanted {wanted})")
    assert rate >= wanted, (what, rate)


def test_no_drift_passes_at_three_thousand_rows() -> None:
    n = 3000
    points, before, _ = normal_shift(13)
    same = Populations(points, before, before, 0.0)
    passes = decisions((ks.effect(*sides) for sides in draw(same, n, n, generator("null ks"))), 0.1)[1]
    power("no drift passes, ks 0.10, n=3000", passes, 0.99)
    four = levels_moved(4, "one up", 0.0)
    passes = decisions((variation.effect(*sides) for sides in draw(four, n, n, generator("null tv"))), 0.1)[1]
    power("no drift passes, total_variation 0.10, 4 levels, n=3000", passes, 0.99)
    pairs = pairs_of_events(0.05, 0.05, n, generator("null missing"))
    passes = decisions((proportion.risk_difference(*pair) for pair in pairs), 0.05)[1]
    power("no drift passes, missing 0.05 of 5%, n=3000", passes, 0.99)


def test_half_a_standard_deviation_fails_at_three_thousand_rows() -> None:
    points, before, after = normal_shift(25)
    samples = draw(Populations(points, before, after, 0.1), 3000, 3000, generator("half sd"))
    fails = decisions((ks.effect(*sides) for sides in samples), 0.1)[0]
    power("half a standard deviation fails, ks 0.10, n=3000", fails, 0.99)


def test_one_percent_of_rows_in_another_unit_fails_at_three_thousand_rows() -> None:
    """Glucose in mmol/L, 1% of rows as mg/dL: beyond ten interquartile ranges, limit 0.002."""
    n, limit, factor = 3000, 0.002, 18.0
    rng = generator("units")
    effects = []
    for _ in range(1000):
        reference = np.exp(rng.normal(math.log(5.8), 0.25, n))
        current = np.exp(rng.normal(math.log(5.8), 0.25, n))
        current[rng.random(n) < 0.01] *= factor
        low, middle, high = np.quantile(reference, [0.25, 0.5, 0.75])
        before, after = (np.abs(x - middle) > 10 * (high - low) for x in (reference, current))
        effects.append(
            proportion.rare_difference(Proportion(float(before.sum()), n), Proportion(float(after.sum()), n))
        )
    power("1% of rows x 18 fails, extreme_values 0.002, n=3000", decisions(effects, limit)[0], 0.95)


def test_a_total_variation_of_fifteen_points_fails_at_three_thousand_rows() -> None:
    moved = levels_moved(4, "half up", 0.15)
    samples = draw(moved, 3000, 3000, generator("tv power"))
    fails = decisions((variation.effect(*sides) for sides in samples), 0.1)[0]
    power("total variation 0.15 fails, limit 0.10, 4 levels, n=3000", fails, 0.88)


def test_a_run_of_ten_null_entries_rarely_raises_a_false_alarm() -> None:
    """Ten entries of one case each, nothing moved: four ks, three total variation, three missing."""
    n = 3000
    rng = generator("ten entries")
    points, before, _ = normal_shift(13)
    numbers, levels = Populations(points, before, before, 0.0), levels_moved(4, "one up", 0.0)
    failed = np.zeros(RUNS, dtype=bool)
    for entry in range(10):
        if entry < 7:
            kind, effect = (numbers, ks.effect) if entry < 4 else (levels, variation.effect)
            p_values = [effect(*sides).p_beyond(0.1) for sides in draw(kind, n, n, rng)]  # type: ignore[misc]
        else:
            pairs = pairs_of_events(0.05, 0.05, n, rng)
            p_values = [proportion.risk_difference(*pair).p_beyond(0.05) for pair in pairs]  # type: ignore[misc]
        failed |= np.array(p_values) <= ALPHA
    TABLE.append(f"false alarms of a run of ten null entries, n=3000: {failed.mean():.4f} (bound 0.5)")
    assert failed.mean() <= 0.01


def test_an_undefined_ratio_is_no_decision() -> None:
    with pytest.raises(Undefined):
        proportion.risk_ratio(Proportion(0, 100), Proportion(3, 100))
